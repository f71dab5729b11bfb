//! The sound that was given: of which format it is, and how long it lasts.

use crate::sound::{Wave, WaveError};

/// What is read out of a file; the bytes decide what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) millis: u64,
    pub(super) is_silent: bool,
}

/// Names that Groq takes; the end of the file's name decides, not its content type.
const ENDINGS: [&str; 10] = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "opus", "wav", "webm"];
/// Bytes a millisecond, at the usual rates for speech: 128, 96 and 64 kbit/s.
const MP3_BYTES: u64 = 16;
const AAC_BYTES: u64 = 12;
const OPUS_BYTES: u64 = 8;

pub(super) fn has_known_ending(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// `None` for what is no sound. A WAV and a FLAC are measured, the others taken at a usual rate.
pub(super) fn read(file: &[u8]) -> Option<Sound> {
    match Wave::read(file) {
        Ok(wave) => return Some(Sound { millis: wave.millis, is_silent: wave.is_silent }),
        Err(WaveError::NoFrames) => return Some(Sound { millis: 0, is_silent: true }),
        Err(WaveError::NotWave) => {}
    }
    let size = file.len() as u64;
    let millis = match file {
        [b'f', b'L', b'a', b'C', ..] => flac_millis(file)?,
        [b'I', b'D', b'3', ..] => size / MP3_BYTES,
        [0xff, second, ..] if second & 0xe0 == 0xe0 => size / MP3_BYTES,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => size / AAC_BYTES,
        [b'O', b'g', b'g', b'S', ..] => size / OPUS_BYTES,
        // EBML, which WebM begins with.
        [0x1a, 0x45, 0xdf, 0xa3, ..] => size / OPUS_BYTES,
        _ => return None,
    };
    Some(Sound { millis, is_silent: false })
}

/// From the STREAMINFO block: 20 bits of sample rate and 36 of samples, at byte 18 (RFC 9639, 8.2).
fn flac_millis(file: &[u8]) -> Option<u64> {
    let packed = u64::from_be_bytes(file.get(18..26)?.try_into().ok()?);
    let (rate, samples) = (packed >> 44, packed & ((1 << 36) - 1));
    (samples * 1_000).checked_div(rate)
}
