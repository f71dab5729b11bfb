//! A WebM, walked from element to element (RFC 8794, RFC 9559). Segment, clusters and groups of blocks are entered, so that
//! it does not matter whether their lengths are known; how long it plays is told by its last block where the header is
//! silent, as it is in what a browser has recorded.

use super::walk::{Ending, Format, Want};
use super::{Bounds, Flaw, Found};

const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const VIDEO: u32 = 0xe0;
const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;

const HEADER_MAX: u64 = 64 * 1024;
const TRACKS_BYTES_MAX: u64 = 1024 * 1024;

pub(super) struct Webm {
    bounds: Bounds,
    next: Next,
    id: u32,
    /// The bytes of an id or a length that began.
    number: Vec<u8>,
    /// Behind the part of a block that is looked at.
    rest: u64,
    is_webm: bool,
    /// Nanoseconds of a unit of time.
    scale: u64,
    duration: u64,
    cluster: u64,
    last: u64,
    blocks: u64,
    tracks: Option<Tracks>,
}

#[derive(Clone, Copy)]
enum Next {
    Id,
    IdRest,
    Length,
    LengthRest,
    Content,
    Passed,
}

#[derive(Default)]
struct Tracks {
    pixels: Option<(u32, u32)>,
    plays: bool,
}

impl Webm {
    pub(super) fn new(bounds: Bounds) -> Webm {
        Webm {
            bounds,
            next: Next::Id,
            id: 0,
            number: Vec::new(),
            rest: 0,
            is_webm: false,
            scale: 1_000_000,
            duration: 0,
            cluster: 0,
            last: 0,
            blocks: 0,
            tracks: None,
        }
    }

    fn ask(&mut self, next: Next, want: Want) -> Result<Want, Flaw> {
        self.next = next;
        Ok(want)
    }

    fn id(&mut self) -> Result<Want, Flaw> {
        self.id = self.number.iter().fold(0, |id, byte| (id << 8) | u32::from(*byte));
        if !self.is_webm && self.id != EBML {
            return Err(Flaw::Damaged("its first element"));
        }
        self.ask(Next::Length, Want::Exactly(1))
    }

    fn content_of(&mut self, length: Option<u64>) -> Result<Want, Flaw> {
        if matches!(self.id, SEGMENT | CLUSTER | BLOCK_GROUP) {
            return self.ask(Next::Id, Want::Exactly(1));
        }
        let length = length.ok_or(Flaw::Damaged("an element without a length"))?;
        let limit = match self.id {
            EBML => HEADER_MAX,
            INFO => HEADER_MAX,
            TRACKS => TRACKS_BYTES_MAX,
            TIMESTAMP => 8,
            SIMPLE_BLOCK | BLOCK => {
                // The track's number, of two bytes at most for us, and the time.
                self.rest = length.saturating_sub(4);
                let start = usize::try_from(length.min(4)).unwrap_or_default();
                return self.ask(Next::Content, Want::Exactly(start));
            }
            _ => return self.ask(Next::Passed, Want::Skip(length)),
        };
        self.rest = 0;
        match usize::try_from(length) {
            Ok(bytes) if length <= limit => self.ask(Next::Content, Want::Exactly(bytes)),
            _ => Err(Flaw::Damaged("an element that is too long")),
        }
    }

    fn content(&mut self, content: &[u8]) -> Result<Want, Flaw> {
        match self.id {
            EBML => {
                each_element(content, |id, content| {
                    self.is_webm |= id == DOC_TYPE && content == b"webm";
                    Ok(())
                })?;
                if !self.is_webm {
                    return Err(Flaw::Unfit("a Matroska that is no WebM"));
                }
            }
            INFO => each_element(content, |id, content| {
                match id {
                    TIMESTAMP_SCALE => self.scale = unsigned(content),
                    DURATION => self.duration = whole(content).unwrap_or_default(),
                    _ => {}
                }
                Ok(())
            })?,
            TRACKS => self.tracks = Some(Tracks::read(content, self.bounds)?),
            TIMESTAMP => self.cluster = unsigned(content),
            _ => self.block(content)?,
        }
        self.ask(Next::Passed, Want::Skip(self.rest))
    }

    /// A block's time counts from its cluster's.
    fn block(&mut self, start: &[u8]) -> Result<(), Flaw> {
        let time = match *start {
            [track, high, low, _] if track & 0x80 != 0 => i16::from_be_bytes([high, low]),
            [_, _, high, low] => i16::from_be_bytes([high, low]),
            _ => return Err(Flaw::Damaged("a block")),
        };
        self.blocks += 1;
        self.last = self.last.max(self.cluster.saturating_add_signed(time.into()));
        Ok(())
    }
}

impl Format for Webm {
    fn begin(&self) -> Want {
        Want::Exactly(1)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Id | Next::Length => {
                let first = bytes.first().copied().unwrap_or_default();
                let (next, longest) =
                    if matches!(self.next, Next::Id) { (Next::IdRest, 4) } else { (Next::LengthRest, 8) };
                let length = usize::try_from(first.leading_zeros() + 1).unwrap_or_default();
                if length > longest {
                    return Err(Flaw::Damaged("an element's number"));
                }
                self.number = vec![first];
                self.ask(next, Want::Exactly(length - 1))
            }
            Next::IdRest => {
                self.number.extend_from_slice(bytes);
                self.id()
            }
            Next::LengthRest => {
                self.number.extend_from_slice(bytes);
                let length = length_of(&self.number);
                self.content_of(length)
            }
            Next::Content => self.content(bytes),
            Next::Passed => self.ask(Next::Id, Want::Exactly(1)),
        }
    }

    /// What a browser records may end anywhere: its last block is cut, and the others play.
    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        let tracks = self.tracks.as_ref().filter(|_| self.blocks > 0).ok_or(Flaw::Cut)?;
        if !tracks.plays || self.scale == 0 {
            return Err(Flaw::Damaged("it plays nothing"));
        }
        let units = self.duration.max(self.last);
        let millis = units.saturating_mul(self.scale) / 1_000_000;
        // A single block plays for a moment that nothing tells.
        Ok(Found { pixels: tracks.pixels, millis: Some(millis.max(1)) })
    }
}

impl Tracks {
    fn read(content: &[u8], bounds: Bounds) -> Result<Tracks, Flaw> {
        let mut tracks = Tracks::default();
        each_element(content, |id, entry| {
            if id != TRACK_ENTRY {
                return Ok(());
            }
            let (mut kind, mut sides) = (0, None);
            each_element(entry, |id, content| {
                match id {
                    TRACK_TYPE => kind = unsigned(content),
                    VIDEO => sides = Some(sides_of(content)?),
                    _ => {}
                }
                Ok(())
            })?;
            // 1 is video, 2 is audio.
            tracks.plays |= matches!(kind, 1 | 2);
            if let (1, Some((width, height))) = (kind, sides) {
                tracks.pixels = Some(bounds.check(width, height)?);
            }
            Ok(())
        })?;
        Ok(tracks)
    }
}

fn sides_of(video: &[u8]) -> Result<(u32, u32), Flaw> {
    let (mut width, mut height) = (0, 0);
    each_element(video, |id, content| {
        let side = u32::try_from(unsigned(content)).unwrap_or(u32::MAX);
        match id {
            PIXEL_WIDTH => width = side,
            PIXEL_HEIGHT => height = side,
            _ => {}
        }
        Ok(())
    })?;
    Ok((width, height))
}

/// Calls with id and content of each element; lengths are known here.
fn each_element(mut bytes: &[u8], mut take: impl FnMut(u32, &[u8]) -> Result<(), Flaw>) -> Result<(), Flaw> {
    let wrong = Flaw::Damaged("an element");
    while let Some(first) = bytes.first() {
        let length = usize::try_from(first.leading_zeros() + 1).unwrap_or_default();
        let id = bytes.get(..length).filter(|_| length <= 4).ok_or(wrong)?;
        let id = id.iter().fold(0, |id, byte| (id << 8) | u32::from(*byte));
        bytes = &bytes[length..];
        let width = usize::try_from(bytes.first().ok_or(wrong)?.leading_zeros() + 1).unwrap_or_default();
        let number = bytes.get(..width).filter(|_| width <= 8).ok_or(wrong)?;
        let length = length_of(number).and_then(|length| usize::try_from(length).ok()).ok_or(wrong)?;
        let end = width.checked_add(length).ok_or(wrong)?;
        take(id, bytes.get(width..end).ok_or(wrong)?)?;
        bytes = &bytes[end..];
    }
    Ok(())
}

/// A length's value without the bit that says how many bytes it has; all ones is not known.
fn length_of(number: &[u8]) -> Option<u64> {
    let (first, rest) = number.split_first()?;
    let bits = 7_u32.checked_sub(u32::try_from(rest.len()).ok()?)?;
    let high = u64::from(*first) & ((1 << bits) - 1);
    let value = rest.iter().fold(high, |sum, byte| (sum << 8) | u64::from(*byte));
    let unknown = (1_u64 << (bits + 8 * u32::try_from(rest.len()).ok()?)) - 1;
    (value != unknown).then_some(value)
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// The whole part of a float of 32 or 64 bits (IEEE 754), by its bits: no float takes part in what a minute costs.
fn whole(bytes: &[u8]) -> Option<u64> {
    let (exponent, fraction, width) = match bytes.len() {
        4 => {
            let bits = u32::from_be_bytes(bytes.try_into().ok()?);
            (i64::from((bits >> 23) & 0xff) - 127, u64::from(bits & 0x7f_ffff) | 1 << 23, 23)
        }
        8 => {
            let bits = u64::from_be_bytes(bytes.try_into().ok()?);
            (i64::try_from((bits >> 52) & 0x7ff).ok()? - 1_023, bits & 0xf_ffff_ffff_ffff | 1 << 52, 52)
        }
        _ => return None,
    };
    let is_negative = bytes[0] & 0x80 != 0;
    match exponent - width {
        _ if is_negative || exponent < 0 => Some(0),
        shift @ ..=0 => Some(fraction >> -shift),
        shift @ 1..=10 => Some(fraction << shift),
        // Later than anything that plays, or no number.
        _ => Some(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_knows_how_many_bytes_it_has() {
        for (number, value) in [
            (&[0x81][..], Some(1)),
            (&[0xff], None),
            (&[0x40, 0x7f], Some(127)),
            (&[0x7f, 0xff], None),
            (&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
            (&[0x01, 0, 0, 0, 0, 0, 0x10, 0], Some(4096)),
        ] {
            assert_eq!(length_of(number), value, "{number:x?}");
        }
    }

    proptest! {
        #[test]
        fn the_whole_part_of_a_float_is_that_of_its_bits(whole_part in 0_u32..4_000_000_000) {
            let float = f64::from(whole_part);
            prop_assert_eq!(whole(&float.to_be_bytes()), Some(u64::from(whole_part)));
            let small = f32::from(u16::try_from(whole_part % 65_536).unwrap());
            prop_assert_eq!(whole(&small.to_be_bytes()), Some(u64::from(whole_part % 65_536)));
        }
    }

    #[test]
    fn odd_floats_are_zero_or_too_long() {
        for (float, expected) in [(0.0, 0), (0.99, 0), (1.99, 1), (-5.0, 0), (f64::INFINITY, u64::MAX)] {
            assert_eq!(whole(&f64::to_be_bytes(float)), Some(expected), "{float}");
        }
        assert_eq!(whole(&[1, 2]), None);
    }
}
