//! How a scan adds to a block's coefficients: all of them at once, or, in a progressive picture, some of their bits (T.81, G.1 and G.2).

use super::Damage;
use super::entropy::{Bits, Table};
use super::headers::ScanHeader;

/// More low bits cannot be missing: coefficients have 11 bits, and what the format allows is 13.
const LOW_MAX: u8 = 13;

/// A block's coefficients in zigzag order, not yet multiplied with their steps.
pub(super) type Block = [i16; 64];

/// What a scan brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Every coefficient, whole.
    Whole,
    /// Means without their `low` lowest bits.
    Means { low: u8 },
    /// One more bit of means.
    MeansBit { low: u8 },
    /// A band of the others without their `low` lowest bits.
    Band { first: usize, last: usize, low: u8 },
    /// One more bit of a band.
    BandBit { first: usize, last: usize, low: u8 },
}

/// What goes on from one block of a component to the next, until a restart.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    /// The last mean.
    predicted: i32,
    /// So many blocks that follow get nothing new.
    empty_blocks: u32,
}

impl Pass {
    /// What this scan of a picture brings.
    ///
    /// # Errors
    /// The header says what no picture can have.
    pub fn new(scan: &ScanHeader, is_progressive: bool) -> Result<Self, Damage> {
        if !is_progressive {
            return Ok(Self::Whole);
        }
        let ((first, last), (before, low)) = (scan.band, scan.bits_missing);
        let goes_on = before == 0 || before == low + 1;
        let is_band = first > 0 && last < 64 && first <= last && scan.components.len() == 1;
        if low > LOW_MAX || !goes_on || !(is_band || (first, last) == (0, 0)) {
            return Err(Damage::Wrong("its headers make no sense"));
        }
        Ok(match (is_band, before) {
            (false, 0) => Self::Means { low },
            (false, _) => Self::MeansBit { low },
            (true, 0) => Self::Band { first, last, low },
            (true, _) => Self::BandBit { first, last, low },
        })
    }

    /// The coefficients that it is about, and how many of their low bits are missing afterwards.
    pub fn brings(self) -> (std::ops::RangeInclusive<usize>, u8) {
        match self {
            Self::Whole => (0..=63, 0),
            Self::Means { low } | Self::MeansBit { low } => (0..=0, low),
            Self::Band { first, last, low } | Self::BandBit { first, last, low } => {
                (first..=last, low)
            }
        }
    }

    /// Reads what the scan holds of one block.
    pub fn read(
        self,
        bits: &mut Bits<'_>,
        (dc, ac): (&Table, &Table),
        state: &mut State,
        block: &mut Block,
    ) -> Result<(), Damage> {
        match self {
            Self::Whole => {
                block[0] = mean(bits, dc, state)?;
                whole(bits, ac, block)
            }
            Self::Means { low } => {
                block[0] = mean(bits, dc, state)? << low;
                Ok(())
            }
            Self::MeansBit { low } => {
                block[0] |= (bits.raw(1) as i16) << low;
                Ok(())
            }
            Self::Band { first, last, low } => band(bits, ac, state, &mut block[first..=last], low),
            Self::BandBit { first, last, low } => {
                band_bit(bits, ac, state, &mut block[first..=last], low)
            }
        }
    }
}

fn mean(bits: &mut Bits<'_>, dc: &Table, state: &mut State) -> Result<i16, Damage> {
    bits.refill();
    let (symbol, difference) = bits.symbol(dc)?;
    if symbol > 15 {
        return Err(Damage::UNREADABLE);
    }
    state.predicted = state.predicted.wrapping_add(difference);
    // More than 16 bits are no coefficient of an 8-bit picture: a damaged one may wrap.
    Ok(state.predicted as i16)
}

fn whole(bits: &mut Bits<'_>, ac: &Table, block: &mut Block) -> Result<(), Damage> {
    block[1..].fill(0);
    let mut at = 1;
    while at < 64 {
        bits.refill();
        let (symbol, number) = bits.symbol(ac)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                at += zeros as usize;
                *block.get_mut(at).ok_or(Damage::UNREADABLE)? = number as i16;
                at += 1;
            }
        }
    }
    Ok(())
}

/// A symbol without a number: so many blocks, this one included, have nothing more.
fn blocks_that_end(bits: &mut Bits<'_>, exponent: u32) -> u32 {
    (1 << exponent) + if exponent > 0 { bits.raw(exponent) } else { 0 }
}

fn band(
    bits: &mut Bits<'_>,
    ac: &Table,
    state: &mut State,
    band: &mut [i16],
    low: u8,
) -> Result<(), Damage> {
    if state.empty_blocks > 0 {
        state.empty_blocks -= 1;
        return Ok(());
    }
    let mut at = 0;
    while at < band.len() {
        bits.refill();
        let (symbol, number) = bits.symbol(ac)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => at += 16,
            (_, 0) => {
                state.empty_blocks = blocks_that_end(bits, zeros) - 1;
                break;
            }
            _ => {
                at += zeros as usize;
                *band.get_mut(at).ok_or(Damage::UNREADABLE)? = (number as i16) << low;
                at += 1;
            }
        }
    }
    Ok(())
}

/// One more bit of each coefficient that has some already; between them, first bits of others.
fn band_bit(
    bits: &mut Bits<'_>,
    ac: &Table,
    state: &mut State,
    band: &mut [i16],
    low: u8,
) -> Result<(), Damage> {
    let bit = 1_i16 << low;
    let mut at = 0;
    while state.empty_blocks == 0 && at < band.len() {
        bits.refill();
        let (symbol, number) = bits.symbol(ac)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        match size {
            0 if zeros < 15 => {
                state.empty_blocks = blocks_that_end(bits, zeros);
                break;
            }
            0 | 1 => {}
            // A first bit is one bit.
            _ => return Err(Damage::UNREADABLE),
        }
        // The zeros that are passed over are those that stay zero; the place behind them is for the new one.
        while let Some(value) = band.get_mut(at) {
            at += 1;
            if *value != 0 {
                refine(bits, value, bit);
            } else if zeros > 0 {
                zeros -= 1;
            } else {
                // Sixteen zeros have a place of their own for the last of them.
                if size > 0 {
                    *value = if number > 0 { bit } else { -bit };
                }
                break;
            }
        }
    }
    if state.empty_blocks > 0 {
        for value in band.iter_mut().skip(at).filter(|value| **value != 0) {
            refine(bits, value, bit);
        }
        state.empty_blocks -= 1;
    }
    Ok(())
}

fn refine(bits: &mut Bits<'_>, value: &mut i16, bit: i16) {
    if bits.raw(1) == 1 && value.unsigned_abs() & bit.unsigned_abs() == 0 {
        *value = value.wrapping_add(if *value > 0 { bit } else { -bit });
    }
}
