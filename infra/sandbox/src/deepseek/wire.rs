//! The answer in DeepSeek's JSON, whole or in chunks.

use serde_json::{Value, json};

use super::error_json;
use crate::language::{Answer, Finish, Frames, Usage};

/// One in this many prompt tokens comes from the cache, so that callers meet the split.
const CACHE_SHARE: u64 = 4;

/// An answer with its envelope.
pub(super) struct Completion<'a> {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: &'static str,
    pub(super) answer: &'a Answer,
}

impl Completion<'_> {
    /// The body of a call that does not stream.
    pub(super) fn json(&self) -> Value {
        let mut message = json!({ "role": "assistant", "content": self.answer.content.concat() });
        if !self.answer.reasoning.is_empty() {
            message["reasoning_content"] = Value::from(self.answer.reasoning.concat());
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0, "message": message, "logprobs": null, "finish_reason": finish(self.answer.finish),
            }],
            "usage": usage(self.answer.usage),
            "system_fingerprint": "fp_sandbox",
        })
    }

    pub(super) fn frames(&self) -> Frames {
        let thinks = !self.answer.reasoning.is_empty();
        let reasoning = self.answer.reasoning.iter();
        let content = self.answer.content.iter();
        let head = self.head();
        let quiet = if thinks { r#","reasoning_content":null"# } else { "" };
        let role = if thinks { r#""content":null,"reasoning_content":"""# } else { r#""content":"""# };
        let usage = usage(self.answer.usage);
        let finish = finish(self.answer.finish);
        Frames {
            open: format!(
                ": keep-alive\n\n{}",
                chunk(&head, &format!(r#""role":"assistant",{role}"#), None, None)
            ),
            reasoning: reasoning
                .map(|text| {
                    chunk(
                        &head,
                        &format!(r#""content":null,"reasoning_content":{}"#, quoted(text)),
                        None,
                        None,
                    )
                })
                .collect(),
            content: content
                .map(|text| chunk(&head, &format!(r#""content":{}{quiet}"#, quoted(text)), None, None))
                .collect(),
            finish: chunk(&head, &format!(r#""content":""{quiet}"#), Some(finish), Some(&usage)),
            usage_again: format!("data: {{{head},\"choices\":[],\"usage\":{usage}}}\n\n"),
            end: "data: [DONE]\n\n".to_owned(),
            error: format!(
                "data: {}\n\ndata: [DONE]\n\n",
                error_json("Internal Server Error", "server_error", "internal_error")
            ),
        }
    }

    /// The fields every chunk starts with.
    fn head(&self) -> String {
        format!(
            r#""id":"{}","object":"chat.completion.chunk","created":{},"model":"{}","system_fingerprint":"fp_sandbox""#,
            self.id, self.created, self.model
        )
    }
}

/// One chunk; written by hand because a benchmark asks for thousands of them a second.
fn chunk(head: &str, delta: &str, finish: Option<&str>, usage: Option<&Value>) -> String {
    let finish = finish.map_or_else(|| "null".to_owned(), quoted);
    let usage = usage.map_or_else(String::new, |usage| format!(r#","usage":{usage}"#));
    format!(
        "data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\
         \"finish_reason\":{finish}}}]{usage}}}\n\n"
    )
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Filtered => "content_filter",
    }
}

fn usage(usage: Usage) -> Value {
    let hit = usage.prompt / CACHE_SHARE;
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": { "cached_tokens": hit },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
        "prompt_cache_hit_tokens": hit,
        "prompt_cache_miss_tokens": usage.prompt - hit,
    })
}
