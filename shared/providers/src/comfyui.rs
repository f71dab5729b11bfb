//! A self-hosted ComfyUI behind a proxy (`docs/facts/providers.md`, "ComfyUI", after its `server.py` and
//! `execution.py`).

mod answers;
mod workflow;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::{Outlet, Sign};
use crate::pace::{Looks, QueueDeadlines, Sight};
use crate::settings::ComfyuiSettings;
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Ending, ImageRequest, Job, Usage, download, lenient};
use answers::{Finished, ImageFile, class_of_node_errors, class_of_refusal, holds};
use async_trait::async_trait;
use platform::Platform;
use primitives::RunId;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, StatusCode};
use serde_json::Value;
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
    Finished(Option<ImageFile>),
    Nowhere,
    /// Not to be seen: says nothing about the prompt.
    Unseen(Sight),
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
        let limit = deadlines.submitted;
        let body = Submission::new(image, run, &self.settings.checkpoint);
        let call = wire::post(self.submit.clone(), &self.headers, &body);
        let response = match wire::send(&self.platform, call, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Ok(prompt_id(run)),
        };
        if !response.status().is_success() {
            return Err(refused(response, image, limit).await);
        }
        let queued = wire::document(response, limit).await.unwrap_or_default();
        let id = lenient::text(&queued["prompt_id"]).map_or_else(|| prompt_id(run), str::to_owned);
        match class_of_node_errors(&queued["node_errors"]) {
            // Accepted, but without our output: what is left of it must not use the machine.
            Some(class) => {
                self.take_back(&id, deadlines.withdrawal()).await;
                Err(class.into())
            }
            None => Ok(id),
        }
    }

    /// Waits until the prompt is finished, lost or too late.
    async fn follow(
        &self,
        id: &str,
        deadlines: QueueDeadlines,
        outlet: &mut Outlet<'_>,
    ) -> Result<ImageFile, Failure> {
        let mut looks = Looks::new(self.settings.timing.poll, deadlines.finished);
        let mut missing = 0;
        while !looks.are_refused() && looks.pause().await {
            match self.find(id, &looks).await {
                Whereabouts::Finished(image) => return image.ok_or(FailureClass::Unavailable.into()),
                Whereabouts::Nowhere if missing + 1 >= MISSING_MAX => {
                    return Err(FailureClass::Unavailable.into());
                }
                Whereabouts::Nowhere => missing += 1,
                Whereabouts::Waiting => {
                    // Running or pending: seen there at all, it was surely taken.
                    outlet.sign(Sign::Working);
                    missing = 0;
                    looks.note(Sight::Seen);
                }
                Whereabouts::Unseen(sight) => looks.note(sight),
            }
        }
        self.withdraw(id, &looks, deadlines).await
    }

    /// Takes the prompt off the queue, unless it finished meanwhile.
    async fn withdraw(
        &self,
        id: &str,
        looks: &Looks,
        deadlines: QueueDeadlines,
    ) -> Result<ImageFile, Failure> {
        let limit = deadlines.withdrawal();
        let now = Instant::now();
        self.take_back(id, now + limit.saturating_duration_since(now) / 2).await;
        let last = Looks::new(self.settings.timing.poll, limit);
        if let Whereabouts::Finished(Some(image)) = self.find(id, &last).await {
            return Ok(image);
        }
        Err(if looks.are_refused() { FailureClass::Auth } else { FailureClass::Unavailable }.into())
    }

    async fn find(&self, id: &str, looks: &Looks) -> Whereabouts {
        let history = below(&self.settings.url, &["history", id]);
        match self.look(history, looks.until()).await {
            Err(sight) => return Whereabouts::Unseen(sight),
            Ok(history) => match Finished::of(&history[id]) {
                Some(finished) => return Whereabouts::Finished(finished.image(OUTPUT_NODE)),
                None if history[id].is_object() => return Whereabouts::Waiting,
                None => {}
            },
        }
        match self.look(self.queue.clone(), looks.until()).await {
            Err(sight) => Whereabouts::Unseen(sight),
            Ok(queue) => match holds(&queue, id) {
                Some(true) => Whereabouts::Waiting,
                Some(false) => Whereabouts::Nowhere,
                None => Whereabouts::Unseen(Sight::Nothing),
            },
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
        let file = self.follow(&id, deadlines, outlet).await.map_err(named)?;
        let spent = |failure: Failure| failure.costing(self.settings.cost, false);
        self.deliver(&file, deadlines.file(), outlet).await.map_err(named).map_err(spent)?;
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

async fn refused(response: Response, image: &ImageRequest, limit: Instant) -> Failure {
    if is_closed_door(response.status()) {
        return FailureClass::Auth.into();
    }
    let answer = ErrorAnswer::read(response, limit).await;
    if answer.status != StatusCode::BAD_REQUEST {
        return answer.failure(image.prompt.expose());
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
