//! What a run tells whoever listens while it goes on. Telling never waits: the listener may be slow, or gone.

use crate::RunsError;
use crate::view::{OutputView, RunBegun, RunView};
use primitives::{Private, RunId};
use problems::{Problem, ProblemCode};
use providers::Sign;
use serde::Serialize;
use std::pin::pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use utoipa::ToSchema;

/// What a run tells. The first event is `Run`, or `Failed` when no credit was held for it.
#[derive(Debug)]
pub enum RunEvent {
    /// The price is held (or the run of an earlier request was found).
    Run(Box<RunBegun>),
    /// What happens now; told at every change that a person may wait for, and at least every
    /// [`crate::RunsSettings::progress`].
    Progress(Progress),
    /// The next piece of the text. From the first one on the provider does not change.
    Delta(Private<String>),
    Output(Box<OutputView>),
    /// Nothing more is told here, and the run goes on: its provider works apart from us.
    GoesOn(Box<RunView>),
    /// The end: charged (or a gift), with balance and receipt.
    Done(Box<RunView>),
    /// The end: what happened, whether credit was taken, what to do.
    Failed(Box<Problem>),
}

/// Where a run is, and how far, where its provider tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    pub stage: Stage,
    /// How many are before it, while it waits for its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u32>,
    /// How much of it is done, in hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl Progress {
    pub(crate) fn at(stage: Stage) -> Progress {
        Progress { stage, ahead: None, percent: None }
    }

    pub(crate) fn of(sign: Sign) -> Progress {
        match sign {
            Sign::Queued { ahead } => Progress { ahead, ..Progress::at(Stage::Queued) },
            Sign::Working { percent } => Progress { percent, ..Progress::at(Stage::Working) },
        }
    }
}

/// Where a run is. It names no provider: until the first content a fallback is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A provider was asked and has said nothing yet.
    Waiting,
    /// The model reasons; its reasoning is not shown.
    Thinking,
    /// The work was taken and waits for its turn.
    Queued,
    /// The work is being done.
    Working,
    /// The text is coming.
    Writing,
    /// The output is being stored and the run booked.
    Storing,
}

/// Tells one run's story to one listener.
///
/// The channel is unbounded because a run never waits for its listener, and what it can hold is bounded all the same: the
/// text by [`crate::writing`]'s limit, everything else by the run's time.
pub(crate) struct Teller {
    events: mpsc::UnboundedSender<RunEvent>,
    every: Duration,
    progress: Mutex<Progress>,
    /// All text that was told.
    told: Mutex<String>,
    /// Told as begun: what fails from here on failed with credit held.
    begun: OnceLock<RunId>,
}

impl Teller {
    pub(crate) fn new(events: mpsc::UnboundedSender<RunEvent>, every: Duration) -> Teller {
        Teller {
            events,
            every,
            progress: Mutex::new(Progress::at(Stage::Waiting)),
            told: Mutex::default(),
            begun: OnceLock::new(),
        }
    }

    /// The listener may be gone; the run goes on all the same.
    pub(crate) fn tell(&self, event: RunEvent) {
        let _ = self.events.send(event);
    }

    /// Tells what a text that grows has more than was told. A text that does not begin with that was begun anew, and is told
    /// no more.
    pub(crate) fn tell_more_of(&self, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = text.strip_prefix(told.as_str()).filter(|rest| !rest.is_empty()) {
            self.tell(RunEvent::Delta(Private::new(rest.to_owned())));
            told.push_str(rest);
        }
    }

    /// A piece of a text.
    pub(crate) fn tell_piece(&self, piece: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push_str(&piece);
        self.tell(RunEvent::Delta(Private::new(piece)));
    }

    pub(crate) fn begin(&self, begun: RunBegun) {
        // A repeat that turns out to be a first run after all begins once.
        let _ = self.begun.set(begun.id);
        self.tell(RunEvent::Run(Box::new(begun)));
    }

    /// Tells where the run is if that is news.
    pub(crate) fn reach(&self, progress: Progress) {
        if self.note(progress) {
            self.tell(RunEvent::Progress(progress));
        }
    }

    /// Remembers where the run is for the next sign of life, where other events show it already. True: it is news.
    pub(crate) fn note(&self, progress: Progress) -> bool {
        let mut current = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, progress) != progress
    }

    /// The end of a run that failed, or of a request that never became one.
    pub(crate) fn fail(&self, error: &RunsError) -> ProblemCode {
        let problem = match self.begun.get() {
            Some(run) => error.problem().run(*run),
            None => error.problem(),
        };
        let code = problem.code();
        self.tell(RunEvent::Failed(Box::new(problem)));
        code
    }

    /// Works, and says at least every so often that it does, however silent everything else is.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut beat = interval_at(Instant::now() + self.every, self.every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = beat.tick() => self.tell(RunEvent::Progress(self.progress())),
            }
        }
    }

    /// Whether the listener is gone.
    pub(crate) fn is_unheard(&self) -> bool {
        self.events.is_closed()
    }

    fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::size_of;

    const OFTEN: Duration = Duration::from_millis(2);

    fn teller() -> (Teller, mpsc::UnboundedReceiver<RunEvent>) {
        let (events, listener) = mpsc::unbounded_channel();
        (Teller::new(events, OFTEN), listener)
    }

    fn stages(listener: &mut mpsc::UnboundedReceiver<RunEvent>) -> Vec<Stage> {
        let told = std::iter::from_fn(|| listener.try_recv().ok());
        told.map(
            |event| {
                if let RunEvent::Progress(progress) = event { progress.stage } else { panic!("{event:?}") }
            },
        )
        .collect()
    }

    #[tokio::test]
    async fn work_that_is_silent_is_told_with_its_stage_until_it_ends() {
        let (tell, mut listener) = teller();
        tell.during(tokio::time::sleep(OFTEN * 20)).await;
        let told = stages(&mut listener);
        assert!(told.len() > 3 && told.iter().all(|stage| *stage == Stage::Waiting), "{told:?}");
        tokio::time::sleep(OFTEN * 5).await;
        assert_eq!(stages(&mut listener), [], "nothing comes after the end");
    }

    #[tokio::test]
    async fn a_stage_is_told_when_it_is_reached_and_once() {
        let (tell, mut listener) = teller();
        for stage in [Stage::Waiting, Stage::Thinking, Stage::Thinking, Stage::Storing] {
            tell.reach(Progress::at(stage));
        }
        assert_eq!(stages(&mut listener), [Stage::Thinking, Stage::Storing]);
        tell.note(Progress::at(Stage::Writing));
        tell.during(tokio::time::sleep(OFTEN * 5)).await;
        assert!(stages(&mut listener).contains(&Stage::Writing), "the next sign of life knows it");
    }

    #[test]
    fn what_a_listener_that_never_reads_can_make_us_keep_fits_a_small_function() {
        // The most any tool may write, in pieces of one byte, each with an allocation of its own.
        let (tokens, allocation) = (8_000, 32);
        let bytes = tokens * crate::writing::BYTES_PER_TOKEN_MAX * (size_of::<RunEvent>() + allocation);
        assert!(bytes < 12 * 1024 * 1024, "{bytes}");
    }

    #[test]
    fn nobody_waits_longer_than_ten_seconds_for_a_sign_of_life() {
        let read = |given: &[(&str, &str)]| {
            let env: platform::Env =
                given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            env.section(crate::RunsSettings::read).map(|settings| settings.progress)
        };
        assert_eq!(read(&[]), Ok(Duration::from_secs(10)));
        assert_eq!(read(&[("RUN_PROGRESS_MS", "0")]), Ok(Duration::from_millis(1)), "and nothing spins");
    }
}
