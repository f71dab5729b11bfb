use crate::failure::{Failure, FailureClass};
use crate::wire;
use platform::Platform;
use primitives::Private;
use reqwest::header::{HeaderMap, HeaderValue, RANGE};
use std::fmt;
use std::ops::Range;
use tokio::time::Instant;
use url::Url;

/// A file that the work begins with: checked, of a known type, and to be read by a link of ours that soon ends.
#[derive(Clone)]
pub struct SourceFile {
    /// Anything that has this link can read the file: it is given to the provider that needs the file, and to no other.
    pub link: Private<Url>,
    /// As in a `content-type` header.
    pub media_type: &'static str,
    /// How its name ends, without the dot.
    pub extension: &'static str,
    pub bytes: u64,
    /// Width and height in pixels, of what has them.
    pub pixels: Option<(u32, u32)>,
}

impl SourceFile {
    /// All of it in memory, for a provider that wants it inside of its form. What is longer than `max` bytes is
    /// `bad_input`; a store that does not give it is `unavailable`, and nothing was sent to a provider.
    pub(crate) async fn read(
        &self,
        platform: &Platform,
        max: u64,
        limit: Instant,
    ) -> Result<Vec<u8>, Failure> {
        self.read_part(platform, 0..self.bytes, max, limit).await
    }

    /// A part of it in memory. `part` is not empty and lies within its bytes.
    pub(crate) async fn read_part(
        &self,
        platform: &Platform,
        part: Range<u64>,
        max: u64,
        limit: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let len = part.end.saturating_sub(part.start);
        if len > max {
            return Err(FailureClass::BadInput.into());
        }
        let mut request = wire::get(self.link.expose().clone(), &HeaderMap::new());
        let is_whole = len == self.bytes;
        if !is_whole {
            // Both ends of an HTTP range are part of it (RFC 9110 § 14.1.2).
            let range = format!("bytes={}-{}", part.start, part.end.saturating_sub(1));
            let range = HeaderValue::from_str(&range).map_err(|_| FailureClass::Unavailable)?;
            request.headers_mut().insert(RANGE, range);
        }
        let response = wire::send(platform, request, limit).await.map_err(|_| Failure::not_sent())?;
        let expected = if is_whole { 200 } else { 206 };
        if response.status().as_u16() != expected {
            return Err(Failure::not_sent());
        }
        let max = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = wire::body(response, max, limit).await.map_err(|_| Failure::not_sent())?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(Failure::not_sent()) }
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({}, {} bytes)", self.media_type, self.bytes)
    }
}
