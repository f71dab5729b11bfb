//! A self-hosted ComfyUI behind a proxy (`docs/facts/providers.md`, "ComfyUI", after its `server.py` and
//! `execution.py`).

mod answers;
mod workflow;

use crate::failure::{Failure, FailureClass};
use crate::job::{
    Brought, Finished, Found, JobAdapter, JobOrder, Place, RemoteFile, Sign, Submitted, Tell, Ticket, Watched,
};
use crate::pace::{Looks, Sight};
use crate::settings::{ComfyuiSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{ImageRequest, Made, Usage, download, lenient};
use answers::{Ended, ImageFile, class_of_node_errors, class_of_refusal, place_in};
use async_trait::async_trait;
use platform::Platform;
use primitives::{CostCents, RunId, Timestamp, times};
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
    There(Sign),
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
    async fn submitted(&self, image: &ImageRequest, run: RunId, limit: Instant) -> Result<String, Failure> {
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
                self.take_back(&id, Instant::now() + times::WITHDRAWAL.limit).await;
                Err(class.into())
            }
            None => Ok(id),
        }
    }

    /// Looks until the prompt is finished, lost, or `limit`.
    async fn followed(&self, id: &str, limit: Instant, tell: Tell<'_>) -> Result<Watched, Failure> {
        let mut looks = Looks::new(self.settings.timing.poll, limit);
        let mut missing = 0;
        loop {
            match self.whereabouts(id, &looks).await {
                Whereabouts::Finished(image) => return self.finished(image).map(Watched::Finished),
                Whereabouts::Nowhere if missing + 1 >= MISSING_MAX => {
                    return Err(FailureClass::Unavailable.into());
                }
                Whereabouts::Nowhere => missing += 1,
                Whereabouts::There(sign) => {
                    tell(sign);
                    missing = 0;
                    looks.note(Sight::Seen);
                }
                Whereabouts::Unseen(sight) => looks.note(sight),
            }
            if looks.are_refused() {
                return Ok(Watched::Refused(FailureClass::Auth));
            }
            if !looks.pause().await {
                return Ok(Watched::GoesOn);
            }
        }
    }

    /// An image that failed costs nothing but the machine's time, and is not to be had.
    fn finished(&self, image: Option<ImageFile>) -> Result<Finished, Failure> {
        let file = image.ok_or(FailureClass::Unavailable)?;
        let mut url = below(&self.settings.url, &["view"]);
        url.query_pairs_mut()
            .append_pair("filename", &file.filename)
            .append_pair("subfolder", &file.subfolder)
            .append_pair("type", &file.kind);
        Ok(Finished {
            brought: Brought::Files(vec![RemoteFile(url)]),
            id: None,
            usage: Usage::default(),
            cost: self.settings.cost,
            cost_is_estimated: false,
        })
    }

    async fn whereabouts(&self, id: &str, looks: &Looks) -> Whereabouts {
        let history = below(&self.settings.url, &["history", id]);
        match self.look(history, looks.until()).await {
            Err(sight) => return Whereabouts::Unseen(sight),
            Ok(history) => match Ended::of(&history[id]) {
                Some(finished) => return Whereabouts::Finished(finished.image(OUTPUT_NODE)),
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
}

#[async_trait]
impl JobAdapter for Comfyui {
    fn model(&self) -> &str {
        &self.settings.checkpoint
    }

    fn timing(&self) -> &Timing {
        &self.settings.timing
    }

    fn estimate(&self, _: &JobOrder) -> CostCents {
        self.settings.cost
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        let image = order.request.image().ok_or(FailureClass::BadInput)?;
        Ok(Submitted::Taken(ticket(self.submitted(image, order.run, limit).await?)))
    }

    /// The prompt has the id that we chose: whether the server has it, its list and history tell.
    async fn find(&self, order: &JobOrder, _: Timestamp, _: Instant) -> Found {
        Found::There(ticket(prompt_id(order.run)))
    }

    /// It tells us nothing by itself.
    fn named(&self, _: &str) -> Option<Ticket> {
        None
    }

    async fn watch(
        &self,
        ticket: &Ticket,
        _: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        self.followed(prompt(ticket)?, limit, tell).await
    }

    /// Takes the prompt off the queue, unless it finished meanwhile. One that runs goes on; the machine is ours.
    async fn withdraw(
        &self,
        ticket: &Ticket,
        _: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        let (id, now) = (prompt(ticket)?, Instant::now());
        self.take_back(id, now + limit.saturating_duration_since(now) / 2).await;
        match self.whereabouts(id, &Looks::new(self.settings.timing.poll, limit)).await {
            Whereabouts::Finished(Some(image)) => self.finished(Some(image)).map(Some),
            _ => Ok(None),
        }
    }

    async fn fetch(
        &self,
        finished: &Finished,
        _: &JobOrder,
        limit: Instant,
    ) -> Result<Vec<Made>, Failure> {
        let Brought::Files(files) = &finished.brought else { return Err(FailureClass::Unavailable.into()) };
        download::pictures(&self.platform, files, &self.headers, self.settings.timing.poll, limit).await
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
