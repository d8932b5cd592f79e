//! The ordered list of steps from uploaded bytes to finished renditions.
//!
//! One decode, of no more pixels than are needed; the ladder of sizes, each from the next larger one; every size filtered and marked by itself. A
//! JPEG that our own reader takes stays luma and chroma until a size is finished (with a colour profile, until its widest size is made),
//! and goes from there into its file if it has neither look nor mark and its chroma is halved in both directions. Everything else is RGB
//! from its decoder on. The filter comes after the resize: that is what a browser does with the preview, and it is the smaller picture.
//! (Linear filters commute with resizing but for rounding; clamping ones differ where the filter clips.)
//! Each size gets its own watermark, drawn for it, instead of a shrunken one. CPU-bound and synchronous: `jobs` decides where it runs.
//!
//! Memory: the decoded original (`decode` says how much a megapixel takes: 1.5 MB for most photos, and less where the scaled decoder serves)
//! and two pictures of the widest size asked for (3 bytes a pixel: 9.4 MB each at 2,048 x 1,536), besides files and scratch space
//! of less than one of those. With several cores, all sizes are there at once: for the usual ladder two thirds of a picture of the
//! widest size more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use fearless_simd::Level;

use super::buffers::Workbench;
use super::decode::Decoded;
use super::filters::{Filter, Look};
use super::orient::Mirrored;
use super::probe::Probe;
use super::profile::ToSrgb;
use super::raster::Raster;
use super::watermark::{self, Watermark};
use super::{ImagingError, Limits, decode, encode, probe, resize};
use crate::model::{RenditionFormat, RenditionFormats};

/// What to make out of an original.
#[derive(Debug, Clone, Copy)]
pub struct RenderRequest<'a> {
    /// The uploaded bytes.
    pub bytes: &'a [u8],
    /// The look.
    pub filter: &'static Filter,
    /// 0 to 100 percent; more counts as 100.
    pub strength: u8,
    /// Where to draw the mark of the free plan.
    pub watermark: Watermark,
    /// Widths in pixels, in any order. A width beyond the picture gives the picture's own width.
    pub widths: &'a [u32],
    /// The file formats of each size.
    pub formats: RenditionFormats,
    /// The limits under which the original was accepted.
    pub limits: Limits,
    /// How many cores it may take, and how it is called off.
    pub effort: Effort<'a>,
}

/// What rendering may cost.
#[derive(Debug, Clone, Copy)]
pub struct Effort<'a> {
    /// Threads at work at the same time, this one included. With one, sizes are finished one after the other in the order in which they
    /// shrink; with more, all are made first and then filtered, marked and encoded side by side.
    pub cores: usize,
    /// Once this is true, rendering stops at the next step (decoding, one size, one encoding) with [`ImagingError::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
}

impl Default for Effort<'_> {
    /// One core, and nobody calls it off.
    fn default() -> Self {
        Self { cores: 1, cancelled: None }
    }
}

impl Effort<'_> {
    fn check(&self) -> Result<(), ImagingError> {
        match self.cancelled {
            Some(cancelled) if cancelled.load(Ordering::Relaxed) => Err(ImagingError::Cancelled),
            _ => Ok(()),
        }
    }
}

/// One finished size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Real width in pixels (at most the one asked for).
    pub width: u32,
    /// Real height in pixels.
    pub height: u32,
    /// The encoded picture.
    pub jpeg: Vec<u8>,
    /// The same as WebP, where that was asked for.
    pub webp: Option<Vec<u8>>,
}

impl Rendition {
    /// The files, each with its format.
    pub fn into_files(self) -> impl Iterator<Item = (RenditionFormat, Vec<u8>)> {
        let webp = self.webp.map(|bytes| (RenditionFormat::Webp, bytes));
        std::iter::once((RenditionFormat::Jpeg, self.jpeg)).chain(webp)
    }
}

/// Makes all renditions: one per entry of `widths`, in that order.
pub fn render(request: &RenderRequest<'_>) -> Result<Vec<Rendition>, ImagingError> {
    let mut bench = Workbench::take();
    let made = render_on(&mut bench, request);
    bench.put_back();
    made
}

fn render_on(
    bench: &mut Workbench,
    request: &RenderRequest<'_>,
) -> Result<Vec<Rendition>, ImagingError> {
    request.effort.check()?;
    let probe = probe::probe(request.bytes, &request.limits)?;
    let look = request.filter.look(request.strength);
    let size_of = |index: usize| resize::fit(probe.width, probe.height, request.widths[index]);
    // From the widest to the narrowest.
    let mut order: Vec<usize> = (0..request.widths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(request.widths[*index]));
    let Some(widest) = order.first() else { return Ok(Vec::new()) };

    // `source` is the last size made.
    let mut source = upright(bench, request, &probe, size_of(*widest))?;
    let mut renditions: Vec<Option<Rendition>> = vec![None; request.widths.len()];
    let mut waiting = Vec::new();
    let mut next = order.iter().skip(1);
    for index in order.iter().copied() {
        request.effort.check()?;
        // The next smaller size is made before this one is changed.
        let smaller = next.next().map(|next| smaller(bench, &source, size_of(*next)));
        if request.effort.cores > 1 {
            waiting.push((index, source));
        } else {
            renditions[index] = Some(finish(bench, request, &look, source)?);
        }
        match smaller {
            Some(smaller) => source = smaller,
            None => break,
        }
    }
    for (index, made) in side_by_side(request, &look, waiting) {
        renditions[index] = Some(made?);
    }
    Ok(renditions.into_iter().flatten().collect())
}

/// A smaller copy of an upright size.
fn smaller(bench: &mut Workbench, source: &Decoded, (width, height): (u32, u32)) -> Decoded {
    match source {
        Decoded::Rgb(picture) => Decoded::Rgb(resize::resize(bench, picture, width, height)),
        Decoded::Planar(planar) => {
            let upright = Mirrored::default();
            Decoded::Planar(resize::resize_planar(bench, planar, (width, height), upright))
        }
    }
}

/// Finishes all pictures, the largest first, on as many threads as asked for. Empty for one core, which has finished them already.
fn side_by_side(
    request: &RenderRequest<'_>,
    look: &Look,
    waiting: Vec<(usize, Decoded)>,
) -> Vec<(usize, Result<Rendition, ImagingError>)> {
    let threads = request.effort.cores.min(waiting.len());
    // Taken from the end, where the smallest lies.
    let waiting: Vec<_> = waiting.into_iter().rev().collect();
    let (waiting, done) = (Mutex::new(waiting), Mutex::new(Vec::new()));
    let work = || loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some((index, source)) = next else { return };
        let made = finish(&mut Workbench::default(), request, look, source);
        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, made));
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Look, mark, files. Planes with chroma at half size that neither look nor mark changes are written as they are; only WebP is made of RGB then.
fn finish(
    bench: &mut Workbench,
    request: &RenderRequest<'_>,
    look: &Look,
    source: Decoded,
) -> Result<Rendition, ImagingError> {
    request.effort.check()?;
    let (width, height) = source.dimensions();
    let with_webp = request.formats == RenditionFormats::JpegWebp;
    let is_unchanged = look.changes_nothing() && request.watermark == Watermark::None;
    let mut as_it_is = None;
    if let Decoded::Planar(planar) = &source
        && is_unchanged
        && planar.is_halved()
    {
        let jpeg = encode::planar_jpeg(planar)?;
        if !with_webp {
            source.put_back(bench);
            return Ok(Rendition { width, height, jpeg, webp: None });
        }
        as_it_is = Some(jpeg);
    }
    let mut picture = source.into_rgb(bench);
    look.apply(&mut Raster::of(&mut picture));
    watermark::draw(&mut picture, request.watermark);
    let jpeg = match as_it_is {
        Some(jpeg) => jpeg,
        None => encode::jpeg(&picture)?,
    };
    request.effort.check()?;
    let webp = if with_webp { Some(encode::webp(&picture)?) } else { None };
    bench.recycle(picture);
    Ok(Rendition { width, height, jpeg, webp })
}

/// Decodes, brings to the widest size, and only then turns and converts to sRGB: both shrink with the picture. Luma and chroma stay as they are,
/// unless they have a colour profile.
fn upright(
    bench: &mut Workbench,
    request: &RenderRequest<'_>,
    probe: &Probe,
    size: (u32, u32),
) -> Result<Decoded, ImagingError> {
    let orientation = probe.orientation;
    let (width, height) = orientation.stored(size);
    let stored = decode::decode_for(bench, request.bytes, probe, &request.limits, width)?;
    let upright = match stored {
        Decoded::Rgb(stored) if stored.dimensions() == (width, height) => {
            Decoded::Rgb(orientation.apply(bench, stored))
        }
        Decoded::Rgb(stored) => {
            let small = resize::resize(bench, &stored, width, height);
            bench.recycle(stored);
            Decoded::Rgb(orientation.apply(bench, small))
        }
        Decoded::Planar(stored) => {
            let mirrored = orientation.mirrored();
            let small = if stored.is_ready((width, height), mirrored) {
                stored
            } else {
                let small = resize::resize_planar(bench, &stored, (width, height), mirrored);
                bench.recycle_planar(stored);
                small
            };
            Decoded::Planar(orientation.apply_planar(bench, Level::new(), small))
        }
    };
    let Some(to_srgb) = ToSrgb::embedded(request.bytes, probe.format) else { return Ok(upright) };
    let mut upright = upright.into_rgb(bench);
    let failed = || ImagingError::damaged(probe.format, "its colour profile does not fit it");
    to_srgb.apply(&mut upright).ok_or_else(failed)?;
    Ok(Decoded::Rgb(upright))
}
