//! A provider that does its work apart from our call: it is asked once, and looked at until it is over.

use crate::failure::{Failure, FailureClass};
use crate::settings::Timing;
use crate::{Artifact, Request, Usage};
use async_trait::async_trait;
use primitives::{AccountId, CostCents, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::time::Instant;
use url::Url;

/// One run's work for a provider that does it apart from our call.
#[derive(Debug, Clone)]
pub struct JobOrder {
    /// Which run it is; where a provider lets us, its job is named after it.
    pub run: RunId,
    /// Who it is done for. The breaker counts different accounts; no provider and no log hears of it.
    pub account: AccountId,
    /// What is wanted.
    pub request: Request,
    /// All attempts together may cost this much: a step that could cost more is left out.
    pub cost_max: CostCents,
    /// Where the provider tells that it is finished, if it can and we can be reached.
    pub notify: Option<Url>,
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
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?})", self.id.as_deref().unwrap_or("unnamed"))
    }
}

/// What became of the question whether a provider has a job of ours.
#[derive(Debug)]
pub enum Found {
    /// It has it.
    There(Ticket),
    /// It surely has not.
    Nowhere,
    /// There is no way to know.
    Unknowable,
}

/// What a provider made, before it is fetched.
#[derive(Debug, Clone)]
pub struct Finished {
    pub(crate) files: Vec<RemoteFile>,
    /// What the provider says it used.
    pub usage: Usage,
    /// What it costs us.
    pub cost: CostCents,
    /// The provider did not tell its cost.
    pub cost_is_estimated: bool,
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

    fn timing(&self) -> &Timing;

    /// What the job costs if the provider does not tell.
    fn estimate(&self, order: &JobOrder) -> CostCents;

    /// Asks for the work, once. `unknown_outcome`: it may have been taken.
    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Ticket, Failure>;

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

    /// Takes the job back (`None`), or what it made meanwhile: that is paid. A failure is a definite end; of class
    /// `unknown_outcome` nobody knows what becomes of the job.
    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure>;

    /// Fetches a finished file; it is paid, so it is asked for again until `limit`.
    async fn fetch(&self, file: &RemoteFile, limit: Instant) -> Result<Artifact, Failure>;
}
