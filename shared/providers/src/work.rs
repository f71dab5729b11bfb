//! How far a run's work at its providers is, as data. Any process goes on from it, whether the process that began the
//! work lives or not. A process that works on a run's stored state is a visitor: it comes with the run's own request,
//! the poll, a provider's webhook, a listener, or the owner's wish to cancel.
//!
//! Everything here is a pure function of what is stored, what a provider told, and the time. A visitor stores the next
//! state before it acts, on condition that the state before is still the stored one: of two visitors that would ask a
//! provider, only one does.

use crate::failure::Failure;
use crate::{Attempt, FailureClass, Ticket};
use primitives::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Tries per provider and run.
const TRIES: u32 = 2;

/// `finishings` counts up to this number and no further.
const FINISHINGS_COUNTED: u32 = 9;

/// How long a visitor looks for a job that was finished once, when the visitor that fetched it was lost.
const FINISHED_AGAIN: Duration = Duration::from_secs(30);

/// How far the work is. A new state follows from an old one by the methods here, and by nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Work {
    /// The step of the chain that is asked, or will be asked next.
    step: usize,
    /// How often it was asked before, for this work.
    tries: u32,
    phase: Phase,
    /// Attempts that are over, in order.
    attempts: Vec<Attempt>,
    /// From then on no provider is asked, and a job that a provider has not finished is taken back.
    deadline: Timestamp,
    /// The credit is held until then. Until then a provider's webhook may name a job that is in doubt.
    held_until: Timestamp,
    /// Its owner wants it to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    must_end: bool,
    /// How many times a visitor has begun to fetch and book what a provider made.
    #[serde(default, skip_serializing_if = "is_zero")]
    finishings: u32,
    /// How many times a visitor has begun to have a text written about what was gathered.
    #[serde(default, skip_serializing_if = "is_zero")]
    texts: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Phase {
    /// No provider has been asked, or the last one has failed. The first visitor that comes from then on asks one.
    Idle { from: Timestamp },
    /// A visitor is asking a provider. The other visitors leave it alone until then.
    Asking { since: Timestamp, until: Timestamp },
    /// A provider may have taken the work, and we have no name for it there.
    Doubtful { since: Timestamp },
    /// A provider has taken the work and has until then.
    Taken { ticket: Ticket, since: Timestamp, until: Timestamp },
    /// A provider has finished. A visitor is fetching and booking what it made; the others leave it alone until then.
    Finishing { ticket: Ticket, since: Timestamp, until: Timestamp },
    /// No provider has served it, and none is asked any more.
    Failed { class: FailureClass },
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Nothing before then: another visitor is at work on it, a provider asked for a pause, or a job is in doubt.
    Wait {
        /// When to come again.
        until: Timestamp,
    },
    /// Ask the next provider of the chain.
    Ask,
    /// The visitor that asked a provider was lost before it stored the answer: find out whether the provider has the
    /// work.
    Find {
        /// When it was asked.
        since: Timestamp,
    },
    /// Look what the provider makes of it.
    Watch {
        /// What it is called there.
        ticket: &'a Ticket,
        /// Until when it may take.
        until: Timestamp,
    },
    /// The provider's time is up, or the owner wants it to end: take the work back, or what was made meanwhile.
    Withdraw {
        /// What it is called there.
        ticket: &'a Ticket,
    },
    /// Give the credit back.
    GiveUp(GivenUp),
}

/// Why no provider works on it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// No provider served it; this is how the last one failed.
    Failed(FailureClass),
    /// Its owner wanted it to end, and no provider has it.
    Cancelled,
}

impl Work {
    /// Of a run whose credit is held until `held_until`, and whose providers have until `deadline`.
    pub fn new(now: Timestamp, deadline: Timestamp, held_until: Timestamp) -> Work {
        let phase = Phase::Idle { from: now };
        Work {
            step: 0,
            tries: 0,
            phase,
            attempts: Vec::new(),
            deadline,
            held_until,
            must_end: false,
            finishings: 0,
            texts: 0,
        }
    }

    /// What a visitor that comes now does.
    pub fn next(&self, now: Timestamp) -> Next<'_> {
        match &self.phase {
            Phase::Failed { class } => Next::GiveUp(GivenUp::Failed(*class)),
            Phase::Idle { .. } if self.must_end => Next::GiveUp(GivenUp::Cancelled),
            Phase::Idle { .. } if now >= self.deadline => Next::GiveUp(GivenUp::Failed(self.last_failure())),
            Phase::Idle { from } if now < *from => Next::Wait { until: *from },
            Phase::Idle { .. } => Next::Ask,
            Phase::Asking { until, .. } if now < *until => Next::Wait { until: *until },
            Phase::Asking { since, .. } => Next::Find { since: *since },
            Phase::Doubtful { .. } if now < self.held_until => Next::Wait { until: self.held_until },
            Phase::Doubtful { .. } => Next::GiveUp(GivenUp::Failed(FailureClass::UnknownOutcome)),
            Phase::Taken { ticket, until, .. } if self.must_end || now >= *until => Next::Withdraw { ticket },
            Phase::Taken { ticket, until, .. } => Next::Watch { ticket, until: *until },
            Phase::Finishing { until, .. } if now < *until => Next::Wait { until: *until },
            // It was finished once, so a look brings it again.
            Phase::Finishing { ticket, .. } => Next::Watch { ticket, until: now.after(FINISHED_AGAIN) },
        }
    }

    /// The step of the chain that is asked, or will be asked next.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// Whether the step was asked before for this work, so that it alone is asked again.
    pub(crate) fn is_retry(&self) -> bool {
        self.tries > 0
    }

    /// Attempts that are over, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// From then on no provider is asked.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Whether a provider may have the work, as far as is known.
    pub fn is_at_a_provider(&self) -> bool {
        !matches!(self.phase, Phase::Idle { .. } | Phase::Failed { .. })
    }

    /// Whether a visitor is asking a provider, as far as is stored.
    pub fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. })
    }

    /// Whether a provider has finished and a visitor is fetching and booking what it made, as far as is stored.
    pub fn is_finishing(&self) -> bool {
        matches!(self.phase, Phase::Finishing { .. })
    }

    /// Whether a provider may have the work, while the provider's name for it is not known.
    pub fn is_doubtful(&self) -> bool {
        matches!(self.phase, Phase::Doubtful { .. })
    }

    /// Whether a visitor asks or asked a provider, and the provider's name for the work is not known.
    pub(crate) fn lacks_a_ticket(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. } | Phase::Doubtful { .. })
    }

    /// What the provider calls the work, if one has it.
    pub fn ticket(&self) -> Option<&Ticket> {
        match &self.phase {
            Phase::Taken { ticket, .. } | Phase::Finishing { ticket, .. } => Some(ticket),
            _ => None,
        }
    }

    /// When the provider that has the work, or is being asked, was asked.
    pub(crate) fn asked_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Asking { since, .. }
            | Phase::Doubtful { since }
            | Phase::Taken { since, .. }
            | Phase::Finishing { since, .. } => Some(since),
            Phase::Idle { .. } | Phase::Failed { .. } => None,
        }
    }

    /// How the last attempt failed; `unavailable` if no provider was asked.
    fn last_failure(&self) -> FailureClass {
        self.attempts.iter().rev().find_map(|attempt| attempt.failure).unwrap_or(FailureClass::Unavailable)
    }

    /// The visitor that stores this state asks `step`. The other visitors leave it alone for `lease`.
    #[must_use]
    pub fn asking(&self, step: usize, now: Timestamp, lease: Duration) -> Work {
        let tries = if step == self.step { self.tries } else { 0 };
        let phase = Phase::Asking { since: now, until: now.after(lease) };
        Work { step, tries, phase, ..self.clone() }
    }

    /// The provider has the work under this name, and `patience` to do it from when it was asked.
    #[must_use]
    pub fn taken(&self, ticket: Ticket, now: Timestamp, patience: Duration) -> Work {
        let since = self.asked_at().unwrap_or(now);
        let until = since.after(patience).min(self.deadline);
        Work { phase: Phase::Taken { ticket, since, until }, ..self.clone() }
    }

    /// The visitor that stores this state fetches and books what the provider made. The other visitors leave it alone
    /// for `lease`.
    #[must_use]
    pub fn finishing(&self, now: Timestamp, lease: Duration) -> Work {
        let (Phase::Taken { ticket, since, .. } | Phase::Finishing { ticket, since, .. }) = &self.phase
        else {
            return self.clone();
        };
        let (ticket, since, until) = (ticket.clone(), *since, now.after(lease));
        let finishings = self.finishings.saturating_add(1).min(FINISHINGS_COUNTED);
        Work { phase: Phase::Finishing { ticket, since, until }, finishings, ..self.clone() }
    }

    /// How many times a visitor has begun to fetch and book what a provider made; it counts up to nine.
    pub fn finishings(&self) -> u32 {
        self.finishings
    }

    /// The visitor that stores this state has a text written about what it fetched. The other visitors leave it alone for
    /// `lease`, from now on.
    #[must_use]
    pub fn writing(&self, now: Timestamp, lease: Duration) -> Work {
        let mut next = self.clone();
        if let Phase::Finishing { until, .. } = &mut next.phase {
            *until = now.after(lease);
            next.texts = next.texts.saturating_add(1);
        }
        next
    }

    /// Until when the visitor that fetches and books is left alone.
    pub fn finishing_until(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Finishing { until, .. } => Some(until),
            _ => None,
        }
    }

    /// How many times a visitor has begun to have a text written about what was gathered.
    pub fn texts(&self) -> u32 {
        self.texts
    }

    /// The attempt is over and has failed. The same provider is asked again only if it surely did no work, another one
    /// only if the class allows it; what may have been accepted without a name is waited for.
    #[must_use]
    pub(crate) fn failed(
        &self,
        attempt: Attempt,
        failure: &Failure,
        now: Timestamp,
        backoff: Duration,
    ) -> Work {
        let mut next = Work { attempts: self.attempts.clone(), ..self.clone() };
        let since = self.asked_at().unwrap_or(now);
        next.attempts.push(attempt);
        match (failure.pause_before_again(backoff), failure.class) {
            (_, FailureClass::UnknownOutcome) => next.phase = Phase::Doubtful { since },
            (Some(pause), _) if self.tries + 1 < TRIES => {
                (next.tries, next.phase) = (self.tries + 1, Phase::Idle { from: now.after(pause) });
            }
            (_, class) if class.allows_fallback() => {
                (next.step, next.tries, next.phase) = (self.step + 1, 0, Phase::Idle { from: now });
            }
            (_, class) => next.phase = Phase::Failed { class },
        }
        next
    }

    /// No step of the chain can be asked (any more).
    #[must_use]
    pub fn without_provider(&self, class: FailureClass) -> Work {
        Work { phase: Phase::Failed { class }, ..self.clone() }
    }

    /// What was in doubt is known after all: the provider has the work under this name. An attempt that was given up as
    /// unknown goes on.
    #[must_use]
    pub fn known(&self, ticket: Ticket, now: Timestamp, patience: Duration) -> Work {
        let mut known = self.taken(ticket, now, patience);
        if self.is_doubtful() {
            known.attempts.pop_if(|last| last.failure == Some(FailureClass::UnknownOutcome));
        }
        known
    }

    /// Its owner wants it to end.
    #[must_use]
    pub fn ending(&self) -> Work {
        Work { must_end: true, ..self.clone() }
    }

    /// Whether its owner wants it to end.
    pub fn must_end(&self) -> bool {
        self.must_end
    }

    /// The provider is at work and can't be stopped: it goes on, and is charged when it is finished.
    #[must_use]
    pub fn going_on(&self) -> Work {
        Work { must_end: false, ..self.clone() }
    }
}
