use crate::failure::{Again, Failure, FailureClass};
use crate::lenient;
use crate::status::ErrorAnswer;
use crate::words::Words;
use primitives::CostCents;
use serde_json::Value;

/// What a refusal means. `cost` is what the work costs where the machine did some.
pub(super) fn failure(answer: &ErrorAnswer, text: &str, cost: CostCents) -> Failure {
    let document = lenient::document(&answer.body).unwrap_or_default();
    let told = answer.failure(text);
    match answer.status.as_u16() {
        // The customer's text and recording are the only fields that are not ours.
        422 if blames_the_customer(&document["error"]) => FailureClass::BadInput.into(),
        // Neither is longer than the server's own limits: whatever stands before it takes less.
        413 => FailureClass::RequestRefused.into(),
        422 => Words::of(&document, text).class().unwrap_or(FailureClass::RequestRefused).into(),
        // A codec is missing there. Only WAV is asked for, so it is not the server we think it is.
        501 => FailureClass::RequestRefused.into(),
        // Said while the model is loading, before any work. The same status of a proxy says nothing about the work.
        503 if lenient::text(&document["error"]["code"]) == Some("model_not_ready") => told,
        503 => Failure { again: Again::Never, ..told },
        // The model has worked, in vain or for too long.
        500 | 504 => told.costing(cost, true),
        _ => told,
    }
}

/// pydantic names the field in `detail[].loc`, and what the server says about a recording begins with its name.
fn blames_the_customer(error: &Value) -> bool {
    let fields = error["detail"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_the_text = |field: &Value| {
        let place = field["loc"].as_array().and_then(|place| place.last());
        matches!(place.and_then(Value::as_str), Some("input" | "text"))
    };
    let is_the_recording = lenient::text(&error["message"]).is_some_and(|said| said.starts_with("ref_audio"));
    is_the_recording || (!fields.is_empty() && fields.iter().all(is_the_text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    fn said(status: u16, body: &str) -> Failure {
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        let answer = ErrorAnswer { status, headers, body: body.as_bytes().to_vec() };
        failure(&answer, "a text about billing", "2".parse().unwrap())
    }

    #[test]
    fn a_refusal_has_a_class_may_cost_and_is_repeated_only_while_the_model_loads() {
        let loading = r#"{"error":{"code":"model_not_ready","message":"Model is still loading"}}"#;
        let table = [
            (400, r#"{"error":{"code":"bad_request","message":"x"}}"#, "request_refused", false, "0"),
            (401, r#"{"error":"Invalid or missing API key"}"#, "auth", false, "0"),
            (403, "<html>no</html>", "request_refused", false, "0"),
            (404, r#"{"detail":"Not Found"}"#, "model_gone", false, "0"),
            (
                413,
                r#"{"error":{"code":"payload_too_large","message":"Upload too large"}}"#,
                "request_refused",
                false,
                "0",
            ),
            (
                422,
                r#"{"error":{"detail":[{"loc":["body","input"],"type":"string_too_long"}]}}"#,
                "bad_input",
                false,
                "0",
            ),
            (
                422,
                r#"{"error":{"detail":[{"loc":["body","seed"],"type":"int_parsing"}]}}"#,
                "request_refused",
                false,
                "0",
            ),
            (
                422,
                r#"{"error":{"detail":[{"loc":["body","text"],"type":"x"},{"loc":["body","voice"],"type":"x"}]}}"#,
                "request_refused",
                false,
                "0",
            ),
            (
                422,
                r#"{"error":{"code":"validation_error","message":"ref_audio is empty"}}"#,
                "bad_input",
                false,
                "0",
            ),
            (422, r#"{"error":{"message":"Unsupported voice value 'x'."}}"#, "request_refused", false, "0"),
            (422, r#"{"error":{"message":null,"detail":[null]}}"#, "request_refused", false, "0"),
            (422, "null", "request_refused", false, "0"),
            (429, "{}", "rate_limited", true, "0"),
            (
                500,
                r#"{"error":{"code":"inference_failed","message":"CUDA out of memory"}}"#,
                "unavailable",
                false,
                "2",
            ),
            (501, r#"{"error":{"code":"http_501","message":"x"}}"#, "request_refused", false, "0"),
            (502, "<html>nginx</html>", "unavailable", false, "0"),
            (503, loading, "unavailable", true, "0"),
            (503, "<html>busy</html>", "unavailable", false, "0"),
            (504, r#"{"error":{"code":"timeout","message":"x"}}"#, "unavailable", false, "2"),
        ];
        for (status, body, class, is_repeated, cost) in table {
            let failure = said(status, body);
            let told = (failure.class.as_str(), failure.again != Again::Never, failure.cost);
            assert_eq!(told, (class, is_repeated, cost.parse().unwrap()), "{status} {body}");
        }
    }
}
