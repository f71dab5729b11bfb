//! A PNG, read as its specification (W3C, third edition) says, without keeping a pixel: chunks with their checksums,
//! and the picture's rows as they leave the decompressor. A row more than the header announces is refused at once, so
//! nothing is inflated beyond [`Bounds`].

use super::walk::{Ending, Format, Want, u32_be};
use super::{Bounds, Flaw, Found};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Length and kind.
const HEAD: usize = 8;
const CHECKSUM: usize = 4;
/// How much is decompressed at a time.
const PIECE: usize = 16 * 1024;
/// Chunk lengths have 31 bits.
const LENGTH_MAX: u32 = 0x7fff_ffff;

pub(super) struct Png {
    bounds: Bounds,
    next: Next,
    chunk: Chunk,
    header: Option<Header>,
    pixels: Option<Pixels>,
    has_palette: bool,
    are_pixels_over: bool,
    is_over: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Signature,
    Head,
    Data,
    Checksum,
}

/// The chunk that is being read.
#[derive(Default)]
struct Chunk {
    kind: [u8; 4],
    left: u32,
    crc: u32,
    /// Of the two that are understood whole.
    data: Vec<u8>,
}

impl Png {
    pub(super) fn new(bounds: Bounds) -> Png {
        Png {
            bounds,
            next: Next::Signature,
            chunk: Chunk::default(),
            header: None,
            pixels: None,
            has_palette: false,
            are_pixels_over: false,
            is_over: false,
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let length = u32_be(bytes, 0).filter(|length| *length <= LENGTH_MAX);
        let length = length.ok_or(Flaw::Damaged("a chunk's length"))?;
        let kind: [u8; 4] = bytes.get(4..8).and_then(|kind| kind.try_into().ok()).unwrap_or_default();
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Flaw::Damaged("a chunk's kind"));
        }
        match &kind {
            b"IHDR" if self.header.is_none() && length == 13 => {}
            _ if self.header.is_none() => return Err(Flaw::Damaged("it does not begin with its header")),
            b"IDAT" if self.are_pixels_over => return Err(Flaw::Damaged("its pixels are scattered")),
            b"PLTE" if (3..=768).contains(&length) && length % 3 == 0 => self.has_palette = true,
            b"IDAT" => {}
            b"IEND" if length == 0 => {}
            // What a reader must understand begins with a capital.
            kind if kind[0].is_ascii_uppercase() => return Err(Flaw::Damaged("a chunk it should not have")),
            _ => {}
        }
        self.are_pixels_over =
            self.pixels.as_ref().is_some_and(|pixels| pixels.have_begun) && kind != *b"IDAT";
        let crc = kind.iter().fold(!0, crc_step);
        self.chunk = Chunk { kind, left: length, crc, data: Vec::new() };
        self.next = if length == 0 { Next::Checksum } else { Next::Data };
        Ok(if length == 0 { Want::Exactly(CHECKSUM) } else { Want::Pieces(length.into()) })
    }

    fn data(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        let chunk = &mut self.chunk;
        chunk.crc = bytes.iter().fold(chunk.crc, crc_step);
        chunk.left = chunk.left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        match &chunk.kind {
            b"IHDR" => chunk.data.extend_from_slice(bytes),
            b"IDAT" => {
                let pixels = self.pixels.as_mut().ok_or(Flaw::Damaged("pixels before the header"))?;
                pixels.feed(bytes)?;
            }
            _ => {}
        }
        if self.chunk.left == 0 {
            self.next = Next::Checksum;
            return Ok(Want::Exactly(CHECKSUM));
        }
        Ok(Want::Pieces(self.chunk.left.into()))
    }

    fn checksum(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        if u32_be(bytes, 0) != Some(!self.chunk.crc) {
            return Err(Flaw::Damaged("a checksum"));
        }
        match &self.chunk.kind {
            b"IHDR" => {
                let header = Header::read(&self.chunk.data, self.bounds)?;
                self.pixels = Some(Pixels::new(&header));
                self.header = Some(header);
            }
            b"IEND" => {
                self.is_over = true;
                return Ok(Want::Nothing);
            }
            _ => {}
        }
        self.next = Next::Head;
        Ok(Want::Exactly(HEAD))
    }
}

impl Format for Png {
    fn begin(&self) -> Want {
        Want::Exactly(SIGNATURE.len())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Signature if bytes == SIGNATURE => {
                self.next = Next::Head;
                Ok(Want::Exactly(HEAD))
            }
            Next::Signature => Err(Flaw::Unknown),
            Next::Head => self.head(bytes),
            Next::Data => self.data(bytes),
            Next::Checksum => self.checksum(bytes),
        }
    }

    fn end(&mut self, _: Ending) -> Result<Found, Flaw> {
        let (Some(header), Some(pixels), true) = (&self.header, &self.pixels, self.is_over) else {
            return Err(Flaw::Cut);
        };
        if !pixels.are_whole() {
            return Err(Flaw::Cut);
        }
        if header.colour == INDEXED && !self.has_palette {
            return Err(Flaw::Damaged("a palette is missing"));
        }
        Ok(Found { pixels: Some((header.width, header.height)), millis: None })
    }
}

const INDEXED: u8 = 3;

struct Header {
    width: u32,
    height: u32,
    bits_per_pixel: u64,
    colour: u8,
    is_interlaced: bool,
}

impl Header {
    fn read(data: &[u8], bounds: Bounds) -> Result<Header, Flaw> {
        let wrong = Flaw::Damaged("its header");
        let [w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, compression, filter, interlace] = *data else {
            return Err(wrong);
        };
        let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        let channels = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (INDEXED, 1 | 2 | 4 | 8) => 1,
            (2, 8 | 16) => 3,
            (4, 8 | 16) => 2,
            (6, 8 | 16) => 4,
            _ => return Err(wrong),
        };
        if compression != 0 || filter != 0 || interlace > 1 {
            return Err(wrong);
        }
        let (width, height) = bounds.check(width, height)?;
        let bits_per_pixel = channels * u64::from(depth);
        Ok(Header { width, height, bits_per_pixel, colour, is_interlaced: interlace == 1 })
    }

    /// Bytes in a row and number of rows of each pass, empty passes left out. An interlaced picture has seven.
    fn passes(&self) -> Vec<(u64, u64)> {
        const WHOLE: &[[u32; 4]] = &[[0, 0, 1, 1]];
        // Where a pass begins and how far its pixels lie apart: x, y, dx, dy.
        const ADAM7: &[[u32; 4]] = &[
            [0, 0, 8, 8],
            [4, 0, 8, 8],
            [0, 4, 4, 8],
            [2, 0, 4, 4],
            [0, 2, 2, 4],
            [1, 0, 2, 2],
            [0, 1, 1, 2],
        ];
        let passes = if self.is_interlaced { ADAM7 } else { WHOLE };
        let sides = passes.iter().map(|[x, y, dx, dy]| {
            let width = self.width.saturating_sub(*x).div_ceil(*dx);
            let height = self.height.saturating_sub(*y).div_ceil(*dy);
            (u64::from(width), u64::from(height))
        });
        let rows = sides.filter(|(width, height)| *width > 0 && *height > 0);
        rows.map(|(width, height)| ((width * self.bits_per_pixel).div_ceil(8), height)).collect()
    }
}

/// The rows still to come, counted while they are decompressed.
struct Pixels {
    inflater: Box<InflateState>,
    passes: Vec<(u64, u64)>,
    /// What is missing of the row that has begun; 0 before the first byte of a row.
    missing_in_row: u64,
    have_begun: bool,
    is_stream_over: bool,
}

impl Pixels {
    fn new(header: &Header) -> Pixels {
        let mut passes = header.passes();
        passes.reverse();
        Pixels {
            inflater: InflateState::new_boxed(DataFormat::Zlib),
            passes,
            missing_in_row: 0,
            have_begun: false,
            is_stream_over: false,
        }
    }

    /// Every row is there, and the decompressor's own checksum was right.
    fn are_whole(&self) -> bool {
        self.is_stream_over && self.passes.is_empty() && self.missing_in_row == 0
    }

    fn feed(&mut self, mut data: &[u8]) -> Result<(), Flaw> {
        self.have_begun = true;
        let mut piece = [0; PIECE];
        while !self.is_stream_over {
            let result = inflate(&mut self.inflater, data, &mut piece, MZFlush::None);
            data = &data[result.bytes_consumed..];
            self.count(&piece[..result.bytes_written])?;
            match result.status {
                Ok(MZStatus::StreamEnd) => self.is_stream_over = true,
                Ok(_) if data.is_empty() && result.bytes_written < PIECE => break,
                Ok(_) if result.bytes_consumed > 0 || result.bytes_written > 0 => {}
                Err(MZError::Buf) if data.is_empty() => break,
                _ => return Err(Flaw::Damaged("its pixels can't be decompressed")),
            }
        }
        Ok(())
    }

    /// A row is one byte that names its filter, and then its pixels.
    fn count(&mut self, mut bytes: &[u8]) -> Result<(), Flaw> {
        while let Some((filter, pixels)) = bytes.split_first() {
            if self.missing_in_row == 0 {
                let (row, rows) = self.passes.last_mut().ok_or(Flaw::Damaged("more rows than announced"))?;
                self.missing_in_row = *row;
                *rows -= 1;
                if *rows == 0 {
                    self.passes.pop();
                }
                if *filter > 4 {
                    return Err(Flaw::Damaged("a row's filter"));
                }
                bytes = pixels;
            }
            let missing = usize::try_from(self.missing_in_row).unwrap_or(usize::MAX);
            let there = missing.min(bytes.len());
            self.missing_in_row -= there as u64;
            bytes = &bytes[there..];
        }
        Ok(())
    }
}

/// CRC-32 as PNG and zlib use it (ISO 3309), of one more byte.
fn crc_step(crc: u32, byte: &u8) -> u32 {
    const TABLE: [u32; 256] = table();
    TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut crc, mut bit) = (at as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

/// A chunk as a file holds it.
pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    let checked = [kind.as_slice(), data].concat();
    let crc = !checked.iter().fold(!0, crc_step);
    [&length, checked.as_slice(), &crc.to_be_bytes()].concat()
}
