//! Whether the caller has the answer already: `ETag` and `If-None-Match` (RFC 9110).
//!
//! Every JSON document that a `GET` answers with has a tag, so a page that polls compares nothing itself. A tag is of the
//! body, so the same run in another language, or with links that were signed anew, has another one.

use crate::{ProblemCode, ProblemResponse};
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ring::digest::{SHA256, digest};

/// Of the hash; two bodies that differ do not share so many.
const BYTES_KEPT: usize = 16;

/// Gives a document its tag, and answers 304 in place of one that the caller names. All other headers stay, so that 304
/// too says when to look again, and which run it is about.
pub(crate) async fn spare_known(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known: Vec<HeaderValue> = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect();
    let response = next.run(request).await;
    if is_get && is_document(&response) { tagged(response, &known).await } else { response }
}

/// A whole body in memory: neither a stream nor a picture.
fn is_document(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    response.status() == StatusCode::OK
        && kind == Some(b"application/json")
        && response.body().size_hint().exact().is_some_and(|bytes| bytes > 0)
}

async fn tagged(response: Response, known: &[HeaderValue]) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        tracing::error!("a body in memory could not be read");
        return ProblemResponse::from(ProblemCode::Internal).into_response();
    };
    let tag = tag(&body);
    let is_known = known.iter().any(|header| names(header, &tag));
    insert(&mut parts.headers, &tag);
    if !is_known {
        return Response::from_parts(parts, Body::from(body));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

fn tag(body: &[u8]) -> String {
    let hash = digest(&SHA256, body);
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..BYTES_KEPT]))
}

fn insert(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
}

/// `"a"`, `W/"a"` (a proxy may have weakened it), several of them, or `*`. No tag of ours has a comma.
fn names(header: &HeaderValue, tag: &str) -> bool {
    let names = header.to_str().unwrap_or_default().split(',').map(str::trim);
    names.into_iter().any(|name| name == "*" || name.strip_prefix("W/").unwrap_or(name) == tag)
}
