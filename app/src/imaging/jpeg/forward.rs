//! Pixels to coefficients: the 8-point DCT down and across as two small matrix products, then quantization.
//!
//! The same form as `transform`, the other way round: rows of eight lanes are scaled and added, in a fixed order and without
//! contraction, so that every machine writes the same file. Even and odd frequencies need the sums and the differences of mirrored
//! rows only, which halves the first product.

use super::zigzag::Zigzag;

/// A quantized block in zigzag order.
pub(super) struct Quantized {
    pub values: [i16; 64],
    /// A bit for each value that is not zero.
    pub nonzero: u64,
}

/// The transform with one quantization table.
pub(super) struct Forward {
    /// What each coefficient is multiplied with, in rows: 1 / its step.
    factors: [[f32; 8]; 8],
}

/// cos(k pi / 16) / 2.
const C: [f32; 8] = [
    0.5,
    0.490_392_64,
    0.461_939_77,
    0.415_734_8,
    0.353_553_4,
    0.277_785_12,
    0.191_341_72,
    0.097_545_16,
];
/// The orthonormal DCT: row k holds the lanes n of c(k) cos((2n + 1) k pi / 16).
const BASIS: [[f32; 8]; 8] = [
    [C[4]; 8],
    [C[1], C[3], C[5], C[7], -C[7], -C[5], -C[3], -C[1]],
    [C[2], C[6], -C[6], -C[2], -C[2], -C[6], C[6], C[2]],
    [C[3], -C[7], -C[1], -C[5], C[5], C[1], C[7], -C[3]],
    [C[4], -C[4], -C[4], C[4], C[4], -C[4], -C[4], C[4]],
    [C[5], -C[1], C[7], C[3], -C[3], -C[7], C[1], -C[5]],
    [C[6], -C[2], C[2], -C[6], -C[6], C[2], -C[2], C[6]],
    [C[7], -C[5], C[3], -C[1], C[1], -C[3], C[5], -C[7]],
];
/// The same with rows and columns exchanged: row n holds the lanes k.
const TURNED: [[f32; 8]; 8] = turned();

const fn turned() -> [[f32; 8]; 8] {
    let mut out = [[0.0; 8]; 8];
    let mut at = 0;
    while at < 64 {
        out[at % 8][at / 8] = BASIS[at / 8][at % 8];
        at += 1;
    }
    out
}

type Rows = [[f32; 8]; 8];

impl Forward {
    pub fn new(steps: &[u16; 64]) -> Self {
        let mut factors = [[0.0; 8]; 8];
        for (at, step) in steps.iter().enumerate() {
            factors[at / 8][at % 8] = 1.0 / f32::from(*step);
        }
        Self { factors }
    }

    /// The block at the beginning of `samples`, whose rows are `stride` apart.
    #[inline(always)]
    pub fn block<L: Zigzag>(&self, lanes: L, samples: &[u8], stride: usize) -> Quantized {
        let mut rows: Rows = [[0.0; 8]; 8];
        for y in 0..8 {
            let row: &[u8; 8] =
                samples[y * stride..].first_chunk().expect("planes hold whole blocks");
            for lane in 0..8 {
                rows[y][lane] = f32::from(row[lane]) - 128.0;
            }
        }
        let down = self::down(&rows);
        let mut natural = [0_i16; 64];
        for v in 0..8 {
            let mut sums = [0.0_f32; 8];
            for n in 0..8 {
                let factor = down[v][n];
                for lane in 0..8 {
                    sums[lane] += factor * TURNED[n][lane];
                }
            }
            for lane in 0..8 {
                natural[8 * v + lane] = rounded(sums[lane] * self.factors[v][lane]);
            }
        }
        lanes.zigzag(&natural)
    }
}

/// The DCT of every column.
#[inline(always)]
fn down(rows: &Rows) -> Rows {
    let mut out: Rows = [[0.0; 8]; 8];
    let (mut sums, mut differences) = ([[0.0_f32; 8]; 4], [[0.0_f32; 8]; 4]);
    for n in 0..4 {
        for lane in 0..8 {
            sums[n][lane] = rows[n][lane] + rows[7 - n][lane];
            differences[n][lane] = rows[n][lane] - rows[7 - n][lane];
        }
    }
    for k in 0..8 {
        let mirrored = if k % 2 == 0 { &sums } else { &differences };
        for n in 0..4 {
            for lane in 0..8 {
                out[k][lane] += BASIS[k][n] * mirrored[n][lane];
            }
        }
    }
    out
}

/// To the nearest whole number. Beside 1.5 * 2^23 a float has no room for fractions, and its low bits are the number.
#[inline(always)]
fn rounded(value: f32) -> i16 {
    (value + 12_582_912.0).to_bits() as i16
}

#[cfg(test)]
mod tests {
    use super::super::super::lanes::Plain;
    use super::super::transform::PLACES;
    use super::*;

    #[test]
    fn coefficients_are_what_the_definition_says() {
        let samples: Vec<u8> = (0..64_u32).map(|at| (at * at * 37 % 251) as u8).collect();
        let steps: [u16; 64] = std::array::from_fn(|at| 1 + at as u16 % 3);
        let made = Forward::new(&steps).block(Plain, &samples, 8);
        for (at, place) in PLACES.iter().enumerate() {
            let (v, u) = (usize::from(place / 8), usize::from(place % 8));
            let mut sum = 0.0;
            for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                let wave = |n: usize, k: usize| {
                    let scale = if k == 0 { 0.125_f64.sqrt() } else { 0.5 };
                    scale * ((2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
                };
                sum += wave(y, v) * wave(x, u) * (f64::from(samples[8 * y + x]) - 128.0);
            }
            let wanted = sum / f64::from(steps[v * 8 + u]);
            let got = made.values[at];
            assert!((wanted - f64::from(got)).abs() <= 0.501, "{u},{v}: {wanted} and {got}");
            assert_eq!(made.nonzero >> at & 1 == 1, got != 0);
        }
    }
}
