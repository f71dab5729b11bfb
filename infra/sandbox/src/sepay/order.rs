//! An order, and the steps it can take.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::{Form, Purchase};
use super::settlement;
use crate::call::Call;
use crate::delivery::Outcome;
use crate::ids;

/// One order of the merchant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(super) id: String,
    /// SePay's number, `NQD-…`.
    pub(super) order_id: String,
    pub(crate) invoice: String,
    /// Whole dong.
    pub(super) amount: u64,
    pub(super) method: Method,
    pub(super) status: Status,
    /// Unix seconds, like all times here.
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    pub(super) transactions: Vec<Transaction>,
    pub(super) deliveries: Vec<Outcome>,
    pub(super) user_agent: String,
    pub(super) ip_address: String,
    form: Form,
}

/// Money moving, or failing to.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) id: String,
    pub(super) transaction_id: String,
    pub(super) kind: Kind,
    pub(super) is_approved: bool,
    pub(super) at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    #[serde(rename = "AUTHENTICATION_NOT_NEEDED")]
    Waiting,
    Captured,
    Cancelled,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Kind {
    Payment,
    Void,
}

/// The way an order is paid; a form that leaves it open is paid by card here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Method {
    Card,
    BankTransfer,
    NapasBankTransfer,
}

/// Why the gateway does not do that with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardRefusal {
    /// No order has this invoice number.
    UnknownOrder,
    /// The order was paid or cancelled before.
    NotWaiting,
    /// Only what was captured can be voided.
    NotCaptured,
    /// Void is for cards.
    NotACard,
    /// Cancel is for transfers.
    NotATransfer,
    /// The payment was settled with the merchant, so it cannot be voided.
    Settled,
    /// Nothing of that kind has happened to the order.
    NothingToTell,
}

impl Order {
    pub(super) fn new(form: Form, purchase: Purchase, call: &Call, now: u64) -> Order {
        Order {
            id: ids::uuid(),
            order_id: format!("NQD-{}", number().to_ascii_uppercase()),
            invoice: purchase.invoice,
            amount: purchase.amount,
            method: purchase.method,
            status: Status::Waiting,
            created_at: now,
            updated_at: now,
            transactions: Vec::new(),
            deliveries: Vec::new(),
            user_agent: call.header("user-agent").unwrap_or_default().to_owned(),
            ip_address: call.header("x-forwarded-for").unwrap_or("127.0.0.1").to_owned(),
            form,
        }
    }

    /// The shopper pays: the whole amount, approved.
    pub(crate) fn pay(&mut self, now: u64) -> Result<(), CardRefusal> {
        self.require_waiting()?;
        self.status = Status::Captured;
        self.note(Kind::Payment, true, now);
        Ok(())
    }

    /// The card is declined; the order goes on waiting for another try.
    pub(super) fn decline(&mut self, now: u64) -> Result<(), CardRefusal> {
        self.require_waiting()?;
        self.note(Kind::Payment, false, now);
        Ok(())
    }

    /// Takes a card payment back, which works until it is settled.
    pub(crate) fn void(&mut self, now: u64) -> Result<(), CardRefusal> {
        if self.method != Method::Card {
            return Err(CardRefusal::NotACard);
        }
        if self.status != Status::Captured {
            return Err(CardRefusal::NotCaptured);
        }
        let paid_at = self.latest(Kind::Payment).map_or(self.updated_at, |payment| payment.at);
        if settlement::is_settled(paid_at, now) {
            return Err(CardRefusal::Settled);
        }
        self.status = Status::Cancelled;
        self.note(Kind::Void, true, now);
        Ok(())
    }

    /// The merchant gives up an order that waits for a transfer.
    pub(super) fn cancel(&mut self, now: u64) -> Result<(), CardRefusal> {
        if self.method == Method::Card {
            return Err(CardRefusal::NotATransfer);
        }
        self.require_waiting()?;
        self.status = Status::Cancelled;
        self.updated_at = now;
        Ok(())
    }

    /// The latest approved transaction of a kind.
    pub(super) fn latest(&self, kind: Kind) -> Option<&Transaction> {
        self.transactions.iter().rev().find(|transaction| transaction.kind == kind && transaction.is_approved)
    }

    /// The same form again, while the order is unpaid.
    pub(super) fn is_reopened_by(&self, form: &Form) -> bool {
        self.status == Status::Waiting && self.form == *form
    }

    /// A field of the form that opened it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// `custom_data` as the list that notifications carry.
    pub(super) fn custom_data(&self) -> Vec<Value> {
        let Some(text) = self.field("custom_data") else { return Vec::new() };
        serde_json::from_str(text).unwrap_or_else(|_| vec![Value::from(text)])
    }

    fn require_waiting(&self) -> Result<(), CardRefusal> {
        if self.status == Status::Waiting { Ok(()) } else { Err(CardRefusal::NotWaiting) }
    }

    fn note(&mut self, kind: Kind, is_approved: bool, now: u64) {
        self.updated_at = now;
        let (id, transaction_id) = (ids::uuid(), number());
        self.transactions.push(Transaction { id, transaction_id, kind, is_approved, at: now });
    }
}

impl Method {
    pub(super) fn named(name: Option<&str>) -> Option<Method> {
        match name {
            None | Some("CARD") => Some(Method::Card),
            Some("BANK_TRANSFER") => Some(Method::BankTransfer),
            Some("NAPAS_BANK_TRANSFER") => Some(Method::NapasBankTransfer),
            Some(_) => None,
        }
    }
}

impl fmt::Display for CardRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CardRefusal::UnknownOrder => "order not found",
            CardRefusal::NotWaiting => "the order was paid or cancelled before",
            CardRefusal::NotCaptured => "the order is not captured",
            CardRefusal::NotACard => "only card payments can be voided",
            CardRefusal::NotATransfer => "only orders paid by transfer can be cancelled",
            CardRefusal::Settled => "the payment is settled and cannot be voided",
            CardRefusal::NothingToTell => "nothing of that kind has happened to the order",
        })
    }
}

impl std::error::Error for CardRefusal {}

/// Thirteen hexadecimal digits, as SePay numbers orders and transactions.
fn number() -> String {
    ids::tagged("").split_at(13).0.to_owned()
}
