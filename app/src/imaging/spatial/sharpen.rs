//! Sharpen: each pixel moves away from the mean of its four neighbours (a 3x3 convolution with the Laplacian).
//!
//! out = c + amount * (4c - left - right - up - down), clamped; beyond the edge the edge's own pixels are repeated. With amount 1 this is the
//! kernel 0 -1 0 / -1 5 -1 / 0 -1 0 of image programs. The difference is at most 1020, so that times 32 it fits 16 bits: the product with
//! amount * 1024 keeps half a level for every amount up to [`Sharpen::AMOUNT_MAX`].
//!
//! A row is written while the row below it is read and copied: three copies, of the row above, of the row itself and of the row below, take turns
//! and stay in the first cache, or in the second where a row is longer than some 4,000 pixels. What will be read is fetched long before.

use super::super::lanes::{Lanes, fetch_ahead};
use super::{ROOM, Raster, Row, SpatialFilter};

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
    fn rows<L: Lanes, const CHANNELS: usize>(&self, lanes: L, raster: &mut Raster<'_>) {
        let (count, height) = (raster.width * CHANNELS, raster.height);
        let factors = self.factors::<L, CHANNELS>(lanes);
        let copy = || Row::<u8>::new(START, START + count + 2 * ROOM);
        let (mut above, mut here, mut below) = (copy(), copy(), copy());
        here.numbers()[START..START + count].copy_from_slice(raster.row(0));
        repeat_ends(CHANNELS, START, count, here.numbers());
        above.numbers()[..START + count].copy_from_slice(&here.as_slice()[..START + count]);
        for y in 0..height {
            let (row, rest) = raster.row_and_rest(y);
            let around = Around { above: above.as_slice(), here: here.as_slice(), rest };
            if rest.is_empty() {
                // Below the last row it lies once more.
                let around = Around { rest: &around.here[START..], ..around };
                sharpen::<L, CHANNELS, false>(lanes, factors, around, &mut [], row);
            } else {
                let to = &mut below.numbers()[START..];
                sharpen::<L, CHANNELS, true>(lanes, factors, around, to, row);
                repeat_ends(CHANNELS, START, count, below.numbers());
            }
            std::mem::swap(&mut above, &mut here);
            std::mem::swap(&mut here, &mut below);
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

/// Where a row begins in its copy: after the pixel before it, at the beginning of a line of the cache.
const START: usize = 64;

/// Repeats the first and the last pixel beyond the row.
#[inline(always)]
fn repeat_ends(channels: usize, start: usize, count: usize, copy: &mut [u8]) {
    copy.copy_within(start..start + channels, start - channels);
    copy.copy_within(start + count - channels..start + count, start + count);
}

/// What a row is made from: its copy and that of the row above, and the row below, with which `rest` begins.
#[derive(Clone, Copy)]
struct Around<'a> {
    above: &'a [u8],
    here: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Around<'a> {
    /// From so many bytes further on.
    #[inline(always)]
    fn from(self, at: usize) -> Self {
        Self { above: &self.above[at..], here: &self.here[at..], rest: &self.rest[at..] }
    }
}

/// A row from those around it, of which the one below is copied with `COPY`.
#[inline(always)]
fn sharpen<L: Lanes, const CHANNELS: usize, const COPY: bool>(
    lanes: L,
    factors: [L::Vector; 2],
    around: Around<'_>,
    copy: &mut [u8],
    out: &mut [u8],
) {
    let (size, count) = (2 * L::COUNT, out.len());
    let pairs = count / (2 * size) * (2 * size);
    vectors::<L, CHANNELS, COPY, 2>(lanes, factors, around, copy, &mut out[..pairs]);
    let at = count / size * size;
    let copied = if COPY { pairs } else { 0 };
    let one = &mut out[pairs..at];
    vectors::<L, CHANNELS, COPY, 1>(lanes, factors, around.from(pairs), &mut copy[copied..], one);
    let (around, out) = (around.from(at), &mut out[at..]);
    if out.is_empty() {
        return;
    }
    // The row below may end with the picture; copies have room behind them.
    let mut bytes = [0; ROOM];
    let below = &around.rest[..out.len()];
    bytes[..below.len()].copy_from_slice(below);
    let around = Around { rest: &bytes, ..around };
    let mut made = [0; ROOM];
    let copied = if COPY { at } else { 0 };
    vectors::<L, CHANNELS, COPY, 1>(lanes, factors, around, &mut copy[copied..], &mut made[..size]);
    out.copy_from_slice(&made[..out.len()]);
}

/// As many bytes as `out` has, which are whole vectors, `BESIDE` of them at a time.
#[inline(always)]
fn vectors<L: Lanes, const CHANNELS: usize, const COPY: bool, const BESIDE: usize>(
    lanes: L,
    factors: [L::Vector; 2],
    Around { above, here, rest }: Around<'_>,
    copy: &mut [u8],
    out: &mut [u8],
) {
    let (size, count) = (2 * L::COUNT, out.len());
    let step = BESIDE * size;
    // Side by side, so that nothing in them is asked for by its place.
    let rows = here[START..].chunks_exact(step).zip(above[START..].chunks_exact(step));
    let sides = here[START - CHANNELS..]
        .chunks_exact(step)
        .zip(here[START + CHANNELS..].chunks_exact(step));
    let belows = rest[..count].chunks_exact(step);
    let mut at = 0;
    for ((out, below), ((here, above), (left, right))) in
        out.chunks_exact_mut(step).zip(belows).zip(rows.zip(sides))
    {
        fetch_ahead(lanes, &rest[at..], step);
        for number in 0..BESIDE {
            let from = number * size;
            let below = lanes.load_bytes(&below[from..]);
            if COPY {
                lanes.store_bytes(below, &mut copy[at + from..]);
            }
            let around = [
                lanes.load_bytes(&above[from..]),
                below,
                lanes.load_bytes(&left[from..]),
                lanes.load_bytes(&right[from..]),
            ];
            let here = lanes.load_bytes(&here[from..]);
            lanes.store_bytes(sharpened(lanes, factors, here, around), &mut out[from..]);
        }
        at += step;
    }
}

/// Bits that differences are shifted by: four times a level just fits 16 bits, and so do its four neighbours.
const FINE: u32 = 5;

#[inline(always)]
fn sharpened<L: Lanes>(
    lanes: L,
    factors: [L::Vector; 2],
    here: L::Bytes,
    [up, down, left, right]: [L::Bytes; 4],
) -> L::Bytes {
    const WEIGHT: i8 = -(1 << FINE);
    let plain = lanes.weigh::<1, 0>(here, here);
    let rows = lanes.weigh::<WEIGHT, WEIGHT>(up, down);
    let sides = lanes.weigh::<WEIGHT, WEIGHT>(left, right);
    let mut halves = plain;
    for half in 0..2 {
        let four = lanes.shift_left(plain[half], FINE + 2);
        let around = lanes.add_wrapping(rows[half], sides[half]);
        let difference = lanes.add_wrapping(four, around);
        halves[half] = lanes.add(plain[half], lanes.multiply_high(difference, factors[half]));
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
            4 => self.rows::<L, 4>(lanes, raster),
            _ => self.rows::<L, 3>(lanes, raster),
        }
    }
}
