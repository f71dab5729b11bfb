//! What the head of a picture file tells: its kind and size. The sandbox is handed pictures as sources of new ones.

/// A picture that somebody else made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) content_type: &'static str,
    /// Width and height; `None` for a kind that is only recognised.
    pub(crate) size: Option<(u32, u32)>,
}

impl Seen {
    /// Reads the head of a file; `None` for what is no picture that a vendor here takes.
    pub(crate) fn read(file: &[u8]) -> Option<Seen> {
        let (content_type, size) = match file {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => ("image/png", Some(png(file)?)),
            [0xff, 0xd8, 0xff, ..] => ("image/jpeg", Some(jpeg(file)?)),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ("image/gif", Some(gif(file)?)),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", webp(file)),
            [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => ("image/avif", None),
            _ => return None,
        };
        Some(Seen { content_type, size })
            .filter(|seen| seen.size.is_none_or(|(width, height)| width.min(height) > 0))
    }
}

fn png(file: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| Some(u32::from_be_bytes(file.get(at..at + 4)?.try_into().ok()?));
    (file.get(12..16)? == b"IHDR").then_some(())?;
    Some((side(16)?, side(20)?))
}

fn gif(file: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| Some(u32::from(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?)));
    Some((side(6)?, side(8)?))
}

/// Walks over the segments to the frame header (ITU-T T.81, annex B).
fn jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u16::from_be_bytes(file.get(at..at + 2)?.try_into().ok()?));
    let mut at = 2;
    loop {
        let [0xff, marker] = *file.get(at..at + 2)? else { return None };
        match marker {
            0xff => at += 1,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((word(at + 7)?.into(), word(at + 5)?.into()));
            }
            _ => at += 2 + usize::from(word(at + 2)?),
        }
    }
}

/// The three kinds of RFC 9649 and RFC 6386, 9.1.
fn webp(file: &[u8]) -> Option<(u32, u32)> {
    let byte = |at: usize| file.get(at).copied().map(u32::from);
    let side = |at: usize| Some(byte(at)? | (byte(at + 1)? << 8));
    match file.get(12..16)? {
        b"VP8X" => Some((1 + (side(24)? | (byte(26)? << 16)), 1 + (side(27)? | (byte(29)? << 16)))),
        b"VP8L" => {
            let bits = side(21)? | (side(23)? << 16);
            Some((1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff)))
        }
        b"VP8 " => Some((side(26)? & 0x3fff, side(28)? & 0x3fff)),
        _ => None,
    }
}
