//! A schedule: compares each payment rail with the processor's own list and books what was missed. Safe to run
//! twice, at once, or to be killed.

use payments::{PaymentsError, RailReport, Reconciliation};
use platform::{InvalidSettings, Platform};

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}

/// One report per configured rail; an empty list of differences is what it should be.
pub async fn handle(platform: &Platform) -> Result<Vec<RailReport>, ReconciliationError> {
    Ok(Reconciliation::new(platform)?.run(platform.now()).await?)
}
