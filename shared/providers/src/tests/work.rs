//! The life of a run's work, explored whole: every order in which two processes can come to it, be lost in the middle, hear
//! a late webhook, or be told to end, for a chain of two providers.

use super::lives::{at, failed, kept, ticket};
use crate::failure::Again;
use crate::{FailureClass, GivenUp, Next, Work};
use primitives::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(40);
const STEPS: usize = 2;

/// What one process has in its hands between two of its awaits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hands {
    Empty,
    /// It has stored that it asks, and the provider may or may not have got it yet.
    Asks {
        work: Work,
        arrived: bool,
    },
    /// The provider has answered; that is not stored yet.
    Knows {
        seen: Work,
        next: Work,
    },
    /// It has stored that it fetches and books.
    Books {
        seen: Work,
    },
}

/// The world: what is stored, what providers have, what the ledger says, and who is where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    work: Work,
    seconds: u64,
    hands: [Hands; 2],
    /// Per step, how many jobs the provider has taken.
    taken: [u8; STEPS],
    /// Per step, whether its job is finished.
    finished: [bool; STEPS],
    /// `charged` or why it was given back. Written once.
    outcome: Option<&'static str>,
    must_end: bool,
}

impl State {
    fn begin() -> State {
        State {
            work: Work::new(at(0), at(60), at(100)),
            seconds: 0,
            hands: [Hands::Empty, Hands::Empty],
            taken: [0; STEPS],
            finished: [false; STEPS],
            outcome: None,
            must_end: false,
        }
    }

    fn now(&self) -> Timestamp {
        at(self.seconds)
    }

    /// Stores the next state if what was seen still stands, as the table does by its version.
    fn store(&mut self, seen: &Work, next: &Work) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        let kept = kept(&self.work, seen, next, *seen == self.work);
        let stands = kept.is_some();
        self.work = kept.unwrap_or_else(|| self.work.clone());
        stands
    }

    /// The ledger: the first one decides.
    fn decide(&mut self, outcome: &'static str) {
        self.outcome.get_or_insert(outcome);
    }

    fn with(&self, change: impl FnOnce(&mut State)) -> State {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    /// Everything that can happen next.
    fn followers(&self) -> Vec<State> {
        let mut all = Vec::new();
        for who in 0..2 {
            all.extend(self.steps_of(who));
            if self.hands[who] != Hands::Empty {
                // Killed for good: what was in its hands is lost.
                all.push(self.with(|state| state.hands[who] = Hands::Empty));
            }
        }
        for step in 0..STEPS {
            if self.taken[step] > 0 && !self.finished[step] {
                all.push(self.with(|state| state.finished[step] = true));
            }
            // A webhook names a job that nobody has a name for.
            let work = self.work.clone();
            if self.taken[step] > 0 && work.step() == step && work.lacks_a_ticket() {
                all.push(self.with(|state| {
                    let known = work.known(ticket(step), state.now(), PATIENCE);
                    state.store(&work, &known);
                }));
            }
        }
        if !self.must_end && self.outcome.is_none() {
            all.push(self.with(|state| {
                let (seen, ending) = (state.work.clone(), state.work.ending());
                state.must_end = state.store(&seen, &ending);
            }));
        }
        // A call is over before its lease is: nobody's question is still under way when somebody else may ask.
        let asks = self.hands.iter().any(|hands| matches!(hands, Hands::Asks { .. }));
        if self.seconds < 120 && !asks {
            all.push(self.with(|state| state.seconds += 20));
        }
        all
    }

    fn steps_of(&self, who: usize) -> Vec<State> {
        let put = |state: &mut State, hands: Hands| state.hands[who] = hands;
        match self.hands[who].clone() {
            Hands::Empty if self.outcome.is_some() => Vec::new(),
            Hands::Empty => self.visits(who),
            Hands::Asks { work, arrived: false } => {
                let step = work.step();
                let knows = |state: &mut State, class, again| {
                    let next = failed(&work, class, again, state.now());
                    state.hands[who] = Hands::Knows { seen: work.clone(), next };
                };
                vec![
                    // It arrives.
                    self.with(|state| {
                        state.taken[step] += 1;
                        put(state, Hands::Asks { work: work.clone(), arrived: true });
                    }),
                    // It surely does not.
                    self.with(|state| knows(state, FailureClass::Unavailable, Again::Soon)),
                    // It is refused for good.
                    self.with(|state| knows(state, FailureClass::ContentRejected, Again::Never)),
                ]
            }
            Hands::Asks { work, arrived: true } => vec![
                self.with(|state| {
                    let next = work.taken(ticket(work.step()), state.now(), PATIENCE);
                    put(state, Hands::Knows { seen: work.clone(), next });
                }),
                // Its answer is lost.
                self.with(|state| {
                    let next = failed(&work, FailureClass::UnknownOutcome, Again::Never, state.now());
                    put(state, Hands::Knows { seen: work.clone(), next });
                }),
            ],
            Hands::Knows { seen, next } => vec![self.with(|state| {
                state.store(&seen, &next);
                put(state, Hands::Empty);
            })],
            Hands::Books { seen } => vec![
                self.with(|state| {
                    state.decide("charged");
                    put(state, Hands::Empty);
                }),
                // The file can't be had.
                self.with(|state| {
                    let next = failed(&seen, FailureClass::Unavailable, Again::Never, state.now());
                    state.store(&seen, &next);
                    put(state, Hands::Empty);
                }),
            ],
        }
    }

    /// What a process that comes does first.
    fn visits(&self, who: usize) -> Vec<State> {
        let (work, now) = (self.work.clone(), self.now());
        match work.next(now) {
            Next::Wait { .. } => Vec::new(),
            Next::GiveUp(GivenUp::Failed(class)) => vec![self.with(|state| state.decide(class.as_str()))],
            Next::GiveUp(GivenUp::Cancelled) => vec![self.with(|state| state.decide("cancelled"))],
            Next::Ask if work.step() >= STEPS => {
                vec![self.with(|state| {
                    let nobody = work.without_provider(FailureClass::Unavailable);
                    state.store(&work, &nobody);
                })]
            }
            Next::Ask => vec![self.with(|state| {
                let asking = work.asking(work.step(), now, LEASE);
                if state.store(&work, &asking) {
                    state.hands[who] = Hands::Asks { work: asking, arrived: false };
                }
            })],
            // The first provider can't be asked about a job, the second one can.
            Next::Find { .. } if work.step() == 0 => vec![self.with(|state| {
                state.store(&work, &failed(&work, FailureClass::UnknownOutcome, Again::Never, now));
            })],
            Next::Find { .. } => vec![self.with(|state| {
                let next = match state.taken[1] {
                    0 => failed(&work, FailureClass::Unavailable, Again::Soon, now),
                    _ => work.known(ticket(1), now, PATIENCE),
                };
                state.store(&work, &next);
            })],
            Next::Watch { .. } if self.finished[work.step()] => vec![self.with(|state| {
                let finishing = work.finishing(now, LEASE);
                if state.store(&work, &finishing) {
                    state.hands[who] = Hands::Books { seen: finishing };
                }
            })],
            Next::Watch { .. } => Vec::new(),
            Next::Withdraw { .. } if self.finished[work.step()] => vec![self.with(|state| {
                let finishing = work.finishing(now, LEASE);
                if state.store(&work, &finishing) {
                    state.hands[who] = Hands::Books { seen: finishing };
                }
            })],
            Next::Withdraw { .. } => vec![
                self.with(|state| {
                    let next = failed(&work, FailureClass::Unavailable, Again::Never, now);
                    state.store(&work, &next);
                }),
                self.with(|state| {
                    let next = match work.must_end() && now < work.deadline() {
                        true => work.going_on(),
                        false => failed(&work, FailureClass::UnknownOutcome, Again::Never, now),
                    };
                    state.store(&work, &next);
                }),
            ],
        }
    }

    fn check(&self) {
        assert!(self.taken.iter().all(|jobs| *jobs <= 1), "a provider was given the work twice: {self:?}");
        if self.outcome == Some("charged") {
            assert!(self.finished.iter().any(|finished| *finished), "charged for nothing: {self:?}");
        }
    }
}

#[test]
fn in_every_order_of_events_no_provider_gets_the_work_twice_and_every_run_finds_its_end() {
    let begin = State::begin();
    let (mut seen, mut queue) = (HashSet::from([begin.clone()]), VecDeque::from([begin]));
    while let Some(state) = queue.pop_front() {
        state.check();
        let followers = state.followers();
        // Whatever happened, there is something to do when enough time has passed: nothing is stuck.
        if state.outcome.is_none() {
            let later = state.work.next(at(1_000));
            assert!(!matches!(later, Next::Wait { .. }), "stuck: {state:?}");
        }
        for next in followers {
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    // With steps of ten seconds in place of twenty there are 1,643,009, and the same holds in all of them.
    assert!(seen.len() > 50_000, "{} states", seen.len());
    let outcomes: HashSet<_> = seen.iter().filter_map(|state| state.outcome).collect();
    let all = ["charged", "cancelled", "unavailable", "content_rejected", "unknown_outcome"];
    assert_eq!(outcomes, HashSet::from(all));
}
