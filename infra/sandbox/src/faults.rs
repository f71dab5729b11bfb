//! Which faults are switched on, and for how many calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

mod asked;
mod catalogue;
mod fault;

pub(crate) use asked::{Asked, NotUnderstood, understand};
pub(crate) use catalogue::CATALOGUE;
pub use fault::{Fault, KeySet, Then, WebhookFault};

use crate::Service;
use crate::call::Call;

/// One fault to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// For how many calls; `None` until cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only for requests whose body or path contains this text.
    #[serde(default)]
    pub matching: Option<String>,
}

impl FaultRule {
    /// The next fitting call only.
    pub fn once(fault: Fault) -> FaultRule {
        FaultRule { fault, times: Some(1), matching: None }
    }

    /// Every fitting call until cleared.
    pub fn always(fault: Fault) -> FaultRule {
        FaultRule { fault, times: None, matching: None }
    }
}

/// The rules of all services; the oldest fitting rule is used first.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<(Service, FaultRule)>>,
    armed: AtomicUsize,
}

/// What a call means to its service, which decides the faults that can strike it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Starts something: a job, an answer.
    Work,
    /// Asks about something that exists.
    Read,
    /// Asks for the keys that webhooks are checked with.
    Keys,
    /// The sandbox sends a webhook.
    Delivery,
    /// A control call of the sandbox itself: never disturbed.
    Control,
}

impl Faults {
    /// Adds a rule behind those already set for the service.
    pub fn set(&self, service: Service, rule: FaultRule) {
        let mut rules = self.lock();
        rules.push((service, rule));
        self.armed.store(rules.len(), Ordering::Release);
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        let mut rules = self.lock();
        rules.clear();
        self.armed.store(0, Ordering::Release);
    }

    /// The rules still waiting, with what is left of their counts.
    pub fn active(&self) -> Vec<(Service, FaultRule)> {
        self.lock().clone()
    }

    /// Uses up the first rule that fits the call.
    pub(crate) fn take(&self, service: Service, moment: Moment, call: &Call) -> Option<Fault> {
        if self.armed.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut rules = self.lock();
        let place = rules.iter().position(|(of, rule)| {
            *of == service && rule.fault.strikes(service, moment) && rule.fits(call)
        })?;
        let fault = rules[place].1.fault.clone();
        if rules[place].1.count_down() {
            rules.remove(place);
        }
        self.armed.store(rules.len(), Ordering::Release);
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Service, FaultRule)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultRule {
    fn fits(&self, call: &Call) -> bool {
        let Some(text) = self.matching.as_deref() else { return self.times != Some(0) };
        let in_body = call.written().contains(text);
        let in_path = call.uri.path_and_query().is_some_and(|path| path.as_str().contains(text));
        self.times != Some(0) && (in_body || in_path)
    }

    /// Whether this was the last time.
    fn count_down(&mut self) -> bool {
        self.times = self.times.map(|times| times.saturating_sub(1));
        self.times == Some(0)
    }
}
