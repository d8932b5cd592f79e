//! Film grain: brighter and darker specks, the same in all three channels, most in the mid-tones and none in black and white.
//!
//! out = v + amount * noise * 4 v (255 - v) / 255^2, in levels. The noise is triangular (the sum of two even ones), made from the seed once, for
//! [`PERIOD`] pixels; every row begins at another place of it, chosen by the seed and the row's number. The same seed gives the same grain
//! at every size of memory, stride and instruction set; another seed gives another.

use super::super::lanes::Lanes;
use super::{ROOM, Raster, SpatialFilter, keep_alpha, store_rest};

/// The filter with one amount and seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grain {
    /// In 1/64 of a level.
    amount: i16,
    seed: u64,
}

/// Pixels after which a row repeats.
const PERIOD: usize = 4_096;
/// Parts of a level.
const FINE: u32 = 6;

impl Grain {
    /// Beyond this nothing is left of the picture.
    pub const AMOUNT_MAX: f32 = 128.0;

    /// The amount is how many levels a speck can move a mid-tone, from 0 (nothing) to [`Grain::AMOUNT_MAX`].
    pub fn new(amount: f32, seed: u64) -> Self {
        let amount = if amount > 0.0 { amount.min(Self::AMOUNT_MAX) } else { 0.0 };
        Self { amount: (amount * f32::from(1_i16 << FINE)).round() as i16, seed }
    }

    /// A number for each byte of [`PERIOD`] pixels: amount * noise, the same for the bytes of a pixel.
    fn noise<const CHANNELS: usize>(&self) -> Vec<i16> {
        let mut noise = Vec::with_capacity(PERIOD * CHANNELS + ROOM);
        for pixel in 0..PERIOD as u64 {
            let bits = mixed(self.seed ^ pixel << 32);
            let even = |bits: u64| (bits & 0xFFFF) as i64 - 0x8000;
            let sum = even(bits) + even(bits >> 16);
            let triangular = (sum * i64::from(self.amount)) >> 16;
            noise.extend([triangular as i16; CHANNELS]);
        }
        noise.extend([0; ROOM]);
        noise
    }

    #[inline(always)]
    fn rows<L: Lanes, const CHANNELS: usize>(&self, lanes: L, raster: &mut Raster<'_>) {
        let noise = self.noise::<CHANNELS>();
        for y in 0..raster.height {
            let start = mixed(self.seed.wrapping_add(1) ^ y as u64) as usize % PERIOD;
            let mut from = start * CHANNELS;
            let mut row = raster.row(y);
            while !row.is_empty() {
                let count = row.len().min(PERIOD * CHANNELS - from);
                let (piece, rest) = row.split_at_mut(count);
                speckle::<L, CHANNELS>(lanes, &noise[from..], piece);
                row = rest;
                from = 0;
            }
        }
    }
}

/// Bytes that begin with a pixel, and the noise for them.
#[inline(always)]
fn speckle<L: Lanes, const CHANNELS: usize>(lanes: L, noise: &[i16], bytes: &mut [u8]) {
    let mut bytes = bytes.chunks_exact_mut(L::COUNT);
    let mut noise = noise.chunks_exact(L::COUNT);
    for (bytes, noise) in (&mut bytes).zip(&mut noise) {
        lanes.narrow(speckled::<L, CHANNELS>(lanes, lanes.load(noise), bytes), bytes);
    }
    let rest = bytes.into_remainder();
    let mut padded = [0; ROOM];
    padded[..rest.len()].copy_from_slice(rest);
    // The noise has room behind it: there is always one vector more.
    if let Some(noise) = noise.next() {
        store_rest(lanes, speckled::<L, CHANNELS>(lanes, lanes.load(noise), &padded), rest);
    }
}

#[inline(always)]
fn speckled<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    noise: L::Vector,
    bytes: &[u8],
) -> L::Vector {
    let plain = lanes.widen(bytes);
    // v (255 - v) is at most 16,256; times 2 it is the share of the noise, times 2^15.
    let rest = lanes.subtract(lanes.splat(255), plain);
    let share = lanes.shift_left(lanes.multiply_low(plain, rest), 1);
    let moved = lanes.multiply_high(noise, share);
    let fine = lanes.add(lanes.shift_left(plain, FINE), moved);
    let fine = lanes.max(lanes.add(fine, lanes.splat(1 << (FINE - 1))), lanes.splat(0));
    keep_alpha::<L, CHANNELS>(lanes, plain, lanes.shift_right(fine, FINE))
}

/// Well mixed bits of a number (the finishing step of splitmix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

impl SpatialFilter for Grain {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        if self.amount == 0 || raster.width == 0 || raster.height == 0 {
            return;
        }
        match raster.channels {
            4 => self.rows::<L, 4>(lanes, raster),
            _ => self.rows::<L, 3>(lanes, raster),
        }
    }
}
