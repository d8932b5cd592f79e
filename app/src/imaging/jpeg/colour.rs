//! Rows of planes to rows of RGB: YCbCr as JFIF defines it (BT.601, full range), or grey.

use super::Plane;
use super::blocks::{Blocks, LANES_MAX};

/// How much larger values are than levels: there is room for the brightest blue, 1.8 times white.
const TIMES: i8 = 64;
/// What of a colour is added to what, times 32,768; red and blue take the whole of theirs besides.
const RED_OF_CR: i16 = 13_173;
const GREEN_OF_CB: i16 = 11_277;
const GREEN_OF_CR: i16 = 23_401;
const BLUE_OF_CB: i16 = 25_297;

/// Bytes behind each row of a plane that may be read with it.
pub(super) const SLACK: usize = 2 * LANES_MAX;

/// Converts what one row of MCUs holds; `rows` are the rows of the picture there, each `width` pixels of RGB.
#[inline(always)]
pub(super) fn rows_to_rgb<L: Blocks>(
    lanes: L,
    planes: &[Plane<'_>],
    width: usize,
    rows: &mut [u8],
) {
    for (y, row) in rows.chunks_exact_mut(width * 3).enumerate() {
        let mut samples = [&[][..]; 3];
        for (index, samples) in samples.iter_mut().enumerate() {
            let plane = &planes[index.min(planes.len() - 1)];
            *samples = &plane.samples[y * plane.stride..][..plane.stride];
        }
        let is_grey = planes.len() == 1;
        let mut runs = row.chunks_exact_mut(3 * 2 * L::COUNT);
        let mut left = 0;
        for run in &mut runs {
            lanes.interleave(converted(lanes, samples, left, is_grey), run);
            left += 2 * L::COUNT;
        }
        let rest = runs.into_remainder();
        if !rest.is_empty() {
            let mut run = [0; 3 * 2 * LANES_MAX];
            lanes
                .interleave(converted(lanes, samples, left, is_grey), &mut run[..3 * 2 * L::COUNT]);
            rest.copy_from_slice(&run[..rest.len()]);
        }
    }
}

/// Red, green and blue of the pixels from `left` on.
#[inline(always)]
fn converted<L: Blocks>(
    lanes: L,
    samples: [&[u8]; 3],
    left: usize,
    is_grey: bool,
) -> [L::Bytes; 3] {
    let luma = lanes.load_bytes(&samples[0][left..]);
    if is_grey {
        return [luma; 3];
    }
    let cb = lanes.load_bytes(&samples[1][left..]);
    let cr = lanes.load_bytes(&samples[2][left..]);
    let (y, cb, cr) = (
        lanes.weigh::<TIMES, 0>(luma, luma),
        lanes.weigh::<TIMES, 0>(cb, cb),
        lanes.weigh::<TIMES, 0>(cr, cr),
    );
    let middle = lanes.splat(128 * i16::from(TIMES));
    let mut halves = [y; 3];
    for half in 0..2 {
        let (cb, cr) = (lanes.subtract(cb[half], middle), lanes.subtract(cr[half], middle));
        let part = [
            lanes.multiply_high(cr, lanes.splat(RED_OF_CR)),
            lanes.multiply_high(cb, lanes.splat(GREEN_OF_CB)),
            lanes.multiply_high(cr, lanes.splat(GREEN_OF_CR)),
            lanes.multiply_high(cb, lanes.splat(BLUE_OF_CB)),
        ];
        let colours = [
            lanes.add(lanes.add(y[half], cr), part[0]),
            lanes.subtract(lanes.subtract(y[half], part[1]), part[2]),
            lanes.add(lanes.add(y[half], cb), part[3]),
        ];
        for channel in 0..3 {
            let level = lanes.splat(i16::MAX / i16::from(TIMES) + 1);
            halves[channel][half] = lanes.multiply_high(colours[channel], level);
        }
    }
    [lanes.narrow_both(halves[0]), lanes.narrow_both(halves[1]), lanes.narrow_both(halves[2])]
}
