use platform::Platform;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// The largest JSON answer that is read; a queue full of other people's workflows is the largest we know.
const JSON_MAX: usize = 4 * 1024 * 1024;

/// Why there is no answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// No connection: the request surely never left us.
    NotSent,
    /// The connection was lost or the time is up: it may have been received.
    MaybeSent,
}

/// Why an answer could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    Cut,
    TooLarge,
}

/// Sends `request` and waits until `limit` for the head of the answer.
pub(crate) async fn send(
    platform: &Platform,
    request: Request,
    limit: Instant,
) -> Result<Response, Unanswered> {
    match timeout_at(limit, platform.http().execute(request)).await {
        Ok(Ok(response)) => Ok(response),
        // The client connects before it writes, and repeats by itself only what was never written.
        Ok(Err(error)) if error.is_connect() || error.is_builder() => Err(Unanswered::NotSent),
        Ok(Err(_)) | Err(_) => Err(Unanswered::MaybeSent),
    }
}

/// Reads the whole body, at most `max` bytes of it.
pub(crate) async fn body(mut response: Response, max: usize, limit: Instant) -> Result<Vec<u8>, Unread> {
    let announced = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if announced > max {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::with_capacity(announced);
    loop {
        match timeout_at(limit, response.chunk()).await {
            Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() > max => return Err(Unread::TooLarge),
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(bytes),
            Ok(Err(_)) | Err(_) => return Err(Unread::Cut),
        }
    }
}

/// Reads a JSON answer; `None` when it is cut or not what the provider documents.
pub(crate) async fn json<T: DeserializeOwned>(response: Response, limit: Instant) -> Option<T> {
    let bytes = body(response, JSON_MAX, limit).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub(crate) fn get(url: Url, headers: &HeaderMap) -> Request {
    let mut request = Request::new(Method::GET, url);
    request.headers_mut().clone_from(headers);
    request
}

pub(crate) fn post(url: Url, headers: &HeaderMap, body: &impl Serialize) -> Request {
    let mut request = Request::new(Method::POST, url);
    request.headers_mut().clone_from(headers);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Our bodies are structs of texts and numbers: writing them can't fail.
    *request.body_mut() = Some(serde_json::to_vec(body).unwrap_or_default().into());
    request
}

/// A header as text; provider ids are cut so that nobody can grow our tables with them.
pub(crate) fn header_id(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).and_then(plain_id)
}

pub(crate) fn plain_id(text: &str) -> Option<String> {
    let is_plain = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_plain.then(|| text.to_owned())
}
