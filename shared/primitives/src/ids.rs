use crate::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize, de};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// The text can't be an id of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

/// Bytes nobody can guess, from the operating system.
///
/// # Panics
/// When the operating system gives no randomness; nothing can be done safely then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

fn mint(now: Timestamp) -> Ulid {
    Ulid::from_parts(now.millis(), u128::from_be_bytes(random_bytes()))
}

/// Who was verified: the identity provider's own stable id, e.g. Clerk's `user_…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(String);

/// The holder of a balance. For a person it is spelled like the [`UserId`], so that no look-up stands between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountId(String);

fn is_plain_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

macro_rules! text_id {
    ($type:ident, $message:literal) => {
        impl FromStr for $type {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<$type, InvalidId> {
                if !is_plain_id(text) {
                    return Err(InvalidId($message));
                }
                Ok($type(text.to_owned()))
            }
        }

        impl $type {
            /// The id as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_id!(UserId, "a user id is 1 to 64 letters, digits, `_` or `-`");
text_id!(AccountId, "an account id is 1 to 64 letters, digits, `_` or `-`");

impl From<&UserId> for AccountId {
    fn from(user: &UserId) -> AccountId {
        AccountId(user.0.clone())
    }
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $type:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Ulid);

        impl $type {
            /// A new id that sorts by `now`.
            pub fn mint(now: Timestamp) -> $type {
                $type(mint(now))
            }

            /// The moment written inside the id.
            pub fn minted_at(&self) -> Timestamp {
                Timestamp::from_millis(self.0.timestamp_ms())
            }
        }

        impl FromStr for $type {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<$type, InvalidId> {
                let ulid = Ulid::from_string(text).map_err(|_| InvalidId($message))?;
                // One spelling per id: lower case or look-alikes would be other keys in the table.
                if ulid.to_string() != text {
                    return Err(InvalidId($message));
                }
                Ok($type(ulid))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
ulid_id!(
    /// One use of a tool. A ULID: it sorts by the time it was made, and a client may make it itself.
    RunId,
    "a run id is a ULID: 26 characters of 0-9 and A-Z without I, L, O and U"
);
ulid_id!(
    /// One entry of the ledger.
    EntryId,
    "an entry id is a ULID: 26 characters of 0-9 and A-Z without I, L, O and U"
);

ulid_id!(
    /// One top-up order.
    TopUpId,
    "a top-up id is a ULID: 26 characters of 0-9 and A-Z without I, L, O and U"
);

ulid_id!(
    /// One run's job: the name of its row, of our webhooks' addresses, and of the job at providers that let us name it. Two
    /// accounts may choose the same run id, and their jobs have different names, which tell neither account nor run.
    JobId,
    "a job id is a ULID: 26 characters of 0-9 and A-Z without I, L, O and U"
);

impl JobId {
    /// The job of an account's run: the run's time, and 80 bits of a hash over account and run.
    pub fn of(account: &AccountId, run: RunId) -> JobId {
        let text = format!("{account}/{run}");
        let hash = digest(&SHA256, text.as_bytes());
        let tail = hash.as_ref().iter().take(10).fold(0, |bits, byte| (bits << 8) | u128::from(*byte));
        JobId(Ulid::from_parts(run.0.timestamp_ms(), tail))
    }
}

/// One upload: a ULID behind `upload_`, so that it can't be taken for a run's id in an input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(Ulid);

const UPLOAD_PREFIX: &str = "upload_";
const UPLOAD_MESSAGE: InvalidId =
    InvalidId("an upload id is `upload_` and a ULID: 26 characters of 0-9 and A-Z without I, L, O and U");

impl UploadId {
    /// A new id that sorts by `now`.
    pub fn mint(now: Timestamp) -> UploadId {
        UploadId(mint(now))
    }

    /// The moment written inside the id.
    pub fn minted_at(&self) -> Timestamp {
        Timestamp::from_millis(self.0.timestamp_ms())
    }
}

impl FromStr for UploadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<UploadId, InvalidId> {
        let ulid = text.strip_prefix(UPLOAD_PREFIX).and_then(|ulid| Ulid::from_string(ulid).ok());
        let id = ulid.map(UploadId).ok_or(UPLOAD_MESSAGE)?;
        // One spelling per id, as with the others.
        if id.to_string() == text { Ok(id) } else { Err(UPLOAD_MESSAGE) }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{UPLOAD_PREFIX}{}", self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for UploadId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UploadId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<UploadId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl From<RunId> for EntryId {
    /// A run has one entry, which carries the run's own id.
    fn from(run: RunId) -> EntryId {
        EntryId(run.0)
    }
}

impl From<EntryId> for RunId {
    /// Only meaningful for an entry that is a run's outcome.
    fn from(entry: EntryId) -> RunId {
        RunId(entry.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_belongs_to_its_account_and_run_and_tells_neither() {
        let run: RunId = "01KAQ3V7W00000000000000001".parse().unwrap();
        let of = |account: &str| JobId::of(&account.parse().unwrap(), run);
        // The first 80 bits of SHA-256 of `user_ann/01KAQ3V7W00000000000000001`, in Crockford's alphabet.
        assert_eq!(of("user_ann").to_string(), "01KAQ3V7W05A5XM3YFMXP5K4KG");
        assert_ne!(of("user_ann"), of("user_bob"));
        assert_eq!(of("user_bob").minted_at(), run.minted_at());
    }

    #[test]
    fn an_upload_id_has_one_spelling_and_is_no_other_id() {
        let id = UploadId::mint(Timestamp::from_seconds(1_800_000_000));
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.minted_at(), Timestamp::from_seconds(1_800_000_000));
        for other in [text.to_lowercase(), text[7..].to_owned(), format!("{text}0"), "upload_".to_owned()] {
            assert!(other.parse::<UploadId>().is_err(), "{other}");
        }
        assert!(text.parse::<RunId>().is_err());
    }
}
