//! Pixels to JPEG (`jpeg`: quality 85, colour at half resolution (4:2:0), baseline) and to lossy WebP (libwebp); no metadata in either.
//!
//! Quality 85 is where photos stop looking compressed at normal viewing distance; 4:2:0 saves about a fifth more and is not
//! seen on photos. Baseline with the standard Huffman tables: optimised tables would save 2 to 8 % for a second pass over
//! the coefficients. `docs/decisions/jpeg-crates.md` has the figures of the crates.

use fearless_simd::Level;
use image::RgbImage;

use webp::{PixelLayout, WebPConfig};

use super::planar::Planar;
use super::{ImagingError, jpeg};

/// The quality of every rendition.
pub const JPEG_QUALITY: u8 = 85;

/// The quality of every WebP, on libwebp's own scale: about as close to the picture as our JPEG.
pub const WEBP_QUALITY: f32 = 80.0;
/// libwebp's effort, 0 to 6: see docs/decisions/webp.md for what each costs and saves.
pub const WEBP_METHOD: i32 = 2;
/// libwebp refuses longer sides (14 bits).
pub const WEBP_SIDE_MAX: u32 = 16_383;

/// Encodes the picture as lossy WebP with libwebp; only a side over [`WEBP_SIDE_MAX`] pixels fails. Renditions are at most 2,048
/// pixels wide, and a photo's own height may be longer only for strips of over 1:8.
pub fn webp(picture: &RgbImage) -> Result<Vec<u8>, ImagingError> {
    let failed = |reason: String| ImagingError::Encoding { reason };
    let (width, height) = picture.dimensions();
    let mut config =
        WebPConfig::new().map_err(|()| failed("libwebp is of another version".to_owned()))?;
    config.quality = WEBP_QUALITY;
    config.method = WEBP_METHOD;
    let encoder = webp::Encoder::new(picture.as_raw(), PixelLayout::Rgb, width, height);
    let encoded = encoder.encode_advanced(&config);
    encoded.map(|bytes| bytes.to_vec()).map_err(|error| failed(format!("{error:?}")))
}

/// Encodes the picture; only a side over 65,535 pixels fails.
pub fn jpeg(picture: &RgbImage) -> Result<Vec<u8>, ImagingError> {
    written(picture.dimensions(), |options, out| {
        jpeg::encode(picture, picture.dimensions(), options, Level::new(), out)
    })
}

/// [`jpeg()`] of a picture that has never been RGB and whose chroma [is halved](Planar::is_halved).
pub fn planar_jpeg(planar: &Planar) -> Result<Vec<u8>, ImagingError> {
    written(planar.dimensions(), |options, out| {
        jpeg::encode_planar(planar, options, Level::new(), out)
    })
}

fn written(
    (width, height): (u32, u32),
    write: impl FnOnce(jpeg::Options, &mut Vec<u8>) -> Result<(), jpeg::WrongSide>,
) -> Result<Vec<u8>, ImagingError> {
    // Photos at this quality take 0.1 to 0.3 bytes a pixel: one allocation nearly always suffices.
    let mut out = Vec::with_capacity(width as usize * height as usize / 4 + 1024);
    let options = jpeg::Options { quality: JPEG_QUALITY, codes: jpeg::Codes::Usual };
    let written = write(options, &mut out);
    written.map_err(|error| ImagingError::Encoding { reason: error.to_string() })?;
    Ok(out)
}
