use crate::problem::EXPIRED;
use crate::receipt::Receipt;
use crate::usage::UsageLog;
use crate::view::BalanceView;
use crate::{FailedRun, RunsError, tools};
use credits::{Decided, Decision, Hold, Ledger, Outcome, SWEEP_SHARDS};
use drives::{Order, Saves};
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use media::StoredOutput;
use platform::{InvalidSettings, Platform, StoreError, with_causes};
use primitives::{AccountId, CostCents, RunId, Timestamp};
use serde::Serialize;

/// Accounts looked at per shard and sweep; the next sweep takes the others.
const SHARD_MAX: usize = 5_000;

/// Accounts of one shard that are worked on at the same time.
const AT_ONCE: usize = 8;

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    pub accounts: u32,
    /// Holds brought to their end.
    pub holds: u32,
    /// Accounts that could not be finished this time; the next sweep tries again.
    pub failed: u32,
    /// How long past its expiry and grace the longest waiting reservation was when this sweep came. It is below two
    /// minutes while sweeps do their work; what they can't end grows old here.
    pub overdue_seconds: u64,
}

impl SweepReport {
    fn add(&mut self, part: SweepReport) {
        self.accounts = self.accounts.saturating_add(part.accounts);
        self.holds = self.holds.saturating_add(part.holds);
        self.failed = self.failed.saturating_add(part.failed);
        self.overdue_seconds = self.overdue_seconds.max(part.overdue_seconds);
    }
}

/// Concludes runs that were decided, and gives back the credit of runs whose hold is over without an outcome.
#[derive(Clone)]
pub struct Closing {
    platform: Platform,
    ledger: Ledger,
    usage: UsageLog,
    saves: Saves,
}

impl Closing {
    pub fn new(platform: &Platform) -> Result<Closing, InvalidSettings> {
        let (ledger, usage) = (Ledger::new(platform)?, UsageLog::new(platform)?);
        Ok(Closing { ledger, usage, saves: Saves::new(platform)?, platform: platform.clone() })
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// Ends every hold past its expiry and grace. A failure at one account does not stop the others.
    pub async fn sweep(&self) -> Result<SweepReport, RunsError> {
        let shards = (0..SWEEP_SHARDS).map(|shard| self.sweep_shard(shard).boxed());
        let mut report = SweepReport::default();
        let mut last_error = None;
        for swept in join_all(shards).await {
            match swept {
                Ok(part) => report.add(part),
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "a shard could not be swept");
                    last_error = Some(error);
                }
            }
        }
        tracing::info!(
            metric = "held_overdue_seconds",
            value = report.overdue_seconds,
            accounts = report.accounts,
            holds = report.holds,
            failed = report.failed,
            "sweep of reservations ended"
        );
        last_error.map_or(Ok(report), Err)
    }

    async fn sweep_shard(&self, shard: u8) -> Result<SweepReport, RunsError> {
        let moment = self.now().before(self.ledger.hold_grace());
        let due = self.ledger.due(shard, moment, SHARD_MAX).await?;
        let longest = due.first().map_or(0, |longest| moment.since(longest.since).as_secs());
        let sweeps = due.into_iter().map(|due| self.sweep_account(due.account).boxed());
        let parts: Vec<SweepReport> =
            futures_util::stream::iter(sweeps).buffer_unordered(AT_ONCE).collect().await;
        let mut report = SweepReport { overdue_seconds: longest, ..SweepReport::default() };
        parts.into_iter().for_each(|part| report.add(part));
        Ok(report)
    }

    async fn sweep_account(&self, id: AccountId) -> SweepReport {
        let mut report = SweepReport { accounts: 1, ..SweepReport::default() };
        if let Err(error) = self.try_sweep_account(&id, &mut report).await {
            report.failed = 1;
            tracing::error!(account.id = %id, error = %with_causes(&error), "an account could not be swept");
        }
        report
    }

    async fn try_sweep_account(&self, id: &AccountId, report: &mut SweepReport) -> Result<(), RunsError> {
        let Some(account) = self.ledger.account(id).await? else { return Ok(()) };
        let mut result = Ok(());
        for hold in account.overdue(self.now(), self.ledger.hold_grace()) {
            match self.finish_abandoned(id, &hold).await {
                Ok(()) => report.holds += 1,
                Err(error) => result = Err(error),
            }
        }
        self.ledger.settle_debt(id).await?;
        self.ledger.remark(id, self.now()).await?;
        result
    }

    /// Ends an overdue hold: concludes the outcome if a process has decided one, else gives the credit back.
    pub(crate) async fn finish_abandoned(&self, account: &AccountId, hold: &Hold) -> Result<(), RunsError> {
        let lost = self.platform.profile().unit.cost_paid_by(hold.amount);
        let receipt = self.abandoned_receipt(hold).to_text();
        let decision = Decision::release_unseen(hold, EXPIRED, lost, receipt);
        let outcome = self.decide(account, &decision).await?;
        self.conclude(hold, &outcome).await?;
        Ok(())
    }

    /// When the sweep gives back the credit of a run without an outcome.
    pub(crate) fn released_at(&self, hold: &Hold) -> Timestamp {
        hold.expires_at.after(self.ledger.hold_grace())
    }

    /// Decide, log, apply. If the store fails on the way, the hold stays and the sweep does the rest.
    pub(crate) async fn settle(
        &self,
        account: &AccountId,
        hold: &Hold,
        decision: &Decision,
    ) -> Result<(Outcome, Option<BalanceView>), RunsError> {
        let unsettled = |source: RunsError| {
            tracing::error!(
                run.id = %hold.run, error = %with_causes(&source),
                "a run could not be settled; the sweep will"
            );
            FailedRun::Unsettled {
                run: hold.run,
                held_until: self.released_at(hold),
                source: Box::new(source),
            }
        };
        let outcome = self.decide(account, decision).await.map_err(unsettled)?;
        // The decision stands. What fails from here on does not change what the customer is told.
        match self.conclude(hold, &outcome).await {
            Ok(balance) => Ok((outcome, balance)),
            Err(error) => {
                tracing::warn!(
                    run.id = %hold.run, error = %with_causes(&error),
                    "a decided run is left for the sweep to conclude"
                );
                Ok((outcome, None))
            }
        }
    }

    /// Writes the run's outcome, or finds the one that was written before, and tells what a new one lost.
    pub(crate) async fn decide(
        &self,
        account: &AccountId,
        decision: &Decision,
    ) -> Result<Outcome, RunsError> {
        match self.ledger.decide(account, decision, self.now()).await? {
            Decided::Now(outcome) => {
                tell_loss(&outcome);
                Ok(outcome)
            }
            Decided::Before(outcome) => Ok(outcome),
        }
    }

    /// The steps after the decision, in this order, so that the hold stands until all is recorded.
    pub(crate) async fn conclude(
        &self,
        hold: &Hold,
        outcome: &Outcome,
    ) -> Result<Option<BalanceView>, RunsError> {
        let (recorded, asked) = tokio::join!(self.usage.record(outcome), self.save_always(outcome));
        recorded?;
        // If the save could not be asked for, the hold stands, and the sweep concludes the run again and asks for the
        // save.
        asked?;
        let balance = self.ledger.apply(&outcome.account, hold, outcome, self.now()).await?;
        Ok(balance.map(|balance| BalanceView::of(balance, self.platform.profile().unit)))
    }

    /// Asks for the run's outputs to be saved in its owner's drive, if the owner wants that for all runs. A save that
    /// fails later changes nothing about the run.
    async fn save_always(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
        let Some(receipt) = receipt else { return Ok(()) };
        let outputs = receipt.outputs();
        let (account, run) = (&outcome.account, RunId::from(outcome.id));
        self.saves.schedule_always(Order { account, run, tool: &receipt.tool, outputs: &outputs }).await
    }

    /// Notes the outputs that came after the credit had gone back, so that the owner can fetch them. Without the note only a
    /// client that still listens gets them.
    pub(crate) async fn deliver_late(
        &self,
        outcome: &Outcome,
        outputs: &[StoredOutput],
    ) -> Result<(), RunsError> {
        let run = RunId::from(outcome.id);
        self.usage.note_gift(&outcome.account, run, outputs).await?;
        let tool = outcome.run().and_then(|run| Receipt::parse(&run.receipt)).map(|receipt| receipt.tool);
        let order = Order { account: &outcome.account, run, tool: &tool.unwrap_or_default(), outputs };
        if let Err(error) = self.saves.schedule_always(order).await {
            tracing::warn!(
                run.id = %run, error = %with_causes(&error),
                "a late output is not saved by itself; its owner can ask for it"
            );
        }
        Ok(())
    }

    /// Whether a late output was noted for the run.
    pub(crate) async fn has_gift(&self, outcome: &Outcome) -> Result<bool, RunsError> {
        let row = self.usage.row(&outcome.account, RunId::from(outcome.id)).await?;
        Ok(row.is_some_and(|row| !row.gift.is_empty()))
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
            chars: None,
            consent: false,
            fp: hold.fingerprint.encode(),
            reserved_at: hold
                .expires_at
                .before(tools::hold_lifetime(&hold.tool, self.ledger.hold_lifetime()))
                .millis(),
            first_at: None,
            finished_at: self.now().millis(),
            served: None,
            summed: None,
            output: None,
            more: Vec::new(),
            tried: Vec::new(),
            // The task that knew was killed.
            left: false,
        }
    }
}

fn tell_loss(outcome: &Outcome) {
    let Some(run) = outcome.run().filter(|run| run.lost() > CostCents::ZERO) else { return };
    tracing::warn!(
        metric = "given_back_micro_cents", value = run.lost().micro_cents(),
        run.id = %outcome.id, account.id = %outcome.account, reason = run.failure(),
        "a run cost us something and its credit is back"
    );
}
