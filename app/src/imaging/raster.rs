//! What filters work on: bytes of RGB or RGBA pixels in rows that may have gaps between them.

/// Bytes of a pixel, and rows that may have gaps: RGB or RGBA, any stride.
#[derive(Debug)]
pub struct Raster<'a> {
    /// All rows, the last one without its gap.
    bytes: &'a mut [u8],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
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
    /// `channels` is 3 (RGB) or 4 (RGBA; alpha is not premultiplied). `stride` is the distance of two rows in bytes.
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

    /// RGB without gaps.
    pub fn of(picture: &'a mut image::RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { bytes: picture, width, height, channels: 3, stride: width * 3 }
    }

    /// One row of RGB pixels; a rest of one or two bytes is no pixel and stays as it is.
    pub fn of_pixels(pixels: &'a mut [u8]) -> Self {
        let width = pixels.len() / 3;
        Self { bytes: pixels, width, height: 1, channels: 3, stride: width * 3 }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Rows, top to bottom, without their gaps.
    #[inline(always)]
    pub(super) fn row(&mut self, y: usize) -> &mut [u8] {
        &mut self.bytes[y * self.stride..][..self.width * self.channels]
    }

    /// Where a row begins, for [`Raster::part`].
    #[inline(always)]
    pub(super) fn start(&self, y: usize) -> usize {
        y * self.stride
    }

    /// So many bytes from a place on.
    #[inline(always)]
    pub(super) fn part(&self, from: usize, count: usize) -> &[u8] {
        &self.bytes[from..from + count]
    }

    /// A row, and all that lies below it, gaps included: nothing for the last row.
    #[inline(always)]
    pub(super) fn row_and_rest(&mut self, y: usize) -> (&mut [u8], &[u8]) {
        let rows = &mut self.bytes[y * self.stride..];
        let (row, rest) = rows.split_at_mut(self.stride.min(rows.len()));
        let rest = if y + 1 < self.height { rest } else { &mut [] };
        (&mut row[..self.width * self.channels], rest)
    }

    /// The longest pieces without gaps: all the bytes where there are none, else row after row.
    pub(super) fn pieces(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let row = self.width * self.channels;
        let (used, step) = if self.stride == row {
            (row * self.height, row * self.height)
        } else {
            (row, self.stride)
        };
        let count = if row == 0 || self.height == 0 {
            0
        } else if self.stride == row {
            1
        } else {
            self.height
        };
        self.bytes.chunks_mut(step.max(1)).take(count).map(move |piece| &mut piece[..used])
    }
}
