//! Outputs on their way into the bucket: in pieces as they come, with two parts in memory at most.

use crate::file_name::file_name;
use crate::media::{NO_STORE, sha256_text};
use crate::output::{Thumbnail, expiry, output_key};
use crate::sniff::{Bounds, Facts, Flaw, Sniffer};
use crate::{FileFamily, FileType, Media, MediaError, StoredOutput, thumbnail};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use platform::with_causes;
use primitives::{AccountId, Private, Timestamp};
use ring::digest::{Context, Digest, SHA256};
use std::error::Error;
use std::pin::{Pin, pin};

/// What is sent to the bucket at once. S3 takes parts of 5 MiB and more, 10,000 of them (`docs/facts/media.md`).
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// The longest small picture that is taken as a thumbnail.
const THUMBNAIL_BYTES_MAX: usize = 1024 * 1024;

/// An output that is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewOutput<'a> {
    /// Whose it is.
    pub account: &'a AccountId,
    /// Ours, and of no other output: [`crate::output_name`].
    pub name: &'a str,
    /// The tool that made it, for the name that a browser saves it under.
    pub tool: &'a str,
    /// Which of a run's outputs it is, where there are several.
    pub n: Option<u32>,
    /// What it must be; anything else is refused.
    pub family: FileFamily,
    /// The longest it may be.
    pub bytes_max: u64,
    /// Whether a picture gets a thumbnail, as far as we can make one: of a PNG of [`PART_BYTES`] at most.
    pub with_thumbnail: bool,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Media {
    /// Stores an output as it comes: what fits into one part by one put, longer content in parts.
    ///
    /// Its type is judged by its first bytes, its hash and size are taken on the way. On an error nothing of it is kept; of
    /// a call that is dropped in its middle the bucket's own rule ends the parts after a day.
    pub async fn store_stream<E: Into<Failure>>(
        &self,
        new: &NewOutput<'_>,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        now: Timestamp,
    ) -> Result<StoredOutput, MediaError> {
        let mut content = pin!(content);
        let mut source = Source::new(content.as_mut(), new);
        let first = source.part().await?;
        let kind = source.kind()?;
        let key = output_key(new.account, new.name, kind, now);
        let mut small = None;
        if source.is_over {
            source.require_sound()?;
            small = Some(first.clone());
            self.put(&key, kind, first).await?;
        } else {
            self.put_in_parts(&key, kind, first, &mut source).await?;
        }
        let (facts, bytes, sha256) = source.finish()?;
        let mut output = StoredOutput {
            kind,
            key,
            bytes,
            sha256: sha256_text(sha256),
            expires_at: expiry(now, self.rules.output_days),
            file_name: Some(file_name(new.tool, new.n, kind, now)),
            pixels: facts.and_then(|facts| facts.pixels),
            millis: facts.and_then(|facts| facts.millis),
            thumbnail: None,
        };
        let picture = small.filter(|_| new.with_thumbnail).and_then(|bytes| thumbnail::of(kind, &bytes));
        if let Some(picture) = picture {
            output.thumbnail = self.put_thumbnail(&output, FileType::Png, picture.into()).await;
        }
        Ok(output)
    }

    /// Gives an output a small picture that its provider made, such as a video's poster. `None`, and a line in the log: it
    /// is no picture, or could not be stored; an output is whole without it.
    pub async fn store_thumbnail(
        &self,
        output: &StoredOutput,
        picture: Private<Vec<u8>>,
    ) -> Option<Thumbnail> {
        let picture = picture.into_inner();
        let facts = match crate::sniff::facts(&picture, FileFamily::Image, Bounds::OUTPUT) {
            Ok(facts) if picture.len() <= THUMBNAIL_BYTES_MAX => facts,
            outcome => {
                tracing::warn!(key = output.key, ?outcome, "a provider's thumbnail is no small picture");
                return None;
            }
        };
        self.put_thumbnail(output, facts.file_type, picture.into()).await
    }

    async fn put_thumbnail(
        &self,
        output: &StoredOutput,
        kind: FileType,
        picture: Bytes,
    ) -> Option<Thumbnail> {
        let (name, _) = output.key.rsplit_once('.')?;
        let key = format!("{name}-small.{}", kind.extension());
        match self.put(&key, kind, picture).await {
            Ok(()) => Some(Thumbnail { kind, key }),
            Err(error) => {
                tracing::warn!(key, error = %with_causes(&error), "a thumbnail could not be stored");
                None
            }
        }
    }

    async fn put_in_parts<S, E>(
        &self,
        key: &str,
        kind: FileType,
        first: Bytes,
        source: &mut Source<'_, S>,
    ) -> Result<(), MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Failure>,
    {
        let upload = Parts::begin(self, key, kind).await?;
        let done = match upload.send_all(first, source).await {
            Ok(parts) => upload.complete(parts, source.bytes).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            upload.abort().await;
        }
        done
    }
}

/// A file that is being sent in parts.
struct Parts<'a> {
    media: &'a Media,
    key: &'a str,
    id: String,
}

impl<'a> Parts<'a> {
    async fn begin(media: &'a Media, key: &'a str, kind: FileType) -> Result<Parts<'a>, MediaError> {
        let create = media.platform.s3().create_multipart_upload().bucket(media.bucket()).key(key);
        let answer = create.content_type(kind.media_type()).cache_control(NO_STORE).send().await;
        let id = answer.map_err(MediaError::unavailable)?.upload_id;
        let id = id.ok_or_else(|| MediaError::unavailable(NoAnswer("an upload's id")))?;
        Ok(Parts { media, key, id })
    }

    /// Sends a part while the next one fills.
    async fn send_all<S, E>(
        &self,
        first: Bytes,
        source: &mut Source<'_, S>,
    ) -> Result<Vec<CompletedPart>, MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Failure>,
    {
        let (mut part, mut sent) = (first, Vec::new());
        for number in 1.. {
            let (done, next) = tokio::try_join!(self.send(number, part), source.part())?;
            sent.push(done);
            part = next;
            if part.is_empty() {
                break;
            }
        }
        source.require_sound()?;
        Ok(sent)
    }

    async fn send(&self, number: i32, part: Bytes) -> Result<CompletedPart, MediaError> {
        let send = self.media.platform.s3().upload_part().bucket(self.media.bucket()).key(self.key);
        let send = send.upload_id(&self.id).part_number(number).body(ByteStream::from(part));
        let answer = send.send().await.map_err(MediaError::unavailable)?;
        let tag = answer.e_tag.ok_or_else(|| MediaError::unavailable(NoAnswer("a part's tag")))?;
        Ok(CompletedPart::builder().part_number(number).e_tag(tag).build())
    }

    /// S3 answers a repeat of the call as it did the first one, and others say that there is no such upload: then the object
    /// tells. Nothing else is ever stored under its key.
    async fn complete(&self, parts: Vec<CompletedPart>, bytes: u64) -> Result<(), MediaError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.media.platform.s3().complete_multipart_upload().bucket(self.media.bucket());
        let answer = complete.key(self.key).upload_id(&self.id).multipart_upload(parts).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(_) if self.is_there(bytes).await => Ok(()),
            Err(error) => Err(MediaError::unavailable(error)),
        }
    }

    async fn is_there(&self, bytes: u64) -> bool {
        let head = self.media.platform.s3().head_object().bucket(self.media.bucket()).key(self.key);
        let length = head.send().await.ok().and_then(|answer| answer.content_length);
        length.and_then(|length| u64::try_from(length).ok()) == Some(bytes)
    }

    async fn abort(&self) {
        let abort = self.media.platform.s3().abort_multipart_upload().bucket(self.media.bucket());
        if let Err(error) = abort.key(self.key).upload_id(&self.id).send().await {
            // The bucket's rule ends it within a day.
            tracing::warn!(key = self.key, error = %with_causes(&error), "parts of a file could not be given up");
        }
    }
}

/// S3 said yes and left out what the yes is about.
#[derive(Debug, thiserror::Error)]
#[error("the media store's answer lacks {0}")]
struct NoAnswer(&'static str);

/// The content, in parts, and what was seen of it.
struct Source<'a, S> {
    stream: Pin<&'a mut S>,
    /// What of the last piece did not fit into its part.
    left: Bytes,
    expected: FileFamily,
    sniffer: Sniffer,
    kind: Option<FileType>,
    hash: Context,
    bytes: u64,
    bytes_max: u64,
    is_over: bool,
}

impl<'a, S, E> Source<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Failure>,
{
    fn new(stream: Pin<&'a mut S>, new: &NewOutput<'_>) -> Source<'a, S> {
        Source {
            stream,
            left: Bytes::new(),
            expected: new.family,
            sniffer: Sniffer::new(new.family, Bounds::OUTPUT),
            kind: None,
            hash: Context::new(&SHA256),
            bytes: 0,
            bytes_max: new.bytes_max,
            is_over: false,
        }
    }

    /// The next [`PART_BYTES`], fewer at the end, and none after it.
    async fn part(&mut self) -> Result<Bytes, MediaError> {
        let mut part = Vec::new();
        while part.len() < PART_BYTES {
            if self.left.is_empty() {
                let Some(piece) = self.stream.next().await else {
                    self.is_over = true;
                    break;
                };
                self.left = piece.map_err(|error| MediaError::BrokeOff(error.into()))?;
                self.see()?;
            }
            let fitting = self.left.len().min(PART_BYTES - part.len());
            part.extend_from_slice(&self.left.split_to(fitting));
        }
        Ok(part.into())
    }

    /// Looks at a piece that has just come.
    fn see(&mut self) -> Result<(), MediaError> {
        self.bytes += self.left.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(MediaError::TooLong { bytes_max: self.bytes_max });
        }
        self.hash.update(&self.left);
        self.sniffer.feed(&self.left);
        self.know_type()
    }

    fn know_type(&mut self) -> Result<(), MediaError> {
        match self.sniffer.file_type() {
            Some(Ok(kind)) => self.kind = Some(named(kind, self.expected)),
            Some(Err(flaw)) => self.refuse(flaw)?,
            None => {}
        }
        Ok(())
    }

    fn refuse(&self, flaw: Flaw) -> Result<(), MediaError> {
        let is_final = self.kind.is_none() || is_grave(self.expected, flaw);
        if is_final { Err(MediaError::Unfit { expected: self.expected, flaw }) } else { Ok(()) }
    }

    /// The type by the first bytes, of which there may be no more.
    fn kind(&mut self) -> Result<FileType, MediaError> {
        if self.bytes == 0 {
            return Err(MediaError::Empty);
        }
        self.sniffer.end_head();
        self.know_type()?;
        let flaw = Flaw::Unknown;
        self.kind.ok_or(MediaError::Unfit { expected: self.expected, flaw })
    }

    /// After its last byte: whether it is whole, before it is kept.
    fn require_sound(&mut self) -> Result<(), MediaError> {
        match self.end_of_file() {
            Ok(_) => Ok(()),
            Err(flaw) => self.refuse(flaw),
        }
    }

    fn end_of_file(&mut self) -> Result<Facts, Flaw> {
        self.sniffer.end()
    }

    fn finish(mut self) -> Result<(Option<Facts>, u64, Digest), MediaError> {
        let facts = match self.end_of_file() {
            Ok(facts) => Some(facts),
            Err(flaw) => {
                tracing::warn!(%flaw, "an output is stored that we can't read to its end");
                None
            }
        };
        Ok((facts, self.bytes, self.hash.finish()))
    }
}

/// A container that should be a sound is one by its name, too.
fn named(kind: FileType, expected: FileFamily) -> FileType {
    if expected == FileFamily::Audio { kind.without_picture() } else { kind }
}

/// Whether an output with this flaw is worth nothing. Of sounds and videos we know the containers and not every habit of
/// those who write them: what a player may well play is not thrown away, because it is paid.
fn is_grave(family: FileFamily, flaw: Flaw) -> bool {
    match family {
        FileFamily::Audio | FileFamily::Video => !matches!(flaw, Flaw::Damaged(_) | Flaw::Unfit(_)),
        FileFamily::Image | FileFamily::Text | FileFamily::Table | FileFamily::Subtitles => true,
    }
}
