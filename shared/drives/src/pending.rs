//! A link that a person has begun: bound to the person by its row, to the browser by a cookie, and good for one return.

use crate::{DriveKind, DrivesError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use primitives::{AccountId, Secret, Timestamp, random_bytes};
use ring::digest::{SHA256, digest};
use std::time::Duration;

/// How long a person has for the drive's page.
pub(crate) const PENDING_FOR: Duration = Duration::from_secs(600);

/// What goes to the drive and comes back: 256 random bits. Its row is found by its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct StateToken(Secret);

/// The content of a cookie that only the browser has in which the link was begun: 256 random bits.
///
/// It is PKCE's code verifier too: a thief who steals the code can't exchange it without the cookie. The address of the
/// consent page and our row have only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserKey(Secret);

/// The row of a link that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingLink {
    pub(crate) account: AccountId,
    pub(crate) kind: DriveKind,
    /// Of the browser's key.
    pub(crate) challenge: String,
    pub(crate) expires_at: Timestamp,
}

/// As many characters as 256 bits have in base64 without padding.
const TOKEN_CHARS: usize = 43;

fn draw() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>()))
}

fn hash(secret: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.expose().as_bytes()))
}

fn parse(text: &str) -> Option<Secret> {
    let is_one = text.len() == TOKEN_CHARS
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_one.then(|| Secret::new(text))
}

impl StateToken {
    pub(crate) fn draw() -> StateToken {
        StateToken(draw())
    }

    /// `None`: we never drew it.
    pub fn parse(text: &str) -> Option<StateToken> {
        parse(text).map(StateToken)
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn row_id(&self) -> String {
        hash(&self.0)
    }
}

impl BrowserKey {
    pub(crate) fn draw() -> BrowserKey {
        BrowserKey(draw())
    }

    /// `None`: we never drew it.
    pub fn parse(text: &str) -> Option<BrowserKey> {
        parse(text).map(BrowserKey)
    }

    /// The cookie that holds it. No other host can set a cookie of that name, and none without TLS (`__Host-`).
    pub fn cookie_name(kind: DriveKind) -> String {
        format!("__Host-link-{kind}")
    }

    /// For the cookie alone.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn verifier(&self) -> &Secret {
        &self.0
    }

    /// PKCE's S256 (RFC 7636, section 4.2).
    pub(crate) fn challenge(&self) -> String {
        hash(&self.0)
    }
}

impl PendingLink {
    /// Whether a return belongs to it: in time, from the drive it was sent to, in the browser it began in.
    pub(crate) fn accepts(
        &self,
        kind: DriveKind,
        browser: Option<&BrowserKey>,
        now: Timestamp,
    ) -> Result<(), DrivesError> {
        if self.expires_at <= now || self.kind != kind {
            return Err(DrivesError::StateUnknown);
        }
        // Both sides are hashes of what an attacker can't choose, so nothing is learned from how long it takes.
        match browser {
            Some(key) if key.challenge() == self.challenge => Ok(()),
            _ => Err(DrivesError::OtherBrowser),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standards_own_example() {
        let key = BrowserKey::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(key.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_return_counts_in_time_at_its_drive_and_in_its_browser() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let (key, other) = (BrowserKey::draw(), BrowserKey::draw());
        let pending = PendingLink {
            account: "user_ann".parse().unwrap(),
            kind: DriveKind::Dropbox,
            challenge: key.challenge(),
            expires_at: now.after(PENDING_FOR),
        };
        let last = pending.expires_at.before(Duration::from_millis(1));
        let judge = |kind, browser, at| match pending.accepts(kind, browser, at) {
            Ok(()) => "ok",
            Err(DrivesError::StateUnknown) => "unknown",
            Err(DrivesError::OtherBrowser) => "other browser",
            Err(_) => "?",
        };
        assert_eq!(judge(DriveKind::Dropbox, Some(&key), now), "ok");
        assert_eq!(judge(DriveKind::Dropbox, Some(&key), last), "ok");
        assert_eq!(judge(DriveKind::Dropbox, Some(&key), pending.expires_at), "unknown");
        assert_eq!(judge(DriveKind::GoogleDrive, Some(&key), now), "unknown");
        assert_eq!(judge(DriveKind::Dropbox, Some(&other), now), "other browser");
        assert_eq!(judge(DriveKind::Dropbox, None, now), "other browser");
    }

    #[test]
    fn what_we_never_drew_is_no_token() {
        let drawn = StateToken::draw();
        assert!(StateToken::parse(drawn.expose()) == Some(drawn.clone()));
        let long = format!("{}A", drawn.expose());
        for text in ["", "abc", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", &drawn.expose()[1..], &long] {
            assert!(StateToken::parse(text).is_none() && BrowserKey::parse(text).is_none(), "{text}");
        }
    }
}
