//! Pixels to a baseline JPEG: chroma at half size (4:2:0), the tables of the specification's Annex K.
//!
//! A few MCUs at a time: to luma and chroma (`planes`), through the forward DCT (`forward`, `blocks`) and into bits (`symbols`). Quality
//! scales the quantization tables as libjpeg does. The codes are the usual ones (`codes`), or made for the picture
//! in a first pass that only counts: nearly twice the time for a file that is smaller by a few percent.

use super::blocks::{BLOCKS_MAX, Blocks, Quantized};
use super::codes::{Code, USUAL};
use super::forward::Forward;
use super::planes::{Colours, ROWS, Source, Unit, unit_of_samples};
use super::symbols::{Coder, Occurrences, Sink, Symbols};
use super::transform::PLACES;
use super::{Codes, Options};

/// The longest side that the format holds.
pub const SIDE_MAX: u32 = 65_535;

/// Annex K.1, in rows.
const LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// The quantization table at a quality from 1 to 100, as libjpeg scales it.
fn scaled(table: &[u16; 64], quality: u8) -> [u16; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5_000 / quality } else { 200 - 2 * quality };
    table.map(|step| ((u32::from(step) * percent + 50) / 100).clamp(1, 255) as u16)
}

/// Everything before the entropy-coded data.
fn headers(
    out: &mut Vec<u8>,
    (width, height): (u32, u32),
    tables: &[[u16; 64]; 2],
    codes: &[Code; 4],
) {
    out.extend_from_slice(&[0xFF, 0xD8]);
    // JFIF 1.1, no unit, pixels as wide as high, no thumbnail.
    segment(out, 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    for (number, table) in tables.iter().enumerate() {
        let mut body = vec![number as u8];
        body.extend(PLACES.iter().map(|place| table[usize::from(*place)] as u8));
        segment(out, 0xDB, &body);
    }
    let [w, h] = [width, height].map(|side| (side as u16).to_be_bytes());
    // 8 bits; three components, luma with 2 x 2 blocks in an MCU.
    let frame = [8, h[0], h[1], w[0], w[1], 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(out, 0xC0, &frame);
    for (number, code) in [0x00, 0x10, 0x01, 0x11].into_iter().zip(codes) {
        let mut body = vec![number];
        body.extend_from_slice(&code.counts);
        body.extend_from_slice(&code.symbols);
        segment(out, 0xC4, &body);
    }
    segment(out, 0xDA, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    let length = (body.len() as u16 + 2).to_be_bytes();
    out.extend_from_slice(&[0xFF, marker, length[0], length[1]]);
    out.extend_from_slice(body);
}

/// Encodes a picture; `width` and `height` at most [`SIDE_MAX`] and not zero, which the caller has checked.
#[inline(always)]
pub(super) fn run<L: Blocks>(
    lanes: L,
    source: &Source<'_>,
    (width, height): (u32, u32),
    options: Options,
    out: &mut Vec<u8>,
) {
    let tables = [scaled(&LUMA, options.quality), scaled(&CHROMA, options.quality)];
    let picture = Picture {
        source,
        width: width as usize,
        height: height as usize,
        colours: Colours::new(lanes),
        luma: Forward::new(lanes, &tables[0]),
        chroma: Forward::new(lanes, &tables[1]),
    };
    let codes = match options.codes {
        Codes::Usual => USUAL.clone(),
        Codes::Optimal => {
            let mut occurrences = Occurrences(Box::new([[0; 256]; 4]));
            picture.symbols(lanes, &mut occurrences, &mut Vec::new());
            std::array::from_fn(|code| Code::optimal(&occurrences.0[code]))
        }
    };
    headers(out, (width, height), &tables, &codes);
    let words = [codes[0].words(), codes[1].words(), codes[2].words(), codes[3].words()];
    let mut sink = Sink::new(words);
    picture.symbols(lanes, &mut sink, out);
    sink.finish(out);
    out.extend_from_slice(&[0xFF, 0xD9]);
}

/// What is encoded, and how its frequencies are made.
struct Picture<'a, V> {
    source: &'a Source<'a>,
    width: usize,
    height: usize,
    colours: Colours<V>,
    luma: Forward<V>,
    chroma: Forward<V>,
}

/// The blocks of a unit: upper and lower rows of luma, chroma.
struct UnitBlocks {
    luma: [[Quantized; 2 * BLOCKS_MAX]; 2],
    blue: [Quantized; BLOCKS_MAX],
    red: [Quantized; BLOCKS_MAX],
}

impl<V: Copy> Picture<'_, V> {
    /// All blocks, in the order of the file.
    #[inline(always)]
    fn symbols<L: Blocks<Vector = V>>(
        &self,
        lanes: L,
        symbols: &mut impl Symbols,
        out: &mut Vec<u8>,
    ) {
        let mut luma = Coder { dc: 0, ac: 1, last: 0 };
        let (mut blue, mut red) =
            (Coder { dc: 2, ac: 3, last: 0 }, Coder { dc: 2, ac: 3, last: 0 });
        let mut blocks = UnitBlocks {
            luma: [[Quantized::EMPTY; 2 * BLOCKS_MAX]; 2],
            blue: [Quantized::EMPTY; BLOCKS_MAX],
            red: [Quantized::EMPTY; BLOCKS_MAX],
        };
        let mut unit = Unit::empty(lanes);
        for top in (0..self.height).step_by(ROWS) {
            for left in (0..self.width).step_by(2 * L::COUNT) {
                match self.source {
                    Source::Rgb(rgb) => self.colours.unit(lanes, rgb, (left, top), &mut unit),
                    Source::Planar(planar) => {
                        unit_of_samples(lanes, planar, (left, top), &mut unit);
                    }
                }
                self.blocks(lanes, &unit, &mut blocks);
                let mcus = (self.width - left).div_ceil(16).min(L::COUNT / 8);
                for mcu in 0..mcus {
                    for row in &blocks.luma {
                        luma.block(&row[2 * mcu], symbols);
                        luma.block(&row[2 * mcu + 1], symbols);
                    }
                    blue.block(&blocks.blue[mcu], symbols);
                    red.block(&blocks.red[mcu], symbols);
                }
                symbols.flush(out);
            }
        }
    }

    #[inline(always)]
    fn blocks<L: Blocks<Vector = V>>(&self, lanes: L, unit: &Unit<V>, blocks: &mut UnitBlocks) {
        let abreast = L::COUNT / 8;
        for (upper, row) in blocks.luma.iter_mut().enumerate() {
            for half in 0..2 {
                let mut rows = unit.blue;
                for (row, luma) in rows.iter_mut().zip(&unit.luma[8 * upper..]) {
                    *row = luma[half];
                }
                self.luma.blocks(lanes, rows, &mut row[half * abreast..]);
            }
        }
        self.chroma.blocks(lanes, unit.blue, &mut blocks.blue);
        self.chroma.blocks(lanes, unit.red, &mut blocks.red);
    }
}
