//! A JPEG, walked from segment to segment (ITU-T T.81, annex B). Its pixels are not decoded: what is checked is that
//! all parts a decoder needs are there, in order, and that the scans are long enough to hold the picture.

use super::{Sound, is_plausible};

pub(super) const SIGNATURE: &[u8] = &[0xff, 0xd8, 0xff];

#[derive(Default)]
struct Parts {
    frame: Option<Frame>,
    has_quantization: bool,
    has_huffman: bool,
    scans: u32,
    scan_bytes: u64,
}

struct Frame {
    size: (u32, u32),
    /// Blocks of 8 × 8 samples, all components together.
    blocks: u64,
    is_huffman: bool,
}

/// `None` when the file is no whole JPEG. What follows its end marker does not belong to it.
pub(super) fn check(bytes: &[u8]) -> Option<Sound> {
    let mut parts = Parts::default();
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        match next_marker(&mut rest)? {
            0xd9 => break,
            0xda => {
                segment(&mut rest)?;
                parts.frame.as_ref()?;
                parts.scans += 1;
                parts.scan_bytes += scan(&mut rest)?;
            }
            0xc4 => parts.has_huffman |= !segment(&mut rest)?.is_empty(),
            0xdb => parts.has_quantization |= !segment(&mut rest)?.is_empty(),
            // Every frame but the arithmetic conditioning (cc) and an extension (c8).
            marker @ (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                if parts.frame.is_some() {
                    return None;
                }
                parts.frame = Some(Frame::read(segment(&mut rest)?, marker)?);
            }
            // Markers without a segment that have no place between segments.
            0x00 | 0x01 | 0xd0..=0xd8 => return None,
            _ => {
                segment(&mut rest)?;
            }
        }
    }
    let frame = parts.frame.as_ref()?;
    parts.are_whole(frame).then(|| Sound { size: frame.size, len: bytes.len() - rest.len() })
}

impl Parts {
    /// A Huffman code has one bit at least, and every block is coded once at least.
    fn are_whole(&self, frame: &Frame) -> bool {
        let is_long_enough = !frame.is_huffman || self.scan_bytes.saturating_mul(8) >= frame.blocks;
        let has_tables = self.has_quantization && (self.has_huffman || !frame.is_huffman);
        self.scans > 0 && self.scan_bytes > 0 && has_tables && is_long_enough
    }
}

impl Frame {
    fn read(data: &[u8], marker: u8) -> Option<Frame> {
        let (head, components) = data.split_first_chunk::<6>()?;
        let [precision, h0, h1, w0, w1, count] = *head;
        let (width, height) =
            (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
        let is_known = matches!(precision, 8 | 12) && (1..=4).contains(&count) && is_plausible(width, height);
        if !is_known || components.len() != usize::from(count) * 3 {
            return None;
        }
        let factors: Vec<(u64, u64)> =
            components.chunks(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15))).collect();
        if factors.iter().any(|(h, v)| !(1..=4).contains(h) || !(1..=4).contains(v)) {
            return None;
        }
        let largest = factors.iter().fold((1, 1), |(h, v), factor| (h.max(factor.0), v.max(factor.1)));
        let blocks = factors.iter().map(|(h, v)| {
            (u64::from(width) * h).div_ceil(largest.0 * 8) * (u64::from(height) * v).div_ceil(largest.1 * 8)
        });
        Some(Frame { size: (width, height), blocks: blocks.sum(), is_huffman: marker < 0xc8 })
    }
}

/// The next marker's code; fill bytes may stand before it.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    if *rest.first()? != 0xff {
        return None;
    }
    let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
    let (marker, after) = rest[fill..].split_first()?;
    *rest = after;
    Some(*marker)
}

fn segment<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, _) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (segment, after) = rest.split_at_checked(length)?;
    *rest = after;
    segment.get(2..)
}

/// Passes over a scan's coded data, up to the next marker that is none of its own.
fn scan(rest: &mut &[u8]) -> Option<u64> {
    let start = rest.len();
    loop {
        let at = rest.iter().position(|byte| *byte == 0xff)?;
        match *rest.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => *rest = &rest[at + 2..],
            _ => {
                *rest = &rest[at..];
                return u64::try_from(start - rest.len()).ok();
            }
        }
    }
}
