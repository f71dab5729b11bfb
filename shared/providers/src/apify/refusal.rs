use crate::failure::{Again, Failure, FailureClass};
use crate::lenient;
use crate::status::{ErrorAnswer, retry_after};

/// What a refused start means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing was started.
    Certain(Failure),
    /// Apify says that it failed, and not whether it had begun.
    Failed(Failure),
    /// The answer does not tell whether Apify started the run: a proxy may have sent it, or its status leaves that open
    /// (408).
    Unclear,
}

/// Decided by the status and `error.type`. The message may repeat the customer's words, so it is not read.
pub(super) fn of(answer: &ErrorAnswer) -> Refusal {
    let document = lenient::document(&answer.body).unwrap_or_default();
    let kind = lenient::text(&document["error"]["type"]);
    let busy = |class| {
        let again = retry_after(&answer.headers).map_or(Again::Soon, Again::After);
        Refusal::Certain(Failure { again, ..Failure::new(class) })
    };
    let certain = |class| Refusal::Certain(Failure::new(class));
    match (answer.status.as_u16(), kind) {
        // "By launching this job you will exceed the memory limit": other runs of ours take the room.
        (402, Some(kind)) if kind.contains("memory-limit") || kind.contains("concurrent") => {
            busy(FailureClass::RateLimited)
        }
        (402, _) => certain(FailureClass::NoBalance),
        (401 | 403, Some(_)) => certain(FailureClass::Auth),
        (401, None) => certain(FailureClass::Auth),
        // Without `error.type` it is a proxy's page, about this one request.
        (403, None) => certain(FailureClass::RequestRefused),
        (404 | 410, _) => certain(FailureClass::ModelGone),
        (429, _) => busy(FailureClass::RateLimited),
        (503, Some(_)) => busy(FailureClass::Unavailable),
        (408 | 409 | 425 | 499, _) => Refusal::Unclear,
        (400..=499, _) => certain(FailureClass::RequestRefused),
        (500..=599, Some(_)) => Refusal::Failed(Failure::new(FailureClass::Unavailable)),
        _ => Refusal::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use std::time::Duration;

    fn refusal(status: u16, kind: &str) -> Refusal {
        let body = match kind {
            "" => "<html>billing".to_owned(),
            kind => format!(r#"{{"error":{{"type":"{kind}","message":"insufficient balance"}}}}"#),
        };
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        of(&ErrorAnswer { status, headers, body: body.into_bytes() })
    }

    #[test]
    fn a_refusal_is_certain_when_apify_itself_says_so() {
        let table = [
            (400, "invalid-input", Some("request_refused"), Again::Never),
            (400, "max-total-charge-usd-below-minimum", Some("request_refused"), Again::Never),
            (401, "user-or-token-not-found", Some("auth"), Again::Never),
            (401, "", Some("auth"), Again::Never),
            (402, "not-enough-usage-to-run-paid-actor", Some("no_balance"), Again::Never),
            (402, "actor-memory-limit-exceeded", Some("rate_limited"), Again::Soon),
            (402, "memory-limit-exceeded", Some("rate_limited"), Again::Soon),
            (403, "insufficient-permissions", Some("auth"), Again::Never),
            (403, "", Some("request_refused"), Again::Never),
            (404, "actor-not-found", Some("model_gone"), Again::Never),
            (422, "", Some("request_refused"), Again::Never),
            (429, "rate-limit-exceeded", Some("rate_limited"), Again::Soon),
            (503, "service-unavailable", Some("unavailable"), Again::Soon),
            (503, "", None, Again::Never),
            (408, "run-timeout-exceeded", None, Again::Never),
            (502, "", None, Again::Never),
            (302, "", None, Again::Never),
        ];
        for (status, kind, class, again) in table {
            match refusal(status, kind) {
                Refusal::Certain(failure) => {
                    assert_eq!(
                        (Some(failure.class.as_str()), failure.again),
                        (class, again),
                        "{status} {kind}"
                    );
                }
                Refusal::Unclear => assert_eq!(class, None, "{status} {kind}"),
                Refusal::Failed(_) => panic!("{status} {kind}"),
            }
        }
        assert!(matches!(refusal(500, "internal-server-error"), Refusal::Failed(_)));
    }

    #[test]
    fn the_pause_that_apify_asks_for_is_kept() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("3"))]);
        let answer = ErrorAnswer { status: StatusCode::TOO_MANY_REQUESTS, headers, body: Vec::new() };
        let Refusal::Certain(failure) = of(&answer) else { panic!() };
        assert_eq!(failure.again, Again::After(Duration::from_secs(3)));
    }
}
