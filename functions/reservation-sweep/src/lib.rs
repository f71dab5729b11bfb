//! A schedule: ends every reservation that its run has not ended in time, and goes on with every save that is due. Two
//! sweeps may run at once, and a sweep may be killed at any point: the next one goes on.

use drives::{DrivesError, Saving};
use platform::{InvalidSettings, Platform};
use runs::{Closing, RunsError, SweepReport};

/// Why a sweep did not do all of its work.
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

/// Ends reservations and goes on with saves at the same time, so that a slow drive does not delay the credit. The
/// report is about the reservations.
pub async fn handle(platform: &Platform) -> Result<SweepReport, SweepError> {
    let (closing, saving) = (Closing::new(platform)?, Saving::new(platform)?);
    let (swept, saved) = tokio::join!(closing.sweep(), saving.run_due());
    let report = swept?;
    saved?;
    Ok(report)
}
