//! Symmetric convolution in 16 bits, and sums of rows: what all blurs here are made of.
//!
//! Values are times 64, so that a pair of them fits 16 bits; coefficients are times 2^15 and add up to exactly that. Each product is rounded
//! to 1/64 of a level, each coefficient to 2^-15: within 0.2 of a level for every kernel here.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::super::lanes::Lanes;

/// How much finer than a level values are, as a power of two.
pub(super) const FINE: u32 = 6;

/// Half of a symmetric kernel: the middle coefficient and those to one side, times 2^15.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    pub taps: Vec<i16>,
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

    /// The coefficient at this distance, beyond the radius 0.
    pub fn tap(&self, distance: usize) -> i16 {
        self.taps.get(distance).copied().unwrap_or(0)
    }
}

/// The taps of as many kernels as a vector has lanes, all of the same radius.
#[derive(Clone, Copy)]
pub(super) struct LaneTaps<'a> {
    /// For each distance from the middle one number per lane.
    pub taps: &'a [i16],
    pub radius: usize,
}

impl LaneTaps<'_> {
    /// For `SIDES` things to be convolved side by side, from the taps at one distance: with `EACH`, every lane has its own kernel; else
    /// the first has that of `lane`, the second the next lane's and so on.
    #[inline(always)]
    fn of<L: Lanes, const SIDES: usize, const EACH: bool>(
        lanes: L,
        taps: &[i16],
        lane: usize,
    ) -> [L::Vector; SIDES] {
        if EACH {
            return [lanes.load(taps); SIDES];
        }
        let taps = &taps[lane..lane + SIDES];
        let mut spread = [lanes.splat(0); SIDES];
        for side in 0..SIDES {
            spread[side] = lanes.splat(taps[side]);
        }
        spread
    }
}

/// Convolves `SIDES` times `VECTORS` vectors with those that lie whole times `VECTORS` before and behind them. The first begins at
/// `middle`; as for `EACH` and `lane` see [`LaneTaps::of`].
#[inline(always)]
pub(super) fn convolved<L: Lanes, const SIDES: usize, const VECTORS: usize, const EACH: bool>(
    lanes: L,
    taps: LaneTaps<'_>,
    lane: usize,
    numbers: &[i16],
    middle: usize,
) -> [[L::Vector; VECTORS]; SIDES] {
    let (step, all) = (VECTORS * L::COUNT, SIDES * VECTORS * L::COUNT);
    let reach = taps.radius * step;
    let here = &numbers[middle..middle + all];
    // They shrink by a step with each tap: of slices by index, both ends would be checked each time.
    let mut before = &numbers[middle - reach..middle + all - step];
    let mut after = &numbers[middle + step..middle + reach + all];
    let (first, sides) = taps.taps.split_at(L::COUNT);
    let tap = LaneTaps::of::<L, SIDES, EACH>(lanes, first, lane);
    let mut sums = [[tap[0]; VECTORS]; SIDES];
    for side in 0..SIDES {
        for at in 0..VECTORS {
            let value = lanes.load(&here[(side * VECTORS + at) * L::COUNT..]);
            sums[side][at] = lanes.multiply_high(value, tap[side]);
        }
    }
    for tap in sides.chunks_exact(L::COUNT).take(taps.radius) {
        let tap = LaneTaps::of::<L, SIDES, EACH>(lanes, tap, lane);
        let (left, right) = (&before[before.len() - all..], &after[..all]);
        for side in 0..SIDES {
            for at in 0..VECTORS {
                let from = (side * VECTORS + at) * L::COUNT;
                let pair =
                    lanes.add_wrapping(lanes.load(&left[from..]), lanes.load(&right[from..]));
                let product = lanes.multiply_high(pair, tap[side]);
                sums[side][at] = lanes.add_wrapping(sums[side][at], product);
            }
        }
        before = &before[..before.len() - step];
        after = &after[step..];
    }
    sums
}

/// Sigma at which a gaussian gives its neighbours less than 1/255.
pub(super) const SIGMA_MIN: f64 = 0.3;

/// Vectors worked on at a time: their sums stay in registers while the taps go by.
pub(super) const BLOCK: usize = 4;

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
