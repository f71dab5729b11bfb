//! How a run ends whose provider works apart from us: what was made is stored and charged, or the credit goes back.

use super::{Haste, JobEnd, Jobs, LONG_LEASE, Round};
use crate::files::{NewFile, files_of};
use crate::job::{RunJob, SummaryPlan};
use crate::pricing::SUMMARY_TRIES;
use crate::problem::{CANCELLED, OUTPUT_LOST};
use crate::receipt::Receipt;
use crate::storing::NotStored;
use crate::telling::Teller;
use crate::writing::{Writing, Written};
use crate::{RunsError, Tried};
use credits::{Decision, Outcome, RunOutcome};
use media::{FileFamily, StoredOutput};
use platform::with_causes;
use primitives::{Private, Timestamp, times};
use providers::{Failed, FailureClass, Finished, GivenUp, Job, Made, Request, Served, TextRequest, Visit};

/// What became of a text about what was gathered.
enum Summed {
    Text {
        text: String,
        served: Served,
        is_cut: bool,
    },
    /// No provider wrote it.
    Failed(Failed),
    /// The process ends.
    Stopped,
}

impl Jobs {
    /// Stores the outputs and then decides the run, so that the owner can fetch all that is charged. `None`: the
    /// provider's file broke off or is of another kind, and the run's next state is stored.
    pub(super) async fn deliver(
        &self,
        round: &Round<'_>,
        job: &mut RunJob,
        finished: Finished,
        made: Vec<Made>,
    ) -> Result<Option<JobEnd>, RunsError> {
        let now = round.visit.now();
        let served = round.chain.served(&job.work, &round.order, &finished, now);
        let served = served.ok_or(RunsError::Malformed("a run's job"))?;
        let mut receipt = self.receipt(job, &served, now, round.tell);
        let question = question_about(job, &made)?;
        let mut files = files_of(made, job.kind()?.family());
        if let Some((plan, question)) = question {
            receipt.tried.extend(lost_tries(job, &plan, now));
            if job.work.texts() >= SUMMARY_TRIES {
                return self.end_without_text(job, &receipt, FailureClass::BrokenStream).await.map(Some);
            }
            // Noted before a provider is asked, so that a text whose process is killed counts as a try.
            let writing = job.work.writing(round.visit.now(), LONG_LEASE);
            if !self.go_on(job, &writing, &round.writer).await? {
                return Ok(None);
            }
            match Box::pin(self.sum_up(job, &plan, question, round.visit, round.tell)).await? {
                Summed::Text { text, served, is_cut } => {
                    receipt.tried.extend(Tried::all(&served.attempts, receipt.reserved_at()));
                    receipt.summed = Some(Receipt::served_of(&served, is_cut));
                    files.insert(0, NewFile::here(text, FileFamily::Text));
                }
                Summed::Failed(failed) => {
                    receipt.tried.extend(Tried::all(&failed.attempts, receipt.reserved_at()));
                    return self.end_without_text(job, &receipt, failed.class).await.map(Some);
                }
                Summed::Stopped => return Ok(Some(JobEnd::GoesOn(Box::new(job.clone())))),
            }
        }
        if round.haste == Haste::AnswerWaits && files.iter().any(NewFile::is_large) {
            // A webhook or a cancel stores no large file: the poll does, when the lease is over.
            return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
        }
        let outputs = match Box::pin(self.store_all(job, files, round.visit)).await {
            Ok(outputs) => outputs,
            // This visit has no time left: the next visitor after the lease fetches the file from its beginning.
            Err(NotStored::BrokenOff) if round.visit.left().is_zero() => {
                return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
            }
            Err(NotStored::BrokenOff | NotStored::Unfit) => {
                let next =
                    round.chain.broken_off(&job.work, &finished, &round.order, round.visit.now()).await;
                self.go_on(job, &next, &round.writer).await?;
                return Ok(None);
            }
            Err(NotStored::Ours(error)) => {
                tracing::error!(
                    run.id = %job.run(), error = %with_causes(&error),
                    "an output could not be stored; the credit goes back"
                );
                let (lost, text) = (receipt.whole_cost(), receipt.to_text());
                let decision = Decision::release_for_our_fault(&job.hold, OUTPUT_LOST, lost, text);
                return self.end(job, &decision, Vec::new()).await.map(Some);
            }
        };
        let paid = self.platform.profile().unit.cost_paid_by(job.hold.amount);
        crate::conduct::warn_of_loss(job.run(), &receipt, paid);
        let text = receipt.with_outputs(&outputs).to_text();
        let decision = Decision::charge(&job.hold, job.hold.amount, text)?;
        self.end(job, &decision, outputs).await.map(Some)
    }

    /// Has a text written about the gathered rows. If the process is killed meanwhile, the next visitor begins the text
    /// anew, once; after a second killed process the run fails.
    async fn sum_up(
        &self,
        job: &RunJob,
        plan: &SummaryPlan,
        question: Private<String>,
        visit: Visit,
        tell: Option<&Teller>,
    ) -> Result<Summed, RunsError> {
        let chain = self.providers.chain(&plan.chain);
        let chain = chain.map_err(|unknown| RunsError::UnknownChain(unknown.to_string()))?;
        let output_tokens_max = job.plan.output_tokens_max;
        let order = Job {
            run: job.run(),
            account: job.account.clone(),
            request: Request::Text(TextRequest { prompt: question, output_tokens_max }),
            budget: times::SUMMARY.limit.min(visit.left().saturating_sub(times::RUN_AFTER.limit)),
            cost_max: plan.cost_max,
        };
        let writing = Writing {
            platform: &self.platform,
            live: &self.live,
            chain: &chain,
            job: &order,
            tell,
            output_tokens_max,
        };
        let Written { result, gathered } = writing.write().await;
        Ok(match result {
            None => Summed::Stopped,
            Some(Err(failed)) => Summed::Failed(failed),
            Some(Ok(served)) if gathered.text.is_empty() => Summed::Failed(Failed {
                class: FailureClass::BrokenStream,
                content_was_sent: false,
                attempts: served.attempts,
            }),
            Some(Ok(served)) => Summed::Text { text: gathered.text, served, is_cut: gathered.is_cut },
        })
    }

    /// Rows without a text about them are not what was ordered: the credit goes back.
    async fn end_without_text(
        &self,
        job: &RunJob,
        receipt: &Receipt,
        class: FailureClass,
    ) -> Result<JobEnd, RunsError> {
        let decision = Decision::release(&job.hold, class.as_str(), receipt.whole_cost(), receipt.to_text());
        self.end(job, &decision, Vec::new()).await
    }

    pub(super) async fn give_back(
        &self,
        job: &RunJob,
        why: GivenUp,
        visit: Visit,
        tell: Option<&Teller>,
    ) -> Result<JobEnd, RunsError> {
        let mut receipt = job.receipt(visit.now());
        if let Some(plan) = &job.plan.summary {
            receipt.tried.extend(lost_tries(job, plan, visit.now()));
        }
        receipt.left = tell.is_some_and(Teller::is_unheard);
        let lost = receipt.whole_cost();
        let reason = match why {
            GivenUp::Failed(class) => class.as_str(),
            GivenUp::Cancelled => CANCELLED,
        };
        tracing::info!(
            run.id = %job.run(), account.id = %job.account, reason, client_left = receipt.left,
            "run failed; the credit is back"
        );
        let decision = Decision::release(&job.hold, reason, lost, receipt.to_text());
        self.end(job, &decision, Vec::new()).await
    }

    /// Decides the run, or takes the outcome that another process decided first. If that outcome gave the credit back,
    /// the owner gets this visit's outputs free (a gift).
    async fn end(
        &self,
        job: &RunJob,
        decision: &Decision,
        outputs: Vec<StoredOutput>,
    ) -> Result<JobEnd, RunsError> {
        let (outcome, balance) = self.closing.settle(&job.account, &job.hold, decision).await?;
        let is_late = outcome.run().and_then(RunOutcome::failure).is_some();
        let outputs = if is_late { outputs } else { outputs_of(&outcome) };
        let ended = async {
            if is_late && !outputs.is_empty() {
                self.closing.deliver_late(&outcome, &outputs).await?;
            }
            Ok::<(), RunsError>(self.store.end(job).await?)
        };
        if let Err(error) = ended.await {
            tracing::warn!(run.id = %job.run(), error = %with_causes(&error), "a run's job is left for the poll to end");
        }
        Ok(JobEnd::Over { outcome: Box::new(outcome), balance, outputs })
    }

    /// Ends the visit with the outcome that another process has decided.
    pub(super) async fn obey(&self, job: RunJob) -> Result<JobEnd, RunsError> {
        let outcome = self.ledger.outcome(&job.account, job.run()).await?.ok_or(RunsError::NotFound)?;
        let outputs = outputs_of(&outcome);
        Ok(JobEnd::Over { outcome: Box::new(outcome), balance: None, outputs })
    }

    fn receipt(&self, job: &RunJob, served: &Served, now: Timestamp, tell: Option<&Teller>) -> Receipt {
        let mut receipt = job.receipt(now);
        receipt.tried = Tried::all(&served.attempts, receipt.reserved_at());
        receipt.first_at = Some(now.millis());
        receipt.served = Some(Receipt::served_of(served, false));
        receipt.left = tell.is_some_and(Teller::is_unheard);
        receipt
    }
}

/// The tries at a text whose processes were killed while it was written. The provider's cost of such a try is unknown,
/// so each counts with the most that a try may cost.
fn lost_tries(job: &RunJob, plan: &SummaryPlan, now: Timestamp) -> Vec<Tried> {
    let by = plan.chain.first().and_then(|step| step.split('/').next()).unwrap_or_default();
    let lost =
        (0..job.work.texts()).map(|_| Tried::lost(by, plan.cost_max, job.plan.receipt.reserved_at(), now));
    lost.collect()
}

/// What a text provider is asked about rows, if it is asked.
fn question_about(job: &RunJob, made: &[Made]) -> Result<Option<(SummaryPlan, Private<String>)>, RunsError> {
    let Some(plan) = &job.plan.summary else { return Ok(None) };
    let rows = made.iter().find_map(|made| if let Made::Rows(rows) = made { Some(rows) } else { None });
    let Some(rows) = rows else { return Ok(None) };
    let question = job.plan.input()?.question(rows);
    Ok(question.map(|question| (plan.clone(), question)))
}

/// What a run brought that was charged.
fn outputs_of(outcome: &Outcome) -> Vec<StoredOutput> {
    let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
    receipt.map(|receipt| receipt.outputs()).unwrap_or_default()
}
