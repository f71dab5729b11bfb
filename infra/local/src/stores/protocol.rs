use super::Stores;
use super::dynamo;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

const DYNAMO_JSON: &str = "application/x-amz-json-1.0";
const UNSIGNED: &[u8] = br#"{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}"#;

pub(super) fn router(stores: Stores) -> Router {
    Router::new().route("/", post(answer)).with_state(stores)
}

/// A signature must be there; only S3 verifies them here.
async fn answer(State(stores): State<Stores>, headers: HeaderMap, body: Bytes) -> Response {
    if !headers.contains_key(AUTHORIZATION) {
        return told(StatusCode::BAD_REQUEST, UNSIGNED.to_vec());
    }
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Some(engine) = &stores.0.engine else { return StatusCode::NOT_FOUND.into_response() };
    let (status, json) = dynamo::answer(engine, target, &body).await;
    told(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json)
}

fn told(status: StatusCode, json: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, DYNAMO_JSON)], json).into_response()
}
