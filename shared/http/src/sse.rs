//! Server-sent events, as browsers' `EventSource` and our page read them.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{Stream, StreamExt};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use std::convert::Infallible;

/// `event: name`, one line of JSON, an empty line. JSON never holds a bare line break, so nothing can end early.
///
/// # Panics
/// When `content` has no JSON form, which only a hand-written `Serialize` can do.
pub fn event(name: &'static str, content: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(content).expect("an event's content has a JSON form");
    Bytes::from(format!("event: {name}\ndata: {json}\n\n"))
}

/// A comment: keeps proxies from closing a quiet stream.
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b": keep-alive\n\n")
}

/// The answer that carries the events, each sent as it comes.
pub fn response(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
