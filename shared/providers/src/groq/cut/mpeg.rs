//! MP3: frames with a head of four bytes each (ISO/IEC 11172-3, 2.4.2.3; 13818-3). A part begins at a frame's head; what its
//! first frame borrows of the one before it is lost, some hundredths of a second.

use super::Part;

pub(in crate::groq) struct Mpeg;

const HEAD: usize = 4;
/// Kilobits a second by index; 0 is "free", which has no length.
const BITRATES: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const BITRATES_LOW: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// Tags and the frame that tells how long the whole file is are left out: a part lasts as long as its frames.
pub(super) fn begin(window: &[u8]) -> Option<(Mpeg, usize)> {
    let first = find_frame(window, after_tags(window)?)?;
    let length = frame_length(&window[first..])?;
    let is_index = is_index(window.get(first..first + length)?);
    Some((Mpeg, if is_index { first + length } else { first }))
}

impl Mpeg {
    pub(super) fn cut(&mut self, window: &[u8], is_end: bool) -> Option<Part> {
        let taken = if is_end { window.len() } else { whole_frames(window) };
        Some(Part { head: Vec::new(), sound: 0..taken, taken, is_last: is_end })
    }
}

/// ID3v2: `ID3`, two bytes of version, flags, and 28 bits of length (id3.org, ID3v2.4, 3.1).
fn after_tags(window: &[u8]) -> Option<usize> {
    let mut at = 0;
    while window.get(at..at + 3) == Some(b"ID3") {
        let head = window.get(at..at + 10)?;
        let length = head[6..].iter().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        let has_footer = head[5] & 0x10 != 0;
        at += 10 + length + if has_footer { 10 } else { 0 };
    }
    Some(at)
}

/// Where the first frame is that is followed by another one, or by the end.
fn find_frame(window: &[u8], from: usize) -> Option<usize> {
    (from..window.len()).find(|at| {
        frame_length(&window[*at..]).is_some_and(|length| {
            let next = window.get(at + length..).unwrap_or_default();
            next.len() < HEAD || frame_length(next).is_some()
        })
    })
}

/// Where the last frame ends that is there as a whole.
fn whole_frames(window: &[u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    loop {
        match frame_length(&window[at..]) {
            Some(length) if at + length <= window.len() => {
                at += length;
                end = at;
            }
            Some(_) => return end,
            // Something else between two frames.
            None => match find_frame(window, at + 1) {
                Some(next) => at = next,
                None => return end,
            },
        }
        if at == window.len() {
            return end;
        }
    }
}

/// Of a layer III frame in bytes, its head included.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let [first, second, third, _] = *bytes.first_chunk::<HEAD>()?;
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    if first != 0xff || second & 0xe0 != 0xe0 || version == 1 || layer != 1 {
        return None;
    }
    let is_full = version == 3;
    let bitrates = if is_full { &BITRATES } else { &BITRATES_LOW };
    let bitrate = *bitrates.get(usize::from(third >> 4))? * 1_000;
    let halved = match version {
        3 => 1,
        2 => 2,
        _ => 4,
    };
    let rate = RATES.get(usize::from(third >> 2 & 3))? / halved;
    let padding = u32::from(third >> 1 & 1);
    let length = if is_full { 144 } else { 72 } * bitrate / rate + padding;
    // Without a bitrate there is no telling where it ends.
    usize::try_from(length).ok().filter(|length| bitrate > 0 && *length > HEAD)
}

/// The first frame of many files holds no sound but counts of the whole file (LAME's "Xing" and "Info", Fraunhofer's "VBRI").
fn is_index(frame: &[u8]) -> bool {
    let is_mono = frame[3] >> 6 == 3;
    let sides = match (frame[1] >> 3 & 3 == 3, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let at = |place: usize| frame.get(place..place + 4);
    matches!(at(HEAD + sides), Some(b"Xing" | b"Info")) || at(HEAD + 32) == Some(b"VBRI")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MPEG-1 layer III, 32 kbit/s, 44.1 kHz, stereo: 104 bytes, or 105 with padding.
    fn frame(fill: u8, is_padded: bool) -> Vec<u8> {
        let mut frame = vec![fill; if is_padded { 105 } else { 104 }];
        frame[..4].copy_from_slice(&[0xff, 0xfb, if is_padded { 0x12 } else { 0x10 }, 0]);
        frame
    }

    fn index() -> Vec<u8> {
        let mut index = frame(0, false);
        index[36..40].copy_from_slice(b"Info");
        index
    }

    #[test]
    fn a_frames_length_follows_from_its_head() {
        let table = [
            ([0xff, 0xfb, 0x90, 0x64], Some(417)),
            ([0xff, 0xfb, 0x92, 0x64], Some(418)),
            // MPEG-2, 64 kbit/s, 22.05 kHz; MPEG-2.5, 8 kbit/s, 8 kHz.
            ([0xff, 0xf3, 0x80, 0xc4], Some(208)),
            ([0xff, 0xe3, 0x18, 0xc4], Some(72)),
            ([0xff, 0xfb, 0x00, 0x64], None),
            ([0xff, 0xfb, 0xf0, 0x64], None),
            ([0xff, 0xfb, 0x9c, 0x64], None),
            ([0xff, 0xfd, 0x90, 0x64], None),
            ([0xff, 0xeb, 0x90, 0x64], None),
            ([0xff, 0x1b, 0x90, 0x64], None),
        ];
        for (head, length) in table {
            assert_eq!(frame_length(&head), length, "{head:x?}");
        }
    }

    #[test]
    fn sound_begins_behind_tags_and_the_files_index() {
        let tag = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[0xff; 130]].concat();
        let sound = [frame(1, false), frame(2, true)].concat();
        let table = [
            (sound.clone(), 0),
            ([tag.clone(), sound.clone()].concat(), 140),
            ([tag.clone(), tag, index(), sound.clone()].concat(), 280 + 104),
            ([vec![0; 5], sound].concat(), 5),
        ];
        for (row, (file, begins)) in table.into_iter().enumerate() {
            assert_eq!(begin(&file).map(|(_, at)| at), Some(begins), "row {row}");
        }
        assert!(begin(b"ID3\x04\0\0\x7f\x7f\x7f\x7f").is_none(), "the tag ends behind the window");
        assert!(begin(b"RIFF....WAVE").is_none());
    }

    #[test]
    fn parts_end_with_a_whole_frame_and_lose_nothing() {
        let frames: Vec<u8> = (0..40).flat_map(|at| frame(at, at % 3 == 0)).collect();
        // Something else between two frames.
        let file = [&frames[..209], b"APETAGEX".as_slice(), &frames[209..]].concat();
        for room in [120, 333, 1_000, 4_000] {
            let (mut at, mut heard) = (0, Vec::new());
            while at < file.len() {
                let window = &file[at..(at + room).min(file.len())];
                let part = Mpeg.cut(window, at + window.len() == file.len()).unwrap();
                assert!(part.taken > 0, "room {room} at {at}");
                assert_eq!(part.is_last, at + part.taken == file.len());
                heard.extend_from_slice(&window[part.sound]);
                at += part.taken;
                assert!(at == file.len() || at == 209 || frame_length(&file[at..]).is_some(), "room {room}");
            }
            assert_eq!(heard, file);
        }
        assert_eq!(Mpeg.cut(&[0; 500], false).unwrap().taken, 0, "no frame, no part");
    }
}
