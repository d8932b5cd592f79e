//! Coefficients from rows into the order of the file, lowest frequencies first: with AVX-512 two instructions, else one by one.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m512i, _mm512_permutex2var_epi16, _mm512_test_epi16_mask};

#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx2, Avx512, i16x32, prelude::*};

#[cfg(target_arch = "x86_64")]
use super::super::lanes::operation;
use super::super::lanes::{Lanes, Plain};
use super::forward::Quantized;
use super::transform::PLACES;

/// Lanes that can bring a block into the order of the file.
pub(super) trait Zigzag: Lanes {
    /// From rows.
    #[inline(always)]
    fn zigzag(self, rows: &[i16; 64]) -> Quantized {
        let mut quantized = Quantized { values: [0; 64], nonzero: 0 };
        for at in 0..64 {
            quantized.values[at] = rows[usize::from(PLACES[at])];
        }
        for at in 0..64 {
            quantized.nonzero |= u64::from(quantized.values[at] != 0) << at;
        }
        quantized
    }
}

impl Zigzag for Plain {}

#[cfg(target_arch = "x86_64")]
impl Zigzag for Avx2 {}

/// [`PLACES`] as 16-bit numbers: where each value comes from, in two vectors.
#[cfg(target_arch = "x86_64")]
static FROM: [[i16; 32]; 2] = {
    let mut from = [[0; 32]; 2];
    let mut at = 0;
    while at < 64 {
        from[at / 32][at % 32] = PLACES[at] as i16;
        at += 1;
    }
    from
};

#[cfg(target_arch = "x86_64")]
operation!(permute, Avx512, (low: __m512i, index: __m512i, high: __m512i) -> __m512i, {
    _mm512_permutex2var_epi16(low, index, high)
});
#[cfg(target_arch = "x86_64")]
operation!(nonzero, Avx512, (values: __m512i) -> u32, _mm512_test_epi16_mask(values, values));

#[cfg(target_arch = "x86_64")]
impl Zigzag for Avx512 {
    #[inline(always)]
    fn zigzag(self, rows: &[i16; 64]) -> Quantized {
        let (low, high) = (self.load(&rows[..32]), self.load(&rows[32..]));
        let mut quantized = Quantized { values: [0; 64], nonzero: 0 };
        for (half, from) in FROM.iter().enumerate() {
            let index = i16x32::from_slice(self, from).into();
            let values = permute(self, low, index, high);
            self.store(values, &mut quantized.values[32 * half..]);
            quantized.nonzero |= u64::from(nonzero(self, values)) << (32 * half);
        }
        quantized
    }
}
