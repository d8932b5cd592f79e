//! The scaled JPEG decoder against zune-jpeg: what it makes of each block is computed here once more, in `f64`, from zune's full-size
//! pixels. Then everything that may be wrong with a file.

use fearless_simd::Level;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use photo_app::imaging::jpeg::{self, Codes, Frame, Options};
use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::planar::Planar;
use photo_app::imaging::{Limits, RgbImage, decode, landscape, probe, resize};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use crate::{Random, test_card};

/// A picture without extremes, so that no decoder has to clamp: waves of several lengths, and a little noise.
fn waves(width: u32, height: u32) -> Vec<u8> {
    let mut random = Random(9);
    let mut pixels = Vec::new();
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x as f64, y as f64))) {
        for channel in 0..3 {
            let long = (x / 37.0 + f64::from(channel)).sin() * 40.0 + (y / 23.0).cos() * 30.0;
            let short = ((x + 2.0 * y) / 3.0).sin() * 8.0 + f64::from(random.bits() % 5);
            pixels.push((128.0 + long + short) as u8);
        }
    }
    pixels
}

/// Levels of 255.
pub fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

struct Kind {
    color: ColorType,
    sampling: SamplingFactor,
    restart: u16,
}

fn encoded(pixels: &[u8], width: u32, height: u32, kind: &Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(kind.sampling);
    encoder.set_restart_interval(kind.restart);
    let grey: Vec<u8> = pixels.iter().step_by(3).copied().collect();
    let pixels = if kind.color == ColorType::Luma { &grey } else { pixels };
    encoder.encode(pixels, width as u16, height as u16, kind.color).expect("encoded");
    bytes
}

/// zune's planes, full size, interleaved.
fn zune(bytes: &[u8], space: ColorSpace) -> Vec<u8> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(space);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode().expect("zune reads it")
}

fn ours(bytes: &[u8], eighths: u32) -> (Vec<u8>, u32, u32) {
    let frame = Frame::read(bytes).expect("a picture for this decoder");
    let (_, level) = instruction_sets()[0];
    let planar = planar(&frame, eighths, level).expect("a whole picture");
    let (width, height) = jpeg::scaled_size(frame.width, frame.height, eighths);
    assert_eq!(planar.dimensions(), (width, height));
    let mut pixels = vec![1; width as usize * height as usize * 3];
    jpeg::to_rgb(&planar, level, &mut pixels);
    (pixels, width, height)
}

fn planar(frame: &Frame<'_>, eighths: u32, level: Level) -> Result<Planar, jpeg::Damage> {
    jpeg::decode(frame, eighths, level, |bytes| vec![1; bytes])
}

/// The samples of a plane as the scaled decode defines them: DCT of each block, its low frequencies, a smaller DCT back.
fn scaled(plane: &[f64], width: usize, height: usize, n: usize) -> Vec<f64> {
    let basis = |size: usize, frequency: usize, at: usize| match frequency {
        0 => 1.0,
        _ => {
            let angle = (2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI;
            2.0_f64.sqrt() * (angle / (2 * size) as f64).cos()
        }
    };
    let (columns, rows) = (width / 8, height / 8);
    let mut out = vec![0.0; columns * n * rows * n];
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let at = |x: usize, y: usize| plane[(row * 8 + y) * width + column * 8 + x];
        let mut coefficients = vec![0.0; n * n];
        for (v, u) in (0..n).flat_map(|v| (0..n).map(move |u| (v, u))) {
            for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                coefficients[v * n + u] += basis(8, u, x) * basis(8, v, y) * at(x, y) / 64.0;
            }
        }
        for (y, x) in (0..n).flat_map(|y| (0..n).map(move |x| (y, x))) {
            let mut sum = 0.0;
            for (v, u) in (0..n).flat_map(|v| (0..n).map(move |u| (v, u))) {
                sum += basis(n, u, x) * basis(n, v, y) * coefficients[v * n + u];
            }
            out[(row * n + y) * columns * n + column * n + x] = sum;
        }
    }
    out
}

#[test]
fn blocks_become_what_their_low_frequencies_are() {
    // Wider than all blocks that are read together: 32 MCUs of 16 pixels at most.
    let (width, height) = (544, 32);
    let pixels = waves(width, height);
    for color in [ColorType::Luma, ColorType::Rgb] {
        for restart in [0, 5] {
            let kind = Kind { color, sampling: SamplingFactor::F_1_1, restart };
            let bytes = encoded(&pixels, width, height, &kind);
            let (space, planes) = match color {
                ColorType::Luma => (ColorSpace::Luma, 1),
                _ => (ColorSpace::YCbCr, 3),
            };
            let full = zune(&bytes, space);
            for eighths in 1..=8 {
                let (got, ..) = ours(&bytes, eighths);
                let plane = |which: usize| -> Vec<f64> {
                    let samples = full.iter().skip(which).step_by(planes);
                    let samples: Vec<f64> = samples.map(|sample| f64::from(*sample)).collect();
                    scaled(&samples, width as usize, height as usize, eighths as usize)
                };
                let luma = plane(0);
                let chroma = (planes == 3).then(|| (plane(1), plane(2)));
                let mut worst = 0.0_f64;
                for (at, pixel) in got.chunks_exact(3).enumerate() {
                    let (cb, cr) =
                        chroma.as_ref().map_or((0.0, 0.0), |(b, r)| (b[at] - 128.0, r[at] - 128.0));
                    let wanted = [
                        luma[at] + 1.402 * cr,
                        luma[at] - 0.344_136 * cb - 0.714_136 * cr,
                        luma[at] + 1.772 * cb,
                    ];
                    for (wanted, got) in wanted.iter().zip(pixel) {
                        worst = worst.max((wanted - f64::from(*got)).abs());
                    }
                }
                // Zune has rounded its samples, and each plane is rounded once more before it becomes RGB: half a level of luma and 0.886
                // of blue (1.772 / 2) each time, and half a level at the end.
                assert!(worst <= 3.4, "{color:?} {restart} {eighths}/8 is off by {worst}");
            }
        }
    }
}

#[test]
fn every_sampling_and_every_size_looks_like_the_full_decode_made_smaller() {
    let samplings = [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
    ];
    for (width, height) in [(1, 1), (7, 5), (8, 8), (17, 33), (64, 48), (131, 67), (530, 37)] {
        let pixels = waves(width, height);
        for sampling in samplings {
            for restart in [0, 1, 3] {
                let kind = Kind { color: ColorType::Rgb, sampling, restart };
                let bytes = encoded(&pixels, width, height, &kind);
                let full = zune(&bytes, ColorSpace::RGB);
                let full = RgbImage::from_raw(width, height, full).expect("its size");
                for eighths in 1..=8 {
                    let (got, w, h) = ours(&bytes, eighths);
                    let got = RgbImage::from_raw(w, h, got).expect("its size");
                    let small = resize::resize(&mut Default::default(), &full, w, h);
                    let mean = mean_difference(&got, &small);
                    // Strips of a few pixels lean on what the encoder put beyond the edge.
                    let most = if width < 16 { 16.0 } else { 6.0 };
                    assert!(
                        mean <= most,
                        "{width}x{height} {sampling:?} {restart} {eighths}: {mean}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let card = test_card(603, 49);
    let kind = |color, sampling, restart| Kind { color, sampling, restart };
    for kind in [
        kind(ColorType::Rgb, SamplingFactor::F_2_2, 0),
        kind(ColorType::Rgb, SamplingFactor::F_2_2, 7),
        kind(ColorType::Rgb, SamplingFactor::F_2_1, 0),
        kind(ColorType::Rgb, SamplingFactor::F_1_2, 0),
        kind(ColorType::Rgb, SamplingFactor::F_1_1, 0),
        kind(ColorType::Luma, SamplingFactor::F_1_1, 0),
    ] {
        let bytes = encoded(card.as_raw(), 603, 49, &kind);
        let frame = Frame::read(&bytes).expect("a picture for this decoder");
        for eighths in 1..=8 {
            let (w, h) = jpeg::scaled_size(603, 49, eighths);
            let made = instruction_sets().into_iter().map(|(name, level)| {
                let planar = planar(&frame, eighths, level).expect("decoded");
                let mut pixels = vec![0; w as usize * h as usize * 3];
                jpeg::to_rgb(&planar, level, &mut pixels);
                (name, (planar, pixels))
            });
            let made: Vec<_> = made.collect();
            for (name, both) in &made[1..] {
                assert!(*both == made[0].1, "{name} differs from {} at {eighths}/8", made[0].0);
            }
        }
    }
}

#[test]
fn what_is_not_for_this_decoder_is_left_to_the_other() {
    let pixels = waves(64, 48);
    let kind = Kind { color: ColorType::Rgb, sampling: SamplingFactor::F_2_2, restart: 0 };
    let bytes = encoded(&pixels, 64, 48, &kind);
    assert!(Frame::read(&bytes).is_some());
    let mut progressive = Vec::new();
    let mut encoder = Encoder::new(&mut progressive, 90);
    encoder.set_progressive(true);
    encoder.encode(&pixels, 64, 48, ColorType::Rgb).expect("encoded");
    assert!(Frame::read(&progressive).is_none());
    let four: Vec<u8> =
        pixels.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 9]).collect();
    let mut cmyk = Vec::new();
    Encoder::new(&mut cmyk, 90).encode(&four, 64, 48, ColorType::Cmyk).expect("encoded");
    assert!(Frame::read(&cmyk).is_none());
    // Both ways lead to a small picture.
    for bytes in [&bytes, &progressive] {
        let found = probe(bytes, &Limits::default()).expect("accepted");
        let mut bench = Default::default();
        let small = decode::decode_for(&mut bench, bytes, &found, &Limits::default(), 16);
        let (width, _) = small.expect("decoded").dimensions();
        assert_eq!(width, 32);
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    // A narrow one, and one wider than all blocks that are read together.
    for (size, eighths, changes) in
        [((96, 80), &[1, 3, 4][..], 2_000), ((544, 17), &[1, 2, 3, 4, 5, 6, 7, 8], 300)]
    {
        let pixels = waves(size.0, size.1);
        for restart in [0, 2] {
            let kind = Kind { color: ColorType::Rgb, sampling: SamplingFactor::F_2_2, restart };
            let whole = encoded(&pixels, size.0, size.1, &kind);
            let try_all = |bytes: &[u8]| -> bool {
                let Some(frame) = Frame::read(bytes) else { return false };
                if u64::from(frame.width) * u64::from(frame.height) > 1_000_000 {
                    return false;
                }
                let (_, level) = instruction_sets()[0];
                eighths.iter().all(|eighths| planar(&frame, *eighths, level).is_ok())
            };
            assert!(try_all(&whole));
            // All but its end marker.
            assert!(try_all(&whole[..whole.len() - 2]));
            for length in 0..whole.len() - 2 {
                assert!(!try_all(&whole[..length]), "{length} of {} bytes are enough", whole.len());
            }
            let mut random = Random(77);
            for _ in 0..changes {
                let mut changed = whole.clone();
                for _ in 0..1 + random.below(4) {
                    let at = random.below(changed.len());
                    changed[at] = random.bits() as u8;
                }
                // Right or wrong, but without a panic.
                try_all(&changed);
            }
        }
    }
}

/// Peak signal to noise in decibels.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mean = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

fn written(pixels: &[u8], width: u32, height: u32, quality: u8) -> Vec<u8> {
    let (_, level) = instruction_sets()[0];
    let mut bytes = Vec::new();
    jpeg::encode(pixels, (width, height), usual(quality), level, &mut bytes)
        .expect("a size of JPEG's");
    bytes
}

#[test]
fn what_is_written_is_read_by_others_and_is_as_good_as_theirs() {
    for (width, height) in [(1, 1), (2, 3), (15, 16), (17, 33), (64, 48), (131, 67), (640, 410)] {
        let pixels = waves(width, height);
        for quality in [1, 50, 85, 100] {
            let ours = written(&pixels, width, height, quality);
            let read = zune(&ours, ColorSpace::RGB);
            assert_eq!(read.len(), pixels.len(), "{width}x{height}");
            let mut theirs = Vec::new();
            let mut encoder = Encoder::new(&mut theirs, quality);
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.encode(&pixels, width as u16, height as u16, ColorType::Rgb).expect("encoded");
            let (our_loss, their_loss) =
                (psnr(&pixels, &read), psnr(&pixels, &zune(&theirs, ColorSpace::RGB)));
            // Room for pictures of a few pixels, where rounding decides.
            let room = match width * height {
                0..16 => 4.0,
                16..1_000 => 1.5,
                _ => 0.3,
            };
            assert!(
                our_loss + room >= their_loss,
                "{width}x{height} at {quality}: {our_loss} dB instead of {their_loss}"
            );
            let most = theirs.len() as f64 * 1.03 + 64.0;
            assert!(
                (ours.len() as f64) <= most,
                "{} bytes instead of {}",
                ours.len(),
                theirs.len()
            );
            assert!(Frame::read(&ours).is_some(), "our own decoder reads it as well");
        }
    }
}

#[test]
fn every_instruction_set_writes_the_same_file() {
    let card = test_card(203, 149);
    let made = instruction_sets().into_iter().map(|(name, level)| {
        let mut bytes = Vec::new();
        jpeg::encode(card.as_raw(), (203, 149), usual(85), level, &mut bytes).expect("encoded");
        (name, bytes)
    });
    let made: Vec<_> = made.collect();
    for (name, bytes) in &made[1..] {
        assert!(*bytes == made[0].1, "{name} differs from {}", made[0].0);
    }
}

#[test]
fn colours_survive_and_strange_sizes_are_refused() {
    // Flat colours, extremes included: chroma at half size costs them nothing.
    for colour in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 99]]
    {
        let pixels: Vec<u8> = colour.iter().copied().cycle().take(40 * 24 * 3).collect();
        let read = zune(&written(&pixels, 40, 24, 95), ColorSpace::RGB);
        let worst = read.iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(3), "{colour:?} is off by {worst:?}");
    }
    let (_, level) = instruction_sets()[0];
    for size in [(0, 4), (4, 0), (65_536, 1), (1, 70_000)] {
        let pixels = vec![0; size.0 as usize * size.1 as usize * 3];
        let refused = jpeg::encode(&pixels, size, usual(85), level, &mut Vec::new());
        assert!(refused.is_err(), "{size:?}");
    }
}

fn usual(quality: u8) -> Options {
    Options { quality, codes: Codes::Usual }
}

#[test]
fn codes_made_for_the_picture_say_the_same_in_fewer_bytes() {
    let (_, level) = instruction_sets()[0];
    for picture in [test_card(203, 149), landscape::paint(4, 320, 211), test_card(1, 1)] {
        let size = picture.dimensions();
        let mut files = [Vec::new(), Vec::new()];
        for (file, codes) in files.iter_mut().zip([Codes::Usual, Codes::Optimal]) {
            let options = Options { quality: 85, codes };
            jpeg::encode(picture.as_raw(), size, options, level, file).expect("encoded");
        }
        assert!(files[1].len() < files[0].len(), "{} and {} bytes", files[0].len(), files[1].len());
        let [usual, optimal] =
            files.map(|file| image::load_from_memory(&file).expect("others read it").to_rgb8());
        assert!(usual == optimal, "the same coefficients");
    }
}
