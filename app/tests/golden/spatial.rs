//! Sharpen, vignette and grain: the fast twins against the readable ones bit for bit, both against the formulas in `f64`, at every size from
//! 1x1 to 67x67, RGB and RGBA, with and without gaps between rows.

use photo_app::imaging::Raster;
use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::spatial::{Gaussian, Grain, Sharpen, SpatialFilter as _, Vignette};
use proptest::prelude::*;

use crate::Random;

/// A raster's measures and random contents, gaps included.
#[derive(Debug, Clone)]
pub struct Case {
    pub width: usize,
    pub height: usize,
    channels: usize,
    pub stride: usize,
    pub bytes: Vec<u8>,
}

impl Case {
    pub fn new(width: usize, height: usize, channels: usize, gap: usize, seed: u32) -> Self {
        let stride = width * channels + gap;
        let mut random = Random(seed | 1);
        let bytes = (0..stride * height).map(|_| random.bits() as u8).collect();
        Self { width, height, channels, stride, bytes }
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    pub fn after(&self, work: impl Fn(&mut Raster<'_>)) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let size = (self.width, self.height);
        let raster = Raster::new(&mut bytes, size, self.channels, self.stride);
        work(&mut raster.expect("the measures fit"));
        bytes
    }

    pub fn at(&self, x: isize, y: isize, channel: usize) -> f64 {
        let inside = |at: isize, side: usize| at.clamp(0, side as isize - 1) as usize;
        let (x, y) = (inside(x, self.width), inside(y, self.height));
        f64::from(self.bytes[y * self.stride + x * self.channels + channel])
    }

    /// Gaps are as they were, and alpha too if it should be.
    pub fn check_untouched(&self, made: &[u8], alpha: bool) {
        for (index, (before, after)) in self.bytes.iter().zip(made).enumerate() {
            let within = index % self.stride;
            let is_gap = within >= self.width * self.channels;
            let is_alpha = alpha && self.channels == 4 && within % 4 == 3;
            assert!(before == after || !(is_gap || is_alpha), "byte {index} is no colour");
        }
    }

    /// Compares colours with the formula; alpha and gaps must be untouched.
    pub fn check(&self, made: &[u8], wanted: impl Fn(usize, usize, usize) -> f64, most: f64) {
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

/// Widths about the vectors' own, which end a row with whole ones, with one more pixel or one less; and rows so long that
/// what lies ahead is fetched.
#[test]
fn ends_of_rows_are_as_their_middles() {
    let widths =
        [(10, 3), (11, 3), (21, 3), (22, 3), (170, 3), (171, 3), (8, 4), (128, 4), (129, 4)];
    for (width, channels) in widths.into_iter().chain([(4_400, 3)]) {
        for height in [1, 2, 15] {
            let case = Case::new(width, height, channels, 5, height as u32);
            for (name, level) in instruction_sets() {
                let made = case.after(|raster| Sharpen::new(1.0).apply_with(level, raster));
                case.check(&made, sharpened(&case, 1.0), 0.5);
                case.check_untouched(&made, true);
                let scalar = case.after(|raster| Sharpen::new(1.0).apply_scalar(raster));
                assert!(made == scalar, "{name}, {width} x {height}");
            }
        }
    }
}

#[test]
fn the_last_row_may_end_without_its_gap() {
    let case = Case::new(31, 9, 3, 6, 3);
    let short = case.bytes.len() - 6;
    let filters: [&dyn Fn(&mut Raster<'_>); 4] = [
        &|raster| Sharpen::new(1.0).apply(raster),
        &|raster| Vignette::new(0.8).apply(raster),
        &|raster| Gaussian::new(2.0).apply(raster),
        &|raster| Gaussian::new(5.0).apply(raster),
    ];
    for filter in filters {
        let mut bytes = case.bytes[..short].to_vec();
        filter(&mut Raster::new(&mut bytes, (31, 9), 3, case.stride).expect("the measures fit"));
        assert!(bytes == case.after(filter)[..short]);
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

/// A grey picture with this grain, as differences from the grey.
fn speckles(grain: Grain, level: u8, stride: usize) -> Vec<i32> {
    let mut bytes = vec![level; stride * 200];
    let raster = Raster::new(&mut bytes, (300, 200), 3, stride);
    grain.apply(&mut raster.expect("the measures fit"));
    let rows = bytes.chunks(stride).flat_map(|row| &row[..900]);
    rows.map(|byte| i32::from(*byte) - i32::from(level)).collect()
}

#[test]
fn grain_is_even_grey_and_the_same_for_a_seed() {
    let grain = speckles(Grain::new(20.0, 7), 128, 900);
    let mean = grain.iter().sum::<i32>() as f64 / grain.len() as f64;
    assert!(mean.abs() < 0.2, "the picture keeps its brightness: {mean}");
    let spread = grain.iter().map(|off| f64::from(off * off)).sum::<f64>() / grain.len() as f64;
    // A triangle of half width 20 has a standard deviation of 20 / sqrt(6).
    assert!((spread.sqrt() - 20.0 / 6.0_f64.sqrt()).abs() < 0.3, "{}", spread.sqrt());
    assert!(grain.iter().all(|off| off.abs() <= 20));
    assert!(grain.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b), "specks are grey");
    assert_eq!(grain, speckles(Grain::new(20.0, 7), 128, 917), "whatever the stride");
    assert_ne!(grain, speckles(Grain::new(20.0, 8), 128, 900), "another seed, other specks");
    for level in [0, 255] {
        assert!(speckles(Grain::new(20.0, 7), level, 900).iter().all(|off| *off == 0));
    }
    // Rows are no copies of each other, nor of the next ones shifted by little.
    assert_ne!(grain[..900], grain[900..1800]);
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
            let grain = Grain::new(amount * 8.0, u64::from(seed));
            let speckled = case.after(|raster| grain.apply_scalar(raster));
            let fast = case.after(|raster| grain.apply_with(level, raster));
            prop_assert!(fast == speckled, "grain with {}", name);
            case.check_untouched(&speckled, true);
        }
    }
}
