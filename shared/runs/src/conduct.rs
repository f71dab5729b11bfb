use crate::job::{RunJob, RunPlan};
use crate::jobs::JobEnd;
use crate::problem::{EXPIRED, OUTPUT_LOST, STOPPED};
use crate::receipt::Receipt;
use crate::reserving::Started;
use crate::runs::{Order, Priced, Runs, Who};
use crate::telling::{Progress, RunEvent, Stage, Teller};
use crate::tools::{Pace, Sources};
use crate::view::{BalanceView, OutputView, RunBegun, RunStatus, RunView};
use crate::writing::{Gathered, Writing, Written};
use crate::{FailedRun, RunsError, Tried};
use credits::{Decision, Hold, Outcome, RunOutcome};
use media::{OutputKind, StoredOutput};
use platform::with_causes;
use primitives::{AccountId, CostCents, Private, RunId, Timestamp, Unit};
use providers::{Failed, FailureClass, Job, Request, Served, Visit, Work};

/// Drives one run from its reservation to its end, also after the client has left.
pub(crate) struct Conduct {
    pub(crate) runs: Runs,
    pub(crate) who: Who,
    pub(crate) tell: Teller,
}

impl Conduct {
    pub(crate) async fn work(self, order: Order) {
        if let Err(error) = self.try_work(order).await {
            self.tell.fail(&error);
        }
    }

    async fn try_work(&self, order: Order) -> Result<(), RunsError> {
        let mut priced = match self.runs.price(&self.who, &order).await {
            Ok(priced) => priced,
            // Prices, quotes and limits change; what a key stands for does not.
            Err(refusal) => return self.replay_or(&order, refusal).await,
        };
        let started = match self.start(&mut priced).await? {
            Started::Known(run) => match self.replay(&priced.account, run).await {
                // Cancelled before it began, by a twin that then could not go on: the key is free again.
                Err(RunsError::NotFound) => self.start(&mut priced).await?,
                told => return told,
            },
            reserved => reserved,
        };
        match started {
            Started::Known(run) => self.replay(&priced.account, run).await,
            Started::Reserved { hold, overdue } => {
                self.conduct(&priced, &hold).await;
                self.tidy_up(&priced.account, overdue).await;
                Ok(())
            }
        }
    }

    /// From the hold to the end, which is told here whatever it is.
    async fn conduct(&self, priced: &Priced, hold: &Hold) {
        self.tell.begin(RunBegun::of_hold(hold, self.runs.0.closing.released_at(hold), self.unit()));
        let Err(error) = self.tell.during(self.serve(priced, hold)).await else { return };
        let code = self.tell.fail(&error);
        if code.status() >= 500 {
            // A stream that has begun is a 200 for everybody who counts answers.
            tracing::warn!(
                metric = "runs_failed",
                run.id = %hold.run,
                code = code.as_str(),
                error = %with_causes(&error),
                "a run failed after its credit was held, and not for its input"
            );
        }
    }

    async fn tidy_up(&self, account: &AccountId, overdue: Vec<Hold>) {
        for abandoned in overdue {
            if let Err(error) = self.runs.0.closing.finish_abandoned(account, &abandoned).await {
                tracing::warn!(
                    run.id = %abandoned.run, error = %with_causes(&error),
                    "an expired hold stays for the sweep"
                );
            }
        }
    }

    /// Provider, store, settle. From here on every end is an outcome in the ledger, or left to the sweep.
    async fn serve(&self, priced: &Priced, hold: &Hold) -> Result<(), RunsError> {
        if priced.input.pace() != Pace::Written {
            return Box::pin(self.serve_apart(priced, hold)).await;
        }
        let job = Job {
            run: hold.run,
            account: priced.account.clone(),
            request: self.request(priced, hold)?,
            budget: self.runs.0.settings.budget,
            cost_max: priced.cost_max,
        };
        let writing = Writing {
            platform: &self.runs.0.platform,
            live: &self.runs.0.live,
            chain: &priced.chain,
            job: &job,
            tell: Some(&self.tell),
            output_tokens_max: priced.row.output_tokens_max(),
        };
        let Written { result, gathered } = Box::pin(writing.write()).await;
        match result {
            Some(Ok(served)) => self.deliver(priced, hold, &served, gathered).await,
            Some(Err(failed)) => self.fail(priced, hold, &failed, gathered.first_at).await,
            None => self.break_off(priced, hold, gathered.first_at).await,
        }
    }

    /// The process ends before the provider has ended. Its work is lost with the process, so nothing is charged.
    async fn break_off(
        &self,
        priced: &Priced,
        hold: &Hold,
        first_at: Option<Timestamp>,
    ) -> Result<(), RunsError> {
        // A text ends with its connection.
        let lost = self.cost_paid_by(hold);
        let receipt = self.receipt(priced, hold, first_at).to_text();
        let decision = Decision::release_for_our_fault(hold, STOPPED, lost, receipt);
        self.runs.0.closing.settle(&priced.account, hold, &decision).await?;
        tracing::warn!(run.id = %hold.run, "a run is broken off with its process; the credit is back");
        Err(FailedRun::BrokenOff { run: hold.run }.into())
    }

    fn request(&self, priced: &Priced, hold: &Hold) -> Result<Request, RunsError> {
        let request = priced.input.request(hold.run, priced.row.output_tokens_max(), &Sources::default());
        request.ok_or(RunsError::Malformed("an order"))
    }

    /// The output is stored first: nothing is charged that can't be fetched.
    async fn deliver(
        &self,
        priced: &Priced,
        hold: &Hold,
        served: &Served,
        gathered: Gathered,
    ) -> Result<(), RunsError> {
        let first_at = gathered.first_at;
        let mut receipt = self.receipt(priced, hold, first_at);
        receipt.tried = Tried::all(&served.attempts, receipt.reserved_at());
        receipt.served = Some(Receipt::served_of(served, gathered.is_cut));
        if gathered.text.is_empty() {
            return self.give_back(priced, hold, receipt, FailureClass::BrokenStream).await;
        }
        let (kind, content) = (OutputKind::Text, Private::new(gathered.text.into_bytes()));
        self.tell.note(Progress::at(Stage::Storing));
        // Named after the hold, so that nothing but this decision ever writes to it.
        let name = format!("{}-{}", hold.run, hold.nonce.encode());
        let stored = self.runs.0.media.store(&priced.account, &name, kind, content, self.runs.now()).await;
        let output = match stored {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(
                    run.id = %hold.run, error = %with_causes(&error),
                    "an output could not be stored; the credit goes back"
                );
                let (lost, receipt) = (receipt.whole_cost(), receipt.to_text());
                let decision = Decision::release_for_our_fault(hold, OUTPUT_LOST, lost, receipt);
                self.runs.0.closing.settle(&priced.account, hold, &decision).await?;
                return Err(FailedRun::OutputLost { run: hold.run }.into());
            }
        };
        warn_of_loss(hold.run, &receipt, self.cost_paid_by(hold));
        receipt = receipt.with_outputs(std::slice::from_ref(&output));
        receipt.finished_at = self.runs.now().millis();
        let decision = Decision::charge(hold, hold.amount, receipt.to_text())?;
        let (outcome, balance) = self.runs.0.closing.settle(&priced.account, hold, &decision).await?;
        if outcome.run().and_then(RunOutcome::failure).is_some()
            && let Err(error) =
                self.runs.0.closing.deliver_late(&outcome, std::slice::from_ref(&output)).await
        {
            tracing::warn!(
                run.id = %hold.run, error = %with_causes(&error),
                "a late output is delivered but can't be fetched again"
            );
        }
        self.finish(&outcome, balance, &[output]).await
    }

    /// The provider works apart from us: all that is needed to finish the run is stored, so that any process can finish
    /// it.
    async fn serve_apart(&self, priced: &Priced, hold: &Hold) -> Result<(), RunsError> {
        let (now, pace) = (self.runs.now(), priced.input.pace());
        let usual = self.runs.0.settings.budget;
        let budget = if let Pace::Long { budget, .. } = pace { budget } else { usual };
        let deadline = now.after(budget).min(hold.expires_at);
        let job = RunJob {
            account: priced.account.clone(),
            hold: hold.clone(),
            plan: RunPlan {
                input: priced.input.to_value(),
                materials: priced.materials.clone(),
                chain: priced.row.chain.clone(),
                output_tokens_max: priced.row.output_tokens_max(),
                cost_max: priced.cost_max,
                summary: priced.summary.clone(),
                receipt: self.receipt(priced, hold, None),
            },
            work: Work::new(now, deadline, hold.expires_at),
            sign: None,
            version: 0,
            is_over: false,
        };
        let visit = Visit::new(now, usual, usual);
        let visited = tokio::select! {
            biased;
            visited = self.runs.0.jobs.begin(job, visit, &self.tell) => visited,
            // The process ends, and the run goes on without it.
            () = self.runs.0.platform.stopped() => return self.leave(hold).await,
        };
        match visited.map_err(|source| self.unsettled(hold, source))? {
            JobEnd::Over { outcome, balance, outputs } if !outputs.is_empty() => {
                self.finish(&outcome, balance, &outputs).await
            }
            JobEnd::Over { outcome, .. } => {
                let reason = outcome.run().and_then(RunOutcome::failure).unwrap_or(EXPIRED);
                Err(FailedRun::of_release(hold.run, reason).into())
            }
            JobEnd::GoesOn(job) if job.work.is_doubtful() => {
                let last = job.work.attempts().last();
                tracing::error!(
                    run.id = %hold.run,
                    provider.name = last.map(|attempt| attempt.provider.as_str()),
                    provider.request_id = last.and_then(|attempt| attempt.provider_request_id.as_deref()),
                    "a provider may have taken the work and can't be asked; the credit stays held"
                );
                let held_until = self.runs.0.closing.released_at(hold);
                Err(FailedRun::OutcomeUnknown { run: hold.run, held_until }.into())
            }
            JobEnd::GoesOn(_) => self.leave(hold).await,
        }
    }

    /// Tells that the run goes on without this process.
    pub(crate) async fn leave(&self, hold: &Hold) -> Result<(), RunsError> {
        let view = RunView::of_hold(hold, self.runs.hold_lifetime(&hold.tool), self.unit());
        self.tell.tell(RunEvent::GoesOn(Box::new(view)));
        Ok(())
    }

    /// The store failed while the run was under way: a later process finishes it, at the latest the sweep.
    pub(crate) fn unsettled(&self, hold: &Hold, source: RunsError) -> RunsError {
        if matches!(source, RunsError::Failed(_)) {
            return source;
        }
        let held_until = self.runs.0.closing.released_at(hold);
        FailedRun::Unsettled { run: hold.run, held_until, source: Box::new(source) }.into()
    }

    /// Tells the end. An outcome of somebody else's making (a sweep that came first) makes the output a gift.
    async fn finish(
        &self,
        outcome: &Outcome,
        balance: Option<BalanceView>,
        outputs: &[StoredOutput],
    ) -> Result<(), RunsError> {
        let mut view = RunView::of_outcome(outcome, self.unit())?;
        if view.status == RunStatus::Failed {
            view.gift = true;
        }
        // The decision stands, so from here on nothing may end in an error: at worst the link is missing.
        for (output, n) in outputs.iter().zip(1..) {
            let shown = self.runs.0.history.output_view(output, n, &view).await.unwrap_or_else(|error| {
                tracing::error!(run.id = %view.id, error = %with_causes(&error), "no link could be made");
                OutputView::of(output, None)
            });
            self.tell.tell(RunEvent::Output(Box::new(shown.clone())));
            view.outputs.push(shown);
        }
        view.balance = balance;
        tracing::info!(run.id = %view.id, charged = view.charged.amount.get(), tool = %view.tool, "run finished");
        self.tell.tell(RunEvent::Done(Box::new(view)));
        Ok(())
    }

    async fn fail(
        &self,
        priced: &Priced,
        hold: &Hold,
        failed: &Failed,
        first_at: Option<Timestamp>,
    ) -> Result<(), RunsError> {
        if failed.class == FailureClass::UnknownOutcome {
            let last = failed.attempts.last();
            tracing::error!(
                run.id = %hold.run,
                provider.name = last.map(|attempt| attempt.provider.as_str()),
                provider.request_id = last.and_then(|attempt| attempt.provider_request_id.as_deref()),
                "a provider may have taken the work and can't be asked; the credit stays held"
            );
            return Err(FailedRun::OutcomeUnknown {
                run: hold.run,
                held_until: self.runs.0.closing.released_at(hold),
            }
            .into());
        }
        let mut receipt = self.receipt(priced, hold, first_at);
        receipt.tried = Tried::all(&failed.attempts, receipt.reserved_at());
        self.give_back(priced, hold, receipt, failed.class).await
    }

    /// The provider's cost that the run's price pays for.
    fn cost_paid_by(&self, hold: &Hold) -> CostCents {
        self.runs.0.platform.profile().unit.cost_paid_by(hold.amount)
    }

    async fn give_back(
        &self,
        priced: &Priced,
        hold: &Hold,
        receipt: Receipt,
        class: FailureClass,
    ) -> Result<(), RunsError> {
        let lost = receipt.whole_cost();
        let decision = Decision::release(hold, class.as_str(), lost, receipt.to_text());
        self.runs.0.closing.settle(&priced.account, hold, &decision).await?;
        let shown = receipt.first_at.is_some();
        tracing::info!(
            run.id = %hold.run, account.id = %priced.account, reason = class.as_str(), content_was_shown = shown,
            client_left = receipt.left,
            "run failed; the credit is back"
        );
        Err(FailedRun::NotServed { run: hold.run, class }.into())
    }

    pub(crate) fn unit(&self) -> Unit {
        self.runs.0.platform.profile().unit
    }

    fn receipt(&self, priced: &Priced, hold: &Hold, first_at: Option<Timestamp>) -> Receipt {
        Receipt {
            tool: priced.row.tool.clone(),
            option: priced.row.option.clone(),
            price: hold.amount,
            quote: priced.quote,
            cost: priced.cost,
            markup: Some(priced.markup),
            chars: Some(priced.input.chars() as u64),
            consent: priced.input.consents(),
            fp: hold.fingerprint.encode(),
            reserved_at: hold.expires_at.before(self.runs.hold_lifetime(&hold.tool)).millis(),
            first_at: first_at.map(Timestamp::millis),
            finished_at: self.runs.now().millis(),
            served: None,
            summed: None,
            output: None,
            more: Vec::new(),
            tried: Vec::new(),
            left: self.tell.is_unheard(),
        }
    }
}

/// Prices are made so that no run can cost more: if one does, a provider bills more than our settings say.
pub(crate) fn warn_of_loss(run: RunId, receipt: &Receipt, paid: CostCents) {
    let cost = receipt.whole_cost();
    if cost > paid {
        let by = receipt.served.as_ref().map(|served| served.by.as_str());
        tracing::error!(
            metric = "run_below_cost", run.id = %run, provider.name = by, cost = %cost, price = %paid,
            "a run cost more than its price"
        );
    }
}
