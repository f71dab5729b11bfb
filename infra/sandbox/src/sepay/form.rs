//! The checkout form: read in the order it was posted, and checked against its signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::order::Method;
use crate::SEPAY_MERCHANT_ID;

/// The fields that are signed; anything else in the form is not (npm sepay-pg-node 1.0.0).
const SIGNABLE: [&str; 18] = [
    "merchant",
    "env",
    "operation",
    "payment_method",
    "order_amount",
    "currency",
    "order_invoice_number",
    "order_description",
    "customer_id",
    "agreement_id",
    "agreement_name",
    "agreement_type",
    "agreement_payment_frequency",
    "agreement_amount_per_payment",
    "success_url",
    "error_url",
    "cancel_url",
    "order_id",
];
const REQUIRED: [&str; 7] = [
    "order_amount",
    "merchant",
    "currency",
    "operation",
    "order_description",
    "order_invoice_number",
    "signature",
];
const INVOICE_CHARACTERS_MAX: usize = 100;
/// Fifteen digits of dong stay far from where a JSON number loses precision.
const AMOUNT_DIGITS_MAX: usize = 15;

/// The fields as the browser posted them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

/// A form that makes sense.
#[derive(Debug)]
pub(super) struct Purchase {
    /// Whole dong.
    pub(super) amount: u64,
    pub(super) invoice: String,
    pub(super) method: Method,
}

/// Why the form opens no checkout.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormRefusal {
    Repeated(String),
    Missing(&'static str),
    Merchant,
    /// The message that was signed here, in the order received.
    Signature(String),
    Currency,
    Operation,
    Amount,
    Invoice,
    Method,
    Address(&'static str),
    InvoiceTaken,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn read(body: &[u8]) -> Form {
        Form { fields: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// A field that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(of, _)| of == name);
        field.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The signable fields in the order received. The three official lists differ, so this order must decide.
    pub(crate) fn message(&self) -> String {
        let signed = self.fields.iter().filter(|(name, _)| SIGNABLE.contains(&name.as_str()));
        signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
    }

    /// Whether `signature` is what the secret makes of the message.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = self.get("signature").and_then(|text| STANDARD.decode(text).ok());
        signature.is_some_and(|tag| hmac::verify(&key, self.message().as_bytes(), &tag).is_ok())
    }

    /// Checks the form as the gateway does, the signature before the values.
    pub(super) fn purchase(&self, secret: &str) -> Result<Purchase, FormRefusal> {
        self.require_plain()?;
        if self.get("merchant") != Some(SEPAY_MERCHANT_ID) {
            return Err(FormRefusal::Merchant);
        }
        if !self.is_signed_by(secret) {
            return Err(FormRefusal::Signature(self.message()));
        }
        if self.get("currency") != Some("VND") {
            return Err(FormRefusal::Currency);
        }
        if self.get("operation") != Some("PURCHASE") {
            return Err(FormRefusal::Operation);
        }
        for name in ["success_url", "error_url", "cancel_url"] {
            if self.get(name).is_some_and(|address| !is_web_address(address)) {
                return Err(FormRefusal::Address(name));
            }
        }
        Ok(Purchase {
            amount: self.get("order_amount").and_then(whole_dong).ok_or(FormRefusal::Amount)?,
            invoice: self
                .get("order_invoice_number")
                .filter(|text| is_invoice(text))
                .map(str::to_owned)
                .ok_or(FormRefusal::Invoice)?,
            method: Method::named(self.get("payment_method")).ok_or(FormRefusal::Method)?,
        })
    }

    /// Every required field once, and no field twice: of two amounts, which one was signed?
    fn require_plain(&self) -> Result<(), FormRefusal> {
        for (at, (name, _)) in self.fields.iter().enumerate() {
            if self.fields[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(FormRefusal::Repeated(name.clone()));
            }
        }
        match REQUIRED.into_iter().find(|name| self.get(name).is_none()) {
            Some(name) => Err(FormRefusal::Missing(name)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for FormRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormRefusal::Repeated(name) => write!(f, "the field {name} is there twice"),
            FormRefusal::Missing(name) => write!(f, "the field {name} is missing or empty"),
            FormRefusal::Merchant => f.write_str("no such merchant"),
            FormRefusal::Signature(_) => f.write_str("the signature does not fit the fields"),
            FormRefusal::Currency => f.write_str("currency must be VND"),
            FormRefusal::Operation => f.write_str("operation must be PURCHASE"),
            FormRefusal::Amount => f.write_str("order_amount must be whole dong above zero, digits only"),
            FormRefusal::Invoice => {
                f.write_str("order_invoice_number must be 1 to 100 letters, digits, _ or -")
            }
            FormRefusal::Method => {
                f.write_str("payment_method must be CARD, BANK_TRANSFER or NAPAS_BANK_TRANSFER")
            }
            FormRefusal::Address(name) => write!(f, "{name} is no http address"),
            FormRefusal::InvoiceTaken => {
                f.write_str("this order_invoice_number was used before, and is unique for ever")
            }
        }
    }
}

fn whole_dong(text: &str) -> Option<u64> {
    let is_plain = text.len() <= AMOUNT_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?.filter(|amount| *amount > 0)
}

fn is_invoice(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= INVOICE_CHARACTERS_MAX && text.bytes().all(is_fine)
}

fn is_web_address(text: &str) -> bool {
    text.is_ascii() && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
