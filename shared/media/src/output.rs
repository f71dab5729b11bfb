use primitives::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What kind of file an output is; judged from its bytes by whoever made it, never from a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// UTF-8.
    Text,
    /// A picture without losses (ISO/IEC 15948).
    Png,
    /// A picture with losses (ISO/IEC 10918).
    Jpeg,
    /// A picture of either kind (RFC 9649).
    Webp,
}

/// Where a run's output is. Holds no content, only what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOutput {
    /// What kind of file it is.
    pub kind: OutputKind,
    /// Its key in the bucket; [`output_key`] makes it.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, URL-safe base64.
    pub sha256: String,
    /// From then on it is not shown any more.
    pub expires_at: Timestamp,
}

impl OutputKind {
    /// What HTTP calls it (RFC 9110, `Content-Type`).
    pub fn media_type(self) -> &'static str {
        match self {
            OutputKind::Text => "text/plain; charset=utf-8",
            OutputKind::Png => "image/png",
            OutputKind::Jpeg => "image/jpeg",
            OutputKind::Webp => "image/webp",
        }
    }

    /// How a saved file's name ends, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            OutputKind::Text => "txt",
            OutputKind::Png => "png",
            OutputKind::Jpeg => "jpg",
            OutputKind::Webp => "webp",
        }
    }
}

/// `name` is ours (a run's id and the like), never a person's text.
pub fn output_key(account: &AccountId, name: &str, kind: OutputKind, now: Timestamp) -> String {
    format!("tmp30/{account}/{}/{name}.{}", now.date(), kind.extension())
}

impl StoredOutput {
    /// From its expiry on it is shown to no caller, whether the bucket has deleted it or not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    pub(crate) fn expiry(now: Timestamp, days: u32) -> Timestamp {
        now.after(Duration::from_secs(u64::from(days) * 86_400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_under_the_owners_prefix_and_the_class_that_expires() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let key = output_key(&"user_ann".parse().unwrap(), "run-hold", OutputKind::Png, now);
        assert_eq!(key, "tmp30/user_ann/2027-01-15/run-hold.png");
    }

    #[test]
    fn an_output_expires_after_its_days_to_the_second() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let output = StoredOutput {
            kind: OutputKind::Text,
            key: "tmp30/user_ann/2027-01-15/x.txt".to_owned(),
            bytes: 1,
            sha256: String::new(),
            expires_at: StoredOutput::expiry(now, 30),
        };
        let last_second = now.after(Duration::from_secs(30 * 86_400 - 1));
        assert!(!output.is_expired(last_second));
        assert!(output.is_expired(last_second.after(Duration::from_secs(1))));
    }
}
