//! The fast twin's loop, written once over [`Lanes`]: split a unit of pixels into planes, run the steps in registers, join.
//!
//! `x86` implements the lanes for AVX-512 and AVX2 with explicit shuffles; [`Plain`] is for all other machines: arrays that the
//! compiler turns into what vector instructions there are. Pixels may lie in a plane in any order, as long as `join` undoes
//! what `split` did: each form uses the order that costs it least.

use super::FixedStep;

/// Bytes of the largest unit.
const UNIT_BYTES_MAX: usize = 192;

/// Vectors of 16-bit values of one instruction set. A unit is two vectors per channel.
pub(super) trait Lanes: Copy {
    /// Pixels of a unit.
    const PIXELS: usize;
    /// A vector of half as many values.
    type Vector: Copy;
    /// The same value everywhere.
    fn splat(self, value: i16) -> Self::Vector;
    /// a * b / 2^15, rounded.
    fn multiply_high(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Saturating.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Clamped to 0..=most, then times 2^shift.
    fn clamp(self, a: Self::Vector, most: Self::Vector, shift: u32) -> Self::Vector;
    /// A unit of bytes as channel values times 128.
    fn split(self, bytes: &[u8]) -> Unit<Self::Vector>;
    /// Values times 2^(7 - shift), rounded to bytes; out of range becomes 0 or 255.
    fn join(self, unit: Unit<Self::Vector>, shift: u32, bytes: &mut [u8]);
}

/// Red, green and blue of a unit, in two halves.
pub(super) type Unit<V> = [[V; 2]; 3];

/// A step with its numbers spread over vectors.
struct Prepared<V> {
    coefficients: [[V; 3]; 3],
    constants: [V; 3],
    most: V,
    shift: u32,
    per_channel: bool,
}

impl<V: Copy> Prepared<V> {
    #[inline(always)]
    fn new<L: Lanes<Vector = V>>(lanes: L, step: &FixedStep) -> Self {
        let zero = lanes.splat(0);
        let mut prepared = Self {
            coefficients: [[zero; 3]; 3],
            constants: [zero; 3],
            most: lanes.splat(super::FULL >> step.shift),
            shift: step.shift,
            per_channel: step.per_channel,
        };
        for row in 0..3 {
            for column in 0..3 {
                prepared.coefficients[row][column] = lanes.splat(step.coefficients[row][column]);
            }
            prepared.constants[row] = lanes.splat(step.constants[row]);
        }
        prepared
    }

    /// The sums, not yet clamped.
    #[inline(always)]
    fn apply<L: Lanes<Vector = V>>(&self, lanes: L, unit: Unit<V>) -> Unit<V> {
        let mut out = unit;
        for half in 0..2 {
            for channel in 0..3 {
                let [red, green, blue] = self.coefficients[channel];
                let sum = if self.per_channel {
                    lanes.multiply_high(unit[channel][half], self.coefficients[channel][channel])
                } else {
                    let two = lanes.add(
                        lanes.multiply_high(unit[0][half], red),
                        lanes.multiply_high(unit[1][half], green),
                    );
                    lanes.add(two, lanes.multiply_high(unit[2][half], blue))
                };
                out[channel][half] = lanes.add(sum, self.constants[channel]);
            }
        }
        out
    }

    #[inline(always)]
    fn clamp<L: Lanes<Vector = V>>(&self, lanes: L, unit: Unit<V>) -> Unit<V> {
        let mut out = unit;
        for channel in 0..3 {
            for half in 0..2 {
                out[channel][half] = lanes.clamp(unit[channel][half], self.most, self.shift);
            }
        }
        out
    }
}

/// Runs the steps over all pixels. To be inlined, with all that it calls, into a function compiled for the lanes' instruction
/// set; that is why there are loops here and no closures, which would be functions of their own.
#[inline(always)]
pub(super) fn run<L: Lanes>(lanes: L, steps: &[FixedStep], pixels: &mut [u8]) {
    let mut prepared = Vec::with_capacity(steps.len());
    for step in steps {
        prepared.push(Prepared::new(lanes, step));
    }
    let mut units = pixels.chunks_exact_mut(3 * L::PIXELS);
    for unit in &mut units {
        one(lanes, &prepared, unit);
    }
    let rest = units.into_remainder();
    let mut padded = [0; UNIT_BYTES_MAX];
    padded[..rest.len()].copy_from_slice(rest);
    one(lanes, &prepared, &mut padded[..3 * L::PIXELS]);
    rest.copy_from_slice(&padded[..rest.len()]);
}

#[inline(always)]
fn one<L: Lanes>(lanes: L, steps: &[Prepared<L::Vector>], bytes: &mut [u8]) {
    let Some((last, before)) = steps.split_last() else { return };
    let mut unit = lanes.split(bytes);
    for step in before {
        unit = step.clamp(lanes, step.apply(lanes, unit));
    }
    // Rounding to bytes clamps by itself.
    lanes.join(last.apply(lanes, unit), last.shift, bytes);
}

/// Lanes without a word of any instruction set.
#[derive(Clone, Copy)]
pub(super) struct Plain;

const PLAIN: usize = 16;

impl Lanes for Plain {
    const PIXELS: usize = 2 * PLAIN;
    type Vector = [i16; PLAIN];

    #[inline(always)]
    fn splat(self, value: i16) -> Self::Vector {
        [value; PLAIN]
    }

    #[inline(always)]
    fn multiply_high(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| super::multiply_high(a[lane], b[lane]))
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|lane| a[lane].saturating_add(b[lane]))
    }

    #[inline(always)]
    fn clamp(self, a: Self::Vector, most: Self::Vector, shift: u32) -> Self::Vector {
        std::array::from_fn(|lane| a[lane].clamp(0, most[lane]) << shift)
    }

    #[inline(always)]
    fn split(self, bytes: &[u8]) -> Unit<Self::Vector> {
        let mut unit = [[[0; PLAIN]; 2]; 3];
        for (index, pixel) in bytes.as_chunks::<3>().0.iter().enumerate() {
            for channel in 0..3 {
                unit[channel][index / PLAIN][index % PLAIN] = i16::from(pixel[channel]) << 7;
            }
        }
        unit
    }

    #[inline(always)]
    fn join(self, unit: Unit<Self::Vector>, shift: u32, bytes: &mut [u8]) {
        for (index, pixel) in bytes.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            for channel in 0..3 {
                let value = unit[channel][index / PLAIN][index % PLAIN];
                pixel[channel] = super::to_byte(value, shift);
            }
        }
    }
}
