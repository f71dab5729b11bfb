//! A schedule: asks the providers that we pay in advance what is left. Safe to run twice, at once, or to be killed.

use platform::{InvalidSettings, Platform};
use providers::{Balance, Balances};

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    Balances::new(platform).map(drop)
}

pub async fn handle(platform: &Platform) -> Result<Vec<Balance>, InvalidSettings> {
    Ok(Balances::new(platform)?.look().await)
}
