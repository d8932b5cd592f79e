//! Vectors of 16-bit numbers, for kernels that are written once and compiled for each instruction set.
//!
//! A kernel is generic over [`Lanes`] and runs in `with_lanes!`, which chooses: AVX-512, AVX2 (`lanes::x86`), NEON (`lanes::neon`), all three with
//! explicit instructions, or [`Plain`], arrays that compilers turn into what vector instructions the machine has (SSE). Plain arrays alone would not do:
//! compilers miss the one instruction that this arithmetic is made of ("multiply, high half, rounded") as soon as one factor is constant.
//! All operations are integer ones with one meaning, so that every form gives the same bits. `kernels` adds shuffles of its own.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod forms;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use self::forms::operation;
#[cfg(target_arch = "x86_64")]
pub(super) use self::x86::quarters;

/// How many bytes before they are needed bytes are fetched, by kernels that go through memory faster than processors look ahead.
const FETCH_AHEAD: usize = 12 * 1_024;

/// Fetches `count` bytes of what lies before a kernel, far enough away that they will have come when they are needed.
#[inline(always)]
pub fn fetch_ahead<L: Lanes>(lanes: L, rest: &[u8], count: usize) {
    if let Some(bytes) = rest.get(FETCH_AHEAD..FETCH_AHEAD + count) {
        lanes.fetch(bytes);
    }
}

/// One instruction set's vectors of [`Lanes::COUNT`] 16-bit numbers.
pub trait Lanes: Copy {
    /// Numbers in a vector.
    const COUNT: usize;
    /// Whether loops of a known length are worth their code: with them, plain arrays took twice as long to compile.
    const UNROLLS: bool = true;
    /// The vector.
    type Vector: Copy;
    /// The same number everywhere.
    fn splat(self, value: i16) -> Self::Vector;
    /// The first [`Lanes::COUNT`] numbers.
    fn load(self, from: &[i16]) -> Self::Vector;
    /// Over the first [`Lanes::COUNT`] numbers.
    fn store(self, vector: Self::Vector, to: &mut [i16]);
    /// The first [`Lanes::COUNT`] bytes, each as a number of 0 to 255.
    fn widen(self, from: &[u8]) -> Self::Vector;
    /// As bytes over the first [`Lanes::COUNT`] of `to`: below 0 is 0, above 255 is 255.
    fn narrow(self, vector: Self::Vector, to: &mut [u8]);
    /// Signed, saturating.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Signed, saturating.
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Modulo 2^16.
    fn add_wrapping(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Modulo 2^16.
    fn subtract_wrapping(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a * b / 2^15, rounded.
    fn multiply_high(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a * b / 2^16 of unsigned numbers, rounded down.
    fn multiply_high_unsigned(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a * b modulo 2^16.
    fn multiply_low(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger one, signed.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller one, signed.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// All bits where a > b, signed; none elsewhere.
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a * 2^bits modulo 2^16.
    fn shift_left(self, a: Self::Vector, bits: u32) -> Self::Vector;
    /// a / 2^bits, unsigned, rounded down.
    fn shift_right(self, a: Self::Vector, bits: u32) -> Self::Vector;
    /// Where `mask` has all bits, `a`; where it has none, `b`.
    fn select(self, mask: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// Twice as many bytes.
    type Bytes: Copy;
    /// The first 2 * [`Lanes::COUNT`] bytes.
    fn load_bytes(self, from: &[u8]) -> Self::Bytes;
    /// Over the first 2 * [`Lanes::COUNT`] bytes.
    fn store_bytes(self, bytes: Self::Bytes, to: &mut [u8]);
    /// For each byte A * a + B * b, saturating. Which bytes are in which half is the set's own affair, the same for all of its halves;
    /// but four bytes that begin at a multiple of four stay side by side, so that alpha is every fourth number there as well.
    fn weigh<const A: i8, const B: i8>(self, a: Self::Bytes, b: Self::Bytes) -> [Self::Vector; 2];
    /// Halves as bytes: below 0 is 0, above 255 is 255.
    fn narrow_both(self, halves: [Self::Vector; 2]) -> Self::Bytes;
    /// Each eight lanes of eight vectors are 8x8 numbers: their rows become columns.
    fn turn(self, rows: [Self::Vector; 8]) -> [Self::Vector; 8];
    /// Rows become columns, of a square of [`Lanes::COUNT`] x [`Lanes::COUNT`] numbers.
    fn transpose(self, from: &[i16], to: &mut [i16]);
    /// [`Lanes::transpose`] of a square in its own place.
    fn transpose_here(self, square: &mut [i16]);
    /// Columns become rows of bytes: of 2 * [`Lanes::COUNT`] columns of as many numbers as a vector has, each from 0 to 255, the rows,
    /// which begin `stride` bytes after each other in `to`.
    fn transpose_bytes(self, columns: &[i16], to: &mut [u8], stride: usize);
    /// Does the work, an `#[inline(always)]` closure, in a function of its own compiled for the set: compilers leave calls in functions
    /// that are too large.
    fn apart<R>(self, work: impl FnOnce() -> R) -> R;
    /// Has the bytes brought into the first cache, where the set can ask for that; it takes no time to ask.
    fn fetch(self, _bytes: &[u8]) {}
}

/// Does the work with the lanes of a level, under the given name. The work is to be `#[inline(always)]` with all that it calls, and without
/// closures but those given to [`Lanes::apart`]; others would be compiled as functions of their own, without the instruction set.
macro_rules! with_lanes {
    // With this token, if there is one; whether the work is done.
    (@try $token:expr, $lanes:ident => $work:expr) => {
        if let Some($lanes) = $token {
            fearless_simd::Simd::vectorize(
                $lanes,
                #[inline(always)]
                || $work,
            );
            true
        } else {
            false
        }
    };
    ($level:expr, $lanes:ident => $work:expr) => {{
        use $crate::imaging::lanes::with_lanes;
        let level: fearless_simd::Level = $level;
        #[cfg(target_arch = "x86_64")]
        let done = with_lanes!(@try level.as_avx512(), $lanes => $work)
            || with_lanes!(@try level.as_avx2(), $lanes => $work);
        #[cfg(target_arch = "aarch64")]
        let done = with_lanes!(@try level.as_neon(), $lanes => $work);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let done = false;
        if !done {
            let $lanes = $crate::imaging::lanes::Plain;
            fearless_simd::dispatch!(level, _simd => $work);
        }
    }};
}
pub(super) use with_lanes;

/// Transposes as many squares as both have.
#[inline(always)]
pub fn transpose_squares<L: Lanes>(lanes: L, from: &[i16], to: &mut [i16]) {
    let square = L::COUNT * L::COUNT;
    for (from, to) in from.chunks_exact(square).zip(to.chunks_exact_mut(square)) {
        lanes.transpose(from, to);
    }
}

/// Twice as many numbers as a vector has, in the halves of [`Lanes::weigh`].
#[inline(always)]
pub fn in_halves<L: Lanes>(lanes: L, numbers: &[i16]) -> [L::Vector; 2] {
    let mut bytes = [[0; BYTES_MAX]; 2];
    for (at, number) in numbers[..2 * L::COUNT].iter().enumerate() {
        [bytes[0][at], bytes[1][at]] = number.to_le_bytes();
    }
    let (low, high) = (lanes.load_bytes(&bytes[0]), lanes.load_bytes(&bytes[1]));
    let (mut halves, high) = (lanes.weigh::<1, 0>(low, low), lanes.weigh::<1, 0>(high, high));
    for half in 0..2 {
        halves[half] = lanes.add_wrapping(halves[half], lanes.shift_left(high[half], 8));
    }
    halves
}

/// Bytes of the largest vector.
pub const BYTES_MAX: usize = 64;

/// a * b / 2^15, rounded: what `pmulhrsw` computes.
#[inline(always)]
pub fn multiply_high(a: i16, b: i16) -> i16 {
    ((((i32::from(a) * i32::from(b)) >> 14) + 1) >> 1) as i16
}

/// Lanes without a word of any instruction set: the readable twin of the others.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

const PLAIN: usize = 16;

/// Applies an operation lane by lane.
macro_rules! each {
    ($a:ident, $b:ident => $value:expr) => {{
        let mut out = [0; PLAIN];
        for lane in 0..PLAIN {
            let ($a, $b) = ($a[lane], $b[lane]);
            out[lane] = $value;
        }
        out
    }};
}

impl Lanes for Plain {
    const COUNT: usize = PLAIN;
    const UNROLLS: bool = false;
    type Vector = [i16; PLAIN];

    #[inline(always)]
    fn splat(self, value: i16) -> Self::Vector {
        [value; PLAIN]
    }

    #[inline(always)]
    fn load(self, from: &[i16]) -> Self::Vector {
        *from.first_chunk().expect("a whole vector is there")
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, to: &mut [i16]) {
        *to.first_chunk_mut().expect("a whole vector has room") = vector;
    }

    #[inline(always)]
    fn widen(self, from: &[u8]) -> Self::Vector {
        let bytes: &[u8; PLAIN] = from.first_chunk().expect("a whole vector is there");
        let mut out = [0; PLAIN];
        for lane in 0..PLAIN {
            out[lane] = i16::from(bytes[lane]);
        }
        out
    }

    #[inline(always)]
    fn narrow(self, vector: Self::Vector, to: &mut [u8]) {
        let bytes: &mut [u8; PLAIN] = to.first_chunk_mut().expect("a whole vector has room");
        for lane in 0..PLAIN {
            bytes[lane] = vector[lane].clamp(0, 255) as u8;
        }
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.saturating_add(b))
    }

    #[inline(always)]
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.saturating_sub(b))
    }

    #[inline(always)]
    fn add_wrapping(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.wrapping_add(b))
    }

    #[inline(always)]
    fn subtract_wrapping(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.wrapping_sub(b))
    }

    #[inline(always)]
    fn multiply_high(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => multiply_high(a, b))
    }

    #[inline(always)]
    fn multiply_high_unsigned(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => ((u32::from(a as u16) * u32::from(b as u16)) >> 16) as i16)
    }

    #[inline(always)]
    fn multiply_low(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.wrapping_mul(b))
    }

    #[inline(always)]
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.max(b))
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => a.min(b))
    }

    #[inline(always)]
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b => -i16::from(a > b))
    }

    #[inline(always)]
    fn shift_left(self, mut a: Self::Vector, bits: u32) -> Self::Vector {
        for lane in &mut a {
            *lane <<= bits;
        }
        a
    }

    #[inline(always)]
    fn shift_right(self, mut a: Self::Vector, bits: u32) -> Self::Vector {
        for lane in &mut a {
            *lane = (*lane as u16 >> bits) as i16;
        }
        a
    }

    #[inline(always)]
    fn select(self, mask: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        let kept = each!(mask, a => mask & a);
        let other = each!(mask, b => !mask & b);
        each!(kept, other => kept | other)
    }
    type Bytes = [u8; 2 * PLAIN];

    #[inline(always)]
    fn load_bytes(self, from: &[u8]) -> Self::Bytes {
        *from.first_chunk().expect("a whole vector is there")
    }

    #[inline(always)]
    fn store_bytes(self, bytes: Self::Bytes, to: &mut [u8]) {
        *to.first_chunk_mut().expect("a whole vector has room") = bytes;
    }

    #[inline(always)]
    fn weigh<const A: i8, const B: i8>(self, a: Self::Bytes, b: Self::Bytes) -> [Self::Vector; 2] {
        let mut halves = [[0; PLAIN]; 2];
        for at in 0..2 * PLAIN {
            let first = i16::from(a[at]).wrapping_mul(i16::from(A));
            let second = i16::from(b[at]).wrapping_mul(i16::from(B));
            halves[at / PLAIN][at % PLAIN] = first.saturating_add(second);
        }
        halves
    }

    #[inline(always)]
    fn narrow_both(self, halves: [Self::Vector; 2]) -> Self::Bytes {
        let mut bytes = [0; 2 * PLAIN];
        for at in 0..2 * PLAIN {
            bytes[at] = halves[at / PLAIN][at % PLAIN].clamp(0, 255) as u8;
        }
        bytes
    }

    #[inline(always)]
    fn turn(self, rows: [Self::Vector; 8]) -> [Self::Vector; 8] {
        let mut columns = rows;
        for (number, column) in columns.iter_mut().enumerate() {
            for (lane, value) in column.iter_mut().enumerate() {
                *value = rows[lane % 8][lane / 8 * 8 + number];
            }
        }
        columns
    }

    #[inline(always)]
    fn apart<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline(always)]
    fn transpose(self, from: &[i16], to: &mut [i16]) {
        for (column, to) in to.chunks_exact_mut(PLAIN).take(PLAIN).enumerate() {
            for (row, value) in to.iter_mut().enumerate() {
                *value = from[row * PLAIN + column];
            }
        }
    }

    #[inline(always)]
    fn transpose_here(self, square: &mut [i16]) {
        for row in 0..PLAIN {
            for column in 0..row {
                square.swap(row * PLAIN + column, column * PLAIN + row);
            }
        }
    }

    #[inline(always)]
    fn transpose_bytes(self, columns: &[i16], to: &mut [u8], stride: usize) {
        for (at, column) in columns.chunks_exact(PLAIN).take(2 * PLAIN).enumerate() {
            for (row, value) in column.iter().enumerate() {
                to[row * stride + at] = *value as u8;
            }
        }
    }
}
