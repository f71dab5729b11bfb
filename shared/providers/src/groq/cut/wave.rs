//! WAV (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"; RIFF chunks).

use super::Part;

/// A chunk's name and length.
const CHUNK_HEAD: usize = 8;
/// `RIFF`, a length, `WAVE`.
const FILE_HEAD: usize = 12;

pub(in crate::groq) struct Wave {
    /// The whole `fmt ` chunk.
    format: Vec<u8>,
    /// Bytes of one moment of all channels, or of one compressed block.
    block: usize,
    /// Bytes of sound that were not cut yet.
    left: u64,
}

pub(super) fn begin(window: &[u8], bytes: u64) -> Option<(Wave, usize)> {
    if window.get(..4)? != b"RIFF" || window.get(8..FILE_HEAD)? != b"WAVE" {
        return None;
    }
    let (mut at, mut format) = (FILE_HEAD, None);
    loop {
        let name = window.get(at..at + 4)?;
        let length = u32::from_le_bytes(window.get(at + 4..at + CHUNK_HEAD)?.try_into().ok()?);
        let begins = at + CHUNK_HEAD;
        if name == b"data" {
            let format: Vec<u8> = format?;
            let block = u16::from_le_bytes(format.get(20..22)?.try_into().ok()?);
            let to_the_end = bytes.checked_sub(begins as u64)?;
            // A program that writes the head before it knows the length puts 0 or the largest number there.
            let left = if length == 0 { to_the_end } else { to_the_end.min(length.into()) };
            return Some((Wave { format, block: usize::from(block.max(1)), left }, begins));
        }
        // Chunks begin at even places.
        let next = begins.checked_add(usize::try_from(length).ok()?)?.checked_next_multiple_of(2)?;
        if name == b"fmt " {
            format = Some(window.get(at..next)?.to_vec());
        }
        at = next;
    }
}

impl Wave {
    pub(super) fn head_bytes(&self) -> usize {
        FILE_HEAD + self.format.len() + CHUNK_HEAD
    }

    pub(super) fn bytes_left(&self) -> u64 {
        self.left
    }

    pub(super) fn cut(&mut self, window: &[u8]) -> Option<Part> {
        let there = usize::try_from(self.left).unwrap_or(usize::MAX).min(window.len());
        let is_last = there as u64 == self.left;
        let taken = if is_last { there } else { there / self.block * self.block };
        self.left -= taken as u64;
        Some(Part { head: self.head(u32::try_from(taken).ok()?), sound: 0..taken, taken, is_last })
    }

    fn head(&self, bytes: u32) -> Vec<u8> {
        let behind = u32::try_from(self.head_bytes() - CHUNK_HEAD).unwrap_or(u32::MAX).saturating_add(bytes);
        let mut head = [b"RIFF", behind.to_le_bytes().as_slice(), b"WAVE"].concat();
        head.extend_from_slice(&self.format);
        head.extend_from_slice(b"data");
        head.extend_from_slice(&bytes.to_le_bytes());
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mono, 16 bits, with a chunk before the sound and one behind it.
    fn wave(sound: &[u8], told: u32) -> Vec<u8> {
        let format =
            [b"fmt ".as_slice(), &[16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0, 0, 2, 0, 16, 0]];
        let odd = [b"LIST".as_slice(), &[3, 0, 0, 0, 1, 2, 3, 0]];
        let data = [b"data".as_slice(), &told.to_le_bytes(), sound];
        [b"RIFF\0\0\0\0WAVE".as_slice(), &format.concat(), &odd.concat(), &data.concat(), b"LISTtail"]
            .concat()
    }

    #[test]
    fn parts_are_whole_files_and_together_all_of_the_sound() {
        let sound: Vec<u8> = (0..50).collect();
        let file = wave(&sound, 50);
        let (mut cutter, begins) = begin(&file, file.len() as u64).unwrap();
        let (mut at, mut heard, mut parts) = (begins, Vec::new(), 0);
        loop {
            let window = &file[at..(at + 21).min(file.len())];
            let part = cutter.cut(window).unwrap();
            let whole = [part.head.as_slice(), &window[part.sound.clone()]].concat();
            assert_eq!(whole.len() - 8, u32::from_le_bytes(whole[4..8].try_into().unwrap()) as usize);
            let (again, begins) = begin(&whole, whole.len() as u64).unwrap();
            assert_eq!((again.left, again.block), (part.sound.len() as u64, 2));
            assert_eq!(part.taken % 2, 0, "no sample is torn");
            heard.extend_from_slice(&whole[begins..]);
            (at, parts) = (at + part.taken, parts + 1);
            if part.is_last {
                break;
            }
        }
        assert_eq!((heard, parts), (sound, 3), "what lies behind the sound is no sound");
    }

    #[test]
    fn a_length_of_zero_or_the_largest_number_reaches_to_the_end_of_the_file() {
        for told in [0, u32::MAX] {
            let file = wave(&[1, 2, 3, 4], told);
            let (cutter, _) = begin(&file, file.len() as u64).unwrap();
            assert_eq!(cutter.left, 4 + 8);
        }
    }

    #[test]
    fn what_is_no_wave_is_not_cut() {
        for file in [&b"RIFF"[..], b"RIFF\0\0\0\0AVI LIST", b"ID3", &wave(&[1], 1)[..40]] {
            assert!(begin(file, 1_000).is_none());
        }
    }
}
