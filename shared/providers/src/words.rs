//! What a provider's own words say about a refusal. Statuses and codes are not enough: DeepSeek says 400 for a model
//! that is gone, Anthropic 400 for an empty account (`docs/facts/providers.md`, "Refusals"). Words are matched as parts and
//! without case, because they change; they are read here and passed on nowhere.

use crate::failure::FailureClass;
use crate::lenient;
use serde_json::Value;

/// The longest error text that is read.
const TEXT_MAX: usize = 4_096;
/// A shorter prompt can hold none of the phrases below.
const ECHO_MIN: usize = 8;
const DEPTH_MAX: u32 = 6;

/// The fields of an error in which a provider speaks. Others may repeat the customer's input.
const SPOKEN: [&str; 16] = [
    "code",
    "description",
    "detail",
    "details",
    "error",
    "error_code",
    "error_message",
    "error_msg",
    "error_type",
    "errors",
    "message",
    "msg",
    "reason",
    "status",
    "title",
    "type",
];

const CONTENT: &[&str] = &[
    "content exists risk",
    "content filter",
    "content_filter",
    "content policy",
    "content_policy",
    "content management policy",
    "content moderation",
    "content checker",
    "moderation_blocked",
    "requires moderation",
    "safety system",
    "safety filter",
    "safety policy",
    "safety_violation",
    "flagged",
    "usage policy",
    "usage policies",
    "prohibited content",
    "inappropriate content",
    "sensitive content",
    "data_inspection_failed",
    "data inspection failed",
];

const BALANCE: &[&str] = &[
    "insufficient balance",
    "insufficient_balance",
    "insufficient_quota",
    "insufficient quota",
    "insufficient credit",
    "insufficient_credit",
    "insufficient fund",
    "credit balance",
    "exhausted balance",
    "balance is too low",
    "balance exhausted",
    "out of credit",
    "not enough credit",
    "not enough balance",
    "current quota",
    "quota exhausted",
    "spend limit",
    "spend_limit",
    "spending limit",
    "spending_limit",
    "usage limits",
    "billing",
    "payment required",
    "payment_required",
    "top up",
    "arrears",
];

const MODEL: &[&str] = &[
    "model not exist",
    "model_not_exist",
    "model_not_found",
    "model not found",
    "no such model",
    "unknown model",
    "invalid model",
    "invalid_model",
    "unsupported model",
    "model not supported",
    "model is not supported",
    "not a valid model",
    "model_deprecated",
    "deprecated model",
    "model is deprecated",
];

/// Of a model only: a text that has the word and one of these.
const GONE: &[&str] = &[
    "does not exist",
    "doesn't exist",
    "not exist",
    "not found",
    "not_found",
    "has been deprecated",
    "decommissioned",
    "has been retired",
    "been shut down",
    "discontinued",
    "no longer available",
    "no longer supported",
];

const ACCOUNT: &[&str] = &[
    "api key",
    "api_key",
    "apikey",
    "authentication",
    "unauthorized",
    "not authorized",
    "permission",
    "access denied",
    "user is locked",
    "account is locked",
    "account deactivated",
    "account_deactivated",
    "has been disabled",
    "suspended",
    "unsupported_country",
];

/// The prompt is what is wrong: it is too long, or has no text.
const PROMPT: &[&str] = &[
    "context length",
    "context_length",
    "context window",
    "context limit",
    "maximum context",
    "too long",
    "too_long",
    "input length",
    "request too large",
    "request_too_large",
    "prompt is too large",
    "input is too large",
    "too many input tokens",
    "reduce the length",
    "string_above_max_length",
    "non-whitespace text",
    "must be non-empty",
];

const HASTE: &[&str] =
    &["rate limit", "rate_limit", "too many requests", "throttl", "overloaded", "too busy", "high demand"];

/// An error's words in lower case, without what it repeats of the customer's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(String);

impl Words {
    /// Of a body: JSON in any of the known shapes, or a plain text. A web page says nothing.
    pub(crate) fn of_body(body: &[u8], prompt: &str) -> Words {
        if let Some(document) = lenient::document(body) {
            return Words::of(&document, prompt);
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(TEXT_MAX)]);
        if is_page(body) { Words::default() } else { Words::new(&text, prompt) }
    }

    pub(crate) fn of(error: &Value, prompt: &str) -> Words {
        let mut said = String::new();
        gather(error, 0, &mut said);
        Words::new(&said, prompt)
    }

    /// A prompt that speaks of empty balances must not close a provider for all others.
    fn new(said: &str, prompt: &str) -> Words {
        let mut said = said.to_lowercase();
        let prompt = prompt.trim().to_lowercase();
        if prompt.len() >= ECHO_MIN {
            said = said.replace(&prompt, " ");
        }
        for quote in ['"', '`'] {
            said = without_quoted(&said, quote);
        }
        Words(said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What a refusal of the whole request means, if its words say so.
    pub(crate) fn class(&self) -> Option<FailureClass> {
        self.answer_class().or_else(|| self.has(HASTE).then_some(FailureClass::RateLimited))
    }

    /// What an error inside an answer means: a provider that is only busy broke what it had begun.
    pub(crate) fn answer_class(&self) -> Option<FailureClass> {
        if self.has(CONTENT) {
            Some(FailureClass::ContentRejected)
        } else if self.has(BALANCE) {
            Some(FailureClass::NoBalance)
        } else if self.has(MODEL) || (self.0.contains("model") && self.has(GONE)) {
            Some(FailureClass::ModelGone)
        } else if self.has(PROMPT) {
            Some(FailureClass::BadInput)
        } else if self.has(ACCOUNT) {
            Some(FailureClass::Auth)
        } else {
            None
        }
    }

    fn has(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.0.contains(part))
    }
}

/// A page of a proxy, whatever its status says.
pub(crate) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

fn gather(value: &Value, depth: u32, said: &mut String) {
    if depth > DEPTH_MAX || said.len() > TEXT_MAX {
        return;
    }
    match value {
        Value::String(text) => {
            said.extend(text.chars().take(TEXT_MAX));
            said.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, depth + 1, said)),
        Value::Object(fields) => {
            for name in SPOKEN {
                if let Some(value) = fields.get(name) {
                    gather(value, depth + 1, said);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Quoted parts are names of fields and models, or the customer's words. An unpaired quote takes nothing away.
fn without_quoted(text: &str, quote: char) -> String {
    let parts: Vec<&str> = text.split(quote).collect();
    let last = parts.len() - 1;
    let kept = parts.iter().enumerate().filter(|(at, _)| at % 2 == 0 || *at == last);
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(body: &str) -> Option<&'static str> {
        Words::of_body(body.as_bytes(), "a red kite over Đà Nẵng").class().map(FailureClass::as_str)
    }

    fn message(text: &str) -> Option<&'static str> {
        class(&serde_json::json!({"error": {"message": text, "type": "invalid_request_error"}}).to_string())
    }

    #[test]
    fn the_vendors_words_have_a_class() {
        let table = [
            ("Model Not Exist", Some("model_gone")),
            ("The model `claude-2` does not exist or you do not have access to it.", Some("model_gone")),
            ("The model gpt-x has been deprecated, learn more", Some("model_gone")),
            ("model: claude-2 not_found", Some("model_gone")),
            ("Insufficient Balance", Some("no_balance")),
            ("Your credit balance is too low to access the Anthropic API.", Some("no_balance")),
            ("You exceeded your current quota, please check your plan", Some("no_balance")),
            ("You have reached your specified API usage limits.", Some("no_balance")),
            ("User is locked. Reason: Exhausted balance.", Some("no_balance")),
            ("CONTENT EXISTS RISK", Some("content_rejected")),
            ("Output blocked by content filtering policy: content filter", Some("content_rejected")),
            ("Your request was rejected by the safety system.", Some("content_rejected")),
            ("This model's maximum context length is 65536 tokens.", Some("bad_input")),
            ("prompt is too long: 210000 tokens > 200000 maximum", Some("bad_input")),
            ("input length and `max_tokens` exceed context limit: 190000 + 21333", Some("bad_input")),
            ("messages: text content blocks must contain non-whitespace text", Some("bad_input")),
            ("invalid x-api-key: authentication", Some("auth")),
            ("This organization has been disabled.", Some("auth")),
            ("Rate limit reached", Some("rate_limited")),
            ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", None),
            ("max_tokens: 200000 > 64000, which is the maximum allowed", None),
            ("`temperature` is deprecated for this model.", None),
            ("Invalid request", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(message(text), expected, "{text}");
            assert_eq!(message(&text.to_uppercase()), expected, "{text}");
        }
    }

    #[test]
    fn words_are_found_in_every_shape_of_an_error() {
        for body in [
            r#"{"error":"Insufficient Balance"}"#,
            r#"{"error":{"code":"insufficient_quota","message":null}}"#,
            r#"{"error":{"details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            r#"{"type":"error","error":{"type":"billing_error"}}"#,
            r#"{"detail":"User is locked. Reason: Exhausted balance."}"#,
            r#"{"errors":[{"message":"insufficient balance"}]}"#,
            r#"{"message":"Insufficient  balance","code":7}"#,
            r#"[{"error":{"message":"Insufficient Balance"}}]"#,
            r#"{"error":{"message":"Insufficient Balance","n":1e999}}"#,
            "Insufficient Balance",
        ] {
            assert_eq!(class(body), Some("no_balance"), "{body}");
        }
        for body in ["", "{}", "null", "[]", "7", r#"{"error":{"code":7,"message":[null]}}"#] {
            assert_eq!(class(body), None, "{body}");
        }
        assert_eq!(class("<html>Insufficient Balance</html>"), None, "a page of whoever stands between");
    }

    #[test]
    fn the_customers_own_words_decide_nothing() {
        let prompt = "Write: Insufficient Balance, Model Not Exist";
        let echoed = [
            serde_json::json!({"error": {"message": format!("can't parse {prompt}")}}),
            serde_json::json!({"error": {"message": "can't parse `insufficient balance`"}}),
            serde_json::json!({"error": {"message": "can't parse \"insufficient balance\""}}),
            serde_json::json!({"error": {"message": "bad", "input": "insufficient balance"}}),
            serde_json::json!({"detail": [{"type": "x", "ctx": {"message": "insufficient balance"}}]}),
        ];
        for body in echoed {
            assert_eq!(Words::of(&body, prompt).class(), None, "{body}");
        }
    }
}
