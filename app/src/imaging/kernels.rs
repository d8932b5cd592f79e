//! How looks are computed: a chain of point filters becomes a [`Program`], run in one pass over the pixels.
//!
//! Every point filter is affine: out = clamp(M * in + constant). The chain keeps the clamping between steps, as browsers
//! do, and joins two neighbours into one matrix only where the first provably never clips. The arithmetic is 16-bit fixed
//! point in the form of the instruction "multiply, high half, rounded" (`pmulhrsw`, `sqrdmulh`), so that it gives the same bits on every machine.
//! [`Program::apply_scalar`] is the readable twin, [`Program::apply`] the fast one; a test binds them bit for bit.
//!
//! Numbers: a channel is held as value * 128 (0..=32640). A step with `shift` k has coefficients scaled by 2^(15-k) and gives
//! value * 2^(7-k); k is the smallest for which neither a coefficient nor a sum leaves 16 bits. The error is
//! at most 1.5 roundings of 2^-(8-k), that is 0.05 of a level per step at k = 2; against the exact result the outcome is off by at most 1.

use image::RgbImage;

use super::filters::Step;

/// The largest channel value, 255 * 128.
const FULL: i16 = 32_640;
/// Pixels per block of the fast twin: three rows of i16 stay in the first-level cache and fill whole registers.
const BLOCK: usize = 64;

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

    /// Filters rows of RGB bytes in place: the fast twin. Planar blocks of 16-bit values, so that each loop is one the
    /// compiler turns into vector instructions.
    pub fn apply_to(&self, pixels: &mut [u8]) {
        if self.steps.is_empty() {
            return;
        }
        let mut block = [[0_i16; BLOCK]; 3];
        let mut chunks = pixels.chunks_exact_mut(3 * BLOCK);
        for chunk in &mut chunks {
            split(chunk, &mut block);
            for step in &self.steps {
                step.apply_block(&mut block);
            }
            join(&block, chunk);
        }
        self.apply_scalar(chunks.into_remainder());
    }

    /// Filters rows of RGB bytes in place: the readable twin.
    pub fn apply_scalar(&self, pixels: &mut [u8]) {
        if self.steps.is_empty() {
            return;
        }
        for pixel in pixels.as_chunks_mut::<3>().0 {
            let mut value = pixel.map(|byte| i16::from(byte) << 7);
            for step in &self.steps {
                value = step.apply(value);
            }
            *pixel = value.map(to_byte);
        }
    }
}

/// value / 128, rounded.
#[inline(always)]
fn to_byte(value: i16) -> u8 {
    // At most (32640 + 64) >> 7 = 255.
    ((value + 64) >> 7) as u8
}

/// a * b / 2^15, rounded: what `pmulhrsw` computes. The compiler recognises this form.
#[inline(always)]
fn multiply_high(a: i16, b: i16) -> i16 {
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

    /// One pixel. Sums saturate, as the vector instructions do; `fits` sees to it that they hardly ever need to.
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
            self.finish(sum, self.constants[row])
        })
    }

    /// Adds the constant, clamps to 0..=255 and returns to the scale of a channel.
    #[inline(always)]
    fn finish(&self, sum: i16, constant: i16) -> i16 {
        sum.saturating_add(constant).clamp(0, FULL >> self.shift) << self.shift
    }

    fn apply_block(&self, block: &mut [[i16; BLOCK]; 3]) {
        // The shift is made a constant of the loop, which the vector instructions need.
        match (self.per_channel, self.shift) {
            (false, 0) => self.matrix_block::<0>(block),
            (false, 1) => self.matrix_block::<1>(block),
            (false, 2) => self.matrix_block::<2>(block),
            (false, _) => self.matrix_block::<3>(block),
            (true, 0) => self.channel_block::<0>(block),
            (true, 1) => self.channel_block::<1>(block),
            (true, 2) => self.channel_block::<2>(block),
            (true, _) => self.channel_block::<3>(block),
        }
    }

    fn matrix_block<const SHIFT: u32>(&self, block: &mut [[i16; BLOCK]; 3]) {
        let ([mr, mg, mb], [cr, cg, cb]) = (self.coefficients, self.constants);
        let [red, green, blue] = block;
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            let row = |m: [i16; 3], constant: i16| {
                multiply_high(*r, m[0])
                    .saturating_add(multiply_high(*g, m[1]))
                    .saturating_add(multiply_high(*b, m[2]))
                    .saturating_add(constant)
                    .clamp(0, FULL >> SHIFT)
                    << SHIFT
            };
            (*r, *g, *b) = (row(mr, cr), row(mg, cg), row(mb, cb));
        }
    }

    fn channel_block<const SHIFT: u32>(&self, block: &mut [[i16; BLOCK]; 3]) {
        for (row, values) in block.iter_mut().enumerate() {
            let (slope, constant) = (self.coefficients[row][row], self.constants[row]);
            for value in values {
                let scaled = multiply_high(*value, slope).saturating_add(constant);
                *value = scaled.clamp(0, FULL >> SHIFT) << SHIFT;
            }
        }
    }
}

/// RGBRGB... to three rows, times 128.
fn split(chunk: &[u8], block: &mut [[i16; BLOCK]; 3]) {
    let [red, green, blue] = block;
    for (((pixel, r), g), b) in chunk.as_chunks::<3>().0.iter().zip(red).zip(green).zip(blue) {
        *r = i16::from(pixel[0]) << 7;
        *g = i16::from(pixel[1]) << 7;
        *b = i16::from(pixel[2]) << 7;
    }
}

/// Three rows back to RGBRGB...
fn join(block: &[[i16; BLOCK]; 3], chunk: &mut [u8]) {
    let [red, green, blue] = block;
    let rows = red.iter().zip(green).zip(blue);
    for (pixel, ((r, g), b)) in chunk.as_chunks_mut::<3>().0.iter_mut().zip(rows) {
        *pixel = [to_byte(*r), to_byte(*g), to_byte(*b)];
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
