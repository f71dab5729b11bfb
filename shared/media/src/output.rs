use crate::FileType;
use primitives::{AccountId, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The class of keys that outputs lie under; the bucket's rule for it ends them.
pub(crate) const OUTPUTS: &str = "tmp30";

/// Where an output of a run is, and what is known of it. Holds no content, only what proves it.
///
/// Rows that were written before an output had a name, a size or a thumbnail lack these members, and stay readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOutput {
    /// What kind of file it is.
    pub kind: FileType,
    /// Its key in the bucket; [`output_key`] makes it.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, URL-safe base64.
    pub sha256: String,
    /// From then on it is not shown any more.
    pub expires_at: Timestamp,
    /// What a browser saves it as: of tool, time and kind, and of no person's text. Absent in old rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Width and height in pixels, of what has them, as far as they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<(u32, u32)>,
    /// How long it plays in milliseconds, of what plays, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// A small picture of it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Thumbnail>,
}

/// A small picture that stands for an output, in an object of its own beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// What kind of picture it is.
    pub kind: FileType,
    /// Its key in the bucket.
    pub key: String,
}

impl StoredOutput {
    /// From its expiry on it is shown to no caller, whether the bucket has deleted it or not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// What a browser saves it as. An old row has the name of its object.
    pub(crate) fn saved_as(&self) -> &str {
        let of_key = || self.key.rsplit('/').next().unwrap_or_default();
        self.file_name.as_deref().unwrap_or_else(of_key)
    }
}

/// When something that was stored now ends.
pub(crate) fn expiry(now: Timestamp, days: u32) -> Timestamp {
    now.after(Duration::from_secs(u64::from(days) * 86_400))
}

/// What the `n`th output of a run is stored as. `nonce` is that of the run's hold, so that nothing but the decision about
/// this hold ever writes there.
pub fn output_name(run: RunId, nonce: &str, n: u32) -> String {
    format!("{run}-{nonce}-{n}")
}

/// `name` is ours (a run's id and the like), never a person's text.
pub fn output_key(account: &AccountId, name: &str, kind: FileType, now: Timestamp) -> String {
    format!("{OUTPUTS}/{account}/{}/{name}.{}", now.date(), kind.extension())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_under_the_owners_prefix_and_the_class_that_expires() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let key = output_key(&"user_ann".parse().unwrap(), "run-hold", FileType::Png, now);
        assert_eq!(key, "tmp30/user_ann/2027-01-15/run-hold.png");
    }

    fn output(now: Timestamp) -> StoredOutput {
        StoredOutput {
            kind: FileType::Text,
            key: "tmp30/user_ann/2027-01-15/x.txt".to_owned(),
            bytes: 1,
            sha256: String::new(),
            expires_at: expiry(now, 30),
            file_name: None,
            pixels: None,
            millis: None,
            thumbnail: None,
        }
    }

    #[test]
    fn an_output_expires_after_its_days_to_the_second() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let output = output(now);
        let last_second = now.after(Duration::from_secs(30 * 86_400 - 1));
        assert!(!output.is_expired(last_second));
        assert!(output.is_expired(last_second.after(Duration::from_secs(1))));
    }

    #[test]
    fn a_row_of_an_older_version_is_read_and_one_without_news_is_written_as_before() {
        let row = r#"{"kind":"png","key":"tmp30/user_ann/2027-01-15/run-hold.png","bytes":7,"sha256":"x","expires_at":"2027-02-14T08:00:00.000Z"}"#;
        let output: StoredOutput = serde_json::from_str(row).unwrap();
        assert_eq!((output.kind, output.saved_as()), (FileType::Png, "run-hold.png"));
        assert_eq!(serde_json::to_string(&output).unwrap(), row);
        let more = StoredOutput {
            file_name: Some("image-20270115-080000.png".to_owned()),
            pixels: Some((64, 48)),
            millis: Some(5),
            thumbnail: Some(Thumbnail { kind: FileType::Png, key: "k".to_owned() }),
            ..output
        };
        let text = serde_json::to_string(&more).unwrap();
        assert_eq!(serde_json::from_str::<StoredOutput>(&text).unwrap(), more);
    }
}
