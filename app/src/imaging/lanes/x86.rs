//! The lanes of AVX-512 and AVX2.

use std::arch::x86_64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Avx2, Avx512, i16x16, i16x32, u8x16, u8x32, u8x64};

use super::Lanes;
use super::forms::{lanes, operation, transposed, turned};

/// The operations of two vectors that are one instruction.
macro_rules! pairs {
    ($token:ident, $vector:ty, $($name:ident = $intrinsic:ident),* $(,)?) => {
        $(operation!($name, $token, (a: $vector, b: $vector) -> $vector, $intrinsic(a, b));)*
    };
}

pairs!(
    Avx512,
    __m512i,
    add_512 = _mm512_adds_epi16,
    subtract_512 = _mm512_subs_epi16,
    add_wrapping_512 = _mm512_add_epi16,
    subtract_wrapping_512 = _mm512_sub_epi16,
    multiply_512 = _mm512_mulhrs_epi16,
    multiply_unsigned_512 = _mm512_mulhi_epu16,
    multiply_low_512 = _mm512_mullo_epi16,
    max_512 = _mm512_max_epi16,
    min_512 = _mm512_min_epi16,
);
operation!(splat_512, Avx512, (value: i16) -> __m512i, _mm512_set1_epi16(value));
operation!(widen_512, Avx512, (bytes: __m256i) -> __m512i, _mm512_cvtepu8_epi16(bytes));
operation!(narrow_512, Avx512, (a: __m512i) -> __m256i, {
    _mm512_cvtusepi16_epi8(_mm512_max_epi16(a, _mm512_setzero_si512()))
});
operation!(greater_512, Avx512, (a: __m512i, b: __m512i) -> __m512i, {
    _mm512_movm_epi16(_mm512_cmpgt_epi16_mask(a, b))
});
operation!(left_512, Avx512, (a: __m512i, bits: u32) -> __m512i, {
    _mm512_sll_epi16(a, _mm_cvtsi32_si128(bits as i32))
});
operation!(right_512, Avx512, (a: __m512i, bits: u32) -> __m512i, {
    _mm512_srl_epi16(a, _mm_cvtsi32_si128(bits as i32))
});
operation!(bytes_512, Avx512, (a: __m512i) -> [__m512i; 2], {
    let zero = _mm512_setzero_si512();
    [_mm512_unpacklo_epi8(a, zero), _mm512_unpackhi_epi8(a, zero)]
});
operation!(weigh_512, Avx512, (a: __m512i, b: __m512i, weights: i16) -> [__m512i; 2], {
    let weights = _mm512_set1_epi16(weights);
    [_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)]
        .map(|pairs| _mm512_maddubs_epi16(pairs, weights))
});
operation!(join_512, Avx512, (low: __m512i, high: __m512i) -> __m512i, {
    _mm512_packus_epi16(low, high)
});
operation!(select_512, Avx512, (mask: __m512i, a: __m512i, b: __m512i) -> __m512i, {
    _mm512_or_si512(_mm512_and_si512(mask, a), _mm512_andnot_si512(mask, b))
});

pairs!(
    Avx2,
    __m256i,
    add_256 = _mm256_adds_epi16,
    subtract_256 = _mm256_subs_epi16,
    add_wrapping_256 = _mm256_add_epi16,
    subtract_wrapping_256 = _mm256_sub_epi16,
    multiply_256 = _mm256_mulhrs_epi16,
    multiply_unsigned_256 = _mm256_mulhi_epu16,
    multiply_low_256 = _mm256_mullo_epi16,
    max_256 = _mm256_max_epi16,
    min_256 = _mm256_min_epi16,
    greater_256 = _mm256_cmpgt_epi16,
);
operation!(splat_256, Avx2, (value: i16) -> __m256i, _mm256_set1_epi16(value));
operation!(widen_256, Avx2, (bytes: __m128i) -> __m256i, _mm256_cvtepu8_epi16(bytes));
operation!(narrow_256, Avx2, (a: __m256i) -> __m128i, {
    // Each lane of eight packed beside itself, then the two lower halves together.
    let packed = _mm256_packus_epi16(a, a);
    _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(packed))
});
operation!(left_256, Avx2, (a: __m256i, bits: u32) -> __m256i, {
    _mm256_sll_epi16(a, _mm_cvtsi32_si128(bits as i32))
});
operation!(right_256, Avx2, (a: __m256i, bits: u32) -> __m256i, {
    _mm256_srl_epi16(a, _mm_cvtsi32_si128(bits as i32))
});
operation!(bytes_256, Avx2, (a: __m256i) -> [__m256i; 2], {
    let zero = _mm256_setzero_si256();
    [_mm256_unpacklo_epi8(a, zero), _mm256_unpackhi_epi8(a, zero)]
});
operation!(weigh_256, Avx2, (a: __m256i, b: __m256i, weights: i16) -> [__m256i; 2], {
    let weights = _mm256_set1_epi16(weights);
    [_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)]
        .map(|pairs| _mm256_maddubs_epi16(pairs, weights))
});
operation!(join_256, Avx2, (low: __m256i, high: __m256i) -> __m256i, {
    _mm256_packus_epi16(low, high)
});
operation!(select_256, Avx2, (mask: __m256i, a: __m256i, b: __m256i) -> __m256i, {
    _mm256_blendv_epi8(b, a, mask)
});

operation!(turn_512, Avx512, (rows: [__m512i; 8]) -> [__m512i; 8], {
    turned!(
        rows,
        _mm512_unpacklo_epi16,
        _mm512_unpackhi_epi16,
        _mm512_unpacklo_epi32,
        _mm512_unpackhi_epi32,
        _mm512_unpacklo_epi64,
        _mm512_unpackhi_epi64
    )
});

operation!(quarters_512, Avx512, (rows: [__m512i; 4]) -> [__m512i; 4], {
    let [a, b, c, d] = rows;
    let (ab, cd) = (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0x44>(c, d));
    let (more, rest) = (_mm512_shuffle_i64x2::<0xEE>(a, b), _mm512_shuffle_i64x2::<0xEE>(c, d));
    [
        _mm512_shuffle_i64x2::<0x88>(ab, cd),
        _mm512_shuffle_i64x2::<0xDD>(ab, cd),
        _mm512_shuffle_i64x2::<0x88>(more, rest),
        _mm512_shuffle_i64x2::<0xDD>(more, rest),
    ]
});
/// The quarters of four vectors, exchanged like rows and columns.
#[inline(always)]
pub(in super::super) fn quarters(avx512: Avx512, rows: [__m512i; 4]) -> [__m512i; 4] {
    quarters_512(avx512, rows)
}

operation!(turn_256, Avx2, (rows: [__m256i; 8]) -> [__m256i; 8], {
    turned!(
        rows,
        _mm256_unpacklo_epi16,
        _mm256_unpackhi_epi16,
        _mm256_unpacklo_epi32,
        _mm256_unpackhi_epi32,
        _mm256_unpacklo_epi64,
        _mm256_unpackhi_epi64
    )
});

// The halves of two vectors, exchanged like rows and columns.
operation!(halves, Avx2, (rows: [__m256i; 2]) -> [__m256i; 2], {
    let [a, b] = rows;
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
});

/// A line of the cache in bytes.
const LINE: usize = 64;

#[inline(always)]
#[expect(
    unsafe_code,
    reason = "a prefetch reads nothing and cannot fault, and its addresses lie in the slice"
)]
fn fetch(bytes: &[u8]) {
    for line in bytes.chunks(LINE) {
        // SAFETY: the instruction is part of every x86-64, and only a hint.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

lanes!(
    Avx512,
    32,
    __m512i,
    __m512i,
    i16x32,
    u8x32,
    u8x64,
    splat_512,
    widen_512,
    narrow_512,
    left_512,
    right_512,
    select_512,
    bytes_512,
    weigh_512,
    join_512,
    turn_512,
    quarters,
    fetch,
    add = add_512,
    subtract = subtract_512,
    add_wrapping = add_wrapping_512,
    subtract_wrapping = subtract_wrapping_512,
    multiply_high = multiply_512,
    multiply_high_unsigned = multiply_unsigned_512,
    multiply_low = multiply_low_512,
    max = max_512,
    min = min_512,
    greater = greater_512,
);
lanes!(
    Avx2,
    16,
    __m256i,
    __m256i,
    i16x16,
    u8x16,
    u8x32,
    splat_256,
    widen_256,
    narrow_256,
    left_256,
    right_256,
    select_256,
    bytes_256,
    weigh_256,
    join_256,
    turn_256,
    halves,
    fetch,
    add = add_256,
    subtract = subtract_256,
    add_wrapping = add_wrapping_256,
    subtract_wrapping = subtract_wrapping_256,
    multiply_high = multiply_256,
    multiply_high_unsigned = multiply_unsigned_256,
    multiply_low = multiply_low_256,
    max = max_256,
    min = min_256,
    greater = greater_256,
);
