//! Vignette: the picture darkens towards its corners, as with old lenses.
//!
//! With r = distance from the centre, 1 in the corners, a pixel is multiplied by 1 - strength * r^4: flat in the middle, and without an
//! edge to be seen. In 16-bit fixed point: sqrt(strength) * r^2 is the sum of a number for the column and one for the row, its square what is
//! taken, and the byte times what is left is one multiplication, rounded. Within one level of the exact result.

use super::super::lanes::{Lanes, fetch_ahead, in_halves};
use super::{ROOM, Raster, Row, SpatialFilter, keep_alpha};

/// The filter at one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vignette {
    /// From 0 to 1.
    strength: f32,
}

impl Vignette {
    /// 0 changes nothing, 1 makes the corners black; more and less count as the nearest.
    pub fn new(strength: f32) -> Self {
        // What is no number is nothing.
        Self { strength: if strength > 0.0 { strength.min(1.0) } else { 0.0 } }
    }
}

impl SpatialFilter for Vignette {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        let (width, height, channels) = (raster.width, raster.height, raster.channels);
        if self.strength == 0.0 || width == 0 || height == 0 {
            return;
        }
        let vector = 2 * L::COUNT;
        let count = (width * channels).next_multiple_of(vector);
        let shares = self.shares(width, height, count, channels);
        let mut across = Row::<i16>::new(0, count);
        for (shares, to) in
            shares.chunks_exact(vector).zip(across.numbers().chunks_exact_mut(vector))
        {
            let [low, high] = in_halves(lanes, shares);
            lanes.store(low, to);
            lanes.store(high, &mut to[L::COUNT..]);
        }
        let down = self.shares(height, width, height, 1);
        for (y, down) in down.into_iter().enumerate() {
            let (row, rest) = raster.row_and_rest(y);
            match channels {
                4 => darken_row::<L, 4>(lanes, row, rest, across.as_slice(), down),
                _ => darken_row::<L, 3>(lanes, row, rest, across.as_slice(), down),
            }
        }
    }
}

impl Vignette {
    /// What each of `count` bytes along one side, `channels` to a pixel, adds to sqrt(strength) * r^2: (distance from the middle)^2 / (half the
    /// diagonal)^2, so scaled that the square of two of them, in high halves, is what is taken of 32,767. Rounded down, so that no sum of two is
    /// more than all. Beyond the side, the last one is repeated.
    fn shares(&self, side: usize, other: usize, count: usize, channels: usize) -> Vec<i16> {
        let half = |side: usize| side as f64 / 2.0;
        let corner = half(side) * half(side) + half(other) * half(other);
        let whole = (f64::from(self.strength) / 2.0).sqrt() * 65_535.0;
        let share = |at: usize| {
            let pixel = (at / channels).min(side - 1);
            let distance = pixel as f64 + 0.5 - half(side);
            (distance * distance / corner * whole) as u16 as i16
        };
        (0..count).map(share).collect()
    }
}

/// A row whose share is `down`, above the rest; the columns' shares are in halves.
#[inline(always)]
fn darken_row<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    row: &mut [u8],
    rest: &[u8],
    across: &[i16],
    down: i16,
) {
    let size = 2 * L::COUNT;
    let down = lanes.splat(down);
    let mut vectors = row.chunks_exact_mut(size);
    let mut shares = across.chunks_exact(size);
    for ((at, bytes), across) in (&mut vectors).enumerate().zip(&mut shares) {
        fetch_ahead(lanes, rest.get(at * size..).unwrap_or_default(), size);
        darken::<L, CHANNELS>(lanes, bytes, across, down);
    }
    let rest = vectors.into_remainder();
    if let (false, Some(across)) = (rest.is_empty(), shares.next()) {
        let mut padded = [0; ROOM];
        padded[..rest.len()].copy_from_slice(rest);
        darken::<L, CHANNELS>(lanes, &mut padded, across, down);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

/// A vector of bytes.
#[inline(always)]
fn darken<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    bytes: &mut [u8],
    across: &[i16],
    down: L::Vector,
) {
    let plain = lanes.load_bytes(bytes);
    let mut halves = lanes.weigh::<1, 0>(plain, plain);
    for half in 0..2 {
        // Unsigned, the sum of two shares stays in 16 bits within the picture.
        let share = lanes.add_wrapping(lanes.load(&across[half * L::COUNT..]), down);
        let taken = lanes.multiply_high_unsigned(share, share);
        let left = lanes.subtract(lanes.splat(i16::MAX), taken);
        let dark = lanes.multiply_high(halves[half], left);
        // Every fourth byte is alpha in both halves as well: they are made of eight bytes in a row each.
        halves[half] = keep_alpha::<L, CHANNELS>(lanes, halves[half], dark);
    }
    lanes.store_bytes(lanes.narrow_both(halves), bytes);
}
