//! One `data:` object of the stream. What carries text is read strictly, because a piece that is passed over leaves a
//! hole; all else leniently.

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
    pub(super) id: Option<String>,
    pub(super) told: TokenCounts,
    pub(super) ending: Option<Ending>,
    /// The ending was told, and no text came after it.
    is_finished: bool,
}

impl Dialect for Seen<'_> {
    fn read(&mut self, event: SseEvent<'_>) -> Result<Piece, FailureClass> {
        let data = event.data.trim_ascii();
        if data.eq_ignore_ascii_case(b"[DONE]") {
            return Ok(Piece::End);
        }
        let chunk = match lenient::document(data) {
            Some(chunk) if chunk.is_object() => chunk,
            Some(odd) if event.is_foreign() || lenient::is_nothing(&odd) => return Ok(Piece::Nothing),
            None if event.is_foreign() || data.is_empty() => return Ok(Piece::Nothing),
            Some(_) | None => return Err(FailureClass::BrokenStream),
        };
        if event.is_error() || is_error(&chunk) || (!event.is_foreign() && is_only_a_message(&chunk)) {
            return Err(self.error(&chunk));
        }
        self.note(&chunk);
        let Some(choice) = choice_of(&chunk)? else { return Ok(Piece::Nothing) };
        self.read_choice(choice, &choice["delta"])
    }

    fn read_whole(&mut self, document: &Value) -> Result<String, FailureClass> {
        if is_error(document) || is_only_a_message(document) {
            return Err(self.error(document));
        }
        self.note(document);
        let Some(choice) = choice_of(document)? else { return Err(FailureClass::BrokenStream) };
        match self.read_choice(choice, &choice["message"])? {
            Piece::Text(text) => Ok(text),
            Piece::Nothing | Piece::Thinking(_) | Piece::End => Ok(String::new()),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

impl Seen<'_> {
    pub(super) fn of(prompt: &str) -> Seen<'_> {
        Seen { prompt, ..Seen::default() }
    }

    fn error(&self, chunk: &Value) -> FailureClass {
        Words::of(chunk, self.prompt).answer_class().unwrap_or(FailureClass::BrokenStream)
    }

    fn note(&mut self, chunk: &Value) {
        if self.id.is_none() {
            self.id = chunk["id"].as_str().and_then(wire::plain_id);
        }
        self.told = self.told.then(told_of(&chunk["usage"]));
    }

    fn read_choice(&mut self, choice: &Value, message: &Value) -> Result<Piece, FailureClass> {
        let piece = piece_of(message).map_err(|Unreadable| FailureClass::BrokenStream)?;
        // The model's own refusal stands beside the content.
        if lenient::text(&message["refusal"]).is_some() {
            return Err(FailureClass::ContentRejected);
        }
        if matches!(piece, Piece::Text(_)) {
            self.is_finished = false;
        }
        match text::reason_of(&choice["finish_reason"]) {
            None => {}
            Some(Reason::Ends(ending)) => (self.ending, self.is_finished) = (Some(ending), true),
            Some(Reason::Unknown) => self.ending = self.ending.or(Some(Ending::Complete)),
            Some(Reason::Fails(class)) => return Err(class),
        }
        Ok(piece)
    }
}

/// An error told inside a 200: an `error` of any shape, or an object that is called one.
fn is_error(chunk: &Value) -> bool {
    let is_called_so = [&chunk["object"], &chunk["type"]].iter().any(|name| name.as_str() == Some("error"));
    is_called_so || !lenient::is_nothing(&chunk["error"])
}

/// An error without a name: a message where an answer should be.
fn is_only_a_message(chunk: &Value) -> bool {
    let says = ["message", "detail", "error_msg", "error_message"];
    chunk.get("choices").is_none()
        && chunk.get("usage").is_none()
        && says.iter().any(|name| lenient::text(&chunk[*name]).is_some())
}

/// The first of the choices; one was asked for. None of them, or null, is a chunk without text.
fn choice_of(chunk: &Value) -> Result<Option<&Value>, FailureClass> {
    let choices = match &chunk["choices"] {
        Value::Array(choices) => choices,
        odd if lenient::is_nothing(odd) => return Ok(None),
        _ => return Err(FailureClass::BrokenStream),
    };
    for (place, choice) in choices.iter().enumerate() {
        match choice {
            Value::Object(_) if lenient::count(&choice["index"]).unwrap_or(place as u64) == 0 => {
                return Ok(Some(choice));
            }
            Value::Object(_) => {}
            odd if lenient::is_nothing(odd) => {}
            _ => return Err(FailureClass::BrokenStream),
        }
    }
    Ok(None)
}

fn piece_of(message: &Value) -> Result<Piece, Unreadable> {
    match message {
        Value::Object(_) => {}
        odd if lenient::is_nothing(odd) => return Ok(Piece::Nothing),
        _ => return Err(Unreadable),
    }
    let text = text::content_of(&message["content"])?;
    if !text.is_empty() {
        return Ok(Piece::Text(text));
    }
    match text::bytes_of(&message["reasoning_content"]) {
        0 => Ok(Piece::Nothing),
        bytes => Ok(Piece::Thinking(bytes)),
    }
}

/// Reasoning is among the output; what is no cache hit is a miss.
fn told_of(usage: &Value) -> TokenCounts {
    let count = |name: &str| lenient::count(&usage[name]);
    let prompt = count("prompt_tokens");
    let cached = count("prompt_cache_hit_tokens")
        .or_else(|| lenient::count(&usage["prompt_tokens_details"]["cached_tokens"]))
        .unwrap_or(0);
    // Both parts of the prompt are told together, so that a later count never mixes with a part of an earlier one.
    let parts = prompt.map(|prompt| (prompt - cached.min(prompt), cached.min(prompt)));
    TokenCounts {
        fresh: parts.map(|(fresh, _)| fresh),
        cached: parts.map(|(_, cached)| cached),
        written_to_cache: None,
        output: count("completion_tokens"),
        reasoning: lenient::count(&usage["completion_tokens_details"]["reasoning_tokens"]),
    }
}
