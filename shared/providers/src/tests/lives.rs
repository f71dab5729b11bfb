//! What the explorers of runs' lives share: the time, the provider's name for work, how an attempt fails, and what the
//! table of jobs keeps of a write.

use crate::failure::{Again, Failure};
use crate::job::Place;
use crate::{Attempt, FailureClass, ProviderName, Ticket, Work};
use primitives::{CostCents, Timestamp};
use std::time::Duration;

/// The pause before the same provider is asked again.
const BACKOFF: Duration = Duration::from_secs(1);

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(1_790_000_000 + seconds)
}

pub(super) fn ticket(step: usize) -> Ticket {
    Ticket { id: Some(format!("job-{step}")), place: Place::Comfyui { prompt: format!("job-{step}") } }
}

pub(super) fn failed(work: &Work, class: FailureClass, again: Again, now: Timestamp) -> Work {
    let attempt = Attempt {
        provider: ProviderName::Comfyui,
        model: "m".to_owned(),
        // Always the same: when it was does not matter for what follows.
        started_at: at(0),
        millis: 0,
        first_content_millis: None,
        failure: Some(class),
        provider_request_id: None,
        cost: CostCents::ZERO,
        cost_is_estimated: false,
    };
    work.failed(attempt, &Failure { again, ..Failure::new(class) }, now, BACKOFF)
}

/// What the table keeps of a visitor's write; `None`: it refuses the write. `is_fresh`: no other write came since the
/// visitor saw `seen`. What a provider has told holds beside its owner's wish to end.
pub(super) fn kept(stored: &Work, seen: &Work, next: &Work, is_fresh: bool) -> Option<Work> {
    let only_ends = seen.is_at_a_provider() && !seen.must_end() && *stored == seen.ending();
    match (is_fresh, only_ends) {
        (true, _) => Some(next.clone()),
        (false, true) => Some(next.ending()),
        (false, false) => None,
    }
}
