//! The looks against the specification in floating point, and the fast twin against the readable one.

use photo_app::imaging::Raster;
use photo_app::imaging::filters::{self, Function, Step};
use photo_app::imaging::functions::{Curves, Duotone};
use photo_app::imaging::kernels::{Program, instruction_sets};
use proptest::prelude::*;

use crate::spatial::Case;
use crate::test_card;

/// One step on one pixel, in 0..=1, as the specification words it; written from its text, not from our tables.
fn specified(step: Step, [r, g, b]: [f64; 3]) -> [f64; 3] {
    let a = step.amount;
    let matrix = |m: [f64; 9]| {
        [
            m[0] * r + m[1] * g + m[2] * b,
            m[3] * r + m[4] * g + m[5] * b,
            m[6] * r + m[7] * g + m[8] * b,
        ]
    };
    let out = match step.function {
        Function::Brightness => [r, g, b].map(|c| c * a),
        Function::Contrast => [r, g, b].map(|c| c * a + 0.5 - 0.5 * a),
        Function::Invert => [r, g, b].map(|c| a + c * (1.0 - 2.0 * a)),
        Function::Grayscale => {
            let k = 1.0 - a;
            matrix([
                0.2126 + 0.7874 * k,
                0.7152 - 0.7152 * k,
                0.0722 - 0.0722 * k,
                0.2126 - 0.2126 * k,
                0.7152 + 0.2848 * k,
                0.0722 - 0.0722 * k,
                0.2126 - 0.2126 * k,
                0.7152 - 0.7152 * k,
                0.0722 + 0.9278 * k,
            ])
        }
        Function::Sepia => {
            let k = 1.0 - a;
            matrix([
                0.393 + 0.607 * k,
                0.769 - 0.769 * k,
                0.189 - 0.189 * k,
                0.349 - 0.349 * k,
                0.686 + 0.314 * k,
                0.168 - 0.168 * k,
                0.272 - 0.272 * k,
                0.534 - 0.534 * k,
                0.131 + 0.869 * k,
            ])
        }
        Function::Saturate => matrix([
            0.213 + 0.787 * a,
            0.715 - 0.715 * a,
            0.072 - 0.072 * a,
            0.213 - 0.213 * a,
            0.715 + 0.285 * a,
            0.072 - 0.072 * a,
            0.213 - 0.213 * a,
            0.715 - 0.715 * a,
            0.072 + 0.928 * a,
        ]),
        Function::HueRotate => {
            let (s, c) = a.to_radians().sin_cos();
            matrix([
                0.213 + c * 0.787 - s * 0.213,
                0.715 - c * 0.715 - s * 0.715,
                0.072 - c * 0.072 + s * 0.928,
                0.213 - c * 0.213 + s * 0.143,
                0.715 + c * 0.285 + s * 0.140,
                0.072 - c * 0.072 - s * 0.283,
                0.213 - c * 0.213 - s * 0.787,
                0.715 - c * 0.715 + s * 0.715,
                0.072 + c * 0.928 + s * 0.072,
            ])
        }
        // On white, which holds when it is the last step.
        Function::Opacity => [r, g, b].map(|c| c * a + 1.0 - a),
        Function::Warmth => [r * (1.0 + 0.18 * a), g * (1.0 + 0.03 * a), b * (1.0 - 0.22 * a)],
        Function::Fade => [r, g, b].map(|c| c - a * (0.2 * c - 0.17)),
        Function::Duotone(inks) => {
            let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let ink = |channel: usize| {
                let (dark, light) = (f64::from(inks.dark[channel]), f64::from(inks.light[channel]));
                (dark + (light - dark) * luminance) / 255.0
            };
            [r + a * (ink(0) - r), g + a * (ink(1) - g), b + a * (ink(2) - b)]
        }
        Function::Curves(curves) => {
            let curved = |c: f64, levels: &[u8]| {
                let place = c * (levels.len() - 1) as f64;
                let (k, share) = (place.floor() as usize, place.fract());
                let right = levels[(k + 1).min(levels.len() - 1)];
                let on = f64::from(levels[k]) + share * (f64::from(right) - f64::from(levels[k]));
                c + a * (on / 255.0 - c)
            };
            let [red, green, blue] = curves.levels;
            [curved(r, red), curved(g, green), curved(b, blue)]
        }
    };
    out.map(|c| c.clamp(0.0, 1.0))
}

fn specified_chain(chain: &[Step], pixel: [u8; 3]) -> [f64; 3] {
    let start = pixel.map(|byte| f64::from(byte) / 255.0);
    chain.iter().fold(start, |colour, step| specified(*step, colour)).map(|c| c * 255.0)
}

/// The largest distance from the specification over these pixels, in levels of 255. Rounding alone accounts for 0.5.
fn worst_error(chain: &[Step], pixels: &[u8]) -> f64 {
    let mut filtered = pixels.to_vec();
    Program::new(chain).apply_scalar(&mut Raster::of_pixels(&mut filtered));
    let pairs = pixels.as_chunks::<3>().0.iter().zip(filtered.as_chunks::<3>().0);
    pairs.fold(0.0, |worst, (before, after)| {
        let wanted = specified_chain(chain, *before);
        (0..3).fold(worst, |worst: f64, c| worst.max((wanted[c] - f64::from(after[c])).abs()))
    })
}

static INKS: Duotone = Duotone { dark: [200, 10, 40], light: [20, 250, 130] };
/// Blue takes more away than red and green add.
static UPSIDE_DOWN: Duotone = Duotone { dark: [0, 0, 255], light: [255, 255, 0] };
static CURVES: Curves =
    Curves { levels: [&[0, 90, 140, 255], &[255, 0], &[30, 60, 100, 190, 240]] };

fn any_step() -> impl Strategy<Value = Step> {
    let step = |function, range: std::ops::Range<f64>| {
        range.prop_map(move |amount| Step { function, amount })
    };
    let full = |function| Just(Step { function, amount: 1.0 });
    prop_oneof![
        step(Function::Brightness, 0.0..3.0),
        step(Function::Contrast, 0.0..3.0),
        step(Function::Saturate, 0.0..3.0),
        step(Function::Sepia, 0.0..1.0),
        step(Function::Grayscale, 0.0..1.0),
        step(Function::HueRotate, -360.0..360.0),
        step(Function::Invert, 0.0..1.0),
        step(Function::Warmth, -1.0..1.0),
        step(Function::Fade, 0.0..1.0),
        step(Function::Duotone(&INKS), 0.0..1.0),
        step(Function::Curves(&CURVES), 0.0..1.0),
        step(Function::Opacity, 0.0..1.0),
        // At their full effect these take forms of their own.
        full(Function::Sepia),
        full(Function::Grayscale),
        full(Function::Duotone(&INKS)),
        full(Function::Duotone(&UPSIDE_DOWN)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_twins_agree_bit_for_bit(
        chain in prop::collection::vec(any_step(), 1..6),
        (width, height) in (1_usize..=67, 1_usize..=67),
        channels in 3_usize..=4,
        gap in 0_usize..7,
        seed in any::<u32>(),
    ) {
        let case = Case::new(width, height, channels, gap, seed);
        let program = Program::new(&chain);
        let scalar = case.after(|raster| program.apply_scalar(raster));
        for (set, level) in instruction_sets() {
            let fast = case.after(|raster| program.apply_with(level, raster));
            prop_assert!(fast == scalar, "{set}, {width} x {height}, {chain:?}");
        }
        case.check_untouched(&scalar, chain.iter().all(|step| step.function != Function::Opacity));
    }

    #[test]
    fn alpha_changes_nothing_but_itself(
        chain in prop::collection::vec(any_step(), 1..5),
        seed in any::<u32>(),
    ) {
        let chain: Vec<Step> =
            chain.into_iter().filter(|step| step.function != Function::Opacity).collect();
        let case = Case::new(61, 3, 4, 0, seed);
        let program = Program::new(&chain);
        let with_alpha = case.after(|raster| program.apply(raster));
        let mut colours: Vec<u8> =
            case.bytes.as_chunks::<4>().0.iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        program.apply(&mut Raster::of_pixels(&mut colours));
        for (rgba, rgb) in with_alpha.as_chunks::<4>().0.iter().zip(colours.as_chunks::<3>().0) {
            prop_assert_eq!(&rgba[..3], &rgb[..]);
        }
    }

    #[test]
    fn opacity_scales_alpha(amount in 0.0_f64..1.0, seed in any::<u32>()) {
        let case = Case::new(31, 7, 4, 3, seed);
        let program = Program::new(&[Step { function: Function::Opacity, amount }]);
        let made = case.after(|raster| program.apply(raster));
        let pixels = |bytes: &[u8]| -> Vec<[u8; 4]> {
            bytes.chunks(case.stride).flat_map(|row| row[..124].as_chunks::<4>().0.to_vec()).collect()
        };
        for (before, after) in pixels(&case.bytes).into_iter().zip(pixels(&made)) {
            prop_assert_eq!(&before[..3], &after[..3]);
            let off = f64::from(before[3]) * amount - f64::from(after[3]);
            prop_assert!(off.abs() <= 0.51, "{} at {amount} is {}", before[3], after[3]);
        }
    }

    #[test]
    fn one_step_is_within_one_level_of_the_specification(step in any_step(), seed in any::<u32>()) {
        let mut random = crate::Random(seed | 1);
        let pixels: Vec<u8> = (0..900).map(|_| random.bits() as u8).collect();
        let worst = worst_error(&[step], &pixels);
        prop_assert!(worst <= 1.0, "{step:?} is off by {worst}");
    }
}

/// Two steps may have a loop for just their two forms: here each pair of forms is met, and those with white below them.
#[test]
fn twins_agree_on_every_pair_of_steps() {
    let amounts: [(Function, &[f64]); 12] = [
        (Function::Brightness, &[1.3, 2.7]),
        (Function::Contrast, &[0.6, 1.5, 2.6]),
        (Function::Saturate, &[0.4, 1.4, 2.8]),
        (Function::Sepia, &[0.6, 1.0]),
        (Function::Grayscale, &[0.7, 1.0]),
        (Function::HueRotate, &[20.0, 120.0]),
        (Function::Warmth, &[-0.8, 0.9]),
        (Function::Duotone(&INKS), &[0.5, 1.0]),
        (Function::Duotone(&UPSIDE_DOWN), &[0.5, 1.0]),
        (Function::Fade, &[0.4, 1.0]),
        (Function::Invert, &[0.3]),
        (Function::Opacity, &[0.6]),
    ];
    let steps: Vec<Step> = amounts
        .iter()
        .flat_map(|(function, amounts)| {
            amounts.iter().map(|amount| Step { function: *function, amount: *amount })
        })
        .collect();
    for first in &steps {
        for last in &steps {
            let program = Program::new(&[*first, *last]);
            for channels in [3, 4] {
                let case = Case::new(101, 3, channels, 5, 77);
                let scalar = case.after(|raster| program.apply_scalar(raster));
                for (set, level) in instruction_sets() {
                    let fast = case.after(|raster| program.apply_with(level, raster));
                    assert!(fast == scalar, "{set}, {channels} channels: {first:?}, {last:?}");
                }
            }
        }
    }
}

#[test]
fn every_look_is_within_one_level_of_the_specification() {
    let card = test_card(256, 64);
    for filter in filters::ALL {
        for strength in [1, 37, 50, 100] {
            let worst = worst_error(&filter.chain(strength), card.as_raw());
            // A curve's result is a level, which the next step may spread.
            let curved = |step: &Step| matches!(step.function, Function::Curves(_));
            let most = if filter.recipe.iter().any(curved) { 1.5 } else { 1.0 };
            assert!(worst <= most, "{} at {strength} % is off by {worst}", filter.name);
        }
    }
}

/// What a chain makes of one pixel with alpha, on every instruction set and with plain arrays, which have to agree.
fn filtered(chain: &[Step], pixels: &[u8]) -> Vec<u8> {
    let program = Program::new(chain);
    let width = pixels.len() / 4;
    let made = |work: &dyn Fn(&mut Raster<'_>)| {
        let mut bytes = pixels.to_vec();
        work(&mut Raster::new(&mut bytes, (width, 1), 4, pixels.len()).expect("its size"));
        bytes
    };
    let scalar = made(&|raster| program.apply_scalar(raster));
    for (set, level) in instruction_sets() {
        let fast = made(&|raster| program.apply_with(level, raster));
        assert!(fast == scalar, "{set}, {chain:?}");
    }
    scalar
}

#[test]
fn every_look_is_the_same_on_every_set_with_alpha() {
    let card = test_card(97, 61);
    let pixels: Vec<u8> =
        card.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 77]).collect();
    for filter in filters::ALL {
        for strength in [50, 100] {
            let made = filtered(&filter.chain(strength), &pixels);
            assert!(made.iter().skip(3).step_by(4).all(|alpha| *alpha == 77), "{}", filter.name);
        }
    }
}

#[test]
fn strong_filters_are_right_and_leave_alpha() {
    let step = |function, amount| Step { function, amount };
    let chains = [
        vec![step(Function::Contrast, 3.0), step(Function::Contrast, 3.0)],
        vec![step(Function::Contrast, 20.0)],
        vec![step(Function::Brightness, 1.5)],
        vec![step(Function::Brightness, 3.0)],
        vec![step(Function::Brightness, 7.0)],
        vec![step(Function::Brightness, 15.0)],
        vec![step(Function::Brightness, 31.0)],
        vec![step(Function::Saturate, 0.058), step(Function::Duotone(&UPSIDE_DOWN), 1.0)],
    ];
    let pixels: Vec<u8> = (0..=255).flat_map(|level| [level; 4]).collect();
    for chain in chains {
        let made = filtered(&chain, &pixels);
        for (level, made) in (0..=255).zip(made.as_chunks::<4>().0) {
            assert_eq!(made[3], level, "{chain:?}: alpha");
            let wanted = specified_chain(&chain, [level; 3]);
            for channel in 0..3 {
                let off = (wanted[channel] - f64::from(made[channel])).abs();
                assert!(off <= 1.0, "{chain:?} makes {made:?} of {level}, not {wanted:?}");
            }
        }
    }
}

#[test]
fn one_sum_for_all_channels_is_off_by_a_quarter_of_a_level_at_most_and_not_for_greys() {
    let levels = [0, 1, 50, 127, 128, 200, 254, 255];
    let colours = levels.iter().flat_map(|r| levels.iter().map(move |g| (*r, *g)));
    let colours: Vec<u8> =
        colours.flat_map(|(r, g)| levels.iter().flat_map(move |b| [r, g, *b])).collect();
    let greys: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    for function in [Function::Sepia, Function::Duotone(&INKS)] {
        let step = Step { function, amount: 1.0 };
        // Rounding takes half a level, and 16 bits some hundredths.
        let (colour, grey) = (worst_error(&[step], &colours), worst_error(&[step], &greys));
        assert!(colour <= 0.8, "{function:?} is off by {colour}");
        assert!(grey <= 0.55, "{function:?} of greys is off by {grey}");
    }
}

#[test]
fn no_strength_changes_nothing() {
    let card = test_card(67, 31);
    for filter in filters::ALL {
        let mut same = card.clone();
        filter.look(0).apply(&mut Raster::of(&mut same));
        assert!(same == card, "{}", filter.name);
    }
}

#[test]
fn the_negative_is_255_less_every_byte_and_leaves_alpha() {
    for channels in [3_usize, 4] {
        let levels: Vec<u8> = (0..=255).flat_map(|level: u8| vec![level; channels]).collect();
        let program = Program::new(&[Step { function: Function::Invert, amount: 1.0 }]);
        let wanted = levels.iter().enumerate();
        let wanted: Vec<u8> = wanted
            .map(|(at, level)| if channels == 4 && at % 4 == 3 { *level } else { 255 - level })
            .collect();
        let raster = |bytes: &mut [u8], work: &dyn Fn(&mut Raster<'_>)| {
            let mut raster = Raster::new(bytes, (256, 1), channels, 256 * channels);
            work(raster.as_mut().expect("its size"));
        };
        let mut scalar = levels.clone();
        raster(&mut scalar, &|raster| program.apply_scalar(raster));
        assert_eq!(scalar, wanted);
        for (set, level) in instruction_sets() {
            let mut fast = levels.clone();
            raster(&mut fast, &|raster| program.apply_with(level, raster));
            assert_eq!(fast, wanted, "{set}");
        }
    }
}
