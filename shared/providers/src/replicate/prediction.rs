use super::Replicate;
use super::answers::{Prediction, State, cost_of_seconds};
use crate::failure::{Failure, FailureClass};
use crate::job::{Brought, Finished, JobAdapter, JobOrder, RemoteFile, Sign, Tell, Watched};
use crate::pace::{Looks, Sight};
use crate::{Usage, wire};
use primitives::CostCents;
use reqwest::{Method, Request, StatusCode, Url};
use tokio::time::Instant;
use tracing::warn;

/// One look at a prediction.
enum Look {
    At(Prediction),
    /// No answer, or none that says anything about it.
    Nothing,
    /// There is no such prediction, or the door is closed to us; this is what it looks like.
    Refused(FailureClass),
}

/// What Replicate said to a cancellation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cancellation {
    Accepted {
        has_started: bool,
    },
    /// There is no such prediction.
    Unknown,
    /// No answer that says anything.
    InDoubt,
}

impl Replicate {
    /// Looks until the prediction is over, or `limit`. The first look comes at once: a webhook may have told of the end.
    pub(super) async fn followed(
        &self,
        id: &str,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        let mut looks = Looks::new(self.settings.timing.poll, limit);
        loop {
            let look = self.look(id, order, looks.until()).await;
            match &look {
                Look::At(prediction) => {
                    match prediction.state {
                        State::Starting => tell(Sign::Queued { ahead: None }),
                        State::Processing => tell(Sign::Working { percent: None }),
                        _ => return self.ended(prediction, order).map(Watched::Finished),
                    }
                    looks.note(Sight::Seen);
                }
                Look::Nothing => looks.note(Sight::Nothing),
                Look::Refused(_) => looks.note(Sight::Refused),
            }
            if let (Look::Refused(class), true) = (look, looks.are_refused()) {
                return Ok(Watched::Refused(class));
            }
            if !looks.pause().await {
                return Ok(Watched::GoesOn);
            }
        }
    }

    /// Cancels it, and takes what it made if it was faster. One that was canceled while it ran is paid, so its end is
    /// looked at for its cost. `None`: it never ran.
    pub(super) async fn taken_back(
        &self,
        id: &str,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let now = Instant::now();
        let half = now + limit.saturating_duration_since(now) / 2;
        let cancellation = self.cancel(id, order, half).await;
        let mut looks = Looks::new(self.settings.timing.poll, limit);
        loop {
            match self.look(id, order, looks.until()).await {
                Look::At(prediction) if prediction.state.is_over() => {
                    return self.ended(&prediction, order).map(Some);
                }
                Look::Refused(FailureClass::Unavailable) if cancellation == Cancellation::Unknown => {
                    return Ok(None);
                }
                _ => {}
            }
            if !looks.pause().await {
                break;
            }
        }
        match cancellation {
            Cancellation::Accepted { has_started: true } => {
                Err(Failure::new(FailureClass::Unavailable).costing(self.estimate(order), true))
            }
            Cancellation::Accepted { has_started: false } => Ok(None),
            Cancellation::Unknown | Cancellation::InDoubt => Err(self.in_doubt(order)),
        }
    }

    /// What the end of a prediction brings us.
    fn ended(&self, prediction: &Prediction, order: &JobOrder) -> Result<Finished, Failure> {
        let (cost, cost_is_estimated) = self.cost(prediction, order);
        let spent = |class: FailureClass| Failure::new(class).costing(cost, cost_is_estimated);
        match prediction.state {
            State::Succeeded => {}
            State::Failed => return Err(spent(prediction.told_class.unwrap_or(FailureClass::Unavailable))),
            _ => return Err(spent(FailureClass::Unavailable)),
        }
        let Some(first) = prediction.files.first() else {
            // What was deleted was there; what never was is an empty answer.
            let class =
                if prediction.is_removed { FailureClass::Unavailable } else { FailureClass::EmptyAnswer };
            return Err(spent(class));
        };
        let Some(url) = self.hosts.of_file(first) else {
            warn!(
                provider.name = "replicate",
                "Replicate's file lies on a host that REPLICATE_FILE_HOSTS does not list"
            );
            return Err(spent(FailureClass::Unavailable));
        };
        Ok(Finished {
            brought: Brought::Files(vec![RemoteFile(url)]),
            id: None,
            usage: Usage { billable_units: prediction.predict_time.clone(), ..Usage::default() },
            cost,
            cost_is_estimated,
        })
    }

    /// The machine's time as Replicate tells it, as far as a prediction's life allows it; else an estimate.
    fn cost(&self, prediction: &Prediction, order: &JobOrder) -> (CostCents, bool) {
        let most = self.estimate(order);
        let told = prediction.predict_time.as_deref();
        match told.and_then(|seconds| cost_of_seconds(seconds, self.settings.second_cost)) {
            _ if prediction.state == State::Aborted => (CostCents::ZERO, false),
            Some(cost) if cost <= most => (cost, false),
            Some(_) => {
                warn!(
                    metric = "provider_usage_implausible",
                    provider.name = "replicate",
                    "Replicate told more seconds than a prediction lives; its cost is bounded"
                );
                (most, true)
            }
            None if prediction.has_started => (most, true),
            None => (CostCents::ZERO, false),
        }
    }

    async fn look(&self, id: &str, order: &JobOrder, until: Instant) -> Look {
        let Some(url) = self.address(&[id]) else { return Look::Nothing };
        let Ok(response) = wire::send(&self.platform, wire::get(url, &self.headers), until).await else {
            return Look::Nothing;
        };
        match response.status() {
            StatusCode::OK => {
                let document = wire::document(response, until).await.unwrap_or_default();
                Prediction::of(&document, order.request.words()).map_or(Look::Nothing, Look::At)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Look::Refused(FailureClass::Auth),
            StatusCode::NOT_FOUND => Look::Refused(FailureClass::Unavailable),
            _ => Look::Nothing,
        }
    }

    async fn cancel(&self, id: &str, order: &JobOrder, until: Instant) -> Cancellation {
        let Some(url) = self.address(&[id, "cancel"]) else { return Cancellation::InDoubt };
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().clone_from(&self.headers);
        let Ok(response) = wire::send(&self.platform, request, until).await else {
            return Cancellation::InDoubt;
        };
        match response.status() {
            status if status.is_success() => {
                let document = wire::document(response, until).await.unwrap_or_default();
                let prediction = Prediction::of(&document, order.request.words());
                // One whose answer says nothing may have run.
                Cancellation::Accepted { has_started: prediction.is_none_or(|seen| seen.has_started) }
            }
            StatusCode::NOT_FOUND => Cancellation::Unknown,
            _ => Cancellation::InDoubt,
        }
    }

    /// Below the address of all predictions; `parts` are escaped.
    fn address(&self, parts: &[&str]) -> Option<Url> {
        let mut url = self.predictions.clone();
        url.path_segments_mut().ok()?.extend(parts);
        Some(url)
    }
}

impl State {
    fn is_over(self) -> bool {
        !matches!(self, State::Starting | State::Processing)
    }
}
