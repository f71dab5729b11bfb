use crate::Rail;
use platform::{Profile, Settings};
use primitives::Credits;
use rails::viet_qr::CodePrefix;
use serde::{Deserialize, Deserializer, de};
use std::time::Duration;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[TopUpRules::SECTION];

/// The profile's section `top_ups`: what can be paid in, and what becomes of money that does not arrive as it was ordered.
/// Amounts are ledger units.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopUpRules {
    /// The amounts the page offers.
    pub tiers: Vec<Credits>,
    /// Any other amount from `amount_min` to `amount_max` in whole `amount_step`s.
    pub amount_min: Credits,
    pub amount_max: Credits,
    pub amount_step: Credits,
    /// Payment rails, in the order they are offered.
    #[serde(deserialize_with = "rails_by_name")]
    pub methods: Vec<Rail>,
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
    #[serde(deserialize_with = "prefix")]
    pub reference_prefix: CodePrefix,
}

impl TopUpRules {
    const SECTION: &str = "top_ups";

    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<TopUpRules> {
        let mut rules: TopUpRules = profile.section(TopUpRules::SECTION, settings)?;
        settings.replace("OPEN_TOP_UPS_MAX", &mut rules.open_max, "a whole number");
        settings.replace("TOP_UPS_PER_DAY_MAX", &mut rules.orders_per_day_max, "a whole number");
        Some(rules)
    }

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

fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CodePrefix, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| de::Error::custom(format!("reference_prefix: `{text}`, but {error}")))
}

/// All names that are no rail are told at once.
fn rails_by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rail>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let (mut rails, mut unknown) = (Vec::new(), Vec::new());
    let mut why = None;
    for name in names {
        match name.parse::<Rail>() {
            Ok(rail) => rails.push(rail),
            Err(error) => {
                unknown.push(format!("`{name}`"));
                why = Some(error);
            }
        }
    }
    match why {
        None => Ok(rails),
        Some(error) => {
            Err(de::Error::custom(format!("methods: {} can't be paid by, {error}", unknown.join(", "))))
        }
    }
}
