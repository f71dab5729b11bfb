use crate::failure::{Again, Failure, FailureClass};
use crate::lenient;
use crate::status::{ErrorAnswer, retry_after};
use crate::words::Words;
use serde_json::Value;
use std::time::Duration;

/// What a refused submit means.
pub(super) fn failure(answer: &ErrorAnswer, text: &str) -> Failure {
    let document = lenient::document(&answer.body).unwrap_or_default();
    let told = answer.failure(text);
    match answer.status.as_u16() {
        422 if names_the_version(&document) => FailureClass::ModelGone.into(),
        422 if blames_the_text(&document) => FailureClass::BadInput.into(),
        422 => Words::of(&document, text).class().unwrap_or(FailureClass::RequestRefused).into(),
        429 if told.class == FailureClass::RateLimited && retry_after(&answer.headers).is_none() => {
            Failure { again: pause(&document).map_or(Again::Soon, Again::After), ..told }
        }
        _ => told,
    }
}

/// "Invalid version or not permitted".
fn names_the_version(document: &Value) -> bool {
    lenient::text(&document["title"]).is_some_and(|title| title.to_lowercase().contains("invalid version"))
}

/// All of the input but the text is ours.
fn blames_the_text(document: &Value) -> bool {
    let fields = document["invalid_fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    !fields.is_empty() && fields.iter().all(|field| lenient::text(&field["field"]) == Some("input.text"))
}

/// "Your rate limit resets in ~30s."
fn pause(document: &Value) -> Option<Duration> {
    let (_, rest) = lenient::text(&document["detail"])?.rsplit_once("resets in")?;
    let digits: String =
        rest.trim_start_matches([' ', '~']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    fn said(status: u16, body: &str, retry_after: Option<&'static str>) -> Failure {
        let retry_after = retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text)));
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::from_iter(retry_after));
        failure(&ErrorAnswer { status, headers, body: body.as_bytes().to_vec() }, "a text about billing")
    }

    #[test]
    fn a_refusal_has_a_class_and_only_haste_is_repeated() {
        let field = |name: &str| {
            format!(r#"{{"title":"Input validation failed","invalid_fields":[{{"field":"{name}"}}]}}"#)
        };
        let throttled = r#"{"detail":"Request was throttled. Your rate limit resets in ~30s.","status":429}"#;
        let soon = r#"{"detail":"Request was throttled. Your rate limit resets in ~1s."}"#;
        let version =
            r#"{"title":"Invalid version or not permitted","detail":"The specified version does not exist"}"#;
        let seconds = |seconds| Again::After(Duration::from_secs(seconds));
        let table = [
            (400, "{}", None, "request_refused", Again::Never),
            (401, r#"{"title":"Unauthenticated","detail":"x"}"#, None, "auth", Again::Never),
            (402, r#"{"title":"Insufficient credit"}"#, None, "no_balance", Again::Never),
            (403, "{}", None, "auth", Again::Never),
            (
                404,
                r#"{"detail":"The requested resource could not be found."}"#,
                None,
                "model_gone",
                Again::Never,
            ),
            (422, version, None, "model_gone", Again::Never),
            (422, &field("input.text"), None, "bad_input", Again::Never),
            (422, &field("input.speaker"), None, "request_refused", Again::Never),
            (422, &field("input.language"), None, "request_refused", Again::Never),
            (422, r#"{"invalid_fields":[null,{"field":null}]}"#, None, "request_refused", Again::Never),
            (422, "null", None, "request_refused", Again::Never),
            (429, throttled, None, "rate_limited", seconds(30)),
            (429, throttled, Some("2"), "rate_limited", seconds(2)),
            (429, soon, None, "rate_limited", seconds(1)),
            (429, r#"{"detail":null}"#, None, "rate_limited", Again::Soon),
            (500, "<html>", None, "unavailable", Again::Never),
            (503, "{}", None, "unavailable", Again::Soon),
        ];
        for (status, body, retry_after, class, again) in table {
            let failure = said(status, body, retry_after);
            assert_eq!((failure.class.as_str(), failure.again), (class, again), "{status} {body}");
        }
    }
}
