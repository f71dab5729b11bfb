use super::Fal;
use super::answers::{Output, Problem, State, Submitted, cost_of_units};
use super::wanted::Wanted;
use crate::failure::{Failure, FailureClass};
use crate::job::{Place, Sign, Tell, Ticket, Watched};
use crate::pace::{Looks, Sight};
use crate::{JobOrder, lenient, wire};
use primitives::{CostCents, times};
use reqwest::header::HeaderMap;
use reqwest::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use tracing::error;
use url::Url;

/// A job of ours at fal, while it is looked at.
pub(super) struct FalJob<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) unit_price: CostCents,
    status: Url,
    response: Url,
    cancel: Option<Url>,
}

impl FalJob<'_> {
    /// What the job costs when fal does not say.
    pub(super) fn estimate(&self) -> CostCents {
        self.wanted.cost(self.unit_price)
    }

    /// An error that repeats the prompt is not read as fal's own words.
    fn problem(&self, document: &Value) -> Problem {
        Problem::of(document, self.wanted.prompt())
    }
}

/// The share of the patience in which a finished job's result is asked for.
const RESULT_SHARE: u32 = 4;

/// A finished job's output and what it cost.
pub(super) struct Outcome {
    pub(super) output: Output,
    pub(super) units: Option<String>,
    pub(super) cost: Option<CostCents>,
}

/// One look at the result.
enum Look {
    Done(Outcome),
    /// Not yet, or no answer that decides anything: fal's gateway says 404, 401 and 504 for jobs that succeeded.
    Inconclusive(Sight),
}

impl Look {
    fn outcome(self) -> Option<Outcome> {
        match self {
            Look::Done(outcome) => Some(outcome),
            Look::Inconclusive(_) => None,
        }
    }
}

/// What became of a withdrawal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Withdrawal {
    /// fal stops the job, or never begins it.
    Accepted,
    /// It is finished, and paid.
    TooLate,
    /// fal does not know the job.
    Unknown,
    /// No answer that says anything: the job may be worked on.
    InDoubt,
}

impl Fal {
    /// `None` when an address would carry our key elsewhere. A missing status address is the result's with `/status`.
    pub(super) fn ticket(&self, submitted: &Submitted) -> Option<Ticket> {
        let status = match &submitted.status_url {
            Some(address) => address.clone(),
            None => format!("{}/status", submitted.response_url.as_deref()?),
        };
        Some(Ticket {
            id: submitted.request_id.as_deref().and_then(wire::plain_id),
            place: Place::Fal {
                status: self.hosts.of_queue(&status)?.into(),
                response: self.hosts.of_queue(submitted.response_url.as_deref()?)?.into(),
                cancel: submitted
                    .cancel_url
                    .as_deref()
                    .and_then(|url| self.hosts.of_queue(url))
                    .map(Url::into),
            },
        })
    }

    /// The addresses of a job of which only the id is known: a model's path beyond `owner/app` is not part of them
    /// (`docs/facts/providers.md`, "fal's queue").
    pub(super) fn ticket_of_id(&self, id: &str) -> Option<Ticket> {
        let id = wire::plain_id(id).filter(|plain| plain == id)?;
        let response = format!("{}/{}/requests/{id}", self.hosts.queue(), self.from_words.application());
        let at = |end: &str| format!("{response}{end}");
        let place = Place::Fal { status: at("/status"), cancel: Some(at("/cancel")), response: at("") };
        Some(Ticket { id: Some(id), place })
    }

    /// What was stored is checked like what was sent: our key goes to these addresses.
    pub(super) fn job<'a>(&self, ticket: &Ticket, order: &'a JobOrder) -> Result<FalJob<'a>, Failure> {
        // fal has taken the job and will be paid. When changed settings do not fit the request any more, the outcome is
        // unknown, and no other provider is asked.
        let (wanted, model) = self.wanted(&order.request).map_err(|_| FailureClass::UnknownOutcome)?;
        let Place::Fal { status, response, cancel } = &ticket.place else {
            return Err(FailureClass::UnknownOutcome.into());
        };
        let own = |url: &String| self.hosts.of_queue(url).ok_or(FailureClass::UnknownOutcome);
        Ok(FalJob {
            wanted,
            unit_price: model.unit_price,
            status: own(status)?,
            response: own(response)?,
            cancel: cancel.as_ref().map(own).transpose()?,
        })
    }

    /// Waits for the job. It is accepted and will be paid: only a definite end of it lets another provider be asked.
    pub(super) async fn followed(
        &self,
        job: &FalJob<'_>,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        if !self.wait(job, &mut looks, tell).await {
            let refused = looks.are_refused();
            return Ok(if refused { Watched::Refused(FailureClass::Unavailable) } else { Watched::GoesOn });
        }
        let limit =
            limit.max(Instant::now() + times::WITHDRAWAL.limit.min(self.timing.first_content / RESULT_SHARE));
        match self.result(job, limit).await? {
            Some(outcome) => self.finished(job, outcome).map(Watched::Finished),
            None => Err(paid_for_nothing(job)),
        }
    }

    /// True when the job is completed, false when the time is up or fal has refused to say anything for long. The first
    /// look comes at once: a webhook may have told that it is finished.
    async fn wait(&self, job: &FalJob<'_>, looks: &mut Looks, tell: Tell<'_>) -> bool {
        loop {
            let until = looks.until();
            let request = wire::get(job.status.clone(), &self.headers);
            let sight = match wire::send(&self.platform, request, until).await {
                Ok(response) if response.status().is_success() => {
                    let document = wire::document(response, until).await.unwrap_or_default();
                    match State::of(&document) {
                        Some(State::Completed) => return true,
                        Some(State::Waiting) => {
                            let ahead = lenient::count(&document["queue_position"]);
                            tell(Sign::Queued { ahead: ahead.and_then(|ahead| u32::try_from(ahead).ok()) });
                            Sight::Seen
                        }
                        Some(State::Working) => {
                            tell(Sign::Working { percent: None });
                            Sight::Seen
                        }
                        None => Sight::Nothing,
                    }
                }
                Ok(response) => sight_of(response.status()),
                Err(_) => Sight::Nothing,
            };
            looks.note(sight);
            if looks.are_refused() || !looks.pause().await {
                return false;
            }
        }
    }

    /// Asks for a finished job's result until it is readable; `None` when the time is up.
    async fn result(&self, job: &FalJob<'_>, limit: Instant) -> Result<Option<Outcome>, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        loop {
            match self.look(job, looks.until()).await? {
                Look::Done(outcome) => return Ok(Some(outcome)),
                Look::Inconclusive(sight) => looks.note(sight),
            }
            if !looks.pause().await {
                return Ok(None);
            }
        }
    }

    /// `None`: fal does not begin the job, or stops it.
    pub(super) async fn taken_back(
        &self,
        job: &FalJob<'_>,
        limit: Instant,
    ) -> Result<Option<Outcome>, Failure> {
        let now = Instant::now();
        let half = now + limit.saturating_duration_since(now) / 2;
        let withdrawal = self.cancel(job, half).await;
        if withdrawal == Withdrawal::Accepted {
            return Ok(None);
        }
        // A job that finished meanwhile is paid for: its result is still taken.
        let outcome = match withdrawal {
            Withdrawal::Unknown => self.look(job, limit).await?.outcome(),
            _ => self.result(job, limit).await?,
        };
        if outcome.is_some() {
            return Ok(outcome);
        }
        match withdrawal {
            Withdrawal::TooLate => Err(paid_for_nothing(job)),
            Withdrawal::Unknown | Withdrawal::Accepted => Ok(None),
            Withdrawal::InDoubt => {
                error!(
                    provider.name = "fal",
                    "a job that fal accepted can be neither looked at nor taken back"
                );
                Err(Failure::new(FailureClass::UnknownOutcome).costing(job.estimate(), true))
            }
        }
    }

    async fn look(&self, job: &FalJob<'_>, limit: Instant) -> Result<Look, Failure> {
        let request = wire::get(job.response.clone(), &self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else {
            return Ok(Look::Inconclusive(Sight::Nothing));
        };
        match response.status() {
            StatusCode::ACCEPTED => Ok(Look::Inconclusive(Sight::Seen)),
            status if status.is_success() => self.outcome(job, response, limit).await,
            status => self.refused(job, status, response, limit).await,
        }
    }

    async fn outcome(&self, job: &FalJob<'_>, response: Response, limit: Instant) -> Result<Look, Failure> {
        let (units, cost) = bill(job, response.headers());
        let Some(document) = wire::document(response, limit).await.filter(Value::is_object) else {
            return Ok(Look::Inconclusive(Sight::Nothing));
        };
        let output = job.wanted.output(&document);
        if !output.files.is_empty() {
            return Ok(Look::Done(Outcome { output, units, cost }));
        }
        if State::of(&document).is_some_and(|state| state != State::Completed) {
            return Ok(Look::Inconclusive(Sight::Seen));
        }
        // With 200 and without a file, `detail` is a refusal of the content unless it says something else.
        let problem = job.problem(&document);
        let class = match problem.says_something() {
            true => problem.told_class().unwrap_or(FailureClass::ContentRejected),
            false => FailureClass::Unavailable,
        };
        Err(Failure::new(class).costing(cost.unwrap_or_else(|| job.estimate()), cost.is_none()))
    }

    /// The model's own error is definite; what fal's gateway says in its place is looked at again.
    async fn refused(
        &self,
        job: &FalJob<'_>,
        status: StatusCode,
        response: Response,
        limit: Instant,
    ) -> Result<Look, Failure> {
        // Our own limit for the start of the work: final, unlike their gateway's 504.
        if response.headers().contains_key("x-fal-request-timeout-type") {
            return Err(FailureClass::Unavailable.into());
        }
        let (_, cost) = bill(job, response.headers());
        let document = wire::document(response, limit).await.unwrap_or_default();
        let problem = job.problem(&document);
        let is_definite = match status.as_u16() {
            400 | 402 | 405..=407 | 410..=424 | 426..=428 | 430..=499 => true,
            // fal's own words in the documented shape; an empty body and a page are a gateway's.
            500..=599 => problem.is_of_the_model(),
            _ => false,
        };
        if !is_definite {
            return Ok(Look::Inconclusive(sight_of(status)));
        }
        Err(Failure::new(problem.class(status)).costing(cost.unwrap_or_default(), false))
    }

    /// Best effort; says what fal answered.
    async fn cancel(&self, job: &FalJob<'_>, limit: Instant) -> Withdrawal {
        let Some(url) = job.cancel.clone() else { return Withdrawal::InDoubt };
        let mut request = Request::new(Method::PUT, url);
        request.headers_mut().clone_from(&self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else {
            return Withdrawal::InDoubt;
        };
        let status = response.status();
        let said = wire::document(response, limit).await.unwrap_or_default();
        match (status, lenient::text(&said["status"]).unwrap_or_default().to_ascii_uppercase().as_str()) {
            (_, "ALREADY_COMPLETED") | (StatusCode::BAD_REQUEST, _) => Withdrawal::TooLate,
            (_, "NOT_FOUND") | (StatusCode::NOT_FOUND, _) => Withdrawal::Unknown,
            (status, _) if status.is_success() => Withdrawal::Accepted,
            _ => Withdrawal::InDoubt,
        }
    }
}

fn bill(job: &FalJob<'_>, headers: &HeaderMap) -> (Option<String>, Option<CostCents>) {
    let units = wire::header_decimal(headers, "x-fal-billable-units");
    let cost = units.as_deref().and_then(|units| cost_of_units(units, job.unit_price));
    (units, cost)
}

/// The job is completed and billed, and its result is not to be had: an end, at our cost.
fn paid_for_nothing(job: &FalJob<'_>) -> Failure {
    Failure::new(FailureClass::Unavailable).costing(job.estimate(), true)
}

/// No such job and a closed door are refusals when they last; all other statuses say nothing about the job.
fn sight_of(status: StatusCode) -> Sight {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Sight::Refused,
        _ => Sight::Nothing,
    }
}
