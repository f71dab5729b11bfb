use super::Fal;
use super::answers::{Output, Problem, State, Submitted, cost_of_units};
use crate::failure::{Failure, FailureClass};
use crate::outlet::{Outlet, Sign};
use crate::pace::{Looks, QueueDeadlines, Sight};
use crate::{ImageRequest, lenient, wire};
use primitives::CostCents;
use reqwest::header::HeaderMap;
use reqwest::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use tracing::error;
use url::Url;

/// A submitted job and the addresses to follow it by.
pub(super) struct Ticket {
    pub(super) request_id: Option<String>,
    /// So that an error which repeats it is not read as fal's own words.
    pub(super) prompt: String,
    /// What the job costs when fal does not say.
    pub(super) estimate: CostCents,
    status: Url,
    response: Url,
    cancel: Option<Url>,
}

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
    pub(super) fn ticket(&self, submitted: &Submitted, image: &ImageRequest) -> Option<Ticket> {
        let status = match &submitted.status_url {
            Some(address) => address.clone(),
            None => format!("{}/status", submitted.response_url.as_deref()?),
        };
        Some(Ticket {
            request_id: submitted.request_id.as_deref().and_then(wire::plain_id),
            prompt: image.prompt.expose().clone(),
            estimate: self.estimated_cost(image),
            status: self.hosts.of_queue(&status)?,
            response: self.hosts.of_queue(submitted.response_url.as_deref()?)?,
            cancel: submitted.cancel_url.as_deref().and_then(|address| self.hosts.of_queue(address)),
        })
    }

    /// Waits for the job, then takes it back if it can. The job is accepted and will be paid: only a definite end of it
    /// lets another provider be asked.
    pub(super) async fn follow(
        &self,
        ticket: &Ticket,
        deadlines: QueueDeadlines,
        outlet: &mut Outlet<'_>,
    ) -> Result<Outcome, Failure> {
        let mut looks = Looks::new(self.timing.poll, deadlines.finished);
        if self.wait(ticket, &mut looks, outlet).await {
            let outcome = self.result(ticket, deadlines.result()).await?;
            return outcome.ok_or_else(|| paid_for_nothing(ticket));
        }
        self.take_back(ticket, deadlines.withdrawal()).await
    }

    /// True when the job is completed, false when the time is up or fal has refused to say anything for long.
    async fn wait(&self, ticket: &Ticket, looks: &mut Looks, outlet: &mut Outlet<'_>) -> bool {
        while !looks.are_refused() && looks.pause().await {
            let until = looks.until();
            let request = wire::get(ticket.status.clone(), &self.headers);
            let Ok(response) = wire::send(&self.platform, request, until).await else {
                looks.note(Sight::Nothing);
                continue;
            };
            let sight = match response.status() {
                status if status.is_success() => {
                    match wire::document(response, until).await.as_ref().and_then(State::of) {
                        Some(State::Completed) => return true,
                        Some(State::Waiting) => Sight::Seen,
                        Some(State::Working) => {
                            outlet.sign(Sign::Working);
                            Sight::Seen
                        }
                        None => Sight::Nothing,
                    }
                }
                status => sight_of(status),
            };
            looks.note(sight);
        }
        false
    }

    /// Asks for a finished job's result until it is readable; `None` when the time is up.
    async fn result(&self, ticket: &Ticket, limit: Instant) -> Result<Option<Outcome>, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        loop {
            match self.look(ticket, looks.until()).await? {
                Look::Done(outcome) => return Ok(Some(outcome)),
                Look::Inconclusive(sight) => looks.note(sight),
            }
            if !looks.pause().await {
                return Ok(None);
            }
        }
    }

    async fn take_back(&self, ticket: &Ticket, limit: Instant) -> Result<Outcome, Failure> {
        let now = Instant::now();
        let half = now + limit.saturating_duration_since(now) / 2;
        let withdrawal = self.cancel(ticket, half).await;
        if withdrawal == Withdrawal::Accepted {
            return Err(FailureClass::Unavailable.into());
        }
        // A job that finished meanwhile is paid for: its result is still taken.
        let outcome = match withdrawal {
            Withdrawal::Unknown => self.look(ticket, limit).await?.outcome(),
            _ => self.result(ticket, limit).await?,
        };
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        Err(match withdrawal {
            Withdrawal::TooLate => paid_for_nothing(ticket),
            Withdrawal::Unknown | Withdrawal::Accepted => FailureClass::Unavailable.into(),
            Withdrawal::InDoubt => {
                error!(
                    provider.name = "fal",
                    "a job that fal accepted can be neither looked at nor taken back"
                );
                Failure::new(FailureClass::UnknownOutcome).costing(ticket.estimate, true)
            }
        })
    }

    async fn look(&self, ticket: &Ticket, limit: Instant) -> Result<Look, Failure> {
        let request = wire::get(ticket.response.clone(), &self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else {
            return Ok(Look::Inconclusive(Sight::Nothing));
        };
        match response.status() {
            StatusCode::ACCEPTED => Ok(Look::Inconclusive(Sight::Seen)),
            status if status.is_success() => self.outcome(ticket, response, limit).await,
            status => self.refused(ticket, status, response, limit).await,
        }
    }

    async fn outcome(&self, ticket: &Ticket, response: Response, limit: Instant) -> Result<Look, Failure> {
        let (units, cost) = self.bill(response.headers());
        let Some(document) = wire::document(response, limit).await.filter(Value::is_object) else {
            return Ok(Look::Inconclusive(Sight::Nothing));
        };
        let output = Output::of(&document);
        if !output.images.is_empty() {
            return Ok(Look::Done(Outcome { output, units, cost }));
        }
        if State::of(&document).is_some_and(|state| state != State::Completed) {
            return Ok(Look::Inconclusive(Sight::Seen));
        }
        // With 200 and without an image, `detail` is a refusal of the content unless it says something else.
        let problem = Problem::of(&document, &ticket.prompt);
        let class = match problem.says_something() {
            true => problem.told_class().unwrap_or(FailureClass::ContentRejected),
            false => FailureClass::Unavailable,
        };
        Err(Failure::new(class).costing(cost.unwrap_or(ticket.estimate), cost.is_none()))
    }

    /// The model's own error is definite; what fal's gateway says in its place is looked at again.
    async fn refused(
        &self,
        ticket: &Ticket,
        status: StatusCode,
        response: Response,
        limit: Instant,
    ) -> Result<Look, Failure> {
        // Our own limit for the start of the work: final, unlike their gateway's 504.
        if response.headers().contains_key("x-fal-request-timeout-type") {
            return Err(FailureClass::Unavailable.into());
        }
        let (_, cost) = self.bill(response.headers());
        let document = wire::document(response, limit).await.unwrap_or_default();
        let problem = Problem::of(&document, &ticket.prompt);
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

    fn bill(&self, headers: &HeaderMap) -> (Option<String>, Option<CostCents>) {
        let units = wire::header_decimal(headers, "x-fal-billable-units");
        let cost = units.as_deref().and_then(|units| cost_of_units(units, self.unit_price));
        (units, cost)
    }

    /// Best effort; says what fal answered.
    async fn cancel(&self, ticket: &Ticket, limit: Instant) -> Withdrawal {
        let Some(url) = ticket.cancel.clone() else { return Withdrawal::InDoubt };
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

/// The job is completed and billed, and its result is not to be had: an end, at our cost.
fn paid_for_nothing(ticket: &Ticket) -> Failure {
    Failure::new(FailureClass::Unavailable).costing(ticket.estimate, true)
}

/// No such job and a closed door are refusals when they last; all other statuses say nothing about the job.
fn sight_of(status: StatusCode) -> Sight {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Sight::Refused,
        _ => Sight::Nothing,
    }
}
