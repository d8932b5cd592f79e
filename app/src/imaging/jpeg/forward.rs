//! Pixels to coefficients, several blocks at a time: the 8-point DCT down, rows and columns exchanged, the DCT again, then
//! quantization.
//!
//! In 16 bits: samples come 32 times as large as levels, coefficients are 16 times as large as the specification's, which is as much as fits
//! (8 * 128 * 16 = 2^14). A product is rounded ("multiply, high half, rounded"), so a coefficient is off by about a twentieth, and by at most
//! an eighth and a thousandth of itself: nothing beside a quantization step, but for steps of 1. Integers in a fixed order: every machine writes the same file.

use super::super::lanes::Lanes;
use super::blocks::{Blocks, LANES_MAX, Quantized};

/// How much larger samples are than levels.
pub(super) const SAMPLE: i16 = 32;
/// How much larger coefficients are than the specification's.
const COEFFICIENT: i32 = 16;
/// cos(k pi / 16) / 2 for k from 1 to 7, times 32,768; the flat wave of frequency 0 has the height of number 4.
const WAVES: [i16; 7] = [16_069, 15_137, 13_623, 11_585, 9_102, 6_270, 3_196];

/// The transform with one quantization table, for one kind of lanes.
pub(super) struct Forward<V> {
    /// [`WAVES`], halved for the way down: from 32 times to 16 times.
    down: [V; 7],
    across: [V; 7],
    /// By column: what each coefficient is multiplied with, to be quantized with a few binary places more.
    factors: [V; 8],
    /// Takes those places away again. There are as many of them as 1 / the smallest step leaves room for: fewer would be a bias.
    rounding: V,
}

impl<V: Copy> Forward<V> {
    #[inline(always)]
    pub fn new<L: Lanes<Vector = V>>(lanes: L, steps: &[u16; 64]) -> Self {
        let (mut down, mut across) = ([lanes.splat(0); 7], [lanes.splat(0); 7]);
        for (number, wave) in WAVES.into_iter().enumerate() {
            down[number] = lanes.splat((wave + 1) / 2);
            across[number] = lanes.splat(wave);
        }
        let smallest = steps.iter().copied().min().map_or(1, i32::from);
        let places = (COEFFICIENT * smallest - 1).ilog2();
        let one = (1 << (15 + places)) / COEFFICIENT;
        let mut factors = [lanes.splat(0); 8];
        for (column, factors) in factors.iter_mut().enumerate() {
            let mut numbers = [0; LANES_MAX];
            for (lane, number) in numbers.iter_mut().enumerate() {
                let step = i32::from(steps[lane % 8 * 8 + column]);
                *number = ((one + step / 2) / step) as i16;
            }
            *factors = lanes.load(&numbers);
        }
        Self { down, across, factors, rounding: lanes.splat(1 << (15 - places)) }
    }

    /// The blocks whose rows are given: samples around 0, [`SAMPLE`] times as large as levels.
    #[inline(always)]
    pub fn blocks<L: Blocks<Vector = V>>(&self, lanes: L, rows: [V; 8], blocks: &mut [Quantized]) {
        let turned = lanes.turn(transform(lanes, rows, self.down));
        let mut columns = transform(lanes, turned, self.across);
        for (column, factor) in columns.iter_mut().zip(self.factors) {
            let quantized = lanes.multiply_high(*column, factor);
            *column = lanes.multiply_high(quantized, self.rounding);
        }
        lanes.zigzag(columns, blocks);
    }
}

/// The DCT from vector to vector, each lane by itself: mirrored vectors are added for the even frequencies and subtracted for the
/// odd ones. Nothing saturates: of the largest samples, sums of eight are the largest, and those of four on the way across.
#[inline(always)]
fn transform<L: Lanes>(
    lanes: L,
    x: [L::Vector; 8],
    [c1, c2, c3, c4, c5, c6, c7]: [L::Vector; 7],
) -> [L::Vector; 8] {
    let (s0, s1) = (lanes.add(x[0], x[7]), lanes.add(x[1], x[6]));
    let (s2, s3) = (lanes.add(x[2], x[5]), lanes.add(x[3], x[4]));
    let (d0, d1) = (lanes.subtract(x[0], x[7]), lanes.subtract(x[1], x[6]));
    let (d2, d3) = (lanes.subtract(x[2], x[5]), lanes.subtract(x[3], x[4]));
    let evens = [lanes.add(s0, s3), lanes.add(s1, s2)];
    let odds = [lanes.subtract(s0, s3), lanes.subtract(s1, s2)];
    [
        sum(lanes, evens, [c4, c4]),
        lanes.add(sum(lanes, [d0, d1], [c1, c3]), sum(lanes, [d2, d3], [c5, c7])),
        sum(lanes, odds, [c2, c6]),
        lanes.subtract(difference(lanes, [d0, d1], [c3, c7]), sum(lanes, [d2, d3], [c1, c5])),
        difference(lanes, evens, [c4, c4]),
        lanes.add(difference(lanes, [d0, d1], [c5, c1]), sum(lanes, [d2, d3], [c7, c3])),
        difference(lanes, odds, [c6, c2]),
        lanes.add(difference(lanes, [d0, d1], [c7, c5]), difference(lanes, [d2, d3], [c3, c1])),
    ]
}

#[inline(always)]
fn sum<L: Lanes>(lanes: L, of: [L::Vector; 2], by: [L::Vector; 2]) -> L::Vector {
    lanes.add(lanes.multiply_high(of[0], by[0]), lanes.multiply_high(of[1], by[1]))
}

#[inline(always)]
fn difference<L: Lanes>(lanes: L, of: [L::Vector; 2], by: [L::Vector; 2]) -> L::Vector {
    lanes.subtract(lanes.multiply_high(of[0], by[0]), lanes.multiply_high(of[1], by[1]))
}

#[cfg(test)]
mod tests {
    use super::super::super::lanes::Plain;
    use super::super::transform::PLACES;
    use super::*;

    /// What rounding in 16 bits may add to half a step, in the specification's units: of every sum, and of a large one a share.
    const SLACK: f64 = 0.125;
    const SLACK_SHARE: f64 = 0.001;

    fn check(level: impl Fn(usize) -> u8) {
        let steps: [u16; 64] = std::array::from_fn(|at| 1 + at as u16 % 3);
        let forward = Forward::new(Plain, &steps);
        let rows = std::array::from_fn(|y| {
            // Two blocks, the second one upside down.
            std::array::from_fn(|lane| {
                let y = if lane < 8 { y } else { 7 - y };
                (i16::from(level(8 * y + lane % 8)) - 128) * SAMPLE
            })
        });
        let mut made = [Quantized::EMPTY; 2];
        forward.blocks(Plain, rows, &mut made);
        for (at, place) in PLACES.iter().enumerate() {
            let (v, u) = (usize::from(place / 8), usize::from(place % 8));
            let mut sum = 0.0;
            for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                let wave = |n: usize, k: usize| {
                    let scale = if k == 0 { 0.125_f64.sqrt() } else { 0.5 };
                    scale * ((2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
                };
                sum += wave(y, v) * wave(x, u) * (f64::from(level(8 * y + x)) - 128.0);
            }
            for (made, sign) in made.iter().zip([1.0, if v % 2 == 0 { 1.0 } else { -1.0 }]) {
                let step = f64::from(steps[v * 8 + u]);
                let (wanted, got) = (sign * sum / step, made.values[at]);
                let off = (wanted - f64::from(got)).abs();
                let slack = SLACK / step + SLACK_SHARE * wanted.abs();
                assert!(off <= 0.5 + slack, "{u},{v}: {wanted} and {got}");
                assert_eq!(made.nonzero >> at & 1 == 1, got != 0);
            }
        }
    }

    #[test]
    fn coefficients_are_what_the_definition_says() {
        check(|at| (at * at * 37 % 251) as u8);
        check(|at| (at * 97 % 256) as u8);
    }

    #[test]
    fn the_extremes_do_not_saturate() {
        for level in [0, 255] {
            check(|_| level);
        }
        // Each frequency at full height: black where its wave is below zero.
        for (v, u) in (0..8).flat_map(|v| (0..8).map(move |u| (v, u))) {
            let wave = |n: usize, k: usize| {
                ((2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
            };
            check(|at| if wave(at / 8, v) * wave(at % 8, u) < 0.0 { 0 } else { 255 });
        }
    }
}
