//! Anthropic: the Messages API.

use axum::response::Response;
use http::Method;
use serde_json::json;

mod request;
mod wire;

use crate::call::Call;
use crate::door::Mood;
use crate::language::{Answer, play};
use crate::script::Script;
use crate::{ANTHROPIC_KEY, Fault, World, door, ids, reply};
use request::MessageRequest;
use wire::Message;

pub(crate) fn answer(_world: &World, call: &Call, mood: &Mood) -> Response {
    // The documentation names `x-api-key`; the vendor's own client sends its key as a bearer since 2.x.
    match call.header("x-api-key").or_else(|| call.credential("Bearer")) {
        Some(ANTHROPIC_KEY) => {}
        Some(_) => return refusal(401),
        None => return error(401, "authentication_error", "x-api-key header is required"),
    }
    if call.header("anthropic-version").is_none() {
        return error(400, "invalid_request_error", "anthropic-version: header is required");
    }
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["v1", "messages"]) => message(call, mood),
        _ => refusal(404),
    }
}

/// Anthropic's type and words for a status.
pub(crate) fn refusal(status: u16) -> Response {
    let (kind, message) = match status {
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "Your credit balance is too low to access the Anthropic API."),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", "Not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your organization's rate limit."),
        504 => ("timeout_error", "Request timed out"),
        529 => ("overloaded_error", "Overloaded"),
        500.. => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "Invalid request"),
    };
    error(status, kind, message)
}

fn message(call: &Call, mood: &Mood) -> Response {
    let request = match MessageRequest::read(&call.body) {
        Ok(request) => request,
        Err(refused) => return error(refused.status, refused.kind, &refused.message),
    };
    let answer = Answer::to(&request.question(), mood.fault.as_ref());
    let message = Message { id: ids::tagged("msg_"), model: &request.model, answer: &answer };
    let response = if request.stream {
        play(&message.frames(), mood.fault.as_ref(), mood.pace_ms)
    } else {
        whole(&message, mood)
    };
    reply::with_header(response, "request-id", &ids::tagged("req_"))
}

fn whole(message: &Message<'_>, mood: &Mood) -> Response {
    let mut script = Script::new(0);
    match &mood.fault {
        Some(Fault::WrongShape) => return reply::json(200, &door::wrong_shape()),
        Some(Fault::ErrorFrame { .. }) => return refusal(529),
        Some(Fault::CutStream { .. }) => {
            script.write(b"{\"id\":");
            script.abort();
        }
        Some(Fault::EndEarly { .. }) => script.write(b"{\"id\":"),
        Some(Fault::Stall { ms, .. }) => {
            script.pause(std::time::Duration::from_millis(*ms));
            script.write(message.json().to_string().as_bytes());
        }
        _ => return reply::json(200, &message.json()),
    }
    script.into_response("application/json")
}

fn error(status: u16, kind: &str, message: &str) -> Response {
    let id = ids::tagged("req_");
    let body = json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": id });
    reply::with_header(reply::json(status, &body), "request-id", &id)
}
