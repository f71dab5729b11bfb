//! An MP3, walked from frame to frame (ISO/IEC 11172-3 and 13818-3, layer III). Its length is what its frames play: the
//! number of frames that some writers put into the first one is not believed.

use super::walk::{Ending, Format, Want};
use super::{Flaw, Found};

const HEAD: usize = 4;
/// Bytes between frames that belong to none: tags in the middle of a file that was cut together.
const STRAY_MAX: u32 = 64 * 1024;
/// A sync word comes about in any file.
const FRAMES_MIN: u64 = 3;

/// kbit/s by the header's index: MPEG-1, and its two extensions for low rates.
const BITRATES: [[u32; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples per second of MPEG-1; a half in MPEG-2, a quarter in 2.5.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

#[derive(Default)]
pub(super) struct Mp3 {
    next: Next,
    /// The last bytes that began no frame.
    window: Vec<u8>,
    frames: u64,
    /// Frames without a stray byte between them.
    in_a_row: u64,
    nanos: u64,
    stray: u32,
}

#[derive(Default, Clone, Copy)]
enum Next {
    /// A tag's header or a frame's, and the first of all.
    #[default]
    First,
    Tag,
    Head,
    /// A byte more of what began no frame.
    Shift,
    Frame,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    length: u32,
    nanos: u64,
}

pub(super) fn is_signed(head: &[u8]) -> bool {
    head.starts_with(b"ID3") || head.first_chunk().is_some_and(|head| Frame::read(*head).is_some())
}

impl Frame {
    fn read([sync, version, rates, _]: [u8; 4]) -> Option<Frame> {
        let is_layer_three = sync == 0xff && version & 0xe6 == 0xe2;
        // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5; 1 is reserved.
        let version = (version >> 3) & 3;
        if !is_layer_three || version == 1 {
            return None;
        }
        let low = usize::from(version != 3);
        let bitrate = *BITRATES[low].get(usize::from(rates >> 4)).filter(|rate| **rate > 0)?;
        let rate = *RATES.get(usize::from((rates >> 2) & 3))?;
        let rate = match version {
            3 => rate,
            2 => rate / 2,
            _ => rate / 4,
        };
        let samples: u32 = if low == 0 { 1_152 } else { 576 };
        let padding = u32::from((rates >> 1) & 1);
        let length = samples / 8 * bitrate * 1_000 / rate + padding;
        let nanos = u64::from(samples) * 1_000_000_000 / u64::from(rate);
        (length > 4).then_some(Frame { length, nanos })
    }
}

impl Mp3 {
    fn head(&mut self, head: [u8; 4]) -> Result<Want, Flaw> {
        if let Some(frame) = Frame::read(head) {
            self.frames += 1;
            self.in_a_row += 1;
            self.nanos += frame.nanos;
            self.next = Next::Frame;
            return Ok(Want::Skip(u64::from(frame.length) - HEAD as u64));
        }
        // Tags behind the sound (ID3v1, APE, Lyrics3). Nothing follows them but more of their kind.
        let is_tag = head.starts_with(b"TAG") || matches!(&head, b"APET" | b"LYRI");
        if self.in_a_row >= FRAMES_MIN && is_tag {
            return Ok(Want::Nothing);
        }
        self.stray += 1;
        self.in_a_row = 0;
        if self.stray > STRAY_MAX {
            return Err(Flaw::Damaged("bytes that belong to no frame"));
        }
        self.window = head[1..].to_vec();
        self.next = Next::Shift;
        Ok(Want::Exactly(1))
    }
}

impl Format for Mp3 {
    fn begin(&self) -> Want {
        Want::Exactly(10)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::First => match *bytes {
                // Its length has seven bits in a byte (id3.org, "ID3v2.4", 3.1); a footer is ten bytes more.
                [b'I', b'D', b'3', _, _, flags, a, b, c, d] => {
                    self.next = Next::Tag;
                    let length =
                        [a, b, c, d].iter().fold(0_u64, |sum, byte| (sum << 7) | u64::from(byte & 0x7f));
                    Ok(Want::Skip(length + if flags & 0x10 == 0 { 0 } else { 10 }))
                }
                [a, b, c, d, ..] => match self.head([a, b, c, d])? {
                    // Six bytes of the frame were taken with its head.
                    Want::Skip(left) => Ok(Want::Skip(left.saturating_sub(6))),
                    _ => Err(Flaw::Unknown),
                },
                _ => Err(Flaw::Unknown),
            },
            Next::Tag | Next::Frame => {
                self.next = Next::Head;
                Ok(Want::Exactly(HEAD))
            }
            Next::Head => self.head(bytes.first_chunk().copied().unwrap_or_default()),
            Next::Shift => {
                self.window.extend_from_slice(bytes);
                let head = self.window.first_chunk().copied().unwrap_or_default();
                self.head(head)
            }
        }
    }

    /// The last frame is often cut; a player plays what there is.
    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        if self.frames < FRAMES_MIN {
            return Err(Flaw::Cut);
        }
        Ok(Found { pixels: None, millis: Some(self.nanos / 1_000_000) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_length_and_time_follow_its_header() {
        for (head, length, nanos) in [
            // MPEG-1, 128 kbit/s, 44.1 kHz, without and with padding; 320 kbit/s, 48 kHz.
            ([0xff, 0xfb, 0x90, 0x64], 417, 26_122_448),
            ([0xff, 0xfb, 0x92, 0x64], 418, 26_122_448),
            ([0xff, 0xfb, 0xe4, 0x64], 960, 24_000_000),
            // MPEG-2, 64 kbit/s, 22.05 kHz; MPEG-2.5, 8 kbit/s, 8 kHz.
            ([0xff, 0xf3, 0x80, 0x64], 208, 26_122_448),
            ([0xff, 0xe3, 0x18, 0x64], 72, 72_000_000),
        ] {
            assert_eq!(Frame::read(head), Some(Frame { length, nanos }), "{head:x?}");
        }
        for head in [
            [0xff, 0xf1, 0x50, 0x80], // AAC
            [0xff, 0xfd, 0x90, 0x64], // layer II
            [0xff, 0xfb, 0x00, 0x64], // a free rate
            [0xff, 0xfb, 0xf0, 0x64],
            [0xff, 0xfb, 0x9c, 0x64],
            [0xff, 0xeb, 0x90, 0x64],
            [0xfe, 0xfb, 0x90, 0x64],
        ] {
            assert_eq!(Frame::read(head), None, "{head:x?}");
        }
    }
}
