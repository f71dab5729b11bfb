//! One event of the stream: its `type` says which fields are there. What carries text is read strictly, because a piece
//! that is passed over leaves a hole; all else leniently.

use crate::failure::FailureClass;
use crate::lenient;
use crate::sse::SseEvent;
use crate::stream::{Dialect, Piece};
use crate::text::{self, Reason, TokenCounts, Unreadable};
use crate::words::Words;
use crate::{Ending, wire};
use serde_json::Value;

/// What the stream has told so far.
#[derive(Default)]
pub(super) struct Seen<'a> {
    /// So that an error which repeats it is not read as the provider's own words.
    prompt: &'a str,
    pub(super) request_id: Option<String>,
    pub(super) ending: Option<Ending>,
    input: TokenCounts,
    /// `message_start` only holds a placeholder for the output; this is the bill's.
    output: Option<u64>,
    /// The ending was told, and no text came after it.
    is_finished: bool,
}

impl Dialect for Seen<'_> {
    fn read(&mut self, event: SseEvent<'_>) -> Result<Piece, FailureClass> {
        let data = event.data.trim_ascii();
        let body = match lenient::document(data) {
            Some(body) if body.is_object() => body,
            odd if is_of_no_use(&event, data, odd.as_ref()) => return Ok(Piece::Nothing),
            _ => return Err(FailureClass::BrokenStream),
        };
        let name = std::str::from_utf8(event.name).unwrap_or_default();
        match lenient::text(&body["type"]).unwrap_or(name) {
            "message_start" => self.start(&body["message"]),
            "content_block_start" => return self.piece(&body["content_block"]),
            "content_block_delta" => return self.piece(&body["delta"]),
            "message_delta" => self.close(&body["delta"], &body["usage"])?,
            "message_stop" => return Ok(Piece::End),
            "error" => return Err(self.error(&body)),
            // `ping`, `content_block_stop` and what may come.
            _ if lenient::is_nothing(&body["error"]) => {}
            _ => return Err(self.error(&body)),
        }
        Ok(Piece::Nothing)
    }

    fn read_whole(&mut self, document: &Value) -> Result<String, FailureClass> {
        if document["type"].as_str() != Some("message") {
            return Err(self.error(document));
        }
        self.start(document);
        let text = text::content_of(&document["content"]).map_err(|Unreadable| FailureClass::BrokenStream)?;
        self.close(document, &document["usage"])?;
        Ok(text)
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

impl Seen<'_> {
    pub(super) fn of(prompt: &str, request_id: Option<String>) -> Seen<'_> {
        Seen { prompt, request_id, ..Seen::default() }
    }

    pub(super) fn told(&self) -> TokenCounts {
        TokenCounts { output: self.output, ..self.input }
    }

    fn error(&self, body: &Value) -> FailureClass {
        Words::of(body, self.prompt).answer_class().unwrap_or(FailureClass::BrokenStream)
    }

    fn start(&mut self, message: &Value) {
        self.input = self.input.then(told_of(&message["usage"]));
        let id = message["id"].as_str().and_then(wire::plain_id);
        self.request_id = self.request_id.take().or(id);
    }

    /// The message's last words. The counts are cumulative; a later event repeats only what changed.
    fn close(&mut self, delta: &Value, usage: &Value) -> Result<(), FailureClass> {
        let told = told_of(usage);
        self.output = told.output.or(self.output);
        self.input = self.input.then(told);
        match text::reason_of(&delta["stop_reason"]) {
            None => {}
            Some(Reason::Ends(ending)) => (self.ending, self.is_finished) = (Some(ending), true),
            Some(Reason::Unknown) => self.ending = self.ending.or(Some(Ending::Complete)),
            Some(Reason::Fails(class)) => return Err(class),
        }
        Ok(())
    }

    /// A block's beginning, or a piece of it.
    fn piece(&mut self, content: &Value) -> Result<Piece, FailureClass> {
        if !content.is_object() && !lenient::is_nothing(content) {
            return Err(FailureClass::BrokenStream);
        }
        match lenient::text(&content["type"]) {
            None | Some("text" | "text_delta") => {
                let text =
                    text::content_of(&content["text"]).map_err(|Unreadable| FailureClass::BrokenStream)?;
                if text.is_empty() {
                    return Ok(Piece::Nothing);
                }
                self.is_finished = false;
                Ok(Piece::Text(text))
            }
            // A thinking block may begin long before its first words, or never show any.
            Some("thinking" | "redacted_thinking") => {
                Ok(Piece::Thinking(text::bytes_of(&content["thinking"])))
            }
            Some("thinking_delta") => match text::bytes_of(&content["thinking"]) {
                0 => Ok(Piece::Nothing),
                bytes => Ok(Piece::Thinking(bytes)),
            },
            Some(_) => Ok(Piece::Nothing),
        }
    }
}

/// Blank data, an event of another kind, and `[DONE]`, which gateways put behind Anthropic's own end.
fn is_of_no_use(event: &SseEvent<'_>, data: &[u8], odd: Option<&Value>) -> bool {
    let carries_text = matches!(
        event.name,
        b"content_block_start" | b"content_block_delta" | b"message_delta" | b"message_stop"
    );
    data.is_empty()
        || data.eq_ignore_ascii_case(b"[DONE]")
        || odd.is_some_and(lenient::is_nothing)
        || (event.is_foreign() && !carries_text)
}

/// The total input is the sum of three counts with a price each.
fn told_of(usage: &Value) -> TokenCounts {
    let count = |name: &str| lenient::count(&usage[name]);
    TokenCounts {
        fresh: count("input_tokens"),
        cached: count("cache_read_input_tokens"),
        written_to_cache: count("cache_creation_input_tokens"),
        output: count("output_tokens"),
        reasoning: None,
    }
}
