//! A GIF, walked from block to block (GIF89a specification). Its pixels are not decoded.

use super::walk::{Ending, Format, Want, u16_le};
use super::{Bounds, Flaw, Found};

/// A frame costs its reader a whole picture.
const FRAMES_MAX: u32 = 5_000;

pub(super) struct Gif {
    bounds: Bounds,
    next: Next,
    size: Option<(u32, u32)>,
    frames: u32,
    /// Hundredths of a second that its frames are shown, all together.
    hundredths: u64,
    is_over: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Header,
    /// A colour table, or bytes of a block that say nothing to us.
    Passed,
    Block,
    ExtensionLabel,
    /// Length and content of the extension that tells how long a frame is shown.
    GraphicControl,
    Descriptor,
    /// The smallest code of the compressed pixels.
    CodeSize,
    /// The length of a sub-block.
    SubBlock,
    SubBlockPassed,
}

impl Gif {
    pub(super) fn new(bounds: Bounds) -> Gif {
        Gif { bounds, next: Next::Header, size: None, frames: 0, hundredths: 0, is_over: false }
    }

    fn ask(&mut self, next: Next, want: Want) -> Result<Want, Flaw> {
        self.next = next;
        Ok(want)
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let side = |at| u16_le(bytes, at).map(u32::from).unwrap_or_default();
        self.size = Some(self.bounds.check(side(6), side(8))?);
        self.ask(Next::Passed, Want::Skip(colour_table(bytes[10])))
    }

    fn block(&mut self, kind: u8) -> Result<Want, Flaw> {
        match kind {
            0x21 => self.ask(Next::ExtensionLabel, Want::Exactly(1)),
            0x2c => self.ask(Next::Descriptor, Want::Exactly(9)),
            0x3b => {
                self.is_over = true;
                Ok(Want::Nothing)
            }
            _ => Err(Flaw::Damaged("a block that it should not have")),
        }
    }

    fn descriptor(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let side = |at| u16_le(bytes, at).map(u32::from).unwrap_or_default();
        self.bounds.check(side(4), side(6))?;
        self.frames += 1;
        if self.frames > FRAMES_MAX {
            return Err(Flaw::Unfit("too many frames"));
        }
        self.ask(Next::CodeSize, Want::Skip(colour_table(bytes[8])))
    }
}

/// Its length by a packed field: whether it is there, and its size.
fn colour_table(packed: u8) -> u64 {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

impl Format for Gif {
    fn begin(&self) -> Want {
        Want::Exactly(13)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let first = bytes.first().copied().unwrap_or_default();
        match self.next {
            Next::Header => self.header(bytes),
            Next::Passed => self.ask(Next::Block, Want::Exactly(1)),
            Next::Block => self.block(first),
            Next::ExtensionLabel if first == 0xf9 => self.ask(Next::GraphicControl, Want::Exactly(5)),
            Next::ExtensionLabel => self.ask(Next::SubBlock, Want::Exactly(1)),
            Next::GraphicControl => {
                if first != 4 {
                    return Err(Flaw::Damaged("an extension's length"));
                }
                self.hundredths += u64::from(u16_le(bytes, 2).unwrap_or_default());
                self.ask(Next::SubBlock, Want::Exactly(1))
            }
            Next::Descriptor => self.descriptor(bytes),
            // The skipped colour table, and then the size of a code, which is a byte like a sub-block's length.
            Next::CodeSize => self.ask(Next::SubBlockPassed, Want::Skip(1)),
            Next::SubBlock if first == 0 => self.ask(Next::Block, Want::Exactly(1)),
            Next::SubBlock => self.ask(Next::SubBlockPassed, Want::Skip(first.into())),
            Next::SubBlockPassed => self.ask(Next::SubBlock, Want::Exactly(1)),
        }
    }

    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        if !self.is_over || self.frames == 0 {
            return Err(Flaw::Cut);
        }
        let millis = (self.frames > 1).then_some(self.hundredths * 10);
        Ok(Found { pixels: self.size, millis })
    }
}
