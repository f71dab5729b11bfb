use crate::settings::Timing;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long an unfinished job's withdrawal may take.
const WITHDRAWAL: Duration = Duration::from_secs(3);

/// The moments that matter to a job that works elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueDeadlines {
    /// The job must be finished.
    pub(crate) finished: Instant,
    /// Its file must be here, or the job taken back.
    pub(crate) total: Instant,
}

impl QueueDeadlines {
    /// Of an attempt that starts now and must be over at `limit`; some time is kept for the end.
    pub(crate) fn of(timing: &Timing, limit: Instant) -> QueueDeadlines {
        let now = Instant::now();
        let total = limit.min(now + timing.total);
        let kept = WITHDRAWAL.min(total.saturating_duration_since(now) / 4);
        QueueDeadlines { finished: (total - kept).min(now + timing.first_content), total }
    }

    /// Until when an unfinished job may be taken back, from now.
    pub(crate) fn withdrawal(&self) -> Instant {
        self.total.min(Instant::now() + WITHDRAWAL)
    }
}

/// The pauses between looks at a job that works elsewhere: they grow by half, up to five times the first.
pub(crate) struct Pace {
    next: Duration,
    max: Duration,
    limit: Instant,
}

impl Pace {
    pub(crate) fn new(first: Duration, limit: Instant) -> Pace {
        Pace { next: first, max: first * 5, limit }
    }

    /// False when the time is up before the next look.
    pub(crate) async fn pause(&mut self) -> bool {
        let until = Instant::now() + self.grow();
        if until >= self.limit {
            return false;
        }
        sleep_until(until).await;
        true
    }

    /// The pause that is due; the next one is longer.
    fn grow(&mut self) -> Duration {
        let due = self.next;
        self.next = (due + due / 2).min(self.max);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_up_to_five_times_the_first_pause() {
        let mut pace = Pace::new(Duration::from_secs(1), Instant::now());
        let pauses: Vec<_> = (0..6).map(|_| pace.grow().as_millis()).collect();
        assert_eq!(pauses, [1000, 1500, 2250, 3375, 5000, 5000]);
    }

    #[tokio::test]
    async fn there_is_no_look_after_the_limit() {
        assert!(!Pace::new(Duration::from_secs(1), Instant::now()).pause().await);
    }
}
