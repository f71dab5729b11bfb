use primitives::{AccountId, CostCents, Private, RunId};
use std::time::Duration;

/// A text to be written.
#[derive(Debug, Clone)]
pub struct TextRequest {
    pub prompt: Private<String>,
    /// Reasoning counts among them.
    pub output_tokens_max: u32,
}

/// One image to be made.
#[derive(Debug, Clone)]
pub struct ImageRequest {
    pub prompt: Private<String>,
    pub width: u32,
    pub height: u32,
    pub seed: u32,
}

/// What a provider is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    Text(TextRequest),
    Image(ImageRequest),
}

/// One run's work, whichever provider does it.
#[derive(Debug, Clone)]
pub struct Job {
    pub run: RunId,
    /// Who it is done for. The breaker counts different accounts; no provider and no log hears of it.
    pub account: AccountId,
    pub request: Request,
    /// Wall clock for the whole chain, waits and fallbacks included.
    pub budget: Duration,
    /// All attempts together may cost this much: a step that could cost more is asked for less, or not at all.
    pub cost_max: CostCents,
}

impl Request {
    pub(crate) fn text(&self) -> Option<&TextRequest> {
        match self {
            Request::Text(text) => Some(text),
            Request::Image(_) => None,
        }
    }

    pub(crate) fn image(&self) -> Option<&ImageRequest> {
        match self {
            Request::Image(image) => Some(image),
            Request::Text(_) => None,
        }
    }
}
