#![doc = include_str!("../README.md")]

mod environment;
mod keep_open;
mod secrets;
#[cfg(test)]
mod tests;

use lambda_runtime::{Context, LambdaEvent, Runtime, service_fn};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::TraceId;
use serde::Serialize;
use serde_json::Value;
use std::error::Error as StdError;
use std::sync::Arc;
use tracing::{Instrument, Span};

pub use environment::{Environment, TooOld};
pub use keep_open::{KeepOpen, KeptOpen};
pub use lambda_runtime::Error;

/// Does a schedule's work at every tick until the environment is shut down. The report is what the invocation
/// answers; a failure is one of the invocation, so that it is counted and seen.
///
/// `work` is given the event as it came: EventBridge's own, or what a person sent by hand.
///
/// `check` says whether the settings suit the work: a secret that does not is not put to use.
pub async fn tick<W, F, R, E>(
    check: fn(&Platform) -> Result<(), InvalidSettings>,
    work: W,
) -> Result<(), Error>
where
    W: Fn(Platform, Value) -> F + 'static,
    F: Future<Output = Result<R, E>> + 'static,
    R: Serialize + 'static,
    E: StdError + Send + Sync + 'static,
{
    let build = move |platform: &Platform| check(platform).map(|()| platform.clone());
    let environment = Arc::new(Environment::open(build).await?);
    let (keep_open, work) = (KeepOpen::of(environment.platform()), Arc::new(work));
    let tick = service_fn(move |event: LambdaEvent<Value>| {
        let (environment, work, span) =
            (Arc::clone(&environment), Arc::clone(&work), span_of(&event.context));
        async move {
            let worked = work(environment.current().await?, event.payload).instrument(span.clone()).await;
            worked.inspect_err(|error| span.in_scope(|| failed(error))).map_err(Error::from)
        }
    });
    Runtime::new(tick).layer(keep_open).run().await
}

fn span_of(context: &Context) -> Span {
    let trace = context.xray_trace_id.as_deref().and_then(TraceId::of_xray);
    let trace_id = trace.as_ref().map(TraceId::as_str);
    tracing::info_span!("tick", invocation_id = context.request_id, trace_id)
}

fn failed(error: &dyn StdError) {
    tracing::error!(error = %with_causes(error), "a tick failed");
}
