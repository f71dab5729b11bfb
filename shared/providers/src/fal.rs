//! fal's queue (`docs/facts/providers.md`, "fal's queue", after fal.ai/docs and its two SDKs).

mod answers;
mod hosts;
mod ticket;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::{Outlet, Sign};
use crate::pace::QueueDeadlines;
use crate::settings::{FalModel, FalSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Ending, ImageRequest, Job, Usage, download, lenient, words};
use answers::{Problem, Submitted};
use async_trait::async_trait;
use hosts::Hosts;
use platform::Platform;
use primitives::CostCents;
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use ticket::{Outcome, Ticket};
use tokio::time::Instant;
use tracing::warn;
use url::Url;

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
    async fn submit(&self, image: &ImageRequest, deadlines: QueueDeadlines) -> Result<Ticket, Failure> {
        let limit = deadlines.submitted;
        let mut call = wire::post(self.submit.clone(), &self.headers, &input(image));
        let seconds = deadlines.finished.saturating_duration_since(Instant::now()).as_secs();
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
        if let Some(ticket) = self.ticket(&Submitted::of(&document), image) {
            return Ok(ticket);
        }
        // A 200 that names no job and says why there is none is a refusal. All others may have started one.
        let problem = Problem::of(&document, image.prompt.expose());
        match problem.told_class() {
            Some(class) if document["request_id"].is_null() => Err(class.into()),
            _ => Err(in_doubt()),
        }
    }

    /// Takes the file out of a finished job.
    async fn deliver(
        &self,
        image: &ImageRequest,
        outcome: Outcome,
        limit: Instant,
        outlet: &mut Outlet<'_>,
    ) -> Result<Answer, Failure> {
        let (cost, cost_is_estimated) = self.cost(image, &outcome);
        let spent = |failure: Failure| failure.costing(cost, cost_is_estimated);
        self.deliver_file(&outcome, limit, outlet).await.map_err(spent)?;
        Ok(Answer {
            cost,
            cost_is_estimated,
            usage: Usage { billable_units: outcome.units, ..Usage::default() },
            ending: Ending::Complete,
            request_id: None,
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

    async fn deliver_file(
        &self,
        outcome: &Outcome,
        limit: Instant,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), Failure> {
        // A flagged image comes with 200 and is black.
        if outcome.output.is_flagged {
            return Err(FailureClass::ContentRejected.into());
        }
        let Some(url) = outcome.output.images.iter().find_map(|address| self.hosts.of_file(address)) else {
            warn!(provider.name = "fal", "fal's file lies on a host that FAL_FILE_HOSTS does not list");
            return Err(FailureClass::Unavailable.into());
        };
        let no_key = HeaderMap::new();
        let file = download::image(&self.platform, &url, &no_key, self.timing.poll, limit).await?;
        Ok(outlet.artifact(file).await?)
    }

    /// Units are megapixels, begun ones counting whole.
    fn estimated_cost(&self, image: &ImageRequest) -> CostCents {
        let pixels = u64::from(image.width) * u64::from(image.height);
        self.unit_price.scaled_half_up(pixels.div_ceil(1_000_000), 1).unwrap_or_default()
    }
}

#[async_trait]
impl Adapter for Fal {
    fn model(&self) -> &str {
        &self.model
    }

    async fn attempt(&self, job: &Job, limit: Instant, outlet: &mut Outlet<'_>) -> Result<Answer, Failure> {
        let image = job.request.image().ok_or(FailureClass::BadInput)?;
        let deadlines = QueueDeadlines::of(&self.timing, limit);
        let ticket = self.submit(image, deadlines).await?;
        let named = |failure: Failure| failure.with_request_id(ticket.request_id.clone());
        outlet.sign(Sign::Queued);
        let outcome = self.follow(&ticket, deadlines, outlet).await.map_err(named)?;
        let answer = self.deliver(image, outcome, deadlines.file(), outlet).await.map_err(named)?;
        Ok(Answer { request_id: ticket.request_id, ..answer })
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
