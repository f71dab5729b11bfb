//! The form's signature: HMAC-SHA-256 over `name=value,name=value`, in the order of the form's inputs.
//!
//! SePay's official SDKs and its form page use three different orders, and all of them work, so the server signs
//! again in the order received; ours is the form page's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use primitives::Secret;
use ring::hmac;

/// Other inputs may stand in the form; they are not protected (npm sepay-pg-node 1.0.0).
const SIGNED: [&str; 18] = [
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

/// The `signature` of a form with these inputs in this order; inputs that are never signed are passed over.
pub fn sign(secret: &Secret, fields: &[(&str, &str)]) -> String {
    STANDARD.encode(hmac::sign(&key(secret), message(fields).as_bytes()))
}

/// Whether `signature` belongs to the inputs in the order received. An empty secret has signed nothing.
pub fn verify(secret: &Secret, fields: &[(&str, &str)], signature: &str) -> bool {
    let Ok(tag) = STANDARD.decode(signature) else { return false };
    !secret.expose().is_empty() && hmac::verify(&key(secret), message(fields).as_bytes(), &tag).is_ok()
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

/// Values stand as they are: a comma or `=` inside one is not escaped.
fn message(fields: &[(&str, &str)]) -> String {
    let signed = fields.iter().filter(|(name, _)| SIGNED.contains(name));
    signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}
