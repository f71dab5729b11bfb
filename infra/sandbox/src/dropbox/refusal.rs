//! Dropbox's errors: unions with `.tag` and a summary, plain text for what it can't read.

use axum::response::Response;
use serde_json::{Value, json};

use crate::reply;

/// The error Dropbox gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        400 => reply::text(400, "Error in call to API function: Invalid arguments"),
        401 => token("invalid_access_token"),
        409 => conflict(&json!({ ".tag": "other" }), "other/"),
        429 => {
            let reason = json!({ "reason": { ".tag": "too_many_requests" }, "retry_after": 1 });
            let summary = "too_many_requests/..";
            let answer = reply::json(429, &json!({ "error_summary": summary, "error": reason }));
            reply::with_header(answer, "retry-after", "1")
        }
        // A page, and no JSON.
        500 | 503 => reply::html(
            status,
            "<!doctype html><title>Dropbox - 5xx</title><h1>Error</h1><p>Something went wrong. Don't worry, your files are still safe.</p>",
        ),
        _ => reply::text(status, "Unexpected error"),
    }
}

pub(super) fn token(tag: &str) -> Response {
    reply::json(401, &json!({ "error_summary": format!("{tag}/.."), "error": { ".tag": tag } }))
}

pub(super) fn scope(needed: &str) -> Response {
    let error = json!({ ".tag": "missing_scope", "required_scope": needed });
    reply::json(401, &json!({ "error_summary": "missing_scope/.", "error": error }))
}

/// The request itself is malformed; `why` says how.
pub(super) fn malformed(path: &[&str], why: &str) -> Response {
    reply::text(400, format!("Error in call to API function \"{}\": {why}", path.join("/")))
}

/// An error of the endpoint's own. Dropbox varies the dots behind a summary, so that no client compares all of it.
pub(super) fn conflict(error: &Value, summary: &str) -> Response {
    reply::json(409, &json!({ "error_summary": format!("{summary}..."), "error": error }))
}
