//! JPEG both ways, in `blocks` of 8x8 and with the same `codes`. Writing (`writer`, `planes`, `forward`, `symbols`) is baseline with
//! chroma at half size. Reading goes straight to the size or a fraction of it: each 8x8 block becomes NxN pixels, for N from 1 to 8, in
//! the DCT domain.
//!
//! A rendition needs a fraction of the pixels of a phone's photo, so most of a full decode is thrown away by the resize. Here the
//! bits are read (`entropy`) and only the low frequencies of each block are turned into pixels (`transform`), of luma and chroma in planes
//! of their own. Chroma stays as small as it is in the file; `colour` makes RGB of both where a filter asks for it. `frame` reads the
//! headers (`headers`) and says what is for this streaming decoder: baseline or extended Huffman, 8 bits, one scan, grey or YCbCr with chroma at full or half size, which is what
//! cameras and phones write. All else (progressive, printing inks, rare sampling, several scans) is [`None`] and for [`decode_scans`]: `scans` reads every scan by its
//! `passes` into `coefficients`, which become pixels by the same transforms. Both stop where the last pixel has been read, and tell what is cut short from what is wrong.
//!
//! The N-point inverse DCT of the first N coefficients keeps the frequencies that NxN pixels can show and drops the others, as
//! libjpeg 7 and later do. `docs/decisions/jpeg-crates.md` has the figures.

mod blocks;
mod codes;
mod coefficients;
mod colour;
mod entropy;
mod forward;
mod frame;
mod headers;
mod passes;
mod planes;
mod scans;
mod symbols;
mod transform;
mod writer;

use fearless_simd::Level;

use self::blocks::Blocks;
pub use self::coefficients::{Meaning, Separate};
use self::entropy::{Bits, Tables};
use self::frame::Component;
pub use self::frame::Frame;
use self::planes::{Rgb, Source};
use self::transform::{Group, Shape, Tall};
use super::lanes::with_lanes;
use super::planar::Planar;

/// Why a picture cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The file ends, or its data do, before the picture does.
    Ended,
    /// What is wrong with it, in words for whoever sent it.
    Wrong(&'static str),
}

impl Damage {
    /// Codes that are none, blocks that are too long.
    const UNREADABLE: Self = Self::Wrong("some of its pixels cannot be read");
}

/// A picture of several scans, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Luma, with chroma at full or half size or without.
    Planar(Planar),
    /// All else.
    Separate(Separate),
}

/// The size of the picture at `eighths` of its own: rounded up, as all of libjpeg's kin do.
pub fn scaled_size(width: u32, height: u32, eighths: u32) -> (u32, u32) {
    let scaled = |side: u32| (u64::from(side) * u64::from(eighths)).div_ceil(8) as u32;
    (scaled(width), scaled(height))
}

/// Decodes to `eighths` (1 to 8) of the size, with the instructions of `level`; `plane` makes planes of so many bytes. Chroma
/// keeps the sampling that the file has.
///
/// # Errors
/// The data end early, or hold codes that are none.
pub fn decode(
    frame: &Frame<'_>,
    eighths: u32,
    level: Level,
    plane: impl FnMut(usize) -> Vec<u8>,
) -> Result<Planar, Damage> {
    assert!((1..=8).contains(&eighths), "eighths of the size, at most all of it");
    let size = scaled_size(frame.width, frame.height, eighths);
    // Every sample is written, or the picture is dropped: nothing of what the memory held before can show.
    let mut planar = Planar::new(size, frame.sampling(), plane);
    let mut done = Ok(());
    with_lanes!(level, lanes => done = run(lanes, frame, eighths as usize, &mut planar));
    done.map(|()| planar)
}

/// Decodes a file that [`Frame::read`] has none of to `eighths` (1 to 8) of its size, with the instructions of `level`; `plane` makes planes of so many
/// bytes. Besides these it takes two bytes for each sample of the full size.
///
/// # Errors
/// The file is damaged or ends early, or is of a kind that [`probe`](super::probe()) refuses.
pub fn decode_scans(
    bytes: &[u8],
    eighths: u32,
    level: Level,
    plane: impl FnMut(usize) -> Vec<u8>,
) -> Result<Read, Damage> {
    assert!((1..=8).contains(&eighths), "eighths of the size, at most all of it");
    let gathered = scans::gather(bytes)?;
    let mut work = Some((gathered, plane));
    let mut read = None;
    with_lanes!(level, lanes => {
        if let Some((gathered, plane)) = work.take() {
            read = Some(gathered.into_picture(lanes, eighths as usize, plane));
        }
    });
    Ok(read.expect("one of the instruction sets has done the work"))
}

/// Fills RGB rows without gaps, with the instructions of `level`; all pixels of a sample of chroma get its value.
pub fn to_rgb(planar: &Planar, level: Level, pixels: &mut [u8]) {
    let (width, height) = planar.dimensions();
    assert_eq!(pixels.len(), width as usize * height as usize * 3, "the picture's own size");
    if !pixels.is_empty() {
        with_lanes!(level, lanes => colour::to_rgb(lanes, planar, pixels));
    }
}

/// Encodes RGB rows without gaps as a baseline JPEG with chroma at half size, with the instructions of `level`; the bytes are appended
/// to `out`.
///
/// # Errors
/// A side is zero or longer than the format holds (65,535 pixels).
pub fn encode(
    pixels: &[u8],
    size: (u32, u32),
    options: Options,
    level: Level,
    out: &mut Vec<u8>,
) -> Result<(), WrongSide> {
    check_sides(size)?;
    let (width, height) = (size.0 as usize, size.1 as usize);
    assert_eq!(pixels.len(), width * height * 3, "the picture's own size");
    let source = Source::Rgb(Rgb { pixels, width, height });
    with_lanes!(level, lanes => writer::run(lanes, &source, size, options, out));
    Ok(())
}

/// [`encode`] of luma and chroma as they are, where chroma has half size already, or of a grey picture.
///
/// # Errors
/// As for [`encode`].
pub fn encode_planar(
    planar: &Planar,
    options: Options,
    level: Level,
    out: &mut Vec<u8>,
) -> Result<(), WrongSide> {
    check_sides(planar.dimensions())?;
    assert!(planar.is_halved(), "chroma at half size");
    let source = Source::Planar(planar);
    with_lanes!(level, lanes => writer::run(lanes, &source, planar.dimensions(), options, out));
    Ok(())
}

fn check_sides((width, height): (u32, u32)) -> Result<(), WrongSide> {
    let is_wrong = |side: &u32| *side == 0 || *side > writer::SIDE_MAX;
    [width, height].into_iter().find(is_wrong).map_or(Ok(()), |side| Err(WrongSide(side)))
}

/// How a JPEG is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// 1 to 100, on libjpeg's scale.
    pub quality: u8,
    /// Which codes.
    pub codes: Codes,
}

/// The Huffman codes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Those that the specification prints: one pass.
    Usual,
    /// The shortest for this picture: two passes, and 2 to 8 % smaller files.
    Optimal,
}

/// A picture with such a side cannot be a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a side of {0} pixels; 1 to 65,535 are possible")]
pub struct WrongSide(pub u32);

/// One component while it is decoded: its tables, and the pixels of one row of MCUs.
struct Plane<'a> {
    component: &'a Component,
    shape: Shape,
    /// The last DC value.
    predicted: i32,
    /// The blocks of as many MCUs as a vector has lanes: row by row, groups from left to right.
    groups: Vec<Group>,
    stride: usize,
    samples: Vec<u8>,
    /// The rows of the picture that are still to be filled.
    rows: std::slice::ChunksExactMut<'a, u8>,
}

#[inline(always)]
fn run<L: Blocks>(
    lanes: L,
    frame: &Frame<'_>,
    eighths: usize,
    planar: &mut Planar,
) -> Result<(), Damage> {
    let mcus_in_all = frame.mcus_across() * frame.mcus_down();
    let scan = entropy::Scan::new(frame.data, mcus_in_all.div_ceil(frame.restart_interval))?;
    let tables = Tables::new(&frame.dc_codes, &frame.ac_codes);
    let mcus = frame.mcus_across();
    let mut planes: Vec<Plane<'_>> = Vec::with_capacity(3);
    for (component, (width, samples)) in frame.components.iter().zip(planar.planes_mut()) {
        // Groups are written whole, in whole vectors: what runs over the end of a row must not meet the next one's beginning.
        let blocks = mcus.next_multiple_of(L::COUNT) * component.across;
        let stride = blocks * eighths + transform::SIDE_MAX;
        planes.push(Plane {
            component,
            shape: Shape::new(eighths, &component.quantization, L::COUNT),
            predicted: 0,
            groups: vec![Group::EMPTY; component.across * component.down],
            stride,
            samples: vec![0; stride * component.down * eighths],
            rows: samples.chunks_exact_mut(width),
        });
    }
    let mut bits = Bits::default();
    let mut segments = scan.segments();
    let mut until_restart = 0;
    let mut tall = Tall::new();
    for _ in 0..frame.mcus_down() {
        for first in (0..mcus).step_by(L::COUNT) {
            for mcu in 0..L::COUNT.min(mcus - first) {
                if until_restart == 0 {
                    bits.check()?;
                    bits = segments.next().ok_or(Damage::Ended)?;
                    until_restart = frame.restart_interval;
                    for plane in &mut planes {
                        plane.predicted = 0;
                    }
                }
                until_restart -= 1;
                for plane in &mut planes {
                    plane.read::<L>(&tables, &mut bits, mcu)?;
                }
            }
            for plane in &mut planes {
                plane.render(lanes, first, &mut tall);
            }
        }
        bits.check()?;
        for plane in &mut planes {
            plane.put();
        }
    }
    bits.check()
}

impl Plane<'_> {
    /// The blocks of one MCU, one of those whose blocks are together in [`Plane::groups`].
    #[inline(always)]
    fn read<L: Blocks>(
        &mut self,
        tables: &Tables,
        bits: &mut Bits<'_>,
        mcu: usize,
    ) -> Result<(), Damage> {
        let component = self.component;
        let (dc, ac) = (&tables.dc[component.dc_table], &tables.ac[component.ac_table]);
        for down in 0..component.down {
            for across in 0..component.across {
                let column = mcu * component.across + across;
                let group = &mut self.groups[down * component.across + column / L::COUNT];
                let lane = column % L::COUNT;
                bits.block(dc, ac, &mut self.predicted, group, (&self.shape.lies, lane))?;
            }
        }
        Ok(())
    }

    /// The groups' pixels, from the MCU `first` on; afterwards they are empty.
    #[inline(always)]
    fn render<L: Blocks>(&mut self, lanes: L, first: usize, tall: &mut Tall) {
        let Self { component, shape, groups, stride, samples, .. } = self;
        for (number, group) in groups.iter_mut().enumerate() {
            let (down, right) = (number / component.across, number % component.across);
            let blocks = first * component.across + right * L::COUNT;
            let samples = &mut samples[down * shape.side * *stride + blocks * shape.side..];
            lanes.apart(
                #[inline(always)]
                || shape.render(lanes, group, tall, samples, *stride),
            );
        }
    }
    /// The rows that are complete, as wide as the picture is, and as many as it has.
    fn put(&mut self) {
        for (samples, row) in self.samples.chunks_exact(self.stride).zip(&mut self.rows) {
            row.copy_from_slice(&samples[..row.len()]);
        }
    }
}
