#!/usr/bin/env bash
# zune-jpeg 0.5.15 makes another picture of a valid baseline JPEG whose components have scans of their own and whose chroma has half size, and says
# nothing, in strict mode either. jpeg-encoder 0.7.0 writes such files when it is asked for optimised codes. jpeg-decoder 0.3.2 reads the same bytes right, and
# zune-jpeg reads the same picture right when it is written in one scan.
#
# Seen: a grey ramp of 128 x 96 in 4:2:0. Mean difference from the ramp, in levels of 255: one scan 0.0 (both readers); several scans: jpeg-decoder 0.0,
# zune-jpeg 99.2. Exits with 1 when that changes. Needs cargo; leaves nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "separate-scans"
version = "0.0.0"
edition = "2021"

[dependencies]
jpeg-encoder = "=0.7.0"
jpeg-decoder = { version = "=0.3.2", default-features = false }
zune-core = "=0.5.3"
zune-jpeg = "=0.5.15"

[workspace]
TOML
cat >src/main.rs <<'RUST'
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;

const SIZE: (u16, u16) = (128, 96);

fn ramp() -> Vec<u8> {
    let pixels = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x + y) as u8));
    pixels.flat_map(|level| [level, level, level]).collect()
}

fn written(several_scans: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 95);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_optimized_huffman_tables(several_scans);
    encoder.encode(&ramp(), SIZE.0, SIZE.1, ColorType::Rgb).expect("written");
    file
}

fn zune(file: &[u8]) -> Vec<u8> {
    let options = DecoderOptions::new_fast().set_strict_mode(true);
    zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode().expect("zune-jpeg reads it")
}

fn decoder(file: &[u8]) -> Vec<u8> {
    jpeg_decoder::Decoder::new(file).decode().expect("jpeg-decoder reads it")
}

fn off(pixels: &[u8]) -> f64 {
    let sum: u32 = pixels.iter().zip(ramp()).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
    f64::from(sum) / pixels.len() as f64
}

fn main() {
    let (one, several) = (written(false), written(true));
    let scans = |file: &[u8]| file.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
    println!("scans: {} and {}", scans(&one), scans(&several));
    let figures = [off(&decoder(&one)), off(&zune(&one)), off(&decoder(&several)), off(&zune(&several))];
    println!("one scan: jpeg-decoder {:.1}, zune-jpeg {:.1}; several: jpeg-decoder {:.1}, zune-jpeg {:.1}", figures[0], figures[1], figures[2], figures[3]);
    let as_seen = figures[..3].iter().all(|figure| *figure < 2.0) && figures[3] > 10.0 && (scans(&one), scans(&several)) == (1, 3);
    println!("{}", if as_seen { "as seen" } else { "CHANGED" });
    std::process::exit(i32::from(!as_seen));
}
RUST
cargo run --quiet
