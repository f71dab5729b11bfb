use crate::text::IsText;
use serde::Deserialize;

/// One event of the stream, all kinds in one: the kind says which fields are there.
#[derive(Deserialize)]
pub(super) struct WireEvent {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) message: Option<Message>,
    pub(super) content_block: Option<Content>,
    pub(super) delta: Option<Content>,
    pub(super) usage: Option<WireUsage>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    MessageStart,
    ContentBlockStart,
    ContentBlockDelta,
    MessageDelta,
    MessageStop,
    Error,
    /// `ping`, `content_block_stop` and what may come.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) usage: Option<WireUsage>,
}

/// A block's beginning, a piece of it, or the message's last words.
#[derive(Deserialize)]
pub(super) struct Content {
    #[serde(rename = "type", default)]
    pub(super) kind: ContentKind,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<IsText>,
    pub(super) stop_reason: Option<StopReason>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum ContentKind {
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum StopReason {
    MaxTokens,
    ModelContextWindowExceeded,
    Refusal,
    /// `end_turn`, `stop_sequence` and what may come.
    #[serde(other)]
    Other,
}

/// Cumulative; a later event repeats only what changed.
#[derive(Deserialize, Clone, Copy, Default)]
pub(super) struct WireUsage {
    pub(super) input_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
}

impl WireUsage {
    /// What is said later counts.
    pub(super) fn then(self, later: WireUsage) -> WireUsage {
        WireUsage {
            input_tokens: later.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
        }
    }
}
