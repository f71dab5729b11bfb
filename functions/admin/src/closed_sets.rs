//! The words of answers and requests that form a closed set, as OpenAPI lists them. Nothing is read or written by these
//! types; every answer of the scenarios is compared with them.

use utoipa::ToSchema;

/// What became of a payment.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum PaymentState {
    Credited,
    Unmatched,
    Claimed,
    Dismissed,
    Ignored,
    Voided,
}

/// How we heard of a payment.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum HeardVia {
    Webhook,
    Poll,
    Reconciliation,
}

/// Why a payment was not credited by itself.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum NotCredited {
    NoOrder,
    SeveralOrders,
    TooLittle,
    TooMuch,
    TooLate,
    TooEarly,
    OtherAmount,
    OrderFull,
    AccountClosed,
    Unreadable,
    Odd,
    Unconfirmed,
    Outgoing,
    OtherAccount,
    LikelyRepeat,
    Contradicted,
    ClaimUnclear,
}

/// Why an order may be the one that a payment meant: `sum_of_orders` (the text names several orders that cost this
/// together), `named` and `named_other_amount` (the text names it), `near_code` and `near_code_other_amount` (the text is
/// one mistake away from its code), `same_amount` (unpaid, of that time, and exactly this amount).
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum Likeness {
    SumOfOrders,
    Named,
    NearCode,
    NamedOtherAmount,
    NearCodeOtherAmount,
    SameAmount,
}

/// Why credit is taken back: `return` (we sent the money back), `chargeback` (the payer's bank took it) or `misassigned`
/// (the money is here, the credit went to the wrong person: afterwards the payment can be assigned anew).
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum ReversalWish {
    Return,
    Chargeback,
    Misassigned,
}

/// Why credit was taken back: what an administrator may wish, and `void`, the processor's own.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum ReversalCause {
    Void,
    Return,
    Chargeback,
    Misassigned,
}
