//! Small ways to answer.

use std::io;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// An answer in place of what a function was asked for; boxed, because answers are large and refusals rare.
pub(crate) type Refused = Box<Response>;

/// A JSON answer.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).unwrap_or_default();
    with_type(status, "application/json", text)
}

/// Plain text.
pub(crate) fn text(status: u16, body: impl Into<Body>) -> Response {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// An HTML page, as proxies and error pages send it.
pub(crate) fn html(status: u16, body: impl Into<Body>) -> Response {
    with_type(status, "text/html; charset=utf-8", body)
}

/// The bare page a proxy shows for a status.
pub(crate) fn proxy_page(status: u16) -> Response {
    let reason = status_code(status).canonical_reason().unwrap_or("Error");
    let title = format!("{status} {reason}");
    html(
        status,
        format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        ),
    )
}

/// A status without a body.
pub(crate) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status_code(status);
    response
}

/// Any body with its content type.
pub(crate) fn with_type(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status_code(status);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Adds a header whose value comes from data; a value that cannot be sent is left out.
pub(crate) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Closes the connection instead of answering.
///
/// The body fails at its first poll. hyper's HTTP/1 server has not written the head by then, so the client
/// sees the connection close without one byte; over HTTP/2 it sees a reset stream.
pub(crate) fn dropped() -> Response {
    Response::new(Body::from_stream(futures_util::stream::once(std::future::ready(aborted()))))
}

/// The error that makes the server abandon a body.
pub(crate) fn aborted() -> Result<Bytes, io::Error> {
    Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the sandbox cuts the connection"))
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
