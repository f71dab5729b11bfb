use platform::{Index, KeyType, TableSpec};

/// `account`, `id` → an order; `account`, `slot#<n>` → the order that takes up one of a person's open places;
/// `account`, `slot#made` → how many orders the person has made today; `account`, `tally#claims` → what the person claimed today.
pub const TOP_UPS: TableSpec = TableSpec {
    name: "top_ups",
    partition_key: "account",
    sort_key: Some("id"),
    indexes: &[Index {
        name: AWAITED_INDEX,
        partition_key: "awaited",
        sort_key: ("look_at", KeyType::Number),
    }],
    ttl: None,
};

/// Unpaid orders; sparse. Those that the processor is asked for, by when that is done next; those found by their amount, by
/// when they were made.
pub(crate) const AWAITED_INDEX: &str = "by-awaited";

/// `reference` → whose order it leads to: a transfer's code, an invoice number, an exact amount, or an
/// idempotency key; `alike.…` → the transfers that were told with the same reference and amount. Codes and invoice numbers are never used again; amounts are, after their quarantine.
pub const PAYMENT_REFERENCES: TableSpec = TableSpec {
    name: "payment_references",
    partition_key: "reference",
    sort_key: None,
    indexes: &[Index { name: AMOUNTS_INDEX, partition_key: "amounts", sort_key: ("until", KeyType::Number) }],
    ttl: Some("gone_at"),
};

/// Exact amounts, by the end of their quarantine; sparse.
pub(crate) const AMOUNTS_INDEX: &str = "by-until";

/// `source`, `part` → a payment fact; below it `<part>/event/…` (sealed raw bodies, with an end),
/// `<part>/reversal/…` and `<part>/audit/…`.
pub const PAYMENT_INBOX: TableSpec = TableSpec {
    name: "payment_inbox",
    partition_key: "source",
    sort_key: Some("part"),
    indexes: &[
        Index { name: OPEN_INDEX, partition_key: "open", sort_key: ("heard_at", KeyType::Number) },
        Index { name: DAY_INDEX, partition_key: "day", sort_key: ("paid_at", KeyType::Number) },
    ],
    ttl: Some("gone_at"),
};

/// Facts that wait for an administrator, and claims by the end of their wait; sparse.
pub(crate) const OPEN_INDEX: &str = "by-open";
/// Facts of a rail by the UTC day they were paid, for the comparison with the processor's own list.
pub(crate) const DAY_INDEX: &str = "by-day";

/// `rail` → how far it was polled, when it was last heard.
pub const PAYMENT_RAILS: TableSpec =
    TableSpec { name: "payment_rails", partition_key: "rail", sort_key: None, indexes: &[], ttl: None };

pub const TABLES: &[TableSpec] = &[TOP_UPS, PAYMENT_REFERENCES, PAYMENT_INBOX, PAYMENT_RAILS];
