//! Coefficients to pixels: an inverse DCT of any size from 1 to 16, as two small matrix products.
//!
//! With B_0 = 1 and B_k(n) = sqrt(2) cos((2n + 1) k pi / 2N) a block of NxM pixels is sum B_u(x) B_v(y) F(u, v) / 8, whatever N and M
//! are: the 8 comes from the 8x8 blocks of the format. Frequencies that N pixels cannot show are left out. Down first, then across: in both a
//! row of lanes is scaled and added, which compilers turn into vectors without any shuffle, and rows and columns that hold nothing are
//! passed over. In f32, with the operations in a fixed order and none contracted: the same bits on every machine.

/// The widest block: the full size, with chroma at half size.
pub(super) const SIDE_MAX: usize = 16;
/// Lanes that hold it.
pub(super) const LANES_MAX: usize = 16;

/// Row and column of each coefficient in zigzag order, as row * 8 + column.
pub(super) static PLACES: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// How many rows (or columns, the order being symmetric but for a step) the coefficients up to a zigzag place can reach.
static REACHED: [[u8; 64]; 2] = reached();

const fn reached() -> [[u8; 64]; 2] {
    let mut out = [[1; 64]; 2];
    let (mut at, mut rows, mut columns) = (0, 1, 1);
    while at < 64 {
        let (row, column) = (PLACES[at] / 8 + 1, PLACES[at] % 8 + 1);
        if row > rows {
            rows = row;
        }
        if column > columns {
            columns = column;
        }
        out[0][at] = rows;
        out[1][at] = columns;
        at += 1;
    }
    out
}

/// The coefficients of one block as read, by row and column.
#[derive(Default)]
pub(super) struct Block([[i16; 8]; 8]);

impl Block {
    #[inline(always)]
    pub fn clear(&mut self) {
        self.0 = [[0; 8]; 8];
    }

    /// More than 16 bits are no coefficient of an 8-bit picture: a damaged one may wrap.
    #[inline(always)]
    pub fn set(&mut self, place: u8, value: i32) {
        self.0[usize::from(place >> 3) & 7][usize::from(place & 7)] = value as i16;
    }
}

/// How the blocks of a component become pixels.
pub(super) struct Shape {
    /// Pixels of a block.
    pub across: usize,
    pub down: usize,
    /// What each coefficient is multiplied with: its quantization step / 8.
    factors: [[f32; 8]; 8],
    /// B_v(y), a row of v for each y.
    basis_down: [[f32; 8]; SIDE_MAX],
    /// B_u(x), a row of lanes x for each u.
    basis_across: [[f32; LANES_MAX]; 8],
}

impl Shape {
    pub fn new(across: usize, down: usize, quantization: &[u16; 64]) -> Self {
        assert!(across <= SIDE_MAX && down <= SIDE_MAX, "a block of at most 16 x 16");
        let basis = |size: usize, frequency: usize, at: usize| match frequency {
            0 => 1.0,
            _ if frequency >= size => 0.0,
            _ => {
                let turn = (2 * at + 1) as f64 * frequency as f64 / (2 * size) as f64;
                (std::f64::consts::SQRT_2 * (turn * std::f64::consts::PI).cos()) as f32
            }
        };
        let mut shape = Self {
            across,
            down,
            factors: [[0.0; 8]; 8],
            basis_down: [[0.0; 8]; SIDE_MAX],
            basis_across: [[0.0; LANES_MAX]; 8],
        };
        for (place, step) in PLACES.iter().zip(quantization) {
            shape.factors[usize::from(place / 8)][usize::from(place % 8)] = f32::from(*step) / 8.0;
        }
        for frequency in 0..8 {
            for at in 0..down {
                shape.basis_down[at][frequency] = basis(down, frequency, at);
            }
            for at in 0..across {
                shape.basis_across[frequency][at] = basis(across, frequency, at);
            }
        }
        shape
    }

    /// Writes a block's pixels at the beginning of `samples`, whose rows are `stride` apart; `last` is the zigzag place of the
    /// last coefficient that is not zero. Up to [`LANES_MAX`] samples of each row may be overwritten: the next block's, which
    /// come later.
    #[inline(always)]
    pub fn render(&self, block: &Block, last: usize, samples: &mut [u8], stride: usize) {
        let rows = usize::from(REACHED[0][last & 63]).min(self.down.min(8));
        let columns = usize::from(REACHED[1][last & 63]).min(self.across.min(8));
        match self.across {
            0..=4 => self.lanes::<4>(block, rows, columns, samples, stride),
            5..=8 => self.lanes::<8>(block, rows, columns, samples, stride),
            _ => self.lanes::<16>(block, rows, columns, samples, stride),
        }
    }

    #[expect(
        clippy::needless_range_loop,
        reason = "lanes of several arrays are indexed alike: what compilers turn into vectors"
    )]
    #[inline(always)]
    fn lanes<const LANES: usize>(
        &self,
        block: &Block,
        rows: usize,
        columns: usize,
        samples: &mut [u8],
        stride: usize,
    ) {
        let mut coefficients = [[0.0_f32; 8]; 8];
        for v in 0..rows.min(8) {
            for lane in 0..8 {
                coefficients[v][lane] = f32::from(block.0[v][lane]) * self.factors[v][lane];
            }
        }
        for y in 0..self.down.min(SIDE_MAX) {
            let mut column_sums = [0.0_f32; 8];
            for v in 0..rows.min(8) {
                let factor = self.basis_down[y][v];
                for lane in 0..8 {
                    column_sums[lane] += factor * coefficients[v][lane];
                }
            }
            // The 128 that the format takes off.
            let mut sums = [128.0_f32; LANES];
            for u in 0..columns.min(8) {
                let factor = column_sums[u];
                for lane in 0..LANES {
                    sums[lane] += factor * self.basis_across[u][lane];
                }
            }
            let Some(out) = samples[y * stride..].first_chunk_mut::<LANES>() else { return };
            for lane in 0..LANES {
                out[lane] = level(sums[lane]);
            }
        }
    }
}

/// Rounded to a level from 0 to 255. `as u8` would do the same one lane after the other; written like this it is a minimum, a
/// maximum and an addition of all lanes at once: beside 2^23 a float has no room for fractions, and its last bits are the integer.
#[inline(always)]
fn level(value: f32) -> u8 {
    let positive = if value > 0.0 { value } else { 0.0 };
    let clamped = if positive < 255.0 { positive } else { 255.0 };
    (clamped + 8_388_608.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
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
                let mut block = Block::default();
                let mut coefficients = [[0.0; 8]; 8];
                for at in 0..=last {
                    let value = random(41) as i32 - 20;
                    block.set(PLACES[at], value);
                    let (row, column) = (usize::from(PLACES[at] / 8), usize::from(PLACES[at] % 8));
                    coefficients[row][column] = f64::from(value) * f64::from(quantization[at]);
                }
                let mut samples = vec![0; down * 40 + LANES_MAX];
                shape.render(&block, last, &mut samples, 40);
                for (x, y) in (0..down).flat_map(|y| (0..across).map(move |x| (x, y))) {
                    let wanted = pixel(&coefficients, (across, down), x, y);
                    let got = f64::from(samples[y * 40 + x]);
                    assert!(
                        (wanted - got).abs() <= 0.51,
                        "{across}x{down} at {x},{y}: {wanted}, {got}"
                    );
                }
            }
        }
    }

    #[test]
    fn levels_are_rounded_and_clamped() {
        for (value, wanted) in
            [(-3.0, 0), (0.4, 0), (0.6, 1), (127.5, 128), (254.6, 255), (1e9, 255)]
        {
            assert_eq!(level(value), wanted, "{value}");
        }
        assert_eq!(level(f32::NAN), 0);
    }
}
