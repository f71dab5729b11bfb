//! Replicate's word that a prediction is over (`docs/facts/providers.md`, "Replicate's webhook", after Standard Webhooks):
//! HMAC-SHA256 over `{id}.{timestamp}.{body}`, and several `v1,<base64>` side by side during a rotation.

use super::prediction_id;
use crate::lenient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{InvalidSettings, Platform, Settings};
use primitives::{Secret, Timestamp};
use reqwest::header::HeaderMap;
use ring::hmac::{self, HMAC_SHA256};
use std::fmt;
use std::sync::Arc;

/// How many seconds a message's time may lie from ours, on both sides.
const TOLERANCE_SECONDS: u64 = 300;
/// More signatures than any rotation needs.
const SIGNATURES_MAX: usize = 16;

/// Tells Replicate's messages from others'. Cloning is cheap.
#[derive(Clone)]
pub struct ReplicateWebhook(Arc<[hmac::Key]>);

/// Why a message is not taken for Replicate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReplicates {
    /// This deployment has no secret of Replicate's, so it believes no message.
    #[error("there is no secret to check it with")]
    NoSecret,
    /// A header of the signature is missing, doubled or malformed.
    #[error("it is not signed")]
    Unsigned,
    /// Its time is more than five minutes from ours.
    #[error("it is too old, or ahead of us")]
    OutOfTime,
    /// No secret fits.
    #[error("its signature is not Replicate's")]
    Signature,
    /// It is Replicate's and names no prediction.
    #[error("it names no prediction")]
    Nameless,
}

impl ReplicateWebhook {
    /// An error when a secret of `REPLICATE_WEBHOOK_SECRETS` is not `whsec_` and base64.
    pub fn new(platform: &Platform) -> Result<ReplicateWebhook, InvalidSettings> {
        platform.env().section(keys).map(|keys| ReplicateWebhook(keys.into()))
    }

    /// Replicate's name for the prediction that the message is about. Any of the secrets may have signed it.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<String, NotReplicates> {
        if self.0.is_empty() {
            return Err(NotReplicates::NoSecret);
        }
        let signed = Signed::of(headers, body).ok_or(NotReplicates::Unsigned)?;
        if now.seconds().abs_diff(signed.seconds) > TOLERANCE_SECONDS {
            return Err(NotReplicates::OutOfTime);
        }
        if !self.0.iter().any(|key| signed.is_by(key)) {
            return Err(NotReplicates::Signature);
        }
        let document = lenient::document(body).unwrap_or_default();
        lenient::text(&document["id"]).and_then(prediction_id).ok_or(NotReplicates::Nameless)
    }
}

impl fmt::Debug for ReplicateWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicateWebhook({} secrets)", self.0.len())
    }
}

/// A message and what is said to prove it.
struct Signed {
    content: Vec<u8>,
    seconds: u64,
    signatures: Vec<Vec<u8>>,
}

impl Signed {
    fn of(headers: &HeaderMap, body: &[u8]) -> Option<Signed> {
        let (id, timestamp) = (single(headers, "webhook-id")?, single(headers, "webhook-timestamp")?);
        // A dot in the id could move the border to the timestamp.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.is_empty() || !id.bytes().all(is_plain) || !timestamp.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let entries = single(headers, "webhook-signature")?.split(' ').take(SIGNATURES_MAX);
        Some(Signed {
            content: [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat(),
            seconds: timestamp.parse().ok()?,
            signatures: entries
                .filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok())
                .collect(),
        })
    }

    /// Compared in constant time.
    fn is_by(&self, key: &hmac::Key) -> bool {
        self.signatures.iter().any(|signature| hmac::verify(key, &self.content, signature).is_ok())
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

/// None without the setting: Replicate may not be configured here.
fn keys(settings: &mut Settings<'_>) -> Vec<hmac::Key> {
    let secrets: Vec<Secret> =
        settings.list("REPLICATE_WEBHOOK_SECRETS").into_iter().map(Secret::new).collect();
    let keys: Vec<hmac::Key> = secrets.iter().filter_map(key).collect();
    if keys.len() < secrets.len() {
        settings.complain("REPLICATE_WEBHOOK_SECRETS", "must be whsec_ and base64, comma-separated");
    }
    keys
}

/// `None` also for an empty key: with an empty key every sender could sign a message as Replicate.
fn key(secret: &Secret) -> Option<hmac::Key> {
    let key = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?;
    (!key.is_empty()).then(|| hmac::Key::new(HMAC_SHA256, &key))
}
