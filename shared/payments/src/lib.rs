#![doc = include_str!("../README.md")]

mod amount;
mod arrival;
mod bank;
mod card;
mod chain;
mod claim;
mod claim_ruling;
mod claim_store;
mod error;
mod fact;
mod inbox;
mod items;
mod likely;
mod likeness;
mod methods;
mod order;
mod payments;
mod problem;
mod rail;
mod reconciliation;
mod reversal;
mod ruling;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod to_pay;
mod top_ups;

pub use amount::{Amount, DongRate, usdt_cents_down};
pub use arrival::{Arrival, Claim, Delivery, Received, TransferMarks};
pub use bank::BankDesk;
pub use card::{CardDesk, CardNews};
pub use chain::{ChainDesk, PollReport};
pub use claim::{ClaimOutcome, WaitingClaim};
pub use error::PaymentsError;
pub use fact::{Credited, Fact, FactKey, FactState, Ignored, InvalidFactKey, PendingClaim, Unmatched, Via};
pub use inbox::{Assignment, DeliveryRow, Dossier, InboxPage};
pub use items::{AuditRow, PAYMENT_INBOX, PAYMENT_RAILS, PAYMENT_REFERENCES, ReversalRow, TABLES, TOP_UPS};
pub use likely::{LikelyOrder, LikelyWhy};
pub use likeness::Likeness;
pub use methods::{Methods, PayBy};
pub use order::{FixedRate, PAYMENTS_MAX, Payment, Status, TopUp};
pub use payments::Payments;
pub use rail::{Rail, UnknownRail};
pub use reconciliation::{Difference, RailReport, Reconciliation};
pub use reversal::{Cause, Reinstatement, Reversal};
pub use ruling::{Ruling, rule, worth};
pub use top_ups::{TopUpPage, TopUpWish, TopUps};

/// Names of the moments that `payment_rails` remembers: all of the chain is booked up to here,
const POLLED_TO: &str = "polled_to";
/// the last poll began,
const POLL_BEGAN: &str = "poll_began";
/// a claim last had both indexes of the chain read whole,
const LOOKED: &str = "looked";
/// something authentic last came by itself: a webhook, or a poll that came to its end,
const HEARD: &str = "heard";
/// the processor's list was last compared whole.
const COMPARED: &str = "compared";
