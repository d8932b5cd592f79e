//! Sharpen and vignette: the fast twins against the readable ones bit for bit, both against the formulas in `f64`, at every size from
//! 1x1 to 67x67, RGB and RGBA, with and without gaps between rows.

use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::spatial::{Raster, Sharpen, SpatialFilter as _, Vignette};
use proptest::prelude::*;

use crate::Random;

/// A raster's measures and random contents, gaps included.
#[derive(Debug, Clone)]
struct Case {
    width: usize,
    height: usize,
    channels: usize,
    stride: usize,
    bytes: Vec<u8>,
}

impl Case {
    fn new(width: usize, height: usize, channels: usize, gap: usize, seed: u32) -> Self {
        let stride = width * channels + gap;
        let mut random = Random(seed | 1);
        let bytes = (0..stride * height).map(|_| random.bits() as u8).collect();
        Self { width, height, channels, stride, bytes }
    }

    fn after(&self, work: impl Fn(&mut Raster<'_>)) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let size = (self.width, self.height);
        let raster = Raster::new(&mut bytes, size, self.channels, self.stride);
        work(&mut raster.expect("the measures fit"));
        bytes
    }

    fn at(&self, x: isize, y: isize, channel: usize) -> f64 {
        let inside = |at: isize, side: usize| at.clamp(0, side as isize - 1) as usize;
        let (x, y) = (inside(x, self.width), inside(y, self.height));
        f64::from(self.bytes[y * self.stride + x * self.channels + channel])
    }

    /// Compares colours with the formula; alpha and gaps must be untouched.
    fn check(&self, made: &[u8], wanted: impl Fn(usize, usize, usize) -> f64, most: f64) {
        for (index, (before, after)) in self.bytes.iter().zip(made).enumerate() {
            let (y, within) = (index / self.stride, index % self.stride);
            let (x, channel) = (within / self.channels, within % self.channels);
            if x >= self.width || channel == 3 {
                assert_eq!(before, after, "byte {index} is no colour");
                continue;
            }
            let wanted = wanted(x, y, channel);
            let off = (wanted - f64::from(*after)).abs();
            assert!(
                off <= most,
                "{x},{y} is {after} instead of {wanted}: {}x{}",
                self.width,
                self.height
            );
        }
    }
}

fn sharpened(case: &Case, amount: f64) -> impl Fn(usize, usize, usize) -> f64 {
    move |x, y, channel| {
        let (x, y) = (x as isize, y as isize);
        let at = |dx: isize, dy: isize| case.at(x + dx, y + dy, channel);
        let around = at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1);
        (at(0, 0) + amount * (4.0 * at(0, 0) - around)).clamp(0.0, 255.0)
    }
}

fn darkened(case: &Case, strength: f64) -> impl Fn(usize, usize, usize) -> f64 {
    move |x, y, channel| {
        let (w, h) = (case.width as f64 / 2.0, case.height as f64 / 2.0);
        let (dx, dy) = (x as f64 + 0.5 - w, y as f64 + 0.5 - h);
        let squared = (dx * dx + dy * dy) / (w * w + h * h);
        case.at(x as isize, y as isize, channel) * (1.0 - strength * squared * squared)
    }
}

#[test]
fn every_size_gives_what_the_formulas_say() {
    for width in 1..=67 {
        for height in [1, 2, 3, 17, 67] {
            let case = Case::new(width, height, 3 + width % 2, width % 5, 7 + width as u32);
            let made = case.after(|raster| Sharpen::new(1.0).apply(raster));
            case.check(&made, sharpened(&case, 1.0), 0.5);
            let made = case.after(|raster| Vignette::new(0.8).apply(raster));
            case.check(&made, darkened(&case, 0.8), 1.0);
        }
    }
}

#[test]
fn nothing_of_a_filter_is_nothing() {
    let case = Case::new(23, 9, 3, 0, 5);
    assert_eq!(case.after(|raster| Sharpen::new(0.0).apply(raster)), case.bytes);
    assert_eq!(case.after(|raster| Sharpen::new(f32::NAN).apply(raster)), case.bytes);
    assert_eq!(case.after(|raster| Vignette::new(-1.0).apply(raster)), case.bytes);
    assert_eq!(case.after(|raster| Vignette::new(f32::NAN).apply(raster)), case.bytes);
}

#[test]
fn measures_that_do_not_fit_are_refused() {
    let mut bytes = vec![0; 100];
    for (size, channels, stride) in [
        ((10, 4), 3, 30),
        ((10, 3), 2, 30),
        ((10, 3), 3, 29),
        ((usize::MAX, 2), 3, 8),
        ((2, usize::MAX), 3, 8),
    ] {
        let refused = Raster::new(&mut bytes, size, channels, stride);
        assert!(refused.is_err(), "{size:?} {channels} {stride}");
    }
    assert!(Raster::new(&mut bytes, (10, 3), 3, 35).is_ok());
    assert!(Raster::new(&mut [], (0, 0), 3, 0).is_ok());
}

proptest! {
    #[test]
    fn twins_agree_bit_for_bit_and_with_the_formulas(
        width in 1_usize..68,
        height in 1_usize..68,
        channels in 3_usize..5,
        gap in 0_usize..7,
        seed: u32,
        amount in 0.0_f32..6.0,
    ) {
        let case = Case::new(width, height, channels, gap, seed);
        let (sharpen, vignette) = (Sharpen::new(amount), Vignette::new(amount / 6.0));
        let scalar = case.after(|raster| sharpen.apply_scalar(raster));
        case.check(&scalar, sharpened(&case, f64::from(amount)), 1.0);
        let dark = case.after(|raster| vignette.apply_scalar(raster));
        case.check(&dark, darkened(&case, f64::from(amount / 6.0)), 1.0);
        for (name, level) in instruction_sets() {
            let fast = case.after(|raster| sharpen.apply_with(level, raster));
            prop_assert!(fast == scalar, "sharpen with {}", name);
            let fast = case.after(|raster| vignette.apply_with(level, raster));
            prop_assert!(fast == dark, "vignette with {}", name);
        }
    }
}
