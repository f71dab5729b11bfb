//! The sign-in token: from a header to a [`SignIn`].

mod claims;
mod keys;
mod token;

use crate::SignInSettings;
use keys::KeySet;
use platform::{InvalidSettings, Platform};
use primitives::UserId;
use std::sync::Arc;
use token::Token;

pub use claims::SignIn;

/// Verifies Clerk's sign-in tokens; its keys are cached in the process. Cloning is cheap.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    platform: Platform,
    settings: SignInSettings,
    keys: KeySet,
}

/// Nobody was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The caller hears only that the token was refused; the reason is for the log.
    #[error("the token was refused: {0}")]
    Token(Reason),
    /// Clerk's keys could not be fetched and none are known.
    #[error("the issuer's keys can't be had")]
    KeysUnavailable,
}

/// Which check a token failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("no authorization header")]
    Missing,
    #[error("not a bearer token")]
    NotBearer,
    #[error("longer than 8 KB")]
    TooLong,
    #[error("not three parts of base64url")]
    NotThreeParts,
    #[error("the header can't be read")]
    Header,
    #[error("another algorithm than RS256")]
    Algorithm,
    #[error("another type than JWT")]
    Type,
    #[error("critical extensions")]
    Critical,
    #[error("an unknown key")]
    UnknownKey,
    #[error("a wrong signature")]
    Signature,
    #[error("the claims can't be read")]
    Claims,
    #[error("another issuer")]
    Issuer,
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    NotYetValid,
    #[error("issued in the future")]
    IssuedInFuture,
    #[error("a life above 24 hours")]
    LivesTooLong,
    #[error("the subject is no user id")]
    Subject,
    #[error("another authorized party, or none")]
    AuthorizedParty,
    #[error("the login is not active")]
    NotActive,
}

impl From<Reason> for Unverified {
    fn from(reason: Reason) -> Unverified {
        Unverified::Token(reason)
    }
}

impl Verifier {
    pub fn new(platform: &Platform) -> Result<Verifier, InvalidSettings> {
        let settings = platform.env().section(SignInSettings::read)?;
        let keys = KeySet::new(platform, &settings);
        Ok(Verifier(Arc::new(Inner { platform: platform.clone(), settings, keys })))
    }

    /// `authorization` is the value of the only `Authorization` header.
    ///
    /// The signature comes before the claims, so that a forger learns nothing about what we accept.
    pub async fn verify(&self, authorization: Option<&str>) -> Result<SignIn, Unverified> {
        let token = Token::of_header(authorization)?;
        let key = self.0.keys.find(&token.kid).await?;
        token.verify(&key)?;
        let claims = token.claims()?;
        Ok(claims.check(&self.0.settings, self.0.platform.now())?)
    }
}

/// Clerk's user ids begin so; other subjects (organisations, machines) are no people.
pub(crate) fn user_id(text: &str) -> Option<UserId> {
    text.strip_prefix("user_").filter(|rest| !rest.is_empty())?;
    text.parse().ok()
}
