use crate::ProblemResponse;
use axum::extract::FromRequestParts;
use http::request::Parts;
use primitives::{Timestamp, TraceId, random_bytes};
use problems::Problem;
use std::fmt;
use ulid::Ulid;

/// Our own name for one request; what a caller sends as such is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    id: Ulid,
    trace: Option<TraceId>,
}

impl RequestId {
    pub(crate) fn mint(now: Timestamp, trace: Option<TraceId>) -> RequestId {
        RequestId { id: Ulid::from_parts(now.millis(), u128::from_be_bytes(random_bytes())), trace }
    }

    pub fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }

    /// The problem with this request's name in it. Every answer gets it from the edge; a problem inside a stream has to
    /// be given it.
    pub fn name(&self, problem: Problem) -> Problem {
        problem.request(self.to_string(), self.trace().map(TraceId::as_str))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<RequestId, ProblemResponse> {
        parts.extensions.get().cloned().ok_or_else(|| {
            crate::extract::unfinished("a request has no id: its router was not finished by edge::Routes")
        })
    }
}
