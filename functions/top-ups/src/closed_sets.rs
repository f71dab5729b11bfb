//! The words of answers that form a closed set, as OpenAPI lists them. Nothing is read or written by these types; every
//! answer of the scenarios is compared with them.

use utoipa::ToSchema;

/// A way to pay.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum PaymentMethod {
    SepayCard,
    VietQr,
    TronUsdt,
}

/// What became of a top-up.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
pub(crate) enum TopUpStatus {
    Created,
    Paid,
    PaidLate,
    PartlyPaid,
    Overpaid,
    Expired,
    Cancelled,
    Reversed,
}
