//! fal's queue (`docs/facts/providers.md`, "fal's queue", after fal.ai/docs and its two SDKs).

mod answers;
pub(crate) mod hosts;
mod queue_job;
mod webhook;

use crate::failure::{Failure, FailureClass};
use crate::job::{
    Brought, Finished, Found, JobAdapter, JobOrder, RemoteFile, Submitted as Asked, Tell, Ticket, Watched,
};
use crate::settings::{FalModel, FalSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{ImageRequest, Made, ProviderName, Usage, download, lenient, words};
use answers::{Problem, Submitted};
use async_trait::async_trait;
use hosts::Hosts;
use platform::Platform;
use primitives::{CostCents, Timestamp};
use queue_job::Outcome;
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::warn;
use url::Url;
pub use webhook::{FalWebhook, Forged};

/// How many times the estimate an image may cost before fal's unit count is not believed.
const PLAUSIBLE_FACTOR: u64 = 4;

/// One image model of fal's.
pub(crate) struct Fal {
    platform: Platform,
    model: String,
    submit: Url,
    headers: HeaderMap,
    hosts: Arc<Hosts>,
    unit_price: CostCents,
    timing: Timing,
}

#[derive(Serialize)]
struct Input<'a> {
    prompt: &'a str,
    image_size: ImageSize,
    num_images: u32,
    seed: u32,
    output_format: &'static str,
    enable_safety_checker: bool,
}

#[derive(Serialize)]
struct ImageSize {
    width: u32,
    height: u32,
}

impl Fal {
    /// The dev and the schnell model; `None` without a key.
    pub(crate) fn models(platform: &Platform, settings: FalSettings) -> Option<[Fal; 2]> {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, settings.key?),
            // Prompts and images are our customers': fal would keep them for 30 days.
            (HeaderName::from_static("x-fal-store-io"), HeaderValue::from_static("0")),
        ]);
        let hosts = Arc::new(Hosts::new(settings.queue, settings.file_hosts));
        let model = |model: FalModel| Fal {
            platform: platform.clone(),
            model: model.model,
            submit: model.submit,
            headers: headers.clone(),
            hosts: Arc::clone(&hosts),
            unit_price: model.unit_price,
            timing: settings.timing,
        };
        Some([model(settings.flux_dev), model(settings.flux_schnell)])
    }

    /// Two submits are two paid jobs, and there is no key to find a lost one by: after a doubt nothing is repeated.
    async fn submitted(
        &self,
        order: &JobOrder,
        image: &ImageRequest,
        limit: Instant,
    ) -> Result<Ticket, Failure> {
        let mut call = wire::post(self.submit_to(order), &self.headers, &input(image));
        let seconds = self.timing.first_content.as_secs();
        if seconds > 1 {
            // A job that could only start after our deadline is not started, and not billed.
            call.headers_mut().insert("x-fal-request-timeout", HeaderValue::from(seconds));
        }
        let in_doubt =
            || Failure::new(FailureClass::UnknownOutcome).costing(self.estimated_cost(image), true);
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Err(in_doubt()),
        };
        if !response.status().is_success() {
            return Err(refused(response, image, limit).await);
        }
        let document = wire::document(response, limit).await.unwrap_or_default();
        if let Some(ticket) = self.ticket(&Submitted::of(&document)) {
            return Ok(ticket);
        }
        // A 200 that names no job and says why there is none is a refusal. All others may have started one.
        let problem = Problem::of(&document, image.prompt.expose());
        match problem.told_class() {
            Some(class) if document["request_id"].is_null() => Err(class.into()),
            _ => Err(in_doubt()),
        }
    }

    /// fal tells us when the job is finished, where it can reach us.
    fn submit_to(&self, order: &JobOrder) -> Url {
        let mut url = self.submit.clone();
        if let Some(notify) = order.webhook(ProviderName::Fal) {
            url.query_pairs_mut().append_pair("fal_webhook", notify.as_str());
        }
        url
    }

    /// What the outcome brings us. A flagged image comes with 200 and is black.
    fn finished(&self, image: &ImageRequest, outcome: Outcome) -> Result<Finished, Failure> {
        let (cost, cost_is_estimated) = self.cost(image, &outcome);
        let spent = |class: FailureClass| Failure::new(class).costing(cost, cost_is_estimated);
        if outcome.output.is_flagged {
            return Err(spent(FailureClass::ContentRejected));
        }
        let Some(url) = outcome.output.images.iter().find_map(|address| self.hosts.of_file(address)) else {
            warn!(provider.name = "fal", "fal's file lies on a host that FAL_FILE_HOSTS does not list");
            return Err(spent(FailureClass::Unavailable));
        };
        Ok(Finished {
            brought: Brought::Files(vec![RemoteFile(url)]),
            id: None,
            usage: Usage { billable_units: outcome.units, ..Usage::default() },
            cost,
            cost_is_estimated,
        })
    }

    /// What fal told, as far as one image can cost that; else an estimate.
    fn cost(&self, image: &ImageRequest, outcome: &Outcome) -> (CostCents, bool) {
        let estimate = self.estimated_cost(image);
        let most = estimate.scaled_half_up(PLAUSIBLE_FACTOR, 1).unwrap_or(estimate);
        match outcome.cost {
            Some(cost) if cost <= most => (cost, false),
            Some(_) => {
                warn!(
                    metric = "provider_usage_implausible",
                    provider.name = "fal",
                    "fal told more units than one image can have; its cost is bounded"
                );
                (most, true)
            }
            None => (estimate, true),
        }
    }

    /// Units are megapixels, begun ones counting whole.
    fn estimated_cost(&self, image: &ImageRequest) -> CostCents {
        let pixels = u64::from(image.width) * u64::from(image.height);
        self.unit_price.scaled_half_up(pixels.div_ceil(1_000_000), 1).unwrap_or_default()
    }
}

#[async_trait]
impl JobAdapter for Fal {
    fn model(&self) -> &str {
        &self.model
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn estimate(&self, order: &JobOrder) -> CostCents {
        order.request.image().map_or(CostCents::ZERO, |image| self.estimated_cost(image))
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Asked, Failure> {
        let image = order.request.image().ok_or(FailureClass::BadInput)?;
        self.submitted(order, image, limit).await.map(Asked::Taken)
    }

    /// fal lists no jobs. Its webhook may still tell of one.
    async fn find(&self, _: &JobOrder, _: Timestamp, _: Instant) -> Found {
        Found::Unknowable
    }

    fn named(&self, id: &str) -> Option<Ticket> {
        self.ticket_of_id(id)
    }

    async fn watch(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        let image = order.request.image().ok_or(FailureClass::BadInput)?;
        self.followed(&self.job(ticket, image)?, image, limit, tell).await
    }

    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let image = order.request.image().ok_or(FailureClass::BadInput)?;
        let outcome = self.taken_back(&self.job(ticket, image)?, limit).await?;
        outcome.map(|outcome| self.finished(image, outcome)).transpose()
    }

    async fn fetch(
        &self,
        finished: &Finished,
        _: &JobOrder,
        limit: Instant,
    ) -> Result<Vec<Made>, Failure> {
        let Brought::Files(files) = &finished.brought else { return Err(FailureClass::Unavailable.into()) };
        download::pictures(&self.platform, files, &HeaderMap::new(), self.timing.poll, limit).await
    }
}

fn input(image: &ImageRequest) -> Input<'_> {
    Input {
        prompt: image.prompt.expose(),
        image_size: ImageSize { width: image.width, height: image.height },
        num_images: 1,
        seed: image.seed,
        output_format: "png",
        enable_safety_checker: true,
    }
}

async fn refused(response: Response, image: &ImageRequest, limit: Instant) -> Failure {
    let answer = ErrorAnswer::read(response, limit).await;
    let prompt = image.prompt.expose();
    let failure = match answer.status.as_u16() {
        400 | 403 | 413 | 422 if !words::is_page(&answer.body) => {
            let document = lenient::document(&answer.body).unwrap_or_default();
            Problem::of(&document, prompt).class(answer.status).into()
        }
        _ => answer.failure(prompt),
    };
    failure.with_request_id(wire::header_id(&answer.headers, "x-fal-request-id"))
}
