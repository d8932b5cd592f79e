//! Vignette: the picture darkens towards its corners, as with old lenses.
//!
//! With r = distance from the centre, 1 in the corners, a pixel is multiplied by 1 - strength * r^4: flat in the middle, and without an
//! edge to be seen. In 16-bit fixed point: r^2 is the sum of a number for the column and one for the row, its square and the product with the
//! strength are high halves of 16-bit products, which vector units have as one instruction. Within one level of the exact result.

use super::{RUN, Raster, SpatialFilter, alpha_bytes};

/// The filter at one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vignette {
    /// strength * 65,535.
    strength: u16,
}

/// a * b / 2^16.
#[inline(always)]
fn high(a: u16, b: u16) -> u16 {
    ((u32::from(a) * u32::from(b)) >> 16) as u16
}

impl Vignette {
    /// 0 changes nothing, 1 makes the corners black; more and less count as the nearest.
    pub fn new(strength: f32) -> Self {
        // `as` saturates, and takes what is no number for 0.
        Self { strength: (strength * 65_535.0).round() as u16 }
    }
}

impl SpatialFilter for Vignette {
    #[inline(always)]
    fn run(&self, raster: &mut Raster<'_>) {
        let (width, height, channels) = (raster.width, raster.height, raster.channels);
        if self.strength == 0 || width == 0 || height == 0 {
            return;
        }
        let across = shares(width, height, width * channels, |at| at / channels);
        let (across, rest) = across.as_chunks::<RUN>();
        let mut last = [0; RUN];
        last[..rest.len()].copy_from_slice(rest);
        let down = shares(height, width, height, |at| at);
        for (y, down) in down.into_iter().enumerate() {
            match channels {
                4 => self.row::<4>(raster.row(y), across, &last, down),
                _ => self.row::<3>(raster.row(y), across, &last, down),
            }
        }
    }
}

impl Vignette {
    /// A row whose share is `down`; `last` are the shares of the columns beyond whole runs.
    #[inline(always)]
    fn row<const CHANNELS: usize>(
        &self,
        row: &mut [u8],
        across: &[[u16; RUN]],
        last: &[u16; RUN],
        down: u16,
    ) {
        let (runs, rest) = row.as_chunks_mut::<RUN>();
        for (bytes, across) in runs.iter_mut().zip(across) {
            self.darken::<CHANNELS>(bytes, across, down);
        }
        let mut padded = [0; RUN];
        padded[..rest.len()].copy_from_slice(rest);
        self.darken::<CHANNELS>(&mut padded, last, down);
        rest.copy_from_slice(&padded[..rest.len()]);
    }

    /// A run of a row.
    #[inline(always)]
    fn darken<const CHANNELS: usize>(&self, bytes: &mut [u8; RUN], across: &[u16; RUN], down: u16) {
        let kept = alpha_bytes(CHANNELS);
        for at in 0..RUN {
            let squared = across[at].saturating_add(down);
            let taken = high(high(squared, squared), self.strength);
            // In 8.8: the byte, less what is taken, rounded.
            let byte = u16::from(bytes[at]) << 8;
            let dark = ((byte - high(byte, taken)).saturating_add(128) >> 8) as u8;
            bytes[at] = match CHANNELS {
                4 => (dark & !kept[at]) | (bytes[at] & kept[at]),
                _ => dark,
            };
        }
    }
}

/// What each of `count` places along one side adds to r^2, times 65,535: (distance from the middle)^2 / (half the diagonal)^2.
fn shares(side: usize, other: usize, count: usize, pixel: impl Fn(usize) -> usize) -> Vec<u16> {
    let half = |side: usize| side as f64 / 2.0;
    let corner = half(side) * half(side) + half(other) * half(other);
    let share = |at: usize| {
        let distance = pixel(at) as f64 + 0.5 - half(side);
        (distance * distance / corner * 65_535.0).round() as u16
    };
    (0..count).map(share).collect()
}
