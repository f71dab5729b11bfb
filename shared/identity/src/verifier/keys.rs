use super::{Reason, Unverified};
use crate::SignInSettings;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Platform;
use primitives::{Timestamp, times};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;

const FRESH: Duration = Duration::from_secs(5 * 60);
/// Otherwise whoever sends invented key ids makes us call Clerk with every request.
const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(60);
/// After a failed fetch: short when nobody can sign in meanwhile, longer when the known keys still serve.
const FAILURE_PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);
const FAILURE_PAUSE_WITH_KEYS: Duration = Duration::from_secs(30);
const LENGTH_MAX: usize = 64 * 1024;

/// The public keys of one issuer, the configured one; another issuer's key of the same id is not among them.
pub(super) struct KeySet {
    platform: Platform,
    url: String,
    cached: RwLock<CachedKeys>,
    /// Locked while fetching, so that many waiting requests cause one fetch.
    fetching: Mutex<()>,
}

/// An RSA key's modulus and exponent.
#[derive(Clone)]
pub(super) struct Jwk {
    kid: String,
    pub(super) n: Vec<u8>,
    pub(super) e: Vec<u8>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: Vec<Arc<Jwk>>,
    fetched_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    searched_unknown_at: Option<Timestamp>,
}

/// What to do with the keys at hand.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Use,
    /// For a key id that fresh keys don't have.
    FetchForUnknown,
    Fetch,
}

impl KeySet {
    pub(super) fn new(platform: &Platform, settings: &SignInSettings) -> KeySet {
        KeySet {
            platform: platform.clone(),
            url: settings.jwks_url.clone(),
            cached: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Jwk>, Unverified> {
        if self.read(|cached| cached.next(kid, self.platform.now())) != Next::Use {
            let _one_at_a_time = self.fetching.lock().await;
            self.refresh(kid).await;
        }
        self.read(|cached| match cached.key(kid) {
            Some(key) => Ok(Arc::clone(key)),
            None if cached.fetched_at.is_none() => Err(Unverified::KeysUnavailable),
            None => Err(Reason::UnknownKey.into()),
        })
    }

    /// Asks again what is needed: who waited for the lock may find the work done.
    async fn refresh(&self, kid: &str) {
        let now = self.platform.now();
        match self.read(|cached| cached.next(kid, now)) {
            Next::Use => return,
            Next::FetchForUnknown => self.write(|cached| cached.searched_unknown_at = Some(now)),
            Next::Fetch => {}
        }
        match self.fetch().await {
            Ok(keys) => self.write(|cached| {
                cached.keys = keys;
                cached.fetched_at = Some(now);
            }),
            Err(why) => {
                tracing::warn!("the issuer's keys could not be fetched, the known ones stay: {why}");
                self.write(|cached| cached.failed_at = Some(self.platform.now()));
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Arc<Jwk>>, &'static str> {
        let request = self.platform.http().get(&self.url).timeout(times::SIGN_IN_CALL.limit);
        let answer = request.send().await.map_err(|_| "no answer")?;
        if answer.status() != http::StatusCode::OK {
            return Err("not status 200");
        }
        let body = crate::clerk_api::body_up_to(answer, LENGTH_MAX).await?;
        parse(&body)
    }

    fn read<T>(&self, look: impl FnOnce(&CachedKeys) -> T) -> T {
        look(&self.cached.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut CachedKeys)) {
        change(&mut self.cached.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl CachedKeys {
    fn key(&self, kid: &str) -> Option<&Arc<Jwk>> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    fn next(&self, kid: &str, now: Timestamp) -> Next {
        let within = |moment: Option<Timestamp>, span| moment.is_some_and(|then| now.since(then) < span);
        let pause = if self.keys.is_empty() { FAILURE_PAUSE_WITHOUT_KEYS } else { FAILURE_PAUSE_WITH_KEYS };
        if within(self.failed_at, pause) {
            return Next::Use;
        }
        if !within(self.fetched_at, FRESH) {
            return Next::Fetch;
        }
        if self.key(kid).is_some() || within(self.searched_unknown_at, UNKNOWN_KID_PAUSE) {
            return Next::Use;
        }
        Next::FetchForUnknown
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// Keys of other kinds are passed over; a set without any usable key counts as a failed fetch.
fn parse(json: &[u8]) -> Result<Vec<Arc<Jwk>>, &'static str> {
    let document: Document = serde_json::from_slice(json).map_err(|_| "no key set")?;
    let keys: Vec<_> = document.keys.into_iter().filter_map(usable).map(Arc::new).collect();
    if keys.is_empty() { Err("no usable key") } else { Ok(keys) }
}

fn usable(key: serde_json::Value) -> Option<Jwk> {
    let key: RawKey = serde_json::from_value(key).ok()?;
    let is_rs256 = key.kty == "RSA" && key.alg.is_none_or(|alg| alg == "RS256");
    if !is_rs256 || key.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    Some(Jwk { kid: key.kid, n: integer(&key.n)?, e: integer(&key.e)? })
}

/// Big-endian without leading zeros, as ring wants it.
fn integer(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn cached(fetched: u64, failed: Option<u64>, searched: Option<u64>) -> CachedKeys {
        let key = Jwk { kid: "known".to_owned(), n: vec![1], e: vec![3] };
        CachedKeys {
            keys: vec![Arc::new(key)],
            fetched_at: Some(at(fetched)),
            failed_at: failed.map(at),
            searched_unknown_at: searched.map(at),
        }
    }

    #[test]
    fn keys_are_fetched_when_due_and_no_more_often() {
        let now = 1_000;
        let table = [
            ("nothing cached", CachedKeys::default(), "known", Next::Fetch),
            (
                "just failed",
                CachedKeys { failed_at: Some(at(now)), ..CachedKeys::default() },
                "known",
                Next::Use,
            ),
            (
                "failed a second ago",
                CachedKeys { failed_at: Some(at(999)), ..CachedKeys::default() },
                "known",
                Next::Fetch,
            ),
            ("fresh", cached(now - 299, None, None), "known", Next::Use),
            ("stale", cached(now - 300, None, None), "known", Next::Fetch),
            ("stale, failed lately", cached(now - 300, Some(now - 29), None), "known", Next::Use),
            ("stale, failed long ago", cached(now - 300, Some(now - 30), None), "known", Next::Fetch),
            ("unknown in fresh keys", cached(now, None, None), "other", Next::FetchForUnknown),
            ("unknown, searched lately", cached(now, None, Some(now - 59)), "other", Next::Use),
            ("unknown, searched long ago", cached(now, None, Some(now - 60)), "other", Next::FetchForUnknown),
        ];
        for (name, cached, kid, expected) in table {
            assert_eq!(cached.next(kid, at(now)), expected, "{name}");
        }
    }

    #[test]
    fn only_rsa_signing_keys_are_usable() {
        let of = |json: &str| parse(json.as_bytes()).map(|keys| keys.len());
        assert_eq!(of(r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#), Ok(1));
        assert_eq!(of(r#"{"keys":[{"kty":"EC","kid":"a","crv":"P-256"}]}"#), Err("no usable key"));
        assert_eq!(
            of(r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","use":"enc"}]}"#),
            Err("no usable key")
        );
        assert_eq!(
            of(r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","alg":"PS256"}]}"#),
            Err("no usable key")
        );
        assert_eq!(of(r#"{"keys":[]}"#), Err("no usable key"));
        assert_eq!(of("<html>"), Err("no key set"));
    }
}
