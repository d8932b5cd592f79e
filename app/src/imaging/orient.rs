//! The eight ways a camera may have been held (EXIF orientation), and turning pixels upright.
//!
//! The pipeline turns the widest rendition instead of the large original, and planes instead of RGB where it has them: the work shrinks with the picture. By tiles,
//! since a column of a picture is a cache line for each pixel.

use fearless_simd::Level;
use image::RgbImage;
use image::metadata::Orientation as ExifOrientation;

use super::buffers::Workbench;
use super::lanes::{Lanes, with_lanes};
use super::planar::{Planar, Sampling};

/// What must be done to the stored pixels so that the picture stands upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// Nothing (EXIF 1, and anything unknown).
    #[default]
    Upright,
    /// Mirror left to right (2).
    MirrorHorizontal,
    /// Turn by half (3).
    HalfTurn,
    /// Mirror top to bottom (4).
    MirrorVertical,
    /// Swap rows and columns (5).
    Transpose,
    /// A quarter clockwise (6).
    QuarterTurn,
    /// Swap rows and columns along the other diagonal (7).
    Transverse,
    /// A quarter counter-clockwise (8).
    ThreeQuarterTurn,
}

/// Which sides of the stored picture are turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mirrored {
    /// Its right side comes first.
    pub across: bool,
    /// Its lower side comes first.
    pub down: bool,
}

impl Orientation {
    /// From a raw EXIF block (TIFF header first). Unreadable or unknown means upright: a wrong tag is no reason to
    /// refuse a good picture.
    pub fn from_exif(exif: &[u8]) -> Self {
        match ExifOrientation::from_exif_chunk(exif) {
            Some(ExifOrientation::FlipHorizontal) => Self::MirrorHorizontal,
            Some(ExifOrientation::Rotate180) => Self::HalfTurn,
            Some(ExifOrientation::FlipVertical) => Self::MirrorVertical,
            Some(ExifOrientation::Rotate90FlipH) => Self::Transpose,
            Some(ExifOrientation::Rotate90) => Self::QuarterTurn,
            Some(ExifOrientation::Rotate270FlipH) => Self::Transverse,
            Some(ExifOrientation::Rotate270) => Self::ThreeQuarterTurn,
            Some(ExifOrientation::NoTransforms) | None => Self::Upright,
        }
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        matches!(
            self,
            Self::Transpose | Self::QuarterTurn | Self::Transverse | Self::ThreeQuarterTurn
        )
    }

    /// The size as stored of a picture that has this one when it is upright.
    pub fn stored(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// Whether the picture's columns and rows, as stored, run against those of the upright one.
    pub fn mirrored(self) -> Mirrored {
        let (across, down) = match self {
            Self::Upright | Self::Transpose => (false, false),
            Self::MirrorHorizontal | Self::ThreeQuarterTurn => (true, false),
            Self::MirrorVertical | Self::QuarterTurn => (false, true),
            Self::HalfTurn | Self::Transverse => (true, true),
        };
        Mirrored { across, down }
    }

    /// Turns the picture upright; free when it already is.
    pub fn apply(self, bench: &mut Workbench, picture: RgbImage) -> RgbImage {
        if self == Self::Upright {
            return picture;
        }
        let (width, height) = self.stored(picture.dimensions());
        let mut upright = bench.picture(width, height);
        let size = (picture.width() as usize, picture.height() as usize);
        let (from, to) = (picture.as_chunks::<3>().0, upright.as_chunks_mut::<3>().0);
        match self.swaps_sides() {
            true => columns_to_rows(self.mirrored(), size, from, to),
            false => rows_to_rows(self.mirrored(), size, from, to),
        }
        bench.recycle(picture);
        upright
    }

    /// Turns luma and chroma upright, with the instructions of `level`. Along a mirrored side of an odd number of pixels, chroma at half size
    /// has to begin with the sample that is for a single pixel (`resize::resize_planar` makes it so): then it ends with it afterwards.
    pub fn apply_planar(self, bench: &mut Workbench, level: Level, planar: Planar) -> Planar {
        if self == Self::Upright {
            return planar;
        }
        let sampling = planar.chroma.as_ref().map(|chroma| {
            let Sampling { halved_across, halved_down } = chroma.sampling;
            match self.swaps_sides() {
                true => Sampling { halved_across: halved_down, halved_down: halved_across },
                false => chroma.sampling,
            }
        });
        let size = self.stored(planar.dimensions());
        let mut upright = Planar::new(size, sampling, |bytes| bench.bytes(bytes));
        let mirrored = self.mirrored();
        for ((width, from), (_, to)) in planar.planes().zip(upright.planes_mut()) {
            let size = (width, from.len() / width.max(1));
            if self.swaps_sides() {
                with_lanes!(level, lanes => columns_to_rows_of_bytes(lanes, mirrored, size, from, to));
            } else {
                rows_to_rows(mirrored, size, from, to);
            }
        }
        bench.recycle_planar(planar);
        upright
    }
}

/// Pixels of a tile's side: what is read and written of it stays in the first cache.
const TILE: usize = 16;
/// The most lanes.
const LANES_MAX: usize = 32;

/// Rows stay rows. `size`: width and height as stored.
fn rows_to_rows<P: Copy>(mirrored: Mirrored, size: (usize, usize), from: &[P], to: &mut [P]) {
    let (width, height) = size;
    for (y, row) in from.chunks_exact(width.max(1)).enumerate() {
        let y = if mirrored.down { height - 1 - y } else { y };
        let to = &mut to[y * width..][..width];
        if mirrored.across {
            to.iter_mut().zip(row.iter().rev()).for_each(|(to, from)| *to = *from);
        } else {
            to.copy_from_slice(row);
        }
    }
}

/// Columns become rows, tile by tile.
fn columns_to_rows<P: Copy>(mirrored: Mirrored, size: (usize, usize), from: &[P], to: &mut [P]) {
    let (width, height) = size;
    for left in (0..width).step_by(TILE) {
        for top in (0..height).step_by(TILE) {
            for x in left..width.min(left + TILE) {
                let row = if mirrored.across { width - 1 - x } else { x };
                let row = &mut to[row * height..][..height];
                for y in top..height.min(top + TILE) {
                    let place = if mirrored.down { height - 1 - y } else { y };
                    row[place] = from[y * width + x];
                }
            }
        }
    }
}

/// The same for bytes, tiles of as many columns as a vector has lanes and of twice as many rows. The last ones of a side overlap with those before them.
#[inline(always)]
fn columns_to_rows_of_bytes<L: Lanes>(
    lanes: L,
    mirrored: Mirrored,
    size: (usize, usize),
    from: &[u8],
    to: &mut [u8],
) {
    let (width, height) = size;
    let (wide, tall) = (L::COUNT, 2 * L::COUNT);
    if width < wide || height < tall {
        return columns_to_rows(mirrored, size, from, to);
    }
    let mut columns = [0; 2 * LANES_MAX * LANES_MAX];
    let mut rows = [0; 2 * LANES_MAX * LANES_MAX];
    for left in (0..width).step_by(wide) {
        let left = left.min(width - wide);
        for top in (0..height).step_by(tall) {
            let top = top.min(height - tall);
            for row in 0..tall {
                let y = if mirrored.down { top + tall - 1 - row } else { top + row };
                let bytes = lanes.widen(&from[y * width + left..]);
                lanes.store(bytes, &mut columns[row * wide..]);
            }
            lanes.transpose_bytes(&columns[..tall * wide], &mut rows, tall);
            let place = if mirrored.down { height - tall - top } else { top };
            for (x, bytes) in (left..left + wide).zip(rows.chunks_exact(tall)) {
                let row = if mirrored.across { width - 1 - x } else { x };
                lanes.store_bytes(lanes.load_bytes(bytes), &mut to[row * height + place..]);
            }
        }
    }
}
