//! The coefficients of a whole picture, for files that tell them in several scans, and the pixels that they become.
//!
//! Two bytes a sample: that is what progressive files cost everywhere. Only [`Gathered::into_picture`] makes pixels, at any of the eight sizes, by the same
//! transforms as the streaming decoder. Luma with chroma of its size or half of it becomes a [`Planar`]; inks, RGB and rare samplings
//! come as they are, in [`Separate`] planes.

use super::blocks::Blocks;
use super::headers::{Colours, Headers};
use super::passes::{Block, Pass};
use super::transform::{self, Group, Shape, Tall};
use super::{Damage, Read, scaled_size};
use crate::imaging::planar::{Planar, Sampling};

/// Nothing of a coefficient is there.
const ALL_MISSING: u8 = u8::MAX;

/// What the scans have told so far.
pub(super) struct Gathered {
    /// Pixels.
    width: u32,
    height: u32,
    colours: Colours,
    across_max: usize,
    down_max: usize,
    pub components: Vec<Coefficients>,
}

/// One component's blocks.
pub(super) struct Coefficients {
    /// Blocks in an MCU.
    pub across: usize,
    pub down: usize,
    /// Blocks of a row and of a column that have pixels: a scan of this component alone has no others.
    pub columns: usize,
    pub rows: usize,
    /// Blocks of a row in whole MCUs.
    pub stride: usize,
    pub blocks: Vec<Block>,
    /// In zigzag order, as they were when its first scan began.
    quantization: Option<[u16; 64]>,
    /// How many low bits of each coefficient are still missing.
    missing: [u8; 64],
}

impl Gathered {
    /// Room for the picture that the headers tell of.
    pub fn new(headers: &Headers<'_>) -> Result<Self, Damage> {
        let (width, height) = headers.size.ok_or(Damage::Wrong("its size is missing"))?;
        let colours = headers.colours().ok_or(Damage::Wrong("its colours are of a rare kind"))?;
        let (across_max, down_max) = headers.most();
        let side = |pixels: u32, factor: usize, most: usize| {
            let samples = (pixels as usize * factor).div_ceil(most);
            let mcus = (pixels as usize).div_ceil(8 * most);
            (samples.div_ceil(8), mcus * factor)
        };
        let component = |of: &super::headers::Component| {
            let (columns, stride) = side(width, of.across, across_max);
            let (rows, rows_in_mcus) = side(height, of.down, down_max);
            Coefficients {
                across: of.across,
                down: of.down,
                columns,
                rows,
                stride,
                blocks: vec![[0; 64]; stride * rows_in_mcus],
                quantization: None,
                missing: [ALL_MISSING; 64],
            }
        };
        let components = headers.components.iter().map(component).collect();
        Ok(Self { width, height, colours, across_max, down_max, components })
    }

    /// MCUs of a scan of several components, across and down.
    pub fn mcus(&self) -> (usize, usize) {
        let mcus = |pixels: u32, most: usize| (pixels as usize).div_ceil(8 * most);
        (mcus(self.width, self.across_max), mcus(self.height, self.down_max))
    }

    /// Whether every component has at least its means.
    pub fn has_all_components(&self) -> bool {
        self.components.iter().all(|one| one.missing[0] != ALL_MISSING)
    }

    /// Whether no bit of a coefficient is missing.
    pub fn is_whole(&self) -> bool {
        self.components.iter().all(|one| one.missing == [0; 64])
    }

    /// The picture at `eighths` of its size.
    #[inline(always)]
    pub fn into_picture<L: Blocks>(
        self,
        lanes: L,
        eighths: usize,
        mut plane: impl FnMut(usize) -> Vec<u8>,
    ) -> Read {
        let size = scaled_size(self.width, self.height, eighths as u32);
        if let Some(sampling) = self.sampling() {
            let mut planar = Planar::new(size, sampling, plane);
            for (component, (width, samples)) in self.components.iter().zip(planar.planes_mut()) {
                component.fill(lanes, eighths, width, samples);
            }
            return Read::Planar(planar);
        }
        let planes = self.components.iter().map(|component| {
            let width = component.columns * eighths;
            let mut samples = plane(width * component.rows * eighths);
            component.fill(lanes, eighths, width, &mut samples);
            Plane { samples, width, factors: (component.across, component.down) }
        });
        Read::Separate(Separate {
            width: size.0,
            height: size.1,
            colours: self.colours,
            most: (self.across_max, self.down_max),
            planes: planes.collect(),
        })
    }

    /// How chroma is sampled (grey has none), if this is a picture for [`Planar`].
    fn sampling(&self) -> Option<Option<Sampling>> {
        let most = (self.across_max, self.down_max);
        let factors: Vec<_> = self.components.iter().map(|one| (one.across, one.down)).collect();
        match (self.colours, &factors[..]) {
            (Colours::Grey, _) => Some(None),
            (Colours::Ycc, [luma, blue, red]) if *luma == most && blue == red => {
                let ratio = (most.0 / blue.0, most.1 / blue.1);
                let is_exact = (ratio.0 * blue.0, ratio.1 * blue.1) == most;
                let is_halved = ratio.0 <= 2 && ratio.1 <= 2 && is_exact;
                is_halved.then_some(Some(Sampling {
                    halved_across: ratio.0 == 2,
                    halved_down: ratio.1 == 2,
                }))
            }
            _ => None,
        }
    }
}

impl Coefficients {
    /// A scan brings something for this component: its steps are those of its first scan.
    pub fn begin(&mut self, pass: Pass, steps: [u16; 64]) {
        self.quantization.get_or_insert(steps);
        let (range, missing) = pass.brings();
        self.missing[range].fill(missing);
    }

    /// Fills a plane of rows of `width` samples, the first of all that its blocks have.
    #[inline(always)]
    fn fill<L: Blocks>(&self, lanes: L, eighths: usize, width: usize, samples: &mut [u8]) {
        let steps = self.quantization.unwrap_or([1; 64]);
        let shape = Shape::new(eighths, &steps, L::COUNT);
        let (mut group, mut tall) = (Box::new(Group::EMPTY), Tall::new());
        // Groups are written whole, and some samples behind them.
        let stride = self.columns.next_multiple_of(L::COUNT) * eighths + transform::SIDE_MAX;
        let mut strip = vec![0; stride * eighths];
        let rows = self.blocks.chunks_exact(self.stride.max(1)).take(self.rows);
        for (blocks, samples) in rows.zip(samples.chunks_mut(width * eighths)) {
            for (number, blocks) in blocks[..self.columns].chunks(L::COUNT).enumerate() {
                for (lane, block) in blocks.iter().enumerate() {
                    for (value, at) in
                        block.iter().zip(&shape.lies).filter(|(value, _)| **value != 0)
                    {
                        group.set(usize::from(*at) + lane, i32::from(*value));
                    }
                }
                let strip = &mut strip[number * L::COUNT * eighths..];
                lanes.apart(
                    #[inline(always)]
                    || shape.render(lanes, &mut group, &mut tall, strip, stride),
                );
            }
            for (from, row) in strip.chunks_exact(stride).zip(samples.chunks_exact_mut(width)) {
                row.copy_from_slice(&from[..width]);
            }
        }
    }
}

/// A picture whose components are neither luma with chroma at full or half size nor grey: each in a plane of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separate {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    colours: Colours,
    most: (usize, usize),
    planes: Vec<Plane>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Plane {
    samples: Vec<u8>,
    width: usize,
    /// Samples for as many pixels as `most` says, across and down.
    factors: (usize, usize),
}

/// The meaning of a pixel's bytes in [`Separate::row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Red, green, blue.
    Rgb,
    /// Luma and chroma (BT.601, full range).
    Ycc,
    /// Cyan, magenta, yellow, black as Adobe's programs store them: 255 is none.
    Inks,
    /// The first three of them turned into luma and chroma.
    YccInks,
}

impl Separate {
    /// What the bytes mean.
    pub fn meaning(&self) -> Meaning {
        match self.colours {
            Colours::Grey | Colours::Ycc => Meaning::Ycc,
            Colours::Rgb => Meaning::Rgb,
            Colours::Inks => Meaning::Inks,
            Colours::YccInks => Meaning::YccInks,
        }
    }

    /// Bytes of a pixel.
    pub fn channels(&self) -> usize {
        self.planes.len()
    }

    /// A row's pixels, interleaved: [`Separate::channels`] bytes each. All pixels of a sample get the same.
    pub fn row(&self, y: u32, out: &mut [u8]) {
        let channels = self.channels();
        for (channel, plane) in self.planes.iter().enumerate() {
            let row = y as usize * plane.factors.1 / self.most.1;
            let samples = &plane.samples[row * plane.width..(row + 1) * plane.width];
            let pixels = out.chunks_exact_mut(channels).take(self.width as usize);
            for (x, pixel) in pixels.enumerate() {
                pixel[channel] = samples[x * plane.factors.0 / self.most.0];
            }
        }
    }

    /// The planes, whose memory may be used again.
    pub fn into_planes(self) -> impl Iterator<Item = Vec<u8>> {
        self.planes.into_iter().map(|plane| plane.samples)
    }
}
