//! Huffman codes for writing: the usual ones of the specification's Annex K, and the shortest for given symbols.

use std::borrow::Cow;
use std::cmp::Reverse;

/// A code as a file holds it: how many words of each length, and their symbols from the shortest on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    pub counts: [u8; 16],
    pub symbols: Cow<'static, [u8]>,
}

const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// Annex K.3: DC luma, AC luma, DC chroma, AC chroma.
pub(super) static USUAL: [Code; 4] = [
    Code {
        counts: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        symbols: Cow::Borrowed(&DC_SYMBOLS),
    },
    Code {
        counts: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
        symbols: Cow::Borrowed(&[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
            0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1,
            0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18,
            0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
            0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57,
            0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
            0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
            0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
            0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
            0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ]),
    },
    Code {
        counts: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        symbols: Cow::Borrowed(&DC_SYMBOLS),
    },
    Code {
        counts: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        symbols: Cow::Borrowed(&[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
            0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09,
            0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
            0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38,
            0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56,
            0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
            0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
            0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
            0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
            0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
            0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2,
            0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ]),
    },
];

/// The bits and the length of each symbol's code; length 0 for what has none.
pub(super) type Words = [(u16, u8); 256];

impl Code {
    /// The code that writes symbols which occur so often in the fewest bits, with words of at most 16 bits (Annex K.2: Huffman's
    /// tree, then words that are too long are shortened at the cost of others). No word is all ones, as the format wants it.
    pub fn optimal(occurrences: &[u32; 256]) -> Self {
        // One symbol more, which never occurs, gets the word of all ones.
        let mut weights: Vec<u64> = occurrences.iter().map(|count| u64::from(*count)).collect();
        weights.push(1);
        let mut lengths = [0_usize; 257];
        let mut groups: Vec<(u64, Vec<usize>)> = (0..257)
            .filter(|symbol| weights[*symbol] > 0)
            .map(|symbol| (weights[symbol], vec![symbol]))
            .collect();
        while groups.len() > 1 {
            // The rarest two; of equals the ones with the higher symbols, so that the extra one ends up longest.
            groups
                .sort_by_key(|(weight, members)| (Reverse(*weight), members.iter().max().copied()));
            let (Some(one), Some(other)) = (groups.pop(), groups.pop()) else { break };
            let members: Vec<usize> = one.1.into_iter().chain(other.1).collect();
            for symbol in &members {
                lengths[*symbol] += 1;
            }
            groups.push((one.0 + other.0, members));
        }
        let mut counts = [0_usize; 257];
        for length in lengths.into_iter().filter(|length| *length > 0) {
            counts[length] += 1;
        }
        for length in (17..counts.len()).rev() {
            while counts[length] > 0 {
                // Two words of this length become one a bit shorter, and one in use becomes two a bit longer.
                let mut shorter = length - 2;
                while counts[shorter] == 0 {
                    shorter -= 1;
                }
                counts[length] -= 2;
                counts[length - 1] += 1;
                counts[shorter + 1] += 2;
                counts[shorter] -= 1;
            }
        }
        // The longest word is the extra symbol's.
        if let Some(longest) = counts.iter_mut().rev().find(|count| **count > 0) {
            *longest -= 1;
        }
        let mut symbols: Vec<u8> =
            (0..=255).filter(|symbol| lengths[usize::from(*symbol)] > 0).collect();
        symbols.sort_by_key(|symbol| (lengths[usize::from(*symbol)], *symbol));
        Self {
            counts: std::array::from_fn(|at| counts[at + 1] as u8),
            symbols: Cow::Owned(symbols),
        }
    }

    pub fn words(&self) -> Words {
        let mut words = [(0, 0); 256];
        let (mut code, mut at) = (0_u16, 0);
        for (length, count) in (1_u8..).zip(self.counts) {
            for _ in 0..count {
                words[usize::from(self.symbols[at])] = (code, length);
                code = code.wrapping_add(1);
                at += 1;
            }
            code <<= 1;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits for symbols that occur so often.
    fn bits(code: &Code, occurrences: &[u32; 256]) -> u64 {
        let words = code.words();
        let each = occurrences.iter().zip(words);
        each.map(|(count, (_, length))| u64::from(*count) * u64::from(length)).sum()
    }

    #[test]
    fn optimal_codes_are_prefix_codes_without_a_word_of_ones() {
        // Fibonacci's numbers make the deepest trees.
        let mut fibonacci = [0; 256];
        let (mut one, mut other) = (1_u32, 1_u32);
        for count in fibonacci.iter_mut().take(40) {
            *count = one;
            (one, other) = (other, one + other);
        }
        let mut single = [0; 256];
        single[7] = 3;
        let spread: [u32; 256] = std::array::from_fn(|at| (at * at % 97) as u32);
        for occurrences in [fibonacci, single, spread, [1; 256]] {
            let code = Code::optimal(&occurrences);
            let total: u32 = code.counts.iter().map(|count| u32::from(*count)).sum();
            assert_eq!(total as usize, code.symbols.len());
            // Kraft's sum stays below 1: there is room for the word of ones.
            let used: u32 = (1..=16)
                .zip(code.counts)
                .map(|(length, count)| u32::from(count) << (16 - length))
                .sum();
            assert!(used < 1 << 16, "{used}");
            let words = code.words();
            for (symbol, count) in occurrences.iter().enumerate() {
                assert_eq!(words[symbol].1 > 0, *count > 0, "symbol {symbol}");
            }
        }
    }

    #[test]
    fn optimal_codes_are_no_longer_than_the_usual_ones() {
        for usual in &USUAL {
            let mut occurrences = [0; 256];
            for (at, symbol) in usual.symbols.iter().enumerate() {
                occurrences[usize::from(*symbol)] = 1 + (at * 7_919 % 1_000) as u32;
            }
            assert!(bits(&Code::optimal(&occurrences), &occurrences) <= bits(usual, &occurrences));
        }
    }
}
