//! Filters that look at where a pixel is or at what is around it: sharpen, vignette, blurs and what is made of them, grain.
//!
//! Unlike point filters (`kernels`) they cannot be fused with their neighbours, so each goes over the picture by itself: row by
//! row or, to blur, in bands and strips, so that what it works on stays in the first cache. Gaussians from sigma 4 on (`pyramid`) work on
//! halves of the picture. Every filter is written once over [`Lanes`]; [`SpatialFilter`] runs it with those of the
//! machine. The same with plain arrays is the readable twin: integers in a fixed order, hence the same bits everywhere, which a test
//! holds.

mod blur;
mod box_blur;
mod convolve;
mod expand;
mod grain;
mod pyramid;
mod reduce;
mod sharpen;
mod tiles;
mod vignette;

use fearless_simd::Level;

pub use self::blur::{Gaussian, TiltShift, Unsharp};
pub use self::box_blur::BoxBlur;
pub use self::grain::Grain;
pub use self::sharpen::Sharpen;
pub use self::vignette::Vignette;
use super::lanes::{Lanes, Plain, with_lanes};
pub use super::raster::{Raster, WrongSize};

/// A filter of this room.
pub trait SpatialFilter {
    /// Filters in place. To be `#[inline(always)]` with all that it calls, so that it is compiled anew for each instruction set.
    #[doc(hidden)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>);

    /// Filters in place, with the best instructions of this machine.
    fn apply(&self, raster: &mut Raster<'_>) {
        self.apply_with(Level::new(), raster);
    }

    /// With the instructions of `level`, so that benches and tests can compare them.
    fn apply_with(&self, level: Level, raster: &mut Raster<'_>) {
        with_lanes!(level, lanes => self.run(lanes, raster));
    }

    /// With plain arrays, compiled without any vector instruction in mind: the readable twin.
    fn apply_scalar(&self, raster: &mut Raster<'_>) {
        self.run(Plain, raster);
    }
}

/// Numbers behind the end of a row of ours, so that the last vector may reach beyond it.
const ROOM: usize = 64;

/// The first bytes of a vector, as many as `rest` has.
#[inline(always)]
fn store_rest<L: Lanes>(lanes: L, vector: L::Vector, rest: &mut [u8]) {
    let mut bytes = [0; ROOM];
    lanes.narrow(vector, &mut bytes);
    rest.copy_from_slice(&bytes[..rest.len()]);
}

/// Of a vector that begins with a pixel: alpha as it was, where there is alpha.
#[inline(always)]
fn keep_alpha<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    before: L::Vector,
    after: L::Vector,
) -> L::Vector {
    if CHANNELS != 4 {
        return after;
    }
    let mut mask = [0; ROOM];
    for alpha in mask.iter_mut().skip(3).step_by(4) {
        *alpha = -1;
    }
    lanes.select(lanes.load(&mask), before, after)
}

/// A row of ours: numbers with room for a vector behind them, of which the one at `aligned` begins a line of the cache, so that vectors
/// from there on do not lie across two lines.
#[derive(Default)]
struct Row<N = i16> {
    numbers: Vec<N>,
    start: usize,
}

impl<N: Copy + Default> Row<N> {
    fn new(aligned: usize, count: usize) -> Self {
        let line = LINE / size_of::<N>();
        let mut numbers = vec![N::default(); count + ROOM + line];
        let at = numbers[aligned..].as_ptr().align_offset(LINE);
        // `align_offset` may have no answer; any start is right, if slower.
        let start = if at < line { at } else { 0 };
        // As long on every machine, wherever it lies: what reaches beyond is found everywhere.
        numbers.truncate(start + count + ROOM);
        Self { numbers, start }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[N] {
        &self.numbers[self.start..]
    }

    #[inline(always)]
    fn numbers(&mut self) -> &mut [N] {
        &mut self.numbers[self.start..]
    }
}

/// Bytes in a line of the cache.
const LINE: usize = 64;
