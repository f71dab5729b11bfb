//! Keeps an invocation open until the work it started has ended.

use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Error, LambdaInvocation};
use platform::{Platform, with_causes};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A layer around a whole invocation, the sending of its answer included.
///
/// Lambda freezes an environment when the runtime asks for its next event, so work that goes on then stands still,
/// for minutes or for ever: a run whose client has left would never be settled. This layer does not let the runtime
/// ask before all of it has ended.
///
/// A client that leaves also breaks the sending of the answer, and `lambda_runtime` ends the process over that. Here
/// it is an everyday event: logged, and the environment lives on.
#[derive(Clone)]
pub struct KeepOpen(Platform);

impl KeepOpen {
    pub fn of(platform: &Platform) -> KeepOpen {
        KeepOpen(platform.clone())
    }
}

impl<S> Layer<S> for KeepOpen {
    type Service = KeptOpen<S>;

    fn layer(&self, invocations: S) -> KeptOpen<S> {
        KeptOpen { platform: self.0.clone(), invocations }
    }
}

/// A service inside a [`KeepOpen`].
pub struct KeptOpen<S> {
    platform: Platform,
    invocations: S,
}

impl<S> Service<LambdaInvocation> for KeptOpen<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.invocations.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (platform, answered) = (self.platform.clone(), self.invocations.call(invocation));
        Box::pin(async move {
            if let Err(error) = answered.await {
                tracing::warn!(error = %with_causes(&*error), "an answer did not reach its caller; its work goes on");
            }
            platform.idle().await;
            Ok(())
        })
    }
}
