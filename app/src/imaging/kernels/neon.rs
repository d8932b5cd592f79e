//! Pixels taken apart and put together by NEON, whose loads and stores do that by themselves; `lanes` has the arithmetic.

use std::arch::aarch64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Neon, u8x16};

use super::super::lanes::operation;
use super::lanes::{Pixels, Unit};

/// Pixels of half a unit.
const HALF: usize = 16;

/// Loads and stores that take channels apart and put them together.
macro_rules! apart {
    ($load:ident = $load_intrinsic:ident, $store:ident = $store_intrinsic:ident, $channels:literal, $vectors:ty) => {
        #[inline(always)]
        #[expect(
            unsafe_code,
            reason = "the instruction takes a pointer; the array has the bytes it reads"
        )]
        fn $load(pixels: &[u8; $channels * HALF]) -> $vectors {
            // SAFETY: it reads as many bytes as the array has, of any alignment; NEON is part of every aarch64.
            unsafe { $load_intrinsic(pixels.as_ptr()) }
        }

        #[inline(always)]
        #[expect(
            unsafe_code,
            reason = "the instruction takes a pointer; the array has room for the bytes it writes"
        )]
        fn $store(channels: $vectors, pixels: &mut [u8; $channels * HALF]) {
            // SAFETY: it writes as many bytes as the array has, of any alignment; NEON is part of every aarch64.
            unsafe { $store_intrinsic(pixels.as_mut_ptr(), channels) }
        }
    };
}
apart!(load_rgb = vld3q_u8, store_rgb = vst3q_u8, 3, uint8x16x3_t);
apart!(load_rgba = vld4q_u8, store_rgba = vst4q_u8, 4, uint8x16x4_t);

/// Each byte twice, then down by one: value * 257 / 2.
#[inline]
#[target_feature(enable = "neon")]
fn wide(bytes: uint8x16_t) -> int16x8x2_t {
    let half = |twice| vreinterpretq_s16_u16(vshrq_n_u16::<1>(vreinterpretq_u16_u8(twice)));
    int16x8x2_t(half(vzip1q_u8(bytes, bytes)), half(vzip2q_u8(bytes, bytes)))
}

#[inline]
#[target_feature(enable = "neon")]
fn packed(values: int16x8x2_t, factor: int16x8x2_t) -> uint8x16_t {
    let byte = |half| vqmovun_s16(vqrdmulhq_s16(half, factor.0));
    vcombine_u8(byte(values.0), byte(values.1))
}

operation!(widen, Neon, (bytes: uint8x16_t) -> int16x8x2_t, wide(bytes));
operation!(pack, Neon, (values: int16x8x2_t, factor: int16x8x2_t) -> uint8x16_t, {
    packed(values, factor)
});
operation!(look_up, Neon, (table: [uint8x16x4_t; 4], index: uint8x16_t) -> uint8x16_t, {
    // Of an index beyond its 64 entries the first makes 0, and the others leave what is there.
    let step = vdupq_n_u8(64);
    let second = vsubq_u8(index, step);
    let third = vsubq_u8(second, step);
    let found = vqtbl4q_u8(table[0], index);
    let found = vqtbx4q_u8(found, table[1], second);
    let found = vqtbx4q_u8(found, table[2], third);
    vqtbx4q_u8(found, table[3], vsubq_u8(third, step))
});

/// 64 bytes of a table.
#[inline(always)]
fn quarter(neon: Neon, table: &[u8]) -> uint8x16x4_t {
    let sixteen = |at: usize| u8x16::from_slice(neon, &table[at..at + 16]).into();
    uint8x16x4_t(sixteen(0), sixteen(16), sixteen(32), sixteen(48))
}

/// Red, green, blue of half a unit.
#[inline(always)]
fn bytes_of<const CHANNELS: usize>(bytes: &[u8]) -> [uint8x16_t; 3] {
    if CHANNELS == 3 {
        let pixels = load_rgb(bytes.first_chunk().expect("half a unit is there"));
        return [pixels.0, pixels.1, pixels.2];
    }
    let pixels = load_rgba(bytes.first_chunk().expect("half a unit is there"));
    [pixels.0, pixels.1, pixels.2]
}

/// The way back; the bytes of alpha stay.
#[inline(always)]
fn put_back<const CHANNELS: usize>([r, g, b]: [uint8x16_t; 3], bytes: &mut [u8]) {
    if CHANNELS == 3 {
        let pixels = bytes.first_chunk_mut().expect("half a unit has room");
        store_rgb(uint8x16x3_t(r, g, b), pixels);
    } else {
        let pixels = bytes.first_chunk_mut().expect("half a unit has room");
        let alpha = load_rgba(pixels).3;
        store_rgba(uint8x16x4_t(r, g, b, alpha), pixels);
    }
}

impl Pixels for Neon {
    const WHOLE: bool = false;
    const LOOKS_UP: bool = true;
    type Table = [uint8x16x4_t; 4];

    #[inline(always)]
    fn table(self, bytes: &[u8; 256]) -> [uint8x16x4_t; 4] {
        [
            quarter(self, &bytes[..64]),
            quarter(self, &bytes[64..128]),
            quarter(self, &bytes[128..192]),
            quarter(self, &bytes[192..]),
        ]
    }

    #[inline(always)]
    fn look_up(self, table: &[uint8x16x4_t; 4], bytes: uint8x16x2_t) -> uint8x16x2_t {
        uint8x16x2_t(look_up(self, *table, bytes.0), look_up(self, *table, bytes.1))
    }

    #[inline(always)]
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<int16x8x2_t> {
        let low = bytes_of::<CHANNELS>(bytes);
        let high = bytes_of::<CHANNELS>(&bytes[CHANNELS * HALF..]);
        let wide = |channel: usize| [widen(self, low[channel]), widen(self, high[channel])];
        [wide(0), wide(1), wide(2)]
    }

    #[inline(always)]
    fn channels(self, rgb: &[u8]) -> [uint8x16x2_t; 3] {
        let [low, high] = [bytes_of::<3>(rgb), bytes_of::<3>(&rgb[3 * HALF..])];
        [
            uint8x16x2_t(low[0], high[0]),
            uint8x16x2_t(low[1], high[1]),
            uint8x16x2_t(low[2], high[2]),
        ]
    }

    #[inline(always)]
    fn interleave(self, [r, g, b]: [uint8x16x2_t; 3], rgb: &mut [u8]) {
        put_back::<3>([r.0, g.0, b.0], rgb);
        put_back::<3>([r.1, g.1, b.1], &mut rgb[3 * HALF..]);
    }

    #[inline(always)]
    fn join<const CHANNELS: usize>(
        self,
        [r, g, b]: Unit<int16x8x2_t>,
        factor: int16x8x2_t,
        bytes: &mut [u8],
    ) {
        let half = |at: usize| [r[at], g[at], b[at]].map(|values| pack(self, values, factor));
        put_back::<CHANNELS>(half(0), bytes);
        put_back::<CHANNELS>(half(1), &mut bytes[CHANNELS * HALF..]);
    }

    #[inline(always)]
    fn values(self, bytes: uint8x16x2_t) -> [int16x8x2_t; 2] {
        [widen(self, bytes.0), widen(self, bytes.1)]
    }

    #[inline(always)]
    fn bytes(self, values: [int16x8x2_t; 2], factor: int16x8x2_t) -> uint8x16x2_t {
        uint8x16x2_t(pack(self, values[0], factor), pack(self, values[1], factor))
    }
}
