//! The gaussians' work: bands of as many rows as a vector has lanes, each from left to right in strips.
//!
//! Across rows first, where lanes are the bytes of a row. Then the strip is transposed: a vector holds one column of all rows of the band, so that
//! going along them is the same work as going across, from vectors that begin lines of the cache, and each lane may have a kernel of
//! its own. Then it is transposed back. What is worked on lies in the first cache up to a sigma of
//! about 10: the strip, and the columns that reach into the next one.
//!
//! The picture is changed in place: columns are written behind those that are read, and what the band below needs of this one's rows is
//! saved before.

use std::ops::Range;

use super::super::lanes::{Lanes, transpose_squares};
use super::blur::{Finish, Kernels};
use super::convolve::{self, BLOCK, FINE, LaneTaps, SIDES, block};
use super::{ROOM, Raster, Row};

/// Blurs every row with its kernel.
#[inline(always)]
pub(super) fn blur<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    raster: &mut Raster<'_>,
    kernels: &Kernels,
    finish: Finish,
) {
    let (height, count) = (raster.height, raster.width * CHANNELS);
    let mut tiles = Tiles::new::<L>(kernels.radius_max(0..height), CHANNELS, count);
    for top in (0..height).step_by(L::COUNT) {
        let band = Band::new(kernels, top..height.min(top + L::COUNT));
        tiles.save(raster, &band);
        tiles.band::<L, CHANNELS>(lanes, raster, &band, finish);
    }
}

/// Rows that are blurred together.
struct Band<'a> {
    top: usize,
    /// How many there are: as many as lanes, but for the last band.
    tall: usize,
    kernels: &'a Kernels,
    /// How far the widest of their kernels reaches, and whether they have one.
    radius: usize,
    same: bool,
}

impl<'a> Band<'a> {
    fn new(kernels: &'a Kernels, rows: Range<usize>) -> Self {
        Self {
            top: rows.start,
            tall: rows.len(),
            kernels,
            radius: kernels.radius_max(rows.clone()),
            same: kernels.are_same(rows),
        }
    }
}

/// What the bands need, used again by each.
struct Tiles {
    /// Rows that the widest kernel reaches to either side, and numbers of a row.
    reach: usize,
    lead: usize,
    /// Numbers of a picture's row.
    count: usize,
    /// Bytes of rows above the band as they were, each in the place of its number modulo the places.
    saved: Vec<u8>,
    places: usize,
    /// Fine values of the rows of a strip and around them.
    strip: Row,
    /// Squares of lanes x lanes numbers, as many as a strip is wide, before and after a transposition.
    before: Row,
    after: Row,
    /// Rows of the strip as bytes.
    bytes: Vec<u8>,
    /// Columns from `lead` before those that are written next on, up to `lead` behind them.
    columns: Row,
    /// For each distance the tap of every lane.
    taps: Row,
    /// Where the rows of a band and those around them lie, from the top.
    sources: Vec<Source>,
}

/// Columns of a strip: two lines of the cache in bytes, and whole blocks of every set.
const STRIP: usize = convolve::STRIDE;

/// Strips between what is read and what is fetched.
const FETCHED: usize = 2;

/// Where a row's bytes begin.
#[derive(Clone, Copy)]
enum Source {
    Saved(usize),
    Picture(usize),
}

impl Tiles {
    fn new<L: Lanes>(reach: usize, channels: usize, count: usize) -> Self {
        let (lead, places) = (reach * channels, reach + L::COUNT);
        // Pixels side by side may reach beyond the strip.
        let squares = || Row::new(0, (STRIP + SIDES * channels) * L::COUNT);
        Self {
            reach,
            lead,
            count,
            saved: vec![0; places * count],
            places,
            // Rows side by side may reach beyond the band, and `convolved` wants a step more.
            strip: Row::new(0, (L::COUNT + 2 * reach + SIDES + 1) * STRIP),
            before: squares(),
            after: squares(),
            bytes: vec![0; STRIP * L::COUNT],
            columns: Row::new(0, (2 * lead + STRIP + (SIDES + 1) * channels) * L::COUNT),
            taps: Row::new(0, (reach + 1) * L::COUNT),
            sources: Vec::with_capacity(L::COUNT + 2 * reach),
        }
    }

    /// Keeps what the next band needs of this one.
    fn save(&mut self, raster: &mut Raster<'_>, band: &Band<'_>) {
        let bottom = band.top + band.tall;
        if bottom < raster.height {
            for y in bottom.saturating_sub(self.reach).max(band.top)..bottom {
                let at = y % self.places * self.count;
                self.saved[at..at + self.count].copy_from_slice(raster.row(y));
            }
        }
    }

    #[inline(always)]
    fn band<L: Lanes, const CHANNELS: usize>(
        &mut self,
        lanes: L,
        raster: &mut Raster<'_>,
        band: &Band<'_>,
        finish: Finish,
    ) {
        let (count, lead) = (self.count, self.lead);
        self.spread::<L>(band);
        self.find_rows(raster, band);
        // As many columns are written as are read, but `lead` behind them: so far the kernel reaches to the right.
        for from in (0..count + lead).step_by(STRIP) {
            if from < count {
                lanes.apart(
                    #[inline(always)]
                    || self.strip(lanes, raster, band, from),
                );
            }
            self.repeat_ends::<L, CHANNELS>(from);
            lanes.apart(
                #[inline(always)]
                || match finish {
                    Finish::Blurred => self.along::<L, CHANNELS, true>(lanes, band.radius),
                    Finish::Unsharp { .. } => self.along::<L, CHANNELS, false>(lanes, band.radius),
                },
            );
            let (first, end) = (from.saturating_sub(lead), (from + STRIP).saturating_sub(lead));
            let columns = first..end.min(count);
            if !columns.is_empty() {
                self.write::<L, CHANNELS>(
                    lanes,
                    raster,
                    band,
                    finish,
                    columns,
                    first + lead - from,
                );
            }
            self.hand_on(lanes);
        }
    }

    /// The last columns become the first ones of the next strip.
    #[inline(always)]
    fn hand_on<L: Lanes>(&mut self, lanes: L) {
        let (strip, numbers) = (STRIP * L::COUNT, self.columns.numbers());
        let kept = 2 * self.lead * L::COUNT;
        // A strip at a time, so that what is read and what is written lie apart.
        for at in (0..kept).step_by(strip) {
            let count = strip.min(kept - at);
            let (to, from) = numbers[at..at + strip + count].split_at_mut(strip);
            let vectors = to[..count].chunks_exact_mut(L::COUNT);
            for (to, from) in vectors.zip(from.chunks_exact(L::COUNT)) {
                lanes.store(lanes.load(from), to);
            }
        }
    }

    /// Where the rows of the band and those around them lie.
    fn find_rows(&mut self, raster: &Raster<'_>, band: &Band<'_>) {
        self.sources.clear();
        for at in 0..band.tall + 2 * band.radius {
            let y = (band.top + at).saturating_sub(band.radius).min(raster.height - 1);
            self.sources.push(if y < band.top {
                Source::Saved(y % self.places * self.count)
            } else {
                Source::Picture(raster.start(y))
            });
        }
    }

    /// Beyond the picture, the columns of its first and its last pixel; the strip that was appended begins with the column `from`.
    #[inline(always)]
    fn repeat_ends<L: Lanes, const CHANNELS: usize>(&mut self, from: usize) {
        let (count, lead) = (self.count, self.lead);
        let columns = self.columns.numbers();
        if from == 0 {
            for column in (lead..2 * lead).rev() {
                copy_column::<L>(columns, column + CHANNELS, column);
            }
        }
        // Without a lead nothing beyond is asked for.
        let end = if lead == 0 { 0 } else { 2 * lead + STRIP };
        for column in 2 * lead + count.saturating_sub(from)..end {
            copy_column::<L>(columns, column - CHANNELS, column);
        }
    }

    /// Writes columns of the band's rows, of which `skipped` lie before the picture.
    #[inline(always)]
    fn write<L: Lanes, const CHANNELS: usize>(
        &self,
        lanes: L,
        raster: &mut Raster<'_>,
        band: &Band<'_>,
        finish: Finish,
        columns: Range<usize>,
        skipped: usize,
    ) {
        let after = self.after.as_slice();
        for row in 0..band.tall {
            let bytes = &mut raster.row(band.top + row)[columns.clone()];
            if let Finish::Blurred = finish {
                let blurred = &self.bytes[row * STRIP + skipped..][..bytes.len()];
                put_colours::<CHANNELS>(blurred, bytes);
                continue;
            }
            let after = &after[row * L::COUNT..];
            if bytes.len() == STRIP {
                finish_strip::<L, CHANNELS>(lanes, finish, after, bytes);
            } else {
                let mut padded = [0; STRIP];
                padded[skipped..skipped + bytes.len()].copy_from_slice(bytes);
                finish_strip::<L, CHANNELS>(lanes, finish, after, &mut padded);
                bytes.copy_from_slice(&padded[skipped..skipped + bytes.len()]);
            }
        }
    }

    /// The taps of the band's rows, lane by lane; where there are fewer rows than lanes, those of the last row.
    #[inline(always)]
    fn spread<L: Lanes>(&mut self, band: &Band<'_>) {
        let taps = self.taps.numbers();
        for lane in 0..L::COUNT {
            let kernel = band.kernels.of(band.top + lane.min(band.tall - 1));
            for distance in 0..=band.radius {
                taps[distance * L::COUNT + lane] = kernel.tap(distance);
            }
        }
    }

    /// The rows of a strip, and those around them, blurred across: squares whose rows are rows of the band.
    #[inline(always)]
    fn strip<L: Lanes>(&mut self, lanes: L, raster: &mut Raster<'_>, band: &Band<'_>, from: usize) {
        let width = STRIP.min(self.count - from);
        let rows = self.strip.numbers().chunks_exact_mut(STRIP);
        for (row, source) in rows.zip(&self.sources) {
            let bytes = match *source {
                Source::Saved(start) => &self.saved[start + from..][..width],
                Source::Picture(start) => {
                    // What a strip further to the right will need, of the same row.
                    let ahead = from + FETCHED * STRIP;
                    if ahead < self.count {
                        lanes.fetch(raster.part(start + ahead, STRIP.min(self.count - ahead)));
                    }
                    raster.part(start + from, width)
                }
            };
            widen(lanes, bytes, row);
        }
        if band.same {
            self.across::<L, true>(lanes, band);
        } else {
            self.across::<L, false>(lanes, band);
        }
        self.append(lanes);
    }

    /// Blurs the strip across its rows; with `SAME`, all of them have the same kernel.
    #[inline(always)]
    fn across<L: Lanes, const SAME: bool>(&mut self, lanes: L, band: &Band<'_>) {
        let taps = LaneTaps { taps: self.taps.as_slice(), radius: band.radius };
        let size = (band.tall, STRIP / L::COUNT);
        // Taps that are the same in every lane may as well be loaded, which is cheaper than to spread one.
        convolve::rows::<L, SAME>(lanes, taps, self.strip.as_slice(), size, self.before.numbers());
    }

    /// Transposes the strip's squares to the columns, behind those that are there.
    #[inline(always)]
    fn append<L: Lanes>(&mut self, lanes: L) {
        let columns = &mut self.columns.numbers()[2 * self.lead * L::COUNT..];
        let squares = &self.before.as_slice()[..STRIP * L::COUNT];
        transpose_squares(lanes, squares, columns);
    }

    /// Blurs the columns along the band's rows, and transposes them back: with `LEVELS` to bytes.
    #[inline(always)]
    fn along<L: Lanes, const CHANNELS: usize, const LEVELS: bool>(
        &mut self,
        lanes: L,
        radius: usize,
    ) {
        let taps = LaneTaps { taps: self.taps.as_slice(), radius };
        let from = &self.columns.as_slice()[(self.lead - radius * CHANNELS) * L::COUNT..];
        let blurred = self.before.numbers();
        convolve::columns::<L, CHANNELS, LEVELS>(
            lanes,
            taps,
            from,
            STRIP.div_ceil(CHANNELS),
            blurred,
        );
        if LEVELS {
            let columns = blurred[..STRIP * L::COUNT].chunks_exact(2 * L::COUNT * L::COUNT);
            for (number, columns) in columns.enumerate() {
                let to = &mut self.bytes[2 * number * L::COUNT..];
                lanes.transpose_bytes(columns, to, STRIP);
            }
            return;
        }
        transpose_squares(lanes, &blurred[..STRIP * L::COUNT], self.after.numbers());
    }
}

/// A row of a strip's squares over the bytes it belongs to.
#[inline(always)]
fn finish_strip<L: Lanes, const CHANNELS: usize>(
    lanes: L,
    finish: Finish,
    squares: &[i16],
    bytes: &mut [u8],
) {
    const { assert!(STRIP.is_multiple_of(BLOCK * L::COUNT), "a strip is whole blocks") };
    let square = L::COUNT * L::COUNT;
    for (block, bytes) in bytes.chunks_exact_mut(block::<L>()).enumerate() {
        let mut blurred = [lanes.splat(0); BLOCK];
        for number in 0..BLOCK {
            blurred[number] = lanes.load(&squares[(BLOCK * block + number) * square..]);
        }
        finish.block::<L, CHANNELS>(lanes, blurred, bytes);
    }
}

/// Blurred bytes over those of a row, but for alpha.
#[inline(always)]
fn put_colours<const CHANNELS: usize>(blurred: &[u8], bytes: &mut [u8]) {
    if CHANNELS == 3 {
        // Of a length that the compiler knows, as nearly all are.
        match (bytes.as_mut_array::<STRIP>(), blurred.as_array::<STRIP>()) {
            (Some(bytes), Some(blurred)) => *bytes = *blurred,
            _ => bytes.copy_from_slice(blurred),
        }
        return;
    }
    for (pixel, blurred) in bytes.chunks_exact_mut(4).zip(blurred.chunks_exact(4)) {
        pixel[..3].copy_from_slice(&blurred[..3]);
    }
}

#[inline(always)]
fn copy_column<L: Lanes>(columns: &mut [i16], from: usize, to: usize) {
    columns.copy_within(from * L::COUNT..(from + 1) * L::COUNT, to * L::COUNT);
}

/// Bytes as fine values. There may be fewer than a strip has; behind them is room for a vector.
#[inline(always)]
fn widen<L: Lanes>(lanes: L, bytes: &[u8], fine: &mut [i16]) {
    // A whole strip, as nearly all are, without asking how long it is.
    if bytes.len() == fine.len() {
        for at in 0..STRIP / L::COUNT {
            let value = lanes.widen(&bytes[at * L::COUNT..(at + 1) * L::COUNT]);
            lanes.store(lanes.shift_left(value, FINE), &mut fine[at * L::COUNT..]);
        }
        return;
    }
    let mut bytes = bytes.chunks_exact(L::COUNT);
    let mut vectors = fine.chunks_exact_mut(L::COUNT);
    for (bytes, fine) in (&mut bytes).zip(&mut vectors) {
        lanes.store(lanes.shift_left(lanes.widen(bytes), FINE), fine);
    }
    if let (rest, Some(fine)) = (bytes.remainder(), vectors.next()) {
        let mut padded = [0; ROOM];
        padded[..rest.len()].copy_from_slice(rest);
        lanes.store(lanes.shift_left(lanes.widen(&padded), FINE), fine);
    }
}
