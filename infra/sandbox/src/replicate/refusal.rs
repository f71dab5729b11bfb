//! Replicate's errors: `title`, `detail`, `status`, and which fields are wrong.

use axum::response::Response;
use serde_json::{Value, json};

use crate::reply;

/// The error Replicate gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => titled(401, "Unauthenticated", "You did not pass a valid authentication token"),
        402 => titled(
            402,
            "Insufficient credit",
            "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to \
             purchase credit.",
        ),
        403 => titled(403, "Forbidden", "You do not have permission to perform this action."),
        404 => bare(404, "The requested resource could not be found."),
        422 => version(),
        429 => bare(429, "Request was throttled. Your rate limit resets in ~30s."),
        503 => titled(
            503,
            "Service unavailable",
            "The service is temporarily unavailable. Please try again later.",
        ),
        _ => titled(status, "Internal server error", "There was an internal error. Please try again later."),
    }
}

/// Without any token.
pub(super) fn nobody() -> Response {
    titled(401, "Unauthenticated", "You did not pass an authentication token")
}

/// A version that nobody has, or a model that has none to be named by.
pub(super) fn version() -> Response {
    titled(
        422,
        "Invalid version or not permitted",
        "The specified version does not exist (or perhaps you don't have permission to use it?)",
    )
}

/// Fields of the request, or of the model's input, that are wrong.
pub(super) fn invalid(fields: &[Value]) -> Response {
    let detail: String = fields
        .iter()
        .map(|field| format!("- {}: {}\n", plain(&field["field"]), plain(&field["description"])))
        .collect();
    let body = json!({
        "title": "Input validation failed", "detail": detail, "status": 422, "invalid_fields": fields,
    });
    reply::json(422, &body)
}

/// One wrong field.
pub(super) fn field(kind: &str, field: &str, description: &str) -> Value {
    json!({ "type": kind, "field": field, "description": description })
}

fn titled(status: u16, title: &str, detail: &str) -> Response {
    reply::json(status, &json!({ "title": title, "detail": detail, "status": status }))
}

fn bare(status: u16, detail: &str) -> Response {
    reply::json(status, &json!({ "detail": detail, "status": status }))
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
