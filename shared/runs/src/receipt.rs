use media::StoredOutput;
use primitives::{CostCents, Credits, Markup, RunId};
use providers::{Attempt, Served};
use serde::{Deserialize, Serialize};

/// What the ledger keeps with a run's outcome: everything a person may ask about it later, and no content.
///
/// Stored as JSON inside the entry; names are short, because entry and receipt together stay under one kilobyte.
/// Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub tool: String,
    pub option: String,
    /// What was held and, if it succeeded, charged.
    pub price: Credits,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<RunId>,
    /// The cost and ratio the price was made of.
    pub cost: CostCents,
    pub markup: Option<Markup>,
    /// Characters of the prompt; unknown for a run that was never ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars: Option<u64>,
    /// Fingerprint of the input.
    pub fp: String,
    pub reserved_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<u64>,
    pub finished_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<StoredOutput>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// Who did the work and what it cost us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedBy {
    pub by: String,
    pub model: String,
    pub cost: CostCents,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens_in: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens_out: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// An attempt that did not serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub by: String,
    pub why: String,
    pub ms: u64,
    /// What it costs us all the same.
    #[serde(default, skip_serializing_if = "is_free")]
    pub cost: CostCents,
    /// The provider's own name for it, for asking there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

fn is_free(cost: &CostCents) -> bool {
    *cost == CostCents::ZERO
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Receipt {
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` when an older or newer version wrote it in another shape.
    pub(crate) fn parse(text: &str) -> Option<Receipt> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn tried_of(attempts: &[Attempt]) -> Vec<Tried> {
        let failed = attempts.iter().filter_map(|attempt| {
            let why = attempt.failure?.as_str().to_owned();
            let id = attempt.provider_request_id.as_ref().map(|id| id.chars().take(36).collect());
            let by = attempt.provider.as_str().to_owned();
            Some(Tried { by, why, ms: attempt.millis, cost: attempt.cost, id })
        });
        failed.take(3).collect()
    }

    pub(crate) fn served_of(served: &Served, is_cut: bool) -> ServedBy {
        ServedBy {
            by: served.provider.as_str().to_owned(),
            model: served.model.chars().take(48).collect(),
            cost: served.cost,
            estimated: served.cost_is_estimated,
            tokens_in: served.usage.input_tokens,
            tokens_out: served.usage.output_tokens,
            cut: is_cut || served.ending == providers::Ending::LengthLimit,
        }
    }
}
