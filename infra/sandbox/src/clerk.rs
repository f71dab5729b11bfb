//! Clerk: sign-in tokens, the key set, users, and the webhooks about them.

use axum::response::Response;
use http::Method;
use serde_json::json;

mod people;
mod svix;
mod token;
mod users;
mod webhook;

pub(crate) use people::{People, Person};
pub(crate) use svix::signature;
pub(crate) use token::fresh_token;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::{CLERK_SECRET_KEY, Fault, World, ids, reply};

/// The instance id of the sandbox; Clerk's key id is the same.
const INSTANCE: &str = "ins_sandbox";

/// Tokens and people are the sandbox's own controls, the rest is Clerk.
pub(crate) fn moment(call: &Call) -> Moment {
    match call.segments().as_slice() {
        ["people", _, "webhook"] => Moment::Delivery,
        ["token"] | ["people", ..] => Moment::Control,
        _ => Moment::Read,
    }
}

pub(crate) async fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, [".well-known", "jwks.json"]) => key_set(mood),
        (&Method::GET, ["v1", "jwks"]) => with_secret(call, || key_set(mood)),
        (&Method::GET, ["v1", "users", id]) => with_secret(call, || users::show(world, id)),
        (&Method::DELETE, ["v1", "users", id]) => with_secret(call, || users::delete(world, id)),
        (&Method::GET, ["token"]) => token::hand_out(world, call),
        (&Method::POST, ["people", person]) => people::configure(world, person, call),
        (&Method::POST, ["people", person, "webhook"]) => webhook::send(world, person, call, mood).await,
        (&Method::GET, ["people", person, "webhook-request"]) => webhook::show(world, person, call),
        _ => error(404, "resource_not_found", "not found"),
    }
}

/// The error Clerk gives with a status.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => invalid_key(),
        403 => error(403, "authorization_invalid", "Unauthorized request"),
        404 => error(404, "resource_not_found", "not found"),
        429 => error(429, "too_many_requests", "Too many requests. Please try again in a bit."),
        503 => error(503, "service_unavailable", "Service temporarily unavailable"),
        _ => error(status, "internal_clerk_error", "Oops, an unexpected error occurred"),
    }
}

fn key_set(mood: &Mood) -> Response {
    match mood.fault {
        Some(Fault::Empty) => reply::json(200, &json!({ "keys": [] })),
        _ => reply::json(200, token::key_set()),
    }
}

fn with_secret(call: &Call, answer: impl FnOnce() -> Response) -> Response {
    match call.credential("Bearer") {
        Some(CLERK_SECRET_KEY) => answer(),
        Some(_) => invalid_key(),
        None => error(
            401,
            "authorization_header_format_invalid",
            "Invalid Authorization header format. Must be \"Bearer <YOUR_API_KEY>\"",
        ),
    }
}

fn invalid_key() -> Response {
    let message =
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.";
    error(401, "clerk_key_invalid", message)
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let errors = json!([{ "message": message, "long_message": message, "code": code }]);
    reply::json(status, &json!({ "errors": errors, "clerk_trace_id": ids::tagged("") }))
}
