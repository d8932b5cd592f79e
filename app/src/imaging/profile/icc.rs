//! The bytes of an ICC profile (ICC.1): put together from a JPEG's segments, judged as browsers judge them, and made ready for moxcms.
//!
//! A browser reads what it needs of a profile and nothing else: it takes those of version 0 to 4, of any class and date, with any
//! description. moxcms reads every tag that it knows and refuses the whole profile for any of them. So it gets a new file with the tags
//! that say how colours are computed, and no others.

use moxcms::ColorProfile;

use super::{Pixels, described};
use crate::imaging::probe::{JpegSegments, be32};

/// Longer profiles are passed over: those of displays and cameras have under 10 KB, printers' tables up to some megabytes.
const PROFILE_BYTES_MAX: usize = 4 << 20;
/// The newest major version that browsers read; the fifth is another standard (iccMAX).
const VERSION_MAX: u8 = 4;
/// The white of the connection space, D50, and how far from it Chromium lets a profile be.
const WHITE: [f64; 3] = [0.9642, 1.0, 0.8249];
const WHITE_TOLERANCE: f64 = 0.01;
/// The tags of matrices and curves. A table (`A2B0`) comes before them where there is one.
const CURVES: [&[u8; 4]; 7] = [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC"];

/// The colour space that a profile says; none where a browser would pass it over, or moxcms cannot read it.
pub(super) fn read(icc: &[u8]) -> Option<ColorProfile> {
    let file = File::of(icc)?;
    // Code points say the same, and more: HDR's curves.
    let points = file.tag(b"cicp").and_then(|tag| tag.get(8..12));
    let described = points.and_then(|points| described::code_points(points.try_into().ok()?));
    described.or_else(|| ColorProfile::new_from_slice(&file.essence()).ok())
}

/// A profile whose header and table of tags are sound.
struct File<'a> {
    header: [u8; 128],
    tags: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> File<'a> {
    fn of(icc: &'a [u8]) -> Option<Self> {
        if icc.len() > PROFILE_BYTES_MAX {
            return None;
        }
        let (header, _) = icc.split_first_chunk::<128>()?;
        let icc = icc.get(..be32(header, 0) as usize)?;
        let is_near = |(index, wanted): (usize, f64)| {
            let stored = f64::from(be32(header, 68 + index * 4).cast_signed()) / 65_536.0;
            (stored - wanted).abs() <= WHITE_TOLERANCE
        };
        let is_sound = &header[36..40] == b"acsp" && header[8] <= VERSION_MAX;
        if !is_sound || !WHITE.into_iter().enumerate().all(is_near) {
            return None;
        }
        let (count, table) = icc.get(128..)?.split_first_chunk::<4>()?;
        let entries = table.as_chunks::<12>().0.get(..u32::from_be_bytes(*count) as usize)?;
        let tags = entries.iter().map(|entry| {
            let (start, length) = (be32(entry, 4) as usize, be32(entry, 8) as usize);
            Some((&entry[..4], icc.get(start..start.checked_add(length)?)?))
        });
        Some(Self { header: *header, tags: tags.collect::<Option<_>>()? })
    }

    fn tag(&self, name: &[u8; 4]) -> Option<&'a [u8]> {
        self.tags.iter().find(|(found, _)| found == name).map(|(_, body)| *body)
    }

    /// A profile of version 2 to 4, of a display, with nothing but what its colours are computed from.
    fn essence(&self) -> Vec<u8> {
        let table = self.tag(b"A2B0").or_else(|| self.tag(b"A2B1"));
        let tags: Vec<(&[u8; 4], &[u8])> = match table {
            Some(table) => vec![(b"A2B0", table)],
            None => CURVES.iter().filter_map(|name| Some((*name, self.tag(name)?))).collect(),
        };
        let mut icc = self.header.to_vec();
        if icc[8] < 2 {
            icc[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
        }
        icc[12..16].copy_from_slice(b"mntr");
        if table.is_none() && &icc[16..20] == b"RGB " {
            // A matrix leads to XYZ, whatever the header says.
            icc[20..24].copy_from_slice(b"XYZ ");
        }
        icc.extend((tags.len() as u32).to_be_bytes());
        let mut at = icc.len() + 12 * tags.len();
        for (name, body) in &tags {
            icc.extend(*name);
            icc.extend((at as u32).to_be_bytes());
            icc.extend((body.len() as u32).to_be_bytes());
            at += body.len().next_multiple_of(4);
        }
        for (_, body) in &tags {
            icc.extend(*body);
            icc.resize(icc.len().next_multiple_of(4), 0);
        }
        let length = (icc.len() as u32).to_be_bytes();
        icc[..4].copy_from_slice(&length);
        icc
    }
}

/// The profile of a JPEG, and what its pixels are. ICC.1, B.4: APP2 segments, each with its number, from 1 on, and their count. As in
/// Chromium the profile counts for nothing where a part is missing or they disagree about the count; of two parts of one number the
/// first is taken.
pub(super) fn of_jpeg(bytes: &[u8]) -> Option<(Vec<u8>, Pixels)> {
    let mut pixels = None;
    let mut parts: Vec<(u8, u8, &[u8])> = Vec::new();
    let mut segments = JpegSegments::new(bytes);
    while let Some((marker, body)) = segments.next_segment() {
        match marker {
            0xE2 => {
                if let Some([number, count, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    parts.push((*number, *count, part));
                }
            }
            // A frame's header; C4, C8 and CC are others.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                pixels = match body.get(5) {
                    Some(1) => Some(Pixels::Grey),
                    Some(3) => Some(Pixels::Colours),
                    _ => Some(Pixels::Inks),
                };
            }
            // Profiles stand before the first scan.
            0xDA | 0xD9 => break,
            _ => {}
        }
    }
    // Sorting is stable: of equal numbers the first one stays.
    parts.sort_by_key(|(number, ..)| *number);
    parts.dedup_by_key(|(number, ..)| *number);
    let is_whole = parts.iter().zip(1..).all(|((number, count, part), wanted)| {
        *number == wanted && usize::from(*count) == parts.len() && !part.is_empty()
    });
    let profile = parts.iter().flat_map(|(.., part)| part.iter().copied()).collect::<Vec<_>>();
    (is_whole && !profile.is_empty()).then_some((profile, pixels?))
}
