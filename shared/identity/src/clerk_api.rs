use crate::verifier::user_id;
use crate::{ClerkSettings, DisplayName};
use platform::Platform;
use primitives::{Private, Timestamp, UserId, times};
use serde::Deserialize;

const LENGTH_MAX: usize = 256 * 1024;
/// The version Clerk's own SDK names; without it an answer's shape could change under us.
const VERSION: &str = "2026-05-12";
const AVATAR_CHARS_MAX: usize = 2048;

/// What Clerk knows of a person: the answer of its Backend API and the content of its webhooks.
#[derive(Clone)]
pub struct ClerkUser {
    pub id: UserId,
    pub name: Option<DisplayName>,
    /// The primary address, once it is verified.
    pub email: Option<Private<String>>,
    pub avatar_url: Option<String>,
    pub updated_at: Timestamp,
}

#[derive(Deserialize)]
struct RawUser {
    id: String,
    #[serde(default)]
    email_addresses: Vec<RawEmail>,
    primary_email_address_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    image_url: Option<String>,
    updated_at: u64,
}

#[derive(Deserialize)]
struct RawEmail {
    id: Option<String>,
    email_address: String,
    verification: Option<RawVerification>,
}

#[derive(Deserialize)]
struct RawVerification {
    status: Option<String>,
}

impl ClerkUser {
    /// `None` when the shape is not a user's.
    pub(crate) fn parse(json: serde_json::Value) -> Option<ClerkUser> {
        let raw: RawUser = serde_json::from_value(json).ok()?;
        Some(ClerkUser {
            id: user_id(&raw.id)?,
            name: raw.name(),
            email: raw.verified_email(),
            avatar_url: raw.image_url.filter(|url| is_picture_address(url)),
            updated_at: Timestamp::from_millis(raw.updated_at),
        })
    }
}

impl RawUser {
    fn name(&self) -> Option<DisplayName> {
        let parts = [self.first_name.as_deref(), self.last_name.as_deref()];
        let full: Vec<&str> = parts.into_iter().flatten().collect();
        DisplayName::cleaned(&full.join(" "))
    }

    fn verified_email(&self) -> Option<Private<String>> {
        let primary = self.primary_email_address_id.as_deref()?;
        let email = self.email_addresses.iter().find(|email| email.id.as_deref() == Some(primary))?;
        let status = email.verification.as_ref()?.status.as_deref();
        (status == Some("verified")).then(|| Private::new(email.email_address.clone()))
    }
}

fn is_picture_address(url: &str) -> bool {
    url.len() <= AVATAR_CHARS_MAX && url.starts_with("https://") && url.bytes().all(|b| b.is_ascii_graphic())
}

/// One try; whoever has no answer goes on without, and the webhook fills in the rest.
pub(crate) async fn fetch_user(
    platform: &Platform,
    settings: &ClerkSettings,
    user: &UserId,
) -> Option<ClerkUser> {
    let key = settings.secret_key.as_ref()?;
    let request = platform.http().get(format!("{}/v1/users/{user}", settings.api_url));
    let request = request
        .bearer_auth(key.expose())
        .header("clerk-api-version", VERSION)
        .timeout(times::SIGN_IN_CALL.limit);
    match request.send().await {
        Ok(answer) if answer.status() == http::StatusCode::OK => {
            let body = body_up_to(answer, LENGTH_MAX).await.ok()?;
            let found = ClerkUser::parse(serde_json::from_slice(&body).ok()?)?;
            (found.id == *user).then_some(found)
        }
        Ok(answer) => {
            tracing::warn!(user.id = %user, status = answer.status().as_u16(), "Clerk did not show the user");
            None
        }
        Err(_) => {
            tracing::warn!(user.id = %user, "Clerk did not answer");
            None
        }
    }
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
