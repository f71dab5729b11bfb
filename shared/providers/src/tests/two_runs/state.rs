//! One state of the world: what the tables hold, what the providers have, and what each process has in its hands.

mod invariants;
mod steps;
mod symmetry;

use super::works::{Change, Due, Naming, WorkId, Works};

/// What a run costs.
const PRICE: u8 = 2;
/// How long credit is held, in steps of time.
const HELD: u8 = 1;
/// Under one run id credit is held so often at most.
const HOLDS_MAX: u8 = 2;

/// What differs from one exploration to the other.
pub(super) struct Rules {
    /// The credit that the account has been granted.
    pub(super) granted: u8,
    /// A provider that surely did not get the work is asked again before a step of time has passed.
    pub(super) asks_again: bool,
    /// How long after a hold's end the sweep leaves it alone, in steps of time.
    pub(super) grace: u8,
    /// Until then a run can begin.
    pub(super) last_start: u8,
    /// Until then the time passes in between.
    pub(super) last_step: u8,
}

/// Credit held for a run, inside the account; `nonce` tells it from the run's other hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Hold {
    nonce: u8,
    until: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Outcome {
    is_charged: bool,
    /// Of the hold that it was decided for.
    nonce: u8,
}

/// The row of `run_jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Job {
    work: WorkId,
    nonce: u8,
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Provider {
    Nothing,
    Works,
    Finished,
    /// It failed, or was taken back.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Run {
    holds_taken: u8,
    hold: Option<Hold>,
    /// The account's mark that a run of this id has ended.
    has_ended: bool,
    outcome: Option<Outcome>,
    job: Option<Job>,
    provider: Provider,
    /// How often the provider was given the work.
    given: u8,
    /// The output is in the bucket.
    is_stored: bool,
    has_gift: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Verdict {
    Charge,
    Release,
    Cancel,
    /// The sweep's.
    Expire,
}

/// What one process has in its hands between two of its awaits. `is_fresh`: the job's row was not written since `seen`
/// was read, so its version is still the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Hands {
    Empty,
    /// It has the hold; a run that is known to have an outcome is not begun.
    Holds {
        run: u8,
        hold: Hold,
        is_known: bool,
    },
    /// It has stored that it asks, and the provider may or may not have got it yet.
    Asks {
        run: u8,
        seen: WorkId,
        has_arrived: bool,
        is_fresh: bool,
    },
    /// The provider has answered; that is not stored yet.
    Knows {
        run: u8,
        seen: WorkId,
        next: WorkId,
        is_fresh: bool,
    },
    /// It has stored that it fetches and books.
    Books {
        run: u8,
        seen: WorkId,
        nonce: u8,
        is_fresh: bool,
    },
    /// It is about to write the outcome.
    Decides {
        run: u8,
        nonce: u8,
        verdict: Verdict,
    },
    /// There is an outcome. It takes the hold away, then notes a gift, then ends the job.
    Applies {
        run: u8,
        nonce: u8,
        gives: bool,
        ends: bool,
    },
}

/// What happened in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Event {
    Reserves,
    IsKnown,
    IsRefused,
    TakesBackHold,
    Begins,
    FindsJobBegun,
    Arrives,
    DoesNotArrive,
    IsRejected,
    IsTaken,
    AnswerLost,
    StoresAnswer,
    Asks,
    Finds,
    FindsNothing,
    Finishing,
    Watches,
    Withdraws,
    GoesOn,
    StoresOutput,
    OutputLost,
    NotHad,
    GivesUp,
    SweepComes,
    PollObeys,
    Decides(Verdict),
    Applies,
    Gift,
    ProviderFinishes,
    WebhookNames,
    OwnerCancels,
    Killed,
    TimePasses,
}

/// One step: what happened to which run (`None`: the time), and the state after it.
pub(super) struct Step {
    pub(super) event: Event,
    pub(super) run: Option<u8>,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State {
    now: u8,
    available: u8,
    runs: [Run; 2],
    hands: [Hands; 2],
    /// Time has passed since the process took this into its hands.
    waits: [bool; 2],
}

impl Run {
    const NEW: Run = Run {
        holds_taken: 0,
        hold: None,
        has_ended: false,
        outcome: None,
        job: None,
        provider: Provider::Nothing,
        given: 0,
        is_stored: false,
        has_gift: false,
    };

    /// What of the hold still counts as the account's: nothing when it is decided as charged.
    fn reserved(&self) -> u8 {
        let held = self.hold.is_some_and(|hold| {
            !self.outcome.is_some_and(|outcome| outcome.is_charged && outcome.nonce == hold.nonce)
        });
        if held { PRICE } else { 0 }
    }

    fn charged(&self) -> u8 {
        if self.outcome.is_some_and(|outcome| outcome.is_charged) { PRICE } else { 0 }
    }

    fn is_over(&self) -> bool {
        let is_job_over = self.job.is_none_or(|job| job.is_over);
        self.hold.is_none() && is_job_over && (self.holds_taken == 0 || self.outcome.is_some())
    }
}

impl Hands {
    fn run(self) -> Option<u8> {
        match self {
            Hands::Empty => None,
            Hands::Holds { run, .. }
            | Hands::Asks { run, .. }
            | Hands::Knows { run, .. }
            | Hands::Books { run, .. }
            | Hands::Decides { run, .. }
            | Hands::Applies { run, .. } => Some(run),
        }
    }

    fn run_mut(&mut self) -> Option<&mut u8> {
        match self {
            Hands::Empty => None,
            Hands::Holds { run, .. }
            | Hands::Asks { run, .. }
            | Hands::Knows { run, .. }
            | Hands::Books { run, .. }
            | Hands::Decides { run, .. }
            | Hands::Applies { run, .. } => Some(run),
        }
    }

    /// Another process has written the row of `written`.
    fn grow_stale(&mut self, written: u8) {
        if let Hands::Asks { run, is_fresh, .. }
        | Hands::Knows { run, is_fresh, .. }
        | Hands::Books { run, is_fresh, .. } = self
            && *run == written
        {
            *is_fresh = false;
        }
    }
}

impl State {
    pub(super) fn begin(rules: &Rules) -> State {
        State {
            now: 0,
            available: rules.granted,
            runs: [Run::NEW; 2],
            hands: [Hands::Empty; 2],
            waits: [false; 2],
        }
    }

    /// For a person who reads how a rule was broken.
    pub(super) fn told(&self, works: &Works) -> String {
        let works: Vec<_> = self.runs.iter().map(|run| run.job.map(|job| works.get(job.work))).collect();
        format!("{self:?} with {works:?}")
    }

    fn take(&mut self, who: usize, hands: Hands) {
        (self.hands[who], self.waits[who]) = (hands, false);
    }

    fn run(&self, run: u8) -> &Run {
        &self.runs[usize::from(run)]
    }

    fn run_mut(&mut self, run: u8) -> &mut Run {
        &mut self.runs[usize::from(run)]
    }

    fn with(&self, event: Event, run: u8, change: impl FnOnce(&mut State)) -> Step {
        let mut state = *self;
        change(&mut state);
        Step { event, run: Some(run), state }
    }

    /// The same, by a process whose hands hold `hands` afterwards.
    fn by(&self, who: usize, event: Event, run: u8, hands: Hands, change: impl FnOnce(&mut State)) -> Step {
        self.with(event, run, |state| {
            state.take(who, hands);
            change(state);
        })
    }

    /// `JobStore::replace`: writes the next state of a job that has not ended, if its version is the one that was
    /// seen.
    fn store(&mut self, works: &Works, run: u8, seen: WorkId, next: WorkId, is_fresh: bool) {
        let Some(job) = self.run_mut(run).job.as_mut().filter(|job| !job.is_over) else { return };
        let Some(kept) = works.kept(job.work, seen, next, is_fresh) else { return };
        job.work = kept;
        self.hands.iter_mut().for_each(|hands| hands.grow_stale(run));
    }

    /// `Ledger::reserve`: `avail >= :price AND attribute_not_exists(holds.#run)`.
    fn reserve(&mut self, run: u8) -> Option<Hold> {
        if self.run(run).hold.is_some() || self.available < PRICE {
            return None;
        }
        let until = self.now + HELD;
        let standing = self.run_mut(run);
        let hold = Hold { nonce: standing.holds_taken, until };
        standing.holds_taken += 1;
        standing.hold = Some(hold);
        self.available -= PRICE;
        Some(hold)
    }

    /// `Ledger::decide`: `attribute_not_exists(entry)`.
    fn decide(&mut self, run: u8, outcome: Outcome) {
        self.run_mut(run).outcome.get_or_insert(outcome);
    }

    /// `Ledger::apply_once`: `holds.#run = :hold`. Gives back what the outcome leaves of this very hold, and marks the
    /// run as ended if it has an outcome (`Ledger::cancel` has none).
    fn take_hold(&mut self, run: u8, nonce: u8, outcome: Option<Outcome>) {
        let standing = self.run_mut(run);
        if standing.hold.is_none_or(|hold| hold.nonce != nonce) {
            return;
        }
        standing.hold = None;
        standing.has_ended |= outcome.is_some();
        let is_taken = outcome.is_some_and(|outcome| outcome.is_charged && outcome.nonce == nonce);
        self.available += if is_taken { 0 } else { PRICE };
    }
}
