use crate::RunsError;
use crate::receipt::Receipt;
use crate::usage::UsageLog;
use crate::view::BalanceView;
use credits::{Decided, Decision, Hold, Ledger, Outcome, SWEEP_SHARDS};
use media::StoredOutput;
use platform::Platform;
use primitives::{AccountId, CostCents, RunId, Timestamp};
use serde::Serialize;

/// Accounts looked at per shard and sweep; the next sweep takes the others.
const SHARD_MAX: usize = 5_000;

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    pub accounts: u32,
    /// Holds brought to their end.
    pub holds: u32,
    /// Accounts that could not be finished this time; the next sweep tries again.
    pub failed: u32,
}

/// Brings runs to their end: those that were decided, and those nobody ended.
#[derive(Clone)]
pub struct Closing {
    platform: Platform,
    ledger: Ledger,
    usage: UsageLog,
}

impl Closing {
    pub fn new(platform: &Platform) -> Closing {
        Closing { ledger: Ledger::new(platform), usage: UsageLog::new(platform), platform: platform.clone() }
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// Ends every hold past its expiry and grace. One account's failure does not stop the others.
    pub async fn sweep(&self) -> Result<SweepReport, RunsError> {
        let mut report = SweepReport::default();
        for shard in 0..SWEEP_SHARDS {
            self.sweep_shard(shard, &mut report).await?;
        }
        tracing::info!(
            accounts = report.accounts,
            holds = report.holds,
            failed = report.failed,
            "sweep of reservations ended"
        );
        Ok(report)
    }

    async fn sweep_shard(&self, shard: u8, report: &mut SweepReport) -> Result<(), RunsError> {
        let moment = self.now().before(self.platform.profile().ledger.hold_grace());
        for account in self.ledger.due(shard, moment, SHARD_MAX).await? {
            report.accounts += 1;
            match self.sweep_account(&account).await {
                Ok(holds) => report.holds += holds,
                Err(error) => {
                    report.failed += 1;
                    tracing::error!(account.id = %account, error = %error, "an account could not be swept");
                }
            }
        }
        Ok(())
    }

    async fn sweep_account(&self, id: &AccountId) -> Result<u32, RunsError> {
        let Some(account) = self.ledger.account(id).await? else { return Ok(0) };
        let overdue = account.overdue(self.now(), self.platform.profile().ledger.hold_grace());
        for hold in &overdue {
            self.finish_abandoned(id, hold).await?;
        }
        self.ledger.remark(id, self.now()).await?;
        Ok(u32::try_from(overdue.len()).unwrap_or(u32::MAX))
    }

    /// Ends a hold nobody ended: obeys the outcome if there is one, else gives the credit back.
    pub(crate) async fn finish_abandoned(&self, account: &AccountId, hold: &Hold) -> Result<(), RunsError> {
        let decision = Decision::release(hold, "expired", self.abandoned_receipt(hold).to_text());
        let outcome = match self.ledger.decide(account, &decision, self.now()).await? {
            Decided::Now(outcome) => {
                tracing::warn!(run.id = %hold.run, account.id = %account, "a run was never ended; the credit is back");
                outcome
            }
            Decided::Before(outcome) => outcome,
        };
        self.conclude(hold, &outcome).await?;
        Ok(())
    }

    /// The steps after the decision, in this order, so that the hold stands until all is recorded.
    pub(crate) async fn conclude(
        &self,
        hold: &Hold,
        outcome: &Outcome,
    ) -> Result<Option<BalanceView>, RunsError> {
        self.usage.record(outcome).await?;
        let balance = self.ledger.apply(&outcome.account, hold, outcome, self.now()).await?;
        Ok(balance.map(BalanceView::from))
    }

    /// Lets the owner fetch an output that came after the credit had been given back.
    pub(crate) async fn note_gift(
        &self,
        account: &AccountId,
        run: RunId,
        output: &StoredOutput,
    ) -> Result<(), RunsError> {
        self.usage.note_gift(account, run, output).await
    }

    /// What is known of a run from its hold alone.
    fn abandoned_receipt(&self, hold: &Hold) -> Receipt {
        let (tool, option) = hold.tool.split_once('/').unwrap_or((&hold.tool, ""));
        Receipt {
            tool: tool.to_owned(),
            option: option.to_owned(),
            price: hold.amount,
            quote: None,
            cost: CostCents::ZERO,
            markup: None,
            chars: 0,
            fp: hold.fingerprint.encode(),
            reserved_at: hold.expires_at.before(self.platform.profile().ledger.hold_lifetime()).millis(),
            first_at: None,
            finished_at: self.now().millis(),
            served: None,
            output: None,
            tried: Vec::new(),
        }
    }
}
