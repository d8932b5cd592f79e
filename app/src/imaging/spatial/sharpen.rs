//! Sharpen: each pixel moves away from the mean of its four neighbours (a 3x3 convolution with the Laplacian).
//!
//! out = c + amount * (4c - left - right - up - down), clamped; beyond the edge the edge's own pixels are repeated. With amount 1 this is the
//! kernel 0 -1 0 / -1 5 -1 / 0 -1 0 of image programs. The difference is at most 1020, so that times 32 it fits 16 bits: the product with
//! amount * 1024 keeps half a level for every amount up to [`Sharpen::AMOUNT_MAX`].
//!
//! A strip of a band of rows is copied while the strip after it is fetched, and then sharpened from the copies: the copies, and the rows that are
//! written, lie in the first cache then, and the memory is never waited for. (Row by row, a row was written after the cache had lost it.)

use super::super::lanes::Lanes;
use super::{ROOM, Raster, SpatialFilter};

/// Rows of a band.
const BAND: usize = 16;
/// Bytes of a row in a strip: whole vectors, and with four channels whole pixels, so that alpha has the same places in all vectors.
const STRIP: usize = 512;

/// The filter at one amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpen {
    /// amount * 1024.
    factor: i16,
}

impl Sharpen {
    /// Beyond this, edges are white and black anyway.
    pub const AMOUNT_MAX: f32 = 30.0;

    /// From nothing (0) over the usual (1) to [`Sharpen::AMOUNT_MAX`]; more and less count as the nearest.
    pub fn new(amount: f32) -> Self {
        let amount = if amount > 0.0 { amount.min(Self::AMOUNT_MAX) } else { 0.0 };
        Self { factor: (amount * 1_024.0).round() as i16 }
    }

    #[inline(always)]
    fn bands<L: Lanes, const CHANNELS: usize>(&self, lanes: L, raster: &mut Raster<'_>) {
        let (count, height) = (raster.width * CHANNELS, raster.height);
        let factors = self.factors::<L, CHANNELS>(lanes);
        let mut copies = [[0; COPY]; BAND + 2];
        // The row above this band and the one above the next, as they were.
        let (mut above, mut next) = (raster.row(0).to_vec(), vec![0; count]);
        for top in (0..height).step_by(BAND) {
            let rows = BAND.min(height - top);
            // The row below the band is copied as well, where there is one.
            let last = (rows + 1).min(height - top);
            next.copy_from_slice(raster.row(top + rows - 1));
            for from in (0..count).step_by(STRIP) {
                copy::<L, CHANNELS>(lanes, &above, from, &mut copies[0]);
                for (y, kept) in (top..top + last).zip(&mut copies[1..]) {
                    copy::<L, CHANNELS>(lanes, raster.row(y), from, kept);
                }
                for y in 1..=rows {
                    let three = [&copies[y - 1], &copies[y], &copies[(y + 1).min(last)]];
                    let row = &mut raster.row(top + y - 1)[from..count.min(from + STRIP)];
                    sharpen::<L, CHANNELS>(lanes, factors, three, row);
                }
            }
            std::mem::swap(&mut above, &mut next);
        }
    }

    /// The factor for colours and nothing for alpha, for both halves of a vector of bytes.
    #[inline(always)]
    fn factors<L: Lanes, const CHANNELS: usize>(&self, lanes: L) -> [L::Vector; 2] {
        let mut colours = [1; ROOM];
        if CHANNELS == 4 {
            colours.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 0);
        }
        let colours = lanes.load_bytes(&colours);
        let [low, high] = lanes.weigh::<1, 0>(colours, colours);
        let factor = lanes.splat(self.factor);
        [lanes.multiply_low(low, factor), lanes.multiply_low(high, factor)]
    }
}

/// Where a strip begins in its copy: after the pixel before it, at the beginning of a line of the cache when the copy begins there.
const START: usize = 64;
/// A strip, the pixel before it, the pixel after it and room for a vector that begins there.
const COPY: usize = START + STRIP + 2 * ROOM;

/// A strip of a row with a pixel more at either end: that of the strip before, which may be overwritten in the row and is still in the copy,
/// and that of the strip after; beyond the row its first and last pixel. What comes next in the row is fetched meanwhile.
#[inline(always)]
fn copy<L: Lanes, const CHANNELS: usize>(lanes: L, row: &[u8], from: usize, copy: &mut [u8; COPY]) {
    let end = row.len().min(from + STRIP);
    lanes.fetch(&row[end..row.len().min(end + STRIP)]);
    match from {
        0 => copy[START - CHANNELS..START].copy_from_slice(&row[..CHANNELS]),
        _ => copy.copy_within(START + STRIP - CHANNELS..START + STRIP, START - CHANNELS),
    }
    let after = START + end - from;
    copy[START..after].copy_from_slice(&row[from..end]);
    for (at, byte) in (end..).zip(&mut copy[after..after + CHANNELS]) {
        // A strip may end within a pixel.
        *byte = row[if at < row.len() { at } else { at - CHANNELS }];
    }
}

/// A strip of a row from the copies of the one above, itself and the one below.
#[inline(always)]
fn sharpen<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    factors: [L::Vector; 2],
    [above, here, below]: [&[u8; COPY]; 3],
    out: &mut [u8],
) {
    let mut at = START;
    let mut outs = out.chunks_exact_mut(2 * L::COUNT);
    for out in &mut outs {
        let around = around::<L, CHANNELS>(lanes, above, here, below, at);
        lanes.store_bytes(sharpened(lanes, factors, around), out);
        at += 2 * L::COUNT;
    }
    let rest = outs.into_remainder();
    if !rest.is_empty() {
        let around = around::<L, CHANNELS>(lanes, above, here, below, at);
        let mut bytes = [0; ROOM];
        lanes.store_bytes(sharpened(lanes, factors, around), &mut bytes);
        rest.copy_from_slice(&bytes[..rest.len()]);
    }
}

/// The bytes themselves, those above, below, to the left and to the right.
#[inline(always)]
fn around<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    above: &[u8; COPY],
    here: &[u8; COPY],
    below: &[u8; COPY],
    at: usize,
) -> [L::Bytes; 5] {
    [
        lanes.load_bytes(&here[at..]),
        lanes.load_bytes(&above[at..]),
        lanes.load_bytes(&below[at..]),
        lanes.load_bytes(&here[at - CHANNELS..]),
        lanes.load_bytes(&here[at + CHANNELS..]),
    ]
}

#[inline(always)]
fn sharpened<L: Lanes>(
    lanes: L,
    factors: [L::Vector; 2],
    [middle, up, down, left, right]: [L::Bytes; 5],
) -> L::Bytes {
    let plain = lanes.weigh::<1, 0>(middle, middle);
    let middle_up = lanes.weigh::<4, -1>(middle, up);
    let down_left = lanes.weigh::<-1, -1>(down, left);
    let right = lanes.weigh::<-1, 0>(right, right);
    let mut halves = plain;
    for half in 0..2 {
        let difference = lanes.add(lanes.add(middle_up[half], down_left[half]), right[half]);
        let moved = lanes.multiply_high(lanes.shift_left(difference, 5), factors[half]);
        halves[half] = lanes.add(plain[half], moved);
    }
    lanes.narrow_both(halves)
}

impl SpatialFilter for Sharpen {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        if self.factor == 0 || raster.width == 0 || raster.height == 0 {
            return;
        }
        match raster.channels {
            4 => self.bands::<L, 4>(lanes, raster),
            _ => self.bands::<L, 3>(lanes, raster),
        }
    }
}
