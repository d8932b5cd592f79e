//! Filters that look at where a pixel is or at what is around it: sharpen, vignette.
//!
//! Unlike point filters (`kernels`) they cannot be fused with their neighbours, so each is one pass over the picture, row by row,
//! on rows that stay in the first cache. Every filter is a loop over the bytes of a row in 16-bit lanes, written so that compilers
//! turn it into vectors; [`SpatialFilter`] compiles that loop for the best instructions of the machine. The same loop without them
//! is the readable twin: integers in a fixed order, hence the same bits everywhere, which a test holds.

mod sharpen;
mod vignette;

use fearless_simd::Level;

pub use self::sharpen::Sharpen;
pub use self::vignette::Vignette;

/// Bytes of a pixel, and rows that may have gaps: RGB or RGBA, any stride.
#[derive(Debug)]
pub struct Raster<'a> {
    /// All rows, the last one without its gap.
    bytes: &'a mut [u8],
    width: usize,
    height: usize,
    channels: usize,
    stride: usize,
}

/// The measures of a raster do not fit its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{width} x {height} pixels of {channels} bytes, rows {stride} bytes apart, do not fit {bytes} bytes"
)]
pub struct WrongSize {
    width: usize,
    height: usize,
    channels: usize,
    stride: usize,
    bytes: usize,
}

impl<'a> Raster<'a> {
    /// `channels` is 3 (RGB) or 4 (RGBA; alpha is left as it is). `stride` is the distance of two rows in bytes.
    ///
    /// # Errors
    /// Another number of channels, a stride shorter than a row, or too few bytes.
    pub fn new(
        bytes: &'a mut [u8],
        (width, height): (usize, usize),
        channels: usize,
        stride: usize,
    ) -> Result<Self, WrongSize> {
        let wrong = WrongSize { width, height, channels, stride, bytes: bytes.len() };
        let row = width.checked_mul(channels).ok_or(wrong)?;
        let before = height.saturating_sub(1).checked_mul(stride).ok_or(wrong)?;
        let needed = if height == 0 { 0 } else { before.checked_add(row).ok_or(wrong)? };
        if !(3..=4).contains(&channels) || stride < row || bytes.len() < needed {
            return Err(wrong);
        }
        Ok(Self { bytes, width, height, channels, stride })
    }

    /// Without gaps.
    pub fn of(picture: &'a mut image::RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { bytes: picture, width, height, channels: 3, stride: width * 3 }
    }

    /// Rows, top to bottom, without their gaps.
    fn row(&mut self, y: usize) -> &mut [u8] {
        &mut self.bytes[y * self.stride..][..self.width * self.channels]
    }
}

/// A filter of this room.
pub trait SpatialFilter {
    /// Filters in place. To be `#[inline(always)]` with all that it calls, so that it is compiled anew for each instruction set.
    #[doc(hidden)]
    fn run(&self, raster: &mut Raster<'_>);

    /// Filters in place, with the best instructions of this machine.
    fn apply(&self, raster: &mut Raster<'_>) {
        self.apply_with(Level::new(), raster);
    }

    /// With the instructions of `level`, so that benches and tests can compare them.
    fn apply_with(&self, level: Level, raster: &mut Raster<'_>) {
        fearless_simd::dispatch!(level, _simd => self.run(raster));
    }

    /// The same, compiled without any vector instruction in mind: the readable twin.
    fn apply_scalar(&self, raster: &mut Raster<'_>) {
        self.run(raster);
    }
}

/// Bytes worked on at a time: two of the widest vectors. Loops over an array of this length have no end to be checked.
const RUN: usize = 128;

/// All bits set where a run holds alpha, which filters leave as it is. Runs begin with a pixel's first byte when there are four.
#[inline(always)]
fn alpha_bytes(channels: usize) -> [u8; RUN] {
    std::array::from_fn(|at| if channels == 4 && at % 4 == 3 { 255 } else { 0 })
}
