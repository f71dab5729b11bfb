use crate::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use primitives::{Timestamp, random_bytes};
use std::fmt;
use ulid::Ulid;

/// Our own name for one request; what a caller sends as such is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Ulid);

impl RequestId {
    pub(crate) fn mint(now: Timestamp) -> RequestId {
        RequestId(Ulid::from_parts(now.millis(), u128::from_be_bytes(random_bytes())))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<RequestId, Problem> {
        parts.extensions.get().copied().ok_or_else(crate::extract::unfinished)
    }
}
