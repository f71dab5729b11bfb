//! A short film script that quotes the prompt; the same prompt always gets the same one.

use serde_json::Value;

use crate::Fault;

const CONTENT_PIECES: usize = 12;
const CHARS_PER_TOKEN: usize = 4;
/// What a content filter lets through before it stops.
const PIECES_BEFORE_FILTER: usize = 3;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The last message of the user.
    pub(crate) prompt: &'a str,
    /// Tokens of all messages.
    pub(crate) prompt_tokens: u64,
    pub(crate) thinking: bool,
    /// Limits the visible answer.
    pub(crate) max_tokens: Option<u64>,
}

/// What is said, in the pieces in which it will be streamed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reasoning: Vec<String>,
    pub(crate) content: Vec<String>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    Filtered,
}

/// Tokens; `completion` includes `reasoning`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
}

impl Answer {
    pub(crate) fn to(question: &Question<'_>, fault: Option<&Fault>) -> Answer {
        let mut reasoning = Vec::new();
        if question.thinking {
            reasoning = pieces("The user wants a short script. Three beats will do: open, turn, close.", 4);
        }
        let mut content = pieces(&script(question.prompt), CONTENT_PIECES);
        let mut finish = Finish::Stop;
        match fault {
            Some(Fault::Empty) => {
                content.clear();
                reasoning.clear();
            }
            Some(Fault::ContentFilter) => {
                content.truncate(PIECES_BEFORE_FILTER);
                finish = Finish::Filtered;
            }
            _ if cut_to(&mut content, question.max_tokens) => finish = Finish::Length,
            _ => {}
        }
        let thought = tokens(&reasoning);
        let usage = Usage {
            prompt: question.prompt_tokens,
            completion: thought + tokens(&content),
            reasoning: thought,
        };
        Answer { reasoning, content, finish, usage }
    }
}

/// The text of a message: a string, or a list of parts.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// Tokens of texts counted together: a quarter of the characters, rounded up.
pub(crate) fn tokens(texts: &[impl AsRef<str>]) -> u64 {
    let chars: usize = texts.iter().map(|text| text.as_ref().chars().count()).sum();
    chars.div_ceil(CHARS_PER_TOKEN) as u64
}

fn script(prompt: &str) -> String {
    format!(
        "SCENE 1 — MORNING\nWe open on one idea: {prompt}\nNARRATOR: Every good story starts with a clear \
         picture.\n\nSCENE 2 — CLOSER\nThe light turns warm, the detail speaks for itself: “Đẹp quá!”\n\n\
         SCENE 3 — THE END\nNARRATOR: Xin cảm ơn. Thank you for watching. ✨\n"
    )
}

/// Cuts a text into `count` pieces of about the same length, between characters.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let bytes = text.len().div_ceil(count);
    let mut rest = text;
    let mut pieces = Vec::with_capacity(count);
    while !rest.is_empty() {
        let cut = (bytes.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at));
        let (piece, later) = rest.split_at(cut.unwrap_or(rest.len()));
        pieces.push(piece.to_owned());
        rest = later;
    }
    pieces
}

/// Keeps as many pieces as the limit allows; true when some were dropped.
fn cut_to(content: &mut Vec<String>, max_tokens: Option<u64>) -> bool {
    let Some(max) = max_tokens else { return false };
    let all = content.len();
    while tokens(content) > max {
        content.pop();
    }
    content.len() < all
}
