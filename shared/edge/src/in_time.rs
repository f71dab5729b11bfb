//! The time an answer has where the host ends the process, as Lambda does.

use crate::{ProblemCode, ProblemResponse};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout_at};

/// Until when the host needs an answer; the host puts it into the request's extensions. A request without it has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerBy(pub Instant);

/// Answers 504 when the handler takes too long. Each wait alone fits into the one around it (`primitives::times`), but
/// several one after the other may not: then Lambda would end the process, and the gateway would answer 502 in words that
/// are not about this request. The handler is dropped, which is as if the process were killed at that await: every handler
/// must survive that. A run is a task of its own and goes on.
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
