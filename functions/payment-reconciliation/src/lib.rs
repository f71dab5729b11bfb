//! A schedule: compares each payment rail with the processor's own list and books what was missed. Safe to run
//! twice, at once, or to be killed.
//!
//! A person who sends it `{"since": "2026-11-28T00:00:00Z"}` has everything since then compared: the replay of a day of
//! webhooks.

use payments::{PaymentsError, RailReport, Reconciliation};
use platform::{InvalidSettings, Platform};
use primitives::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
    #[error("the event must be empty, the scheduler's own, or {{\"since\": \"2026-11-28T00:00:00Z\"}}")]
    Event(#[source] serde_json::Error),
}

/// What a person may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    since: Option<Timestamp>,
}

/// Whether the settings suit the work.
pub fn check(platform: &Platform) -> Result<(), InvalidSettings> {
    Reconciliation::new(platform).map(drop)
}

/// One report per configured rail. A rail whose books are right has an empty list of differences.
pub async fn handle(platform: &Platform, event: Value) -> Result<Vec<RailReport>, ReconciliationError> {
    let since = since(event)?;
    Ok(Reconciliation::new(platform)?.run(platform.now(), since).await?)
}

/// An event of the scheduler has a `source`, and asks for the usual days. Any other event must be a `Wish`: a mistyped
/// `since` is refused: the operator would take the usual comparison for the one that they asked for.
fn since(event: Value) -> Result<Option<Timestamp>, ReconciliationError> {
    if event.is_null() || event.get("source").is_some() {
        return Ok(None);
    }
    let wish: Wish = serde_json::from_value(event).map_err(ReconciliationError::Event)?;
    Ok(wish.since)
}
