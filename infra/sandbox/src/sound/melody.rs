//! The tune itself: every sample is computed from its place alone, so that any byte of a file can be had by itself.

use std::ops::Range;

use super::wav::{HEADER_BYTES, header};
use super::{BYTES_PER_SAMPLE, SAMPLE_RATE};
use crate::ids;

const CHARS_PER_SECOND: u64 = 15;
const MILLIS_MIN: u64 = 300;
/// A quarter of a second.
const NOTE_SAMPLES: u64 = SAMPLE_RATE / 4;
const ATTACK_SAMPLES: u64 = SAMPLE_RATE / 100;
const AMPLITUDE: i64 = 9_000;
const FULL_TURN: u64 = 1 << 16;
const HALF_TURN: i64 = 1 << 15;
/// Pentatonic, D5 to D6, in hertz: high enough that the waves cross zero as often as in speech.
const SCALE: [u64; 6] = [587, 659, 784, 880, 988, 1_175];
/// What OmniVoice gives when it fails: loud and steady, and nothing a voice could be.
const DRONE_HERTZ: u64 = 45;

/// A tune; equal tunes have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Melody {
    pub(crate) seed: u64,
    pub(crate) millis: u64,
    pub(crate) is_drone: bool,
}

impl Melody {
    /// The text at a speed of `speed_milli` thousandths: 15 characters a second at 1 000.
    pub(crate) fn of(text: &str, voice: &str, seed: u64, speed_milli: u64) -> Melody {
        let chars = text.chars().count() as u64;
        let millis = chars.saturating_mul(1_000_000) / CHARS_PER_SECOND / speed_milli.max(1);
        let seed = ids::hash(&format!("{text}\u{0}{voice}\u{0}{seed}"));
        Melody { seed, millis: millis.max(MILLIS_MIN), is_drone: false }
    }

    /// The size of the WAV file, header included.
    pub(crate) fn file_bytes(self) -> u64 {
        HEADER_BYTES + self.samples() * BYTES_PER_SAMPLE
    }

    /// Bytes `range` of the WAV file.
    pub(crate) fn file(self, range: Range<u64>) -> Vec<u8> {
        let header = header(self.samples() * BYTES_PER_SAMPLE);
        let end = range.end.min(self.file_bytes());
        let mut bytes: Vec<u8> =
            (range.start..end.min(HEADER_BYTES)).map(|at| header[usize::try_from(at).unwrap_or(0)]).collect();
        let from = range.start.max(HEADER_BYTES);
        if from < end {
            let (first, last) = (from - HEADER_BYTES, end - HEADER_BYTES);
            let samples = first / BYTES_PER_SAMPLE..last.div_ceil(BYTES_PER_SAMPLE);
            let cut = samples.flat_map(|place| self.sample(place).to_le_bytes());
            let skipped = usize::from(first % BYTES_PER_SAMPLE == 1);
            bytes.extend(cut.skip(skipped).take(usize::try_from(last - first).unwrap_or(0)));
        }
        bytes
    }

    fn samples(self) -> u64 {
        self.millis * SAMPLE_RATE / 1_000
    }

    fn sample(self, place: u64) -> i16 {
        let (note, within) = (place / NOTE_SAMPLES, place % NOTE_SAMPLES);
        let (hertz, amplitude, time) = if self.is_drone {
            (DRONE_HERTZ, AMPLITUDE, place)
        } else {
            (self.note(note), AMPLITUDE * level(within) / 1_000, within)
        };
        let turn = time * hertz * FULL_TURN / SAMPLE_RATE % FULL_TURN;
        i16::try_from(wave(turn.cast_signed(), amplitude)).unwrap_or(0)
    }

    fn note(self, place: u64) -> u64 {
        let mixed =
            (self.seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        SCALE[usize::try_from((mixed >> 33) % SCALE.len() as u64).unwrap_or(0)]
    }
}

/// How loud a note is, in thousandths: up at once, then down to nothing, so that notes do not click.
fn level(within: u64) -> i64 {
    let level = if within < ATTACK_SAMPLES {
        within * 1_000 / ATTACK_SAMPLES
    } else {
        (NOTE_SAMPLES - within) * 1_000 / (NOTE_SAMPLES - ATTACK_SAMPLES)
    };
    level.cast_signed()
}

/// A sine of a full turn of 65 536, after Bhaskara I: 16x(h-x) / (5h² - 4x(h-x)) over half a turn h.
fn wave(turn: i64, amplitude: i64) -> i64 {
    let within = turn % HALF_TURN;
    let hump = within * (HALF_TURN - within);
    let height = amplitude * 16 * hump / (5 * HALF_TURN * HALF_TURN - 4 * hump);
    if turn < HALF_TURN { height } else { -height }
}
