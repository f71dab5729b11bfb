//! Apify's errors: a type to decide by and a message to read.

use axum::response::Response;
use serde_json::json;

use crate::reply;

/// The error Apify gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        400 => invalid("Input is not valid"),
        401 => {
            error(401, "user-or-token-not-found", "User was not found or authentication token is not valid")
        }
        402 => error(
            402,
            "not-enough-usage-to-run-paid-actor",
            "By launching this job you will exceed your remaining usage. Please consider an upgrade to a higher plan.",
        ),
        403 => error(403, "insufficient-permissions", "Insufficient permissions for the Actor."),
        404 => error(404, "record-not-found", "Record was not found"),
        405 => {
            error(405, "method-not-allowed", "This API end-point can only be accessed using other methods")
        }
        408 => timed_out(),
        429 => error(429, "rate-limit-exceeded", "You have exceeded the rate limit. Please try again later."),
        503 => error(503, "service-unavailable", "The service is temporarily unavailable"),
        _ => error(status, "internal-server-error", "Internal server error"),
    }
}

pub(super) fn nobody() -> Response {
    error(401, "token-not-provided", "Authentication token was not provided")
}

pub(super) fn no_actor() -> Response {
    error(404, "actor-not-found", "Actor was not found")
}

pub(super) fn page() -> Response {
    error(404, "page-not-found", "We have bad news: there is no API endpoint here")
}

pub(super) fn invalid(message: &str) -> Response {
    error(400, "invalid-input", message)
}

/// The run goes on, and costs.
pub(super) fn timed_out() -> Response {
    let message = "Actor run exceeded timeout of 300 seconds for this API endpoint";
    error(408, "run-timeout-exceeded", message)
}

pub(super) fn error(status: u16, kind: &str, message: &str) -> Response {
    reply::json(status, &json!({ "error": { "type": kind, "message": message } }))
}
