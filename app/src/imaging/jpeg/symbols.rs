//! Quantized blocks to symbols, and symbols to bits.

use super::blocks::Quantized;
use super::codes::Words;

/// What takes the symbols of a block: [`Sink`] writes them, [`Occurrences`] counts them.
pub(super) trait Symbols {
    /// What changes with every symbol: by value, so that it stays in registers until the block is written.
    type State: Copy;
    /// Before a block.
    fn begin(&self) -> Self::State;
    /// A symbol of one of the four codes, and the bits that follow it: as many as its low half says.
    fn symbol(&mut self, state: Self::State, code: usize, symbol: u32, bits: u32) -> Self::State;
    /// So many zeros, at most 15, and a number that is none.
    #[inline(always)]
    fn run(&mut self, state: Self::State, code: usize, zeros: u32, value: i32) -> Self::State {
        let (bits, written) = number(value);
        self.symbol(state, code, zeros << 4 | bits, written)
    }
    /// After a block.
    fn end(&mut self, state: Self::State);
    /// Moves what has become whole bytes to `out`; to be called after at most 24 blocks.
    fn flush(&mut self, out: &mut Vec<u8>);
}

/// How often each symbol of each code occurs.
pub(super) struct Occurrences(pub Box<[[u32; 256]; 4]>);

impl Symbols for Occurrences {
    type State = ();

    #[inline(always)]
    fn begin(&self) {}

    #[inline(always)]
    fn symbol(&mut self, (): (), code: usize, symbol: u32, _bits: u32) {
        self.0[code][symbol as usize & 255] += 1;
    }

    #[inline(always)]
    fn end(&mut self, (): ()) {}

    fn flush(&mut self, _out: &mut Vec<u8>) {}
}

/// Room for the bits of a unit's blocks and more: 4 MCUs of 6 blocks, of at most 64 symbols of 26 bits.
const SCRATCH: usize = 8_192;

/// Numbers from minus half of it to under half of it are small.
const SMALL: usize = 64;

/// Makes bytes of bits. They are collected as they come, without a question asked; [`Sink::flush`] stuffs the zeros behind bytes of FF.
pub(super) struct Sink {
    /// For each symbol its word, moved up by the bits that follow it, and, in the lowest five bits, how many bits both are.
    entries: [[u32; 256]; 4],
    /// The same of runs up to small numbers, with those, for both codes that have runs: what most of a file is made of.
    runs: Box<[[u32; 16 * SMALL]; 2]>,
    scratch: Box<[u8; SCRATCH]>,
    written: Written,
}

/// What a [`Sink`] has written.
#[derive(Clone, Copy, Default)]
pub(super) struct Written {
    /// Whole bytes in the scratch.
    filled: usize,
    /// The bits since then at the right end, below others that are written already; how many there are, at most 7.
    buffer: u64,
    count: u32,
}

impl Symbols for Sink {
    type State = Written;

    #[inline(always)]
    fn begin(&self) -> Written {
        self.written
    }

    #[inline(always)]
    fn symbol(&mut self, written: Written, code: usize, symbol: u32, bits: u32) -> Written {
        let entry = self.entries[code][symbol as usize & 255];
        self.put(written, entry >> 5 | bits, entry & 31)
    }

    #[inline(always)]
    fn run(&mut self, written: Written, code: usize, zeros: u32, value: i32) -> Written {
        let small = (value + SMALL as i32 / 2) as u32;
        if small >= SMALL as u32 {
            let (bits, rest) = number(value);
            return self.symbol(written, code, zeros << 4 | bits, rest);
        }
        let entry = self.runs[code / 2][(zeros * SMALL as u32 + small) as usize % (16 * SMALL)];
        self.put(written, entry >> 5, entry & 31)
    }

    #[inline(always)]
    fn end(&mut self, written: Written) {
        self.written = written;
    }

    #[inline(always)]
    fn flush(&mut self, out: &mut Vec<u8>) {
        let (words, rest) = self.scratch[..self.written.filled].as_chunks::<8>();
        for word in words {
            if has_ff(u64::from_ne_bytes(*word)) {
                stuff(word, out);
            } else {
                out.extend_from_slice(word);
            }
        }
        stuff(rest, out);
        self.written.filled = 0;
    }
}

impl Sink {
    pub fn new(words: [Words; 4]) -> Self {
        let entry = |(symbol, (word, length)): (usize, &(u16, u8))| {
            let bits = symbol as u32 & 15;
            (u32::from(*word) << bits) << 5 | (u32::from(*length) + bits)
        };
        let mut entries = [[0; 256]; 4];
        for (entries, words) in entries.iter_mut().zip(&words) {
            for (symbol, word) in words.iter().enumerate().filter(|(_, (_, length))| *length > 0) {
                entries[symbol] = entry((symbol, word));
            }
        }
        let mut runs = Box::new([[0; 16 * SMALL]; 2]);
        for (code, runs) in runs.iter_mut().enumerate() {
            let entries = &entries[2 * code + 1];
            for (zeros, runs) in runs.chunks_exact_mut(SMALL).enumerate() {
                for (small, run) in runs.iter_mut().enumerate() {
                    let (bits, rest) = number(small as i32 - SMALL as i32 / 2);
                    *run = entries[zeros << 4 | bits as usize] | rest << 5;
                }
            }
        }
        Self { entries, runs, scratch: Box::new([0; SCRATCH]), written: Written::default() }
    }

    /// From 1 to 26 bits, in the low end of `bits`, with nothing above them.
    #[inline(always)]
    fn put(&mut self, mut written: Written, bits: u32, count: u32) -> Written {
        written.buffer = written.buffer << count | u64::from(bits);
        written.count += count;
        let word = written.buffer << (64 - written.count);
        self.scratch[written.filled..written.filled + 8].copy_from_slice(&word.to_be_bytes());
        written.filled += written.count as usize / 8;
        written.count %= 8;
        written
    }

    /// Moves all that is left to `out`, the last byte filled up with ones.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.written.count > 0 {
            let missing = 8 - self.written.count;
            self.written = self.put(self.written, (1 << missing) - 1, missing);
        }
        self.flush(out);
    }
}

#[inline(always)]
fn stuff(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0xFF {
            out.push(0);
        }
    }
}

/// Whether one of the bytes is FF, that is, of the complement one is zero: the usual test.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    (!word).wrapping_sub(ONES) & word & (ONES << 7) != 0
}

/// A component while it is written: which of the four codes are its own, and the DC value that was last.
pub(super) struct Coder {
    pub dc: usize,
    pub ac: usize,
    pub last: i32,
}

/// How many bits the number has, and its bits as the format writes them: negative ones less one.
#[inline(always)]
fn number(value: i32) -> (u32, u32) {
    let sign = value >> 31;
    let bits = 32 - ((value ^ sign) - sign).leading_zeros();
    (bits, (value + sign) as u32 & ((1_u32 << bits) - 1))
}

impl Coder {
    #[inline(always)]
    pub fn block(&mut self, block: &Quantized, symbols: &mut impl Symbols) {
        let dc = i32::from(block.values[0]);
        let (bits, written) = number(dc - self.last);
        self.last = dc;
        let mut state = symbols.symbol(symbols.begin(), self.dc, bits, written);
        let mut before = 0;
        let mut nonzero = block.nonzero & !1;
        while nonzero != 0 {
            let at = nonzero.trailing_zeros();
            nonzero &= nonzero - 1;
            let mut zeros = at - before - 1;
            before = at;
            while zeros > 15 {
                state = symbols.symbol(state, self.ac, 0xF0, 0);
                zeros -= 16;
            }
            let value = i32::from(block.values[at as usize & 63]);
            state = symbols.run(state, self.ac, zeros, value);
        }
        if before < 63 {
            state = symbols.symbol(state, self.ac, 0, 0);
        }
        symbols.end(state);
    }
}
