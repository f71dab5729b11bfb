//! Which pages may call, and what they may read of an answer.
//!
//! Answers tell it themselves. What a browser asks beforehand is answered by the gateway, in `template.yaml`, so that no
//! function is woken for it; the local run has [`preflights`] in its place, and `tests/it/front_door.rs` asks both.

use crate::Edge;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use platform::{InvalidSettings, Platform};

/// What an answer to a preflight tells every page, beside whether its origin may call (`allow`).
pub const PREFLIGHT_HEADERS: [(&str, &str); 4] = [
    (
        "access-control-allow-headers",
        "authorization,content-type,accept,idempotency-key,if-none-match,last-event-id,traceparent",
    ),
    ("access-control-allow-methods", "GET,POST,PATCH,DELETE"),
    // In seconds: two hours are the most that Chromium keeps one.
    ("access-control-max-age", "7200"),
    ("vary", "origin"),
];

/// The headers that a page of another origin may read beside those that browsers always show.
pub const EXPOSED_HEADERS: &str =
    "etag,x-request-id,x-run-id,retry-after,ratelimit-limit,ratelimit-remaining,ratelimit-reset";

/// Answers preflights of all paths of the router, in place of the gateway that does so in the cloud.
pub fn preflights(router: Router, platform: &Platform) -> Result<Router, InvalidSettings> {
    let edge = Edge::without_routes(platform)?;
    Ok(router.route_layer(from_fn_with_state(edge, answer_preflight)))
}

async fn answer_preflight(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    let mut response = Response::new(Body::empty());
    for (name, value) in PREFLIGHT_HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    allow(response.headers_mut(), allowed_origin(&edge, request.headers()));
    response
}

/// Lets pages of the allowed origins read the answer.
pub(crate) async fn tell_pages(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let origin = allowed_origin(&edge, request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    allow(headers, origin);
    response
}

/// The page's origin if it is one of the settings', compared exactly.
fn allowed_origin(edge: &Edge, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    edge.origins()?.contains(origin).then(|| origin.clone())
}

/// Allows credentials for one cookie: the one that binds a drive to the browser in which its link was begun. When a
/// page on another host of the same site makes the call, the browser keeps the cookie only if the answer allows
/// credentials. No cookie signs a person in.
fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
