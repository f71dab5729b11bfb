//! What a file is and what is in it, judged by its bytes as they come: pure, without keeping more of them than one part of
//! the format, and without decoding a picture or a sound.
//!
//! A [`Sniffer`] is fed the file from its beginning, in pieces of any size. Every format is walked to the file's end, so a
//! length in a header is never believed where the content says more: what a minute costs is counted in the file.
//! Facts and sources: `docs/facts/media.md`.

mod detect;
mod exif;
mod flac;
mod gif;
mod iso_media;
mod jpeg;
mod mp3;
mod ogg;
mod png;
mod strip;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod walk;
mod wav;
mod webm;
mod webp;

use crate::{FileFamily, FileType};
use detect::detect;
use walk::{Format, Walk};

pub use detect::HEAD;
pub use strip::strip;

/// What is known of a file that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub file_type: FileType,
    /// Width and height in pixels, of what has them.
    pub pixels: Option<(u32, u32)>,
    /// How long it plays in milliseconds, of what plays.
    pub millis: Option<u64>,
}

/// How large a picture may be. A decoder needs memory for each of its pixels, however few bytes the file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest width or height, in pixels.
    pub side_max: u32,
    /// Width times height.
    pub pixels_max: u64,
}

/// Why a file is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Its bytes are of no type that we know.
    #[error("its type is not known")]
    Unknown,
    /// It is something else than was expected.
    #[error("it is {}, not {}", .0.as_str(), .1.as_str())]
    OtherFamily(FileFamily, FileFamily),
    /// The file ends before it is whole.
    #[error("it is cut off")]
    Cut,
    /// It breaks a rule of its format.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// A picture larger than [`Bounds`].
    #[error("its picture has too many pixels")]
    TooManyPixels,
    /// It is of a kind of its format that we don't take, such as one that points to other files.
    #[error("it is of a kind that is not taken: {0}")]
    Unfit(&'static str),
}

/// What the readers of formats find; which type it is may depend on whether there is a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    pixels: Option<(u32, u32)>,
    millis: Option<u64>,
}

impl Bounds {
    /// Larger than any picture we ask a provider for.
    pub const OUTPUT: Bounds = Bounds { side_max: 16_384, pixels_max: 64 * 1024 * 1024 };

    fn check(self, width: u32, height: u32) -> Result<(u32, u32), Flaw> {
        if width == 0 || height == 0 {
            return Err(Flaw::Damaged("a picture without pixels"));
        }
        let is_small =
            width.max(height) <= self.side_max && u64::from(width) * u64::from(height) <= self.pixels_max;
        if is_small { Ok((width, height)) } else { Err(Flaw::TooManyPixels) }
    }
}

/// Reads a file as it comes. It holds back at most a few megabytes: a part of the format that is only understood as a whole.
pub struct Sniffer {
    expected: FileFamily,
    bounds: Bounds,
    head: Vec<u8>,
    state: State,
}

enum State {
    /// Not enough was seen to know the type.
    Head,
    Walking(FileType, Walk<Box<dyn Format + Send>>),
    Flawed(Flaw),
    Ended(Facts),
}

fn of_found(file_type: FileType, found: Found) -> Facts {
    let file_type = if found.pixels.is_some() { file_type } else { file_type.without_picture() };
    Facts { file_type, pixels: found.pixels, millis: found.millis }
}

impl Sniffer {
    /// For a file that should be of this family.
    pub fn new(expected: FileFamily, bounds: Bounds) -> Sniffer {
        Sniffer { expected, bounds, head: Vec::new(), state: State::Head }
    }

    /// The next piece of the file. What is wrong is told by [`Sniffer::file_type`] and at the end.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Flawed(_) | State::Ended(_) => {}
            State::Walking(_, walk) => {
                if let Err(flaw) = walk.feed(bytes) {
                    self.state = State::Flawed(flaw);
                }
            }
            State::Head => {
                let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
                let (head, rest) = bytes.split_at(missing);
                self.head.extend_from_slice(head);
                if self.head.len() == HEAD {
                    self.begin();
                    self.feed(rest);
                }
            }
        }
    }

    /// The type by the first bytes; `None` while too few were fed. A container without a picture may turn out as its
    /// family's other type at the end.
    pub fn file_type(&self) -> Option<Result<FileType, Flaw>> {
        match &self.state {
            State::Head => None,
            State::Walking(file_type, _) => Some(Ok(*file_type)),
            State::Ended(facts) => Some(Ok(facts.file_type)),
            State::Flawed(flaw) => Some(Err(*flaw)),
        }
    }

    /// No more bytes come: [`Sniffer::file_type`] knows the type of a short file now.
    pub fn end_head(&mut self) {
        if matches!(self.state, State::Head) {
            self.begin();
        }
    }

    /// The file has ended.
    pub fn finish(mut self) -> Result<Facts, Flaw> {
        self.end()
    }

    /// As [`Sniffer::finish`], and may be asked again.
    pub(crate) fn end(&mut self) -> Result<Facts, Flaw> {
        self.end_head();
        let ended = match &mut self.state {
            State::Head => Err(Flaw::Unknown),
            State::Flawed(flaw) => Err(*flaw),
            State::Ended(facts) => Ok(*facts),
            State::Walking(file_type, walk) => walk.finish().map(|found| of_found(*file_type, found)),
        };
        let ended = ended.and_then(|facts| match facts.file_type.family() {
            family if family == self.expected => Ok(facts),
            family => Err(Flaw::OtherFamily(family, self.expected)),
        });
        self.state = match ended {
            Ok(facts) => State::Ended(facts),
            Err(flaw) => State::Flawed(flaw),
        };
        ended
    }

    fn begin(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.state = match detect(&head, self.expected) {
            None => State::Flawed(Flaw::Unknown),
            Some(file_type) if !may_become(file_type, self.expected) => {
                State::Flawed(Flaw::OtherFamily(file_type.family(), self.expected))
            }
            Some(file_type) => State::Walking(file_type, Walk::new(self.format(file_type))),
        };
        self.feed(&head);
    }

    fn format(&self, file_type: FileType) -> Box<dyn Format + Send> {
        let bounds = self.bounds;
        match file_type {
            FileType::Png => Box::new(png::Png::new(bounds)),
            FileType::Jpeg => Box::new(jpeg::Jpeg::new(bounds)),
            FileType::Webp => Box::new(webp::Webp::new(bounds)),
            FileType::Gif => Box::new(gif::Gif::new(bounds)),
            FileType::Mp4 | FileType::Mov | FileType::M4a => Box::new(iso_media::IsoMedia::new(bounds)),
            FileType::Webm | FileType::Weba => Box::new(webm::Webm::new(bounds)),
            FileType::Wav => Box::new(wav::Wav::default()),
            FileType::Mp3 => Box::new(mp3::Mp3::default()),
            FileType::Ogg => Box::new(ogg::Ogg::default()),
            FileType::Flac => Box::new(flac::Flac::default()),
            FileType::Text | FileType::Json | FileType::Csv | FileType::Srt | FileType::Vtt => {
                Box::new(text::Text::default())
            }
        }
    }
}

/// Whether a file that begins like this type can be of the family: a container may hold no picture.
fn may_become(file_type: FileType, family: FileFamily) -> bool {
    file_type.family() == family || file_type.without_picture().family() == family
}

/// A whole file at once.
pub fn facts(bytes: &[u8], expected: FileFamily, bounds: Bounds) -> Result<Facts, Flaw> {
    let mut sniffer = Sniffer::new(expected, bounds);
    sniffer.feed(bytes);
    sniffer.finish()
}
