use crate::health::{Admission, HealthRow, Incident};
use crate::{ProviderName, items};
use platform::{Platform, StoreError, with_causes};
use primitives::{Timestamp, times};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tracing::{debug, warn};

/// How old the known rows may be.
const FRESH: Duration = Duration::from_secs(5);
const WRITE_TRIES: u32 = 3;

/// The instances' shared knowledge of which providers are well, kept in memory for some seconds.
///
/// Every fault of the table itself is passed over: selling goes on with what this instance knows.
pub(crate) struct Breaker {
    platform: Platform,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    read_at: Option<Timestamp>,
    rows: [HealthRow; ProviderName::ALL.len()],
}

impl Breaker {
    pub(crate) fn new(platform: &Platform) -> Breaker {
        Breaker { platform: platform.clone(), board: Mutex::default() }
    }

    /// Reads the rows again when they are old; whoever comes meanwhile uses the old ones.
    pub(crate) async fn refresh(&self) {
        let now = self.platform.now();
        {
            let mut board = self.board();
            if board.read_at.is_some_and(|read_at| now.since(read_at) < FRESH) {
                return;
            }
            board.read_at = Some(now);
        }
        if let Some(rows) = self.ask(items::read_all(&self.platform)).await {
            let mut board = self.board();
            for (provider, row) in rows {
                board.rows[provider as usize] = row;
            }
        }
    }

    /// Whether a run may use the provider now. Only a half-open one costs a store call: taking the probe.
    pub(crate) async fn admits(&self, provider: ProviderName) -> bool {
        let now = self.platform.now();
        let (seen, probing) = {
            let mut board = self.board();
            let row = &mut board.rows[provider as usize];
            match row.admission(now) {
                Admission::Closed => return true,
                Admission::Open => return false,
                Admission::Probe => {}
            }
            let seen = *row;
            // Written down first, so that only one run of this instance asks.
            *row = seen.with_probe_taken(now);
            (seen, *row)
        };
        let taken = items::replace(&self.platform, provider, &seen, &probing, now);
        match self.ask(taken).await {
            Some(true) | None => true,
            Some(false) => self.admits_after_all(provider, now).await,
        }
    }

    /// Somebody else changed the row: they probe, or their probe has already closed it.
    async fn admits_after_all(&self, provider: ProviderName, now: Timestamp) -> bool {
        let Some(row) = self.ask(items::read(&self.platform, provider)).await else { return true };
        self.know(provider, row);
        row.admission(now) == Admission::Closed
    }

    pub(crate) async fn succeeded(&self, provider: ProviderName) {
        self.change(provider, |row| row.after_success()).await;
    }

    pub(crate) async fn failed(&self, provider: ProviderName, incident: &Incident<'_>) {
        let now = self.platform.now();
        self.change(provider, |row| row.after_failure(incident, now)).await;
    }

    /// Applies a transition to the stored row, if it changes what is known here.
    async fn change(&self, provider: ProviderName, next: impl Fn(&HealthRow) -> Option<HealthRow>) {
        let known = self.board().rows[provider as usize];
        let Some(local) = next(&known) else { return };
        let stored = self.ask(self.change_stored(provider, next)).await;
        self.know(provider, stored.unwrap_or(local));
    }

    async fn change_stored(
        &self,
        provider: ProviderName,
        next: impl Fn(&HealthRow) -> Option<HealthRow>,
    ) -> Result<HealthRow, StoreError> {
        for _ in 0..WRITE_TRIES {
            let seen = items::read(&self.platform, provider).await?;
            let Some(changed) = next(&seen) else { return Ok(seen) };
            if items::replace(&self.platform, provider, &seen, &changed, self.platform.now()).await? {
                return Ok(changed);
            }
        }
        Err(StoreError::Conflict)
    }

    /// `None` when the store does not answer, or not soon enough.
    async fn ask<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        match timeout(times::HEALTH.limit, call).await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(StoreError::Conflict)) => {
                debug!("too many instances change a provider's health at once; this change is left out");
                None
            }
            Ok(Err(error)) => {
                warn!(
                    error = %with_causes(&error),
                    "the providers' health can't be read or written; providers are used as known here"
                );
                None
            }
            Err(_) => {
                warn!("the providers' health takes too long; providers are used as known here");
                None
            }
        }
    }

    fn know(&self, provider: ProviderName, row: HealthRow) {
        self.board().rows[provider as usize] = row;
    }

    /// Nothing in here panics, and a half-written row would be no harm.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
