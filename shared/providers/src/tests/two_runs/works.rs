//! `Work` values under small numbers, so that a state is small. What follows from a value is asked of production's
//! methods, once for each value and time.

use crate::failure::Again;
use crate::tests::lives::{at, failed, kept, ticket};
use crate::{FailureClass, GivenUp, Next, Work};
use primitives::Timestamp;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// One step of time: as long as a lease, and as a provider's patience.
const STEP: Duration = Duration::from_secs(20);
const LEASE: Duration = STEP;
const PATIENCE: Duration = STEP;
/// From then on no provider is asked, so many steps of time after the run's credit was held.
const DEADLINE: u8 = 1;

pub(super) type WorkId = u16;

/// A change of a `Work` by one of its methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Asking,
    Taken,
    Known,
    Finishing,
    Ending,
    GoingOn,
    /// The request surely did not arrive: the same provider may be asked once more.
    NotSent,
    /// The provider refuses the work for good.
    Rejected,
    /// The attempt is over, and what it made is not to be had.
    NotHad,
    /// The provider may have the work.
    Unknown,
    Unserved,
}

/// What `Work::next` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Wait,
    Ask {
        /// Whether the chain has such a step.
        has_step: bool,
    },
    Find,
    Watch,
    Withdraw {
        /// Only its owner wants it to end: there is time for it to go on.
        may_go_on: bool,
    },
    GiveUp {
        is_cancelled: bool,
    },
}

/// What may still be told of a run's work by the provider's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Named,
    /// A webhook may tell the name.
    LacksName,
    NoJob,
}

#[derive(Default)]
pub(super) struct Works {
    /// So much later a visitor comes than the time that it finds stored.
    pause: Duration,
    all: RefCell<Vec<Work>>,
    ids: RefCell<HashMap<Work, WorkId>>,
    changed: RefCell<HashMap<(WorkId, Change, u8), WorkId>>,
    due: RefCell<HashMap<(WorkId, u8), Due>>,
    naming: RefCell<Vec<Naming>>,
}

fn time(step: u8) -> Timestamp {
    at(STEP.as_secs() * u64::from(step))
}

impl Works {
    /// `asks_again`: the pause before the same provider is asked again is shorter than a step of time.
    pub(super) fn new(asks_again: bool) -> Works {
        let pause = if asks_again { Duration::from_secs(1) } else { Duration::ZERO };
        Works { pause, ..Works::default() }
    }

    /// Of a run whose job is stored at `now` and whose credit is held until `held_until`.
    pub(super) fn begin(&self, now: u8, held_until: u8) -> WorkId {
        let deadline = time(now + DEADLINE).min(time(held_until));
        self.id(Work::new(time(now), deadline, time(held_until)))
    }

    fn id(&self, work: Work) -> WorkId {
        if let Some(id) = self.ids.borrow().get(&work) {
            return *id;
        }
        let mut all = self.all.borrow_mut();
        let id = WorkId::try_from(all.len()).expect("fewer values than that");
        self.naming.borrow_mut().push(match (work.ticket(), work.lacks_a_ticket()) {
            (Some(_), _) => Naming::Named,
            (None, true) => Naming::LacksName,
            (None, false) => Naming::NoJob,
        });
        self.ids.borrow_mut().insert(work.clone(), id);
        all.push(work);
        id
    }

    pub(super) fn get(&self, id: WorkId) -> Work {
        self.all.borrow()[usize::from(id)].clone()
    }

    pub(super) fn naming(&self, id: WorkId) -> Naming {
        self.naming.borrow()[usize::from(id)]
    }

    pub(super) fn changed(&self, id: WorkId, change: Change, now: u8) -> WorkId {
        let known = self.changed.borrow().get(&(id, change, now)).copied();
        known.unwrap_or_else(|| {
            let next = self.id(change_of(&self.get(id), change, time(now)));
            self.changed.borrow_mut().insert((id, change, now), next);
            next
        })
    }

    pub(super) fn due(&self, id: WorkId, now: u8) -> Due {
        let known = self.due.borrow().get(&(id, now)).copied();
        known.unwrap_or_else(|| {
            let due = due_of(&self.get(id), time(now).after(self.pause));
            self.due.borrow_mut().insert((id, now), due);
            due
        })
    }

    /// What the table keeps of a write.
    pub(super) fn kept(&self, stored: WorkId, seen: WorkId, next: WorkId, is_fresh: bool) -> Option<WorkId> {
        if is_fresh {
            return Some(next);
        }
        kept(&self.get(stored), &self.get(seen), &self.get(next), is_fresh).map(|work| self.id(work))
    }
}

fn change_of(work: &Work, change: Change, now: Timestamp) -> Work {
    // From when it was asked; what has passed since is added where the process that asked was lost.
    let patience = now.since(work.asked_at().unwrap_or(now)) + PATIENCE;
    match change {
        Change::Asking => work.asking(work.step(), now, LEASE),
        Change::Taken => work.taken(ticket(0), now, PATIENCE),
        Change::Known => work.known(ticket(0), now, patience),
        Change::Finishing => work.finishing(now, LEASE),
        Change::Ending => work.ending(),
        Change::GoingOn => work.going_on(),
        Change::NotSent => failed(work, FailureClass::Unavailable, Again::Soon, now),
        Change::Rejected => failed(work, FailureClass::ContentRejected, Again::Never, now),
        Change::NotHad => failed(work, FailureClass::Unavailable, Again::Never, now),
        Change::Unknown => failed(work, FailureClass::UnknownOutcome, Again::Never, now),
        Change::Unserved => work.without_provider(FailureClass::Unavailable),
    }
}

fn due_of(work: &Work, now: Timestamp) -> Due {
    match work.next(now) {
        Next::Wait { .. } => Due::Wait,
        Next::Ask => Due::Ask { has_step: work.step() == 0 },
        Next::Find { .. } => Due::Find,
        Next::Watch { .. } => Due::Watch,
        Next::Withdraw { .. } => Due::Withdraw { may_go_on: work.must_end() && now < work.deadline() },
        Next::GiveUp(why) => Due::GiveUp { is_cancelled: why == GivenUp::Cancelled },
    }
}
