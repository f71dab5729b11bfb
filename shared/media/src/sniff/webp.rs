//! A WebP, walked from chunk to chunk (RFC 9649). Its pixels are not decoded: what is checked is that container, chunks
//! and bitstream headers agree, and that the data they announce is there.

use super::walk::{Ending, Format, Want, u16_le, u32_le};
use super::{Bounds, Flaw, Found};

/// A frame of a moving picture costs its reader a whole picture.
const FRAMES_MAX: u32 = 2_000;
/// What the longest bitstream header has.
const START: u32 = 10;

pub(super) fn is_signed(bytes: &[u8]) -> bool {
    matches!(bytes, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..])
}

pub(super) struct Webp {
    bounds: Bounds,
    next: Next,
    /// What is left of the container behind the chunk that is being read.
    left: u32,
    kind: [u8; 4],
    length: u32,
    is_extended: bool,
    canvas: Option<(u32, u32)>,
    has_picture: bool,
    frames: u32,
    is_over: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Container,
    Head,
    Start,
    Rest,
}

impl Webp {
    pub(super) fn new(bounds: Bounds) -> Webp {
        Webp {
            bounds,
            next: Next::Container,
            left: 0,
            kind: [0; 4],
            length: 0,
            is_extended: false,
            canvas: None,
            has_picture: false,
            frames: 0,
            is_over: false,
        }
    }

    fn next_chunk(&mut self) -> Want {
        if self.left < 8 {
            self.is_over = true;
            return Want::Nothing;
        }
        self.left -= 8;
        self.next = Next::Head;
        Want::Exactly(8)
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        self.kind = bytes.get(..4).and_then(|kind| kind.try_into().ok()).unwrap_or_default();
        self.length = u32_le(bytes, 4).unwrap_or(u32::MAX);
        // Some writers forget the last byte that fills an odd chunk up.
        if self.length > self.left {
            return Err(Flaw::Damaged("a chunk longer than its container"));
        }
        let is_first = self.canvas.is_none();
        let is_picture = matches!(&self.kind, b"VP8 " | b"VP8L");
        match &self.kind {
            b"VP8X" if is_first => {}
            b"ANMF" if self.is_extended => {}
            _ if is_picture && (is_first || self.is_extended) => {}
            _ if is_first => return Err(Flaw::Damaged("it does not begin with a picture")),
            b"VP8X" | b"VP8 " | b"VP8L" | b"ANMF" => return Err(Flaw::Damaged("a second picture")),
            _ => return Ok(self.skip(self.length)),
        }
        self.next = Next::Start;
        Ok(Want::Exactly(usize::try_from(self.length.min(self.start())).unwrap_or_default()))
    }

    /// How much of the chunk is looked at.
    fn start(&self) -> u32 {
        if self.kind == *b"ANMF" { 16 } else { START }
    }

    fn start_of(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let rest = self.length.saturating_sub(self.start());
        match &self.kind {
            b"VP8X" => {
                let [_, _, _, _, w0, w1, w2, h0, h1, h2] = *bytes else {
                    return Err(Flaw::Damaged("its header"));
                };
                let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
                self.canvas = Some(self.bounds.check(side(w0, w1, w2), side(h0, h1, h2))?);
                self.is_extended = true;
            }
            b"ANMF" => {
                self.frames += 1;
                let is_inside = self.frames <= FRAMES_MAX && self.is_inside_canvas(bytes) && rest > 0;
                if !is_inside {
                    return Err(Flaw::Damaged("a frame of a moving picture"));
                }
                self.has_picture = true;
            }
            b"VP8 " => self.picture(lossy(bytes, self.length), rest)?,
            _ => self.picture(lossless(bytes), rest)?,
        }
        Ok(self.skip(rest))
    }

    fn picture(&mut self, size: Option<(u32, u32)>, rest: u32) -> Result<(), Flaw> {
        let (width, height) = size.ok_or(Flaw::Damaged("a picture's header"))?;
        let size = self.bounds.check(width, height)?;
        if self.canvas.is_some_and(|canvas| canvas != size) || rest == 0 && self.length < 6 {
            return Err(Flaw::Damaged("a picture that does not fit"));
        }
        self.canvas = Some(size);
        self.has_picture = true;
        Ok(())
    }

    /// Position in units of two pixels, size less one (RFC 9649 § 2.7.1.1).
    fn is_inside_canvas(&self, frame: &[u8]) -> bool {
        let number = |at: usize| {
            let bytes = frame.get(at..at + 3)?;
            Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
        };
        let (Some(x), Some(y), Some(width), Some(height)) = (number(0), number(3), number(6), number(9))
        else {
            return false;
        };
        self.canvas.is_some_and(|canvas| 2 * x + width < canvas.0 && 2 * y + height < canvas.1)
    }

    /// Chunks have an even length; a byte is added where it would be odd.
    fn skip(&mut self, rest: u32) -> Want {
        self.next = Next::Rest;
        let padding = self.length % 2;
        let behind = self.left - self.length;
        let padding = padding.min(behind);
        self.left = behind - padding;
        Want::Skip(u64::from(rest) + u64::from(padding))
    }
}

impl Format for Webp {
    fn begin(&self) -> Want {
        Want::Exactly(12)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Container => {
                let length = u32_le(bytes, 4).and_then(|length| length.checked_sub(4));
                self.left = length.ok_or(Flaw::Damaged("its length"))?;
                Ok(self.next_chunk())
            }
            Next::Head => self.head(bytes),
            Next::Start => self.start_of(bytes),
            Next::Rest => Ok(self.next_chunk()),
        }
    }

    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        match (self.canvas, self.is_over, self.has_picture) {
            (Some(canvas), true, true) => Ok(Found { pixels: Some(canvas), millis: None }),
            (Some(_), true, false) => Err(Flaw::Damaged("it has no picture")),
            _ => Err(Flaw::Cut),
        }
    }
}

/// A key frame's header: sizes of the frame and of its first partition (RFC 6386 § 9.1).
fn lossy(data: &[u8], length: u32) -> Option<(u32, u32)> {
    let [t0, t1, t2, 0x9d, 0x01, 0x2a, ..] = data else { return None };
    let tag = u32::from_le_bytes([*t0, *t1, *t2, 0]);
    let first_partition = tag >> 5;
    let side = |at| Some(u32::from(u16_le(data, at)? & 0x3fff));
    let is_key_frame = tag & 1 == 0;
    let is_whole = first_partition > 0 && first_partition < length.saturating_sub(START);
    (is_key_frame && is_whole).then_some((side(6)?, side(8)?))
}

/// The signature, two sides of 14 bits, a flag and the version (RFC 9649 § 3.4).
fn lossless(data: &[u8]) -> Option<(u32, u32)> {
    let [0x2f, b0, b1, b2, b3, _, ..] = data else { return None };
    let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
    (bits >> 29 == 0).then_some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}
