#![doc = include_str!("../README.md")]

mod arrival;
mod compared;
mod error;
mod fact;
mod inbox;
mod items;
mod likely;
mod likeness;
mod methods;
mod order;
mod pay_by;
mod payments;
mod problem;
mod rail;
mod rails;
mod reconciliation;
mod reversal;
mod rules;
mod ruling;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod to_pay;
mod top_ups;
mod words;

pub use crate::rails::sepay_card::{CardDesk, CardNews};
pub use crate::rails::tron_usdt::{ChainDesk, ClaimOutcome, PollReport, WaitingClaim};
pub use crate::rails::viet_qr::BankDesk;
pub use arrival::{Arrival, Delivery, Destination, Received, TransferMarks};
pub use error::{ClaimError, ComparisonError, DecisionError, PaymentsError, TopUpError};
pub use fact::{
    Credited, Fact, FactKey, FactState, Ignored, InvalidFactKey, LikelyOrder, LikelyWhy, PendingClaim,
    Unmatched, Via,
};
pub use inbox::{Assignment, DeliveryRow, Dossier, InboxPage};
pub use items::{AuditRow, PAYMENT_INBOX, PAYMENT_RAILS, PAYMENT_REFERENCES, ReversalRow, TABLES, TOP_UPS};
pub use likeness::Likeness;
pub use methods::Methods;
pub use order::{FixedRate, PAYMENTS_MAX, Payment, Status, TopUp};
pub use pay_by::PayBy;
pub use payments::Payments;
pub use rail::{Rail, UnknownRail};
pub use reconciliation::{Difference, RailReport, Reconciliation};
pub use reversal::{Cause, Reinstatement, Reversal};
pub use rules::{SECTIONS, TopUpRules};
pub use ruling::{Ruling, credits_for, judge_payment};
pub use top_ups::{TopUpPage, TopUpWish, TopUps};

/// Names of the moments that `payment_rails` remembers: everything paid by the rail is booked up to here,
const POLLED_TO: &str = "polled_to";
/// a claim last began to have all lists of the rail read,
const LOOK_BEGAN: &str = "look_began";
/// a claim last had all lists of the rail read whole,
const LOOKED: &str = "looked";
/// something authentic last came by itself: a webhook, or a poll that came to its end,
const HEARD: &str = "heard";
/// the processor's list was last compared whole.
const COMPARED: &str = "compared";
