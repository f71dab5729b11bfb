//! DeepSeek: chat completions in OpenAI's shape, with thinking and the cache split.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod request;
mod wire;

use crate::call::Call;
use crate::door::Mood;
use crate::language::{Answer, play};
use crate::script::Script;
use crate::{DEEPSEEK_KEY, Fault, World, door, ids, reply};
use request::ChatRequest;
use wire::Completion;

/// The names of 2026; the older ones are retired.
pub(super) const MODELS: [&str; 2] = ["deepseek-v4-flash", "deepseek-v4-pro"];

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match call.credential("Bearer") {
        Some(DEEPSEEK_KEY) => {}
        Some(key) => return wrong_key(key),
        None => {
            let message = "Authentication Fails (auth header format should be Bearer sk-...)";
            return error(401, message, "authentication_error", "invalid_request_error");
        }
    }
    let mut segments = call.segments();
    if segments.first() == Some(&"v1") {
        segments.remove(0);
    }
    match (&call.method, segments.as_slice()) {
        (&Method::POST, ["chat", "completions"]) => chat(world, call, mood),
        _ if mood.fault == Some(Fault::WrongShape) => reply::json(200, &door::wrong_shape()),
        (&Method::GET, ["models"]) => reply::json(200, &models()),
        (&Method::GET, ["user", "balance"]) => reply::json(200, &balance()),
        _ => error(404, "Not Found", "invalid_request_error", "invalid_request_error"),
    }
}

/// DeepSeek's words for a status.
pub(crate) fn refusal(status: u16) -> Response {
    let (message, kind, code) = match status {
        401 => return wrong_key(DEEPSEEK_KEY),
        402 => ("Insufficient Balance", "unknown_error", "invalid_request_error"),
        429 => ("Rate limit reached for requests", "rate_limit_error", "rate_limit_reached"),
        503 => {
            ("Service is too busy. Please retry later.", "service_unavailable_error", "service_unavailable")
        }
        500.. => ("Internal Server Error", "server_error", "internal_error"),
        _ => ("Invalid request", "invalid_request_error", "invalid_request_error"),
    };
    error(status, message, kind, code)
}

fn chat(world: &World, call: &Call, mood: &Mood) -> Response {
    let request = match ChatRequest::read(&call.body) {
        Ok(request) => request,
        Err((status, message)) => {
            return error(status, &message, "invalid_request_error", "invalid_request_error");
        }
    };
    let answer = Answer::to(&request.question(), mood.fault.as_ref());
    let completion =
        Completion { id: ids::uuid(), created: world.now(), model: request.model, answer: &answer };
    match (request.stream, &mood.fault) {
        (true, fault) => play(&completion.frames(), fault.as_ref(), mood.pace_ms),
        (false, Some(Fault::WrongShape)) => reply::json(200, &door::wrong_shape()),
        (false, fault) => whole(&completion.json(), fault.as_ref(), mood.pace_ms),
    }
}

/// A plain call waits with empty lines before the JSON; its connection can be cut there as well.
fn whole(body: &Value, fault: Option<&Fault>, pace_ms: u64) -> Response {
    let body = match fault {
        Some(Fault::ErrorFrame { .. }) => {
            error_json("Internal Server Error", "server_error", "internal_error")
        }
        _ => body.clone(),
    };
    let mut script = Script::new(pace_ms);
    script.frame("\n");
    match fault {
        Some(Fault::CutStream { .. }) => script.abort(),
        Some(Fault::EndEarly { .. }) => {}
        Some(Fault::Stall { ms, .. }) => {
            script.pause(std::time::Duration::from_millis(*ms));
            script.write(body.to_string().as_bytes());
        }
        _ => script.write(body.to_string().as_bytes()),
    }
    script.into_response("application/json")
}

fn models() -> Value {
    let data = MODELS.map(|id| json!({ "id": id, "object": "model", "owned_by": "deepseek" }));
    json!({ "object": "list", "data": data })
}

fn balance() -> Value {
    json!({
        "is_available": true,
        "balance_infos": [{
            "currency": "USD", "total_balance": "42.00",
            "granted_balance": "0.00", "topped_up_balance": "42.00",
        }],
    })
}

fn wrong_key(key: &str) -> Response {
    let shown: String = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    let message = format!("Authentication Fails, Your api key: ****{shown} is invalid");
    error(401, &message, "authentication_error", "invalid_request_error")
}

fn error(status: u16, message: &str, kind: &str, code: &str) -> Response {
    reply::json(status, &error_json(message, kind, code))
}

fn error_json(message: &str, kind: &str, code: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}
