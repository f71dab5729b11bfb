//! One REST API of API Gateway: routes, proxy events, streamed answers, and how it words its own refusals.

mod answer;
mod event;
mod routes;

use crate::connections::{Peer, Serving, serve};
use crate::lambda::{InvokeError, Lambda, Reply};
use crate::template::{GatewayResponses, Route};
use answer::{PassedOn, Refusal, streamed};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Extension, Router};
use event::Arrival;
use http::response::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use routes::Routes;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

pub(crate) const STAGE: &str = "live";
/// A request's body may be this long.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

pub(crate) struct Gateway {
    lambda: Lambda,
    routes: Routes,
    binary_media_types: Vec<String>,
    responses: GatewayResponses,
}

impl Gateway {
    /// Serves the stage's routes below `/live`.
    pub(crate) fn serve(
        listener: TcpListener,
        lambda: &Lambda,
        routes: Vec<Route>,
        binary_media_types: Vec<String>,
        responses: GatewayResponses,
    ) -> Serving {
        let routes = Routes::new(routes);
        let gateway = Gateway { lambda: lambda.clone(), routes, binary_media_types, responses };
        serve(listener, Router::new().fallback(answer_one).with_state(Arc::new(gateway)))
    }

    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let mut client = self.lambda.client();
        match self.reply(request, peer).await {
            Ok((head, body)) => Response::from_parts(head, Body::new(body.to(client))),
            Err(refusal) => {
                client.served();
                refusal.response(&self.responses)
            }
        }
    }

    async fn reply(&self, request: Request, peer: Peer) -> Result<(Parts, PassedOn), Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix("/live").filter(|rest| rest.starts_with('/'));
        let Some(path) = path else { return Err(Refusal::Forbidden) };
        let Some(found) = self.routes.find(parts.method.as_str(), path) else { return Err(Refusal::NoRoute) };
        let deadline = Instant::now() + found.route.timeout;
        let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Refusal::TooLong),
            Err(_) => return Err(Refusal::BadRequest),
        };
        let arrival = Arrival { parts: &parts, path, body: &body, peer: peer.0, found: &found };
        let trace = arrival.trace();
        let event = arrival.event(&trace, &self.binary_media_types);
        let replied =
            self.lambda.send(&found.route.function, &event, &trace).map_err(|error| match error {
                InvokeError::TooLarge(_) => Refusal::TooLong,
                error => {
                    tracing::error!(error = %error, "{} can't be invoked", found.route.function);
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
                tracing::info!("{} failed: {error}", found.route.function);
                Err(Refusal::Failed)
            }
            Err(_) => Err(Refusal::Failed),
        }
    }
}

async fn answer_one(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Response {
    gateway.answer(request, peer).await
}
