//! Gaussian and box blur, unsharp mask and tilt-shift: the fast twins against the readable ones bit for bit, and all against their
//! formulas in `f64`, with the largest error that each promises.

use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::spatial::{BoxBlur, Gaussian, SpatialFilter, TiltShift, Unsharp};
use proptest::prelude::*;

use crate::spatial::Case;

/// The weights of a true gaussian, as far out as they matter.
fn gaussian(sigma: f64) -> Vec<f64> {
    let reach = (6.0 * sigma).ceil() as i32;
    let weights: Vec<f64> =
        (-reach..=reach).map(|at| (-0.5 * (f64::from(at) / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Across rows and then along them, edges repeated, in levels of 255. `weights` for each row of the result.
fn convolved(case: &Case, weights: impl Fn(usize) -> Vec<f64>) -> Vec<[f64; 3]> {
    let (width, height) = (case.width, case.height);
    let mut both = vec![[0.0; 3]; width * height];
    for y in 0..height {
        let weights = weights(y);
        let reach = (weights.len() / 2) as isize;
        let mut across = vec![[0.0; 3]; width];
        for (x, across) in across.iter_mut().enumerate() {
            for (at, weight) in weights.iter().enumerate() {
                let from = y as isize + at as isize - reach;
                for (channel, sum) in across.iter_mut().enumerate() {
                    *sum += weight * case.at(x as isize, from, channel);
                }
            }
        }
        for x in 0..width {
            for (at, weight) in weights.iter().enumerate() {
                let from = (x as isize + at as isize - reach).clamp(0, width as isize - 1);
                for (sum, value) in both[y * width + x].iter_mut().zip(across[from as usize]) {
                    *sum += weight * value;
                }
            }
        }
    }
    both
}

fn check(case: &Case, filter: &impl SpatialFilter, wanted: &[[f64; 3]], most: f64) {
    let made = case.after(|raster| filter.apply(raster));
    case.check(&made, |x, y, channel| wanted[y * case.width + x][channel], most);
}

/// Chessboards, single lines, noise, and stripes of nearly two pixels: what blurs get wrong first.
fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new(97, 71, 3, 0, 11), Case::new(64, 90, 4, 5, 12)];
    for kind in 0..4 {
        let mut case = Case::new(150, 131, 3, 0, 13);
        // Times the distance this makes waves, of which a half is lit.
        let lit_half = |at: usize, frequency: f64| (at as f64 * frequency).fract() < 0.5;
        for (index, byte) in case.bytes.iter_mut().enumerate() {
            let (x, y) = (index / 3 % 150, index / 3 / 150);
            let lit = match kind {
                0 => (x / 37 + y / 37) % 2 == 0,
                1 => x < 2 || y == 60,
                2 => lit_half(x, 0.43),
                _ => lit_half(x, 0.45) != lit_half(y, 0.44),
            };
            *byte = if lit { 255 } else { 0 };
        }
        cases.push(case);
    }
    cases
}

/// What a blur of this sigma may be off by: those that are halved keep to the bound of those that are not.
const GAUSSIAN_MOST: f64 = 1.5;

#[test]
fn gaussians_are_near_the_true_one() {
    for case in cases() {
        for sigma in [0.5, 1.0, 2.0, 3.9, 4.0, 5.0, 8.1, 9.9, 12.0, 19.9, 20.0, 50.0] {
            let wanted = convolved(&case, |_| gaussian(sigma));
            check(&case, &Gaussian::new(sigma), &wanted, GAUSSIAN_MOST);
        }
    }
}

#[test]
fn boxes_are_near_the_true_mean() {
    for case in cases() {
        for radius in [1_usize, 2, 7, 10, 50, 127] {
            let side = 2 * radius + 1;
            let wanted = convolved(&case, |_| vec![1.0 / side as f64; side]);
            check(&case, &BoxBlur::new(radius), &wanted, 1.2);
        }
    }
}

#[test]
fn unsharp_moves_away_from_the_blurred_picture() {
    for case in cases() {
        for (sigma, amount, threshold) in
            [(2.0, 1.0, 0), (1.0, 2.5, 0), (12.0, 0.8, 0), (2.0, 1.0, 20)]
        {
            let blurred = convolved(&case, |_| gaussian(sigma));
            let filter = Unsharp::new(sigma, amount, threshold);
            let made = case.after(|raster| filter.apply(raster));
            let wanted = |x: usize, y: usize, channel: usize| {
                let plain = case.at(x as isize, y as isize, channel);
                let off = plain - blurred[y * case.width + x][channel];
                let near = (off.abs() - f64::from(threshold)).abs() < 2.0;
                let sharp = (plain + amount * off).clamp(0.0, 255.0);
                match off.abs() < f64::from(threshold) {
                    // On the threshold itself either is right.
                    _ if threshold > 0 && near => {
                        f64::from(made[y * case.stride + x * case.channels() + channel])
                    }
                    true => plain,
                    false => sharp,
                }
            };
            // The blur's own error, times the amount.
            case.check(&made, wanted, 0.6 + amount * GAUSSIAN_MOST);
        }
    }
}

#[test]
fn tilt_shift_is_sharp_in_its_band_and_blurred_beyond() {
    let tall = Case::new(150, 60, 4, 3, 14);
    let all = cases().into_iter().map(|case| (case, 6.0));
    for (case, most) in all.chain([(tall, TiltShift::SIGMA_MAX)]) {
        let made = case.after(|raster| TiltShift::new(0.4, 0.3, most).apply(raster));
        let height = case.height as f64;
        let sigma = |y: usize| {
            let outside = (((y as f64 + 0.5) / height - 0.4).abs() - 0.15).max(0.0);
            (most * outside / 0.45 * 8.0).round() / 8.0
        };
        let wanted =
            convolved(&case, |y| if sigma(y) <= 0.3 { vec![1.0] } else { gaussian(sigma(y)) });
        case.check(&made, |x, y, channel| wanted[y * case.width + x][channel], 1.2);
        for y in (0..case.height).filter(|y| sigma(*y) == 0.0) {
            let row = y * case.stride..(y + 1) * case.stride;
            assert_eq!(made[row.clone()], case.bytes[row], "row {y} lies in the band");
        }
    }
}

#[test]
fn strips_and_bands_leave_no_seams() {
    for (width, height, channels) in [
        (1, 1, 3),
        (42, 17, 3),
        (43, 32, 3),
        (86, 33, 3),
        (171, 15, 3),
        (410, 16, 3),
        (32, 65, 4),
        (33, 31, 4),
        (330, 64, 4),
        (60, 61, 3),
        (61, 62, 3),
        (124, 29, 3),
        (125, 30, 3),
        (126, 93, 3),
        (60, 125, 4),
        (189, 126, 4),
        (44, 60, 4),
        (44, 124, 3),
    ] {
        let case = Case::new(width, height, channels, 5, width as u32);
        for sigma in [0.7, 3.9, 4.9, 9.9, 17.0] {
            let wanted = convolved(&case, |_| gaussian(sigma));
            check(&case, &Gaussian::new(sigma), &wanted, GAUSSIAN_MOST);
            agree(&case, &Gaussian::new(sigma));
        }
        agree(&case, &TiltShift::new(0.5, 0.1, TiltShift::SIGMA_MAX));
    }
}

#[test]
fn the_smallest_and_the_thinnest_pictures_are_blurred_alike() {
    for (width, height) in [(1, 1), (1, 70), (70, 1), (5, 3), (2, 2)] {
        for channels in [3, 4] {
            let case = Case::new(width, height, channels, 2, 9);
            for sigma in [4.0, 40.0, Gaussian::SIGMA_MAX] {
                agree(&case, &Gaussian::new(sigma));
            }
            agree(&case, &Unsharp::new(Gaussian::SIGMA_MAX, 1.0, 0));
        }
    }
}

#[test]
fn boxes_as_large_as_the_picture_are_right() {
    for (heights, radius) in [([1, 2, 7, 8, 9], 8), ([126, 127, 128, 255, 257], 127)] {
        for height in heights {
            let case = Case::new(5, height, 3, 1, height as u32);
            let side = 2 * radius + 1;
            let wanted = convolved(&case, |_| vec![1.0 / side as f64; side]);
            check(&case, &BoxBlur::new(radius), &wanted, 1.2);
        }
    }
}

#[test]
fn nothing_of_a_blur_is_nothing() {
    let case = Case::new(23, 9, 4, 2, 5);
    let same = |filter: &dyn Fn(&mut photo_app::imaging::Raster<'_>)| {
        assert_eq!(case.after(|raster| filter(raster)), case.bytes);
    };
    same(&|raster| Gaussian::new(0.0).apply(raster));
    same(&|raster| Gaussian::new(f64::NAN).apply(raster));
    same(&|raster| BoxBlur::new(0).apply(raster));
    same(&|raster| Unsharp::new(2.0, 0.0, 0).apply(raster));
    same(&|raster| Unsharp::new(0.0, 2.0, 0).apply(raster));
    same(&|raster| TiltShift::new(0.5, 1.0, 0.0).apply(raster));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn twins_agree_bit_for_bit(
        width in 1_usize..68,
        height in 1_usize..68,
        channels in 3_usize..5,
        gap in 0_usize..7,
        seed: u32,
        sigma in 0.0_f64..24.0,
        radius in 0_usize..128,
    ) {
        let case = Case::new(width, height, channels, gap, seed);
        agree(&case, &Gaussian::new(sigma));
        agree(&case, &BoxBlur::new(radius));
        agree(&case, &Unsharp::new(sigma, 1.5, (seed % 8) as u8));
        agree(&case, &TiltShift::new(0.5, 0.2, sigma));
    }
}

fn agree(case: &Case, filter: &(impl SpatialFilter + std::fmt::Debug)) {
    let scalar = case.after(|raster| filter.apply_scalar(raster));
    case.check_untouched(&scalar, true);
    for (set, level) in instruction_sets() {
        let fast = case.after(|raster| filter.apply_with(level, raster));
        assert!(fast == scalar, "{filter:?} with {set}, {} x {}", case.width, case.height);
    }
}
