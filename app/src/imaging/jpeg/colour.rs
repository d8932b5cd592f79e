//! Rows of planes to rows of RGB: YCbCr as JFIF defines it (BT.601, full range), or grey.

use super::Plane;

/// Fractions of the conversion, times 2^16.
const RED_OF_CR: i32 = 91_881;
const GREEN_OF_CB: i32 = 22_554;
const GREEN_OF_CR: i32 = 46_802;
const BLUE_OF_CB: i32 = 116_130;

/// Pixels that are converted at a time: planes of them stay in registers and the first cache.
const RUN: usize = 64;

/// Converts what one row of MCUs holds; `rows` are the rows of the picture there, each `width` pixels of RGB.
#[inline(always)]
pub(super) fn rows_to_rgb(planes: &[Plane<'_>], width: usize, rows: &mut [u8]) {
    for (y, row) in rows.chunks_exact_mut(width * 3).enumerate() {
        let plane = |index: usize| {
            let plane = &planes[index];
            &plane.samples[y * plane.stride..][..width]
        };
        if planes.len() == 1 {
            for (pixel, grey) in row.as_chunks_mut::<3>().0.iter_mut().zip(plane(0)) {
                *pixel = [*grey; 3];
            }
        } else {
            row_to_rgb(plane(0), plane(1), plane(2), row);
        }
    }
}

#[inline(always)]
fn row_to_rgb(luma: &[u8], blue: &[u8], red: &[u8], row: &mut [u8]) {
    let runs = luma.chunks(RUN).zip(blue.chunks(RUN)).zip(red.chunks(RUN));
    for (((luma, blue), red), out) in runs.zip(row.chunks_mut(3 * RUN)) {
        let mut planes = [[0_u8; RUN]; 3];
        for at in 0..luma.len().min(blue.len()).min(red.len()).min(RUN) {
            let y = (i32::from(luma[at]) << 16) + (1 << 15);
            let (cb, cr) = (i32::from(blue[at]) - 128, i32::from(red[at]) - 128);
            planes[0][at] = ((y + RED_OF_CR * cr) >> 16).clamp(0, 255) as u8;
            planes[1][at] = ((y - GREEN_OF_CB * cb - GREEN_OF_CR * cr) >> 16).clamp(0, 255) as u8;
            planes[2][at] = ((y + BLUE_OF_CB * cb) >> 16).clamp(0, 255) as u8;
        }
        for (at, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            *pixel = [planes[0][at], planes[1][at], planes[2][at]];
        }
    }
}
