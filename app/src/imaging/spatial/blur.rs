//! Gaussian blur, and what is made of it: unsharp mask and tilt-shift.
//!
//! Sigma is the standard deviation in pixels, as in `blur()` of the W3C Filter Effects specification; beyond the edge the edge's own pixels are
//! repeated (a browser takes transparent black, which darkens a photo's rim). The gaussian is computed as such, not as three boxes:
//! across rows, then along them, in 16 bits (`tiles`), within 1.5 levels of the exact result at the corners of a chessboard and mostly
//! within half of one. From [`SIGMA_DIRECT`] on `pyramid` does the same on a smaller picture, with the same bound. In a tilt-shift each row has
//! a sigma of its own.

use std::ops::Range;

use super::super::lanes::Lanes;
use super::convolve::{BLOCK, FINE, Kernel, SIGMA_MIN, rounded};
use super::{ROOM, Raster, SpatialFilter, keep_alpha, store_rest};
use super::{pyramid, tiles};

/// From this sigma on, a smaller picture is blurred.
pub(super) const SIGMA_DIRECT: f64 = 4.0;

/// Gaussian blur.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaussian {
    sigma: f64,
}

impl Gaussian {
    /// Beyond this, photos are all one colour.
    pub const SIGMA_MAX: f64 = 500.0;

    /// Sigma in pixels; up to 0.3 nothing happens, beyond [`Gaussian::SIGMA_MAX`] it counts as that.
    pub fn new(sigma: f64) -> Self {
        Self { sigma: if sigma > SIGMA_MIN { sigma.min(Self::SIGMA_MAX) } else { 0.0 } }
    }
}

impl SpatialFilter for Gaussian {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        blur(lanes, raster, self.sigma, Finish::Blurred);
    }
}

/// Sharpens by what a gaussian blur takes away: out = c + amount * (c - blurred), where they differ by at least the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unsharp {
    sigma: f64,
    /// amount * 512.
    factor: i16,
    /// Levels.
    threshold: u8,
}

impl Unsharp {
    /// Beyond this, edges are white and black anyway.
    pub const AMOUNT_MAX: f64 = 30.0;

    /// Sigma in pixels as for [`Gaussian`], the amount from 0 (nothing) to [`Unsharp::AMOUNT_MAX`], the threshold in levels.
    pub fn new(sigma: f64, amount: f64, threshold: u8) -> Self {
        let amount = if amount > 0.0 { amount.min(Self::AMOUNT_MAX) } else { 0.0 };
        let sigma = Gaussian::new(sigma).sigma;
        Self { sigma, factor: (amount * 512.0).round() as i16, threshold }
    }
}

impl SpatialFilter for Unsharp {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        if self.factor == 0 {
            return;
        }
        let below = (i16::from(self.threshold) << FINE) - 1;
        blur(lanes, raster, self.sigma, Finish::Unsharp { factor: self.factor, below });
    }
}

/// Sharp along a horizontal band, more and more blurred away from it, as through a tilted lens: the world looks like a model of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiltShift {
    /// Shares of the height.
    centre: f64,
    band: f64,
    sigma: f64,
}

impl TiltShift {
    /// Beyond this it takes long: each row has a kernel of its own.
    pub const SIGMA_MAX: f64 = 40.0;

    /// The band's middle and height as shares of the picture's height; sigma in pixels at the far end, up to [`TiltShift::SIGMA_MAX`].
    pub fn new(centre: f64, band: f64, sigma: f64) -> Self {
        let share = |value: f64| if value > 0.0 { value.min(1.0) } else { 0.0 };
        let sigma = Gaussian::new(sigma).sigma.min(Self::SIGMA_MAX);
        Self { centre: share(centre), band: share(band), sigma }
    }

    /// Sigma of a row: nothing in the band, from its edge in a straight line to all at the far end of the picture. In steps of
    /// 1/8, so that there are few kernels.
    fn sigma_at(&self, y: usize, height: usize) -> f64 {
        let place = (y as f64 + 0.5) / height as f64;
        let outside = ((place - self.centre).abs() - self.band / 2.0).max(0.0);
        let farthest = (self.centre.max(1.0 - self.centre) - self.band / 2.0).max(1e-9);
        (self.sigma * outside / farthest * 8.0).round() / 8.0
    }
}

impl SpatialFilter for TiltShift {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        if self.sigma == 0.0 {
            return;
        }
        let mut kernels = Kernels::default();
        for y in 0..raster.height {
            kernels.push(self.sigma_at(y, raster.height));
        }
        rows(lanes, raster, &kernels, Finish::Blurred);
    }
}

/// The kernel of each row.
#[derive(Default)]
pub(super) struct Kernels {
    kernels: Vec<(f64, Kernel)>,
    of_row: Vec<usize>,
}

impl Kernels {
    /// For the next row.
    fn push(&mut self, sigma: f64) {
        let known = self.kernels.iter().rposition(|(known, _)| *known == sigma);
        self.of_row.push(known.unwrap_or(self.kernels.len()));
        if known.is_none() {
            self.kernels.push((sigma, Kernel::gaussian(sigma)));
        }
    }

    pub fn of(&self, y: usize) -> &Kernel {
        &self.kernels[self.of_row[y]].1
    }

    /// Whether these rows have one kernel.
    pub fn are_same(&self, rows: Range<usize>) -> bool {
        self.of_row[rows].windows(2).all(|two| two[0] == two[1])
    }

    /// How far the widest kernel of these rows reaches.
    pub fn radius_max(&self, rows: Range<usize>) -> usize {
        rows.map(|y| self.of(y).radius()).max().unwrap_or(0)
    }
}

#[inline(always)]
fn blur<L: Lanes>(lanes: L, raster: &mut Raster<'_>, sigma: f64, finish: Finish) {
    if sigma == 0.0 || raster.width == 0 || raster.height == 0 {
        return;
    }
    if sigma >= SIGMA_DIRECT {
        match raster.channels {
            4 => pyramid::blur::<L, 4>(lanes, raster, sigma, finish),
            _ => pyramid::blur::<L, 3>(lanes, raster, sigma, finish),
        }
        return;
    }
    let mut kernels = Kernels::default();
    for _ in 0..raster.height {
        kernels.push(sigma);
    }
    rows(lanes, raster, &kernels, finish);
}

#[inline(always)]
fn rows<L: Lanes>(lanes: L, raster: &mut Raster<'_>, kernels: &Kernels, finish: Finish) {
    match raster.channels {
        4 => tiles::blur::<L, 4>(lanes, raster, kernels, finish),
        _ => tiles::blur::<L, 3>(lanes, raster, kernels, finish),
    }
}

/// What becomes of the blurred value of a pixel.
#[derive(Clone, Copy)]
pub(super) enum Finish {
    /// It is the result.
    Blurred,
    /// The picture moves away from it.
    Unsharp {
        /// amount * 512.
        factor: i16,
        /// Fine levels, less one.
        below: i16,
    },
}

impl Finish {
    /// A block of fine blurred values over the bytes it belongs to.
    #[inline(always)]
    pub(super) fn block<L: Lanes, const CHANNELS: usize>(
        self,
        lanes: L,
        blurred: [L::Vector; BLOCK],
        bytes: &mut [u8],
    ) {
        for at in 0..BLOCK {
            let bytes = &mut bytes[at * L::COUNT..(at + 1) * L::COUNT];
            lanes.narrow(self.apply::<L, CHANNELS>(lanes, blurred[at], bytes), bytes);
        }
    }

    /// A vector over as many bytes, or fewer.
    #[inline(always)]
    pub(super) fn rest<L: Lanes, const CHANNELS: usize>(
        self,
        lanes: L,
        blurred: L::Vector,
        rest: &mut [u8],
    ) {
        let mut padded = [0; ROOM];
        padded[..rest.len()].copy_from_slice(rest);
        store_rest(lanes, self.apply::<L, CHANNELS>(lanes, blurred, &padded), rest);
    }

    /// From a vector of fine blurred values, and the bytes as they were, to whole levels.
    #[inline(always)]
    pub(super) fn apply<L: Lanes, const CHANNELS: usize>(
        self,
        lanes: L,
        blurred: L::Vector,
        before: &[u8],
    ) -> L::Vector {
        match self {
            Finish::Blurred => {
                let rounded = rounded(lanes, blurred);
                if CHANNELS == 3 {
                    return rounded;
                }
                keep_alpha::<L, CHANNELS>(lanes, lanes.widen(before), rounded)
            }
            Finish::Unsharp { factor, below } => {
                let plain = lanes.widen(before);
                let difference = lanes.subtract(lanes.shift_left(plain, FINE), blurred);
                // Times 64 and times 512, of which the high half takes 2^15: whole levels.
                let moved = lanes.multiply_high(difference, lanes.splat(factor));
                let distance = lanes.max(difference, lanes.subtract(lanes.splat(0), difference));
                let far = lanes.greater(distance, lanes.splat(below));
                let sharp = lanes.select(far, lanes.add(plain, moved), plain);
                keep_alpha::<L, CHANNELS>(lanes, plain, sharp)
            }
        }
    }
}
