//! What every answer of every function has in common, put around a function's routes.

use crate::cors::tell_pages;
use crate::etag::spare_known;
use crate::in_time::in_time;
use crate::request_id::RequestId;
use crate::response::problem_of_status;
use crate::{Edge, Problem, ProblemResponse};
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::Limited;
use platform::{InvalidSettings, Platform};
use primitives::{Language, TraceId, Unit};
use problems::wanted_language;
use std::time::Instant;
use tracing::Instrument;

/// Gives a merged router one answer for all other addresses. Without it the router merged last answers them,
/// which is a problem document too, but without CORS if that one is for webhooks.
pub fn fallback(router: Router, platform: &Platform) -> Result<Router, InvalidSettings> {
    Ok(router.fallback_service(surrounded(Router::new(), &Edge::without_routes(platform)?)))
}

/// What every answer has, also where there is no route.
pub(crate) fn surrounded(router: Router, edge: &Edge) -> Router {
    let limited = router
        .layer(from_fn(spare_known))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(edge.clone(), limit_body));
    let for_pages = match edge.origins() {
        Some(_) => limited.layer(from_fn_with_state(edge.clone(), tell_pages)),
        None => limited,
    };
    for_pages.layer(from_fn_with_state(edge.clone(), name_and_complete))
}

/// The outermost step: name the request, log it, and give the answer its last form.
async fn name_and_complete(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let id = RequestId::mint(edge.platform().now(), request.extensions().get::<TraceId>().cloned());
    let wish = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = wanted_language(wish.unwrap_or_default());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(language);
    let method = request.method().clone();
    // Never the path itself: ids, and whatever people paste, would enter the log.
    let path = request.extensions().get::<MatchedPath>().map_or("(no route)", MatchedPath::as_str).to_owned();
    let trace_id = id.trace().map(TraceId::as_str);
    let span = tracing::info_span!("request", request_id = %id, trace_id, %method, path);
    let begun = Instant::now();
    async {
        let unit = edge.platform().profile().unit;
        let response = completed(next.run(request).await, &id, language, unit);
        let (status, duration_ms) = (response.status().as_u16(), begun.elapsed().as_millis());
        tracing::info!(status, duration_ms, "{method} {path} was answered with {status}");
        response
    }
    .instrument(span)
    .await
}

fn completed(mut response: Response, id: &RequestId, language: Language, unit: Unit) -> Response {
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| bare_problem(&response));
    if let Some(problem) = problem {
        let problem = id.name(problem).told(language, unit);
        let (parts, body) = ProblemResponse::from(problem).into_response().into_parts();
        *response.body_mut() = body;
        *response.status_mut() = parts.status;
        response.headers_mut().remove(CONTENT_LENGTH);
        for (name, value) in &parts.headers {
            response.headers_mut().insert(name, value.clone());
        }
    }
    secure(response.headers_mut(), id);
    response
}

/// Routers and axum's extractors refuse with an empty or a plain text.
fn bare_problem(response: &Response) -> Option<Problem> {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| !kind.starts_with(b"text/plain")) {
        return None;
    }
    problem_of_status(response.status())
}

fn secure(headers: &mut HeaderMap, id: &RequestId) {
    const ALWAYS: [(&str, &str); 3] = [
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("referrer-policy", "no-referrer"),
    ];
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry("content-security-policy").or_insert(policy);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", id);
    }
}

/// A body that says it is too long is not read; one that turns out to be breaks off. Both are refused where the handler
/// asks for the body, which is after it was decided whether the caller may send any.
async fn limit_body(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let max = edge.body_bytes_max();
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok());
    let is_too_long = announced.is_some_and(|length| length > max as u64);
    next.run(
        request.map(|body| if is_too_long { too_long_body() } else { Body::new(Limited::new(body, max)) }),
    )
    .await
}

/// Says that it is too long to everybody who reads it.
fn too_long_body() -> Body {
    Body::new(Limited::new(Body::from("x"), 0))
}
