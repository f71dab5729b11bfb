use crate::Settings;
use primitives::{CostCents, Credits, Markup, Unit};
use serde::Deserialize;
use std::time::Duration;

/// Which service this deployment is: its brand, ledger rules, tools and times. The numbers live in `infra/profiles`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub brand: String,
    pub ledger: LedgerRules,
    pub limits: Limits,
    pub retention: Retention,
    pub top_ups: TopUpRules,
    pub tools: Vec<ToolSeed>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRules {
    /// What one ledger unit is, e.g. `USD cent`.
    pub unit: Unit,
    /// Credit given once to a new person.
    pub welcome: Credits,
    /// How long a reservation lives; longer than the slowest run.
    pub hold_seconds: u64,
    /// How long after its expiry a reservation is left alone, so that a late settle wins over the sweep.
    pub hold_grace_seconds: u64,
    /// How long a quoted price is kept.
    pub quote_seconds: u64,
    /// How long an instance may use a price row it has read.
    pub pricing_cache_seconds: u64,
}

/// Ceilings against abuse; each can be overridden by the setting named beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Open reservations per account (`OPEN_HOLDS_MAX`).
    pub open_holds_max: u32,
    /// The same for an account that never paid anything in (`UNPAID_OPEN_HOLDS_MAX`).
    pub unpaid_open_holds_max: u32,
    /// Repeats of a running run that wait for its end, per account and two seconds (`WAITING_REPEATS_MAX`).
    pub waiting_repeats_max: u32,
    /// Runs started per account and minute (`RUNS_PER_MINUTE_MAX`).
    pub runs_per_minute_max: u32,
    /// Requests per person and minute (`USER_REQUESTS_PER_MINUTE_MAX`).
    pub user_requests_per_minute_max: u32,
    /// Requests per network (IPv4 /24, IPv6 /48) and minute (`NETWORK_REQUESTS_PER_MINUTE_MAX`).
    pub network_requests_per_minute_max: u32,
    /// Welcome credits per network and day (`WELCOMES_PER_NETWORK_DAY_MAX`).
    pub welcomes_per_network_day_max: u32,
    /// Our own cost of runs that were given back, borne per account and UTC day (`GIVEN_BACK_DAY_CENTS`).
    pub given_back_day_cents: CostCents,
    /// So many hundredths of what was paid in are borne instead, if that is more (`GIVEN_BACK_PERCENT_OF_PAID`).
    pub given_back_percent_of_paid: u32,
    /// Never more than this, whatever was paid in (`GIVEN_BACK_DAY_CENTS_MAX`).
    pub given_back_day_cents_max: CostCents,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub media_days: u32,
    pub usage_log_days: u32,
    pub logs_days: u32,
}

/// What can be paid in, and what becomes of money that does not arrive as it was ordered. Amounts are ledger units.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopUpRules {
    /// The amounts the page offers.
    pub tiers: Vec<Credits>,
    /// Any other amount from `amount_min` to `amount_max` in whole `amount_step`s.
    pub amount_min: Credits,
    pub amount_max: Credits,
    pub amount_step: Credits,
    /// Names of payment rails, in the order they are offered.
    pub methods: Vec<String>,
    /// How long an order waits for its payment.
    pub order_minutes: u64,
    /// How long after that a payment still counts for its order, at the order's rate.
    pub grace_hours: u64,
    /// Unpaid orders a person may have at once (`OPEN_TOP_UPS_MAX`).
    pub open_max: u32,
    /// Orders a person may make within a day, paid or not (`TOP_UPS_PER_DAY_MAX`).
    pub orders_per_day_max: u32,
    /// An arrival worth less than this is looked at by a person first.
    pub arrival_min: Credits,
    /// So is one worth more than this.
    pub arrival_max: Credits,
    /// How long a claim of a transfer waits for others to object, when nothing but its claimant's word speaks for it.
    pub claim_wait_hours: u64,
    /// So much of claims without proof is granted per account and UTC day without a person's look.
    pub claim_credits_day_max: Credits,
    /// Transfers that an account may claim on one UTC day.
    pub claims_day_max: u32,
    /// How long the sealed raw body of a payment's delivery is kept.
    pub body_days: u32,
    /// What a transfer's reference code begins with.
    pub reference_prefix: String,
}

/// A row that `tool_pricing` starts with; afterwards the table is the truth.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSeed {
    pub tool: String,
    /// Which variant of the tool, e.g. the model family; the first one listed is the default.
    pub option: String,
    pub title: String,
    pub provider_cost_cents: CostCents,
    pub markup_ratio: Markup,
    pub enabled: bool,
    /// The first provider and its fallbacks, as `provider/setting-of-the-model`.
    pub chain: Vec<String>,
    pub prompt_chars_max: u32,
    /// For text: each begun stretch of so many bytes of the prompt (UTF-8) costs `provider_cost_cents` once more.
    pub prompt_bytes_per_unit: Option<u32>,
    /// For text: the provider may write this many tokens.
    pub output_tokens_max: Option<u32>,
}

impl LedgerRules {
    pub fn hold_lifetime(&self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }

    pub fn hold_grace(&self) -> Duration {
        Duration::from_secs(self.hold_grace_seconds)
    }
}

impl TopUpRules {
    pub fn order_lifetime(&self) -> Duration {
        Duration::from_secs(self.order_minutes.saturating_mul(60))
    }

    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_hours.saturating_mul(3600))
    }

    pub fn claim_wait(&self) -> Duration {
        Duration::from_secs(self.claim_wait_hours.saturating_mul(3600))
    }

    pub fn body_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.body_days).saturating_mul(86_400))
    }
}

impl Profile {
    /// `PROFILE`, citipen when absent.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<Profile> {
        let name = settings.text_or("PROFILE", "citipen");
        let text = match name.as_str() {
            "citipen" => include_str!("../../../infra/profiles/citipen.toml"),
            _ => {
                settings.complain("PROFILE", &format!("must be citipen, not `{name}`"));
                return None;
            }
        };
        match toml::from_str::<Profile>(text) {
            Ok(mut profile) => {
                profile.limits.override_from(settings);
                let open_max = profile.top_ups.open_max;
                profile.top_ups.open_max = settings.parsed_or("OPEN_TOP_UPS_MAX", open_max, "a whole number");
                let made_max = profile.top_ups.orders_per_day_max;
                profile.top_ups.orders_per_day_max =
                    settings.parsed_or("TOP_UPS_PER_DAY_MAX", made_max, "a whole number");
                Some(profile)
            }
            Err(error) => {
                settings.complain("PROFILE", &format!("can't be read: {error}"));
                None
            }
        }
    }
}

impl Limits {
    fn override_from(&mut self, settings: &mut Settings<'_>) {
        let overrides = [
            ("OPEN_HOLDS_MAX", &mut self.open_holds_max),
            ("UNPAID_OPEN_HOLDS_MAX", &mut self.unpaid_open_holds_max),
            ("WAITING_REPEATS_MAX", &mut self.waiting_repeats_max),
            ("GIVEN_BACK_PERCENT_OF_PAID", &mut self.given_back_percent_of_paid),
            ("RUNS_PER_MINUTE_MAX", &mut self.runs_per_minute_max),
            ("USER_REQUESTS_PER_MINUTE_MAX", &mut self.user_requests_per_minute_max),
            ("NETWORK_REQUESTS_PER_MINUTE_MAX", &mut self.network_requests_per_minute_max),
            ("WELCOMES_PER_NETWORK_DAY_MAX", &mut self.welcomes_per_network_day_max),
        ];
        for (name, limit) in overrides {
            *limit = settings.parsed_or(name, *limit, "a whole number");
        }
        let overrides = [
            ("GIVEN_BACK_DAY_CENTS", &mut self.given_back_day_cents),
            ("GIVEN_BACK_DAY_CENTS_MAX", &mut self.given_back_day_cents_max),
        ];
        for (name, limit) in overrides {
            *limit = settings.parsed_or(name, *limit, "an amount of cents such as 25");
        }
    }
}
