//! Files at the vendors' addresses: what they hold, how their addresses behave, and parts of them.

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderValue, Method, header};

use crate::call::Call;
use crate::content::Content;
use crate::picture::Picture;
use crate::video::Video;
use crate::{Fault, World, ids, reply};

const HUGE_CHUNK: usize = 64 * 1024;
/// 65 MiB, just above what a careful reader of pictures takes.
const HUGE_CHUNKS: usize = 65 * 16;
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const MP4_SIGNATURE: &[u8] = b"\0\0\0\x18ftypisom";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Picture(Picture),
    Video(Video),
}

/// How a file's address behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    Honest,
    Html,
    Huge,
    HugeUnannounced,
    /// A video that is filled up to so many MiB; a picture stays as it is.
    Large {
        mebibytes: u32,
    },
    /// An answer from the file's beginning breaks off in the middle; one with a later part is whole.
    Cut,
}

impl Serving {
    pub(crate) fn after(fault: Option<&Fault>) -> Serving {
        match fault {
            Some(Fault::NotAnImage) => Serving::Html,
            Some(Fault::Huge { announced: true }) => Serving::Huge,
            Some(Fault::Huge { announced: false }) => Serving::HugeUnannounced,
            Some(Fault::Large { mb }) => Serving::Large { mebibytes: *mb },
            Some(Fault::CutFile) => Serving::Cut,
            _ => Serving::Honest,
        }
    }
}

impl Media {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Media::Picture(_) => "image/png",
            Media::Video(_) => "video/mp4",
        }
    }

    /// The file's bytes, as an address that behaves so hands them out.
    pub(crate) fn content(self, world: &World, serving: Serving) -> Content {
        match (self, serving) {
            (Media::Picture(picture), _) => world.pictures.bytes(picture).into(),
            (Media::Video(video), Serving::Large { mebibytes }) => video.file(Some(mebibytes)),
            (Media::Video(video), _) => video.file(None),
        }
    }

    /// The answer of the file's address.
    pub(crate) fn serve(self, world: &World, serving: Serving, call: &Call) -> Response {
        match serving {
            Serving::Html => reply::html(200, "<!doctype html><title>Not found</title><h1>File expired</h1>"),
            Serving::Huge => self.huge(true),
            Serving::HugeUnannounced => self.huge(false),
            Serving::Honest | Serving::Large { .. } | Serving::Cut => {
                let tag = format!("\"{:016x}\"", ids::hash(&format!("{self:?} {serving:?}")));
                let content = self.content(world, serving);
                in_parts(call, self.content_type(), &content, &tag, serving == Serving::Cut)
            }
        }
    }

    /// A body that starts like the file and does not end before 65 MiB.
    fn huge(self, announced: bool) -> Response {
        let signature = match self {
            Media::Picture(_) => PNG_SIGNATURE,
            Media::Video(_) => MP4_SIGNATURE,
        };
        let mut first = vec![0; HUGE_CHUNK];
        first[..signature.len()].copy_from_slice(signature);
        let chunks = std::iter::once(Bytes::from(first))
            .chain(std::iter::repeat_n(Bytes::from(vec![0; HUGE_CHUNK]), HUGE_CHUNKS - 1));
        let body = Body::from_stream(futures_util::stream::iter(chunks.map(Ok::<Bytes, std::io::Error>)));
        let mut response = reply::with_type(200, self.content_type(), body);
        if announced {
            let length = HeaderValue::from(HUGE_CHUNK * HUGE_CHUNKS);
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        response
    }
}

/// A file, or the part of it that the call asks for (RFC 9110, 14). `tag` names this very content.
pub(crate) fn in_parts(
    call: &Call,
    content_type: &'static str,
    content: &Content,
    tag: &str,
    is_cut: bool,
) -> Response {
    let length = content.len();
    let (status, range) = match asked_range(call, length, tag) {
        Asked::Whole => (200, 0..length),
        Asked::Part(range) => (206, range),
        Asked::Nothing => {
            let refusal = reply::with_type(416, content_type, Body::empty());
            return reply::with_header(refusal, "content-range", &format!("bytes */{length}"));
        }
    };
    let part = content.within(&range);
    let body = match call.method {
        Method::HEAD => Body::empty(),
        _ if is_cut && range.start == 0 => cut(content.within(&(0..range.end / 2))),
        _ => part.into_body(),
    };
    let mut response = reply::with_type(status, content_type, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response = reply::with_header(response, "etag", tag);
    if status == 206 {
        let told = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
        response = reply::with_header(response, "content-range", &told);
    }
    response
}

/// The bytes, and then the connection breaks.
fn cut(content: Content) -> Body {
    let pieces = futures_util::stream::iter(content.pieces().map(Ok::<Bytes, std::io::Error>));
    Body::from_stream(pieces.chain(futures_util::stream::once(async {
        // One turn of "pending" lets the server flush what came before.
        tokio::task::yield_now().await;
        reply::aborted()
    })))
}

enum Asked {
    Whole,
    Part(Range<u64>),
    /// The part lies outside the file.
    Nothing,
}

/// Several parts at once, other units and unreadable ranges get the whole file, as a server may do.
fn asked_range(call: &Call, length: u64, tag: &str) -> Asked {
    let is_stale = call.header("if-range").is_some_and(|known| known != tag);
    let Some(range) = call.header("range").filter(|_| !is_stale) else { return Asked::Whole };
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Asked::Whole;
    };
    let (from, to) = match (from.parse::<u64>().ok(), to.parse::<u64>().ok()) {
        (Some(from), Some(to)) if from <= to => (from, to.saturating_add(1).min(length)),
        (Some(from), None) if to.is_empty() => (from, length),
        (None, Some(last)) if from.is_empty() => (length.saturating_sub(last), length),
        _ => return Asked::Whole,
    };
    if from < to { Asked::Part(from..to) } else { Asked::Nothing }
}
