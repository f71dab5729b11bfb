//! What the profile says about the ledger, and how much of it a deployment's settings replace.

use platform::{Profile, Settings};
use primitives::CostCents;
use serde::Deserialize;
use std::time::Duration;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[LedgerRules::SECTION, Limits::SECTION];

/// The section `ledger`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRules {
    /// How long a reservation lives; longer than the slowest run.
    pub hold_seconds: u64,
    /// How long after its expiry a reservation is left alone, so that a late settle wins over the sweep.
    pub hold_grace_seconds: u64,
}

/// The section `limits`: ceilings against abuse; each can be replaced by the setting named beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Open reservations per account (`OPEN_HOLDS_MAX`).
    pub open_holds_max: u32,
    /// The same for an account that never paid anything in (`UNPAID_OPEN_HOLDS_MAX`).
    pub unpaid_open_holds_max: u32,
    /// Runs started per account and minute (`RUNS_PER_MINUTE_MAX`).
    pub runs_per_minute_max: u32,
    /// Our own cost of runs that were given back, borne per account and UTC day (`GIVEN_BACK_DAY_CENTS`).
    pub given_back_day_cents: CostCents,
    /// So many hundredths of what was paid in are borne instead, if that is more (`GIVEN_BACK_PERCENT_OF_PAID`).
    pub given_back_percent_of_paid: u32,
    /// Never more than this, whatever was paid in (`GIVEN_BACK_DAY_CENTS_MAX`).
    pub given_back_day_cents_max: CostCents,
}

impl LedgerRules {
    const SECTION: &str = "ledger";

    /// `None`: the section is wrong, which is a complaint.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<LedgerRules> {
        profile.section(LedgerRules::SECTION, settings)
    }

    /// How long a reservation lives.
    pub fn hold_lifetime(&self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }

    /// How long after its expiry a reservation is left alone.
    pub fn hold_grace(&self) -> Duration {
        Duration::from_secs(self.hold_grace_seconds)
    }
}

impl Limits {
    const SECTION: &str = "limits";

    /// `None`: the section is wrong, which is a complaint; so is a setting that can't be read in place of a rule.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<Limits> {
        let mut limits: Limits = profile.section(Limits::SECTION, settings)?;
        settings.replace("OPEN_HOLDS_MAX", &mut limits.open_holds_max, "a whole number");
        settings.replace("UNPAID_OPEN_HOLDS_MAX", &mut limits.unpaid_open_holds_max, "a whole number");
        settings.replace(
            "GIVEN_BACK_PERCENT_OF_PAID",
            &mut limits.given_back_percent_of_paid,
            "a whole number",
        );
        settings.replace("RUNS_PER_MINUTE_MAX", &mut limits.runs_per_minute_max, "a whole number");
        settings.replace(
            "GIVEN_BACK_DAY_CENTS",
            &mut limits.given_back_day_cents,
            "an amount of cents such as 25",
        );
        settings.replace(
            "GIVEN_BACK_DAY_CENTS_MAX",
            &mut limits.given_back_day_cents_max,
            "an amount of cents such as 25",
        );
        Some(limits)
    }
}
