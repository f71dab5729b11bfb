//! The server's errors: an object with a code, but a bare string where its check of the key speaks.

use axum::response::Response;
use serde_json::{Value, json};

use crate::reply;

/// The error the server gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => {
            let response = reply::json(401, &json!({ "error": "Invalid or missing API key" }));
            reply::with_header(response, "www-authenticate", "Bearer")
        }
        413 => error(413, "Upload too large: 26.0MB exceeds limit of 25MB"),
        500 => error(500, "Synthesis failed: CUDA out of memory. Tried to allocate 2.00 GiB"),
        503 => error(503, "Model is still loading"),
        504 => error(504, "Synthesis timed out after 120s"),
        _ => error(status, "Request failed"),
    }
}

/// `{"error": {"code", "message"}}`, the code by the status.
pub(super) fn error(status: u16, message: &str) -> Response {
    reply::json(status, &json!({ "error": { "code": code(status), "message": message } }))
}

/// What is wrong with the fields, in pydantic's words.
pub(super) fn invalid(wrong: &[Value]) -> Response {
    let error = json!({ "code": code(422), "message": "Request validation failed", "detail": wrong });
    reply::json(422, &json!({ "error": error }))
}

fn code(status: u16) -> String {
    let known = match status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        413 => "payload_too_large",
        422 => "validation_error",
        500 => "inference_failed",
        503 => "model_not_ready",
        504 => "timeout",
        _ => return format!("http_{status}"),
    };
    known.to_owned()
}
