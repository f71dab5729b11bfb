//! One state of the world: what the tables hold, what the providers have, and what each process has in its hands.

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

    /// Everything that can happen next.
    pub(super) fn followers(&self, works: &Works, rules: &Rules) -> Vec<Step> {
        let mut all = Vec::new();
        for run in (0..2).filter(|run| self.has_turn(*run)) {
            for who in 0..2 {
                // Two processes with empty hands are the same process.
                if who == 1 && self.hands == [Hands::Empty; 2] {
                    break;
                }
                match self.hands[who].run() {
                    None => {
                        all.extend(self.orders(who, run, rules));
                        all.extend(self.visits(works, who, run));
                        all.extend(self.sweeps(who, run, rules));
                    }
                    Some(of) if of == run => {
                        all.extend(self.goes_on(works, who));
                        // Killed for good: what was in its hands is lost.
                        all.push(self.by(who, Event::Killed, run, Hands::Empty, |_| ()));
                    }
                    Some(_) => {}
                }
            }
            all.extend(self.outside(works, run));
        }
        if self.now < rules.last_step && !self.is_in_haste() {
            all.push(self.tick());
        }
        all
    }

    /// What is done for one run touches nothing of the other one but the available credit, and what a process has in
    /// its hands touches that credit once (a repeat's second hold goes back whole). So as long as no time passes, a
    /// process that has begun something for a run is followed to its end (or its death) before the other run is: the
    /// other order leads to the same states.
    fn has_turn(&self, run: u8) -> bool {
        let is_other = |hands: &Hands| hands.run().is_some_and(|of| of != run);
        !self.hands.iter().zip(self.waits).any(|(hands, waits)| is_other(hands) && !waits)
    }

    /// Whether a process does what takes seconds. Fetching may take longer than its lease.
    fn is_in_haste(&self) -> bool {
        !self.hands.iter().all(|hands| matches!(hands, Hands::Empty | Hands::Books { .. }))
    }

    fn tick(&self) -> Step {
        let waits = self.hands.map(|hands| hands != Hands::Empty);
        Step { event: Event::TimePasses, run: None, state: State { now: self.now + 1, waits, ..*self } }
    }

    /// A request, or its repeat, reserves. Its look for an outcome beside the reservation found none: it may have been
    /// too early. The reservation's answer shows that the run has ended, and the second look finds the outcome.
    fn orders(&self, who: usize, run: u8, rules: &Rules) -> Option<Step> {
        let standing = *self.run(run);
        if standing.holds_taken == 0 && self.now > rules.last_start || standing.holds_taken >= HOLDS_MAX {
            return None;
        }
        let mut state = *self;
        let Some(hold) = state.reserve(run) else {
            let event = if standing.hold.is_some() { Event::IsKnown } else { Event::IsRefused };
            return Some(self.by(who, event, run, Hands::Empty, |_| ()));
        };
        state.take(who, Hands::Holds { run, hold, is_known: standing.has_ended });
        Some(Step { event: Event::Reserves, run: Some(run), state })
    }

    /// The sweep (or a request that tidies up) meets a hold past its end and grace.
    fn sweeps(&self, who: usize, run: u8, rules: &Rules) -> Option<Step> {
        let hold = self.run(run).hold.filter(|hold| hold.until + rules.grace <= self.now)?;
        let hands = Hands::Decides { run, nonce: hold.nonce, verdict: Verdict::Expire };
        Some(self.by(who, Event::SweepComes, run, hands, |_| ()))
    }

    /// What happens without a process of ours that goes on with it.
    fn outside(&self, works: &Works, run: u8) -> Vec<Step> {
        let mut all = Vec::new();
        let standing = self.run(run);
        if standing.provider == Provider::Works {
            all.push(self.with(Event::ProviderFinishes, run, |state| {
                state.run_mut(run).provider = Provider::Finished;
            }));
        }
        let Some(job) = standing.job else { return all };
        if standing.provider != Provider::Nothing
            && works.naming(job.work) == Naming::LacksName
            && !job.is_over
        {
            let known = works.changed(job.work, Change::Known, self.now);
            all.push(self.with(Event::WebhookNames, run, |state| {
                state.store(works, run, job.work, known, true);
            }));
        }
        if self.may_be_given(works, run) {
            all.push(self.with(Event::Gift, run, |state| {
                state.run_mut(run).is_stored = true;
                state.run_mut(run).has_gift = true;
            }));
        }
        let ending = works.changed(job.work, Change::Ending, self.now);
        if !job.is_over && ending != job.work {
            all.push(self.with(Event::OwnerCancels, run, |state| {
                state.store(works, run, job.work, ending, true);
            }));
        }
        all
    }

    /// A webhook tells of what was finished, and the run has ended and was given back.
    fn may_be_given(&self, works: &Works, run: u8) -> bool {
        let standing = self.run(run);
        let is_late = standing.job.is_some_and(|job| job.is_over && works.naming(job.work) != Naming::NoJob);
        let is_released = standing.outcome.is_some_and(|outcome| !outcome.is_charged);
        is_late && is_released && standing.provider == Provider::Finished && !standing.has_gift
    }

    /// What a process that comes to a run's job does first. A read and the conditional write that follows from it are
    /// one step, unless a provider or the ledger hears of it in between: a write that is refused changes nothing.
    fn visits(&self, works: &Works, who: usize, run: u8) -> Vec<Step> {
        let standing = self.run(run);
        let Some(job) = standing.job.filter(|job| !job.is_over) else { return Vec::new() };
        let mut all = Vec::new();
        if standing.outcome.is_some() {
            let hands = Hands::Applies { run, nonce: job.nonce, gives: false, ends: true };
            all.push(self.by(who, Event::PollObeys, run, hands, |_| ()));
        }
        let stores = |event, change| {
            let next = works.changed(job.work, change, self.now);
            self.with(event, run, |state| {
                state.store(works, run, job.work, next, true);
            })
        };
        let knows = |event, change, provider| {
            let next = works.changed(job.work, change, self.now);
            let hands = Hands::Knows { run, seen: job.work, next, is_fresh: true };
            self.by(who, event, run, hands, |state| state.run_mut(run).provider = provider)
        };
        let books = || {
            let next = works.changed(job.work, Change::Finishing, self.now);
            self.with(Event::Finishing, run, |state| {
                state.store(works, run, job.work, next, true);
                state.take(who, Hands::Books { run, seen: next, nonce: job.nonce, is_fresh: true });
            })
        };
        match (works.due(job.work, self.now), standing.provider) {
            (Due::Wait, _) => {}
            (Due::GiveUp { .. }, _) if standing.outcome.is_some() => {}
            (Due::GiveUp { is_cancelled }, _) => {
                let verdict = if is_cancelled { Verdict::Cancel } else { Verdict::Release };
                let hands = Hands::Decides { run, nonce: job.nonce, verdict };
                all.push(self.by(who, Event::GivesUp, run, hands, |_| ()));
            }
            (Due::Ask { has_step: false }, _) => all.push(stores(Event::Asks, Change::Unserved)),
            (Due::Ask { has_step: true }, _) => {
                let seen = works.changed(job.work, Change::Asking, self.now);
                all.push(self.with(Event::Asks, run, |state| {
                    state.store(works, run, job.work, seen, true);
                    state.take(who, Hands::Asks { run, seen, has_arrived: false, is_fresh: true });
                }));
            }
            (Due::Find, provider) => {
                all.push(match provider {
                    Provider::Nothing => stores(Event::FindsNothing, Change::NotSent),
                    _ => stores(Event::Finds, Change::Known),
                });
                // Not every provider can be asked.
                all.push(stores(Event::AnswerLost, Change::Unknown));
            }
            (Due::Watch, Provider::Works | Provider::Nothing) => {}
            (Due::Watch | Due::Withdraw { .. }, Provider::Finished) => all.push(books()),
            (Due::Watch | Due::Withdraw { .. }, Provider::Gone) => {
                all.push(stores(Event::Watches, Change::NotHad));
            }
            (Due::Withdraw { may_go_on }, provider) => {
                all.push(knows(Event::Withdraws, Change::NotHad, Provider::Gone));
                all.push(stores(Event::AnswerLost, Change::Unknown));
                if may_go_on && provider == Provider::Works {
                    all.push(stores(Event::GoesOn, Change::GoingOn));
                }
            }
        }
        all
    }

    /// What a process does next with what it has in its hands; the first one is how it goes when all goes well.
    fn goes_on(&self, works: &Works, who: usize) -> Vec<Step> {
        match self.hands[who] {
            Hands::Empty => Vec::new(),
            Hands::Holds { run, hold, is_known } => vec![self.begins(works, who, run, hold, is_known)],
            Hands::Asks { run, seen, has_arrived, is_fresh } => {
                self.asks(works, who, run, (seen, has_arrived, is_fresh))
            }
            Hands::Knows { run, seen, next, is_fresh } => {
                vec![self.by(who, Event::StoresAnswer, run, Hands::Empty, |state| {
                    state.store(works, run, seen, next, is_fresh);
                })]
            }
            Hands::Books { run, seen, nonce, is_fresh } => {
                let decides = |verdict| Hands::Decides { run, nonce, verdict };
                let next = works.changed(seen, Change::NotHad, self.now);
                vec![
                    self.by(who, Event::StoresOutput, run, decides(Verdict::Charge), |state| {
                        state.run_mut(run).is_stored = true;
                    }),
                    // Our own bucket fails.
                    self.by(who, Event::OutputLost, run, decides(Verdict::Release), |_| ()),
                    // The file can't be had.
                    self.by(who, Event::NotHad, run, Hands::Empty, |state| {
                        state.store(works, run, seen, next, is_fresh);
                    }),
                ]
            }
            Hands::Decides { run, nonce, verdict } => vec![self.decides(who, run, nonce, verdict)],
            Hands::Applies { run, nonce, gives, ends } => self.applies(who, run, nonce, (gives, ends)),
        }
    }

    fn begins(&self, works: &Works, who: usize, run: u8, hold: Hold, is_known: bool) -> Step {
        if is_known {
            return self.by(who, Event::TakesBackHold, run, Hands::Empty, |state| {
                state.take_hold(run, hold.nonce, None);
            });
        }
        if self.run(run).job.is_some() {
            return self.by(who, Event::FindsJobBegun, run, Hands::Empty, |_| ());
        }
        let seen = works.changed(works.begin(self.now, hold.until), Change::Asking, self.now);
        let hands = Hands::Asks { run, seen, has_arrived: false, is_fresh: true };
        self.by(who, Event::Begins, run, hands, |state| {
            state.run_mut(run).job = Some(Job { work: seen, nonce: hold.nonce, is_over: false });
        })
    }

    fn asks(&self, works: &Works, who: usize, run: u8, asked: (WorkId, bool, bool)) -> Vec<Step> {
        let (seen, has_arrived, is_fresh) = asked;
        let knows = |event, change| {
            let next = works.changed(seen, change, self.now);
            self.by(who, event, run, Hands::Knows { run, seen, next, is_fresh }, |_| ())
        };
        if has_arrived {
            return vec![knows(Event::IsTaken, Change::Taken), knows(Event::AnswerLost, Change::Unknown)];
        }
        let arrived = Hands::Asks { run, seen, has_arrived: true, is_fresh };
        vec![
            self.by(who, Event::Arrives, run, arrived, |state| {
                state.run_mut(run).given += 1;
                state.run_mut(run).provider = Provider::Works;
            }),
            knows(Event::DoesNotArrive, Change::NotSent),
            knows(Event::IsRejected, Change::Rejected),
        ]
    }

    fn decides(&self, who: usize, run: u8, nonce: u8, verdict: Verdict) -> Step {
        let mut state = *self;
        let is_charged = verdict == Verdict::Charge;
        state.decide(run, Outcome { is_charged, nonce });
        let was_released = state.run(run).outcome.is_some_and(|outcome| !outcome.is_charged);
        let (gives, ends) = (is_charged && was_released, verdict != Verdict::Expire);
        state.take(who, Hands::Applies { run, nonce, gives, ends });
        Step { event: Event::Decides(verdict), run: Some(run), state }
    }

    /// Takes the hold away, notes the gift, ends the job; it may be killed after each of these writes, which can be
    /// repeated.
    fn applies(&self, who: usize, run: u8, nonce: u8, (gives, ends): (bool, bool)) -> Vec<Step> {
        let applied = self.by(who, Event::Applies, run, Hands::Empty, |state| {
            let outcome = state.run(run).outcome;
            state.take_hold(run, nonce, outcome);
        });
        let mut all = vec![applied];
        if gives {
            let given = all[0].state.with(Event::Gift, run, |state| state.run_mut(run).has_gift = true);
            all.insert(0, given);
        }
        if ends {
            let Step { event, state, .. } = &all[0];
            let ended = state.with(*event, run, |state| {
                if let Some(job) = &mut state.run_mut(run).job {
                    job.is_over = true;
                }
            });
            all.insert(0, ended);
        }
        all
    }

    /// What one healthy process does next, while the time passes and no provider finishes anything. `None`: both runs
    /// have found their end.
    pub(super) fn healed(&self, works: &Works, rules: &Rules) -> Option<State> {
        if self.runs.iter().all(Run::is_over) && self.hands[0] == Hands::Empty {
            return None;
        }
        let mut next = self.goes_on(works, 0);
        if self.hands[0] == Hands::Empty {
            next.extend((0..2).filter_map(|run| self.sweeps(0, run, rules)));
            next.extend((0..2).flat_map(|run| self.visits(works, 0, run)));
            next.push(self.tick());
        }
        next.into_iter().next().map(|step| step.state)
    }

    /// What must hold in every state.
    pub(super) fn check(&self, rules: &Rules) -> Result<(), &'static str> {
        let [one, other] = &self.runs;
        let balance = self.available + one.reserved() + other.reserved();
        let charged = one.charged() + other.charged();
        if balance + charged != rules.granted {
            return Err("the books do not balance");
        }
        for run in &self.runs {
            if run.given > 1 {
                return Err("a provider was given the work twice");
            }
            if run.charged() > 0 && !(run.is_stored && run.given == 1) {
                return Err("charged for what is not stored");
            }
            if run.has_gift && !(run.is_stored && run.outcome.is_some_and(|outcome| !outcome.is_charged)) {
                return Err("a gift of what is charged, or not stored");
            }
        }
        Ok(())
    }

    /// What a step may not do.
    pub(super) fn check_step(&self, step: &Step) -> Result<(), &'static str> {
        for run in 0..2 {
            let (before, after) = (self.run(run), step.state.run(run));
            if step.run != Some(run) && before != after {
                return Err("what happened to one run changed the other one");
            }
            if before.outcome.is_some() && before.outcome != after.outcome {
                return Err("an outcome was rewritten");
            }
        }
        Ok(())
    }

    /// The same state with its runs and processes in one order, and without what nothing reads any more.
    pub(super) fn canonical(mut self, works: &Works) -> State {
        for run in 0..2 {
            self.forget(works, run);
        }
        let mut swapped = self;
        swapped.runs.swap(0, 1);
        for run in swapped.hands.iter_mut().filter_map(Hands::run_mut) {
            *run = 1 - *run;
        }
        self.order_processes();
        swapped.order_processes();
        self.min(swapped)
    }

    fn order_processes(&mut self) {
        let [one, other] = [0, 1].map(|who| (self.hands[who], self.waits[who]));
        if other < one {
            self.hands.swap(0, 1);
            self.waits.swap(0, 1);
        }
    }

    /// The state after all processes were killed.
    pub(super) fn with_empty_hands(self) -> State {
        State { hands: [Hands::Empty; 2], waits: [false; 2], ..self }
    }

    /// What a process that has this in its hands may still change.
    fn what_is_left(&self, hands: Hands, run: Run) -> Hands {
        let is_over = run.job.is_none_or(|job| job.is_over);
        match (hands, run.outcome) {
            // The table refuses its write.
            (Hands::Knows { .. }, _) if is_over => Hands::Empty,
            // The output is there, and so is all that could come of it.
            (Hands::Books { .. }, Some(outcome))
                if is_over && run.hold.is_none() && (outcome.is_charged || run.has_gift) =>
            {
                Hands::Empty
            }
            // The ledger refuses its outcome, and it obeys the one that stands.
            (Hands::Decides { run: of, nonce, verdict }, Some(outcome)) => {
                let gives = verdict == Verdict::Charge && !outcome.is_charged;
                let ends = verdict != Verdict::Expire;
                self.what_is_left(Hands::Applies { run: of, nonce, gives, ends }, run)
            }
            (Hands::Applies { run: of, nonce, gives, ends }, _) => {
                let (gives, ends) = (gives && !run.has_gift, ends && !is_over);
                let has_hold = run.hold.is_some_and(|hold| hold.nonce == nonce);
                if gives || ends || has_hold {
                    Hands::Applies { run: of, nonce, gives, ends }
                } else {
                    Hands::Empty
                }
            }
            _ => hands,
        }
    }

    /// Takes out what nothing reads any more.
    fn forget(&mut self, works: &Works, run: u8) {
        for who in 0..2 {
            if self.hands[who].run() == Some(run) {
                self.hands[who] = self.what_is_left(self.hands[who], *self.run(run));
                self.waits[who] &= self.hands[who] != Hands::Empty;
            }
        }
        let standing = *self.run(run);
        let Some(job) = standing.job.filter(|job| job.is_over) else { return };
        let begun = works.begin(0, HELD);
        for hands in &mut self.hands {
            match hands {
                Hands::Books { run: of, seen, is_fresh, .. } if *of == run => {
                    (*seen, *is_fresh) = (begun, false)
                }
                Hands::Asks { run: of, .. } if *of == run => return,
                _ => {}
            }
        }
        let may_give = standing.outcome.is_some_and(|outcome| !outcome.is_charged)
            && !standing.has_gift
            && matches!(standing.provider, Provider::Works | Provider::Finished)
            && works.naming(job.work) != Naming::NoJob;
        let work = if may_give { works.changed(begun, Change::Asking, 0) } else { begun };
        let has_hands = self.hands.iter().any(|hands| hands.run() == Some(run));
        let left = self.run_mut(run);
        left.job = Some(Job { work, nonce: 0, is_over: true });
        if !may_give {
            left.provider = Provider::Gone;
        }
        if standing.hold.is_none() && !has_hands {
            left.holds_taken = 1;
            left.outcome = standing.outcome.map(|outcome| Outcome { nonce: 0, ..outcome });
        }
    }
}
