//! Luma and chroma to RGB: YCbCr as JFIF defines it (BT.601, full range), or grey.
//!
//! All pixels of a sample of chroma get the same: renditions are written with chroma at half size again, as the mean of the same pixels, and so
//! come out with the chroma that they had. Smoother transitions would be blurred twice (docs/decisions/planes.md).

use super::super::planar::{Chroma, Planar};
use super::blocks::{Blocks, LANES_MAX};

/// How much larger values are than levels: there is room for the brightest blue, 1.8 times white.
const TIMES: i8 = 1 << SHIFT;
const SHIFT: u32 = 6;
/// What of a colour is added to what, times 32,768; red and blue take the whole of theirs besides.
const RED_OF_CR: i16 = 13_173;
const GREEN_OF_CB: i16 = 11_277;
const GREEN_OF_CR: i16 = 23_401;
const BLUE_OF_CB: i16 = 25_297;

/// The most pixels at a time.
const RUN_MAX: usize = 2 * LANES_MAX;

/// Fills rows of RGB without gaps; neither side is zero.
#[inline(always)]
pub(super) fn to_rgb<L: Blocks>(lanes: L, planar: &Planar, pixels: &mut [u8]) {
    match &planar.chroma {
        Some(chroma) if chroma.sampling.halved_across => {
            coloured::<L, true>(lanes, planar, chroma, pixels);
        }
        Some(chroma) => coloured::<L, false>(lanes, planar, chroma, pixels),
        None => {
            let runs = pixels.chunks_mut(3 * 2 * L::COUNT);
            for (luma, run) in planar.luma.chunks(2 * L::COUNT).zip(runs) {
                put(lanes, [load(lanes, luma); 3], run);
            }
        }
    }
}

#[inline(always)]
fn coloured<L: Blocks, const HALVED_ACROSS: bool>(
    lanes: L,
    planar: &Planar,
    chroma: &Chroma,
    pixels: &mut [u8],
) {
    let width = planar.width as usize;
    let (across, _) = chroma.sampling.chroma_size(planar.width, planar.height);
    let together = if chroma.sampling.halved_down { 2 * width } else { width };
    let rows = planar.luma.chunks(together).zip(pixels.chunks_mut(3 * together));
    let colours = chroma.blue.chunks(across as usize).zip(chroma.red.chunks(across as usize));
    for ((luma, pixels), (blue, red)) in rows.zip(colours) {
        for left in (0..width).step_by(2 * L::COUNT) {
            let added = if HALVED_ACROSS {
                // The first half of a load is for these pixels.
                let blue = lanes.widen_both(load(lanes, &blue[left / 2..]))[0];
                let red = lanes.widen_both(load(lanes, &red[left / 2..]))[0];
                let (blue, red) = (lanes.shift_left(blue, SHIFT), lanes.shift_left(red, SHIFT));
                let [r, g, b] = colours_of(lanes, blue, red);
                [lanes.alternate(r, r), lanes.alternate(g, g), lanes.alternate(b, b)]
            } else {
                let (blue, red) = (load(lanes, &blue[left..]), load(lanes, &red[left..]));
                let blue = lanes.weigh::<TIMES, 0>(blue, blue);
                let red = lanes.weigh::<TIMES, 0>(red, red);
                let [r, g, b] = colours_of(lanes, blue[0], red[0]);
                let [others_r, others_g, others_b] = colours_of(lanes, blue[1], red[1]);
                [[r, others_r], [g, others_g], [b, others_b]]
            };
            for (luma, row) in luma.chunks_exact(width).zip(pixels.chunks_exact_mut(3 * width)) {
                let luma = load(lanes, &luma[left..]);
                let row = &mut row[3 * left..];
                let run = row.len().min(3 * 2 * L::COUNT);
                put(lanes, channels(lanes, luma, added), &mut row[..run]);
            }
        }
    }
}

/// Two vectors' bytes, or as many as there are.
#[inline(always)]
fn load<L: Blocks>(lanes: L, bytes: &[u8]) -> L::Bytes {
    if bytes.len() >= 2 * L::COUNT {
        return lanes.load_bytes(bytes);
    }
    let mut padded = [0; RUN_MAX];
    padded[..bytes.len()].copy_from_slice(bytes);
    lanes.load_bytes(&padded)
}

/// As many pixels as there is room for.
#[inline(always)]
fn put<L: Blocks>(lanes: L, channels: [L::Bytes; 3], to: &mut [u8]) {
    if to.len() == 3 * 2 * L::COUNT {
        lanes.interleave(channels, to);
        return;
    }
    let mut run = [0; 3 * RUN_MAX];
    lanes.interleave(channels, &mut run[..3 * 2 * L::COUNT]);
    to.copy_from_slice(&run[..to.len()]);
}

/// What chroma adds to red, green and blue; all are [`TIMES`] as large as levels.
#[inline(always)]
fn colours_of<L: Blocks>(lanes: L, blue: L::Vector, red: L::Vector) -> [L::Vector; 3] {
    let middle = lanes.splat(128 * i16::from(TIMES));
    let (cb, cr) = (lanes.subtract(blue, middle), lanes.subtract(red, middle));
    let green_of_cb = lanes.multiply_high(cb, lanes.splat(-GREEN_OF_CB));
    [
        lanes.add(cr, lanes.multiply_high(cr, lanes.splat(RED_OF_CR))),
        lanes.subtract(green_of_cb, lanes.multiply_high(cr, lanes.splat(GREEN_OF_CR))),
        lanes.add(cb, lanes.multiply_high(cb, lanes.splat(BLUE_OF_CB))),
    ]
}

/// Luma and what is added to it, as levels of red, green and blue.
#[inline(always)]
fn channels<L: Blocks>(lanes: L, luma: L::Bytes, added: [[L::Vector; 2]; 3]) -> [L::Bytes; 3] {
    let luma = lanes.weigh::<TIMES, 0>(luma, luma);
    let level = lanes.splat(i16::MAX / i16::from(TIMES) + 1);
    let mut sums = added;
    for channel in 0..3 {
        for half in 0..2 {
            let sum = lanes.add(luma[half], added[channel][half]);
            sums[channel][half] = lanes.multiply_high(sum, level);
        }
    }
    [lanes.narrow_both(sums[0]), lanes.narrow_both(sums[1]), lanes.narrow_both(sums[2])]
}
