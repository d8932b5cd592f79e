//! JPEG both ways. Writing (`writer`, `planes`, `forward`, `symbols`) is baseline with chroma at half size. Reading goes straight to the size or a fraction of
//! it: each 8x8 block becomes NxN pixels, for N from 1 to 8, in the DCT domain.
//!
//! A rendition needs a fraction of the pixels of a phone's photo, so most of a full decode is thrown away by the resize. Here the
//! bits are read (`entropy`), only the low frequencies of each block are turned into pixels (`transform`), chroma comes out at the
//! size of luma without an upsampling step, and rows of planes become RGB (`colour`). `frame` reads the headers and says what is
//! for this decoder: baseline or extended Huffman, 8 bits, one scan, grey or YCbCr with chroma at full or half size, which is what
//! cameras and phones write. All else (progressive, CMYK, odd sampling) is [`None`], and `decode` takes zune-jpeg and the full size.
//!
//! The N-point inverse DCT of the first N coefficients keeps the frequencies that NxN pixels can show and drops the others, as
//! libjpeg 7 and later do. `docs/decisions/jpeg-crates.md` has the figures.

mod blocks;
mod codes;
mod colour;
mod entropy;
mod forward;
mod frame;
mod planes;
mod symbols;
mod transform;
mod writer;

use fearless_simd::Level;

use self::blocks::Blocks;
use self::entropy::{Bits, Tables};
use self::frame::Component;
pub use self::frame::Frame;
use self::transform::{Group, Shape, Tall};
use super::lanes::with_lanes;

/// Why the entropy-coded data cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// The size of the picture at `eighths` of its own: rounded up, as all of libjpeg's kin do.
pub fn scaled_size(width: u32, height: u32, eighths: u32) -> (u32, u32) {
    let scaled = |side: u32| (u64::from(side) * u64::from(eighths)).div_ceil(8) as u32;
    (scaled(width), scaled(height))
}

/// Decodes to `eighths` (1 to 8) of the size, with the instructions of `level`. `pixels` takes RGB rows without gaps, of
/// [`scaled_size`].
///
/// # Errors
/// The data end early, or hold codes that are none.
pub fn decode(
    frame: &Frame<'_>,
    eighths: u32,
    level: Level,
    pixels: &mut [u8],
) -> Result<(), Damage> {
    let (width, height) = scaled_size(frame.width, frame.height, eighths);
    assert!((1..=8).contains(&eighths), "eighths of the size, at most all of it");
    assert_eq!(pixels.len(), width as usize * height as usize * 3, "the picture's own size");
    let mut done = Ok(());
    with_lanes!(level, lanes => done = run(lanes, frame, eighths as usize, width as usize, pixels));
    done
}

/// Encodes RGB rows without gaps as a baseline JPEG with chroma at half size, with the instructions of `level`; the bytes are appended
/// to `out`.
///
/// # Errors
/// A side is zero or longer than the format holds (65,535 pixels).
pub fn encode(
    pixels: &[u8],
    (width, height): (u32, u32),
    options: Options,
    level: Level,
    out: &mut Vec<u8>,
) -> Result<(), WrongSide> {
    for side in [width, height] {
        if side == 0 || side > writer::SIDE_MAX {
            return Err(WrongSide(side));
        }
    }
    assert_eq!(pixels.len(), width as usize * height as usize * 3, "the picture's own size");
    with_lanes!(level, lanes => writer::run(lanes, pixels, (width, height), options, out));
    Ok(())
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
}

#[inline(always)]
fn run<L: Blocks>(
    lanes: L,
    frame: &Frame<'_>,
    eighths: usize,
    width: usize,
    pixels: &mut [u8],
) -> Result<(), Damage> {
    let scan = entropy::Scan::new(frame)?;
    let tables = Tables::new(frame);
    let mcus = frame.mcus_across();
    let mut planes: Vec<Plane<'_>> = Vec::with_capacity(3);
    for component in &frame.components {
        let side = |most: usize, own: usize| eighths * most / own;
        let (across, down) =
            (side(frame.across_max, component.across), side(frame.down_max, component.down));
        // Groups are written whole, in whole vectors: what runs over the end of a row must not meet the next one's beginning.
        let stride = mcus.next_multiple_of(L::COUNT) * component.across * across + colour::SLACK;
        planes.push(Plane {
            component,
            shape: Shape::new(across, down, &component.quantization, L::COUNT),
            predicted: 0,
            groups: vec![Group::EMPTY; component.across * component.down],
            stride,
            samples: vec![0; stride * component.down * down],
        });
    }
    let mcu_rows = eighths * frame.down_max;
    let mut bits = Bits::default();
    let mut segments = scan.segments();
    let mut until_restart = 0;
    let mut tall = Tall::new();
    for rows in pixels.chunks_mut(width * 3 * mcu_rows) {
        for first in (0..mcus).step_by(L::COUNT) {
            for mcu in 0..L::COUNT.min(mcus - first) {
                if until_restart == 0 {
                    bits.check()?;
                    bits = segments.next().ok_or(Damage("its data end early"))?;
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
        colour::rows_to_rgb(lanes, &planes, width, rows);
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
            let samples = &mut samples[down * shape.down * *stride + blocks * shape.across..];
            lanes.apart(
                #[inline(always)]
                || shape.render(lanes, group, tall, samples, *stride),
            );
        }
    }
}
