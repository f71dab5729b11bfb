//! A repeat of a run that goes on or is over: its story is told again, nothing is done again.

use crate::conduct::Conduct;
use crate::idempotency::WAIT_MAX;
use crate::reserving::known_run;
use crate::runs::Order;
use crate::telling::RunEvent;
use crate::tools;
use crate::view::{RunBegun, RunView};
use crate::{FailedRun, OrderError, RunsError};
use credits::{Block, Outcome, Refusal, RunOutcome};
use primitives::{AccountId, Credits, RunId};
use std::time::Duration;
use tokio::time::Instant;

/// What a repeat finds.
enum Awaited {
    Over(Box<Outcome>),
    /// The run takes minutes and goes on; the repeat does not wait for its end.
    Long(Box<RunView>),
}

impl Conduct {
    /// For an order that can't be priced (any more): the run its key stands for, or the refusal.
    pub(crate) async fn replay_or(&self, order: &Order, refusal: RunsError) -> Result<(), RunsError> {
        let account = self.who.account.clone();
        let holder = self.runs.0.ledger.account(&account).await?;
        let block = holder.as_ref().and_then(|holder| holder.block);
        let refused = |refusal| OrderError::NotReserved { refusal, price: Credits::ZERO }.into();
        // No reservation has asked for them: what speaks against the person comes before what speaks against the order.
        // Who is suspended may still see what an earlier run brought.
        let refusal = match block {
            Some(Block::Closed) => return Err(refused(Refusal::Closed)),
            Some(Block::Suspended) => refused(Refusal::Suspended),
            None => refusal,
        };
        let run = match (order.run, &order.idempotency_key) {
            (Some(run), None) => Some(run),
            (None, Some(key)) => self.runs.0.idempotency_keys.find(&account, key, self.runs.now()).await?,
            _ => None,
        };
        let Some(run) = run else { return Err(refusal) };
        let fingerprint = order.input.fingerprint();
        if let Some(outcome) = self.runs.0.ledger.outcome(&account, run).await? {
            known_run(&outcome, fingerprint)?;
            return self.replay(&account, run).await;
        }
        match holder.as_ref().and_then(|holder| holder.hold(run)) {
            Some(hold) if hold.fingerprint == fingerprint => self.replay(&account, run).await,
            Some(_) => Err(OrderError::KeyConflict { run }.into()),
            None => Err(refusal),
        }
    }

    /// Tells the run's story again; waits for its end if it is still going on.
    pub(crate) async fn replay(&self, account: &AccountId, run: RunId) -> Result<(), RunsError> {
        let outcome = match self.await_outcome(account, run).await? {
            Awaited::Over(outcome) => *outcome,
            Awaited::Long(view) => {
                self.tell.begin(RunBegun::of_repeat(&view));
                self.tell.tell(RunEvent::GoesOn(view));
                return Ok(());
            }
        };
        let mut view = self.runs.0.history.finished_view(&outcome).await?;
        view.replayed = true;
        self.tell.begin(RunBegun::of_repeat(&view));
        self.tell_end(&outcome, view)
    }

    /// The end of a run that is over: what it brought, as far as it was not told, and what it came to.
    pub(crate) fn tell_end(&self, outcome: &Outcome, mut view: RunView) -> Result<(), RunsError> {
        let run = view.id;
        if view.outputs.is_empty()
            && let Some(reason) = outcome.run().and_then(RunOutcome::failure)
        {
            let failed = FailedRun::of_release(run, reason);
            return Err(if view.replayed {
                FailedRun::Replayed(Box::new(failed)).into()
            } else {
                failed.into()
            });
        }
        for output in &mut view.outputs {
            if let Some(text) = output.text.take() {
                self.tell.tell_more_of(&text);
            }
            self.tell.tell(RunEvent::Output(Box::new(output.clone())));
        }
        self.tell.tell(RunEvent::Done(Box::new(view)));
        Ok(())
    }

    async fn await_outcome(&self, account: &AccountId, run: RunId) -> Result<Awaited, RunsError> {
        let ledger = &self.runs.0.ledger;
        let mut pause = Duration::from_millis(100);
        let give_up_at = Instant::now() + WAIT_MAX;
        let mut has_place = false;
        loop {
            if let Some(outcome) = ledger.outcome(account, run).await? {
                return Ok(Awaited::Over(Box::new(outcome)));
            }
            let holder = ledger.account(account).await?;
            let Some(hold) = holder.as_ref().and_then(|holder| holder.hold(run)) else {
                // Ended between the two reads, or cancelled before it began.
                let outcome = ledger.outcome(account, run).await?.ok_or(RunsError::NotFound)?;
                return Ok(Awaited::Over(Box::new(outcome)));
            };
            if self.runs.now() > self.runs.0.closing.released_at(hold) {
                self.runs.0.closing.finish_abandoned(account, hold).await?;
                continue;
            }
            if tools::is_long(&hold.tool) {
                return Ok(Awaited::Long(Box::new(self.runs.0.history.get(account, run).await?)));
            }
            has_place = has_place || self.runs.0.idempotency_keys.may_wait(account, self.runs.now()).await;
            if !has_place || Instant::now() >= give_up_at {
                return Err(OrderError::StillRunning { run }.into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}
