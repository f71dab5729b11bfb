//! The way from an invocation of API Gateway's to its answer.

use crate::answers::{Answers, Asked};
use crate::request;
use axum::Router;
use axum::response::Response;
use host::Environment;
use lambda_http::RequestExt;
use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Error, LambdaInvocation};
use platform::with_causes;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Stands in the place of what `lambda_runtime` would do with an event.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

struct Inner {
    environment: Environment<Router>,
    answers: Answers,
}

impl Door {
    pub(crate) fn open(environment: Environment<Router>) -> Result<Door, Error> {
        let answers = Answers::new(environment.platform())?;
        Ok(Door(Arc::new(Inner { environment, answers })))
    }
}

impl Inner {
    async fn answer(&self, invocation: LambdaInvocation) -> Result<(), Error> {
        let asked = Asked::by(&invocation);
        match self.respond(invocation).await {
            Ok(response) => self.answers.send(&asked, response).await,
            Err(error) => {
                tracing::error!(error = %with_causes(&*error), "a request could not be answered");
                self.answers.fail(&asked).await
            }
        }
    }

    async fn respond(&self, invocation: LambdaInvocation) -> Result<Response, Error> {
        let router = self.environment.current().await?;
        let event = lambda_http::request::from_str(std::str::from_utf8(&invocation.body)?)?;
        let now = self.environment.platform().now();
        request::answer(router, event.with_lambda_context(invocation.context), now).await
    }
}

impl<S> Layer<S> for Door {
    type Service = Door;

    fn layer(&self, _: S) -> Door {
        self.clone()
    }
}

impl Service<LambdaInvocation> for Door {
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.answer(invocation).await })
    }
}
