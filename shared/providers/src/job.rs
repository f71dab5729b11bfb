//! A provider that does its work apart from our call: it is asked once, and looked at until it is over.

use crate::failure::{Failure, FailureClass};
use crate::settings::Timing;
use crate::{Made, ProviderName, Request, Transcript, Usage};
use async_trait::async_trait;
use bytes::Bytes;
use primitives::{AccountId, CostCents, JobId, Private, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The share of a job's patience in which it must have been taken, and the longest of that.
const SUBMIT_SHARE: u32 = 4;
const SUBMIT_MAX: Duration = Duration::from_secs(30);

/// One run's work for a provider that does it apart from our call.
#[derive(Debug, Clone)]
pub struct JobOrder {
    /// Which run it is. No provider is told of it: see [`JobOrder::job`].
    pub run: RunId,
    /// The account that ordered it. The breaker counts different accounts. No provider is told of it, and no log names
    /// it.
    pub account: AccountId,
    /// What is wanted.
    pub request: Request,
    /// All attempts together may cost this much: a step that could cost more is left out.
    pub cost_max: CostCents,
    /// Below this address providers call a webhook when a job is finished; it ends with a slash. `None`: they are given
    /// no webhook, and their jobs are only looked at.
    pub webhooks: Option<Url>,
}

impl JobOrder {
    /// What we call the job: at providers that let us name it, and in our webhooks' addresses.
    pub fn job(&self) -> JobId {
        JobId::of(&self.account, self.run)
    }

    /// The webhook that `provider` calls when this job is finished.
    pub(crate) fn webhook(&self, provider: ProviderName) -> Option<Url> {
        self.webhook_at(provider, &self.job().to_string())
    }

    /// The same at an address that holds more than the job.
    pub(crate) fn webhook_at(&self, provider: ProviderName, id: &str) -> Option<Url> {
        self.webhooks.as_ref()?.join(&format!("{provider}/{id}")).ok()
    }
}

/// What a provider calls a job of ours, and where it is looked at. It can be stored: any process goes on from it. It
/// holds addresses, so it is stored sealed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// The provider's own name for the job, for asking there; only letters, digits and `-_.:`.
    pub id: Option<String>,
    pub(crate) place: Place,
}

/// Where each kind of provider keeps a job.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub(crate) enum Place {
    /// Checked again whenever it is used: our key is sent there.
    Fal {
        status: String,
        response: String,
        cancel: Option<String>,
    },
    Comfyui {
        prompt: String,
    },
    Replicate {
        prediction: String,
    },
    Apify {
        run: String,
    },
    /// The provider keeps no job: its answer brought the result, and only the process that asked has it.
    Answered,
}

/// What came of asking for work.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// The provider has it, and is looked at from now on.
    Taken(Ticket),
    /// It answered with what it made.
    Done(Finished),
}

impl Ticket {
    /// Of work whose result came with the provider's answer; `id` names the call there.
    pub(crate) fn answered(id: Option<String>) -> Ticket {
        Ticket { id, place: Place::Answered }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?})", self.id.as_deref().unwrap_or("unnamed"))
    }
}

/// What became of the question whether a provider has a job of ours.
#[derive(Debug)]
pub enum Found {
    /// The provider has the job.
    There(Ticket),
    /// The provider surely does not have the job.
    Nowhere,
    /// What the provider tells does not show whether it has the job.
    Unknowable,
    /// The provider sends its result once, in its answer to the call, and that answer is lost.
    Lost,
}

/// What a provider made, before it is fetched.
#[derive(Debug, Clone)]
pub struct Finished {
    pub(crate) brought: Brought,
    /// What the provider calls the work, where its answer tells.
    pub(crate) id: Option<String>,
    /// What the provider says it used.
    pub usage: Usage,
    /// What it costs us.
    pub cost: CostCents,
    /// The provider did not tell its cost.
    pub cost_is_estimated: bool,
}

impl Finished {
    /// How many files there are to be fetched; 1 at least.
    pub(crate) fn files(&self) -> u32 {
        match &self.brought {
            Brought::Files(files) => u32::try_from(files.len()).unwrap_or(u32::MAX).max(1),
            _ => 1,
        }
    }
}

/// What there is to be fetched.
#[derive(Debug, Clone)]
pub(crate) enum Brought {
    /// Files at the provider.
    Files(Vec<RemoteFile>),
    /// A sound that came with the answer.
    Sound(Private<Bytes>),
    Transcript(Transcript),
    /// Rows in a store of the provider's, by its name there.
    Dataset(String),
}

/// A file at a provider.
#[derive(Clone)]
pub(crate) struct RemoteFile(pub(crate) Url);

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteFile")
    }
}

/// How a job was when it was last looked at.
#[derive(Debug)]
pub(crate) enum Watched {
    Finished(Finished),
    /// Still waiting or at work, or not to be seen for the moment.
    GoesOn,
    /// The provider has long refused to tell anything; this is what it looks like.
    Refused(FailureClass),
}

/// Where a job is, as far as its provider has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// It was taken and waits for its turn.
    Queued {
        /// How many are before it.
        ahead: Option<u32>,
    },
    /// It is being done.
    Working {
        /// How much of it is done, in hundredths.
        percent: Option<u8>,
    },
}

impl Sign {
    pub(crate) fn is_work(self) -> bool {
        matches!(self, Sign::Working { .. })
    }
}

/// Hears where a job is, as far as its provider has told.
pub(crate) type Tell<'a> = &'a mut (dyn FnMut(Sign) + Send);

/// What our code for one model of such a provider can do. Each call is over at `limit` at the latest.
#[async_trait]
pub(crate) trait JobAdapter: Send + Sync {
    /// The model asked for.
    fn model(&self) -> &str;

    /// The model that `request` is made by, where it is not always the same.
    fn model_for(&self, _request: &Request) -> &str {
        self.model()
    }

    /// Whether it can do such work at all. A step that can't is left out, without being asked.
    fn serves(&self, _request: &Request) -> bool {
        true
    }

    fn timing(&self) -> &Timing;

    /// Whether the provider answers a submit with the finished work, and not with a name for a job.
    fn works_while_asked(&self) -> bool {
        false
    }

    /// How long the provider may take to answer a submit.
    fn submit_patience(&self) -> Duration {
        let patience = self.timing().first_content;
        if self.works_while_asked() { patience } else { (patience / SUBMIT_SHARE).min(SUBMIT_MAX) }
    }

    /// What the job costs if the provider does not tell.
    fn estimate(&self, order: &JobOrder) -> CostCents;

    /// Asks for the work, once. `unknown_outcome`: it may have been taken.
    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure>;

    /// Whether the provider has the work, when its answer was lost.
    async fn find(&self, order: &JobOrder, asked_at: Timestamp, limit: Instant) -> Found;

    /// The job that the provider itself told us of by its id.
    fn named(&self, id: &str) -> Option<Ticket>;

    /// Looks until it is over, or `limit`. A failure is a definite end.
    async fn watch(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure>;

    /// Takes the job back (`None`). What a job that finished meanwhile has made is returned, and it is paid. A failure
    /// is a definite end, except one of class `unknown_outcome`: then the job may still go on at the provider.
    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure>;

    /// Fetches what was made, as far as it is not passed on in pieces; it is paid, so it is asked for again until `limit`.
    async fn fetch(
        &self,
        finished: &Finished,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Vec<Made>, Failure>;
}
