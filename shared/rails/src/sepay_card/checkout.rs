//! The form with which a browser takes an order to SePay's own page ("Payment gateway", form fields).

use super::{InvoiceNumber, Merchant, sign};
use crate::Vnd;
use url::Url;

/// One order to be paid. The addresses are for display only: coming back to one proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutOrder {
    /// More than 0: SePay refuses a purchase of nothing.
    pub amount: Vnd,
    pub invoice: InvoiceNumber,
    /// Required by SePay, so not blank.
    pub description: String,
    pub customer_id: Option<String>,
    /// `None` lets the person choose on SePay's page.
    pub payment_method: Option<PaymentMethod>,
    pub success_url: String,
    pub error_url: String,
    pub cancel_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentMethod {
    Card,
    BankTransfer,
    NapasBankTransfer,
}

/// Inputs to be posted to `action` in this order, the signature last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutForm {
    pub action: String,
    pub fields: Vec<Field>,
    origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub value: String,
}

/// The signed form of `order`, posted to `checkout_url`, e.g. `https://pay.sepay.vn/v1/checkout/init`.
pub fn checkout_form(merchant: &Merchant, checkout_url: &Url, order: &CheckoutOrder) -> CheckoutForm {
    let method = order.payment_method.map_or("", PaymentMethod::as_str);
    let documented = [
        ("order_amount", order.amount.to_string()),
        ("merchant", merchant.id.clone()),
        ("currency", "VND".to_owned()),
        ("operation", "PURCHASE".to_owned()),
        ("order_description", order.description.clone()),
        ("order_invoice_number", order.invoice.to_string()),
        ("customer_id", order.customer_id.clone().unwrap_or_default()),
        ("payment_method", method.to_owned()),
        ("success_url", order.success_url.clone()),
        ("error_url", order.error_url.clone()),
        ("cancel_url", order.cancel_url.clone()),
    ];
    let present = documented.into_iter().map(|(name, value)| Field { name, value: one_line(&value) });
    let mut fields: Vec<Field> = present.filter(|field| !field.value.is_empty()).collect();
    let pairs: Vec<_> = fields.iter().map(|field| (field.name, field.value.as_str())).collect();
    let signature = sign(&merchant.secret_key, &pairs);
    fields.push(Field { name: "signature", value: signature });
    CheckoutForm {
        action: checkout_url.to_string(),
        fields,
        origin: checkout_url.origin().ascii_serialization(),
    }
}

/// A browser rewrites line breaks on the way, and many servers trim: either would spoil the signature.
fn one_line(value: &str) -> String {
    let spaced = value.replace(|c: char| c.is_control(), " ");
    spaced.trim().to_owned()
}

/// SePay's own hosts lie below this domain.
const SEPAY_DOMAIN: &str = ".sepay.vn";

impl CheckoutForm {
    /// Where the form may lead, for the page's `form-action`: the host it is posted to, and SePay's other hosts, because
    /// browsers apply the rule to what the answer redirects to as well.
    pub fn targets(&self) -> String {
        match self.origin.strip_prefix("https://").is_some_and(|host| host.ends_with(SEPAY_DOMAIN)) {
            true => format!("{} https://*{SEPAY_DOMAIN}", self.origin),
            false => self.origin.clone(),
        }
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|field| field.name == name).map_or("", |field| &field.value)
    }
}

impl PaymentMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            PaymentMethod::Card => "CARD",
            PaymentMethod::BankTransfer => "BANK_TRANSFER",
            PaymentMethod::NapasBankTransfer => "NAPAS_BANK_TRANSFER",
        }
    }
}
