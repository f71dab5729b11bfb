//! What a provider made, in one shape for all providers.

use crate::Artifact;
use crate::failure::{Failure, FailureClass};
use crate::wire;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use platform::Platform;
use primitives::{Private, times};
use reqwest::header::{HeaderMap, HeaderValue, RANGE};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value};
use std::fmt;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// One thing that a provider made.
#[derive(Debug)]
pub enum Made {
    /// A whole picture, whose bytes were checked.
    Picture(Artifact),
    /// A file that comes in pieces. Its content is not checked here.
    File(MadeFile),
    /// What was said, with its times.
    Transcript(Transcript),
    /// Rows of a table, each as the provider gave it.
    Rows(Vec<Map<String, Value>>),
}

/// A file at a provider, or already here, that is passed on as it comes.
pub struct MadeFile {
    content: Content,
    /// A small picture that stands for it, where the provider made one.
    pub poster: Option<Artifact>,
}

enum Content {
    Here(Private<Bytes>),
    There { platform: Platform, url: Url, headers: HeaderMap },
}

/// What was said, piece by piece.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcript {
    /// ISO 639-1, or what the provider calls it; absent: not told.
    pub language: Option<String>,
    pub segments: Vec<Segment>,
}

/// A piece of what was said. Times are milliseconds from the beginning.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    pub start: u64,
    /// Not before `start`.
    pub end: u64,
    pub text: String,
}

/// Why a file's content did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenOff {
    /// The file may be readable in a moment.
    #[error("a provider's file broke off")]
    ForNow,
    /// The provider has deleted the file, or its address redirects, which we do not follow.
    #[error("a provider's file is not to be had")]
    ForGood,
}

impl MadeFile {
    /// What came inside of the provider's answer.
    pub(crate) fn here(bytes: impl Into<Bytes>) -> MadeFile {
        MadeFile { content: Content::Here(Private::new(bytes.into())), poster: None }
    }

    /// At an address that was checked. Redirects are not followed.
    pub(crate) fn there(platform: &Platform, url: Url, headers: HeaderMap) -> MadeFile {
        MadeFile { content: Content::There { platform: platform.clone(), url, headers }, poster: None }
    }

    /// From its beginning. It is paid, so it may be asked for again. All of it must be over at `limit`, and it never stands
    /// still for longer than half a minute.
    pub async fn open(
        &self,
        limit: Instant,
    ) -> Result<BoxStream<'static, Result<Bytes, BrokenOff>>, BrokenOff> {
        let (platform, url, headers) = match &self.content {
            Content::Here(bytes) => {
                let bytes = bytes.expose().clone();
                return Ok(stream::once(async move { Ok(bytes) }).boxed());
            }
            Content::There { platform, url, headers } => (platform.clone(), url.clone(), headers.clone()),
        };
        let mut passage = Passage { platform, url, headers, limit, received: 0, resumed: 0, answer: None };
        passage.answer = Some(passage.ask().await?);
        let pieces = stream::unfold(Some(passage), |passage| async move {
            let mut passage = passage?;
            match passage.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(passage))),
                Ok(None) => None,
                Err(broken) => Some((Err(broken), None)),
            }
        });
        Ok(pieces.fuse().boxed())
    }
}

/// How often a file that breaks off is asked for again, from the first byte that has not come.
const RESUMED_MAX: u32 = 3;

/// A file on its way to us.
struct Passage {
    platform: Platform,
    url: Url,
    headers: HeaderMap,
    limit: Instant,
    received: u64,
    resumed: u32,
    answer: Option<Response>,
}

impl Passage {
    /// Asks for what has not come yet.
    async fn ask(&self) -> Result<Response, BrokenOff> {
        let mut request = wire::get(self.url.clone(), &self.headers);
        let wanted = match self.received {
            0 => StatusCode::OK,
            received => {
                let range = HeaderValue::from_str(&format!("bytes={received}-"));
                request.headers_mut().insert(RANGE, range.map_err(|_| BrokenOff::ForNow)?);
                StatusCode::PARTIAL_CONTENT
            }
        };
        let head = self.limit.min(Instant::now() + times::FILE_GAP.limit);
        let answer = wire::send(&self.platform, request, head).await.map_err(|_| BrokenOff::ForNow)?;
        match answer.status() {
            status if status == wanted => Ok(answer),
            // Redirects are not followed: the address was checked, the next one would not be.
            status if status.is_redirection() || status == StatusCode::GONE => Err(BrokenOff::ForGood),
            _ => Err(BrokenOff::ForNow),
        }
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        loop {
            let until = self.limit.min(Instant::now() + times::FILE_GAP.limit);
            let answer = self.answer.as_mut().ok_or(BrokenOff::ForNow)?;
            match timeout_at(until, answer.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    self.received += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(_)) | Err(_) if self.resumed < RESUMED_MAX && self.received > 0 => {
                    self.resumed += 1;
                    self.answer = Some(self.ask().await?);
                }
                Ok(Err(_)) | Err(_) => return Err(BrokenOff::ForNow),
            }
        }
    }
}

impl Transcript {
    /// Pieces in order, without blank ones. `empty_answer` when nothing is left.
    pub(crate) fn of(language: Option<String>, segments: Vec<Segment>) -> Result<Transcript, Failure> {
        let mut segments: Vec<Segment> = segments
            .into_iter()
            .filter(|segment| !primitives::is_blank(&segment.text))
            .map(|segment| Segment {
                end: segment.end.max(segment.start),
                text: segment.text.trim().to_owned(),
                ..segment
            })
            .collect();
        segments.sort_by_key(|segment| segment.start);
        match segments.is_empty() {
            true => Err(FailureClass::EmptyAnswer.into()),
            false => Ok(Transcript { language, segments }),
        }
    }
}

/// The longest that a provider's text of seconds such as `12.44` may be.
const SECONDS_MAX: u64 = 48 * 3600;

/// Milliseconds of a number or text of seconds, as providers give them; absent when it is none, negative, or absurd.
pub(crate) fn millis_of(seconds: &Value) -> Option<u64> {
    let text = match seconds {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|seconds| *seconds <= SECONDS_MAX)?;
    let millis: u64 = format!("{part:0<3}").chars().take(3).collect::<String>().parse().ok()?;
    Some(whole * 1_000 + millis)
}

impl fmt::Debug for MadeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeFile")
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcript({} pieces)", self.segments.len())
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({}..{})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn seconds_are_read_from_numbers_and_texts_and_nothing_else() {
        let table = [
            (json!(12.44), Some(12_440)),
            (json!("12.44"), Some(12_440)),
            (json!(0), Some(0)),
            (json!("3.16000004"), Some(3_160)),
            (json!(-1), None),
            (json!("1e3"), None),
            (json!(null), None),
            (json!("soon"), None),
            (json!(9_999_999), None),
        ];
        for (seconds, millis) in table {
            assert_eq!(millis_of(&seconds), millis, "{seconds}");
        }
    }

    #[test]
    fn a_transcript_is_in_order_and_has_no_blank_piece() {
        let piece = |start, end, text: &str| Segment { start, end, text: text.to_owned() };
        let pieces = vec![piece(5, 3, " b "), piece(0, 2, "a"), piece(1, 2, " \n")];
        let transcript = Transcript::of(None, pieces).unwrap();
        assert_eq!(transcript.segments, [piece(0, 2, "a"), piece(5, 5, "b")]);
        assert!(Transcript::of(None, vec![piece(0, 1, " ")]).is_err());
    }
}
