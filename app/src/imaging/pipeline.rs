//! The ordered list of steps from uploaded bytes to finished renditions.
//!
//! One decode, of no more pixels than are needed; the ladder of sizes, each from the next larger one; every size turned, filtered and marked by itself. The
//! filter comes after the resize: that is what a browser does with the preview, and it is the smaller picture.
//! (Linear filters commute with resizing but for rounding; clamping ones differ where the filter clips.)
//! Each size gets its own watermark, drawn for it, instead of a shrunken one. CPU-bound and synchronous: `jobs` decides where it runs.

use image::RgbImage;

use super::buffers::Workbench;
use super::filters::Filter;
use super::probe::Probe;
use super::profile::ToSrgb;
use super::{ImagingError, Limits, decode, encode, kernels, probe, resize, watermark};
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
    /// Whether to draw the watermark.
    pub watermark: bool,
    /// Widths in pixels, in any order. A width beyond the picture gives the picture's own width.
    pub widths: &'a [u32],
    /// The file formats of each size.
    pub formats: RenditionFormats,
    /// The limits under which the original was accepted.
    pub limits: Limits,
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
    let probe = probe::probe(request.bytes, &request.limits)?;
    let program = kernels::Program::new(&request.filter.chain(request.strength));
    let size_of = |index: usize| resize::fit(probe.width, probe.height, request.widths[index]);
    // From the widest to the narrowest.
    let mut order: Vec<usize> = (0..request.widths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(request.widths[*index]));
    let Some(widest) = order.first() else { return Ok(Vec::new()) };

    // `source` is the last size made: upright, without look or mark.
    let mut source = upright(bench, request, &probe, size_of(*widest))?;
    let mut renditions: Vec<Option<Rendition>> = vec![None; request.widths.len()];
    for index in order {
        let (width, height) = size_of(index);
        if source.dimensions() != (width, height) {
            let smaller = resize::resize(bench, &source, width, height);
            bench.recycle(std::mem::replace(&mut source, smaller));
        }
        let mut finished = bench.picture(width, height);
        finished.copy_from_slice(&source);
        program.apply(&mut finished);
        if request.watermark {
            watermark::draw(&mut finished);
        }
        let jpeg = encode::jpeg(&finished)?;
        let webp = match request.formats {
            RenditionFormats::Jpeg => None,
            RenditionFormats::JpegWebp => Some(encode::webp(&finished)?),
        };
        bench.recycle(finished);
        renditions[index] = Some(Rendition { width, height, jpeg, webp });
    }
    bench.recycle(source);
    Ok(renditions.into_iter().flatten().collect())
}

/// Decodes, brings to the widest size, and only then converts to sRGB and turns: both shrink with the picture.
fn upright(
    bench: &mut Workbench,
    request: &RenderRequest<'_>,
    probe: &Probe,
    (width, height): (u32, u32),
) -> Result<RgbImage, ImagingError> {
    let lying = if probe.orientation.swaps_sides() { (height, width) } else { (width, height) };
    let stored = decode::decode_for(bench, request.bytes, probe, &request.limits, lying.0)?;
    let mut small = if stored.dimensions() == lying {
        stored
    } else {
        let small = resize::resize(bench, &stored, lying.0, lying.1);
        bench.recycle(stored);
        small
    };
    if let Some(to_srgb) = ToSrgb::embedded(request.bytes, probe.format) {
        let failed = || ImagingError::damaged(probe.format, "its colour profile does not fit it");
        to_srgb.apply(&mut small).ok_or_else(failed)?;
    }
    Ok(probe.orientation.apply(small))
}
