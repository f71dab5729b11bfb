use crate::failure::{Again, Failure, FailureClass};
use crate::wire;
use crate::words::{self, Words};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use std::time::Duration;
use tokio::time::Instant;

const ERROR_BODY_MAX: usize = 64 * 1024;

/// A refused request with what its body says.
pub(crate) struct ErrorAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl ErrorAnswer {
    /// Reads the body too; one that can't be read says nothing.
    pub(crate) async fn read(response: Response, limit: Instant) -> ErrorAnswer {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = wire::body(response, ERROR_BODY_MAX, limit).await.unwrap_or_default();
        ErrorAnswer { status, headers, body }
    }

    /// The failure it is: 429, 503 and 529 are said before any work, and may be asked again.
    pub(crate) fn failure(&self, prompt: &str) -> Failure {
        let class = class_of(self.status, &Words::of_body(&self.body, prompt), words::is_page(&self.body));
        let again = match (self.status.as_u16(), class) {
            (429 | 503 | 529, FailureClass::RateLimited | FailureClass::Unavailable) => {
                retry_after(&self.headers).map_or(Again::Soon, Again::After)
            }
            _ => Again::Never,
        };
        Failure { again, ..Failure::new(class) }
    }
}

/// What a status means together with the provider's words (`docs/facts/providers.md`, "What a failure means").
///
/// The customer typed a prompt, not a request. So 400 and its kin are our matter (a setting, a model, an account),
/// unless the words say that the prompt is too long or against the content rules.
fn class_of(status: StatusCode, words: &Words, is_page: bool) -> FailureClass {
    let told = words.class();
    match status.as_u16() {
        402 => FailureClass::NoBalance,
        401 if told == Some(FailureClass::NoBalance) => FailureClass::NoBalance,
        401 => FailureClass::Auth,
        // A page is a proxy's refusal of this one request, and says nothing about our account.
        403 if is_page => FailureClass::RequestRefused,
        403 => told.unwrap_or(FailureClass::Auth),
        404 | 410 => FailureClass::ModelGone,
        408 | 409 | 425 | 499 => FailureClass::Unavailable,
        413 => FailureClass::BadInput,
        429 if told == Some(FailureClass::NoBalance) => FailureClass::NoBalance,
        429 | 529 => FailureClass::RateLimited,
        451 => FailureClass::ContentRejected,
        400..=499 => told.unwrap_or(FailureClass::RequestRefused),
        _ => FailureClass::Unavailable,
    }
}

/// Whole seconds, or what of them is readable. A date is not read: these providers do not use that form.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let (seconds, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if seconds.is_empty() || !is_digits(seconds) || !is_digits(part) {
        return None;
    }
    // More digits than a number holds mean: not today.
    Some(Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        ErrorAnswer { status, headers, body: body.as_bytes().to_vec() }.failure("")
    }

    #[test]
    fn a_status_has_one_class_and_only_refusals_are_repeated() {
        let table = [
            (400, "request_refused", false),
            (401, "auth", false),
            (402, "no_balance", false),
            (403, "auth", false),
            (404, "model_gone", false),
            (405, "request_refused", false),
            (408, "unavailable", false),
            (410, "model_gone", false),
            (413, "bad_input", false),
            (415, "request_refused", false),
            (422, "request_refused", false),
            (429, "rate_limited", true),
            (451, "content_rejected", false),
            (500, "unavailable", false),
            (502, "unavailable", false),
            (503, "unavailable", true),
            (504, "unavailable", false),
            (529, "rate_limited", true),
            (302, "unavailable", false),
        ];
        for (status, class, is_repeated) in table {
            for body in ["", "{}", "null", "nonsense"] {
                let failure = failure(status, body);
                let told = (failure.class.as_str(), failure.again != Again::Never);
                assert_eq!(told, (class, is_repeated), "{status} {body}");
            }
        }
    }

    #[test]
    fn words_decide_what_a_status_leaves_open() {
        let table = [
            (400, "Model Not Exist", "model_gone"),
            (400, "Content Exists Risk", "content_rejected"),
            (400, "prompt is too long", "bad_input"),
            (422, "Insufficient Balance", "no_balance"),
            (401, "Insufficient Balance", "no_balance"),
            (403, "Exhausted balance", "no_balance"),
            (403, "your input was flagged", "content_rejected"),
            (403, "<html>Forbidden</html>", "request_refused"),
            (429, "insufficient_quota", "no_balance"),
            (429, "the model is overloaded", "rate_limited"),
            (500, "Insufficient Balance", "unavailable"),
        ];
        for (status, words, class) in table {
            let failure = failure(status, words);
            assert_eq!(failure.class.as_str(), class, "{status} {words}");
            assert_eq!(failure.again == Again::Never, class != "rate_limited", "{status} {words}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let headers = |value| HeaderMap::from_iter([(RETRY_AFTER, value)]);
        let read = |text| retry_after(&headers(reqwest::header::HeaderValue::from_static(text)));
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read(" 3.5 "), Some(Duration::from_secs(3)));
        assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        for text in ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "soon", "", "."] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
