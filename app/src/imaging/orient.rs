//! The eight ways a camera may have been held (EXIF orientation), and turning pixels upright.
//!
//! The pipeline turns the first small rendition instead of the large original: the work shrinks with the picture.

use image::RgbImage;
use image::imageops;
use image::metadata::Orientation as ExifOrientation;

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

    /// Turns the picture upright; free when it already is.
    pub fn apply(self, picture: RgbImage) -> RgbImage {
        match self {
            Self::Upright => picture,
            Self::MirrorHorizontal => imageops::flip_horizontal(&picture),
            Self::HalfTurn => imageops::rotate180(&picture),
            Self::MirrorVertical => imageops::flip_vertical(&picture),
            Self::Transpose => imageops::flip_horizontal(&imageops::rotate90(&picture)),
            Self::QuarterTurn => imageops::rotate90(&picture),
            Self::Transverse => imageops::flip_horizontal(&imageops::rotate270(&picture)),
            Self::ThreeQuarterTurn => imageops::rotate270(&picture),
        }
    }
}
