use crate::at_worst::StepPrice;
use crate::failure::Failure;
use crate::outlet::Outlet;
use crate::{Ending, Job, ProviderName, Request, Usage};
use async_trait::async_trait;
use primitives::CostCents;
use std::sync::Arc;
use tokio::time::Instant;

/// What our code for one model of one provider can do: serve a job, or say how it failed.
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
    pub(crate) adapter: Option<Arc<dyn Adapter>>,
}

/// What a step makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Image,
}

impl Kind {
    pub(crate) fn of(request: &Request) -> Kind {
        match request {
            Request::Text(_) => Kind::Text,
            Request::Image(_) => Kind::Image,
        }
    }
}
