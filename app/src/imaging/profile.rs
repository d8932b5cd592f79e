//! Colour profiles: what a camera meant by its numbers, told in the numbers of sRGB.
//!
//! Renditions carry no profile, and browsers take such pictures for sRGB. A picture in another space (Display P3 of phones, Adobe RGB of
//! cameras, a grey gamma) is therefore converted with its embedded ICC profile, by moxcms, after the first resize, when it is small.
//! A profile that cannot be read, or that does not fit the picture, is passed over, as browsers do. The `pipeline` calls this between
//! `orient` and `filters`; for CMYK, [`InksToSrgb`], `decode` does it, since the inks are gone afterwards.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ImageDecoder, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use super::probe::JpegSegments;
use crate::model::PictureFormat;

/// Longer profiles are passed over: those of displays and cameras have under 10 KB, printers' tables up to some megabytes.
const PROFILE_BYTES_MAX: usize = 4 << 20;
/// Steps of each channel in the grid on which a profile is compared with sRGB.
const GRID: u8 = 9;
/// A profile that moves no colour of the grid by more levels than this is sRGB under another name.
const SAME_LEVELS: u8 = 1;

/// The way from an embedded profile to sRGB.
#[derive(Clone)]
pub struct ToSrgb {
    executor: Arc<dyn TransformExecutor<u8> + Send + Sync>,
    /// A profile of one channel: the three of the decoded picture are equal, and the first is taken.
    grey: bool,
}

impl ToSrgb {
    /// From the file's embedded profile; none where there is none, where it cannot be used, and where it is sRGB anyway.
    pub fn embedded(bytes: &[u8], format: PictureFormat) -> Option<Self> {
        // Other people's code fed with strangers' bytes, as in `decode`: a panic there means an unusable profile.
        catch_unwind(AssertUnwindSafe(|| {
            let icc = match format {
                PictureFormat::Jpeg => jpeg_profile(bytes),
                PictureFormat::Png => {
                    PngDecoder::new(Cursor::new(bytes)).ok()?.icc_profile().ok()?
                }
                PictureFormat::Webp => {
                    WebPDecoder::new(Cursor::new(bytes)).ok()?.icc_profile().ok()?
                }
            }?;
            Self::from_icc(&icc)
        }))
        .unwrap_or(None)
    }

    /// From the bytes of an ICC profile; none as for [`ToSrgb::embedded`].
    fn from_icc(icc: &[u8]) -> Option<Self> {
        if icc.len() > PROFILE_BYTES_MAX {
            return None;
        }
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        let (layout, grey) = match profile.color_space {
            DataColorSpace::Rgb => (Layout::Rgb, false),
            DataColorSpace::Gray => (Layout::Gray, true),
            _ => return None,
        };
        let srgb = ColorProfile::new_srgb();
        let options = TransformOptions::default();
        let executor = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options).ok()?;
        let transform = Self { executor, grey };
        (!transform.changes_nothing()?).then_some(transform)
    }

    /// Whether every colour of the grid stays where it is; none when the transform fails.
    fn changes_nothing(&self) -> Option<bool> {
        let level = |step: u32| (step * 255 / u32::from(GRID - 1)) as u8;
        let steps = u32::from(GRID);
        let mut grid = RgbImage::from_fn(steps * steps, steps, |x, y| {
            let rgb = [level(x % steps), level(x / steps), level(y)];
            image::Rgb(if self.grey { [rgb[0]; 3] } else { rgb })
        });
        let before = grid.clone();
        self.apply(&mut grid)?;
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= SAME_LEVELS;
        Some(before.as_raw().iter().zip(grid.as_raw()).all(near))
    }

    /// Converts the picture in place, row by row. None when the transform fails: the picture is then part old, part new, which
    /// cannot happen for a transform that has passed [`ToSrgb::embedded`], since lengths are all it checks.
    pub fn apply(&self, picture: &mut RgbImage) -> Option<()> {
        let row_bytes = picture.width() as usize * 3;
        if row_bytes == 0 {
            return Some(());
        }
        let mut row = Vec::with_capacity(row_bytes);
        for pixels in picture.chunks_exact_mut(row_bytes) {
            row.clear();
            match self.grey {
                true => row.extend(pixels.iter().step_by(3)),
                false => row.extend_from_slice(pixels),
            }
            self.executor.transform(&row, pixels).ok()?;
        }
        Some(())
    }
}

/// The way from the printing inks of a JPEG with a CMYK profile to sRGB.
pub struct InksToSrgb {
    executor: Arc<dyn TransformExecutor<u8> + Send + Sync>,
}

impl InksToSrgb {
    /// From the JPEG's embedded profile; none where there is none for inks, or none that can be used.
    pub fn embedded(bytes: &[u8]) -> Option<Self> {
        // As for `ToSrgb`: a panic in there means an unusable profile.
        catch_unwind(AssertUnwindSafe(|| {
            let icc = jpeg_profile(bytes).filter(|icc| icc.len() <= PROFILE_BYTES_MAX)?;
            let profile = ColorProfile::new_from_slice(&icc).ok()?;
            if profile.color_space != DataColorSpace::Cmyk {
                return None;
            }
            let options = TransformOptions::default();
            let srgb = ColorProfile::new_srgb();
            // Four channels, whatever the layout calls them.
            let executor = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options);
            Some(Self { executor: executor.ok()? })
        }))
        .unwrap_or(None)
    }

    /// Fills the picture from what is stored for its pixels, four bytes each: inks as Adobe's programs store them, 255 being none, or
    /// (YCCK) the first three of them turned into luma and chroma. None when the transform fails.
    pub fn apply(&self, stored: &mut [u8], ycck: bool, picture: &mut RgbImage) -> Option<()> {
        let width = picture.width() as usize;
        if width == 0 {
            return Some(());
        }
        let rows = stored.chunks_exact_mut(width * 4).zip(picture.chunks_exact_mut(width * 3));
        for (stored, pixels) in rows {
            for pixel in stored.as_chunks_mut::<4>().0 {
                let [a, b, c, key] = *pixel;
                // What YCbCr gives are the inks, since the complement of what is stored was turned.
                let inks = if ycck { ycc_to_rgb([a, b, c]) } else { [255 - a, 255 - b, 255 - c] };
                *pixel = [inks[0], inks[1], inks[2], 255 - key];
            }
            self.executor.transform(stored, pixels).ok()?;
        }
        Some(())
    }
}

/// YCbCr as JFIF defines it (BT.601, full range).
pub(super) fn ycc_to_rgb(ycc: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = ycc.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    // `as` saturates.
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round() as u8)
}

/// The profile of a JPEG: APP2 segments with a number and a count, put together in their order.
fn jpeg_profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<(u8, &[u8])> = Vec::new();
    let mut segments = JpegSegments::new(bytes);
    while let Some((marker, body)) = segments.next_segment() {
        match marker {
            0xE2 => {
                if let Some([number, _count, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    parts.push((*number, part));
                }
            }
            // Profiles stand before the first scan.
            0xDA | 0xD9 => break,
            _ => {}
        }
    }
    parts.sort_by_key(|(number, _)| *number);
    let profile: Vec<u8> = parts.iter().flat_map(|(_, part)| part.iter().copied()).collect();
    (!profile.is_empty()).then_some(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icc(profile: &ColorProfile) -> Vec<u8> {
        profile.encode().expect("a built-in profile can be written")
    }

    fn converted(transform: &ToSrgb, rgb: [u8; 3]) -> [u8; 3] {
        let mut picture = RgbImage::from_pixel(2, 1, image::Rgb(rgb));
        transform.apply(&mut picture).expect("the transform fits");
        picture.get_pixel(1, 0).0
    }

    /// The sRGB curve, which Display P3 shares (IEC 61966-2-1).
    fn linear(level: u8) -> f64 {
        let value = f64::from(level) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    }

    fn level(linear: f64) -> f64 {
        let linear = linear.clamp(0.0, 1.0);
        let value = if linear <= 0.003_130_8 {
            12.92 * linear
        } else {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        };
        255.0 * value
    }

    /// Linear Display P3 to linear sRGB: the matrix of the CSS Color 4 specification's sample code.
    const P3_TO_SRGB: [[f64; 3]; 3] = [
        [1.224_940, -0.224_940, 0.0],
        [-0.042_057, 1.042_057, 0.0],
        [-0.019_638, -0.078_636, 1.098_274],
    ];

    #[test]
    fn display_p3_becomes_the_same_colours_in_srgb() {
        let p3 = ToSrgb::from_icc(&icc(&ColorProfile::new_display_p3())).expect("not sRGB");
        for rgb in [[200, 100, 50], [30, 180, 90], [128, 128, 128], [255, 255, 255], [10, 20, 200]]
        {
            let wanted = P3_TO_SRGB.map(|row| {
                level(row.iter().zip(rgb).map(|(cell, channel)| cell * linear(channel)).sum())
            });
            for (wanted, got) in wanted.iter().zip(converted(&p3, rgb)) {
                assert!((wanted - f64::from(got)).abs() <= 1.5, "{rgb:?}: {wanted} and {got}");
            }
        }
    }

    #[test]
    fn srgb_under_any_name_is_left_alone() {
        assert!(ToSrgb::from_icc(&icc(&ColorProfile::new_srgb())).is_none());
    }

    #[test]
    fn a_grey_gamma_is_converted_from_one_channel() {
        let grey = ToSrgb::from_icc(&icc(&ColorProfile::new_gray_with_gamma(1.0)));
        let grey = grey.expect("a linear grey is not sRGB's");
        let [r, g, b] = converted(&grey, [55; 3]);
        assert_eq!((r, g), (g, b));
        let wanted = level(55.0 / 255.0);
        assert!((f64::from(r) - wanted).abs() <= 1.5, "{r} instead of {wanted}");
    }

    #[test]
    fn what_is_no_profile_is_passed_over() {
        assert!(ToSrgb::from_icc(b"no profile").is_none());
        let mut broken = icc(&ColorProfile::new_display_p3());
        broken.truncate(200);
        assert!(ToSrgb::from_icc(&broken).is_none());
        assert!(ToSrgb::embedded(b"\xff\xd8\xff\xe2\0\x04ab", PictureFormat::Jpeg).is_none());
    }
}
