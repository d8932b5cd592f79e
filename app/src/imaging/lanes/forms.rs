//! From operations of an instruction set to its [`Lanes`](super::Lanes): what all sets write alike. Every operation stands in a `kernel!`, which
//! makes its intrinsics safe: the token proves that the machine has them.

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
pub(in super::super) use operation;

/// Three rounds of interleaving, within each 128 bits: pairs of numbers, of two, of four.
macro_rules! turned {
    ($rows:ident, $low16:ident, $high16:ident, $low32:ident, $high32:ident, $low64:ident, $high64:ident) => {{
        let [a, b, c, d, e, f, g, h] = $rows;
        let (ab, cd, ef, gh) = ($low16(a, b), $low16(c, d), $low16(e, f), $low16(g, h));
        let (abcd, efgh) = ([$low32(ab, cd), $high32(ab, cd)], [$low32(ef, gh), $high32(ef, gh)]);
        let (ab, cd, ef, gh) = ($high16(a, b), $high16(c, d), $high16(e, f), $high16(g, h));
        let (more, rest) = ([$low32(ab, cd), $high32(ab, cd)], [$low32(ef, gh), $high32(ef, gh)]);
        [
            $low64(abcd[0], efgh[0]),
            $high64(abcd[0], efgh[0]),
            $low64(abcd[1], efgh[1]),
            $high64(abcd[1], efgh[1]),
            $low64(more[0], rest[0]),
            $high64(more[0], rest[0]),
            $low64(more[1], rest[1]),
            $high64(more[1], rest[1]),
        ]
    }};
}
pub(super) use turned;

/// A square of numbers, its rows as the columns of another one or of itself: all of it is read before anything is written.
macro_rules! transposed {
    ($lanes:expr, $count:literal, $parts:ident, $from:expr, $to:expr) => {{
        let from = &$from[..$count * $count];
        let mut turned = [[$lanes.splat(0); 8]; $count / 8];
        for (band, turned) in turned.iter_mut().enumerate() {
            let mut rows = [$lanes.splat(0); 8];
            for (row, vector) in rows.iter_mut().enumerate() {
                *vector = $lanes.load(&from[(8 * band + row) * $count..]);
            }
            *turned = $lanes.turn(rows);
        }
        let to = &mut $to[..$count * $count];
        for column in 0..8 {
            let mut parts = [$lanes.splat(0); $count / 8];
            for (part, turned) in parts.iter_mut().zip(&turned) {
                *part = turned[column];
            }
            for (block, vector) in $parts($lanes, parts).into_iter().enumerate() {
                $lanes.store(vector, &mut to[(8 * block + column) * $count..]);
            }
        }
    }};
}
pub(super) use transposed;

/// [`Lanes`](super::Lanes) by operations, in this order of arguments.
macro_rules! lanes {
    ($token:ident, $count:literal, $vector:ty, $doubled:ty, $numbers:ident, $bytes:ident, $double:ident,
     $splat:ident, $widen:ident, $narrow:ident, $left:ident, $right:ident, $select:ident,
     $numbered:ident, $weigh:ident, $join:ident, $turn:ident, $parts:ident, $fetch:ident,
     $($method:ident = $pair:ident),* $(,)?) => {
        impl Lanes for $token {
            const COUNT: usize = $count;
            type Vector = $vector;

            #[inline(always)]
            fn splat(self, value: i16) -> $vector {
                $splat(self, value)
            }

            #[inline(always)]
            fn load(self, from: &[i16]) -> $vector {
                $numbers::from_slice(self, &from[..$count]).into()
            }

            #[inline(always)]
            fn store(self, vector: $vector, to: &mut [i16]) {
                let vector: $numbers<$token> = vector.simd_into(self);
                vector.store_slice(&mut to[..$count]);
            }

            #[inline(always)]
            fn widen(self, from: &[u8]) -> $vector {
                $widen(self, $bytes::from_slice(self, &from[..$count]).into())
            }

            #[inline(always)]
            fn narrow(self, vector: $vector, to: &mut [u8]) {
                let bytes: $bytes<$token> = $narrow(self, vector).simd_into(self);
                bytes.store_slice(&mut to[..$count]);
            }

            #[inline(always)]
            fn shift_left(self, a: $vector, bits: u32) -> $vector {
                $left(self, a, bits)
            }

            #[inline(always)]
            fn shift_right(self, a: $vector, bits: u32) -> $vector {
                $right(self, a, bits)
            }

            #[inline(always)]
            fn select(self, mask: $vector, a: $vector, b: $vector) -> $vector {
                $select(self, mask, a, b)
            }

            type Bytes = $doubled;

            #[inline(always)]
            fn load_bytes(self, from: &[u8]) -> $doubled {
                $double::from_slice(self, &from[..2 * $count]).into()
            }

            #[inline(always)]
            fn store_bytes(self, bytes: $doubled, to: &mut [u8]) {
                let bytes: $double<$token> = bytes.simd_into(self);
                bytes.store_slice(&mut to[..2 * $count]);
            }

            #[inline(always)]
            fn weigh<const A: i8, const B: i8>(self, a: $doubled, b: $doubled) -> [$vector; 2] {
                if A == 1 && B == 0 {
                    return $numbered(self, a);
                }
                $weigh(self, a, b, i16::from_le_bytes([A as u8, B as u8]))
            }

            #[inline(always)]
            fn narrow_both(self, [low, high]: [$vector; 2]) -> $doubled {
                $join(self, low, high)
            }

            #[inline(always)]
            fn turn(self, rows: [$vector; 8]) -> [$vector; 8] {
                $turn(self, rows)
            }

            #[inline(always)]
            fn transpose(self, from: &[i16], to: &mut [i16]) {
                transposed!(self, $count, $parts, from, to);
            }

            #[inline(always)]
            fn transpose_here(self, square: &mut [i16]) {
                transposed!(self, $count, $parts, square, square);
            }

            #[inline(always)]
            fn transpose_bytes(self, columns: &[i16], to: &mut [u8], stride: usize) {
                let columns = &columns[..2 * $count * $count];
                let mut turned = [[self.splat(0); 8]; $count / 8];
                for (band, turned) in turned.iter_mut().enumerate() {
                    // Two columns in a number, which then are two bytes of its row.
                    let mut pairs = [self.splat(0); 8];
                    for (pair, vector) in pairs.iter_mut().enumerate() {
                        let at = 2 * (8 * band + pair) * $count;
                        let second = self.shift_left(self.load(&columns[at + $count..]), 8);
                        *vector = self.add_wrapping(self.load(&columns[at..]), second);
                    }
                    *turned = self.turn(pairs);
                }
                let to = &mut to[..($count - 1) * stride + 2 * $count];
                for row in 0..8 {
                    let mut parts = [self.splat(0); $count / 8];
                    for (part, turned) in parts.iter_mut().zip(&turned) {
                        *part = turned[row];
                    }
                    for (block, vector) in $parts(self, parts).into_iter().enumerate() {
                        let numbers: $numbers<$token> = vector.simd_into(self);
                        let bytes: $double<$token> = numbers.bitcast();
                        bytes.store_slice(&mut to[(8 * block + row) * stride..][..2 * $count]);
                    }
                }
            }

            #[inline(always)]
            fn apart<R>(self, work: impl FnOnce() -> R) -> R {
                fearless_simd::Simd::vectorize(self, work)
            }

            #[inline(always)]
            fn fetch(self, bytes: &[u8]) {
                $fetch(bytes);
            }

            $(
                #[inline(always)]
                fn $method(self, a: $vector, b: $vector) -> $vector {
                    $pair(self, a, b)
                }
            )*
        }
    };
}
pub(super) use lanes;
