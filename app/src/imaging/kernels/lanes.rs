//! The fast twin's loops, written once over [`Pixels`]: split a unit of pixels into planes, run the steps, join.
//!
//! A single step has a loop of its own for each form ([`One`]), and where [`Pixels::PAIRS`] says so, two steps have one for each pair of forms
//! ([`Pair`]). Others go unit by unit where there are registers enough ([`All`]), else block by block ([`Blocks`]). `avx512` and `avx2`
//! shuffle, `neon` has loads and stores for it; `plain` is for all other machines. Pixels may lie in a plane in any order, as long as `join`
//! undoes what `split` did: each set uses the order that costs it least.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::super::lanes::{Lanes, fetch_ahead};
use super::super::raster::Raster;
use super::{FixedStep, Sums, Weights, byte_factor, separate};

/// Bytes of the largest unit.
const UNIT_BYTES_MAX: usize = 256;

/// Lanes that can take pixels apart. A unit is two vectors per channel.
pub(in super::super) trait Pixels: Lanes {
    /// Whether there are registers for a unit and the numbers of a step; else steps go over a block of units, but for [`Self::PAIRS`].
    const WHOLE: bool;
    /// Whether two steps, both sums, have a loop for their forms: less memory is read and written than block by block, for much code.
    const PAIRS: bool = false;
    /// Whether bytes can be looked up many at a time.
    const LOOKS_UP: bool;
    /// A table to look up bytes in.
    type Table;
    /// The table as this set needs it.
    fn table(self, bytes: &[u8; 256]) -> Self::Table;
    /// Each byte's entry.
    fn look_up(self, table: &Self::Table, bytes: Self::Bytes) -> Self::Bytes;
    /// A unit of bytes, of `CHANNELS` a pixel, as channel values; alpha is left out.
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<Self::Vector>;
    /// Red, green and blue bytes of 2 * [`Lanes::COUNT`] RGB pixels, in the order of the row.
    fn channels(self, rgb: &[u8]) -> [Self::Bytes; 3];
    /// The way back from [`Pixels::channels`].
    fn interleave(self, channels: [Self::Bytes; 3], rgb: &mut [u8]);
    /// Values times the factor as bytes, rounded and clamped, see [`byte_factor`]. The bytes of alpha stay.
    fn join<const CHANNELS: usize>(
        self,
        unit: Unit<Self::Vector>,
        factor: Self::Vector,
        bytes: &mut [u8],
    );
    /// Bytes as channel values, in the halves of [`Lanes::weigh`].
    fn values(self, bytes: Self::Bytes) -> [Self::Vector; 2];
    /// The way back from [`Pixels::values`], like [`Pixels::join`].
    fn bytes(self, values: [Self::Vector; 2], factor: Self::Vector) -> Self::Bytes;
}

/// Red, green and blue of a unit, in two halves.
pub(in super::super) type Unit<V> = [[V; 2]; 3];

/// A step with its numbers spread over vectors.
enum Prepared<L: Pixels> {
    Sums(PreparedSums<L::Vector>),
    Tables([L::Table; 3]),
}

/// See [`Sums`]; what a form does not use is zero.
struct PreparedSums<V> {
    form: u8,
    /// One sum for all channels is the first row.
    rows: [[V; 3]; 3],
    slopes: [V; 3],
    constants: [V; 3],
    doublings: u32,
    floor: bool,
}

/// Which terms a step has, as bits: weights, of which there is one kind at most, and what comes after them.
mod form {
    pub const MATRIX: u8 = 1;
    pub const SHARED: u8 = 2;
    pub const TINTED: u8 = 3;
    pub const WEIGHTS: u8 = 3;
    pub const SLOPES: u8 = 4;
    pub const CONSTANTS: u8 = 8;
    pub const OWN: u8 = 16;
}
use form::*;

/// Does the work for the form, which is a constant there: what follows has no branches. First those that a last step may have, but for
/// steps on each channel by itself, which `separate` does; `or own` adds all others. Of two steps see [`in_pair`].
macro_rules! by_form {
    ($form:expr, $constant:ident => $work:expr) => {
        by_form!(@arms $form, $constant => $work;
            MATRIX, MATRIX | CONSTANTS,
            SHARED, SHARED | SLOPES, SHARED | SLOPES | CONSTANTS,
            TINTED | SLOPES, TINTED | SLOPES | CONSTANTS)
    };
    ($form:expr, $constant:ident => $work:expr, or own) => {
        by_form!(@arms $form, $constant => $work;
            MATRIX, MATRIX | CONSTANTS, MATRIX | OWN, MATRIX | CONSTANTS | OWN,
            SHARED, SHARED | SLOPES, SHARED | SLOPES | CONSTANTS,
            SHARED | SLOPES | OWN, SHARED | SLOPES | CONSTANTS | OWN,
            TINTED | SLOPES, TINTED | SLOPES | CONSTANTS,
            SLOPES, SLOPES | OWN, SLOPES | CONSTANTS, SLOPES | CONSTANTS | OWN)
    };
    ($form:expr, $constant:ident => $work:expr, first of two) => {
        by_form!(@arms $form, $constant => $work;
            MATRIX | CONSTANTS, MATRIX | CONSTANTS | OWN,
            SHARED | SLOPES | CONSTANTS, SHARED | SLOPES | CONSTANTS | OWN,
            TINTED | SLOPES | CONSTANTS,
            SLOPES | CONSTANTS, SLOPES | CONSTANTS | OWN)
    };
    ($form:expr, $constant:ident => $work:expr, last of two) => {
        by_form!(@arms $form, $constant => $work;
            MATRIX | CONSTANTS, SHARED | SLOPES | CONSTANTS, TINTED | SLOPES | CONSTANTS,
            SLOPES | CONSTANTS)
    };
    (@arms $form:expr, $constant:ident => $work:expr; $($terms:expr),*) => {
        match $form {
            $(form if form == $terms => {
                const $constant: u8 = $terms;
                $work
            })*
            form => unreachable!("no step has the form {form}"),
        }
    };
}

/// The narrowest form that has the step's terms.
fn form_of(sums: &Sums) -> u8 {
    let constants = if sums.constants.is_some() { CONSTANTS } else { 0 };
    let own = if sums.own { OWN } else { 0 };
    match sums.weights {
        Weights::Matrix(_) => MATRIX | constants | own,
        Weights::Tinted(_) => TINTED | SLOPES | constants,
        Weights::Shared(_) if sums.slopes.is_none() && constants | own == 0 => SHARED,
        Weights::Shared(_) => SHARED | SLOPES | constants | own,
        Weights::None => SLOPES | constants | own,
    }
}

/// The form that a step has as one of two. What it has not of it is zero there, so that there are fewer loops: adding zeros is cheap.
fn in_pair<V>(sums: &PreparedSums<V>) -> u8 {
    let slopes = if sums.form & WEIGHTS == MATRIX { 0 } else { SLOPES };
    sums.form | slopes | CONSTANTS
}

impl<L: Pixels> Prepared<L> {
    #[inline(always)]
    fn new(lanes: L, step: &FixedStep) -> Self {
        match step {
            FixedStep::Tables(tables) => {
                let [red, green, blue] = &**tables;
                Prepared::Tables([lanes.table(red), lanes.table(green), lanes.table(blue)])
            }
            FixedStep::Sums(sums) => Prepared::Sums(PreparedSums::new(lanes, sums)),
        }
    }

    /// Each unit goes through the step.
    #[inline(always)]
    fn apply(&self, lanes: L, units: &mut [Unit<L::Vector>]) {
        match self {
            Prepared::Sums(sums) => sums.apply(lanes, units),
            Prepared::Tables(tables) => {
                for unit in units {
                    *unit = look_up(lanes, tables, *unit);
                }
            }
        }
    }
}

#[inline(always)]
fn look_up<L: Pixels>(lanes: L, tables: &[L::Table; 3], unit: Unit<L::Vector>) -> Unit<L::Vector> {
    let factor = lanes.splat(byte_factor(0));
    let mut out = unit;
    for channel in 0..3 {
        let bytes = lanes.bytes(unit[channel], factor);
        out[channel] = lanes.values(lanes.look_up(&tables[channel], bytes));
    }
    out
}

impl<V: Copy> PreparedSums<V> {
    #[inline(always)]
    fn new<L: Pixels<Vector = V>>(lanes: L, sums: &Sums) -> Self {
        let rows = match sums.weights {
            Weights::None => [[0; 3]; 3],
            Weights::Shared(weights) | Weights::Tinted(weights) => [weights; 3],
            Weights::Matrix(rows) => rows,
        };
        let mut prepared = Self {
            form: form_of(sums),
            rows: [[lanes.splat(0); 3]; 3],
            slopes: spread(lanes, sums.slopes.unwrap_or_default()),
            constants: spread(lanes, sums.constants.unwrap_or_default()),
            doublings: if sums.is_last { 0 } else { sums.doublings },
            floor: sums.floor && !sums.is_last,
        };
        for row in 0..3 {
            prepared.rows[row] = spread(lanes, rows[row]);
        }
        prepared
    }

    #[inline(always)]
    fn apply<L: Pixels<Vector = V>>(&self, lanes: L, units: &mut [Unit<V>]) {
        by_form!(self.form, FORM => {
            for unit in units {
                let sums = self.sums::<L, FORM>(lanes, *unit);
                *unit = self.clamped(lanes, sums);
            }
        }, or own);
    }

    /// Whether rounding to bytes does the rest.
    fn can_end(&self) -> bool {
        self.doublings == 0 && !self.floor && self.form & OWN == 0
    }

    /// The sums doubled, and not below 0 where they could be.
    #[inline(always)]
    fn clamped<L: Pixels<Vector = V>>(&self, lanes: L, mut sums: Unit<V>) -> Unit<V> {
        for _ in 0..self.doublings {
            for channel in 0..3 {
                for half in 0..2 {
                    sums[channel][half] = lanes.add(sums[channel][half], sums[channel][half]);
                }
            }
        }
        if self.floor {
            for channel in 0..3 {
                for half in 0..2 {
                    sums[channel][half] = lanes.max(sums[channel][half], lanes.splat(0));
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn sums<L: Pixels<Vector = V>, const FORM: u8>(&self, lanes: L, unit: Unit<V>) -> Unit<V> {
        let mut out = unit;
        for half in 0..2 {
            let value = [unit[0][half], unit[1][half], unit[2][half]];
            let mut shared = lanes.splat(0);
            if FORM & WEIGHTS == SHARED || FORM & WEIGHTS == TINTED {
                shared = weigh(lanes, value, &self.rows[0]);
            }
            for channel in 0..3 {
                let mut sum = shared;
                if FORM & WEIGHTS == MATRIX {
                    let row = &self.rows[channel];
                    sum = lanes.multiply_high(value[0], row[0]);
                    if FORM & CONSTANTS != 0 {
                        sum = lanes.add(self.constants[channel], sum);
                    }
                    sum = lanes.add(sum, lanes.multiply_high(value[1], row[1]));
                    sum = lanes.add(sum, lanes.multiply_high(value[2], row[2]));
                } else {
                    if FORM & WEIGHTS == TINTED {
                        sum = lanes.multiply_high(shared, self.slopes[channel]);
                    } else if FORM & SLOPES != 0 {
                        let product = lanes.multiply_high(value[channel], self.slopes[channel]);
                        let is_first = FORM & WEIGHTS == 0;
                        sum = if is_first { product } else { lanes.add(sum, product) };
                    }
                    if FORM & CONSTANTS != 0 {
                        sum = lanes.add(sum, self.constants[channel]);
                    }
                }
                if FORM & OWN != 0 {
                    sum = lanes.add(sum, value[channel]);
                }
                out[channel][half] = sum;
            }
        }
        out
    }
}

/// A number for each channel, in vectors.
#[inline(always)]
pub(in super::super) fn spread<L: Pixels>(lanes: L, [r, g, b]: [i16; 3]) -> [L::Vector; 3] {
    [lanes.splat(r), lanes.splat(g), lanes.splat(b)]
}

/// The three products, added up in the channels' order.
#[inline(always)]
pub(in super::super) fn weigh<L: Pixels>(
    lanes: L,
    value: [L::Vector; 3],
    weights: &[L::Vector; 3],
) -> L::Vector {
    let red = lanes.multiply_high(value[0], weights[0]);
    let two = lanes.add(red, lanes.multiply_high(value[1], weights[1]));
    lanes.add(two, lanes.multiply_high(value[2], weights[2]))
}

/// Runs the steps over all pixels, of which rounding to bytes doubles what they leave. To be inlined, with all that it calls, into a function
/// compiled for the lanes' instruction set; that is why there are loops here and no closures, which would be functions of their own. But
/// [`pair`] is one on purpose.
#[inline(always)]
pub(super) fn run<'a, L: Pixels>(
    lanes: L,
    steps: impl Iterator<Item = &'a FixedStep> + Clone,
    doublings: u32,
    raster: &mut Raster<'_>,
) {
    let factor = lanes.splat(byte_factor(doublings));
    let mut prepared = Vec::new();
    for step in steps.clone() {
        prepared.push(Prepared::new(lanes, step));
    }
    let mut steps = steps;
    match (&prepared[..], steps.next()) {
        // One step has a loop of its own, without a question in it.
        ([Prepared::Sums(prepared)], Some(FixedStep::Sums(sums))) if sums.is_last => {
            if matches!(sums.weights, Weights::None) {
                separate::run(lanes, sums, raster);
            } else {
                by_form!(prepared.form, FORM => {
                    pieces(lanes, &Ahead(One::<_, FORM>(prepared)), factor, raster)
                });
            }
        }
        ([_], Some(FixedStep::Tables(tables))) if !L::LOOKS_UP => separate::look_up(tables, raster),
        ([Prepared::Sums(first), Prepared::Sums(last)], _) if L::PAIRS && last.can_end() => {
            by_form!(in_pair(first), FIRST => {
                by_form!(in_pair(last), LAST => {
                    pair::<L, FIRST, LAST>(lanes, (first, last), doublings, raster)
                }, last of two)
            }, first of two);
        }
        (steps, _) if L::WHOLE => pieces(lanes, &All(steps), factor, raster),
        (steps, _) => pieces(lanes, &Blocks(steps), factor, raster),
    }
}

/// What is done to whole units.
trait Work<L: Pixels> {
    fn run<const CHANNELS: usize>(&self, lanes: L, factor: L::Vector, bytes: &mut [u8]);
}

/// What is done to one unit after the other.
trait Unitwise<L: Pixels> {
    fn unit(&self, lanes: L, unit: Unit<L::Vector>) -> Unit<L::Vector>;
}

/// The next unit is taken apart before this one is worked on: a processor looks no further ahead than about a unit, and would wait for each.
struct Ahead<W>(W);

impl<L: Pixels, W: Unitwise<L>> Work<L> for Ahead<W> {
    #[inline(always)]
    fn run<const CHANNELS: usize>(&self, lanes: L, factor: L::Vector, bytes: &mut [u8]) {
        let size = CHANNELS * 2 * L::COUNT;
        if bytes.len() < size {
            return;
        }
        let (mut here, mut rest) = bytes.split_at_mut(size);
        let mut unit = lanes.split::<CHANNELS>(here);
        while rest.len() >= size {
            let (bytes, more) = rest.split_at_mut(size);
            fetch_ahead(lanes, more, size);
            let next = lanes.split::<CHANNELS>(bytes);
            lanes.join::<CHANNELS>(self.0.unit(lanes, unit), factor, here);
            (here, unit, rest) = (bytes, next, more);
        }
        lanes.join::<CHANNELS>(self.0.unit(lanes, unit), factor, here);
    }
}

/// A step whose form is known.
struct One<'a, V, const FORM: u8>(&'a PreparedSums<V>);

impl<L: Pixels, const FORM: u8> Unitwise<L> for One<'_, L::Vector, FORM> {
    #[inline(always)]
    fn unit(&self, lanes: L, unit: Unit<L::Vector>) -> Unit<L::Vector> {
        self.0.sums::<L, FORM>(lanes, unit)
    }
}

/// Two steps whose forms are known: see [`in_pair`].
struct Pair<'a, V, const FIRST: u8, const LAST: u8>(&'a PreparedSums<V>, &'a PreparedSums<V>);

impl<L: Pixels, const FIRST: u8, const LAST: u8> Unitwise<L> for Pair<'_, L::Vector, FIRST, LAST> {
    #[inline(always)]
    fn unit(&self, lanes: L, unit: Unit<L::Vector>) -> Unit<L::Vector> {
        let first = self.0.clamped(lanes, self.0.sums::<L, FIRST>(lanes, unit));
        self.1.sums::<L, LAST>(lanes, first)
    }
}

/// [`Pair`] over all pixels; not inlined, so that its numbers have the registers for themselves.
#[inline(never)]
fn pair<L: Pixels, const FIRST: u8, const LAST: u8>(
    lanes: L,
    (first, last): (&PreparedSums<L::Vector>, &PreparedSums<L::Vector>),
    doublings: u32,
    raster: &mut Raster<'_>,
) {
    lanes.apart(
        #[inline(always)]
        move || {
            let factor = lanes.splat(byte_factor(doublings));
            pieces(lanes, &Ahead(Pair::<_, FIRST, LAST>(first, last)), factor, raster);
        },
    );
}

/// One step after the other, unit by unit.
struct All<'a, L: Pixels>(&'a [Prepared<L>]);

impl<L: Pixels> Work<L> for All<'_, L> {
    #[inline(always)]
    fn run<const CHANNELS: usize>(&self, lanes: L, factor: L::Vector, bytes: &mut [u8]) {
        let size = CHANNELS * 2 * L::COUNT;
        let mut rest = bytes;
        while rest.len() >= size {
            let (bytes, more) = rest.split_at_mut(size);
            fetch_ahead(lanes, more, size);
            let mut unit = lanes.split::<CHANNELS>(bytes);
            for step in self.0 {
                unit = match step {
                    Prepared::Sums(sums) => {
                        let unit = by_form!(
                            sums.form, FORM => sums.sums::<L, FORM>(lanes, unit), or own
                        );
                        sums.clamped(lanes, unit)
                    }
                    Prepared::Tables(tables) => look_up(lanes, tables, unit),
                };
            }
            lanes.join::<CHANNELS>(unit, factor, bytes);
            rest = more;
        }
    }
}

/// One step after the other, each over a block of units, which lies in the first cache.
struct Blocks<'a, L: Pixels>(&'a [Prepared<L>]);

/// Units of a block.
const BLOCK: usize = 16;

impl<L: Pixels> Work<L> for Blocks<'_, L> {
    #[inline(always)]
    fn run<const CHANNELS: usize>(&self, lanes: L, factor: L::Vector, bytes: &mut [u8]) {
        let size = CHANNELS * 2 * L::COUNT;
        let mut units = [[[lanes.splat(0); 2]; 3]; BLOCK];
        let mut rest = bytes;
        while !rest.is_empty() {
            let (bytes, more) = rest.split_at_mut((BLOCK * size).min(rest.len()));
            fetch_ahead(lanes, more, bytes.len());
            let units = &mut units[..bytes.len() / size];
            for (unit, bytes) in units.iter_mut().zip(bytes.chunks_exact(size)) {
                *unit = lanes.split::<CHANNELS>(bytes);
            }
            for step in self.0 {
                step.apply(lanes, units);
            }
            for (unit, bytes) in units.iter().zip(bytes.chunks_exact_mut(size)) {
                lanes.join::<CHANNELS>(*unit, factor, bytes);
            }
            rest = more;
        }
    }
}

#[inline(always)]
fn pieces<L: Pixels>(lanes: L, work: &impl Work<L>, factor: L::Vector, raster: &mut Raster<'_>) {
    let channels = raster.channels;
    for piece in raster.pieces() {
        match channels {
            4 => piece_of::<4, L>(lanes, work, factor, piece),
            _ => piece_of::<3, L>(lanes, work, factor, piece),
        }
    }
}

#[inline(always)]
fn piece_of<const CHANNELS: usize, L: Pixels>(
    lanes: L,
    work: &impl Work<L>,
    factor: L::Vector,
    pixels: &mut [u8],
) {
    let size = CHANNELS * 2 * L::COUNT;
    let (whole, rest) = pixels.split_at_mut(pixels.len() / size * size);
    work.run::<CHANNELS>(lanes, factor, whole);
    if !rest.is_empty() {
        let mut padded = [0; UNIT_BYTES_MAX];
        padded[..rest.len()].copy_from_slice(rest);
        work.run::<CHANNELS>(lanes, factor, &mut padded[..size]);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}
