//! The fast twin's loop, written once over [`Pixels`]: split a unit of pixels into planes, run the steps in registers, join.
//!
//! `x86` shuffles for AVX-512 and AVX2, `neon` has loads and stores for it; [`Plain`] is for all other machines. Pixels may lie in a plane in any order, as long as `join` undoes
//! what `split` did: each form uses the order that costs it least.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::super::lanes::{Lanes, Plain, fetch_ahead};
use super::super::raster::Raster;
use super::{FixedStep, Sums, Weights};

/// Bytes of the largest unit.
const UNIT_BYTES_MAX: usize = 256;

/// Lanes that can take pixels apart. A unit is two vectors per channel.
pub(in super::super) trait Pixels: Lanes {
    /// Whether there are registers for a whole unit; else its halves go through the steps one after the other.
    const WHOLE: bool;
    /// Values as bytes, through the table, as values again.
    fn look_up<const PARTS: usize>(
        self,
        table: &[u8; 256],
        parts: [Self::Vector; PARTS],
    ) -> [Self::Vector; PARTS];
    /// A unit of bytes, of `CHANNELS` a pixel, as channel values; alpha is left out.
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<Self::Vector>;
    /// Red, green and blue bytes of 2 * [`Lanes::COUNT`] RGB pixels, in the order of the row.
    fn channels(self, rgb: &[u8]) -> [Self::Bytes; 3];
    /// The way back from [`Pixels::channels`].
    fn interleave(self, channels: [Self::Bytes; 3], rgb: &mut [u8]);
    /// Values as bytes, rounded; what is negative becomes 0. The bytes of alpha stay.
    fn join<const CHANNELS: usize>(self, unit: Unit<Self::Vector>, bytes: &mut [u8]);
}

/// Red, green and blue of a unit, in two halves.
pub(in super::super) type Unit<V, const PARTS: usize = 2> = [[V; PARTS]; 3];

/// A step with its numbers spread over vectors.
enum Prepared<'a, V> {
    Sums(PreparedSums<V>),
    Tables(&'a [[u8; 256]; 3]),
}

/// See [`Sums`]; what a form does not use is zero.
struct PreparedSums<V> {
    form: Form,
    /// [`Weights::Shared`] are the first row.
    rows: [[V; 3]; 3],
    slopes: [V; 3],
    constants: [V; 3],
    doublings: u32,
    floor: bool,
}

/// Which terms a step has: the question is asked once for a unit, and what follows has no branches.
#[derive(Clone, Copy)]
enum Form {
    /// Grayscale.
    Shared,
    /// Saturate up to 1; from there on with the channel itself.
    SharedSlopes,
    SharedSlopesOwn,
    /// The same joined with others.
    SharedSlopesConstants,
    SharedSlopesConstantsOwn,
    /// Sepia; hue-rotate.
    Matrix,
    MatrixOwn,
    /// Duotone; sepia with contrast.
    MatrixConstants,
    MatrixConstantsOwn,
    /// Brightness up to 1, warmth; from there on with the channel itself.
    Slopes,
    SlopesOwn,
    /// Invert, fade, contrast up to 1; from there on with the channel itself.
    SlopesConstants,
    SlopesConstantsOwn,
}

impl Form {
    /// The narrowest one that has the step's terms.
    fn of(sums: &Sums) -> Self {
        match (sums.weights, sums.constants.is_some(), sums.own) {
            (Weights::Shared(_), false, false) if sums.slopes.is_none() => Form::Shared,
            (Weights::Shared(_), false, false) => Form::SharedSlopes,
            (Weights::Shared(_), false, true) => Form::SharedSlopesOwn,
            (Weights::Shared(_), true, false) => Form::SharedSlopesConstants,
            (Weights::Shared(_), true, true) => Form::SharedSlopesConstantsOwn,
            (Weights::Matrix(_), false, false) => Form::Matrix,
            (Weights::Matrix(_), false, true) => Form::MatrixOwn,
            (Weights::Matrix(_), true, false) => Form::MatrixConstants,
            (Weights::Matrix(_), true, true) => Form::MatrixConstantsOwn,
            (Weights::None, false, false) => Form::Slopes,
            (Weights::None, false, true) => Form::SlopesOwn,
            (Weights::None, true, false) => Form::SlopesConstants,
            (Weights::None, true, true) => Form::SlopesConstantsOwn,
        }
    }
}

impl<'a, V: Copy> Prepared<'a, V> {
    #[inline(always)]
    fn new<L: Pixels<Vector = V>>(lanes: L, step: &'a FixedStep) -> Self {
        let sums = match step {
            FixedStep::Tables(tables) => return Prepared::Tables(tables),
            FixedStep::Sums(sums) => sums,
        };
        let rows = match sums.weights {
            Weights::None => [[0; 3]; 3],
            Weights::Shared(weights) => [weights; 3],
            Weights::Matrix(rows) => rows,
        };
        let mut prepared = PreparedSums {
            form: Form::of(sums),
            rows: [[lanes.splat(0); 3]; 3],
            slopes: spread(lanes, sums.slopes.unwrap_or_default()),
            constants: spread(lanes, sums.constants.unwrap_or_default()),
            doublings: sums.doublings,
            floor: sums.floor,
        };
        for row in 0..3 {
            prepared.rows[row] = spread(lanes, rows[row]);
        }
        Prepared::Sums(prepared)
    }

    #[inline(always)]
    fn apply<L: Pixels<Vector = V>, const PARTS: usize>(
        &self,
        lanes: L,
        unit: Unit<V, PARTS>,
    ) -> Unit<V, PARTS> {
        match self {
            Prepared::Sums(sums) => sums.apply(lanes, unit),
            Prepared::Tables(tables) => {
                let mut out = unit;
                for channel in 0..3 {
                    out[channel] = lanes.look_up(&tables[channel], unit[channel]);
                }
                out
            }
        }
    }
}

impl<V: Copy> PreparedSums<V> {
    #[inline(always)]
    fn apply<L: Pixels<Vector = V>, const PARTS: usize>(
        &self,
        lanes: L,
        unit: Unit<V, PARTS>,
    ) -> Unit<V, PARTS> {
        let mut sums = match self.form {
            Form::Shared => self.sums::<L, PARTS, SHARED, false, false, false>(lanes, unit),
            Form::SharedSlopes => self.sums::<L, PARTS, SHARED, true, false, false>(lanes, unit),
            Form::SharedSlopesOwn => self.sums::<L, PARTS, SHARED, true, false, true>(lanes, unit),
            Form::SharedSlopesConstants => {
                self.sums::<L, PARTS, SHARED, true, true, false>(lanes, unit)
            }
            Form::SharedSlopesConstantsOwn => {
                self.sums::<L, PARTS, SHARED, true, true, true>(lanes, unit)
            }
            Form::Matrix => self.sums::<L, PARTS, MATRIX, false, false, false>(lanes, unit),
            Form::MatrixOwn => self.sums::<L, PARTS, MATRIX, false, false, true>(lanes, unit),
            Form::MatrixConstants => self.sums::<L, PARTS, MATRIX, false, true, false>(lanes, unit),
            Form::MatrixConstantsOwn => {
                self.sums::<L, PARTS, MATRIX, false, true, true>(lanes, unit)
            }
            Form::Slopes => self.sums::<L, PARTS, NONE, true, false, false>(lanes, unit),
            Form::SlopesOwn => self.sums::<L, PARTS, NONE, true, false, true>(lanes, unit),
            Form::SlopesConstants => self.sums::<L, PARTS, NONE, true, true, false>(lanes, unit),
            Form::SlopesConstantsOwn => self.sums::<L, PARTS, NONE, true, true, true>(lanes, unit),
        };
        for _ in 0..self.doublings {
            for channel in 0..3 {
                for half in 0..PARTS {
                    sums[channel][half] = lanes.add(sums[channel][half], sums[channel][half]);
                }
            }
        }
        if self.floor {
            for channel in 0..3 {
                for half in 0..PARTS {
                    sums[channel][half] = lanes.max(sums[channel][half], lanes.splat(0));
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn sums<
        L: Pixels<Vector = V>,
        const PARTS: usize,
        const WEIGHTS: u8,
        const SLOPES: bool,
        const CONSTANTS: bool,
        const OWN: bool,
    >(
        &self,
        lanes: L,
        unit: Unit<V, PARTS>,
    ) -> Unit<V, PARTS> {
        let mut out = unit;
        for half in 0..PARTS {
            let value = [unit[0][half], unit[1][half], unit[2][half]];
            let mut shared = lanes.splat(0);
            if WEIGHTS == SHARED {
                shared = weigh(lanes, value, &self.rows[0]);
            }
            for channel in 0..3 {
                let mut sum = shared;
                if WEIGHTS == MATRIX {
                    let row = &self.rows[channel];
                    sum = lanes.multiply_high(value[0], row[0]);
                    if CONSTANTS {
                        sum = lanes.add(self.constants[channel], sum);
                    }
                    sum = lanes.add(sum, lanes.multiply_high(value[1], row[1]));
                    sum = lanes.add(sum, lanes.multiply_high(value[2], row[2]));
                }
                if SLOPES {
                    let product = lanes.multiply_high(value[channel], self.slopes[channel]);
                    sum = if WEIGHTS == NONE { product } else { lanes.add(sum, product) };
                }
                if CONSTANTS && WEIGHTS != MATRIX {
                    sum = lanes.add(sum, self.constants[channel]);
                }
                if OWN {
                    sum = lanes.add(sum, value[channel]);
                }
                out[channel][half] = sum;
            }
        }
        out
    }
}

/// For [`PreparedSums::sums`]: no weights, one row for all channels, a row each.
const NONE: u8 = 0;
const SHARED: u8 = 1;
const MATRIX: u8 = 2;

/// A number for each channel, in vectors.
#[inline(always)]
pub(in super::super) fn spread<L: Pixels>(lanes: L, [r, g, b]: [i16; 3]) -> [L::Vector; 3] {
    [lanes.splat(r), lanes.splat(g), lanes.splat(b)]
}

/// The three products, added up in the channels' order.
#[inline(always)]
pub(in super::super) fn weigh<L: Pixels>(
    lanes: L,
    value: [L::Vector; 3],
    weights: &[L::Vector; 3],
) -> L::Vector {
    let red = lanes.multiply_high(value[0], weights[0]);
    let two = lanes.add(red, lanes.multiply_high(value[1], weights[1]));
    lanes.add(two, lanes.multiply_high(value[2], weights[2]))
}

/// Runs the steps over all pixels. To be inlined, with all that it calls, into a function compiled for the lanes' instruction
/// set; that is why there are loops here and no closures, which would be functions of their own.
#[inline(always)]
pub(super) fn run<'a, L: Pixels>(
    lanes: L,
    steps: impl Iterator<Item = &'a FixedStep>,
    raster: &mut Raster<'_>,
) {
    let mut prepared = Vec::new();
    for step in steps {
        prepared.push(Prepared::new(lanes, step));
    }
    let channels = raster.channels;
    for piece in raster.pieces() {
        match channels {
            4 => piece_of::<4, L>(lanes, &prepared, piece),
            _ => piece_of::<3, L>(lanes, &prepared, piece),
        }
    }
}

#[inline(always)]
fn piece_of<const CHANNELS: usize, L: Pixels>(
    lanes: L,
    steps: &[Prepared<'_, L::Vector>],
    pixels: &mut [u8],
) {
    let size = CHANNELS * 2 * L::COUNT;
    let mut rest = pixels;
    while rest.len() >= size {
        let (unit, more) = rest.split_at_mut(size);
        fetch_ahead(lanes, more, size);
        one::<CHANNELS, L>(lanes, steps, unit);
        rest = more;
    }
    if rest.is_empty() {
        return;
    }
    let mut padded = [0; UNIT_BYTES_MAX];
    padded[..rest.len()].copy_from_slice(rest);
    one::<CHANNELS, L>(lanes, steps, &mut padded[..CHANNELS * 2 * L::COUNT]);
    rest.copy_from_slice(&padded[..rest.len()]);
}

#[inline(always)]
fn one<const CHANNELS: usize, L: Pixels>(
    lanes: L,
    steps: &[Prepared<'_, L::Vector>],
    bytes: &mut [u8],
) {
    let mut unit = lanes.split::<CHANNELS>(bytes);
    if L::WHOLE {
        for step in steps {
            unit = step.apply::<L, 2>(lanes, unit);
        }
    } else {
        for half in 0..2 {
            let mut part = [[unit[0][half]], [unit[1][half]], [unit[2][half]]];
            for step in steps {
                part = step.apply::<L, 1>(lanes, part);
            }
            for channel in 0..3 {
                unit[channel][half] = part[channel][0];
            }
        }
    }
    lanes.join::<CHANNELS>(unit, bytes);
}

const PLAIN: usize = Plain::COUNT;

impl Pixels for Plain {
    const WHOLE: bool = false;

    #[inline(always)]
    fn look_up<const PARTS: usize>(
        self,
        table: &[u8; 256],
        mut parts: [Self::Vector; PARTS],
    ) -> [Self::Vector; PARTS] {
        for value in parts.as_flattened_mut() {
            *value = super::to_wide(table[usize::from(super::to_byte(*value))]);
        }
        parts
    }

    #[inline(always)]
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<Self::Vector> {
        let mut unit = [[[0; PLAIN]; 2]; 3];
        let pixels = bytes.as_chunks::<CHANNELS>().0.as_chunks::<PLAIN>().0;
        for (half, pixels) in pixels.iter().enumerate().take(2) {
            for channel in 0..3 {
                for lane in 0..PLAIN {
                    unit[channel][half][lane] = super::to_wide(pixels[lane][channel]);
                }
            }
        }
        unit
    }

    #[inline(always)]
    fn channels(self, rgb: &[u8]) -> [Self::Bytes; 3] {
        let mut channels = [[0; 2 * PLAIN]; 3];
        for (at, pixel) in rgb.as_chunks::<3>().0.iter().take(2 * PLAIN).enumerate() {
            for channel in 0..3 {
                channels[channel][at] = pixel[channel];
            }
        }
        channels
    }

    #[inline(always)]
    fn interleave(self, channels: [Self::Bytes; 3], rgb: &mut [u8]) {
        for (at, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().take(2 * PLAIN).enumerate() {
            *pixel = [channels[0][at], channels[1][at], channels[2][at]];
        }
    }

    #[inline(always)]
    fn join<const CHANNELS: usize>(self, unit: Unit<Self::Vector>, bytes: &mut [u8]) {
        let pixels = bytes.as_chunks_mut::<CHANNELS>().0.as_chunks_mut::<PLAIN>().0;
        for (half, pixels) in pixels.iter_mut().enumerate().take(2) {
            for channel in 0..3 {
                for lane in 0..PLAIN {
                    pixels[lane][channel] = super::to_byte(unit[channel][half][lane]);
                }
            }
        }
    }
}
