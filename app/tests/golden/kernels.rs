//! The looks against the specification in floating point, and the fast twin against the readable one.

use photo_app::imaging::filters::{self, Function, Step};
use photo_app::imaging::kernels::{Program, instruction_sets};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

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
    Program::new(chain).apply_scalar(&mut filtered);
    let pairs = pixels.as_chunks::<3>().0.iter().zip(filtered.as_chunks::<3>().0);
    pairs.fold(0.0, |worst, (before, after)| {
        let wanted = specified_chain(chain, *before);
        (0..3).fold(worst, |worst: f64, c| worst.max((wanted[c] - f64::from(after[c])).abs()))
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let step = |function, range: std::ops::Range<f64>| {
        range.prop_map(move |amount| Step { function, amount })
    };
    prop_oneof![
        step(Function::Brightness, 0.0..3.0),
        step(Function::Contrast, 0.0..3.0),
        step(Function::Saturate, 0.0..3.0),
        step(Function::Sepia, 0.0..1.0),
        step(Function::Grayscale, 0.0..1.0),
        step(Function::HueRotate, -360.0..360.0),
        step(Function::Invert, 0.0..1.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_twins_agree_bit_for_bit(
        chain in prop::collection::vec(any_step(), 1..5),
        (width, height) in (1_usize..=67, 1_usize..=67),
        seed in any::<u32>(),
    ) {
        let mut random = crate::Random(seed | 1);
        let pixels: Vec<u8> = (0..width * height * 3).map(|_| random.bits() as u8).collect();
        let program = Program::new(&chain);
        let mut scalar = pixels.clone();
        program.apply_scalar(&mut scalar);
        for (set, level) in instruction_sets() {
            let mut fast = pixels.clone();
            program.apply_with(level, &mut fast);
            prop_assert!(fast == scalar, "{set}, {width} x {height}, {chain:?}");
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

#[test]
fn every_look_is_within_two_levels_of_the_specification() {
    let card = test_card(256, 64);
    for filter in filters::ALL {
        for strength in [1, 37, 50, 100] {
            let worst = worst_error(&filter.chain(strength), card.as_raw());
            assert!(worst <= 2.0, "{} at {strength} % is off by {worst}", filter.name);
        }
    }
}

#[test]
fn no_strength_changes_nothing() {
    let card = test_card(67, 31);
    for filter in filters::ALL {
        let mut same = card.clone();
        Program::new(&filter.chain(0)).apply(&mut same);
        assert!(same == card, "{}", filter.name);
    }
}

/// First bytes of the hash of the test card under each look: pictures once saved keep their colours from release to release.
const LOOKS: &str = include_str!("looks.txt");

#[test]
fn looks_have_not_changed() {
    let card = test_card(97, 61);
    let mut table = String::new();
    for filter in filters::ALL {
        let mut picture = card.clone();
        Program::new(&filter.chain(100)).apply(&mut picture);
        let hash = hex::encode(&Sha256::digest(picture.as_raw())[..8]);
        table.push_str(&format!("{} {hash}\n", filter.name));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/looks.txt");
        std::fs::write(path, &table).expect("the table can be written");
        return;
    }
    assert_eq!(table, LOOKS, "a look gives other pixels than before");
}
