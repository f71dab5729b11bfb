//! What an order asks of its payer.

use crate::order::FixedRate;
use primitives::{Credits, Money};
use rails::sepay_card::CheckoutForm;
use rails::viet_qr::Payload;

/// What an amount of credit costs by a rail, before the order has its own reference.
pub(crate) struct Priced {
    pub(crate) credits: Credits,
    pub(crate) price: Money,
    pub(crate) rate: Option<FixedRate>,
}

/// What makes one order's payment different from all others.
pub(crate) struct Drawn {
    pub(crate) credits: Credits,
    pub(crate) price: Money,
    /// For the payer.
    pub(crate) reference: String,
    /// The same in `payment_references`, under which an arrival looks for it.
    pub(crate) name: String,
}

/// What the payer needs; for display, none of it is secret.
#[derive(Debug, Clone)]
pub enum PayBy {
    /// A form that the browser posts to SePay, fields in this order.
    Card(CheckoutForm),
    Transfer {
        bank: String,
        bin: String,
        account: String,
        holder: String,
        payload: Payload,
    },
    Usdt {
        wallet: String,
        contract: String,
    },
}
