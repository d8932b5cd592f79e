//! How looks are computed: a chain of point filters becomes a [`Program`], run in one pass over the pixels.
//!
//! Every point filter is affine: out = clamp(M * in + constant). The chain keeps the clamping between steps, as browsers
//! do, and joins two neighbours into one matrix only where the first provably never clips. The arithmetic is 16-bit fixed
//! point in the form of the instruction "multiply, high half, rounded" (`pmulhrsw`, `sqrdmulh`), so that it gives the same bits on every machine.
//! [`Program::apply_scalar`] is the readable twin, [`Program::apply`] the fast one (AVX-512, AVX2, NEON or what the machine has,
//! chosen at run time; see `kernels::lanes`); a test binds them bit for bit.
//!
//! Numbers: a channel is held as value * 128 (0..=32640). A step with `shift` k has coefficients scaled by 2^(15-k) and gives
//! value * 2^(7-k); k is the smallest for which neither a coefficient nor a sum leaves 16 bits. The error is
//! at most 1.5 roundings of 2^-(8-k), that is 0.05 of a level per step at k = 2; against the exact result the outcome is off by at most 1.

mod lanes;
#[cfg(target_arch = "x86_64")]
mod x86;

use fearless_simd::Level;
#[cfg(target_arch = "x86_64")]
use fearless_simd::Simd;
use image::RgbImage;

use super::filters::Step;

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
    if sets.is_empty() {
        sets.push(("plain", best));
    }
    sets
}

/// The largest channel value, 255 * 128.
const FULL: i16 = 32_640;

/// A compiled chain of point filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    steps: Vec<FixedStep>,
}

/// One step in fixed point.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FixedStep {
    /// Rows for r, g, b; coefficients times 2^(15 - shift).
    coefficients: [[i16; 3]; 3],
    /// Constants times 255 * 2^(7 - shift).
    constants: [i16; 3],
    /// 0, 1, 2 or 3.
    shift: u32,
    /// Only the diagonal is used: brightness, contrast, invert.
    per_channel: bool,
}

impl Program {
    /// Compiles the chain.
    pub fn new(chain: &[Step]) -> Self {
        let mut joined: Vec<[[f64; 4]; 3]> = Vec::new();
        for step in chain {
            let matrix = step.matrix();
            match joined.last_mut() {
                Some(before) if never_clips(before) => *before = compose(&matrix, before),
                _ => joined.push(matrix),
            }
        }
        joined.retain(|matrix| !is_identity(matrix));
        Self { steps: joined.iter().map(FixedStep::new).collect() }
    }

    /// How many steps are left after joining.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// Filters the picture in place: the fast twin.
    pub fn apply(&self, picture: &mut RgbImage) {
        self.apply_to(picture);
    }

    /// Filters rows of RGB bytes in place: the fast twin, with the best instructions of this machine.
    pub fn apply_to(&self, pixels: &mut [u8]) {
        self.apply_with(Level::new(), pixels);
    }

    /// The fast twin with the instructions of `level`, so that benches and tests can compare them.
    pub fn apply_with(&self, level: Level, pixels: &mut [u8]) {
        if self.steps.is_empty() {
            return;
        }
        let steps = &self.steps;
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(avx512) = level.as_avx512() {
                return avx512.vectorize(
                    #[inline(always)]
                    || lanes::run(avx512, steps, pixels),
                );
            }
            if let Some(avx2) = level.as_avx2() {
                return avx2.vectorize(
                    #[inline(always)]
                    || lanes::run(avx2, steps, pixels),
                );
            }
        }
        fearless_simd::dispatch!(level, _simd => lanes::run(lanes::Plain, steps, pixels));
    }

    /// Filters rows of RGB bytes in place: the readable twin.
    pub fn apply_scalar(&self, pixels: &mut [u8]) {
        let Some((last, before)) = self.steps.split_last() else { return };
        for pixel in pixels.as_chunks_mut::<3>().0 {
            let mut value = pixel.map(|byte| i16::from(byte) << 7);
            for step in before {
                value = step.apply(value).map(|sum| step.clamp(sum));
            }
            *pixel = last.apply(value).map(|sum| to_byte(sum, last.shift));
        }
    }
}

/// value / 2^(7 - shift), rounded; out of range becomes 0 or 255.
#[inline(always)]
fn to_byte(value: i16, shift: u32) -> u8 {
    let rounded = (i32::from(value) + (64 >> shift)) >> (7 - shift);
    rounded.clamp(0, 255) as u8
}

/// a * b / 2^15, rounded: what `pmulhrsw` computes. The compiler recognises this form.
#[inline(always)]
pub(super) fn multiply_high(a: i16, b: i16) -> i16 {
    ((((i32::from(a) * i32::from(b)) >> 14) + 1) >> 1) as i16
}

impl FixedStep {
    fn new(matrix: &[[f64; 4]; 3]) -> Self {
        let shift = (0..=3).find(|shift| fits(matrix, *shift)).unwrap_or(3);
        let unit = f64::from(1_u32 << (15 - shift));
        let level = 255.0 * f64::from(1_u32 << (7 - shift));
        // `as` saturates: beyond a factor of 8 the result is all black or white anyway.
        let cell = |row: usize, column: usize| (matrix[row][column] * unit).round() as i16;
        Self {
            coefficients: std::array::from_fn(|row| {
                std::array::from_fn(|column| cell(row, column))
            }),
            constants: std::array::from_fn(|row| (matrix[row][3] * level).round() as i16),
            shift,
            per_channel: is_diagonal(matrix),
        }
    }

    /// One pixel: the sums, times 2^(7 - shift), not yet clamped. Sums saturate, as the vector instructions do; `fits` sees
    /// to it that they do so only where clamping follows anyway.
    #[inline(always)]
    fn apply(&self, value: [i16; 3]) -> [i16; 3] {
        std::array::from_fn(|row| {
            let [r, g, b] = self.coefficients[row];
            let sum = if self.per_channel {
                multiply_high(value[row], self.coefficients[row][row])
            } else {
                multiply_high(value[0], r)
                    .saturating_add(multiply_high(value[1], g))
                    .saturating_add(multiply_high(value[2], b))
            };
            sum.saturating_add(self.constants[row])
        })
    }

    /// Clamps a sum to 0..=255 and returns it to the scale of a channel.
    #[inline(always)]
    fn clamp(&self, sum: i16) -> i16 {
        sum.clamp(0, FULL >> self.shift) << self.shift
    }
}

/// Whether the step can be held with this shift: coefficients below 2^shift, and every partial sum of a row, over all
/// inputs, within 16 bits (a sum that saturated halfway and came back would be wrong).
fn fits(matrix: &[[f64; 4]; 3], shift: u32) -> bool {
    let bound = f64::from(1_u32 << shift);
    matrix.iter().all(|row| {
        let coefficients = &row[..3];
        let above: f64 = coefficients.iter().filter(|cell| **cell > 0.0).sum();
        let below: f64 = coefficients.iter().filter(|cell| **cell < 0.0).sum();
        // 32,767 / 32,640 of head room, less the roundings.
        coefficients.iter().all(|cell| cell.abs() < bound * 0.999_9)
            && above.max(-below) <= bound * 1.003
            && row[3].abs() <= bound
    })
}

/// Whether clamping this step's result to 0..=1 never changes it, for inputs in 0..=1.
fn never_clips(matrix: &[[f64; 4]; 3]) -> bool {
    matrix.iter().all(|row| {
        let above: f64 = row[..3].iter().filter(|cell| **cell > 0.0).sum();
        let below: f64 = row[..3].iter().filter(|cell| **cell < 0.0).sum();
        row[3] + below >= -1e-9 && row[3] + above <= 1.0 + 1e-9
    })
}

/// `second` after `first`, as one matrix.
fn compose(second: &[[f64; 4]; 3], first: &[[f64; 4]; 3]) -> [[f64; 4]; 3] {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let through: f64 = (0..3).map(|k| second[row][k] * first[k][column]).sum();
            through + if column == 3 { second[row][3] } else { 0.0 }
        })
    })
}

fn is_diagonal(matrix: &[[f64; 4]; 3]) -> bool {
    (0..3).all(|row| (0..3).all(|column| row == column || matrix[row][column].abs() < 1e-9))
}

fn is_identity(matrix: &[[f64; 4]; 3]) -> bool {
    is_diagonal(matrix)
        && (0..3).all(|row| (matrix[row][row] - 1.0).abs() < 1e-9 && matrix[row][3].abs() < 1e-9)
}
