//! Files that are broken, cut off, oversized or something else: a typed error or a right answer, never a panic.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use photo_app::imaging::{ImagingError, Limits, Watermark, encode, filters, probe, render};
use photo_app::model::PictureFormat;

use crate::formats::encoded;
use crate::{Random, plain, test_card};

fn refusal(bytes: &[u8]) -> ImagingError {
    match render(&plain(bytes, &[64])) {
        Ok(_) => panic!("{} bytes were accepted", bytes.len()),
        Err(error) => error,
    }
}

fn samples() -> Vec<(PictureFormat, Vec<u8>)> {
    let card = test_card(90, 70);
    let (width, height) = (90, 70);
    let mut progressive = Vec::new();
    let mut encoder = Encoder::new(&mut progressive, 80);
    encoder.set_progressive(true);
    encoder.encode(&card, width, height, ColorType::Rgb).expect("written");
    let mut restarts = Vec::new();
    let mut encoder = Encoder::new(&mut restarts, 80);
    encoder.set_restart_interval(4);
    encoder.encode(&card, width, height, ColorType::Rgb).expect("written");
    let picture = DynamicImage::ImageRgb8(card.clone());
    vec![
        (PictureFormat::Jpeg, encode::jpeg(&card).expect("written")),
        (PictureFormat::Jpeg, progressive),
        (PictureFormat::Jpeg, restarts),
        (PictureFormat::Png, encoded(&picture, ImageFormat::Png)),
        (PictureFormat::Webp, encoded(&picture, ImageFormat::WebP)),
    ]
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    for (format, whole) in samples() {
        let made = render(&plain(&whole, &[64])).expect("whole, it is accepted");
        let last = whole.len() - 1;
        let steps = (0..whole.len()).step_by(whole.len() / 97 + 1);
        // A lossless picture may be whole a few bytes before its file ends (checksums, padding), a JPEG before its end marker.
        let tail = if format == PictureFormat::Jpeg { last - 40..last } else { last..last };
        let may_lack = if format == PictureFormat::Jpeg { 2 } else { 20 };
        for cut in steps.chain(tail) {
            match render(&plain(&whole[..cut], &[64])) {
                Err(ImagingError::Incomplete { .. }) => {
                    assert!(cut + may_lack < whole.len() || format != PictureFormat::Jpeg);
                }
                Err(ImagingError::Damaged { .. }) if format != PictureFormat::Jpeg => {}
                Err(ImagingError::NotAPicture) => assert!(cut < 12, "{format:?} cut at {cut}"),
                Err(other) => panic!("{format:?} cut at {cut}: {other}"),
                Ok(rest) => {
                    let length = whole.len();
                    assert!(cut + may_lack >= length, "{format:?} cut at {cut} of {length}");
                    assert!(rest == made, "{format:?} cut at {cut} of {length}: another picture");
                }
            }
        }
    }
}

/// A frame that promises more than its scan holds, with its end marker in place: other decoders fill the rest with grey.
#[test]
fn data_that_end_early_but_properly_are_refused_at_every_size() {
    for (_, mut jpeg) in samples().into_iter().filter(|(format, _)| *format == PictureFormat::Jpeg)
    {
        let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0] || pair == [0xFF, 0xC2]);
        let frame = frame.expect("a frame header");
        jpeg[frame + 5..frame + 9].copy_from_slice(&[1, 44, 1, 144]);
        for width in [20, 100, 200, 400] {
            let error = render(&plain(&jpeg, &[width])).expect_err("most of it is missing");
            assert_eq!(error, ImagingError::Incomplete { format: PictureFormat::Jpeg }, "{width}");
        }
    }
}

#[test]
fn changed_bytes_never_panic_and_never_grow() {
    let limits = Limits { side_max: 5_000, ..Limits::of(1_000_000) };
    let mut random = Random(0x9E37_79B9);
    for (_, whole) in samples() {
        for round in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=round % 4 {
                // Headers are hit as often as all the rest together.
                let within = if round % 2 == 0 { bytes.len().min(700) } else { bytes.len() };
                let at = random.below(within);
                bytes[at] ^= 1 << random.below(8);
            }
            let request = photo_app::imaging::RenderRequest { limits, ..plain(&bytes, &[64]) };
            if let Ok(renditions) = render(&request) {
                assert!(renditions.iter().all(|one| one.width <= 64 && one.height <= 5_000));
            }
        }
    }
}

#[test]
fn a_claimed_size_is_refused_before_anything_is_decoded() {
    let mut jpeg = encode::jpeg(&test_card(16, 16)).expect("written");
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame header");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x23, 0x28, 0x75, 0x30]);
    let error = refusal(&jpeg);
    assert_eq!(
        error.to_string(),
        "This picture is 30000 x 9000 pixels; at most 240 megapixels are accepted. \
         Save a smaller copy and try again."
    );
    let mut png = encoded(&DynamicImage::ImageRgb8(test_card(16, 16)), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    assert!(matches!(refusal(&png), ImagingError::TooManyPixels { .. }));
    png[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 1, 0, 0]);
    assert!(matches!(refusal(&png), ImagingError::TooLong { height: 65_536, .. }));
    png[16..24].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    assert!(matches!(refusal(&png), ImagingError::Damaged { .. }));
    let limits = Limits { side_max: 100, ..Limits::of(255) };
    let small = encode::jpeg(&test_card(16, 16)).expect("written");
    let over = probe(&small, &limits).expect_err("256 pixels are over the limit");
    assert!(matches!(over, ImagingError::TooManyPixels { .. }));
}

#[test]
fn other_files_are_named() {
    let found = |bytes: &[u8]| refusal(bytes).to_string();
    assert!(found(b"GIF89a......").contains("GIF file"));
    assert!(found(b"\0\0\0\x18ftypheic....").contains("HEIC file"));
    assert!(found(b"\0\0\0\x18ftypavif....").contains("AVIF file"));
    assert!(found(b"\0\0\0\x18ftypisom....").contains("video file"));
    assert!(found(b"BM123456").contains("BMP file"));
    assert_eq!(refusal(b""), ImagingError::NotAPicture);
    assert_eq!(refusal(b"<html>"), ImagingError::NotAPicture);
    assert_eq!(refusal(&[0xFF, 0xD8]), ImagingError::NotAPicture);
}

#[test]
fn rare_kinds_of_jpeg_are_named() {
    let jpeg = encode::jpeg(&test_card(16, 16)).expect("written");
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame header");
    for (at, byte, kind) in [
        (1, 0xC3, "lossless"),
        (1, 0xC9, "arithmetic"),
        (4, 12, "more than 8 bits"),
        (6, 0, "height that is told only behind its pixels"),
        (11, 0x31, "rare sampling"),
    ] {
        let mut rare = jpeg.clone();
        rare[frame + at] = byte;
        if at == 11 {
            rare[frame + 14] = 0x21;
        }
        let words = refusal(&rare).to_string();
        assert!(words.contains(kind) && words.contains("Save it as"), "{kind}: {words}");
    }
}

#[test]
fn the_smallest_and_the_thinnest_pictures_are_rendered_with_everything_on() {
    for (width, height) in [(1, 1), (2, 1), (1, 300), (300, 1), (3, 2_000), (2_000, 3), (17, 17)] {
        let mut bytes = Cursor::new(Vec::new());
        let picture = RgbImage::from_pixel(width, height, image::Rgb([90, 120, 150]));
        picture.write_to(&mut bytes, ImageFormat::Png).expect("written");
        let bytes = bytes.into_inner();
        let request = photo_app::imaging::RenderRequest {
            filter: filters::by_name("amber").expect("a look"),
            watermark: Watermark::Corner,
            ..plain(&bytes, &[320, 640])
        };
        let made = render(&request).expect("rendered");
        assert_eq!(made.len(), 2);
        assert!(made[0].width <= 320 && made[0].height >= 1);
    }
}
