//! OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as both drives speak it.

use crate::drive::{AccessToken, Consent, DriveFailure, RefreshToken};
use crate::wire::{self, Answer};
use primitives::{Secret, times};
use serde::Deserialize;
use url::Url;

/// This deployment, as it is registered with one drive.
#[derive(Clone)]
pub(crate) struct OauthClient {
    http: reqwest::Client,
    registration: Registration,
}

/// What the drive gave us when this deployment was registered, and the addresses of its OAuth service.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    /// The page on which the owner agrees.
    pub(crate) consent_url: Url,
    /// The token endpoint, whole.
    pub(crate) token_url: String,
    /// Separated by blanks.
    pub(crate) scopes: &'static str,
}

/// What a drive gives for a code.
pub(crate) struct CodeGrant {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
    /// Whether the owner agreed to every scope that we asked for.
    pub(crate) suffices: bool,
    /// Dropbox names the account here; Google does not.
    pub(crate) account_id: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret,
    #[serde(default)]
    refresh_token: Option<Secret>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    account_id: String,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl OauthClient {
    pub(crate) fn new(http: reqwest::Client, registration: Registration) -> OauthClient {
        OauthClient { http, registration }
    }

    /// The drive's page, where the owner agrees. `own`: what only this drive asks for.
    pub(crate) fn consent_url(&self, consent: &Consent<'_>, own: &[(&str, &str)]) -> Url {
        let mut url = self.registration.consent_url.clone();
        url.query_pairs_mut().extend_pairs(own).extend_pairs([
            ("client_id", self.registration.client_id.as_str()),
            ("redirect_uri", consent.redirect_uri),
            ("response_type", "code"),
            ("scope", self.registration.scopes),
            ("state", consent.state),
            ("code_challenge", consent.challenge),
            ("code_challenge_method", "S256"),
        ]);
        url
    }

    /// A code is good for one exchange.
    pub(crate) async fn exchange(
        &self,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<CodeGrant, DriveFailure> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("code_verifier", verifier.expose()),
            ("redirect_uri", redirect_uri),
        ];
        let answer = self.token(&fields).await?;
        let refresh = answer.refresh_token.ok_or(DriveFailure::Passing("no refresh token", None))?;
        let has = |wanted: &str| answer.scope.split(' ').any(|scope| scope == wanted);
        Ok(CodeGrant {
            access: AccessToken(answer.access_token),
            refresh: RefreshToken(refresh),
            suffices: self.registration.scopes.split(' ').all(has),
            account_id: answer.account_id,
        })
    }

    pub(crate) async fn access(&self, refresh: &RefreshToken) -> Result<AccessToken, DriveFailure> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.0.expose())];
        Ok(AccessToken(self.token(&fields).await?.access_token))
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Result<TokenAnswer, DriveFailure> {
        let registration = &self.registration;
        let id = [
            ("client_id", registration.client_id.as_str()),
            ("client_secret", registration.client_secret.expose()),
        ];
        let request = wire::form(self.http.post(&registration.token_url), &[&id, fields].concat());
        let answer = wire::send(request, &times::DRIVE_CALL).await?;
        if answer.status.is_success() {
            return answer.json();
        }
        Err(refused(&answer))
    }
}

/// 400 and 401 are about the grant or about our own registration, and only the word tells which.
fn refused(answer: &Answer) -> DriveFailure {
    match (refusal(answer).as_str(), answer.failure()) {
        ("invalid_grant", _) => DriveFailure::GrantRevoked,
        (_, DriveFailure::AccessRefused) => DriveFailure::Refused(401),
        (_, failure) => failure,
    }
}

/// The word that an OAuth endpoint refuses with, such as `invalid_grant`; empty without one.
pub(crate) fn refusal(answer: &Answer) -> String {
    answer.json::<TokenRefusal>().map(|refusal| refusal.error).unwrap_or_default()
}
