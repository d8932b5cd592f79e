//! How looks are computed: a chain of point filters becomes a [`Program`], run in one pass over the pixels.
//!
//! Most point filters are affine: out = clamp(M * in + constant). The chain keeps the clamping between steps, as browsers
//! do, and joins two neighbours into one matrix only where that changes nothing: the first never clips, or the second clips again what
//! the first would have clipped. Curves are tables; neighbours that work on each
//! channel by itself are joined with them. (A three-dimensional table, for chains that are neither, would be read from memory pixel by
//! pixel and be interpolated: the steps one after the other in the first cache or in registers are faster, and exact.)
//!
//! [`Program::apply_scalar`] is the readable twin, [`Program::apply`] the fast one (AVX-512, AVX2, NEON or what compilers make of plain arrays,
//! chosen at run time; see `kernels::lanes`); a test binds them bit for bit. `kernels::compile` makes the steps.
//!
//! Numbers: a channel is held in 16 bits, 0 to 32,767 for 0 to 1. A product is "multiply, high half, rounded" (`pmulhrsw`,
//! `sqrdmulh`), sums saturate. That is the trick: 1 is where 16 bits end, so that sums clamp themselves at the top, and only what can
//! be negative needs clamping at 0. The error is half of 1/128 of a level for each product, times 2^doublings. Where all rows of a matrix
//! are nearly multiples of one (sepia, duotone), they are made of one sum, which is off by a quarter of a level at most.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod compile;
pub(super) mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
mod separate;

use fearless_simd::Level;

use self::lanes::run;
use super::lanes::{Lanes, fetch_ahead, multiply_high, with_lanes};
use super::raster::Raster;

/// The instruction sets that this machine has and the kernels treat differently, best first, with their names.
pub fn instruction_sets() -> Vec<(&'static str, Level)> {
    let best = Level::new();
    let mut sets = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(best.as_avx512().map(|avx512| ("AVX-512", Level::Avx512(avx512))));
        sets.extend(best.as_avx2().map(|avx2| ("AVX2", Level::Avx2(avx2))));
        sets.extend(best.as_sse4_2().map(|sse| ("SSE4.2", Level::Sse4_2(sse))));
    }
    #[cfg(target_arch = "aarch64")]
    sets.extend(best.as_neon().map(|neon| ("NEON", Level::Neon(neon))));
    if sets.is_empty() {
        sets.push(("plain", best));
    }
    sets
}

/// A compiled chain of point filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    steps: Vec<FixedStep>,
    /// What opacity leaves of alpha, times 32,768; [`OPAQUE`] when nothing is taken.
    opacity: u16,
    /// The same for pictures without alpha: the step that lays them on white.
    on_white: Option<FixedStep>,
    /// All that is done is to turn white into black and black into white: no channel need be told from another.
    is_negative: bool,
}

/// No alpha is taken.
const OPAQUE: u16 = 1 << 15;

/// One step in fixed point.
#[derive(Debug, Clone, PartialEq)]
enum FixedStep {
    Sums(Sums),
    /// For each channel the result of each level.
    Tables(Box<[[u8; 256]; 3]>),
}

/// Weighted sums, in this order: the products of the weights, the product of the slope, the constant, the channel itself; with a row for
/// each channel the constant comes first. Coefficients are times 32,768, halved `doublings` times; constants times 32,767, likewise; tints are not
/// halved, since they are of a sum that is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    weights: Weights,
    /// Of the channel itself, unless all of its weights are in the matrix; of the one sum, where that is tinted.
    slopes: Option<[i16; 3]>,
    constants: Option<[i16; 3]>,
    /// The channel itself is added: for slopes from 1 to 2, before the last step.
    own: bool,
    /// How often the sum is doubled at the end, at most 5.
    doublings: u32,
    /// The sum can be negative.
    floor: bool,
    /// Nothing comes after it: rounding to bytes doubles the sum and clamps it, at no cost.
    is_last: bool,
}

/// What a channel takes from all three.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weights {
    /// Nothing: brightness, contrast, invert, warmth, fade.
    None,
    /// All channels the same sum, as in saturate and grayscale: it is made once.
    Shared([i16; 3]),
    /// All channels a multiple of the same sum, as in sepia and duotone.
    Tinted([i16; 3]),
    /// A row for each channel.
    Matrix([[i16; 3]; 3]),
}

impl Program {
    /// The steps for so many channels.
    fn steps(&self, channels: usize) -> impl Iterator<Item = &FixedStep> + Clone {
        let on_white = if channels == 3 { self.on_white.as_ref() } else { None };
        self.steps.iter().chain(on_white)
    }

    /// How often rounding to bytes doubles what the steps leave.
    fn doublings_left(&self, channels: usize) -> u32 {
        match self.steps(channels).last() {
            Some(FixedStep::Sums(sums)) if sums.is_last => sums.doublings,
            _ => 0,
        }
    }

    /// Filters in place, with the best instructions of this machine: the fast twin.
    pub fn apply(&self, raster: &mut Raster<'_>) {
        self.apply_with(Level::new(), raster);
    }

    /// The fast twin with the instructions of `level`, so that benches and tests can compare them.
    pub fn apply_with(&self, level: Level, raster: &mut Raster<'_>) {
        if self.is_negative {
            with_lanes!(level, lanes => negate(lanes, raster));
        } else if self.steps(raster.channels).next().is_some() {
            let doublings = self.doublings_left(raster.channels);
            with_lanes!(level, lanes => run(lanes, self.steps(raster.channels), doublings, raster));
        }
        if raster.channels == 4 && self.opacity != OPAQUE {
            fearless_simd::dispatch!(level, _simd => self.fade_alpha(raster));
        }
    }

    /// Filters in place: the readable twin.
    pub fn apply_scalar(&self, raster: &mut Raster<'_>) {
        let channels = raster.channels;
        let doublings = self.doublings_left(channels);
        for piece in raster.pieces() {
            for pixel in piece.chunks_exact_mut(channels) {
                let mut value = [to_wide(pixel[0]), to_wide(pixel[1]), to_wide(pixel[2])];
                for step in self.steps(channels) {
                    value = step.apply(value);
                }
                for (byte, value) in pixel.iter_mut().zip(value) {
                    *byte = to_byte(value, doublings);
                }
            }
        }
        if channels == 4 {
            self.fade_alpha(raster);
        }
    }

    #[inline(always)]
    fn fade_alpha(&self, raster: &mut Raster<'_>) {
        for piece in raster.pieces() {
            for pixel in piece.as_chunks_mut::<4>().0 {
                let faded = u32::from(pixel[3]) * u32::from(self.opacity);
                pixel[3] = ((faded + (1 << 14)) >> 15) as u8;
            }
        }
    }
}

/// 255 less each byte, but for those of alpha.
#[inline(always)]
fn negate<L: Lanes>(lanes: L, raster: &mut Raster<'_>) {
    let channels = raster.channels;
    for mut piece in raster.pieces() {
        while !piece.is_empty() {
            let (part, rest) = piece.split_at_mut(NEGATED_BYTES.min(piece.len()));
            fetch_ahead(lanes, rest, NEGATED_BYTES);
            if channels == 4 {
                for pixel in part.as_chunks_mut::<4>().0 {
                    *pixel = (u32::from_le_bytes(*pixel) ^ 0x00FF_FFFF).to_le_bytes();
                }
            } else {
                for byte in part {
                    *byte = !*byte;
                }
            }
            piece = rest;
        }
    }
}

/// Bytes that are negated between two fetches: whole lines of the cache, and whole pixels of four.
const NEGATED_BYTES: usize = 256;

/// A byte as a channel: 0 to 32,767 for 0 to 255.
#[inline(always)]
fn to_wide(byte: u8) -> i16 {
    ((u16::from(byte) * 257) >> 1) as i16
}

/// The way back, doubled so often, rounded and clamped.
#[inline(always)]
fn to_byte(value: i16, doublings: u32) -> u8 {
    multiply_high(value, byte_factor(doublings)).clamp(0, 255) as u8
}

/// What "multiply, high half" takes to make a byte of a channel that is yet to be doubled so often.
#[inline(always)]
fn byte_factor(doublings: u32) -> i16 {
    255 << doublings
}

impl FixedStep {
    fn apply(&self, value: [i16; 3]) -> [i16; 3] {
        match self {
            FixedStep::Sums(sums) => std::array::from_fn(|channel| sums.apply(value, channel)),
            FixedStep::Tables(tables) => std::array::from_fn(|channel| {
                to_wide(tables[channel][usize::from(to_byte(value[channel], 0))])
            }),
        }
    }
}

impl Sums {
    /// One channel of one pixel.
    fn apply(&self, value: [i16; 3], channel: usize) -> i16 {
        let weighted = |weights: [i16; 3]| {
            multiply_high(value[0], weights[0])
                .saturating_add(multiply_high(value[1], weights[1]))
                .saturating_add(multiply_high(value[2], weights[2]))
        };
        let mut sum = match self.weights {
            Weights::None => 0,
            Weights::Shared(weights) | Weights::Tinted(weights) => weighted(weights),
            Weights::Matrix(rows) => {
                let constant = self.constants.unwrap_or_default()[channel];
                (0..3).fold(constant, |sum, column| {
                    sum.saturating_add(multiply_high(value[column], rows[channel][column]))
                })
            }
        };
        if let Some(slopes) = self.slopes {
            sum = match self.weights {
                Weights::Tinted(_) => multiply_high(sum, slopes[channel]),
                _ => sum.saturating_add(multiply_high(value[channel], slopes[channel])),
            };
        }
        if let Some(constants) = self.constants
            && !matches!(self.weights, Weights::Matrix(_))
        {
            sum = sum.saturating_add(constants[channel]);
        }
        if self.own {
            sum = sum.saturating_add(value[channel]);
        }
        if self.is_last {
            return sum;
        }
        for _ in 0..self.doublings {
            sum = sum.saturating_add(sum);
        }
        if self.floor { sum.max(0) } else { sum }
    }
}
