//! A self-hosted ComfyUI behind a proxy (`docs/facts/providers.md`, "ComfyUI", after its `server.py` and
//! `execution.py`).

mod answers;
mod prompt_id;
mod upload;
mod workflow;

use crate::failure::{Failure, FailureClass};
use crate::job::{
    Brought, Finished, Found, JobAdapter, JobOrder, Place, RemoteFile, Sign, Submitted, Tell, Ticket, Watched,
};
use crate::pace::{Looks, Sight};
use crate::settings::{ComfyuiSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Made, MadeFile, Request, Usage, download, lenient};
use answers::{Ended, SavedFile, class_of_node_errors, class_of_refusal, place_in};
use async_trait::async_trait;
use platform::Platform;
use primitives::{CostCents, Timestamp, times};
use prompt_id::prompt_id;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::warn;
use url::Url;
use workflow::{OUTPUT_NODE, Submission};

/// In neither queue nor history this often in a row: unknown, or lost in a crash.
const MISSING_MAX: u32 = 2;

/// Our own server, with one of its workflows.
pub(crate) struct Comfyui {
    platform: Platform,
    headers: HeaderMap,
    settings: Arc<ComfyuiSettings>,
    makes: Makes,
    submit: Url,
    queue: Url,
    upload: Url,
}

/// What a workflow makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    Images,
    Videos,
}

/// Where a prompt is.
enum Whereabouts {
    There(Sign),
    /// Over, with the files it saved.
    Finished(Vec<SavedFile>),
    Nowhere,
    /// Not to be seen: says nothing about the prompt.
    Unseen(Sight),
}

impl Comfyui {
    /// What makes images, and what makes videos.
    pub(crate) fn models(platform: &Platform, settings: ComfyuiSettings) -> [Comfyui; 2] {
        let settings = Arc::new(settings);
        let headers: HeaderMap = settings.token.iter().map(|token| (AUTHORIZATION, token.clone())).collect();
        let at = |parts: &[&str]| below(&settings.url, parts);
        [Makes::Images, Makes::Videos].map(|makes| Comfyui {
            platform: platform.clone(),
            headers: headers.clone(),
            settings: Arc::clone(&settings),
            makes,
            submit: at(&["prompt"]),
            queue: at(&["queue"]),
            upload: at(&["upload", "image"]),
        })
    }

    /// Gives the id to follow. When the answer is lost, the prompt is looked up by the id we chose.
    async fn submitted(&self, order: &JobOrder, limit: Instant) -> Result<String, Failure> {
        let job = order.job();
        let call = wire::post(self.submit.clone(), &self.headers, &self.submission(order, limit).await?);
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Ok(prompt_id(job)),
        };
        if !response.status().is_success() {
            return Err(refused(response, order.request.words(), limit).await);
        }
        let queued = wire::document(response, limit).await.unwrap_or_default();
        let id = lenient::text(&queued["prompt_id"]).map_or_else(|| prompt_id(job), str::to_owned);
        match class_of_node_errors(&queued["node_errors"]) {
            // Accepted, but without our output: what is left of it must not use the machine.
            Some(class) => {
                self.take_back(&id, Instant::now() + times::WITHDRAWAL.limit).await;
                Err(class.into())
            }
            None => Ok(id),
        }
    }

    /// The workflow with the request's values; a picture that it begins with is sent before.
    async fn submission(&self, order: &JobOrder, limit: Instant) -> Result<Submission, Failure> {
        let source = match &order.request {
            Request::Image(image) => image.source.as_ref().map(|source| &source.picture),
            Request::Video(video) => video.first_picture.as_ref(),
            _ => None,
        };
        let picture = match source {
            Some(picture) => Some(self.upload(picture, order.job(), limit).await?),
            None => None,
        };
        match (self.makes, &order.request) {
            (Makes::Images, Request::Image(image)) => {
                let checkpoint = &self.settings.checkpoint;
                Ok(Submission::of_images(image, picture.as_deref(), order.job(), checkpoint))
            }
            (Makes::Videos, Request::Video(video)) => {
                let model = &self.settings.video_model;
                Ok(Submission::of_video(video, picture.as_deref(), order.job(), model))
            }
            _ => Err(FailureClass::RequestRefused.into()),
        }
    }

    /// Looks until the prompt is finished, lost, or `limit`.
    async fn followed(
        &self,
        id: &str,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        let mut looks = Looks::new(self.timing().poll, limit);
        let mut missing = 0;
        loop {
            match self.whereabouts(id, &looks).await {
                Whereabouts::Finished(files) => return self.finished(&files, order).map(Watched::Finished),
                Whereabouts::Nowhere if missing + 1 >= MISSING_MAX => {
                    return Err(FailureClass::Unavailable.into());
                }
                Whereabouts::Nowhere => missing += 1,
                Whereabouts::There(sign) => {
                    tell(sign);
                    missing = 0;
                    looks.note(Sight::Seen);
                }
                Whereabouts::Unseen(sight) => {
                    missing = 0;
                    looks.note(sight);
                }
            }
            if looks.are_refused() {
                return Ok(Watched::Refused(FailureClass::Auth));
            }
            if !looks.pause().await {
                return Ok(Watched::GoesOn);
            }
        }
    }

    /// All files that were ordered must be there. Fewer files are a failure, at the cost of those that ComfyUI made; a
    /// prompt that failed without a file costs 0.
    fn finished(&self, files: &[SavedFile], order: &JobOrder) -> Result<Finished, Failure> {
        let wanted = order.request.image().map_or(1, |image| image.count);
        let cost = self.estimate(order);
        let wanted_files = usize::try_from(wanted).unwrap_or(usize::MAX);
        if files.len() < wanted_files {
            warn!(provider.name = "comfyui", "of {wanted} files {} were saved", files.len());
            let made = u64::try_from(files.len()).unwrap_or(u64::MAX);
            let spent = cost.scaled_half_up(made, wanted.max(1).into()).unwrap_or(cost);
            return Err(Failure::new(FailureClass::Unavailable).costing(spent, false));
        }
        let files = files.iter().take(wanted_files).map(|file| RemoteFile(self.address(file)));
        Ok(Finished {
            brought: Brought::Files(files.collect()),
            id: None,
            usage: Usage::default(),
            cost,
            cost_is_estimated: false,
        })
    }

    fn address(&self, file: &SavedFile) -> Url {
        let mut url = below(&self.settings.url, &["view"]);
        url.query_pairs_mut()
            .append_pair("filename", &file.filename)
            .append_pair("subfolder", &file.subfolder)
            .append_pair("type", &file.kind);
        url
    }

    async fn whereabouts(&self, id: &str, looks: &Looks) -> Whereabouts {
        let history = below(&self.settings.url, &["history", id]);
        match self.look(history, looks.until()).await {
            Err(sight) => return Whereabouts::Unseen(sight),
            Ok(history) => match Ended::of(&history[id]) {
                Some(ended) => return Whereabouts::Finished(self.saved(&ended)),
                None if history[id].is_object() => {
                    return Whereabouts::There(Sign::Working { percent: None });
                }
                None => {}
            },
        }
        match self.look(self.queue.clone(), looks.until()).await {
            Err(sight) => Whereabouts::Unseen(sight),
            Ok(queue) => match place_in(&queue, id) {
                Some(Some(sign)) => Whereabouts::There(sign),
                Some(None) => Whereabouts::Nowhere,
                None => Whereabouts::Unseen(Sight::Nothing),
            },
        }
    }

    fn saved(&self, ended: &Ended<'_>) -> Vec<SavedFile> {
        match self.makes {
            Makes::Images => ended.images(OUTPUT_NODE),
            Makes::Videos => ended.videos(OUTPUT_NODE),
        }
    }

    /// One look. An error says why there is no usable answer this time.
    async fn look(&self, url: Url, limit: Instant) -> Result<Value, Sight> {
        let request = wire::get(url, &self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else {
            return Err(Sight::Nothing);
        };
        match response.status() {
            status if status.is_success() => {
                let document = wire::document(response, limit).await;
                document.filter(Value::is_object).ok_or(Sight::Nothing)
            }
            status if is_closed_door(status) => Err(Sight::Refused),
            _ => Err(Sight::Nothing),
        }
    }

    /// Best effort. A ComfyUI server of 2026 stops a prompt by its id (the first request). An older server only takes a
    /// waiting prompt off the queue (the second request). `/interrupt` is not called: it stops the prompt that is
    /// running, which may be another run's.
    async fn take_back(&self, id: &str, limit: Instant) {
        let now = Instant::now();
        let half = now + limit.saturating_duration_since(now) / 2;
        let stop = below(&self.settings.url, &["api", "jobs", id, "cancel"]);
        let off = serde_json::json!({ "delete": [id] });
        for (request, limit) in [
            (wire::post(stop, &self.headers, &serde_json::json!({})), half),
            (wire::post(self.queue.clone(), &self.headers, &off), limit),
        ] {
            // What became of it is looked up afterwards.
            let _ = wire::send(&self.platform, request, limit).await;
        }
    }
}

#[async_trait]
impl JobAdapter for Comfyui {
    fn model(&self) -> &str {
        match self.makes {
            Makes::Images => &self.settings.checkpoint,
            Makes::Videos => &self.settings.video_model,
        }
    }

    fn timing(&self) -> &Timing {
        match self.makes {
            Makes::Images => &self.settings.timing,
            Makes::Videos => &self.settings.video_timing,
        }
    }

    fn estimate(&self, order: &JobOrder) -> CostCents {
        match (self.makes, order.request.image()) {
            (Makes::Images, Some(image)) => {
                self.settings.cost.scaled_half_up(image.count.into(), 1).unwrap_or(CostCents::MAX)
            }
            (Makes::Images, None) => self.settings.cost,
            (Makes::Videos, _) => self.settings.video_cost,
        }
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        Ok(Submitted::Taken(ticket(self.submitted(order, limit).await?)))
    }

    /// The prompt has the id that we chose. Whether ComfyUI has it is found out by the next look at its queue and
    /// history.
    async fn find(&self, order: &JobOrder, _: Timestamp, _: Instant) -> Found {
        Found::There(ticket(prompt_id(order.job())))
    }

    /// ComfyUI sends us no webhooks.
    fn named(&self, _: &str) -> Option<Ticket> {
        None
    }

    async fn watch(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        self.followed(prompt(ticket)?, order, limit, tell).await
    }

    /// Stops the prompt or takes it off the queue, unless it finished meanwhile. On an older server one that runs goes on;
    /// the machine is ours.
    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let (id, now) = (prompt(ticket)?, Instant::now());
        self.take_back(id, now + limit.saturating_duration_since(now) / 2).await;
        match self.whereabouts(id, &Looks::new(self.timing().poll, limit)).await {
            Whereabouts::Finished(files) if !files.is_empty() => self.finished(&files, order).map(Some),
            _ => Ok(None),
        }
    }

    /// A video is passed on as it comes.
    async fn fetch(&self, finished: &Finished, _: &JobOrder, limit: Instant) -> Result<Vec<Made>, Failure> {
        let Brought::Files(files) = &finished.brought else { return Err(FailureClass::Unavailable.into()) };
        if self.makes == Makes::Images {
            return download::pictures(&self.platform, files, &self.headers, self.timing().poll, limit).await;
        }
        let there = |file: &RemoteFile| MadeFile::there(&self.platform, file.0.clone(), self.headers.clone());
        Ok(files.iter().map(there).map(Made::File).collect())
    }
}

fn ticket(prompt: String) -> Ticket {
    Ticket { id: wire::plain_id(&prompt), place: Place::Comfyui { prompt } }
}

fn prompt(ticket: &Ticket) -> Result<&str, Failure> {
    match &ticket.place {
        Place::Comfyui { prompt } => Ok(prompt),
        _ => Err(FailureClass::UnknownOutcome.into()),
    }
}

/// A proxy refuses with a status, or sends a browser to its login page.
fn is_closed_door(status: StatusCode) -> bool {
    status.is_redirection() || status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN
}

async fn refused(response: Response, prompt: &str, limit: Instant) -> Failure {
    if is_closed_door(response.status()) {
        return FailureClass::Auth.into();
    }
    let answer = ErrorAnswer::read(response, limit).await;
    if answer.status != StatusCode::BAD_REQUEST {
        return answer.failure(prompt);
    }
    class_of_refusal(&lenient::document(&answer.body).unwrap_or_default()).into()
}

/// An address below the server's; `parts` are escaped.
fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(parts);
    }
    url
}
