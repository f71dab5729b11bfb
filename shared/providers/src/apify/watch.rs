use super::run::{self, ActorRun, State};
use super::{Apify, PLAUSIBLE_FACTOR, input};
use crate::at_worst::StepPrice;
use crate::failure::{Failure, FailureClass};
use crate::job::{Brought, Finished, JobOrder, Sign, Tell, Watched};
use crate::pace::{Looks, Sight};
use crate::{Measure, Usage, lenient, wire};
use primitives::{CostCents, times};
use reqwest::{Method, Request};
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

/// The share of the patience in which the cost of an ended run is asked for.
const COST_SHARE: u32 = 4;

/// What one look at a run brought.
enum Look {
    Seen(ActorRun),
    Nothing,
    /// Apify does not know the run, or does not know us.
    Refused(FailureClass),
}

impl Apify {
    /// Looks until the run is over or `limit`. The first look comes at once: a webhook may have told that it is over.
    pub(super) async fn followed(
        &self,
        run: &str,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        let mut refused = FailureClass::Unavailable;
        loop {
            match self.look(Method::GET, run, "", looks.until()).await {
                Look::Seen(seen) if seen.state.is_over() => {
                    return self.ended(seen, order).await.map(Watched::Finished);
                }
                Look::Seen(seen) => {
                    tell(match seen.state {
                        State::Ready => Sign::Queued { ahead: None },
                        _ => Sign::Working { percent: None },
                    });
                    looks.note(Sight::Seen);
                }
                Look::Nothing => looks.note(Sight::Nothing),
                Look::Refused(class) => {
                    refused = class;
                    looks.note(Sight::Refused);
                }
            }
            if looks.are_refused() {
                return Ok(Watched::Refused(refused));
            }
            if !looks.pause().await {
                return Ok(Watched::GoesOn);
            }
        }
    }

    /// Aborts the run. The rows that it has gathered until then are paid and not taken. A run that had already
    /// succeeded is given back as finished.
    pub(super) async fn taken_back(
        &self,
        run: &str,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let mut looks = Looks::new(self.timing.poll, limit);
        let mut look = self.look(Method::POST, run, "/abort", looks.until()).await;
        let (mut is_heard, mut is_unknown) = (false, false);
        loop {
            match look {
                Look::Seen(seen) if seen.state.is_over() => return self.ended(seen, order).await.map(Some),
                Look::Seen(seen) => is_heard |= seen.state == State::Ending,
                Look::Refused(class) => is_unknown |= class == FailureClass::Unavailable,
                Look::Nothing => {}
            }
            if !looks.pause().await {
                break;
            }
            // An abort can be repeated: it changes nothing about a run that is over.
            let (method, end) = if is_heard { (Method::GET, "") } else { (Method::POST, "/abort") };
            look = self.look(method, run, end, looks.until()).await;
        }
        let class = match is_heard || is_unknown {
            true => FailureClass::Unavailable,
            false => {
                error!(
                    provider.name = "apify",
                    "a run that Apify started can be neither looked at nor aborted"
                );
                FailureClass::UnknownOutcome
            }
        };
        Err(Failure::new(class).costing(self.worst(order), true))
    }

    /// What an ended run brought, at its cost. A run that failed, was aborted or ran out of time is paid too.
    async fn ended(&self, seen: ActorRun, order: &JobOrder) -> Result<Finished, Failure> {
        let (cost, cost_is_estimated) = self.cost(&seen, order).await;
        let spent = || Failure::new(FailureClass::Unavailable).costing(cost, cost_is_estimated);
        if seen.state != State::Succeeded {
            return Err(spent());
        }
        let dataset = seen.dataset.ok_or_else(spent)?;
        Ok(Finished {
            brought: Brought::Dataset(dataset),
            id: Some(seen.id),
            usage: Usage::default(),
            cost,
            cost_is_estimated,
        })
    }

    /// The cost that Apify told, bounded by twice the worst cost. Apify sums up a moment after the end, so a missing
    /// cost is asked for once more. If it is still missing, the rows are counted at our prices; if Apify does not tell
    /// their number either, the worst cost counts.
    async fn cost(&self, seen: &ActorRun, order: &JobOrder) -> (CostCents, bool) {
        let limit = Instant::now() + times::PROVIDER_LOOK.limit.min(self.timing.first_content / COST_SHARE);
        let mut told = seen.cost;
        if told.is_none() {
            sleep(self.timing.poll).await;
            if let Look::Seen(again) = self.look(Method::GET, &seen.id, "", limit).await {
                told = again.cost;
            }
        }
        let worst = self.worst(order);
        let most = worst.scaled_half_up(PLAUSIBLE_FACTOR, 1).unwrap_or(worst);
        match told {
            Some(cost) if cost <= most => (cost, false),
            Some(_) => {
                warn!(
                    metric = "provider_usage_implausible",
                    provider.name = "apify",
                    "Apify told a cost beyond the limit that the run was started with; it is bounded"
                );
                (most, true)
            }
            None => {
                let items = match &seen.dataset {
                    Some(dataset) => self.item_count(dataset, limit).await,
                    None => Some(0),
                };
                (items.map_or(worst, |items| self.cost_of(items).min(worst)), true)
            }
        }
    }

    /// By this deployment's prices.
    fn cost_of(&self, items: u64) -> CostCents {
        let rows = u32::try_from(input::rows_of(&self.actor, items)).unwrap_or(u32::MAX);
        let measure = match self.price {
            StepPrice::Rows { .. } => Measure::Rows { rows },
            _ => Measure::Captions,
        };
        self.price.at_worst(measure).unwrap_or(CostCents::MAX)
    }

    async fn item_count(&self, dataset: &str, limit: Instant) -> Option<u64> {
        let url = self.at(&format!("datasets/{dataset}")).ok()?;
        let response = wire::send(&self.platform, wire::get(url, &self.headers), limit).await.ok()?;
        let response = Some(response).filter(|response| response.status().is_success())?;
        let document = wire::document(response, limit).await?;
        lenient::count(&document["data"]["itemCount"])
    }

    /// Asks Apify for the run, or to abort it (`end`); Apify answers both with the run.
    async fn look(&self, method: Method, run: &str, end: &str, limit: Instant) -> Look {
        let Ok(url) = self.at(&format!("actor-runs/{run}{end}")) else { return Look::Nothing };
        let mut request = Request::new(method, url);
        request.headers_mut().clone_from(&self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else { return Look::Nothing };
        match response.status().as_u16() {
            200..=299 => {
                let body = wire::body(response, run::BYTES_MAX, limit).await.ok();
                match body.and_then(|body| ActorRun::of(&body)).filter(|seen| seen.id == run) {
                    Some(seen) => Look::Seen(seen),
                    None => Look::Nothing,
                }
            }
            401 | 403 => Look::Refused(FailureClass::Auth),
            404 => Look::Refused(FailureClass::Unavailable),
            _ => Look::Nothing,
        }
    }
}
