//! A body as a sequence of bytes, pauses and at most one accident.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;

use crate::reply;

/// Writes without a pause between them leave as one chunk, which keeps the unpaced path cheap.
pub(crate) struct Script {
    steps: Vec<Step>,
    open: Vec<u8>,
    gap: Duration,
    wide_frames: usize,
}

enum Step {
    Send(Bytes),
    Wait(Duration),
    Abort,
}

impl Script {
    /// `gap_ms` passes after every frame; 0 sends all frames at once.
    pub(crate) fn new(gap_ms: u64) -> Script {
        Script { steps: Vec::new(), open: Vec::new(), gap: Duration::from_millis(gap_ms), wide_frames: 0 }
    }

    /// Writes a frame and waits the gap. In a paced script every second frame that holds a character of
    /// several bytes is cut inside it: chunk boundaries know nothing of characters.
    pub(crate) fn frame(&mut self, text: &str) {
        match text.bytes().position(|byte| byte >= 0x80) {
            Some(at) if !self.gap.is_zero() => self.wide_frame(text.as_bytes(), at),
            _ => self.write(text.as_bytes()),
        }
        self.pause(self.gap);
    }

    fn wide_frame(&mut self, text: &[u8], at: usize) {
        self.wide_frames += 1;
        if self.wide_frames.is_multiple_of(2) {
            return self.write(text);
        }
        self.write(&text[..=at]);
        self.pause(Duration::from_millis(1));
        self.write(&text[at + 1..]);
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
    }

    pub(crate) fn pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            self.seal();
            self.steps.push(Step::Wait(pause));
        }
    }

    /// What was written arrives; then the body fails and the server cuts the connection.
    pub(crate) fn abort(&mut self) {
        self.seal();
        self.steps.push(Step::Abort);
    }

    pub(crate) fn into_response(mut self, content_type: &'static str) -> Response {
        self.seal();
        reply::with_type(200, content_type, Body::from_stream(play(self.steps)))
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.steps.push(Step::Send(Bytes::from(std::mem::take(&mut self.open))));
        }
    }
}

fn play(steps: Vec<Step>) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Send(bytes) => return Some((Ok(bytes), steps)),
                Step::Wait(pause) => tokio::time::sleep(pause).await,
                Step::Abort => {
                    // One turn of "pending" lets the server flush what came before the accident.
                    tokio::task::yield_now().await;
                    return Some((reply::aborted(), steps));
                }
            }
        }
    })
}
