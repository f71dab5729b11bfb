//! A schedule: ends every reservation that nobody ended. Safe to run twice, at once, or to be killed.

use platform::Platform;
use runs::{Closing, RunsError, SweepReport};

pub async fn handle(platform: &Platform) -> Result<SweepReport, RunsError> {
    Closing::new(platform).sweep().await
}
