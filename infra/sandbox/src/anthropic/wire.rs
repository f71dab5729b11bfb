//! The message in Anthropic's JSON, whole or in events.

use serde_json::{Value, json};

use crate::language::{Answer, Finish, Frames};

/// A message with its envelope.
pub(super) struct Message<'a> {
    pub(super) id: String,
    pub(super) model: &'a str,
    pub(super) answer: &'a Answer,
}

impl Message<'_> {
    /// The body of a call that does not stream.
    pub(super) fn json(&self) -> Value {
        let mut message = self.envelope();
        if !self.answer.content.is_empty() {
            message["content"] = json!([{ "type": "text", "text": self.answer.content.concat() }]);
        }
        message["stop_reason"] = Value::from(stop_reason(self.answer.finish));
        message["stop_details"] = stop_details(self.answer.finish);
        message["usage"] = self.usage(self.answer.usage.completion);
        message
    }

    pub(super) fn frames(&self) -> Frames {
        let start = event("message_start", &json!({ "type": "message_start", "message": self.envelope() }));
        let ping = event("ping", &json!({ "type": "ping" }));
        let block = json!({
            "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" },
        });
        let has_content = !self.answer.content.is_empty();
        let (open, close) = if has_content {
            let stop = json!({ "type": "content_block_stop", "index": 0 });
            let block = event("content_block_start", &block);
            (format!("{start}{block}{ping}"), event("content_block_stop", &stop))
        } else {
            (format!("{start}{ping}"), String::new())
        };
        let usage = self.final_usage();
        let error =
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
        Frames {
            open,
            reasoning: Vec::new(),
            content: self.answer.content.iter().map(|text| delta(text)).collect(),
            finish: format!("{close}{usage}"),
            usage_again: usage,
            end: event("message_stop", &json!({ "type": "message_stop" })),
            error: event("error", &error),
        }
    }

    /// The message as it starts; its one output token is a placeholder, as at the vendor.
    fn envelope(&self) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": self.usage(1),
        })
    }

    /// The cumulative usage with the reason to stop.
    fn final_usage(&self) -> String {
        let finish = self.answer.finish;
        let reason = json!({
            "stop_reason": stop_reason(finish), "stop_sequence": null, "stop_details": stop_details(finish),
        });
        let usage = self.usage(self.answer.usage.completion);
        event("message_delta", &json!({ "type": "message_delta", "delta": reason, "usage": usage }))
    }

    fn usage(&self, output: u64) -> Value {
        json!({
            "input_tokens": self.answer.usage.prompt,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
        })
    }
}

/// Written by hand because there are many.
fn delta(text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{{\"type\":\"text_delta\",\"text\":{}}}}}\n\n",
        Value::from(text)
    )
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Filtered => "refusal",
    }
}

fn stop_details(finish: Finish) -> Value {
    match finish {
        Finish::Filtered => json!({ "type": "refusal", "category": null, "explanation": null }),
        Finish::Stop | Finish::Length => Value::Null,
    }
}
