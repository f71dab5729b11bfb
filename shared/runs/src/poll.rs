use crate::RunsError;
use crate::job_store::SHARDS;
use crate::jobs::{JobNews, Jobs, PollReport};
use futures_util::FutureExt;
use futures_util::future::join_all;
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{RunId, times};
use providers::{ProviderName, Providers};
use tokio::time::Instant;

/// Jobs looked at per shard and poll; the next poll takes the others.
const JOBS_MAX: usize = 200;

/// Looks after runs whose provider works apart from us, when nobody listens any more: by a schedule, and when a provider
/// tells that it is through.
#[derive(Clone)]
pub struct RunPoll {
    jobs: Jobs,
}

impl RunPoll {
    /// An error when a setting of the ledger, the media store or a provider is wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<RunPoll, InvalidSettings> {
        Ok(RunPoll { jobs: Jobs::new(platform, &Providers::new(platform)?)? })
    }

    /// Does what is due for every run that somebody should look after by now. Nobody's failure stops the others.
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

    /// A provider has told that it is through with a run's job, by its own name for it. It is believed only as far as the
    /// job is then looked at. What comes after the run's end is a gift.
    pub async fn hear(&self, run: RunId, provider: ProviderName, id: &str) -> Result<JobNews, RunsError> {
        self.jobs.hear(run, provider, id).await
    }
}
