//! The mark on pictures of the free plan: an aperture and a light meter's dial on a dark band, bottom right or all over.
//!
//! A vector drawing, rendered for the size of each picture (never a scaled bitmap): shapes are distances, coverage is the distance
//! clamped over one pixel, so that edges are smooth. The band is dark and see-through, the strokes are light: readable
//! on light and on dark pictures. Blended on the sRGB values, as a browser would an overlay. Painting takes longer than blending, and most
//! pictures of a service have a handful of sizes: the last [`MARKS_MAX`] paintings are kept.

use std::sync::{Arc, Mutex, PoisonError};

use fearless_simd::Level;
use image::RgbImage;

use super::lanes::{BYTES_MAX, Lanes, in_halves, with_lanes};
use super::raster::Raster;

/// Height of the band as a share of the shorter side.
const BAND_SHARE: f32 = 0.085;
/// Below this many pixels the strokes melt together.
const BAND_MIN: f32 = 20.0;
/// Above this it would cover the picture for no gain.
const BAND_MAX: f32 = 150.0;
/// Width of the band in heights.
const BAND_ASPECT: f32 = 2.15;
/// How much of the picture the band hides.
const BAND_OPACITY: f32 = 0.46;
/// How much of the picture the strokes hide.
const STROKE_OPACITY: f32 = 0.92;
/// The band's colour, a warm black, and the strokes' colour, a warm white.
const BAND_COLOUR: [f32; 3] = [22.0, 20.0, 18.0];
const STROKE_COLOUR: [f32; 3] = [255.0, 250.0, 240.0];

/// Tiles lie this many heights of a band apart, down and across.
const TILE_STEPS: (f32, f32) = (2.6, 3.6);
/// How much of its opacity a mark has when there are many.
const TILE_OPACITY: f32 = 0.55;

/// Paintings kept: a ladder of sizes, upright and lying. The largest has 0.6 MB.
const MARKS_MAX: usize = 12;

/// The last ones used, the latest at the end.
static MARKS: Mutex<Vec<Arc<Mark>>> = Mutex::new(Vec::new());

/// Bytes are fetched so many rows before they are marked.
const ROWS_AHEAD: usize = 1;

/// Where a picture is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watermark {
    /// Nowhere.
    #[default]
    None,
    /// Once, bottom right.
    Corner,
    /// All over, every other row shifted by half a step.
    Tiled,
}

impl Watermark {
    /// As the app marks pictures: in the corner, or not at all.
    pub fn corner_if(marked: bool) -> Self {
        if marked { Self::Corner } else { Self::None }
    }
}

/// Draws the mark; on pictures too small for it (under about 60 x 30 pixels) it is as small as fits.
pub fn draw(picture: &mut RgbImage, watermark: Watermark) {
    draw_with(Level::new(), picture, watermark);
}

/// [`draw`] with the instructions of `level`, so that tests can compare them: they give the same bytes.
pub fn draw_with(level: Level, picture: &mut RgbImage, watermark: Watermark) {
    if watermark != Watermark::None {
        with_lanes!(level, lanes => draw_on(lanes, &mut Raster::of(picture), watermark));
    }
}

#[inline(always)]
fn draw_on<L: Lanes>(lanes: L, raster: &mut Raster<'_>, watermark: Watermark) {
    let (width, height) = (raster.size().0 as f32, raster.size().1 as f32);
    let wanted = (width.min(height) * BAND_SHARE).clamp(BAND_MIN, BAND_MAX);
    // Strips: the band with its margin must fit both ways.
    let band = wanted.min(height / 1.5).min(width / (BAND_ASPECT + 0.5)).max(1.0);
    if watermark == Watermark::Corner {
        let mark = Mark::of(band, 1.0, order(lanes));
        let margin = band * 0.35;
        let left = (width - mark.width as f32 - margin).max(0.0) as usize;
        let top = (height - mark.height as f32 - margin).max(0.0) as usize;
        mark.stamp(lanes, raster, std::iter::once(left), top);
    } else {
        let steps = ((band * TILE_STEPS.0) as usize, (band * TILE_STEPS.1) as usize);
        Mark::of(band, TILE_OPACITY, order(lanes)).tile(lanes, raster, steps);
    }
}

/// Numbers of the bytes of a vector, as its halves have them one after the other.
type Order = [i16; BYTES_MAX];

/// That of a set, and zeros behind it.
#[inline(always)]
fn order<L: Lanes>(lanes: L) -> Order {
    let (mut numbers, mut order) = ([0; BYTES_MAX], [0; BYTES_MAX]);
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = at as i16;
    }
    let [first, second] = in_halves(lanes, &numbers);
    lanes.store(first, &mut order);
    lanes.store(second, &mut order[L::COUNT..]);
    order
}

/// The mark as arithmetic: a byte of the picture is multiplied by one number and another is added.
struct Mark {
    /// What it was painted for: the band's height in pixels, the share of its opacity, and the order of its numbers.
    band: f32,
    opacity: f32,
    order: Order,
    /// Pixels.
    width: usize,
    height: usize,
    /// For each byte, times 65,536 and less one of those, in vectors of the order: whole ones for each row, the last of which goes on
    /// with what changes nothing.
    keeps: Vec<i16>,
    /// For each byte, times 256, and half of that for rounding.
    adds: Vec<i16>,
}

/// A byte that stays: its high half is what it was.
const KEEP: i16 = u16::MAX as i16;
const ADD: i16 = 1 << 7;

impl Mark {
    /// Painted already, or now.
    fn of(band: f32, opacity: f32, order: Order) -> Arc<Self> {
        let wanted = (band, opacity, order);
        let mut marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = marks.iter().position(|mark| (mark.band, mark.opacity, mark.order) == wanted);
        let mark = known.map(|at| marks.remove(at));
        // Others may look theirs up while this one is painted; two of the same are no harm.
        drop(marks);
        let mark = mark.unwrap_or_else(|| Arc::new(Self::painted(band, opacity, order)));
        let mut marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= MARKS_MAX {
            marks.remove(0);
        }
        marks.push(Arc::clone(&mark));
        mark
    }

    fn painted(band: f32, opacity: f32, order: Order) -> Self {
        let canvas = Canvas::painted(band);
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let vector = order.iter().max().map_or(1, |last| *last as usize + 1);
        let row = (3 * width).next_multiple_of(vector);
        let (mut keeps, mut adds) = (vec![KEEP; row * height], vec![ADD; row * height]);
        // Where a byte's number lies in its vector.
        let mut lies = [0; BYTES_MAX];
        for (place, byte) in order[..vector].iter().enumerate() {
            lies[*byte as usize] = place;
        }
        for (pixel, (band, stroke)) in canvas.band.iter().zip(&canvas.strokes).enumerate() {
            let (band, stroke) = (band * BAND_OPACITY * opacity, stroke * STROKE_OPACITY * opacity);
            for channel in 0..3 {
                let added =
                    BAND_COLOUR[channel] * band * (1.0 - stroke) + STROKE_COLOUR[channel] * stroke;
                let byte = 3 * (pixel % width) + channel;
                let at = pixel / width * row + byte / vector * vector + lies[byte % vector];
                let keep = (1.0 - band) * (1.0 - stroke) * f32::from(u16::MAX);
                keeps[at] = keep.round() as u16 as i16;
                adds[at] = ((added * 256.0).round() as u16 + ADD as u16) as i16;
            }
        }
        Self { band, opacity, order, width, height, keeps, adds }
    }

    /// All over the picture, `steps` pixels apart down and across.
    #[inline(always)]
    fn tile<L: Lanes>(&self, lanes: L, raster: &mut Raster<'_>, steps: (usize, usize)) {
        let (width, height) = raster.size();
        for (row, top) in (steps.0 / 4..height).step_by(steps.0.max(1)).enumerate() {
            let shift = if row % 2 == 0 { steps.1 / 4 } else { steps.1 / 4 + steps.1 / 2 };
            self.stamp(lanes, raster, (shift..width).step_by(steps.1.max(1)), top);
        }
    }

    /// Side by side, with their top left corners there; what lies beyond the picture is cut off. Row by row through all of them: a row of the
    /// mark stays in the first cache, and the picture's memory is gone through in its order.
    #[inline(always)]
    fn stamp<L: Lanes>(
        &self,
        lanes: L,
        raster: &mut Raster<'_>,
        lefts: impl Iterator<Item = usize> + Clone,
        top: usize,
    ) {
        let (width, height) = raster.size();
        let row = self.keeps.len() / self.height;
        for y in 0..self.height.min(height - top) {
            let inks = y * row..(y + 1) * row;
            let (keeps, adds) = (&self.keeps[inks.clone()], &self.adds[inks]);
            for left in lefts.clone() {
                let bytes = 3 * left..3 * (left + self.width).min(width);
                // A mark is many short pieces far apart, which processors do not foresee.
                let ahead = (top + y + ROWS_AHEAD).min(height - 1);
                lanes.fetch(&raster.row(ahead)[bytes]);
                ink(lanes, keeps, adds, &mut raster.row(top + y)[3 * left..]);
            }
        }
    }
}

/// The bytes of a row from a place on, under a row of the mark that begins there.
#[inline(always)]
fn ink<L: Lanes>(lanes: L, keeps: &[i16], adds: &[i16], bytes: &mut [u8]) {
    let (vector, count) = (2 * L::COUNT, keeps.len().min(bytes.len()));
    let (mut keeps, mut adds) = (keeps.chunks_exact(vector), adds.chunks_exact(vector));
    let mut vectors = bytes[..count].chunks_exact_mut(vector);
    for (bytes, inks) in (&mut vectors).zip((&mut keeps).zip(&mut adds)) {
        lanes.store_bytes(inked(lanes, inks, bytes), bytes);
    }
    let rest = vectors.into_remainder();
    if let (false, Some(keeps), Some(adds)) = (rest.is_empty(), keeps.next(), adds.next()) {
        let mut padded = [0; BYTES_MAX];
        padded[..rest.len()].copy_from_slice(rest);
        let bytes = inked(lanes, (keeps, adds), &padded);
        lanes.store_bytes(bytes, &mut padded);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

#[inline(always)]
fn inked<L: Lanes>(lanes: L, (keeps, adds): (&[i16], &[i16]), bytes: &[u8]) -> L::Bytes {
    let bytes = lanes.load_bytes(bytes);
    let mut halves = lanes.weigh::<1, 0>(bytes, bytes);
    for (half, value) in halves.iter_mut().enumerate() {
        let (keep, add) = (&keeps[half * L::COUNT..], &adds[half * L::COUNT..]);
        let fine = lanes.shift_left(*value, 8);
        let kept = lanes.multiply_high_unsigned(fine, lanes.load(keep));
        *value = lanes.shift_right(lanes.add_wrapping(kept, lanes.load(add)), 8);
    }
    lanes.narrow_both(halves)
}

type Point = (f32, f32);

/// Coverage of the two inks, 0 to 1, row by row.
struct Canvas {
    width: u32,
    height: u32,
    band: Vec<f32>,
    strokes: Vec<f32>,
}

impl Canvas {
    /// The whole mark, `band` pixels high.
    fn painted(band: f32) -> Self {
        let (width, height) = ((band * BAND_ASPECT).ceil().max(1.0), band.ceil().max(1.0));
        let pixels = (width * height) as usize;
        let mut canvas = Self {
            width: width as u32,
            height: height as u32,
            band: vec![0.0; pixels],
            strokes: vec![0.0; pixels],
        };
        let radius = band * 0.5;
        let spine = ((radius, radius), (band * BAND_ASPECT - radius, radius));
        let everywhere = ((0.0, 0.0), (width, height));
        fill(&mut canvas.band, canvas.width, everywhere, |at| to_segment(at, spine) - radius);
        canvas.aperture((band * 0.53, band * 0.5), band * 0.34);
        canvas.dial((band * 1.5, band * 0.68), band * 0.42);
        canvas
    }

    /// A ring with six blades, each an edge of a hexagon drawn on to the ring.
    fn aperture(&mut self, centre: Point, radius: f32) {
        let pen = radius * 0.105;
        self.stroke(around(centre, radius + pen), |at| (distance(at, centre) - radius).abs() - pen);
        let hole = radius * 0.5;
        for blade in 0..6 {
            let angle = (blade as f32 * 60.0 + 12.0).to_radians();
            let next = angle + 60.0_f32.to_radians();
            let corner = polar(centre, hole, angle);
            let towards = polar(centre, hole, next);
            let direction = ((towards.0 - corner.0) / hole, (towards.1 - corner.1) / hole);
            // Corner + t * direction meets the ring where t^2 - t * hole + hole^2 = radius^2
            // (the edge of a regular hexagon makes 120 degrees with the corner's radius).
            let t = hole / 2.0 + (radius * radius - 0.75 * hole * hole).sqrt();
            let end = (corner.0 + direction.0 * t, corner.1 + direction.1 * t);
            self.line((corner, end), pen * 0.8);
        }
    }

    /// Ticks along an arc and a needle that stops short of them.
    fn dial(&mut self, centre: Point, radius: f32) {
        let pen = radius * 0.07;
        for tick in 0..7 {
            let angle = (-155.0 + tick as f32 * 130.0 / 6.0).to_radians();
            let inner = if tick % 3 == 0 { 0.72 } else { 0.84 };
            let ends = (polar(centre, radius * inner, angle), polar(centre, radius, angle));
            self.line(ends, pen);
        }
        let tip = polar(centre, radius * 0.66, (-55.0_f32).to_radians());
        self.line((centre, tip), pen * 1.15);
        self.stroke(around(centre, radius * 0.17), |at| distance(at, centre) - radius * 0.16);
    }

    fn line(&mut self, ends: (Point, Point), half_width: f32) {
        let low = (ends.0.0.min(ends.1.0) - half_width, ends.0.1.min(ends.1.1) - half_width);
        let high = (ends.0.0.max(ends.1.0) + half_width, ends.0.1.max(ends.1.1) + half_width);
        self.stroke((low, high), |at| to_segment(at, ends) - half_width);
    }

    fn stroke(&mut self, bounds: (Point, Point), shape: impl Fn(Point) -> f32) {
        fill(&mut self.strokes, self.width, bounds, shape);
    }
}

/// Adds a shape, given as signed distance in pixels, inside its bounds; overlapping shapes do not add up.
fn fill(ink: &mut [f32], width: u32, bounds: (Point, Point), shape: impl Fn(Point) -> f32) {
    let height = ink.len() as u32 / width;
    let ((x_low, y_low), (x_high, y_high)) = bounds;
    // One pixel around for the soft edge; `as` clamps negatives to 0.
    let columns = (x_low - 1.0) as u32..((x_high + 2.0) as u32).min(width);
    for y in (y_low - 1.0) as u32..((y_high + 2.0) as u32).min(height) {
        for x in columns.clone() {
            let coverage = 0.5 - shape((x as f32 + 0.5, y as f32 + 0.5));
            let cell = &mut ink[(y * width + x) as usize];
            *cell = cell.max(coverage.clamp(0.0, 1.0));
        }
    }
}

fn around(centre: Point, radius: f32) -> (Point, Point) {
    ((centre.0 - radius, centre.1 - radius), (centre.0 + radius, centre.1 + radius))
}

fn polar(centre: Point, radius: f32, angle: f32) -> Point {
    (centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin())
}

fn distance(a: Point, b: Point) -> f32 {
    ((a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1)).sqrt()
}

fn to_segment(at: Point, (start, end): (Point, Point)) -> f32 {
    let (dx, dy) = (end.0 - start.0, end.1 - start.1);
    let length_squared = (dx * dx + dy * dy).max(1e-12);
    let along = ((at.0 - start.0) * dx + (at.1 - start.1) * dy) / length_squared;
    let along = along.clamp(0.0, 1.0);
    distance(at, (start.0 + dx * along, start.1 + dy * along))
}
