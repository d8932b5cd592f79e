//! Coefficients to pixels, several blocks at a time: an inverse DCT of any size from 1 to 16, as two small matrix products.
//!
//! With B_0 = 1 and B_k(n) = sqrt(2) cos((2n + 1) k pi / 2N) a block of NxM pixels is sum B_u(x) B_v(y) F(u, v) / 8, whatever N and M
//! are: the 8 comes from the 8x8 blocks of the format. Frequencies that N pixels cannot show are left out. Down first, then rows and columns
//! are exchanged, then across, and back. Waves of even frequencies are mirrored in the middle, those of odd ones mirrored and turned
//! upside down, which halves the products.
//!
//! In 16 bits: values are 16 times as large as levels, which leaves room for twice the largest coefficient that a picture can have. A product
//! is rounded, so a pixel is off by about a twentieth of a level. Integers in a fixed order: the same bits on every machine. Where
//! a damaged file has larger coefficients, they wrap: no pixel of such a block means anything.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::blocks::{BLOCKS_MAX, Blocks, LANES_MAX};

/// The longest side of a block: the full size, with chroma at half size.
pub(super) const SIDE_MAX: usize = 16;
/// How much larger values are than levels.
const TIMES: i16 = 16;
/// Quantization steps beyond are taken for this: one of them is more than white.
const STEP_MAX: u16 = 2_047;

/// Row and column of each coefficient in zigzag order, as row * 8 + column.
pub(super) static PLACES: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Where each coefficient of the first block of a group lies, in zigzag order.
pub(super) static LIES: [u8; 64] = {
    let mut lies = [0; 64];
    let mut at = 0;
    while at < 64 {
        lies[at] = PLACES[at] / 8 * LANES_MAX as u8 + PLACES[at] % 8;
        at += 1;
    }
    lies
};

/// The coefficients of blocks that lie side by side, as read: row by row, in a row those of one block after the other.
#[derive(Clone)]
pub(super) struct Group([i16; 8 * LANES_MAX]);

impl Group {
    pub const EMPTY: Self = Self([0; 8 * LANES_MAX]);

    /// More than 16 bits are no coefficient of an 8-bit picture: a damaged one may wrap.
    #[inline(always)]
    pub fn set(&mut self, block: usize, lies: u8, value: i32) {
        self.0[(8 * block + usize::from(lies)) & (8 * LANES_MAX - 1)] = value as i16;
    }
}

/// How the blocks of a component become pixels.
pub(super) struct Shape {
    /// Pixels of a block.
    pub across: usize,
    pub down: usize,
    /// What the coefficients of each row are multiplied with: [`TIMES`] their quantization steps.
    factors: [[i16; LANES_MAX]; 8],
    basis_down: Basis,
    basis_across: Basis,
}

/// B_k(n) / sqrt(8) times 32,768, a row of k for each n of the first half.
type Basis = [[i16; 8]; SIDE_MAX / 2];

fn basis(size: usize) -> Basis {
    let mut basis = [[0; 8]; SIDE_MAX / 2];
    for (at, row) in basis.iter_mut().enumerate().take(size.div_ceil(2)) {
        for (frequency, value) in row.iter_mut().enumerate().take(size) {
            let turn = (2 * at + 1) as f64 * frequency as f64 / (2 * size) as f64;
            let height = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
            *value = (height * (turn * std::f64::consts::PI).cos() * 32_768.0).round() as i16;
        }
    }
    basis
}

impl Shape {
    pub fn new(across: usize, down: usize, quantization: &[u16; 64]) -> Self {
        assert!(across <= SIDE_MAX && down <= SIDE_MAX, "a block of at most 16 x 16");
        let mut factors = [[0; LANES_MAX]; 8];
        for (place, step) in PLACES.iter().zip(quantization) {
            for block in 0..BLOCKS_MAX {
                let lane = 8 * block + usize::from(place % 8);
                factors[usize::from(place / 8)][lane] = TIMES * (*step).min(STEP_MAX) as i16;
            }
        }
        Self { across, down, factors, basis_down: basis(down), basis_across: basis(across) }
    }

    /// Writes the pixels of all blocks of a group, whose first one begins with `samples` and whose rows are `stride` apart. Up to
    /// [`SIDE_MAX`] samples behind the last block may be overwritten: the next group's, which come later.
    #[inline(always)]
    pub fn render<L: Blocks>(&self, lanes: L, group: &Group, samples: &mut [u8], stride: usize) {
        let mut rows = [lanes.splat(0); 8];
        for v in 0..8.min(self.down) {
            let coefficients = lanes.load(&group.0[v * LANES_MAX..]);
            rows[v] = lanes.multiply_low(coefficients, lanes.load(&self.factors[v]));
        }
        let tall = sized(lanes, self.down, &rows, &self.basis_down);
        for top in (0..self.down).step_by(8) {
            let mut eight = rows;
            eight.copy_from_slice(&tall[top..top + 8]);
            let columns = lanes.turn(eight);
            let wide = sized(lanes, self.across, &columns, &self.basis_across);
            let mut halves = [rows; 2];
            for (half, rows) in halves.iter_mut().enumerate().take(self.across.div_ceil(8)) {
                eight.copy_from_slice(&wide[8 * half..8 * half + 8]);
                *rows = lanes.turn(eight);
            }
            for y in 0..8.min(self.down - top) {
                let samples = &mut samples[(top + y) * stride..];
                self.write(lanes, [halves[0][y], halves[1][y]], samples);
            }
        }
    }

    /// A row of all blocks: of each its left eight pixels, then the right ones, if there are any.
    #[inline(always)]
    fn write<L: Blocks>(&self, lanes: L, halves: [L::Vector; 2], samples: &mut [u8]) {
        let mut bytes = [[0; LANES_MAX]; 2];
        for (values, bytes) in halves.into_iter().zip(&mut bytes).take(self.across.div_ceil(8)) {
            // The 128 that the format takes off; then to levels, rounded.
            let positive = lanes.add(values, lanes.splat(128 * TIMES));
            lanes.narrow(lanes.multiply_high(positive, lanes.splat(i16::MAX / TIMES + 1)), bytes);
        }
        for block in 0..L::COUNT / 8 {
            let samples = &mut samples[block * self.across..];
            samples[..8].copy_from_slice(&bytes[0][8 * block..][..8]);
            if self.across > 8 {
                samples[8..16].copy_from_slice(&bytes[1][8 * block..][..8]);
            }
        }
    }
}

/// [`waves`] for a size that is known when it runs.
#[inline(always)]
fn sized<L: Blocks>(
    lanes: L,
    size: usize,
    from: &[L::Vector; 8],
    basis: &Basis,
) -> [L::Vector; SIDE_MAX] {
    match size {
        1 => waves::<L, 1>(lanes, from, basis),
        2 => waves::<L, 2>(lanes, from, basis),
        3 => waves::<L, 3>(lanes, from, basis),
        4 => waves::<L, 4>(lanes, from, basis),
        5 => waves::<L, 5>(lanes, from, basis),
        6 => waves::<L, 6>(lanes, from, basis),
        7 => waves::<L, 7>(lanes, from, basis),
        8 => waves::<L, 8>(lanes, from, basis),
        10 => waves::<L, 10>(lanes, from, basis),
        12 => waves::<L, 12>(lanes, from, basis),
        14 => waves::<L, 14>(lanes, from, basis),
        _ => waves::<L, 16>(lanes, from, basis),
    }
}

/// From frequencies to `SIZE` samples, each lane by itself; zeros behind them.
#[inline(always)]
fn waves<L: Blocks, const SIZE: usize>(
    lanes: L,
    from: &[L::Vector; 8],
    basis: &Basis,
) -> [L::Vector; SIDE_MAX] {
    let mut out = [lanes.splat(0); SIDE_MAX];
    for at in 0..SIZE.div_ceil(2) {
        let mut sums = [lanes.splat(0); 2];
        for frequency in 0..if SIZE < 8 { SIZE } else { 8 } {
            let product = lanes.multiply_high(from[frequency], lanes.splat(basis[at][frequency]));
            let sum = &mut sums[frequency % 2];
            *sum = if frequency < 2 { product } else { lanes.add(*sum, product) };
        }
        out[at] = lanes.add(sums[0], sums[1]);
        out[SIZE - 1 - at] = lanes.subtract(sums[0], sums[1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::lanes::Plain;
    use super::*;

    /// The definition in `f64`, term by term.
    fn pixel(
        coefficients: &[[f64; 8]; 8],
        (across, down): (usize, usize),
        x: usize,
        y: usize,
    ) -> f64 {
        let basis = |size: usize, frequency: usize, at: usize| match frequency {
            0 => 1.0,
            _ => {
                let angle = (2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI;
                2.0_f64.sqrt() * (angle / (2 * size) as f64).cos()
            }
        };
        let mut sum = 0.0;
        for (v, row) in coefficients.iter().enumerate().take(down) {
            for (u, coefficient) in row.iter().enumerate().take(across) {
                sum += basis(across, u, x) * basis(down, v, y) * coefficient / 8.0;
            }
        }
        (sum + 128.0).clamp(0.0, 255.0)
    }

    #[test]
    fn every_shape_gives_what_the_definition_says() {
        let mut state = 1_u32;
        let mut random = move |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % most
        };
        let sides: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16];
        for (across, down) in
            sides.iter().flat_map(|side| [(*side, *side), (*side, side.div_ceil(2))])
        {
            let quantization: [u16; 64] = std::array::from_fn(|_| 1 + random(20) as u16);
            let shape = Shape::new(across, down, &quantization);
            for last in [0, 1, 5, 20, 63] {
                let mut group = Group::EMPTY;
                let mut coefficients = [[0.0; 8]; 8];
                for at in 0..=last {
                    let value = random(41) as i32 - 20;
                    group.set(1, LIES[at], value);
                    let (row, column) = (usize::from(PLACES[at] / 8), usize::from(PLACES[at] % 8));
                    coefficients[row][column] = f64::from(value) * f64::from(quantization[at]);
                }
                let mut samples = vec![0; down * 40 + SIDE_MAX];
                shape.render(Plain, &group, &mut samples, 40);
                for (x, y) in (0..down).flat_map(|y| (0..across).map(move |x| (x, y))) {
                    let wanted = pixel(&coefficients, (across, down), x, y);
                    let got = f64::from(samples[y * 40 + across + x]);
                    assert!(
                        (wanted - got).abs() <= 0.65,
                        "{across}x{down} at {x},{y}: {wanted}, {got}"
                    );
                }
            }
        }
    }
}
