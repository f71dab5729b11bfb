//! A schedule: asks the feeds for today's exchange rates. Safe to run twice, at once, or to be killed.

use platform::{InvalidSettings, Platform};
use rates::{Rates, Report};

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    Rates::new(platform).map(drop)
}

pub async fn handle(platform: &Platform) -> Result<Report, InvalidSettings> {
    Ok(Rates::new(platform)?.refresh(platform.now()).await)
}
