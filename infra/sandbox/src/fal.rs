//! fal: models behind a queue. Submit, look, fetch the result, cancel; files and the webhooks' keys are public.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod control;
mod file;
mod form;
mod input;
mod job;
mod result;
mod signature;
mod source;
mod webhook;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::memory::{Kept, Memory};
use crate::progress::Phase;
use crate::script::Script;
use crate::shelf::Shelf;
use crate::{FAL_KEY, Fault, SandboxConfig, Service, WebhookFault, World, ids, reply};
use input::Model;
pub(crate) use job::KeptJob;
use job::{Job, Submitted};
#[cfg(test)]
pub(crate) use signature::{public_key, sign};
use webhook::Hook;
#[cfg(test)]
pub(crate) use webhook::waits;

/// A job with a webhook ends by itself after this time, in a sandbox that is not of zero latency.
const PICTURES_TAKE: Duration = Duration::from_secs(3);
const VIDEOS_TAKE: Duration = Duration::from_secs(15);

/// A stream of statuses that does not finish is given up after this many.
const STREAMED_STATUSES_MAX: u32 = 1_000;

/// The jobs by request id.
#[derive(Default)]
pub(crate) struct Jobs {
    shelf: Mutex<Shelf<Job>>,
    memory: Memory,
}

impl Jobs {
    /// The jobs of a file. Those of models and addresses that are no longer known are left out.
    pub(crate) fn remembering(kept: Vec<KeptJob>, memory: Memory, config: &SandboxConfig) -> Jobs {
        let mut shelf = Shelf::default();
        for KeptJob { submitted, standing } in kept {
            let Some(model) = Model::of_id(&submitted.model) else { continue };
            let Ok(hook) = hook(config, &submitted) else { continue };
            let job = Job::new(model, submitted, hook, config.zero_latency).standing_at(standing);
            shelf.put(job.id().to_owned(), job);
        }
        Jobs { shelf: Mutex::new(shelf), memory }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().count()
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Job>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, job: Job) {
        self.memory.note(|| Kept::FalJob(job.kept()));
        self.lock().put(job.id().to_owned(), job);
    }

    /// Works on a job; what has become of it is written down if that has changed.
    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Job) -> T) -> Option<T> {
        let mut shelf = self.lock();
        let job = shelf.get_mut(id)?;
        let before = job.standing();
        let done = work(job);
        if job.standing() != before {
            self.memory.note(|| Kept::FalJob(job.kept()));
        }
        Some(done)
    }

    /// The same for a job of an application; others are not found.
    fn of_app<T>(&self, app: &str, id: &str, work: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.with(id, |job| job.is_of(app).then(|| work(job))).flatten()
    }
}

fn hook(config: &SandboxConfig, submitted: &Submitted) -> Result<Option<Hook>, String> {
    let address = submitted.webhook.as_deref();
    address.map(|address| Hook::of(config, address, submitted.fault.as_ref())).transpose()
}

/// The calls about jobs are the sandbox's own. What else is posted starts a job.
pub(crate) fn moment(call: &Call) -> Moment {
    match call.segments().as_slice() {
        ["jobs", ..] => Moment::Control,
        [".well-known", ..] => Moment::Keys,
        _ if call.method == Method::POST => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) async fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::GET | &Method::HEAD, ["files", name]) => return file::serve(world, name, call),
        (&Method::GET, [".well-known", "jwks.json"]) => return key_set(mood),
        (_, ["jobs", rest @ ..]) => return control::answer(world, call, rest).await,
        _ => {}
    }
    if call.credential("Key") != Some(FAL_KEY) {
        return refusal(401);
    }
    match (&call.method, segments.as_slice()) {
        (&Method::GET, [owner, app, "requests", id]) => fetch(world, &format!("{owner}/{app}"), id),
        (&Method::GET, [owner, app, "requests", id, "status"]) => {
            look(world, &format!("{owner}/{app}"), id, with_logs(call))
        }
        (&Method::GET, [owner, app, "requests", id, "status", "stream"]) => {
            watch(world, &format!("{owner}/{app}"), id, with_logs(call), mood.pace_ms)
        }
        (&Method::PUT, [owner, app, "requests", id, "cancel"]) => {
            cancel(world, &format!("{owner}/{app}"), id)
        }
        (&Method::POST, [owner, app, path @ ..]) => match Model::named(owner, app, &path.join("/")) {
            Some(model) => submit(world, model, call, mood).await,
            None => unknown_application(owner, app, path),
        },
        _ => request_error(404, "Not Found", None),
    }
}

/// fal's answer with a status: infrastructure errors carry a type and its header.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => request_error(401, "Cannot access application. Authentication is required.", None),
        402 | 403 => request_error(
            status,
            "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
            None,
        ),
        404 => request_error(404, "Not Found", None),
        429 => request_error(429, "Too many concurrent requests", None),
        500 => request_error(500, "Internal Server Error", Some("internal_error")),
        502 => request_error(502, "Runner disconnected", Some("runner_disconnected")),
        503 => request_error(503, "No runner could be scheduled", Some("runner_scheduling_failure")),
        504 => request_error(504, "Request timed out", Some("request_timeout")),
        _ => request_error(status, "Unexpected error", None),
    }
}

fn key_set(mood: &Mood) -> Response {
    let show = match &mood.fault {
        Some(Fault::Keys { show }) => Some(*show),
        _ => None,
    };
    reply::json(200, &signature::key_set(show))
}

async fn submit(world: &Arc<World>, model: &'static Model, call: &Call, mood: &Mood) -> Response {
    let input = match call.json() {
        Ok(input) => input,
        Err(error) => return request_error(422, &format!("Invalid JSON body: {error}"), None),
    };
    let id = ids::uuid();
    let submitted = Submitted {
        id: id.clone(),
        model: model.id(),
        sources: source::gather(world, model, &input).await,
        input: source::without_files(model, input),
        fault: mood.fault.clone(),
        webhook: call.query().remove("fal_webhook"),
        at: world.now(),
    };
    let hook = match hook(&world.config, &submitted) {
        Ok(hook) => hook,
        Err(error) => return request_error(400, &error, Some("bad_request")),
    };
    let has_webhook = hook.is_some();
    let job = Job::new(model, submitted, hook, world.config.zero_latency);
    let mut answer = addresses(world, model.app, &id);
    answer["status"] = Value::from("IN_QUEUE");
    answer["queue_position"] = Value::from(job.progress.ahead());
    if has_webhook {
        answer["gateway_request_id"] = Value::from(id.as_str());
    }
    world.fal.add(job);
    if has_webhook {
        end_by_itself(world, model, &id, mood).await;
    }
    named(reply::json(200, &answer), &id)
}

/// A job with a webhook does not wait for somebody to look at it. With zero latency it does, so that a test decides.
async fn end_by_itself(world: &Arc<World>, model: &Model, id: &str, mood: &Mood) {
    if mood.fault == Some(Fault::Webhook { how: WebhookFault::Early }) && webhook::end(world, id) {
        let is_taken = webhook::send(world, id, None).await.is_ok_and(|outcome| outcome.is_taken());
        if !is_taken && !world.config.zero_latency {
            webhook::repeat_in_background(world, id);
        }
        return;
    }
    if !world.config.zero_latency {
        let usual = if model.is_slow() { VIDEOS_TAKE } else { PICTURES_TAKE };
        let after = mood.finish_ms.map_or(usual, Duration::from_millis);
        webhook::end_later(world, id, after);
    }
}

fn look(world: &Arc<World>, app: &str, id: &str, logs: bool) -> Response {
    let looked = world.fal.of_app(app, id, |job| {
        let phase = job.progress.look(0);
        tell_the_end(world, job);
        let code = if phase == Phase::Done { 200 } else { 202 };
        named(reply::json(code, &status(world, job, app, id, phase, logs)), id)
    });
    looked.unwrap_or_else(unknown_request)
}

/// A job that ends because somebody looked at it sends its webhook too.
fn tell_the_end(world: &Arc<World>, job: &mut Job) {
    if !world.config.zero_latency && job.owes_webhook() {
        webhook::send_in_background(world, job.id());
    }
}

fn watch(world: &Arc<World>, app: &str, id: &str, logs: bool, pace_ms: u64) -> Response {
    let watched = world.fal.of_app(app, id, |job| {
        let mut script = Script::new(pace_ms);
        for _ in 0..STREAMED_STATUSES_MAX {
            let phase = job.progress.look(0);
            script.frame(&format!("data: {}\n\n", status(world, job, app, id, phase, logs)));
            if phase == Phase::Done {
                break;
            }
        }
        tell_the_end(world, job);
        script.into_response("text/event-stream")
    });
    watched.unwrap_or_else(unknown_request)
}

fn fetch(world: &World, app: &str, id: &str) -> Response {
    let fetched = world.fal.of_app(app, id, |job| match job.progress.peek() {
        Phase::Done if job.answer_504_once() => refusal(504),
        Phase::Done => result::of(world, job),
        phase => reply::json(202, &status(world, job, app, id, phase, false)),
    });
    fetched.map_or_else(unknown_request, |response| named(response, id))
}

fn cancel(world: &World, app: &str, id: &str) -> Response {
    let cancelled = world.fal.of_app(app, id, |job| match job.progress.peek() {
        Phase::Done => reply::json(400, &json!({ "status": "ALREADY_COMPLETED" })),
        phase => {
            // A running job is only asked to stop, and this one does not listen.
            if phase == Phase::Waiting {
                job.cancel();
            }
            reply::json(202, &json!({ "status": "CANCELLATION_REQUESTED" }))
        }
    });
    cancelled.unwrap_or_else(|| reply::json(404, &json!({ "status": "NOT_FOUND" })))
}

fn status(world: &World, job: &Job, app: &str, id: &str, phase: Phase, logs: bool) -> Value {
    let mut body = addresses(world, app, id);
    body["logs"] = if logs { job.logs(phase) } else { Value::Null };
    match phase {
        Phase::Waiting => {
            body["status"] = Value::from("IN_QUEUE");
            body["queue_position"] = Value::from(job.progress.ahead());
        }
        Phase::Running => body["status"] = Value::from("IN_PROGRESS"),
        Phase::Done => {
            body["status"] = Value::from("COMPLETED");
            body["metrics"] = json!({ "inference_time": 1.2 });
            let cancelled = job.is_cancelled();
            body["error"] = if cancelled { Value::from("Request was cancelled") } else { Value::Null };
            body["error_type"] = if cancelled { Value::from("request_cancelled") } else { Value::Null };
        }
    }
    body
}

/// The three addresses: without the model's path, as at fal.
fn addresses(world: &World, app: &str, id: &str) -> Value {
    let request = world.url(Service::Fal, &format!("/{app}/requests/{id}"));
    json!({
        "request_id": id,
        "status_url": format!("{request}/status"),
        "cancel_url": format!("{request}/cancel"),
        "response_url": request,
    })
}

fn with_logs(call: &Call) -> bool {
    call.query().get("logs").is_some_and(|logs| logs == "1" || logs == "true")
}

fn named(response: Response, id: &str) -> Response {
    reply::with_header(response, "x-fal-request-id", id)
}

fn unknown_request() -> Response {
    request_error(404, "Request not found", None)
}

fn unknown_application(owner: &str, app: &str, path: &[&str]) -> Response {
    if Model::is_app(&format!("{owner}/{app}")) {
        return request_error(404, &format!("Path /{} not found", path.join("/")), None);
    }
    request_error(404, &format!("Application \"{app}\" not found"), None)
}

/// `{"detail": text, "error_type": …}`: the gateway's shape, as opposed to the model's list.
fn request_error(status: u16, detail: &str, error_type: Option<&str>) -> Response {
    let mut body = json!({ "detail": detail });
    let Some(error_type) = error_type else { return reply::json(status, &body) };
    body["error_type"] = Value::from(error_type);
    reply::with_header(reply::json(status, &body), "x-fal-error-type", error_type)
}
