//! Pixels taken apart and put together by AVX2; `lanes` has the arithmetic.
//!
//! Lanes hold 16 pixels. A channel's bytes lie apart in the three parts of 16 RGB pixels: laid over each other they are one part, which one
//! shuffle brings into order. RGBA is shuffled part by part and joined with "or", as SSSE3 code does.

#![expect(
    clippy::needless_range_loop,
    reason = "arrays of vectors stay in registers only when every index is a constant after unrolling"
)]

use std::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Avx2, u8x16, u8x32};

use super::super::lanes::Lanes as _;
use super::super::lanes::operation;
use super::lanes::{Pixels, Unit};

/// `pshufb` masks for RGBA: the bytes of `channel` out of 16 of the bytes of 16 pixels; 0x80 clears.
const fn split_mask(channel: usize, part: usize) -> [u8; 16] {
    let mut mask = [0x80; 16];
    let mut pixel = 0;
    while pixel < 16 {
        let byte = 4 * pixel + channel;
        if byte / 16 == part {
            mask[pixel] = (byte % 16) as u8;
        }
        pixel += 1;
    }
    mask
}

/// The other way: where 16 of the bytes of 16 pixels take values of `channel`.
const fn join_mask(channel: usize, part: usize) -> [u8; 16] {
    let mut mask = [0x80; 16];
    let mut at = 0;
    while at < 16 {
        let byte = 16 * part + at;
        if byte % 4 == channel {
            mask[at] = (byte / 4) as u8;
        }
        at += 1;
    }
    mask
}

/// For both lanes, \[channel\]\[part\].
type Masks = [[[u8; 32]; 4]; 3];

const fn masks(split: bool) -> Masks {
    let mut all = [[[0x80; 32]; 4]; 3];
    let mut at = 0;
    while at < 3 * 4 * 32 {
        let (channel, part, byte) = (at / 128, at / 32 % 4, at % 32);
        let mask = if split { split_mask(channel, part) } else { join_mask(channel, part) };
        all[channel][part][byte] = mask[byte % 16];
        at += 1;
    }
    all
}

static SPLIT_RGBA: Masks = masks(true);
static JOIN_RGBA: Masks = masks(false);

/// The bytes of both lanes whose number is `rest` modulo 3. Part k of 16 RGB pixels has those of channel c where that is c - k, so that
/// a channel's bytes lie apart in the three parts: laid over each other they fill a lane.
const fn every_third(rest: usize) -> [u8; 32] {
    let mut mask = [0; 32];
    let mut at = 0;
    while at < 32 {
        mask[at] = if at % 16 % 3 == rest { 0xFF } else { 0 };
        at += 1;
    }
    mask
}

/// `pshufb` masks for RGB: where a channel's bytes lie in a lane that is filled like this, and where a lane takes them from.
const fn thirds(channel: usize, split: bool) -> [u8; 32] {
    let mut mask = [0; 32];
    let mut at = 0;
    while at < 32 {
        let (lane_byte, pixel) = ((3 * (at % 16) + channel) % 16, at % 16);
        if split {
            mask[at] = lane_byte as u8;
        } else {
            mask[at - pixel + lane_byte] = pixel as u8;
        }
        at += 1;
    }
    mask
}

static THIRDS: [[u8; 32]; 3] = [every_third(0), every_third(1), every_third(2)];
static SPLIT_RGB: [[u8; 32]; 3] = [thirds(0, true), thirds(1, true), thirds(2, true)];
static JOIN_RGB: [[u8; 32]; 3] = [thirds(0, false), thirds(1, false), thirds(2, false)];

operation!(lanes_256, Avx2, (low: __m128i, high: __m128i) -> __m256i, {
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
});
operation!(shuffle_256, Avx2, (a: __m256i, mask: __m256i) -> __m256i, {
    _mm256_shuffle_epi8(a, mask)
});
operation!(blend_256, Avx2, (a: __m256i, b: __m256i, mask: __m256i) -> __m256i, {
    _mm256_blendv_epi8(a, b, mask)
});
operation!(xor_256, Avx2, (a: __m256i, b: __m256i) -> __m256i, _mm256_xor_si256(a, b));
operation!(flip_256, Avx2, (a: __m256i) -> __m256i, {
    _mm256_xor_si256(a, _mm256_set1_epi8(i8::MIN))
});
operation!(less_16_256, Avx2, (a: __m256i) -> __m256i, {
    _mm256_subs_epi8(a, _mm256_set1_epi8(16))
});
operation!(or_256, Avx2, (a: __m256i, b: __m256i) -> __m256i, _mm256_or_si256(a, b));
operation!(alpha_256, Avx2, (a: __m256i) -> __m256i, {
    _mm256_and_si256(a, _mm256_set1_epi32(0xFF00_0000_u32 as i32))
});
operation!(widen_256, Avx2, (bytes: __m256i) -> [__m256i; 2], {
    // Each byte twice, then down by one: value * 257 / 2.
    let low = _mm256_unpacklo_epi8(bytes, bytes);
    [_mm256_srli_epi16::<1>(low), _mm256_srli_epi16::<1>(_mm256_unpackhi_epi8(bytes, bytes))]
});
operation!(pack_256, Avx2, (halves: [__m256i; 2], factor: __m256i) -> __m256i, {
    let low = _mm256_mulhrs_epi16(halves[0], factor);
    _mm256_packus_epi16(low, _mm256_mulhrs_epi16(halves[1], factor))
});

#[inline(always)]
fn load_128(avx2: Avx2, bytes: &[u8]) -> __m128i {
    u8x16::from_slice(avx2, bytes).into()
}

#[inline(always)]
fn load_256(avx2: Avx2, bytes: &[u8]) -> __m256i {
    u8x32::from_slice(avx2, bytes).into()
}

/// The bytes of one that the mask names.
#[inline(always)]
fn pick(avx2: Avx2, bytes: __m256i, mask: &[u8; 32]) -> __m256i {
    shuffle_256(avx2, bytes, load_256(avx2, mask))
}

/// The bytes of all parts that their masks name.
#[inline(always)]
fn mix<const N: usize>(avx2: Avx2, parts: [__m256i; N], masks: &[[u8; 32]; 4]) -> __m256i {
    let mut mixed = pick(avx2, parts[0], &masks[0]);
    for at in 1..N {
        mixed = or_256(avx2, mixed, pick(avx2, parts[at], &masks[at]));
    }
    mixed
}

/// Of each part the third of its bytes that [`THIRDS`] names, for the first part `first`, for the next ones the third before.
#[inline(always)]
fn overlay(avx2: Avx2, parts: [__m256i; 3], first: usize) -> __m256i {
    let two = blend_256(avx2, parts[0], parts[1], load_256(avx2, &THIRDS[(first + 2) % 3]));
    blend_256(avx2, two, parts[2], load_256(avx2, &THIRDS[(first + 1) % 3]))
}

/// Looks up bytes below 128 in their half of a table; of those from 128 on it makes 0. A shuffle looks up the lower four bits, and makes 0
/// of bytes from 128 on, that is, of negative ones. So each sixteen entries hold what has changed since those before them, and all are
/// added up for which the byte, less 16 for each, is not negative yet.
#[inline(always)]
fn changes_256(avx2: Avx2, changes: &[__m256i; 8], bytes: __m256i) -> __m256i {
    let mut left = bytes;
    let mut found = shuffle_256(avx2, changes[0], left);
    for at in 1..8 {
        left = less_16_256(avx2, left);
        found = xor_256(avx2, found, shuffle_256(avx2, changes[at], left));
    }
    found
}

/// The channels' bytes of 32 pixels, alpha left out.
#[inline(always)]
fn channels_256<const CHANNELS: usize>(avx2: Avx2, bytes: &[u8]) -> [__m256i; 3] {
    // Pixels 0..16 in the low lanes, 16..32 in the high ones.
    let high = 16 * CHANNELS;
    let mut parts = [avx2.splat(0); 4];
    for at in 0..CHANNELS {
        let low = load_128(avx2, &bytes[16 * at..16 * at + 16]);
        parts[at] = lanes_256(avx2, low, load_128(avx2, &bytes[high + 16 * at..][..16]));
    }
    let mut planes = [parts[0]; 3];
    for channel in 0..3 {
        planes[channel] = if CHANNELS == 3 {
            let laid_over = overlay(avx2, [parts[0], parts[1], parts[2]], channel);
            pick(avx2, laid_over, &SPLIT_RGB[channel])
        } else {
            mix(avx2, parts, &SPLIT_RGBA[channel])
        };
    }
    planes
}

/// The bytes of 32 pixels from their channels; those of alpha stay.
#[inline(always)]
fn interleave_256<const CHANNELS: usize>(avx2: Avx2, planes: [__m256i; 3], bytes: &mut [u8]) {
    let high = 16 * CHANNELS;
    let mut spread = planes;
    if CHANNELS == 3 {
        for channel in 0..3 {
            spread[channel] = pick(avx2, planes[channel], &JOIN_RGB[channel]);
        }
    }
    for part in 0..CHANNELS {
        let (low_at, high_at) = (16 * part, high + 16 * part);
        let joined = if CHANNELS == 3 {
            overlay(avx2, [spread[0], spread[2], spread[1]], 3 - part)
        } else {
            let low = load_128(avx2, &bytes[low_at..low_at + 16]);
            let before = lanes_256(avx2, low, load_128(avx2, &bytes[high_at..high_at + 16]));
            let mut joined = alpha_256(avx2, before);
            for channel in 0..3 {
                joined =
                    or_256(avx2, joined, pick(avx2, planes[channel], &JOIN_RGBA[channel][part]));
            }
            joined
        };
        let joined: u8x32<Avx2> = joined.simd_into(avx2);
        let (low, high) = joined.split();
        low.store_slice(&mut bytes[low_at..low_at + 16]);
        high.store_slice(&mut bytes[high_at..high_at + 16]);
    }
}

impl Pixels for Avx2 {
    const WHOLE: bool = false;
    const PAIRS: bool = true;
    const LOOKS_UP: bool = true;
    type Table = [[__m256i; 8]; 2];

    #[inline(always)]
    fn table(self, bytes: &[u8; 256]) -> [[__m256i; 8]; 2] {
        let mut table = [[self.splat(0); 8]; 2];
        for half in 0..2 {
            let mut before = [0; 16];
            for (change, entries) in
                table[half].iter_mut().zip(bytes[128 * half..].as_chunks::<16>().0)
            {
                let mut twice = [0; 32];
                for at in 0..32 {
                    twice[at] = entries[at % 16] ^ before[at % 16];
                }
                *change = load_256(self, &twice);
                before = *entries;
            }
        }
        table
    }

    #[inline(always)]
    fn look_up(self, table: &[[__m256i; 8]; 2], bytes: __m256i) -> __m256i {
        let low = changes_256(self, &table[0], bytes);
        xor_256(self, low, changes_256(self, &table[1], flip_256(self, bytes)))
    }

    #[inline(always)]
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<__m256i> {
        let planes = channels_256::<CHANNELS>(self, bytes);
        [self.values(planes[0]), self.values(planes[1]), self.values(planes[2])]
    }

    #[inline(always)]
    fn channels(self, rgb: &[u8]) -> [__m256i; 3] {
        channels_256::<3>(self, rgb)
    }

    #[inline(always)]
    fn interleave(self, channels: [__m256i; 3], rgb: &mut [u8]) {
        interleave_256::<3>(self, channels, rgb);
    }

    #[inline(always)]
    fn join<const CHANNELS: usize>(self, unit: Unit<__m256i>, factor: __m256i, bytes: &mut [u8]) {
        let [r, g, b] = unit;
        let planes = [self.bytes(r, factor), self.bytes(g, factor), self.bytes(b, factor)];
        interleave_256::<CHANNELS>(self, planes, bytes);
    }

    #[inline(always)]
    fn values(self, bytes: __m256i) -> [__m256i; 2] {
        widen_256(self, bytes)
    }

    #[inline(always)]
    fn bytes(self, values: [__m256i; 2], factor: __m256i) -> __m256i {
        pack_256(self, values, factor)
    }
}
