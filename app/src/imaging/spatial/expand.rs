//! A picture of twice the size from one that is blurred down first: the second half of a step of `pyramid`.
//!
//! Quadratic B-splines at a quarter of a cell's width from its middle: of the cells before, here and behind, the pixel 2c has 9, 22 and 1
//! parts in 32, the pixel 2c + 1 has 1, 22 and 9. The same bands and strips as in `reduce`, the other way round: the gaussian down the
//! smaller picture's rows; transposed, twice as many columns; transposed back, twice as many rows. Those need the last two rows of the
//! band above, which are kept.

use super::super::lanes::{Lanes, transpose_squares};
use super::blur::Finish;
use super::convolve::{self, BLOCK, Kernel, LaneTaps, STRIDE, block};
use super::pyramid::{BEFORE, CELLS, Fine, STRIP};
use super::{ROOM, Raster, Row};

/// Where a doubled picture goes.
pub(super) trait Sink {
    /// Width and height in pixels, and numbers of a row.
    fn size(&self) -> (usize, usize, usize);
    /// So many fine values over those of a row, from the number at (row, number) on, or fewer: what the row has from there on. There is room for a vector behind them.
    fn put<L: Lanes, const CHANNELS: usize>(
        &mut self,
        lanes: L,
        place: (usize, usize),
        fine: &[i16],
        count: usize,
    );
}

/// The picture itself, and what becomes of blurred values there.
pub(super) struct Finished<'a, 'b> {
    pub raster: &'a mut Raster<'b>,
    pub finish: Finish,
}

impl Sink for Finished<'_, '_> {
    #[inline(always)]
    fn size(&self) -> (usize, usize, usize) {
        let Raster { width, height, channels, .. } = *self.raster;
        (width, height, width * channels)
    }

    #[inline(always)]
    fn put<L: Lanes, const CHANNELS: usize>(
        &mut self,
        lanes: L,
        place: (usize, usize),
        fine: &[i16],
        count: usize,
    ) {
        let bytes = &mut self.raster.row(place.0)[place.1..];
        let count = bytes.len().min(count);
        let mut blocks = bytes[..count].chunks_exact_mut(block::<L>());
        for (bytes, fine) in (&mut blocks).zip(fine.chunks_exact(block::<L>())) {
            let mut blurred = [lanes.splat(0); BLOCK];
            for number in 0..BLOCK {
                blurred[number] = lanes.load(&fine[number * L::COUNT..]);
            }
            self.finish.block::<L, CHANNELS>(lanes, blurred, bytes);
        }
        let mut vectors = blocks.into_remainder().chunks_exact_mut(L::COUNT);
        let done = count / block::<L>() * block::<L>();
        let mut fine = fine[done..].chunks_exact(L::COUNT);
        for (bytes, fine) in (&mut vectors).zip(&mut fine) {
            let blurred = lanes.load(fine);
            lanes.narrow(self.finish.apply::<L, CHANNELS>(lanes, blurred, bytes), bytes);
        }
        let rest = vectors.into_remainder();
        if let (false, Some(fine)) = (rest.is_empty(), fine.next()) {
            self.finish.rest::<L, CHANNELS>(lanes, lanes.load(fine), rest);
        }
    }
}

impl Sink for Fine {
    #[inline(always)]
    fn size(&self) -> (usize, usize, usize) {
        self.size()
    }

    #[inline(always)]
    fn put<L: Lanes, const CHANNELS: usize>(
        &mut self,
        _lanes: L,
        place: (usize, usize),
        fine: &[i16],
        count: usize,
    ) {
        self.part_mut(place.0, place.1 as isize, count).copy_from_slice(&fine[..count]);
    }
}

/// Parts in 32, as factors of [`Lanes::multiply_high`]: of the cell here, of its nearer and of its farther neighbour.
const HERE: i16 = 22 << 10;
const NEAR: i16 = 9 << 10;
const FAR: i16 = 1 << 10;

/// Rows of the band above that are kept.
const KEPT: usize = 2;

/// Writes all of the larger picture.
#[inline(always)]
pub(super) fn expand<L: Lanes, S: Sink, const CHANNELS: usize>(
    lanes: L,
    small: &Fine,
    kernel: &Kernel,
    sink: &mut S,
) {
    let (width, height, _) = sink.size();
    let strips = (width + BEFORE).div_ceil(STRIP);
    let mut rows: [Strip; 2] = [[0; 4 * STRIP + ROOM]; 2];
    let mut expander = Expander::new::<L>(kernel, CHANNELS, strips);
    for top in (0..small.height).step_by(L::COUNT) {
        // Those with a cell above and one below, in the band or in what is kept.
        let cells = top.max(KEPT) - 1..(top + L::COUNT - 1).min(small.height - 1);
        for strip in 0..strips {
            lanes.apart(
                #[inline(always)]
                || expander.strip::<L, CHANNELS>(lanes, small, top, strip),
            );
            let (from, skipped) = match (strip * STRIP).checked_sub(BEFORE) {
                Some(from) => (from * CHANNELS, 0),
                None => (0, BEFORE * CHANNELS),
            };
            for cell in cells.clone() {
                let tall = expander.tall.as_slice();
                lanes.apart(
                    #[inline(always)]
                    || double::<L>(lanes, tall, cell + KEPT - top, &mut rows),
                );
                let upper = 2 * (cell - 1);
                for (y, fine) in (upper..height).zip(&rows) {
                    let (fine, count) = (&fine[skipped..], STRIP * CHANNELS - skipped);
                    lanes.apart(
                        #[inline(always)]
                        || sink.put::<L, CHANNELS>(lanes, (y, from), fine, count),
                    );
                }
            }
        }
    }
}

/// A strip's row, of up to four numbers a pixel, and room behind it.
type Strip = [i16; 4 * STRIP + ROOM];

/// The two rows of a cell, from the squares' row of this number and those above and below.
#[inline(always)]
fn double<L: Lanes>(lanes: L, tall: &[i16], row: usize, [upper, lower]: &mut [Strip; 2]) {
    let outs = upper.chunks_exact_mut(L::COUNT).zip(lower.chunks_exact_mut(L::COUNT));
    for (square, (upper, lower)) in tall.chunks_exact(tall_square::<L>()).zip(outs) {
        let three = &square[(row - 1) * L::COUNT..(row + 2) * L::COUNT];
        let above = Parts::of(lanes, lanes.load(three));
        let here = Parts::of(lanes, lanes.load(&three[L::COUNT..]));
        let below = Parts::of(lanes, lanes.load(&three[2 * L::COUNT..]));
        let two = between(lanes, &above, &here, &below);
        lanes.store(two[0], upper);
        lanes.store(two[1], lower);
    }
}

/// What a cell gives to itself and its neighbours.
struct Parts<L: Lanes> {
    here: L::Vector,
    near: L::Vector,
    far: L::Vector,
}

impl<L: Lanes> Parts<L> {
    #[inline(always)]
    fn of(lanes: L, cell: L::Vector) -> Self {
        Self {
            here: lanes.multiply_high(cell, lanes.splat(HERE)),
            near: lanes.multiply_high(cell, lanes.splat(NEAR)),
            far: lanes.multiply_high(cell, lanes.splat(FAR)),
        }
    }
}

/// The two pixels of the middle one of three cells.
#[inline(always)]
fn between<L: Lanes>(
    lanes: L,
    before: &Parts<L>,
    here: &Parts<L>,
    behind: &Parts<L>,
) -> [L::Vector; 2] {
    let first = lanes.add_wrapping(before.near, behind.far);
    let second = lanes.add_wrapping(before.far, behind.near);
    [lanes.add_wrapping(first, here.here), lanes.add_wrapping(second, here.here)]
}

/// Numbers of a square and of the rows kept above it.
#[inline(always)]
fn tall_square<L: Lanes>() -> usize {
    (KEPT + L::COUNT) * L::COUNT
}

/// What bands need, used again by each.
struct Expander {
    /// For each distance the tap, in every lane.
    taps: Row,
    radius: usize,
    /// The strip's rows of cells, and those above and below that the kernel reaches.
    rows: Row,
    /// Squares of lanes x lanes numbers, blurred.
    squares: Row,
    /// Columns of cells: two of the strip before, and the strip's.
    cells: Row,
    /// Twice as many columns.
    columns: Row,
    /// Squares, transposed back, and above each of them two rows of the band above.
    tall: Row,
    /// Those two rows, for each strip.
    kept: Row,
}

impl Expander {
    fn new<L: Lanes>(kernel: &Kernel, channels: usize, strips: usize) -> Self {
        let columns = |pixels: usize| Row::new(0, pixels * channels * L::COUNT);
        let squares = STRIP * channels / L::COUNT;
        Self {
            taps: kernel.spread::<L>(),
            radius: kernel.radius(),
            // `convolved` wants a step more.
            rows: Row::new(0, (L::COUNT + 2 * kernel.radius() + 1) * STRIDE),
            squares: columns(CELLS),
            cells: columns(2 + CELLS),
            columns: columns(STRIP),
            tall: Row::new(0, squares * tall_square::<L>()),
            kept: Row::new(0, strips * KEPT * STRIP * channels),
        }
    }

    /// The strip's cells, from the row `top` on: blurred down, doubled along.
    #[inline(always)]
    fn strip<L: Lanes, const CHANNELS: usize>(
        &mut self,
        lanes: L,
        small: &Fine,
        top: usize,
        strip: usize,
    ) {
        const { assert!(CELLS * CHANNELS <= STRIDE, "a strip of cells is as wide as rows may be") };
        let (pixel, square) = (CHANNELS * L::COUNT, L::COUNT * L::COUNT);
        let first = small.start(top) + strip * CELLS * CHANNELS - self.radius * small.stride;
        let cells = small.numbers()[first..].chunks(small.stride);
        let tall = (L::COUNT + 2 * self.radius) * STRIDE;
        for (row, cells) in self.rows.numbers()[..tall].chunks_exact_mut(STRIDE).zip(cells) {
            row[..CELLS * CHANNELS].copy_from_slice(&cells[..CELLS * CHANNELS]);
        }
        let taps = LaneTaps { taps: self.taps.as_slice(), radius: self.radius };
        let squares = self.squares.numbers();
        let size = (L::COUNT, CELLS * CHANNELS / L::COUNT);
        convolve::rows::<L, true>(lanes, taps, self.rows.as_slice(), size, squares);
        let cells = self.cells.numbers();
        transpose_squares(lanes, squares, &mut cells[2 * pixel..(2 + CELLS) * pixel]);
        let columns = self.columns.numbers();
        double_columns::<L, CHANNELS>(lanes, cells, columns);
        cells.copy_within(CELLS * pixel..(CELLS + 2) * pixel, 0);
        let kept_rows = KEPT * L::COUNT;
        let kept =
            self.kept.numbers()[strip * KEPT * STRIP * CHANNELS..].chunks_exact_mut(kept_rows);
        let tall = self.tall.numbers().chunks_exact_mut(tall_square::<L>());
        let columns = columns[..STRIP * pixel].chunks_exact(square);
        for ((columns, tall), kept) in columns.zip(tall).zip(kept) {
            tall[..kept_rows].copy_from_slice(kept);
            lanes.transpose(columns, &mut tall[kept_rows..]);
            kept.copy_from_slice(&tall[square..square + kept_rows]);
        }
    }
}

/// Twice as many columns: of each cell but the first and the last one.
#[inline(always)]
fn double_columns<L: Lanes, const CHANNELS: usize>(lanes: L, cells: &[i16], columns: &mut [i16]) {
    let pixel = CHANNELS * L::COUNT;
    for channel in 0..CHANNELS {
        let (cells, columns) = (&cells[channel * L::COUNT..], &mut columns[channel * L::COUNT..]);
        let mut before = Parts::of(lanes, lanes.load(cells));
        let mut here = Parts::of(lanes, lanes.load(&cells[pixel..]));
        for cell in 0..CELLS {
            let behind = Parts::of(lanes, lanes.load(&cells[(cell + 2) * pixel..]));
            let two = between(lanes, &before, &here, &behind);
            lanes.store(two[0], &mut columns[2 * cell * pixel..]);
            lanes.store(two[1], &mut columns[(2 * cell + 1) * pixel..]);
            (before, here) = (here, behind);
        }
    }
}
