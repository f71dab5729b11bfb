//! What handlers ask for. Each extractor refuses with a [`Problem`].

mod accept;
mod body;
mod caller;
mod headers;
mod page;
mod whole;

pub use accept::AcceptKind;
pub use body::{JsonBody, RawBody};
pub use caller::{Allowed, Person, Public, Runner};
pub use headers::{ClientNetwork, Country, IdempotencyKey};
pub use page::Page;

use crate::{Edge, Problem, ProblemCode};
use http::request::Parts;

/// Put there by [`crate::finish`].
fn edge_of(parts: &Parts) -> Result<Edge, Problem> {
    parts.extensions.get().cloned().ok_or_else(unfinished)
}

/// A mistake of ours that the first request shows.
pub(crate) fn unfinished() -> Problem {
    tracing::error!("a router was served without edge::finish");
    Problem::new(ProblemCode::Internal)
}
