use crate::at_worst::StepPrice;
use crate::failure::Failure;
use crate::job::JobAdapter;
use crate::outlet::Outlet;
use crate::{Ending, Job, ProviderName, Request, RowsRequest, Subject, Usage};
use async_trait::async_trait;
use primitives::CostCents;
use std::sync::Arc;
use tokio::time::Instant;

/// What our code for one model of a provider can do that writes while we listen: serve a job, or say how it failed.
#[async_trait]
pub(crate) trait Adapter: Send + Sync {
    /// The model asked for.
    fn model(&self) -> &str;

    /// One attempt, over at `limit` at the latest. Output goes to `outlet` as it arrives.
    async fn attempt(&self, job: &Job, limit: Instant, outlet: &mut Outlet<'_>) -> Result<Answer, Failure>;
}

/// How an attempt that served went.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) usage: Usage,
    pub(crate) cost: CostCents,
    pub(crate) cost_is_estimated: bool,
    pub(crate) ending: Ending,
    pub(crate) request_id: Option<String>,
}

/// One name a tool's chain can mention.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) provider: ProviderName,
    pub(crate) kind: Kind,
    pub(crate) price: StepPrice,
    /// `None`: the provider is not configured here.
    pub(crate) worker: Option<Worker>,
}

/// How a step's provider works.
pub(crate) enum Worker {
    /// It writes while we listen.
    Stream(Arc<dyn Adapter>),
    /// It works apart from our call.
    Job(Arc<dyn JobAdapter>),
}

impl Step {
    pub(crate) fn stream(&self) -> Option<&dyn Adapter> {
        match &self.worker {
            Some(Worker::Stream(adapter)) => Some(adapter.as_ref()),
            _ => None,
        }
    }

    pub(crate) fn job(&self) -> Option<&dyn JobAdapter> {
        match &self.worker {
            Some(Worker::Job(adapter)) => Some(adapter.as_ref()),
            _ => None,
        }
    }
}

/// What a step makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Image,
    Video,
    Speech,
    Captions,
    Hearing,
    Videos,
    Channels,
    Market,
}

impl Kind {
    pub(crate) fn of(request: &Request) -> Kind {
        match request {
            Request::Text(_) => Kind::Text,
            Request::Image(_) => Kind::Image,
            Request::Video(_) => Kind::Video,
            Request::Speech(_) => Kind::Speech,
            Request::Captions(_) => Kind::Captions,
            Request::Hearing(_) => Kind::Hearing,
            Request::Rows(RowsRequest { subject, .. }) => match subject {
                Subject::Videos(_) => Kind::Videos,
                Subject::Channels(_) => Kind::Channels,
                Subject::Market { .. } => Kind::Market,
            },
        }
    }
}
