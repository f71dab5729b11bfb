//! Speech that is none: a tune whose length follows from the text and whose notes follow from text, voice and seed.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderValue, header};

mod flow;
mod melody;
mod wav;

pub(crate) use flow::Accident;
pub(crate) use melody::Melody;
pub(crate) use wav::{Wave, WaveError};

use crate::ranges::{Wanted, wanted};
use crate::reply;

/// Samples a second; mono, 16 bits each.
pub(crate) const SAMPLE_RATE: u64 = 24_000;
const BYTES_PER_SAMPLE: u64 = 2;
const HUGE_CHUNK: usize = 64 * 1024;
const HUGE_CHUNKS: usize = 65 * 16;

/// How a tune goes over the wire.
pub(crate) struct Sending {
    /// The gap between two pieces of half a second.
    pub(crate) gap: Duration,
    pub(crate) accident: Accident,
    /// Whether `content-length` says beforehand how long it is.
    pub(crate) is_announced: bool,
}

impl Sending {
    /// All at once and whole.
    pub(crate) fn plain() -> Sending {
        Sending { gap: Duration::ZERO, accident: Accident::None, is_announced: true }
    }
}

/// The tune as a WAV file.
pub(crate) fn wav(melody: Melody, sending: &Sending) -> Response {
    let response = reply::with_type(200, "audio/wav", flow::body(melody, 0..melody.file_bytes(), sending));
    announced(response, melody.file_bytes(), sending)
}

/// The tune as bare samples, little endian, without a header and without its length.
pub(crate) fn pcm(melody: Melody, sending: &Sending) -> Response {
    let samples = wav::HEADER_BYTES..melody.file_bytes();
    reply::with_type(200, "audio/pcm", flow::body(melody, samples, sending))
}

/// A WAV file of 65 MiB of silence, just above what a careful reader takes.
pub(crate) fn huge(is_announced: bool) -> Response {
    let samples = HUGE_CHUNK as u64 * HUGE_CHUNKS as u64;
    let first = std::iter::once(Bytes::from(wav::header(samples).to_vec()));
    let chunks = first.chain(std::iter::repeat_n(Bytes::from(vec![0; HUGE_CHUNK]), HUGE_CHUNKS));
    let body = Body::from_stream(futures_util::stream::iter(chunks.map(Ok::<Bytes, std::io::Error>)));
    let sending = Sending { is_announced, ..Sending::plain() };
    announced(reply::with_type(200, "audio/wav", body), samples + wav::HEADER_BYTES, &sending)
}

/// The WAV file, or the part of it that a `range` header names.
pub(crate) fn wav_range(melody: Melody, range: Option<&str>) -> Response {
    let size = melody.file_bytes();
    let response = match wanted(range, size) {
        Wanted::Whole => wav(melody, &Sending::plain()),
        Wanted::Part(part) => {
            let content_range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let length = part.end - part.start;
            let body = flow::body(melody, part, &Sending::plain());
            let response = announced(reply::with_type(206, "audio/wav", body), length, &Sending::plain());
            reply::with_header(response, "content-range", &content_range)
        }
        Wanted::Nothing => {
            let response = reply::with_type(416, "text/plain; charset=utf-8", Body::empty());
            reply::with_header(response, "content-range", &format!("bytes */{size}"))
        }
    };
    reply::with_header(response, "accept-ranges", "bytes")
}

fn announced(mut response: Response, bytes: u64, sending: &Sending) -> Response {
    // A body that stops short of an announced length is a broken connection and no clean end.
    if sending.is_announced && !matches!(sending.accident, Accident::EndEarly { .. }) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    response
}
