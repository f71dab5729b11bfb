//! How orders, references, payments and the rails' own state are stored.

mod facts;
mod orders;
mod references;
mod tables;

pub use facts::{AuditRow, ReversalRow};
pub(crate) use facts::{
    audit_item, claim_item, claimed_fact, day_name, due_mark, event_item, fact_item, open_mark, read_audit,
    read_fact, read_reversal, reversal_item,
};
pub(crate) use orders::{
    ClaimTally, MADE, MadeRow, SLOT, TALLY, awaited_name, read_top_up, slot_item, slot_name, top_up_item,
};
pub(crate) use references::{IdempotencyRow, ReferenceRow, amount_name, key_name, reference_name};
pub(crate) use tables::{AMOUNTS_INDEX, AWAITED_INDEX, DAY_INDEX, OPEN_INDEX};
pub use tables::{PAYMENT_INBOX, PAYMENT_RAILS, PAYMENT_REFERENCES, TABLES, TOP_UPS};
