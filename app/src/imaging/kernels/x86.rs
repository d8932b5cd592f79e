//! The lanes of AVX-512 and AVX2. Every intrinsic stands in a `kernel!`, which makes it safe: the token proves that the
//! machine has the instruction.
//!
//! AVX-512 gathers each half of a plane with one byte permutation over 128 bytes; AVX2 shuffles lanes of 16 pixels and joins them
//! with "or", as SSSE3 code does.

use std::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Avx2, Avx512, u8x16, u8x32, u8x64};

use super::lanes::{Lanes, Unit};

/// Where the values of half a plane lie among 128 bytes: in odd places (the even ones are cleared), so that they come as
/// value * 256.
const fn gather(first_byte: usize, channel: usize) -> [u8; 64] {
    let mut index = [0; 64];
    let mut pixel = 0;
    while pixel < 32 {
        index[2 * pixel + 1] = (first_byte + 3 * pixel + channel) as u8;
        pixel += 1;
    }
    index
}

/// Both halves: pixels 0..32 lie in bytes 0..96 of the first 128, pixels 32..64 in bytes 32..128 of the last 128.
static GATHER: [[[u8; 64]; 2]; 3] =
    [[gather(0, 0), gather(32, 0)], [gather(0, 1), gather(32, 1)], [gather(0, 2), gather(32, 2)]];
const ODD_BYTES: u64 = 0xAAAA_AAAA_AAAA_AAAA;

/// The place of a pixel's byte after `packus` of both halves, which works in lanes of eight.
const fn packed(pixel: usize) -> usize {
    let (half, within) = (pixel / 32, pixel % 32);
    within / 8 * 16 + half * 8 + within % 8
}

/// A third of the joined bytes: from red and green, then blue into the gaps.
const fn scatter(part: usize) -> [[u8; 64]; 2] {
    let mut index = [[0; 64]; 2];
    let mut at = 0;
    while at < 64 {
        let (pixel, channel) = ((64 * part + at) / 3, (64 * part + at) % 3);
        let from = packed(pixel) as u8;
        index[0][at] = if channel == 1 { from + 64 } else { from };
        index[1][at] = if channel == 2 { from + 64 } else { at as u8 };
        at += 1;
    }
    index
}

static SCATTER: [[[u8; 64]; 2]; 3] = [scatter(0), scatter(1), scatter(2)];

/// One operation: the token goes in, which the macro needs, and the intrinsic's value comes out.
macro_rules! operation {
    ($name:ident, $token:ident, ($($argument:ident: $kind:ty),*) -> $value:ty, $body:expr) => {
        fearless_simd::kernel!(
            #[inline(always)]
            fn $name(_token: $token, $($argument: $kind),*) -> $value {
                $body
            }
        );
    };
}

operation!(splat_512, Avx512, (value: i16) -> __m512i, _mm512_set1_epi16(value));
operation!(add_512, Avx512, (a: __m512i, b: __m512i) -> __m512i, _mm512_adds_epi16(a, b));
operation!(multiply_512, Avx512, (a: __m512i, b: __m512i) -> __m512i, _mm512_mulhrs_epi16(a, b));
operation!(clamp_512, Avx512, (a: __m512i, most: __m512i, shift: __m128i) -> __m512i, {
    let positive = _mm512_max_epi16(a, _mm512_setzero_si512());
    _mm512_sll_epi16(_mm512_min_epi16(positive, most), shift)
});
operation!(count_512, Avx512, (shift: u32) -> __m128i, _mm_cvtsi32_si128(shift as i32));
operation!(gather_512, Avx512, (low: __m512i, index: __m512i, high: __m512i) -> __m512i, {
    let found = _mm512_maskz_permutex2var_epi8(ODD_BYTES, low, index, high);
    _mm512_srli_epi16::<1>(found)
});
operation!(pack_512, Avx512, (halves: [__m512i; 2], rounding: __m512i) -> __m512i, {
    let low = _mm512_mulhrs_epi16(halves[0], rounding);
    _mm512_packus_epi16(low, _mm512_mulhrs_epi16(halves[1], rounding))
});
operation!(permute_512, Avx512, (a: __m512i, index: __m512i, b: __m512i) -> __m512i, {
    _mm512_permutex2var_epi8(a, index, b)
});

#[inline(always)]
fn load_512(avx512: Avx512, bytes: &[u8]) -> __m512i {
    u8x64::from_slice(avx512, bytes).into()
}

impl Lanes for Avx512 {
    const PIXELS: usize = 64;
    type Vector = __m512i;

    #[inline(always)]
    fn splat(self, value: i16) -> __m512i {
        splat_512(self, value)
    }

    #[inline(always)]
    fn multiply_high(self, a: __m512i, b: __m512i) -> __m512i {
        multiply_512(self, a, b)
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        add_512(self, a, b)
    }

    #[inline(always)]
    fn clamp(self, a: __m512i, most: __m512i, shift: u32) -> __m512i {
        clamp_512(self, a, most, count_512(self, shift))
    }

    #[inline(always)]
    fn split(self, bytes: &[u8]) -> Unit<__m512i> {
        let first = load_512(self, &bytes[..64]);
        let second = load_512(self, &bytes[64..128]);
        let third = load_512(self, &bytes[128..192]);
        let mut unit = [[first; 2]; 3];
        for (halves, index) in unit.iter_mut().zip(&GATHER) {
            halves[0] = gather_512(self, first, load_512(self, &index[0]), second);
            halves[1] = gather_512(self, second, load_512(self, &index[1]), third);
        }
        unit
    }

    #[inline(always)]
    fn join(self, unit: Unit<__m512i>, shift: u32, bytes: &mut [u8]) {
        let rounding = splat_512(self, 1 << (8 + shift));
        let red = pack_512(self, unit[0], rounding);
        let green = pack_512(self, unit[1], rounding);
        let blue = pack_512(self, unit[2], rounding);
        for (third, [first, second]) in bytes.chunks_exact_mut(64).zip(&SCATTER) {
            let two = permute_512(self, red, load_512(self, first), green);
            let three = permute_512(self, two, load_512(self, second), blue);
            let joined: u8x64<Avx512> = three.simd_into(self);
            joined.store_slice(third);
        }
    }
}

/// `pshufb` masks: the bytes of `channel` out of the third `part` of 48 bytes; 0x80 clears.
const fn split_mask(channel: usize, part: usize) -> [u8; 16] {
    let mut mask = [0x80; 16];
    let mut pixel = 0;
    while pixel < 16 {
        let byte = 3 * pixel + channel;
        if byte / 16 == part {
            mask[pixel] = (byte % 16) as u8;
        }
        pixel += 1;
    }
    mask
}

/// The other way: where the third `part` of 48 bytes takes values of `channel`.
const fn join_mask(channel: usize, part: usize) -> [u8; 16] {
    let mut mask = [0x80; 16];
    let mut at = 0;
    while at < 16 {
        let byte = 16 * part + at;
        if byte % 3 == channel {
            mask[at] = (byte / 3) as u8;
        }
        at += 1;
    }
    mask
}

/// Both, for both lanes: [channel][part].
const fn masks(split: bool) -> [[[u8; 32]; 3]; 3] {
    let mut all = [[[0; 32]; 3]; 3];
    let mut at = 0;
    while at < 9 * 32 {
        let (channel, part, byte) = (at / 96, at / 32 % 3, at % 32);
        let mask = if split { split_mask(channel, part) } else { join_mask(channel, part) };
        all[channel][part][byte] = mask[byte % 16];
        at += 1;
    }
    all
}

static SPLIT: [[[u8; 32]; 3]; 3] = masks(true);
static JOIN: [[[u8; 32]; 3]; 3] = masks(false);

operation!(splat_256, Avx2, (value: i16) -> __m256i, _mm256_set1_epi16(value));
operation!(add_256, Avx2, (a: __m256i, b: __m256i) -> __m256i, _mm256_adds_epi16(a, b));
operation!(multiply_256, Avx2, (a: __m256i, b: __m256i) -> __m256i, _mm256_mulhrs_epi16(a, b));
operation!(clamp_256, Avx2, (a: __m256i, most: __m256i, shift: u32) -> __m256i, {
    let positive = _mm256_max_epi16(a, _mm256_setzero_si256());
    _mm256_sll_epi16(_mm256_min_epi16(positive, most), _mm_cvtsi32_si128(shift as i32))
});
operation!(lanes_256, Avx2, (low: __m128i, high: __m128i) -> __m256i, {
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
});
operation!(mix_256, Avx2, (parts: [__m256i; 3], masks: [__m256i; 3]) -> __m256i, {
    let first = _mm256_shuffle_epi8(parts[0], masks[0]);
    let second = _mm256_shuffle_epi8(parts[1], masks[1]);
    let third = _mm256_shuffle_epi8(parts[2], masks[2]);
    _mm256_or_si256(_mm256_or_si256(first, second), third)
});
operation!(widen_256, Avx2, (bytes: __m256i) -> [__m256i; 2], {
    // Into the high bytes, then down by one: value * 128.
    let zero = _mm256_setzero_si256();
    let (low, high) = (_mm256_unpacklo_epi8(zero, bytes), _mm256_unpackhi_epi8(zero, bytes));
    [_mm256_srli_epi16::<1>(low), _mm256_srli_epi16::<1>(high)]
});
operation!(pack_256, Avx2, (halves: [__m256i; 2], rounding: __m256i) -> __m256i, {
    let low = _mm256_mulhrs_epi16(halves[0], rounding);
    _mm256_packus_epi16(low, _mm256_mulhrs_epi16(halves[1], rounding))
});

#[inline(always)]
fn load_128(avx2: Avx2, bytes: &[u8]) -> __m128i {
    u8x16::from_slice(avx2, bytes).into()
}

#[inline(always)]
fn load_256(avx2: Avx2, bytes: &[u8]) -> __m256i {
    u8x32::from_slice(avx2, bytes).into()
}

impl Lanes for Avx2 {
    const PIXELS: usize = 32;
    type Vector = __m256i;

    #[inline(always)]
    fn splat(self, value: i16) -> __m256i {
        splat_256(self, value)
    }

    #[inline(always)]
    fn multiply_high(self, a: __m256i, b: __m256i) -> __m256i {
        multiply_256(self, a, b)
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        add_256(self, a, b)
    }

    #[inline(always)]
    fn clamp(self, a: __m256i, most: __m256i, shift: u32) -> __m256i {
        clamp_256(self, a, most, shift)
    }

    #[inline(always)]
    fn split(self, bytes: &[u8]) -> Unit<__m256i> {
        // Pixels 0..16 in the low lanes, 16..32 in the high ones.
        let parts = [
            lanes_256(self, load_128(self, &bytes[..16]), load_128(self, &bytes[48..64])),
            lanes_256(self, load_128(self, &bytes[16..32]), load_128(self, &bytes[64..80])),
            lanes_256(self, load_128(self, &bytes[32..48]), load_128(self, &bytes[80..96])),
        ];
        let mut unit = [[parts[0]; 2]; 3];
        for (halves, masks) in unit.iter_mut().zip(&SPLIT) {
            let masks =
                [load_256(self, &masks[0]), load_256(self, &masks[1]), load_256(self, &masks[2])];
            *halves = widen_256(self, mix_256(self, parts, masks));
        }
        unit
    }

    #[inline(always)]
    fn join(self, unit: Unit<__m256i>, shift: u32, bytes: &mut [u8]) {
        let rounding = splat_256(self, 1 << (8 + shift));
        let channels = [
            pack_256(self, unit[0], rounding),
            pack_256(self, unit[1], rounding),
            pack_256(self, unit[2], rounding),
        ];
        for part in 0..3 {
            let masks = [
                load_256(self, &JOIN[0][part]),
                load_256(self, &JOIN[1][part]),
                load_256(self, &JOIN[2][part]),
            ];
            let both: u8x32<Avx2> = mix_256(self, channels, masks).simd_into(self);
            let (low, high) = both.split();
            low.store_slice(&mut bytes[16 * part..16 * part + 16]);
            high.store_slice(&mut bytes[16 * part + 48..16 * part + 64]);
        }
    }
}
