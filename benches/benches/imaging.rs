//! The imaging room: every kind of kernel as readable and as fast twin for each instruction set, beside memcpy of the same bytes;
//! then the stages of the pipeline and the whole of it. Throughput counts pixels, and bytes of RGB.
//!
//! `cargo bench -p benches --bench imaging -- --quick` ends within three minutes. Other crates' work on the same picture is in `peers`.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use photo_app::imaging::buffers::Workbench;
use photo_app::imaging::filters::{self, Filter, Function, Step};
use photo_app::imaging::functions::Curves;
use photo_app::imaging::kernels::{Program, instruction_sets};
use photo_app::imaging::planar::{Planar, Sampling};
use photo_app::imaging::spatial::{
    BoxBlur, Gaussian, Grain, Sharpen, SpatialFilter, TiltShift, Unsharp, Vignette,
};
use photo_app::imaging::{
    Effort, Limits, Raster, RenderRequest, RgbImage, Watermark, decode, encode, jpeg, landscape,
    orient, probe, render, resize, watermark,
};
use photo_app::model::RenditionFormats;

/// (name, width, height): a phone's photo and a page's square; in the test suite, which only wants to see each bench run, tiny ones.
fn sizes() -> [(&'static str, u32, u32); 2] {
    if std::env::args().any(|argument| argument == "--bench") {
        [("12MP", 4_000, 3_000), ("1MP", 1_080, 1_080)]
    } else {
        [("12MP", 200, 150), ("1MP", 108, 108)]
    }
}

/// Pixels and the bytes of RGB that they take, for throughput in both.
fn throughput(width: u32, height: u32) -> Throughput {
    let elements = u64::from(width * height);
    Throughput::ElementsAndBytes { elements, bytes: 3 * elements }
}

/// A curve for each channel.
static CURVES: Curves =
    Curves { levels: [&[0, 40, 128, 216, 255], &[0, 52, 132, 210, 255], &[28, 78, 128, 178, 228]] };

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
        ("curves", vec![step(Function::Curves(&CURVES), 1.0)]),
        ("chain of 4", vec![sepia, contrast, vivid, bright]),
    ]
}

fn kernels(criterion: &mut Criterion) {
    for (size, width, height) in sizes() {
        let picture = landscape::paint(3, width, height);
        let mut pixels = picture.as_raw().clone();
        let mut group = criterion.benchmark_group(format!("filter {size}"));
        group.sample_size(10).throughput(throughput(width, height));
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
    for (size, width, height) in sizes() {
        let mut picture = landscape::paint(3, width, height);
        let before = picture.as_raw().clone();
        let mut group = criterion.benchmark_group(format!("spatial {size}"));
        group.sample_size(10).throughput(throughput(width, height));
        group.bench_function("memcpy", |bencher| {
            bencher.iter(|| black_box(&mut picture).copy_from_slice(&before));
        });
        one_spatial(&mut group, "sharpen", &mut picture, &Sharpen::new(1.0));
        one_spatial(&mut group, "vignette", &mut picture, &Vignette::new(0.6));
        one_spatial(&mut group, "grain", &mut picture, &Grain::new(12.0, 7));
        one_spatial(&mut group, "box blur 10", &mut picture, &BoxBlur::new(10));
        for sigma in [2.0, 5.0, 20.0] {
            let name = format!("gaussian {sigma}");
            one_spatial(&mut group, &name, &mut picture, &Gaussian::new(sigma));
        }
        one_spatial(&mut group, "unsharp 2", &mut picture, &Unsharp::new(2.0, 1.0, 0));
        one_spatial(&mut group, "tilt-shift 6", &mut picture, &TiltShift::new(0.5, 0.3, 6.0));
        group.bench_function("tiled mark", |bencher| {
            bencher.iter(|| watermark::draw(black_box(&mut picture), Watermark::Tiled));
        });
        group.finish();
    }
}

/// One filter with every instruction set; the readable twin takes its time, so on the small picture only.
fn one_spatial(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    picture: &mut RgbImage,
    filter: &impl SpatialFilter,
) {
    for (set, level) in instruction_sets() {
        group.bench_function(BenchmarkId::new(name, set), |bencher| {
            bencher.iter(|| filter.apply_with(level, &mut Raster::of(black_box(picture))));
        });
    }
    if picture.width() == picture.height() {
        group.bench_function(BenchmarkId::new(name, "readable twin"), |bencher| {
            bencher.iter(|| filter.apply_scalar(&mut Raster::of(black_box(picture))));
        });
    }
}

fn stages(criterion: &mut Criterion) {
    let limits = Limits::default();
    let picture = landscape::paint(3, 4_000, 3_000);
    let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
    let found = probe(&jpeg, &limits).expect("it was just encoded");
    let mut group = criterion.benchmark_group("stage 12MP");
    group.sample_size(10).throughput(throughput(4_000, 3_000));
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
                made.expect("a whole picture").put_back(&mut bench);
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
        let mut bench = Workbench::default();
        bencher.iter(|| {
            let picture = black_box(&picture).clone();
            let turned = orient::Orientation::QuarterTurn.apply(&mut bench, picture);
            bench.recycle(turned);
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("stage 1MP");
    group.sample_size(10).throughput(throughput(1_080, 1_080));
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

/// What of the stages is written for each instruction set.
fn stages_by_set(criterion: &mut Criterion) {
    let picture = landscape::paint(3, 1_080, 1_080);
    let file = encode::jpeg(&picture).expect("a painting can be encoded");
    let frame = jpeg::Frame::read(&file).expect("a file of ours");
    let mut group = criterion.benchmark_group("stage 1MP by set");
    group.sample_size(10).throughput(throughput(1_080, 1_080));
    for (set, level) in instruction_sets() {
        group.bench_function(BenchmarkId::new("encode jpeg", set), |bencher| {
            let options = jpeg::Options { quality: 85, codes: jpeg::Codes::Usual };
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                jpeg::encode(black_box(&picture), (1_080, 1_080), options, level, &mut out)
            });
        });
        for eighths in [4, 8] {
            let name = format!("decode jpeg at {eighths} eighths");
            group.bench_function(BenchmarkId::new(name, set), |bencher| {
                bencher.iter(|| {
                    jpeg::decode(black_box(&frame), eighths, level, |bytes| vec![0; bytes])
                });
            });
        }
        let planar = jpeg::decode(&frame, 8, level, |bytes| vec![0; bytes]);
        let planar = planar.expect("a file of ours");
        group.bench_function(BenchmarkId::new("planes to rgb", set), |bencher| {
            let mut pixels = vec![0; 3 * planar.luma.len()];
            bencher.iter(|| jpeg::to_rgb(black_box(&planar), level, &mut pixels));
        });
        group.bench_function(BenchmarkId::new("quarter turn of planes", set), |bencher| {
            let mut bench = Workbench::default();
            bencher.iter(|| {
                let planar = black_box(&planar).clone();
                let turned =
                    orient::Orientation::QuarterTurn.apply_planar(&mut bench, level, planar);
                bench.recycle_planar(turned);
            });
        });
        group.bench_function(BenchmarkId::new("resize planes to 640", set), |bencher| {
            let mut scratch = Default::default();
            let mut made = Planar::new((640, 640), Some(Sampling::HALVED), |bytes| vec![0; bytes]);
            bencher.iter(|| {
                let upright = orient::Mirrored::default();
                resize::resize_planar_with(
                    level,
                    &mut scratch,
                    black_box(&planar),
                    upright,
                    &mut made,
                );
            });
        });
        group.bench_function(BenchmarkId::new("resize to 640", set), |bencher| {
            let (mut scratch, mut made) = (Default::default(), RgbImage::new(640, 640));
            bencher.iter(|| {
                resize::resize_with(level, &mut scratch, black_box(&picture), &mut made);
            });
        });
    }
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    let picture = landscape::paint(3, 4_000, 3_000);
    let jpeg = encode::jpeg(&picture).expect("a painting can be encoded");
    let look: &'static Filter = filters::by_name("matinee").expect("a look of the table");
    let mut group = criterion.benchmark_group("pipeline 12MP jpeg");
    group.sample_size(10).throughput(throughput(4_000, 3_000));
    const LADDER: &[u32] = &[160, 320, 640, 1_080, 2_048];
    let finished = RenderRequest {
        bytes: &jpeg,
        filter: look,
        strength: 100,
        watermark: Watermark::Corner,
        widths: LADDER,
        formats: RenditionFormats::Jpeg,
        limits: Limits::default(),
        effort: Effort::default(),
    };
    let unchanged =
        RenderRequest { filter: filters::ORIGINAL, watermark: Watermark::None, ..finished };
    let turned = turned(&jpeg);
    for (name, request) in [
        ("320", RenderRequest { widths: &[320], ..finished }),
        ("1080", RenderRequest { widths: &[1_080], ..finished }),
        ("whole ladder", finished),
        (
            "whole ladder, WebP too",
            RenderRequest { formats: RenditionFormats::JpegWebp, ..finished },
        ),
        ("whole ladder, neither look nor mark", unchanged),
        ("whole ladder, of a camera held upright", RenderRequest { bytes: &turned, ..finished }),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| render(black_box(&request))));
    }
    group.finish();
}

/// The JPEG, to be turned by a quarter: with an EXIF block that holds nothing else.
fn turned(jpeg: &[u8]) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2);
    let block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    [start, &[0xFF, 0xE1, 0, block.len() as u8 + 2], block, rest].concat()
}

criterion_group!(own, kernels, spatial, stages, stages_by_set, pipeline);
criterion_main!(own);
