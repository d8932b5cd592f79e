//! Sharpen: each pixel moves away from the mean of its four neighbours (a 3x3 convolution with the Laplacian).
//!
//! out = c + amount * (4c - left - right - up - down), clamped; beyond the edge the edge's own pixels are repeated. With amount 1 this is the
//! kernel 0 -1 0 / -1 5 -1 / 0 -1 0 of image programs. The difference is at most 1020, so that times 32 it fits 16 bits: the product with
//! amount * 1024 keeps half a level for every amount up to [`Sharpen::AMOUNT_MAX`].

use super::super::kernels::multiply_high;
use super::{RUN, Raster, SpatialFilter, alpha_bytes};

/// The filter at one amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpen {
    /// amount * 1024.
    factor: i16,
}

/// Three rows of the picture as it was, each with a pixel repeated at either end and room behind.
struct Window {
    rows: [Vec<u8>; 3],
    channels: usize,
}

impl Window {
    /// Takes a row of the picture into the place of its number.
    fn take(&mut self, y: usize, row: &[u8]) {
        let channels = self.channels;
        let kept = &mut self.rows[y % 3];
        kept[channels..channels + row.len()].copy_from_slice(row);
        kept.copy_within(channels..2 * channels, 0);
        let end = channels + row.len();
        kept.copy_within(end - channels..end, end);
    }
}

impl Sharpen {
    /// Beyond this, edges are white and black anyway.
    pub const AMOUNT_MAX: f32 = 30.0;

    /// From nothing (0) over the usual (1) to [`Sharpen::AMOUNT_MAX`]; more and less count as the nearest.
    pub fn new(amount: f32) -> Self {
        let amount = if amount > 0.0 { amount.min(Self::AMOUNT_MAX) } else { 0.0 };
        Self { factor: (amount * 1_024.0).round() as i16 }
    }

    /// One row from the three that the window holds.
    #[inline(always)]
    fn row<const CHANNELS: usize>(&self, [above, here, below]: [&[u8]; 3], out: &mut [u8]) {
        let kept = alpha_bytes(CHANNELS);
        let mut from = 0;
        for out in out.chunks_mut(RUN) {
            let up = run_at(above, from + CHANNELS);
            let down = run_at(below, from + CHANNELS);
            let left = run_at(here, from);
            let middle = run_at(here, from + CHANNELS);
            let right = run_at(here, from + 2 * CHANNELS);
            let wide = |byte: u8| i16::from(byte);
            let mut fresh = [0_u8; RUN];
            for at in 0..RUN {
                let around = wide(up[at]) + wide(down[at]) + wide(left[at]) + wide(right[at]);
                let difference = 4 * wide(middle[at]) - around;
                let moved = multiply_high(difference << 5, self.factor);
                let sharp = wide(middle[at]).saturating_add(moved).clamp(0, 255) as u8;
                fresh[at] = match CHANNELS {
                    4 => (sharp & !kept[at]) | (middle[at] & kept[at]),
                    _ => sharp,
                };
            }
            out.copy_from_slice(&fresh[..out.len()]);
            from += RUN;
        }
    }
}

/// A whole run of a row that has room behind it.
#[inline(always)]
fn run_at(row: &[u8], from: usize) -> &[u8; RUN] {
    row[from..].first_chunk().expect("a row of the window ends in a run's room")
}

impl SpatialFilter for Sharpen {
    #[inline(always)]
    fn run(&self, raster: &mut Raster<'_>) {
        let (width, height, channels) = (raster.width, raster.height, raster.channels);
        if self.factor == 0 || width == 0 || height == 0 {
            return;
        }
        // A pixel at either end, and room for whole runs.
        let padded = (width + 2) * channels + RUN;
        let mut window = Window { rows: std::array::from_fn(|_| vec![0; padded]), channels };
        window.take(0, raster.row(0));
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
            if below > y {
                window.take(below, raster.row(below));
            }
            let row = |y: usize| &window.rows[y % 3][..];
            let rows = [row(above), row(y), row(below)];
            match channels {
                4 => self.row::<4>(rows, raster.row(y)),
                _ => self.row::<3>(rows, raster.row(y)),
            }
        }
    }
}
