//! A request for a message, checked in the vendor's words.

use serde_json::Value;

use crate::language::{Question, text_of, tokens};

/// What is used of a request.
pub(super) struct MessageRequest {
    pub(super) model: String,
    pub(super) stream: bool,
    prompt: String,
    prompt_tokens: u64,
    max_tokens: u64,
}

/// Why a request was turned away.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl MessageRequest {
    pub(super) fn read(body: &[u8]) -> Result<MessageRequest, Refused> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| invalid("The request body is not valid JSON: could not be parsed"))?;
        let model = body["model"].as_str().ok_or_else(|| invalid("model: Field required"))?;
        let max_tokens = max_tokens(&body["max_tokens"])?;
        let messages = body["messages"].as_array().ok_or_else(|| invalid("messages: Field required"))?;
        if messages.is_empty() {
            return Err(invalid("messages: at least one message is required"));
        }
        if !model.starts_with("claude-") {
            let message = format!("model: {model}");
            return Err(Refused { status: 404, kind: "not_found_error", message });
        }
        for (place, message) in messages.iter().enumerate() {
            if !matches!(message["role"].as_str(), Some("user" | "assistant")) {
                let text = format!("messages.{place}.role: Input should be 'user' or 'assistant'");
                return Err(invalid(&text));
            }
        }
        let mut texts: Vec<String> = messages.iter().map(|message| text_of(&message["content"])).collect();
        let asked = messages.iter().rposition(|message| message["role"] == "user");
        let prompt = asked.map(|at| texts[at].clone()).unwrap_or_default();
        texts.push(text_of(&body["system"]));
        Ok(MessageRequest {
            model: model.to_owned(),
            stream: body["stream"] == true,
            prompt,
            prompt_tokens: tokens(&texts),
            max_tokens,
        })
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question {
            prompt: &self.prompt,
            prompt_tokens: self.prompt_tokens,
            thinking: false,
            max_tokens: Some(self.max_tokens),
        }
    }
}

fn max_tokens(value: &Value) -> Result<u64, Refused> {
    match value {
        Value::Null => Err(invalid("max_tokens: Field required")),
        value => value
            .as_u64()
            .filter(|max| *max > 0)
            .ok_or_else(|| invalid("max_tokens: Input should be greater than or equal to 1")),
    }
}

fn invalid(message: &str) -> Refused {
    Refused { status: 400, kind: "invalid_request_error", message: message.to_owned() }
}
