//! The signature Svix puts on a webhook.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// `v1,<base64>` over `{id}.{timestamp}.{body}`; a secret that is not `whsec_` + base64 gives `None`.
pub(crate) fn signature(secret: &str, id: &str, timestamp: u64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}
