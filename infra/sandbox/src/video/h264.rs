//! H.264 of the Constrained Baseline profile, written without an encoder (ITU-T H.264, 7.3).
//!
//! The picture is made of blocks of 16 by 16 pixels, each of one colour. A block whose left or upper neighbour has its
//! colour is predicted from it in one byte; any other carries its pixels as they are. Between two key pictures only the
//! blocks at the sun's edges change: they are copied from the block before or behind them. The filter that would
//! smooth the edges of blocks is off.

use super::Video;
use super::bits::Bits;
use super::colour::{self, Colour};
use crate::picture::colours;

/// A picture that needs no other stands at the beginning and after every second of the usual rate.
const KEY_EVERY: u32 = 24;
/// The sun makes a step of one block with every second picture.
const FRAMES_A_STEP: u32 = 2;
const BLOCK: u32 = 16;
/// One block in quarters of a pixel, which motion is counted in.
const BLOCK_OF_MOTION: i32 = 64;
const BANDS: u32 = 8;

/// The picture's geometry and colours.
pub(super) struct Film {
    width: u32,
    height: u32,
    columns: u32,
    rows: u32,
    /// Side of the sun, in blocks.
    side: u32,
    /// Row of its upper edge.
    top: u32,
    sky: Vec<Colour>,
    sun: Colour,
}

/// One picture, as a unit without start code or length.
pub(super) struct Frame {
    pub(super) unit: Vec<u8>,
    pub(super) is_key: bool,
}

impl Film {
    pub(super) fn of(video: Video) -> Film {
        let (columns, rows) = (video.width.div_ceil(BLOCK), video.height.div_ceil(BLOCK));
        let side = (columns.min(rows) / 4).max(1);
        let rgb = colours(Some(video.palette));
        let mut colours = rgb.chunks_exact(3).map(|rgb| colour::of_rgb([rgb[0], rgb[1], rgb[2]]));
        let sky: Vec<Colour> = colours.by_ref().take(BANDS as usize).collect();
        let sun = colours.next_back().unwrap_or(sky[0]);
        Film {
            width: video.width,
            height: video.height,
            columns,
            rows,
            side,
            top: rows / 2 - side / 2,
            sky,
            sun,
        }
    }

    /// The least level that has room for the picture's blocks, 30 times a second (table A-1).
    pub(super) fn level(&self) -> u8 {
        match self.columns * self.rows {
            0..=396 => 20,
            397..=1_350 => 30,
            1_351..=3_600 => 31,
            3_601..=8_192 => 40,
            8_193..=19_660 => 50,
            19_661..=32_768 => 51,
            _ => 62,
        }
    }

    /// The sequence's parameters: profile and level, counters, size with the margin that is cut off.
    pub(super) fn sequence(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.fixed(8, u32::from(PROFILE[0]));
        bits.fixed(8, u32::from(PROFILE[1]));
        bits.fixed(8, u32::from(self.level()));
        bits.number(0); // its own number
        bits.number(0); // frame numbers have 4 bits
        bits.number(2); // pictures are shown in the order they are stored
        bits.number(1); // one picture is remembered
        bits.bit(false);
        bits.number(self.columns - 1);
        bits.number(self.rows - 1);
        bits.bit(true); // whole frames only
        bits.bit(true);
        let right = (self.columns * BLOCK - self.width) / 2;
        let bottom = (self.rows * BLOCK - self.height) / 2;
        bits.bit(right + bottom > 0);
        if right + bottom > 0 {
            [0, right, 0, bottom].into_iter().for_each(|margin| bits.number(margin));
        }
        bits.bit(false); // nothing about display
        bits.into_unit(0x67)
    }

    /// The pictures' parameters: plain variable-length codes, one slice group, one reference.
    pub(super) fn pictures() -> Vec<u8> {
        let mut bits = Bits::default();
        bits.number(0);
        bits.number(0);
        bits.fixed(2, 0);
        [0, 0, 0].into_iter().for_each(|number| bits.number(number));
        bits.fixed(3, 0); // no weights
        [0, 0, 0].into_iter().for_each(|number| bits.signed(number));
        bits.bit(true); // slices say whether edges are smoothed
        bits.fixed(2, 0);
        bits.into_unit(0x68)
    }

    pub(super) fn frame(&self, number: u32) -> Frame {
        let is_key = number.is_multiple_of(KEY_EVERY);
        Frame { unit: if is_key { self.key(number) } else { self.step(number) }, is_key }
    }

    /// A picture by itself.
    fn key(&self, number: u32) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.number(0);
        bits.number(7); // slices of this kind only
        bits.number(0);
        bits.fixed(4, 0);
        bits.number((number / KEY_EVERY) % 2); // two in a row differ
        bits.fixed(2, 0);
        bits.signed(0);
        bits.number(1); // edges are not smoothed
        let left = self.left(number);
        let mut above: Vec<bool> = Vec::new();
        for row in 0..self.rows {
            let mut here: Vec<bool> = Vec::new();
            for column in 0..self.columns {
                let place = column as usize;
                let neighbours = [here.last().copied(), above.get(place).copied()];
                here.push(self.key_block(&mut bits, [column, row], left, neighbours));
            }
            above = here;
        }
        bits.into_unit(0x65)
    }

    /// Writes a block; answers whether it carries its pixels. The neighbours, left and above, did so or not, or are none.
    fn key_block(
        &self,
        bits: &mut Bits,
        [column, row]: [u32; 2],
        left: u32,
        neighbours: [Option<bool>; 2],
    ) -> bool {
        let colour = self.colour(column, row, left);
        let like_left = column > 0 && self.colour(column - 1, row, left) == colour;
        let like_above = row > 0 && self.colour(column, row - 1, left) == colour;
        if !like_left && !like_above {
            bits.number(25); // pixels follow
            bits.aligned_bytes(&[colour.luma; 256]);
            bits.aligned_bytes(&[colour.blue; 64]);
            bits.aligned_bytes(&[colour.red; 64]);
            return true;
        }
        bits.number(if like_left { 2 } else { 1 }); // predicted from the left, or from above; nothing is added
        bits.number(if like_left { 1 } else { 2 });
        bits.signed(0);
        // "No coefficients", in the code that the neighbours' counts select (table 9-5). A block of pixels counts 16.
        let count = match neighbours.map(|pixels| pixels.map(|pixels| u32::from(pixels) * 16)) {
            [Some(left), Some(above)] => (left + above).div_ceil(2),
            [left, above] => left.or(above).unwrap_or(0),
        };
        if count >= 8 {
            bits.fixed(6, 3);
        } else {
            bits.bit(true);
        }
        false
    }

    /// A picture that tells what differs from the one before.
    fn step(&self, number: u32) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.number(0);
        bits.number(5);
        bits.number(0);
        bits.fixed(4, (number % KEY_EVERY) % 16);
        bits.fixed(3, 0);
        bits.signed(0);
        bits.number(1);
        let (before, now) = (self.left(number - 1), self.left(number));
        let mut next = 0;
        for block in self.moved(before, now) {
            bits.number(block - next); // so many stay as they are
            next = block + 1;
            bits.number(0);
            // The motion is told as its difference from the median of three neighbours' motions, of which two rest.
            bits.signed(if now > before { -BLOCK_OF_MOTION } else { BLOCK_OF_MOTION });
            bits.signed(0);
            bits.number(0);
        }
        let rest = self.columns * self.rows - next;
        if rest > 0 {
            bits.number(rest);
        }
        bits.into_unit(0x41)
    }

    /// The blocks where the sun comes or goes, counted along the rows from the upper left.
    fn moved(&self, before: u32, now: u32) -> Vec<u32> {
        if before == now {
            return Vec::new();
        }
        let edges = [before.min(now), before.max(now) + self.side - 1];
        let rows = self.top..self.top + self.side;
        rows.flat_map(|row| edges.map(|column| row * self.columns + column)).collect()
    }

    fn colour(&self, column: u32, row: u32, left: u32) -> Colour {
        if self.is_sun_row(row) && (left..left + self.side).contains(&column) {
            return self.sun;
        }
        self.sky[(row * BANDS / self.rows) as usize]
    }

    fn is_sun_row(&self, row: u32) -> bool {
        (self.top..self.top + self.side).contains(&row)
    }

    /// Column of the sun's left edge: to and fro, with a column of sky left free on both sides.
    fn left(&self, number: u32) -> u32 {
        let reach = self.columns.saturating_sub(self.side + 2);
        if reach == 0 {
            return 1;
        }
        let step = (number / FRAMES_A_STEP) % (2 * reach);
        1 + step.min(2 * reach - step)
    }
}

/// Constrained Baseline: every decoder knows it.
pub(super) const PROFILE: [u8; 2] = [66, 0b1100_0000];
