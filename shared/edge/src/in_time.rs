//! The time an answer has, where somebody outside ends the process.

use crate::{ProblemCode, ProblemResponse};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout_at};

/// Until when the host needs an answer, put into a request's extensions by it. Where there is none, a request takes as
/// long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerBy(pub Instant);

/// Waits nest (`primitives::times`), so this is for what adds up: without it Lambda would end the process in the middle
/// of it, and the gateway would say 502 without knowing what it was about. What is dropped here ends like in a
/// process that is killed at that moment, which everything is made for; a run is a task of its own and goes on.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    let Some(AnswerBy(moment)) = request.extensions().get().copied() else { return next.run(request).await };
    match timeout_at(moment, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a request was not answered in its time");
            ProblemResponse::from(ProblemCode::TimedOut).into_response()
        }
    }
}
