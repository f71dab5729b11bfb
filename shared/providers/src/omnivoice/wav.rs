//! Whether a file is a whole WAV with something to hear in it (Microsoft and IBM, "Multimedia Programming Interface and Data
//! Specifications 1.0": RIFF chunks, `fmt ` before `data`, each padded to an even length).

/// What a whole file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Audible,
    /// No samples, or none that is not zero.
    Silent,
}

const PCM: u16 = 1;
/// `WAVE_FORMAT_EXTENSIBLE`: what it is stands at the beginning of its sub-format.
const EXTENSIBLE: u16 = 0xfffe;

/// `None`: it is no WAV, not in plain samples, or not whole.
pub(super) fn of(file: &[u8]) -> Option<Sound> {
    let (head, mut rest) = file.split_at_checked(12)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return None;
    }
    let mut is_playable = false;
    loop {
        let (chunk, behind) = rest.split_at_checked(8)?;
        let length = usize::try_from(u32::from_le_bytes(chunk[4..].try_into().ok()?)).ok()?;
        let content = behind.get(..length)?;
        match &chunk[..4] {
            b"fmt " => is_playable = is_plain(content),
            b"data" if is_playable => return Some(heard(content)),
            b"data" => return None,
            _ => {}
        }
        rest = behind.get(length + length % 2..)?;
    }
}

/// Plain samples whose numbers go together.
fn is_plain(format: &[u8]) -> bool {
    let word = |at: usize| format.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let kind = match word(0) {
        Some(EXTENSIBLE) => word(24),
        kind => kind,
    };
    let (Some(channels), Some(align), Some(bits)) = (word(2), word(12), word(14)) else { return false };
    let rate = format.get(4..8).is_some_and(|rate| rate != [0; 4]);
    kind == Some(PCM)
        && rate
        && (1..=2).contains(&channels)
        && matches!(bits, 8 | 16 | 24 | 32)
        && align == channels * (bits / 8)
}

fn heard(samples: &[u8]) -> Sound {
    if samples.iter().all(|byte| *byte == 0) { Sound::Silent } else { Sound::Audible }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let pad = vec![0; content.len() % 2];
        [kind.as_slice(), &length, content, &pad].concat()
    }

    fn format(kind: u16, channels: u16, align: u16, bits: u16) -> Vec<u8> {
        let rate = 24_000_u32.to_le_bytes();
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        [words(&[kind, channels]), rate.to_vec(), vec![0; 4], words(&[align, bits])].concat()
    }

    fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WAVE".as_slice(), &chunks.concat()].concat()
    }

    #[test]
    fn a_whole_wav_is_heard_or_silent_and_nothing_else_is_a_sound() {
        let mono = || chunk(b"fmt ", &format(PCM, 1, 2, 16));
        let extensible = |kind: u8| {
            let more = [&[22, 0, 16, 0, 4, 0, 0, 0, kind, 0][..], &[0; 14]].concat();
            chunk(b"fmt ", &[format(EXTENSIBLE, 1, 2, 16), more].concat())
        };
        let sound = || chunk(b"data", &[1, 2, 3, 4]);
        let table = [
            ("plain", wav(&[mono(), sound()]), Some(Sound::Audible)),
            (
                "a list of an odd length before it",
                wav(&[mono(), chunk(b"LIST", b"abc"), sound()]),
                Some(Sound::Audible),
            ),
            ("extensible", wav(&[extensible(1), sound()]), Some(Sound::Audible)),
            ("bytes behind it", [wav(&[mono(), sound()]), b"x".to_vec()].concat(), Some(Sound::Audible)),
            ("no samples", wav(&[mono(), chunk(b"data", b"")]), Some(Sound::Silent)),
            ("zeros", wav(&[mono(), chunk(b"data", &[0; 96])]), Some(Sound::Silent)),
            ("floats", wav(&[chunk(b"fmt ", &format(3, 1, 4, 32)), sound()]), None),
            ("extensible floats", wav(&[extensible(3), sound()]), None),
            ("no channel", wav(&[chunk(b"fmt ", &format(PCM, 0, 0, 16)), sound()]), None),
            ("a format that does not fit", wav(&[chunk(b"fmt ", &format(PCM, 2, 2, 16)), sound()]), None),
            ("a short format", wav(&[chunk(b"fmt ", &[1, 0]), sound()]), None),
            ("no format", wav(&[sound()]), None),
            ("no samples at all", wav(&[mono()]), None),
            ("a page", b"<!doctype html><h1>Not found</h1>".to_vec(), None),
            ("a WebP", b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), None),
            ("nothing", Vec::new(), None),
        ];
        for (name, file, expected) in table {
            assert_eq!(of(&file), expected, "{name}");
        }
        let whole = wav(&[mono(), sound()]);
        for cut in 0..whole.len() {
            assert_eq!(of(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
