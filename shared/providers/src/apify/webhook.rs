//! Apify's word that a run is over (`docs/facts/providers.md`, "Apify").
//!
//! Apify signs nothing. Each message carries a token that belongs to our job, in a header that our start asked Apify to
//! send. The message only names the run to look at: what Apify then answers to the look decides.

use super::run::is_id;
use crate::lenient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{InvalidSettings, Platform};
use primitives::{JobId, Secret};
use reqwest::header::HeaderMap;
use ring::hmac;
use serde_json::json;
use url::Url;

const TOKEN: &str = "x-citipen-token";
const EVENTS: [&str; 4] =
    ["ACTOR.RUN.SUCCEEDED", "ACTOR.RUN.FAILED", "ACTOR.RUN.TIMED_OUT", "ACTOR.RUN.ABORTED"];

/// Tells Apify's messages about our runs from others'. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct ApifyWebhook {
    /// `APIFY_WEBHOOK_SECRET`
    secret: Option<Secret>,
}

/// Why a message is not taken for Apify's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// `APIFY_WEBHOOK_SECRET` is not set, so no start asked Apify for messages.
    #[error("no message is expected here")]
    Unexpected,
    /// It has no token, or that of another run.
    #[error("its token is not the run's")]
    OtherToken,
    /// Its token is right, and it names no run of an actor.
    #[error("it names no run of an actor")]
    Nameless,
}

impl ApifyWebhook {
    /// Reads the settings. It sends no request.
    pub fn new(platform: &Platform) -> Result<ApifyWebhook, InvalidSettings> {
        let secret = platform.env().section(|settings| settings.optional_secret("APIFY_WEBHOOK_SECRET"))?;
        Ok(ApifyWebhook { secret })
    }

    /// Apify's name for the run that the message about our `job` names.
    pub fn authenticate(&self, job: JobId, headers: &HeaderMap, body: &[u8]) -> Result<String, Unbelieved> {
        let secret = self.secret.as_ref().ok_or(Unbelieved::Unexpected)?;
        let told = headers.get(TOKEN).and_then(|token| hex::decode(token.as_bytes()).ok());
        let told = told.ok_or(Unbelieved::OtherToken)?;
        // In constant time.
        hmac::verify(&key(secret), message(job).as_bytes(), &told).map_err(|_| Unbelieved::OtherToken)?;
        let document = lenient::document(body).unwrap_or_default();
        let named = [&document["eventData"]["actorRunId"], &document["resource"]["id"]];
        let id = named.into_iter().find_map(lenient::text).filter(|id| is_id(id));
        id.map(str::to_owned).ok_or(Unbelieved::Nameless)
    }
}

/// The `webhooks` of a start. The token is good for this run only, and stands in a header, because addresses are logged.
pub(super) fn parameter(secret: &Secret, job: JobId, notify: &Url) -> String {
    let headers = json!({ TOKEN: token(secret, job) }).to_string();
    let webhooks =
        json!([{ "eventTypes": EVENTS, "requestUrl": notify.as_str(), "headersTemplate": headers }]);
    STANDARD.encode(webhooks.to_string())
}

fn token(secret: &Secret, job: JobId) -> String {
    hex::encode(hmac::sign(&key(secret), message(job).as_bytes()).as_ref())
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn message(job: JobId) -> String {
    format!("apify-webhook:{job}")
}
