use crate::adapter::{Adapter, Answer, Step};
use crate::chain::Shared;
use crate::failure::Failure;
use crate::health::Incident;
use crate::outlet::Outlet;
use crate::{Attempt, Event, Failed, FailureClass, Job, ProviderName, Served};
use primitives::{CostCents, random_bytes};
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

/// Tries per provider and run.
const TRIES: u32 = 2;
/// No invocation lives longer; it keeps the arithmetic of moments in range.
const BUDGET_MAX: Duration = Duration::from_secs(86_400);

/// One job's way through its chain.
pub(crate) struct Course<'a> {
    shared: &'a Shared,
    job: &'a Job,
    limit: Instant,
    outlet: Outlet<'a>,
    attempts: Vec<Attempt>,
    last_failure: Option<FailureClass>,
    /// A failure the breaker has not heard of; it is told while the next provider already works.
    unreported: Option<(ProviderName, Incident<'a>)>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(shared: &'a Shared, job: &'a Job, events: &'a Sender<Event>) -> Course<'a> {
        let limit = Instant::now() + job.budget.min(BUDGET_MAX);
        Course {
            shared,
            job,
            limit,
            outlet: Outlet::new(events, limit),
            attempts: Vec::new(),
            last_failure: None,
            unreported: None,
        }
    }

    pub(crate) fn last_failure(&self) -> Option<FailureClass> {
        self.last_failure
    }

    pub(crate) fn is_late(&self) -> bool {
        self.limit <= Instant::now()
    }

    /// Whether another provider may be asked.
    pub(crate) fn may_go_on(&self) -> bool {
        let may_fall_back = self.last_failure.is_none_or(FailureClass::allows_fallback);
        may_fall_back && !self.outlet.content_was_sent() && !self.is_late()
    }

    /// Asks one provider, twice where that is safe. `None`: it failed.
    pub(crate) async fn take(&mut self, step: &Step) -> Option<Served> {
        let adapter = step.stream()?;
        let (breaker, unreported) = (&self.shared.breaker, self.unreported.take());
        let report = async {
            if let Some((provider, incident)) = unreported {
                breaker.failed(provider, &incident).await;
            }
        };
        let (outcome, ()) = tokio::join!(self.tries(step, adapter), report);
        match outcome? {
            Ok(answer) => {
                breaker.succeeded(step.provider).await;
                Some(self.served(step.provider, adapter, answer))
            }
            Err(failure) => {
                self.note(step.provider, &failure);
                None
            }
        }
    }

    /// The job as the rest of its price pays it at this step's prices, failed attempts being paid already.
    fn paid_job(&self, step: &Step) -> Option<Cow<'a, Job>> {
        let job = self.job;
        let spent =
            self.attempts.iter().fold(CostCents::ZERO, |sum, attempt| sum.saturating_add(attempt.cost));
        let left = job.cost_max.checked_sub(spent).unwrap_or_default();
        let whole = job.request.measure();
        let Some(paid) = step.price.within(whole, left) else {
            warn!(
                provider.name = step.provider.as_str(),
                run.id = %job.run,
                "run {}: {} could cost more than the price pays and is left out", job.run, step.name
            );
            return None;
        };
        Some(match paid == whole {
            true => Cow::Borrowed(job),
            false => Cow::Owned(Job { request: job.request.measuring(paid), ..job.clone() }),
        })
    }

    /// Each try is asked for what the rest of the price pays after the one before. `None`: not even the first is paid.
    async fn tries(&mut self, step: &Step, adapter: &dyn Adapter) -> Option<Result<Answer, Failure>> {
        let mut job = self.paid_job(step)?;
        let mut tries = 1;
        loop {
            let failure = match self.attempt(step.provider, adapter, &job).await {
                Ok(answer) => return Some(Ok(answer)),
                Err(failure) => failure,
            };
            let Some(pause) = self.pause_before_again(&failure).filter(|_| tries < TRIES) else {
                return Some(Err(failure));
            };
            let Some(paid) = self.paid_job(step) else { return Some(Err(failure)) };
            (job, tries) = (paid, tries + 1);
            sleep(pause).await;
        }
    }

    async fn attempt(
        &mut self,
        provider: ProviderName,
        adapter: &dyn Adapter,
        job: &Job,
    ) -> Result<Answer, Failure> {
        let (started_at, start) = (self.shared.platform.now(), Instant::now());
        self.outlet.begin_attempt();
        let outcome = adapter.attempt(job, self.limit, &mut self.outlet).await;
        let (failure, request_id, cost, cost_is_estimated) = match &outcome {
            Ok(answer) => (None, &answer.request_id, answer.cost, answer.cost_is_estimated),
            Err(failure) => {
                (Some(failure.class), &failure.request_id, failure.cost, failure.cost_is_estimated)
            }
        };
        self.attempts.push(Attempt {
            provider,
            model: adapter.model().to_owned(),
            started_at,
            millis: millis(start.elapsed()),
            first_content_millis: self.outlet.first_content().map(|first| millis(first - start)),
            failure,
            provider_request_id: request_id.clone(),
            cost,
            cost_is_estimated,
        });
        outcome
    }

    /// `None` when the same provider must not be asked again, or would have us wait too long.
    fn pause_before_again(&self, failure: &Failure) -> Option<Duration> {
        let pause = failure.pause_before_again(with_jitter(self.shared.backoff))?;
        (Instant::now() + pause < self.limit && !self.outlet.content_was_sent()).then_some(pause)
    }

    fn note(&mut self, provider: ProviderName, failure: &Failure) {
        let (class, run) = (failure.class, self.job.run);
        self.last_failure = Some(class);
        self.unreported =
            Some((provider, Incident { class, account: &self.job.account, is_outage: failure.is_outage }));
        if class.needs_a_person() {
            error!(
                metric = "provider_refuses_us",
                provider.name = provider.as_str(),
                run.id = %run,
                failure = class.as_str(),
                "run {run}: {provider} refuses our account, model or request ({class})"
            );
        }
    }

    fn served(&mut self, provider: ProviderName, adapter: &dyn Adapter, answer: Answer) -> Served {
        Served {
            provider,
            model: adapter.model().to_owned(),
            usage: answer.usage,
            cost: answer.cost,
            cost_is_estimated: answer.cost_is_estimated,
            ending: answer.ending,
            attempts: std::mem::take(&mut self.attempts),
        }
    }

    pub(crate) async fn failed(self, class: FailureClass) -> Failed {
        if let Some((provider, incident)) = self.unreported {
            self.shared.breaker.failed(provider, &incident).await;
        }
        Failed { class, content_was_sent: self.outlet.content_was_sent(), attempts: self.attempts }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Between half and one and a half of `pause`, so that instances do not come back together.
pub(crate) fn with_jitter(pause: Duration) -> Duration {
    let share = u32::from(u8::from_be_bytes(random_bytes()));
    pause / 2 + pause * share / 255
}
