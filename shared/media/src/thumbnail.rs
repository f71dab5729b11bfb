//! Small pictures of pictures. Only PNG can be read here, row by row: for the other types there is no decoder in the house,
//! and a page shows the picture itself, or what its provider made.

use crate::FileType;
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::io::Cursor;

/// The longer side of a thumbnail, in pixels.
const SIDE: u32 = 320;
/// A larger picture is not decoded: a quarter of a second of a whole processor.
const PIXELS_MAX: u64 = 16 * 1024 * 1024;

/// A PNG of [`SIDE`] pixels at most; `None` for what can't be made smaller here.
pub(crate) fn of(kind: FileType, bytes: &[u8]) -> Option<Vec<u8>> {
    if kind == FileType::Png { of_png(bytes) } else { None }
}

fn of_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    // 8 bits a channel, colours in place of a palette.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height, is_interlaced) = {
        let info = reader.info();
        (info.width, info.height, info.interlaced)
    };
    let is_small = width.max(height) <= SIDE;
    if is_small || is_interlaced || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return None;
    }
    let (colour, depth) = reader.output_color_type();
    if depth != BitDepth::Eight {
        return None;
    }
    let mut shrinking = Shrinking::new(width, height, colour.samples());
    while let Some(row) = reader.next_row().ok()? {
        shrinking.row(row.data())?;
    }
    shrinking.encoded(colour)
}

/// The mean of all pixels that fall into one, row by row.
struct Shrinking {
    from: (u32, u32),
    to: (u32, u32),
    channels: usize,
    /// The row of the source that comes next.
    at: u32,
    sums: Vec<u32>,
    counts: Vec<u32>,
    pixels: Vec<u8>,
}

impl Shrinking {
    fn new(width: u32, height: u32, channels: usize) -> Shrinking {
        let longer = width.max(height);
        let shorter = |side: u32| {
            let side = u64::from(side) * u64::from(SIDE) / u64::from(longer);
            u32::try_from(side).unwrap_or(SIDE).max(1)
        };
        let to = (shorter(width), shorter(height));
        let columns = usize::try_from(to.0).unwrap_or_default();
        let (sums, counts) = (vec![0; columns * channels], vec![0; columns]);
        Shrinking { from: (width, height), to, channels, at: 0, sums, counts, pixels: Vec::new() }
    }

    /// Where a row or column of the source falls.
    fn place(at: u32, from: u32, to: u32) -> u32 {
        u32::try_from(u64::from(at) * u64::from(to) / u64::from(from)).unwrap_or_default()
    }

    fn row(&mut self, row: &[u8]) -> Option<()> {
        for (x, pixel) in (0..self.from.0).zip(row.chunks_exact(self.channels)) {
            let column = usize::try_from(Shrinking::place(x, self.from.0, self.to.0)).ok()?;
            *self.counts.get_mut(column)? += 1;
            let sums = self.sums.get_mut(column * self.channels..(column + 1) * self.channels)?;
            sums.iter_mut().zip(pixel).for_each(|(sum, sample)| *sum += u32::from(*sample));
        }
        let line = |at| Shrinking::place(at, self.from.1, self.to.1);
        let (this, next) = (line(self.at), line(self.at + 1));
        self.at += 1;
        if this != next {
            self.write_line();
        }
        Some(())
    }

    fn write_line(&mut self) {
        let pixels = self.sums.chunks_exact(self.channels).zip(&self.counts);
        let means = pixels.flat_map(|(sums, count)| sums.iter().map(move |sum| sum / (*count).max(1)));
        self.pixels.extend(means.map(|mean| u8::try_from(mean).unwrap_or(u8::MAX)));
        self.sums.fill(0);
        self.counts.fill(0);
    }

    fn encoded(self, colour: ColorType) -> Option<Vec<u8>> {
        let mut written = Vec::new();
        let mut encoder = Encoder::new(&mut written, self.to.0, self.to.1);
        encoder.set_color(colour);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&self.pixels).ok()?;
        writer.finish().ok()?;
        Some(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sniff::{Bounds, facts, tests as samples};
    use crate::{FileFamily, FileType};

    fn picture(width: u32, height: u32, colour: ColorType, pixel: impl Fn(u32, u32) -> Vec<u8>) -> Vec<u8> {
        let mut written = Vec::new();
        let mut encoder = Encoder::new(&mut written, width, height);
        encoder.set_color(colour);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        let pixels: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y))
            .collect();
        writer.write_image_data(&pixels).unwrap();
        writer.finish().unwrap();
        written
    }

    fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn a_large_picture_is_made_small_with_its_colours_where_they_were() {
        // Left half red, right half blue.
        let red_or_blue = |x: u32, _| if x < 500 { vec![200, 0, 0] } else { vec![0, 0, 100] };
        let large = picture(1_000, 500, ColorType::Rgb, red_or_blue);
        let small = of(FileType::Png, &large).unwrap();
        let sniffed = facts(&small, FileFamily::Image, Bounds::OUTPUT).unwrap();
        assert_eq!(sniffed.pixels, Some((320, 160)));
        let (width, _, pixels) = decoded(&small);
        let at = |x: usize, y: usize| &pixels[(y * width as usize + x) * 3..][..3];
        assert_eq!(
            (at(0, 0), at(159, 159), at(319, 80)),
            (&[200, 0, 0][..], &[200, 0, 0][..], &[0, 0, 100][..])
        );
        assert!(small.len() < large.len());
    }

    #[test]
    fn every_kind_of_png_and_shape_is_made_small() {
        for (width, height, to) in [(321, 1, (320, 1)), (1, 900, (1, 320)), (640, 641, (319, 320))] {
            for colour in [ColorType::Grayscale, ColorType::GrayscaleAlpha, ColorType::Rgb, ColorType::Rgba] {
                let large = picture(width, height, colour, |x, y| vec![(x ^ y) as u8; colour.samples()]);
                let small = of(FileType::Png, &large).unwrap();
                let sniffed = facts(&small, FileFamily::Image, Bounds::OUTPUT).unwrap();
                assert_eq!(sniffed.pixels, Some(to), "{colour:?}");
            }
        }
    }

    #[test]
    fn what_is_small_or_no_png_or_damaged_has_no_thumbnail() {
        assert_eq!(of(FileType::Png, samples::PNG), None);
        assert_eq!(of(FileType::Jpeg, samples::JPEG), None);
        let large = picture(1_000, 10, ColorType::Grayscale, |x, _| vec![x as u8]);
        for length in [0, 20, 60, large.len() - 20] {
            assert_eq!(of(FileType::Png, &large[..length]), None, "{length}");
        }
    }
}
