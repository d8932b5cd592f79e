//! Gaussian blur with a large sigma: the picture is made smaller by a power of two, blurred there, and brought back by straight lines between
//! its pixels.
//!
//! Both ways blur a little themselves: averaging cells of f x f adds a variance of (f^2 - 1) / 12, straight lines add f^2 / 6 + 1 / 12, together
//! f^2 / 4; the blur in between makes up what is missing to sigma^2. Sigma is at least 5 in the small picture, so smooth that what lines
//! leave out is below half a level. Fine values all the way, no rounding to bytes in between. The small picture has a quarter
//! of the pixels at most: its rows are convolved in their own order, without `tiles`.

use super::super::lanes::Lanes;
use super::blur::{Finish, SIGMA_DIRECT};
use super::convolve::{BLOCK, FINE, Kernel, block, change, repeat_ends, store};
use super::{Raster, Row};

/// The small picture: rows of fine values.
struct Small {
    rows: Vec<Row>,
    /// Numbers in a row.
    count: usize,
}

#[inline(always)]
pub(super) fn blur<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    raster: &mut Raster<'_>,
    sigma: f64,
    finish: Finish,
) {
    // As a power of two.
    let mut times = 1;
    while sigma / f64::from(1 << times) >= SIGMA_DIRECT {
        times += 1;
    }
    let factor = f64::from(1 << times);
    let missing = (sigma * sigma - factor * factor / 4.0).sqrt() / factor;
    let mut small = shrink::<L, CHANNELS>(lanes, raster, times);
    small.blur::<L, CHANNELS>(lanes, &Kernel::gaussian(missing));
    enlarge::<L, CHANNELS>(lanes, raster, &small, times, finish);
}

/// Means of cells, with a cell more on every side. Those hold what lies beyond the picture: its first and last pixels, repeated.
#[inline(always)]
fn shrink<L: Lanes, const CHANNELS: usize>(lanes: L, raster: &mut Raster<'_>, times: u32) -> Small {
    let factor = 1_usize << times;
    let (width, height) = (raster.width, raster.height);
    let cells = width.div_ceil(factor) + 2;
    let (first, end) = (factor * CHANNELS, (factor + width) * CHANNELS);
    let mut sums = Row::new(first, cells * factor * CHANNELS);
    let mut rows = Vec::new();
    for cell in 0..height.div_ceil(factor) + 2 {
        let sums = &mut sums.numbers()[..cells * factor * CHANNELS];
        sums.fill(0);
        for y in cell * factor..(cell + 1) * factor {
            let y = y.saturating_sub(factor).min(height - 1);
            change::<L, true>(lanes, raster.row(y), &mut sums[first..end]);
        }
        for at in (0..first).rev() {
            sums[at] = sums[at + CHANNELS];
        }
        for at in end..sums.len() {
            sums[at] = sums[at - CHANNELS];
        }
        let mut row = Row::new(0, cells * CHANNELS + block::<L>());
        means::<CHANNELS>(sums, times, row.numbers());
        rows.push(row);
    }
    Small { rows, count: cells * CHANNELS }
}

/// Fine means of cells, from the sums of their columns.
#[inline(always)]
fn means<const CHANNELS: usize>(sums: &[i16], times: u32, means: &mut [i16]) {
    let cells = sums.chunks_exact(CHANNELS << times);
    for (mean, cell) in means.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(cells) {
        let mut total = [0_u32; CHANNELS];
        for pixel in cell.as_chunks::<CHANNELS>().0 {
            for channel in 0..CHANNELS {
                total[channel] += u32::from(pixel[channel] as u16);
            }
        }
        for channel in 0..CHANNELS {
            let fine = (total[channel] << FINE) + (1 << (2 * times - 1));
            mean[channel] = (fine >> (2 * times)) as i16;
        }
    }
}

impl Small {
    #[inline(always)]
    fn blur<L: Lanes, const CHANNELS: usize>(&mut self, lanes: L, kernel: &Kernel) {
        let (count, reach) = (self.count, kernel.radius());
        let (before, block) = (reach * CHANNELS, block::<L>());
        let mut padded = Row::new(before, count + 2 * before + block);
        for row in &mut self.rows {
            let (padded, row) = (padded.numbers(), row.numbers());
            padded[before..before + count].copy_from_slice(&row[..count]);
            repeat_ends(CHANNELS, before, before + count, padded);
            along(lanes, kernel, CHANNELS, before, padded, row, count);
        }
        let height = self.rows.len();
        let mut blurred = Vec::with_capacity(height);
        for y in 0..height {
            let row = |at: usize| (y + at).saturating_sub(reach).min(height - 1);
            let around: Vec<&[i16]> =
                (0..2 * reach + 1).map(|at| self.rows[row(at)].as_slice()).collect();
            let mut out = Row::new(0, count + block);
            for from in (0..count).step_by(block) {
                let sums = across(lanes, kernel, &around, from);
                store(lanes, sums, &mut out.numbers()[from..]);
            }
            blurred.push(out);
        }
        self.rows = blurred;
    }
}

/// Convolves along a row. `padded` has `before` numbers, at least radius * channels, before the row's first number and as many behind its
/// last, and room for a block behind that; `out` has the row and room for a block.
#[inline(always)]
fn along<L: Lanes>(
    lanes: L,
    kernel: &Kernel,
    channels: usize,
    before: usize,
    padded: &[i16],
    out: &mut [i16],
    count: usize,
) {
    let block = block::<L>();
    let mut at = 0;
    while at < count {
        let middle = before + at;
        let mut sums = first(lanes, lanes.splat(kernel.taps[0]), &padded[middle..middle + block]);
        for (distance, tap) in kernel.taps.iter().enumerate().skip(1) {
            let reach = distance * channels;
            let left = &padded[middle - reach..middle - reach + block];
            let right = &padded[middle + reach..middle + reach + block];
            add_pair(lanes, &mut sums, lanes.splat(*tap), left, right);
        }
        store(lanes, sums, &mut out[at..at + block]);
        at += block;
    }
}

/// Convolves across rows: the numbers from `at` on of the row in the middle of `rows`, which has the radius' rows on either side.
#[inline(always)]
fn across<L: Lanes>(lanes: L, kernel: &Kernel, rows: &[&[i16]], at: usize) -> [L::Vector; BLOCK] {
    let block = at..at + block::<L>();
    let middle = rows.len() / 2;
    let mut sums = first(lanes, lanes.splat(kernel.taps[0]), &rows[middle][block.clone()]);
    for (distance, tap) in kernel.taps.iter().enumerate().skip(1) {
        let above = &rows[middle - distance][block.clone()];
        let below = &rows[middle + distance][block.clone()];
        add_pair(lanes, &mut sums, lanes.splat(*tap), above, below);
    }
    sums
}

#[inline(always)]
fn first<L: Lanes>(lanes: L, tap: L::Vector, middle: &[i16]) -> [L::Vector; BLOCK] {
    let mut sums = [tap; BLOCK];
    // By index, here and below: vectors in arrays stay in registers only when all indices are constants after unrolling.
    for at in 0..BLOCK {
        sums[at] = lanes.multiply_high(lanes.load(&middle[at * L::COUNT..]), tap);
    }
    sums
}

#[inline(always)]
fn add_pair<L: Lanes>(
    lanes: L,
    sums: &mut [L::Vector; BLOCK],
    tap: L::Vector,
    one: &[i16],
    other: &[i16],
) {
    for at in 0..BLOCK {
        let (one, other) = (&one[at * L::COUNT..], &other[at * L::COUNT..]);
        let pair = lanes.add_wrapping(lanes.load(one), lanes.load(other));
        sums[at] = lanes.add_wrapping(sums[at], lanes.multiply_high(pair, tap));
    }
}

/// Writes every pixel of the picture: straight lines between the small picture's pixels, across and down.
#[inline(always)]
fn enlarge<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    raster: &mut Raster<'_>,
    small: &Small,
    times: u32,
    finish: Finish,
) {
    let (factor, height) = (1_usize << times, raster.height);
    let count = raster.width * CHANNELS;
    let mut wide =
        [(); 2].map(|()| Row::new(0, small.count * factor + factor * CHANNELS + block::<L>()));
    let mut drawn = [usize::MAX; 2];
    for y in 0..height {
        // In half pixels of the picture, so that all is whole: the row lies (2y + 1 - factor) / (2 factor) rows into the small one.
        let place = (2 * y + 1 + factor) as i64 - 2 * factor as i64;
        let left = place.div_euclid(2 * factor as i64);
        let share = place.rem_euclid(2 * factor as i64) as f64 / (2 * factor) as f64;
        let clamp = |at: i64| (at + 1).clamp(0, small.rows.len() as i64 - 1) as usize;
        for needed in [clamp(left), clamp(left + 1)] {
            if drawn[needed % 2] != needed {
                widen_row::<CHANNELS>(
                    &small.rows[needed].as_slice()[..small.count],
                    times,
                    wide[needed % 2].numbers(),
                );
                drawn[needed % 2] = needed;
            }
        }
        let lead = factor / 2 * CHANNELS;
        let above = &wide[clamp(left) % 2].as_slice()[lead..];
        let below = &wide[clamp(left + 1) % 2].as_slice()[lead..];
        let share = lanes.splat((share * 32_768.0) as i16);
        let row = &mut raster.row(y)[..count];
        let mut outs = row.chunks_exact_mut(L::COUNT);
        let mut sources = above.chunks_exact(L::COUNT).zip(below.chunks_exact(L::COUNT));
        for (out, (above, below)) in (&mut outs).zip(&mut sources) {
            let blurred = between(lanes, above, below, share);
            lanes.narrow(finish.apply::<L, CHANNELS>(lanes, blurred, out), out);
        }
        if let Some((above, below)) = sources.next() {
            finish.rest::<L, CHANNELS>(
                lanes,
                between(lanes, above, below, share),
                outs.into_remainder(),
            );
        }
    }
}

#[inline(always)]
fn between<L: Lanes>(lanes: L, above: &[i16], below: &[i16], share: L::Vector) -> L::Vector {
    let (above, below) = (lanes.load(above), lanes.load(below));
    lanes.add(above, lanes.multiply_high(lanes.subtract(below, above), share))
}

/// A row of the small picture at full width, beginning half a cell before the picture: between two pixels there are `2^times`.
#[inline(always)]
fn widen_row<const CHANNELS: usize>(row: &[i16], times: u32, out: &mut [i16]) {
    let factor = 1_usize << times;
    let pixels = row.as_chunks::<CHANNELS>().0;
    let cells = out.chunks_exact_mut(factor * CHANNELS);
    for ((left, right), cell) in pixels.iter().zip(&pixels[1..]).zip(cells) {
        let mut value = [0_i32; CHANNELS];
        let mut step = [0_i32; CHANNELS];
        for channel in 0..CHANNELS {
            let difference = i32::from(right[channel]) - i32::from(left[channel]);
            step[channel] = 2 * difference;
            // Half a step in, and half of what the shift takes.
            value[channel] = (i32::from(left[channel]) << (times + 1)) + difference + (1 << times);
        }
        for pixel in cell.as_chunks_mut::<CHANNELS>().0 {
            for channel in 0..CHANNELS {
                pixel[channel] = (value[channel] >> (times + 1)) as i16;
                value[channel] += step[channel];
            }
        }
    }
}
