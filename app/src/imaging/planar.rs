//! A picture as JPEG holds it: luma, and chroma at its size or half of it, each in a plane of its own.
//!
//! A photo's chroma has half the size of luma in the file that comes in and in the renditions that go out. Until a filter needs RGB it stays that
//! small: what is read, made smaller and kept are 1.5 bytes a pixel instead of three. `jpeg` makes such pictures (and turns them
//! into RGB), `resize` makes smaller ones of them.

use super::orient::Mirrored;

/// Luma and chroma (BT.601, full range, as JFIF has them), or luma alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planar {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// A byte a pixel, rows without gaps.
    pub luma: Vec<u8>,
    /// Nothing for a grey picture.
    pub chroma: Option<Chroma>,
}

/// Both planes of chroma: rows without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chroma {
    /// Cb.
    pub blue: Vec<u8>,
    /// Cr.
    pub red: Vec<u8>,
    /// How their size relates to luma's.
    pub sampling: Sampling,
}

/// Whether chroma has a sample for two pixels, which lies in their middle; the last one may be for a single pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Of a row.
    pub halved_across: bool,
    /// Of a column.
    pub halved_down: bool,
}

impl Sampling {
    /// 4:2:0: what photos come in and renditions are written in.
    pub const HALVED: Self = Self { halved_across: true, halved_down: true };

    /// Width and height of chroma for so many pixels of luma.
    pub fn chroma_size(self, width: u32, height: u32) -> (u32, u32) {
        let side = |luma: u32, is_halved: bool| samples(luma as usize, is_halved) as u32;
        (side(width, self.halved_across), side(height, self.halved_down))
    }
}

/// Samples of chroma along so many pixels: the last of an odd number has one of its own.
pub(super) fn samples(pixels: usize, is_halved: bool) -> usize {
    if is_halved { pixels.div_ceil(2) } else { pixels }
}

impl Planar {
    /// A picture of this size, whose planes are made by `plane` of so many bytes; without sampling it is grey.
    pub fn new(
        (width, height): (u32, u32),
        sampling: Option<Sampling>,
        mut plane: impl FnMut(usize) -> Vec<u8>,
    ) -> Self {
        let area = |(width, height): (u32, u32)| width as usize * height as usize;
        let luma = plane(area((width, height)));
        let chroma = sampling.map(|sampling| {
            let samples = area(sampling.chroma_size(width, height));
            Chroma { blue: plane(samples), red: plane(samples), sampling }
        });
        Self { width, height, luma, chroma }
    }

    /// Width and height of luma.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether chroma, if there is any, has half of luma's size in both directions, as a rendition's has in its file.
    pub fn is_halved(&self) -> bool {
        self.chroma.as_ref().is_none_or(|chroma| chroma.sampling == Sampling::HALVED)
    }

    /// Whether it has this size, and chroma will not begin with the sample that is for a single pixel once these sides are turned around.
    pub fn is_ready(&self, size: (u32, u32), mirrored: Mirrored) -> bool {
        let begins_single = |Chroma { sampling, .. }: &Chroma| {
            let is_odd = |side: u32| side % 2 == 1 && side > 1;
            mirrored.across && sampling.halved_across && is_odd(self.width)
                || mirrored.down && sampling.halved_down && is_odd(self.height)
        };
        self.dimensions() == size && !self.chroma.as_ref().is_some_and(begins_single)
    }

    /// Width and samples of luma, and of chroma if there is any.
    pub(super) fn planes(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let (width, height) = self.dimensions();
        let chroma = self.chroma.as_ref().map(|Chroma { blue, red, sampling }| {
            let (width, _) = sampling.chroma_size(width, height);
            [(width as usize, &blue[..]), (width as usize, &red[..])]
        });
        std::iter::once((width as usize, &self.luma[..])).chain(chroma.into_iter().flatten())
    }

    /// [`Planar::planes`] to be written.
    pub(super) fn planes_mut(&mut self) -> impl Iterator<Item = (usize, &mut [u8])> {
        let (width, height) = self.dimensions();
        let chroma = self.chroma.as_mut().map(|Chroma { blue, red, sampling }| {
            let (width, _) = sampling.chroma_size(width, height);
            [(width as usize, &mut blue[..]), (width as usize, &mut red[..])]
        });
        std::iter::once((width as usize, &mut self.luma[..])).chain(chroma.into_iter().flatten())
    }

    /// Luma, and chroma if there is any.
    pub fn into_planes(self) -> impl Iterator<Item = Vec<u8>> {
        let chroma = self.chroma.map(|chroma| [chroma.blue, chroma.red]);
        std::iter::once(self.luma).chain(chroma.into_iter().flatten())
    }
}
