use crate::failure::{Again, Failure, FailureClass};
use crate::wire;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

const ERROR_BODY_MAX: usize = 64 * 1024;

/// The codes inside an error body, in OpenAI's or Anthropic's shape. Its message is for nobody.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorCodes {
    pub(crate) code: Option<String>,
    pub(crate) detail_code: Option<String>,
}

/// What a status means when the provider has no special case for it (`providers.md` §0.2).
pub(crate) fn class_of(status: StatusCode) -> FailureClass {
    match status.as_u16() {
        400 | 413 | 422 => FailureClass::BadInput,
        451 => FailureClass::ContentRejected,
        401 | 403 => FailureClass::Auth,
        402 => FailureClass::NoBalance,
        404 | 410 => FailureClass::ModelGone,
        429 | 529 => FailureClass::RateLimited,
        _ => FailureClass::Unavailable,
    }
}

/// The failure a refused request is: 429, 503 and 529 are said before any work, and may be asked again.
pub(crate) fn failure_of(status: StatusCode, headers: &HeaderMap) -> Failure {
    let again = match status.as_u16() {
        429 | 503 | 529 => retry_after(headers).map_or(Again::Soon, Again::After),
        _ => Again::Never,
    };
    Failure { again, ..Failure::new(class_of(status)) }
}

/// Whole seconds; the date form is not used by these providers.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads an error body for its codes only; an unreadable one has none.
pub(crate) async fn codes(response: Response, limit: Instant) -> ErrorCodes {
    let bytes = wire::body(response, ERROR_BODY_MAX, limit).await.unwrap_or_default();
    ErrorCodes::read(&bytes)
}

impl ErrorCodes {
    fn read(body: &[u8]) -> ErrorCodes {
        #[derive(Deserialize)]
        struct Body {
            error: Problem,
        }
        #[derive(Deserialize)]
        struct Problem {
            #[serde(default)]
            code: serde_json::Value,
            #[serde(default)]
            details: serde_json::Value,
        }
        let Ok(Body { error }) = serde_json::from_slice::<Body>(body) else { return ErrorCodes::default() };
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        ErrorCodes { code: text(&error.code), detail_code: text(&error.details["error_code"]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_class_and_only_refusals_are_repeated() {
        let table = [
            (400, "bad_input", false),
            (401, "auth", false),
            (402, "no_balance", false),
            (403, "auth", false),
            (404, "model_gone", false),
            (408, "unavailable", false),
            (413, "bad_input", false),
            (422, "bad_input", false),
            (429, "rate_limited", true),
            (500, "unavailable", false),
            (502, "unavailable", false),
            (503, "unavailable", true),
            (504, "unavailable", false),
            (529, "rate_limited", true),
            (302, "unavailable", false),
        ];
        for (status, class, is_repeated) in table {
            let failure = failure_of(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
            assert_eq!(
                (failure.class.as_str(), failure.again != Again::Never),
                (class, is_repeated),
                "{status}"
            );
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let headers = |value| HeaderMap::from_iter([(RETRY_AFTER, value)]);
        let read = |text| retry_after(&headers(reqwest::header::HeaderValue::from_static(text)));
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(read("-1"), None);
    }

    #[test]
    fn only_the_codes_of_an_error_body_are_kept() {
        let codes = |body: &str| {
            let codes = ErrorCodes::read(body.as_bytes());
            (codes.code.unwrap_or_default(), codes.detail_code.unwrap_or_default())
        };
        let pair = |code: &str, detail: &str| (code.to_owned(), detail.to_owned());
        assert_eq!(
            codes(r#"{"error":{"message":"x","code":"model_not_found"}}"#),
            pair("model_not_found", "")
        );
        assert_eq!(codes(r#"{"error":{"type":"y","details":{"error_code":"z"}}}"#), pair("", "z"));
        for body in ["", "<html>", r#"{"error":"text"}"#, r#"{"error":{"code":7,"details":null}}"#, "[]"] {
            assert_eq!(codes(body), pair("", ""), "{body}");
        }
    }
}
