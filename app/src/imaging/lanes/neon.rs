//! The lanes of NEON: two registers are a vector, since the kernels work on squares of as many rows as a vector has numbers.

use std::arch::aarch64::*;

use fearless_simd::prelude::*;
use fearless_simd::{Neon, i16x16, u8x16, u8x32};

use super::Lanes;
use super::forms::{lanes, operation, transposed, turned};

/// An instruction on both registers.
macro_rules! both {
    ($name:ident = $intrinsic:ident) => {
        operation!($name, Neon, (a: int16x8x2_t, b: int16x8x2_t) -> int16x8x2_t, {
            int16x8x2_t($intrinsic(a.0, b.0), $intrinsic(a.1, b.1))
        });
    };
}

both!(add = vqaddq_s16);
both!(subtract = vqsubq_s16);
both!(add_wrapping = vaddq_s16);
both!(subtract_wrapping = vsubq_s16);
// Of -32,768 twice it makes 32,767, where the others make -32,768; no kernel multiplies those.
both!(multiply = vqrdmulhq_s16);
both!(multiply_low = vmulq_s16);
both!(max = vmaxq_s16);
both!(min = vminq_s16);
operation!(multiply_unsigned, Neon, (a: int16x8x2_t, b: int16x8x2_t) -> int16x8x2_t, {
    int16x8x2_t(high_unsigned(a.0, b.0), high_unsigned(a.1, b.1))
});
operation!(splat, Neon, (value: i16) -> int16x8x2_t, {
    int16x8x2_t(vdupq_n_s16(value), vdupq_n_s16(value))
});
operation!(widen, Neon, (bytes: uint8x16_t) -> int16x8x2_t, widened(bytes));
operation!(narrow, Neon, (a: int16x8x2_t) -> uint8x16_t, {
    vcombine_u8(vqmovun_s16(a.0), vqmovun_s16(a.1))
});
operation!(greater, Neon, (a: int16x8x2_t, b: int16x8x2_t) -> int16x8x2_t, {
    int16x8x2_t(
        vreinterpretq_s16_u16(vcgtq_s16(a.0, b.0)),
        vreinterpretq_s16_u16(vcgtq_s16(a.1, b.1)),
    )
});
operation!(left, Neon, (a: int16x8x2_t, bits: u32) -> int16x8x2_t, {
    let bits = vdupq_n_s16(bits as i16);
    int16x8x2_t(vshlq_s16(a.0, bits), vshlq_s16(a.1, bits))
});
operation!(right, Neon, (a: int16x8x2_t, bits: u32) -> int16x8x2_t, {
    // To the left by less than nothing.
    let bits = vdupq_n_s16(-(bits as i16));
    let shifted = |half| vreinterpretq_s16_u16(vshlq_u16(vreinterpretq_u16_s16(half), bits));
    int16x8x2_t(shifted(a.0), shifted(a.1))
});
operation!(select, Neon, (mask: int16x8x2_t, a: int16x8x2_t, b: int16x8x2_t) -> int16x8x2_t, {
    int16x8x2_t(
        vbslq_s16(vreinterpretq_u16_s16(mask.0), a.0, b.0),
        vbslq_s16(vreinterpretq_u16_s16(mask.1), a.1, b.1),
    )
});
operation!(bytes, Neon, (a: uint8x16x2_t) -> [int16x8x2_t; 2], [widened(a.0), widened(a.1)]);
operation!(weigh, Neon, (a: uint8x16x2_t, b: uint8x16x2_t, weights: i16) -> [int16x8x2_t; 2], {
    let [first, second] = weights.to_le_bytes().map(|weight| i16::from(weight as i8));
    let sum = |a, b| vqaddq_s16(vmulq_n_s16(a, first), vmulq_n_s16(b, second));
    let half = |a: int16x8x2_t, b: int16x8x2_t| int16x8x2_t(sum(a.0, b.0), sum(a.1, b.1));
    [half(widened(a.0), widened(b.0)), half(widened(a.1), widened(b.1))]
});
operation!(join, Neon, (low: int16x8x2_t, high: int16x8x2_t) -> uint8x16x2_t, {
    uint8x16x2_t(
        vcombine_u8(vqmovun_s16(low.0), vqmovun_s16(low.1)),
        vcombine_u8(vqmovun_s16(high.0), vqmovun_s16(high.1)),
    )
});
operation!(turn, Neon, (rows: [int16x8x2_t; 8]) -> [int16x8x2_t; 8], {
    let (first, second) = (turned(rows.map(|row| row.0)), turned(rows.map(|row| row.1)));
    let mut both = rows;
    for (both, (first, second)) in both.iter_mut().zip(first.into_iter().zip(second)) {
        *both = int16x8x2_t(first, second);
    }
    both
});
// The halves of two vectors, exchanged like rows and columns.
operation!(halves, Neon, (rows: [int16x8x2_t; 2]) -> [int16x8x2_t; 2], {
    [int16x8x2_t(rows[0].0, rows[1].0), int16x8x2_t(rows[0].1, rows[1].1)]
});

/// Rust has no stable instruction for it here.
#[inline(always)]
fn fetch(_bytes: &[u8]) {}

#[inline]
#[target_feature(enable = "neon")]
fn widened(bytes: uint8x16_t) -> int16x8x2_t {
    let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
    int16x8x2_t(vreinterpretq_s16_u16(low), vreinterpretq_s16_u16(high))
}

#[inline]
#[target_feature(enable = "neon")]
fn high_unsigned(a: int16x8_t, b: int16x8_t) -> int16x8_t {
    let (a, b) = (vreinterpretq_u16_s16(a), vreinterpretq_u16_s16(b));
    let low = vreinterpretq_u16_u32(vmull_u16(vget_low_u16(a), vget_low_u16(b)));
    let high = vreinterpretq_u16_u32(vmull_high_u16(a, b));
    vreinterpretq_s16_u16(vuzp2q_u16(low, high))
}

/// Pairs and fours of numbers, interleaved like numbers.
macro_rules! wide {
    ($name:ident, $intrinsic:ident, $to:ident, $from:ident) => {
        #[inline]
        #[target_feature(enable = "neon")]
        fn $name(a: int16x8_t, b: int16x8_t) -> int16x8_t {
            $from($intrinsic($to(a), $to(b)))
        }
    };
}
wide!(low_32, vzip1q_s32, vreinterpretq_s32_s16, vreinterpretq_s16_s32);
wide!(high_32, vzip2q_s32, vreinterpretq_s32_s16, vreinterpretq_s16_s32);
wide!(low_64, vzip1q_s64, vreinterpretq_s64_s16, vreinterpretq_s16_s64);
wide!(high_64, vzip2q_s64, vreinterpretq_s64_s16, vreinterpretq_s16_s64);

#[inline]
#[target_feature(enable = "neon")]
fn turned(rows: [int16x8_t; 8]) -> [int16x8_t; 8] {
    turned!(rows, vzip1q_s16, vzip2q_s16, low_32, high_32, low_64, high_64)
}

lanes!(
    Neon,
    16,
    int16x8x2_t,
    uint8x16x2_t,
    i16x16,
    u8x16,
    u8x32,
    splat,
    widen,
    narrow,
    left,
    right,
    select,
    bytes,
    weigh,
    join,
    turn,
    halves,
    fetch,
    add = add,
    subtract = subtract,
    add_wrapping = add_wrapping,
    subtract_wrapping = subtract_wrapping,
    multiply_high = multiply,
    multiply_high_unsigned = multiply_unsigned,
    multiply_low = multiply_low,
    max = max,
    min = min,
    greater = greater,
);
