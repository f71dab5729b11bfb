//! How fal signs its webhooks: Ed25519 over request id, user id, time and the body's hash (fal.ai/docs, webhooks).

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::KeySet;

/// The key that signs is a public demo key.
pub(super) const SEED: &[u8; 32] = b"citipen-sandbox-fal-webhook-seed";
/// A second key of the set, which has signed earlier.
const FORMER_SEED: &[u8; 32] = b"citipen-sandbox-fal-webhook-old!";
/// The key of somebody who is not fal.
pub(super) const STRANGER_SEED: &[u8; 32] = b"citipen-sandbox-not-fal-at-all!!";

/// The signature in hexadecimal digits. `at` is in Unix seconds.
pub(crate) fn sign(seed: &[u8; 32], request_id: &str, user_id: &str, at: u64, body: &[u8]) -> String {
    let hash = hex::encode(digest(&SHA256, body));
    let message = format!("{request_id}\n{user_id}\n{at}\n{hash}");
    hex::encode(pair(seed).sign(message.as_bytes()))
}

/// The public key as a key set writes it.
pub(crate) fn public_key(seed: &[u8; 32], is_padded: bool) -> String {
    let pair = pair(seed);
    let key = pair.public_key().as_ref();
    if is_padded { URL_SAFE.encode(key) } else { URL_SAFE_NO_PAD.encode(key) }
}

/// `.well-known/jwks.json`: two keys, which have no `kid`.
pub(super) fn key_set(show: Option<KeySet>) -> Value {
    let seeds: &[&[u8; 32]] = match show {
        Some(KeySet::None) => &[],
        Some(KeySet::Other) => &[FORMER_SEED],
        Some(KeySet::Padded) | None => &[FORMER_SEED, SEED],
    };
    let is_padded = show == Some(KeySet::Padded);
    let key = |seed: &&[u8; 32]| json!({ "kty": "OKP", "crv": "Ed25519", "x": public_key(seed, is_padded) });
    json!({ "keys": seeds.iter().map(key).collect::<Vec<_>>() })
}

fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed")
}
