use crate::MediaError;
use crate::output::{OutputKind, StoredOutput, output_key};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{InvalidSettings, Platform, Profile, Settings};
use primitives::{AccountId, Private, Timestamp};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[MediaRules::SECTION];

/// How long a link works; never longer than the output itself.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);

/// The media bucket, as far as outputs go.
#[derive(Clone)]
pub struct Media {
    platform: Platform,
    rules: MediaRules,
}

/// The profile's section `media`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRules {
    /// How long an output is kept; the bucket's own rule removes it, and `template.yaml` says the same.
    pub output_days: u32,
}

/// Links that anybody who has them can fetch until they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The browser shows what it gets.
    pub view_url: String,
    /// The browser saves what it gets.
    pub download_url: String,
    /// From then on both answer 403.
    pub expires_at: Timestamp,
}

impl MediaRules {
    const SECTION: &str = "media";

    /// `None`: the section is wrong, which is a complaint.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<MediaRules> {
        profile.section(MediaRules::SECTION, settings)
    }
}

impl Media {
    /// An error when the profile's section `media` is wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<Media, InvalidSettings> {
        Ok(Media { rules: platform.rules(MediaRules::read)?, platform: platform.clone() })
    }

    /// Stores an output under a name of ours. Storing it again replaces it.
    pub async fn store(
        &self,
        account: &AccountId,
        name: &str,
        kind: OutputKind,
        content: Private<Vec<u8>>,
        now: Timestamp,
    ) -> Result<StoredOutput, MediaError> {
        let content = content.into_inner();
        let output = StoredOutput {
            kind,
            key: output_key(account, name, kind, now),
            bytes: content.len() as u64,
            sha256: URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, &content)),
            expires_at: StoredOutput::expiry(now, self.rules.output_days),
        };
        let put = self.platform.s3().put_object().bucket(self.bucket()).key(&output.key);
        put.content_type(kind.media_type())
            .cache_control("private, no-store")
            .body(ByteStream::from(content))
            .send()
            .await
            .map_err(MediaError::unavailable)?;
        Ok(output)
    }

    /// The text of a stored text output.
    pub async fn text(&self, output: &StoredOutput, now: Timestamp) -> Result<Private<String>, MediaError> {
        if output.kind != OutputKind::Text {
            return Err(MediaError::NotText);
        }
        if output.is_expired(now) {
            return Err(MediaError::Gone);
        }
        let patience = self.platform.store().media_patience();
        tokio::time::timeout(patience, self.read_text(output)).await.map_err(MediaError::unavailable)?
    }

    async fn read_text(&self, output: &StoredOutput) -> Result<Private<String>, MediaError> {
        let get = self.platform.s3().get_object().bucket(self.bucket()).key(&output.key);
        let answer = get.send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => MediaError::Gone,
            _ => MediaError::unavailable(error),
        })?;
        let bytes = answer.body.collect().await.map_err(MediaError::unavailable)?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| MediaError::NotText)?;
        Ok(Private::new(text))
    }

    /// Fresh links to the output, made without asking the store. A browser saves it as `name` with the extension of its
    /// kind; `name` is ours (a tool and a run's id), never a person's text.
    pub async fn link(&self, output: &StoredOutput, name: &str, now: Timestamp) -> Result<Link, MediaError> {
        if output.is_expired(now) {
            return Err(MediaError::Gone);
        }
        let lifetime = LINK_LIFETIME.min(output.expires_at.since(now));
        let signing = PresigningConfig::builder()
            .start_time(SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis()))
            .expires_in(lifetime)
            .build()
            .map_err(MediaError::unavailable)?;
        let file_name = format!("{name}.{}", output.kind.extension());
        Ok(Link {
            view_url: self.signed(output, "inline", &file_name, signing.clone()).await?,
            download_url: self.signed(output, "attachment", &file_name, signing).await?,
            expires_at: now.after(lifetime),
        })
    }

    async fn signed(
        &self,
        output: &StoredOutput,
        disposition: &str,
        file_name: &str,
        signing: PresigningConfig,
    ) -> Result<String, MediaError> {
        let get = self.platform.s3().get_object().bucket(self.bucket()).key(&output.key);
        let request = get
            .response_content_type(output.kind.media_type())
            .response_content_disposition(format!("{disposition}; filename=\"{file_name}\""))
            .presigned(signing)
            .await
            .map_err(MediaError::unavailable)?;
        Ok(request.uri().to_owned())
    }

    fn bucket(&self) -> &str {
        &self.platform.store().media_bucket
    }
}
