//! Apify: programs of others ("actors") that gather public facts (`docs/facts/providers.md`, "Apify").
//!
//! A run of an actor is started once and looked at until it is over. Apify takes no key that stops a second start. But
//! Apify keeps the input of each run, and our input names our run: a run whose start was not answered is found by its
//! input.

mod captions;
mod dollars;
mod find;
mod input;
mod refusal;
mod rows;
mod run;
mod watch;
mod webhook;

use crate::at_worst::StepPrice;
use crate::failure::{Failure, FailureClass};
use crate::job::{Brought, Finished, Found, JobAdapter, JobOrder, Place, Submitted, Tell, Ticket, Watched};
use crate::settings::{ApifySettings, Gatherer, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Made, ProviderName};
use async_trait::async_trait;
use find::Sought;
use platform::Platform;
use primitives::{CostCents, Secret, Timestamp};
use refusal::Refusal;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use run::ActorRun;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;
pub use webhook::{ApifyWebhook, Unbelieved};

/// A cost that Apify tells is believed up to this many times the estimate: Apify ends a run at the limit that it was
/// started with.
const PLAUSIBLE_FACTOR: u64 = 2;

/// A run that this many looks in a row do not find in the actor's list was never started. The looks begin after the
/// lease of the process that asked for the start, which lasts longer than a start may take.
const NOWHERE_LOOKS: u32 = 2;

/// One actor of Apify's, for one kind of work.
pub(crate) struct Apify {
    platform: Platform,
    /// As `user~name`.
    actor: String,
    /// With its version and a slash behind it.
    api: Url,
    headers: HeaderMap,
    price: StepPrice,
    timing: Timing,
    webhook_secret: Option<Secret>,
}

/// The actors of the steps that are served here.
pub(crate) struct Actors {
    pub(crate) captions: Apify,
    pub(crate) videos: Apify,
    pub(crate) channels: Apify,
    pub(crate) market: Apify,
}

impl Apify {
    /// `None` without a key.
    pub(crate) fn actors(platform: &Platform, settings: ApifySettings) -> Option<Actors> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, settings.key?)]);
        let actor = |actor: &str, price, timing| Apify {
            platform: platform.clone(),
            // In an address a slash would be another path.
            actor: actor.replace('/', "~"),
            api: settings.url.clone(),
            headers: headers.clone(),
            price,
            timing,
            webhook_secret: settings.webhook_secret.clone(),
        };
        let rows = |gatherer: &Gatherer| {
            let price = StepPrice::Rows { start: gatherer.start, row: gatherer.row };
            actor(&gatherer.actor, price, gatherer.timing)
        };
        let captions = &settings.captions;
        Some(Actors {
            captions: actor(&captions.actor, StepPrice::Captions(captions.cost), captions.timing),
            videos: rows(&settings.videos),
            channels: rows(&settings.channels),
            market: rows(&settings.market),
        })
    }

    /// An address below the API's; what stands in `path` is ours or was checked to be an id.
    fn at(&self, path: &str) -> Result<Url, Failure> {
        self.api.join(path).map_err(|_| FailureClass::RequestRefused.into())
    }

    fn worst(&self, order: &JobOrder) -> CostCents {
        self.price.at_worst(order.request.measure()).unwrap_or_default()
    }

    async fn started(&self, order: &JobOrder, limit: Instant) -> Result<Ticket, Failure> {
        let (asked_at, now) = (self.platform.now(), Instant::now());
        let half = now + limit.saturating_duration_since(now) / 2;
        let input = input::of(&self.actor, order).ok_or(FailureClass::BadInput)?;
        let call = wire::post(self.start_address(order)?, &self.headers, &input);
        let response = match wire::send(&self.platform, call, half).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return self.in_doubt(order, asked_at, limit).await,
        };
        if response.status().is_success() {
            let run =
                wire::body(response, run::BYTES_MAX, half).await.ok().and_then(|body| ActorRun::of(&body));
            return match run {
                Some(run) => Ok(ticket(run.id)),
                None => self.in_doubt(order, asked_at, limit).await,
            };
        }
        match refusal::of(&ErrorAnswer::read(response, half).await) {
            Refusal::Certain(failure) => Err(failure),
            // Apify itself answers that it failed. The actor's list tells whether the run was started all the same; a list
            // that can't be read proves nothing.
            Refusal::Failed(failure) => {
                match self.sought_until(order, asked_at, limit, NOWHERE_LOOKS).await {
                    Sought::There(ticket) => Ok(ticket),
                    Sought::Nowhere => Err(failure),
                    Sought::Unknown => Err(self.unknown_outcome(order)),
                }
            }
            Refusal::Unclear => self.in_doubt(order, asked_at, limit).await,
        }
    }

    /// Looks in the actor's list until `limit` whether Apify started the run after all. A run that is listed only after
    /// `limit` is found only if Apify's webhook names it.
    async fn in_doubt(
        &self,
        order: &JobOrder,
        asked_at: Timestamp,
        limit: Instant,
    ) -> Result<Ticket, Failure> {
        match self.sought_until(order, asked_at, limit, u32::MAX).await {
            Sought::There(ticket) => Ok(ticket),
            // The start itself may still be under way.
            Sought::Nowhere | Sought::Unknown => Err(self.unknown_outcome(order)),
        }
    }

    fn unknown_outcome(&self, order: &JobOrder) -> Failure {
        Failure::new(FailureClass::UnknownOutcome).costing(self.worst(order), true)
    }

    /// Apify ends the run when it has cost what the step may cost, or when our patience is over.
    fn start_address(&self, order: &JobOrder) -> Result<Url, Failure> {
        let mut url = self.at(&format!("actors/{}/runs", self.actor))?;
        let items = input::items_max(&self.actor, order);
        let seconds = self.timing.first_content.max(Duration::from_secs(1)).as_secs();
        url.query_pairs_mut()
            .append_pair("maxItems", &items.to_string())
            .append_pair("maxTotalChargeUsd", &dollars::text(self.worst(order)))
            .append_pair("timeout", &seconds.to_string());
        if let (Some(secret), Some(notify)) = (&self.webhook_secret, order.webhook(ProviderName::Apify)) {
            url.query_pairs_mut().append_pair("webhooks", &webhook::parameter(secret, order.job(), &notify));
        }
        Ok(url)
    }

    /// Apify's id of the run. It is checked at each use, because it becomes a part of an address.
    fn run_of(ticket: &Ticket) -> Result<&str, Failure> {
        match &ticket.place {
            Place::Apify { run } if run::is_id(run) => Ok(run),
            _ => Err(FailureClass::UnknownOutcome.into()),
        }
    }
}

#[async_trait]
impl JobAdapter for Apify {
    fn model(&self) -> &str {
        &self.actor
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn estimate(&self, order: &JobOrder) -> CostCents {
        self.worst(order)
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        self.started(order, limit).await.map(Submitted::Taken)
    }

    async fn find(&self, order: &JobOrder, asked_at: Timestamp, limit: Instant) -> Found {
        match self.sought_until(order, asked_at, limit, NOWHERE_LOOKS).await {
            Sought::There(ticket) => Found::There(ticket),
            Sought::Nowhere => Found::Nowhere,
            Sought::Unknown => Found::Unknowable,
        }
    }

    fn named(&self, id: &str) -> Option<Ticket> {
        run::is_id(id).then(|| ticket(id.to_owned()))
    }

    async fn watch(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        self.followed(Apify::run_of(ticket)?, order, limit, tell).await
    }

    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        self.taken_back(Apify::run_of(ticket)?, order, limit).await
    }

    async fn fetch(
        &self,
        finished: &Finished,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Vec<Made>, Failure> {
        let Brought::Dataset(dataset) = &finished.brought else {
            return Err(FailureClass::Unavailable.into());
        };
        if let Some(captions) = order.request.captions() {
            let rows = self.rows(dataset, captions::ROWS_MAX, limit).await?;
            return Ok(vec![Made::Transcript(captions::transcript(&rows, captions.language.as_deref())?)]);
        }
        let rows_max = order.request.rows().ok_or(FailureClass::BadInput)?.rows_max;
        let rows = self.rows(dataset, rows_max as usize, limit).await?;
        if rows.is_empty() { Err(FailureClass::EmptyAnswer.into()) } else { Ok(vec![Made::Rows(rows)]) }
    }
}

fn ticket(run: String) -> Ticket {
    Ticket { id: Some(run.clone()), place: Place::Apify { run } }
}
