//! Long recordings cut into parts that are files of their own, where their format allows it, without decoding them.
//!
//! A window of the file comes in, a part of it goes out; the next window begins where the part has ended.

mod flac;
mod mpeg;
mod ogg;
mod wave;

use flac::Flac;
use mpeg::Mpeg;
use ogg::Ogg;
use std::ops::Range;
use wave::Wave;

/// How a file of one format is cut.
pub(super) enum Cutter {
    Wave(Wave),
    Mpeg(Mpeg),
    Flac(Box<Flac>),
    Ogg(Ogg),
}

/// A file that can be cut.
pub(super) struct Begun {
    pub(super) cutter: Cutter,
    /// Where in the file its sound is.
    pub(super) sound: Range<u64>,
}

/// A part of a recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What makes a file of it: comes before the sound.
    pub(super) head: Vec<u8>,
    /// Of the window.
    pub(super) sound: Range<usize>,
    /// How much of the window is done with; 1 or more.
    pub(super) taken: usize,
    pub(super) is_last: bool,
}

/// Whether files whose names end so can be cut.
pub(super) fn can_cut(ending: &str) -> bool {
    matches!(ending, "wav" | "mp3" | "flac" | "ogg" | "opus")
}

impl Cutter {
    /// From the beginning of a file of `bytes` bytes. `None`: it is not what its name says, or its sound begins behind the
    /// window.
    pub(super) fn begin(ending: &str, window: &[u8], bytes: u64) -> Option<Begun> {
        let (cutter, begins, end) = match ending {
            "wav" => wave::begin(window, bytes).map(|(wave, at)| {
                let end = at as u64 + wave.bytes_left();
                (Cutter::Wave(wave), at, end)
            }),
            "mp3" => mpeg::begin(window).map(|(mpeg, at)| (Cutter::Mpeg(mpeg), at, bytes)),
            "flac" => flac::begin(window).map(|(flac, at)| (Cutter::Flac(Box::new(flac)), at, bytes)),
            "ogg" | "opus" => ogg::begin(window).map(|(ogg, at)| (Cutter::Ogg(ogg), at, bytes)),
            _ => None,
        }?;
        (begins < window.len()).then_some(Begun { cutter, sound: begins as u64..end })
    }

    /// The longest head that a part gets.
    pub(super) fn head_bytes(&self) -> u64 {
        let bytes = match self {
            Cutter::Wave(wave) => wave.head_bytes(),
            Cutter::Mpeg(_) => 0,
            Cutter::Flac(_) => flac::HEAD_BYTES,
            Cutter::Ogg(ogg) => ogg.head_bytes(),
        };
        bytes as u64
    }

    /// The part that the window begins with; it may be changed. With `is_end` the window reaches the end of the sound. `None`: there
    /// is no place to cut at.
    pub(super) fn cut(&mut self, window: &mut [u8], is_end: bool) -> Option<Part> {
        let part = match self {
            Cutter::Wave(wave) => wave.cut(window),
            Cutter::Mpeg(mpeg) => mpeg.cut(window, is_end),
            Cutter::Flac(flac) => flac.cut(window, is_end),
            Cutter::Ogg(ogg) => ogg.cut(window, is_end),
        };
        part.filter(|part| part.taken > 0)
    }
}
