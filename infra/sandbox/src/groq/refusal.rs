//! Groq's errors, in OpenAI's shape.

use axum::response::Response;
use serde_json::{Value, json};

use crate::{ids, reply};

const INVALID_REQUEST: &str = "invalid_request_error";

/// The error Groq gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    let (message, kind, code) = match status {
        401 => ("Invalid API Key", INVALID_REQUEST, Some("invalid_api_key")),
        402 => (
            "Your organization has been restricted. Please update your billing details.",
            INVALID_REQUEST,
            None,
        ),
        403 => ("Access denied. Please check your network settings.", INVALID_REQUEST, None),
        404 => ("Unknown request URL. Please check the URL for typos.", INVALID_REQUEST, Some("unknown_url")),
        413 => ("Request Entity Too Large", INVALID_REQUEST, Some("request_too_large")),
        422 => ("The request could not be processed.", INVALID_REQUEST, None),
        429 => (
            "Rate limit reached for model `whisper-large-v3-turbo` in organization `org_sandbox` service tier \
             `on_demand` on seconds of audio per hour (ASPH): Limit 7200, Used 7200, Requested 10. Please try again \
             in 5s.",
            "seconds",
            Some("rate_limit_exceeded"),
        ),
        498 => (
            "Flex tier capacity exceeded for model `whisper-large-v3-turbo`. Please try again later.",
            "internal_server_error",
            Some("capacity_exceeded"),
        ),
        499 => ("Request was cancelled by the caller.", INVALID_REQUEST, None),
        503 => ("Service Unavailable", "internal_server_error", Some("service_unavailable")),
        _ => ("Internal Server Error", "internal_server_error", None),
    };
    error(status, message, kind, code)
}

/// A request that Groq does not take.
pub(super) fn bad_request(message: &str) -> Response {
    error(400, message, INVALID_REQUEST, None)
}

pub(super) fn bad_format() -> Response {
    let message = "file must be one of the following types: [flac mp3 mp4 mpeg mpga m4a ogg opus wav webm]";
    error(400, message, INVALID_REQUEST, Some("unsupported_audio_format"))
}

pub(super) fn unknown_model(model: &str) -> Response {
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    error(404, &message, INVALID_REQUEST, Some("model_not_found"))
}

/// `code` is absent where there is none.
fn error(status: u16, message: &str, kind: &str, code: Option<&str>) -> Response {
    let mut body = json!({ "error": { "message": message, "type": kind } });
    if let Some(code) = code {
        body["error"]["code"] = Value::from(code);
    }
    reply::with_header(reply::json(status, &body), "x-request-id", &ids::tagged("req_"))
}
