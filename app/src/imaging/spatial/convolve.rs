//! Symmetric convolution of rows of numbers, along a row and across rows: what all blurs here are made of.
//!
//! Values are times 64, so that a pair of them fits 16 bits; coefficients are times 2^15 and add up to exactly that. Each product is rounded
//! to 1/64 of a level, each coefficient to 2^-15: within 0.2 of a level for every kernel here.

use super::super::lanes::Lanes;

/// How much finer than a level values are, as a power of two.
pub(super) const FINE: u32 = 6;

/// Half of a symmetric kernel: the middle coefficient and those to one side, times 2^15.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    taps: Vec<i16>,
}

impl Kernel {
    /// The gaussian of this sigma in pixels, cut off at three sigma (0.3 % of the weight) and scaled to add up to 1. At or below
    /// [`SIGMA_MIN`] it is the middle alone.
    pub fn gaussian(sigma: f64) -> Self {
        if sigma.is_nan() || sigma <= SIGMA_MIN {
            return Self { taps: vec![i16::MAX] };
        }
        let radius = (3.0 * sigma).ceil() as usize;
        let weight = |at: usize| (-0.5 * (at as f64 / sigma).powi(2)).exp();
        let sum = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f64>();
        let mut taps: Vec<i16> =
            (0..=radius).map(|at| (weight(at) / sum * 32_768.0).round() as i16).collect();
        // What rounding took or gave goes to the middle, where it is the least part.
        let sides: i32 = taps[1..].iter().map(|tap| 2 * i32::from(*tap)).sum();
        taps[0] = (32_768 - sides).min(i32::from(i16::MAX)) as i16;
        while taps.len() > 1 && taps.last() == Some(&0) {
            taps.pop();
        }
        Self { taps }
    }

    /// Pixels to either side.
    pub fn radius(&self) -> usize {
        self.taps.len() - 1
    }
}

/// Sigma at which a gaussian gives its neighbours less than 1/255.
pub(super) const SIGMA_MIN: f64 = 0.3;

/// Vectors worked on at a time: their sums stay in registers while the taps go by.
pub(super) const BLOCK: usize = 4;

/// Convolves along a row. `padded` has `before` numbers, at least radius * channels, before the row's first number and as many behind its
/// last, and room for a block behind that; `out` has the row and room for a block.
#[inline(always)]
pub(super) fn along<L: Lanes>(
    lanes: L,
    kernel: &Kernel,
    channels: usize,
    before: usize,
    padded: &[i16],
    out: &mut [i16],
    count: usize,
) {
    let block = BLOCK * L::COUNT;
    let mut at = 0;
    while at < count {
        let middle = before + at;
        let mut sums = first(lanes, kernel, &padded[middle..middle + block]);
        for (distance, tap) in kernel.taps.iter().enumerate().skip(1) {
            let reach = distance * channels;
            let left = &padded[middle - reach..middle - reach + block];
            let right = &padded[middle + reach..middle + reach + block];
            add_pair(lanes, &mut sums, *tap, left, right);
        }
        store(lanes, sums, &mut out[at..at + block]);
        at += block;
    }
}

/// Convolves across rows: the numbers from `at` on of the row in the middle of `rows`, which has the radius' rows on either side.
#[inline(always)]
pub(super) fn across<L: Lanes>(
    lanes: L,
    kernel: &Kernel,
    rows: &[&[i16]],
    at: usize,
) -> [L::Vector; BLOCK] {
    let block = at..at + BLOCK * L::COUNT;
    let middle = rows.len() / 2;
    let mut sums = first(lanes, kernel, &rows[middle][block.clone()]);
    for (distance, tap) in kernel.taps.iter().enumerate().skip(1) {
        let above = &rows[middle - distance][block.clone()];
        let below = &rows[middle + distance][block.clone()];
        add_pair(lanes, &mut sums, *tap, above, below);
    }
    sums
}

#[inline(always)]
fn first<L: Lanes>(lanes: L, kernel: &Kernel, middle: &[i16]) -> [L::Vector; BLOCK] {
    let tap = lanes.splat(kernel.taps[0]);
    let mut sums = [tap; BLOCK];
    // By index, here and below: vectors in arrays stay in registers only when all indices are constants after unrolling.
    for at in 0..BLOCK {
        sums[at] = lanes.multiply_high(lanes.load(&middle[at * L::COUNT..]), tap);
    }
    sums
}

#[inline(always)]
fn add_pair<L: Lanes>(
    lanes: L,
    sums: &mut [L::Vector; BLOCK],
    tap: i16,
    one: &[i16],
    other: &[i16],
) {
    let tap = lanes.splat(tap);
    for at in 0..BLOCK {
        let (one, other) = (&one[at * L::COUNT..], &other[at * L::COUNT..]);
        let pair = lanes.add(lanes.load(one), lanes.load(other));
        sums[at] = lanes.add(sums[at], lanes.multiply_high(pair, tap));
    }
}

/// Numbers of a block.
#[inline(always)]
pub(super) fn block<L: Lanes>() -> usize {
    BLOCK * L::COUNT
}

/// Stores a block.
#[inline(always)]
pub(super) fn store<L: Lanes>(lanes: L, sums: [L::Vector; BLOCK], out: &mut [i16]) {
    for at in 0..BLOCK {
        lanes.store(sums[at], &mut out[at * L::COUNT..]);
    }
}

/// A row of bytes as fine values in the middle of `padded`, its first and last pixel repeated to both sides.
#[inline(always)]
pub(super) fn pad<L: Lanes>(
    lanes: L,
    channels: usize,
    before: usize,
    row: &[u8],
    padded: &mut [i16],
) {
    let end = before + row.len();
    let mut bytes = row.chunks_exact(L::COUNT);
    let mut wides = padded[before..end].chunks_exact_mut(L::COUNT);
    for (bytes, wide) in (&mut bytes).zip(&mut wides) {
        lanes.store(lanes.shift_left(lanes.widen(bytes), FINE), wide);
    }
    for (byte, wide) in bytes.remainder().iter().zip(wides.into_remainder()) {
        *wide = i16::from(*byte) << FINE;
    }
    repeat_ends(channels, before, end, padded);
}

/// Adds a row to the sums of columns, or takes it away.
#[inline(always)]
pub(super) fn change<L: Lanes, const ADD: bool>(lanes: L, row: &[u8], sums: &mut [i16]) {
    let mut bytes = row.chunks_exact(L::COUNT);
    let (whole, rest) = sums[..row.len()].split_at_mut(row.len() / L::COUNT * L::COUNT);
    for (bytes, sums) in (&mut bytes).zip(whole.chunks_exact_mut(L::COUNT)) {
        let (sum, bytes) = (lanes.load(sums), lanes.widen(bytes));
        let changed =
            if ADD { lanes.add_wrapping(sum, bytes) } else { lanes.subtract_wrapping(sum, bytes) };
        lanes.store(changed, sums);
    }
    for (byte, sum) in bytes.remainder().iter().zip(rest) {
        let byte = i16::from(*byte);
        *sum = if ADD { sum.wrapping_add(byte) } else { sum.wrapping_sub(byte) };
    }
}

/// Repeats the first and the last pixel of the numbers `before..end` to both sides.
#[inline(always)]
pub(super) fn repeat_ends(channels: usize, before: usize, end: usize, padded: &mut [i16]) {
    for at in (0..before).rev() {
        padded[at] = padded[at + channels];
    }
    for at in end..end + before {
        padded[at] = padded[at - channels];
    }
}
