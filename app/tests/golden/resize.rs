//! Resizing against its definition in `f64`, and every instruction set against the others.

use image::RgbImage;
use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::resize;

use crate::{Random, test_card};

/// The pixels of one side that make each new one, with weights that add up to 1.
fn taps(from: u32, to: u32) -> Vec<Vec<(u32, f64)>> {
    taps_apart(from, to, f64::from(from) / f64::from(to), 0.0)
}

/// The same where new pixels are `scale` old ones apart and the first one begins at `begin`, in old ones.
pub fn taps_apart(from: u32, to: u32, scale: f64, begin: f64) -> Vec<Vec<(u32, f64)>> {
    let reach = scale.max(1.0);
    let hamming = |x: f64| match x.abs() {
        0.0 => 1.0,
        far if far >= 1.0 => 0.0,
        _ => {
            let turn = std::f64::consts::PI * x;
            turn.sin() / turn * (0.54 + 0.46 * turn.cos())
        }
    };
    (0..to)
        .map(|place| {
            let middle = (f64::from(place) + 0.5) * scale + begin;
            let weight = |at: u32| hamming((f64::from(at) + 0.5 - middle) / reach);
            let sum: f64 = (0..from).map(weight).sum();
            let all = (0..from).map(|at| (at, weight(at) / sum));
            all.filter(|(_, weight)| *weight != 0.0).collect()
        })
        .collect()
}

/// The largest difference from the definition, in levels before rounding.
fn off(picture: &RgbImage, made: &RgbImage) -> f64 {
    let (across, down) =
        (taps(picture.width(), made.width()), taps(picture.height(), made.height()));
    let mut worst = 0.0_f64;
    for (x, y, pixel) in made.enumerate_pixels() {
        let mut wanted = [0.0; 3];
        for (row, tall) in &down[y as usize] {
            for (column, wide) in &across[x as usize] {
                let from = picture.get_pixel(*column, *row).0;
                for (wanted, level) in wanted.iter_mut().zip(from) {
                    *wanted += tall * wide * f64::from(level);
                }
            }
        }
        for (wanted, got) in wanted.iter().zip(pixel.0) {
            worst = worst.max((wanted - f64::from(got)).abs());
        }
    }
    worst
}

#[test]
fn every_size_is_what_the_definition_says_on_every_instruction_set() {
    let mut random = Random(31);
    let mut sizes = vec![
        ((1, 1), (1, 1)),
        ((5, 3), (2, 1)),
        ((300, 200), (150, 100)),
        ((300, 2), (7, 1)),
        ((3, 300), (1, 99)),
        ((640, 40), (639, 39)),
        ((200, 150), (137, 150)),
        ((90, 70), (100, 70)),
    ];
    for _ in 0..40 {
        let from = (1 + random.below(230) as u32, 1 + random.below(130) as u32);
        let side = |most: u32, random: &mut Random| 1 + random.below(most as usize) as u32;
        sizes.push((from, (side(from.0, &mut random), side(from.1, &mut random))));
    }
    for ((from_width, from_height), (width, height)) in sizes {
        let picture = test_card(from_width, from_height);
        let mut first: Option<RgbImage> = None;
        for (name, level) in instruction_sets() {
            let mut made = RgbImage::from_pixel(width, height, image::Rgb([1, 2, 3]));
            resize::resize_with(level, &mut Default::default(), &picture, &mut made);
            let what = format!("{from_width}x{from_height} to {width}x{height} by {name}");
            let Some(first) = &first else {
                let off = off(&picture, &made);
                assert!(off <= 0.6, "{what} is off by {off}");
                first = Some(made);
                continue;
            };
            assert!(made == *first, "{what} differs");
        }
    }
}

#[test]
fn black_and_white_stay() {
    for level in [0, 255] {
        let picture = RgbImage::from_pixel(321, 123, image::Rgb([level; 3]));
        for width in [1, 20, 160, 320, 321] {
            let (width, height) = resize::fit(321, 123, width);
            let made = resize::resize(&mut Default::default(), &picture, width, height);
            assert!(made.as_raw().iter().all(|made| *made == level), "{level} at {width}");
        }
    }
}

#[test]
fn strips_that_are_shrunk_to_almost_nothing_keep_their_levels() {
    let mut random = Random(5);
    for ((from_width, from_height), (width, height)) in [
        ((15_985, 1), (1, 1)),
        ((17_123, 2), (2, 1)),
        ((3, 25_402), (1, 3)),
        ((65_535, 1), (1, 1)),
        ((257, 256), (1, 1)),
    ] {
        let mut noise = RgbImage::new(from_width, from_height);
        noise.iter_mut().for_each(|byte| *byte = random.bits() as u8);
        let flat = [0, 40, 255].map(|level| {
            RgbImage::from_pixel(from_width, from_height, image::Rgb([level, level / 2, level]))
        });
        for picture in flat.iter().chain([&noise]) {
            let mut made = instruction_sets().into_iter().map(|(name, level)| {
                let mut made = RgbImage::new(width, height);
                resize::resize_with(level, &mut Default::default(), picture, &mut made);
                (name, made)
            });
            let (_, first) = made.next().expect("one set at least");
            let what = format!("{from_width}x{from_height} to {width}x{height}");
            let off = off(picture, &first);
            assert!(off <= 1.0, "{what} is off by {off}");
            for (name, made) in made {
                assert!(made == first, "{what} differs by {name}");
            }
        }
    }
}
