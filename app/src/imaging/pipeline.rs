//! The ordered list of steps from uploaded bytes to finished renditions.
//!
//! One decode; the ladder of sizes, each from the next larger one; every size turned, filtered and marked by itself. The
//! filter comes after the resize: that is what a browser does with the preview, and it is the smaller picture.
//! (Linear filters commute with resizing but for rounding; clamping ones differ where the filter clips.)
//! Each size gets its own watermark, drawn for it, instead of a shrunken one. CPU-bound and synchronous: `jobs` decides where it runs.

use fast_image_resize::Resizer;

use super::filters::Filter;
use super::{ImagingError, Limits, decode, encode, kernels, probe, resize, watermark};

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
}

/// Makes all renditions: one per entry of `widths`, in that order.
pub fn render(request: &RenderRequest<'_>) -> Result<Vec<Rendition>, ImagingError> {
    let probe = probe::probe(request.bytes, &request.limits)?;
    let stored = decode::decode(request.bytes, &probe, &request.limits)?;
    let program = kernels::Program::new(&request.filter.chain(request.strength));
    let mut resizer = Resizer::new();

    // From the widest to the narrowest; `source` is the last size made, upright and without look or mark.
    let mut order: Vec<usize> = (0..request.widths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(request.widths[*index]));
    let mut renditions: Vec<Option<Rendition>> = vec![None; request.widths.len()];
    let mut stored = Some(stored);
    let mut source = None;
    for index in order {
        let (width, height) = resize::fit(probe.width, probe.height, request.widths[index]);
        let plain = match (source.take(), stored.take()) {
            (Some(larger), _) => resize::resize(&mut resizer, &larger, width, height),
            (None, Some(stored)) => {
                // The stored pixels still lie as the camera held them.
                let (across, down) =
                    if probe.orientation.swaps_sides() { (height, width) } else { (width, height) };
                let small = if stored.dimensions() == (across, down) {
                    stored
                } else {
                    resize::resize(&mut resizer, &stored, across, down)
                };
                probe.orientation.apply(small)
            }
            (None, None) => unreachable!("the first pass leaves a source"),
        };
        let mut finished = plain.clone();
        program.apply(&mut finished);
        if request.watermark {
            watermark::draw(&mut finished);
        }
        let jpeg = encode::jpeg(&finished)?;
        renditions[index] = Some(Rendition { width, height, jpeg });
        source = Some(plain);
    }
    Ok(renditions.into_iter().flatten().collect())
}
