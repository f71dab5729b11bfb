//! Signed links, made when somebody looks and never stored.

use crate::file_name::{Disposition, content_disposition};
use crate::{FileType, Media, MediaError, StoredOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use primitives::Timestamp;
use std::time::{Duration, SystemTime};

/// How long a link works; never longer than the output itself.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);

/// Links that anybody who has them can fetch until they end, in parts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLinks {
    /// The browser shows it. What is text in any form is shown as plain text, so that nothing in it runs.
    pub view_url: String,
    /// The browser saves it, under the output's name.
    pub download_url: String,
    /// Shows the small picture, where there is one.
    pub thumbnail_url: Option<String>,
    /// From then on all of them answer 403.
    pub expires_at: Timestamp,
}

/// What a link opens, and how.
pub(crate) struct Shown<'a> {
    pub(crate) key: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) disposition: Disposition,
    pub(crate) file_name: &'a str,
}

impl Media {
    /// Fresh links to the output and its thumbnail, made without asking the store. A browser saves the output as `name` with
    /// the extension of its kind; `name` is ours (a tool and a run's id), never a person's text.
    pub async fn links_named(
        &self,
        output: &StoredOutput,
        name: &str,
        now: Timestamp,
    ) -> Result<OutputLinks, MediaError> {
        self.links_as(output, &format!("{name}.{}", output.kind.extension()), now).await
    }

    /// Fresh links to the output and its thumbnail, made without asking the store. A browser saves the output under its own
    /// name.
    pub async fn links(&self, output: &StoredOutput, now: Timestamp) -> Result<OutputLinks, MediaError> {
        self.links_as(output, output.saved_as(), now).await
    }

    async fn links_as(
        &self,
        output: &StoredOutput,
        file_name: &str,
        now: Timestamp,
    ) -> Result<OutputLinks, MediaError> {
        self.refuse_expired(output, now)?;
        let lifetime = LINK_LIFETIME.min(output.expires_at.since(now));
        let link = |key, media_type, disposition| Shown { key, media_type, disposition, file_name };
        let shown = link(&output.key, output.kind.shown_as(), Disposition::Inline);
        let saved = link(&output.key, output.kind.media_type(), Disposition::Attachment);
        let thumbnail_url = match &output.thumbnail {
            None => None,
            Some(thumbnail) => {
                let shown = link(&thumbnail.key, thumbnail.kind.shown_as(), Disposition::Inline);
                Some(self.signed(&shown, lifetime, now).await?)
            }
        };
        Ok(OutputLinks {
            view_url: self.signed(&shown, lifetime, now).await?,
            download_url: self.signed(&saved, lifetime, now).await?,
            thumbnail_url,
            expires_at: now.after(lifetime),
        })
    }

    /// A link for a provider that fetches one of our objects by itself.
    pub(crate) async fn provider_url(
        &self,
        key: &str,
        kind: FileType,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<String, MediaError> {
        let file_name = format!("input.{}", kind.extension());
        let disposition = Disposition::Inline;
        let shown = Shown { key, media_type: kind.media_type(), disposition, file_name: &file_name };
        self.signed(&shown, lifetime, now).await
    }

    async fn signed(
        &self,
        shown: &Shown<'_>,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<String, MediaError> {
        let signing = PresigningConfig::builder()
            .start_time(SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis()))
            .expires_in(lifetime)
            .build()
            .map_err(MediaError::unavailable)?;
        let get = self.platform.s3().get_object().bucket(self.bucket()).key(shown.key);
        let request = get
            .response_content_type(shown.media_type)
            .response_content_disposition(content_disposition(shown.disposition, shown.file_name))
            .presigned(signing)
            .await
            .map_err(MediaError::unavailable)?;
        Ok(request.uri().to_owned())
    }
}
