//! Smaller copies, by convolution: `resize::taps` has the weights, `resize::bands` the work.
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
use super::buffers::Workbench;
use super::lanes::with_lanes;

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

/// From more pixels than these for one, a picture in between is made first: weights of 1/32,768 are too coarse for so many.
const RATIO_MAX: u32 = 256;
/// So many of its pixels are one.
const RATIO_BETWEEN: u32 = 64;

/// Fills the smaller picture from the larger one, with the instructions of `level`.
pub fn resize_with(level: Level, scratch: &mut Scratch, picture: &RgbImage, out: &mut RgbImage) {
    if picture.is_empty() || out.is_empty() {
        return;
    }
    let between = |from: u32, to: u32| {
        if from / RATIO_MAX >= to { RATIO_BETWEEN * to } else { from }
    };
    let (width, height) =
        (between(picture.width(), out.width()), between(picture.height(), out.height()));
    if (width, height) != picture.dimensions() {
        let mut smaller = RgbImage::new(width, height);
        resize_with(level, scratch, picture, &mut smaller);
        resize_with(level, scratch, &smaller, out);
        return;
    }
    let mut side = |from: u32, to: u32| scratch.taps(from as usize, to as usize);
    let resize = Resize {
        from: picture,
        row: 3 * picture.width() as usize,
        down: side(picture.height(), out.height()),
        across: side(picture.width(), out.width()),
    };
    with_lanes!(level, lanes => resize.run(lanes, scratch, out));
}
