//! SePay tells the shop about a transfer: `POST /v1/webhooks/sepay/bank` at the product.

use ring::hmac;
use serde::{Deserialize, Serialize};

use super::transfer::Transfer;
use crate::{Delivery, SEPAY_BANK_API_KEY, SEPAY_BANK_HMAC_SECRET};

const PATH: &str = "/v1/webhooks/sepay/bank";

/// How a webhook proves its origin; chosen per webhook in SePay's dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// `X-SePay-Signature` and `X-SePay-Timestamp`.
    #[default]
    Hmac,
    /// `Authorization: Apikey …`.
    ApiKey,
    /// A signature of something else.
    Broken,
    /// Nothing at all.
    None,
}

/// The request as it would be sent at `now` (Unix seconds).
pub(crate) fn delivery(transfer: &Transfer, proof: Proof, now: u64) -> Delivery {
    let body = transfer.body();
    let signed = |message: &[u8]| {
        let signature = signature(SEPAY_BANK_HMAC_SECRET, now, message);
        vec![("x-sepay-signature", signature), ("x-sepay-timestamp", now.to_string())]
    };
    let proof = match proof {
        Proof::Hmac => signed(&body),
        Proof::ApiKey => vec![("authorization", format!("Apikey {SEPAY_BANK_API_KEY}"))],
        Proof::Broken => signed(b"something else"),
        Proof::None => Vec::new(),
    };
    Delivery::new(PATH, body, proof)
}

/// `sha256=<hex>` over `{timestamp}.{body}`; the secret is used as it is written, with its `whsec_`.
pub(crate) fn signature(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(format!("{timestamp}.").as_bytes());
    context.update(body);
    format!("sha256={}", hex::encode(context.sign()))
}
