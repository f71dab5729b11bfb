//! A schedule: ends every reservation that nobody ended, and goes on with every save that is due. Safe to run twice, at once,
//! or to be killed.

use drives::{DrivesError, Saving};
use platform::{InvalidSettings, Platform};
use runs::{Closing, RunsError, SweepReport};

/// Why not everything was swept.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error(transparent)]
    Drives(#[from] DrivesError),
}

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    Closing::new(platform)?;
    Saving::new(platform).map(drop)
}

/// Neither waits for the other: credit comes back in time however slow a drive is, and the report is of the reservations.
pub async fn handle(platform: &Platform) -> Result<SweepReport, SweepError> {
    let (closing, saving) = (Closing::new(platform)?, Saving::new(platform)?);
    let (swept, saved) = tokio::join!(closing.sweep(), saving.run_due());
    let report = swept?;
    saved?;
    Ok(report)
}
