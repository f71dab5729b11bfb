use super::form::PostedForm;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use primitives::{Clock, Timestamp};
use s3s::service::S3Service;
use std::time::Duration;
use time::PrimitiveDateTime;
use time::macros::format_description;
use tower_http::cors::CorsLayer;

const EXPIRED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"#;

#[derive(Clone)]
struct Links {
    s3: S3Service,
    clock: Clock,
}

/// What a page of an allowed origin may do with the objects, here, in a store elsewhere, and in the cloud:
/// `CorsConfiguration` of the bucket in template.yaml, which a scenario compares with it.
#[derive(Debug)]
pub struct LinksCors {
    pub methods: &'static [&'static str],
    /// What a page may read of an answer, beside what browsers always show.
    pub exposed_headers: &'static [&'static str],
    pub max_age_seconds: u32,
}

/// No request headers: a page gets an object by its address alone, and sends one by a form.
pub const LINKS_CORS: LinksCors =
    LinksCors { methods: &["GET", "HEAD", "POST"], exposed_headers: &["ETag"], max_age_seconds: 3000 };

/// The longest form that is taken in; the policy of each says how long its own file is.
const FORM_BYTES_MAX: usize = 512 * 1024 * 1024;

pub(super) fn router(s3: S3Service, bucket: &str, clock: Clock, origins: &[String]) -> Router {
    let (path, form) = (format!("/{bucket}/{{*key}}"), format!("/{bucket}"));
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let browsers = CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods(
            LINKS_CORS.methods.iter().filter_map(|name| name.parse().ok()).collect::<Vec<Method>>(),
        )
        .expose_headers(
            LINKS_CORS
                .exposed_headers
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect::<Vec<HeaderName>>(),
        )
        .max_age(Duration::from_secs(LINKS_CORS.max_age_seconds.into()));
    let router = Router::new().route(&path, get(serve).put(serve)).route(&form, post(take_in));
    router.layer(browsers).with_state(Links { s3, clock })
}

/// A form with a file. Its signature and the conditions of its policy are S3's to check.
async fn take_in(State(links): State<Links>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, FORM_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let ends_at = PostedForm::read(kind, &body).and_then(|form| form.ends_at());
    if ends_at.is_some_and(|end| end <= links.clock.now()) {
        return expired();
    }
    ask(&links, Request::from_parts(head, Body::from(body))).await
}

async fn serve(State(links): State<Links>, request: Request) -> Response {
    if has_ended(request.uri().query().unwrap_or_default(), links.clock.now()) {
        return expired();
    }
    ask(&links, request).await
}

fn expired() -> Response {
    (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "application/xml")], EXPIRED).into_response()
}

async fn ask(links: &Links, request: Request) -> Response {
    match links.s3.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// S3 below goes by the machine's clock and would let a link live on when a test moves its own.
fn has_ended(query: &str, now: Timestamp) -> bool {
    let field = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let signed_at = field("X-Amz-Date").and_then(moment);
    let lifetime = field("X-Amz-Expires").and_then(|seconds| seconds.parse().ok());
    match (signed_at, lifetime) {
        (Some(signed_at), Some(seconds)) => signed_at.after(Duration::from_secs(seconds)) < now,
        _ => false,
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let seconds = PrimitiveDateTime::parse(text, format).ok()?.assume_utc().unix_timestamp();
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}
