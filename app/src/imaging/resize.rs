//! Smaller copies, by convolution (fast_image_resize).
//!
//! The filter is Hamming: about the sharpness of bicubic at the cost of the triangle filter, and without the halos that
//! Lanczos and bicubic draw along edges. It works on the sRGB values as stored, as browsers and phones do; averaging in linear light would
//! keep fine bright detail a little brighter but costs two more passes, and the page would no longer look like the preview.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions};
use image::RgbImage;

use super::buffers::Workbench;

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
    let from = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture);
    let to = TypedImage::<U8x3>::from_buffer(width, height, &mut out);
    let (from, mut to) = (
        from.expect("an RgbImage holds exactly its pixels"),
        to.expect("an RgbImage holds exactly its pixels"),
    );
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Hamming));
    let resized = bench.resizer.resize_typed(&from, &mut to, &options);
    resized.expect("no cropping is asked for, which alone can fail");
    out
}
