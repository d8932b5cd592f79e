//! The entropy-coded bits: Huffman codes and the numbers that follow them.
//!
//! First the whole scan is freed of its stuffing (FF 00 is FF) and cut at its restart markers, so that the reader may load eight
//! bytes at any place (one pass of `memchr`, under 1 ms for 5 MB). Codes are looked up by their first [`LOOKUP`] bits; an entry
//! holds run and value at once when the number behind the code fits as well, which is so for most. Bits are kept left-aligned in 64,
//! refilled without a branch (F. Giesen, "Reading bits in far too many ways", variant 4).

use super::Damage;
use super::headers::Codes;
use super::transform::Group;

/// Bits that find an entry: 11 make a table of 8 KB, so that two of them with their companions stay in the first cache.
const LOOKUP: u32 = 11;
/// Two short codes with their numbers (11 bits each) leave 34 of 56, enough for the longest code and its number (31) in third place.
const SYMBOLS_PER_REFILL: usize = 3;
/// Zeros behind each segment, so that eight bytes can be loaded from its last one.
const PADDING: usize = 16;
/// Longest code of the format.
const CODE_BITS_MAX: usize = 16;

/// What the first bits of a code say, in one word: from the left the number behind the code where it fits (16 bits, else 0), the
/// symbol (8 bits: zero coefficients before this one, and how many bits the number has), and the bits to take (8 bits: of code and
/// number where the number is here, else of the code; 0 for a code longer than [`LOOKUP`]).
#[derive(Clone, Copy, Default)]
struct Entry(u32);

impl Entry {
    fn new(number: i32, symbol: u8, bits: u32) -> Self {
        Self((number as u32) << 16 | u32::from(symbol) << 8 | bits)
    }

    #[inline(always)]
    fn number(self) -> i32 {
        self.0 as i32 >> 16
    }

    #[inline(always)]
    fn symbol(self) -> u32 {
        self.0 >> 8 & 255
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        self.0 & 255
    }
}

/// A Huffman table, ready to be looked up.
pub(super) struct Table {
    entries: Box<[Entry; 1 << LOOKUP]>,
    /// For long codes: below this (left-aligned to 16 bits) a code has at most this many bits.
    limits: [u32; CODE_BITS_MAX + 1],
    /// What to add to a code of a length to find its symbol.
    offsets: [i32; CODE_BITS_MAX + 1],
    symbols: [u8; 256],
}

/// The tables of a picture.
pub(super) struct Tables {
    pub dc: [Table; 4],
    pub ac: [Table; 4],
}

impl Tables {
    pub fn new(dc_codes: &[Codes<'_>; 4], ac_codes: &[Codes<'_>; 4]) -> Self {
        Self { dc: dc_codes.each_ref().map(Table::new), ac: ac_codes.each_ref().map(Table::new) }
    }
}

impl Table {
    /// Canonical codes: of each length in order, each the one before plus one. Codes beyond their length's room (a damaged
    /// table) are left out; meeting them is damage.
    fn new(codes: &Codes<'_>) -> Self {
        let mut table = Self {
            entries: Box::new([Entry::default(); 1 << LOOKUP]),
            limits: [0; CODE_BITS_MAX + 1],
            offsets: [0; CODE_BITS_MAX + 1],
            symbols: [0; 256],
        };
        let (mut code, mut at) = (0_u32, 0_usize);
        for length in 1..=CODE_BITS_MAX {
            table.offsets[length] = at as i32 - code as i32;
            for _ in 0..codes.counts[length - 1] {
                if at >= codes.symbols.len().min(256) || code >= 1 << length {
                    break;
                }
                let symbol = codes.symbols[at];
                table.symbols[at] = symbol;
                table.enter(code, length as u32, symbol);
                code += 1;
                at += 1;
            }
            table.limits[length] = code << (CODE_BITS_MAX - length);
            code <<= 1;
        }
        table
    }

    /// A code longer than [`LOOKUP`] at the beginning of these bits: its symbol and its length. By value, so that the reader's state
    /// can stay in registers.
    #[cold]
    #[inline(never)]
    fn long_code(&self, bits: u64) -> Result<Entry, Damage> {
        let code = (bits >> (64 - CODE_BITS_MAX)) as u32;
        let fits = |length: &usize| code < self.limits[*length];
        let length = (1..=CODE_BITS_MAX).find(fits).ok_or(Damage::UNREADABLE)?;
        let at = (code >> (CODE_BITS_MAX - length)) as i32 + self.offsets[length];
        let symbol = usize::try_from(at).ok().and_then(|at| self.symbols.get(at));
        let symbol = *symbol.ok_or(Damage::UNREADABLE)?;
        Ok(Entry::new(0, symbol, length as u32))
    }

    /// Writes the entries that begin with this code.
    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        if length > LOOKUP {
            return;
        }
        let free = LOOKUP - length;
        let number_bits = u32::from(symbol & 15);
        for tail in 0..1_u32 << free {
            let entry = &mut self.entries[(code << free | tail) as usize];
            *entry = if number_bits > 0 && number_bits <= free {
                let number = extended(tail >> (free - number_bits), number_bits);
                Entry::new(number, symbol, length + number_bits)
            } else {
                Entry::new(0, symbol, length)
            };
        }
    }
}

/// The number that these bits mean: the upper half of their range as it is, the lower half below zero.
#[inline(always)]
fn extended(number: u32, bits: u32) -> i32 {
    // Without a branch: the first bit decides whether 2^bits - 1 is taken off.
    let negative = (number >> (bits - 1) & 1) as i32 - 1;
    number as i32 + (negative & (1 - (1 << bits)))
}

/// The scan without stuffing, cut at its restart markers.
pub(super) struct Scan {
    bytes: Vec<u8>,
    /// Where each segment begins and ends.
    segments: Vec<(usize, usize)>,
}

impl Scan {
    /// The scan that `data` begins with, of so many segments, at least one. What follows the last of them is not looked at: comments, tables and restart markers
    /// before the end of the picture, or no end at all, take nothing from it. Whether the last one holds all it should, [`Bits::check`] says.
    pub fn new(data: &[u8], segments: usize) -> Result<Self, Damage> {
        let mut scan = Self { bytes: Vec::with_capacity(data.len() + 64), segments: Vec::new() };
        let (mut from, mut begun) = (0, 0);
        while let Some(found) = memchr::memchr(0xFF, &data[from..]) {
            scan.bytes.extend_from_slice(&data[from..from + found]);
            from += found + 1;
            match data.get(from) {
                Some(0x00) => {
                    scan.bytes.push(0xFF);
                    from += 1;
                }
                // Fill bytes before a marker.
                Some(0xFF) => {}
                Some(marker @ 0xD0..=0xD7) if scan.segments.len() + 1 < segments => {
                    if usize::from(marker & 7) != scan.segments.len() % 8 {
                        return Err(Damage::Wrong("a part of its pixels is missing"));
                    }
                    scan.end_segment(&mut begun);
                    from += 1;
                }
                // Another marker, or the end of the file.
                Some(_) | None => {
                    from = data.len();
                    break;
                }
            }
        }
        scan.bytes.extend_from_slice(&data[from..]);
        scan.end_segment(&mut begun);
        if scan.segments.len() < segments { Err(Damage::Ended) } else { Ok(scan) }
    }

    fn end_segment(&mut self, begun: &mut usize) {
        self.segments.push((*begun, self.bytes.len()));
        self.bytes.resize(self.bytes.len() + PADDING, 0);
        *begun = self.bytes.len();
    }

    pub fn segments(&self) -> impl Iterator<Item = Bits<'_>> {
        self.segments
            .iter()
            .map(|(from, to)| Bits { bytes: &self.bytes[*from..to + PADDING], ..Bits::default() })
    }
}

/// Reads bits of one segment.
#[derive(Default, Clone, Copy)]
pub(super) struct Bits<'a> {
    /// The segment and its padding.
    bytes: &'a [u8],
    /// The next byte to load.
    next: usize,
    /// The next bits, from the left.
    buffer: u64,
    /// How many of them are loaded.
    loaded: u32,
}

impl Bits<'_> {
    /// At least 56 bits afterwards; zeros when the segment is over.
    #[inline(always)]
    pub fn refill(&mut self) {
        // Beyond the end the last eight zeros are loaded again; `check` finds out.
        let at = self.next.min(self.bytes.len().saturating_sub(8));
        if let Some(eight) = self.bytes[at..].first_chunk::<8>() {
            self.buffer |= u64::from_be_bytes(*eight) >> self.loaded;
        }
        self.next += (63 - self.loaded as usize) / 8;
        self.loaded |= 56;
    }

    #[inline(always)]
    fn take(&mut self, bits: u32) {
        self.buffer <<= bits & 63;
        self.loaded -= bits;
    }

    /// The symbol and the number of an entry that does not hold its number: bits for both must be loaded.
    #[inline(always)]
    fn long_symbol(&mut self, table: &Table, mut entry: Entry) -> Result<(u32, i32), Damage> {
        if entry.bits() == 0 {
            entry = table.long_code(self.buffer)?;
        }
        self.take(entry.bits());
        let bits = entry.symbol() & 15;
        if bits == 0 {
            return Ok((entry.symbol(), 0));
        }
        let number = (self.buffer >> (64 - bits)) as u32;
        self.take(bits);
        Ok((entry.symbol(), extended(number, bits)))
    }

    /// So many bits as they are, at least 1 and at most 16.
    #[inline(always)]
    pub fn raw(&mut self, count: u32) -> u32 {
        if self.loaded < count {
            self.refill();
        }
        let bits = (self.buffer >> (64 - count)) as u32;
        self.take(count);
        bits
    }

    /// The next symbol and the number behind it, when the buffer has been refilled.
    #[inline(always)]
    pub fn symbol(&mut self, table: &Table) -> Result<(u32, i32), Damage> {
        let entry = table.entries[(self.buffer >> (64 - LOOKUP)) as usize];
        match entry.number() {
            0 => self.long_symbol(table, entry),
            number => {
                self.take(entry.bits());
                Ok((entry.symbol(), number))
            }
        }
    }

    /// Reads the coefficients of one block of a group, which holds zeros there: in its lane of the places that [`Shape::lies`] has.
    ///
    /// [`Shape::lies`]: super::transform::Shape::lies
    #[inline(always)]
    pub fn block(
        &mut self,
        dc: &Table,
        ac: &Table,
        predicted: &mut i32,
        group: &mut Group,
        (lies, lane): (&[u16; 64], usize),
    ) -> Result<(), Damage> {
        // A copy of the reader stays in registers until the block is read.
        let mut bits = *self;
        bits.refill();
        let (symbol, difference) = bits.symbol(dc)?;
        if symbol > 15 {
            return Err(Damage::UNREADABLE);
        }
        *predicted = predicted.wrapping_add(difference);
        group.set(lane, *predicted);
        let mut at = 1;
        'block: while at < 64 {
            bits.refill();
            for _ in 0..SYMBOLS_PER_REFILL {
                let entry = ac.entries[(bits.buffer >> (64 - LOOKUP)) as usize];
                let mut number = entry.number();
                let mut symbol = entry.symbol();
                if number != 0 {
                    bits.take(entry.bits());
                } else {
                    (symbol, number) = bits.long_symbol(ac, entry)?;
                    if number == 0 {
                        // F0 is sixteen zeros; everything else without a number ends the block.
                        if symbol != 0xF0 {
                            break 'block;
                        }
                        at += 16;
                        break;
                    }
                    bits.refill();
                }
                at += (symbol >> 4) as usize;
                if at > 63 {
                    return Err(Damage::UNREADABLE);
                }
                group.set(usize::from(lies[at & 63]) + lane, number);
                at += 1;
                if at > 63 {
                    break 'block;
                }
            }
        }
        *self = bits;
        Ok(())
    }

    /// Whether more has been taken than there was.
    #[inline(always)]
    pub fn check(&self) -> Result<(), Damage> {
        let there = 8 * self.bytes.len().saturating_sub(PADDING);
        let taken = 8 * self.next - self.loaded as usize;
        if taken > there { Err(Damage::Ended) } else { Ok(()) }
    }
}
