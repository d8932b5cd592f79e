//! Bytes to pixels: `jpeg` for JPEGs as cameras and phones write them, zune-jpeg for all others; `png` and `webp` for theirs.
//!
//! Whole or not at all: a truncated file is an error, never a picture with a grey area (a progressive or rare JPEG that ends early, but
//! in good order, is shown as far as it goes: zune-jpeg does not tell). Memory is bounded by the limits that
//! were checked on the headers and are handed to the decoders again: per megapixel 1.5 MB for a baseline JPEG whose chroma has half size, as a photo's has, and 3 MB
//! for any other and for a PNG, 9 MB for a progressive one, at most 15 MB for a progressive one in printing inks and 14 MB for a WebP. Transparent pictures are laid on white.
//! `resize` gets the pixels next, still as they were stored; `orient` turns them afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fearless_simd::Level;
use image::RgbImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::buffers::Workbench;
use super::planar::Planar;
use super::probe::JpegSegments;
use super::profile::InksToSrgb;
use super::{ImagingError, Limits, Probe, jpeg, png, webp};
use crate::model::PictureFormat;

/// A progressive JPEG of more scans than this is an attack on CPU time (ten are usual).
const JPEG_SCANS_MAX: usize = 64;

/// A decoded picture, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// What zune-jpeg and the image crate make.
    Rgb(RgbImage),
    /// What `jpeg` makes.
    Planar(Planar),
}

impl Decoded {
    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::Rgb(picture) => picture.dimensions(),
            Self::Planar(planar) => planar.dimensions(),
        }
    }

    /// Its memory goes to the bench.
    pub fn put_back(self, bench: &mut Workbench) {
        match self {
            Self::Rgb(picture) => bench.recycle(picture),
            Self::Planar(planar) => bench.recycle_planar(planar),
        }
    }

    /// RGB in memory of the bench, which gets the planes.
    pub fn into_rgb(self, bench: &mut Workbench) -> RgbImage {
        match self {
            Self::Rgb(picture) => picture,
            Self::Planar(planar) => {
                let mut picture = bench.picture(planar.width, planar.height);
                jpeg::to_rgb(&planar, Level::new(), &mut picture);
                bench.recycle_planar(planar);
                picture
            }
        }
    }
}

/// Decodes what `probe` accepted, as stored (not yet upright).
pub fn decode(bytes: &[u8], probe: &Probe, limits: &Limits) -> Result<RgbImage, ImagingError> {
    let mut bench = Workbench::default();
    let decoded = decode_eighths(&mut bench, bytes, probe, limits, 8)?;
    Ok(decoded.into_rgb(&mut bench))
}

/// A JPEG is decoded to this many times the width that is needed, at least: the resize that follows then hides what the blocks of
/// a scaled decode leave at their edges. Measured on a mosaic of photographs (docs/decisions/jpeg-crates.md): from 5/3 on the result is
/// 45 dB or more from the one by way of the full size, which is far below what JPEG itself takes.
const SCALED_MARGIN: (u64, u64) = (5, 3);

/// Blocks of seven pixels are hardly finer than those of six: where these are this many times the width, they do, at 45 dB.
const SIX_EIGHTHS_MARGIN: (u64, u64) = (7, 5);

/// [`decode`] into memory of the bench, for a picture of `width` pixels, as stored: what comes back may be smaller than the
/// original, though never narrower than that. Its sides have the original's proportions, rounded up.
pub fn decode_for(
    bench: &mut Workbench,
    bytes: &[u8],
    probe: &Probe,
    limits: &Limits,
    width: u32,
) -> Result<Decoded, ImagingError> {
    let (times, over) = SCALED_MARGIN;
    let stored_width = u64::from(probe.stored_size().0).max(1);
    let eighths = (8 * u64::from(width) * times).div_ceil(over * stored_width);
    let (times, over) = SIX_EIGHTHS_MARGIN;
    let six_do = 8 * u64::from(width) * times <= 6 * over * stored_width;
    let eighths = if eighths == 7 && six_do { 6 } else { eighths };
    decode_eighths(bench, bytes, probe, limits, eighths.clamp(1, 8) as u32)
}

/// To `eighths` of the size, if the file is one for `jpeg`; otherwise to all of it.
fn decode_eighths(
    bench: &mut Workbench,
    bytes: &[u8],
    probe: &Probe,
    limits: &Limits,
    eighths: u32,
) -> Result<Decoded, ImagingError> {
    let format = probe.format;
    if format == PictureFormat::Jpeg
        && let Some(frame) = jpeg::Frame::read(bytes)
        && (frame.width, frame.height) == probe.stored_size()
    {
        limits.check(frame.width, frame.height)?;
        let decoded = jpeg::decode(&frame, eighths, Level::new(), |bytes| bench.bytes(bytes));
        let damaged = |jpeg::Damage(reason)| ImagingError::damaged(format, reason);
        return decoded.map(Decoded::Planar).map_err(damaged);
    }
    // The decoders are other people's code fed with strangers' bytes: a panic in there is a damaged picture to us. They
    // own all they touch, so nothing half-changed survives the unwinding.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        PictureFormat::Jpeg => whole_jpeg(bench, bytes, limits),
        PictureFormat::Png => png::decode(bench, bytes, limits),
        PictureFormat::Webp => webp::decode(bench, bytes, limits),
    }));
    let picture =
        decoded.unwrap_or_else(|_| Err(ImagingError::damaged(format, "the decoder gave up")))?;
    if picture.dimensions() != probe.stored_size() {
        return Err(ImagingError::damaged(format, "its headers contradict each other"));
    }
    Ok(Decoded::Rgb(picture))
}

fn whole_jpeg(
    bench: &mut Workbench,
    bytes: &[u8],
    limits: &Limits,
) -> Result<RgbImage, ImagingError> {
    let damaged =
        |reason: &dyn ToString| ImagingError::damaged(PictureFormat::Jpeg, reason.to_string());
    if !jpeg_is_complete(bytes) {
        return Err(damaged(&"its end is missing"));
    }
    let side_max = limits.side_max as usize;
    let options = DecoderOptions::new_fast()
        .set_strict_mode(true)
        .set_max_width(side_max)
        .set_max_height(side_max)
        .jpeg_set_max_scans(JPEG_SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged(&"its size is missing"))?;
    let (width, height) = (width as u32, height as u32);
    limits.check(width, height)?;
    let mut picture = bench.picture(width, height);
    // The memory may hold another person's picture: should the decoder ever leave a pixel unwritten, it must not show.
    picture.fill(0);
    if let Some(space @ (ColorSpace::CMYK | ColorSpace::YCCK)) = decoder.input_colorspace()
        && let Some(to_srgb) = InksToSrgb::embedded(bytes)
    {
        decoder.set_options(options.jpeg_set_out_colorspace(space));
        let mut inks = vec![0; width as usize * height as usize * 4];
        decoder.decode_into(&mut inks).map_err(|error| damaged(&error))?;
        let failed = || damaged(&"its colour profile does not fit it");
        to_srgb.apply(&mut inks, space == ColorSpace::YCCK, &mut picture).ok_or_else(failed)?;
        return Ok(picture);
    }
    decoder.decode_into(&mut picture).map_err(|error| damaged(&error))?;
    Ok(picture)
}

/// Whether the end-of-image marker follows the last scan. Decoders fill what is missing with grey instead of failing when
/// the cut lies in the last rows, so this is asked first; it reads each byte once (about 1 ms for 5 MB).
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    // Inside a scan FF is followed by 00 or a restart marker, both of which `next_segment` passes over.
    let mut segments = JpegSegments::new(bytes);
    while let Some((marker, _)) = segments.next_segment() {
        if marker == 0xD9 {
            return true;
        }
    }
    false
}

/// The limits in the image crate's words: 8 bytes a pixel is its largest layout here (16-bit RGBA).
pub(super) fn crate_limits(limits: &Limits) -> image::Limits {
    let mut theirs = image::Limits::default();
    theirs.max_image_width = Some(limits.side_max);
    theirs.max_image_height = Some(limits.side_max);
    theirs.max_alloc = Some(limits.pixels_max.saturating_mul(8).saturating_add(16 << 20));
    theirs
}

/// A pixel laid on white: c * a + 255 * (1 - a), rounded. Blended on the sRGB values, as browsers do.
pub(super) fn on_white(colour: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    colour.map(|level| ((u32::from(level) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}
