use super::{CardFace, InvoiceNumber, reading};
use crate::{Unreadable, Vnd};
use primitives::{Currency, Timestamp};
use serde_json::Value;

/// An order as SePay's own API tells it: the only thing credit is given for. [`CardOrder::outcome`] judges it.
///
/// What is `None` was absent or not understood; it never becomes a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardOrder {
    pub invoice: InvoiceNumber,
    /// SePay's own number, e.g. `NQD-68DA43D73C1A5`.
    pub order_id: Option<String>,
    pub status: OrderStatus,
    pub amount: Option<Vnd>,
    pub currency: Option<Currency>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// `None` in a list: the documented rows leave them out.
    pub transactions: Option<Vec<Transaction>>,
}

/// One movement of an order's money, or the try of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub id: String,
    pub kind: TransactionKind,
    pub status: TransactionStatus,
    pub amount: Option<Vnd>,
    pub currency: Option<Currency>,
    pub at: Option<Timestamp>,
    pub card: Option<CardFace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    Captured,
    Cancelled,
    /// `AUTHENTICATION_NOT_NEEDED`, which the documents explain as "awaiting payment".
    Waiting,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionKind {
    Payment,
    Refund,
    Void,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Approved,
    Declined,
    Pending,
    Unknown,
}

impl CardOrder {
    /// An order with a transaction that can't be told apart is unreadable as a whole: it might be a void.
    pub(crate) fn read(order: &Value, offset_minutes: i16) -> Result<CardOrder, Unreadable> {
        let transaction = |transaction| Transaction::read(transaction, offset_minutes);
        let transactions = match &order["transactions"] {
            Value::Null => None,
            Value::Array(rows) => Some(rows.iter().map(transaction).collect::<Result<_, _>>()?),
            _ => return Err(Unreadable("transactions")),
        };
        Ok(CardOrder {
            invoice: invoice(&order["order_invoice_number"])?,
            order_id: reading::id(&order["order_id"], "order_id").ok(),
            status: OrderStatus::read(&order["order_status"]),
            amount: reading::amount(&order["order_amount"]),
            currency: currency(&order["order_currency"]),
            created_at: reading::moment(&order["created_at"], offset_minutes),
            updated_at: reading::moment(&order["updated_at"], offset_minutes),
            transactions,
        })
    }
}

impl Transaction {
    fn read(transaction: &Value, offset_minutes: i16) -> Result<Transaction, Unreadable> {
        Ok(Transaction {
            id: reading::id(&transaction["id"], "transactions.id")?,
            kind: TransactionKind::read(&transaction["transaction_type"]),
            status: TransactionStatus::read(&transaction["transaction_status"]),
            amount: reading::amount(&transaction["transaction_amount"]),
            currency: currency(&transaction["transaction_currency"]),
            at: reading::moment(&transaction["transaction_date"], offset_minutes),
            card: CardFace::of_transaction(transaction),
        })
    }
}

pub(crate) fn invoice(value: &Value) -> Result<InvoiceNumber, Unreadable> {
    let invoice = reading::text(value).and_then(|text| text.trim().parse().ok());
    invoice.ok_or(Unreadable("order_invoice_number"))
}

pub(crate) fn currency(value: &Value) -> Option<Currency> {
    reading::word(value)?.parse().ok()
}

impl OrderStatus {
    /// The documents also write `CANCELED`.
    pub(crate) fn read(value: &Value) -> OrderStatus {
        match reading::word(value).as_deref() {
            Some("CAPTURED") => OrderStatus::Captured,
            Some("CANCELLED" | "CANCELED") => OrderStatus::Cancelled,
            Some("AUTHENTICATION_NOT_NEEDED") => OrderStatus::Waiting,
            _ => OrderStatus::Unknown,
        }
    }
}

impl TransactionKind {
    pub(crate) fn read(value: &Value) -> TransactionKind {
        match reading::word(value).as_deref() {
            Some("PAYMENT") => TransactionKind::Payment,
            Some("REFUND") => TransactionKind::Refund,
            Some("VOID") => TransactionKind::Void,
            _ => TransactionKind::Unknown,
        }
    }
}

impl TransactionStatus {
    pub(crate) fn read(value: &Value) -> TransactionStatus {
        match reading::word(value).as_deref() {
            Some("APPROVED") => TransactionStatus::Approved,
            Some("DECLINED") => TransactionStatus::Declined,
            Some("PENDING") => TransactionStatus::Pending,
            _ => TransactionStatus::Unknown,
        }
    }
}
