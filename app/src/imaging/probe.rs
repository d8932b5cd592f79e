//! Headers only: which format, how large, which way up. Nothing is decompressed, so that a refusal costs
//! microseconds and no memory, whatever the file claims.
//!
//! Here are the formats and the headers of JPEG; `png` and `webp` read their own. The format is found from the contents; names and content types sent along are not believed. What the headers promise is
//! checked again by `decode`, which gets the accepted bytes next.

use super::jpeg::Frame;
use super::orient::Orientation;
use super::{ImagingError, Limits, png, webp};
use crate::model::PictureFormat;

/// What the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Found from the contents.
    pub format: PictureFormat,
    /// Pixels, after orientation.
    pub width: u32,
    /// Pixels, after orientation.
    pub height: u32,
    /// How the stored pixels must be turned to stand upright.
    pub orientation: Orientation,
}

impl Probe {
    /// Width and height as stored, before orientation.
    pub fn stored_size(&self) -> (u32, u32) {
        if self.orientation.swaps_sides() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }
}

/// Reads the headers and refuses what would be refused later: unknown formats, rare kinds, too many pixels.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, ImagingError> {
    let headers = match kind_of(bytes)? {
        PictureFormat::Jpeg => jpeg(bytes),
        PictureFormat::Png => png::headers(bytes),
        PictureFormat::Webp => webp::headers(bytes),
    }?;
    let Headers { format, width, height, orientation } = headers;
    if width == 0 || height == 0 {
        return Err(ImagingError::damaged(format, "it has no pixels"));
    }
    let stored = (width, height);
    let (width, height) = if orientation.swaps_sides() { (height, width) } else { (width, height) };
    if let Err(refusal) = limits.check(width, height) {
        // Few pictures get here, so that the second look at their headers costs nothing.
        let is_streamed =
            Frame::read(bytes).is_some_and(|frame| (frame.width, frame.height) == stored);
        match format == PictureFormat::Jpeg && is_streamed {
            true => limits.check_streamed(width, height)?,
            false => return Err(refusal),
        }
    }
    Ok(Probe { format, width, height, orientation })
}

/// The same from the beginning of a file, where that suffices: then the answer is that for the whole file. None when it depends on
/// what follows: headers that go on, or a WebP, which may say behind its pixels which way up it is.
pub fn probe_start(start: &[u8], limits: &Limits) -> Option<Result<Probe, ImagingError>> {
    if start.len() < SIGNATURE_BYTES_MAX || kind_of(start) == Ok(PictureFormat::Webp) {
        return None;
    }
    match probe(start, limits) {
        // What is missing may be there.
        Err(ImagingError::Damaged { .. } | ImagingError::Incomplete { .. }) => None,
        found => Some(found),
    }
}

/// No signature of a format reaches farther.
const SIGNATURE_BYTES_MAX: usize = 12;

/// What a format's own headers say.
pub(super) struct Headers {
    pub(super) format: PictureFormat,
    /// Pixels, as stored.
    pub(super) width: u32,
    /// Pixels, as stored.
    pub(super) height: u32,
    pub(super) orientation: Orientation,
}

/// Signatures of formats that people do try to upload, so that the refusal can name them.
const OTHER_FORMATS: [(usize, &[u8], &str); 13] = [
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF or camera raw"),
    (0, b"MM\0*", "TIFF or camera raw"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftyp", "video"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"\xff\x0a", "JPEG XL"),
];

fn kind_of(bytes: &[u8]) -> Result<PictureFormat, ImagingError> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Ok(PictureFormat::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(PictureFormat::Png);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(PictureFormat::Webp);
    }
    let other = OTHER_FORMATS.iter().find(|(offset, magic, _)| {
        bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic))
    });
    Err(match other {
        Some((_, _, found)) => ImagingError::UnsupportedFormat { found },
        None => ImagingError::NotAPicture,
    })
}

/// Walks the segments up to the first scan. Each has a marker (FF xx) and a two-byte length that counts itself.
fn jpeg(bytes: &[u8]) -> Result<Headers, ImagingError> {
    let format = PictureFormat::Jpeg;
    let cut = || ImagingError::Incomplete { format };
    let rare = |kind| Err(ImagingError::UnsupportedKind { format, kind });
    let mut size = None;
    // Each component's name, its factors across and down, its table.
    let mut components: &[[u8; 3]] = &[];
    let mut orientation = Orientation::Upright;
    let mut segments = JpegSegments { bytes, position: 2 };
    while let Some((marker, body)) = segments.next_segment() {
        match marker {
            0xC0..=0xC2 => {
                let (body, rest) = body.split_at_checked(6).ok_or_else(cut)?;
                if body[0] != 8 {
                    return rare("more than 8 bits for a colour");
                }
                size = Some((be16(body, 3), be16(body, 1)));
                components = rest.as_chunks().0;
            }
            0xC4 | 0xC8 | 0xCC => {}
            0xC3 | 0xC5..=0xC7 => return rare("lossless or hierarchical coding"),
            0xC9..=0xCF => return rare("arithmetic coding"),
            0xE1 if body.starts_with(b"Exif\0\0") => {
                orientation = Orientation::from_exif(&body[6..]);
            }
            0xDA => {
                let (width, height) =
                    size.ok_or_else(|| ImagingError::damaged(format, "its size is missing"))?;
                if height == 0 && width > 0 {
                    return rare("a height that is told only behind its pixels");
                }
                if is_fractional(components) {
                    return rare("a rare sampling of its colours");
                }
                if !matches!(components.len(), 1 | 3 | 4) {
                    return rare("a rare number of colours");
                }
                return Ok(Headers { format, width, height, orientation });
            }
            0xD9 => return Err(ImagingError::damaged(format, "it has no pixels")),
            _ => {}
        }
    }
    Err(cut())
}

/// Whether a component has no whole fraction of the samples of the largest, such as three for four: libjpeg and its kin refuse these.
fn is_fractional(components: &[[u8; 3]]) -> bool {
    [4, 0].into_iter().any(|shift| {
        let factors = components.iter().map(|[_, sampling, _]| sampling >> shift & 15);
        let largest = factors.clone().max().unwrap_or(0);
        factors.clone().any(|factor| factor != 0 && !largest.is_multiple_of(factor))
    })
}

/// The segments of a JPEG; what a scan's header is followed by, its bits, is passed over.
pub(super) struct JpegSegments<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> JpegSegments<'a> {
    /// Starts behind the start-of-image marker.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 2 }
    }

    /// What follows the last segment.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// Marker and contents; `None` when the bytes end or are no segment. End of image (D9) has no contents.
    pub(super) fn next_segment(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            // Bytes between segments are tolerated as decoders do: the next FF that is followed by a marker counts.
            let rest = self.bytes.get(self.position..)?;
            self.position += rest.iter().position(|byte| *byte == 0xFF)? + 1;
            let marker = *self.bytes.get(self.position)?;
            match marker {
                0xFF => continue,
                0x00 | 0x01 | 0xD0..=0xD8 => self.position += 1,
                0xD9 => return Some((marker, &[])),
                _ => break,
            }
        }
        let marker = self.bytes[self.position];
        let length = self.bytes.get(self.position + 1..self.position + 3)?;
        let length = be16(length, 0) as usize;
        let body = self.bytes.get(self.position + 3..self.position + 1 + length.max(2))?;
        self.position += 1 + length.max(2);
        Some((marker, body))
    }
}

fn be16(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) << 8 | u32::from(bytes[at + 1])
}

pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    be16(bytes, at) << 16 | be16(bytes, at + 2)
}

pub(super) fn le16(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8
}

pub(super) fn le24(bytes: &[u8], at: usize) -> u32 {
    le16(bytes, at) | u32::from(bytes[at + 2]) << 16
}

pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    le16(bytes, at) | le16(bytes, at + 2) << 16
}
