//! PNG: what its chunks say, and its pixels, row by row.
//!
//! What is whole is taken, as browsers do: the sums behind pixels are not asked, and nothing behind the last row is read, so that a file
//! without its end, or with something behind it, is a picture as long as no pixel is missing. Headers whose sums are wrong are not believed.
//! Of an animation the default image is the picture, whether or not it is one of the frames (PNG, third edition, 4.9).
//! Transparent pixels and those of 16 bits are brought to sRGB here, before they are laid on white and cut to 8 bits; all others by
//! `profile` later, when the picture is small.

use std::io::{Cursor, ErrorKind};

use image::RgbImage;
use png::{
    BitDepth, ColorType, Decoder, DecodingError, Info, InterlaceInfo, Reader, Transformations,
};

use super::buffers::Workbench;
use super::decode::on_white;
use super::orient::Orientation;
use super::probe::{Headers, be32};
use super::profile::{DeepToSrgb, ToSrgb};
use super::{ImagingError, Limits};
use crate::model::PictureFormat;

/// What the decoder may take beside the picture: two rows of the longest side at 8 bytes a pixel, its window, and the chunks before the
/// pixels, of which a colour profile is the longest.
const BESIDE_BYTES_MAX: usize = 16 << 20;

/// Adam7: for each pass the first column and row, and the steps to the next ones.
const PASSES: [[u32; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

/// Walks the chunks up to the first pixel data.
pub(super) fn headers(bytes: &[u8]) -> Result<Headers, ImagingError> {
    let format = PictureFormat::Png;
    let cut = || ImagingError::Incomplete { format };
    let mut size = None;
    let mut orientation = Orientation::Upright;
    for (name, body) in Chunks::of(bytes) {
        match name {
            b"IHDR" => {
                let body = body.and_then(|body| body.get(..8)).ok_or_else(cut)?;
                size = Some((be32(body, 0), be32(body, 4)));
            }
            b"CgBI" => {
                let kind = "Apple's own form for apps";
                return Err(ImagingError::UnsupportedKind { format, kind });
            }
            b"eXIf" => orientation = Orientation::from_exif(body.ok_or_else(cut)?),
            b"IDAT" => {
                let (width, height) =
                    size.ok_or_else(|| ImagingError::damaged(format, "its size is missing"))?;
                return Ok(Headers { format, width, height, orientation });
            }
            b"IEND" => return Err(ImagingError::damaged(format, "it has no pixels")),
            _ => {}
        }
    }
    Err(cut())
}

/// The chunks of a file: length, type, contents, checksum. Contents are missing where the file ends within them.
struct Chunks<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Chunks<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 8 }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.bytes.get(self.position..)?.split_first_chunk::<8>()?;
        let length = be32(head, 0) as usize;
        // Saturating: a claimed length near 2^32 must not wrap on a 32-bit machine.
        self.position = self.position.saturating_add(length).saturating_add(12);
        Some((head.last_chunk()?, rest.get(..length)))
    }
}

/// Decodes what [`headers`] accepted.
pub(super) fn decode(
    bench: &mut Workbench,
    bytes: &[u8],
    limits: &Limits,
) -> Result<RgbImage, ImagingError> {
    let failed = |reason: &'static str| move |error| told(bytes, &error, reason);
    let described = described(bytes).map_err(failed("its header is damaged"))?;
    let deep = match described.info() {
        info if info.color_type == ColorType::Indexed && info.palette.is_none() => {
            return Err(ImagingError::damaged(PictureFormat::Png, "its palette is missing"));
        }
        info if is_converted(info) => DeepToSrgb::described(info),
        _ => None,
    };
    let mut decoder = decoder(bytes);
    decoder.ignore_checksums(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed("its header is damaged"))?;
    let (width, height) = reader.info().size();
    limits.check(width, height)?;
    let (kind, depth) = reader.output_color_type();
    let mut rows = Rows { samples: kind.samples(), depth, deep, wide: Vec::new() };
    let mut picture = bench.picture(width, height);
    // The memory may hold another person's picture: should the decoder ever leave a pixel unwritten, it must not show.
    picture.fill(0);
    let row_bytes = width as usize * 3;
    let failed = failed("its pixels are damaged");
    let unfit = || ImagingError::damaged(PictureFormat::Png, "its colour profile does not fit it");
    if reader.info().interlaced {
        let mut small = vec![0; row_bytes];
        for _ in 0..pass_rows(width, height) {
            let row = reader.next_interlaced_row().map_err(failed)?;
            let Some(row) = row else { break };
            let InterlaceInfo::Adam7(pass) = row.interlace() else { break };
            let made = rows.write(row.data(), &mut small).ok_or_else(unfit)?;
            png::expand_interlaced_row(&mut picture, row_bytes, &small[..made], pass, 24);
        }
    } else {
        for pixels in picture.chunks_exact_mut(row_bytes) {
            let row = reader.next_row().map_err(failed)?;
            let Some(row) = row else { break };
            rows.write(row.data(), pixels).ok_or_else(unfit)?;
        }
    }
    Ok(picture)
}

/// What the chunks before the pixels say, their checksums included.
fn described(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>, DecodingError> {
    match decoder(bytes).read_info() {
        // A profile longer than any that is used: without it.
        Err(DecodingError::LimitsExceeded) => {
            let mut decoder = decoder(bytes);
            decoder.set_ignore_iccp_chunk(true);
            decoder.read_info()
        }
        read => read,
    }
}

fn decoder(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    let limits = png::Limits { bytes: BESIDE_BYTES_MAX };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder
}

/// The way to sRGB that is left for later: none where [`decode`] has gone it.
pub(super) fn to_srgb(bytes: &[u8]) -> Option<ToSrgb> {
    let described = described(bytes).ok()?;
    let info = described.info();
    if is_converted(info) { None } else { ToSrgb::described(info) }
}

/// Whether [`decode`] brings the pixels to sRGB: those that lose something when they are laid on white, or cut to 8 bits, before.
fn is_converted(info: &Info<'_>) -> bool {
    let has_alpha = matches!(info.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
    has_alpha || info.trns.is_some() || info.bit_depth == BitDepth::Sixteen
}

/// How many rows all passes of an interlaced picture have together.
fn pass_rows(width: u32, height: u32) -> u32 {
    let rows = |[column, row, _, down]: &[u32; 4]| {
        if *column < width { height.saturating_sub(*row).div_ceil(*down) } else { 0 }
    };
    PASSES.iter().map(rows).sum()
}

/// The decoder's words are for programmers: ours say what is wrong with the file.
fn told(bytes: &[u8], error: &DecodingError, reason: &str) -> ImagingError {
    let format = PictureFormat::Png;
    let has_end = || Chunks::of(bytes).any(|(name, body)| name == b"IEND" && body.is_some());
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ImagingError::Incomplete { format }
        }
        DecodingError::LimitsExceeded => {
            ImagingError::damaged(format, "what stands before its pixels is too long")
        }
        _ if !has_end() => ImagingError::Incomplete { format },
        _ => ImagingError::damaged(format, reason),
    }
}

/// From rows as the decoder gives them (grey or RGB, with alpha or without, 8 or 16 bits) to RGB on white.
struct Rows {
    samples: usize,
    depth: BitDepth,
    /// The way to sRGB of pixels that [`is_converted`] says are brought there now.
    deep: Option<DeepToSrgb>,
    /// The colours of a row at 16 bits.
    wide: Vec<u16>,
}

impl Rows {
    /// The bytes written; none when the way to sRGB fails.
    fn write(&mut self, row: &[u8], rgb: &mut [u8]) -> Option<usize> {
        let is_deep = self.depth == BitDepth::Sixteen;
        let pixels = row.len() / self.samples / if is_deep { 2 } else { 1 };
        let rgb = &mut rgb[..pixels * 3];
        if is_deep || self.deep.is_some() {
            self.write_wide(row, rgb)?;
            return Some(rgb.len());
        }
        let pixels = rgb.as_chunks_mut::<3>().0.iter_mut();
        match self.samples {
            1 => pixels.zip(row).for_each(|(to, grey)| *to = [*grey; 3]),
            2 => pixels
                .zip(row.as_chunks::<2>().0)
                .for_each(|(to, [grey, alpha])| *to = on_white([*grey; 3], *alpha)),
            3 => rgb.copy_from_slice(row),
            _ => pixels
                .zip(row.as_chunks::<4>().0)
                .for_each(|(to, [r, g, b, alpha])| *to = on_white([*r, *g, *b], *alpha)),
        }
        Some(rgb.len())
    }

    fn write_wide(&mut self, row: &[u8], rgb: &mut [u8]) -> Option<()> {
        let (samples, colours) = (self.samples, if self.samples < 3 { 1 } else { 3 });
        let is_deep = self.depth == BitDepth::Sixteen;
        let sample = |at: usize| match is_deep {
            true => u16::from_be_bytes([row[2 * at], row[2 * at + 1]]),
            false => u16::from(row[at]) * 257,
        };
        self.wide.clear();
        for pixel in 0..rgb.len() / 3 {
            self.wide.extend((0..colours).map(|colour| sample(pixel * samples + colour)));
        }
        match &mut self.deep {
            Some(to_srgb) => to_srgb.row(&self.wide, rgb)?,
            None => {
                let made = rgb.as_chunks_mut::<3>().0.iter_mut();
                for (to, from) in made.zip(self.wide.chunks_exact(colours)) {
                    *to = std::array::from_fn(|channel| byte(from[channel % colours]));
                }
            }
        }
        if samples != colours {
            for (pixel, to) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                *to = on_white(*to, byte(sample(pixel * samples + colours)));
            }
        }
        Some(())
    }
}

/// 16 bits to 8, rounded: 257 steps of the one are one of the other.
pub(super) fn byte(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}
