//! A single step that looks at each channel by itself: brightness, contrast, warmth, fade, curves. Pixels need not be taken apart for it.
//!
//! Sums take the bytes as they come, with slopes and constants in the order of channels; so many vectors later the order begins anew.
//! The numbers are those of [`Sums`] everywhere.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::super::lanes::{BYTES_MAX, fetch_ahead, in_halves};
use super::super::raster::Raster;
use super::lanes::Pixels;
use super::{Sums, byte_factor};

/// Slope and constant of the bytes of a vector, in halves.
type Pattern<V> = [[V; 2]; 2];

/// Runs the step over all pixels; to be inlined like `lanes::run`.
#[inline(always)]
pub(super) fn run<L: Pixels>(lanes: L, sums: &Sums, raster: &mut Raster<'_>) {
    match (raster.channels, sums.constants.is_some()) {
        (4, false) => pieces::<L, 1, 4, false>(lanes, sums, raster),
        (4, true) => pieces::<L, 1, 4, true>(lanes, sums, raster),
        (_, false) => pieces::<L, 3, 3, false>(lanes, sums, raster),
        (_, true) => pieces::<L, 3, 3, true>(lanes, sums, raster),
    }
}

/// After `PERIOD` vectors the first byte is one of the first channel again.
#[inline(always)]
fn pieces<L: Pixels, const PERIOD: usize, const CHANNELS: usize, const CONSTANTS: bool>(
    lanes: L,
    sums: &Sums,
    raster: &mut Raster<'_>,
) {
    let factor = lanes.splat(byte_factor(sums.doublings));
    let (slopes, constants) = (sums.slopes.unwrap_or_default(), sums.constants.unwrap_or_default());
    // Alpha stays: it is halved as often as it will be doubled.
    let one = i16::MAX >> sums.doublings;
    let (slopes, constants) = (with_alpha(slopes, one), with_alpha(constants, 0));
    let mut patterns = [[[lanes.splat(0); 2]; 2]; PERIOD];
    for at in 0..PERIOD {
        let first = at * 2 * L::COUNT;
        let slopes = pattern::<L, CHANNELS>(lanes, slopes, first);
        patterns[at] = [slopes, pattern::<L, CHANNELS>(lanes, constants, first)];
    }
    for piece in raster.pieces() {
        let size = 2 * L::COUNT;
        let mut rest = piece;
        while rest.len() >= PERIOD * size {
            let (unit, more) = rest.split_at_mut(PERIOD * size);
            fetch_ahead(lanes, more, PERIOD * size);
            for at in 0..PERIOD {
                vector::<L, CONSTANTS>(lanes, &patterns[at], factor, &mut unit[at * size..]);
            }
            rest = more;
        }
        for at in 0..PERIOD {
            let (bytes, more) = rest.split_at_mut(size.min(rest.len()));
            let mut padded = [0; BYTES_MAX];
            padded[..bytes.len()].copy_from_slice(bytes);
            vector::<L, CONSTANTS>(lanes, &patterns[at], factor, &mut padded);
            bytes.copy_from_slice(&padded[..bytes.len()]);
            rest = more;
        }
    }
}

/// The first vector of the bytes.
#[inline(always)]
fn vector<L: Pixels, const CONSTANTS: bool>(
    lanes: L,
    [slopes, constants]: &Pattern<L::Vector>,
    factor: L::Vector,
    bytes: &mut [u8],
) {
    let mut values = lanes.values(lanes.load_bytes(bytes));
    for half in 0..2 {
        values[half] = lanes.multiply_high(values[half], slopes[half]);
        if CONSTANTS {
            values[half] = lanes.add(values[half], constants[half]);
        }
    }
    lanes.store_bytes(lanes.bytes(values, factor), bytes);
}

fn with_alpha([r, g, b]: [i16; 3], alpha: i16) -> [i16; 4] {
    [r, g, b, alpha]
}

/// The numbers of channels for the bytes from the `first` of a row on, in the halves of [`Pixels::values`].
#[inline(always)]
fn pattern<L: Pixels, const CHANNELS: usize>(
    lanes: L,
    numbers: [i16; 4],
    first: usize,
) -> [L::Vector; 2] {
    let mut repeated = [0; BYTES_MAX];
    for (at, number) in repeated.iter_mut().enumerate() {
        *number = numbers[(first + at) % CHANNELS];
    }
    in_halves(lanes, &repeated)
}

/// Looks every channel up in its table, byte by byte: what machines do without an instruction for it.
pub(super) fn look_up([red, green, blue]: &[[u8; 256]; 3], raster: &mut Raster<'_>) {
    let channels = raster.channels;
    for piece in raster.pieces() {
        if channels == 4 {
            for [r, g, b, _] in piece.as_chunks_mut::<4>().0 {
                (*r, *g, *b) =
                    (red[usize::from(*r)], green[usize::from(*g)], blue[usize::from(*b)]);
            }
        } else {
            for [r, g, b] in piece.as_chunks_mut::<3>().0 {
                (*r, *g, *b) =
                    (red[usize::from(*r)], green[usize::from(*g)], blue[usize::from(*b)]);
            }
        }
    }
}
