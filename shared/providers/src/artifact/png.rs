//! A PNG, read as its specification (W3C, third edition) says, without keeping a pixel: chunks with their checksums,
//! and the picture's rows as they leave the decompressor.

use super::{Sound, is_plausible};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// How much is decompressed at a time.
const PIECE: usize = 16 * 1024;

/// `None` when the file is no whole PNG. What follows its last chunk does not belong to it.
pub(super) fn check(bytes: &[u8]) -> Option<Sound> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    let header = match next_chunk(&mut rest)? {
        (b"IHDR", data) => Header::read(data)?,
        _ => return None,
    };
    let mut pixels = Pixels::new(&header);
    let (mut has_palette, mut are_pixels_over) = (false, false);
    loop {
        let (kind, data) = next_chunk(&mut rest)?;
        match kind {
            b"IDAT" if are_pixels_over => return None,
            b"IDAT" => pixels.feed(data)?,
            b"IEND" => break,
            b"PLTE" => has_palette = (3..=768).contains(&data.len()) && data.len() % 3 == 0,
            // What a reader must understand begins with a capital.
            _ if kind[0].is_ascii_uppercase() => return None,
            _ => {}
        }
        are_pixels_over = pixels.have_begun && kind != b"IDAT";
    }
    let is_whole = pixels.are_whole() && (has_palette || header.colour != INDEXED);
    is_whole.then(|| Sound { size: (header.width, header.height), len: bytes.len() - rest.len() })
}

/// Kind and data of the next chunk, when its checksum is right.
fn next_chunk<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (checked, after) = after.split_at_checked(length.checked_add(4)?)?;
    let (checksum, after) = after.split_first_chunk::<4>()?;
    if crc(checked) != u32::from_be_bytes(*checksum) {
        return None;
    }
    *rest = after;
    checked.split_first_chunk::<4>()
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
    fn read(data: &[u8]) -> Option<Header> {
        let [w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, compression, filter, interlace] = *data else {
            return None;
        };
        let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        let channels = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (INDEXED, 1 | 2 | 4 | 8) => 1,
            (2, 8 | 16) => 3,
            (4, 8 | 16) => 2,
            (6, 8 | 16) => 4,
            _ => return None,
        };
        let is_known = compression == 0 && filter == 0 && interlace <= 1;
        (is_known && is_plausible(width, height)).then(|| Header {
            width,
            height,
            bits_per_pixel: channels * u64::from(depth),
            colour,
            is_interlaced: interlace == 1,
        })
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

    /// `None` when the data is no compressed picture.
    fn feed(&mut self, mut data: &[u8]) -> Option<()> {
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
                Err(miniz_oxide::MZError::Buf) if data.is_empty() => break,
                _ => return None,
            }
        }
        Some(())
    }

    /// A row is one byte that names its filter, and then its pixels.
    fn count(&mut self, mut bytes: &[u8]) -> Option<()> {
        while let Some((filter, pixels)) = bytes.split_first() {
            if self.missing_in_row == 0 {
                let (row, rows) = self.passes.last_mut()?;
                self.missing_in_row = *row;
                *rows -= 1;
                if *rows == 0 {
                    self.passes.pop();
                }
                if *filter > 4 {
                    return None;
                }
                bytes = pixels;
            }
            let missing = usize::try_from(self.missing_in_row).unwrap_or(usize::MAX);
            let there = missing.min(bytes.len());
            self.missing_in_row -= there as u64;
            bytes = &bytes[there..];
        }
        Some(())
    }
}

/// CRC-32 as PNG and zlib use it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
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
#[cfg(test)]
pub(crate) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let checked = [kind.as_slice(), data].concat();
    [&length, checked.as_slice(), &crc(&checked).to_be_bytes()].concat()
}
