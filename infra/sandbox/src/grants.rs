//! What people granted to apps, as both drives keep it: codes that are good once, tokens that end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::ids;

/// A code ends after so long.
const CODE_SECONDS: u64 = 600;

/// The grants of one vendor.
#[derive(Default)]
pub(crate) struct Grants {
    all: Mutex<All>,
}

#[derive(Default)]
pub(crate) struct All {
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Grant>,
    access: HashMap<String, Access>,
    /// In the order in which they were given.
    given: u64,
}

/// What a person said yes to.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) person: String,
    pub(crate) scope: String,
    number: u64,
}

/// What an app asks a code for.
pub(crate) struct Asked {
    pub(crate) person: String,
    pub(crate) scope: String,
    pub(crate) redirect_uri: String,
    /// PKCE's, by S256.
    pub(crate) challenge: Option<String>,
    /// Whether a refresh token is wanted.
    pub(crate) is_offline: bool,
}

struct Code {
    asked: Asked,
    made_at: u64,
}

struct Access {
    grant: Grant,
    /// The refresh token that it came of, if it did.
    of: Option<String>,
    ends_at: u64,
}

/// Tokens for a code, or for a refresh token.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) grant: Grant,
}

/// How a vendor's tokens look and how long they live.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) code: &'static str,
    pub(crate) access: &'static str,
    pub(crate) refresh: &'static str,
    pub(crate) access_seconds: u64,
    /// How many refresh tokens a person has for one app; the oldest one goes first.
    pub(crate) refresh_max: usize,
}

/// Why a code is not exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCode {
    Unknown,
    OtherAddress,
    WrongVerifier,
}

impl Grants {
    pub(crate) fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    pub(crate) fn code(&mut self, style: Style, asked: Asked, now: u64) -> String {
        let code = format!("{}{}", style.code, fresh());
        self.codes.insert(code.clone(), Code { asked, made_at: now });
        code
    }

    /// Whether a code was asked for without PKCE, so that nothing but the secret proves who exchanges it.
    pub(crate) fn needs_secret(&self, code: &str) -> bool {
        self.codes.get(code).is_some_and(|code| code.asked.challenge.is_none())
    }

    /// Exchanges a code for tokens. The first call uses the code up, whether it succeeds or not.
    pub(crate) fn exchange(
        &mut self,
        style: Style,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: u64,
    ) -> Result<Tokens, BadCode> {
        let Some(Code { asked, made_at }) = self.codes.remove(code) else { return Err(BadCode::Unknown) };
        if now > made_at.saturating_add(CODE_SECONDS) {
            return Err(BadCode::Unknown);
        }
        if asked.redirect_uri != redirect_uri {
            return Err(BadCode::OtherAddress);
        }
        let shown = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        if asked.challenge.is_some_and(|challenge| challenge != shown) {
            return Err(BadCode::WrongVerifier);
        }
        self.given += 1;
        let grant = Grant { person: asked.person, scope: asked.scope, number: self.given };
        let refresh = asked.is_offline.then(|| format!("{}{}", style.refresh, fresh()));
        if let Some(refresh) = &refresh {
            self.refresh.insert(refresh.clone(), grant.clone());
            self.forget_the_oldest(&grant.person, style.refresh_max);
        }
        Ok(Tokens { access: self.access_for(style, &grant, refresh.clone(), now), refresh, grant })
    }

    fn forget_the_oldest(&mut self, person: &str, max: usize) {
        let mut numbers: Vec<u64> =
            self.refresh.values().filter(|grant| grant.person == person).map(|grant| grant.number).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(oldest_kept) = numbers.get(max.saturating_sub(1)).copied() {
            self.refresh.retain(|_, grant| grant.person != person || grant.number >= oldest_kept);
        }
    }

    fn access_for(&mut self, style: Style, grant: &Grant, of: Option<String>, now: u64) -> String {
        let token = format!("{}{}", style.access, fresh());
        let ends_at = now.saturating_add(style.access_seconds);
        self.access.retain(|_, access| access.ends_at > now);
        self.access.insert(token.clone(), Access { grant: grant.clone(), of, ends_at });
        token
    }

    pub(crate) fn refreshed(&mut self, style: Style, refresh: &str, now: u64) -> Option<Tokens> {
        let grant = self.refresh.get(refresh)?.clone();
        let access = self.access_for(style, &grant, Some(refresh.to_owned()), now);
        Some(Tokens { access, refresh: None, grant })
    }

    /// Who an access token speaks for; `Err`: it was valid once.
    pub(crate) fn holder(&self, access: &str, now: u64) -> Option<Result<Grant, ()>> {
        let access = self.access.get(access)?;
        Some(if now < access.ends_at { Ok(access.grant.clone()) } else { Err(()) })
    }

    /// Google's way: any token of a person ends all that the app has of them. False: the token is not known.
    pub(crate) fn revoke_all_of(&mut self, token: &str) -> bool {
        let person = self.refresh.get(token).or(self.access.get(token).map(|access| &access.grant));
        let Some(person) = person.map(|grant| grant.person.clone()) else { return false };
        self.forget(&person);
        true
    }

    /// Dropbox's way: an access token ends itself, the refresh token it came of, and the others of that.
    pub(crate) fn revoke_chain_of(&mut self, access: &str) {
        let Some(Access { of, .. }) = self.access.remove(access) else { return };
        if let Some(of) = of {
            self.refresh.remove(&of);
            self.access.retain(|_, access| access.of.as_deref() != Some(&of));
        }
    }

    /// The person takes back all that they granted, in their account's settings.
    pub(crate) fn forget(&mut self, person: &str) {
        self.refresh.retain(|_, grant| grant.person != person);
        self.access.retain(|_, access| access.grant.person != person);
    }

    /// How many refresh tokens are alive.
    pub(crate) fn alive(&self, person: &str) -> usize {
        self.refresh.values().filter(|grant| grant.person == person).count()
    }

    /// Every access token ends now.
    pub(crate) fn end_access(&mut self, now: u64) {
        self.access.values_mut().for_each(|access| access.ends_at = access.ends_at.min(now));
    }
}

fn fresh() -> String {
    ids::tagged("").chars().chain(ids::tagged("").chars()).collect()
}
