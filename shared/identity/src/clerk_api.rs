//! Clerk's Backend API: one look at one user, within what Clerk allows all instances together.

use crate::items::USERS;
use crate::{ClerkSettings, ClerkUser};
use platform::{Platform, StoreError, key, number, unless_condition_failed};
use primitives::{Timestamp, UserId, times};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LENGTH_MAX: usize = 256 * 1024;
/// The version Clerk's own SDK names; without it an answer's shape could change under us.
const VERSION: &str = "2026-05-12";
/// Clerk counts requests in windows of this length (Clerk docs, "System limits").
const WINDOW: Duration = Duration::from_secs(10);
/// A window's row is of no use behind its end.
const WINDOW_REMEMBERED: Duration = Duration::from_secs(3600);
/// Until the next question about the same person, when Clerk names no time.
pub(crate) const AGAIN: Duration = Duration::from_secs(10);
/// A `Retry-After` beyond this is not believed.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Asks Clerk about people. Cloning is cheap; clones share the pause.
#[derive(Clone)]
pub(crate) struct ClerkApi {
    platform: Platform,
    settings: ClerkSettings,
    table: String,
    /// Clerk has asked this process to be left alone until then.
    paused_until: Arc<Mutex<Timestamp>>,
}

/// What a question brought.
pub(crate) enum Shown {
    User(Box<ClerkUser>),
    /// Nothing; the next question is due then.
    Later(Timestamp),
}

impl ClerkApi {
    pub(crate) fn new(platform: &Platform, settings: &ClerkSettings) -> ClerkApi {
        ClerkApi {
            platform: platform.clone(),
            settings: settings.clone(),
            table: platform.table(&USERS),
            paused_until: Arc::new(Mutex::new(Timestamp::from_millis(0))),
        }
    }

    /// Without `CLERK_SECRET_KEY` only webhooks tell of people.
    pub(crate) fn can_ask(&self) -> bool {
        self.settings.secret_key.is_some()
    }

    /// One try.
    pub(crate) async fn show(&self, user: &UserId) -> Result<Shown, StoreError> {
        let now = self.platform.now();
        let Some(key) = &self.settings.secret_key else { return Ok(Shown::Later(now.after(AGAIN))) };
        let paused_until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if now < paused_until {
            return Ok(Shown::Later(paused_until));
        }
        if let Some(next_window) = self.take_turn(now).await? {
            tracing::warn!(user.id = %user, "Clerk was asked about as many people as it allows, this one waits");
            return Ok(Shown::Later(next_window));
        }
        let request = self.platform.http().get(format!("{}/v1/users/{user}", self.settings.api_url));
        let request = request
            .bearer_auth(key.expose())
            .header("clerk-api-version", VERSION)
            .timeout(times::SIGN_IN_CALL.limit);
        let later = Shown::Later(now.after(AGAIN));
        Ok(match request.send().await {
            Ok(answer) if answer.status() == http::StatusCode::OK => {
                let found = read(answer, now).await.filter(|found| found.id == *user);
                found.map_or(later, |found| Shown::User(Box::new(found)))
            }
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::warn!(user.id = %user, status, "Clerk did not show the user");
                if [429, 503].contains(&status) { Shown::Later(self.pause(&answer, now)) } else { later }
            }
            Err(_) => {
                tracing::warn!(user.id = %user, "Clerk did not answer");
                later
            }
        })
    }

    /// One of the questions that all instances may ask within a window. `Some`: none is left before then.
    async fn take_turn(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let window = now.seconds() / WINDOW.as_secs();
        let update = self.platform.dynamo().update_item().table_name(&self.table);
        let answer = update
            .set_key(Some(key([(USERS.partition_key, &format!("clerk#{window}"))])))
            .update_expression("SET #ttl = :ttl ADD #n :one")
            .condition_expression("attribute_not_exists(#n) OR #n < :max")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#n", "n")
            .expression_attribute_values(":ttl", number(now.after(WINDOW_REMEMBERED).seconds()))
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":max", number(self.settings.reads_per_window_max))
            .send()
            .await;
        let has_turn = unless_condition_failed(answer)?.is_some();
        Ok((!has_turn).then(|| Timestamp::from_seconds((window + 1) * WINDOW.as_secs())))
    }

    /// Leaves Clerk alone for as long as it asks.
    fn pause(&self, answer: &reqwest::Response, now: Timestamp) -> Timestamp {
        let header = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let until = now.after(seconds.unwrap_or(AGAIN).clamp(Duration::from_secs(1), PAUSE_MAX));
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        until
    }
}

async fn read(answer: reqwest::Response, now: Timestamp) -> Option<ClerkUser> {
    let body = body_up_to(answer, LENGTH_MAX).await.ok()?;
    ClerkUser::parse(&serde_json::from_slice(&body).ok()?, now)
}

pub(crate) async fn body_up_to(
    mut answer: reqwest::Response,
    length_max: usize,
) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| "the answer broke off")? {
        if body.len() + chunk.len() > length_max {
            return Err("the answer is too long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
