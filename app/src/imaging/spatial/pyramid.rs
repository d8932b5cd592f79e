//! Gaussian blur with a larger sigma: the picture is halved until what is left of sigma is below [`SIGMA_DIRECT`], blurred there, and doubled
//! as often (the REDUCE and EXPAND of Burt and Adelson's pyramids).
//!
//! Both ways blur a little themselves. Halving (`reduce`) weighs four pixels 1 3 3 1, a variance of 3/4; doubling (`expand`) draws quadratic
//! B-splines between the smaller picture's pixels, which adds a variance of 1 at every place alike, where straight lines add
//! less on their pixels than between them. What is missing to sigma^2 the gaussian in between makes up. Patterns as fine as two
//! pixels, which come out of a halving as coarse ones, are left with (pi d)^3 of their height at a frequency d away from that, and the
//! gaussian takes the most of it: together below half a level, no more than where kernels are cut off. Fine values all the way, no rounding to
//! bytes in between.

use super::super::lanes::Lanes;
use super::blur::{Finish, SIGMA_DIRECT};
use super::convolve::Kernel;
use super::expand::{Finished, expand};
use super::reduce::reduce;
use super::{Raster, Row};

/// What halving and doubling add to the variance, in pixels of the larger picture.
const VARIANCE: f64 = 0.75 + 1.0;

/// Pixels of a strip of the larger picture, and of the smaller one.
pub(super) const STRIP: usize = 64;
pub(super) const CELLS: usize = STRIP / 2;

/// Pixels of the larger picture's first strip that lie before it.
pub(super) const BEFORE: usize = 4;

#[inline(always)]
pub(super) fn blur<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    raster: &mut Raster<'_>,
    sigma: f64,
    finish: Finish,
) {
    let mut sigma = halved(sigma);
    let mut kernel = kernel(sigma);
    let mut small = reduce::<L, _, CHANNELS>(lanes, &*raster, &kernel);
    let mut larger = Vec::new();
    while sigma >= SIGMA_DIRECT {
        sigma = halved(sigma);
        kernel = self::kernel(sigma);
        let smaller = reduce::<L, _, CHANNELS>(lanes, &small, &kernel);
        larger.push(std::mem::replace(&mut small, smaller));
    }
    while let Some(mut larger) = larger.pop() {
        expand::<L, _, CHANNELS>(lanes, &small, &kernel, &mut larger);
        (small, kernel) = (larger, Kernel::nothing());
    }
    expand::<L, _, CHANNELS>(lanes, &small, &kernel, &mut Finished { raster, finish });
}

/// What is missing to sigma after halving and doubling, in pixels of the smaller picture.
fn halved(sigma: f64) -> f64 {
    (sigma * sigma - VARIANCE).sqrt() / 2.0
}

/// Where there are smaller pictures yet, nothing is blurred.
fn kernel(sigma: f64) -> Kernel {
    if sigma < SIGMA_DIRECT { Kernel::gaussian(sigma) } else { Kernel::nothing() }
}

/// A smaller picture: fine values, with a cell more on every side than the larger one fills. Those hold what lies beyond it: its first
/// and last pixels, repeated.
pub(super) struct Fine {
    numbers: Row,
    /// Pixels.
    pub width: usize,
    pub height: usize,
    /// Numbers from row to row: an odd number of lines, so that rows lie in different places of a cache.
    pub stride: usize,
    /// Numbers of a pixel.
    channels: usize,
    /// Rows above and below, for a kernel that reaches so far.
    reach: usize,
    /// Numbers before a row.
    lead: usize,
}

/// Numbers in a line of the cache, and rows of the tallest band.
const LINE: usize = 32;
const TALL: usize = 32;

impl Fine {
    /// Room for the picture; strips may reach beyond it on both sides, bands below.
    pub fn new(width: usize, height: usize, channels: usize, reach: usize) -> Self {
        let lead = (reach * channels).next_multiple_of(LINE);
        let stride = ((lead + (width + STRIP) * channels).div_ceil(LINE) | 1) * LINE;
        let rows = height.next_multiple_of(TALL) + 2 * reach;
        Self { numbers: Row::new(0, rows * stride), width, height, stride, channels, reach, lead }
    }

    /// Where the row begins, in [`Fine::numbers`].
    #[inline(always)]
    pub fn start(&self, y: usize) -> usize {
        (self.reach + y) * self.stride + self.lead
    }

    #[inline(always)]
    pub fn numbers(&self) -> &[i16] {
        self.numbers.as_slice()
    }

    /// Numbers of a row, which may begin before it and end behind it.
    #[inline(always)]
    pub fn part_mut(&mut self, y: usize, from: isize, count: usize) -> &mut [i16] {
        let from = self.start(y).strict_add_signed(from);
        &mut self.numbers.numbers()[from..from + count]
    }

    /// Above and below the picture its first and its last row.
    pub fn repeat_rows(&mut self) {
        let (stride, reach, height) = (self.stride, self.reach, self.height);
        let numbers = self.numbers.numbers();
        let (first, last) = (reach * stride, (reach + height - 1) * stride);
        for row in 0..reach {
            numbers.copy_within(first..first + stride, row * stride);
            numbers.copy_within(last..last + stride, last + (row + 1) * stride);
        }
    }

    /// Width and height in pixels, and numbers of a row.
    #[inline(always)]
    pub fn size(&self) -> (usize, usize, usize) {
        (self.width, self.height, self.width * self.channels)
    }
}
