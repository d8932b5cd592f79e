//! Vignette: the picture darkens towards its corners, as with old lenses.
//!
//! With r = distance from the centre, 1 in the corners, a pixel is multiplied by 1 - strength * r^4: flat in the middle, and without an
//! edge to be seen. In 16-bit fixed point: r^2 is the sum of a number for the column and one for the row, its square and the product with the
//! strength are high halves of 16-bit products, which vector units have as one instruction. Within one level of the exact result.

use super::super::lanes::{Lanes, fetch_ahead};
use super::{ROOM, Raster, SpatialFilter, keep_alpha, store_rest};

/// The filter at one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vignette {
    /// strength * 65,535.
    strength: u16,
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
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        let (width, height, channels) = (raster.width, raster.height, raster.channels);
        if self.strength == 0 || width == 0 || height == 0 {
            return;
        }
        let across = shares(width, height, width * channels + ROOM, channels);
        let down = shares(height, width, height, 1);
        for (y, down) in down.into_iter().enumerate() {
            let (row, rest) = raster.row_and_rest(y);
            match channels {
                4 => self.row::<L, 4>(lanes, row, rest, &across, down),
                _ => self.row::<L, 3>(lanes, row, rest, &across, down),
            }
        }
    }
}

impl Vignette {
    /// A row whose share is `down`, above the rest.
    #[inline(always)]
    fn row<L: Lanes, const CHANNELS: usize>(
        &self,
        lanes: L,
        row: &mut [u8],
        rest: &[u8],
        across: &[i16],
        down: i16,
    ) {
        let mut chunks = row.chunks_exact_mut(L::COUNT);
        let mut shares = across.chunks_exact(L::COUNT);
        for ((at, bytes), across) in (&mut chunks).enumerate().zip(&mut shares) {
            fetch_ahead(lanes, rest.get(at * L::COUNT..).unwrap_or_default(), L::COUNT);
            lanes.narrow(self.darken::<L, CHANNELS>(lanes, bytes, across, down), bytes);
        }
        let rest = chunks.into_remainder();
        let mut padded = [0; ROOM];
        padded[..rest.len()].copy_from_slice(rest);
        // The shares have room behind them: there is always one vector more.
        if let Some(across) = shares.next() {
            let dark = self.darken::<L, CHANNELS>(lanes, &padded, across, down);
            store_rest(lanes, dark, rest);
        }
    }

    /// A vector of a row.
    #[inline(always)]
    fn darken<L: Lanes, const CHANNELS: usize>(
        &self,
        lanes: L,
        bytes: &[u8],
        across: &[i16],
        down: i16,
    ) -> L::Vector {
        // r^2 times 65,535; the sum of the two shares stays in 16 bits, unsigned, within the picture.
        let squared = lanes.add_wrapping(lanes.load(across), lanes.splat(down));
        let fourth = lanes.multiply_high_unsigned(squared, squared);
        let taken = lanes.multiply_high_unsigned(fourth, lanes.splat(self.strength as i16));
        // In 8.7: the byte, less what is taken, rounded.
        let plain = lanes.widen(bytes);
        let fine = lanes.shift_left(plain, 7);
        let dark = lanes.subtract(fine, lanes.multiply_high_unsigned(fine, taken));
        let dark = lanes.shift_right(lanes.add(dark, lanes.splat(64)), 7);
        keep_alpha::<L, CHANNELS>(lanes, plain, dark)
    }
}

/// What each of `count` bytes along one side, `channels` to a pixel, adds to r^2: (distance from the middle)^2 / (half the
/// diagonal)^2, times 65,535. Rounded down, so that no sum of two is more than that. Beyond the side, the last one is repeated.
fn shares(side: usize, other: usize, count: usize, channels: usize) -> Vec<i16> {
    let half = |side: usize| side as f64 / 2.0;
    let corner = half(side) * half(side) + half(other) * half(other);
    let share = |at: usize| {
        let pixel = (at / channels).min(side - 1);
        let distance = pixel as f64 + 0.5 - half(side);
        (distance * distance / corner * 65_535.0) as u16 as i16
    };
    (0..count).map(share).collect()
}
