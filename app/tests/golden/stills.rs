//! Files that are whole enough, and those of which one picture is taken: a PNG without its end, an animation, a WebP that only says it is one.
//! The right result is what browsers show, and where that is a film, its first picture (docs/decisions/what-a-picture-shows.md).

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use photo_app::imaging::{ImagingError, Limits, decode, probe};
use photo_app::model::PictureFormat;

use crate::formats::encoded;
use crate::fuzzing::seeds::{png_of, stored, webp_frame, webp_header, webp_of};
use crate::test_card;

fn read(bytes: &[u8]) -> Result<RgbImage, ImagingError> {
    let limits = Limits::default();
    let found = probe(bytes, &limits)?;
    let stored = decode::decode(bytes, &found, &limits)?;
    Ok(found.orientation.apply(&mut Default::default(), stored))
}

fn png() -> (RgbImage, Vec<u8>) {
    let card = test_card(53, 37);
    let bytes = encoded(&DynamicImage::ImageRgb8(card.clone()), ImageFormat::Png);
    (card, bytes)
}

/// A PNG's header for RGB of 8 bits.
fn header(picture: &RgbImage, interlaced: bool) -> Vec<u8> {
    let sides = [picture.width(), picture.height()].map(u32::to_be_bytes).concat();
    [&sides[..], &[8, 2, 0, 0, u8::from(interlaced)]].concat()
}

/// Rows as PNG stores them, each with its filter: none.
fn rows(picture: &RgbImage) -> Vec<u8> {
    let row_bytes = picture.width() as usize * 3;
    picture.as_raw().chunks(row_bytes).flat_map(|row| [&[0], row].concat()).collect()
}

/// The rows of the seven passes of Adam7 (PNG, third edition, 8.1).
fn interlaced_rows(picture: &RgbImage) -> Vec<u8> {
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let mut rows = Vec::new();
    for (column, row, across, down) in passes {
        for y in (row..picture.height()).step_by(down) {
            let mut pixels = (column..picture.width()).step_by(across).peekable();
            if pixels.peek().is_some() {
                rows.push(0);
            }
            rows.extend(pixels.flat_map(|x| picture.get_pixel(x, y).0));
        }
    }
    rows
}

#[test]
fn a_png_without_its_end_is_whole_while_no_pixel_is_missing() {
    let (card, whole) = png();
    let end = whole.len() - 12;
    let mut variants = vec![("junk behind its end", [&whole[..], b"junk"].concat())];
    for left in 0..12 {
        variants.push(("its end cut", whole[..end + left].to_vec()));
    }
    let mut wrong_sum = whole.clone();
    *wrong_sum.last_mut().expect("a sum") ^= 1;
    variants.push(("the sum of its end wrong", wrong_sum));
    // The sum of its pixels' chunk, and before it the one of their bits.
    for (what, back) in [("the sum of its pixels wrong", 1), ("the sum of their bits wrong", 5)] {
        let mut changed = whole.clone();
        changed[end - back] ^= 1;
        variants.push((what, changed));
    }
    for cut in 1..9 {
        variants.push(("sums cut", whole[..end - cut].to_vec()));
    }
    for (what, bytes) in variants {
        let read = read(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(read == card, "{what}");
    }
}

#[test]
fn interlaced_pngs_of_every_size_are_read_with_and_without_their_end() {
    for width in 1..=9 {
        for height in 1..=9 {
            let card = test_card(width, height);
            let header = header(&card, true);
            let data = stored(&interlaced_rows(&card));
            let whole = png_of(&[(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &[])]);
            for bytes in [&whole[..], &whole[..whole.len() - 12]] {
                assert!(read(bytes).expect("whole enough") == card, "{width} x {height}");
            }
        }
    }
}

#[test]
fn a_cut_picture_is_called_incomplete() {
    let (card, png) = png();
    let webp = encoded(&DynamicImage::ImageRgb8(card.clone()), ImageFormat::WebP);
    let lossy = webp::Encoder::from_rgb(&card, 53, 37).encode(80.0).to_vec();
    for (format, whole) in
        [(PictureFormat::Png, png), (PictureFormat::Webp, webp), (PictureFormat::Webp, lossy)]
    {
        for cut in 12..whole.len() - 40 {
            let error = read(&whole[..cut]).expect_err("pixels are missing");
            assert_eq!(error, ImagingError::Incomplete { format }, "{cut} of {}", whole.len());
        }
    }
    let told = ImagingError::Incomplete { format: PictureFormat::Png }.to_string();
    assert!(told.starts_with("This PNG is incomplete: its end is missing."), "{told}");
}

/// What a person reads of a damaged file names no part of the format and no library's type.
#[test]
fn damage_is_told_in_words_for_people() {
    let (card, png) = png();
    let webp = encoded(&DynamicImage::ImageRgb8(card.clone()), ImageFormat::WebP);
    let lossy = webp::Encoder::from_rgb(&card, 53, 37).encode(80.0).to_vec();
    let mut told = std::collections::BTreeSet::new();
    for whole in [png, webp, lossy] {
        for at in 0..whole.len().min(1_500) {
            for flip in [1, 0x80, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                if let Err(ImagingError::Damaged { reason, .. }) = read(&bytes) {
                    told.insert(reason);
                }
            }
        }
    }
    let rows = stored(&rows(&card)[..500]);
    let header = header(&card, false);
    let short = png_of(&[(b"IHDR", &header), (b"IDAT", &rows), (b"IEND", &[])]);
    let unknown = png_of(&[(b"IHDR", &header), (b"ABCD", &[]), (b"IDAT", &rows), (b"IEND", &[])]);
    let palette = [&header[..9], &[3, 0, 0, 0]].concat();
    let palette = png_of(&[(b"IHDR", &palette), (b"IDAT", &rows), (b"IEND", &[])]);
    let nothing = png_of(&[(b"IHDR", &header), (b"IEND", &[])]);
    for bytes in [short, unknown, palette, nothing] {
        match read(&bytes).expect_err("not a whole picture") {
            ImagingError::Damaged { reason, .. } => told.insert(reason),
            other => panic!("{other}"),
        };
    }
    let ours = [
        "its header is damaged",
        "its headers contradict each other",
        "its frame header is wrong",
        "its palette is missing",
        "its pixels are damaged",
        "its size is missing",
        "it has no pixels",
        "it holds no picture",
        "the decoder gave up",
        "what stands before its pixels is too long",
    ];
    assert!(told.len() >= 5, "{told:?}");
    assert!(told.iter().all(|reason| ours.contains(&reason.as_str())), "{told:?}");
    let apple = png_of(&[(b"CgBI", &[0; 4]), (b"IHDR", &header)]);
    assert!(read(&apple).expect_err("a rare kind").to_string().contains("Apple"));
}

#[test]
fn of_an_animated_png_the_still_picture_is_taken() {
    let still = test_card(16, 12);
    let frame = RgbImage::from_pixel(16, 12, Rgb([20, 160, 220]));
    let header = header(&still, false);
    let sides = [16_u32, 12].map(u32::to_be_bytes).concat();
    let control =
        |number: u32| [&number.to_be_bytes()[..], &sides, &[0; 8], &[0, 1, 0, 1], &[0, 0]].concat();
    let data = stored(&rows(&still));
    let next = [&2_u32.to_be_bytes()[..], &stored(&rows(&frame))].concat();
    let apart = [&1_u32.to_be_bytes()[..], &stored(&rows(&frame))].concat();
    let (one, two) = ([1_u32, 0], [2_u32, 0]);
    let frames = |frames: [u32; 2]| frames.map(u32::to_be_bytes).concat();
    let files = [
        // The still picture is the first frame.
        png_of(&[
            (b"IHDR", &header),
            (b"acTL", &frames(two)),
            (b"fcTL", &control(0)),
            (b"IDAT", &data),
            (b"fcTL", &control(1)),
            (b"fdAT", &next),
            (b"IEND", &[]),
        ]),
        // It is none of the frames.
        png_of(&[
            (b"IHDR", &header),
            (b"acTL", &frames(one)),
            (b"IDAT", &data),
            (b"fcTL", &control(0)),
            (b"fdAT", &apart),
            (b"IEND", &[]),
        ]),
    ];
    for bytes in files {
        assert!(read(&bytes).expect("a picture") == still);
    }
}

/// What a WebP encoder makes of these pixels, without loss.
fn lossless(picture: &RgbaImage) -> Vec<u8> {
    encoded(&DynamicImage::ImageRgba8(picture.clone()), ImageFormat::WebP)
}

#[test]
fn of_an_animated_webp_the_first_frame_is_taken_on_a_white_canvas() {
    let first = RgbaImage::from_fn(8, 6, |x, y| {
        Rgba([x as u8 * 30, y as u8 * 40, 90, if x == 0 { 0 } else { 255 }])
    });
    let other = RgbaImage::from_pixel(20, 16, Rgba([255, 0, 0, 255]));
    // A background that nobody asks for: solid blue.
    let animation = [255, 0, 0, 255, 0, 0];
    let frames = [
        webp_frame((4, 6), (8, 6), &lossless(&first)),
        webp_frame((0, 0), (20, 16), &lossless(&other)),
    ];
    let wanted = RgbImage::from_fn(20, 16, |x, y| match (x.checked_sub(4), y.checked_sub(6)) {
        (Some(x @ 1..8), Some(y @ 0..6)) => Rgb([x as u8 * 30, y as u8 * 40, 90]),
        _ => Rgb([255; 3]),
    });
    for flags in [0x02, 0x12] {
        let header = webp_header(flags, (20, 16));
        let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"VP8X", &header), (b"ANIM", &animation)];
        chunks.extend(frames.iter().map(|frame| (b"ANMF", &frame[..])));
        let whole = webp_of(&chunks);
        assert!(read(&whole).expect("a picture") == wanted, "flags {flags:x}");
        // What is missing of the second one does not matter.
        assert!(read(&whole[..whole.len() - 10]).expect("a picture") == wanted);
        let within_first = whole.len() - frames[1].len() - 30;
        let error = read(&whole[..within_first]).expect_err("a part of the first is missing");
        assert_eq!(error, ImagingError::Incomplete { format: PictureFormat::Webp });
    }
}

#[test]
fn a_webp_of_one_frame_or_with_nothing_but_the_flag_is_a_still_picture() {
    let card = test_card(20, 16);
    let file = lossless(&DynamicImage::ImageRgb8(card.clone()).to_rgba8());
    let bits = &file[20..];
    let header = webp_header(0x02, (20, 16));
    let frame = webp_frame((0, 0), (20, 16), &file);
    let one = webp_of(&[(b"VP8X", &header), (b"ANIM", &[0; 6]), (b"ANMF", &frame)]);
    let flag = webp_of(&[(b"VP8X", &header), (b"VP8L", bits)]);
    for bytes in [one, flag] {
        assert!(read(&bytes).expect("a still picture") == card);
    }
    // A frame that does not fit on its canvas, and a picture that is not as large as its file says.
    let outside = webp_frame((2, 0), (20, 16), &file);
    let outside = webp_of(&[(b"VP8X", &header), (b"ANMF", &outside)]);
    let other = webp_of(&[(b"VP8X", &webp_header(0, (21, 16))), (b"VP8L", bits)]);
    let nothing = webp_of(&[(b"VP8X", &header), (b"ANIM", &[0; 6])]);
    for bytes in [outside, other, nothing] {
        assert!(matches!(read(&bytes), Err(ImagingError::Damaged { .. })));
    }
}

#[test]
fn a_lossy_frame_keeps_its_alpha_only_where_the_file_says_so() {
    let picture = RgbaImage::from_pixel(16, 16, Rgba([200, 40, 40, 0]));
    let file = webp::Encoder::from_rgba(&picture, 16, 16).encode(90.0).to_vec();
    assert_eq!(&file[12..16], b"VP8X");
    assert_eq!(read(&file).expect("a picture").get_pixel(8, 8).0, [255; 3]);
    let mut opaque = file.clone();
    opaque[20] &= !0x10;
    assert!(read(&opaque).expect("a picture").get_pixel(8, 8).0 != [255; 3]);
    let header = webp_header(0x02, (16, 16));
    let frame = webp_frame((0, 0), (16, 16), &file);
    let animated = webp_of(&[(b"VP8X", &header), (b"ANMF", &frame)]);
    assert_eq!(read(&animated).expect("a picture").get_pixel(8, 8).0, [255; 3]);
}
