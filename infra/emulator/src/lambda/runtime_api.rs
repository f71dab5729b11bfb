//! The Lambda Runtime API, version 2018-06-01, of one environment.

use super::environment::Environment;
use super::{ClientGone, FunctionError, Part, Reply, Streamed};
use crate::connections::Connection;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A whole answer may be this long.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024 + 100 * 1024;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

#[derive(Clone)]
struct Api {
    environment: Arc<Environment>,
    client_gone: ClientGone,
}

pub(super) fn router(environment: Arc<Environment>, client_gone: ClientGone) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
        .route("/2018-06-01/runtime/init/error", post(fail_init))
        .with_state(Api { environment, client_gone })
}

async fn next(State(api): State<Api>) -> Response {
    let Some(invocation) = api.environment.next().await else {
        return told(StatusCode::GONE, "the environment is shut down", "Sandbox.Shutdown");
    };
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", api.environment.arn().to_owned()),
        ("lambda-runtime-trace-id", invocation.trace),
        ("content-type", "application/json".to_owned()),
    ];
    let mut response = Response::new(Body::from(invocation.event));
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn respond(
    State(api): State<Api>,
    Path(id): Path<String>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(reply) = api.environment.take_reply(&id) else { return unknown_id() };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("lambda-runtime-function-response-mode").eq_ignore_ascii_case("streaming") {
        let (parts, received) = mpsc::channel(1);
        let content_type = header("content-type").to_owned();
        // When the client left before there was an answer, `received` is dropped here, and `parts` is closed.
        let _ = reply.send(Reply::Streamed(Streamed { content_type, parts: received }));
        return pass_on(body, parts, api.client_gone, &connection).await;
    }
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(whole) => {
            let _ = reply.send(Reply::Whole(whole.to_bytes()));
            accepted()
        }
        Err(error) if error.is::<LengthLimitError>() => {
            let error = FunctionError::new("Function.ResponseSizeTooLarge", "the answer is longer than 6 MB");
            let _ = reply.send(Reply::Failed(error));
            told(StatusCode::PAYLOAD_TOO_LARGE, "the answer is too long", "RequestEntityTooLarge")
        }
        Err(error) => {
            let error = FunctionError::new("Runtime.TruncatedResponse", error.to_string());
            let _ = reply.send(Reply::Failed(error));
            told(StatusCode::BAD_REQUEST, "the answer broke off", "Runtime.TruncatedResponse")
        }
    }
}

/// Reads the answer as it comes. A client that leaves is noticed at once, also between two parts.
async fn pass_on(
    mut body: Body,
    parts: mpsc::Sender<Part>,
    client_gone: ClientGone,
    connection: &Connection,
) -> Response {
    let mut is_gone = false;
    loop {
        let frame = tokio::select! {
            biased;
            () = parts.closed(), if !is_gone => {
                is_gone = true;
                if client_gone == ClientGone::Cut {
                    connection.cut();
                    // The connection ends, and this answer with it.
                    std::future::pending::<()>().await;
                }
                continue;
            }
            frame = body.frame() => frame,
        };
        let part = match frame {
            None => return accepted(),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Part::Data(data),
                Err(frame) => match frame.into_trailers().ok().as_ref().and_then(error_of) {
                    Some(error) => Part::Failed(error),
                    None => continue,
                },
            },
            Some(Err(error)) => {
                Part::Failed(FunctionError::new("Runtime.TruncatedResponse", error.to_string()))
            }
        };
        let is_failed = matches!(part, Part::Failed(_));
        // Without a receiver the next turn notices that the client is gone.
        let _ = parts.send(part).await;
        if is_failed {
            return accepted();
        }
    }
}

/// A stream that fails half-way says so in its trailers.
fn error_of(trailers: &HeaderMap) -> Option<FunctionError> {
    let kind = trailers.get(ERROR_TYPE)?.to_str().ok()?;
    let body = trailers.get(ERROR_BODY).and_then(|body| STANDARD.decode(body.as_bytes()).ok());
    Some(FunctionError::new(kind, String::from_utf8_lossy(&body.unwrap_or_default())))
}

async fn fail(State(api): State<Api>, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let Some(reply) = api.environment.take_reply(&id) else { return unknown_id() };
    let _ = reply.send(Reply::Failed(reported(&headers, body).await));
    accepted()
}

async fn fail_init(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    api.environment.note_failed_start(reported(&headers, body).await);
    accepted()
}

/// `{"errorType": …, "errorMessage": …}`
async fn reported(headers: &HeaderMap, body: Body) -> FunctionError {
    let body =
        Limited::new(body, ANSWER_BYTES_MAX).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    let of_header = || headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    FunctionError {
        kind: text("errorType").or_else(of_header).unwrap_or_else(|| "Runtime.Unknown".to_owned()),
        message: text("errorMessage").unwrap_or_default(),
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn unknown_id() -> Response {
    told(StatusCode::BAD_REQUEST, "no such invocation is under way", "InvalidRequestID")
}

fn told(status: StatusCode, message: &str, kind: &str) -> Response {
    (status, Json(json!({ "errorMessage": message, "errorType": kind }))).into_response()
}
