//! Rows of RGB, or of luma and chroma, to samples, a unit of sixteen rows at a time: as many pixels wide as two vectors have lanes.
//!
//! Samples are in 16 bits, those of RGB with more precision than bytes, and go from here into `forward` without a way through the picture's memory.

use super::super::kernels::lanes::{spread, weigh};
use super::super::planar::Planar;
use super::blocks::{Blocks, LANES_MAX};
use super::forward::SAMPLE;

/// The rows of a unit, and of its MCUs.
pub(super) const ROWS: usize = 16;
/// Bytes of a row of the widest unit.
const ROW_BYTES_MAX: usize = 3 * 2 * LANES_MAX;

/// Y, Cb and Cr of JFIF (BT.601, full range), from red, green and blue in 256ths of [`SAMPLE`].
const LUMA: [i16; 3] = [2_449, 4_809, 934];
const BLUE: [i16; 3] = [-1_382, -2_714, 4_096];
const RED: [i16; 3] = [4_096, -3_430, -666];

/// Samples around 0, [`SAMPLE`] times as large as levels. Chroma of RGB is the mean of four pixels.
pub(super) struct Unit<V> {
    /// Left and right half of each row.
    pub luma: [[V; 2]; ROWS],
    pub blue: [V; ROWS / 2],
    pub red: [V; ROWS / 2],
}

impl<V: Copy> Unit<V> {
    /// No samples yet.
    #[inline(always)]
    pub fn empty<L: Blocks<Vector = V>>(lanes: L) -> Self {
        let zero = lanes.splat(0);
        Self { luma: [[zero; 2]; ROWS], blue: [zero; ROWS / 2], red: [zero; ROWS / 2] }
    }
}

/// What is written.
pub(super) enum Source<'a> {
    /// To be taken apart.
    Rgb(Rgb<'a>),
    /// With chroma at half size, or grey.
    Planar(&'a Planar),
}

/// Rows of RGB without gaps.
pub(super) struct Rgb<'a> {
    pub pixels: &'a [u8],
    pub width: usize,
    pub height: usize,
}

/// [`LUMA`], [`BLUE`] and [`RED`], spread over vectors.
pub(super) struct Colours<V> {
    luma: [V; 3],
    blue: [V; 3],
    red: [V; 3],
    middle: V,
}

impl<V: Copy> Colours<V> {
    #[inline(always)]
    pub fn new<L: Blocks<Vector = V>>(lanes: L) -> Self {
        Self {
            luma: spread(lanes, LUMA),
            blue: spread(lanes, BLUE),
            red: spread(lanes, RED),
            middle: lanes.splat(128 * SAMPLE),
        }
    }

    /// The unit whose upper left pixel is given; beyond the picture its last row and column are repeated.
    #[inline(always)]
    pub fn unit<L: Blocks<Vector = V>>(
        &self,
        lanes: L,
        rgb: &Rgb<'_>,
        (left, top): (usize, usize),
        unit: &mut Unit<V>,
    ) {
        for pair in 0..ROWS / 2 {
            let upper = channels(lanes, rgb, left, top + 2 * pair);
            let lower = channels(lanes, rgb, left, top + 2 * pair + 1);
            unit.luma[2 * pair] = self.luma(lanes, upper);
            unit.luma[2 * pair + 1] = self.luma(lanes, lower);
            let mut means = [self.middle; 3];
            for channel in 0..3 {
                // Up to 4 * 255; with 5 bits more up to 32,640.
                let (up, low) =
                    (lanes.neighbours(upper[channel]), lanes.neighbours(lower[channel]));
                means[channel] = lanes.shift_left(lanes.add(up, low), 5);
            }
            unit.blue[pair] = weigh(lanes, means, &self.blue);
            unit.red[pair] = weigh(lanes, means, &self.red);
        }
    }

    #[inline(always)]
    fn luma<L: Blocks<Vector = V>>(&self, lanes: L, channels: [L::Bytes; 3]) -> [V; 2] {
        let [red, green, blue] = channels;
        let (red, green, blue) =
            (lanes.widen_both(red), lanes.widen_both(green), lanes.widen_both(blue));
        let mut luma = red;
        for half in 0..2 {
            let values = [
                lanes.shift_left(red[half], 7),
                lanes.shift_left(green[half], 7),
                lanes.shift_left(blue[half], 7),
            ];
            luma[half] = lanes.subtract(weigh(lanes, values, &self.luma), self.middle);
        }
        luma
    }
}

/// The channels of one row of a unit.
#[inline(always)]
fn channels<L: Blocks>(lanes: L, rgb: &Rgb<'_>, left: usize, y: usize) -> [L::Bytes; 3] {
    let bytes = 3 * 2 * L::COUNT;
    let row = &rgb.pixels[y.min(rgb.height - 1) * rgb.width * 3..][3 * left..3 * rgb.width];
    if row.len() >= bytes {
        return lanes.channels(&row[..bytes]);
    }
    lanes.channels(&padded::<3>(row)[..bytes])
}

/// The last pixel of a row again and again behind it.
fn padded<const CHANNELS: usize>(row: &[u8]) -> [u8; ROW_BYTES_MAX] {
    let mut padded = [0; ROW_BYTES_MAX];
    padded[..row.len()].copy_from_slice(row);
    for at in row.len()..ROW_BYTES_MAX {
        padded[at] = padded[at - CHANNELS];
    }
    padded
}

/// [`Colours::unit`] of samples that need not be made any more. Not inlined: in the loop of the writer it would slow the other down.
#[inline(never)]
pub(super) fn unit_of_samples<L: Blocks>(
    lanes: L,
    planar: &Planar,
    corner: (usize, usize),
    unit: &mut Unit<L::Vector>,
) {
    lanes.apart(
        #[inline(always)]
        || fill(lanes, planar, corner, unit),
    );
}

#[inline(always)]
fn fill<L: Blocks>(
    lanes: L,
    planar: &Planar,
    (left, top): (usize, usize),
    unit: &mut Unit<L::Vector>,
) {
    let width = planar.width as usize;
    for (y, samples) in unit.luma.iter_mut().enumerate() {
        let row = row(&planar.luma, width, left, top + y);
        if row.len() >= 2 * L::COUNT {
            *samples = [sample(lanes, row), sample(lanes, &row[L::COUNT..])];
        } else {
            let row = padded::<1>(row);
            *samples = [sample(lanes, &row), sample(lanes, &row[L::COUNT..])];
        }
    }
    let Some(chroma) = &planar.chroma else {
        (unit.blue, unit.red) = ([lanes.splat(0); ROWS / 2], [lanes.splat(0); ROWS / 2]);
        return;
    };
    for (plane, samples) in [(&chroma.blue, &mut unit.blue), (&chroma.red, &mut unit.red)] {
        for (y, samples) in samples.iter_mut().enumerate() {
            let row = row(plane, width.div_ceil(2), left / 2, top / 2 + y);
            *samples = match row.len() >= L::COUNT {
                true => sample(lanes, row),
                false => sample(lanes, &padded::<1>(row)),
            };
        }
    }
}

/// Levels as samples.
#[inline(always)]
fn sample<L: Blocks>(lanes: L, levels: &[u8]) -> L::Vector {
    let samples = lanes.shift_left(lanes.widen(levels), SAMPLE.ilog2());
    lanes.subtract(samples, lanes.splat(128 * SAMPLE))
}

/// A row of a plane from `left` on; beyond the last one, that one.
#[inline(always)]
fn row(plane: &[u8], width: usize, left: usize, y: usize) -> &[u8] {
    let last = plane.len() / width - 1;
    &plane[y.min(last) * width..][left..width]
}
