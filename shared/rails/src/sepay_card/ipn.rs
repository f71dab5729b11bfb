//! SePay's message about an order ("Payment gateway", IPN). No signature covers its body and nothing in it stops a
//! replay, so it only says which order to ask for; the order's own answer moves credit.

use super::{InvoiceNumber, OrderStatus, TransactionKind, TransactionStatus, order, reading};
use crate::{NotAuthentic, Unreadable, Vnd};
use http::HeaderMap;
use primitives::{Currency, Secret, Timestamp};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};

const SECRET_HEADER: &str = "x-secret-key";
const KIND_LENGTH_MAX: usize = 64;

/// A message, reduced to its key, the order it is about and what it says of the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipn {
    pub kind: IpnKind,
    pub invoice: InvoiceNumber,
    /// `transaction.id`, the one that tells deliveries apart.
    pub transaction_id: String,
    /// When it was sent, if that can be read.
    pub timestamp: Option<Timestamp>,
    stated: StatedPayment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpnKind {
    OrderPaid,
    TransactionVoid,
    /// Upper-case letters, digits and `_`, e.g. `RENEWAL_ORDER_PAID`.
    Other(String),
}

/// What the message says of the order; `None` was absent or not understood. Believed only when SePay shows the order so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatedPayment {
    pub order_status: OrderStatus,
    pub transaction_status: TransactionStatus,
    pub transaction_kind: TransactionKind,
    pub order_currency: Option<Currency>,
    pub transaction_currency: Option<Currency>,
    pub order_amount: Option<Vnd>,
    pub transaction_amount: Option<Vnd>,
}

/// Whether `X-Secret-Key` is one of the secrets, byte for byte (several during a rotation; an empty one counts for
/// nothing). SePay sends the header only if the merchant's authentication is set to SECRET_KEY.
pub fn authenticate_ipn(secrets: &[Secret], headers: &HeaderMap) -> Result<(), NotAuthentic> {
    if secrets.iter().all(|secret| secret.expose().is_empty()) {
        return Err(NotAuthentic::NoSecret);
    }
    let mut values = headers.get_all(SECRET_HEADER).iter();
    let (Some(sent), None) = (values.next(), values.next()) else {
        return Err(NotAuthentic::Header(SECRET_HEADER));
    };
    let in_use = secrets.iter().map(|secret| secret.expose().as_bytes()).filter(|key| !key.is_empty());
    let is_known = in_use.fold(Choice::from(0), |known, key| known | key.ct_eq(sent.as_bytes()));
    if bool::from(is_known) { Ok(()) } else { Err(NotAuthentic::Mismatch) }
}

impl Ipn {
    /// Reads a body that [`authenticate_ipn`] has let in.
    pub fn parse(raw: &[u8]) -> Result<Ipn, Unreadable> {
        let message = reading::document(raw)?;
        let (order, transaction) = (&message["order"], &message["transaction"]);
        let timestamp = reading::text(&message["timestamp"]).and_then(|seconds| seconds.parse().ok());
        Ok(Ipn {
            kind: IpnKind::read(&message["notification_type"])?,
            invoice: order::invoice(&order["order_invoice_number"])?,
            transaction_id: reading::id(&transaction["id"], "transaction.id")?,
            timestamp: timestamp.map(Timestamp::from_seconds),
            stated: StatedPayment::read(order, transaction),
        })
    }

    /// The order that a message without a key of its own is about, and the amount if the message says "paid".
    pub fn glimpse(raw: &[u8]) -> Option<(InvoiceNumber, Option<Vnd>)> {
        let message = reading::document(raw).ok()?;
        let (order, transaction) = (&message["order"], &message["transaction"]);
        let invoice = order::invoice(&order["order_invoice_number"]).ok()?;
        let is_paid = matches!(IpnKind::read(&message["notification_type"]), Ok(IpnKind::OrderPaid));
        Some((invoice, StatedPayment::read(order, transaction).payment().filter(|_| is_paid)))
    }

    /// Of this delivery; a repetition has the same. The money's key is another: one grant per invoice.
    pub fn event_key(&self) -> String {
        format!("{}#{}", self.kind.as_str(), self.transaction_id)
    }

    pub fn stated(&self) -> &StatedPayment {
        &self.stated
    }

    /// The amount, if all that can be checked within the message says "paid".
    pub fn stated_payment(&self) -> Option<Vnd> {
        if self.kind == IpnKind::OrderPaid { self.stated.payment() } else { None }
    }
}

impl IpnKind {
    pub fn as_str(&self) -> &str {
        match self {
            IpnKind::OrderPaid => "ORDER_PAID",
            IpnKind::TransactionVoid => "TRANSACTION_VOID",
            IpnKind::Other(kind) => kind,
        }
    }

    /// Becomes part of a key, so it must not contain the key's `#`.
    fn read(value: &Value) -> Result<IpnKind, Unreadable> {
        let is_plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        match reading::word(value).as_deref() {
            Some("ORDER_PAID") => Ok(IpnKind::OrderPaid),
            Some("TRANSACTION_VOID") => Ok(IpnKind::TransactionVoid),
            Some(kind) if (1..=KIND_LENGTH_MAX).contains(&kind.len()) && kind.bytes().all(is_plain) => {
                Ok(IpnKind::Other(kind.to_owned()))
            }
            _ => Err(Unreadable("notification_type")),
        }
    }
}

impl StatedPayment {
    fn read(order: &Value, transaction: &Value) -> StatedPayment {
        StatedPayment {
            order_status: OrderStatus::read(&order["order_status"]),
            transaction_status: TransactionStatus::read(&transaction["transaction_status"]),
            transaction_kind: TransactionKind::read(&transaction["transaction_type"]),
            order_currency: order::currency(&order["order_currency"]),
            transaction_currency: order::currency(&transaction["transaction_currency"]),
            order_amount: reading::amount(&order["order_amount"]),
            transaction_amount: reading::amount(&transaction["transaction_amount"]),
        }
    }

    fn payment(&self) -> Option<Vnd> {
        let is_paid = self.order_status == OrderStatus::Captured
            && self.transaction_status == TransactionStatus::Approved
            && self.transaction_kind == TransactionKind::Payment;
        let is_in_dong =
            self.order_currency == Some(Currency::VND) && self.transaction_currency == Some(Currency::VND);
        let amount = self.order_amount.filter(|amount| self.transaction_amount == Some(*amount))?;
        (is_paid && is_in_dong).then_some(amount)
    }
}
