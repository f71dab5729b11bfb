//! Google's errors: those of Drive, and those of tokens.

use axum::response::Response;
use serde_json::{Value, json};

use crate::reply;

/// The error Google gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        400 => error(400, "global", "badRequest", "Bad Request"),
        401 => unauthenticated(),
        403 => error(403, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded"),
        404 => error(404, "global", "notFound", "Not Found"),
        429 => error(429, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
        503 => error(503, "global", "backendError", "Transient failure"),
        _ => error(status, "global", "internalError", "Internal Error"),
    }
}

fn unauthenticated() -> Response {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                   valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
    let inner = json!([{
        "message": "Invalid Credentials", "domain": "global", "reason": "authError",
        "location": "Authorization", "locationType": "header",
    }]);
    let body =
        json!({ "error": { "code": 401, "message": message, "errors": inner, "status": "UNAUTHENTICATED" } });
    reply::json(401, &body)
}

pub(super) fn scope() -> Response {
    let message = "Request had insufficient authentication scopes.";
    let inner = json!([{ "message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions" }]);
    let body = json!({ "error": { "code": 403, "message": message, "errors": inner, "status": "PERMISSION_DENIED" } });
    reply::json(403, &body)
}

pub(super) fn no_file(id: &str) -> Response {
    let message = format!("File not found: {id}.");
    let inner = json!({
        "message": message, "domain": "global", "reason": "notFound", "location": "fileId",
        "locationType": "parameter",
    });
    with_inner(404, &message, &inner)
}

/// A parameter that can't be read.
pub(super) fn invalid(parameter: &str) -> Response {
    let inner = json!({
        "message": "Invalid Value", "domain": "global", "reason": "invalid", "location": parameter,
        "locationType": "parameter",
    });
    with_inner(400, "Invalid Value", &inner)
}

pub(super) fn taken() -> Response {
    error(409, "global", "fileIdInUse", "A file already exists with the provided ID.")
}

pub(super) fn not_generated() -> Response {
    error(400, "global", "invalid", "The provided file ID is not usable.")
}

pub(super) fn full() -> Response {
    error(403, "usageLimits", "storageQuotaExceeded", "The user's Drive storage quota has been exceeded.")
}

fn error(code: u16, domain: &str, reason: &str, message: &str) -> Response {
    with_inner(code, message, &json!({ "message": message, "domain": domain, "reason": reason }))
}

fn with_inner(code: u16, message: &str, inner: &Value) -> Response {
    reply::json(code, &json!({ "error": { "code": code, "message": message, "errors": [inner] } }))
}

/// RFC 6749, section 5.2.
pub(super) fn token(status: u16, error: &str, description: &str) -> Response {
    reply::json(status, &json!({ "error": error, "error_description": description }))
}
