//! A JPEG, walked from segment to segment (ITU-T T.81, annex B). Its pixels are not decoded: what is checked is that
//! all parts a decoder needs are there, in order, and that the scans are long enough to hold the picture.

use super::walk::{Ending, Format, Want, u16_be};
use super::{Bounds, Flaw, Found};

/// Each scan of a progressive picture costs its reader a walk over all pixels.
const SCANS_MAX: u32 = 200;

pub(super) struct Jpeg {
    bounds: Bounds,
    next: Next,
    marker: u8,
    frame: Option<Frame>,
    has_quantization: bool,
    has_huffman: bool,
    scans: u32,
    scan_bytes: u64,
    is_over: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Start,
    /// `ff` and a code.
    Marker,
    /// A code, after fill bytes.
    Code,
    Length,
    Segment,
    /// A segment that is passed over.
    Passed,
    Scan,
    /// What follows an `ff` within a scan.
    InScan,
}

struct Frame {
    size: (u32, u32),
    /// Blocks of 8 × 8 samples, all components together.
    blocks: u64,
    is_huffman: bool,
}

impl Jpeg {
    pub(super) fn new(bounds: Bounds) -> Jpeg {
        Jpeg {
            bounds,
            next: Next::Start,
            marker: 0,
            frame: None,
            has_quantization: false,
            has_huffman: false,
            scans: 0,
            scan_bytes: 0,
            is_over: false,
        }
    }

    fn ask(&mut self, next: Next) -> Want {
        self.next = next;
        match next {
            Next::Start | Next::Marker | Next::Length => Want::Exactly(2),
            Next::Code | Next::InScan => Want::Exactly(1),
            Next::Scan => Want::Through(0xff),
            // These two know their length and ask by themselves.
            Next::Segment | Next::Passed => Want::Exactly(0),
        }
    }

    fn code(&mut self, code: u8) -> Result<Want, Flaw> {
        match code {
            0xff => Ok(self.ask(Next::Code)),
            0xd9 => {
                self.is_over = true;
                Ok(Want::Nothing)
            }
            // Markers without a segment that have no place between segments.
            0x00 | 0x01 | 0xd0..=0xd8 => Err(Flaw::Damaged("a marker where none may be")),
            marker => {
                self.marker = marker;
                Ok(self.ask(Next::Length))
            }
        }
    }

    fn length(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let length = u16_be(bytes, 0).and_then(|length| length.checked_sub(2));
        let length = length.ok_or(Flaw::Damaged("a segment's length"))?;
        if matches!(self.marker, 0xc0..=0xcf | 0xda | 0xdb) {
            self.next = Next::Segment;
            Ok(Want::Exactly(length.into()))
        } else {
            self.next = Next::Passed;
            Ok(Want::Skip(length.into()))
        }
    }

    fn segment(&mut self, segment: &[u8]) -> Result<Want, Flaw> {
        match self.marker {
            0xda => {
                self.scans += 1;
                if self.frame.is_none() || self.scans > SCANS_MAX {
                    return Err(Flaw::Damaged("a scan that it may not have"));
                }
                return Ok(self.ask(Next::Scan));
            }
            0xc4 => self.has_huffman |= !segment.is_empty(),
            0xdb => self.has_quantization |= !segment.is_empty(),
            // The arithmetic conditioning and an extension.
            0xc8 | 0xcc => {}
            _ if self.frame.is_some() => return Err(Flaw::Damaged("a second frame")),
            marker => self.frame = Some(Frame::read(segment, marker, self.bounds)?),
        }
        Ok(self.ask(Next::Marker))
    }

    /// A Huffman code has one bit at least, and every block is coded once at least.
    fn is_whole(&self, frame: &Frame) -> bool {
        let is_long_enough = !frame.is_huffman || self.scan_bytes.saturating_mul(8) >= frame.blocks;
        let has_tables = self.has_quantization && (self.has_huffman || !frame.is_huffman);
        self.scans > 0 && self.scan_bytes > 0 && has_tables && is_long_enough
    }
}

impl Format for Jpeg {
    fn begin(&self) -> Want {
        Want::Exactly(2)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Start if bytes == [0xff, 0xd8] => Ok(self.ask(Next::Marker)),
            Next::Start => Err(Flaw::Unknown),
            Next::Marker => match bytes {
                [0xff, code] => self.code(*code),
                _ => Err(Flaw::Damaged("a segment does not begin with a marker")),
            },
            Next::Code => self.code(bytes.first().copied().unwrap_or_default()),
            Next::Length => self.length(bytes),
            Next::Segment => self.segment(bytes),
            Next::Passed => Ok(self.ask(Next::Marker)),
            Next::Scan => {
                let is_marker = bytes.last() == Some(&0xff);
                self.scan_bytes += bytes.len() as u64 - u64::from(is_marker);
                Ok(self.ask(if is_marker { Next::InScan } else { Next::Scan }))
            }
            Next::InScan => match bytes.first() {
                // A coded ff, and the eight restart markers.
                Some(0x00 | 0xd0..=0xd7) => {
                    self.scan_bytes += 2;
                    Ok(self.ask(Next::Scan))
                }
                code => self.code(code.copied().unwrap_or_default()),
            },
        }
    }

    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        match &self.frame {
            Some(frame) if self.is_over && self.is_whole(frame) => {
                Ok(Found { pixels: Some(frame.size), millis: None })
            }
            _ => Err(Flaw::Cut),
        }
    }
}

impl Frame {
    fn read(data: &[u8], marker: u8, bounds: Bounds) -> Result<Frame, Flaw> {
        let wrong = Flaw::Damaged("its frame");
        let (head, components) = data.split_first_chunk::<6>().ok_or(wrong)?;
        let [precision, h0, h1, w0, w1, count] = *head;
        let (width, height) =
            (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
        let is_known = matches!(precision, 8 | 12) && (1..=4).contains(&count);
        if !is_known || components.len() != usize::from(count) * 3 {
            return Err(wrong);
        }
        let (width, height) = bounds.check(width, height)?;
        let factors: Vec<(u64, u64)> =
            components.chunks(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15))).collect();
        if factors.iter().any(|(h, v)| !(1..=4).contains(h) || !(1..=4).contains(v)) {
            return Err(wrong);
        }
        let largest = factors.iter().fold((1, 1), |(h, v), factor| (h.max(factor.0), v.max(factor.1)));
        let blocks = factors.iter().map(|(h, v)| {
            (u64::from(width) * h).div_ceil(largest.0 * 8) * (u64::from(height) * v).div_ceil(largest.1 * 8)
        });
        Ok(Frame { size: (width, height), blocks: blocks.sum(), is_huffman: marker < 0xc8 })
    }
}
