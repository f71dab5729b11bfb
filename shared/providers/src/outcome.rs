use crate::FailureClass;
use primitives::{CostCents, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which AI service it was; also the key of its row in `provider_health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    Deepseek,
    Anthropic,
    Fal,
    Comfyui,
    Replicate,
    Omnivoice,
    Groq,
    Apify,
}

/// What the provider says it used; 0 where a number does not apply to the kind of work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens read, cached ones included.
    pub input_tokens: u64,
    /// Those of `input_tokens` that came from the provider's cache.
    pub cached_input_tokens: u64,
    /// All tokens written, reasoning included.
    pub output_tokens: u64,
    /// Those of `output_tokens` that were reasoning, where the provider counts them apart.
    pub reasoning_tokens: u64,
    /// fal's unit count, or Replicate's seconds of a machine, exactly as sent, e.g. `3.008`.
    pub billable_units: Option<String>,
}

/// How a text ended; all else is always complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Complete,
    LengthLimit,
    /// The provider's content rules ended it after a part had been sent: the customer's own request brought that about.
    ContentFilter,
}

/// One call to one provider within a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    pub provider: ProviderName,
    /// The model that was asked for.
    pub model: String,
    pub started_at: Timestamp,
    pub millis: u64,
    /// From the start of the attempt to the first text or file.
    pub first_content_millis: Option<u64>,
    /// `None`: it served.
    pub failure: Option<FailureClass>,
    pub provider_request_id: Option<String>,
    /// What this attempt costs us; a failed one may cost too.
    pub cost: CostCents,
    /// The provider did not tell its cost: it is counted from what went in and out.
    pub cost_is_estimated: bool,
}

/// The run has its output; every event was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub provider: ProviderName,
    pub model: String,
    pub usage: Usage,
    /// Our true cost of the attempt that served; failed attempts carry their own.
    pub cost: CostCents,
    /// The provider told no usage: `usage` and `cost` are counted from what went in and out.
    pub cost_is_estimated: bool,
    pub ending: Ending,
    /// In order; the last one served.
    pub attempts: Vec<Attempt>,
}

/// No provider of the chain served the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Of the last attempt.
    pub class: FailureClass,
    /// A part of the output was already sent as events.
    pub content_was_sent: bool,
    pub attempts: Vec<Attempt>,
}

impl ProviderName {
    pub(crate) const ALL: [ProviderName; 8] = [
        ProviderName::Deepseek,
        ProviderName::Anthropic,
        ProviderName::Fal,
        ProviderName::Comfyui,
        ProviderName::Replicate,
        ProviderName::Omnivoice,
        ProviderName::Groq,
        ProviderName::Apify,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ProviderName::Deepseek => "deepseek",
            ProviderName::Anthropic => "anthropic",
            ProviderName::Fal => "fal",
            ProviderName::Comfyui => "comfyui",
            ProviderName::Replicate => "replicate",
            ProviderName::Omnivoice => "omnivoice",
            ProviderName::Groq => "groq",
            ProviderName::Apify => "apify",
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Ending {
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::Complete => "complete",
            Ending::LengthLimit => "length_limit",
            Ending::ContentFilter => "content_filter",
        }
    }
}
