//! The words of answers that form a closed set, as OpenAPI lists them: those that `payments` says.

use edge::closed_set;
use payments::{Rail, Status};

closed_set! {
    /// A way to pay.
    pub(crate) enum PaymentMethod: Rail::ALL.iter().map(|rail| rail.as_str())
}

closed_set! {
    /// What became of a top-up.
    pub(crate) enum TopUpStatus: Status::WORDS.iter().copied()
}
