//! What handlers ask for. Each extractor refuses with a [`ProblemResponse`].

mod accept;
mod body;
mod headers;
mod page;
mod whole;

pub use accept::AcceptKind;
pub use body::{JsonBody, RawBody};
pub use headers::{ClientNetwork, Country, IdempotencyKey};
pub use page::Page;

use crate::{ProblemCode, ProblemResponse};

/// A mistake of ours that the first request shows.
pub(crate) fn unfinished(mistake: &str) -> ProblemResponse {
    tracing::error!("{mistake}");
    ProblemCode::Internal.into()
}
