//! Whole pictures against stored ones: the watermark at several sizes, and the pipeline from bytes to renditions.
//!
//! Not to the bit: resizing and the curves of the mark may round differently on other processors.

use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, RgbImage};
use photo_app::imaging::{RenderRequest, Watermark, filters, landscape, render, watermark};

use crate::formats::{difference, encoded};
use crate::{plain, test_card};

/// A level of rounding in one step and another in the next.
const TOLERANCE: u8 = 3;

fn compare(name: &str, made: &RgbImage) {
    let folder = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "pictures"];
    let path = folder.iter().collect::<PathBuf>().join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        made.save(&path).expect("the picture can be stored");
        return;
    }
    let stored = image::open(&path).expect("the stored picture is there").to_rgb8();
    let off = difference(made, &stored);
    assert!(off <= TOLERANCE, "{name} differs by {off} levels");
}

#[test]
fn the_watermark_looks_as_it_did() {
    for (name, level) in [("dark", 12), ("middle", 128), ("light", 245)] {
        let mut picture = RgbImage::from_pixel(320, 213, image::Rgb([level; 3]));
        watermark::draw(&mut picture, Watermark::Corner);
        compare(&format!("watermark-{name}"), &picture);
    }
    // Some of the marks are cut off to the right and at the bottom.
    let mut picture = RgbImage::from_pixel(320, 180, image::Rgb([128; 3]));
    watermark::draw(&mut picture, Watermark::Tiled);
    compare("watermark-tiled", &picture);
}

#[test]
fn the_watermark_is_seen_on_every_ground_and_leaves_the_rest_alone() {
    for level in [0_u8, 64, 128, 192, 255] {
        let plain = RgbImage::from_pixel(640, 427, image::Rgb([level; 3]));
        let mut marked = plain.clone();
        watermark::draw(&mut marked, Watermark::Corner);
        let channel = |value: fn(u8, u8) -> u8, start| {
            marked.pixels().skip(640 * 380).fold(start, |kept, pixel| value(kept, pixel.0[1]))
        };
        let contrast = channel(u8::max, 0) - channel(u8::min, 255);
        assert!(contrast >= 70, "on grey {level} the mark's contrast is {contrast}");
        let above = 640 * 300 * 3;
        assert!(marked.as_raw()[..above] == plain.as_raw()[..above], "only the corner changes");
    }
}

#[test]
fn the_pipeline_gives_the_pictures_it_gave() {
    let card = DynamicImage::ImageRgb8(test_card(300, 200));
    let bytes = encoded(&card, ImageFormat::Png);
    let request = RenderRequest {
        filter: filters::by_name("amber").expect("a look"),
        strength: 80,
        watermark: Watermark::Corner,
        ..plain(&bytes, &[240, 120])
    };
    for rendition in render(&request).expect("rendered") {
        // As others read it: ours gives all pixels of a sample of chroma the same.
        let picture = image::load_from_memory(&rendition.jpeg).expect("a whole JPEG").to_rgb8();
        compare(&format!("pipeline-{}", rendition.width), &picture);
    }
}

#[test]
fn landscapes_repeat_and_differ_by_seed() {
    let first = landscape::paint(5, 120, 80);
    assert!(first == landscape::paint(5, 120, 80), "the same seed paints the same picture");
    assert!(first != landscape::paint(6, 120, 80), "another seed paints another one");
    for seed in 0..40 {
        let picture = landscape::paint(seed, 90, 60);
        let levels: Vec<u8> = picture.pixels().map(|pixel| pixel.0[1]).collect();
        let (low, high) = levels
            .iter()
            .fold((255, 0), |(low, high), level| (u8::min(low, *level), u8::max(high, *level)));
        assert!(high - low > 60, "landscape {seed} is flat: {low} to {high}");
    }
    for (width, height) in [(1, 1), (1, 50), (50, 1), (0, 0)] {
        let tiny = landscape::paint(3, width, height);
        assert_eq!(tiny.dimensions(), (width.max(1), height.max(1)));
    }
}
