//! What a provider finishes after the credit has gone back: the owner gets it free (a gift).

use super::visitors::POLL_LOOKS;
use super::{Haste, JobNews, Jobs, LOOK_AFTER, Round, lease_of};
use crate::RunsError;
use crate::files::files_of;
use crate::job::RunJob;
use crate::job_store::{KEPT_FOR, Writer};
use crate::storing::NotStored;
use credits::{Outcome, RunOutcome};
use media::FileFamily;
use primitives::Timestamp;
use providers::{FailureClass, Visit, Visited, Work};
use std::time::Duration;

/// What came of looking for a gift.
#[derive(Debug)]
enum Late {
    /// The gift is there, or there will be none.
    Over,
    /// The provider or our store did not answer: a later poll looks again. The job as it is stored.
    Again(Box<RunJob>),
    /// Another visitor is at it.
    Elsewhere,
}

impl Jobs {
    /// A provider's webhook tells of a job whose run has its end. A file that may be large is left to the poll, which has
    /// minutes for it.
    pub(super) async fn hear_late(&self, job: RunJob, visit: Visit) -> Result<JobNews, RunsError> {
        if self.given_back(&job, visit.now()).await?.is_none() {
            return Ok(JobNews::Ended);
        }
        if matches!(job.kind()?.family(), FileFamily::Video | FileFamily::Audio) {
            // A visitor that is storing it is left alone.
            let due = job.work.finishing_until().map_or(visit.now(), |until| until.max(visit.now()));
            self.store.come_again(&job, &job.work, &Writer::new(), due).await?;
            return Ok(JobNews::GoesOn);
        }
        match self.bring_late(job, visit, Haste::AnswerWaits).await? {
            Late::Over => Ok(JobNews::Ended),
            Late::Again(_) | Late::Elsewhere => Ok(JobNews::GoesOn),
        }
    }

    /// The poll comes to a job whose run has its end, and says whether nothing more will come of it.
    pub(super) async fn look_late(&self, job: RunJob, visit: Visit) -> Result<bool, RunsError> {
        let (run, since) = (job.run(), visit.now().since(job.hold.expires_at));
        match self.bring_late(job, visit, Haste::None).await? {
            Late::Over => Ok(true),
            Late::Again(job) => {
                tracing::info!(run.id = %run, "a result that came late is looked for again");
                // Without a lease: this visitor is through.
                let (now, next) = (visit.now(), job.work.finishing(visit.now(), Duration::ZERO));
                self.store.come_again(&job, &next, &Writer::new(), now.after(pause_after(since))).await?;
                Ok(false)
            }
            Late::Elsewhere => Ok(false),
        }
    }

    /// Stores what the provider made and notes it as a gift. The poll also takes back what the provider has not finished:
    /// only we would pay for it.
    async fn bring_late(&self, mut job: RunJob, visit: Visit, haste: Haste) -> Result<Late, RunsError> {
        let Some(outcome) = self.given_back(&job, visit.now()).await? else { return self.over(&job).await };
        // As for a run that goes on, one visitor stores at a time, and under names of its own.
        if let Some(until) = job.work.finishing_until().filter(|until| visit.now() < *until) {
            self.store.look_again(&job, until).await?;
            return Ok(Late::Elsewhere);
        }
        let (lease, writer) = (lease_of(&job)?, Writer::new());
        let finishing = job.work.finishing(visit.now(), lease);
        if !self.store.come_again(&job, &finishing, &writer, visit.now().after(lease)).await? {
            return Ok(Late::Elsewhere);
        }
        (job.work, job.version) = (finishing, job.version + 1);
        let Some(ticket) = job.work.ticket() else { return self.over(&job).await };
        let Round { chain, order, .. } = self.round(&job, visit, None, haste).await?;
        let until = visit.at_most(POLL_LOOKS);
        let mut looked = chain.watch(&job.work, ticket, &order, visit, until, &mut |_| {}).await;
        if matches!(looked, Visited::GoesOn) && haste == Haste::None {
            looked = chain.take_back(&job.work, ticket, &order, visit).await;
        }
        let finished = match looked {
            Visited::Finished(finished) => finished,
            Visited::GoesOn => return Ok(Late::Again(Box::new(job))),
            Visited::Next(next) if next.is_doubtful() || may_pass(&next) => {
                return Ok(Late::Again(Box::new(job)));
            }
            Visited::Next(_) => return self.over(&job).await,
        };
        let Ok(made) = chain.fetch(&job.work, &finished, &order, visit).await else {
            return Ok(Late::Again(Box::new(job)));
        };
        // A gift of rows is delivered without a text about them.
        match self.store_all(&job, files_of(made, job.kind()?.family()), visit).await {
            Ok(outputs) => self.closing.deliver_late(&outcome, &outputs).await?,
            Err(NotStored::BrokenOff) => return Ok(Late::Again(Box::new(job))),
            Err(NotStored::Unfit) => {}
            Err(NotStored::Ours(error)) => return Err(error.into()),
        }
        self.over(&job).await
    }

    async fn over(&self, job: &RunJob) -> Result<Late, RunsError> {
        self.store.end(job).await?;
        Ok(Late::Over)
    }

    /// The run's outcome, if its credit went back and a gift is still wanted.
    async fn given_back(&self, job: &RunJob, now: Timestamp) -> Result<Option<Outcome>, RunsError> {
        if now > job.hold.expires_at.after(KEPT_FOR) {
            return Ok(None);
        }
        let outcome = self.ledger.outcome(&job.account, job.run()).await?.ok_or(RunsError::NotFound)?;
        let was_given_back = outcome.run().and_then(RunOutcome::failure).is_some();
        let is_wanted = was_given_back && !self.closing.has_gift(&outcome).await?;
        Ok(is_wanted.then_some(outcome))
    }
}

/// Whether the last attempt failed in a way that may pass.
fn may_pass(work: &Work) -> bool {
    let last = work.attempts().last().and_then(|attempt| attempt.failure);
    last == Some(FailureClass::Unavailable)
}

/// The longer a gift is looked for in vain, the rarer the poll looks.
fn pause_after(since: Duration) -> Duration {
    LOOK_AFTER.max(since / 4)
}
