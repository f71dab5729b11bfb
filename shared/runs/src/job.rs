//! A run whose provider works apart from us, as data: all that any process needs to finish it.

use crate::{Receipt, RunsError, ToolInput};
use credits::Hold;
use media::FileFamily;
use primitives::{AccountId, CostCents, RunId, Timestamp};
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
    /// The steps that may serve it, in order.
    pub(crate) chain: Vec<String>,
    pub(crate) output_tokens_max: u32,
    /// The provider's cost that the price pays for.
    pub(crate) cost_max: CostCents,
    /// As far as it was known at the beginning.
    pub(crate) receipt: Receipt,
}

/// One such run, as it is stored.
#[derive(Clone, PartialEq)]
pub(crate) struct RunJob {
    pub(crate) account: AccountId,
    pub(crate) hold: Hold,
    pub(crate) plan: RunPlan,
    pub(crate) work: Work,
    /// Where the job was when somebody last looked.
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
    fn input(&self) -> Result<ToolInput, RunsError> {
        let input = ToolInput::parse(&self.receipt.tool, &self.input);
        input.ok().flatten().ok_or(RunsError::Malformed("a stored order"))
    }
}

impl RunJob {
    /// The tool that was ordered.
    pub(crate) fn tool(&self) -> &str {
        &self.plan.receipt.tool
    }

    /// What a file must be that the provider makes.
    pub(crate) fn family(&self) -> FileFamily {
        FileFamily::Image
    }

    pub(crate) fn run(&self) -> RunId {
        self.hold.run
    }

    /// What the provider gets.
    pub(crate) fn order(&self, webhooks: Option<&Url>) -> Result<JobOrder, RunsError> {
        Ok(JobOrder {
            run: self.run(),
            account: self.account.clone(),
            request: self.plan.input()?.request(self.run(), self.plan.output_tokens_max),
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
