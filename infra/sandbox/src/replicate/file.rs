//! Output files: the name says which tune they hold, so that an address outlives the process, and until when they do.

use axum::response::Response;

use super::prediction::KEPT_SECONDS;
use super::refusal;
use crate::picture::Serving;
use crate::sound::{self, Melody, Sending};
use crate::{World, ids, reply};

/// Just above 64 MiB.
const HUGE_MILLIS: u64 = 1_420_000;

/// `<seed>-<milliseconds>-<behaviour>-<finished at>-<unique>.wav`
pub(super) fn name(melody: Melody, serving: Serving, now: u64) -> String {
    let behaviour = match serving {
        Serving::Honest => "a",
        Serving::Html => "h",
        Serving::Huge => "l",
        Serving::HugeUnannounced => "u",
    };
    ids::tagged(&format!("{:x}-{}-{behaviour}-{now}-", melody.seed, melody.millis)) + ".wav"
}

/// Public, as Replicate's are.
pub(super) fn serve(world: &World, name: &str, range: Option<&str>) -> Response {
    let Some((melody, behaviour, finished_at)) = read(name) else { return refusal(404) };
    if world.now() >= finished_at.saturating_add(KEPT_SECONDS) {
        return refusal(404);
    }
    let huge = Melody { millis: HUGE_MILLIS, ..melody };
    match behaviour {
        "a" => sound::wav_range(melody, range),
        "h" => reply::html(200, "<!doctype html><title>Not found</title><h1>File expired</h1>"),
        "l" => sound::wav(huge, &Sending::plain()),
        "u" => sound::wav(huge, &Sending { is_announced: false, ..Sending::plain() }),
        _ => refusal(404),
    }
}

fn read(name: &str) -> Option<(Melody, &str, u64)> {
    let mut parts = name.strip_suffix(".wav")?.split('-');
    let seed = u64::from_str_radix(parts.next()?, 16).ok()?;
    let millis = parts.next()?.parse().ok().filter(|millis| *millis <= HUGE_MILLIS)?;
    let behaviour = parts.next()?;
    let finished_at = parts.next()?.parse().ok()?;
    Some((Melody { seed, millis, is_drone: false }, behaviour, finished_at))
}
