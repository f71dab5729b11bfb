//! One REST API of API Gateway: routes, throttles, proxy events, streamed answers, what it answers without asking anybody,
//! and how it words its own refusals.

mod answer;
mod event;
mod mocked;
mod routes;
mod throttles;

use crate::connections::{Peer, Serving, serve};
use crate::lambda::{InvokeError, Lambda, Reply};
use crate::template::{Deployment, GatewayResponses, Integration};
use answer::{PassedOn, Refusal, streamed};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Extension, Router};
use event::Arrival;
use http::response::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mocked::mocked;
use routes::Routes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use throttles::Throttles;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

pub(crate) const STAGE: &str = "live";
/// A request's body may be this long.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

pub(crate) struct Gateway {
    lambda: Lambda,
    routes: Routes,
    throttles: Throttles,
    stage_variables: BTreeMap<String, String>,
    binary_media_types: Vec<String>,
    responses: GatewayResponses,
}

/// What is answered.
enum Answer {
    /// A function's stream, passed on as it comes.
    Streamed(Parts, PassedOn),
    /// The gateway's own.
    Mocked(Response),
}

impl Gateway {
    /// Serves the stage's routes below `/live`.
    pub(crate) fn serve(listener: TcpListener, lambda: &Lambda, deployment: &Deployment) -> Serving {
        let gateway = Gateway {
            lambda: lambda.clone(),
            routes: Routes::new(deployment.routes.clone()),
            throttles: Throttles::new(deployment.throttles.clone(), Instant::now()),
            stage_variables: deployment.stage_variables.clone(),
            binary_media_types: deployment.binary_media_types.clone(),
            responses: deployment.gateway_responses.clone(),
        };
        serve(listener, Router::new().fallback(answer_one).with_state(Arc::new(gateway)))
    }

    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let mut client = self.lambda.client();
        let response = match self.reply(request, peer).await {
            Ok(Answer::Streamed(head, body)) => {
                return Response::from_parts(head, Body::new(body.to(client)));
            }
            Ok(Answer::Mocked(response)) => response,
            Err(refusal) => refusal.response(&self.responses),
        };
        client.served();
        response
    }

    async fn reply(&self, request: Request, peer: Peer) -> Result<Answer, Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix("/live").filter(|rest| rest.starts_with('/'));
        let Some(path) = path else { return Err(Refusal::Forbidden) };
        let Some(found) = self.routes.find(parts.method.as_str(), path) else { return Err(Refusal::NoRoute) };
        if !self.throttles.lets_in(found.route, Instant::now()) {
            return Err(Refusal::Throttled);
        }
        match &found.route.integration {
            Integration::Mock(mock) => Ok(Answer::Mocked(mocked(mock, &parts, &self.stage_variables)?)),
            Integration::Function { name, timeout } => {
                let body = read(body).await?;
                let arrival = Arrival {
                    parts: &parts,
                    path,
                    body: &body,
                    peer: peer.0,
                    found: &found,
                    stage_variables: &self.stage_variables,
                };
                let (head, body) = self.invoke(name, *timeout, &arrival).await?;
                Ok(Answer::Streamed(head, body))
            }
        }
    }

    async fn invoke(
        &self,
        function: &str,
        timeout: Duration,
        arrival: &Arrival<'_>,
    ) -> Result<(Parts, PassedOn), Refusal> {
        let deadline = Instant::now() + timeout;
        let trace = arrival.trace();
        let event = arrival.event(&trace, &self.binary_media_types);
        let replied = self.lambda.send(function, &event, &trace).map_err(|error| match error {
            InvokeError::TooLarge(_) => Refusal::TooLong,
            error => {
                tracing::error!(error = %error, "{function} can't be invoked");
                Refusal::Failed
            }
        })?;
        // When the client leaves, hyper drops this future or the body that comes of it, and with it the reply's end.
        let reply = timeout_at(deadline, replied).await.map_err(|_| Refusal::TimedOut)?;
        match reply {
            Ok(Reply::Streamed(reply)) => streamed(reply, deadline, &trace).await,
            // A stream is expected: a buffered answer is none that the gateway could read.
            Ok(Reply::Whole(_)) => Err(Refusal::Failed),
            Ok(Reply::Failed(error)) => {
                tracing::info!("{function} failed: {error}");
                Err(Refusal::Failed)
            }
            Err(_) => Err(Refusal::Failed),
        }
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong),
        Err(_) => Err(Refusal::BadRequest),
    }
}

async fn answer_one(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Response {
    gateway.answer(request, peer).await
}
