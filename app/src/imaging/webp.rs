//! WebP: what its RIFF chunks say, and the pixels of the still picture that it is, or of the first frame of an animation.
//!
//! Where there is more than one bit stream (VP8 or VP8L), as in every extended file, the one that is wanted is handed to the decoder in a
//! file of its own: so an animation of one frame, or one that only says that it is animated, is a still picture as well. What lies behind
//! that bit stream may be missing. A frame lies on its canvas, which is transparent (the colour that an animation names for it is a hint that
//! browsers pass over), and so white. Chromium shows no truncated WebP; nor is one accepted.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder, RgbImage};

use super::buffers::Workbench;
use super::decode::{crate_limits, on_white};
use super::orient::Orientation;
use super::probe::{Headers, le16, le24, le32};
use super::profile::ToSrgb;
use super::{ImagingError, Limits};
use crate::model::PictureFormat;

const FORMAT: PictureFormat = PictureFormat::Webp;

/// Flags of the extended header: a colour profile, alpha.
const HAS_PROFILE: u8 = 0x20;
const HAS_ALPHA: u8 = 0x10;

/// Size, and how it is turned.
pub(super) fn headers(bytes: &[u8]) -> Result<Headers, ImagingError> {
    let Still { canvas: (width, height), orientation, .. } = Still::find(bytes)?;
    Ok(Headers { format: FORMAT, width, height, orientation })
}

/// The picture's profile, where it is applied later: [`decode`] has done it where pixels are transparent, before laying them on white.
pub(super) fn profile(bytes: &[u8]) -> Option<&[u8]> {
    let still = Still::find(bytes).ok()?;
    still.profile.filter(|_| !still.frame.has_alpha)
}

/// Decodes what [`headers`] accepted.
pub(super) fn decode(
    bench: &mut Workbench,
    bytes: &[u8],
    limits: &Limits,
) -> Result<RgbImage, ImagingError> {
    let Still { canvas, frame, profile, .. } = Still::find(bytes)?;
    limits.check(canvas.0, canvas.1)?;
    let damaged = |_| ImagingError::damaged(FORMAT, "its pixels are damaged");
    let mut decoder = WebPDecoder::new(Cursor::new(frame.file())).map_err(damaged)?;
    decoder.set_limits(crate_limits(limits)).map_err(damaged)?;
    if decoder.dimensions() != frame.size {
        return Err(ImagingError::damaged(FORMAT, "its headers contradict each other"));
    }
    let mut picture = bench.picture(frame.size.0, frame.size.1);
    if decoder.color_type() == ColorType::Rgb8 {
        decoder.read_image(&mut picture).map_err(damaged)?;
    } else {
        let mut pixels = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut pixels).map_err(damaged)?;
        for (to, [r, g, b, _]) in picture.as_chunks_mut::<3>().0.iter_mut().zip(four(&pixels)) {
            *to = [*r, *g, *b];
        }
        if let Some(to_srgb) = profile.and_then(ToSrgb::of_colours) {
            let failed = || ImagingError::damaged(FORMAT, "its colour profile does not fit it");
            to_srgb.apply(&mut picture).ok_or_else(failed)?;
        }
        for (to, [.., alpha]) in picture.as_chunks_mut::<3>().0.iter_mut().zip(four(&pixels)) {
            *to = on_white(*to, *alpha);
        }
    }
    if frame.size == canvas {
        return Ok(picture);
    }
    let mut whole = bench.picture(canvas.0, canvas.1);
    whole.fill(255);
    let start = (frame.at.1 as usize * canvas.0 as usize + frame.at.0 as usize) * 3;
    let row_bytes = frame.size.0 as usize * 3;
    let rows = whole.split_at_mut(start).1.chunks_mut(canvas.0 as usize * 3);
    for (to, from) in rows.zip(picture.chunks_exact(row_bytes)) {
        to[..row_bytes].copy_from_slice(from);
    }
    bench.recycle(picture);
    Ok(whole)
}

fn four(pixels: &[u8]) -> &[[u8; 4]] {
    pixels.as_chunks().0
}

/// The picture that a file is taken for.
struct Still<'a> {
    canvas: (u32, u32),
    frame: Frame<'a>,
    profile: Option<&'a [u8]>,
    orientation: Orientation,
}

/// A bit stream, and where it lies on the canvas.
struct Frame<'a> {
    /// VP8 or VP8L.
    name: &'a [u8; 4],
    bits: &'a [u8],
    /// The alpha of a VP8 bit stream.
    alpha: Option<&'a [u8]>,
    has_alpha: bool,
    size: (u32, u32),
    at: (u32, u32),
}

impl<'a> Still<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, ImagingError> {
        let mut extended: Option<Extended> = None;
        let (mut frame, mut alpha, mut profile) = (None, None, None);
        let mut orientation = Orientation::Upright;
        for Chunk { name, body, is_whole } in Chunks(bytes.get(12..).unwrap_or_default()) {
            let has = |flag| extended.as_ref().is_some_and(|extended| extended.flags & flag != 0);
            match name {
                b"VP8X" if extended.is_none() => extended = Some(Extended::of(body)?),
                b"ALPH" if is_whole => alpha = alpha.or(Some(body)),
                b"VP8 " | b"VP8L" if frame.is_none() => {
                    let mut found = Frame::of(name, body, alpha.filter(|_| has(HAS_ALPHA)))?;
                    found.has_alpha &= extended.is_none() || has(HAS_ALPHA);
                    if extended.as_ref().is_some_and(|extended| extended.canvas != found.size) {
                        return Err(contradiction());
                    }
                    if !is_whole {
                        return Err(cut());
                    }
                    frame = Some(found);
                }
                b"ANMF" if frame.is_none() => frame = Some(Frame::of_animation(body)?),
                b"ICCP" if has(HAS_PROFILE) && is_whole => profile = profile.or(Some(body)),
                b"EXIF" if is_whole => {
                    // Some writers keep JPEG's prefix.
                    let exif = body.strip_prefix(b"Exif\0\0").unwrap_or(body);
                    orientation = Orientation::from_exif(exif);
                }
                _ => {}
            }
        }
        let stated = le32(bytes, 4) as usize;
        let Some(frame) = frame else {
            let is_cut = stated.saturating_add(8) > bytes.len();
            let nothing = || ImagingError::damaged(FORMAT, "it holds no picture");
            return Err(if is_cut { cut() } else { nothing() });
        };
        let canvas = extended.map_or(frame.size, |extended| extended.canvas);
        if frame.at.0 + frame.size.0 > canvas.0 || frame.at.1 + frame.size.1 > canvas.1 {
            return Err(contradiction());
        }
        Ok(Self { canvas, frame, profile, orientation })
    }
}

/// The header of an extended file.
struct Extended {
    flags: u8,
    canvas: (u32, u32),
}

impl Extended {
    fn of(body: &[u8]) -> Result<Self, ImagingError> {
        let body = body.get(..10).ok_or_else(cut)?;
        Ok(Self { flags: body[0], canvas: (le24(body, 4) + 1, le24(body, 7) + 1) })
    }
}

impl<'a> Frame<'a> {
    /// From a bit stream, of which the beginning suffices.
    fn of(
        name: &'a [u8; 4],
        bits: &'a [u8],
        alpha: Option<&'a [u8]>,
    ) -> Result<Self, ImagingError> {
        let is_lossy = name == b"VP8 ";
        let head = bits.get(..if is_lossy { 10 } else { 5 }).ok_or_else(cut)?;
        let (size, has_alpha) = if is_lossy {
            if head[3..6] != [0x9D, 0x01, 0x2A] {
                return Err(ImagingError::damaged(FORMAT, "its frame header is wrong"));
            }
            ((le16(head, 6) & 0x3FFF, le16(head, 8) & 0x3FFF), alpha.is_some())
        } else {
            let head = le32(head, 1);
            (((head & 0x3FFF) + 1, (head >> 14 & 0x3FFF) + 1), head >> 28 & 1 != 0)
        };
        let alpha = alpha.filter(|_| is_lossy);
        Ok(Self { name, bits, alpha, has_alpha, size, at: (0, 0) })
    }

    /// From a frame of an animation: its place on the canvas in steps of two pixels, its sides less one, its duration, how it is blended,
    /// and the chunks of its bit stream.
    fn of_animation(body: &'a [u8]) -> Result<Self, ImagingError> {
        let (head, chunks) = body.split_at_checked(16).ok_or_else(cut)?;
        let mut alpha = None;
        for Chunk { name, body, is_whole } in Chunks(chunks) {
            match name {
                b"ALPH" if is_whole => alpha = Some(body),
                b"VP8 " | b"VP8L" => {
                    let found = Self::of(name, body, alpha)?;
                    if !is_whole {
                        return Err(cut());
                    }
                    if found.size != (le24(head, 6) + 1, le24(head, 9) + 1) {
                        return Err(contradiction());
                    }
                    return Ok(Self { at: (le24(head, 0) * 2, le24(head, 3) * 2), ..found });
                }
                _ => {}
            }
        }
        Err(cut())
    }

    /// A file with nothing else in it. The extended header says whether there is alpha: the decoder believes it.
    fn file(&self) -> Vec<u8> {
        let mut header = vec![if self.has_alpha { HAS_ALPHA } else { 0 }, 0, 0, 0];
        for side in [self.size.0, self.size.1] {
            header.extend(&(side.saturating_sub(1)).to_le_bytes()[..3]);
        }
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        let alpha = self.alpha.map(|alpha| (b"ALPH", alpha));
        let chunks =
            [(b"VP8X", &header[..])].into_iter().chain(alpha).chain([(self.name, self.bits)]);
        for (name, body) in chunks {
            file.extend(name);
            file.extend((body.len() as u32).to_le_bytes());
            file.extend(body);
            file.extend(&[0][..body.len() & 1]);
        }
        let length = (file.len() as u32 - 8).to_le_bytes();
        file[4..8].copy_from_slice(&length);
        file
    }
}

/// A chunk of a RIFF: type, little-endian length, contents, padding to an even length. Where the file ends within its contents there
/// are those that are there.
struct Chunk<'a> {
    name: &'a [u8; 4],
    body: &'a [u8],
    is_whole: bool,
}

/// The chunks from here on.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let is_whole = length <= rest.len();
        let (body, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest.get(length & 1..).unwrap_or_default();
        Some(Chunk { name, body, is_whole })
    }
}

fn cut() -> ImagingError {
    ImagingError::Incomplete { format: FORMAT }
}

fn contradiction() -> ImagingError {
    ImagingError::damaged(FORMAT, "its headers contradict each other")
}
