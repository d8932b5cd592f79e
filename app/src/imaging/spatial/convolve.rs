//! Symmetric convolution in 16 bits: what gaussians are made of, and the bands that box blurs share with them.
//!
//! Values are times 64, so that a pair of them fits 16 bits; coefficients are times 2^15 and add up to exactly that. Each product is rounded
//! to 1/64 of a level, each coefficient to 2^-15: within 0.2 of a level for every kernel here.

use super::super::lanes::Lanes;
use super::Row;

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
            return Self::nothing();
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
        // To a radius that has a loop of its own: see `by_radius`.
        if taps.len() <= RADIUS_KNOWN && taps.len().is_multiple_of(2) {
            taps.push(0);
        }
        Self { taps }
    }

    /// Leaves everything as it is.
    pub fn nothing() -> Self {
        Self { taps: vec![i16::MAX] }
    }

    /// For each distance the tap, in every lane.
    pub fn spread<L: Lanes>(&self) -> Row {
        let mut taps = Row::new(0, self.taps.len() * L::COUNT);
        for (tap, lanes) in self.taps.iter().zip(taps.numbers().chunks_exact_mut(L::COUNT)) {
            lanes.fill(*tap);
        }
        taps
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

/// Vectors that are convolved side by side.
pub(super) const SIDES: usize = 4;

/// The taps of as many kernels as a vector has lanes, out to the widest one's radius: shorter ones go on with zeros.
#[derive(Clone, Copy)]
pub(super) struct LaneTaps<'a> {
    /// For each distance from the middle one number per lane.
    pub taps: &'a [i16],
    pub radius: usize,
}

impl LaneTaps<'_> {
    /// For [`SIDES`] things to be convolved side by side, from the taps at one distance: with `EACH`, every lane has its own kernel; else
    /// the first has that of `lane`, the second the next lane's and so on.
    #[inline(always)]
    fn of<L: Lanes, const EACH: bool>(lanes: L, taps: &[i16], lane: usize) -> [L::Vector; SIDES] {
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

/// Up to this radius, every even one has a loop of its own, in which no tap asks whether there is another one.
const RADIUS_KNOWN: usize = 12;

/// Does the work for the radius, which is a constant there, or 0 for all others, and for lanes whose loops are not worth it.
macro_rules! by_radius {
    ($lanes:ident, $radius:expr, $constant:ident => $work:expr) => {
        match if $lanes::UNROLLS { $radius } else { 0 } {
            2 => by_radius!(@known 2, $constant => $work),
            4 => by_radius!(@known 4, $constant => $work),
            6 => by_radius!(@known 6, $constant => $work),
            8 => by_radius!(@known 8, $constant => $work),
            10 => by_radius!(@known 10, $constant => $work),
            RADIUS_KNOWN => by_radius!(@known RADIUS_KNOWN, $constant => $work),
            _ => by_radius!(@known 0, $constant => $work),
        }
    };
    (@known $radius:expr, $constant:ident => $work:expr) => {{
        const $constant: usize = $radius;
        $work
    }};
}

/// Convolves [`SIDES`] vectors, of which the first begins at `middle` and the others lie `step` numbers behind each other, with those that lie
/// so many before and behind for each tap: `numbers` reaches from the radius before `middle` to [`SIDES`] and the radius behind it, in
/// steps. As for `RADIUS` see `by_radius`, for `EACH` and `lane` [`LaneTaps::of`].
#[inline(always)]
fn convolved<L: Lanes, const EACH: bool, const RADIUS: usize>(
    lanes: L,
    taps: LaneTaps<'_>,
    lane: usize,
    numbers: &[i16],
    middle: usize,
    step: usize,
) -> [L::Vector; SIDES] {
    let radius = if RADIUS > 0 { RADIUS } else { taps.radius };
    let reach = radius * step;
    let before = &numbers[middle - reach..middle];
    let (here, after) = numbers[middle..middle + SIDES * step + reach].split_at(SIDES * step);
    let (first, sides) = taps.taps[..(radius + 1) * L::COUNT].split_at(L::COUNT);
    let mut moving = Moving::<L> {
        left: [lanes.splat(0); SIDES],
        right: [lanes.splat(0); SIDES],
        sums: [lanes.splat(0); SIDES],
    };
    let tap = LaneTaps::of::<L, EACH>(lanes, first, lane);
    for side in 0..SIDES {
        moving.left[side] = lanes.load(&here[side * step..]);
        moving.sums[side] = lanes.multiply_high(moving.left[side], tap[side]);
    }
    moving.right = moving.left;
    if RADIUS > 0 {
        for at in 0..RADIUS {
            let tap = LaneTaps::of::<L, EACH>(lanes, &sides[at * L::COUNT..], lane);
            let (before, after) = (&before[(RADIUS - 1 - at) * step..], &after[at * step..]);
            moving = moving.add(lanes, tap, before, after);
        }
        return moving.sums;
    }
    // Four at a time: then nothing has to be moved from register to register.
    let mut fours = sides.chunks_exact(4 * L::COUNT);
    let (mut befores, mut afters) = (before.rchunks_exact(4 * step), after.chunks_exact(4 * step));
    for (taps, (before, after)) in (&mut fours).zip((&mut befores).zip(&mut afters)) {
        for at in 0..4 {
            let tap =
                LaneTaps::of::<L, EACH>(lanes, &taps[at * L::COUNT..(at + 1) * L::COUNT], lane);
            moving = moving.add(lanes, tap, &before[(3 - at) * step..], &after[at * step..]);
        }
    }
    let pairs = befores.remainder().rchunks_exact(step).zip(afters.remainder().chunks_exact(step));
    for (taps, (before, after)) in fours.remainder().chunks_exact(L::COUNT).zip(pairs) {
        moving = moving.add(lanes, LaneTaps::of::<L, EACH>(lanes, taps, lane), before, after);
    }
    moving.sums
}

/// Numbers between the rows that [`rows`] convolves.
pub(super) const STRIDE: usize = 128;

/// Convolves vectors of rows with those of the rows above and below: `tall` rows of so many vectors, the first of which is the radius below the
/// first of `rows`, in which they begin [`STRIDE`] numbers behind each other. They become squares of lanes x lanes numbers, side by
/// side. As for `EACH` see [`LaneTaps::of`]: lane and row are the same.
#[inline(always)]
pub(super) fn rows<L: Lanes, const EACH: bool>(
    lanes: L,
    taps: LaneTaps<'_>,
    rows: &[i16],
    (tall, vectors): (usize, usize),
    squares: &mut [i16],
) {
    lanes.apart(
        #[inline(always)]
        move || {
            by_radius!(L, taps.radius, RADIUS => {
                for row in (0..tall).step_by(SIDES) {
                    let middle = (taps.radius + row) * STRIDE;
                    for number in 0..vectors {
                        let middle = middle + number * L::COUNT;
                        let sums =
                            convolved::<L, EACH, RADIUS>(lanes, taps, row, rows, middle, STRIDE);
                        let out = &mut squares[(number * L::COUNT + row) * L::COUNT..];
                        put::<L, false>(lanes, sums, out, L::COUNT);
                    }
                }
            });
        },
    );
}

/// Convolves the columns of so many pixels, a vector each, with those beside them; the first one lies the radius behind the first of
/// `columns`. With `LEVELS` they become whole levels, 0 to 255.
#[inline(always)]
pub(super) fn columns<L: Lanes, const CHANNELS: usize, const LEVELS: bool>(
    lanes: L,
    taps: LaneTaps<'_>,
    columns: &[i16],
    pixels: usize,
    to: &mut [i16],
) {
    lanes.apart(
        #[inline(always)]
        move || {
            // In here it is a constant.
            let step = CHANNELS * L::COUNT;
            by_radius!(L, taps.radius, RADIUS => {
                for pixel in (0..pixels).step_by(SIDES) {
                    for channel in 0..CHANNELS {
                        let at = pixel * step + channel * L::COUNT;
                        let middle = taps.radius * step + at;
                        let sums =
                            convolved::<L, true, RADIUS>(lanes, taps, 0, columns, middle, step);
                        put::<L, LEVELS>(lanes, sums, &mut to[at..], step);
                    }
                }
            });
        },
    );
}

/// Stores sums so many numbers behind each other, with `LEVELS` as whole levels.
#[inline(always)]
fn put<L: Lanes, const LEVELS: bool>(
    lanes: L,
    sums: [L::Vector; SIDES],
    to: &mut [i16],
    step: usize,
) {
    // Asked for once: what is asked between two of them has sums wait in memory.
    let to = &mut to[..(SIDES - 1) * step + L::COUNT];
    for side in 0..SIDES {
        let mut sum = sums[side];
        if LEVELS {
            sum = lanes.min(rounded(lanes, sum), lanes.splat(255));
        }
        lanes.store(sum, &mut to[side * step..]);
    }
}

/// What is convolved, on its way outwards: what one vector adds at a distance the next one adds at the next distance, so that each is loaded
/// once and handed on.
struct Moving<L: Lanes> {
    left: [L::Vector; SIDES],
    right: [L::Vector; SIDES],
    sums: [L::Vector; SIDES],
}

impl<L: Lanes> Moving<L> {
    /// One distance further.
    #[inline(always)]
    fn add(self, lanes: L, tap: [L::Vector; SIDES], before: &[i16], after: &[i16]) -> Self {
        let (Self { left, right, mut sums }, new) = (self, [lanes.load(before), lanes.load(after)]);
        let left = [new[0], left[0], left[1], left[2]];
        let right = [right[1], right[2], right[3], new[1]];
        for side in 0..SIDES {
            let pair = lanes.add_wrapping(left[side], right[side]);
            sums[side] = lanes.add_wrapping(sums[side], lanes.multiply_high(pair, tap[side]));
        }
        Self { left, right, sums }
    }
}

/// Fine values rounded to whole levels. Those of a blur are never below 0, but rounding can bring them above 255.
#[inline(always)]
pub(super) fn rounded<L: Lanes>(lanes: L, fine: L::Vector) -> L::Vector {
    // Times 2^9, of which the high half takes 2^15.
    lanes.multiply_high(fine, lanes.splat(1 << (15 - FINE)))
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
