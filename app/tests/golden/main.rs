//! Pictures in, pictures out: the imaging room judged from outside.
//!
//! `kernels` compares the looks with the W3C specification in floating point and the fast twin with the readable one; `pictures`
//! compares whole pictures with stored ones, `checksums` bytes; `formats` checks which files are understood, `stills` what is taken of
//! those that are more or less than a picture, `colours` that they are converted as a browser converts them; `jpeg` holds
//! the scaled JPEG decoder against another one; `spatial` the filters that look around and `blurs` the blurs against their formulas; `resize` holds
//! smaller copies against their formula, `planar` pictures of luma and chroma against formulas and against the image crate, `pipeline` that cores and cancelling change nothing else; `bad_input` that no file does harm, and `samplings` that no JPEG is
//! read as another picture; `fuzzing` runs the fuzz targets over their seeds.
//! `UPDATE_GOLDEN=1 cargo nextest run -p photo-app --test golden` stores new pictures; look at them before committing.

mod bad_input;
mod blurs;
mod checksums;
mod colours;
mod formats;
mod fuzzing;
mod jpeg;
mod kernels;
mod pictures;
mod pipeline;
mod planar;
mod resize;
mod samplings;
mod spatial;
mod stills;
mod strangers;

use image::RgbImage;
use photo_app::imaging::{Effort, Limits, RenderRequest, Watermark, filters};
use photo_app::model::RenditionFormats;

/// A picture of whole numbers, the same on every machine: gradients, steps, and a texture without order.
pub fn test_card(width: u32, height: u32) -> RgbImage {
    let mut state = 0x2545_F491_u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 27) as u8;
        let red = (x * 255 / width.max(2).saturating_sub(1)).min(255) as u8;
        let green = (y * 255 / height.max(2).saturating_sub(1)).min(255) as u8;
        let blue = if (x / 8 + y / 8) % 2 == 0 { 224 } else { 16 };
        image::Rgb([red, green, blue + noise / 2])
    })
}

/// The request that changes nothing but the size.
pub fn plain<'a>(bytes: &'a [u8], widths: &'a [u32]) -> RenderRequest<'a> {
    RenderRequest {
        bytes,
        filter: filters::ORIGINAL,
        strength: 100,
        formats: RenditionFormats::Jpeg,
        watermark: Watermark::None,
        widths,
        limits: Limits::default(),
        effort: Effort::default(),
    }
}

/// A small generator for tests that need many random bytes.
pub struct Random(pub u32);

impl Random {
    /// 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.bits() as usize % bound
    }
}
