//! A picture of half the size, blurred along its rows: the first half of a step of `pyramid`.
//!
//! Cell c of the smaller picture is the mean of the pixels 2c - 1 to 2c + 2, weighed 1 3 3 1, down and across. Like gaussians (`tiles`) this goes in
//! bands of as many cells as a vector has lanes and strips from left to right: first down, where lanes are a row's numbers; then the
//! strip is transposed, so that a vector holds one column of the band and a step to the right is the next vector; halved and blurred
//! along, it is transposed back.

use super::super::lanes::{Lanes, transpose_squares};
use super::convolve::{self, FINE, Kernel, LaneTaps};
use super::pyramid::{CELLS, Fine, STRIP};
use super::{Raster, Row};

/// Numbers of a picture that is halved.
pub(super) trait Number: Copy + Default {
    fn load<L: Lanes>(lanes: L, from: &[Self]) -> L::Vector;
    /// The mean of four, weighed 1 3 3 1, as fine values.
    fn mean<L: Lanes>(lanes: L, four: [L::Vector; 4]) -> L::Vector;
}

impl Number for u8 {
    #[inline(always)]
    fn load<L: Lanes>(lanes: L, from: &[u8]) -> L::Vector {
        lanes.widen(from)
    }

    #[inline(always)]
    fn mean<L: Lanes>(lanes: L, [first, second, third, fourth]: [L::Vector; 4]) -> L::Vector {
        let inner = lanes.add_wrapping(second, third);
        let outer = lanes.add_wrapping(first, fourth);
        lanes.add_wrapping(
            lanes.multiply_low(inner, lanes.splat(3 << (FINE - 3))),
            lanes.shift_left(outer, FINE - 3),
        )
    }
}

impl Number for i16 {
    #[inline(always)]
    fn load<L: Lanes>(lanes: L, from: &[i16]) -> L::Vector {
        lanes.load(from)
    }

    #[inline(always)]
    fn mean<L: Lanes>(lanes: L, [first, second, third, fourth]: [L::Vector; 4]) -> L::Vector {
        let inner = lanes.add_wrapping(second, third);
        let outer = lanes.add_wrapping(first, fourth);
        lanes.add_wrapping(
            lanes.multiply_high(inner, lanes.splat(3 << 12)),
            lanes.multiply_high(outer, lanes.splat(1 << 12)),
        )
    }
}

/// What can be halved.
pub(super) trait Source {
    type Number: Number;
    /// Width and height in pixels, and numbers of a row.
    fn size(&self) -> (usize, usize, usize);
    /// So many numbers of a row.
    fn part(&self, y: usize, from: usize, count: usize) -> &[Self::Number];
    /// Has them brought into the first cache.
    fn fetch<L: Lanes>(&self, lanes: L, y: usize, from: usize, count: usize);
}

impl Source for Raster<'_> {
    type Number = u8;

    #[inline(always)]
    fn size(&self) -> (usize, usize, usize) {
        (self.width, self.height, self.width * self.channels)
    }

    #[inline(always)]
    fn part(&self, y: usize, from: usize, count: usize) -> &[u8] {
        Raster::part(self, self.start(y) + from, count)
    }

    #[inline(always)]
    fn fetch<L: Lanes>(&self, lanes: L, y: usize, from: usize, count: usize) {
        lanes.fetch(Source::part(self, y, from, count));
    }
}

impl Source for Fine {
    type Number = i16;

    #[inline(always)]
    fn size(&self) -> (usize, usize, usize) {
        self.size()
    }

    #[inline(always)]
    fn part(&self, y: usize, from: usize, count: usize) -> &[i16] {
        let from = self.start(y) + from;
        &self.numbers()[from..from + count]
    }

    #[inline(always)]
    fn fetch<L: Lanes>(&self, _lanes: L, _y: usize, _from: usize, _count: usize) {}
}

/// Rows that a band of the tallest vectors reads.
const ROWS_MAX: usize = 2 * 32 + 2;

/// The smaller picture, whose rows are blurred with the kernel, and with rows around it for the same down.
#[inline(always)]
pub(super) fn reduce<L: Lanes, S: Source, const CHANNELS: usize>(
    lanes: L,
    source: &S,
    kernel: &Kernel,
) -> Fine {
    let (width, height, count) = source.size();
    let (cells, radius) = (width.div_ceil(2) + 2, kernel.radius());
    let mut out = Fine::new(cells, height.div_ceil(2) + 2, CHANNELS, radius);
    let mut reducer = Reducer::new::<L>(kernel, CHANNELS);
    // For the strip at the right edge, which is not whole.
    let mut padded = vec![<S::Number>::default(); ROWS_MAX * STRIP * CHANNELS];
    for top in (0..out.height).step_by(L::COUNT) {
        // Cells are written as far behind the picture's as the kernel reaches.
        for strip in 0..(cells + radius).div_ceil(CELLS) {
            let from = strip * STRIP * CHANNELS;
            let whole = STRIP * CHANNELS;
            let mut rows: [&[S::Number]; ROWS_MAX] = [&[]; ROWS_MAX];
            if from < count {
                let read = whole.min(count - from);
                let mut places = padded.chunks_exact_mut(whole);
                for (at, row) in rows.iter_mut().enumerate().take(2 * L::COUNT + 2) {
                    let y = (2 * top + at).saturating_sub(3).min(height - 1);
                    let part = source.part(y, from, read);
                    *row = part;
                    if let (true, Some(place)) = (read < whole, places.next()) {
                        place[..read].copy_from_slice(part);
                        *row = place;
                    } else if from + 2 * whole <= count {
                        source.fetch(lanes, y, from + whole, whole);
                    }
                }
                let (rows, squares) = (&rows[..2 * L::COUNT + 2], reducer.squares.numbers());
                lanes.apart(
                    #[inline(always)]
                    || down::<L, _>(lanes, rows, &mut squares[..whole * L::COUNT]),
                );
            }
            let there = count.saturating_sub(from).min(whole);
            lanes.apart(
                #[inline(always)]
                || reducer.across::<L, CHANNELS>(lanes, strip == 0, there),
            );
            let tall = L::COUNT.min(out.height - top);
            let from = (strip * CELLS * CHANNELS) as isize - (radius * CHANNELS) as isize;
            for row in 0..tall {
                let to = out.part_mut(top + row, from, CELLS * CHANNELS);
                let squares = reducer.squares.as_slice().chunks_exact(L::COUNT * L::COUNT);
                for (square, to) in squares.zip(to.chunks_exact_mut(L::COUNT)) {
                    lanes.store(lanes.load(&square[row * L::COUNT..]), to);
                }
            }
        }
    }
    out.repeat_rows();
    out
}

/// Vectors of a row that are halved side by side.
const BESIDE: usize = 2;

/// Halves down: of the rows 2j to 2j + 3 the squares' row j.
#[inline(always)]
fn down<L: Lanes, N: Number>(lanes: L, rows: &[&[N]], squares: &mut [i16]) {
    let (square, step) = (L::COUNT * L::COUNT, BESIDE * L::COUNT);
    for (number, squares) in squares.chunks_exact_mut(BESIDE * square).enumerate() {
        let at = number * step;
        let mut four = [[lanes.splat(0); BESIDE]; 4];
        for row in 0..2 {
            four[row] = beside(lanes, &rows[row][at..at + step]);
        }
        let (left, right) = squares.split_at_mut(square);
        let outs = left.chunks_exact_mut(L::COUNT).zip(right.chunks_exact_mut(L::COUNT));
        for (two, (left, right)) in rows[2..].chunks_exact(2).zip(outs) {
            for row in 0..2 {
                four[2 + row] = beside(lanes, &two[row][at..at + step]);
            }
            let [first, second, third, fourth] = four;
            lanes.store(N::mean(lanes, [first[0], second[0], third[0], fourth[0]]), left);
            lanes.store(N::mean(lanes, [first[1], second[1], third[1], fourth[1]]), right);
            four = [third, fourth, third, fourth];
        }
    }
}

#[inline(always)]
fn beside<L: Lanes, N: Number>(lanes: L, numbers: &[N]) -> [L::Vector; BESIDE] {
    [N::load(lanes, numbers), N::load(lanes, &numbers[L::COUNT..])]
}

/// What bands need, used again by each.
struct Reducer {
    radius: usize,
    /// For each distance the tap, in every lane.
    taps: Row,
    /// Squares of lanes x lanes numbers.
    squares: Row,
    /// Columns halved down: three pixels of the strip before, and the strip.
    columns: Row,
    /// Columns of cells: as many before the strip's as the kernel reaches to both sides.
    cells: Row,
    /// Those, blurred.
    blurred: Row,
}

impl Reducer {
    fn new<L: Lanes>(kernel: &Kernel, channels: usize) -> Self {
        let radius = kernel.radius();
        let columns = |pixels: usize| Row::new(0, pixels * channels * L::COUNT);
        Self {
            radius,
            taps: kernel.spread::<L>(),
            squares: columns(STRIP),
            columns: columns(3 + STRIP),
            // `convolved` wants a step more.
            cells: columns(2 * radius + CELLS + 1),
            blurred: columns(CELLS),
        }
    }

    /// Halves and blurs the strip's squares along their rows; `there` of the numbers are the picture's.
    #[inline(always)]
    fn across<L: Lanes, const CHANNELS: usize>(&mut self, lanes: L, is_first: bool, there: usize) {
        let pixel = CHANNELS * L::COUNT;
        let columns = self.columns.numbers();
        let squares = &self.squares.as_slice()[..STRIP * pixel];
        transpose_squares(lanes, squares, &mut columns[3 * pixel..]);
        if is_first {
            for before in 0..3 {
                columns.copy_within(3 * pixel..4 * pixel, before * pixel);
            }
        }
        for column in 3 * CHANNELS + there..(3 + STRIP) * CHANNELS {
            let from = (column - CHANNELS) * L::COUNT;
            columns.copy_within(from..from + L::COUNT, column * L::COUNT);
        }
        let lead = 2 * self.radius * pixel;
        let cells = self.cells.numbers();
        halve::<L, CHANNELS>(lanes, columns, &mut cells[lead..]);
        columns.copy_within(STRIP * pixel..(STRIP + 3) * pixel, 0);
        if is_first {
            for before in 0..2 * self.radius {
                cells.copy_within(lead..lead + pixel, before * pixel);
            }
        }
        if self.radius == 0 {
            transpose_squares(lanes, &cells[..CELLS * pixel], self.squares.numbers());
            return;
        }
        let taps = LaneTaps { taps: self.taps.as_slice(), radius: self.radius };
        let blurred = self.blurred.numbers();
        convolve::columns::<L, CHANNELS, false>(lanes, taps, cells, CELLS, blurred);
        let kept = CELLS * pixel;
        cells.copy_within(kept..kept + lead, 0);
        transpose_squares(lanes, &blurred[..CELLS * pixel], self.squares.numbers());
    }
}

/// Halves columns along: of the pixels 2c to 2c + 3 the cell c.
#[inline(always)]
fn halve<L: Lanes, const CHANNELS: usize>(lanes: L, columns: &[i16], cells: &mut [i16]) {
    let pixel = CHANNELS * L::COUNT;
    for channel in 0..CHANNELS {
        let (columns, cells) = (&columns[channel * L::COUNT..], &mut cells[channel * L::COUNT..]);
        let (mut first, mut second) = (lanes.load(columns), lanes.load(&columns[pixel..]));
        for cell in 0..CELLS {
            let at = (2 * cell + 2) * pixel;
            let (third, fourth) = (lanes.load(&columns[at..]), lanes.load(&columns[at + pixel..]));
            let mean = i16::mean(lanes, [first, second, third, fourth]);
            lanes.store(mean, &mut cells[cell * pixel..]);
            (first, second) = (third, fourth);
        }
    }
}
