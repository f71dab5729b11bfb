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
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use citipen::stores::{PostedForm, Stores};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub use authority::Authority;
pub use holds::Held;
pub(crate) use holds::Holds;
pub use parameters::{ParameterMood, Parameters};

/// The credentials of a function's role are temporary: every request to AWS must carry this, unless an S3 elsewhere is
/// asked, which takes no token that it has not given.
pub(crate) const SESSION_TOKEN: &str = "emulated-session-token";

/// What a request to AWS may hold at most: an output and its head.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// DynamoDB, KMS, SSM and S3.
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
    let services = Services { dynamo, kms: crate::kms::router("/"), ssm: parameters.router(), objects };
    let router = Router::new().fallback(to_service).with_state(services);
    let door = Door { iam, names, takes_sessions: takes_sessions(stores) };
    let router = router.layer(from_fn_with_state(door, as_allowed));
    Ok(serve_over_tls(listener, authority, &[b"http/1.1"], router))
}

/// Whether functions have temporary credentials.
pub(crate) fn takes_sessions(stores: &Stores) -> bool {
    stores.elsewhere().s3.is_none()
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
struct Door {
    iam: Iam,
    names: Names,
    takes_sessions: bool,
}

#[derive(Clone)]
struct Services {
    dynamo: Router,
    kms: Router,
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
        Some("TrentService") => services.kms,
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
async fn as_allowed(State(door): State<Door>, request: Request, next: Next) -> Response {
    let Door { iam, names, takes_sessions } = door;
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let kind = head.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = PostedForm::read(kind, &body);
    if takes_sessions && !has_session(&head, form.as_ref()) {
        let refusal = r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#;
        return dynamo_json(refusal.to_owned());
    }
    let header = head.headers.get("authorization").and_then(|header| header.to_str().ok());
    let function = match &form {
        Some(form) => form.field("x-amz-credential").and_then(|credential| credential.split('/').next()),
        None => signer(header, head.uri.query()),
    };
    let function = function.filter(|function| iam.knows(function)).map(str::to_owned);
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let is_of_tables = target.is_some();
    let refusal = function.and_then(|function| {
        let needs = match &form {
            Some(form) => Call::of_form(head.uri.path(), form.field("key").unwrap_or_default(), &names),
            None => {
                let (method, path, query) = (head.method.as_str(), head.uri.path(), head.uri.query());
                Call { method, path, query, target, body: &body }.needs(&names)
            }
        };
        iam.check(&function, needs).err()
    });
    match refusal {
        None => next.run(Request::from_parts(head, Body::from(body))).await,
        Some(refusal) if is_of_tables => dynamo_json(refusal.json().to_string()),
        Some(refusal) => refused_object(&refusal),
    }
}

/// In a header, in the query of a signed link, or in a field of a form.
fn has_session(head: &Parts, form: Option<&PostedForm>) -> bool {
    let in_header = head.headers.get("x-amz-security-token").is_some_and(|token| token == SESSION_TOKEN);
    let in_query = format!("X-Amz-Security-Token={SESSION_TOKEN}");
    let in_form = form.and_then(|form| form.field("x-amz-security-token")) == Some(SESSION_TOKEN);
    let query = head.uri.query();
    in_header || in_form || query.is_some_and(|query| query.split('&').any(|part| part == in_query))
}

fn dynamo_json(body: String) -> Response {
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

fn refused_object(refusal: &Refusal) -> Response {
    (StatusCode::FORBIDDEN, [("content-type", "application/xml")], refusal.xml()).into_response()
}
