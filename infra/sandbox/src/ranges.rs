//! Byte ranges of a file: `Range: bytes=…` with one range, as players ask (RFC 9110, 14).

use std::ops::Range;

/// What to send of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole,
    Part(Range<u64>),
    /// Nothing of the file lies in the range.
    Nothing,
}

/// A header that is no single range of bytes is ignored, as the standard allows.
pub(crate) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(range) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.split_once('-') else { return Wanted::Whole };
    let number = |text: &str| text.trim().parse::<u64>();
    match (number(first), number(last)) {
        (Ok(first), Ok(last)) if first <= last => part(first, last.saturating_add(1), size),
        (Ok(first), Err(_)) if last.trim().is_empty() => part(first, size, size),
        (Err(_), Ok(count)) if first.trim().is_empty() => part(size.saturating_sub(count), size, size),
        _ => Wanted::Whole,
    }
}

fn part(first: u64, end: u64, size: u64) -> Wanted {
    let end = end.min(size);
    if first < end { Wanted::Part(first..end) } else { Wanted::Nothing }
}
