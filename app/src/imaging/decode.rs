//! Bytes to pixels: `jpeg` for all JPEGs, `png` and `webp` for theirs.
//!
//! Whole or not at all: a truncated file is an error, never a picture with a grey area (a progressive JPEG that ends early, but
//! in good order and with its end marker, is shown as far as it goes). What follows the last pixel is not looked at. Memory is bounded by the limits that
//! were checked on the headers and are handed to the decoders again: per megapixel 1.5 MB for a baseline JPEG whose chroma has half size, as a photo's has, and 3 MB
//! for any other and for a PNG, 9 MB for a progressive one or one of several scans, at most 15 MB for one in printing inks and 14 MB for a WebP. A baseline JPEG may have more
//! pixels than are decoded at most: it is decoded at a fraction of its size. Transparent pictures are laid on white.
//! `resize` gets the pixels next, still as they were stored; `orient` turns them afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fearless_simd::Level;
use image::RgbImage;

use super::buffers::Workbench;
use super::planar::Planar;
use super::profile::{InksToSrgb, ycc_to_rgb};
use super::{ImagingError, Limits, Probe, jpeg, png, webp};
use crate::model::PictureFormat;

/// A decoded picture, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// PNG, WebP, and JPEGs in RGB, inks or a rare sampling.
    Rgb(RgbImage),
    /// All other JPEGs.
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
    let eighths = eighths.clamp(1, 8) as u32;
    decode_eighths(bench, bytes, probe, limits, within(limits, probe, eighths, width))
}

/// So many eighths, or fewer if they would be more pixels than are decoded at most: with less of a margin then, though never narrower than `width`.
fn within(limits: &Limits, probe: &Probe, eighths: u32, width: u32) -> u32 {
    let (stored_width, stored_height) = probe.stored_size();
    let size = |eighths: u32| jpeg::scaled_size(stored_width, stored_height, eighths);
    let fits = |eighths: &u32| {
        let (across, down) = size(*eighths);
        u64::from(across) * u64::from(down) <= limits.pixels_max
    };
    let wide_enough = |eighths: &u32| size(*eighths).0 >= width;
    (1..=eighths).rev().filter(wide_enough).find(fits).unwrap_or(eighths)
}

/// To `eighths` of the size, if the file is a JPEG; otherwise to all of it.
fn decode_eighths(
    bench: &mut Workbench,
    bytes: &[u8],
    probe: &Probe,
    limits: &Limits,
    eighths: u32,
) -> Result<Decoded, ImagingError> {
    let format = probe.format;
    if format == PictureFormat::Jpeg {
        return whole_jpeg(bench, bytes, probe, limits, eighths);
    }
    // The decoders are other people's code fed with strangers' bytes: a panic in there is a damaged picture to us. They
    // own all they touch, so nothing half-changed survives the unwinding.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        PictureFormat::Webp => webp::decode(bench, bytes, limits),
        _ => png::decode(bench, bytes, limits),
    }));
    let picture =
        decoded.unwrap_or_else(|_| Err(ImagingError::damaged(format, "the decoder gave up")))?;
    if picture.dimensions() != probe.stored_size() {
        return Err(ImagingError::damaged(format, "its headers contradict each other"));
    }
    Ok(Decoded::Rgb(picture))
}

/// A JPEG whose last pixel is there; what `jpeg` streams, it streams.
fn whole_jpeg(
    bench: &mut Workbench,
    bytes: &[u8],
    probe: &Probe,
    limits: &Limits,
    eighths: u32,
) -> Result<Decoded, ImagingError> {
    let format = PictureFormat::Jpeg;
    let refusal = |damage| match damage {
        jpeg::Damage::Ended => ImagingError::Incomplete { format },
        jpeg::Damage::Wrong(reason) => ImagingError::damaged(format, reason),
    };
    let (width, height) = probe.stored_size();
    let streamed = jpeg::Frame::read(bytes);
    if let Some(frame) = streamed.filter(|frame| (frame.width, frame.height) == (width, height)) {
        // `probe` has asked whether it can be made small enough.
        let decoded = jpeg::decode(&frame, eighths, Level::new(), |bytes| bench.bytes(bytes));
        return decoded.map(Decoded::Planar).map_err(refusal);
    }
    limits.check(width, height)?;
    let read = jpeg::decode_scans(bytes, eighths, Level::new(), |bytes| bench.bytes(bytes));
    match read.map_err(refusal)? {
        jpeg::Read::Planar(planar) => Ok(Decoded::Planar(planar)),
        jpeg::Read::Separate(separate) => {
            let picture = joined(bench, &separate, bytes);
            separate.into_planes().for_each(|plane| bench.keep(plane));
            picture.map(Decoded::Rgb)
        }
    }
}

/// RGB of components that lie apart; inks by the file's profile, if it has one for them.
fn joined(
    bench: &mut Workbench,
    separate: &jpeg::Separate,
    bytes: &[u8],
) -> Result<RgbImage, ImagingError> {
    let (width, height) = (separate.width, separate.height);
    let mut picture = bench.picture(width, height);
    let meaning = separate.meaning();
    let is_ycck = meaning == jpeg::Meaning::YccInks;
    if (is_ycck || meaning == jpeg::Meaning::Inks)
        && let Some(to_srgb) = InksToSrgb::embedded(bytes)
    {
        let mut inks = vec![0; width as usize * height as usize * 4];
        for (y, row) in (0..height).zip(inks.chunks_exact_mut(width as usize * 4)) {
            separate.row(y, row);
        }
        let failed =
            || ImagingError::damaged(PictureFormat::Jpeg, "its colour profile does not fit it");
        to_srgb.apply(&mut inks, is_ycck, &mut picture).ok_or_else(failed)?;
        return Ok(picture);
    }
    let mut row = vec![0; width as usize * separate.channels()];
    for (y, pixels) in (0..height).zip(picture.chunks_exact_mut(width as usize * 3)) {
        separate.row(y, &mut row);
        for (stored, pixel) in
            row.chunks_exact(separate.channels()).zip(pixels.as_chunks_mut::<3>().0)
        {
            *pixel = match (meaning, stored) {
                (jpeg::Meaning::Ycc, [y, cb, cr]) => ycc_to_rgb([*y, *cb, *cr]),
                (jpeg::Meaning::Rgb, [red, green, blue]) => [*red, *green, *blue],
                // The inks' complements are what is left of white, and black takes its share of that.
                (jpeg::Meaning::Inks, [c, m, y, k]) => [*c, *m, *y].map(|left| share(left, *k)),
                (jpeg::Meaning::YccInks, [y, cb, cr, k]) => {
                    ycc_to_rgb([*y, *cb, *cr]).map(|ink| share(255 - ink, *k))
                }
                (_, _) => unreachable!("headers say how many components a kind of colours has"),
            };
        }
    }
    Ok(picture)
}

/// The product of two levels as parts of 255, rounded.
fn share(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
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
