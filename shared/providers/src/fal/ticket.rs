use super::Fal;
use super::answers::{Output, Problem, State, Status, Submitted, cost_of_units};
use crate::failure::{Failure, FailureClass};
use crate::pace::{Pace, QueueDeadlines};
use crate::wire;
use primitives::CostCents;
use reqwest::{Method, Request, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

/// How often in a row fal may not know the job before it is given up as lost.
const UNKNOWN_MAX: u32 = 2;
/// How often a result may be unreadable although its job succeeded (a known habit of their gateway).
const RESULT_TRIES: u32 = 5;

/// A submitted job and the addresses to follow it by.
pub(super) struct Ticket {
    pub(super) request_id: Option<String>,
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
    NotYet,
    Unreadable,
}

impl Fal {
    /// `None` when an address would carry our key elsewhere.
    pub(super) fn ticket(&self, submitted: &Submitted) -> Option<Ticket> {
        Some(Ticket {
            request_id: wire::plain_id(&submitted.request_id),
            status: self.hosts.of_queue(&submitted.status_url)?,
            response: self.hosts.of_queue(&submitted.response_url)?,
            cancel: submitted.cancel_url.as_deref().and_then(|address| self.hosts.of_queue(address)),
        })
    }

    /// Waits for the job, then takes it back if it can.
    pub(super) async fn follow(
        &self,
        ticket: &Ticket,
        deadlines: QueueDeadlines,
    ) -> Result<Outcome, Failure> {
        let limit = deadlines.finished;
        let mut pace = Pace::new(self.timing.poll, limit);
        if self.wait(ticket, &mut pace, limit).await? {
            return self.result(ticket, &mut pace, limit).await;
        }
        // A job that finished meanwhile is paid for: its result is still taken.
        let extra = deadlines.withdrawal();
        if self.cancel(ticket, extra).await == Some(StatusCode::BAD_REQUEST)
            && let Ok(Look::Done(outcome)) = self.look(ticket, extra).await
        {
            return Ok(outcome);
        }
        Err(FailureClass::Unavailable.into())
    }

    /// True when the job is completed, false when the time is up.
    async fn wait(&self, ticket: &Ticket, pace: &mut Pace, limit: Instant) -> Result<bool, Failure> {
        let mut unknown = 0;
        while pace.pause().await {
            let request = wire::get(ticket.status.clone(), &self.headers);
            // No answer, or a poor one: the job goes on, and so do our looks.
            let Ok(response) = wire::send(&self.platform, request, limit).await else { continue };
            match response.status() {
                status if status.is_success() => {
                    unknown = 0;
                    let status = wire::json::<Status>(response, limit).await;
                    if status.is_some_and(|status| status.status == State::Completed) {
                        return Ok(true);
                    }
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(FailureClass::Auth.into()),
                StatusCode::NOT_FOUND if unknown + 1 >= UNKNOWN_MAX => {
                    return Err(FailureClass::Unavailable.into());
                }
                StatusCode::NOT_FOUND => unknown += 1,
                _ => {}
            }
        }
        Ok(false)
    }

    async fn result(&self, ticket: &Ticket, pace: &mut Pace, limit: Instant) -> Result<Outcome, Failure> {
        let mut tries = 0;
        loop {
            match self.look(ticket, limit).await? {
                Look::Done(outcome) => return Ok(outcome),
                Look::NotYet => {}
                Look::Unreadable => tries += 1,
            }
            if tries == RESULT_TRIES || !pace.pause().await {
                return Err(FailureClass::Unavailable.into());
            }
        }
    }

    async fn look(&self, ticket: &Ticket, limit: Instant) -> Result<Look, Failure> {
        let request = wire::get(ticket.response.clone(), &self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else {
            return Ok(Look::Unreadable);
        };
        match response.status().as_u16() {
            200 => Ok(self.outcome(response, limit).await.map_or(Look::Unreadable, Look::Done)),
            202 => Ok(Look::NotYet),
            401 | 403 => Err(FailureClass::Auth.into()),
            // Our own limit for the start of the work: final, unlike their gateway's 504.
            504 if response.headers().contains_key("x-fal-request-timeout-type") => {
                Err(FailureClass::Unavailable.into())
            }
            408 | 429 | 502 | 503 | 504 => Ok(Look::Unreadable),
            status => Err(self.problem(response, status, limit).await),
        }
    }

    async fn outcome(&self, response: Response, limit: Instant) -> Option<Outcome> {
        let units = wire::header_id(response.headers(), "x-fal-billable-units");
        let cost = units.as_deref().and_then(|units| cost_of_units(units, self.unit_price));
        let output = wire::json(response, limit).await?;
        Some(Outcome { output, units, cost })
    }

    async fn problem(&self, response: Response, status: u16, limit: Instant) -> Failure {
        let units = wire::header_id(response.headers(), "x-fal-billable-units");
        let cost = units.as_deref().and_then(|units| cost_of_units(units, self.unit_price));
        let problem = wire::json::<Problem>(response, limit).await.unwrap_or_default();
        Failure::new(problem.class(status)).costing(cost.unwrap_or_default())
    }

    /// Best effort; says what fal answered.
    async fn cancel(&self, ticket: &Ticket, limit: Instant) -> Option<StatusCode> {
        let mut request = Request::new(Method::PUT, ticket.cancel.clone()?);
        request.headers_mut().clone_from(&self.headers);
        let response = wire::send(&self.platform, request, limit).await.ok()?;
        Some(response.status())
    }
}
