use crate::Settings;
use primitives::{CostCents, Credits, Markup};
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
    pub tools: Vec<ToolSeed>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRules {
    /// What one ledger unit is, e.g. `USD cent`.
    pub unit: String,
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
    /// Runs started per account and minute (`RUNS_PER_MINUTE_MAX`).
    pub runs_per_minute_max: u32,
    /// Requests per person and minute (`USER_REQUESTS_PER_MINUTE_MAX`).
    pub user_requests_per_minute_max: u32,
    /// Requests per network (IPv4 /24, IPv6 /48) and minute (`NETWORK_REQUESTS_PER_MINUTE_MAX`).
    pub network_requests_per_minute_max: u32,
    /// Welcome credits per network and day (`WELCOMES_PER_NETWORK_DAY_MAX`).
    pub welcomes_per_network_day_max: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub media_days: u32,
    pub usage_log_days: u32,
    pub logs_days: u32,
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
            ("RUNS_PER_MINUTE_MAX", &mut self.runs_per_minute_max),
            ("USER_REQUESTS_PER_MINUTE_MAX", &mut self.user_requests_per_minute_max),
            ("NETWORK_REQUESTS_PER_MINUTE_MAX", &mut self.network_requests_per_minute_max),
            ("WELCOMES_PER_NETWORK_DAY_MAX", &mut self.welcomes_per_network_day_max),
        ];
        for (name, limit) in overrides {
            *limit = settings.parsed_or(name, *limit, "a whole number");
        }
    }
}
