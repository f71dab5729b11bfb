use crate::text::IsText;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// One `data:` object of the stream; unknown fields are skipped.
#[derive(Deserialize)]
pub(super) struct Chunk {
    pub(super) id: Option<String>,
    /// An object or a string, said inside a 200.
    pub(super) error: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<WireUsage>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: Delta,
    pub(super) finish_reason: Option<FinishReason>,
}

#[derive(Deserialize, Default)]
pub(super) struct Delta {
    pub(super) content: Option<String>,
    pub(super) reasoning_content: Option<IsText>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum FinishReason {
    Stop,
    Length,
    ContentFilter,
    InsufficientSystemResource,
    /// `tool_calls` and what may come: the provider says that it is done.
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Clone, Copy)]
pub(super) struct WireUsage {
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    #[serde(default)]
    pub(super) completion_tokens: u64,
    #[serde(default)]
    pub(super) prompt_cache_hit_tokens: u64,
    pub(super) completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Clone, Copy)]
pub(super) struct OutputDetails {
    #[serde(default)]
    pub(super) reasoning_tokens: u64,
}
