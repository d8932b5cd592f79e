//! Box blur: the mean of a square of pixels, beyond the edge the edge's own repeated.
//!
//! Columns first: for each byte of a row the sum of the bytes above and below, from the last row's sum by one addition and one subtraction.
//! In the same pass scaled so that the whole square's sum is 256 times its mean, those are added along the row. That could go on from sum to sum as well, but each
//! would wait for the last; so sums of a few neighbours are made first, and sums of those, about 2 sqrt(n) additions without any
//! waiting. Within one level of the exact mean.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use super::super::lanes::Lanes;
use super::convolve::{BLOCK, block, repeat_ends, store};
use super::{ROOM, Raster, Row, SpatialFilter, keep_alpha, store_rest};

/// The filter with one radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxBlur {
    radius: usize,
}

/// How sums of columns become 1/256 of a mean: shifted up, so that the high half of the product keeps all digits, and multiplied.
#[derive(Clone, Copy)]
struct Scale {
    shift: u32,
    factor: u16,
    /// What rounding down takes of the whole sum on average, and half a level.
    rounding: u16,
}

impl BoxBlur {
    /// The largest radius: sums of a column fit 16 bits.
    pub const RADIUS_MAX: usize = 127;

    /// The square has 2 * radius + 1 pixels to a side; more than [`BoxBlur::RADIUS_MAX`] counts as that.
    pub fn new(radius: usize) -> Self {
        Self { radius: radius.min(Self::RADIUS_MAX) }
    }

    fn scale(self) -> Scale {
        let side = (2 * self.radius + 1) as u32;
        let shift = (65_535 / (255 * side)).ilog2();
        let exact = 256.0 * 65_536.0 / f64::from(side * side) / f64::from(1 << shift);
        // Rounded up: rounding down below is made up for by half of it.
        Scale { shift, factor: exact.round() as u16, rounding: (128 + side / 2) as u16 }
    }

    #[inline(always)]
    fn rows<L: Lanes, const CHANNELS: usize>(self, lanes: L, raster: &mut Raster<'_>) {
        let (height, count, radius) = (raster.height, raster.width * CHANNELS, self.radius);
        let (side, before) = (2 * radius + 1, radius * CHANNELS);
        let scale = self.scale();
        // The rows that the sums hold, as they were: the picture's own are overwritten.
        let row = || Row::<u8>::new(0, count + ROOM);
        let mut ring: Vec<Row<u8>> = (0..(side + 1).min(height)).map(|_| row()).collect();
        let places = ring.len();
        let mut sums: Row = Row::new(0, count + ROOM);
        let mut scaled = Row::new(before, count + 2 * before + 2 * block::<L>());
        let mut some = Row::new(0, count + 2 * before + 2 * block::<L>());
        // Around the row above the first one: the first one stands for all rows above it, the last one for all below.
        for at in 0..side {
            let y = at.saturating_sub(radius + 1).min(height - 1);
            let row = &mut ring[y % places].numbers()[..count];
            row.copy_from_slice(raster.row(y));
            for (sum, byte) in sums.numbers().iter_mut().zip(&*row) {
                *sum = sum.wrapping_add(i16::from(*byte));
            }
        }
        for y in 0..height {
            // The row that comes, unless it is there already, and the one that goes.
            let (come, gone) = ((y + radius).min(height - 1), y.saturating_sub(radius + 1));
            let mut newest = std::mem::take(&mut ring[come % places]);
            if y + radius < height {
                let bytes = raster.row(come);
                newest.numbers()[..count].copy_from_slice(bytes);
            }
            let oldest =
                if come % places == gone % places { &newest } else { &ring[gone % places] };
            let [come_bytes, gone_bytes] = [newest.as_slice(), oldest.as_slice()];
            let to = &mut scaled.numbers()[before..];
            moved_on(lanes, scale, [come_bytes, gone_bytes], sums.numbers(), to, count);
            ring[come % places] = newest;
            repeat_ends(CHANNELS, before, before + count, scaled.numbers());
            self.along::<L, CHANNELS>(
                lanes,
                scale,
                scaled.as_slice(),
                some.numbers(),
                raster.row(y),
            );
        }
    }

    /// A row of the result from scaled sums of columns.
    #[inline(always)]
    fn along<L: Lanes, const CHANNELS: usize>(
        self,
        lanes: L,
        scale: Scale,
        scaled: &[i16],
        some: &mut [i16],
        out: &mut [u8],
    ) {
        let side = 2 * self.radius + 1;
        // `side` is `few` times `many`, and what is left over.
        let few = side.isqrt();
        let (many, left) = (side / few, side % few);
        let (needed, block) = (out.len() + (side - 1) * CHANNELS, block::<L>());
        for from in (0..needed).step_by(block) {
            let mut sums = [lanes.splat(0); BLOCK];
            for pixel in 0..few {
                add(lanes, &mut sums, &scaled[from + pixel * CHANNELS..][..block]);
            }
            store(lanes, sums, &mut some[from..][..block]);
        }
        for (index, bytes) in out.chunks_mut(block).enumerate() {
            let from = index * block;
            let mut sums = [lanes.splat(scale.rounding as i16); BLOCK];
            for group in 0..many {
                add(lanes, &mut sums, &some[from + group * few * CHANNELS..][..block]);
            }
            for pixel in side - left..side {
                add(lanes, &mut sums, &scaled[from + pixel * CHANNELS..][..block]);
            }
            finish::<L, CHANNELS>(lanes, sums, bytes);
        }
    }
}

/// Sums of columns, when a row comes and another one goes, and the same scaled.
#[inline(always)]
fn moved_on<L: Lanes>(
    lanes: L,
    scale: Scale,
    [come, gone]: [&[u8]; 2],
    sums: &mut [i16],
    scaled: &mut [i16],
    count: usize,
) {
    let factor = lanes.splat(scale.factor as i16);
    let whole = count.next_multiple_of(L::COUNT);
    let bytes = come[..whole].chunks_exact(L::COUNT).zip(gone[..whole].chunks_exact(L::COUNT));
    let numbers = sums.chunks_exact_mut(L::COUNT).zip(scaled.chunks_exact_mut(L::COUNT));
    for ((come, gone), (sums, scaled)) in bytes.zip(numbers) {
        let more = lanes.add_wrapping(lanes.load(sums), lanes.widen(come));
        let moved = lanes.subtract_wrapping(more, lanes.widen(gone));
        lanes.store(moved, sums);
        let shifted = lanes.shift_left(moved, scale.shift);
        lanes.store(lanes.multiply_high_unsigned(shifted, factor), scaled);
    }
}

/// Adds numbers, a block of them.
#[inline(always)]
fn add<L: Lanes>(lanes: L, sums: &mut [L::Vector; BLOCK], numbers: &[i16]) {
    for at in 0..BLOCK {
        sums[at] = lanes.add_wrapping(sums[at], lanes.load(&numbers[at * L::COUNT..]));
    }
}

/// Writes sums, which are 256 times means, over a block of bytes, of which there may be fewer.
#[inline(always)]
fn finish<L: Lanes, const CHANNELS: usize>(lanes: L, sums: [L::Vector; BLOCK], bytes: &mut [u8]) {
    if CHANNELS == 3 && bytes.len() == block::<L>() {
        for at in 0..BLOCK {
            let mean = lanes.shift_right(sums[at], 8);
            lanes.narrow(mean, &mut bytes[at * L::COUNT..(at + 1) * L::COUNT]);
        }
        return;
    }
    for at in 0..BLOCK {
        let mean = lanes.shift_right(sums[at], 8);
        let end = ((at + 1) * L::COUNT).min(bytes.len());
        let Some(bytes) = bytes.get_mut(at * L::COUNT..end) else { return };
        let mut before = [0; ROOM];
        before[..bytes.len()].copy_from_slice(bytes);
        let kept = keep_alpha::<L, CHANNELS>(lanes, lanes.widen(&before), mean);
        store_rest(lanes, kept, bytes);
    }
}

impl SpatialFilter for BoxBlur {
    #[inline(always)]
    fn run<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>) {
        if self.radius == 0 || raster.width == 0 || raster.height == 0 {
            return;
        }
        match raster.channels {
            4 => self.rows::<L, 4>(lanes, raster),
            _ => self.rows::<L, 3>(lanes, raster),
        }
    }
}
