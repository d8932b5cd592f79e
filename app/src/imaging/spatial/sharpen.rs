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
            let copies = [above.as_slice(), here.as_slice()];
            if rest.is_empty() {
                let last = &copies[1][START..];
                sharpen::<L, CHANNELS, false>(lanes, factors, copies, last, &mut [], row);
            } else {
                let to = &mut below.numbers()[START..];
                sharpen::<L, CHANNELS, true>(lanes, factors, copies, rest, to, row);
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

/// A row from its copy, that of the row above and the row below, with which `rest` begins and which is copied with `COPY`.
#[inline(always)]
fn sharpen<L: Lanes, const CHANNELS: usize, const COPY: bool>(
    lanes: L,
    factors: [L::Vector; 2],
    [above, here]: [&[u8]; 2],
    rest: &[u8],
    copy: &mut [u8],
    out: &mut [u8],
) {
    let size = 2 * L::COUNT;
    // Side by side, so that nothing in them is asked for by its place.
    let sides = here[START - CHANNELS..]
        .chunks_exact(size)
        .zip(here[START + CHANNELS..].chunks_exact(size));
    let mut around =
        here[START..].chunks_exact(size).zip(above[START..].chunks_exact(size)).zip(sides);
    let mut belows = rest[..out.len()].chunks_exact(size);
    let mut outs = out.chunks_exact_mut(size);
    let mut at = 0;
    for ((out, below), ((here, above), (left, right))) in
        (&mut outs).zip(&mut belows).zip(&mut around)
    {
        fetch_ahead(lanes, &rest[at..], size);
        let below = lanes.load_bytes(below);
        if COPY {
            lanes.store_bytes(below, &mut copy[at..]);
        }
        let [here, above] = [lanes.load_bytes(here), lanes.load_bytes(above)];
        let sides = [lanes.load_bytes(left), lanes.load_bytes(right)];
        lanes.store_bytes(sharpened(lanes, factors, [here, above, below], sides), out);
        at += size;
    }
    let (below, out) = (belows.remainder(), outs.into_remainder());
    if let (false, Some(((here, above), (left, right)))) = (out.is_empty(), around.next()) {
        let mut bytes = [0; ROOM];
        bytes[..below.len()].copy_from_slice(below);
        let below = lanes.load_bytes(&bytes);
        if COPY {
            lanes.store_bytes(below, &mut copy[at..]);
        }
        let [here, above] = [lanes.load_bytes(here), lanes.load_bytes(above)];
        let sides = [lanes.load_bytes(left), lanes.load_bytes(right)];
        lanes.store_bytes(sharpened(lanes, factors, [here, above, below], sides), &mut bytes);
        out.copy_from_slice(&bytes[..out.len()]);
    }
}

#[inline(always)]
fn sharpened<L: Lanes>(
    lanes: L,
    factors: [L::Vector; 2],
    [middle, up, down]: [L::Bytes; 3],
    [left, right]: [L::Bytes; 2],
) -> L::Bytes {
    let plain = lanes.weigh::<1, 0>(middle, middle);
    let middle_up = lanes.weigh::<4, -1>(middle, up);
    let down_left = lanes.weigh::<-1, -1>(down, left);
    let right = lanes.weigh::<1, 0>(right, right);
    let mut halves = plain;
    for half in 0..2 {
        let difference = lanes.subtract(lanes.add(middle_up[half], down_left[half]), right[half]);
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
            4 => self.rows::<L, 4>(lanes, raster),
            _ => self.rows::<L, 3>(lanes, raster),
        }
    }
}
