use primitives::times;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The share of the patience that one look may take at first.
const LOOK_SHARE: u32 = 8;
/// A refusal (no such job, a closed door) is believed after so many looks in a row …
const REFUSALS_MIN: u32 = 5;
/// … that span this share of the patience: what was just accepted can be unknown for a moment.
const REFUSED_SHARE: u32 = 4;

/// What one look at a job brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The job, in whatever state.
    Seen,
    /// No answer, or one that says nothing.
    Nothing,
    /// The provider does not know the job, or does not know us.
    Refused,
}

/// The looks at a job that works elsewhere. The pauses between them grow by half, up to five times the first; each
/// look has a limit of its own, which grows when a look brought nothing.
pub(crate) struct Looks {
    pause: Duration,
    pause_max: Duration,
    look: Duration,
    patience: Duration,
    limit: Instant,
    /// Since when and how often in a row the looks were refused.
    refused: Option<(Instant, u32)>,
}

impl Looks {
    pub(crate) fn new(pause: Duration, limit: Instant) -> Looks {
        let patience = limit.saturating_duration_since(Instant::now());
        let look = times::PROVIDER_LOOK.limit.min(patience / LOOK_SHARE);
        Looks { pause, pause_max: pause * 5, look, patience, limit, refused: None }
    }

    /// Waits for the next look; false when the time is up before it.
    pub(crate) async fn pause(&mut self) -> bool {
        let until = Instant::now() + self.grow();
        if until >= self.limit {
            return false;
        }
        sleep_until(until).await;
        true
    }

    /// Until when the look that begins now may take.
    pub(crate) fn until(&self) -> Instant {
        self.limit.min(Instant::now() + self.look)
    }

    /// How long a look may take.
    pub(crate) fn patience_of_one(&self) -> Duration {
        self.look
    }

    pub(crate) fn note(&mut self, sight: Sight) {
        self.note_at(sight, Instant::now());
    }

    fn note_at(&mut self, sight: Sight, now: Instant) {
        match sight {
            Sight::Seen => self.refused = None,
            Sight::Nothing => {
                self.look = (self.look * 2).min(self.patience / 2);
                self.refused = None;
            }
            Sight::Refused => {
                let (since, times) = self.refused.unwrap_or((now, 0));
                self.refused = Some((since, times + 1));
            }
        }
    }

    /// The provider has refused long enough to be believed.
    pub(crate) fn are_refused(&self) -> bool {
        self.are_refused_at(Instant::now())
    }

    fn are_refused_at(&self, now: Instant) -> bool {
        let lasts = self.patience / REFUSED_SHARE;
        self.refused.is_some_and(|(since, times)| times >= REFUSALS_MIN && now >= since + lasts)
    }

    /// The pause that is due; the next one is longer.
    fn grow(&mut self) -> Duration {
        let due = self.pause;
        self.pause = (due + due / 2).min(self.pause_max);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(patience: Duration) -> Looks {
        Looks::new(Duration::from_secs(1), Instant::now() + patience)
    }

    #[test]
    fn looks_become_rarer_up_to_five_times_the_first_pause() {
        let mut looks = looks(Duration::ZERO);
        let pauses: Vec<_> = (0..6).map(|_| looks.grow().as_millis()).collect();
        assert_eq!(pauses, [1000, 1500, 2250, 3375, 5000, 5000]);
    }

    #[tokio::test]
    async fn there_is_no_look_after_the_limit() {
        assert!(!looks(Duration::ZERO).pause().await);
    }

    #[test]
    fn a_look_has_a_limit_that_grows_when_it_brought_nothing() {
        let mut long = looks(Duration::from_secs(120));
        let seconds = |looks: &Looks| looks.patience_of_one().as_secs_f32().round() as u32;
        assert_eq!(seconds(&long), 5);
        long.note(Sight::Nothing);
        assert_eq!(seconds(&long), 10);
        for _ in 0..9 {
            long.note(Sight::Nothing);
        }
        assert_eq!(seconds(&long), 60);
        assert_eq!(seconds(&looks(Duration::from_secs(16))), 2);
    }

    #[test]
    fn a_refusal_is_believed_when_it_lasts() {
        let mut looks = looks(Duration::from_secs(100));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..9 {
            looks.note_at(Sight::Refused, start);
        }
        assert!(!looks.are_refused_at(start), "nine times at once is a moment");
        assert!(looks.are_refused_at(at(25)));
        looks.note_at(Sight::Seen, at(25));
        assert!(!looks.are_refused_at(at(26)));
        looks.note_at(Sight::Refused, at(26));
        assert!(!looks.are_refused_at(at(90)), "one look is not enough");
    }
}
