//! Colour profiles: what a camera meant by its numbers, told in the numbers of sRGB.
//!
//! Renditions carry no profile, and browsers take such pictures for sRGB. A picture in another space (Display P3 of phones, Adobe RGB of
//! cameras, a grey gamma) is therefore converted with its embedded ICC profile, or as a PNG describes its colours otherwise, by moxcms,
//! after the first resize, when it is small. A profile that cannot be read, or that is made for other pixels (a grey one in a coloured
//! picture), is passed over, as browsers do. `icc` reads the files, `described` knows colour spaces without one, `grey` those of one
//! channel. The `pipeline` calls this between `orient` and `filters`; for CMYK, [`InksToSrgb`], and for transparent and deep pixels `decode`
//! does it, since inks, alpha and depth are gone afterwards.

mod described;
mod grey;
mod icc;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::RgbImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use self::grey::Ramp;
use super::png::{self, byte};
use super::webp;
use crate::model::PictureFormat;

/// Steps of each channel in the grid on which a profile is compared with sRGB.
const GRID: u8 = 9;
/// A profile that moves no colour of the grid by more levels than this is sRGB under another name.
const SAME_LEVELS: u8 = 1;

/// What a file's samples stand for: a profile is used for the pixels that it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pixels {
    /// One channel. A profile of RGB serves, too: the channel is all three of its own.
    Grey,
    /// RGB, or what becomes RGB without a profile.
    Colours,
    /// Four or more.
    Inks,
}

/// The way from an embedded profile to sRGB.
#[derive(Clone)]
pub struct ToSrgb(Way);

#[derive(Clone)]
enum Way {
    /// A profile of one channel: the three of the decoded picture are equal, and the first is taken.
    Grey(Ramp),
    Colours(Arc<ColorProfile>, Arc<dyn TransformExecutor<u8> + Send + Sync>),
}

impl ToSrgb {
    /// From the file's embedded profile or description; none where there is none, where it cannot be used, where it is sRGB anyway, and
    /// where `decode` has used it.
    pub fn embedded(bytes: &[u8], format: PictureFormat) -> Option<Self> {
        usable(|| match format {
            PictureFormat::Jpeg => {
                let (icc, pixels) = icc::of_jpeg(bytes)?;
                Self::from_icc(&icc, pixels)
            }
            PictureFormat::Png => png::to_srgb(bytes),
            PictureFormat::Webp => Self::of_colours(webp::profile(bytes)?),
        })
    }

    /// From the bytes of an ICC profile of a picture in RGB; none as for [`ToSrgb::embedded`].
    pub(super) fn of_colours(icc: &[u8]) -> Option<Self> {
        usable(|| Self::from_icc(icc, Pixels::Colours))
    }

    /// From what the chunks of a PNG say; none as for [`ToSrgb::embedded`].
    pub(super) fn described(info: &::png::Info<'_>) -> Option<Self> {
        use ::png::ColorType::{Grayscale, GrayscaleAlpha};
        let is_grey = matches!(info.color_type, Grayscale | GrayscaleAlpha);
        let pixels = if is_grey { Pixels::Grey } else { Pixels::Colours };
        Self::from_profile(described::of_png(info)?, pixels)
    }

    fn from_icc(icc: &[u8], pixels: Pixels) -> Option<Self> {
        Self::from_profile(icc::read(icc)?, pixels)
    }

    fn from_profile(profile: ColorProfile, pixels: Pixels) -> Option<Self> {
        let way = match (profile.color_space, pixels) {
            (DataColorSpace::Gray, Pixels::Grey) => Way::Grey(Ramp::of(&profile)?),
            (DataColorSpace::Rgb, Pixels::Grey | Pixels::Colours) => {
                let srgb = ColorProfile::new_srgb();
                let options = options(&profile, &srgb);
                let executor =
                    profile.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options);
                let executor = executor.ok()?;
                Way::Colours(Arc::new(profile), executor)
            }
            _ => return None,
        };
        let transform = Self(way);
        (!transform.changes_nothing()?).then_some(transform)
    }

    /// Whether every colour of the grid stays where it is; none when the transform fails.
    fn changes_nothing(&self) -> Option<bool> {
        let level = |step: u32| (step * 255 / u32::from(GRID - 1)) as u8;
        let steps = u32::from(GRID);
        let is_grey = matches!(self.0, Way::Grey(_));
        let mut grid = RgbImage::from_fn(steps * steps, steps, |x, y| {
            let rgb = [level(x % steps), level(x / steps), level(y)];
            image::Rgb(if is_grey { [rgb[0]; 3] } else { rgb })
        });
        let before = grid.clone();
        self.apply(&mut grid)?;
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= SAME_LEVELS;
        Some(before.as_raw().iter().zip(grid.as_raw()).all(near))
    }

    /// Converts the picture in place, row by row. None when the transform fails: the picture is then part old, part new, which
    /// cannot happen for a transform that has passed [`ToSrgb::embedded`], since lengths are all it checks.
    pub fn apply(&self, picture: &mut RgbImage) -> Option<()> {
        let executor = match &self.0 {
            Way::Grey(ramp) => {
                for pixel in picture.pixels_mut() {
                    pixel.0 = ramp.srgb(u16::from(pixel.0[0]) * 257);
                }
                return Some(());
            }
            Way::Colours(_, executor) => executor,
        };
        let row_bytes = picture.width() as usize * 3;
        if row_bytes == 0 {
            return Some(());
        }
        let mut row = Vec::with_capacity(row_bytes);
        for pixels in picture.chunks_exact_mut(row_bytes) {
            row.clear();
            row.extend_from_slice(pixels);
            executor.transform(&row, pixels).ok()?;
        }
        Some(())
    }

    /// The same for samples of 16 bits; none when there is no such transform.
    fn deep(&self) -> Option<DeepToSrgb> {
        let way = match &self.0 {
            Way::Grey(ramp) => DeepWay::Grey(ramp.clone()),
            Way::Colours(profile, _) => {
                let srgb = ColorProfile::new_srgb();
                let options = options(profile, &srgb);
                let executor =
                    profile.create_transform_16bit(Layout::Rgb, &srgb, Layout::Rgb, options);
                DeepWay::Colours(executor.ok()?)
            }
        };
        Some(DeepToSrgb { way, colours: Vec::new(), made: Vec::new() })
    }
}

/// What others' code makes of strangers' bytes, as in `decode`: a panic there means an unusable profile.
fn usable<T>(find: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(find)).unwrap_or(None)
}

/// Whole numbers hold coefficients of a matrix up to 4, which those of HDR and of wild primaries are far beyond.
fn options(profile: &ColorProfile, srgb: &ColorProfile) -> TransformOptions {
    let matrix = profile.transform_matrix(srgb).v;
    let prefer_fixed_point = matrix.as_flattened().iter().all(|cell| cell.abs() <= 2.0);
    TransformOptions { prefer_fixed_point, ..TransformOptions::default() }
}

/// [`ToSrgb`] for samples of 16 bits, with room for a row.
pub(super) struct DeepToSrgb {
    way: DeepWay,
    colours: Vec<u16>,
    made: Vec<u16>,
}

enum DeepWay {
    Grey(Ramp),
    Colours(Arc<dyn TransformExecutor<u16> + Send + Sync>),
}

impl DeepToSrgb {
    /// From what the chunks of a PNG say; none as for [`ToSrgb::embedded`].
    pub(super) fn described(info: &::png::Info<'_>) -> Option<Self> {
        usable(|| ToSrgb::described(info)?.deep())
    }

    /// From one sample a pixel, or three, to RGB of 8 bits. None when the transform fails.
    pub(super) fn row(&mut self, samples: &[u16], rgb: &mut [u8]) -> Option<()> {
        let pixels = rgb.as_chunks_mut::<3>().0;
        let channels = samples.len() / pixels.len().max(1);
        match &self.way {
            DeepWay::Grey(ramp) => {
                for (to, from) in pixels.iter_mut().zip(samples.chunks_exact(channels.max(1))) {
                    *to = ramp.srgb(from[0]);
                }
            }
            DeepWay::Colours(executor) => {
                self.colours.clear();
                self.colours.extend(
                    samples.iter().flat_map(|sample| std::iter::repeat_n(*sample, 3 / channels)),
                );
                self.made.resize(self.colours.len(), 0);
                executor.transform(&self.colours, &mut self.made).ok()?;
                for (to, from) in pixels.iter_mut().zip(self.made.as_chunks::<3>().0) {
                    *to = from.map(byte);
                }
            }
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
        usable(|| {
            let (icc, pixels) = icc::of_jpeg(bytes)?;
            let profile = icc::read(&icc)?;
            if (profile.color_space, pixels) != (DataColorSpace::Cmyk, Pixels::Inks) {
                return None;
            }
            let options = TransformOptions::default();
            let srgb = ColorProfile::new_srgb();
            // Four channels, whatever the layout calls them.
            let executor = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options);
            Some(Self { executor: executor.ok()? })
        })
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
        let p3 = ToSrgb::of_colours(&icc(&ColorProfile::new_display_p3())).expect("not sRGB");
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
        assert!(ToSrgb::of_colours(&icc(&ColorProfile::new_srgb())).is_none());
    }

    #[test]
    fn a_grey_gamma_is_converted_from_one_channel() {
        let grey = ToSrgb::from_icc(&icc(&ColorProfile::new_gray_with_gamma(1.0)), Pixels::Grey);
        let grey = grey.expect("a linear grey is not sRGB's");
        let [r, g, b] = converted(&grey, [55; 3]);
        assert_eq!((r, g), (g, b));
        let wanted = level(55.0 / 255.0);
        assert!((f64::from(r) - wanted).abs() <= 1.5, "{r} instead of {wanted}");
    }

    #[test]
    fn what_is_no_profile_is_passed_over() {
        assert!(ToSrgb::of_colours(b"no profile").is_none());
        let mut broken = icc(&ColorProfile::new_display_p3());
        broken.truncate(200);
        assert!(ToSrgb::of_colours(&broken).is_none());
        assert!(ToSrgb::embedded(b"\xff\xd8\xff\xe2\0\x04ab", PictureFormat::Jpeg).is_none());
    }
}
