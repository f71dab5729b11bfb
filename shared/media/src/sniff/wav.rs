//! A WAV, walked from chunk to chunk (RIFF; Microsoft, "Multimedia Programming Interface", WAVE). Only samples of a fixed
//! length are taken, so that the length of the sound is that of its data, whatever else the header says.

use super::walk::{Ending, Format, Want, u16_le, u32_le};
use super::{Flaw, Found};

/// PCM, floating point, A-law, µ-law, and PCM in the longer header.
const FIXED: [u16; 5] = [1, 3, 6, 7, 0xfffe];
/// Written by who does not know the end yet.
const OPEN: [u32; 2] = [0, u32::MAX];

#[derive(Default)]
pub(super) struct Wav {
    next: Next,
    kind: [u8; 4],
    /// Bytes of a second.
    byte_rate: Option<u32>,
    data: u64,
    /// The length of the data that is being passed over, and whether it is only where the file may end.
    passing: Option<(u64, bool)>,
    padding: u64,
}

#[derive(Default, Clone, Copy)]
enum Next {
    #[default]
    Container,
    Head,
    Form,
    Passed,
}

impl Wav {
    fn head(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        self.kind = bytes.get(..4).and_then(|kind| kind.try_into().ok()).unwrap_or_default();
        let length = u32_le(bytes, 4).unwrap_or_default();
        self.padding = u64::from(length % 2);
        match &self.kind {
            b"fmt " if self.byte_rate.is_some() => Err(Flaw::Damaged("a second form")),
            b"fmt " if (16..=1024).contains(&length) => {
                self.next = Next::Form;
                Ok(Want::Exactly(usize::try_from(length).unwrap_or_default()))
            }
            b"fmt " => Err(Flaw::Damaged("its form")),
            b"data" => {
                self.next = Next::Passed;
                let is_open = OPEN.contains(&length);
                let length = if is_open { u64::MAX } else { u64::from(length) };
                self.passing = Some((length, is_open));
                Ok(Want::Skip(length))
            }
            _ => {
                self.next = Next::Passed;
                Ok(Want::Skip(u64::from(length) + self.padding))
            }
        }
    }

    fn form(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let short = |at| u16_le(bytes, at).unwrap_or_default();
        let (coding, channels, bits) = (short(0), short(2), short(14));
        let rate = u32_le(bytes, 4).unwrap_or_default();
        if !FIXED.contains(&coding) {
            return Err(Flaw::Unfit("its sound is compressed"));
        }
        let is_usual = (1..=8).contains(&channels)
            && (4_000..=384_000).contains(&rate)
            && matches!(bits, 8 | 16 | 24 | 32 | 64);
        if !is_usual {
            return Err(Flaw::Damaged("its form"));
        }
        self.byte_rate = Some(rate * u32::from(channels) * u32::from(bits / 8));
        self.next = Next::Passed;
        Ok(Want::Skip(self.padding))
    }
}

impl Format for Wav {
    fn begin(&self) -> Want {
        Want::Exactly(12)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Container => {
                self.next = Next::Head;
                Ok(Want::Exactly(8))
            }
            Next::Head => self.head(bytes),
            Next::Form => self.form(bytes),
            Next::Passed => {
                if let Some((length, _)) = self.passing.take() {
                    self.data += length;
                    if self.padding > 0 {
                        return Ok(Want::Skip(self.padding));
                    }
                }
                self.next = Next::Head;
                Ok(Want::Exactly(8))
            }
        }
    }

    fn end(&mut self, ending: Ending) -> Result<Found, Flaw> {
        let rate = u64::from(self.byte_rate.ok_or(Flaw::Cut)?);
        match (self.passing, ending) {
            (Some((length, true)), Ending::Within(missing)) => self.data += length - missing,
            // The byte that fills an odd chunk up is often forgotten, and so is what comes behind the sound.
            (None, _) => {}
            (Some(_), _) => return Err(Flaw::Cut),
        }
        if self.data == 0 {
            return Err(Flaw::Damaged("it has no sound"));
        }
        Ok(Found { pixels: None, millis: Some(self.data.saturating_mul(1_000) / rate) })
    }
}
