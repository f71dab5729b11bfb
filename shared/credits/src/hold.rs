use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use primitives::{Credits, Fingerprint, RunId, Timestamp, random_bytes};
use std::fmt;

/// Credit reserved for one run, kept inside the account item. It is the run's record while it is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What it is held for.
    pub run: RunId,
    /// What is held, in ledger units.
    pub amount: Credits,
    /// Whole seconds; afterwards anybody may release it.
    pub expires_at: Timestamp,
    /// Of the run's input, so that the same id with another input is noticed.
    pub fingerprint: Fingerprint,
    /// Tells this hold from any other that ever bore the same run id.
    pub nonce: Nonce,
    /// Tool and option, e.g. `script/chat`.
    pub tool: String,
}

/// Six characters that make one reservation recognisable to the one who made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 4]);

impl Nonce {
    /// A fresh one, of the system's random numbers.
    pub fn random() -> Nonce {
        Nonce(random_bytes())
    }

    /// Six characters of URL-safe base64.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// `None`: it is not what [`Nonce::encode`] writes.
    pub fn decode(text: &str) -> Option<Nonce> {
        Some(Nonce(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

impl Hold {
    /// `amount.expiry.fingerprint.nonce.tool`: about 45 bytes, so that 13 holds fit the account's first kilobyte.
    pub fn encode(&self) -> String {
        let (fingerprint, nonce) = (self.fingerprint.encode(), self.nonce.encode());
        format!("{}.{}.{fingerprint}.{nonce}.{}", self.amount, self.expires_at.seconds(), self.tool)
    }

    /// `None`: it is not what [`Hold::encode`] writes.
    pub fn decode(run: RunId, text: &str) -> Option<Hold> {
        let mut parts = text.splitn(5, '.');
        let mut next = || parts.next();
        Some(Hold {
            run,
            amount: Credits::new(next()?.parse().ok()?).ok()?,
            expires_at: Timestamp::from_seconds(next()?.parse().ok()?),
            fingerprint: Fingerprint::decode(next()?)?,
            nonce: Nonce::decode(next()?)?,
            tool: next()?.to_owned(),
        })
    }
}
