//! fal's word that a job is through (`docs/facts/providers.md`, "fal's webhook").

use crate::{lenient, wire};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{InvalidSettings, Platform, Settings};
use primitives::{JobId, Secret, Timestamp, times};
use reqwest::header::HeaderMap;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How far a message's time may lie from ours.
const TOLERANCE: Duration = Duration::from_secs(300);
/// How long keys are used without being asked for again.
const KEYS_FRESH: Duration = Duration::from_secs(24 * 3600);
/// A sender of messages that no key signed must not make us ask for the keys more often.
const KEYS_PAUSE: Duration = Duration::from_secs(60);

/// Tells fal's messages from others'. Cloning is cheap.
#[derive(Clone)]
pub struct FalWebhook(Arc<Inner>);

struct Inner {
    platform: Platform,
    /// `FAL_JWKS_URL`
    jwks: Url,
    /// `FAL_KEY`, which makes the tokens of addresses. `None`: fal is not configured, and no message is from it.
    key: Option<Secret>,
    keys: Mutex<Keys>,
}

#[derive(Clone, Default)]
struct Keys {
    known: Vec<Vec<u8>>,
    asked_at: Option<Timestamp>,
}

/// Why a message is not taken for fal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// It came to another address than fal was given for the job.
    #[error("its address is not the one that was given to fal")]
    OtherAddress,
    /// A header of the signature is missing or is none.
    #[error("it is not signed")]
    Unsigned,
    /// Its time is more than five minutes from ours.
    #[error("it is too old, or ahead of us")]
    OutOfTime,
    /// No key of fal's fits.
    #[error("its signature is not fal's")]
    NotFals,
    /// It is fal's and names no job.
    #[error("it names no job")]
    Nameless,
}

/// The last part of the address that fal is given for a job: fal signs the messages of all its
/// customers, and only our own submit knows the token.
pub(super) fn address(key: &Secret, job: JobId) -> String {
    format!("{job}.{}", hex::encode(hmac::sign(&hmac_key(key), message(job).as_bytes()).as_ref()))
}

fn hmac_key(key: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes())
}

fn message(job: JobId) -> String {
    format!("fal-webhook:{job}")
}

impl FalWebhook {
    /// An error when `FAL_JWKS_URL` is no address. Sends no request.
    pub fn new(platform: &Platform) -> Result<FalWebhook, InvalidSettings> {
        let (jwks, key) =
            platform.env().section(|settings| (jwks_url(settings), settings.optional_secret("FAL_KEY")))?;
        Ok(FalWebhook(Arc::new(Inner { platform: platform.clone(), jwks, key, keys: Mutex::default() })))
    }

    /// Our job and fal's name for it. `address`: the last part of the address that the message came to.
    pub async fn authenticate(
        &self,
        address: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(JobId, String), Forged> {
        let job = self.job_of(address).ok_or(Forged::OtherAddress)?;
        let name = self.name(headers, body, now).await?;
        Ok((job, name))
    }

    fn job_of(&self, address: &str) -> Option<JobId> {
        let (job, token) = address.split_once('.')?;
        let (job, token): (JobId, _) = (job.parse().ok()?, hex::decode(token).ok()?);
        // In constant time.
        hmac::verify(&hmac_key(self.0.key.as_ref()?), message(job).as_bytes(), &token).ok()?;
        Some(job)
    }

    /// fal's name for the job that the message is about.
    async fn name(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<String, Forged> {
        let signed = Signed::of(headers, body).ok_or(Forged::Unsigned)?;
        if now.since(signed.at).max(signed.at.since(now)) > TOLERANCE {
            return Err(Forged::OutOfTime);
        }
        let is_known = self.keys(now, KEYS_FRESH).await.iter().any(|key| signed.is_by(key));
        if !is_known && !self.keys(now, KEYS_PAUSE).await.iter().any(|key| signed.is_by(key)) {
            return Err(Forged::NotFals);
        }
        let document = lenient::document(body).unwrap_or_default();
        lenient::text(&document["request_id"]).and_then(wire::plain_id).ok_or(Forged::Nameless)
    }

    /// The keys, asked for again when they are older than `fresh_for`. Old ones stay when nobody answers.
    async fn keys(&self, now: Timestamp, fresh_for: Duration) -> Vec<Vec<u8>> {
        {
            let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let pause = if keys.known.is_empty() { KEYS_PAUSE } else { fresh_for };
            if keys.asked_at.is_some_and(|asked_at| now.since(asked_at) < pause) {
                return keys.known.clone();
            }
            keys.asked_at = Some(now);
        }
        let asked = self.ask().await;
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Some(known) => keys.known = known,
            None => tracing::warn!(provider.name = "fal", "fal's keys can't be read; the last ones stay"),
        }
        keys.known.clone()
    }

    async fn ask(&self) -> Option<Vec<Vec<u8>>> {
        let limit = Instant::now() + times::PROVIDER_LOOK.limit;
        let request = wire::get(self.0.jwks.clone(), &HeaderMap::new());
        let response = wire::send(&self.0.platform, request, limit).await.ok()?;
        let document = wire::document(response, limit).await?;
        let keys = document["keys"].as_array()?.iter();
        // The live set has been seen with padding.
        let key = |key: &serde_json::Value| {
            URL_SAFE_NO_PAD.decode(lenient::text(&key["x"])?.trim_end_matches('=')).ok()
        };
        Some(keys.filter_map(key).collect())
    }
}

/// A message and what is said to prove it.
struct Signed {
    message: String,
    signature: Vec<u8>,
    at: Timestamp,
}

impl Signed {
    fn of(headers: &HeaderMap, body: &[u8]) -> Option<Signed> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let (request, user) = (text("x-fal-webhook-request-id")?, text("x-fal-webhook-user-id")?);
        let seconds = text("x-fal-webhook-timestamp")?;
        let body = hex::encode(digest(&SHA256, body).as_ref());
        Some(Signed {
            message: format!("{request}\n{user}\n{seconds}\n{body}"),
            signature: hex::decode(text("x-fal-webhook-signature")?).ok()?,
            at: Timestamp::from_seconds(seconds.parse().ok()?),
        })
    }

    fn is_by(&self, key: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(self.message.as_bytes(), &self.signature).is_ok()
    }
}

fn jwks_url(settings: &mut Settings<'_>) -> Url {
    let text = settings.url_or("FAL_JWKS_URL", "https://rest.fal.ai/.well-known/jwks.json");
    Url::parse(&text).unwrap_or_else(|_| {
        settings.complain("FAL_JWKS_URL", "gives no usable address");
        Url::parse("https://unset.invalid").expect("a constant address")
    })
}
