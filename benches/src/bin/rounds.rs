//! Our side of `make bench-peers`: does one named piece of work per line of its input, for a turn, and answers with the nanoseconds that one
//! call took of it.
//!
//! `benches/peers/compare.py` asks it and the peers (Pillow, OpenCV, libvips) in turn, so that both sides meet the same moments of a
//! shared machine. Built with the feature `peers` it does the work of other Rust crates as well: `peer:CRATE WORK SIZE`; what a
//! crate has not is answered with `none`. Buffers are made before the clock starts and used again, as a server does; so do the peers' where they can.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
#[cfg(feature = "peers")]
use benches::peers::{PEERS, work as of_peer};
use photo_app::imaging::filters::{self, Function, Step};
use photo_app::imaging::functions::Curves;
use photo_app::imaging::kernels::Program;
use photo_app::imaging::spatial::{BoxBlur, Gaussian, Sharpen, SpatialFilter, Unsharp, Vignette};
use photo_app::imaging::watermark;
use photo_app::imaging::{
    Effort, Limits, Raster, RenderRequest, RgbImage, Watermark, decode, encode, landscape, probe,
    render, resize,
};
use photo_app::model::RenditionFormats;

/// A piece of work, ready to be done again and again.
type Work = Box<dyn FnMut()>;

/// How long a side is at work in its turn, at least. A megapixel is done in a tenth of a millisecond, and one such call after the other
/// sides' says more of the caches that they left behind than of the work.
const TURN: Duration = Duration::from_millis(3);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["paint", path] => {
            let jpeg = encode::jpeg(&landscape::paint(3, 4_000, 3_000))?;
            std::fs::write(path, jpeg).with_context(|| format!("cannot write {path}"))
        }
        ["peers"] => {
            let mut out = std::io::stdout().lock();
            PEERS.iter().try_for_each(|peer| writeln!(out, "{peer}")).context("cannot write")
        }
        ["rounds", jpeg] => rounds(Path::new(jpeg)),
        _ => bail!(
            "usage: rounds paint FILE.jpg | rounds peers | rounds rounds FILE.jpg < works, one a line"
        ),
    }
}

fn rounds(jpeg: &Path) -> anyhow::Result<()> {
    let jpeg = std::fs::read(jpeg).with_context(|| format!("cannot read {}", jpeg.display()))?;
    let jpeg: &'static [u8] = jpeg.leak();
    let found = probe(jpeg, &Limits::default())?;
    let large = decode::decode(jpeg, &found, &Limits::default())?;
    let small = resize::resize(&mut Default::default(), &large, 1_080, 1_080);
    let mut works: HashMap<String, Work> = HashMap::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let name = line.context("cannot read the next work")?;
        let work = match works.entry(name) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let work = work(place.key(), jpeg, &large, &small);
                let Some(work) = work else {
                    if place.key().starts_with("peer:") {
                        writeln!(out, "none")?;
                        out.flush()?;
                        continue;
                    }
                    bail!("{:?} is no work of ours", place.key())
                };
                let work = place.insert(work);
                // Once before the clock starts: buffers, caches, tables.
                work();
                work
            }
        };
        writeln!(out, "{}", turn(work).as_nanos())?;
        out.flush()?;
    }
    Ok(())
}

/// The time that one call takes, of as many in a row as fill a [`TURN`].
fn turn(work: &mut Work) -> Duration {
    let begun = Instant::now();
    let mut calls = 0;
    loop {
        work();
        calls += 1;
        let taken = begun.elapsed();
        if taken >= TURN {
            return taken / calls;
        }
    }
}

/// The work with this name: `WORK SIZE`, where the size is `12MP` or `1MP`.
fn work(name: &str, jpeg: &'static [u8], large: &RgbImage, small: &RgbImage) -> Option<Work> {
    if let Some((peer, name)) = name.strip_prefix("peer:").and_then(|name| name.split_once(' ')) {
        let (what, size) = name.split_once(' ')?;
        return of_peer(peer, what, if size == "12MP" { large } else { small });
    }
    let (what, size) = name.split_once(' ')?;
    let picture = if size == "12MP" { large } else { small };
    let step = |function, amount| Step { function, amount };
    let (contrast, bright) = (step(Function::Contrast, 1.2), step(Function::Brightness, 1.1));
    let chain = match what {
        "grayscale" => vec![step(Function::Grayscale, 1.0)],
        "sepia" => vec![step(Function::Sepia, 1.0)],
        "saturate" => vec![step(Function::Saturate, 1.4)],
        "hue-rotate" => vec![step(Function::HueRotate, 30.0)],
        "brightness+contrast" => vec![bright, contrast],
        "invert" => vec![step(Function::Invert, 1.0)],
        "chain-of-4" => {
            vec![step(Function::Sepia, 1.0), contrast, step(Function::Saturate, 1.4), bright]
        }
        "memcpy" => {
            let (from, mut to) = (picture.as_raw().clone(), picture.as_raw().clone());
            return Some(Box::new(move || std::hint::black_box(&mut to).copy_from_slice(&from)));
        }
        "sharpen" => return Some(spatial(picture, Sharpen::new(1.0))),
        "vignette" => return Some(spatial(picture, Vignette::new(0.6))),
        "box-blur-10" => return Some(spatial(picture, BoxBlur::new(10))),
        "unsharp" => return Some(spatial(picture, Unsharp::new(2.0, 1.0, 0))),
        // There is one gaussian, which stands beside the true ones and beside the rough ones.
        _ if what.contains("gaussian-") => {
            let sigma = what.rsplit('-').next()?.parse().ok()?;
            return Some(spatial(picture, Gaussian::new(sigma)));
        }
        "curves" => vec![step(Function::Curves(&CURVES), 1.0)],
        "tiled-mark" => {
            let mut picture = picture.clone();
            return Some(Box::new(move || watermark::draw(&mut picture, Watermark::Tiled)));
        }
        "resize-1080" => {
            let (picture, mut bench) = (picture.clone(), Default::default());
            let (width, height) = resize::fit(picture.width(), picture.height(), 1_080);
            return Some(Box::new(move || {
                let made = resize::resize(&mut bench, &picture, width, height);
                bench.recycle(std::hint::black_box(made));
            }));
        }
        "encode-jpeg" => {
            let picture = picture.clone();
            return Some(Box::new(move || {
                std::hint::black_box(encode::jpeg(&picture)).expect("a picture can be encoded");
            }));
        }
        "pipeline-1080" => return Some(pipeline(jpeg, &[1_080])),
        "pipeline-320" => return Some(pipeline(jpeg, &[320])),
        "pipeline-ladder" => return Some(pipeline(jpeg, &[160, 320, 640, 1_080, 2_048])),
        _ => return None,
    };
    let program = Program::new(&chain);
    let mut pixels = picture.as_raw().clone();
    Some(Box::new(move || program.apply(&mut Raster::of_pixels(std::hint::black_box(&mut pixels)))))
}

/// A curve for each channel.
static CURVES: Curves =
    Curves { levels: [&[0, 40, 128, 216, 255], &[0, 52, 132, 210, 255], &[28, 78, 128, 178, 228]] };

fn spatial(picture: &RgbImage, filter: impl SpatialFilter + 'static) -> Work {
    let mut picture = picture.clone();
    Box::new(move || filter.apply(&mut Raster::of(std::hint::black_box(&mut picture))))
}

/// Built without the crates there are none to be asked.
#[cfg(not(feature = "peers"))]
const PEERS: [&str; 0] = [];

#[cfg(not(feature = "peers"))]
fn of_peer(_: &str, _: &str, _: &RgbImage) -> Option<Work> {
    None
}

/// Bytes in, finished renditions out: sepia, contrast and vignette, the mark, JPEG at quality 85.
fn pipeline(bytes: &'static [u8], widths: &'static [u32]) -> Work {
    let filter = filters::by_name("matinee").expect("a look of the table");
    Box::new(move || {
        let request = RenderRequest {
            bytes,
            filter,
            strength: 100,
            watermark: Watermark::Corner,
            widths,
            formats: RenditionFormats::Jpeg,
            limits: Limits::default(),
            effort: Effort::default(),
        };
        std::hint::black_box(render(&request)).expect("a picture can be rendered");
    })
}
