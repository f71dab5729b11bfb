use crate::{ApiError, Unreadable};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use primitives::{Secret, times};
use serde_json::Value;
use std::time::Duration;
use url::form_urlencoded;

/// 200 rows take a tenth of it.
const LENGTH_MAX: usize = 4 * 1024 * 1024;

pub(super) fn address(base_url: &str, path: &str, query: &[(&str, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{}{path}?{query}", base_url.trim_end_matches('/'))
}

/// One try. An overloaded indexer says so with any of three statuses (TronGrid blocks for 30 s with a 403 or 503).
pub(super) async fn get(
    http: &reqwest::Client,
    url: String,
    api_key: Option<&Secret>,
) -> Result<Value, ApiError> {
    let mut request = http.get(url).timeout(times::VENDOR_CALL.limit);
    if let Some(key) = api_key {
        request = request.header("tron-pro-api-key", header_value(key)?);
    }
    let answer = request.send().await.map_err(unreachable)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => {
            return Err(ApiError::TooFast { retry_after: retry_after(&answer) });
        }
        status => return Err(ApiError::Status { status: status.as_u16() }),
    }
    serde_json::from_slice(&body(answer).await?).map_err(|_| ApiError::Unreadable(Unreadable("body")))
}

fn header_value(key: &Secret) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::from_str(key.expose())
        .map_err(|_| ApiError::Unreadable(Unreadable("tron-pro-api-key")))?;
    value.set_sensitive(true);
    Ok(value)
}

fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}

async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > LENGTH_MAX {
            return Err(ApiError::Unreadable(Unreadable("body")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address names our wallet, which is nothing for a log.
fn unreachable(error: reqwest::Error) -> ApiError {
    ApiError::Unreachable(error.without_url())
}
