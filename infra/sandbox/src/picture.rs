//! Real PNG files: a coloured sky and a sun, with colours that follow from the prompt.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

use crate::ids;

mod palette;
mod seen;

pub(crate) use palette::colours;
pub(crate) use seen::Seen;

/// The largest side any vendor here accepts.
pub(crate) const SIDE_MAX: u32 = 14_142;
const PALETTES: u64 = 64;
const CACHED: usize = 256;
const CACHED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A picture to be drawn; equal pictures have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// `None` is black.
    pub(crate) palette: Option<u8>,
}

/// Drawn pictures, kept because benchmarks ask for the same ones.
#[derive(Default)]
pub(crate) struct Pictures {
    drawn: Mutex<HashMap<Picture, Bytes>>,
}

impl Picture {
    pub(crate) fn of(prompt: &str, seed: u64, width: u32, height: u32) -> Picture {
        Picture { width, height, palette: Some(palette_of(prompt, seed)) }
    }
}

/// The palette that follows from a prompt and a seed.
pub(crate) fn palette_of(prompt: &str, seed: u64) -> u8 {
    u8::try_from(ids::hash(prompt).wrapping_add(seed) % PALETTES).unwrap_or(0)
}

impl Pictures {
    /// The file's bytes.
    pub(crate) fn bytes(&self, picture: Picture) -> Bytes {
        if let Some(bytes) = self.drawn.lock().unwrap_or_else(PoisonError::into_inner).get(&picture) {
            return bytes.clone();
        }
        let bytes = Bytes::from(draw(picture).expect("drawing into memory does not fail"));
        if bytes.len() <= CACHED_BYTES_MAX {
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            if drawn.len() >= CACHED {
                drawn.clear();
            }
            drawn.insert(picture, bytes.clone());
        }
        bytes
    }
}

/// Four bits a pixel and sixteen colours, so that a large picture is drawn in a moment.
fn draw(picture: Picture) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::with_capacity(16 * 1024);
    let mut encoder = png::Encoder::new(&mut file, picture.width, picture.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_palette(palette::colours(picture.palette));
    encoder.set_compression(png::Compression::Fastest);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let mut row = vec![0; picture.width.div_ceil(2) as usize];
    for y in 0..picture.height {
        paint_row(&mut row, y, picture);
        std::io::Write::write_all(&mut stream, &row)?;
    }
    stream.finish()?;
    drop(writer);
    Ok(file)
}

/// Eight bands of sky, and eight rings of sun over them.
fn paint_row(row: &mut [u8], y: u32, picture: Picture) {
    let band = u64::from(y) * 8 / u64::from(picture.height);
    row.fill(pixel_pair(band));
    let below = u64::from(y.abs_diff(picture.height * 5 / 9));
    let radius = u64::from(picture.width.min(picture.height)) / 3;
    for ring in 0..8 {
        let reach = radius * (8 - ring) / 8;
        let Some(square) = (reach * reach).checked_sub(below * below) else { break };
        let half = square.isqrt().min(u64::from(picture.width) / 2);
        let middle = u64::from(picture.width) / 2;
        let from = usize::try_from((middle - half) / 2).unwrap_or(0);
        let to = usize::try_from((middle + half) / 2).unwrap_or(0).min(row.len());
        row[from..to].fill(pixel_pair(8 + ring));
    }
}

fn pixel_pair(colour: u64) -> u8 {
    let colour = u8::try_from(colour & 0x0f).unwrap_or(0);
    (colour << 4) | colour
}
