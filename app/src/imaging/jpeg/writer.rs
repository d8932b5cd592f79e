//! Pixels to a baseline JPEG: chroma at half size (4:2:0), the tables of the specification's Annex K.
//!
//! Row of MCUs by row of MCUs: planes (`planes_of`), blocks through the forward DCT (`forward`) and into bits (`Sink`). Quality scales the
//! quantization tables as libjpeg does. The codes are the usual ones (`codes`), or made for the picture
//! in a first pass that only counts: nearly twice the time for a file that is smaller by a few percent.

use super::codes::{Code, USUAL, Words};
use super::forward::{Forward, Quantized};
use super::transform::PLACES;
use super::zigzag::Zigzag;
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

/// What takes the symbols of a block: [`Sink`] writes them, [`Occurrences`] counts them.
trait Symbols {
    /// A symbol of one of the four codes, and so many bits after it.
    fn symbol(&mut self, code: usize, symbol: u32, bits: u32, count: u32);
}

/// How often each symbol of each code occurs.
struct Occurrences(Box<[[u32; 256]; 4]>);

impl Symbols for Occurrences {
    #[inline(always)]
    fn symbol(&mut self, code: usize, symbol: u32, _bits: u32, _count: u32) {
        self.0[code][symbol as usize & 255] += 1;
    }
}

/// Takes bits and makes bytes, stuffing a zero behind each FF.
struct Sink<'a> {
    words: [Words; 4],
    out: &'a mut Vec<u8>,
    /// The bits not yet written, at the right end.
    buffer: u64,
    count: u32,
}

impl Symbols for Sink<'_> {
    #[inline(always)]
    fn symbol(&mut self, code: usize, symbol: u32, bits: u32, count: u32) {
        let (word, length) = self.words[code][symbol as usize & 255];
        self.put((u32::from(word) << count) | bits, u32::from(length) + count);
    }
}

impl Sink<'_> {
    /// At most 32 bits, in the low end of `bits`, with nothing above them.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        self.buffer = self.buffer << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            let word = (self.buffer >> self.count) as u32;
            // A byte is FF when its complement is zero; the usual test for a zero byte in a word.
            if has_zero(!word) == 0 {
                self.out.extend_from_slice(&word.to_be_bytes());
            } else {
                for byte in word.to_be_bytes() {
                    self.byte(byte);
                }
            }
        }
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
        if byte == 0xFF {
            self.out.push(0);
        }
    }

    /// The last bits, filled up with ones.
    fn finish(&mut self) {
        let missing = (8 - self.count % 8) % 8;
        let filled = self.buffer << missing | ((1 << missing) - 1);
        for at in (0..(self.count + missing) / 8).rev() {
            self.byte((filled >> (8 * at)) as u8);
        }
        self.count = 0;
    }
}

/// Not zero when one of the four bytes is zero.
#[inline(always)]
fn has_zero(word: u32) -> u32 {
    word.wrapping_sub(0x0101_0101) & !word & 0x8080_8080
}

/// A component while it is written: which of the four codes are its own, and the DC value that was last.
struct Coder {
    dc: usize,
    ac: usize,
    last: i32,
}

/// How many bits the number has, and its bits as the format writes them: negative ones less one.
#[inline(always)]
fn number(value: i32) -> (u32, u32) {
    let bits = 32 - value.unsigned_abs().leading_zeros();
    let written = if value < 0 { value - 1 } else { value };
    (bits, written as u32 & ((1_u32 << bits) - 1))
}

impl Coder {
    #[inline(always)]
    fn block(&mut self, block: &Quantized, symbols: &mut impl Symbols) {
        let dc = i32::from(block.values[0]);
        let (bits, written) = number(dc - self.last);
        self.last = dc;
        symbols.symbol(self.dc, bits, written, bits);
        let mut before = 0;
        let mut nonzero = block.nonzero & !1;
        while nonzero != 0 {
            let at = nonzero.trailing_zeros();
            nonzero &= nonzero - 1;
            let mut zeros = at - before - 1;
            before = at;
            while zeros > 15 {
                symbols.symbol(self.ac, 0xF0, 0, 0);
                zeros -= 16;
            }
            let (bits, written) = number(i32::from(block.values[at as usize & 63]));
            symbols.symbol(self.ac, (zeros << 4) | bits, written, bits);
        }
        if before < 63 {
            symbols.symbol(self.ac, 0, 0, 0);
        }
    }
}

/// Sixteen rows of the picture as planes: luma whole, chroma at half size; sides filled up to whole MCUs.
struct Planes {
    stride: usize,
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

/// Encodes rows of RGB without gaps; `width` and `height` at most [`SIDE_MAX`] and not zero, which the caller has checked.
#[inline(always)]
pub(super) fn run<L: Zigzag>(
    lanes: L,
    pixels: &[u8],
    (width, height): (u32, u32),
    options: Options,
    out: &mut Vec<u8>,
) {
    let tables = [scaled(&LUMA, options.quality), scaled(&CHROMA, options.quality)];
    let picture = Picture {
        pixels,
        width: width as usize,
        height: height as usize,
        forward: tables.map(|table| Forward::new(&table)),
    };
    let codes = match options.codes {
        Codes::Usual => USUAL.clone(),
        Codes::Optimal => {
            let mut occurrences = Occurrences(Box::new([[0; 256]; 4]));
            picture.symbols(lanes, &mut occurrences);
            std::array::from_fn(|code| Code::optimal(&occurrences.0[code]))
        }
    };
    headers(out, (width, height), &tables, &codes);
    let words = [codes[0].words(), codes[1].words(), codes[2].words(), codes[3].words()];
    let mut sink = Sink { words, out, buffer: 0, count: 0 };
    picture.symbols(lanes, &mut sink);
    sink.finish();
    out.extend_from_slice(&[0xFF, 0xD9]);
}

/// What is encoded, and how its frequencies are made.
struct Picture<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
    forward: [Forward; 2],
}

impl Picture<'_> {
    /// All blocks, in the order of the file.
    #[inline(always)]
    fn symbols<L: Zigzag>(&self, lanes: L, symbols: &mut impl Symbols) {
        let [luma_forward, chroma_forward] = &self.forward;
        let mut luma = Coder { dc: 0, ac: 1, last: 0 };
        let (mut blue, mut red) =
            (Coder { dc: 2, ac: 3, last: 0 }, Coder { dc: 2, ac: 3, last: 0 });
        let stride = self.width.div_ceil(16) * 16;
        let mut planes = Planes {
            stride,
            luma: vec![0; stride * 16],
            blue: vec![0; stride / 2 * 8],
            red: vec![0; stride / 2 * 8],
        };
        for top in (0..self.height).step_by(16) {
            planes.take(self.pixels, self.width, self.height, top);
            for mcu in 0..stride / 16 {
                for (x, y) in [(0, 0), (8, 0), (0, 8), (8, 8)] {
                    let at = y * stride + mcu * 16 + x;
                    luma.block(&luma_forward.block(lanes, &planes.luma[at..], stride), symbols);
                }
                let (at, half) = (mcu * 8, stride / 2);
                blue.block(&chroma_forward.block(lanes, &planes.blue[at..], half), symbols);
                red.block(&chroma_forward.block(lanes, &planes.red[at..], half), symbols);
            }
        }
    }
}

impl Planes {
    /// Takes the sixteen rows from `top` on; beyond the picture its last row and column are repeated.
    #[inline(always)]
    fn take(&mut self, pixels: &[u8], width: usize, height: usize, top: usize) {
        let row = |y: usize| &pixels[(top + y).min(height - 1) * width * 3..][..width * 3];
        for pair in 0..8 {
            let upper = row(2 * pair);
            let lower = row(2 * pair + 1);
            let (first, second) =
                self.luma[2 * pair * self.stride..][..2 * self.stride].split_at_mut(self.stride);
            luma_of(upper, first);
            luma_of(lower, second);
            let half = self.stride / 2;
            let (blue, red) =
                (&mut self.blue[pair * half..][..half], &mut self.red[pair * half..][..half]);
            chroma_of(upper, lower, blue, red);
        }
    }
}

/// Y of JFIF (BT.601, full range), times 2^16.
#[inline(always)]
fn luma_of(row: &[u8], out: &mut [u8]) {
    let pixels = row.as_chunks::<3>().0;
    for (pixel, out) in pixels.iter().zip(out.iter_mut()) {
        let [r, g, b] = pixel.map(u32::from);
        *out = ((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16) as u8;
    }
    if let Some(last) = out.get(pixels.len().wrapping_sub(1)).copied() {
        out[pixels.len()..].fill(last);
    }
}

/// Cb and Cr of the mean of four pixels. An odd last column stands for its missing neighbour.
#[inline(always)]
fn chroma_of(upper: &[u8], lower: &[u8], blue: &mut [u8], red: &mut [u8]) {
    let (up, up_rest) = upper.as_chunks::<6>();
    let (low, low_rest) = lower.as_chunks::<6>();
    let converted = |[r, g, b]: [i32; 3]| {
        // Sums of four, hence two bits more; 128 and a half for rounding.
        let half = (128 << 18) + (1 << 17);
        let cb = -11_059 * r - 21_709 * g + 32_768 * b + half;
        let cr = 32_768 * r - 27_439 * g - 5_329 * b + half;
        ((cb >> 18).clamp(0, 255) as u8, (cr >> 18).clamp(0, 255) as u8)
    };
    for (((up, low), blue), red) in up.iter().zip(low).zip(blue.iter_mut()).zip(red.iter_mut()) {
        let sum = |channel: usize| {
            i32::from(up[channel])
                + i32::from(up[channel + 3])
                + i32::from(low[channel])
                + i32::from(low[channel + 3])
        };
        (*blue, *red) = converted([sum(0), sum(1), sum(2)]);
    }
    let mut filled = up.len();
    if let ([a, b, c], [d, e, f]) = (up_rest, low_rest) {
        let twice = |one: &u8, other: &u8| 2 * (i32::from(*one) + i32::from(*other));
        (blue[filled], red[filled]) = converted([twice(a, d), twice(b, e), twice(c, f)]);
        filled += 1;
    }
    let (last_blue, last_red) = (blue[filled - 1], red[filled - 1]);
    blue[filled..].fill(last_blue);
    red[filled..].fill(last_red);
}
