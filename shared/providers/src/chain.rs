use crate::adapter::{Kind, Step};
use crate::breaker::Breaker;
use crate::course::Course;
use crate::{Event, Failed, FailureClass, Job, Measure, Served};
use platform::Platform;
use primitives::CostCents;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tracing::{error, warn};

/// A tool's first provider and its fallbacks.
pub struct Chain {
    pub(crate) steps: Vec<Arc<Step>>,
    pub(crate) shared: Arc<Shared>,
}

/// What all chains share.
pub(crate) struct Shared {
    pub(crate) platform: Platform,
    pub(crate) breaker: Breaker,
    pub(crate) backoff: Duration,
}

impl Chain {
    /// Writes the text with the first provider that can, and sends it as it arrives.
    ///
    /// Until the first text a fallback is silent; after it nothing is repeated. A receiver that is gone
    /// changes nothing. One that is there must keep receiving: the work waits for it.
    pub async fn run(&self, job: &Job, events: &Sender<Event>) -> Result<Served, Failed> {
        let mut course = Course::new(&self.shared, job, events);
        let kind = Kind::of(&job.request);
        if self.steps.iter().any(|step| step.kind != kind) {
            return Err(course.failed(FailureClass::BadInput).await);
        }
        for step in self.configured() {
            if !course.may_go_on() {
                break;
            }
            if !self.shared.breaker.admits(step.provider).await {
                continue;
            }
            if let Some(last) = course.last_failure() {
                warn!(
                    provider.name = step.provider.as_str(),
                    run.id = %job.run,
                    failure = last.as_str(),
                    "run {}: falling back to {}", job.run, step.name
                );
            }
            if let Some(served) = course.take(step).await {
                return Ok(served);
            }
        }
        self.last_resort(course, job).await
    }

    /// Nothing was tried because every provider is said to be down: with all of them closed no customer is served, so the first is
    /// asked anyway.
    async fn last_resort(&self, mut course: Course<'_>, job: &Job) -> Result<Served, Failed> {
        if let Some(class) = course.last_failure() {
            return Err(course.failed(class).await);
        }
        let Some(first) = self.configured().next() else {
            let names: Vec<_> = self.steps.iter().map(|step| step.name).collect();
            error!(run.id = %job.run, "run {}: none of {names:?} is configured", job.run);
            return Err(course.failed(FailureClass::Auth).await);
        };
        if course.is_late() {
            return Err(course.failed(FailureClass::Unavailable).await);
        }
        match course.take(first).await {
            Some(served) => Ok(served),
            None => {
                let class = course.last_failure().unwrap_or(FailureClass::Unavailable);
                Err(course.failed(class).await)
            }
        }
    }

    /// Whether some step may serve such a request for `cost_max`. True without any configured step: that is another
    /// failure.
    pub fn is_paid_by(&self, measure: Measure, cost_max: CostCents) -> bool {
        let mut configured = self.configured().peekable();
        configured.peek().is_none() || configured.any(|step| step.price.within(measure, cost_max).is_some())
    }

    fn configured(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(Arc::as_ref).filter(|step| step.worker.is_some())
    }
}
