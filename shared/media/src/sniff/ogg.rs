//! An Ogg, walked from page to page (RFC 3533), with one sound in it: Opus (RFC 7845), Vorbis, or FLAC. Its length is what
//! the pages' positions say, and not less than its packets hold.

use super::walk::{Ending, Format, Want, u16_le, u32_le, u64_be};
use super::{Flaw, Found};

const HEAD: usize = 27;
/// Of a page that ends no packet.
const NO_POSITION: u64 = u64::MAX;

#[derive(Default)]
pub(super) struct Ogg {
    next: Next,
    lacing: Vec<u8>,
    stream: Option<Stream>,
    /// What the streams before this one play; a file may hold several, one after the other.
    millis: u64,
    serial: u32,
    position: u64,
    is_first: bool,
    is_last: bool,
}

#[derive(Default, Clone, Copy)]
enum Next {
    #[default]
    Head,
    Lacing,
    Body,
}

struct Stream {
    codec: Codec,
    rate: u32,
    /// Samples that are not played.
    skipped: u64,
    position: u64,
    /// Samples that the packets hold at least.
    least: u64,
    packets: u64,
    /// Whether a packet goes on in the next page.
    is_open: bool,
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Opus,
    /// A packet plays half of the shorter block at least.
    Vorbis {
        least: u64,
    },
    Flac,
}

impl Codec {
    /// Packets that hold no sound.
    fn headers(self) -> u64 {
        match self {
            Codec::Opus => 2,
            Codec::Vorbis { .. } => 3,
            Codec::Flac => 1,
        }
    }
}

impl Stream {
    fn begin(packet: &[u8]) -> Result<Stream, Flaw> {
        let (codec, rate, skipped) = match packet {
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => {
                // Positions count at 48 kHz, whatever the sound was recorded at.
                (Codec::Opus, 48_000, u64::from(u16_le(packet, 10).unwrap_or_default()))
            }
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => {
                let rate = u32_le(packet, 12).unwrap_or_default();
                let least = 1_u64 << (packet.get(28).copied().unwrap_or_default() & 0x0f);
                (Codec::Vorbis { least: least / 2 }, rate, 0)
            }
            [0x7f, b'F', b'L', b'A', b'C', ..] => {
                let rate = u64_be(packet, 27).unwrap_or_default() >> 44;
                (Codec::Flac, u32::try_from(rate).unwrap_or_default(), 0)
            }
            _ => return Err(Flaw::Unfit("it holds no sound that we know")),
        };
        if rate == 0 {
            return Err(Flaw::Damaged("its rate"));
        }
        Ok(Stream { codec, rate, skipped, position: 0, least: 0, packets: 0, is_open: false, is_over: false })
    }

    fn packet(&mut self, start: Option<u8>) {
        self.packets += 1;
        if self.packets <= self.codec.headers() {
            return;
        }
        self.least += match self.codec {
            Codec::Opus => start.map(opus_samples).unwrap_or_default(),
            Codec::Vorbis { least } => least,
            Codec::Flac => 0,
        };
    }

    fn millis(&self) -> u64 {
        let samples = self.position.saturating_sub(self.skipped).max(self.least.saturating_sub(self.skipped));
        samples.saturating_mul(1_000) / u64::from(self.rate)
    }
}

/// Samples of a packet's first frame at 48 kHz, and of its second if there surely is one (RFC 6716 § 3.1).
fn opus_samples(toc: u8) -> u64 {
    let config = u64::from(toc >> 3);
    let frame = match config {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(toc >> 3 & 3)],
        12..=15 => 480 << (config & 1),
        _ => 120 << (config & 3),
    };
    match toc & 3 {
        1 | 2 => 2 * frame,
        _ => frame,
    }
}

impl Ogg {
    fn head(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let [b'O', b'g', b'g', b'S', 0, flags, ..] = *bytes else {
            return Err(Flaw::Damaged("a page's beginning"));
        };
        let serial = u32_le(bytes, 14).unwrap_or_default();
        (self.is_first, self.is_last) = (flags & 2 != 0, flags & 4 != 0);
        let is_going_on = self.stream.as_ref().is_some_and(|stream| !stream.is_over);
        match (self.is_first, is_going_on) {
            (true, true) => return Err(Flaw::Unfit("several streams at once")),
            (false, _) if self.stream.is_none() || serial != self.serial => {
                return Err(Flaw::Damaged("a page of no stream"));
            }
            _ => self.serial = serial,
        }
        let position = bytes.get(6..14).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        self.position = position.unwrap_or(NO_POSITION);
        self.next = Next::Lacing;
        Ok(Want::Exactly(bytes[HEAD - 1].into()))
    }

    fn lacing(&mut self, bytes: &[u8]) -> Want {
        self.lacing = bytes.to_vec();
        self.next = Next::Body;
        Want::Exactly(bytes.iter().map(|length| usize::from(*length)).sum())
    }

    fn body(&mut self, body: &[u8]) -> Result<Want, Flaw> {
        if self.is_first {
            self.millis += self.stream.take().map(|before| before.millis()).unwrap_or_default();
            self.stream = Some(Stream::begin(body)?);
        }
        let stream = self.stream.as_mut().ok_or(Flaw::Cut)?;
        let mut at = 0;
        for length in &self.lacing {
            if !stream.is_open {
                stream.packet(body.get(at).copied());
            }
            at += usize::from(*length);
            stream.is_open = *length == 255;
        }
        if self.position != NO_POSITION {
            stream.position = stream.position.max(self.position);
        }
        stream.is_over = self.is_last;
        self.next = Next::Head;
        Ok(Want::Exactly(HEAD))
    }
}

impl Format for Ogg {
    fn begin(&self) -> Want {
        Want::Exactly(HEAD)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Head => self.head(bytes),
            Next::Lacing => Ok(self.lacing(bytes)),
            Next::Body => self.body(bytes),
        }
    }

    fn end(&mut self, ending: Ending) -> Result<Found, Flaw> {
        let stream = self.stream.as_ref().filter(|stream| stream.packets > stream.codec.headers());
        let (Some(stream), Ending::Clean, Next::Head) = (stream, ending, self.next) else {
            return Err(Flaw::Cut);
        };
        Ok(Found { pixels: None, millis: Some(self.millis.saturating_add(stream.millis())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opus_packet_tells_its_time_in_its_first_byte() {
        for (toc, samples) in [
            (0x00, 480),   // SILK, 10 ms
            (0x18, 2_880), // 60 ms
            (0x60, 480),   // hybrid, 10 ms
            (0x68, 960),   // 20 ms
            (0x80, 120),   // CELT, 2.5 ms
            (0x98, 960),   // 20 ms
            (0xfc, 960),   // 20 ms, one frame
            (0xfd, 1_920), // two of them
        ] {
            assert_eq!(opus_samples(toc), samples, "{toc:x}");
        }
    }
}
