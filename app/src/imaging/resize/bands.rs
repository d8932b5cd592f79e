//! The convolution of a resize: bands of as many new rows as a vector has lanes, tiles of six times as many new bytes, of RGB or of a plane.
//!
//! Down first, where lanes are the bytes of a row. Then the tile is transposed: a vector holds one column of all rows, so that going across is
//! the same work as going down, and nothing is gathered. Then it is transposed back, as bytes. A tile and its columns stay in the first cache. Values are
//! 128 times as large as levels all the way, and rounded to levels once, at the end.

use std::sync::Arc;

use super::super::lanes::Lanes;
use super::taps::{Side, Taps};

/// The most lanes.
const LANES_MAX: usize = 32;
/// The most vectors whose sums are held in registers while the rows go by.
const VECTORS_MAX: usize = 5;

/// One resize.
pub(super) struct Resize<'a, const CHANNELS: usize> {
    /// Rows without gaps.
    pub from: &'a [u8],
    pub down: Arc<Taps>,
    pub across: Arc<Taps>,
}

/// How many sides' taps are kept: those of luma and of chroma, across and down, of a ladder of five, and of two others (some 10 KB each).
const TAPS_MAX: usize = 60;

/// Numbers of a tile, used again for the next one, and taps, which the next picture often needs again.
#[derive(Debug, Default)]
pub struct Scratch {
    taps: Vec<Arc<Taps>>,
    /// Squares of the columns that the tile needs: down the rows, then transposed.
    squares: Vec<i16>,
    /// The new pixels: by column, and transposed.
    columns: Vec<i16>,
    rows: Vec<u8>,
}

impl Scratch {
    /// What the tiles' numbers take; taps are not counted.
    pub(in super::super) fn bytes(&self) -> usize {
        let numbers = self.squares.capacity() + self.columns.capacity();
        size_of::<i16>() * numbers + self.rows.capacity()
    }

    /// Those of a side, made if need be.
    pub(super) fn taps(&mut self, side: Side) -> Arc<Taps> {
        let known = self.taps.iter().find(|taps| taps.side == side);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let made = Arc::new(Taps::new(side));
        if self.taps.len() >= TAPS_MAX {
            self.taps.remove(0);
        }
        self.taps.push(Arc::clone(&made));
        made
    }
}

/// Bytes of a tile's new rows, in vectors' lanes: whole pixels of three bytes, and whole pairs of squares.
const TILE: usize = 6;
const PAIR: usize = 2;

/// Does the work with the number of taps as a constant where the ratio is at most 2, as from step to step of a ladder; with 0 where it is more.
macro_rules! for_taps {
    ($count:expr, $taps:ident => $work:expr) => {
        for_taps!(@each $count, $taps => $work, 3 4)
    };
    (@each $count:expr, $taps:ident => $work:expr, $($one:literal)*) => {
        match $count {
            $($one => {
                const $taps: usize = $one;
                $work
            })*
            _ => {
                const $taps: usize = 0;
                $work
            }
        }
    };
}

/// Of pixels of `CHANNELS` bytes: 3 or 1.
impl<const CHANNELS: usize> Resize<'_, CHANNELS> {
    /// Writes the new picture.
    #[inline(always)]
    pub fn run<L: Lanes>(&self, lanes: L, scratch: &mut Scratch, to: &mut [u8]) {
        let (width, height) = (self.across.starts.len(), self.down.starts.len());
        let square = L::COUNT * L::COUNT;
        let tile = TILE * L::COUNT / CHANNELS;
        scratch.columns.resize(TILE * square, 0);
        scratch.rows.resize(TILE * square, 0);
        for top in (0..height).step_by(L::COUNT) {
            let tall = L::COUNT.min(height - top);
            for left in (0..width).step_by(tile) {
                let wide = tile.min(width - left);
                let first = CHANNELS * self.across.starts[left];
                let last = CHANNELS * (self.across.starts[left + wide - 1] + self.across.count);
                let squares = (last - first).div_ceil(L::COUNT);
                // Never made shorter, so that nothing is filled with zeros again and again.
                if scratch.squares.len() < squares * square {
                    scratch.squares.resize(squares * square, 0);
                }
                let area = Area { top, tall, left, wide, first, last, squares };
                for_taps!(self.down.count, TAPS => lanes.apart(
                    #[inline(always)]
                    || self.rows_of::<L, TAPS>(lanes, &area, to, &mut scratch.squares),
                ));
                for square in scratch.squares[..squares * square].chunks_exact_mut(square) {
                    lanes.transpose_here(square);
                }
                for_taps!(self.across.count, TAPS => lanes.apart(
                    #[inline(always)]
                    || self.columns_of::<L, TAPS>(lanes, &area, &scratch.squares, &mut scratch.columns),
                ));
                let columns = scratch.columns.chunks_exact(PAIR * square);
                for (number, columns) in columns.enumerate() {
                    let rows = &mut scratch.rows[number * PAIR * L::COUNT..];
                    lanes.transpose_bytes(columns, rows, TILE * L::COUNT);
                }
                for row in 0..tall {
                    let rows = &scratch.rows[row * TILE * L::COUNT..];
                    let to = &mut to[CHANNELS * ((top + row) * width + left)..];
                    put(lanes, rows, &mut to[..CHANNELS * wide]);
                }
            }
        }
    }

    /// Bytes of an old row.
    #[inline(always)]
    fn row(&self) -> usize {
        CHANNELS * self.across.side.from
    }

    /// Down: the new rows of a tile, in squares.
    #[inline(always)]
    fn rows_of<L: Lanes, const TAPS: usize>(
        &self,
        lanes: L,
        area: &Area,
        to: &[u8],
        squares: &mut [i16],
    ) {
        let Area { top, tall, left, wide, first, .. } = *area;
        let (square, width) = (L::COUNT * L::COUNT, self.across.starts.len());
        for row in 0..tall {
            lanes.fetch(&to[CHANNELS * ((top + row) * width + left)..][..CHANNELS * wide]);
            self.fetch_next(lanes, row, area);
            let mut number = 0;
            while number < area.squares {
                let at = first + number * L::COUNT;
                let to = &mut squares[number * square + row * L::COUNT..];
                number += match area.squares - number {
                    1 => self.row_of::<L, TAPS, 1>(lanes, top + row, at, to),
                    2 => self.row_of::<L, TAPS, 2>(lanes, top + row, at, to),
                    3 => self.row_of::<L, TAPS, 3>(lanes, top + row, at, to),
                    4 | 8 => self.row_of::<L, TAPS, 4>(lanes, top + row, at, to),
                    _ => self.row_of::<L, TAPS, 5>(lanes, top + row, at, to),
                };
            }
        }
    }

    /// Fetches, for the next tile, the old rows from this new row's first to the next one's, and of the last new row all: down a tile,
    /// processors fetch nothing in advance by themselves.
    #[inline(always)]
    fn fetch_next<L: Lanes>(&self, lanes: L, row: usize, area: &Area) {
        let bytes = area.squares * L::COUNT;
        let starts = &self.down.starts[area.top + row..area.top + area.tall];
        let next = starts.get(1).copied().unwrap_or(starts[0] + self.down.count);
        for old in starts[0]..next {
            let begin = old * self.row() + area.last;
            if let Some(bytes) = self.from.get(begin..begin + bytes) {
                lanes.fetch(bytes);
            }
        }
    }

    /// Some vectors of a new row, whose bytes begin at `at`; each goes into a square of its own. Returns how many
    /// they are.
    #[inline(always)]
    fn row_of<L: Lanes, const TAPS: usize, const VECTORS: usize>(
        &self,
        lanes: L,
        row: usize,
        at: usize,
        to: &mut [i16],
    ) -> usize {
        let (start, weights) = self.down.of(row);
        let weights = known::<TAPS>(weights);
        let mut sums = [lanes.splat(0); VECTORS];
        let bytes = VECTORS * L::COUNT;
        let mut begin = start * self.row() + at;
        if begin + (weights.len() - 1) * self.row() + bytes > self.from.len() {
            // The end of the last rows: what lies beyond is weighed with nothing.
            for weight in weights {
                let mut padded = [0; VECTORS_MAX * LANES_MAX];
                let rest = self.from.get(begin..).unwrap_or_default();
                let rest = &rest[..rest.len().min(bytes)];
                padded[..rest.len()].copy_from_slice(rest);
                weigh(lanes, &padded[..bytes], *weight, &mut sums);
                begin += self.row();
            }
        } else {
            for weight in weights {
                weigh(lanes, &self.from[begin..begin + bytes], *weight, &mut sums);
                begin += self.row();
            }
        }
        let to = &mut to[..(VECTORS - 1) * L::COUNT * L::COUNT + L::COUNT];
        for number in 0..VECTORS {
            lanes.store(sums[number], &mut to[number * L::COUNT * L::COUNT..]);
        }
        VECTORS
    }

    /// Across: the new pixels of a tile, a column of levels for each of their bytes.
    #[inline(always)]
    fn columns_of<L: Lanes, const TAPS: usize>(
        &self,
        lanes: L,
        area: &Area,
        squares: &[i16],
        to: &mut [i16],
    ) {
        let (column, count) = (CHANNELS * L::COUNT, self.across.count);
        let starts = self.across.starts[area.left..area.left + area.wide].iter();
        let weights = self.across.weights[area.left * count..].chunks_exact(count);
        for ((start, weights), to) in starts.zip(weights).zip(to.chunks_exact_mut(column)) {
            let weights = known::<TAPS>(weights);
            let from = &squares[(CHANNELS * start - area.first) * L::COUNT..];
            let from = &from[..weights.len() * column];
            let mut sums = [lanes.splat(0); CHANNELS];
            for (weight, pixel) in weights.iter().zip(from.chunks_exact(column)) {
                let weight = lanes.splat(*weight);
                for channel in 0..CHANNELS {
                    let column = lanes.load(&pixel[channel * L::COUNT..]);
                    sums[channel] = lanes.add(sums[channel], lanes.multiply_high(column, weight));
                }
            }
            for channel in 0..CHANNELS {
                let level = lanes.multiply_high(sums[channel], lanes.splat(1 << 8));
                lanes.store(lanes.min(level, lanes.splat(255)), &mut to[channel * L::COUNT..]);
            }
        }
    }
}

/// A tile.
struct Area {
    /// Its new rows.
    top: usize,
    tall: usize,
    /// Its new pixels of a row.
    left: usize,
    wide: usize,
    /// The bytes that it needs of an old row, the last one excluded, and as how many squares.
    first: usize,
    last: usize,
    squares: usize,
}

/// As many weights as a constant says, or any number where it is zero.
#[inline(always)]
fn known<const TAPS: usize>(weights: &[i16]) -> &[i16] {
    if TAPS == 0 { weights } else { &weights[..TAPS] }
}

/// Adds the weighed bytes to the sums.
#[inline(always)]
fn weigh<L: Lanes, const VECTORS: usize>(
    lanes: L,
    bytes: &[u8],
    weight: i16,
    sums: &mut [L::Vector; VECTORS],
) {
    let weight = lanes.splat(weight);
    for number in 0..VECTORS {
        let values = lanes.shift_left(lanes.widen(&bytes[number * L::COUNT..]), 7);
        sums[number] = lanes.add(sums[number], lanes.multiply_high(values, weight));
    }
}

/// A row of the tile, as many bytes as there is room for.
#[inline(always)]
fn put<L: Lanes>(lanes: L, row: &[u8], to: &mut [u8]) {
    let (row, vector) = (&row[..TILE * L::COUNT], 2 * L::COUNT);
    if to.len() < row.len() {
        to.copy_from_slice(&row[..to.len()]);
        return;
    }
    for (to, row) in to.chunks_exact_mut(vector).zip(row.chunks_exact(vector)) {
        lanes.store_bytes(lanes.load_bytes(row), to);
    }
}
