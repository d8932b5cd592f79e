//! Pixels to a baseline JPEG: chroma at half size (4:2:0), the tables of the specification's Annex K.
//!
//! Row of MCUs by row of MCUs: planes (`planes_of`), blocks through the forward DCT (`forward`) and into bits (`Sink`). Quality scales the
//! quantization tables as libjpeg does. The codes are the usual ones, written down in the specification; codes made for the picture
//! would save 5 to 8 % for a second pass over the coefficients.

use super::forward::{Forward, Quantized};
use super::transform::PLACES;

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

/// Annex K.3: how many codes of each length, and their symbols.
struct Code {
    counts: [u8; 16],
    symbols: &'static [u8],
}

const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// DC luma, AC luma, DC chroma, AC chroma.
static CODES: [Code; 4] = [
    Code { counts: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], symbols: &DC_SYMBOLS },
    Code {
        counts: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
        symbols: &[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
            0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1,
            0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18,
            0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
            0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57,
            0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
            0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
            0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
            0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
            0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    },
    Code { counts: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], symbols: &DC_SYMBOLS },
    Code {
        counts: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        symbols: &[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
            0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09,
            0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
            0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38,
            0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56,
            0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
            0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
            0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
            0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
            0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
            0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    },
];

/// The bits and the length of each symbol's code; length 0 for what has none.
type Words = [(u16, u8); 256];

impl Code {
    fn words(&self) -> Words {
        let mut words = [(0, 0); 256];
        let (mut code, mut at) = (0_u16, 0);
        for (length, count) in (1_u8..).zip(self.counts) {
            for _ in 0..count {
                words[usize::from(self.symbols[at])] = (code, length);
                code = code.wrapping_add(1);
                at += 1;
            }
            code <<= 1;
        }
        words
    }
}

/// The quantization table at a quality from 1 to 100, as libjpeg scales it.
fn scaled(table: &[u16; 64], quality: u8) -> [u16; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5_000 / quality } else { 200 - 2 * quality };
    table.map(|step| ((u32::from(step) * percent + 50) / 100).clamp(1, 255) as u16)
}

/// Everything before the entropy-coded data.
fn headers(out: &mut Vec<u8>, (width, height): (u32, u32), tables: &[[u16; 64]; 2]) {
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
    for (number, code) in [0x00, 0x10, 0x01, 0x11].into_iter().zip(&CODES) {
        let mut body = vec![number];
        body.extend_from_slice(&code.counts);
        body.extend_from_slice(code.symbols);
        segment(out, 0xC4, &body);
    }
    segment(out, 0xDA, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    let length = (body.len() as u16 + 2).to_be_bytes();
    out.extend_from_slice(&[0xFF, marker, length[0], length[1]]);
    out.extend_from_slice(body);
}

/// Takes bits and makes bytes, stuffing a zero behind each FF.
struct Sink<'a> {
    out: &'a mut Vec<u8>,
    /// The bits not yet written, at the right end.
    buffer: u64,
    count: u32,
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

/// The codes of one kind of component, and the DC value that was last.
#[derive(Clone)]
struct Coder {
    dc: Words,
    ac: Words,
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
    fn block(&mut self, block: &Quantized, sink: &mut Sink<'_>) {
        let dc = i32::from(block.values[0]);
        let (bits, written) = number(dc - self.last);
        self.last = dc;
        let (code, length) = self.dc[bits as usize & 255];
        sink.put(u32::from(code) << bits | written, u32::from(length) + bits);
        let mut before = 0;
        let mut nonzero = block.nonzero & !1;
        while nonzero != 0 {
            let at = nonzero.trailing_zeros();
            nonzero &= nonzero - 1;
            let mut zeros = at - before - 1;
            before = at;
            while zeros > 15 {
                let (code, length) = self.ac[0xF0];
                sink.put(u32::from(code), u32::from(length));
                zeros -= 16;
            }
            let (bits, written) = number(i32::from(block.values[at as usize & 63]));
            let (code, length) = self.ac[(zeros << 4 | bits) as usize & 255];
            sink.put(u32::from(code) << bits | written, u32::from(length) + bits);
        }
        if before < 63 {
            let (code, length) = self.ac[0];
            sink.put(u32::from(code), u32::from(length));
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
pub(super) fn run(pixels: &[u8], (width, height): (u32, u32), quality: u8, out: &mut Vec<u8>) {
    let tables = [scaled(&LUMA, quality), scaled(&CHROMA, quality)];
    headers(out, (width, height), &tables);
    let forward = tables.map(|table| Forward::new(&table));
    let [dc_luma, ac_luma, dc_chroma, ac_chroma] = &CODES;
    let coder = |dc: &Code, ac: &Code| Coder { dc: dc.words(), ac: ac.words(), last: 0 };
    let mut luma = coder(dc_luma, ac_luma);
    let mut blue = coder(dc_chroma, ac_chroma);
    let mut red = blue.clone();
    let (width, height) = (width as usize, height as usize);
    let stride = width.div_ceil(16) * 16;
    let mut planes = Planes {
        stride,
        luma: vec![0; stride * 16],
        blue: vec![0; stride / 2 * 8],
        red: vec![0; stride / 2 * 8],
    };
    let mut sink = Sink { out, buffer: 0, count: 0 };
    for top in (0..height).step_by(16) {
        planes.take(pixels, width, height, top);
        for mcu in 0..stride / 16 {
            for (x, y) in [(0, 0), (8, 0), (0, 8), (8, 8)] {
                let at = y * stride + mcu * 16 + x;
                luma.block(&forward[0].block(&planes.luma[at..], stride), &mut sink);
            }
            let at = mcu * 8;
            blue.block(&forward[1].block(&planes.blue[at..], stride / 2), &mut sink);
            red.block(&forward[1].block(&planes.red[at..], stride / 2), &mut sink);
        }
    }
    sink.finish();
    out.extend_from_slice(&[0xFF, 0xD9]);
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
