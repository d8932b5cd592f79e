//! Pixels: what an uploaded picture becomes. No I/O, no clock, no async; the same bytes in give the same bytes out.
//!
//! In the order a picture meets them: [`probe()`] (headers only: is it acceptable?) -> `decode` -> `resize` -> `orient` -> `profile`
//! (to sRGB) -> `filters` (what a look is), made of `functions` (point filters; `kernels` computes them) and `spatial` (those that look
//! around) -> `watermark` -> `encode`; `pipeline` is the ordered list of these steps and [`render`] its front door; `buffers` lends them memory.
//! `jpeg` reads most JPEGs, as the planes of `planar`, and writes them all; `png` and `webp` read theirs; `raster` is what filters work on, `lanes` the vector arithmetic
//! that they are written in. `landscape` paints the pictures that seeds and benches use.
//! All metadata of the original (place, camera) is dropped; a colour profile is applied first, so that renditions are sRGB.

pub mod buffers;
pub mod decode;
pub mod encode;
pub mod filters;
pub mod functions;
pub mod jpeg;
pub mod kernels;
pub mod landscape;
pub mod lanes;
pub mod orient;
pub mod pipeline;
pub mod planar;
mod png;
pub mod probe;
pub mod profile;
pub mod raster;
pub mod resize;
pub mod spatial;
pub mod watermark;
mod webp;

pub use image::RgbImage;

pub use self::pipeline::{Effort, RenderRequest, Rendition, render};
pub use self::probe::{Probe, probe};
pub use self::raster::Raster;
pub use self::watermark::Watermark;
use crate::model::PictureFormat;

/// How large a picture may be. Decoders are told, so that a small file cannot claim much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height of what is decoded.
    pub pixels_max: u64,
    /// Width times height of a JPEG that can be decoded at a fraction of its size, so that its pixels are never there all at once.
    pub streamed_pixels_max: u64,
    /// Neither side is longer: JPEG cannot hold more than 65,535, and strips serve nobody.
    pub side_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(40_000_000)
    }
}

impl Limits {
    /// So many decoded pixels at most, and [`STREAMED_TIMES`] as many of a JPEG that is decoded at a fraction of its size.
    pub fn of(pixels_max: u64) -> Self {
        let streamed_pixels_max = pixels_max.saturating_mul(STREAMED_TIMES);
        Self { pixels_max, streamed_pixels_max, side_max: 30_000 }
    }

    /// Refuses a picture of this size when it is over a limit.
    pub fn check(&self, width: u32, height: u32) -> Result<(), ImagingError> {
        self.check_against(self.pixels_max, width, height)
    }

    /// [`Limits::check`] of a JPEG that can be decoded at a fraction of its size: what is decoded for its widest rendition must be within the limit.
    pub fn check_streamed(&self, width: u32, height: u32) -> Result<(), ImagingError> {
        self.check_against(self.streamed_pixels_max, width, height)?;
        let eighths = (8 * u64::from(RENDITION_WIDTH_MAX)).div_ceil(u64::from(width).max(1));
        let (width, height) = jpeg::scaled_size(width, height, eighths.min(8) as u32);
        self.check_against(self.pixels_max, width, height)
    }

    fn check_against(&self, pixels_max: u64, width: u32, height: u32) -> Result<(), ImagingError> {
        if u64::from(width) * u64::from(height) > pixels_max {
            let megapixels_max = pixels_max as f64 / 1e6;
            return Err(ImagingError::TooManyPixels { width, height, megapixels_max });
        }
        if width.max(height) > self.side_max {
            return Err(ImagingError::TooLong { width, height, side_max: self.side_max });
        }
        Ok(())
    }
}

/// Phones take up to 200 megapixels, five times the 40 that are decoded at most.
const STREAMED_TIMES: u64 = 6;
/// No rendition is wider.
pub const RENDITION_WIDTH_MAX: u32 = 2_048;

/// Why a picture is not accepted, in words its owner can act on. All of them but [`ImagingError::Cancelled`] are permanent: trying again
/// with the same bytes gives the same answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImagingError {
    /// No known picture format begins like this.
    #[error("This file is not a picture. Choose a JPEG, PNG or WebP file.")]
    NotAPicture,
    /// A picture, but of a format that is not accepted.
    #[error(
        "This is a {found} file; JPEG, PNG and WebP are accepted. Save it as JPEG and try again."
    )]
    UnsupportedFormat {
        /// "GIF", "HEIC", ...
        found: &'static str,
    },
    /// A rare kind of an accepted format.
    #[error("This {} uses {kind}, which is not supported. Save it as an ordinary JPEG and try again.", name(*.format))]
    UnsupportedKind {
        /// The format.
        format: PictureFormat,
        /// What is special about it.
        kind: &'static str,
    },
    /// Too many pixels.
    #[error(
        "This picture is {width} x {height} pixels; at most {megapixels_max} megapixels are accepted. Save a smaller copy and try again."
    )]
    TooManyPixels {
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
        /// The limit.
        megapixels_max: f64,
    },
    /// One side is too long.
    #[error(
        "This picture is {width} x {height} pixels; neither side may be longer than {side_max}. Crop it and try again."
    )]
    TooLong {
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
        /// The limit.
        side_max: u32,
    },
    /// Right format, broken contents.
    #[error(
        "This {} is damaged ({reason}). Open it in a picture program, save it again and try the new file.",
        name(*.format)
    )]
    Damaged {
        /// The format.
        format: PictureFormat,
        /// What the decoder met.
        reason: String,
    },
    /// The file ends before its picture does.
    #[error(
        "This {} is incomplete: its end is missing. Perhaps it was not copied or downloaded to its end. Get it again from where it came from; if it is no better there, open it in a picture program, save it again and try the new file.",
        name(*.format)
    )]
    Incomplete {
        /// The format.
        format: PictureFormat,
    },
    /// A version names a look that this build does not have.
    #[error("The look `{name}` is not known here. Choose another one.")]
    UnknownFilter {
        /// What the version names.
        name: String,
    },
    /// Whoever asked for it called it off.
    #[error("Making this picture was called off. Try again.")]
    Cancelled,
    /// The encoder refused: a side that is too long for the format.
    #[error("The finished picture could not be written: {reason}")]
    Encoding {
        /// What the encoder said.
        reason: String,
    },
}

impl ImagingError {
    pub(crate) fn damaged(format: PictureFormat, reason: impl ToString) -> Self {
        Self::Damaged { format, reason: reason.to_string() }
    }
}

/// The format's name as people write it.
pub(crate) fn name(format: PictureFormat) -> &'static str {
    match format {
        PictureFormat::Jpeg => "JPEG",
        PictureFormat::Png => "PNG",
        PictureFormat::Webp => "WebP",
    }
}
