use super::upload::UploadFacts;
use crate::media::READ_MAX;
use crate::{FileFamily, Media, MediaError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use primitives::{Private, Timestamp, UploadId};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// A provider fetches its input when it begins, which may be a while after it was told of it.
const PROVIDER_LINK_MAX: Duration = Duration::from_secs(3600);

/// An upload that was looked at, and can be read. Pictures are read without their metadata.
#[derive(Clone)]
pub struct OpenedUpload {
    /// Names it in a run's input.
    pub id: UploadId,
    /// What it is to a person.
    pub kind: FileFamily,
    /// What is known of it.
    pub facts: UploadFacts,
    media: Media,
}

impl OpenedUpload {
    pub(super) fn new(media: Media, id: UploadId, kind: FileFamily, facts: UploadFacts) -> OpenedUpload {
        OpenedUpload { id, kind, facts, media }
    }

    /// All of it in memory; only of what is no longer than [`READ_MAX`], as every picture is.
    pub async fn bytes(&self) -> Result<Private<Bytes>, MediaError> {
        if self.facts.bytes > READ_MAX {
            return Err(MediaError::TooLong { bytes_max: READ_MAX });
        }
        Ok(Private::new(self.media.get(&self.facts.key, None).await?))
    }

    /// A part of it, of [`READ_MAX`] bytes at most.
    pub async fn read_range(&self, part: Range<u64>) -> Result<Private<Bytes>, MediaError> {
        if part.is_empty() || part.end > self.facts.bytes || part.end - part.start > READ_MAX {
            return Err(MediaError::NoSuchPart);
        }
        Ok(Private::new(self.media.get(&self.facts.key, Some(part)).await?))
    }

    /// All of it as it comes, with memory flat. Whoever reads it sets a limit to how long that may take.
    pub async fn reader(&self) -> Result<ByteStream, MediaError> {
        self.media.content(&self.facts.key, None).await
    }

    /// A link for a provider that fetches its input by itself: whoever has it can read the file until it ends, so it goes to
    /// that provider and nowhere else. At most an hour.
    pub async fn provider_link(
        &self,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Private<String>, MediaError> {
        let lifetime = lifetime.min(PROVIDER_LINK_MAX);
        let url = self.media.provider_url(&self.facts.key, self.facts.file_type, lifetime, now).await?;
        Ok(Private::new(url))
    }
}

impl fmt::Debug for OpenedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedUpload({}, {:?})", self.id, self.facts)
    }
}
