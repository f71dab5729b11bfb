//! Svix signatures (also published as Standard Webhooks), as Clerk puts them on its webhooks.
//!
//! HMAC-SHA-256 over `{id}.{timestamp}.{raw body}`; several `v1,<base64>` stand side by side during a rotation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use primitives::{Secret, Timestamp};
use ring::hmac;
use std::fmt;

/// Seconds a timestamp may lie beside our clock, in both directions; every official library uses this.
const TOLERANCE_SECONDS: u64 = 300;
/// More signatures than any rotation needs.
const SIGNATURES_MAX: usize = 16;

/// The sender's name of one message; a retry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId(String);

/// Why a message can't be believed; for the log, the sender only hears a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    #[error("no webhook secret is configured")]
    NoSecret,
    #[error("a webhook secret is not `whsec_` and base64")]
    BadSecret,
    #[error("the header `{0}` is missing, doubled or malformed")]
    Header(&'static str),
    #[error("the timestamp is too far from our clock")]
    Timestamp,
    #[error("no signature matches")]
    Signature,
}

impl MessageId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the raw bytes, before anybody parses them; any of the secrets may have signed.
pub fn verify(
    secrets: &[Secret],
    headers: &HeaderMap,
    raw_body: &[u8],
    now: Timestamp,
) -> Result<MessageId, NotAuthentic> {
    if secrets.is_empty() {
        return Err(NotAuthentic::NoSecret);
    }
    let names = Names::in_use(headers);
    let id = message_id(single(headers, names.id)?).ok_or(NotAuthentic::Header(names.id))?;
    let timestamp = single(headers, names.timestamp)?;
    let seconds = whole_seconds(timestamp).ok_or(NotAuthentic::Header(names.timestamp))?;
    if now.seconds().abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(NotAuthentic::Timestamp);
    }
    let signatures = v1_signatures(single(headers, names.signature)?);
    let content = signed_content(id.as_str(), timestamp, raw_body);
    for secret in secrets {
        let key = signing_key(secret).ok_or(NotAuthentic::BadSecret)?;
        if signatures.iter().any(|signature| hmac::verify(&key, &content, signature).is_ok()) {
            return Ok(id);
        }
    }
    Err(NotAuthentic::Signature)
}

/// The signature header's value, `v1,<base64>`.
pub fn sign(secret: &Secret, id: &str, at: Timestamp, raw_body: &[u8]) -> Result<String, NotAuthentic> {
    let key = signing_key(secret).ok_or(NotAuthentic::BadSecret)?;
    let tag = hmac::sign(&key, &signed_content(id, &at.seconds().to_string(), raw_body));
    Ok(format!("v1,{}", STANDARD.encode(tag)))
}

pub(crate) fn is_secret(secret: &Secret) -> bool {
    signing_key(secret).is_some()
}

/// An empty key would let everybody sign.
fn signing_key(secret: &Secret) -> Option<hmac::Key> {
    let key = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?;
    (!key.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn signed_content(id: &str, timestamp: &str, raw_body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", raw_body].concat()
}

/// The same three headers under Svix's name and under the neutral one; a message uses one family.
struct Names {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
}

impl Names {
    fn in_use(headers: &HeaderMap) -> Names {
        if headers.contains_key("svix-id") || !headers.contains_key("webhook-id") {
            return Names { id: "svix-id", timestamp: "svix-timestamp", signature: "svix-signature" };
        }
        Names { id: "webhook-id", timestamp: "webhook-timestamp", signature: "webhook-signature" }
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, NotAuthentic> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(NotAuthentic::Header(name));
    };
    value.to_str().map_err(|_| NotAuthentic::Header(name))
}

/// A dot in the id could move the border to the timestamp.
fn message_id(text: &str) -> Option<MessageId> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    ((1..=128).contains(&text.len()) && text.bytes().all(is_plain)).then(|| MessageId(text.to_owned()))
}

fn whole_seconds(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn v1_signatures(header: &str) -> Vec<Vec<u8>> {
    let entries = header.split(' ').take(SIGNATURES_MAX);
    entries.filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok()).collect()
}
