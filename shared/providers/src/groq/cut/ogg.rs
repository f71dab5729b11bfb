//! Ogg with Opus or Vorbis (RFC 3533, RFC 7845; Xiph's Vorbis I). A part gets the pages of the head again, and its own pages
//! are numbered and timed from its beginning.

use super::Part;

const PAGE_HEAD: usize = 27;
/// Flags of a page.
const CONTINUES: u8 = 1;
const BEGINS_STREAM: u8 = 2;
const ENDS_STREAM: u8 = 4;
/// The time of a page on which no packet ends.
const NO_TIME: u64 = u64::MAX;

pub(in crate::groq) struct Ogg {
    head: Vec<u8>,
    head_pages: u32,
    serial: u32,
    /// The time at which the next part begins, in the codec's units.
    begins: u64,
}

#[derive(Clone, Copy)]
struct Page {
    bytes: usize,
    flags: u8,
    time: u64,
    serial: u32,
    /// How many packets end on it.
    packets: usize,
    /// Where its content begins.
    content: usize,
}

/// One stream of sound; others beside or behind it are not cut.
pub(super) fn begin(window: &[u8]) -> Option<(Ogg, usize)> {
    let first = page(window)?;
    let content = window.get(first.content..first.bytes)?;
    let of_the_head = match content {
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => 2,
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => 3,
        _ => return None,
    };
    let (mut at, mut packets, mut head_pages) = (0, 0, 0);
    while packets < of_the_head {
        let page = page(&window[at..])?;
        let is_ours = page.serial == first.serial && (page.flags & BEGINS_STREAM == 0) == (at > 0);
        if !is_ours || at + page.bytes > window.len() {
            return None;
        }
        (at, packets, head_pages) = (at + page.bytes, packets + page.packets, head_pages + 1);
    }
    // Sound begins on a page of its own in both.
    (packets == of_the_head)
        .then(|| (Ogg { head: window[..at].to_vec(), head_pages, serial: first.serial, begins: 0 }, at))
}

impl Ogg {
    pub(super) fn head_bytes(&self) -> usize {
        self.head.len()
    }

    pub(super) fn cut(&mut self, window: &mut [u8], is_end: bool) -> Option<Part> {
        let (pages, whole) = self.whole_pages(window)?;
        // A part begins with a new packet; a file that breaks off ends with its last whole page.
        let last = match is_end {
            true => pages.len(),
            false => (1..pages.len()).rev().find(|place| pages[*place].1.flags & CONTINUES == 0)?,
        };
        let sound = pages.get(last).map_or(whole, |(at, _)| *at);
        let time = pages[..last].iter().rev().map(|(_, page)| page.time).find(|time| *time != NO_TIME);
        for (number, (at, page)) in (self.head_pages..).zip(&pages[..last]) {
            let is_last = at + page.bytes == sound;
            self.renew(&mut window[*at..at + page.bytes], *page, number, is_last);
        }
        self.begins = time.unwrap_or(self.begins);
        let taken = if is_end { window.len() } else { sound };
        Some(Part { head: self.head.clone(), sound: 0..sound, taken, is_last: is_end })
    }

    /// All whole pages and where they are, and where the last one ends. `None`: another stream is in it.
    fn whole_pages(&self, window: &[u8]) -> Option<(Vec<(usize, Page)>, usize)> {
        let (mut pages, mut at) = (Vec::new(), 0);
        while let Some(page) = page(&window[at..]).filter(|page| at + page.bytes <= window.len()) {
            if page.serial != self.serial || page.flags & BEGINS_STREAM != 0 {
                return None;
            }
            pages.push((at, page));
            at += page.bytes;
        }
        (!pages.is_empty()).then_some((pages, at))
    }

    fn renew(&self, bytes: &mut [u8], page: Page, number: u32, is_last: bool) {
        if page.time != NO_TIME {
            bytes[6..14].copy_from_slice(&page.time.saturating_sub(self.begins).to_le_bytes());
        }
        bytes[5] = if is_last { page.flags | ENDS_STREAM } else { page.flags & !ENDS_STREAM };
        bytes[18..22].copy_from_slice(&number.to_le_bytes());
        bytes[22..26].fill(0);
        let crc = crc(bytes);
        bytes[22..26].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The page that `bytes` begin with, whether all of it is there or not.
fn page(bytes: &[u8]) -> Option<Page> {
    let head = bytes.get(..PAGE_HEAD)?;
    if head[..5] != *b"OggS\0" {
        return None;
    }
    let lacing = bytes.get(PAGE_HEAD..PAGE_HEAD + usize::from(head[26]))?;
    let content = PAGE_HEAD + lacing.len();
    Some(Page {
        bytes: content + lacing.iter().map(|length| usize::from(*length)).sum::<usize>(),
        flags: head[5],
        time: u64::from_le_bytes(*head[6..].first_chunk()?),
        serial: u32::from_le_bytes(*head[14..].first_chunk()?),
        packets: lacing.iter().filter(|length| **length < 255).count(),
        content,
    })
}

/// Polynomial 0x04c11db7 without reflection, from 0 (RFC 3533, 6).
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC[usize::from((crc >> 24) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(flags: u8, time: u64, serial: u32, number: u32, packets: &[&[u8]], is_torn: bool) -> Vec<u8> {
        let mut lacing = Vec::new();
        for packet in packets {
            lacing.extend(vec![255; packet.len() / 255]);
            lacing.push((packet.len() % 255) as u8);
        }
        if is_torn {
            assert_eq!(lacing.pop(), Some(0), "a torn packet fills its page");
        }
        let mut page = [b"OggS\0".as_slice(), &[flags], &time.to_le_bytes(), &serial.to_le_bytes()].concat();
        page.extend(number.to_le_bytes());
        page.extend([0; 4]);
        page.push(lacing.len() as u8);
        page.extend(lacing);
        page.extend(packets.concat());
        let crc = crc(&page);
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Forty pages of 960 units each; every fourth packet goes on on the next page.
    fn opus() -> (Vec<u8>, usize) {
        let head = made(2, 0, 7, 0, &[b"OpusHead and more"], false);
        let tags = made(0, 0, 7, 1, &[b"OpusTags and more"], false);
        let mut file = [head, tags].concat();
        let begins = file.len();
        for at in 0..40_u64 {
            let number = at as u32 + 2;
            file.extend(match at % 4 {
                2 => made(0, NO_TIME, 7, number, &[&[at as u8; 255]], true),
                3 => made(CONTINUES, 960 * (at + 1), 7, number, &[&[at as u8; 20], b"x"], false),
                _ => made(0, 960 * (at + 1), 7, number, &[&[at as u8; 300]], false),
            });
        }
        (file, begins)
    }

    #[test]
    fn the_published_checksum_is_met() {
        // The check value of this polynomial from 0 without reflection (CRC-32/CKSUM before its length and inversion).
        assert_eq!(crc(b"123456789"), 0x89a1_897f);
    }

    #[test]
    fn parts_are_files_that_begin_at_zero_and_together_all_of_the_sound() {
        let (file, begins) = opus();
        let (mut cutter, at) = begin(&file).unwrap();
        assert_eq!(at, begins);
        let content = |bytes: &[u8]| -> Vec<u8> {
            let (mut at, mut all) = (0, Vec::new());
            while let Some(page) = page(&bytes[at..]) {
                all.extend_from_slice(&bytes[at + page.content..at + page.bytes]);
                at += page.bytes;
            }
            all
        };
        let (mut at, mut heard, mut lasted, mut parts) = (at, Vec::new(), 0, 0);
        loop {
            let until = (at + 2_000).min(file.len());
            let mut window = file[at..until].to_vec();
            let part = cutter.cut(&mut window, until == file.len()).unwrap();
            assert_eq!(part.head, file[..begins]);
            let sound = &window[part.sound.clone()];
            let (mut place, mut number, mut time) = (0, 2, 0);
            while let Some(page) = page(&sound[place..]) {
                let bytes = &mut sound[place..place + page.bytes].to_vec();
                assert_eq!(bytes[18..22], u32::to_le_bytes(number), "numbered from its beginning");
                let told = u32::from_le_bytes(bytes[22..26].try_into().unwrap());
                bytes[22..26].fill(0);
                assert_eq!(crc(bytes), told);
                assert!(place > 0 || page.flags & CONTINUES == 0, "it begins with a packet");
                place += page.bytes;
                number += 1;
                assert_eq!(page.flags & ENDS_STREAM != 0, place == sound.len());
                time = if page.time == NO_TIME { time } else { page.time };
            }
            assert_eq!(place, sound.len());
            lasted += time;
            heard.extend(content(sound));
            (at, parts) = (at + part.taken, parts + 1);
            if part.is_last {
                break;
            }
        }
        assert_eq!((heard, lasted), (content(&file[begins..]), 40 * 960));
        assert!(parts > 3);
    }

    #[test]
    fn what_is_torn_at_the_files_end_is_left_out() {
        let (file, begins) = opus();
        let mut window = file[begins..file.len() - 5].to_vec();
        let part = begin(&file).unwrap().0.cut(&mut window, true).unwrap();
        assert!(part.is_last && part.taken == window.len() && part.sound.end < window.len());
    }

    #[test]
    fn other_streams_are_not_cut() {
        let (mut file, begins) = opus();
        assert!(begin(&made(2, 0, 7, 0, &[b"Speex   "], false)).is_none());
        assert!(begin(&file[..begins - 3]).is_none(), "the head ends behind the window");
        let (mut cutter, _) = begin(&file).unwrap();
        assert!(cutter.cut(&mut [0; 300], true).is_none());
        let foreign = made(0, 0, 8, 0, &[b"x"], false);
        assert!(cutter.cut(&mut [&file[begins..], &foreign].concat(), true).is_none());
        file.splice(begins..begins, made(2, 0, 7, 0, &[b"OpusHead"], false));
        assert!(cutter.cut(&mut file[begins..].to_vec(), true).is_none(), "a chain");
        let two = [made(2, 0, 7, 0, &[b"OpusHead"], false), made(2, 0, 9, 0, &[b"fishead"], false)].concat();
        assert!(begin(&two).is_none());
    }
}
