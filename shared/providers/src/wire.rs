use crate::lenient;
use platform::Platform;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// The largest JSON answer that is read; a queue full of other people's workflows is the largest we know.
const JSON_MAX: usize = 4 * 1024 * 1024;

/// Longer than any body takes.
const BUDGET: Duration = Duration::from_secs(3600);

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
pub(crate) async fn body(response: Response, max: usize, limit: Instant) -> Result<Vec<u8>, Unread> {
    body_within(response, max, BUDGET, limit).await
}

/// Reads the whole body; it must be over at `limit`, and never stand still for longer than `gap`.
pub(crate) async fn body_within(
    mut response: Response,
    max: usize,
    gap: Duration,
    limit: Instant,
) -> Result<Vec<u8>, Unread> {
    let announced = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if announced > max {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::with_capacity(announced);
    loop {
        match timeout_at(limit.min(Instant::now() + gap), response.chunk()).await {
            Ok(Ok(Some(chunk))) if bytes.len() + chunk.len() > max => return Err(Unread::TooLarge),
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(bytes),
            Ok(Err(_)) | Err(_) => return Err(Unread::Cut),
        }
    }
}

/// Reads a JSON answer; `None` when it is cut or no JSON.
pub(crate) async fn document(response: Response, limit: Instant) -> Option<Value> {
    let bytes = body(response, JSON_MAX, limit).await.ok()?;
    lenient::document(&bytes)
}

/// Reads a JSON answer of a certain shape; `None` when it is cut or has another.
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

/// A header that names a request at the provider.
pub(crate) fn header_id(headers: &HeaderMap, name: &str) -> Option<String> {
    plain_id(headers.get(name)?.to_str().ok()?)
}

/// A provider's name for a request, fit for tables, logs and pages: only letters, digits and `-_.:` of it, and not
/// more than any known provider's id has.
pub(crate) fn plain_id(text: &str) -> Option<String> {
    const ID_MAX: usize = 64;
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let id: String = text.chars().filter(is_plain).take(ID_MAX).collect();
    (!id.is_empty()).then_some(id)
}

/// A decimal number in a header, as it was written.
pub(crate) fn header_decimal(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let is_decimal = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_decimal.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cleaned_and_bounded() {
        let long = "a".repeat(200);
        let table = [
            ("req-1_a.b:c", Some("req-1_a.b:c")),
            ("<script>alert(1)</script>", Some("scriptalert1script")),
            ("a b\r\nset-cookie: x", Some("abset-cookie:x")),
            ("ả🌊", None),
            ("", None),
            (long.as_str(), Some(&long[..64])),
        ];
        for (text, expected) in table {
            assert_eq!(plain_id(text).as_deref(), expected, "{text}");
        }
    }
}
