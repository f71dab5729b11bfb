//! Errors, in the three voices of this service: proxy, server, workflow check.

use axum::response::Response;
use serde_json::{Value, json};

use crate::reply;

/// The proxy's page, or the server's text for a 500.
pub(crate) fn by_status(status: u16) -> Response {
    match status {
        401 => reply::with_header(reply::proxy_page(401), "www-authenticate", "Bearer"),
        500 => server_trouble(),
        _ => reply::proxy_page(status),
    }
}

/// What the server says when a handler fails, for instance over malformed JSON.
pub(super) fn server_trouble() -> Response {
    reply::text(500, "500 Internal Server Error\n\nServer got itself in trouble")
}

/// 400 with the reason in `error`, and by node in `node_errors`.
pub(super) fn invalid(error: &Value, node_errors: &Value) -> Response {
    reply::json(400, &json!({ "error": error, "node_errors": node_errors }))
}

/// One reason; `details` names the place.
pub(super) fn reason(kind: &str, message: &str, details: &str, extra: Value) -> Value {
    json!({ "type": kind, "message": message, "details": details, "extra_info": extra })
}
