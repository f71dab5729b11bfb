//! What lies outside of a function, over TLS, as AWS's and the providers' endpoints would answer.
//!
//! Two ports with one certificate: AWS's endpoints speak HTTP/1.1 only, the providers' also HTTP/2.

mod authority;
mod forward;
mod holds;
mod parameters;

use crate::connections::{Serving, serve_secured};
use crate::iam::{Call, Iam, Names, Refusal, signer};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
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

/// What a request to AWS may hold at most: an output and its head.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// DynamoDB, SSM and S3.
pub(crate) fn serve_aws(
    listener: TcpListener,
    authority: &Authority,
    stores: &Stores,
    parameters: &Parameters,
    iam: Iam,
    names: Names,
) -> Result<Serving, reqwest::Error> {
    let elsewhere = stores.elsewhere();
    let dynamo = match &elsewhere.dynamo {
        Some(url) => forward::router(url)?,
        None => stores.dynamo_router(),
    };
    let objects = match &elsewhere.s3 {
        Some(url) => forward::router(url)?,
        None => Router::new().fallback(objects).with_state(stores.clone()),
    };
    let services = Services { dynamo, ssm: parameters.router(), objects };
    let router = Router::new().fallback(to_service).with_state(services);
    let router = router.layer(from_fn_with_state((iam, names), as_allowed));
    Ok(serve_over_tls(listener, authority, &[b"http/1.1"], router))
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
    let Some(service) = stores.s3_service() else { return StatusCode::NOT_FOUND.into_response() };
    match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!("the object store failed: {error:?}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Lets a function do what its role may. A function that is in no template may do everything.
async fn as_allowed(State((iam, names)): State<(Iam, Names)>, request: Request, next: Next) -> Response {
    if !has_session(&request) {
        let refusal = r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#;
        return dynamo_json(refusal.to_owned());
    }
    let header = request.headers().get("authorization").and_then(|header| header.to_str().ok());
    let function = signer(header, request.uri().query()).filter(|function| iam.knows(function));
    let Some(function) = function.map(str::to_owned) else { return next.run(request).await };
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let call = Call { method: head.method.as_str(), path: head.uri.path(), target, body: &body };
    match iam.check(&function, call.needs(&names)) {
        Ok(()) => next.run(Request::from_parts(head, Body::from(body))).await,
        Err(refusal) if target.is_some() => dynamo_json(refusal.json().to_string()),
        Err(refusal) => refused_object(&refusal),
    }
}

/// In a header, or in the query of a signed link.
fn has_session(request: &Request) -> bool {
    let in_header = request.headers().get("x-amz-security-token").is_some_and(|token| token == SESSION_TOKEN);
    let in_query = format!("X-Amz-Security-Token={SESSION_TOKEN}");
    let query = request.uri().query();
    in_header || query.is_some_and(|query| query.split('&').any(|part| part == in_query))
}

fn dynamo_json(body: String) -> Response {
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

fn refused_object(refusal: &Refusal) -> Response {
    (StatusCode::FORBIDDEN, [("content-type", "application/xml")], refusal.xml()).into_response()
}
