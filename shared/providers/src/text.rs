//! What every adapter for texts needs.

use crate::failure::{Failure, FailureClass};
use crate::lenient;
use crate::outlet::Outlet;
use crate::prices::{BilledTokens, TokenPrices, estimated_tokens};
use crate::stream::Broken;
use crate::{Ending, Usage};
use crate::{ProviderName, TextRequest};
use primitives::CostCents;
use serde_json::Value;
use tracing::warn;

/// What a provider may wrap around a prompt in tokens of its own: roles, rules for thinking and tools.
const WRAPPING_TOKENS_MAX: u64 = 2_000;
/// How far an answer may pass its limit before its count is not believed.
const OVERRUN_TOKENS_MAX: u64 = 1_000;

/// An answer without content is none, and the customer does not pay for it.
pub(crate) fn empty(ending: Ending) -> Failure {
    match ending {
        Ending::LengthLimit => FailureClass::LengthLimit.into(),
        Ending::ContentFilter => FailureClass::ContentRejected.into(),
        Ending::Complete => FailureClass::EmptyAnswer.into(),
    }
}

/// What a provider told of its tokens; what it did not tell, or not readably, is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TokenCounts {
    /// Tokens read that came from no cache.
    pub(crate) fresh: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) written_to_cache: Option<u64>,
    pub(crate) output: Option<u64>,
    /// Those of `output` that were reasoning.
    pub(crate) reasoning: Option<u64>,
}

/// What an attempt used and costs us.
#[derive(Debug)]
pub(crate) struct Bill {
    pub(crate) usage: Usage,
    pub(crate) cost: CostCents,
    pub(crate) is_estimated: bool,
}

impl TokenCounts {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == TokenCounts::default()
    }

    /// What is told later counts.
    pub(crate) fn then(self, later: TokenCounts) -> TokenCounts {
        TokenCounts {
            fresh: later.fresh.or(self.fresh),
            cached: later.cached.or(self.cached),
            written_to_cache: later.written_to_cache.or(self.written_to_cache),
            output: later.output.or(self.output),
            reasoning: later.reasoning.or(self.reasoning),
        }
    }

    /// The bill of a request: what was told, and an estimate from what went in and out for the rest. Counts beyond
    /// what the request could use at most are taken down to that: they are an error of the provider's, and we do not
    /// book a fortune because of a digit too many.
    pub(crate) fn bill(
        self,
        provider: ProviderName,
        prices: &TokenPrices,
        request: &TextRequest,
        outlet: &Outlet<'_>,
    ) -> Bill {
        let most = Most::of(request, outlet);
        let prompt = estimated_tokens(request.prompt.expose().len());
        let fresh = self.fresh.unwrap_or(prompt);
        let told = BilledTokens {
            input: fresh,
            cached_input: self.cached.unwrap_or(0),
            cache_write: self.written_to_cache.unwrap_or(0),
            output: self.output.unwrap_or(estimated_tokens(outlet.written())),
        };
        let billed = most.bound(told);
        if billed != told {
            warn!(
                metric = "provider_usage_implausible",
                provider.name = provider.as_str(),
                "{provider} told more tokens than the request can have used; its cost is bounded"
            );
        }
        let usage = Usage {
            input_tokens: billed.input + billed.cached_input + billed.cache_write,
            cached_input_tokens: billed.cached_input,
            output_tokens: billed.output,
            reasoning_tokens: self.reasoning.unwrap_or(0).min(billed.output),
            billable_units: None,
        };
        let is_estimated = self.fresh.is_none() || self.output.is_none() || billed != told;
        Bill { usage, cost: prices.cost(&billed), is_estimated }
    }

    /// The failure of an attempt that had begun: what it used is paid, told or not. A provider that told an error
    /// before it wrote anything wants nothing for it, unless it says so.
    pub(crate) fn failure(
        self,
        broken: Broken,
        provider: ProviderName,
        prices: &TokenPrices,
        request: &TextRequest,
        outlet: &Outlet<'_>,
    ) -> Failure {
        let failure = Failure::new(broken.class);
        if self.is_nothing() && broken.is_refusal && outlet.written() == 0 {
            return failure;
        }
        let bill = self.bill(provider, prices, request, outlet);
        failure.costing(bill.cost, bill.is_estimated)
    }
}

/// The most tokens a request can use.
struct Most {
    input: u64,
    output: u64,
}

impl Most {
    /// No tokenizer makes more tokens of a text than it has bytes.
    fn of(request: &TextRequest, outlet: &Outlet<'_>) -> Most {
        let prompt = u64::try_from(request.prompt.expose().len()).unwrap_or(u64::MAX);
        let limit = u64::from(request.output_tokens_max) + OVERRUN_TOKENS_MAX;
        Most {
            input: prompt.saturating_add(WRAPPING_TOKENS_MAX),
            output: limit.max(u64::try_from(outlet.written()).unwrap_or(u64::MAX)),
        }
    }

    /// The dearest kinds of input are believed first.
    fn bound(&self, told: BilledTokens) -> BilledTokens {
        let cache_write = told.cache_write.min(self.input);
        let input = told.input.min(self.input - cache_write);
        let cached_input = told.cached_input.min(self.input - cache_write - input);
        BilledTokens { input, cached_input, cache_write, output: told.output.min(self.output) }
    }
}

/// What an attempt costs whose request was received, as far as we know, and never answered: the prompt was read.
pub(crate) fn unanswered(prices: &TokenPrices, request: &TextRequest) -> Failure {
    let input = estimated_tokens(request.prompt.expose().len());
    let cost = prices.cost(&BilledTokens { input, ..BilledTokens::default() });
    Failure::new(FailureClass::Unavailable).costing(cost, true)
}

/// Why a provider says that a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The text is whole, or as long as it may be: whatever is cut afterwards.
    Ends(Ending),
    /// A word we do not know. It ends the text only together with the protocol's own last event.
    Unknown,
    Fails(FailureClass),
}

/// Reads a `finish_reason` or `stop_reason`. `None`: there is none; `""` and null are none too.
pub(crate) fn reason_of(value: &Value) -> Option<Reason> {
    let reason = match lenient::text(value)?.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "stop_sequence" | "eos" | "tool_calls" | "tool_use" | "function_call" => {
            Reason::Ends(Ending::Complete)
        }
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
            Reason::Ends(Ending::LengthLimit)
        }
        "content_filter" | "content_filtered" | "refusal" | "safety" | "sensitive" | "blocked"
        | "prohibited_content" => Reason::Ends(Ending::ContentFilter),
        "insufficient_system_resource"
        | "error"
        | "abort"
        | "aborted"
        | "cancelled"
        | "canceled"
        | "timeout"
        | "failed"
        | "network_error" => Reason::Fails(FailureClass::BrokenStream),
        _ => Reason::Unknown,
    };
    Some(reason)
}

/// A piece of text has a shape in which we can't read it: passing it over would leave a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// The text in a `content` field: a text, a list of parts that hold texts, or nothing.
pub(crate) fn content_of(value: &Value) -> Result<String, Unreadable> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => parts.iter().map(part_of).collect(),
        _ => Err(Unreadable),
    }
}

fn part_of(part: &Value) -> Result<String, Unreadable> {
    match part {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Object(fields) => match fields.get("type").map(lenient::text) {
            None | Some(None | Some("text" | "output_text" | "text_delta")) => {
                match fields.get("text").unwrap_or(&Value::Null) {
                    Value::Null => Ok(String::new()),
                    Value::String(text) => Ok(text.clone()),
                    _ => Err(Unreadable),
                }
            }
            // Reasoning, and what is no text.
            Some(Some(_)) => Ok(String::new()),
        },
        _ => Err(Unreadable),
    }
}

/// How much reasoning a field holds, in bytes. The text itself is kept nowhere.
pub(crate) fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(fields) => fields.values().map(bytes_of).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
