//! What is computed in whole numbers gives the same bytes on every instruction set and every machine, from release to release: checksums of
//! what looks, blurs, resizing and the JPEG reader and writer make of the test card. (The other tests compare the sets of one machine.)

use image::RgbImage;
use photo_app::imaging::spatial::{BoxBlur, Gaussian, Sharpen, SpatialFilter, TiltShift, Unsharp};
use photo_app::imaging::{Raster, encode, filters, jpeg, resize};
use sha2::{Digest as _, Sha256};

use crate::test_card;

/// A line for each: its name and the first bytes of its hash. `UPDATE_GOLDEN` writes them anew.
const LOOKS: &str = include_str!("looks.txt");
const BYTES: &str = include_str!("bytes.txt");

fn check(file: &str, before: &str, made: &[(String, Vec<u8>)]) {
    let line = |(name, bytes): &(String, Vec<u8>)| {
        format!("{name} {}\n", hex::encode(&Sha256::digest(bytes)[..8]))
    };
    let table: String = made.iter().map(line).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &table).expect("the table can be written");
        return;
    }
    assert_eq!(table, before, "{file}: something gives other bytes than before");
}

/// Pictures once saved keep their colours.
#[test]
fn looks_have_not_changed() {
    let card = test_card(97, 61);
    let look = |filter: &filters::Filter| {
        let mut picture = card.clone();
        filter.look(100).apply(&mut Raster::of(&mut picture));
        (filter.name.to_owned(), picture.into_raw())
    };
    check("looks.txt", LOOKS, &filters::ALL.iter().map(look).collect::<Vec<_>>());
}

#[test]
fn every_machine_makes_the_same_bytes() {
    let card = test_card(203, 149);
    let mut made = vec![
        blurred("box-10", &card, BoxBlur::new(10)),
        blurred("gaussian-2", &card, Gaussian::new(2.0)),
        blurred("gaussian-9", &card, Gaussian::new(9.0)),
        blurred("gaussian-20", &card, Gaussian::new(20.0)),
        blurred("sharpen", &card, Sharpen::new(1.0)),
        blurred("tilt-shift", &card, TiltShift::new(0.5, 0.2, 12.0)),
        blurred("unsharp", &card, Unsharp::new(2.0, 1.0, 3)),
    ];
    for (width, height) in [(160, 117), (64, 47), (7, 5)] {
        let small = resize::resize(&mut Default::default(), &card, width, height);
        made.push((format!("resize-{width}"), small.into_raw()));
    }
    let file = encode::jpeg(&card).expect("written");
    let frame = jpeg::Frame::read(&file).expect("a picture for this decoder");
    let level = fearless_simd::Level::new();
    for eighths in 1..=8 {
        let planar = jpeg::decode(&frame, eighths, level, |bytes| vec![0; bytes]);
        let planar = planar.expect("decoded");
        let mut pixels = vec![0; planar.luma.len() * 3];
        jpeg::to_rgb(&planar, level, &mut pixels);
        made.push((format!("decode-{eighths}"), pixels));
        if eighths == 8 {
            let small = resize::resize_planar(
                &mut Default::default(),
                &planar,
                (101, 75),
                Default::default(),
            );
            made.push(("encode-planar".to_owned(), encode::planar_jpeg(&small).expect("written")));
            made.push(("resize-planar".to_owned(), small.into_planes().flatten().collect()));
        }
    }
    made.push(("encode".to_owned(), file));
    check("bytes.txt", BYTES, &made);
}

fn blurred(name: &str, card: &RgbImage, filter: impl SpatialFilter) -> (String, Vec<u8>) {
    let mut picture = card.clone();
    filter.apply(&mut Raster::of(&mut picture));
    (name.to_owned(), picture.into_raw())
}
