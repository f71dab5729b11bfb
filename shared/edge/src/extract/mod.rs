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

/// Answers 500 and logs our mistake: the route lacks what its handler asks for.
pub(crate) fn unfinished(mistake: &str) -> ProblemResponse {
    tracing::error!("{mistake}");
    ProblemCode::Internal.into()
}
