//! A run whose provider works apart from us, as data: all that any process needs to finish it.

use crate::tools::{Materials, Sources};
use crate::{PriceRow, Receipt, RunsError, Tool, ToolInput};
use credits::Hold;
use primitives::{AccountId, CostCents, JobId, RunId, Timestamp};
use providers::{JobOrder, Sign, Work};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use url::Url;

/// What was ordered and how it is paid. Never changed after it was stored; it holds the person's words, so it is stored
/// sealed and has no `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunPlan {
    /// As `POST /v1/runs` takes it.
    pub(crate) input: Value,
    /// The files that it names, as they were found.
    #[serde(default)]
    pub(crate) materials: Materials,
    /// The steps that may serve it, in order.
    pub(crate) chain: Vec<String>,
    pub(crate) output_tokens_max: u32,
    /// The provider's cost that the price pays for.
    pub(crate) cost_max: CostCents,
    /// Who writes the text about gathered rows.
    #[serde(default)]
    pub(crate) summary: Option<SummaryPlan>,
    /// As far as it was known at the beginning.
    pub(crate) receipt: Receipt,
}

/// Who writes the text about gathered rows, and what that may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SummaryPlan {
    pub(crate) chain: Vec<String>,
    /// Of one try.
    pub(crate) cost_max: CostCents,
}

impl SummaryPlan {
    pub(crate) fn of(row: &PriceRow, cost_max: CostCents) -> Option<SummaryPlan> {
        let chain = row.summary_chain.clone();
        (!chain.is_empty()).then_some(SummaryPlan { chain, cost_max })
    }
}

/// One such run, as it is stored.
#[derive(Clone, PartialEq)]
pub(crate) struct RunJob {
    pub(crate) account: AccountId,
    pub(crate) hold: Hold,
    pub(crate) plan: RunPlan,
    pub(crate) work: Work,
    /// Where the job was when a visitor last looked at it.
    pub(crate) sign: Option<Sign>,
    /// Of the write that this was read from.
    pub(crate) version: u32,
    /// The run has its end in the ledger. The job is kept for what may still come of it.
    pub(crate) is_over: bool,
}

impl fmt::Debug for RunJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunJob({}, {:?}, version {})", self.hold.run, self.work, self.version)
    }
}

impl RunPlan {
    /// What was ordered, checked again as it was when it came.
    pub(crate) fn input(&self) -> Result<ToolInput, RunsError> {
        let input = ToolInput::parse(&self.receipt.tool, &self.input);
        input.ok().flatten().ok_or(RunsError::Malformed("a stored order"))
    }
}

impl RunJob {
    /// The tool that was ordered.
    pub(crate) fn tool(&self) -> &str {
        &self.plan.receipt.tool
    }

    /// What a file must be that the provider makes, and how long it takes.
    pub(crate) fn kind(&self) -> Result<Tool, RunsError> {
        self.tool().parse().map_err(|_| RunsError::Malformed("a stored order"))
    }

    /// The name of its row and of its webhook; providers that let us name a job get it, too.
    pub(crate) fn id(&self) -> JobId {
        JobId::of(&self.account, self.run())
    }

    pub(crate) fn run(&self) -> RunId {
        self.hold.run
    }

    /// What the provider gets; `sources` are the files of the plan's materials.
    pub(crate) fn order(&self, webhooks: Option<&Url>, sources: &Sources) -> Result<JobOrder, RunsError> {
        let request = self.plan.input()?.request(self.run(), self.plan.output_tokens_max, sources);
        Ok(JobOrder {
            run: self.run(),
            account: self.account.clone(),
            request: request.ok_or(RunsError::Malformed("a stored order"))?,
            cost_max: self.plan.cost_max,
            webhooks: webhooks.cloned(),
        })
    }

    /// The receipt with what is known by now.
    pub(crate) fn receipt(&self, now: Timestamp) -> Receipt {
        let mut receipt = Receipt { finished_at: now.millis(), ..self.plan.receipt.clone() };
        receipt.tried = crate::Tried::all(self.work.attempts(), receipt.reserved_at());
        receipt
    }
}
