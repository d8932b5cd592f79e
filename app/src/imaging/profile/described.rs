//! Colour spaces that a file describes without a profile: by code points (ITU-T H.273, PNG's `cICP`), or by a power and the
//! chromaticities of its primaries (PNG's `gAMA` and `cHRM`). Both become profiles, so that one way leads from all of them to sRGB.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, WHITE_POINT_D65, XyY,
};
use png::Info;

use super::icc;

/// White of a picture in HDR, cd/m2 (ITU-R BT.2408). What is brighter is cut off.
const HDR_WHITE: f64 = 203.0;
/// What the largest value of PQ stands for, cd/m2 (ITU-R BT.2100).
const PQ_PEAK: f64 = 10_000.0;
/// The display that HLG's pictures are for, cd/m2 (ITU-R BT.2100).
const HLG_PEAK: f64 = 1_000.0;
/// The power that stands for sRGB, times 100,000, and how far from it one may be: 5 %, as in libpng and Chromium.
const SRGB_POWER: std::ops::RangeInclusive<u32> = 43_182..=47_727;

/// What a PNG says of its colours; none for sRGB. A profile that cannot be read leaves the word to what comes after it.
pub(super) fn of_png(info: &Info<'_>) -> Option<ColorProfile> {
    let points = info.coding_independent_code_points.and_then(|points| {
        let full = u8::from(points.is_video_full_range_image);
        code_points([
            points.color_primaries,
            points.transfer_function,
            points.matrix_coefficients,
            full,
        ])
    });
    let profile = || info.icc_profile.as_deref().and_then(icc::read);
    if let Some(found) = points.or_else(profile) {
        return Some(found);
    }
    if info.srgb.is_some() {
        return None;
    }
    let chromaticities = info.chrm_chunk.map(|said| {
        [said.white, said.red, said.green, said.blue].map(|(x, y)| [x.into_value(), y.into_value()])
    });
    power(info.gama_chunk?.into_scaled(), chromaticities)
}

/// From primaries, curve, matrix and range. None for what is no RGB of the full range, and for code points that Chromium does not
/// know either.
pub(super) fn code_points([primaries, curve, matrix, full]: [u8; 4]) -> Option<ColorProfile> {
    if matrix != 0 || full != 1 {
        return None;
    }
    let color_primaries = CicpColorPrimaries::try_from(primaries).ok()?;
    let mut points = CicpProfile {
        color_primaries,
        transfer_characteristics: TransferCharacteristics::Linear,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let mut profile = ColorProfile::new_from_cicp(points);
    // Unknown primaries leave no colour in it.
    if !is_space(&profile) {
        return None;
    }
    let (curve, peak) = match curve {
        // What a television shows of BT.601, BT.709 and BT.2020 (BT.1886), which is what pictures are made for.
        1 | 6 | 14 | 15 => (Ok(ToneReprCurve::Parametric(vec![2.4])), 1.0),
        4 => (Ok(ToneReprCurve::Parametric(vec![2.2])), 1.0),
        5 => (Ok(ToneReprCurve::Parametric(vec![2.8])), 1.0),
        8 => (Ok(ToneReprCurve::Parametric(vec![1.0])), 1.0),
        13 => (Ok(ColorProfile::new_srgb().red_trc?), 1.0),
        16 => (Err(TransferCharacteristics::Smpte2084), PQ_PEAK / HDR_WHITE),
        18 => (Err(TransferCharacteristics::Hlg), HLG_PEAK / HDR_WHITE),
        _ => return None,
    };
    match curve {
        Ok(curve) => {
            profile.cicp = None;
            set_curve(&mut profile, curve);
        }
        // moxcms computes these from the code point; the curves that it puts beside are tables.
        Err(curve) => {
            points.transfer_characteristics = curve;
            profile.update_rgb_colorimetry_from_cicp(points);
        }
    }
    for colorant in
        [&mut profile.red_colorant, &mut profile.green_colorant, &mut profile.blue_colorant]
    {
        (colorant.x, colorant.y, colorant.z) =
            (colorant.x * peak, colorant.y * peak, colorant.z * peak);
    }
    Some(profile)
}

/// PNG has no larger number (third edition, 7.1).
const PNG_NUMBER_MAX: u32 = i32::MAX as u32;

/// From `gAMA`, times 100,000, and `cHRM`: white, red, green, blue. None for sRGB, and where the numbers make no colour space; chromaticities
/// without a power are passed over. As in Chromium the power that stands for sRGB is one where primaries are given, too.
fn power(scaled: u32, chromaticities: Option<[[f32; 2]; 4]>) -> Option<ColorProfile> {
    if !(1..=PNG_NUMBER_MAX).contains(&scaled)
        || chromaticities.is_none() && SRGB_POWER.contains(&scaled)
    {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    if let Some([white, red, green, blue]) = chromaticities {
        let [red, green, blue] = [red, green, blue].map(|[x, y]| Chromaticity { x, y });
        let white = XyY { x: white[0].into(), y: white[1].into(), yb: 1.0 };
        profile.update_rgb_colorimetry(white, ColorPrimaries { red, green, blue });
    } else {
        profile.update_rgb_colorimetry(WHITE_POINT_D65, ColorPrimaries::BT_709);
    }
    set_curve(&mut profile, ToneReprCurve::Parametric(vec![100_000.0 / scaled as f32]));
    is_space(&profile).then_some(profile)
}

/// Whether the primaries span a space: not where they lie on a line or have no light.
fn is_space(profile: &ColorProfile) -> bool {
    let volume = profile.colorant_matrix().determinant();
    volume.is_some_and(|volume| volume.is_finite() && volume.abs() > 1e-6)
}

fn set_curve(profile: &mut ColorProfile, curve: ToneReprCurve) {
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
}
