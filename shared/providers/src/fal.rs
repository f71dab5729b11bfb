//! fal's queue (`providers.md` §1, after fal.ai/docs and its two SDKs).

mod answers;
mod hosts;
mod ticket;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::pace::QueueDeadlines;
use crate::settings::{FalModel, FalSettings, Timing};
use crate::wire::{self, Unanswered};
use crate::{Ending, ImageRequest, Job, Usage, download, status};
use answers::{Problem, Submitted};
use async_trait::async_trait;
use hosts::Hosts;
use platform::Platform;
use primitives::CostCents;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use ticket::{Outcome, Ticket};
use tokio::time::Instant;
use tracing::warn;
use url::Url;

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
    async fn submit(&self, image: &ImageRequest, limit: Instant) -> Result<Ticket, Failure> {
        let mut call = wire::post(self.submit.clone(), &self.headers, &input(image));
        let seconds = limit.saturating_duration_since(Instant::now()).as_secs();
        if seconds > 1 {
            // A job that could only start after our deadline is not started, and not billed.
            call.headers_mut().insert("x-fal-request-timeout", HeaderValue::from(seconds));
        }
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Err(FailureClass::UnknownOutcome.into()),
        };
        if !response.status().is_success() {
            return Err(refused(response, limit).await);
        }
        let submitted = wire::json::<Submitted>(response, limit).await;
        submitted.and_then(|submitted| self.ticket(&submitted)).ok_or(FailureClass::UnknownOutcome.into())
    }

    /// Takes the file out of a finished job.
    async fn deliver(
        &self,
        image: &ImageRequest,
        outcome: Outcome,
        limit: Instant,
        outlet: &mut Outlet<'_>,
    ) -> Result<Answer, Failure> {
        let cost = outcome.cost.unwrap_or_else(|| self.estimated_cost(image));
        self.deliver_file(&outcome, limit, outlet).await.map_err(|failure| failure.costing(cost))?;
        Ok(Answer {
            cost,
            cost_is_estimated: outcome.cost.is_none(),
            usage: Usage { billable_units: outcome.units, ..Usage::default() },
            ending: Ending::Complete,
            request_id: None,
        })
    }

    async fn deliver_file(
        &self,
        outcome: &Outcome,
        limit: Instant,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), Failure> {
        // A flagged image comes with 200 and is black.
        if outcome.output.has_nsfw_concepts.contains(&true) {
            return Err(FailureClass::ContentRejected.into());
        }
        let address = outcome.output.images.first().ok_or(FailureClass::Unavailable)?;
        let Some(url) = self.hosts.of_file(&address.url) else {
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
        let ticket = self.submit(image, deadlines.finished).await?;
        let named = |failure: Failure| failure.with_request_id(ticket.request_id.clone());
        let outcome = self.follow(&ticket, deadlines).await.map_err(named)?;
        let answer = self.deliver(image, outcome, deadlines.total, outlet).await.map_err(named)?;
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

async fn refused(response: Response, limit: Instant) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    let failure = match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            let problem = wire::json::<Problem>(response, limit).await.unwrap_or_default();
            problem.class(status.as_u16()).into()
        }
        _ => status::failure_of(status, &headers),
    };
    failure.with_request_id(wire::header_id(&headers, "x-fal-request-id"))
}
