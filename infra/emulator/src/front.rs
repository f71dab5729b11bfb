//! What lies outside of a function, over TLS, as AWS's and the providers' endpoints would answer.
//!
//! Two ports with one certificate: AWS's endpoints speak HTTP/1.1 only, the providers' also HTTP/2.

mod authority;
mod holds;
mod parameters;

use crate::connections::{Serving, serve_secured};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use citipen::stores::Stores;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub use authority::Authority;
pub use holds::Held;
pub(crate) use holds::Holds;
pub use parameters::{ParameterMood, Parameters};

/// The credentials of a function's role are temporary: every request to AWS must carry this.
pub(crate) const SESSION_TOKEN: &str = "emulated-session-token";

/// DynamoDB, SSM and S3.
pub(crate) fn serve_aws(
    listener: TcpListener,
    authority: &Authority,
    stores: &Stores,
    parameters: &Parameters,
) -> Serving {
    let objects = Router::new().fallback(objects).with_state(stores.clone());
    let services = Services { dynamo: stores.dynamo_router(), ssm: parameters.router(), objects };
    let router = Router::new().fallback(to_service).with_state(services).layer(from_fn(with_session));
    serve_over_tls(listener, authority, &[b"http/1.1"], router)
}

/// Everybody else.
pub(crate) fn serve_world(
    listener: TcpListener,
    authority: &Authority,
    world: Router,
    holds: &Holds,
) -> Serving {
    let router = world.layer(from_fn_with_state(holds.clone(), holds::hold_back));
    serve_over_tls(listener, authority, &[b"h2", b"http/1.1"], router)
}

fn serve_over_tls(
    listener: TcpListener,
    authority: &Authority,
    protocols: &[&[u8]],
    router: Router,
) -> Serving {
    let acceptor = TlsAcceptor::from(Arc::new(authority.server(protocols)));
    serve_secured(listener, router, move |socket: TcpStream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(socket).await }
    })
}

#[derive(Clone)]
struct Services {
    dynamo: Router,
    ssm: Router,
    objects: Router,
}

/// One address for all of AWS: what tells the services apart is what the SDK sends.
async fn to_service(State(services): State<Services>, request: Request) -> Response {
    use tower::ServiceExt;
    let target =
        request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let service = match target.split_once('.').map(|(service, _)| service) {
        Some("DynamoDB_20120810") => services.dynamo,
        Some("AmazonSSM") => services.ssm,
        _ => services.objects,
    };
    let answer = service.oneshot(request).await;
    answer.unwrap_or_else(|never| match never {})
}

async fn objects(State(stores): State<Stores>, request: Request) -> Response {
    match stores.s3_service().call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!("the object store failed: {error:?}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// In a header, or in the query of a signed link.
async fn with_session(request: Request, next: Next) -> Response {
    let in_header = request.headers().get("x-amz-security-token").is_some_and(|token| token == SESSION_TOKEN);
    let in_query = format!("X-Amz-Security-Token={SESSION_TOKEN}");
    let in_query = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == in_query));
    if in_header || in_query {
        return next.run(request).await;
    }
    let refusal = r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#;
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], refusal).into_response()
}
