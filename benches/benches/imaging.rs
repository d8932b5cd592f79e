//! The imaging room: every kind of kernel as readable and as fast twin for each instruction set, beside memcpy of the same bytes;
//! then the stages of the pipeline and the whole of it. Throughput counts pixels.
//!
//! `cargo bench -p benches --bench imaging -- --quick` ends within three minutes. With `--features peers` other crates do the
//! same work on the same picture in the same groups.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use photo_app::imaging::buffers::Workbench;
use photo_app::imaging::filters::{self, Filter, Function, Step};
use photo_app::imaging::kernels::{Program, instruction_sets};
use photo_app::imaging::spatial::{Sharpen, SpatialFilter as _, Vignette};
use photo_app::imaging::{
    Effort, Limits, Raster, RenderRequest, Watermark, decode, encode, landscape, orient, probe,
    render, resize, watermark,
};
use photo_app::model::RenditionFormats;

/// (name, width, height): a phone's photo and a page's square.
const SIZES: [(&str, u32, u32); 2] = [("12MP", 4_000, 3_000), ("1MP", 1_080, 1_080)];

/// One filter of each kind of arithmetic, and a chain.
fn chains() -> Vec<(&'static str, Vec<Step>)> {
    let step = |function, amount| Step { function, amount };
    let (grey, sepia) = (step(Function::Grayscale, 1.0), step(Function::Sepia, 1.0));
    let (vivid, turned) = (step(Function::Saturate, 1.4), step(Function::HueRotate, 30.0));
    let (bright, contrast) = (step(Function::Brightness, 1.1), step(Function::Contrast, 1.2));
    vec![
        ("grayscale", vec![grey]),
        ("sepia", vec![sepia]),
        ("saturate", vec![vivid]),
        ("hue-rotate", vec![turned]),
        ("brightness+contrast", vec![bright, contrast]),
        ("invert", vec![step(Function::Invert, 1.0)]),
        ("chain of 4", vec![sepia, contrast, vivid, bright]),
    ]
}

fn kernels(criterion: &mut Criterion) {
    for (size, width, height) in SIZES {
        let picture = landscape::paint(3, width, height);
        let mut pixels = picture.as_raw().clone();
        let mut group = criterion.benchmark_group(format!("filter {size}"));
        group.sample_size(10).throughput(Throughput::Elements(u64::from(width * height)));
        group.bench_function("memcpy", |bencher| {
            bencher.iter(|| black_box(&mut pixels).copy_from_slice(picture.as_raw()));
        });
        for (name, chain) in chains() {
            let program = Program::new(&chain);
            for (set, level) in instruction_sets() {
                group.bench_function(BenchmarkId::new(name, set), |bencher| {
                    bencher.iter(|| {
                        program.apply_with(level, &mut Raster::of_pixels(black_box(&mut pixels)))
                    });
                });
            }
            // The readable twin takes its time: on the small picture only.
            if size == "1MP" {
                group.bench_function(BenchmarkId::new(name, "readable twin"), |bencher| {
                    bencher.iter(|| {
                        program.apply_scalar(&mut Raster::of_pixels(black_box(&mut pixels)))
                    });
                });
            }
        }
        let (_, chain) = chains().pop().expect("the table is not empty");
        let single: Vec<Program> = chain.iter().map(|step| Program::new(&[*step])).collect();
        group.bench_function("chain of 4, one pass each", |bencher| {
            bencher.iter(|| {
                for program in &single {
                    program.apply(&mut Raster::of_pixels(black_box(&mut pixels)));
                }
            });
        });
        group.finish();
    }
}

fn spatial(criterion: &mut Criterion) {
    for (size, width, height) in SIZES {
        let mut picture = landscape::paint(3, width, height);
        let mut group = criterion.benchmark_group(format!("spatial {size}"));
        group.sample_size(10).throughput(Throughput::Elements(u64::from(width * height)));
        let (sharpen, vignette) = (Sharpen::new(1.0), Vignette::new(0.6));
        for (set, level) in instruction_sets() {
            group.bench_function(BenchmarkId::new("sharpen", set), |bencher| {
                bencher.iter(|| sharpen.apply_with(level, &mut Raster::of(&mut picture)));
            });
            group.bench_function(BenchmarkId::new("vignette", set), |bencher| {
                bencher.iter(|| vignette.apply_with(level, &mut Raster::of(&mut picture)));
            });
        }
        group.bench_function("sharpen/readable twin", |bencher| {
            bencher.iter(|| sharpen.apply_scalar(&mut Raster::of(&mut picture)));
        });
        group.bench_function("vignette/readable twin", |bencher| {
            bencher.iter(|| vignette.apply_scalar(&mut Raster::of(&mut picture)));
        });
        group.finish();
    }
}

fn stages(criterion: &mut Criterion) {
    let limits = Limits::default();
    let picture = landscape::paint(3, 4_000, 3_000);
    let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
    let found = probe(&jpeg, &limits).expect("it was just encoded");
    let mut group = criterion.benchmark_group("stage 12MP");
    group.sample_size(10).throughput(Throughput::Elements(12_000_000));
    group.bench_function("probe", |bencher| bencher.iter(|| probe(black_box(&jpeg), &limits)));
    group.bench_function("decode jpeg", |bencher| {
        bencher.iter(|| decode::decode(black_box(&jpeg), &found, &limits));
    });
    // What the pipeline asks for: a picture of at least this width.
    for width in [2_048, 1_080, 320] {
        group.bench_function(BenchmarkId::new("decode jpeg for", width), |bencher| {
            let mut bench = Workbench::default();
            bencher.iter(|| {
                let made = decode::decode_for(&mut bench, black_box(&jpeg), &found, &limits, width);
                bench.recycle(made.expect("a whole picture"));
            });
        });
    }
    group.bench_function("encode jpeg", |bencher| bencher.iter(|| encode::jpeg(&picture)));
    for width in [2_048, 1_080, 320] {
        group.bench_function(BenchmarkId::new("resize", width), |bencher| {
            let mut resizer = Default::default();
            let (_, height) = resize::fit(4_000, 3_000, width);
            bencher.iter(|| resize::resize(&mut resizer, black_box(&picture), width, height));
        });
    }
    group.bench_function("quarter turn", |bencher| {
        bencher.iter(|| orient::Orientation::QuarterTurn.apply(black_box(&picture).clone()));
    });
    group.finish();
    let mut group = criterion.benchmark_group("stage 1MP");
    group.sample_size(10).throughput(Throughput::Elements(1_080 * 1_080));
    let mut small = landscape::paint(3, 1_080, 1_080);
    group.bench_function("encode jpeg", |bencher| bencher.iter(|| encode::jpeg(&small)));
    group.bench_function("encode webp", |bencher| bencher.iter(|| encode::webp(&small)));
    group.bench_function("watermark", |bencher| {
        bencher.iter(|| watermark::draw(black_box(&mut small), Watermark::Corner));
    });
    group.bench_function("paint a landscape", |bencher| {
        bencher.iter(|| landscape::paint(black_box(3), 1_080, 1_080));
    });
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let picture = landscape::paint(3, 4_000, 3_000);
    let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
    let amber: &'static Filter = filters::by_name("amber").expect("a look of the table");
    let mut group = criterion.benchmark_group("pipeline 12MP jpeg");
    group.sample_size(10).throughput(Throughput::Elements(12_000_000));
    const LADDER: &[u32] = &[320, 640, 1_080, 2_048];
    let ladders: [(&str, &[u32], _); 4] = [
        ("320", &[320], RenditionFormats::Jpeg),
        ("1080", &[1_080], RenditionFormats::Jpeg),
        ("whole ladder", LADDER, RenditionFormats::Jpeg),
        ("whole ladder, WebP too", LADDER, RenditionFormats::JpegWebp),
    ];
    for (name, widths, formats) in ladders {
        let request = RenderRequest {
            bytes: &jpeg,
            filter: amber,
            strength: 100,
            watermark: Watermark::Corner,
            widths,
            formats,
            limits: Limits::default(),
            effort: Effort::default(),
        };
        group.bench_function(name, |bencher| bencher.iter(|| render(black_box(&request))));
    }
    group.finish();
}

#[cfg(feature = "peers")]
mod peers {
    //! The same work by other crates.

    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    pub fn jpeg(criterion: &mut Criterion) {
        let picture = landscape::paint(3, 4_000, 3_000);
        let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
        let mut group = criterion.benchmark_group("jpeg crates 12MP");
        group.sample_size(10).throughput(Throughput::Elements(12_000_000));
        let limits = Limits::default();
        let found = probe(&jpeg, &limits).expect("it was just encoded");
        group.bench_function("decode zune-jpeg (ours)", |bencher| {
            bencher.iter(|| decode::decode(black_box(&jpeg), &found, &limits));
        });
        for (name, width) in [("full", 4_000), ("half", 2_000), ("eighth", 500)] {
            group.bench_function(BenchmarkId::new("decode jpeg-decoder", name), |bencher| {
                bencher.iter(|| {
                    let mut decoder = jpeg_decoder::Decoder::new(black_box(&jpeg[..]));
                    decoder.scale(width, width / 4 * 3).expect("a size of the table");
                    decoder.decode().expect("a whole picture")
                });
            });
        }
        group.bench_function("encode (ours)", |bencher| {
            bencher.iter(|| encode::jpeg(black_box(&picture)));
        });
        group.bench_function("encode jpeg-encoder", |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                let mut encoder = jpeg_encoder::Encoder::new(&mut out, encode::JPEG_QUALITY);
                encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
                let (pixels, kind) = (black_box(&picture), jpeg_encoder::ColorType::Rgb);
                encoder.encode(pixels, 4_000, 3_000, kind).expect("encoded");
                out
            });
        });
        group.bench_function("encode image", |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                let encoder = JpegEncoder::new_with_quality(&mut out, encode::JPEG_QUALITY);
                black_box(&picture).write_with_encoder(encoder).expect("encoded");
                out
            });
        });
        group.finish();
    }

    pub fn filters(criterion: &mut Criterion) {
        let picture = landscape::paint(3, 1_080, 1_080);
        let mut group = criterion.benchmark_group("filter crates 1MP");
        group.sample_size(10).throughput(Throughput::Elements(1_080 * 1_080));
        let ours = Program::new(&[Step { function: Function::HueRotate, amount: 30.0 }]);
        let mut pixels = picture.as_raw().clone();
        group.bench_function("hue-rotate, ours", |bencher| {
            bencher.iter(|| ours.apply(&mut Raster::of_pixels(black_box(&mut pixels))));
        });
        group.bench_function("hue-rotate, image", |bencher| {
            let mut mine = picture.clone();
            bencher
                .iter(|| image::imageops::colorops::huerotate_in_place(black_box(&mut mine), 30));
        });
        group.finish();
    }
}

criterion_group!(own, kernels, spatial, stages, pipeline);
#[cfg(not(feature = "peers"))]
criterion_main!(own);
#[cfg(feature = "peers")]
criterion_group!(others, peers::jpeg, peers::filters);
#[cfg(feature = "peers")]
criterion_main!(own, others);
