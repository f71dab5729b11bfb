use super::answer::Refusal;
use crate::moment;
use crate::template::Mock;
use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use std::collections::BTreeMap;

/// What the gateway answers without asking anybody.
pub(super) fn mocked(
    mock: &Mock,
    parts: &Parts,
    stage_variables: &BTreeMap<String, String>,
) -> Result<Response, Refusal> {
    if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind != "application/json") {
        return Err(Refusal::MediaType);
    }
    let parameter = |name: &str| parameter(parts, name);
    let own = [("content-type", "application/json".to_owned()), ("x-amzn-requestid", moment::uuid())];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(mock.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in own.into_iter().chain(mock.headers(&parameter, stage_variables)) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// As mapping templates find it: in the query, else among the headers, by the name as the client wrote it. Clients of HTTP/2
/// write small letters, those of HTTP/1.1 mostly capital ones; the server here has made them all small.
fn parameter(parts: &Parts, name: &str) -> String {
    let mut queries = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    if let Some((_, value)) = queries.find(|(key, _)| key == name) {
        return value.into_owned();
    }
    let is_written_so = name.chars().all(|letter| !letter.is_ascii_uppercase());
    let header = is_written_so.then(|| parts.headers.get(name)).flatten();
    header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
