//! The words of answers and requests that form a closed set, as OpenAPI lists them: those that `payments` says.

use edge::closed_set;
use payments::{Cause, FactState, Ignored, LikelyWhy, Rail, Unmatched, Via};

closed_set! {
    /// A way to pay.
    pub(crate) enum PaymentMethod: Rail::ALL.iter().map(|rail| rail.as_str())
}

closed_set! {
    /// What became of a payment.
    pub(crate) enum PaymentState: FactState::WORDS.iter().copied()
}

closed_set! {
    /// How we heard of a payment.
    pub(crate) enum HeardVia: Via::WORDS.iter().copied()
}

closed_set! {
    /// Why a payment was not credited by itself.
    pub(crate) enum NotCredited: {
        let only_ignored = Ignored::WORDS.iter().filter(|word| !Unmatched::WORDS.contains(word));
        Unmatched::WORDS.iter().chain(only_ignored).copied()
    }
}

closed_set! {
    /// Why an order may be the one that a payment meant: `sum_of_orders` (the text names several orders that cost this
    /// together), `named` and `named_other_amount` (the text names it), `near_code` and `near_code_other_amount` (the text is
    /// one mistake away from its code), `same_amount` (unpaid, of that time, and exactly this amount).
    pub(crate) enum Likeness: LikelyWhy::WORDS.iter().copied()
}

closed_set! {
    /// Why credit is taken back: `return` (we sent the money back), `chargeback` (the payer's bank took it) or `misassigned`
    /// (the money is here, the credit went to the wrong person: afterwards the payment can be assigned anew).
    pub(crate) enum ReversalWish: Cause::WORDS.iter().copied().filter(|word| *word != Cause::Void.as_str())
}

closed_set! {
    /// Why credit was taken back: what an administrator may wish, and `void`, the processor's own.
    pub(crate) enum ReversalCause: Cause::WORDS.iter().copied()
}
