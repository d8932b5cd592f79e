//! The memory that a picture takes is what the imaging room says: asked of the allocator, kind of file by kind of file.
//!
//! Each test is a process of its own under nextest. Under `cargo test` they take turns, and those that come later find buffers in stock.

#[path = "../fuzz/src/seeds.rs"]
#[expect(dead_code, reason = "the seeds themselves are for others")]
mod seeds;

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::{DynamicImage, ImageEncoder, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use peak_alloc::PeakAlloc;
use photo_app::imaging::{
    Effort, ImagingError, Limits, RenderRequest, Watermark, filters, probe, render,
};
use photo_app::model::RenditionFormats;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

static ALONE: Mutex<()> = Mutex::new(());

const LADDER: [u32; 5] = [160, 320, 640, 1_080, 2_048];
const SIDES: (u32, u32) = (2_400, 1_600);

fn picture() -> RgbImage {
    let (width, height) = SIDES;
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x / 12) as u8, (y / 8) as u8, (x * y / 4_096) as u8])
    })
}

fn jpeg(progressive: bool) -> Vec<u8> {
    written(&picture(), ColorType::Rgb, progressive, SamplingFactor::R_4_4_4)
}

fn written(pixels: &[u8], kind: ColorType, progressive: bool, sampling: SamplingFactor) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 85);
    encoder.set_progressive(progressive);
    encoder.set_sampling_factor(sampling);
    let (width, height) = (SIDES.0 as u16, SIDES.1 as u16);
    encoder.encode(pixels, width, height, kind).expect("a picture can be encoded");
    file
}

fn stored(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("a picture can be encoded");
    file.into_inner()
}

/// Renders the ladder and compares what that took with what is stated; `bytes_per_pixel` is what decoding takes at most.
fn check(file: impl FnOnce() -> Vec<u8>, bytes_per_pixel: f64, cores: usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let file = file();
    let request = RenderRequest {
        bytes: &file,
        filter: filters::by_name("matinee").expect("a look of the table"),
        strength: 100,
        watermark: Watermark::Tiled,
        widths: &LADDER,
        formats: RenditionFormats::Jpeg,
        limits: Limits::default(),
        effort: Effort { cores, cancelled: None },
    };
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let made = render(&request).expect("a picture can be rendered");
    let taken = ALLOCATOR.peak_usage() - before;
    assert_eq!(made.len(), LADDER.len());
    // Two pictures of the widest size, files and scratch space of less than one; with several cores two thirds of one more.
    let widest = made.iter().map(|made| made.width * made.height * 3).max().unwrap_or(0) as usize;
    let beside = widest * 3 + if cores > 1 { widest * 2 / 3 } else { 0 };
    let decoded = (f64::from(SIDES.0) * f64::from(SIDES.1) * bytes_per_pixel) as usize;
    let bound = decoded + beside;
    assert!(taken <= bound, "{taken} bytes, stated are {bound}");
    // And the allocator was really asked: one picture of the widest size is there in any case.
    assert!(taken >= widest, "{taken} bytes");
}

#[test]
fn baseline_jpegs_keep_to_the_bound() {
    check(|| jpeg(false), 3.0, 1);
}

#[test]
fn photos_keep_to_half_of_that() {
    let halved = || written(&picture(), ColorType::Rgb, false, SamplingFactor::R_4_2_0);
    check(halved, 1.5, 1);
}

#[test]
fn baseline_jpegs_on_two_cores_keep_to_the_bound() {
    check(|| jpeg(false), 3.0, 2);
}

#[test]
fn progressive_jpegs_keep_to_the_bound() {
    check(|| jpeg(true), 9.0, 1);
}

#[test]
fn progressive_jpegs_in_inks_keep_to_the_bound() {
    let inks = || -> Vec<u8> {
        let picture = picture();
        picture.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 20]).collect()
    };
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        check(|| written(&inks(), kind, true, SamplingFactor::R_4_4_4), 15.0, 1);
    }
}

#[test]
fn pngs_keep_to_the_bound() {
    check(|| stored(picture().into(), ImageFormat::Png), 3.0, 1);
}

#[test]
fn deep_pngs_with_alpha_keep_to_the_bound() {
    let deep = || DynamicImage::ImageRgba16(DynamicImage::from(picture()).to_rgba16());
    check(|| stored(deep(), ImageFormat::Png), 3.0, 1);
}

/// Brought to sRGB while they are decoded, which takes tables and a row.
#[test]
fn deep_pngs_with_a_profile_keep_to_the_bound() {
    let deep = || {
        let mut file = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut file);
        let profile = moxcms::ColorProfile::new_display_p3().encode().expect("it can be written");
        encoder.set_icc_profile(profile).expect("a PNG may carry a profile");
        let picture = DynamicImage::ImageRgba16(DynamicImage::from(picture()).to_rgba16());
        picture.write_with_encoder(encoder).expect("a picture can be encoded");
        file
    };
    check(deep, 3.0, 1);
}

#[test]
fn webps_keep_to_the_bound() {
    check(|| stored(picture().into(), ImageFormat::WebP), 14.0, 1);
}

/// A grey photo of 4:2:0 without a single coefficient: two bits a block, so that giants are small files.
fn empty(width: u16, height: u16, marker: u8) -> Vec<u8> {
    let segment = |marker: u8, body: &[u8]| {
        [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
    };
    let (wide, tall) = (width.to_be_bytes(), height.to_be_bytes());
    let frame = [&[8][..], &tall, &wide, &[3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]].concat();
    // One code of one bit, 0: of the means no difference, of the others no more.
    let codes = |kind: u8| [&[kind, 1][..], &[0; 16]].concat();
    let band = if marker == 0xC2 { [0, 0, 0] } else { [0, 63, 0] };
    let scan = [&[3, 1, 0, 2, 0, 3, 0][..], &band].concat();
    let mcus = usize::from(width).div_ceil(16) * usize::from(height).div_ceil(16);
    [
        &[0xFF, 0xD8][..],
        &segment(0xDB, &[&[0][..], &[1; 64]].concat()),
        &segment(marker, &frame),
        &segment(0xC4, &codes(0)),
        &segment(0xC4, &codes(0x10)),
        &segment(0xDA, &scan),
        &vec![0; (mcus * 12).div_ceil(8)],
        &[0xFF, 0xD9],
    ]
    .concat()
}

/// A phone's 200 megapixels are read at a quarter of their sides: a sixteenth of the pixels.
#[test]
fn photos_of_200_megapixels_take_what_one_of_13_takes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (width, height) in [(16_320, 12_240), (12_240, 16_320)] {
        let file = empty(width, height, 0xC0);
        let request = RenderRequest {
            bytes: &file,
            filter: filters::by_name("original").expect("a look of the table"),
            strength: 100,
            watermark: Watermark::Corner,
            widths: &LADDER,
            formats: RenditionFormats::Jpeg,
            limits: Limits::default(),
            effort: Effort::default(),
        };
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let made = render(&request).expect("a picture can be rendered");
        let taken = ALLOCATOR.peak_usage() - before;
        assert_eq!(made.last().map(|widest| widest.width), Some(2_048));
        let widest =
            made.iter().map(|made| made.width * made.height * 3).max().unwrap_or(0) as usize;
        // At 2/8 of its sides, at 3/8 where it is tall; what is stated beside; the file's bits once more, unstuffed.
        let eighths = if width > height { 2 } else { 3 };
        let decoded = usize::from(width) * usize::from(height) * eighths * eighths / 64 * 3 / 2;
        let bound = decoded + widest * 3 + file.len();
        assert!(taken <= bound, "{taken} bytes, stated are {bound}");
        // Its size alone is the reason: read in several scans it would be there at full size.
        let refused = probe(&empty(width, height, 0xC2), &Limits::default());
        assert!(matches!(refused, Err(ImagingError::TooManyPixels { .. })), "{refused:?}");
    }
}

#[test]
fn transparent_and_animated_webps_keep_to_the_bound() {
    let veiled = || stored(DynamicImage::from(picture()).to_rgba8().into(), ImageFormat::WebP);
    check(veiled, 14.0, 1);
    let animated = || {
        let (width, height) = SIDES;
        let frame = seeds::webp_frame((0, 0), SIDES, &veiled());
        let header = seeds::webp_header(0x12, (width + 2, height));
        seeds::webp_of(&[(b"VP8X", &header), (b"ANMF", &frame), (b"ANMF", &frame)])
    };
    check(animated, 14.0, 1);
}

/// A header is enough to refuse a picture that would take too much.
#[test]
fn a_giant_is_refused_before_it_takes_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let file = stored(DynamicImage::new_luma8(20_000, 2_001), ImageFormat::Png);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let refused = probe(&file, &Limits::default());
    assert!(matches!(refused, Err(ImagingError::TooManyPixels { .. })), "{refused:?}");
    let taken = ALLOCATOR.peak_usage() - before;
    assert!(taken < 1 << 20, "{taken} bytes");
}
