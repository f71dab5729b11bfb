//! A problem as the response to a request: status, headers, `application/problem+json`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use problems::{Problem, ProblemCode, RequestLimit};

/// Names the run that an answer is about, whatever its body is.
pub const RUN_ID: HeaderName = HeaderName::from_static("x-run-id");

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// How a handler, or an extractor, says that it did not do what it was asked. Made of a [`Problem`] by `?`.
#[derive(Debug, Clone)]
pub struct ProblemResponse(Problem);

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> ProblemResponse {
        ProblemResponse(problem)
    }
}

impl From<ProblemCode> for ProblemResponse {
    fn from(code: ProblemCode) -> ProblemResponse {
        ProblemResponse(code.into())
    }
}

impl From<ProblemResponse> for Problem {
    fn from(response: ProblemResponse) -> Problem {
        response.0
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let ProblemResponse(problem) = self;
        let mut response = Response::new(Body::from(problem.document().to_string()));
        *response.status_mut() = status(problem.code());
        *response.headers_mut() = headers(&problem);
        // `finish` finds it there, adds the request id and renders again.
        response.extensions_mut().insert(problem);
        response
    }
}

fn status(code: ProblemCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn headers(problem: &Problem) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    if let Some(language) = problem.language() {
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    }
    let challenge = match problem.code() {
        ProblemCode::Unauthenticated => Some("Bearer"),
        ProblemCode::WebhookRefused => Some("Signature"),
        _ => None,
    };
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(run) = problem.run_id().and_then(|run| run.parse().ok()) {
        headers.insert(RUN_ID, run);
    }
    if let Some(seconds) = problem.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(limit) = problem.limit() {
        add_limit(&mut headers, limit);
    }
    headers
}

fn add_limit(headers: &mut HeaderMap, limit: RequestLimit) {
    let mut add = |name, value| headers.insert(HeaderName::from_static(name), value);
    add("ratelimit-limit", HeaderValue::from(limit.per_minute_max));
    add("ratelimit-remaining", HeaderValue::from(0));
    add("ratelimit-reset", HeaderValue::from(limit.reset_in.as_secs()));
}

/// The answer of what knows no problems (a router, an extractor of axum), as one of ours.
pub(crate) fn problem_of_status(status: StatusCode) -> Option<Problem> {
    let code = match status {
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        StatusCode::UNPROCESSABLE_ENTITY => ProblemCode::InvalidInput,
        StatusCode::BAD_REQUEST => ProblemCode::InvalidRequest,
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthenticated,
        StatusCode::INTERNAL_SERVER_ERROR => ProblemCode::Internal,
        _ => return None,
    };
    Some(Problem::new(code))
}
