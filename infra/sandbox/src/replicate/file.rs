//! Output files: the name says which tune they hold, so that an address outlives the process, and until when they do.

use axum::response::Response;

use super::prediction::KEPT_SECONDS;
use super::refusal;
use crate::media::Serving;
use crate::sound::{self, Melody};
use crate::{World, ids, reply};

/// A day of speech: more than any text makes.
const MILLIS_MAX: u64 = 86_400_000;

/// `<seed>-<milliseconds>-<behaviour>-<finished at>-<unique>.wav`
pub(super) fn name(melody: Melody, serving: Serving, now: u64) -> String {
    let behaviour = match serving {
        Serving::Honest => "a",
        Serving::Html => "h",
        Serving::Huge => "l",
        Serving::HugeUnannounced => "u",
        // Of videos alone: Replicate offers neither of the two.
        Serving::Large { .. } | Serving::Cut => "a",
    };
    ids::tagged(&format!("{:x}-{}-{behaviour}-{now}-", melody.seed, melody.millis)) + ".wav"
}

/// Public, as Replicate's are.
pub(super) fn serve(world: &World, name: &str, range: Option<&str>) -> Response {
    let Some((melody, behaviour, finished_at)) = read(name) else { return refusal(404) };
    if world.now() >= finished_at.saturating_add(KEPT_SECONDS) {
        return refusal(404);
    }
    match behaviour {
        "a" => sound::wav_range(melody, range),
        "h" => reply::html(200, "<!doctype html><title>Not found</title><h1>File expired</h1>"),
        "l" => sound::huge(true),
        "u" => sound::huge(false),
        _ => refusal(404),
    }
}

fn read(name: &str) -> Option<(Melody, &str, u64)> {
    let mut parts = name.strip_suffix(".wav")?.split('-');
    let seed = u64::from_str_radix(parts.next()?, 16).ok()?;
    let millis = parts.next()?.parse().ok().filter(|millis| *millis <= MILLIS_MAX)?;
    let behaviour = parts.next()?;
    let finished_at = parts.next()?.parse().ok()?;
    Some((Melody { seed, millis, is_drone: false }, behaviour, finished_at))
}
