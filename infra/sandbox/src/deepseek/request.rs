//! A chat request, checked as far as the vendor checks it.

use serde::Deserialize;
use serde_json::Value;

use super::MODELS;
use crate::language::{Question, text_of, tokens};

/// What is used of a request.
pub(super) struct ChatRequest {
    pub(super) model: &'static str,
    pub(super) stream: bool,
    prompt: String,
    prompt_tokens: u64,
    thinking: bool,
    max_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Body {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    thinking: Option<Thinking>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: ThinkingKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ThinkingKind {
    Enabled,
    Disabled,
}

impl ChatRequest {
    /// The error is the status and its message: 400 for what is no JSON, 422 for wrong parameters.
    pub(super) fn read(body: &[u8]) -> Result<ChatRequest, (u16, String)> {
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                return (422, format!("Failed to deserialize the JSON body into the target type: {error}"));
            }
            (400, format!("Failed to parse the request body as JSON: {error}"))
        })?;
        let known = MODELS.into_iter().find(|model| *model == body.model);
        let model = known.ok_or_else(|| (400, "Model Not Exist".to_owned()))?;
        if body.messages.is_empty() {
            return Err((400, "Empty input messages".to_owned()));
        }
        if body.max_tokens == Some(0) {
            return Err((
                400,
                "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]".to_owned(),
            ));
        }
        let texts: Vec<String> = body.messages.iter().map(|message| text_of(&message.content)).collect();
        let asked = body.messages.iter().rposition(|message| message.role == "user");
        Ok(ChatRequest {
            model,
            stream: body.stream.unwrap_or(false),
            prompt_tokens: tokens(&texts),
            prompt: asked.and_then(|at| texts.into_iter().nth(at)).unwrap_or_default(),
            thinking: body.thinking.is_none_or(|thinking| matches!(thinking.kind, ThinkingKind::Enabled)),
            max_tokens: body.max_tokens,
        })
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question {
            prompt: &self.prompt,
            prompt_tokens: self.prompt_tokens,
            thinking: self.thinking,
            max_tokens: self.max_tokens,
        }
    }
}
