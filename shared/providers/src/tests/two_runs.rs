//! The life of two runs of one account, explored whole: every order of requests, repeats, visits, webhooks, the
//! owner's cancels, sweeps and time in which two processes bring two runs to their ends, each of them killed between
//! any two steps.
//!
//! How the work goes on is asked of production's [`crate::Work`] (`works.rs`). The tables are a model of what the
//! conditions of their writes say (`state.rs`):
//!
//! - `Ledger::reserve`: the price is available, and the run has no hold;
//! - `Ledger::decide`: the run has no outcome;
//! - `Ledger::apply` and `Ledger::cancel`: the run's hold is this very one;
//! - `JobStore::create`: the run has no job;
//! - `JobStore::replace`: the job has the version that was seen, and has not ended.
//!
//! Left out are the usage log, debt, the account's limits beside its credit, the text about rows, a provider that
//! fails by itself, and a webhook at one run's address that names the other run's job. The chain has one step;
//! `tests/work.rs` explores one run with two of them, and holds what the version of a job's row is for. Time is coarse:
//! one step of it is a lease, a provider's patience, and the life of a hold. It passes only while each process has
//! nothing in its hands, or the file that it fetches: all else takes seconds.

mod state;
mod works;

use state::{Event, Rules, State, Verdict};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use works::Works;

/// Both runs find their end in fewer steps than this.
const STEPS_MAX: usize = 100;

/// States are small and many: the standard hasher would take most of the time.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }
}

type Mixed = BuildHasherDefault<Mixer>;

/// How a state was met first: from the state at which place, by what.
#[derive(Clone, Copy)]
struct Met {
    state: State,
    from: usize,
    by: Event,
}

struct Explored {
    rules: Rules,
    works: Works,
    known: HashSet<State, Mixed>,
    /// The known states, in the order in which they were met.
    all: Vec<Met>,
    events: HashMap<Event, usize>,
    /// States from which both runs find their end.
    healing: HashSet<State, Mixed>,
}

impl Explored {
    fn explore(rules: Rules) -> Explored {
        let begin = Met { state: State::begin(&rules), from: 0, by: Event::TimePasses };
        let mut explored = Explored {
            works: Works::new(rules.asks_again),
            rules,
            known: HashSet::from_iter([begin.state]),
            all: vec![begin],
            events: HashMap::new(),
            healing: HashSet::default(),
        };
        let mut place = 0;
        while place < explored.all.len() {
            explored.follow(place);
            place += 1;
        }
        explored
    }

    fn follow(&mut self, place: usize) {
        let state = self.all[place].state;
        self.check(place, state.check(&self.rules));
        self.check_that_runs_find_their_end(place);
        for step in state.followers(&self.works, &self.rules) {
            *self.events.entry(step.event).or_default() += 1;
            self.check(place, state.check_step(&step));
            let next = step.state.canonical(&self.works);
            if self.known.insert(next) {
                self.all.push(Met { state: next, from: place, by: step.event });
            }
        }
    }

    fn check(&self, place: usize, holds: Result<(), &'static str>) {
        if let Err(broken) = holds {
            panic!("{broken}, after:\n{}", self.story(place));
        }
    }

    /// Whatever was killed: time passes, one healthy process comes, and both runs find their end.
    fn check_that_runs_find_their_end(&mut self, place: usize) {
        let mut state = self.all[place].state.with_empty_hands();
        for _ in 0..STEPS_MAX {
            if !self.healing.insert(state.canonical(&self.works)) {
                return;
            }
            let Some(next) = state.healed(&self.works, &self.rules) else { return };
            self.check(place, next.check(&self.rules));
            state = next;
        }
        panic!("a run does not find its end, after:\n{}", self.story(place));
    }

    /// What led to a state. From line to line runs and processes may have changed their places.
    fn story(&self, mut place: usize) -> String {
        let mut story = Vec::new();
        while place > 0 {
            let Met { state, from, by } = self.all[place];
            story.push(format!("{by:?}: {}", state.told(&self.works)));
            place = from;
        }
        story.reverse();
        story.join("\n")
    }

    fn assert_all_of(&self, events: &[Event]) {
        for event in events {
            assert!(self.events.contains_key(event), "{event:?} did not occur");
        }
    }
}

/// Each kind of end that a run can find.
const ENDS: [Event; 5] = [
    Event::Decides(Verdict::Charge),
    Event::Decides(Verdict::Release),
    Event::Decides(Verdict::Cancel),
    Event::Decides(Verdict::Expire),
    Event::Gift,
];

#[test]
fn in_every_order_of_events_two_runs_of_one_account_with_credit_for_one_keep_its_books_and_find_their_ends() {
    let rules = Rules { granted: 3, asks_again: false, grace: 1, last_start: 0, last_step: 2 };
    let explored = Explored::explore(rules);
    let states = explored.all.len();
    assert!(states > 800_000, "{states} states");
    explored.assert_all_of(&ENDS);
    explored.assert_all_of(&[Event::IsRefused, Event::TakesBackHold]);
}

#[test]
fn in_every_order_of_events_two_runs_of_one_account_with_credit_for_both_keep_its_books_and_find_their_ends()
{
    let rules = Rules { granted: 5, asks_again: false, grace: 0, last_start: 0, last_step: 1 };
    let explored = Explored::explore(rules);
    let states = explored.all.len();
    assert!(states > 700_000, "{states} states");
    explored.assert_all_of(&ENDS);
    // A repeat of a run that has ended holds its price for a moment, and that may be what the other run lacks.
    explored.assert_all_of(&[Event::IsRefused, Event::TakesBackHold]);
}

#[test]
fn in_every_order_of_events_a_run_that_begins_when_the_other_one_is_overdue_changes_nothing_for_it() {
    let rules = Rules { granted: 3, asks_again: true, grace: 0, last_start: 1, last_step: 1 };
    let explored = Explored::explore(rules);
    let states = explored.all.len();
    assert!(states > 1_000_000, "{states} states");
    explored.assert_all_of(&ENDS);
    explored.assert_all_of(&[Event::IsRefused, Event::TakesBackHold]);
}
