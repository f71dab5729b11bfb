//! Hands a file to the reader of its format in the portions that it asks for.

use super::{Flaw, Found};

/// What a reader asks for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Exactly so many bytes, in one piece.
    Exactly(usize),
    /// So many bytes, in pieces as they come; the answer to each piece but the last one is not looked at.
    Pieces(u64),
    /// Everything up to and including the next byte of this value, in pieces as they come. The answer to a piece without
    /// it is not looked at.
    Through(u8),
    /// To pass over so many bytes.
    Skip(u64),
    /// To pass over the rest of the file.
    Nothing,
}

impl Want {
    /// Whether it is there already. A reader moves on by it, or the walk would never end.
    fn is_empty(self) -> bool {
        matches!(self, Want::Exactly(0) | Want::Pieces(0) | Want::Skip(0))
    }
}

/// Knows one format. It is asked what it wants after each portion that it took.
pub(super) trait Format {
    /// What the format begins with.
    fn begin(&self) -> Want;

    /// The portion that was asked for; for [`Want::Skip`] an empty one, when the bytes were passed over.
    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw>;

    /// The file ended while the reader wanted something; so many bytes of it were missing. [`Want::Nothing`] and
    /// [`Want::Exactly`] of which no byte came miss nothing of a part that had begun.
    fn end(&mut self, ending: Ending) -> Result<Found, Flaw>;
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Between two portions.
    Clean,
    /// Within a portion; so many of its bytes were missing.
    Within(u64),
}

impl<T: Format + ?Sized> Format for Box<T> {
    fn begin(&self) -> Want {
        (**self).begin()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        (**self).take(bytes)
    }

    fn end(&mut self, ending: Ending) -> Result<Found, Flaw> {
        (**self).end(ending)
    }
}

/// No format asks for more at once: the index of a film of some hours.
pub(super) const PORTION_MAX: usize = 16 * 1024 * 1024;

pub(super) struct Walk<F> {
    format: F,
    want: Want,
    /// The beginning of a portion that is not complete.
    held: Vec<u8>,
    /// Whether something of a portion in pieces has come.
    has_begun: bool,
}

impl<F: Format> Walk<F> {
    pub(super) fn new(format: F) -> Walk<F> {
        Walk { want: format.begin(), format, held: Vec::new(), has_begun: false }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Flaw> {
        loop {
            match self.want {
                Want::Nothing => return Ok(()),
                Want::Exactly(length) => {
                    if length > PORTION_MAX {
                        return Err(Flaw::Unfit("a part of it is too long"));
                    }
                    let Some(portion) = self.portion(length, &mut bytes) else { return Ok(()) };
                    self.want = self.format.take(&portion)?;
                }
                Want::Skip(0) | Want::Pieces(0) => self.ask(&[])?,
                Want::Skip(length) => {
                    let passed = passing(length, bytes);
                    bytes = &bytes[passed..];
                    self.has_begun |= passed > 0;
                    match length - passed as u64 {
                        0 => self.ask(&[])?,
                        left => {
                            self.want = Want::Skip(left);
                            return Ok(());
                        }
                    }
                }
                Want::Pieces(length) => {
                    let (piece, rest) = bytes.split_at(passing(length, bytes));
                    if piece.is_empty() {
                        return Ok(());
                    }
                    bytes = rest;
                    self.has_begun = true;
                    match length - piece.len() as u64 {
                        0 => self.ask(piece)?,
                        left => {
                            self.format.take(piece)?;
                            self.want = Want::Pieces(left);
                        }
                    }
                }
                Want::Through(last) => {
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    match bytes.iter().position(|byte| *byte == last) {
                        Some(at) => {
                            let (piece, rest) = bytes.split_at(at + 1);
                            bytes = rest;
                            self.ask(piece)?;
                        }
                        None => {
                            self.format.take(bytes)?;
                            self.has_begun = true;
                            return Ok(());
                        }
                    }
                }
            }
            if bytes.is_empty() && !self.want.is_empty() {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, portion: &[u8]) -> Result<(), Flaw> {
        self.has_begun = false;
        self.want = self.format.take(portion)?;
        Ok(())
    }

    /// `None` until the portion is complete; what has come of it is held.
    fn portion<'a>(&mut self, length: usize, bytes: &mut &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
        let missing = length.saturating_sub(self.held.len());
        if missing > bytes.len() {
            self.held.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        }
        let (portion, rest) = bytes.split_at(missing);
        *bytes = rest;
        if self.held.is_empty() {
            return Some(portion.into());
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(portion);
        Some(whole.into())
    }

    pub(super) fn finish(&mut self) -> Result<Found, Flaw> {
        let missing = match self.want {
            Want::Nothing => 0,
            Want::Exactly(_) if self.held.is_empty() => 0,
            Want::Exactly(length) => (length - self.held.len()) as u64,
            Want::Pieces(left) | Want::Skip(left) => left,
            Want::Through(_) => u64::from(self.has_begun),
        };
        self.format.end(if missing == 0 { Ending::Clean } else { Ending::Within(missing) })
    }
}

/// How many of the bytes belong to a portion of that length.
fn passing(length: u64, bytes: &[u8]) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len())
}

/// Big-endian numbers at the front of a portion.
pub(super) fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_be(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

pub(super) fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
