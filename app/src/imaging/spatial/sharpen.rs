//! Sharpen: each pixel moves away from the mean of its four neighbours (a 3x3 convolution with the Laplacian).
//!
//! out = c + amount * (4c - left - right - up - down), clamped; beyond the edge the edge's own pixels are repeated. With amount 1 this is the
//! kernel 0 -1 0 / -1 5 -1 / 0 -1 0 of image programs. The difference is at most 1020, so that times 32 it fits 16 bits: the product with
//! amount * 1024 keeps half a level for every amount up to [`Sharpen::AMOUNT_MAX`].

use super::super::lanes::Lanes;
use super::{Raster, Row, SpatialFilter, keep_alpha, store_rest};

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
        let (width, height) = (raster.width, raster.height);
        // Three rows of the picture as they were.
        let mut rows: [Row; 3] =
            std::array::from_fn(|_| Row::new(CHANNELS, (width + 2) * CHANNELS));
        read::<L, CHANNELS>(lanes, raster.row(0), rows[0].numbers());
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
            if below > y {
                read::<L, CHANNELS>(lanes, raster.row(below), rows[below % 3].numbers());
            }
            let three = [above, y, below].map(|y| rows[y % 3].as_slice());
            self.row::<L, CHANNELS>(lanes, three, raster.row(y));
        }
    }

    /// One row.
    #[inline(always)]
    fn row<L: Lanes, const CHANNELS: usize>(
        &self,
        lanes: L,
        [above, here, below]: [&[i16]; 3],
        out: &mut [u8],
    ) {
        let mut outs = out.chunks_exact_mut(L::COUNT);
        let ups = above[CHANNELS..].chunks_exact(L::COUNT);
        let downs = below[CHANNELS..].chunks_exact(L::COUNT);
        let lefts = here.chunks_exact(L::COUNT);
        let middles = here[CHANNELS..].chunks_exact(L::COUNT);
        let rights = here[2 * CHANNELS..].chunks_exact(L::COUNT);
        let mut sources = ups.zip(downs).zip(lefts.zip(rights)).zip(middles);
        for (out, source) in (&mut outs).zip(&mut sources) {
            lanes.narrow(self.sharpened::<L, CHANNELS>(lanes, source), out);
        }
        if let Some(source) = sources.next() {
            let last = self.sharpened::<L, CHANNELS>(lanes, source);
            store_rest(lanes, last, outs.into_remainder());
        }
    }

    /// A vector's worth of ((up, down), (left, right)), middle.
    #[inline(always)]
    fn sharpened<L: Lanes, const CHANNELS: usize>(
        &self,
        lanes: L,
        (((up, down), (left, right)), middle): Around<'_>,
    ) -> L::Vector {
        let upright = lanes.add(lanes.load(up), lanes.load(down));
        let around = lanes.add(upright, lanes.add(lanes.load(left), lanes.load(right)));
        let middle = lanes.load(middle);
        let difference = lanes.subtract(lanes.shift_left(middle, 2), around);
        let moved = lanes.multiply_high(difference, lanes.splat(self.factor));
        let plain = lanes.shift_right(middle, 5);
        keep_alpha::<L, CHANNELS>(lanes, plain, lanes.add(plain, moved))
    }
}

/// Pixels above and below, to the left and to the right, and the pixel itself.
type Around<'a> = (((&'a [i16], &'a [i16]), (&'a [i16], &'a [i16])), &'a [i16]);

/// A row of the picture, times 32, its first and last pixel repeated.
#[inline(always)]
fn read<L: Lanes, const CHANNELS: usize>(lanes: L, row: &[u8], kept: &mut [i16]) {
    let end = CHANNELS + row.len();
    let mut bytes = row.chunks_exact(L::COUNT);
    let mut wides = kept[CHANNELS..end].chunks_exact_mut(L::COUNT);
    for (bytes, wide) in (&mut bytes).zip(&mut wides) {
        lanes.store(lanes.shift_left(lanes.widen(bytes), 5), wide);
    }
    for (byte, wide) in bytes.remainder().iter().zip(wides.into_remainder()) {
        *wide = i16::from(*byte) << 5;
    }
    kept.copy_within(CHANNELS..2 * CHANNELS, 0);
    kept.copy_within(end - CHANNELS..end, end);
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
