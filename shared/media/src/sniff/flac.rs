//! A FLAC, walked from frame to frame (RFC 9639). The number of samples in its header may be absent or wrong, so the
//! frames are counted: each names its place, and is only believed as the next one of those before it.

use super::walk::{Ending, Format, Want, u16_be};
use super::{Flaw, Found};

/// Length and kind of a metadata block.
const BLOCK_HEAD: usize = 4;
const STREAM_INFO: u32 = 34;
/// Sync, sizes, a number of up to seven bytes, up to two and two bytes more, and the checksum.
const FRAME_HEAD_MAX: usize = 16;

#[derive(Default)]
pub(super) struct Flac {
    next: Next,
    is_last_block: bool,
    rate: u32,
    /// By the header; 0 is unknown.
    announced: u64,
    counted: u64,
    frames: u64,
    /// What may be the beginning of a frame.
    candidate: Vec<u8>,
}

#[derive(Default, Clone, Copy)]
enum Next {
    #[default]
    Signature,
    Block,
    StreamInfo,
    Passed,
    Frames,
    Candidate,
}

impl Flac {
    fn block(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let [kind, a, b, c] = *bytes else { return Err(Flaw::Cut) };
        self.is_last_block = kind & 0x80 != 0;
        let length = u32::from_be_bytes([0, a, b, c]);
        match (kind & 0x7f, self.rate) {
            (0, 0) if length == STREAM_INFO => {
                self.next = Next::StreamInfo;
                Ok(Want::Exactly(34))
            }
            (0, _) | (127, _) | (_, 0) => Err(Flaw::Damaged("its first block")),
            _ => {
                self.next = Next::Passed;
                Ok(Want::Skip(length.into()))
            }
        }
    }

    fn stream_info(&mut self, info: &[u8]) -> Result<Want, Flaw> {
        let [r0, r1, r2, s0, s1, s2, s3, s4] = *info.get(10..18).unwrap_or_default() else {
            return Err(Flaw::Cut);
        };
        self.rate = u32::from_be_bytes([0, r0, r1, r2]) >> 4;
        // The low bits of r2 are channels and depth, the high ones of s0 the rest of the depth.
        self.announced = u64::from_be_bytes([0, 0, 0, s0 & 0x0f, s1, s2, s3, s4]);
        if self.rate == 0 {
            return Err(Flaw::Damaged("its rate"));
        }
        self.next = Next::Passed;
        Ok(Want::Skip(0))
    }

    fn after_block(&mut self) -> Want {
        if self.is_last_block {
            self.next = Next::Frames;
            Want::Through(0xff)
        } else {
            self.next = Next::Block;
            Want::Exactly(BLOCK_HEAD)
        }
    }

    /// Looks for frames in what was read behind the last byte of a sync word's first half.
    fn candidate(&mut self, bytes: &[u8]) -> Want {
        self.candidate.extend_from_slice(bytes);
        loop {
            if self.candidate.len() < FRAME_HEAD_MAX {
                self.next = Next::Candidate;
                return Want::Exactly(FRAME_HEAD_MAX - self.candidate.len());
            }
            if let Some(samples) = self.frame() {
                self.counted += samples;
                self.frames += 1;
            }
            // The next sync word may begin within what was read.
            match self.candidate[1..].iter().position(|byte| *byte == 0xff) {
                Some(at) => drop(self.candidate.drain(..=at)),
                None => {
                    self.candidate.clear();
                    self.next = Next::Frames;
                    return Want::Through(0xff);
                }
            }
        }
    }

    /// The samples of the frame that begins here (RFC 9639 § 9.1), if it is the next one.
    fn frame(&self) -> Option<u64> {
        let head = self.candidate.as_slice();
        let is_variable = match head.get(1)? {
            0xf8 => false,
            0xf9 => true,
            _ => return None,
        };
        let (number, length) = coded_number(head.get(4..)?)?;
        let mut at = 4 + length;
        let samples = match head[2] >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 144 << code,
            6 => {
                at += 1;
                u64::from(*head.get(at - 1)?) + 1
            }
            7 => {
                at += 2;
                u64::from(u16_be(head, at - 2)?) + 1
            }
            code => 1 << code,
        };
        at += match head[2] & 0x0f {
            12 => 1,
            13 | 14 => 2,
            15 => return None,
            _ => 0,
        };
        let expected = if is_variable { self.counted } else { self.frames };
        let is_next = number == expected && crc8(head.get(..at)?) == *head.get(at)?;
        is_next.then_some(samples)
    }
}

impl Format for Flac {
    fn begin(&self) -> Want {
        Want::Exactly(4)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Signature => {
                self.next = Next::Block;
                Ok(Want::Exactly(BLOCK_HEAD))
            }
            Next::Block => self.block(bytes),
            Next::StreamInfo => self.stream_info(bytes),
            Next::Passed => Ok(self.after_block()),
            Next::Frames if bytes.last() == Some(&0xff) => {
                self.candidate = vec![0xff];
                Ok(self.candidate(&[]))
            }
            Next::Frames => Ok(Want::Through(0xff)),
            Next::Candidate => Ok(self.candidate(bytes)),
        }
    }

    /// A frame of silence may be shorter than the head that is looked at, so the last one may be missing.
    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        if self.rate == 0 || self.frames == 0 {
            return Err(Flaw::Cut);
        }
        let samples = self.announced.max(self.counted);
        Ok(Found { pixels: None, millis: Some(samples.saturating_mul(1_000) / u64::from(self.rate)) })
    }
}

/// A number in UTF-8's way, of up to 36 bits, and how many bytes it has.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = match first.leading_ones() {
        0 => return Some((first.into(), 1)),
        ones @ 2..=7 => usize::try_from(ones).ok()?,
        _ => return None,
    };
    let high = u64::from(first) & (0x7f >> length);
    let rest = bytes.get(1..length)?;
    let number = rest
        .iter()
        .try_fold(high, |sum, byte| (byte >> 6 == 2).then_some((sum << 6) | u64::from(byte & 0x3f)))?;
    Some((number, length))
}

/// x⁸ + x² + x + 1 (RFC 9639 § 9.1.8).
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 })
    })
}
