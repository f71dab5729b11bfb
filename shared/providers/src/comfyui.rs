//! A self-hosted ComfyUI behind a proxy (`providers.md` §2, after its `server.py` and `execution.py`).

mod answers;
mod workflow;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::pace::{Pace, QueueDeadlines};
use crate::settings::ComfyuiSettings;
use crate::wire::{self, Unanswered};
use crate::{Ending, ImageRequest, Job, Usage, download, status};
use answers::{Finished, History, ImageFile, Problem, Queue, Queued, class_of_node_errors};
use async_trait::async_trait;
use platform::Platform;
use primitives::RunId;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;
use workflow::{OUTPUT_NODE, Submission, prompt_id};

/// In neither queue nor history this often in a row: unknown, or lost in a crash.
const MISSING_MAX: u32 = 2;

/// Our own image server.
pub(crate) struct Comfyui {
    platform: Platform,
    headers: HeaderMap,
    settings: ComfyuiSettings,
    submit: Url,
    queue: Url,
}

/// Where a prompt is.
enum Whereabouts {
    Waiting,
    Finished(Finished),
    Nowhere,
    /// No answer: says nothing about the prompt.
    Unseen,
}

impl Comfyui {
    pub(crate) fn new(platform: &Platform, settings: ComfyuiSettings) -> Comfyui {
        let headers = settings.token.iter().map(|token| (AUTHORIZATION, token.clone())).collect();
        let (submit, queue) = (below(&settings.url, &["prompt"]), below(&settings.url, &["queue"]));
        Comfyui { platform: platform.clone(), headers, settings, submit, queue }
    }

    /// Gives the id to follow. When the answer is lost, the prompt is looked up by the id we chose.
    async fn submit(
        &self,
        image: &ImageRequest,
        run: RunId,
        deadlines: QueueDeadlines,
    ) -> Result<String, Failure> {
        let limit = deadlines.finished;
        let body = Submission::new(image, run, &self.settings.checkpoint);
        let call = wire::post(self.submit.clone(), &self.headers, &body);
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Ok(prompt_id(run)),
        };
        if response.status() != StatusCode::OK {
            return Err(refused(response, limit).await);
        }
        let Some(queued) = wire::json::<Queued>(response, limit).await else { return Ok(prompt_id(run)) };
        match class_of_node_errors(&queued.node_errors) {
            // Accepted, but without our output: what is left of it must not use the machine.
            Some(class) => {
                self.take_back(&queued.prompt_id, deadlines.withdrawal()).await;
                Err(class.into())
            }
            None => Ok(queued.prompt_id),
        }
    }

    /// Waits until the prompt is finished, lost or too late.
    async fn follow(&self, id: &str, deadlines: QueueDeadlines) -> Result<ImageFile, Failure> {
        let limit = deadlines.finished;
        let mut pace = Pace::new(self.settings.timing.poll, limit);
        let mut missing = 0;
        while pace.pause().await {
            match self.find(id, limit).await? {
                Whereabouts::Finished(finished) => {
                    let image = finished.image(OUTPUT_NODE).cloned();
                    return image.ok_or(FailureClass::Unavailable.into());
                }
                Whereabouts::Nowhere if missing + 1 >= MISSING_MAX => {
                    return Err(FailureClass::Unavailable.into());
                }
                Whereabouts::Nowhere => missing += 1,
                Whereabouts::Waiting => missing = 0,
                Whereabouts::Unseen => {}
            }
        }
        self.take_back(id, deadlines.withdrawal()).await;
        Err(FailureClass::Unavailable.into())
    }

    async fn find(&self, id: &str, limit: Instant) -> Result<Whereabouts, Failure> {
        let history = below(&self.settings.url, &["history", id]);
        let Some(mut history) = self.look::<History>(history, limit).await? else {
            return Ok(Whereabouts::Unseen);
        };
        if let Some(finished) = history.remove(id) {
            return Ok(Whereabouts::Finished(finished));
        }
        let queue = self.look::<Queue>(self.queue.clone(), limit).await?;
        Ok(match queue {
            Some(queue) if queue.holds(id) => Whereabouts::Waiting,
            Some(_) => Whereabouts::Nowhere,
            None => Whereabouts::Unseen,
        })
    }

    /// `None` when there is no usable answer this time.
    async fn look<T: DeserializeOwned>(&self, url: Url, limit: Instant) -> Result<Option<T>, Failure> {
        let request = wire::get(url, &self.headers);
        let Ok(response) = wire::send(&self.platform, request, limit).await else { return Ok(None) };
        match response.status() {
            StatusCode::OK => Ok(wire::json(response, limit).await),
            status if is_closed_door(status) => Err(FailureClass::Auth.into()),
            _ => Ok(None),
        }
    }

    /// Best effort, and pending work only: an interrupt stops somebody else's run on older servers.
    async fn take_back(&self, id: &str, limit: Instant) {
        let body = serde_json::json!({ "delete": [id] });
        let request = wire::post(self.queue.clone(), &self.headers, &body);
        let _ = wire::send(&self.platform, request, limit).await;
    }

    async fn deliver(
        &self,
        file: &ImageFile,
        limit: Instant,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), Failure> {
        let mut url = below(&self.settings.url, &["view"]);
        url.query_pairs_mut()
            .append_pair("filename", &file.filename)
            .append_pair("subfolder", &file.subfolder)
            .append_pair("type", &file.kind);
        let poll = self.settings.timing.poll;
        let image = download::image(&self.platform, &url, &self.headers, poll, limit).await?;
        Ok(outlet.artifact(image).await?)
    }
}

#[async_trait]
impl Adapter for Comfyui {
    fn model(&self) -> &str {
        &self.settings.checkpoint
    }

    async fn attempt(&self, job: &Job, limit: Instant, outlet: &mut Outlet<'_>) -> Result<Answer, Failure> {
        let image = job.request.image().ok_or(FailureClass::BadInput)?;
        let deadlines = QueueDeadlines::of(&self.settings.timing, limit);
        let id = self.submit(image, job.run, deadlines).await?;
        let request_id = wire::plain_id(&id);
        let named = |failure: Failure| failure.with_request_id(request_id.clone());
        let file = self.follow(&id, deadlines).await.map_err(named)?;
        let spent = |failure: Failure| failure.costing(self.settings.cost);
        self.deliver(&file, deadlines.total, outlet).await.map_err(named).map_err(spent)?;
        Ok(Answer {
            usage: Usage::default(),
            cost: self.settings.cost,
            cost_is_estimated: false,
            ending: Ending::Complete,
            request_id,
        })
    }
}

/// A proxy refuses with a status, or sends a browser to its login page.
fn is_closed_door(status: StatusCode) -> bool {
    status.is_redirection() || status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN
}

async fn refused(response: Response, limit: Instant) -> Failure {
    let status = response.status();
    if is_closed_door(status) {
        return FailureClass::Auth.into();
    }
    if status != StatusCode::BAD_REQUEST {
        return status::failure_of(status, response.headers());
    }
    wire::json::<Problem>(response, limit).await.unwrap_or_default().class().into()
}

/// An address below the server's; `parts` are escaped.
fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(parts);
    }
    url
}
