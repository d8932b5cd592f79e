//! A JPEG as the streaming decoder needs it; [`Frame::read`] gives none for what is not for it.

use super::super::planar::Sampling;
use super::super::probe::JpegSegments;
use super::headers::{Codes, Colours, Headers, ScanHeader};

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
    pub(super) dc_codes: [Codes<'a>; 4],
    pub(super) ac_codes: [Codes<'a>; 4],
    /// From the byte after the scan's header to the end of the file.
    pub(super) data: &'a [u8],
}

/// One component's place in the MCU and its tables.
#[derive(Clone)]
pub(super) struct Component {
    /// Blocks in an MCU.
    pub across: usize,
    pub down: usize,
    /// In zigzag order.
    pub quantization: [u16; 64],
    pub dc_table: usize,
    pub ac_table: usize,
}

impl<'a> Frame<'a> {
    /// Reads everything before the entropy-coded data. None: not a picture for this decoder, or a damaged one, of which the
    /// other decoder will say what is wrong with it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Headers::default();
        let mut segments = JpegSegments::new(bytes);
        loop {
            match segments.next_segment()? {
                (0xC2 | 0xD9, _) => return None,
                (0xDA, body) => {
                    let scan = headers.scan(body).ok()?;
                    return Self::of(headers, &scan, segments.rest());
                }
                (marker, body) => headers.take(marker, body).ok()?,
            }
        }
    }

    /// With the scan's header, everything is known.
    fn of(headers: Headers<'a>, scan: &ScanHeader, data: &'a [u8]) -> Option<Self> {
        let (width, height) = headers.size.filter(|(width, height)| *width > 0 && *height > 0)?;
        // All frequencies at once, and every component in this one scan.
        let in_order = scan.components.iter().enumerate().all(|(at, one)| one.component == at);
        if scan.band != (0, 63) || !in_order || scan.components.len() != headers.components.len() {
            return None;
        }
        let mut components = Vec::with_capacity(scan.components.len());
        for (found, selected) in headers.components.iter().zip(&scan.components) {
            let known = |codes: &[Codes<'_>; 4], table: usize| !codes[table].symbols.is_empty();
            if !known(&headers.dc_codes, selected.dc_table)
                || !known(&headers.ac_codes, selected.ac_table)
            {
                return None;
            }
            components.push(Component {
                across: found.across,
                down: found.down,
                quantization: headers.quantization(selected.component).ok()?,
                dc_table: selected.dc_table,
                ac_table: selected.ac_table,
            });
        }
        if !are_ours(&mut components, headers.colours()?) {
            return None;
        }
        let most = |side: fn(&Component) -> usize| components.iter().map(side).max();
        let (across_max, down_max) = (most(|one| one.across)?, most(|one| one.down)?);
        let mut frame = Frame {
            width,
            height,
            components,
            across_max,
            down_max,
            restart_interval: headers.restart_interval,
            dc_codes: headers.dc_codes,
            ac_codes: headers.ac_codes,
            data,
        };
        if frame.restart_interval == 0 {
            frame.restart_interval = frame.mcus_across() * frame.mcus_down();
        }
        Some(frame)
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

/// Grey, or YCbCr with chroma at full or half size in either direction.
fn are_ours(components: &mut [Component], colours: Colours) -> bool {
    match components {
        [grey] => {
            // A scan of one component has no MCUs but blocks, whatever its sampling says.
            (grey.across, grey.down) = (1, 1);
            true
        }
        [luma, blue, red] => {
            let is_full = |chroma: &Component| (chroma.across, chroma.down) == (1, 1);
            colours == Colours::Ycc
                && luma.across <= 2
                && luma.down <= 2
                && is_full(blue)
                && is_full(red)
        }
        _ => false,
    }
}
