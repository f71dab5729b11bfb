use crate::RunsError;
use crate::job_store::SHARDS;
use crate::jobs::{JobNews, Jobs, PollReport};
use futures_util::FutureExt;
use futures_util::future::join_all;
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{JobId, times};
use providers::{ProviderName, Providers};
use tokio::time::Instant;

/// Jobs looked at per shard and poll; the next poll takes the others.
const JOBS_MAX: usize = 200;

/// Looks after runs whose provider works apart from us, without their own requests: each minute by a schedule, and when
/// a provider's webhook comes.
#[derive(Clone)]
pub struct RunPoll {
    jobs: Jobs,
}

impl RunPoll {
    /// An error when a setting of the ledger, the media store or a provider is wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<RunPoll, InvalidSettings> {
        Ok(RunPoll { jobs: Jobs::new(platform, &Providers::new(platform)?)? })
    }

    /// Does what is due for every run that is due. A failure at one run does not stop the others.
    pub async fn run(&self) -> Result<PollReport, RunsError> {
        let until = Instant::now() + times::POLL.limit;
        let shards = (0..SHARDS).map(|shard| self.jobs.poll_shard(shard, JOBS_MAX, until).boxed());
        let mut report = PollReport::default();
        let mut last_error = None;
        for polled in join_all(shards).await {
            match polled {
                Ok(part) => report = report.and(part),
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "a shard of jobs could not be polled");
                    last_error = Some(error);
                }
            }
        }
        tracing::info!(
            jobs = report.jobs,
            ended = report.ended,
            failed = report.failed,
            "poll of jobs ended"
        );
        last_error.map_or(Ok(report), Err)
    }

    /// A provider's webhook says that our `job`, which it calls `id`, has ended. The webhook is only a reason to look: the
    /// result comes from the provider's own answer to that look. A result that comes after the credit went back is free
    /// for the owner (a gift).
    pub async fn hear(&self, job: JobId, provider: ProviderName, id: &str) -> Result<JobNews, RunsError> {
        self.jobs.hear(job, provider, id).await
    }
}
