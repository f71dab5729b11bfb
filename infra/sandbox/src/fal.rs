//! fal: models behind a queue. Submit, look, fetch the result, cancel; files are public.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod file;
mod input;
mod job;
mod result;

use crate::call::Call;
use crate::door::Mood;
use crate::progress::Phase;
use crate::script::Script;
use crate::shelf::Shelf;
use crate::{FAL_KEY, Service, World, ids, reply};
use input::Model;
use job::Job;

/// A stream of statuses that does not finish is given up after this many.
const STREAMED_STATUSES_MAX: u32 = 1_000;

/// The jobs by request id.
#[derive(Default)]
pub(crate) struct Jobs {
    shelf: Mutex<Shelf<Job>>,
}

impl Jobs {
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().count()
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Job>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let segments = call.segments();
    if let (&Method::GET, ["files", name]) = (&call.method, segments.as_slice()) {
        return file::serve(world, name);
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
            Some(model) => submit(world, model, call, mood),
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

fn submit(world: &World, model: &'static Model, call: &Call, mood: &Mood) -> Response {
    let input = match call.json() {
        Ok(input) => input,
        Err(error) => return request_error(422, &format!("Invalid JSON body: {error}"), None),
    };
    let id = ids::uuid();
    let job = Job::new(model, &input, mood.fault.as_ref(), world.config.zero_latency);
    let mut answer = addresses(world, model.app, &id);
    answer["status"] = Value::from("IN_QUEUE");
    answer["queue_position"] = Value::from(0);
    if call.query().contains_key("fal_webhook") {
        answer["gateway_request_id"] = Value::from(id.as_str());
    }
    world.fal.lock().put(id.clone(), job);
    named(reply::json(200, &answer), &id)
}

fn look(world: &World, app: &str, id: &str, logs: bool) -> Response {
    let mut shelf = world.fal.lock();
    let Some(job) = shelf.get_mut(id).filter(|job| job.is_of(app)) else { return unknown_request() };
    let phase = job.progress.look(0);
    let code = if phase == Phase::Done { 200 } else { 202 };
    named(reply::json(code, &status(world, job, app, id, phase, logs)), id)
}

fn watch(world: &World, app: &str, id: &str, logs: bool, pace_ms: u64) -> Response {
    let mut shelf = world.fal.lock();
    let Some(job) = shelf.get_mut(id).filter(|job| job.is_of(app)) else { return unknown_request() };
    let mut script = Script::new(pace_ms);
    for _ in 0..STREAMED_STATUSES_MAX {
        let phase = job.progress.look(0);
        script.frame(&format!("data: {}\n\n", status(world, job, app, id, phase, logs)));
        if phase == Phase::Done {
            break;
        }
    }
    script.into_response("text/event-stream")
}

fn fetch(world: &World, app: &str, id: &str) -> Response {
    let mut shelf = world.fal.lock();
    let Some(job) = shelf.get_mut(id).filter(|job| job.is_of(app)) else { return unknown_request() };
    let response = match job.progress.peek() {
        Phase::Done if job.answer_504_once() => refusal(504),
        Phase::Done => result::of(world, job),
        phase => reply::json(202, &status(world, job, app, id, phase, false)),
    };
    named(response, id)
}

fn cancel(world: &World, app: &str, id: &str) -> Response {
    let mut shelf = world.fal.lock();
    let Some(job) = shelf.get_mut(id).filter(|job| job.is_of(app)) else {
        return reply::json(404, &json!({ "status": "NOT_FOUND" }));
    };
    match job.progress.peek() {
        Phase::Done => reply::json(400, &json!({ "status": "ALREADY_COMPLETED" })),
        phase => {
            // A running job is only asked to stop, and this one does not listen.
            if phase == Phase::Waiting {
                job.cancel();
            }
            reply::json(202, &json!({ "status": "CANCELLATION_REQUESTED" }))
        }
    }
}

fn status(world: &World, job: &Job, app: &str, id: &str, phase: Phase, logs: bool) -> Value {
    let mut body = addresses(world, app, id);
    body["logs"] = if logs { job.logs(phase) } else { Value::Null };
    match phase {
        Phase::Waiting => {
            body["status"] = Value::from("IN_QUEUE");
            body["queue_position"] = Value::from(0);
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
