//! What a finished run shows of its receipt.

use crate::Tried;
use crate::closed_sets::AttemptOutcome;
use crate::receipt::{Receipt, ServedBy};
use credits::Outcome;
use primitives::{CreditsView, RunId, Timestamp, Unit};
use providers::Ending;
use serde::Serialize;
use utoipa::ToSchema;

/// How the price came about, who served, and which ledger entry proves it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiptView {
    /// The ledger's entry of the charge; absent where nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub entry_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub quote_number: Option<RunId>,
    /// The cost the price was made of, in cents; it is the same whichever provider served.
    pub quoted_cost_cents: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markup_ratio: Option<String>,
    pub price: CreditsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_model: Option<String>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The provider stopped at its length limit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut_at_limit: bool,
    /// Who wrote the text about what was gathered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_provider: Option<String>,
    /// Its owner has stated that the person who is heard in the recording agrees that their voice is used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
    /// How the output ended. Absent when nothing was served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<OutputEnding>,
    /// Every attempt at a provider, in order; the one that served is the last.
    pub attempts: Vec<AttemptView>,
    /// What the attempts cost us that did not serve, in cents; you don't pay for it. For a run whose end was not seen, its
    /// price: it can't be more.
    pub failed_cost_cents: String,
}

/// `content_filter`: the provider's content rules ended a text of which a part had been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputEnding {
    Complete,
    LengthLimit,
    ContentFilter,
}

/// One call to one provider within the run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    pub provider: String,
    #[schema(value_type = AttemptOutcome)]
    pub outcome: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    pub duration_ms: u64,
    /// What it cost us, in cents.
    pub cost_cents: String,
}

impl ReceiptView {
    pub(super) fn of(receipt: &Receipt, outcome: &Outcome, unit: Unit) -> ReceiptView {
        let served = receipt.served.as_ref();
        ReceiptView {
            entry_id: (!outcome.amount.magnitude().is_zero()).then(|| RunId::from(outcome.id)),
            quote_number: receipt.quote,
            quoted_cost_cents: receipt.cost.to_string(),
            markup_ratio: receipt.markup.map(|markup| markup.to_string()),
            price: CreditsView::new(receipt.price, unit),
            provider: served.map(|served| served.by.clone()),
            provider_model: served.map(|served| served.model.clone()),
            input_tokens: tokens(receipt, |served| served.tokens_in),
            output_tokens: tokens(receipt, |served| served.tokens_out),
            cut_at_limit: served.is_some_and(|served| served.cut),
            summary_provider: receipt.summed.as_ref().map(|summed| summed.by.clone()),
            consent: receipt.consent,
            ending: served.map(|served| OutputEnding::of(served.ending())),
            attempts: receipt
                .tried
                .iter()
                .map(|tried| AttemptView::of(tried, receipt.reserved_at()))
                .collect(),
            failed_cost_cents: receipt.failed_cost(outcome).to_string(),
        }
    }
}

fn tokens(receipt: &Receipt, of: fn(&ServedBy) -> u64) -> u64 {
    receipt.served.iter().chain(&receipt.summed).map(of).fold(0, u64::saturating_add)
}

impl OutputEnding {
    fn of(ending: Ending) -> OutputEnding {
        match ending {
            Ending::Complete => OutputEnding::Complete,
            Ending::LengthLimit => OutputEnding::LengthLimit,
            Ending::ContentFilter => OutputEnding::ContentFilter,
        }
    }
}

impl AttemptView {
    fn of(tried: &Tried, reserved_at: Timestamp) -> AttemptView {
        AttemptView {
            provider: tried.by.clone(),
            outcome: tried.outcome().to_owned(),
            started_at: tried.started_at(reserved_at),
            duration_ms: tried.ms,
            cost_cents: tried.cost.to_string(),
        }
    }
}
