//! A schedule: reads the chain for USDT that came to our wallet, and grants claims whose wait is over. Safe to run
//! twice, at once, or to be killed.

use payments::{ChainDesk, PaymentsError, PollReport};
use platform::{InvalidSettings, Platform};

/// Why a poll did nothing.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    ChainDesk::new(platform).map(drop)
}

/// Without a wallet there is nothing to poll, and the report is empty.
pub async fn handle(platform: &Platform) -> Result<PollReport, PollError> {
    match ChainDesk::new(platform)? {
        Some(desk) => Ok(desk.tick(platform.now()).await?),
        None => Ok(PollReport::default()),
    }
}
