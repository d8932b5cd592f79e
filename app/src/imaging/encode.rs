//! Pixels to JPEG: quality 85, colour at half resolution (4:2:0), baseline, no metadata.
//!
//! Quality 85 is where photos stop looking compressed at normal viewing distance; 4:2:0 saves about a fifth more and is not
//! seen on photos. Baseline with the standard Huffman tables: optimised tables would save 5 to 8 % for a second pass over
//! the coefficients. `docs/decisions/jpeg-crates.md` has the figures of the crates.

use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::ImagingError;

/// The quality of every rendition.
pub const JPEG_QUALITY: u8 = 85;

/// Encodes the picture; only a side over 65,535 pixels fails.
pub fn jpeg(picture: &RgbImage) -> Result<Vec<u8>, ImagingError> {
    let encoding = |reason: String| ImagingError::Encoding { reason };
    let side = |pixels: u32| {
        u16::try_from(pixels).map_err(|_| encoding(format!("{pixels} pixels are too many")))
    };
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    // Photos at this quality take 0.1 to 0.3 bytes a pixel: one allocation nearly always suffices.
    let mut out = Vec::with_capacity(picture.as_raw().len() / 12 + 1024);
    let mut encoder = Encoder::new(&mut out, JPEG_QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(picture.as_raw(), width, height, ColorType::Rgb)
        .map_err(|error| encoding(error.to_string()))?;
    Ok(out)
}
