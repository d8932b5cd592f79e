//! Pixels taken apart and put together by AVX-512; `lanes` has the arithmetic.
//!
//! Each half of a plane is gathered with one byte permutation over 128 bytes, each vector of joined bytes with two.

use std::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Avx512, u8x64};

use super::super::lanes::Lanes as _;
use super::super::lanes::operation;
use super::lanes::{Pixels, Unit};

/// Where the bytes of half a plane lie among 128 bytes, each twice: value * 257.
const fn gather(channels: usize, first_byte: usize, channel: usize) -> [u8; 64] {
    let mut index = [0; 64];
    let mut at = 0;
    while at < 64 {
        index[at] = (first_byte + channels * (at / 2) + channel) as u8;
        at += 1;
    }
    index
}

/// Both halves of three channels. RGB: pixels 0..32 lie in bytes 0..96 of the first 128, pixels 32..64 in bytes 32..128 of the
/// last 128 of 192. RGBA: each half is 128 bytes.
const fn gathers(channels: usize) -> [[[u8; 64]; 2]; 3] {
    let second = if channels == 3 { 32 } else { 0 };
    let mut all = [[[0; 64]; 2]; 3];
    let mut channel = 0;
    while channel < 3 {
        all[channel] = [gather(channels, 0, channel), gather(channels, second, channel)];
        channel += 1;
    }
    all
}

static GATHER_RGB: [[[u8; 64]; 2]; 3] = gathers(3);
static GATHER_RGBA: [[[u8; 64]; 2]; 3] = gathers(4);
/// Where the bytes of a channel lie among 192: in the first 128, or, where [`FROM_LAST`] says so, in the last 64.
static CHANNEL_RGB: [[u8; 64]; 3] = {
    let mut all = [[0; 64]; 3];
    let mut at = 0;
    while at < 192 {
        all[at % 3][at / 3] = (at % 128) as u8;
        at += 1;
    }
    all
};
/// Of red and green the last 64 bytes hold pixels 43 to 63, of blue pixel 42 as well.
const FROM_LAST: [u64; 3] = [!0 << 43, !0 << 43, !0 << 42];

/// The bytes of alpha.
const ALPHA_BYTES: u64 = 0x8888_8888_8888_8888;

/// The place of a pixel's byte after `packus` of both halves, which works in lanes of eight.
const fn packed(pixel: usize) -> usize {
    let (half, within) = (pixel / 32, pixel % 32);
    within / 8 * 16 + half * 8 + within % 8
}

/// A part of the joined bytes: from red and green, then blue into the gaps. Pixels lie in their order, or as [`packed`]
/// puts them.
const fn scatter(channels: usize, part: usize, is_packed: bool) -> [[u8; 64]; 2] {
    let mut index = [[0; 64]; 2];
    let mut at = 0;
    while at < 64 {
        let (pixel, channel) = ((64 * part + at) / channels, (64 * part + at) % channels);
        let from = if is_packed { packed(pixel) as u8 } else { pixel as u8 };
        index[0][at] = if channel == 1 { from + 64 } else { from };
        index[1][at] = if channel == 2 { from + 64 } else { at as u8 };
        at += 1;
    }
    index
}

static INTERLEAVE: [[[u8; 64]; 2]; 3] =
    [scatter(3, 0, false), scatter(3, 1, false), scatter(3, 2, false)];
static SCATTER_RGB: [[[u8; 64]; 2]; 3] =
    [scatter(3, 0, true), scatter(3, 1, true), scatter(3, 2, true)];
static SCATTER_RGBA: [[[u8; 64]; 2]; 4] =
    [scatter(4, 0, true), scatter(4, 1, true), scatter(4, 2, true), scatter(4, 3, true)];

operation!(gather_512, Avx512, (low: __m512i, index: __m512i, high: __m512i) -> __m512i, {
    _mm512_srli_epi16::<1>(_mm512_permutex2var_epi8(low, index, high))
});
operation!(pack_512, Avx512, (halves: [__m512i; 2], factor: __m512i) -> __m512i, {
    let low = _mm512_mulhrs_epi16(halves[0], factor);
    _mm512_packus_epi16(low, _mm512_mulhrs_epi16(halves[1], factor))
});
operation!(widen_512, Avx512, (bytes: __m512i) -> [__m512i; 2], {
    let low = _mm512_unpacklo_epi8(bytes, bytes);
    [_mm512_srli_epi16::<1>(low), _mm512_srli_epi16::<1>(_mm512_unpackhi_epi8(bytes, bytes))]
});
operation!(look_up_512, Avx512, (table: [__m512i; 4], bytes: __m512i) -> __m512i, {
    let low = _mm512_permutex2var_epi8(table[0], bytes, table[1]);
    let high = _mm512_permutex2var_epi8(table[2], bytes, table[3]);
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
});
operation!(keep_alpha_512, Avx512, (before: __m512i, after: __m512i) -> __m512i, {
    _mm512_mask_blend_epi8(ALPHA_BYTES, after, before)
});
operation!(permute_512, Avx512, (a: __m512i, index: __m512i, b: __m512i) -> __m512i, {
    _mm512_permutex2var_epi8(a, index, b)
});

operation!(channel_512, Avx512, (bytes: [__m512i; 3], index: __m512i, last: u64) -> __m512i, {
    let first = _mm512_permutex2var_epi8(bytes[0], index, bytes[1]);
    _mm512_mask_permutexvar_epi8(first, last, index, bytes[2])
});

/// 64 bytes of the channels, as [`scatter`] made the indices.
#[inline(always)]
fn joined_512(
    avx512: Avx512,
    channels: [__m512i; 3],
    first: &[u8; 64],
    second: &[u8; 64],
) -> __m512i {
    let [red, green, blue] = channels;
    let two = permute_512(avx512, red, load_512(avx512, first), green);
    permute_512(avx512, two, load_512(avx512, second), blue)
}

#[inline(always)]
fn load_512(avx512: Avx512, bytes: &[u8]) -> __m512i {
    u8x64::from_slice(avx512, bytes).into()
}

impl Pixels for Avx512 {
    const WHOLE: bool = true;
    const LOOKS_UP: bool = true;
    type Table = [__m512i; 4];

    #[inline(always)]
    fn table(self, bytes: &[u8; 256]) -> [__m512i; 4] {
        [
            load_512(self, &bytes[..64]),
            load_512(self, &bytes[64..128]),
            load_512(self, &bytes[128..192]),
            load_512(self, &bytes[192..]),
        ]
    }

    #[inline(always)]
    fn look_up(self, table: &[__m512i; 4], bytes: __m512i) -> __m512i {
        look_up_512(self, *table, bytes)
    }

    #[inline(always)]
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<__m512i> {
        let first = load_512(self, &bytes[..64]);
        let second = load_512(self, &bytes[64..128]);
        let third = load_512(self, &bytes[128..192]);
        let (index, pairs) = if CHANNELS == 3 {
            (&GATHER_RGB, [[first, second], [second, third]])
        } else {
            (&GATHER_RGBA, [[first, second], [third, load_512(self, &bytes[192..256])]])
        };
        let mut unit = [[first; 2]; 3];
        for channel in 0..3 {
            for half in 0..2 {
                let [low, high] = pairs[half];
                let index = load_512(self, &index[channel][half]);
                unit[channel][half] = gather_512(self, low, index, high);
            }
        }
        unit
    }

    #[inline(always)]
    fn channels(self, rgb: &[u8]) -> [__m512i; 3] {
        let bytes = [
            load_512(self, &rgb[..64]),
            load_512(self, &rgb[64..128]),
            load_512(self, &rgb[128..192]),
        ];
        let mut channels = bytes;
        for channel in 0..3 {
            let index = load_512(self, &CHANNEL_RGB[channel]);
            channels[channel] = channel_512(self, bytes, index, FROM_LAST[channel]);
        }
        channels
    }

    #[inline(always)]
    fn interleave(self, channels: [__m512i; 3], rgb: &mut [u8]) {
        for (bytes, [first, second]) in rgb.as_chunks_mut::<64>().0.iter_mut().zip(&INTERLEAVE) {
            self.store_bytes(joined_512(self, channels, first, second), bytes);
        }
    }

    #[inline(always)]
    fn join<const CHANNELS: usize>(self, unit: Unit<__m512i>, factor: __m512i, bytes: &mut [u8]) {
        let red = self.bytes(unit[0], factor);
        let green = self.bytes(unit[1], factor);
        let blue = self.bytes(unit[2], factor);
        for (part, bytes) in bytes.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let [first, second] =
                if CHANNELS == 3 { &SCATTER_RGB[part] } else { &SCATTER_RGBA[part] };
            let mut joined = joined_512(self, [red, green, blue], first, second);
            if CHANNELS == 4 {
                joined = keep_alpha_512(self, load_512(self, bytes), joined);
            }
            let joined: u8x64<Avx512> = joined.simd_into(self);
            joined.store_slice(bytes);
        }
    }

    #[inline(always)]
    fn values(self, bytes: __m512i) -> [__m512i; 2] {
        widen_512(self, bytes)
    }

    #[inline(always)]
    fn bytes(self, values: [__m512i; 2], factor: __m512i) -> __m512i {
        pack_512(self, values, factor)
    }
}
