//! Takes out of a picture what is not the picture: where and when it was taken, by whom and with what, previews of an
//! earlier state, and whatever hangs behind its end. The pixels are not touched; what a reader needs to show them stays.

use super::{exif, png};
use crate::FileType;
use std::ops::Range;

/// The same picture without metadata. Only for bytes that [`super::facts`] found whole; others come back as they are.
pub fn strip(file_type: FileType, bytes: Vec<u8>) -> Vec<u8> {
    let kept = match file_type {
        FileType::Png => of_png(&bytes),
        FileType::Jpeg => of_jpeg(&bytes),
        FileType::Webp => of_webp(&bytes),
        _ => None,
    };
    kept.unwrap_or(bytes)
}

/// What is copied, and what is written in its place.
enum Part {
    Copied(Range<usize>),
    Written(Vec<u8>),
}

fn joined(bytes: &[u8], parts: &[Part]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(bytes.len());
    for part in parts {
        match part {
            Part::Copied(range) => joined.extend_from_slice(bytes.get(range.clone())?),
            Part::Written(written) => joined.extend_from_slice(written),
        }
    }
    Some(joined)
}

/// Chunks that say how the pixels are to be shown (W3C PNG, third edition, § 11.3), beside those a reader must know.
const PNG_KEPT: [&[u8; 4]; 12] = [
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"hIST", b"cICP", b"mDCV",
    b"cLLI",
];

fn of_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts = vec![Part::Copied(0..png::SIGNATURE.len())];
    let mut at = png::SIGNATURE.len();
    loop {
        let length = bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)?;
        let kind: &[u8; 4] = bytes.get(at + 4..at + 8)?.try_into().ok()?;
        let end = at.checked_add(12)?.checked_add(usize::try_from(length).ok()?)?;
        let content = bytes.get(at + 8..end - 4)?;
        if kind[0].is_ascii_uppercase() || PNG_KEPT.contains(&kind) {
            parts.push(Part::Copied(at..end));
        } else if kind == b"eXIf" {
            let exif = exif::only_orientation(content).map(|exif| png::chunk(b"eXIf", &exif));
            parts.extend(exif.map(Part::Written));
        }
        if kind == b"IEND" {
            return joined(bytes, &parts);
        }
        at = end;
    }
}

const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;
const APP15: u8 = 0xef;
const COMMENT: u8 = 0xfe;
/// A JFIF header without a preview.
const PLAIN_JFIF: usize = 18;

fn of_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts = vec![Part::Copied(0..2)];
    let mut at = 2;
    loop {
        // Fill bytes may stand before a marker.
        while bytes.get(at..at + 2)? == [0xff, 0xff] {
            at += 1;
        }
        let [0xff, marker] = *bytes.get(at..at + 2)? else { return None };
        if marker == 0xd9 {
            parts.push(Part::Copied(at..at + 2));
            return joined(bytes, &parts);
        }
        let length = bytes.get(at + 2..at + 4)?.try_into().ok().map(u16::from_be_bytes)?;
        let mut end = at + 2 + usize::from(length);
        let content = bytes.get(at + 4..end)?;
        if marker == 0xda {
            end += scan(bytes.get(end..)?)?;
        }
        match marker {
            APP1 if content.starts_with(exif::PREFIX) => {
                let exif = exif::only_orientation(content).map(|exif| jpeg_segment(APP1, &exif));
                parts.extend(exif.map(Part::Written));
            }
            APP0 if content.starts_with(b"JFIF\0") && end - at == PLAIN_JFIF => {
                parts.push(Part::Copied(at..end))
            }
            APP2 if content.starts_with(b"ICC_PROFILE\0") => parts.push(Part::Copied(at..end)),
            // How the components are to be read.
            APP14 if content.starts_with(b"Adobe") => parts.push(Part::Copied(at..end)),
            APP0..=APP15 | COMMENT => {}
            _ => parts.push(Part::Copied(at..end)),
        }
        at = end;
    }
}

/// How many bytes a scan's coded data have.
fn scan(bytes: &[u8]) -> Option<usize> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
    bytes.windows(2).position(is_marker)
}

fn jpeg_segment(marker: u8, exif: &[u8]) -> Vec<u8> {
    let content = [exif::PREFIX, exif].concat();
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xff, marker], &length[..], &content].concat()
}

/// Of the flags in `VP8X`: there is Exif, there is XMP (RFC 9649 § 2.7).
const EXIF_FLAG: u8 = 0x08;
const XMP_FLAG: u8 = 0x04;
/// Before the chunks: `RIFF`, a length, `WEBP`.
const RIFF_HEAD: usize = 12;

fn of_webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = bytes.get(4..8)?.try_into().ok().map(u32::from_le_bytes)?;
    let file_end = usize::try_from(length).ok()?.checked_add(8)?.min(bytes.len());
    let (mut at, mut parts, mut kept_exif) = (RIFF_HEAD, vec![Part::Copied(0..RIFF_HEAD)], None);
    while at + 8 <= file_end {
        let kind: &[u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let length = bytes.get(at + 4..at + 8)?.try_into().ok().map(u32::from_le_bytes)?;
        let content_end = at.checked_add(8)?.checked_add(usize::try_from(length).ok()?)?;
        let end = (content_end + content_end % 2).min(file_end);
        match kind {
            b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ANMF" | b"ICCP" => {
                parts.push(Part::Copied(at..end));
                // Some writers forget the byte that fills the last chunk up.
                parts.extend((end % 2 == 1).then(|| Part::Written(vec![0])));
            }
            b"EXIF" => kept_exif = exif::only_orientation(bytes.get(at + 8..content_end)?),
            _ => {}
        }
        at = end;
    }
    let has_exif = kept_exif.is_some();
    parts.extend(kept_exif.map(|exif| Part::Written(riff_chunk(b"EXIF", &exif))));
    let mut stripped = joined(bytes, &parts)?;
    let length = u32::try_from(stripped.len() - 8).ok()?;
    stripped.get_mut(4..8)?.copy_from_slice(&length.to_le_bytes());
    if stripped.get(RIFF_HEAD..RIFF_HEAD + 4) == Some(b"VP8X") {
        let flags = stripped.get_mut(RIFF_HEAD + 8)?;
        *flags &= !(EXIF_FLAG | XMP_FLAG);
        *flags |= if has_exif { EXIF_FLAG } else { 0 };
    }
    Some(stripped)
}

/// Of an even length, so that no byte is needed to fill it up.
fn riff_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    [kind.as_slice(), &length, content].concat()
}
