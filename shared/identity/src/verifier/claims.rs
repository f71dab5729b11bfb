use super::{Reason, user_id};
use crate::SignInSettings;
use primitives::{Timestamp, UserId};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// Clerk's official libraries allow this much between the clocks.
const SKEW_SECONDS: u64 = 5;
/// Clerk's tokens live 60 seconds; one that claims much more was not made for a browser.
const LIFE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// What a token proves: who signed in, and how. Which account that person acts for is the edge's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub user: UserId,
    /// Clerk's login id (`sid`).
    pub login: String,
    /// Somebody of the operator acts in this person's name: may look, may not spend or delete.
    pub is_impersonated: bool,
    /// Minutes since the first factor was given, when Clerk knows them.
    pub factor_age_minutes: Option<u32>,
}

/// Each known claim may stand once and has one type; `iss` as a list, `exp` as text are refused here.
#[derive(Deserialize)]
pub(super) struct TokenClaims {
    iss: String,
    sub: String,
    sid: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    azp: Option<String>,
    sts: Option<String>,
    fva: Option<Vec<i64>>,
    #[serde(default, deserialize_with = "is_present")]
    act: bool,
}

impl TokenClaims {
    pub(super) fn check(self, settings: &SignInSettings, now: Timestamp) -> Result<SignIn, Reason> {
        self.check_times(now.seconds())?;
        if self.iss != settings.issuer {
            return Err(Reason::Issuer);
        }
        let is_ours = match &self.azp {
            Some(azp) => settings.authorized_parties.contains(azp),
            None => settings.accepts_tokens_without_azp,
        };
        if !is_ours {
            // `cargo run` shows warnings, and a page's developer looks there why the token is refused.
            tracing::warn!(
                azp = self.azp.as_deref().unwrap_or("(none)"),
                accepted = ?settings.authorized_parties,
                "a token was made for a page of another origin: add it to ALLOWED_ORIGINS or CLERK_AUTHORIZED_PARTIES"
            );
            return Err(Reason::AuthorizedParty);
        }
        if self.sts.as_deref().is_some_and(|status| status != "active") {
            return Err(Reason::NotActive);
        }
        self.into_sign_in()
    }

    fn check_times(&self, now: u64) -> Result<(), Reason> {
        match () {
            () if self.exp.saturating_add(SKEW_SECONDS) <= now => Err(Reason::Expired),
            () if self.nbf > now.saturating_add(SKEW_SECONDS) => Err(Reason::NotYetValid),
            () if self.iat > now.saturating_add(SKEW_SECONDS) => Err(Reason::IssuedInFuture),
            () if self.exp.saturating_sub(self.iat) > LIFE_SECONDS_MAX => Err(Reason::LivesTooLong),
            () => Ok(()),
        }
    }

    fn into_sign_in(self) -> Result<SignIn, Reason> {
        // Minus one means "no such factor".
        let first_factor = self.fva.as_deref().and_then(<[i64]>::first);
        Ok(SignIn {
            user: user_id(&self.sub).ok_or(Reason::Subject)?,
            login: self.sid,
            is_impersonated: self.act,
            factor_age_minutes: first_factor.and_then(|minutes| u32::try_from(*minutes).ok()),
        })
    }
}

/// Whatever the value is, even null: the member is there.
pub(super) fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
