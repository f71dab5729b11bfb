//! The shapes people see: what `GET /v1/runs/{id}`, the JSON answer of a run and the `done` event share.

mod output;
mod price;
mod receipt;

pub use output::{OutputType, OutputView, SavedView};
pub use price::{ParameterType, PriceCaseView, PriceView, QuoteView, ToolParameter};
pub use receipt::{AttemptView, OutputEnding, ReceiptView};

use crate::closed_sets::RunFailure;
use crate::receipt::Receipt;
use crate::{Progress, RunsError};
use credits::{Balance, Hold, Outcome};
use primitives::{Credits, CreditsView, RunId, Timestamp, Unit};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Running,
    Succeeded,
    Failed,
}

/// One run, as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunView {
    #[schema(value_type = String, example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    pub status: RunStatus,
    /// Held for the run.
    pub price: CreditsView,
    /// Taken; 0 unless it succeeded.
    pub charged: CreditsView,
    /// Characters of the prompt; the prompt itself is not kept.
    pub input_chars: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub failure: Option<String>,
    /// What it brought, in order; of most tools one file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputView>,
    /// Where it is, while it goes on, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    pub timeline: Vec<TimelineStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
    /// The account afterwards; only in the answer of the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
    /// True when the answer is that of an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// True when the output came after the credit had been given back: it is free.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
    /// True when the client that had started the run was gone at its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_left: bool,
}

/// The first event of a stream: what was asked for, what it costs, and how long the price is held.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunBegun {
    #[schema(value_type = String, example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    /// Held for the run.
    pub price: CreditsView,
    /// `running`; for a repeat of an earlier request, what its run has come to.
    pub status: RunStatus,
    /// A run that has not ended by then is ended within two minutes, and its credit comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub held_until: Option<Timestamp>,
    /// True when the run is that of an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct BalanceView {
    /// What new runs can spend.
    pub available: CreditsView,
    /// Held by runs that are going on.
    pub reserved: CreditsView,
    /// Owed after a payment was taken back; new credit covers it first.
    pub debt: CreditsView,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineStep {
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    pub what: Milestone,
    /// Of `reserved` what was held, of `charged` what was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<CreditsView>,
    /// Of `attempt_failed` and `given_back` why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub detail: Option<String>,
}

/// What happened in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    Reserved,
    AttemptFailed,
    FirstContent,
    Charged,
    GivenBack,
}

/// A run in a list: what it is called, came to and brought, so that a gallery needs no further call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunSummary {
    #[schema(value_type = String)]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    pub status: RunStatus,
    /// Held for the run.
    pub price: CreditsView,
    /// Taken; 0 unless it succeeded.
    pub charged: CreditsView,
    pub input_chars: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub failure: Option<String>,
    /// With fresh links; the text of a text is read by its link, or with the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputView>,
    /// True when the output came after the credit had been given back: it is free.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunPage {
    pub runs: Vec<RunSummary>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl BalanceView {
    pub fn of(balance: Balance, unit: Unit) -> BalanceView {
        let shown = |amount| CreditsView::new(amount, unit);
        BalanceView {
            available: shown(balance.available),
            reserved: shown(balance.reserved),
            debt: shown(balance.debt),
        }
    }
}

impl TimelineStep {
    fn at(at: Timestamp, what: Milestone) -> TimelineStep {
        TimelineStep { at: Some(at), what, credits: None, detail: None }
    }

    fn of(self, credits: CreditsView) -> TimelineStep {
        TimelineStep { credits: Some(credits), ..self }
    }

    fn because(self, why: Option<&str>) -> TimelineStep {
        TimelineStep { detail: why.map(str::to_owned), ..self }
    }
}

fn split(name: &str) -> (String, String) {
    let (tool, model) = name.split_once('/').unwrap_or((name, ""));
    (tool.to_owned(), model.to_owned())
}

impl RunBegun {
    pub(crate) fn of_hold(hold: &Hold, held_until: Timestamp, unit: Unit) -> RunBegun {
        let (tool, model) = split(&hold.tool);
        RunBegun {
            id: hold.run,
            tool,
            model,
            price: CreditsView::new(hold.amount, unit),
            status: RunStatus::Running,
            held_until: Some(held_until),
            replayed: false,
        }
    }

    pub(crate) fn of_repeat(view: &RunView) -> RunBegun {
        RunBegun {
            id: view.id,
            tool: view.tool.clone(),
            model: view.model.clone(),
            price: view.price,
            status: view.status,
            held_until: None,
            replayed: true,
        }
    }
}

impl RunView {
    /// A run that has a hold and no outcome yet.
    pub(crate) fn of_hold(hold: &Hold, lifetime: Duration, unit: Unit) -> RunView {
        let (tool, model) = split(&hold.tool);
        let reserved_at = hold.expires_at.before(lifetime);
        let price = CreditsView::new(hold.amount, unit);
        RunView {
            id: hold.run,
            tool,
            model,
            status: RunStatus::Running,
            price,
            charged: CreditsView::new(Credits::ZERO, unit),
            input_chars: None,
            created_at: reserved_at,
            finished_at: None,
            failure: None,
            outputs: Vec::new(),
            progress: None,
            timeline: vec![TimelineStep::at(reserved_at, Milestone::Reserved).of(price)],
            receipt: None,
            balance: None,
            replayed: false,
            gift: false,
            client_left: false,
        }
    }

    /// A finished run; the output is added by the one who can make links.
    pub(crate) fn of_outcome(outcome: &Outcome, unit: Unit) -> Result<RunView, RunsError> {
        let run = outcome.run().ok_or(RunsError::NotFound)?;
        let receipt = Receipt::parse(&run.receipt).ok_or(RunsError::Malformed("a receipt"))?;
        let failure = run.failure().map(str::to_owned);
        let status = if failure.is_none() { RunStatus::Succeeded } else { RunStatus::Failed };
        Ok(RunView {
            id: RunId::from(outcome.id),
            tool: receipt.tool.clone(),
            model: receipt.option.clone(),
            status,
            price: CreditsView::new(receipt.price, unit),
            charged: CreditsView::new(outcome.amount.magnitude(), unit),
            input_chars: receipt.chars,
            created_at: receipt.reserved_at(),
            finished_at: Some(outcome.at),
            progress: None,
            timeline: timeline(&receipt, outcome, failure.as_deref(), unit),
            failure,
            outputs: Vec::new(),
            receipt: Some(ReceiptView::of(&receipt, outcome, unit)),
            balance: None,
            replayed: false,
            gift: false,
            client_left: receipt.left,
        })
    }
}

fn timeline(receipt: &Receipt, outcome: &Outcome, failure: Option<&str>, unit: Unit) -> Vec<TimelineStep> {
    let (reserved_at, shown) = (receipt.reserved_at(), |amount| CreditsView::new(amount, unit));
    let mut steps = vec![TimelineStep::at(reserved_at, Milestone::Reserved).of(shown(receipt.price))];
    let failed = receipt.tried.iter().filter(|tried| tried.failure.is_some());
    steps.extend(failed.map(|tried| {
        let at = tried.started_at(reserved_at);
        TimelineStep::at(at, Milestone::AttemptFailed).because(tried.failure.as_deref())
    }));
    if let Some(first_at) = receipt.first_at {
        steps.push(TimelineStep::at(Timestamp::from_millis(first_at), Milestone::FirstContent));
    }
    steps.push(match failure {
        None => TimelineStep::at(outcome.at, Milestone::Charged).of(shown(outcome.amount.magnitude())),
        Some(_) => TimelineStep::at(outcome.at, Milestone::GivenBack).because(failure),
    });
    steps
}

impl RunSummary {
    /// The same run as a line of a list: without text, timeline and receipt.
    pub(crate) fn of(view: RunView) -> RunSummary {
        RunSummary {
            id: view.id,
            tool: view.tool,
            model: view.model,
            status: view.status,
            price: view.price,
            charged: view.charged,
            input_chars: view.input_chars,
            created_at: view.created_at,
            finished_at: view.finished_at,
            failure: view.failure,
            outputs: view.outputs,
            gift: view.gift,
        }
    }
}
