//! A schedule: ends every reservation that nobody ended. Safe to run twice, at once, or to be killed.

use platform::{InvalidSettings, Platform};
use runs::{Closing, RunsError, SweepReport};

/// Why not everything was swept.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Runs(#[from] RunsError),
}

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    Closing::new(platform).map(drop)
}

pub async fn handle(platform: &Platform) -> Result<SweepReport, SweepError> {
    Ok(Closing::new(platform)?.sweep().await?)
}
