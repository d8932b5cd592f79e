//! Pictures of luma and chroma: smaller ones against the definition, turned ones against the image crate, their RGB against JFIF's formulas, and the
//! files that are written of them. Every instruction set against the others.

use image::{GrayImage, RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use photo_app::imaging::jpeg::{self, Codes, Frame, Options};
use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::orient::{Mirrored, Orientation};
use photo_app::imaging::planar::{Planar, Sampling};
use photo_app::imaging::{Effort, RenderRequest, encode, landscape, render, resize};
use photo_app::model::RenditionFormats;

use crate::formats::exif;
use crate::jpeg::mean_difference;
use crate::resize::taps_apart;
use crate::{Random, plain, test_card};

const SAMPLINGS: [Option<Sampling>; 5] = [
    None,
    Some(Sampling { halved_across: false, halved_down: false }),
    Some(Sampling { halved_across: true, halved_down: false }),
    Some(Sampling { halved_across: false, halved_down: true }),
    Some(Sampling::HALVED),
];

const ORIENTATIONS: [Orientation; 8] = [
    Orientation::Upright,
    Orientation::MirrorHorizontal,
    Orientation::HalfTurn,
    Orientation::MirrorVertical,
    Orientation::Transpose,
    Orientation::QuarterTurn,
    Orientation::Transverse,
    Orientation::ThreeQuarterTurn,
];

/// A picture without order.
fn noise(size: (u32, u32), sampling: Option<Sampling>, seed: u32) -> Planar {
    let mut random = Random(seed);
    Planar::new(size, sampling, |bytes| (0..bytes).map(|_| random.bits() as u8).collect())
}

/// Each plane as a picture of its own.
fn planes(planar: &Planar) -> Vec<GrayImage> {
    let (width, height) = planar.dimensions();
    let chroma = planar.chroma.iter().flat_map(|chroma| {
        let (width, height) = chroma.sampling.chroma_size(width, height);
        [(width, height, &chroma.blue), (width, height, &chroma.red)]
    });
    std::iter::once((width, height, &planar.luma))
        .chain(chroma)
        .map(|(width, height, plane)| {
            GrayImage::from_raw(width, height, plane.clone()).expect("rows without gaps")
        })
        .collect()
}

/// The largest difference of a plane from the definition; each side is scale and beginning of its samples.
fn off(from: &GrayImage, made: &GrayImage, [across, down]: [(f64, f64); 2]) -> f64 {
    let across = taps_apart(from.width(), made.width(), across.0, across.1);
    let down = taps_apart(from.height(), made.height(), down.0, down.1);
    let mut worst = 0.0_f64;
    for (x, y, got) in made.enumerate_pixels() {
        let mut wanted = 0.0;
        for (row, tall) in &down[y as usize] {
            for (column, wide) in &across[x as usize] {
                wanted += tall * wide * f64::from(from.get_pixel(*column, *row).0[0]);
            }
        }
        worst = worst.max((wanted - f64::from(got.0[0])).abs());
    }
    worst
}

#[test]
fn smaller_planes_are_what_the_definition_says_on_every_instruction_set() {
    let mut sizes = vec![
        ((1, 1), (1, 1)),
        ((500, 24), (160, 1)),
        ((3, 500), (1, 7)),
        ((301, 40), (129, 17)),
        ((9, 9), (9, 9)),
        ((640, 35), (639, 35)),
    ];
    let mut random = Random(17);
    let mut side = |most: usize| 1 + random.below(most) as u32;
    for _ in 0..10 {
        let from = (side(230), side(90));
        sizes.push((from, (side(from.0 as usize), side(from.1 as usize))));
    }
    for (number, (from, to)) in sizes.into_iter().enumerate() {
        let mirrored = Mirrored { across: number % 2 == 1, down: number % 3 == 1 };
        for sampling in SAMPLINGS {
            let old = noise(from, sampling, 5);
            let mut made = instruction_sets().into_iter().map(|(name, level)| {
                let halved = sampling.map(|_| Sampling::HALVED);
                let mut made = Planar::new(to, halved, |bytes| vec![1; bytes]);
                let scratch = &mut Default::default();
                resize::resize_planar_with(level, scratch, &old, mirrored, &mut made);
                (name, made)
            });
            let (_, first) = made.next().expect("one set at least");
            for (name, made) in made {
                assert!(made == first, "{from:?} to {to:?} of {sampling:?} differs by {name}");
            }
            let sides = |is_chroma: bool| {
                let side = |from: u32, to: u32, was_halved: bool, is_mirrored: bool| {
                    let scale = f64::from(from) / f64::from(to);
                    // In pixels of luma first: where a sample of chroma begins that is one pixel outside.
                    let is_halved = is_chroma && to > 1;
                    let outside = is_halved && is_mirrored && to % 2 == 1;
                    let begin = if outside { -scale } else { 0.0 };
                    let (was, is) =
                        (if was_halved { 2.0 } else { 1.0 }, if is_halved { 2.0 } else { 1.0 });
                    (scale * is / was, begin / was)
                };
                let was = sampling.filter(|_| is_chroma);
                let (across, down) =
                    was.map_or((false, false), |was| (was.halved_across, was.halved_down));
                [
                    side(from.0, to.0, across, mirrored.across),
                    side(from.1, to.1, down, mirrored.down),
                ]
            };
            for (plane, (old, new)) in planes(&old).iter().zip(&planes(&first)).enumerate() {
                let off = off(old, new, sides(plane > 0));
                assert!(off <= 0.6, "{from:?} to {to:?} of {sampling:?}, {plane}: off by {off}");
            }
        }
    }
}

#[test]
fn grey_pictures_become_smaller_as_their_rgb_does() {
    for (from, to) in [((131, 77), (64, 38)), ((700, 30), (333, 14))] {
        let planar = noise(from, None, 3);
        let rgb =
            RgbImage::from_raw(from.0, from.1, planar.luma.iter().flat_map(|y| [*y; 3]).collect());
        let rgb = rgb.expect("three bytes a pixel");
        let bench = &mut Default::default();
        let small = resize::resize(bench, &rgb, to.0, to.1);
        let planar = resize::resize_planar(bench, &planar, to, Mirrored::default());
        assert!(small.iter().step_by(3).eq(planar.luma.iter()), "{from:?} to {to:?}");
    }
}

#[test]
fn planes_are_turned_as_the_image_crate_turns_pictures() {
    let wanted = |orientation: Orientation, plane: &GrayImage| match orientation {
        Orientation::Upright => plane.clone(),
        Orientation::MirrorHorizontal => imageops::flip_horizontal(plane),
        Orientation::HalfTurn => imageops::rotate180(plane),
        Orientation::MirrorVertical => imageops::flip_vertical(plane),
        Orientation::Transpose => imageops::flip_horizontal(&imageops::rotate90(plane)),
        Orientation::QuarterTurn => imageops::rotate90(plane),
        Orientation::Transverse => imageops::flip_horizontal(&imageops::rotate270(plane)),
        Orientation::ThreeQuarterTurn => imageops::rotate270(plane),
    };
    for size in [(1, 1), (5, 90), (90, 5), (64, 64), (133, 71), (71, 134), (32, 65)] {
        for (sampling, orientation) in
            SAMPLINGS.into_iter().flat_map(|one| ORIENTATIONS.map(|other| (one, other)))
        {
            let planar = noise(size, sampling, 9);
            let bench = &mut Default::default();
            for (set, level) in instruction_sets() {
                let turned = orientation.apply_planar(bench, level, planar.clone());
                assert_eq!(orientation.stored(turned.dimensions()), size);
                for (plane, turned) in planes(&planar).iter().zip(planes(&turned)) {
                    let wanted = wanted(orientation, plane);
                    assert!(turned == wanted, "{size:?} {sampling:?} {orientation:?} with {set}");
                }
            }
        }
        // RGB goes the same ways: each channel is one more plane.
        let card = test_card(size.0, size.1);
        for orientation in ORIENTATIONS {
            let turned = orientation.apply(&mut Default::default(), card.clone());
            for channel in 0..3 {
                let plane = |picture: &RgbImage| {
                    let levels = picture.iter().skip(channel).step_by(3).copied().collect();
                    GrayImage::from_raw(picture.width(), picture.height(), levels)
                        .expect("a byte a pixel")
                };
                let wanted = wanted(orientation, &plane(&card));
                assert!(plane(&turned) == wanted, "{size:?} {orientation:?}");
            }
        }
    }
}

/// Our reader's planes.
fn read(file: &[u8]) -> Planar {
    let frame = Frame::read(file).expect("a file of ours");
    let (_, level) = instruction_sets()[0];
    jpeg::decode(&frame, 8, level, |bytes| vec![0; bytes]).expect("whole")
}

/// The file, with an EXIF block that says how the camera was held.
fn tagged(file: &[u8], tag: u8) -> Vec<u8> {
    let block = [b"Exif\0\0", &exif(tag)[..]].concat();
    let mut tagged = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, block.len() as u8 + 2];
    tagged.extend(block);
    tagged.extend(&file[2..]);
    tagged
}

#[test]
fn a_turned_picture_has_its_colours_where_one_has_that_was_never_turned() {
    // Odd sides: chroma's last sample is for a single pixel, on whichever side it comes to lie. Both planes are slopes of two levels a pixel and more,
    // which no filter changes: what is a pixel off is off by as much.
    let scene = RgbImage::from_fn(61, 41, |x, y| {
        let (cr, cb) = (2.0 * f64::from(x) - 60.0, 3.0 * f64::from(y) - 60.0);
        let rgb = [1.402 * cr, -0.344 * cb - 0.714 * cr, 1.772 * cb];
        image::Rgb(rgb.map(|off| (128.0 + off).round() as u8))
    });
    let alone = encode::jpeg(&scene).expect("written");
    for (tag, orientation) in (1..).zip(ORIENTATIONS) {
        let stored = match orientation {
            Orientation::QuarterTurn => imageops::rotate270(&scene),
            Orientation::ThreeQuarterTurn => imageops::rotate90(&scene),
            // All others are their own opposites.
            other => other.apply(&mut Default::default(), scene.clone()),
        };
        let turned = tagged(&encode::jpeg(&stored).expect("written"), tag);
        // Besides, the files differ by their steps of quantization; at its own size the picture is nothing but those.
        for (width, most) in [(61, 1.8), (31, 1.0)] {
            let [alone, turned] = [&alone, &turned].map(|file| {
                read(&render(&plain(file, &[width])).expect("rendered").remove(0).jpeg)
            });
            assert_eq!(alone.dimensions(), turned.dimensions(), "{orientation:?}");
            for (plane, (alone, turned)) in planes(&alone).iter().zip(&planes(&turned)).enumerate()
            {
                let mean = mean_difference(alone, turned);
                assert!(mean <= most, "{orientation:?} at {width}, {plane}: {mean}");
            }
        }
    }
}

#[test]
fn colours_are_those_of_jfif_on_every_instruction_set() {
    for size in [(1, 1), (2, 3), (31, 5), (64, 4), (133, 7)] {
        for sampling in SAMPLINGS {
            let planar = noise(size, sampling, 11);
            let mut made = instruction_sets().into_iter().map(|(name, level)| {
                let mut pixels = vec![1; planar.luma.len() * 3];
                jpeg::to_rgb(&planar, level, &mut pixels);
                (name, pixels)
            });
            let (_, first) = made.next().expect("one set at least");
            for (name, made) in made {
                assert!(made == first, "{size:?} {sampling:?} differs by {name}");
            }
            let all = planes(&planar);
            for (at, rgb) in first.chunks_exact(3).enumerate() {
                let (x, y) = (at as u32 % size.0, at as u32 / size.0);
                let luma = f64::from(planar.luma[at]);
                let chroma = |plane: usize| {
                    let Some(Sampling { halved_across, halved_down }) = sampling else {
                        return 0.0;
                    };
                    let side = |at: u32, halved: bool| if halved { at / 2 } else { at };
                    let sample = all[plane].get_pixel(side(x, halved_across), side(y, halved_down));
                    f64::from(sample.0[0]) - 128.0
                };
                let (cb, cr) = (chroma(1), chroma(2));
                let wanted =
                    [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
                for (wanted, got) in wanted.iter().zip(rgb) {
                    let off = (wanted.clamp(0.0, 255.0) - f64::from(*got)).abs();
                    assert!(off <= 0.6, "{size:?} {sampling:?} at {x},{y}: off by {off}");
                }
            }
        }
    }
}

#[test]
fn what_is_written_of_planes_is_what_they_were() {
    for size in [(1, 1), (17, 33), (64, 48), (131, 67)] {
        let painted = encode::jpeg(&landscape::paint(2, size.0, size.1)).expect("written");
        let frame = Frame::read(&painted).expect("a file of ours");
        let (_, best) = instruction_sets()[0];
        let planar = jpeg::decode(&frame, 8, best, |bytes| vec![0; bytes]).expect("whole");
        let grey = Planar { chroma: None, ..planar.clone() };
        for planar in [planar, grey] {
            let mut files = instruction_sets().into_iter().map(|(name, level)| {
                let (options, mut file) =
                    (Options { quality: 100, codes: Codes::Usual }, Vec::new());
                jpeg::encode_planar(&planar, options, level, &mut file).expect("written");
                (name, file)
            });
            let (_, first) = files.next().expect("one set at least");
            for (name, file) in files {
                assert!(file == first, "{size:?} differs by {name}");
            }
            let frame = Frame::read(&first).expect("a file of ours");
            let read = jpeg::decode(&frame, 8, best, |bytes| vec![0; bytes]).expect("whole");
            assert_eq!(read.dimensions(), size);
            let off = |a: &[u8], b: &[u8]| -> Option<u8> {
                assert_eq!(a.len(), b.len());
                a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max()
            };
            // At quality 100 all steps are 1: what is left are the roundings of two transforms.
            assert!(off(&planar.luma, &read.luma).is_some_and(|off| off <= 2), "{size:?}");
            let read = read.chroma.expect("colours are written in any case");
            match &planar.chroma {
                Some(chroma) => {
                    assert!(off(&chroma.blue, &read.blue).is_some_and(|off| off <= 2), "{size:?}");
                    assert!(off(&chroma.red, &read.red).is_some_and(|off| off <= 2), "{size:?}");
                }
                None => assert!(read.blue.iter().chain(&read.red).all(|sample| *sample == 128)),
            }
        }
    }
}

#[test]
fn a_picture_that_nothing_changes_keeps_its_chroma() {
    // 640 pixels of 640: what was read is written.
    let painted = encode::jpeg(&landscape::paint(6, 640, 427)).expect("written");
    let made = render(&plain(&painted, &[640])).expect("rendered").remove(0);
    let (before, after) = (read(&painted), read(&made.jpeg));
    assert_eq!(before.dimensions(), after.dimensions());
    assert!(before.is_halved() && after.chroma.is_some());
    for (before, after) in planes(&before).iter().zip(planes(&after)) {
        let mean = mean_difference(before, &after);
        assert!(mean <= 0.02, "off by {mean}");
    }
}

/// The scene as a JPEG of this kind.
fn of_kind(scene: &RgbImage, kind: ColorType, sampling: SamplingFactor) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 95);
    encoder.set_sampling_factor(sampling);
    let grey: Vec<u8> = scene.iter().step_by(3).copied().collect();
    let pixels = if kind == ColorType::Luma { &grey } else { scene.as_raw() };
    encoder.encode(pixels, scene.width() as u16, scene.height() as u16, kind).expect("encoded");
    file
}

#[test]
fn every_kind_of_jpeg_becomes_the_same_renditions() {
    let scene = landscape::paint(9, 401, 301);
    let grey = RgbImage::from_fn(401, 301, |x, y| image::Rgb([scene.get_pixel(x, y).0[0]; 3]));
    for (kind, sampling) in [
        (ColorType::Luma, SamplingFactor::F_1_1),
        (ColorType::Rgb, SamplingFactor::F_1_1),
        (ColorType::Rgb, SamplingFactor::F_2_1),
        (ColorType::Rgb, SamplingFactor::F_1_2),
        (ColorType::Rgb, SamplingFactor::F_2_2),
    ] {
        let wanted = if kind == ColorType::Luma { &grey } else { &scene };
        for (tag, orientation) in (1..).zip(ORIENTATIONS) {
            let upright = orientation.apply(&mut Default::default(), wanted.clone());
            let bytes = tagged(&of_kind(&scene, kind, sampling), tag);
            // At its own size and smaller; the same size twice is the same file twice.
            let widths = [upright.width(), 150, 150, 75];
            let request =
                RenderRequest { formats: RenditionFormats::JpegWebp, ..plain(&bytes, &widths) };
            let made = render(&request).expect("rendered");
            let what = format!("{kind:?} {sampling:?} {orientation:?}");
            assert_eq!(made[1], made[2], "{what}");
            let alone = render(&plain(&bytes, &widths)).expect("rendered");
            let effort = Effort { cores: 3, cancelled: None };
            let side_by_side = render(&RenderRequest { effort, ..request }).expect("rendered");
            assert_eq!(made, side_by_side, "{what}");
            for (made, alone) in made.iter().zip(&alone) {
                assert_eq!(made.jpeg, alone.jpeg, "{what}: WebP beside it changes nothing");
                let small =
                    resize::resize(&mut Default::default(), &upright, made.width, made.height);
                for file in [&made.jpeg, made.webp.as_ref().expect("asked for")] {
                    let read = image::load_from_memory(file).expect("a picture").to_rgb8();
                    assert_eq!(read.dimensions(), small.dimensions(), "{what}");
                    let mean = mean_difference(&read, &small);
                    assert!(mean <= 4.0, "{what} at {}: {mean}", made.width);
                }
            }
        }
    }
}

#[test]
fn strips_of_colour_that_are_shrunk_to_almost_nothing_keep_their_levels() {
    for ((from, to), mirrored) in
        [((15_985, 9), (3, 1)), ((9, 20_001), (1, 5)), ((2_900, 3), (11, 1))].into_iter().zip([
            (true, false),
            (false, true),
            (false, false),
        ])
    {
        let mirrored = Mirrored { across: mirrored.0, down: mirrored.1 };
        for sampling in SAMPLINGS {
            let flat = Planar::new(from, sampling, |bytes| vec![201; bytes]);
            let noisy = noise(from, sampling, 8);
            for (set, level) in instruction_sets() {
                let small = |old: &Planar| {
                    let halved = sampling.map(|_| Sampling::HALVED);
                    let mut made = Planar::new(to, halved, |bytes| vec![1; bytes]);
                    let scratch = &mut Default::default();
                    resize::resize_planar_with(level, scratch, old, mirrored, &mut made);
                    made
                };
                let what = format!("{from:?} to {to:?} of {sampling:?} with {set}");
                assert!(small(&flat).into_planes().flatten().all(|sample| sample == 201), "{what}");
                // The mean of thousands of samples without order is the middle.
                for sample in small(&noisy).into_planes().flatten() {
                    assert!(sample.abs_diff(128) <= 20, "{what}: {sample}");
                }
            }
        }
    }
}
