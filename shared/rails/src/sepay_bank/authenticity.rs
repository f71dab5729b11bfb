//! Which deliveries come from SePay (SePay, "Authentication"). One webhook uses one way; during a change of ways or
//! secrets several are right at once.

use http::{HeaderMap, HeaderValue};
use primitives::{Secret, Timestamp};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

use crate::NotAuthentic;

/// Seconds a timestamp may lie beside our clock, in both directions (SePay, "Secure your endpoint").
const TOLERANCE_SECONDS: u64 = 300;
const SIGNATURE: &str = "x-sepay-signature";
const TIMESTAMP: &str = "x-sepay-timestamp";
const AUTHORIZATION: &str = "authorization";

/// What the webhook's dashboard page shows; any one of each kind will do. Empty ones count for nothing.
#[derive(Debug, Clone, Default)]
pub struct WebhookKeys {
    /// Used as text, with the `whsec_` in front.
    pub hmac: Vec<Secret>,
    pub api_keys: Vec<Secret>,
}

/// Checks the raw bytes, before anybody parses them.
///
/// A delivery that shows a signature is judged by it alone, once an HMAC secret is configured: a right API key does
/// not rescue it. API keys are for deliveries without one.
pub fn authenticate(
    keys: &WebhookKeys,
    headers: &HeaderMap,
    raw_body: &[u8],
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    let (hmac, api_keys) = (usable(&keys.hmac), usable(&keys.api_keys));
    let is_signed = headers.contains_key(SIGNATURE) || headers.contains_key(TIMESTAMP);
    match (hmac.is_empty(), api_keys.is_empty()) {
        (true, true) => Err(NotAuthentic::NoSecret),
        (false, true) => signature(&hmac, headers, raw_body, now),
        (false, false) if is_signed => signature(&hmac, headers, raw_body, now),
        (_, false) => api_key(&api_keys, headers),
    }
}

/// The value of `X-SePay-Signature` for a body sent with this `X-SePay-Timestamp`.
pub fn sign(secret: &Secret, timestamp_seconds: u64, raw_body: &[u8]) -> String {
    let content = signed_content(&timestamp_seconds.to_string(), raw_body);
    format!("sha256={}", hex::encode(hmac::sign(&signing_key(secret), &content)))
}

fn signature(
    secrets: &[&Secret],
    headers: &HeaderMap,
    raw: &[u8],
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    let tag =
        single(headers, SIGNATURE)?.to_str().ok().and_then(tag).ok_or(NotAuthentic::Header(SIGNATURE))?;
    let timestamp = single(headers, TIMESTAMP)?.to_str().map_err(|_| NotAuthentic::Header(TIMESTAMP))?;
    let seconds = whole_seconds(timestamp).ok_or(NotAuthentic::Header(TIMESTAMP))?;
    let content = signed_content(timestamp, raw);
    if !secrets.iter().any(|secret| hmac::verify(&signing_key(secret), &content, &tag).is_ok()) {
        return Err(NotAuthentic::Mismatch);
    }
    in_time(seconds, now)
}

/// Only called for what SePay did sign, so that nobody else can fill the log.
fn in_time(seconds: u64, now: Timestamp) -> Result<(), NotAuthentic> {
    let apart_seconds = now.seconds().abs_diff(seconds);
    if apart_seconds <= TOLERANCE_SECONDS {
        return Ok(());
    }
    // Not documented: whether a retry, up to 33 minutes later, carries a fresh timestamp or the first one.
    tracing::warn!(
        apart_seconds,
        is_future = seconds > now.seconds(),
        "a genuine SePay delivery is refused for its timestamp: a replay, a wrong clock, or retries keep the first \
         timestamp; the list of transactions has to bring this transfer"
    );
    Err(NotAuthentic::Timestamp)
}

/// `Apikey <key>` and nothing else. Every key is compared, so that the time tells nothing of which one came close.
fn api_key(keys: &[&Secret], headers: &HeaderMap) -> Result<(), NotAuthentic> {
    let value = single(headers, AUTHORIZATION)?.as_bytes();
    let given = value.strip_prefix(b"Apikey ").ok_or(NotAuthentic::Header(AUTHORIZATION))?;
    let matches = keys.iter().map(|key| given.ct_eq(key.expose().as_bytes()));
    let is_known = matches.fold(Choice::from(0), |any, this| any | this);
    bool::from(is_known).then_some(()).ok_or(NotAuthentic::Mismatch)
}

/// With an empty key everybody could sign.
fn usable(secrets: &[Secret]) -> Vec<&Secret> {
    secrets.iter().filter(|secret| !secret.expose().is_empty()).collect()
}

fn signing_key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn signed_content(timestamp: &str, raw_body: &[u8]) -> Vec<u8> {
    [timestamp.as_bytes(), b".", raw_body].concat()
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a HeaderValue, NotAuthentic> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(NotAuthentic::Header(name)),
    }
}

fn tag(header: &str) -> Option<Vec<u8>> {
    let digits = header.strip_prefix("sha256=")?;
    let is_lower_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (digits.len() == 64 && is_lower_hex).then(|| hex::decode(digits).ok())?
}

fn whole_seconds(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
