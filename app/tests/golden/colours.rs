//! Colours that a file says in a profile or without one, against the formulas of the standards; and which profiles count for nothing, as
//! Chromium has it (docs/decisions/colour-profiles.md).

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use moxcms::ColorProfile;
use photo_app::imaging::{RgbImage as Picture, render};

use crate::formats::encoded;
use crate::fuzzing::seeds::{
    png_of, profile_of_grey, profile_of_inks, stored, webp_header, webp_of,
};
use crate::plain;

/// Levels that a transform and a JPEG may be off, where everything is one flat colour.
const TOLERANCE: f64 = 2.5;

/// Chunks of a PNG: names and contents.
type Chunks<'a> = &'a [(&'a [u8; 4], &'a [u8])];
/// Parts of a profile in a JPEG: number, count and contents.
type Parts<'a> = &'a [(u8, u8, &'a [u8])];

/// What becomes of the picture in the pipeline, in the middle.
fn shown(bytes: &[u8]) -> [u8; 3] {
    let made = render(&plain(bytes, &[64])).expect("rendered").remove(0);
    let picture = image::load_from_memory(&made.jpeg).expect("a whole JPEG").to_rgb8();
    picture.get_pixel(picture.width() / 2, picture.height() / 2).0
}

fn assert_near(shown: [u8; 3], wanted: [f64; 3], what: &str) {
    let near = |(shown, wanted): (u8, f64)| (f64::from(shown) - wanted).abs() <= TOLERANCE;
    assert!(shown.into_iter().zip(wanted).all(near), "{what}: {shown:?} instead of {wanted:?}");
}

/// sRGB's curve (IEC 61966-2-1), from light to level.
fn level(light: f64) -> f64 {
    let light = light.clamp(0.0, 1.0);
    let value =
        if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    255.0 * value
}

/// The same, from level to light.
fn light(level: f64) -> f64 {
    let value = level / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn flat([r, g, b]: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(32, 24, image::Rgb([r, g, b]))
}

const COLOUR: [u8; 3] = [200, 120, 60];

fn unchanged(colour: [u8; 3]) -> [f64; 3] {
    colour.map(f64::from)
}

/// A linear picture of this colour, as levels of sRGB.
fn linear(colour: [u8; 3]) -> [f64; 3] {
    colour.map(|value| level(f64::from(value) / 255.0))
}

/// A PNG of one colour: the kind of its pixels, its bits, one pixel, and the chunks before the pixels.
fn png(kind: u8, bits: u8, pixel: &[u8], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let header =
        [&32_u32.to_be_bytes()[..], &24_u32.to_be_bytes(), &[bits, kind, 0, 0, 0]].concat();
    let row = [&[0][..], &pixel.repeat(32)].concat();
    let data = stored(&row.repeat(24));
    let mut all: Vec<(&[u8; 4], &[u8])> = vec![(b"IHDR", &header)];
    all.extend(chunks);
    all.extend([(b"IDAT", &data[..]), (b"IEND", &[])]);
    png_of(&all)
}

fn profile_chunk(icc: &[u8]) -> Vec<u8> {
    [&b"name\0\0"[..], &stored(icc)].concat()
}

fn jpeg(pixels: &[u8], kind: ColorType, icc: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 98);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    if !icc.is_empty() {
        encoder.add_icc_profile(icc).expect("a short profile");
    }
    encoder.encode(&pixels.repeat(32 * 24), 32, 24, kind).expect("written");
    bytes
}

fn icc(profile: &ColorProfile) -> Vec<u8> {
    profile.encode().expect("a built-in profile can be written")
}

/// sRGB's primaries with a straight line for a curve: nothing else makes a picture so much lighter.
fn linear_rgb() -> Vec<u8> {
    let mut profile = ColorProfile::new_srgb();
    let line = Some(moxcms::ToneReprCurve::Parametric(vec![1.0]));
    (profile.red_trc, profile.green_trc) = (line.clone(), line.clone());
    (profile.blue_trc, profile.cicp) = (line, None);
    icc(&profile)
}

fn linear_grey() -> Vec<u8> {
    icc(&ColorProfile::new_gray_with_gamma(1.0))
}

const POWER: &[u8] = &100_000_u32.to_be_bytes();

fn primaries(numbers: [u32; 8]) -> Vec<u8> {
    numbers.map(u32::to_be_bytes).concat()
}

#[test]
fn a_power_without_a_profile_is_followed() {
    for power in [100_000_u32, 55_556, 47_728, 43_181, 55_000] {
        let bytes = png(2, 8, &COLOUR, &[(b"gAMA", &power.to_be_bytes())]);
        let exponent = 100_000.0 / f64::from(power);
        let wanted = COLOUR.map(|value| level((f64::from(value) / 255.0).powf(exponent)));
        assert_near(shown(&bytes), wanted, &format!("power {power}"));
    }
    // These stand for sRGB, until primaries come with them; the last three are no numbers of PNG's.
    for power in [45_455_u32, 43_182, 47_727, 0, 1 << 31, u32::MAX] {
        let bytes = png(2, 8, &[20, 40, 30], &[(b"gAMA", &power.to_be_bytes())]);
        assert_near(shown(&bytes), [20.0, 40.0, 30.0], &format!("power {power}"));
    }
    let srgb = primaries([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]);
    let with = png(2, 8, &[20, 40, 30], &[(b"gAMA", &45_455_u32.to_be_bytes()), (b"cHRM", &srgb)]);
    let wanted = [20.0, 40.0, 30.0].map(|value: f64| level((value / 255.0).powf(2.2)));
    assert_near(shown(&with), wanted, "with sRGB's primaries");
}

#[test]
fn primaries_are_followed_only_with_a_power() {
    let adobe = primaries([31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000]);
    let alone = png(2, 8, &COLOUR, &[(b"cHRM", &adobe)]);
    assert_near(shown(&alone), unchanged(COLOUR), "primaries alone");
    let none = png(2, 8, &COLOUR, &[(b"gAMA", POWER), (b"cHRM", &primaries([0; 8]))]);
    assert_near(shown(&none), unchanged(COLOUR), "primaries that are none");
    let both = png(2, 8, &COLOUR, &[(b"gAMA", POWER), (b"cHRM", &adobe)]);
    // Linear Adobe RGB to linear sRGB, which share their white (Adobe RGB (1998), 4.3.6.1, with sRGB's inverse).
    let matrix = [[1.398_28, -0.398_28, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_94, 1.042_94]];
    let wanted = matrix.map(|row: [f64; 3]| {
        level(row.iter().zip(COLOUR).map(|(cell, value)| cell * f64::from(value) / 255.0).sum())
    });
    assert_near(shown(&both), wanted, "both");
}

#[test]
fn of_several_descriptions_the_first_that_holds_is_taken() {
    let profile = profile_chunk(&linear_rgb());
    let grey = profile_chunk(&linear_grey());
    let srgb: &[u8] = &[0];
    let points: &[u8] = &[1, 8, 0, 1];
    let limited: &[u8] = &[1, 8, 0, 0];
    let unknown: &[u8] = &[200, 200, 0, 1];
    // The imaginary primaries of XYZ have no light of their own.
    let no_light: &[u8] = &[10, 8, 0, 1];
    let plain_power = 45_455_u32.to_be_bytes();
    let (unchanged, linear) = (unchanged(COLOUR), linear(COLOUR));
    let cases: [(&str, Chunks<'_>, _); 10] = [
        ("sRGB before a power", &[(b"gAMA", POWER), (b"sRGB", srgb)], unchanged),
        ("a profile before sRGB", &[(b"sRGB", srgb), (b"iCCP", &profile)], linear),
        ("a profile before a power", &[(b"gAMA", &plain_power), (b"iCCP", &profile)], linear),
        ("a power after no profile", &[(b"gAMA", POWER), (b"iCCP", b"x\0\0junk")], linear),
        ("a profile for others, and a power", &[(b"gAMA", POWER), (b"iCCP", &grey)], unchanged),
        (
            "code points before a profile",
            &[(b"cICP", &[1, 13, 0, 1]), (b"iCCP", &profile)],
            unchanged,
        ),
        ("linear code points", &[(b"cICP", points), (b"sRGB", srgb)], linear),
        ("code points of a television's range", &[(b"cICP", limited)], unchanged),
        ("code points without light", &[(b"cICP", no_light)], unchanged),
        ("code points that nobody knows", &[(b"cICP", unknown), (b"gAMA", POWER)], linear),
    ];
    for (what, chunks, wanted) in cases {
        assert_near(shown(&png(2, 8, &COLOUR, chunks)), wanted, what);
    }
}

#[test]
fn code_points_are_brought_to_srgb() {
    // Linear Display P3 to linear sRGB: the matrix of the CSS Color 4 specification's sample code.
    let p3 = [
        [1.224_940, -0.224_940, 0.0],
        [-0.042_057, 1.042_057, 0.0],
        [-0.019_638, -0.078_636, 1.098_274],
    ];
    let through = |matrix: [[f64; 3]; 3], light: [f64; 3]| {
        matrix.map(|row| level(row.iter().zip(light).map(|(cell, light)| cell * light).sum()))
    };
    let wanted = through(p3, COLOUR.map(|value| light(value.into())));
    assert_near(shown(&png(2, 8, &COLOUR, &[(b"cICP", &[12, 13, 0, 1])])), wanted, "Display P3");
    // BT.2020 to sRGB (ITU-R BT.2087), with the curve of BT.1886.
    let bt2020 = [
        [1.660_491, -0.587_641, -0.072_850],
        [-0.124_550, 1.132_900, -0.008_349],
        [-0.018_151, -0.100_579, 1.118_730],
    ];
    for curve in [1, 6, 14, 15] {
        let wanted = through(bt2020, COLOUR.map(|value| (f64::from(value) / 255.0).powf(2.4)));
        let bytes = png(2, 8, &COLOUR, &[(b"cICP", &[9, curve, 0, 1])]);
        assert_near(shown(&bytes), wanted, &format!("BT.2020, curve {curve}"));
    }
    // PQ and HLG (ITU-R BT.2100) of 16 bits: 203 cd/m2 is white. HLG is for a display of 1,000.
    let pq = |nits: f64| {
        let power = (nits / 10_000.0).powf(0.159_301_757_812_5);
        ((0.835_937_5 + 18.851_562_5 * power) / (1.0 + 18.687_5 * power)).powf(78.843_75)
    };
    let hlg = |nits: f64| {
        let scene = (nits / 1_000.0).powf(1.0 / 1.2);
        if scene <= 1.0 / 12.0 {
            (3.0 * scene).sqrt()
        } else {
            0.178_832_77 * (12.0 * scene - 0.284_668_92).ln() + 0.559_910_73
        }
    };
    let curves: [(u8, &dyn Fn(f64) -> f64); 2] = [(16, &pq), (18, &hlg)];
    for (curve, signal) in curves {
        for wanted in [[200.0, 120.0, 60.0], [255.0; 3], [20.0; 3], [0.0; 3]] {
            let pixel: Vec<u8> = wanted
                .iter()
                .map(|wanted| signal(light(*wanted) * 203.0) * 65_535.0)
                .flat_map(|value| (value.round() as u16).to_be_bytes())
                .collect();
            let bytes = png(2, 16, &pixel, &[(b"cICP", &[1, curve, 0, 1])]);
            assert_near(shown(&bytes), wanted, &format!("curve {curve}"));
        }
        let bright = (signal(800.0) * 255.0).round() as u8;
        let bytes = png(2, 8, &[bright; 3], &[(b"cICP", &[9, curve, 0, 1])]);
        assert_near(shown(&bytes), [255.0; 3], "brighter than white");
    }
}

#[test]
fn deep_and_transparent_pixels_are_brought_to_srgb_before_they_are_cut_and_laid_on_white() {
    // 200 of 65,535 are no level of 8 bits, and yet ten of sRGB's.
    let dark = 200_u16.to_be_bytes().repeat(3);
    let wanted = [level(200.0 / 65_535.0); 3];
    assert_near(shown(&png(2, 16, &dark, &[(b"gAMA", POWER)])), wanted, "deep and dark");
    let grey = profile_chunk(&linear_grey());
    assert_near(shown(&png(0, 16, &dark[..2], &[(b"iCCP", &grey)])), wanted, "deep and grey");
    let veiled = |level: f64| (level * 128.0 + 255.0 * 127.0) / 255.0;
    let wanted = linear(COLOUR).map(veiled);
    let pixel = [&COLOUR[..], &[128]].concat();
    assert_near(shown(&png(6, 8, &pixel, &[(b"gAMA", POWER)])), wanted, "transparent");
    let wanted = [veiled(level(100.0 / 255.0)); 3];
    assert_near(shown(&png(4, 8, &[100, 128], &[(b"gAMA", POWER)])), wanted, "a grey veil");
    let [r, g, b] = COLOUR;
    let picture = RgbaImage::from_pixel(32, 24, Rgba([r, g, b, 128]));
    let file = encoded(&DynamicImage::ImageRgba8(picture), ImageFormat::WebP);
    let header = webp_header(0x30, (32, 24));
    let profile = linear_rgb();
    let webp = webp_of(&[(b"VP8X", &header), (b"ICCP", &profile), (b"VP8L", &file[20..])]);
    assert_near(shown(&webp), linear(COLOUR).map(veiled), "a transparent WebP");
}

#[test]
fn a_profile_is_used_for_the_pixels_that_it_is_made_for() {
    let (rgb, grey, inks) = (linear_rgb(), linear_grey(), profile_of_inks());
    let lighter = linear([100; 3]);
    let same = unchanged([100; 3]);
    let colours = |icc: &[u8]| jpeg(&[100; 3], ColorType::Rgb, icc);
    let one = |icc: &[u8]| jpeg(&[100], ColorType::Luma, icc);
    assert_near(shown(&colours(&rgb)), lighter, "RGB for RGB");
    assert_near(shown(&colours(&grey)), same, "grey for RGB");
    assert_near(shown(&colours(&inks)), same, "inks for RGB");
    assert_near(shown(&one(&grey)), lighter, "grey for grey");
    // One channel is all three.
    assert_near(shown(&one(&rgb)), lighter, "RGB for grey");
    assert_near(shown(&one(&inks)), same, "inks for grey");
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let ink = |icc: &[u8]| jpeg(&[155, 155, 155, 0], kind, icc);
        assert_near(shown(&ink(&rgb)), same, "RGB for inks");
        assert_near(shown(&ink(&grey)), same, "grey for inks");
    }
    let kinds: [(u8, &[u8]); 4] =
        [(2, &[100; 3]), (6, &[100, 100, 100, 255]), (0, &[100]), (4, &[100, 255])];
    for (kind, pixel) in kinds {
        let chunk = |icc: &[u8]| png(kind, 8, pixel, &[(b"iCCP", &profile_chunk(icc))]);
        let is_grey = kind & 2 == 0;
        assert_near(shown(&chunk(&rgb)), lighter, "RGB in a PNG");
        assert_near(shown(&chunk(&grey)), if is_grey { lighter } else { same }, "grey in a PNG");
        assert_near(shown(&chunk(&inks)), same, "inks in a PNG");
    }
    let file = encoded(&DynamicImage::ImageRgb8(flat([100; 3])), ImageFormat::WebP);
    let webp = |flags, icc: &[u8]| {
        let header = webp_header(flags, (32, 24));
        webp_of(&[(b"VP8X", &header), (b"ICCP", icc), (b"VP8L", &file[20..])])
    };
    assert_near(shown(&webp(0x20, &rgb)), lighter, "RGB in a WebP");
    assert_near(shown(&webp(0x20, &grey)), same, "grey in a WebP");
    assert_near(shown(&webp(0, &rgb)), same, "a profile that the header does not speak of");
}

#[test]
fn grey_by_a_table_over_lab_is_followed() {
    // L* of 60 at the middle: Y is ((60 + 16) / 116) ^ 3.
    let profile = profile_of_grey(&[0, 153, 255]);
    let middle = [level((76.0_f64 / 116.0).powi(3)); 3];
    for (grey, wanted) in [(0, [0.0; 3]), (255, [255.0; 3])] {
        assert_near(shown(&jpeg(&[grey], ColorType::Luma, &profile)), wanted, "an end");
    }
    assert_near(shown(&jpeg(&[127], ColorType::Luma, &profile)), middle, "the middle");
    let picture = GrayImage::from_pixel(32, 24, image::Luma([127]));
    let mut file = encoded(&DynamicImage::ImageLuma8(picture), ImageFormat::Png);
    let chunk = png_of(&[(b"iCCP", &profile_chunk(&profile))]);
    file.splice(33..33, chunk[8..].iter().copied());
    assert_near(shown(&file), middle, "in a PNG");
    // A curve that leads to Lab is passed over by browsers.
    let mut curve = linear_grey();
    curve[20..24].copy_from_slice(b"Lab ");
    assert_near(shown(&jpeg(&[127], ColorType::Luma, &curve)), [127.0; 3], "a curve");
}

#[test]
fn profiles_are_judged_as_browsers_judge_them() {
    let profile = linear_rgb();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = profile.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let length = profile.len() as u32;
    let first_tag = |name: &[u8]| {
        let tags = profile[132..].chunks(12);
        132 + 12 * tags.take(12).position(|tag| tag[..4] == *name).expect("it has this tag")
    };
    let description = first_tag(b"desc");
    let body =
        u32::from_be_bytes(profile[description + 4..][..4].try_into().expect("four")) as usize;
    let used = [
        ("version 0", with(8, &[0; 4])),
        ("version 1", with(8, &[1, 0, 0, 0])),
        ("version 2.4", with(8, &[2, 0x40, 0, 0])),
        ("version 4.4", with(8, &[4, 0x40, 0, 0])),
        ("a class of its own", with(12, b"\0\0\0\0")),
        ("a scanner", with(12, b"scnr")),
        ("an impossible date", with(24, &[0xFF; 12])),
        ("an unknown intent", with(64, &[7; 4])),
        ("a description of another type", with(body, b"junk\xff\xff\xff\xff")),
        ("more bytes than it says", [&profile[..], &[0; 10]].concat()),
        ("Lab, with a matrix", with(20, b"Lab ")),
    ];
    for (what, icc) in used {
        assert_near(shown(&jpeg(&COLOUR, ColorType::Rgb, &icc)), linear(COLOUR), what);
    }
    let passed_over = [
        ("version 5", with(8, &[5, 0, 0, 0])),
        ("longer than it is", with(0, &(length + 10).to_be_bytes())),
        ("shorter than its tags", with(0, &(length - 40).to_be_bytes())),
        ("no length", with(0, &[0; 4])),
        ("no signature", with(36, b"xxxx")),
        ("no white", with(68, &[0; 12])),
        ("a tag beyond its end", with(description + 4, &[0, 0xFF, 0xFF, 0xF0])),
    ];
    for (what, icc) in passed_over {
        assert_near(shown(&jpeg(&COLOUR, ColorType::Rgb, &icc)), unchanged(COLOUR), what);
    }
}

#[test]
fn the_parts_of_a_profile_must_agree() {
    let plain = jpeg(&COLOUR, ColorType::Rgb, &[]);
    let profile = linear_rgb();
    let (first, second) = profile.split_at(profile.len() / 2);
    let other = linear_grey();
    let parts = |parts: &[(u8, u8, &[u8])]| {
        let mut bytes = plain[..2].to_vec();
        for (number, count, part) in parts {
            bytes.extend([0xFF, 0xE2]);
            bytes.extend((part.len() as u16 + 16).to_be_bytes());
            bytes.extend(b"ICC_PROFILE\0");
            bytes.extend([*number, *count]);
            bytes.extend(*part);
        }
        bytes.extend(&plain[2..]);
        shown(&bytes)
    };
    let used: [(&str, Parts<'_>); 4] = [
        ("two", &[(1, 2, first), (2, 2, second)]),
        ("the other way round", &[(2, 2, second), (1, 2, first)]),
        ("one twice", &[(1, 2, first), (2, 2, second), (2, 2, second)]),
        ("another with its number", &[(1, 1, &profile), (1, 1, &other)]),
    ];
    for (what, said) in used {
        assert_near(parts(said), linear(COLOUR), what);
    }
    let passed_over: [(&str, Parts<'_>); 9] = [
        ("from zero", &[(0, 1, &profile)]),
        ("two from zero", &[(0, 2, first), (1, 2, second)]),
        ("one is missing", &[(1, 2, &profile)]),
        ("the first is missing", &[(2, 2, &profile)]),
        ("other counts", &[(1, 2, first), (2, 3, second)]),
        ("too few counted", &[(1, 1, first), (2, 1, second)]),
        ("too many counted", &[(1, 3, first), (2, 3, second)]),
        ("none counted", &[(1, 0, &profile)]),
        ("an empty one", &[(1, 3, first), (2, 3, second), (3, 3, &[])]),
    ];
    for (what, said) in passed_over {
        assert_near(parts(said), unchanged(COLOUR), what);
    }
}

/// What is read of a whole picture, too, before it is made smaller.
#[test]
fn a_profile_that_is_longer_than_any_other_does_not_keep_a_png_from_being_read() {
    let long = profile_chunk(&vec![0; 20 << 20]);
    let bytes = png(2, 8, &COLOUR, &[(b"iCCP", &long)]);
    let picture: Picture = flat(COLOUR);
    assert_near(shown(&bytes), picture.get_pixel(0, 0).0.map(f64::from), "it is passed over");
}
