//! Other Rust crates at the imaging room's work, beside ours: `cargo bench -p benches --features peers --bench peers`.
//!
//! The same picture, one group for each work and size, ours first in it. What a crate does not offer is not there; how the crates'
//! work differs from ours is told in `benches::peers`. For decisions, not for every day. The peers that are no Rust crates are in `peers/`.

use std::hint::black_box;

use benches::peers::{self, PEERS, RESIZED_WIDTH, WORKS, Work};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use photo_app::imaging::buffers::Workbench;
use photo_app::imaging::filters::{Function, Step};
use photo_app::imaging::kernels::Program;
use photo_app::imaging::spatial::{BoxBlur, Gaussian, Sharpen, SpatialFilter};
use photo_app::imaging::{Limits, Raster, RgbImage, decode, encode, landscape, probe, resize};
use zune_core::bytestream::ZCursor;

/// (name, width, height): a phone's photo and a page's square.
const SIZES: [(&str, u32, u32); 2] = [("12MP", 4_000, 3_000), ("1MP", 1_080, 1_080)];

fn works(criterion: &mut Criterion) {
    for (size, width, height) in SIZES {
        let picture = landscape::paint(3, width, height);
        // Wide blurs take some crates seconds on the large picture; the small one is as wide as it would be made.
        let left_out = if size == "12MP" { "gaussian-20" } else { "resize-1080" };
        for what in WORKS.into_iter().filter(|what| !what.ends_with(left_out)) {
            let mut group = criterion.benchmark_group(format!("{what} {size}"));
            group.sample_size(10).throughput(Throughput::Elements(u64::from(width * height)));
            let theirs = PEERS.map(|peer| (peer, peers::work(peer, what, &picture)));
            for (side, work) in std::iter::once(("ours", ours(what, &picture))).chain(theirs) {
                if let Some(mut work) = work {
                    group.bench_function(side, |bencher| bencher.iter(&mut work));
                }
            }
            group.finish();
        }
    }
}

/// Our side of a work. There is one gaussian, which stands beside the true ones and beside the rough ones.
fn ours(what: &str, picture: &RgbImage) -> Option<Work> {
    let step = |function, amount| Step { function, amount };
    let picture = picture.clone();
    if let Some((_, sigma)) = what.split_once("gaussian-") {
        return Some(spatial(picture, Gaussian::new(sigma.parse().ok()?)));
    }
    Some(match what {
        "grayscale" => point(picture, &[step(Function::Grayscale, 1.0)]),
        "sepia" => point(picture, &[step(Function::Sepia, 1.0)]),
        "saturate" => point(picture, &[step(Function::Saturate, 1.4)]),
        "hue-rotate" => point(picture, &[step(Function::HueRotate, 30.0)]),
        "brightness+contrast" => {
            point(picture, &[step(Function::Brightness, 1.1), step(Function::Contrast, 1.2)])
        }
        "invert" => point(picture, &[step(Function::Invert, 1.0)]),
        "sharpen" => spatial(picture, Sharpen::new(1.0)),
        "box-blur-10" => spatial(picture, BoxBlur::new(10)),
        "resize-1080" => {
            let mut bench = Workbench::default();
            let (width, height) = resize::fit(picture.width(), picture.height(), RESIZED_WIDTH);
            Box::new(move || {
                let made = resize::resize(&mut bench, black_box(&picture), width, height);
                bench.recycle(made);
            })
        }
        "encode-jpeg" => Box::new(move || {
            black_box(encode::jpeg(&picture)).expect("a picture can be encoded");
        }),
        _ => return None,
    })
}

fn point(picture: RgbImage, chain: &[Step]) -> Work {
    let (program, mut pixels) = (Program::new(chain), picture.into_raw());
    Box::new(move || program.apply(&mut Raster::of_pixels(black_box(&mut pixels))))
}

fn spatial(mut picture: RgbImage, filter: impl SpatialFilter + 'static) -> Work {
    Box::new(move || filter.apply(&mut Raster::of(black_box(&mut picture))))
}

/// Decoders of JPEG, and the encoder that is no peer in `WORKS`.
fn jpeg(criterion: &mut Criterion) {
    let picture = landscape::paint(3, 4_000, 3_000);
    let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
    let limits = Limits::default();
    let found = probe(&jpeg, &limits).expect("it was just encoded");
    let mut group = criterion.benchmark_group("jpeg crates 12MP");
    group.sample_size(10).throughput(Throughput::Elements(12_000_000));
    group.bench_function("decode, ours", |bencher| {
        let mut bench = Workbench::default();
        bencher.iter(|| {
            // Of its own width and no wider: the whole size.
            let made = decode::decode_for(&mut bench, black_box(&jpeg), &found, &limits, 4_000);
            let picture = made.expect("a whole picture").into_rgb(&mut bench);
            bench.recycle(picture);
        });
    });
    group.bench_function("decode, zune-jpeg", |bencher| {
        let mut pixels = vec![0; 36_000_000];
        bencher.iter(|| {
            let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(black_box(&jpeg)));
            decoder.decode_into(&mut pixels).expect("a whole picture");
        });
    });
    for (name, width) in [("full", 4_000), ("half", 2_000), ("eighth", 500)] {
        group.bench_function(BenchmarkId::new("decode, jpeg-decoder", name), |bencher| {
            bencher.iter(|| {
                let mut decoder = jpeg_decoder::Decoder::new(black_box(&jpeg[..]));
                decoder.scale(width, width / 4 * 3).expect("a size of the table");
                decoder.decode().expect("a whole picture")
            });
        });
    }
    group.bench_function("encode, ours", |bencher| {
        bencher.iter(|| encode::jpeg(black_box(&picture)));
    });
    group.bench_function("encode, jpeg-encoder", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut out, encode::JPEG_QUALITY);
            encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
            let (pixels, kind) = (black_box(&picture), jpeg_encoder::ColorType::Rgb);
            encoder.encode(pixels, 4_000, 3_000, kind).expect("encoded");
            out
        });
    });
    group.finish();
}

criterion_group!(crates, works, jpeg);
criterion_main!(crates);
