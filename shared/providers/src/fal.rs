//! fal's queue (`docs/facts/providers.md`, "fal's queue", after fal.ai/docs and its two SDKs).

mod answers;
pub(crate) mod hosts;
mod input;
mod queue_job;
mod wanted;
mod webhook;

use crate::failure::{Failure, FailureClass};
use crate::job::{
    Brought, Finished, Found, JobAdapter, JobOrder, RemoteFile, Submitted as Asked, Tell, Ticket, Watched,
};
use crate::settings::{FalModel, FalSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Made, MadeFile, ProviderName, Request, Usage, download, lenient, words};
use answers::{Problem, Submitted};
use async_trait::async_trait;
use hosts::Hosts;
use input::Family;
use platform::Platform;
use primitives::{CostCents, Secret, Timestamp};
use queue_job::{FalJob, Outcome};
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::warn;
use url::Url;
use wanted::Wanted;
pub use webhook::{FalWebhook, Forged};

/// How many times the estimate a job may cost before fal's unit count is not believed.
const PLAUSIBLE_FACTOR: u64 = 4;

/// One step at fal: a model that begins with words, and often a sister that begins with a picture.
pub(crate) struct Fal {
    platform: Platform,
    headers: HeaderMap,
    hosts: Arc<Hosts>,
    family: Family,
    from_words: FalModel,
    from_picture: Option<FalModel>,
    timing: Timing,
    webhook_key: Secret,
}

impl Fal {
    /// flux's dev and schnell, Kling and Wan; `None` without a key.
    pub(crate) fn models(platform: &Platform, settings: FalSettings) -> Option<[Fal; 4]> {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, settings.key?),
            // Prompts and pictures are our customers': fal would keep them for 30 days.
            (HeaderName::from_static("x-fal-store-io"), HeaderValue::from_static("0")),
        ]);
        let hosts = Arc::new(Hosts::new(settings.queue, settings.file_hosts));
        let webhook_key = settings.webhook_key?;
        let step = |family, from_words, from_picture, timing| Fal {
            platform: platform.clone(),
            headers: headers.clone(),
            hosts: Arc::clone(&hosts),
            family,
            from_words,
            from_picture,
            timing,
            webhook_key: webhook_key.clone(),
        };
        let (images, videos) = (settings.timing, settings.video_timing);
        Some([
            step(Family::Flux, settings.flux_dev, Some(settings.flux_dev_from_picture), images),
            step(Family::Flux, settings.flux_schnell, None, images),
            step(Family::Kling, settings.kling, Some(settings.kling_from_picture), videos),
            step(Family::Wan, settings.wan, Some(settings.wan_from_picture), videos),
        ])
    }

    /// What the request wants, and the model that makes it. A request that this step does not serve is never asked for.
    fn wanted<'a>(&self, request: &'a Request) -> Result<(Wanted<'a>, &FalModel), Failure> {
        let wanted = Wanted::of(request).ok_or(FailureClass::RequestRefused)?;
        let model = match wanted.picture() {
            Some(_) => self.from_picture.as_ref(),
            None => Some(&self.from_words),
        };
        Ok((wanted, model.ok_or(FailureClass::RequestRefused)?))
    }

    /// Two submits are two paid jobs, and there is no key to find a lost one by: after a doubt nothing is repeated.
    async fn submitted(&self, order: &JobOrder, limit: Instant) -> Result<Ticket, Failure> {
        let (wanted, model) = self.wanted(&order.request)?;
        let input = self.family.input(wanted).ok_or(FailureClass::RequestRefused)?;
        let call = self.submit_call(order, model, &input);
        let in_doubt =
            || Failure::new(FailureClass::UnknownOutcome).costing(wanted.cost(model.unit_price), true);
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Err(in_doubt()),
        };
        if !response.status().is_success() {
            return Err(refused(response, wanted.prompt(), limit).await);
        }
        let document = wire::document(response, limit).await.unwrap_or_default();
        if let Some(ticket) = self.ticket(&Submitted::of(&document)) {
            return Ok(ticket);
        }
        // A 200 that names no job and says why there is none is a refusal. All others may have started one.
        let problem = Problem::of(&document, wanted.prompt());
        match problem.told_class() {
            Some(class) if document["request_id"].is_null() => Err(class.into()),
            _ => Err(in_doubt()),
        }
    }

    fn submit_call(&self, order: &JobOrder, model: &FalModel, input: &Value) -> reqwest::Request {
        let mut call = wire::post(submit_to(order, model, &self.webhook_key), &self.headers, input);
        let seconds = self.timing.first_content.as_secs();
        if seconds > 1 {
            // A job that could only start after our deadline is not started, and not billed.
            call.headers_mut().insert("x-fal-request-timeout", HeaderValue::from(seconds));
        }
        call
    }

    /// What the outcome brings us. A flagged image comes with 200 and is black; one of several is a refusal of all. Fewer
    /// files than asked for are none: what was billed is our loss.
    fn finished(&self, job: &FalJob<'_>, outcome: Outcome) -> Result<Finished, Failure> {
        let (cost, cost_is_estimated) = cost(job, &outcome);
        let spent = |class: FailureClass| Failure::new(class).costing(cost, cost_is_estimated);
        if outcome.output.is_flagged {
            return Err(spent(FailureClass::ContentRejected));
        }
        let allowed = outcome.output.files.iter().filter_map(|address| self.hosts.of_file(address));
        let files: Vec<_> = allowed.take(job.wanted.files()).map(RemoteFile).collect();
        if files.len() < job.wanted.files() {
            warn!(
                provider.name = "fal",
                "of {} files fal named {}, and {} of them on hosts that FAL_FILE_HOSTS lists",
                job.wanted.files(),
                outcome.output.files.len(),
                files.len()
            );
            return Err(spent(FailureClass::Unavailable));
        }
        Ok(Finished {
            brought: Brought::Files(files),
            id: None,
            usage: Usage { billable_units: outcome.units, ..Usage::default() },
            cost,
            cost_is_estimated,
        })
    }
}

#[async_trait]
impl JobAdapter for Fal {
    fn model(&self) -> &str {
        &self.from_words.model
    }

    fn model_for(&self, request: &Request) -> &str {
        self.wanted(request).map_or(self.model(), |(_, model)| &model.model)
    }

    fn serves(&self, request: &Request) -> bool {
        self.wanted(request).is_ok_and(|(wanted, _)| self.family.serves(wanted))
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    fn estimate(&self, order: &JobOrder) -> CostCents {
        let wanted = self.wanted(&order.request);
        wanted.map_or(CostCents::ZERO, |(wanted, model)| wanted.cost(model.unit_price))
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Asked, Failure> {
        self.submitted(order, limit).await.map(Asked::Taken)
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
        self.followed(&self.job(ticket, order)?, limit, tell).await
    }

    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let job = self.job(ticket, order)?;
        let outcome = self.taken_back(&job, limit).await?;
        outcome.map(|outcome| self.finished(&job, outcome)).transpose()
    }

    /// A video is passed on as it comes. Files are public: our key stays with the queue.
    async fn fetch(
        &self,
        finished: &Finished,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Vec<Made>, Failure> {
        let Brought::Files(files) = &finished.brought else { return Err(FailureClass::Unavailable.into()) };
        let headers = HeaderMap::new();
        if order.request.image().is_some() {
            return download::pictures(&self.platform, files, &headers, self.timing.poll, limit).await;
        }
        let there = |file: &RemoteFile| MadeFile::there(&self.platform, file.0.clone(), headers.clone());
        Ok(files.iter().map(there).map(Made::File).collect())
    }
}

/// fal tells us when the job is finished, where it can reach us.
fn submit_to(order: &JobOrder, model: &FalModel, webhook_key: &Secret) -> Url {
    let mut url = model.submit.clone();
    let address = webhook::address(webhook_key, order.job());
    if let Some(notify) = order.webhook_at(ProviderName::Fal, &address) {
        url.query_pairs_mut().append_pair("fal_webhook", notify.as_str());
    }
    url
}

/// What fal told, as far as such a job can cost that; else an estimate.
fn cost(job: &FalJob<'_>, outcome: &Outcome) -> (CostCents, bool) {
    let estimate = job.estimate();
    let most = estimate.scaled_half_up(PLAUSIBLE_FACTOR, 1).unwrap_or(estimate);
    match outcome.cost {
        Some(cost) if cost <= most => (cost, false),
        Some(_) => {
            warn!(
                metric = "provider_usage_implausible",
                provider.name = "fal",
                "fal told more units than such a job can have; its cost is bounded"
            );
            (most, true)
        }
        None => (estimate, true),
    }
}

async fn refused(response: Response, prompt: &str, limit: Instant) -> Failure {
    let answer = ErrorAnswer::read(response, limit).await;
    let failure = match answer.status.as_u16() {
        400 | 403 | 413 | 422 if !words::is_page(&answer.body) => {
            let document = lenient::document(&answer.body).unwrap_or_default();
            Problem::of(&document, prompt).class(answer.status).into()
        }
        _ => answer.failure(prompt),
    };
    failure.with_request_id(wire::header_id(&answer.headers, "x-fal-request-id"))
}
