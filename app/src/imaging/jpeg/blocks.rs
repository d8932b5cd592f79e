//! Several 8x8 blocks at a time.
//!
//! In the writer each eight lanes of eight vectors are a block: a vector of 32 lanes holds a row of four that lie side by side. In the reader
//! a vector holds the same number of as many blocks as it has lanes, until pixels are laid beside each other. `x86` shuffles them for AVX-512 and AVX2, `neon` for NEON, [`Plain`] is
//! for all other machines.

use super::super::kernels::lanes::Pixels;
use super::super::lanes::{Lanes as _, Plain};
use super::transform::PLACES;

/// The most blocks in a vector: 32 lanes.
pub(super) const BLOCKS_MAX: usize = 4;
/// The most lanes.
pub(super) const LANES_MAX: usize = 8 * BLOCKS_MAX;

/// A quantized block in zigzag order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantized {
    pub values: [i16; 64],
    /// A bit for each value that is not zero.
    pub nonzero: u64,
}

impl Quantized {
    pub const EMPTY: Self = Self { values: [0; 64], nonzero: 0 };
}

/// Lanes that can handle blocks.
pub(super) trait Blocks: Pixels {
    /// The bytes as numbers, in their order.
    fn widen_both(self, bytes: Self::Bytes) -> [Self::Vector; 2];
    /// The sums of bytes 0 and 1, 2 and 3, and so on.
    fn neighbours(self, bytes: Self::Bytes) -> Self::Vector;
    /// Numbers as two bytes each, the lower one first.
    #[inline(always)]
    fn store_pairs(self, pairs: Self::Vector, to: &mut [u8]) {
        let mut numbers = [0_i16; LANES_MAX];
        self.store(pairs, &mut numbers);
        for (bytes, number) in to.chunks_exact_mut(2).zip(&numbers[..Self::COUNT]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
    }
    /// Of both the first number, then of both the second one, and so on.
    #[inline(always)]
    fn zip(self, a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2] {
        let (mut from, mut out) = ([[0; LANES_MAX]; 2], [0; 2 * LANES_MAX]);
        self.store(a, &mut from[0]);
        self.store(b, &mut from[1]);
        for at in 0..2 * Self::COUNT {
            out[at] = from[at % 2][at / 2];
        }
        [self.load(&out), self.load(&out[Self::COUNT..])]
    }
    /// [`Blocks::zip`] in the halves of [`super::super::lanes::Lanes::weigh`].
    #[inline(always)]
    fn alternate(self, a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2] {
        self.zip(a, b)
    }
    /// From columns (lane n of a block is its row n) into the order of the file; there are as many blocks as in a vector.
    #[inline(always)]
    fn zigzag(self, columns: [Self::Vector; 8], blocks: &mut [Quantized]) {
        let mut lanes = [[0; LANES_MAX]; 8];
        for column in 0..8 {
            self.store(columns[column], &mut lanes[column]);
        }
        for (number, block) in blocks.iter_mut().enumerate().take(Self::COUNT / 8) {
            for (value, place) in block.values.iter_mut().zip(PLACES) {
                let place = usize::from(place);
                *value = lanes[place % 8][8 * number + place / 8];
            }
            block.nonzero = 0;
            for at in 0..64 {
                block.nonzero |= u64::from(block.values[at] != 0) << at;
            }
        }
    }
}

impl Blocks for Plain {
    #[inline(always)]
    fn widen_both(self, bytes: Self::Bytes) -> [Self::Vector; 2] {
        let mut halves = [self.splat(0); 2];
        for (at, byte) in bytes.into_iter().enumerate() {
            halves[at / Self::COUNT][at % Self::COUNT] = i16::from(byte);
        }
        halves
    }

    #[inline(always)]
    fn neighbours(self, bytes: Self::Bytes) -> Self::Vector {
        let mut sums = self.splat(0);
        for (sum, [one, other]) in sums.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *sum = i16::from(*one) + i16::from(*other);
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use fearless_simd::prelude::*;
    use fearless_simd::{Avx2, Avx512, i16x8};

    use super::super::super::lanes::{Lanes, operation, quarters};
    use super::{Blocks, PLACES, Quantized};

    operation!(widen_512, Avx512, (bytes: __m512i) -> [__m512i; 2], {
        let high = _mm512_extracti64x4_epi64::<1>(bytes);
        [_mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes)), _mm512_cvtepu8_epi16(high)]
    });
    operation!(neighbours_512, Avx512, (bytes: __m512i) -> __m512i, {
        _mm512_maddubs_epi16(bytes, _mm512_set1_epi8(1))
    });
    operation!(permute, Avx512, (low: __m512i, index: __m512i, high: __m512i) -> __m512i, {
        _mm512_permutex2var_epi16(low, index, high)
    });
    operation!(nonzero, Avx512, (values: __m512i) -> u32, _mm512_test_epi16_mask(values, values));

    operation!(zip_512, Avx512, (a: __m512i, b: __m512i) -> [__m512i; 2], {
        let (low, high) = (_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b));
        let (first, second) =
            (_mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15));
        [
            _mm512_permutex2var_epi64(low, first, high),
            _mm512_permutex2var_epi64(low, second, high),
        ]
    });

    operation!(alternate_512, Avx512, (a: __m512i, b: __m512i) -> [__m512i; 2], {
        [_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)]
    });

    /// Where each value of the file's order lies among the columns of its block, in two vectors.
    static FROM: [[i16; 32]; 2] = {
        let mut from = [[0; 32]; 2];
        let mut at = 0;
        while at < 64 {
            from[at / 32][at % 32] = (PLACES[at] % 8 * 8 + PLACES[at] / 8) as i16;
            at += 1;
        }
        from
    };

    impl Blocks for Avx512 {
        #[inline(always)]
        fn widen_both(self, bytes: __m512i) -> [__m512i; 2] {
            widen_512(self, bytes)
        }

        #[inline(always)]
        fn neighbours(self, bytes: __m512i) -> __m512i {
            neighbours_512(self, bytes)
        }

        #[inline(always)]
        fn store_pairs(self, pairs: __m512i, to: &mut [u8]) {
            self.store_bytes(pairs, to);
        }

        #[inline(always)]
        fn zip(self, a: __m512i, b: __m512i) -> [__m512i; 2] {
            zip_512(self, a, b)
        }

        #[inline(always)]
        fn alternate(self, a: __m512i, b: __m512i) -> [__m512i; 2] {
            alternate_512(self, a, b)
        }

        #[inline(always)]
        fn zigzag(self, columns: [__m512i; 8], blocks: &mut [Quantized]) {
            let [a, b, c, d, e, f, g, h] = columns;
            let (low, high) = (quarters(self, [a, b, c, d]), quarters(self, [e, f, g, h]));
            let (first, second) = (self.load(&FROM[0]), self.load(&FROM[1]));
            for (number, block) in blocks.iter_mut().enumerate().take(4) {
                let values = permute(self, low[number], first, high[number]);
                self.store(values, &mut block.values[..32]);
                block.nonzero = u64::from(nonzero(self, values));
                let values = permute(self, low[number], second, high[number]);
                self.store(values, &mut block.values[32..]);
                block.nonzero |= u64::from(nonzero(self, values)) << 32;
            }
        }
    }

    operation!(widen_256, Avx2, (bytes: __m256i) -> [__m256i; 2], {
        let high = _mm256_extracti128_si256::<1>(bytes);
        [_mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)), _mm256_cvtepu8_epi16(high)]
    });
    operation!(neighbours_256, Avx2, (bytes: __m256i) -> __m256i, {
        _mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1))
    });

    operation!(zip_256, Avx2, (a: __m256i, b: __m256i) -> [__m256i; 2], {
        let (low, high) = (_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b));
        [
            _mm256_permute2x128_si256::<0x20>(low, high),
            _mm256_permute2x128_si256::<0x31>(low, high),
        ]
    });

    operation!(alternate_256, Avx2, (a: __m256i, b: __m256i) -> [__m256i; 2], {
        [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
    });

    /// Where eight values of the file's order, of which `eight` is the number, lie in a column of their block: a mask for `pshufb`, which makes
    /// 0 of those that lie elsewhere. For both lanes, which are blocks.
    const fn of_column(eight: usize, column: usize) -> [u8; 32] {
        let mut mask = [0x80; 32];
        let mut at = 0;
        while at < 16 {
            let place = PLACES[8 * eight + at % 8] as usize;
            if place % 8 == column {
                let byte = at / 8 * 16 + at % 8 * 2;
                (mask[byte], mask[byte + 1]) = (place as u8 / 8 * 2, place as u8 / 8 * 2 + 1);
            }
            at += 1;
        }
        mask
    }

    operation!(picked, Avx2, (column: __m256i, mask: __m256i) -> __m256i, {
        _mm256_shuffle_epi8(column, mask)
    });
    operation!(both, Avx2, (a: __m256i, b: __m256i) -> __m256i, _mm256_or_si256(a, b));
    operation!(apart, Avx2, (a: __m256i) -> [__m128i; 2], {
        [_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a)]
    });
    // A bit for each value of two vectors that is zero: those of the lower lanes, then those of the upper ones.
    operation!(zeros, Avx2, (a: __m256i, b: __m256i) -> u32, {
        let zero = _mm256_setzero_si256();
        let (a, b) = (_mm256_cmpeq_epi16(a, zero), _mm256_cmpeq_epi16(b, zero));
        _mm256_movemask_epi8(_mm256_packs_epi16(a, b)) as u32
    });

    static OF_COLUMN: [[[u8; 32]; 8]; 8] = {
        let mut masks = [[[0; 32]; 8]; 8];
        let mut at = 0;
        while at < 64 {
            masks[at / 8][at % 8] = of_column(at / 8, at % 8);
            at += 1;
        }
        masks
    };

    /// Eight values of the file's order for both blocks, from the columns that have some of them.
    #[inline(always)]
    fn eight<const N: usize>(
        avx2: Avx2,
        columns: &[__m256i; 8],
        masks: &[[u8; 32]; 8],
        of: [usize; N],
    ) -> __m256i {
        let mut values = avx2.splat(0);
        for column in of {
            let mask = avx2.load_bytes(&masks[column]);
            values = both(avx2, values, picked(avx2, columns[column], mask));
        }
        values
    }

    impl Blocks for Avx2 {
        #[inline(always)]
        fn widen_both(self, bytes: __m256i) -> [__m256i; 2] {
            widen_256(self, bytes)
        }

        #[inline(always)]
        fn neighbours(self, bytes: __m256i) -> __m256i {
            neighbours_256(self, bytes)
        }

        #[inline(always)]
        fn store_pairs(self, pairs: __m256i, to: &mut [u8]) {
            self.store_bytes(pairs, to);
        }

        #[inline(always)]
        fn zip(self, a: __m256i, b: __m256i) -> [__m256i; 2] {
            zip_256(self, a, b)
        }

        #[inline(always)]
        fn alternate(self, a: __m256i, b: __m256i) -> [__m256i; 2] {
            alternate_256(self, a, b)
        }

        #[inline(always)]
        fn zigzag(self, columns: [__m256i; 8], blocks: &mut [Quantized]) {
            let eights = [
                eight(self, &columns, &OF_COLUMN[0], [0, 1, 2, 3]),
                eight(self, &columns, &OF_COLUMN[1], [0, 1, 2, 3, 4, 5]),
                eight(self, &columns, &OF_COLUMN[2], [0, 1, 2, 3, 4]),
                eight(self, &columns, &OF_COLUMN[3], [3, 4, 5, 6, 7]),
                eight(self, &columns, &OF_COLUMN[4], [0, 1, 2, 3, 4]),
                eight(self, &columns, &OF_COLUMN[5], [3, 4, 5, 6, 7]),
                eight(self, &columns, &OF_COLUMN[6], [2, 3, 4, 5, 6, 7]),
                eight(self, &columns, &OF_COLUMN[7], [4, 5, 6, 7]),
            ];
            let [first, second] = blocks.first_chunk_mut().expect("two blocks have room");
            (first.nonzero, second.nonzero) = (0, 0);
            for (at, eight) in eights.into_iter().enumerate() {
                let [low, high] = apart(self, eight);
                let (low, high): (i16x8<Avx2>, i16x8<Avx2>) =
                    (low.simd_into(self), high.simd_into(self));
                low.store_slice(&mut first.values[8 * at..8 * at + 8]);
                high.store_slice(&mut second.values[8 * at..8 * at + 8]);
            }
            for at in 0..4 {
                let nonzero = !zeros(self, eights[2 * at], eights[2 * at + 1]);
                first.nonzero |= u64::from(nonzero & 0xFFFF) << (16 * at);
                second.nonzero |= u64::from(nonzero >> 16) << (16 * at);
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use fearless_simd::Neon;

    use super::super::super::lanes::{Lanes, operation};
    use super::Blocks;

    operation!(neighbours, Neon, (bytes: uint8x16x2_t) -> int16x8x2_t, {
        int16x8x2_t(
            vreinterpretq_s16_u16(vpaddlq_u8(bytes.0)),
            vreinterpretq_s16_u16(vpaddlq_u8(bytes.1)),
        )
    });

    operation!(zip, Neon, (a: int16x8x2_t, b: int16x8x2_t) -> [int16x8x2_t; 2], {
        [
            int16x8x2_t(vzip1q_s16(a.0, b.0), vzip2q_s16(a.0, b.0)),
            int16x8x2_t(vzip1q_s16(a.1, b.1), vzip2q_s16(a.1, b.1)),
        ]
    });

    impl Blocks for Neon {
        #[inline(always)]
        fn zip(self, a: int16x8x2_t, b: int16x8x2_t) -> [int16x8x2_t; 2] {
            zip(self, a, b)
        }

        #[inline(always)]
        fn widen_both(self, bytes: uint8x16x2_t) -> [int16x8x2_t; 2] {
            self.weigh::<1, 0>(bytes, bytes)
        }

        #[inline(always)]
        fn neighbours(self, bytes: uint8x16x2_t) -> int16x8x2_t {
            neighbours(self, bytes)
        }
    }
}
