//! Plays the frames of a streamed answer, with the accident that was ordered.

use std::time::Duration;

use axum::response::Response;

use crate::Fault;
use crate::script::Script;

/// A streamed answer in the vendor's own frames.
pub(crate) struct Frames {
    pub(crate) open: String,
    pub(crate) reasoning: Vec<String>,
    pub(crate) content: Vec<String>,
    /// The end of the content and the usage.
    pub(crate) finish: String,
    /// The usage once more, for `duplicate`.
    pub(crate) usage_again: String,
    pub(crate) end: String,
    /// What an error inside the stream looks like.
    pub(crate) error: String,
}

pub(crate) fn play(frames: &Frames, fault: Option<&Fault>, pace_ms: u64) -> Response {
    let mut script = Script::new(pace_ms);
    run(&mut script, frames, fault);
    script.into_response("text/event-stream; charset=utf-8")
}

fn run(script: &mut Script, frames: &Frames, fault: Option<&Fault>) {
    if fault == Some(&Fault::WrongShape) {
        script.frame(&format!("data: {}\n\n", crate::door::wrong_shape()));
        return script.frame(&frames.end);
    }
    script.frame(&frames.open);
    for frame in &frames.reasoning {
        script.frame(frame);
    }
    for played in 0..=frames.content.len() {
        if ends_here(script, frames, fault, played) {
            return;
        }
        if let Some(frame) = frames.content.get(played) {
            script.frame(frame);
        }
    }
    script.write(frames.finish.as_bytes());
    if fault == Some(&Fault::Duplicate) {
        script.write(frames.usage_again.as_bytes());
    }
    script.write(frames.end.as_bytes());
}

/// The accident due after that many content pieces, if any; true when nothing follows it.
/// One ordered for later than the last piece happens after the last piece.
fn ends_here(script: &mut Script, frames: &Frames, fault: Option<&Fault>, played: usize) -> bool {
    let is_now = |after: &usize| *after.min(&frames.content.len()) == played;
    match fault {
        Some(Fault::CutStream { after }) if is_now(after) => {
            script.abort();
            true
        }
        Some(Fault::EndEarly { after }) if is_now(after) => true,
        Some(Fault::ErrorFrame { after }) if is_now(after) => {
            script.write(frames.error.as_bytes());
            true
        }
        Some(Fault::Stall { ms, after }) if is_now(after) => {
            script.pause(Duration::from_millis(*ms));
            false
        }
        _ => false,
    }
}
