//! UTF-8 without control characters. Whether a JSON or a CSV is well-formed is for who reads it.

use super::walk::{Ending, Format, Want};
use super::{Flaw, Found};
use crate::{FileFamily, FileType};

#[derive(Default)]
pub(super) struct Text {
    /// The beginning of a character whose rest comes with the next piece: three bytes at most.
    cut: Vec<u8>,
}

pub(super) fn detect(head: &[u8], expected: FileFamily) -> Option<FileType> {
    let end = whole_characters(head).ok()?;
    let text = std::str::from_utf8(&head[..end]).ok()?;
    if text.is_empty() || has_control(text) {
        return None;
    }
    let text = text.trim_start_matches('\u{feff}');
    match expected {
        FileFamily::Text => Some(FileType::Text),
        FileFamily::Table => match text.trim_start().chars().next() {
            Some('{' | '[') => Some(FileType::Json),
            _ => Some(FileType::Csv),
        },
        FileFamily::Subtitles if text.starts_with("WEBVTT") => Some(FileType::Vtt),
        FileFamily::Subtitles => {
            let mut lines = text.trim_start().lines();
            let number = lines.next()?.trim();
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && lines.next()?.contains("-->")).then_some(FileType::Srt)
        }
        FileFamily::Image | FileFamily::Video | FileFamily::Audio => None,
    }
}

/// How many bytes are whole characters; the rest, of three bytes at most, may become one.
fn whole_characters(bytes: &[u8]) -> Result<usize, Flaw> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(NOT_UTF_8),
    }
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c))
}

const NOT_UTF_8: Flaw = Flaw::Damaged("it is not UTF-8");

impl Format for Text {
    fn begin(&self) -> Want {
        Want::Pieces(u64::MAX)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let mut joined = std::mem::take(&mut self.cut);
        joined.extend_from_slice(bytes);
        let end = whole_characters(&joined)?;
        let text = std::str::from_utf8(&joined[..end]).map_err(|_| NOT_UTF_8)?;
        if has_control(text) {
            return Err(Flaw::Damaged("a control character in a text"));
        }
        self.cut = joined.split_off(end);
        Ok(Want::Pieces(u64::MAX))
    }

    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        if self.cut.is_empty() { Ok(Found::default()) } else { Err(Flaw::Cut) }
    }
}
