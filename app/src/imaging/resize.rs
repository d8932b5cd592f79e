//! Smaller copies of RGB, or of luma and chroma, by convolution: `resize::taps` has the weights, `resize::bands` the work.
//!
//! The filter is Hamming: about the sharpness of bicubic at the cost of the triangle filter, and without the halos that
//! Lanczos and bicubic draw along edges. It works on the sRGB values as stored, as browsers and phones do; averaging in linear light would
//! keep fine bright detail a little brighter but costs two more passes, and the page would no longer look like the preview.

mod bands;
mod taps;

use fearless_simd::Level;
use image::RgbImage;

use self::bands::Resize;
pub use self::bands::Scratch;
use self::taps::Side;
use super::buffers::Workbench;
use super::lanes::with_lanes;
use super::orient::Mirrored;
use super::planar::{Planar, Sampling, samples};

/// The size of a rendition `width` pixels wide of a picture of this size: never wider than the picture, the height follows.
pub fn fit(picture_width: u32, picture_height: u32, width: u32) -> (u32, u32) {
    let width = width.clamp(1, picture_width.max(1));
    // Rounded to the nearest; at least one pixel for strips.
    let scaled = u64::from(picture_height) * u64::from(width) * 2 + u64::from(picture_width);
    let height = scaled / (2 * u64::from(picture_width.max(1)));
    (width, (height as u32).max(1))
}

/// A copy of exactly this size.
pub fn resize(bench: &mut Workbench, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let mut out = bench.picture(width, height);
    if picture.dimensions() == (width, height) {
        out.copy_from_slice(picture);
        return out;
    }
    resize_with(Level::new(), &mut bench.resizer, picture, &mut out);
    out
}

/// A copy of exactly this size; of chroma there is half as much in either direction, whatever there was, unless the picture
/// [is ready](Planar::is_ready). Along a side of an odd number of pixels, the sample that is for a single one is the last, or the first where `mirrored` says so: turned
/// upright, it is the last one then.
pub fn resize_planar(
    bench: &mut Workbench,
    planar: &Planar,
    (width, height): (u32, u32),
    mirrored: Mirrored,
) -> Planar {
    if planar.is_ready((width, height), mirrored) {
        let sampling = planar.chroma.as_ref().map(|chroma| chroma.sampling);
        let mut out = Planar::new((width, height), sampling, |bytes| bench.bytes(bytes));
        for ((_, from), (_, to)) in planar.planes().zip(out.planes_mut()) {
            to.copy_from_slice(from);
        }
        return out;
    }
    let sampling = planar.chroma.as_ref().map(|_| Sampling::HALVED);
    let mut out = Planar::new((width, height), sampling, |bytes| bench.bytes(bytes));
    resize_planar_with(Level::new(), &mut bench.resizer, planar, mirrored, &mut out);
    out
}

/// From more pixels than these for one, a picture in between is made first: weights of 1/32,768 are too coarse for so many.
const RATIO_MAX: usize = 256;
/// So many of its pixels are one.
const RATIO_BETWEEN: usize = 64;

/// Fills the smaller picture from the larger one, with the instructions of `level`.
pub fn resize_with(level: Level, scratch: &mut Scratch, picture: &RgbImage, out: &mut RgbImage) {
    let side = |from: u32, to: u32| Side::whole(from as usize, to as usize);
    let (across, down) = (side(picture.width(), out.width()), side(picture.height(), out.height()));
    if !picture.is_empty() && !out.is_empty() {
        convolve::<3>(level, scratch, picture, [across, down], out);
    }
}

/// The same for planes; `out` has chroma if `planar` has.
pub fn resize_planar_with(
    level: Level,
    scratch: &mut Scratch,
    planar: &Planar,
    mirrored: Mirrored,
    out: &mut Planar,
) {
    let side = |from: u32, to: u32| Side::whole(from as usize, to as usize);
    let luma = [side(planar.width, out.width), side(planar.height, out.height)];
    if planar.luma.is_empty() || out.luma.is_empty() {
        return;
    }
    convolve::<1>(level, scratch, &planar.luma, luma, &mut out.luma);
    if let (Some(from), Some(to)) = (&planar.chroma, &mut out.chroma) {
        let (old, new) = (from.sampling, to.sampling);
        let halved = [
            (old.halved_across, new.halved_across, mirrored.across),
            (old.halved_down, new.halved_down, mirrored.down),
        ];
        let sides = [0, 1].map(|side| chroma_side(luma[side], halved[side]));
        convolve::<1>(level, scratch, &from.blue, sides, &mut to.blue);
        convolve::<1>(level, scratch, &from.red, sides, &mut to.red);
    }
}

/// A side of chroma, whose samples stay where they are in the picture.
fn chroma_side(luma: Side, (was_halved, is_halved, is_mirrored): (bool, bool, bool)) -> Side {
    // The sample of a single pixel is where that is.
    let is_halved = is_halved && luma.to > 1;
    let pixels = |halved: bool| if halved { 2 } else { 1 };
    Side {
        from: samples(luma.from, was_halved),
        to: samples(luma.to, is_halved),
        step: (luma.from * pixels(is_halved), luma.to * pixels(was_halved)),
        begins_outside: is_halved && is_mirrored && luma.to % 2 == 1,
    }
}

/// Fills rows of the new size from rows of the old one, both without gaps. `sides`: across and down.
fn convolve<const CHANNELS: usize>(
    level: Level,
    scratch: &mut Scratch,
    from: &[u8],
    sides: [Side; 2],
    to: &mut [u8],
) {
    let between = sides.map(|side| {
        let is_far = side.from / RATIO_MAX >= side.to;
        if is_far { RATIO_BETWEEN * side.to } else { side.from }
    });
    if between != sides.map(|side| side.from) {
        let mut smaller = vec![0; CHANNELS * between[0] * between[1]];
        let first = [0, 1].map(|at| Side::whole(sides[at].from, between[at]));
        let then = [0, 1].map(|at| {
            let Side { from, step, .. } = sides[at];
            let step = (step.0 * between[at], step.1 * from);
            Side { from: between[at], step, ..sides[at] }
        });
        convolve::<CHANNELS>(level, scratch, from, first, &mut smaller);
        convolve::<CHANNELS>(level, scratch, &smaller, then, to);
        return;
    }
    let [across, down] = sides.map(|side| scratch.taps(side));
    let resize = Resize::<CHANNELS> { from, down, across };
    with_lanes!(level, lanes => resize.run(lanes, scratch, to));
}
