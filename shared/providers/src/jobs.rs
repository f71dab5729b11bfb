//! Work at providers that do it apart from our call, one step at a time: each call here takes the state as it is stored
//! and gives the next one, which is stored before anything else is done. [`crate::Work::next`] says which call is due.

use crate::adapter::Step;
use crate::chain::Chain;
use crate::course::with_jitter;
use crate::failure::Failure;
use crate::health::Incident;
use crate::job::{JobAdapter, Sign, Submitted, Tell, Watched};
use crate::{
    Attempt, Ending, FailureClass, Finished, Found, JobOrder, Made, ProviderName, Request, Served, Ticket,
    Work,
};
use primitives::{CostCents, Timestamp, times};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// The share in which a job is taken back, or its file fetched.
const END_SHARE: u32 = 4;
/// A visit with less time left asks no provider.
const ASK_MIN: Duration = Duration::from_secs(5);
/// How much longer than its call a visitor is left alone by the other visitors: the time to store what came of the
/// call.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// One visit to a run's work: the time as it goes on, how long the visitor looks, and when all calls must be over.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    began: Timestamp,
    began_at: Instant,
    looks_until: Instant,
    limit: Instant,
}

impl Visit {
    /// From `now` on. The visitor looks for `looking`, and asks a provider for no longer than `patience`.
    pub fn new(now: Timestamp, looking: Duration, patience: Duration) -> Visit {
        let began_at = Instant::now();
        Visit { began: now, began_at, looks_until: began_at + looking, limit: began_at + patience }
    }

    /// The time: as it was at the beginning, and what has passed since.
    pub fn now(&self) -> Timestamp {
        self.began.after(self.began_at.elapsed())
    }

    /// Whether the visitor has looked long enough.
    pub fn is_over(&self) -> bool {
        self.looks_until <= Instant::now()
    }

    /// How long calls of the visit may still take.
    pub fn left(&self) -> Duration {
        self.limit.saturating_duration_since(Instant::now())
    }

    /// Whether there is time for a call that a provider may take at its word: a submit that is cut off leaves the run in
    /// doubt.
    pub fn has_time(&self) -> bool {
        let whole = self.limit.saturating_duration_since(self.began_at);
        self.left() >= ASK_MIN.min(whole / 4)
    }

    /// The moment `at`, or when the visitor has looked long enough.
    pub fn until(&self, at: Timestamp) -> Instant {
        self.looks_until.min(self.began_at + at.since(self.began))
    }

    /// In `patience`, or when all calls of the visit must be over.
    pub fn at_most(&self, patience: Duration) -> Instant {
        self.limit.min(Instant::now() + patience)
    }
}

/// Why a job is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// Its owner wants it to end.
    Cancelled,
    /// Something else: the attempt has failed so.
    As(FailureClass),
}

impl Back {
    fn class(self) -> FailureClass {
        match self {
            Back::Cancelled => FailureClass::Cancelled,
            Back::As(class) => class,
        }
    }
}

/// Which step is to be asked, and for how long the other visitors leave the one that asks alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    step: usize,
    lease: Duration,
    works_while_asked: bool,
}

impl Choice {
    /// Whether the provider answers only when its work is done, and may take longer for that than the visit has left.
    pub fn outlasts(&self, visit: Visit) -> bool {
        self.works_while_asked && self.lease.saturating_sub(LEASE_MARGIN) > visit.left()
    }

    /// The state to store before the provider is asked.
    pub fn asking(&self, work: &Work, now: Timestamp) -> Work {
        work.asking(self.step, now, self.lease)
    }
}

/// What came of asking a provider.
#[derive(Debug)]
pub struct Asked {
    /// The state that follows.
    pub work: Work,
    /// What the provider made, if its answer brought that: only the process that asked has it.
    pub finished: Option<Finished>,
}

/// What a visit to a provider brought.
#[derive(Debug)]
pub enum Visited {
    /// What it made is there to be fetched.
    Finished(Finished),
    /// The state that follows.
    Next(Work),
    /// Nothing new.
    GoesOn,
}

impl Chain {
    /// The step that is to be asked next. `Err`: no step can be asked, and this is the state that says so.
    pub async fn choose(&self, work: &Work, order: &JobOrder) -> Result<Choice, Work> {
        let measure = order.request.measure();
        let left = order.cost_max.checked_sub(spent(work)).unwrap_or_default();
        // The adapter knows more than the measure does: a picture made from another may be larger than was asked for.
        let is_paid = |step: &Step, adapter: &dyn JobAdapter| {
            step.price.within(measure, left).is_some() && adapter.estimate(order) <= left
        };
        let (mut first_unadmitted, mut is_configured) = (None, false);
        for (place, step) in self.steps.iter().enumerate().skip(work.step()) {
            let Some(adapter) = step.job() else { continue };
            is_configured = true;
            if !adapter.serves(&order.request) {
                info!(
                    provider.name = step.provider.as_str(),
                    run.id = %order.run,
                    "run {}: {} does not make such a thing and is left out", order.run, step.name
                );
                continue;
            }
            if !is_paid(step, adapter) {
                warn!(
                    provider.name = step.provider.as_str(),
                    run.id = %order.run,
                    "run {}: {} could cost more than the price pays and is left out", order.run, step.name
                );
                continue;
            }
            let choice = Choice {
                step: place,
                lease: adapter.submit_patience() + LEASE_MARGIN,
                works_while_asked: adapter.works_while_asked(),
            };
            if (work.is_retry() && place == work.step()) || self.shared.breaker.admits(step.provider).await {
                return Ok(choice);
            }
            first_unadmitted = first_unadmitted.or(Some(choice));
        }
        // With all providers said to be down no customer would be served, so the first is asked anyway.
        match (work.attempts().last(), first_unadmitted) {
            (None, Some(first)) => Ok(first),
            (None, None) if is_configured => Err(work.without_provider(FailureClass::Unavailable)),
            (None, None) => {
                let names: Vec<_> = self.steps.iter().map(|step| step.name).collect();
                error!(run.id = %order.run, "run {}: none of {names:?} is configured", order.run);
                Err(work.without_provider(FailureClass::Auth))
            }
            (Some(last), _) => Err(work.without_provider(last.failure.unwrap_or(FailureClass::Unavailable))),
        }
    }

    /// Whether a provider of the chain that is configured here makes what is asked for. Without any configured provider
    /// this says yes: the run then fails by itself, with an alarm.
    pub fn serves(&self, request: &Request) -> bool {
        let mut adapters = self.steps.iter().filter_map(|step| step.job()).peekable();
        adapters.peek().is_none() || adapters.any(|adapter| adapter.serves(request))
    }

    /// Asks the provider that `work` says is being asked, once.
    pub async fn ask(&self, work: &Work, order: &JobOrder, visit: Visit) -> Asked {
        let Some((step, adapter)) = self.job_step(work) else {
            return Asked { work: self.without_adapter(work), finished: None };
        };
        let patience = adapter.timing().first_content;
        match adapter.submit(order, visit.at_most(adapter.submit_patience())).await {
            Ok(Submitted::Taken(ticket)) => {
                Asked { work: work.taken(ticket, visit.now(), patience), finished: None }
            }
            Ok(Submitted::Done(finished)) => {
                self.shared.breaker.succeeded(step.provider).await;
                let ticket = Ticket::answered(finished.id.clone());
                Asked { work: work.taken(ticket, visit.now(), patience), finished: Some(finished) }
            }
            Err(failure) => {
                let work = self.failed(work, step, adapter, order, failure, visit.now()).await;
                Asked { work, finished: None }
            }
        }
    }

    /// Finds out whether the provider has the work, after the process that asked it was lost.
    pub async fn find(&self, work: &Work, order: &JobOrder, asked_at: Timestamp, visit: Visit) -> Work {
        let Some((step, adapter)) = self.job_step(work) else { return self.without_adapter(work) };
        let failure = match adapter.find(order, asked_at, visit.at_most(times::PROVIDER_LOOK.limit)).await {
            Found::There(ticket) => {
                // The job's time counts from when it was asked for. The process that asked was lost, so the time that
                // passed since is added: from now on the job has as long as a new one.
                return work.known(
                    ticket,
                    visit.now(),
                    visit.now().since(asked_at) + adapter.timing().first_content,
                );
            }
            Found::Nowhere => Failure::not_sent(),
            Found::Lost => Failure::new(FailureClass::BrokenStream).costing(adapter.estimate(order), true),
            Found::Unknowable => {
                Failure::new(FailureClass::UnknownOutcome).costing(adapter.estimate(order), true)
            }
        };
        self.failed(work, step, adapter, order, failure, visit.now()).await
    }

    /// The job that the provider itself told us of by its id, while nothing better is known of it.
    pub fn told(&self, work: &Work, provider: ProviderName, id: &str, now: Timestamp) -> Option<Work> {
        let (_, adapter) = self.job_step(work).filter(|(step, _)| step.provider == provider)?;
        let asked_at = work.asked_at()?;
        let patience = now.since(asked_at) + adapter.timing().first_content;
        // The word about an attempt that is over comes late, or again.
        let is_earlier = work.attempts().iter().any(|one| one.provider_request_id.as_deref() == Some(id));
        (work.lacks_a_ticket() && !is_earlier)
            .then(|| adapter.named(id))
            .flatten()
            .map(|ticket| work.known(ticket, now, patience))
    }

    /// Looks until the job is over or `limit`.
    pub async fn watch(
        &self,
        work: &Work,
        ticket: &Ticket,
        order: &JobOrder,
        visit: Visit,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Visited {
        let Some((step, adapter)) = self.job_step(work) else {
            return Visited::Next(self.without_adapter(work));
        };
        match adapter.watch(ticket, order, limit, tell).await {
            Ok(Watched::Finished(finished)) => {
                self.shared.breaker.succeeded(step.provider).await;
                Visited::Finished(finished)
            }
            Ok(Watched::GoesOn) => Visited::GoesOn,
            // The provider has long refused to show the job: the job is taken back, or what it made is taken.
            Ok(Watched::Refused(class)) => self.taken_back(work, ticket, order, visit, Back::As(class)).await,
            Err(failure) => {
                let failure = failure.with_request_id(ticket.id.clone());
                Visited::Next(self.failed(work, step, adapter, order, failure, visit.now()).await)
            }
        }
    }

    /// Takes the job back: its time is up, or its owner wants it to end. When the owner wants it to end and the
    /// provider is already at work on it, the job goes on.
    pub async fn withdraw(&self, work: &Work, ticket: &Ticket, order: &JobOrder, visit: Visit) -> Visited {
        if !work.must_end() || visit.now() >= work.deadline() {
            let why = Back::As(FailureClass::Unavailable);
            return self.taken_back(work, ticket, order, visit, why).await;
        }
        match self.seen_once(work, ticket, order, visit).await {
            Ok(Some(sign)) if sign.is_work() => Visited::Next(work.going_on()),
            Ok(_) => self.taken_back(work, ticket, order, visit, Back::Cancelled).await,
            Err(over) => over,
        }
    }

    /// Takes a job back whose run has its end already, or what it made meanwhile. The attempt has failed as `cancelled` if
    /// the provider surely does no more of it, and as `unavailable` if that is not known.
    pub async fn take_back(&self, work: &Work, ticket: &Ticket, order: &JobOrder, visit: Visit) -> Visited {
        self.taken_back(work, ticket, order, visit, Back::As(FailureClass::Cancelled)).await
    }

    /// The first sign of a job, or none if the provider shows none. `Err`: the job is over.
    async fn seen_once(
        &self,
        work: &Work,
        ticket: &Ticket,
        order: &JobOrder,
        visit: Visit,
    ) -> Result<Option<Sign>, Visited> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut note = |sign| {
            // The receiver stands below.
            let _ = tell.send(sign);
        };
        let until = visit.at_most(times::PROVIDER_LOOK.limit);
        tokio::select! {
            biased;
            visited = self.watch(work, ticket, order, visit, until, &mut note) => match visited {
                Visited::GoesOn => Ok(told.try_recv().ok()),
                over => Err(over),
            },
            Some(sign) = told.recv() => Ok(Some(sign)),
        }
    }

    async fn taken_back(
        &self,
        work: &Work,
        ticket: &Ticket,
        order: &JobOrder,
        visit: Visit,
        why: Back,
    ) -> Visited {
        let Some((step, adapter)) = self.job_step(work) else {
            return Visited::Next(self.without_adapter(work));
        };
        let patience = times::WITHDRAWAL.limit.min(adapter.timing().first_content / END_SHARE);
        let failure = match adapter.withdraw(ticket, order, Instant::now() + patience).await {
            Ok(Some(finished)) => {
                self.shared.breaker.succeeded(step.provider).await;
                return Visited::Finished(finished);
            }
            Ok(None) => Failure::new(why.class()),
            // The end that the owner wanted, at what it costs us.
            Err(failure) if why == Back::Cancelled && failure.class == FailureClass::Unavailable => {
                Failure { class: FailureClass::Cancelled, ..failure }
            }
            Err(failure) => failure,
        };
        let failure = failure.with_request_id(ticket.id.clone());
        Visited::Next(self.failed(work, step, adapter, order, failure, visit.now()).await)
    }

    /// Fetches what the provider made. `Err`: the state after it could not be fetched; the provider is paid all the
    /// same.
    pub async fn fetch(
        &self,
        work: &Work,
        finished: &Finished,
        order: &JobOrder,
        visit: Visit,
    ) -> Result<Vec<Made>, Work> {
        let Some((_, adapter)) = self.job_step(work) else { return Err(self.without_adapter(work)) };
        let patience = times::IMAGE_FILE.limit.min(adapter.timing().first_content / END_SHARE);
        match adapter.fetch(finished, order, visit.at_most(patience * finished.files())).await {
            Ok(made) => Ok(made),
            // The visit's time is over, which says nothing about the provider.
            Err(_) if visit.left().is_zero() => Err(work.clone()),
            Err(failure) => Err(self.not_had(work, finished, order, failure, visit.now()).await),
        }
    }

    /// The state after the provider's file could not be stored whole; the provider is paid all the same.
    pub async fn broken_off(
        &self,
        work: &Work,
        finished: &Finished,
        order: &JobOrder,
        now: Timestamp,
    ) -> Work {
        self.not_had(work, finished, order, FailureClass::Unavailable.into(), now).await
    }

    async fn not_had(
        &self,
        work: &Work,
        finished: &Finished,
        order: &JobOrder,
        failure: Failure,
        now: Timestamp,
    ) -> Work {
        let Some((step, adapter)) = self.job_step(work) else { return self.without_adapter(work) };
        let failure = failure
            .costing(finished.cost, finished.cost_is_estimated)
            .with_request_id(work.ticket().and_then(|ticket| ticket.id.clone()));
        self.failed(work, step, adapter, order, failure, now).await
    }

    /// Whether a visitor is asking a provider that answers only when its work is done.
    pub fn works_while_asked(&self, work: &Work) -> bool {
        let adapter = self.job_step(work).map(|(_, adapter)| adapter);
        work.is_asking() && adapter.is_some_and(JobAdapter::works_while_asked)
    }

    /// How it was served, the attempt that served among all others.
    pub fn served(
        &self,
        work: &Work,
        order: &JobOrder,
        finished: &Finished,
        now: Timestamp,
    ) -> Option<Served> {
        let (step, adapter) = self.job_step(work)?;
        let model = adapter.model_for(&order.request);
        let mut attempts = work.attempts().to_vec();
        let mut attempt = attempt(work, step, model, now);
        attempt.first_content_millis = Some(attempt.millis);
        attempt.provider_request_id = work.ticket().and_then(|ticket| ticket.id.clone());
        (attempt.cost, attempt.cost_is_estimated) = (finished.cost, finished.cost_is_estimated);
        attempts.push(attempt);
        Some(Served {
            provider: step.provider,
            model: model.to_owned(),
            usage: finished.usage.clone(),
            cost: finished.cost,
            cost_is_estimated: finished.cost_is_estimated,
            ending: Ending::Complete,
            attempts,
        })
    }

    fn job_step(&self, work: &Work) -> Option<(&Step, &dyn JobAdapter)> {
        let step = self.steps.get(work.step())?;
        Some((step, step.job()?))
    }

    /// The profile or the settings changed while a run was under way: its provider is not configured any more.
    fn without_adapter(&self, work: &Work) -> Work {
        error!("a run's provider is not configured any more");
        work.without_provider(FailureClass::Auth)
    }

    async fn failed(
        &self,
        work: &Work,
        step: &Step,
        adapter: &dyn JobAdapter,
        order: &JobOrder,
        failure: Failure,
        now: Timestamp,
    ) -> Work {
        let (class, run, provider) = (failure.class, order.run, step.provider);
        if class.needs_a_person() {
            error!(
                metric = "provider_refuses_us",
                provider.name = provider.as_str(),
                run.id = %run,
                failure = class.as_str(),
                "run {run}: {provider} refuses our account, model or request ({class})"
            );
        } else if class != FailureClass::Cancelled {
            warn!(provider.name = provider.as_str(), run.id = %run, failure = class.as_str(), "run {run}: {} failed", step.name);
        }
        let incident = Incident { class, account: &order.account, is_outage: failure.is_outage };
        self.shared.breaker.failed(provider, &incident).await;
        let attempt = Attempt {
            failure: Some(class),
            provider_request_id: failure.request_id.clone(),
            cost: failure.cost,
            cost_is_estimated: failure.cost_is_estimated,
            ..attempt(work, step, adapter.model_for(&order.request), now)
        };
        work.failed(attempt, &failure, now, with_jitter(self.shared.backoff))
    }
}

/// The attempt that `work` is in the middle of, over by now; what came of it is to be filled in.
fn attempt(work: &Work, step: &Step, model: &str, now: Timestamp) -> Attempt {
    let started_at = work.asked_at().unwrap_or(now);
    Attempt {
        provider: step.provider,
        model: model.to_owned(),
        started_at,
        millis: u64::try_from(now.since(started_at).as_millis()).unwrap_or(u64::MAX),
        first_content_millis: None,
        failure: None,
        provider_request_id: None,
        cost: CostCents::ZERO,
        cost_is_estimated: false,
    }
}

/// What the attempts so far cost us.
fn spent(work: &Work) -> CostCents {
    work.attempts().iter().fold(CostCents::ZERO, |sum, attempt| sum.saturating_add(attempt.cost))
}
