//! The headers of a JPEG as this decoder needs them; [`Frame::read`] gives none for what is not for it.

use super::super::planar::Sampling;
use super::super::probe::JpegSegments;

/// A picture's headers and its entropy-coded data.
pub struct Frame<'a> {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    pub(super) components: Vec<Component>,
    /// The most blocks of a component in an MCU, across and down.
    pub(super) across_max: usize,
    pub(super) down_max: usize,
    /// MCUs between two restart markers; without markers, all of them.
    pub(super) restart_interval: usize,
    /// Lengths of codes and their symbols, as DHT holds them.
    pub(super) dc_codes: [Codes<'a>; 4],
    pub(super) ac_codes: [Codes<'a>; 4],
    /// From the byte after the scan's header to the end of the file.
    pub(super) data: &'a [u8],
}

/// One Huffman table as written: how many codes of each length from 1 to 16, and their symbols.
#[derive(Clone, Copy, Default)]
pub(super) struct Codes<'a> {
    pub counts: [u8; 16],
    pub symbols: &'a [u8],
}

/// One component's place in the MCU and its tables.
#[derive(Clone)]
pub(super) struct Component {
    id: u8,
    /// Blocks in an MCU.
    pub across: usize,
    pub down: usize,
    quantization_table: usize,
    /// In zigzag order.
    pub quantization: [u16; 64],
    pub dc_table: usize,
    pub ac_table: usize,
}

/// What has been read on the way to the scan.
#[derive(Default)]
struct Headers<'a> {
    size: Option<(u32, u32)>,
    components: Vec<Component>,
    quantization: [Option<[u16; 64]>; 4],
    dc_codes: [Codes<'a>; 4],
    ac_codes: [Codes<'a>; 4],
    restart_interval: usize,
    adobe_transform: Option<u8>,
    is_jfif: bool,
}

impl<'a> Frame<'a> {
    /// Reads everything before the entropy-coded data. None: not a picture for this decoder, or a damaged one, of which the
    /// other decoder will say what is wrong with it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Headers::default();
        let mut segments = JpegSegments::new(bytes);
        loop {
            let (marker, body) = segments.next_segment()?;
            match marker {
                0xC0 | 0xC1 => headers.start_of_frame(body)?,
                0xC4 => headers.huffman_tables(body)?,
                0xDA => return headers.into_frame(body, segments.rest()),
                0xDB => headers.quantization_tables(body)?,
                0xDD => headers.restart_interval = be16(body, 0)?,
                0xE0 => headers.is_jfif |= body.starts_with(b"JFIF\0"),
                0xEE if body.starts_with(b"Adobe") => {
                    headers.adobe_transform = Some(*body.get(11)?);
                }
                // Progressive, lossless, arithmetic; a height told after the scan; the end.
                0xC2..=0xCF | 0xDC | 0xD9 => return None,
                _ => {}
            }
        }
    }

    /// How chroma is sampled; none for a grey picture.
    pub(super) fn sampling(&self) -> Option<Sampling> {
        let is_grey = self.components.len() == 1;
        (!is_grey).then_some(Sampling {
            halved_across: self.across_max == 2,
            halved_down: self.down_max == 2,
        })
    }

    pub(super) fn mcus_across(&self) -> usize {
        (self.width as usize).div_ceil(8 * self.across_max)
    }

    pub(super) fn mcus_down(&self) -> usize {
        (self.height as usize).div_ceil(8 * self.down_max)
    }
}

impl<'a> Headers<'a> {
    fn start_of_frame(&mut self, body: &[u8]) -> Option<()> {
        let [precision, _, _, _, _, count, components @ ..] = body else { return None };
        if *precision != 8 || self.size.is_some() {
            return None;
        }
        self.size = Some((be16(body, 3)? as u32, be16(body, 1)? as u32));
        let (components, rest) = components.as_chunks::<3>();
        if components.len() != usize::from(*count) || !rest.is_empty() {
            return None;
        }
        for [id, sampling, table] in components {
            self.components.push(Component {
                id: *id,
                across: usize::from(sampling >> 4),
                down: usize::from(sampling & 15),
                quantization_table: usize::from(*table),
                quantization: [0; 64],
                dc_table: 0,
                ac_table: 0,
            });
        }
        Some(())
    }

    fn quantization_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let wide = kind >> 4;
            if wide > 1 {
                return None;
            }
            let bytes = 64 * (1 + usize::from(wide));
            let (values, rest) = rest.split_at_checked(bytes)?;
            let table = std::array::from_fn(|at| match wide {
                0 => u16::from(values[at]),
                _ => u16::from_be_bytes([values[2 * at], values[2 * at + 1]]),
            });
            *self.quantization.get_mut(usize::from(kind & 15))? = Some(table);
            body = rest;
        }
        Some(())
    }

    fn huffman_tables(&mut self, mut body: &'a [u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            let tables = match kind >> 4 {
                0 => &mut self.dc_codes,
                1 => &mut self.ac_codes,
                _ => return None,
            };
            *tables.get_mut(usize::from(kind & 15))? = Codes { counts: *counts, symbols };
            body = rest;
        }
        Some(())
    }

    /// With the scan's header, everything is known.
    fn into_frame(mut self, scan: &[u8], data: &'a [u8]) -> Option<Frame<'a>> {
        let (width, height) = self.size.filter(|(width, height)| *width > 0 && *height > 0)?;
        let [count, rest @ ..] = scan else { return None };
        let (selectors, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        // All frequencies at once, and every component in this one scan.
        if *rest != [0, 63, 0] || usize::from(*count) != self.components.len() {
            return None;
        }
        for (component, selector) in self.components.iter_mut().zip(selectors.as_chunks::<2>().0) {
            if component.id != selector[0] {
                return None;
            }
            (component.dc_table, component.ac_table) =
                (usize::from(selector[1] >> 4), usize::from(selector[1] & 15));
            let known = |codes: &[Codes<'_>; 4], table: usize| {
                codes.get(table).is_some_and(|codes| !codes.symbols.is_empty())
            };
            if !known(&self.dc_codes, component.dc_table)
                || !known(&self.ac_codes, component.ac_table)
            {
                return None;
            }
            component.quantization = (*self.quantization.get(component.quantization_table)?)?;
        }
        if !self.colours_are_ours() {
            return None;
        }
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max();
        let (across_max, down_max) = (most(|one| one.across)?, most(|one| one.down)?);
        let mut frame = Frame {
            width,
            height,
            components: self.components,
            across_max,
            down_max,
            restart_interval: self.restart_interval,
            dc_codes: self.dc_codes,
            ac_codes: self.ac_codes,
            data,
        };
        if frame.restart_interval == 0 {
            frame.restart_interval = frame.mcus_across() * frame.mcus_down();
        }
        Some(frame)
    }

    /// Grey, or YCbCr with chroma at full or half size in either direction.
    fn colours_are_ours(&mut self) -> bool {
        match &mut self.components[..] {
            [grey] => {
                // A scan of one component has no MCUs but blocks, whatever its sampling says.
                (grey.across, grey.down) = (1, 1);
                true
            }
            [luma, blue, red] => {
                let sampled = (1..=2).contains(&luma.across)
                    && (1..=2).contains(&luma.down)
                    && [&*blue, &*red].iter().all(|chroma| (chroma.across, chroma.down) == (1, 1));
                // Without a word of JFIF or Adobe, components named R, G and B are just that.
                let named_rgb = [luma.id, blue.id, red.id] == *b"RGB" && !self.is_jfif;
                sampled && self.adobe_transform.map_or(!named_rgb, |transform| transform == 1)
            }
            _ => false,
        }
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..at + 2)?;
    Some(usize::from(pair[0]) << 8 | usize::from(pair[1]))
}
