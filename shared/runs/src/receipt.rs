use crate::Tried;
use credits::{Outcome, RunOutcome};
use media::StoredOutput;
use primitives::{CostCents, Credits, Markup, RunId, Timestamp};
use providers::{Ending, Served};
use serde::{Deserialize, Serialize};

/// Beside it the entry has account, id, kind, amount, time, nonce and what was lost: about 170 bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 850;

/// What the ledger keeps with a run's outcome: everything a person may ask about it later, and no content.
///
/// Stored as JSON inside the entry; names are short, so that entry and receipt together stay under one kilobyte. Those of a run
/// with several outputs may be longer.
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
    /// The run's owner has said that the speaker in the recording agrees to the use of their voice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
    /// Fingerprint of the input.
    pub fp: String,
    pub reserved_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<u64>,
    pub finished_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedBy>,
    /// Who wrote the text about what was gathered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summed: Option<ServedBy>,
    /// The first thing that it brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<StoredOutput>,
    /// What it brought beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) more: Vec<StoredOutput>,
    /// Every attempt, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// The client had left when the run ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
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
    /// The text was cut at its length limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The provider's content rules ended the text after a part of it had been shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Receipt {
    /// Where entry and receipt would be longer than one kilobyte, the providers' own ids give way, which the usage log keeps
    /// too. Outputs never give way.
    pub(crate) fn to_text(&self) -> String {
        let text = self.json();
        if text.len() <= TEXT_BYTES_MAX {
            return text;
        }
        let without_id = |tried: &Tried| Tried { id: None, ..tried.clone() };
        Receipt { tried: self.tried.iter().map(without_id).collect(), ..self.clone() }.json()
    }

    /// What the run brought, in order.
    pub fn outputs(&self) -> Vec<StoredOutput> {
        self.output.iter().chain(&self.more).cloned().collect()
    }

    pub(crate) fn with_outputs(self, outputs: &[StoredOutput]) -> Receipt {
        let (output, more) = match outputs {
            [] => (None, Vec::new()),
            [first, more @ ..] => (Some(first.clone()), more.to_vec()),
        };
        Receipt { output, more, ..self }
    }

    pub(crate) fn reserved_at(&self) -> Timestamp {
        Timestamp::from_millis(self.reserved_at)
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` when an older or newer version wrote it in another shape.
    pub(crate) fn parse(text: &str) -> Option<Receipt> {
        serde_json::from_str(text).ok()
    }

    /// All that the run cost us: what is lost if it is given back.
    pub(crate) fn whole_cost(&self) -> CostCents {
        Tried::failed_cost(&self.tried).saturating_add(self.served_cost())
    }

    /// What those who served cost us.
    pub(crate) fn served_cost(&self) -> CostCents {
        let both = self.served.iter().chain(&self.summed);
        both.fold(CostCents::ZERO, |sum, served| sum.saturating_add(served.cost))
    }

    /// What failed attempts cost us. Of a run that was given back it is what the ledger's entry calls lost, less what the
    /// provider that served got: of one whose end was not seen that is its price.
    pub(crate) fn failed_cost(&self, outcome: &Outcome) -> CostCents {
        let served = self.served_cost();
        let lost = outcome.run().map_or(CostCents::ZERO, RunOutcome::lost);
        Tried::failed_cost(&self.tried).max(lost.checked_sub(served).unwrap_or_default())
    }

    pub(crate) fn served_of(served: &Served, is_cut: bool) -> ServedBy {
        ServedBy {
            by: served.provider.as_str().to_owned(),
            model: served.model.chars().take(48).collect(),
            cost: served.cost,
            estimated: served.cost_is_estimated,
            tokens_in: served.usage.input_tokens,
            tokens_out: served.usage.output_tokens,
            cut: is_cut || served.ending == Ending::LengthLimit,
            filtered: served.ending == Ending::ContentFilter,
        }
    }
}

impl ServedBy {
    /// How the output ended: `complete`, `length_limit` or `content_filter`.
    pub(crate) fn ending(&self) -> Ending {
        match (self.filtered, self.cut) {
            (true, _) => Ending::ContentFilter,
            (false, true) => Ending::LengthLimit,
            (false, false) => Ending::Complete,
        }
    }
}
