//! Who comes to a stored job after its request: the poll, a provider's webhook, and the owner who wants it to end.

use super::{Haste, JobEnd, Jobs, LOOK_AFTER};
use crate::RunsError;
use crate::job_store::Writer;
use futures_util::{FutureExt, StreamExt};
use platform::with_causes;
use primitives::{AccountId, JobId, RunId, times};
use providers::{ProviderName, Visit};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// Jobs of one shard that are looked after at the same time.
const AT_ONCE: usize = 8;
/// How long a poll looks at one job.
pub(super) const POLL_LOOKS: Duration = Duration::from_secs(3);

impl Jobs {
    /// Looks at the jobs of one shard that are due, and says how many of them have ended. It stops at `until`; the next
    /// poll looks at the rest.
    pub(crate) async fn poll_shard(
        &self,
        shard: u8,
        max: usize,
        until: Instant,
    ) -> Result<PollReport, RunsError> {
        let due = self.store.due(shard, self.platform.now(), max).await?;
        let looks = due.into_iter().map(|id| self.look_after(id, until).boxed());
        let parts: Vec<PollReport> =
            futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(parts.into_iter().fold(PollReport::default(), PollReport::and))
    }

    async fn look_after(&self, id: JobId, until: Instant) -> PollReport {
        if Instant::now() >= until {
            return PollReport::default();
        }
        match self.try_look_after(id, until).await {
            Ok(is_over) => PollReport { jobs: 1, ended: u32::from(is_over), failed: 0 },
            Err(error) => {
                tracing::error!(job.id = %id, error = %with_causes(&error), "a run's job could not be looked after");
                PollReport { jobs: 1, ended: 0, failed: 1 }
            }
        }
    }

    async fn try_look_after(&self, id: JobId, until: Instant) -> Result<bool, RunsError> {
        let Some(job) = self.store.get(id).await? else { return Ok(false) };
        // A webhook has told of a result that came late.
        if job.is_over {
            return self.look_late(job, self.poll_visit(until)).await;
        }
        // A process may have stored the outcome and been killed before it wrote the usage log and the account: the poll
        // does that now. If the sweep gave the credit back while the provider was at work, the poll brings what it made.
        if let Some(outcome) = self.ledger.outcome(&job.account, job.run()).await? {
            self.closing.conclude(&job.hold, &outcome).await?;
            if job.work.ticket().is_some() {
                return self.look_late(job, self.poll_visit(until)).await;
            }
            self.store.end(&job).await?;
            return Ok(true);
        }
        match self.visit(job, self.poll_visit(until), None).await? {
            JobEnd::Over { .. } => Ok(true),
            JobEnd::GoesOn(job) => {
                self.store.look_again(&job, self.platform.now().after(LOOK_AFTER)).await?;
                Ok(false)
            }
        }
    }

    /// A provider's webhook says that the job that it calls `id` has ended. The webhook is only a reason to look: the
    /// result comes from the provider's own answer to that look. A result that comes after the credit went back is free
    /// for the owner (a gift).
    pub(crate) async fn hear(
        &self,
        job: JobId,
        provider: ProviderName,
        id: &str,
    ) -> Result<JobNews, RunsError> {
        let Some(mut job) = self.store.get(job).await? else { return Ok(JobNews::Unknown) };
        let visit = Visit::new(self.platform.now(), POLL_LOOKS, times::JOB_VISIT.limit);
        if let Some(known) = self.chain(&job)?.told(&job.work, provider, id, visit.now()) {
            if job.is_over {
                job.work = known;
            } else {
                self.go_on(&mut job, &known, &Writer::new()).await?;
            }
        }
        // The webhook names an attempt that was given up before, or a job that is not this run's: it changes nothing.
        if job.work.ticket().is_none_or(|ticket| ticket.id.as_deref() != Some(id)) {
            return Ok(JobNews::Unknown);
        }
        if job.is_over {
            return self.hear_late(job, visit).await;
        }
        let round = self.round(&job, visit, None, Haste::AnswerWaits).await?;
        match Box::pin(self.go_round(&round, job)).await? {
            JobEnd::Over { .. } => Ok(JobNews::Ended),
            JobEnd::GoesOn(_) => Ok(JobNews::GoesOn),
        }
    }

    /// The owner wants the run to end. It ends, free of charge, unless its provider is at work on it.
    pub(crate) async fn cancel(&self, account: &AccountId, run: RunId) -> Result<Cancelled, RunsError> {
        let Some(mut job) = self.of_account(account, run).await? else { return Ok(Cancelled::NoJob) };
        // What is made, or is being made while a provider is asked, can't be stopped.
        if !job.is_over && (job.work.is_finishing() || self.chain(&job)?.works_while_asked(&job.work)) {
            return Ok(Cancelled::TooLate);
        }
        let writer = Writer::new();
        while !job.is_over && !job.work.must_end() {
            let ending = job.work.ending();
            // What another visitor has stored meanwhile counts.
            if !self.go_on(&mut job, &ending, &writer).await? && job.work.is_finishing() {
                return Ok(Cancelled::TooLate);
            }
        }
        let visit = Visit::new(self.platform.now(), POLL_LOOKS, times::JOB_VISIT.limit);
        let round = self.round(&job, visit, None, Haste::AnswerWaits).await?;
        match Box::pin(self.go_round(&round, job)).await? {
            JobEnd::Over { .. } => Ok(Cancelled::Over),
            JobEnd::GoesOn(job) if job.work.must_end() => Ok(Cancelled::Noted),
            JobEnd::GoesOn(_) => Ok(Cancelled::TooLate),
        }
    }

    /// A poll's visit may store a large file, or ask a provider that works while it is asked.
    fn poll_visit(&self, until: Instant) -> Visit {
        let left = until.saturating_duration_since(Instant::now());
        Visit::new(self.platform.now(), POLL_LOOKS, times::LARGE_FILE.limit.min(left))
    }
}

/// What came of a provider's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobNews {
    /// The run has its end, by this visit or an earlier one.
    Ended,
    /// The run has not ended.
    GoesOn,
    /// The run has no such job, or there is no such run.
    Unknown,
}

/// What came of the owner's wish to end a run.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// The run has its end.
    Over,
    /// The wish is stored. The run ends when the process that is asking a provider for it has stored the answer; where
    /// that answer was lost, at the end of the hold at the latest.
    Noted,
    /// The provider is at work on it: it goes on.
    TooLate,
    /// It is written while its owner listens, or there is no such run.
    NoJob,
}

/// What a poll did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PollReport {
    /// Runs that were due, and that this poll looked at.
    pub jobs: u32,
    /// Of those, the runs that have ended.
    pub ended: u32,
    /// Of those, the runs at which the look failed with an error; the next poll tries again.
    pub failed: u32,
}

impl PollReport {
    pub(crate) fn and(self, other: PollReport) -> PollReport {
        PollReport {
            jobs: self.jobs.saturating_add(other.jobs),
            ended: self.ended.saturating_add(other.ended),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}
