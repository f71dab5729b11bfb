//! Real MP4 files: a square sun wanders over a striped sky, in colours that follow from the prompt.
//!
//! The pictures are H.264 written bit by bit (`h264`), the file around them is in `mp4`. Both follow from a few numbers, so
//! a file needs no codec, no stored sample and no network, and its address outlives the process.

use axum::body::Bytes;

use crate::content::Content;
use crate::picture::palette_of;

mod bits;
mod colour;
mod h264;
mod mp4;

/// Parts of a second that the files count in. 24, 25 and 30 pictures a second are whole numbers of it.
pub(crate) const TICKS_PER_SECOND: u32 = 12_000;
/// Generators work at this rate unless told otherwise.
pub(crate) const USUAL_FRAME_TICKS: u32 = TICKS_PER_SECOND / 24;
/// The last picture of a video from fal stands this much longer: 0.008 s.
pub(crate) const TAIL_TICKS: u32 = TICKS_PER_SECOND / 125;
/// As wide as anybody's screen.
pub(crate) const SIDE_MAX: u32 = 4_096;
/// Two and a half minutes at 24 pictures a second.
pub(crate) const FRAMES_MAX: u32 = 3_600;
/// Above this a box of the file would need sizes of 64 bits.
pub(crate) const MEBIBYTES_MAX: u32 = 4_000;

/// A video to be made; equal videos have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Video {
    /// Pixels, even.
    pub(crate) width: u32,
    /// Pixels, even.
    pub(crate) height: u32,
    /// Pictures, at least one.
    pub(crate) frames: u32,
    /// How long each is shown, in ticks.
    pub(crate) frame_ticks: u32,
    /// How much longer the last one is shown, in ticks.
    pub(crate) tail_ticks: u32,
    /// Which of the palettes of pictures it has.
    pub(crate) palette: u8,
}

impl Video {
    /// A video of the nearest size and length that can be made. Sides are rounded down to even numbers.
    pub(crate) fn of(prompt: &str, seed: u64, width: u32, height: u32) -> Video {
        Video {
            width: even(width),
            height: even(height),
            frames: 1,
            frame_ticks: USUAL_FRAME_TICKS,
            tail_ticks: 0,
            palette: palette_of(prompt, seed),
        }
    }

    /// As fal's models make it: this many seconds and 0.008 more.
    pub(crate) fn lasting(self, seconds: u32) -> Video {
        let frames = (seconds * (TICKS_PER_SECOND / USUAL_FRAME_TICKS)).clamp(1, FRAMES_MAX);
        Video { frames, tail_ticks: TAIL_TICKS, ..self }
    }

    /// As ComfyUI makes it: this many pictures, each shown for this many ticks.
    pub(crate) fn of_frames(self, frames: u32, frame_ticks: u32) -> Video {
        let frame_ticks = frame_ticks.clamp(1, 60 * TICKS_PER_SECOND);
        Video { frames: frames.clamp(1, FRAMES_MAX), frame_ticks, ..self }
    }

    /// Its length in seconds with three digits behind the point, e.g. `5.008`.
    pub(crate) fn seconds(self) -> String {
        let ticks = u64::from(self.frames) * u64::from(self.frame_ticks) + u64::from(self.tail_ticks);
        let milliseconds = ticks * 1_000 / u64::from(TICKS_PER_SECOND);
        format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
    }

    /// The file. `mebibytes` is the size it is filled up to with an empty box; one that is larger already is not filled up.
    pub(crate) fn file(self, mebibytes: Option<u32>) -> Content {
        let file = mp4::File::of(self);
        let wanted = u64::from(mebibytes.unwrap_or(0).min(MEBIBYTES_MAX)) << 20;
        let padding =
            Some(wanted.saturating_sub(file.len())).filter(|bytes| *bytes >= mp4::BOX_HEADER).unwrap_or(0);
        let mut content = Content::default();
        content.bytes(Bytes::from(file.before_padding(padding)));
        content.zeros(padding.saturating_sub(mp4::BOX_HEADER));
        content.bytes(Bytes::from(file.after_padding()));
        content
    }
}

fn even(side: u32) -> u32 {
    side.clamp(2, SIDE_MAX) & !1
}
