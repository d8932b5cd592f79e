//! Coefficients to pixels, as many blocks at a time as a vector has lanes: an inverse DCT of any size from 1 to 8, as two small matrix products.
//!
//! With B_0 = 1 and B_k(n) = sqrt(2) cos((2n + 1) k pi / 2N) a block of NxN pixels is sum B_u(x) B_v(y) F(u, v) / 8, whatever N
//! is: the 8 comes from the 8x8 blocks of the format. Frequencies that N pixels cannot show are left out. Down first, then across. A
//! vector holds the same coefficient of each block, where the reader puts it, so that nothing has to be exchanged but the pixels in the end. Waves of
//! even frequencies are mirrored in the middle, those of odd ones mirrored and turned upside down, which halves the products.
//!
//! In 16 bits: values are 16 times as large as levels, which leaves room for twice the largest coefficient that a picture can have. A product
//! is rounded, so a pixel is off by about a twentieth of a level. Integers in a fixed order: the same bits on every machine. Where
//! a damaged file has larger coefficients, they wrap: no pixel of such a block means anything.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::blocks::{Blocks, LANES_MAX};

/// Does the work with a size that is known when it runs as a constant. Only these sizes come about.
macro_rules! for_size {
    ($size:expr, $name:ident => $work:expr) => {
        for_size!(@each $size, $name => $work, 1 2 3 4 5 6 7 8)
    };
    (@each $size:expr, $name:ident => $work:expr, $($one:literal)*) => {
        match $size {
            $($one => {
                const $name: usize = $one;
                $work
            })*
            other => unreachable!("no block is {other} pixels wide or tall"),
        }
    };
}

/// The longest side of a block: the full size.
pub(super) const SIDE_MAX: usize = 8;
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

/// Coefficients of as many blocks as a vector has lanes: all blocks' first one, then all blocks' second one, in the order of [`Shape::lies`].
/// Between groups lies a gap, so that the first coefficients of several groups are not in the same place of a cache.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Group {
    numbers: [i16; 64 * LANES_MAX],
    gap: [i16; 96],
}

impl Group {
    pub const EMPTY: Self = Self { numbers: [0; 64 * LANES_MAX], gap: [0; 96] };

    /// More than 16 bits are no coefficient of an 8-bit picture: a damaged one may wrap.
    #[inline(always)]
    pub fn set(&mut self, at: usize, value: i32) {
        self.numbers[at & (64 * LANES_MAX - 1)] = value as i16;
    }
}

/// Room for a group's waves between the two products.
pub(super) struct Tall([i16; SIDE_MAX * 8 * LANES_MAX]);

impl Tall {
    pub fn new() -> Box<Self> {
        Box::new(Self([0; SIDE_MAX * 8 * LANES_MAX]))
    }
}

/// How the blocks of a component become pixels.
pub(super) struct Shape {
    /// Pixels of a block's row and column.
    pub side: usize,
    /// Where in a [`Group`] the coefficients of its first block lie, in the file's order: column by column those that are needed, and all others
    /// in one place behind them.
    pub lies: [u16; 64],
    /// What the coefficients are multiplied with, by column and row: [`TIMES`] their quantization steps.
    factors: [[i16; 8]; 8],
    basis: Basis,
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

/// Pairs of pixels in a row of a block.
const fn pairs_in(size: usize) -> usize {
    size.div_ceil(2)
}

impl Shape {
    /// For vectors of so many lanes.
    pub fn new(side: usize, quantization: &[u16; 64], lanes: usize) -> Self {
        assert!(side <= SIDE_MAX, "a block of at most 8 x 8");
        let (mut lies, mut factors) = ([0; 64], [[0; 8]; 8]);
        for ((place, step), lies) in PLACES.iter().zip(quantization).zip(&mut lies) {
            let (row, column) = (usize::from(place / 8), usize::from(place % 8));
            factors[column][row] = TIMES * (*step).min(STEP_MAX) as i16;
            let is_needed = row < side && column < side;
            let at = if is_needed { column * side + row } else { side * side };
            *lies = (at * lanes) as u16;
        }
        Self { side, lies, factors, basis: basis(side) }
    }

    /// Writes the pixels of all blocks of a group, whose first one begins with `samples` and whose rows are `stride` apart, and empties
    /// it. Up to [`SIDE_MAX`] samples behind the last block may be overwritten: the next group's, which come later.
    #[inline(always)]
    pub fn render<L: Blocks>(
        &self,
        lanes: L,
        group: &mut Group,
        tall: &mut Tall,
        samples: &mut [u8],
        stride: usize,
    ) {
        for_size!(self.side, SIZE => {
            self.columns::<L, SIZE>(lanes, group, tall);
            self.rows::<L, SIZE>(lanes, tall, samples, stride);
        });
    }

    /// Down: each column of coefficients becomes a column of waves.
    #[inline(always)]
    fn columns<L: Blocks, const SIZE: usize>(&self, lanes: L, group: &mut Group, tall: &mut Tall) {
        let columns = group.numbers.chunks_exact_mut(SIZE * L::COUNT).zip(&self.factors);
        for (number, (column, factors)) in columns.enumerate().take(SIZE) {
            let mut values = [lanes.splat(0); 8];
            for row in 0..SIZE {
                let coefficients = lanes.load(&column[row * L::COUNT..]);
                values[row] = lanes.multiply_low(coefficients, lanes.splat(factors[row]));
                lanes.store(lanes.splat(0), &mut column[row * L::COUNT..]);
            }
            let out = waves::<L, SIZE>(lanes, &values, &self.basis);
            for y in 0..SIZE {
                lanes.store(out[y], &mut tall.0[(8 * y + number) * L::COUNT..]);
            }
        }
    }

    /// Across: each row of waves becomes a row of pixels of all blocks.
    #[inline(always)]
    fn rows<L: Blocks, const SIZE: usize>(
        &self,
        lanes: L,
        tall: &Tall,
        samples: &mut [u8],
        stride: usize,
    ) {
        // Rows that are exchanged together, where pairs of pixels cannot be laid between each other.
        let together = const { if SIZE.is_power_of_two() { 1 } else { 8 / pairs_in(SIZE) } };
        for top in (0..SIZE).step_by(together) {
            let mut eight = [lanes.splat(0); 8];
            for row in 0..together {
                let waves = &tall.0[8 * (top + row) * L::COUNT..8 * (top + row + 1) * L::COUNT];
                let pairs = self.pairs_of::<L, SIZE>(lanes, waves);
                for pair in 0..const { pairs_in(SIZE) } {
                    eight[pairs_in(SIZE) * row + pair] = pairs[pair];
                }
            }
            let samples = &mut samples[top * stride..];
            match SIZE {
                1 => lanes.narrow(eight[0], samples),
                2 => lanes.store_pairs(eight[0], samples),
                4 => {
                    let [low, high] = lanes.zip(eight[0], eight[1]);
                    lanes.store_pairs(low, samples);
                    lanes.store_pairs(high, &mut samples[2 * L::COUNT..]);
                }
                8 => {
                    let (even, odd) =
                        (lanes.zip(eight[0], eight[2]), lanes.zip(eight[1], eight[3]));
                    for half in 0..2 {
                        let [low, high] = lanes.zip(even[half], odd[half]);
                        lanes.store_pairs(low, &mut samples[4 * half * L::COUNT..]);
                        lanes.store_pairs(high, &mut samples[(4 * half + 2) * L::COUNT..]);
                    }
                }
                _ => {
                    let blocks = lanes.turn(eight);
                    let mut bytes = [[0; 2 * LANES_MAX]; 8];
                    for block in 0..8 {
                        lanes.store_pairs(blocks[block], &mut bytes[block]);
                    }
                    for row in 0..together.min(SIZE - top) {
                        let samples = &mut samples[row * stride..];
                        write_blocks::<L, SIZE>(&bytes, 2 * pairs_in(SIZE) * row, samples);
                    }
                }
            }
        }
    }

    /// A row's pixels of all blocks in levels, two in a number: the left one is the lower byte.
    #[inline(always)]
    fn pairs_of<L: Blocks, const SIZE: usize>(
        &self,
        lanes: L,
        waves: &[i16],
    ) -> [L::Vector; SIDE_MAX / 2] {
        let mut values = [lanes.splat(0); 8];
        for frequency in 0..SIZE {
            values[frequency] = lanes.load(&waves[frequency * L::COUNT..]);
        }
        let wide = self::waves::<L, SIZE>(lanes, &values, &self.basis);
        let mut pairs = [lanes.splat(0); SIDE_MAX / 2];
        for pair in 0..pairs_in(SIZE) {
            pairs[pair] = level(lanes, wide[2 * pair]);
            if 2 * pair + 1 < SIZE {
                let right = lanes.shift_left(level(lanes, wide[2 * pair + 1]), 8);
                pairs[pair] = lanes.add_wrapping(pairs[pair], right);
            }
        }
        pairs
    }
}

/// The 128 that the format takes off; then to levels, rounded.
#[inline(always)]
fn level<L: Blocks>(lanes: L, value: L::Vector) -> L::Vector {
    let positive = lanes.add(value, lanes.splat(128 * TIMES));
    let level = lanes.multiply_high(positive, lanes.splat(i16::MAX / TIMES + 1));
    lanes.max(lanes.min(level, lanes.splat(255)), lanes.splat(0))
}

/// A row of all blocks, of which `bytes` has the first, the ninth and so on first, then the second and so on. Each is written over what the one
/// before left behind its pixels.
#[inline(always)]
fn write_blocks<L: Blocks, const SIZE: usize>(
    bytes: &[[u8; 2 * LANES_MAX]; 8],
    from: usize,
    samples: &mut [u8],
) {
    let width = const { (2 * pairs_in(SIZE)).next_power_of_two() };
    for block in 0..L::COUNT {
        let from = block / 8 * 16 + from;
        let to = block * SIZE;
        samples[to..to + width].copy_from_slice(&bytes[block % 8][from..from + width]);
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
        for frequency in 0..SIZE {
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
    use super::super::super::lanes::{Lanes as _, Plain};
    use super::*;

    /// The definition in `f64`, term by term.
    fn pixel(coefficients: &[[f64; 8]; 8], side: usize, x: usize, y: usize) -> f64 {
        let basis = |frequency: usize, at: usize| match frequency {
            0 => 1.0,
            _ => {
                let angle = (2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI;
                2.0_f64.sqrt() * (angle / (2 * side) as f64).cos()
            }
        };
        let mut sum = 0.0;
        for (v, row) in coefficients.iter().enumerate().take(side) {
            for (u, coefficient) in row.iter().enumerate().take(side) {
                sum += basis(u, x) * basis(v, y) * coefficient / 8.0;
            }
        }
        (sum + 128.0).clamp(0.0, 255.0)
    }

    #[test]
    fn every_size_gives_what_the_definition_says() {
        let mut state = 1_u32;
        let mut random = move |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % most
        };
        for side in (1..=8).flat_map(|side| [side; 3]) {
            let quantization: [u16; 64] = std::array::from_fn(|_| 1 + random(20) as u16);
            let shape = Shape::new(side, &quantization, Plain::COUNT);
            let (mut group, mut tall) = (Group::EMPTY, Tall::new());
            // The same group again and again: each time it must have been emptied.
            for last in [63, 0, 1, 5, 20] {
                let mut blocks = [[[0.0; 8]; 8]; Plain::COUNT];
                for (lane, coefficients) in blocks.iter_mut().enumerate().step_by(7) {
                    for at in 0..=last {
                        let value = random(41) as i32 - 20;
                        group.set(usize::from(shape.lies[at]) + lane, value);
                        let place = usize::from(PLACES[at]);
                        coefficients[place / 8][place % 8] =
                            f64::from(value) * f64::from(quantization[at]);
                    }
                }
                let stride = Plain::COUNT * side + SIDE_MAX;
                let mut samples = vec![0; side * stride];
                shape.render(Plain, &mut group, &mut tall, &mut samples, stride);
                for (block, coefficients) in blocks.iter().enumerate() {
                    for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
                        let wanted = pixel(coefficients, side, x, y);
                        let got = f64::from(samples[y * stride + block * side + x]);
                        // Half a level for rounding, a sixth for 16 bits.
                        assert!(
                            (wanted - got).abs() <= 0.65,
                            "{side}/8, block {block} at {x},{y}: {wanted}, {got}"
                        );
                    }
                }
            }
        }
    }
}
