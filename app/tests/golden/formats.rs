//! Which files are understood, and that each is read the right way up and in the right colours.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use photo_app::imaging::{Limits, Probe, RgbImage as Picture, decode, probe, render};
use photo_app::model::PictureFormat;

use crate::fuzzing::seeds;
use crate::{plain, test_card};

fn accept(bytes: &[u8]) -> Probe {
    probe(bytes, &Limits::default()).expect("an acceptable picture")
}

fn read(bytes: &[u8]) -> Picture {
    let found = accept(bytes);
    let stored = decode::decode(bytes, &found, &Limits::default()).expect("a readable picture");
    found.orientation.apply(&mut Default::default(), stored)
}

pub fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a small picture can be written");
    bytes.into_inner()
}

/// Largest difference of any channel.
pub fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// A smooth card, so that JPEG's losses stay small.
fn smooth(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 200 / width) as u8 + 20, (y * 200 / height) as u8 + 30, 120])
    })
}

fn jpeg_of(picture: &RgbImage, configure: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    configure(&mut encoder);
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    encoder.encode(picture, width, height, ColorType::Rgb).expect("a small picture can be written");
    bytes
}

#[test]
fn lossless_formats_give_back_the_very_pixels() {
    let card = DynamicImage::ImageRgb8(test_card(53, 37));
    for (format, kind) in
        [(ImageFormat::Png, PictureFormat::Png), (ImageFormat::WebP, PictureFormat::Webp)]
    {
        let bytes = encoded(&card, format);
        let found = accept(&bytes);
        assert_eq!((found.format, found.width, found.height), (kind, 53, 37));
        assert!(read(&bytes) == card.to_rgb8(), "{kind:?}");
    }
}

#[test]
fn every_sampling_of_jpeg_is_read_baseline_and_progressive() {
    let card = smooth(61, 45);
    let samplings = [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0];
    for sampling in samplings {
        for progressive in [false, true] {
            let bytes = jpeg_of(&card, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
            });
            let off = difference(&read(&bytes), &card);
            assert!(off <= 12, "{sampling:?}, progressive {progressive}: off by {off}");
        }
    }
}

#[test]
fn grey_and_cmyk_jpegs_become_rgb() {
    let (width, height) = (40_u16, 24_u16);
    let ramp: Vec<u8> = (0..960).map(|index| (index % 40 * 6) as u8).collect();
    let mut grey = Vec::new();
    let encoder = Encoder::new(&mut grey, 95);
    encoder.encode(&ramp, width, height, ColorType::Luma).expect("written");
    let read_back = read(&grey);
    for (pixel, wanted) in read_back.pixels().zip(&ramp) {
        assert!(pixel.0.iter().all(|c| c.abs_diff(*wanted) <= 6), "{pixel:?} for {wanted}");
    }
    // All cyan, nothing else: (0, 255, 255) in every reading of CMYK.
    let cyan: Vec<u8> = [255, 0, 0, 0].repeat(960);
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 95).encode(&cyan, width, height, kind).expect("written");
        let pixel = read(&bytes).get_pixel(20, 12).0;
        assert!(pixel[0] < 12 && pixel[1] > 243 && pixel[2] > 243, "{kind:?}: {pixel:?}");
    }
}

#[test]
fn inks_become_what_their_profile_says() {
    let profile = seeds::profile_of_inks();
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        for (inks, wanted) in [
            // L* of 50.2 is 119 in sRGB.
            ([255, 0, 0, 0], [119, 119, 119]),
            ([0, 0, 0, 0], [255, 255, 255]),
            ([0, 255, 255, 0], [255, 255, 255]),
            ([0, 0, 0, 255], [0, 0, 0]),
        ] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 95);
            encoder.add_icc_profile(&profile).expect("it is short");
            encoder.encode(&inks.repeat(960), 40, 24, kind).expect("written");
            let pixel = read(&bytes).get_pixel(20, 12).0;
            let near = |(one, other): (u8, u8)| one.abs_diff(other) <= 3;
            assert!(pixel.into_iter().zip(wanted).all(near), "{kind:?} {inks:?}: {pixel:?}");
        }
    }
}

#[test]
fn deep_grey_and_transparent_pngs_become_rgb_on_white() {
    let deep = DynamicImage::ImageRgb16(image::ImageBuffer::from_fn(9, 5, |x, _| {
        Rgb([x as u16 * 7_000, 65_535, 0])
    }));
    let pixel = read(&encoded(&deep, ImageFormat::Png)).get_pixel(8, 2).0;
    assert_eq!(pixel, [218, 255, 0]);
    let grey = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(3, 3, Luma([32_896])));
    assert_eq!(read(&encoded(&grey, ImageFormat::Png)).get_pixel(1, 1).0, [128, 128, 128]);
    let clear =
        DynamicImage::ImageRgba8(image::ImageBuffer::from_pixel(3, 3, Rgba([10, 20, 30, 0])));
    assert_eq!(read(&encoded(&clear, ImageFormat::Png)).get_pixel(1, 1).0, [255, 255, 255]);
    let half =
        DynamicImage::ImageRgba8(image::ImageBuffer::from_pixel(3, 3, Rgba([0, 100, 255, 128])));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_eq!(read(&encoded(&half, format)).get_pixel(1, 1).0, [127, 177, 255]);
    }
    let veil = DynamicImage::ImageLumaA8(image::ImageBuffer::from_pixel(3, 3, LumaA([0, 51])));
    assert_eq!(read(&encoded(&veil, ImageFormat::Png)).get_pixel(1, 1).0, [204, 204, 204]);
}

/// A TIFF block that holds nothing but the orientation.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn all_eight_orientations_stand_upright() {
    let upright = smooth(64, 40);
    // How a camera stores the upright scene under each tag: the inverse of what the tag asks for.
    let stored = |tag: u8| -> RgbImage {
        use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
        match tag {
            1 => upright.clone(),
            2 => flip_horizontal(&upright),
            3 => rotate180(&upright),
            4 => flip_vertical(&upright),
            5 => flip_horizontal(&rotate90(&upright)),
            6 => rotate270(&upright),
            7 => flip_horizontal(&rotate270(&upright)),
            _ => rotate90(&upright),
        }
    };
    for tag in 1..=8 {
        let bytes = jpeg_of(&stored(tag), |encoder| {
            encoder.add_exif_metadata(&exif(tag)).expect("a short block");
        });
        let found = accept(&bytes);
        assert_eq!((found.width, found.height), (64, 40), "tag {tag}");
        let off = difference(&read(&bytes), &upright);
        assert!(off <= 12, "tag {tag}: off by {off}");
        // The pipeline turns after resizing; the result must be the same, without the tag.
        let rendition = render(&plain(&bytes, &[32])).expect("rendered").remove(0);
        assert_eq!((rendition.width, rendition.height), (32, 20), "tag {tag}");
        assert_eq!(accept(&rendition.jpeg).orientation, Default::default());
        let wanted =
            image::imageops::resize(&upright, 32, 20, image::imageops::FilterType::Triangle);
        let off = difference(&read(&rendition.jpeg), &wanted);
        assert!(off <= 16, "tag {tag}, rendered: off by {off}");
    }
}

#[test]
fn metadata_does_not_reach_renditions() {
    let bytes = jpeg_of(&smooth(40, 40), |encoder| {
        encoder.add_exif_metadata(&exif(1)).expect("a short block");
        encoder.add_icc_profile(&[7; 300]).expect("a short profile");
    });
    let rendition = render(&plain(&bytes, &[20])).expect("rendered").remove(0);
    let names = |word: &[u8]| rendition.jpeg.windows(word.len()).any(|window| window == word);
    assert!(!names(b"Exif") && !names(b"ICC_PROFILE"));
}

#[test]
fn widths_are_answered_in_their_order_and_never_enlarged() {
    let bytes = encoded(&DynamicImage::ImageRgb8(smooth(500, 333)), ImageFormat::Png);
    let sizes = |widths: &[u32]| -> Vec<(u32, u32)> {
        let made = render(&plain(&bytes, widths)).expect("rendered");
        for rendition in &made {
            let found = accept(&rendition.jpeg);
            assert_eq!((found.width, found.height), (rendition.width, rendition.height));
        }
        made.iter().map(|rendition| (rendition.width, rendition.height)).collect()
    };
    assert_eq!(sizes(&[100, 2048, 320]), [(100, 67), (500, 333), (320, 213)]);
    assert_eq!(sizes(&[]), []);
}
