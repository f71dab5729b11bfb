//! A schedule: looks after runs whose provider works apart from us, when nobody listens to them any more. Safe to run twice,
//! at once, or to be killed.

use platform::{InvalidSettings, Platform};
use runs::{PollReport, RunPoll, RunsError};

/// Why not everything was looked after.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Runs(#[from] RunsError),
}

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    RunPoll::new(platform).map(drop)
}

pub async fn handle(platform: &Platform) -> Result<PollReport, PollError> {
    Ok(RunPoll::new(platform)?.run().await?)
}
