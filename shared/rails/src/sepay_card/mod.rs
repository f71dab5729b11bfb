//! SePay's payment gateway (card, QR, NAPAS): the signed form, the IPN, the order API.

mod api;
mod card_face;
mod checkout;
mod invoice;
mod ipn;
mod order;
mod outcome;
mod page;
mod reading;
mod signature;
#[cfg(test)]
mod tests;

pub use api::{Api, Closing, OrderPage};
pub use card_face::{CardExpiry, CardFace};
pub use checkout::{CheckoutForm, CheckoutOrder, Field, PaymentMethod, checkout_form};
pub use invoice::{InvalidInvoice, InvoiceNumber};
pub use ipn::{Ipn, IpnKind, StatedPayment, authenticate_ipn};
pub use order::{CardOrder, OrderStatus, Transaction, TransactionKind, TransactionStatus};
pub use outcome::{CardOutcome, Oddity};
pub use page::{PageLanguage, checkout_page, page_style_source};
pub use signature::{sign, verify};

use primitives::Secret;

/// Who is paid: `SP-LIVE-…` or `SP-TEST-…`, and the key that signs forms and opens the order API.
#[derive(Debug, Clone)]
pub struct Merchant {
    pub id: String,
    pub secret_key: Secret,
}
