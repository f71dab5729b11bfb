//! A WebP, walked from chunk to chunk (RFC 9649). Its pixels are not decoded: what is checked is that container, chunks
//! and bitstream headers agree, and that the data they announce is there.

use super::{Sound, is_plausible};

pub(super) fn is_signed(bytes: &[u8]) -> bool {
    matches!(bytes, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..])
}

/// `None` when the file is no whole WebP. What follows the container does not belong to it.
pub(super) fn check(bytes: &[u8]) -> Option<Sound> {
    let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes)?;
    let len = usize::try_from(length).ok()?.checked_add(8)?;
    let mut rest = bytes.get(12..len)?;
    let (kind, data) = next_chunk(&mut rest)?;
    let size = match kind {
        b"VP8 " => lossy(data)?,
        b"VP8L" => lossless(data)?,
        b"VP8X" => extended(data, rest)?,
        _ => return None,
    };
    Some(Sound { size, len })
}

/// The canvas, when there is a picture for it: a still one, or the frames of a moving one.
fn extended(data: &[u8], mut rest: &[u8]) -> Option<(u32, u32)> {
    let [_, _, _, _, w0, w1, w2, h0, h1, h2] = *data else { return None };
    let (width, height) = (u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1);
    let mut has_picture = false;
    while !rest.is_empty() {
        let (kind, data) = next_chunk(&mut rest)?;
        has_picture |= match kind {
            b"VP8 " => lossy(data)? == (width, height),
            b"VP8L" => lossless(data)? == (width, height),
            b"ANMF" => frame(data.get(16..)?)?,
            _ => false,
        };
    }
    (has_picture && is_plausible(width, height)).then_some((width, height))
}

fn frame(mut rest: &[u8]) -> Option<bool> {
    let mut has_picture = false;
    while !rest.is_empty() {
        match next_chunk(&mut rest)? {
            (b"VP8 ", data) => has_picture |= lossy(data).is_some(),
            (b"VP8L", data) => has_picture |= lossless(data).is_some(),
            _ => {}
        }
    }
    Some(has_picture)
}

/// Chunks have an even length; a byte is added where it would be odd.
fn next_chunk<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
    let (kind, after) = rest.split_first_chunk::<4>()?;
    let (length, after) = after.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (data, after) = after.split_at_checked(length)?;
    // Some writers forget the last byte that fills up.
    *rest = after.get(length % 2..).unwrap_or_default();
    Some((kind, data))
}

/// A key frame's header: sizes of the frame and of its first partition (RFC 6386 § 9.1).
fn lossy(data: &[u8]) -> Option<(u32, u32)> {
    let [t0, t1, t2, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, rest @ ..] = data else { return None };
    let tag = u32::from_le_bytes([*t0, *t1, *t2, 0]);
    let first_partition = usize::try_from(tag >> 5).ok()?;
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let (width, height) = (side(*w0, *w1), side(*h0, *h1));
    let is_key_frame = tag & 1 == 0;
    let is_whole = first_partition > 0 && first_partition < rest.len();
    (is_key_frame && is_whole && is_plausible(width, height)).then_some((width, height))
}

/// The signature, two sides of 14 bits, a flag and the version (RFC 9649 § 3.4).
fn lossless(data: &[u8]) -> Option<(u32, u32)> {
    let [0x2f, b0, b1, b2, b3, pixels @ ..] = data else { return None };
    let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
    let (width, height) = ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1);
    let is_known = bits >> 29 == 0 && !pixels.is_empty();
    (is_known && is_plausible(width, height)).then_some((width, height))
}
