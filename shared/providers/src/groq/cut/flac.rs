//! FLAC (RFC 9639): a description of the whole, then frames that say which they are. A part gets a description of its own,
//! with its own length and without the checksum of the whole sound.

use super::Part;

/// `fLaC`, a block's head, STREAMINFO.
pub(super) const HEAD_BYTES: usize = 42;
const INFO: usize = 34;
/// The most of a frame's head: four bytes, a number of seven, a size and a rate of two, a checksum.
const FRAME_HEAD_MAX: usize = 16;

pub(in crate::groq) struct Flac {
    info: [u8; INFO],
}

/// What a frame's head says (RFC 9639, 9.1).
#[derive(Clone, Copy)]
struct Frame {
    /// Its number counts samples, and frames otherwise.
    counts_samples: bool,
    number: u64,
}

pub(super) fn begin(window: &[u8]) -> Option<(Flac, usize)> {
    if window.get(..4)? != b"fLaC" {
        return None;
    }
    let mut at = 4;
    loop {
        let [kind, length @ ..] = *window.get(at..)?.first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes([0, length[0], length[1], length[2]])).ok()?;
        at += 4 + length;
        if kind & 0x80 != 0 {
            break;
        }
    }
    // The first block is STREAMINFO (RFC 9639, 8.2).
    let is_info = window.get(4)? & 0x7f == 0 && *window.get(5..8)? == [0, 0, 34];
    let info = *window.get(8..)?.first_chunk::<INFO>()?;
    is_info.then_some((Flac { info }, at))
}

impl Flac {
    pub(super) fn cut(&mut self, window: &[u8], is_end: bool) -> Option<Part> {
        let first = frame(window)?;
        let begins = self.sample(first)?;
        let (taken, ends) = match is_end {
            true => (window.len(), self.samples()),
            false => {
                let (at, next) = last_boundary(window, first)?;
                (at, self.sample(next)?)
            }
        };
        // A length of 0 is an unknown one.
        let samples = ends.saturating_sub(begins);
        Some(Part { head: self.head(samples), sound: 0..taken, taken, is_last: is_end })
    }

    /// Which sample a frame begins with: all blocks but the last one are as long as the first where frames are counted.
    fn sample(&self, frame: Frame) -> Option<u64> {
        let block = u64::from(u16::from_be_bytes([self.info[2], self.info[3]]));
        if frame.counts_samples { Some(frame.number) } else { frame.number.checked_mul(block) }
    }

    /// Of the whole file: 36 bits.
    fn samples(&self) -> u64 {
        self.info[13..18].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)) & 0xf_ffff_ffff
    }

    fn head(&self, samples: u64) -> Vec<u8> {
        let mut info = self.info;
        let packed = samples.to_be_bytes();
        info[13] = info[13] & 0xf0 | packed[3] & 0x0f;
        info[14..18].copy_from_slice(&packed[4..]);
        info[18..].fill(0);
        [b"fLaC\x80\0\0\x22".as_slice(), &info].concat()
    }
}

/// Where the last frame begins of which the one before is whole: its checksum says so. One pass, whatever the file holds.
fn last_boundary(window: &[u8], first: Frame) -> Option<(usize, Frame)> {
    let (mut crc, mut number, mut last) = (0, first.number, None);
    for (at, byte) in window.iter().enumerate() {
        if crc == 0 && *byte == 0xff {
            let is_next =
                |frame: &Frame| frame.counts_samples == first.counts_samples && frame.number > number;
            if let Some(next) = frame(&window[at..]).filter(is_next) {
                (number, last) = (next.number, Some((at, next)));
            }
        }
        crc = crc16_step(crc, *byte);
    }
    last
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    let bytes = &bytes[..bytes.len().min(FRAME_HEAD_MAX)];
    let [sync, second, sizes, shape, ..] = *bytes else { return None };
    let (block, rate) = (sizes >> 4, sizes & 0x0f);
    let is_reserved = block == 0 || rate == 15 || shape >> 4 > 10 || shape >> 1 & 7 == 3 || shape & 1 != 0;
    if sync != 0xff || second & 0xfe != 0xf8 || is_reserved {
        return None;
    }
    let (number, length) = coded_number(&bytes[4..])?;
    let of_block = match block {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let of_rate = match rate {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let end = 4 + length + of_block + of_rate;
    let is_whole = *bytes.get(end)? == crc8(&bytes[..end]);
    is_whole.then_some(Frame { counts_samples: second & 1 == 1, number })
}

/// As UTF-8 would write it, up to seven bytes; and how many they are.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let ones = first.leading_ones() as usize;
    if ones == 0 {
        return Some((u64::from(first), 1));
    }
    if ones == 1 || ones == 8 {
        return None;
    }
    let rest = bytes.get(1..ones)?;
    let begin = u64::from(first & (0x7f_u8 >> ones));
    let is_rest = rest.iter().all(|byte| byte & 0xc0 == 0x80);
    is_rest.then(|| (rest.iter().fold(begin, |sum, byte| sum << 6 | u64::from(byte & 0x3f)), ones))
}

/// Polynomial x⁸ + x² + x + 1.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// Polynomial x¹⁶ + x¹⁵ + x² + 1; behind a frame with its own checksum it is 0 again.
fn crc16_step(crc: u16, byte: u8) -> u16 {
    let [high, _] = crc.to_be_bytes();
    crc << 8 ^ CRC_16[usize::from(high ^ byte)]
}

const CRC_16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn crc16(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc, byte| crc16_step(crc, *byte))
    }

    /// A frame of 4,096 samples with any content.
    fn flac_frame(number: u64, counts_samples: bool, content: &[u8]) -> Vec<u8> {
        let mut frame = vec![0xff, 0xf8 | u8::from(counts_samples), 0xc9, 0x18];
        match number {
            0..0x80 => frame.push(number as u8),
            0x80..0x800 => frame.extend([0xc0 | (number >> 6) as u8, 0x80 | (number & 0x3f) as u8]),
            _ => frame.extend([
                0xf0 | (number >> 18) as u8,
                0x80 | (number >> 12 & 0x3f) as u8,
                0x80 | (number >> 6 & 0x3f) as u8,
                0x80 | (number & 0x3f) as u8,
            ]),
        }
        frame.push(crc8(&frame));
        frame.extend_from_slice(content);
        let crc = crc16(&frame).to_be_bytes();
        frame.extend(crc);
        frame
    }

    fn flac(samples: u64, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut info = [7; INFO];
        info[2..4].copy_from_slice(&4_096_u16.to_be_bytes());
        let info = Flac { info }.head(samples);
        let info = [&info[8..26], &[9; 16]].concat();
        let head = [b"fLaC\0\0\0\x22".as_slice(), &info, b"\x81\0\0\x05hello"].concat();
        [head, frames.concat()].concat()
    }

    #[test]
    fn the_published_checksums_are_met() {
        // The check values of CRC-8/SMBUS and CRC-16/UMTS.
        assert_eq!((crc8(b"123456789"), crc16(b"123456789")), (0xf4, 0xfee8));
    }

    #[test]
    fn parts_are_files_with_their_own_length_and_together_all_frames() {
        for counts_samples in [false, true] {
            // Each frame holds what looks like the head of a later one.
            let unit = if counts_samples { 4_096 } else { 1 };
            let content = |at: u64| {
                [vec![at as u8; 90], flac_frame((at + 3) * unit, counts_samples, b"")[..6].to_vec()]
            };
            let frames: Vec<_> =
                (0..300).map(|at| flac_frame(at * unit, counts_samples, &content(at).concat())).collect();
            let file = flac(299 * 4_096 + 100, &frames);
            let (mut cutter, begins) = begin(&file).unwrap();
            let (mut at, mut heard, mut samples) = (begins, Vec::new(), 0);
            loop {
                let until = (at + 5_000).min(file.len());
                let window = &file[at..until];
                let part = cutter.cut(window, until == file.len()).unwrap();
                let (head, _) = begin(&[part.head.as_slice(), b" "].concat()).unwrap();
                assert_eq!((part.head.len(), &head.info[18..]), (HEAD_BYTES, &[0; 16][..]));
                assert_eq!(head.info[..13], cutter.info[..13]);
                samples += head.samples();
                heard.extend_from_slice(&window[part.sound]);
                at += part.taken;
                if part.is_last {
                    break;
                }
            }
            assert_eq!((heard, samples), (frames.concat(), 299 * 4_096 + 100));
        }
    }

    #[test]
    fn the_length_of_the_last_part_stays_unknown_when_the_files_is() {
        let file = flac(0, &[flac_frame(0, false, b"a"), flac_frame(1, false, b"b")]);
        let (mut cutter, begins) = begin(&file).unwrap();
        let part = cutter.cut(&file[begins..], true).unwrap();
        assert_eq!(begin(&part.head).unwrap().0.samples(), 0);
    }

    #[test]
    fn what_is_no_flac_is_not_cut() {
        let mut file = flac(0, &[]);
        assert!(begin(&file[..30]).is_none());
        assert!(begin(b"OggS").is_none());
        let (mut cutter, _) = begin(&file).unwrap();
        assert!(cutter.cut(&[0; 500], false).is_none() && cutter.cut(&[0xff; 500], true).is_none());
        file[4] = 4;
        assert!(begin(&file).is_none(), "another block comes first");
    }
}
