use crate::MediaError;
use crate::file_type::FileType;
use crate::output::{StoredOutput, expiry, output_key};
use crate::uploads::Uploads;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use platform::{InvalidSettings, Platform, Profile, Settings};
use primitives::{AccountId, Private, Timestamp};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use std::ops::Range;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[MediaRules::SECTION];

/// The longest part of an object that is read into memory at once.
pub const READ_MAX: u64 = 32 * 1024 * 1024;

/// Outputs and uploads in the media bucket.
#[derive(Clone)]
pub struct Media {
    pub(crate) platform: Platform,
    pub(crate) rules: MediaRules,
}

/// The profile's section `media`. `template.yaml` says the same of both numbers of days.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRules {
    /// How long an output is kept; the bucket's own rule removes it.
    pub output_days: u32,
    /// How long an upload is kept, from the moment it was asked for.
    pub upload_days: u32,
    /// Uploads that an account may have begun whose form can still be used; `OPEN_UPLOADS_MAX`.
    pub uploads_open_max: u32,
    /// Bytes that an account may announce on a UTC day; `UPLOAD_BYTES_PER_DAY_MAX`.
    pub upload_day_bytes_max: u64,
    /// The longest picture, in bytes.
    pub image_bytes_max: u64,
    /// The longest sound, in bytes.
    pub audio_bytes_max: u64,
    /// The longest video, in bytes.
    pub video_bytes_max: u64,
    /// The longest side of a picture or a video, in pixels.
    pub side_max: u32,
    /// Width times height of a picture or a video, in pixels.
    pub pixels_max: u64,
    /// How long a sound may play, in seconds.
    pub audio_seconds_max: u64,
    /// How long a video may play, in seconds.
    pub video_seconds_max: u64,
}

impl MediaRules {
    const SECTION: &str = "media";

    /// `None`: the section is wrong, which is a complaint.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<MediaRules> {
        let mut rules: MediaRules = profile.section(MediaRules::SECTION, settings)?;
        settings.replace("OPEN_UPLOADS_MAX", &mut rules.uploads_open_max, "a number");
        settings.replace("UPLOAD_BYTES_PER_DAY_MAX", &mut rules.upload_day_bytes_max, "a number of bytes");
        if rules.image_bytes_max > READ_MAX {
            // A picture is held in memory while its metadata are taken out.
            profile.complain(settings, &format!("lets pictures be longer than {READ_MAX} bytes"));
            return None;
        }
        Some(rules)
    }
}

impl Media {
    /// An error when the profile's section `media` is wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<Media, InvalidSettings> {
        Ok(Media { rules: platform.rules(MediaRules::read)?, platform: platform.clone() })
    }

    /// What people upload, as inputs of runs.
    pub fn uploads(&self) -> Uploads {
        Uploads::of(self)
    }

    /// Stores an output under a name of ours. Storing it again replaces it. What comes in pieces, or is longer than a few
    /// megabytes, goes by [`Media::store_stream`].
    pub async fn store(
        &self,
        account: &AccountId,
        name: &str,
        kind: FileType,
        content: Private<Vec<u8>>,
        now: Timestamp,
    ) -> Result<StoredOutput, MediaError> {
        let content = content.into_inner();
        let output = StoredOutput {
            kind,
            key: output_key(account, name, kind, now),
            bytes: content.len() as u64,
            sha256: sha256_text(digest(&SHA256, &content)),
            expires_at: expiry(now, self.rules.output_days),
            file_name: None,
            pixels: None,
            millis: None,
            thumbnail: None,
        };
        self.put(&output.key, kind, content.into()).await?;
        Ok(output)
    }

    /// The text of a stored text output.
    pub async fn text(&self, output: &StoredOutput, now: Timestamp) -> Result<Private<String>, MediaError> {
        if output.kind != FileType::Text {
            return Err(MediaError::NotText);
        }
        self.refuse_expired(output, now)?;
        let bytes = self.get(&output.key, None).await?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| MediaError::NotText)?;
        Ok(Private::new(text))
    }

    /// A part of a stored output, of [`READ_MAX`] bytes at most. `part` lies within `output.bytes`.
    pub async fn read_range(
        &self,
        output: &StoredOutput,
        part: Range<u64>,
        now: Timestamp,
    ) -> Result<Private<Bytes>, MediaError> {
        self.refuse_expired(output, now)?;
        if part.is_empty() || part.end > output.bytes || part.end - part.start > READ_MAX {
            return Err(MediaError::NoSuchPart);
        }
        Ok(Private::new(self.get(&output.key, Some(part)).await?))
    }

    pub(crate) fn refuse_expired(&self, output: &StoredOutput, now: Timestamp) -> Result<(), MediaError> {
        if output.is_expired(now) { Err(MediaError::Gone) } else { Ok(()) }
    }

    pub(crate) async fn put(&self, key: &str, kind: FileType, content: Bytes) -> Result<(), MediaError> {
        let put = self.platform.s3().put_object().bucket(self.bucket()).key(key);
        put.content_type(kind.media_type())
            .cache_control(NO_STORE)
            .body(ByteStream::from(content))
            .send()
            .await
            .map_err(MediaError::unavailable)?;
        Ok(())
    }

    /// An object, or a part of it, as a whole in memory.
    pub(crate) async fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Bytes, MediaError> {
        let patience = self.platform.store().media_patience();
        let reading = async {
            let content = self.content(key, part).await?;
            Ok(content.collect().await.map_err(MediaError::unavailable)?.into_bytes())
        };
        tokio::time::timeout(patience, reading).await.map_err(MediaError::unavailable)?
    }

    /// An object, or a part of it, as it comes. The SDK's own limits end with the head of the answer: whoever reads the rest
    /// sets one.
    pub(crate) async fn content(
        &self,
        key: &str,
        part: Option<Range<u64>>,
    ) -> Result<ByteStream, MediaError> {
        let get = self.platform.s3().get_object().bucket(self.bucket()).key(key);
        // Both ends of an HTTP range are part of it (RFC 9110 § 14.1.2).
        let range = part.map(|part| format!("bytes={}-{}", part.start, part.end.saturating_sub(1)));
        let answer = get.set_range(range).send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => MediaError::Gone,
            _ => MediaError::unavailable(error),
        })?;
        Ok(answer.body)
    }

    /// Whether there is an object. It is asked by its prefix, because S3 refuses to read what is not there unless all of the
    /// bucket may be listed (docs/facts/media.md).
    pub(crate) async fn is_there(&self, key: &str) -> Result<bool, MediaError> {
        let list = self.platform.s3().list_objects_v2().bucket(self.bucket()).prefix(key).max_keys(1);
        let found = list.send().await.map_err(MediaError::unavailable)?;
        Ok(found.contents().iter().any(|object| object.key() == Some(key)))
    }

    /// Removes an object. That it is not there is success.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), MediaError> {
        let delete = self.platform.s3().delete_object().bucket(self.bucket()).key(key);
        delete.send().await.map_err(MediaError::unavailable)?;
        Ok(())
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.platform.store().media_bucket
    }
}

/// Caches between us and a person keep nothing.
pub(crate) const NO_STORE: &str = "private, no-store";

/// As answers show it: URL-safe base64 without padding.
pub(crate) fn sha256_text(digest: ring::digest::Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}
