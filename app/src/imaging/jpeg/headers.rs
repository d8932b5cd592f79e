//! What stands before the pixels of a JPEG: its size, its components, its tables. Both ways of reading begin here, so that they tolerate the same.
//!
//! What a decoder can do without is passed over: bytes between segments, an Adobe segment that is too short, a number of lines told in advance. Where
//! JFIF and Adobe contradict each other, and where components have the same number, the field's decoders (libjpeg and its kin) agree on what is meant, and so does this one.

use super::Damage;

/// One Huffman table as written: how many codes of each length from 1 to 16, and their symbols.
#[derive(Clone, Copy, Default)]
pub(super) struct Codes<'a> {
    pub counts: [u8; 16],
    pub symbols: &'a [u8],
}

/// One component's place in the MCU.
#[derive(Clone)]
pub(super) struct Component {
    id: u8,
    /// Blocks in an MCU.
    pub across: usize,
    pub down: usize,
    quantization_table: usize,
}

/// A component of a scan: which one of the frame's, and its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selected {
    pub component: usize,
    pub dc_table: usize,
    pub ac_table: usize,
}

/// A scan's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanHeader {
    pub components: Vec<Selected>,
    /// The first and the last coefficient, in zigzag order.
    pub band: (usize, usize),
    /// How many low bits are still missing, before and after this scan.
    pub bits_missing: (u8, u8),
}

/// What the numbers of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    /// Luma and chroma.
    Ycc,
    Rgb,
    /// Cyan, magenta, yellow and black, 255 being none of it.
    Inks,
    /// The first three of them as luma and chroma.
    YccInks,
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Headers<'a> {
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    pub is_progressive: bool,
    pub components: Vec<Component>,
    quantization: [Option<[u16; 64]>; 4],
    /// Lengths of codes and their symbols, as DHT holds them.
    pub dc_codes: [Codes<'a>; 4],
    pub ac_codes: [Codes<'a>; 4],
    /// MCUs between two restart markers; 0 without markers.
    pub restart_interval: usize,
    adobe_transform: Option<u8>,
    is_jfif: bool,
}

/// A segment that is shorter than what it should hold.
const SHORT: Damage = Damage::Wrong("its headers are not whole");

impl<'a> Headers<'a> {
    /// Takes in what a segment says. Scans and the end are the caller's.
    pub fn take(&mut self, marker: u8, body: &'a [u8]) -> Result<(), Damage> {
        match marker {
            0xC0..=0xC2 => {
                self.is_progressive = marker == 0xC2;
                self.start_of_frame(body)
            }
            0xC4 => self.huffman_tables(body),
            0xDB => self.quantization_tables(body),
            0xDD => {
                self.restart_interval = be16(body, 0).ok_or(SHORT)?;
                Ok(())
            }
            0xE0 => {
                self.is_jfif |= body.starts_with(b"JFIF\0");
                Ok(())
            }
            0xEE if body.starts_with(b"Adobe") => {
                self.adobe_transform = body.get(11).copied().or(self.adobe_transform);
                Ok(())
            }
            // `probe` has refused both by name.
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                Err(Damage::Wrong("its pixels are stored in a rare way"))
            }
            _ => Ok(()),
        }
    }

    fn start_of_frame(&mut self, body: &[u8]) -> Result<(), Damage> {
        let [precision, _, _, _, _, count, components @ ..] = body else { return Err(SHORT) };
        if *precision != 8 || self.size.is_some() {
            return Err(Damage::Wrong("its headers contradict each other"));
        }
        let height = be16(body, 1).ok_or(SHORT)? as u32;
        self.size = Some((be16(body, 3).ok_or(SHORT)? as u32, height));
        let (components, rest) = components.as_chunks::<3>();
        if components.len() != usize::from(*count) || !rest.is_empty() {
            return Err(SHORT);
        }
        let ids = unique(components.iter().map(|[id, _, _]| *id));
        for (id, [_, sampling, table]) in ids.into_iter().zip(components) {
            let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(Damage::Wrong("its headers make no sense"));
            }
            let quantization_table = usize::from(*table);
            self.components.push(Component { id, across, down, quantization_table });
        }
        Ok(())
    }

    fn quantization_tables(&mut self, mut body: &[u8]) -> Result<(), Damage> {
        while let [kind, rest @ ..] = body {
            let wide = kind >> 4;
            let bytes = 64 * (1 + usize::from(wide));
            let (values, rest) = rest.split_at_checked(bytes).ok_or(SHORT)?;
            let table = std::array::from_fn(|at| match wide {
                0 => u16::from(values[at]),
                _ => u16::from_be_bytes([values[2 * at], values[2 * at + 1]]),
            });
            let place = self.quantization.get_mut(usize::from(kind & 15)).filter(|_| wide < 2);
            *place.ok_or(Damage::Wrong("its headers make no sense"))? = Some(table);
            body = rest;
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut body: &'a [u8]) -> Result<(), Damage> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(total).ok_or(SHORT)?;
            let tables = match kind >> 4 {
                0 => Some(&mut self.dc_codes),
                1 => Some(&mut self.ac_codes),
                _ => None,
            };
            let place = tables.and_then(|tables| tables.get_mut(usize::from(kind & 15)));
            *place.ok_or(Damage::Wrong("its headers make no sense"))? =
                Codes { counts: *counts, symbols };
            body = rest;
        }
        Ok(())
    }

    /// A scan's header, whose components the frame must have.
    pub fn scan(&self, body: &[u8]) -> Result<ScanHeader, Damage> {
        let [count, rest @ ..] = body else { return Err(SHORT) };
        let (selectors, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or(SHORT)?;
        let [first, last, bits, ..] = rest else { return Err(SHORT) };
        let selectors = selectors.as_chunks::<2>().0;
        let mut components = Vec::with_capacity(selectors.len());
        for (id, [_, tables]) in
            unique(selectors.iter().map(|[id, _]| *id)).into_iter().zip(selectors)
        {
            let found = self.components.iter().position(|component| component.id == id);
            let component = found.ok_or(Damage::Wrong("its headers contradict each other"))?;
            let (dc_table, ac_table) = (usize::from(tables >> 4 & 3), usize::from(tables & 3));
            components.push(Selected { component, dc_table, ac_table });
        }
        let band = (usize::from(*first), usize::from(*last));
        Ok(ScanHeader { components, band, bits_missing: (bits >> 4, bits & 15) })
    }

    /// The steps of a component, in zigzag order.
    pub fn quantization(&self, component: usize) -> Result<[u16; 64], Damage> {
        let table = self.components[component].quantization_table;
        let table = self.quantization.get(table).copied().flatten();
        table.ok_or(Damage::Wrong("a table of it is missing"))
    }

    /// The most blocks of a component in an MCU, across and down; 1 where there are no components.
    pub fn most(&self) -> (usize, usize) {
        let most =
            |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        (most(|one| one.across), most(|one| one.down))
    }

    /// As libjpeg and all of its kin decide; none for two components and for more than four.
    pub fn colours(&self) -> Option<Colours> {
        match (&self.components[..], self.adobe_transform) {
            ([_], _) => Some(Colours::Grey),
            ([_, _, _], _) if self.is_jfif => Some(Colours::Ycc),
            ([_, _, _], Some(0)) => Some(Colours::Rgb),
            ([_, _, _], Some(_)) => Some(Colours::Ycc),
            // Without a word of JFIF or Adobe, components named R, G and B are just that.
            ([red, green, blue], None) => {
                let is_rgb = [red.id, green.id, blue.id] == *b"RGB";
                Some(if is_rgb { Colours::Rgb } else { Colours::Ycc })
            }
            ([_, _, _, _], None | Some(0)) => Some(Colours::Inks),
            ([_, _, _, _], Some(_)) => Some(Colours::YccInks),
            _ => None,
        }
    }
}

/// Numbers of components, each that was there before replaced by one more than the largest so far: some writers give all components one number.
fn unique(ids: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut seen: Vec<u8> = Vec::new();
    for id in ids {
        let largest = seen.iter().copied().max().unwrap_or(0);
        seen.push(if seen.contains(&id) { largest.wrapping_add(1) } else { id });
    }
    seen
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..at + 2)?;
    Some(usize::from(pair[0]) << 8 | usize::from(pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_one_number_are_told_apart_by_their_order() {
        assert_eq!(unique([1, 2, 3].into_iter()), [1, 2, 3]);
        assert_eq!(unique([1, 1, 1, 1].into_iter()), [1, 2, 3, 4]);
        assert_eq!(unique([0, 7, 7].into_iter()), [0, 7, 8]);
        assert_eq!(unique([b'R', b'G', b'B'].into_iter()), *b"RGB");
    }

    /// Adobe's segment with its last byte, or cut off before it.
    fn colours_of(ids: &[u8], jfif: bool, adobe: Option<&[u8]>) -> Option<Colours> {
        let mut frame = vec![8, 0, 8, 0, 8, ids.len() as u8];
        frame.extend(ids.iter().flat_map(|id| [*id, 0x11, 0]));
        let mut headers = Headers::default();
        headers.take(0xC0, &frame).expect("a frame");
        if jfif {
            headers.take(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0").expect("passed");
        }
        if let Some(adobe) = adobe {
            headers.take(0xEE, adobe).expect("passed");
        }
        headers.colours()
    }

    #[test]
    fn colours_are_what_libjpeg_takes_them_for() {
        let adobe = |transform: u8| [&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat();
        let of = |ids: &[u8], jfif, transform: Option<u8>| {
            colours_of(ids, jfif, transform.map(adobe).as_deref())
        };
        assert_eq!(of(&[1], false, None), Some(Colours::Grey));
        assert_eq!(of(&[1, 2, 3], false, None), Some(Colours::Ycc));
        assert_eq!(of(&[1, 2, 3], false, Some(0)), Some(Colours::Rgb));
        assert_eq!(of(&[1, 2, 3], true, Some(0)), Some(Colours::Ycc), "JFIF decides");
        assert_eq!(of(&[1, 2, 3], false, Some(2)), Some(Colours::Ycc));
        assert_eq!(of(b"RGB", false, None), Some(Colours::Rgb));
        assert_eq!(of(b"RGB", true, None), Some(Colours::Ycc));
        assert_eq!(of(&[1, 1, 1, 1], false, None), Some(Colours::Inks));
        assert_eq!(of(&[1, 2, 3, 4], false, Some(2)), Some(Colours::YccInks));
        assert_eq!(of(&[1, 2], false, None), None);
        assert_eq!(colours_of(&[1, 2, 3], true, Some(b"Adobe\0\x64")), Some(Colours::Ycc));
    }
}
