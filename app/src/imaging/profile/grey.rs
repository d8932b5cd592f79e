//! Profiles of one channel, as a ramp: what each of 4,097 levels of grey is in sRGB. From their curve by moxcms; from a table over Lab or
//! XYZ, which moxcms takes for three channels and more only, by the formulas of ICC.1, 10.10 and 10.11.

use moxcms::{
    ColorProfile, DataColorSpace, Layout, LutDataType, LutStore, LutType, LutWarehouse,
    TransformOptions, Vector3d,
};

use crate::imaging::png::byte;

/// Steps between two levels of the ramp, of 65,536.
const STEP: usize = 16;

/// From black to white.
#[derive(Clone)]
pub(super) struct Ramp(Vec<[u8; 3]>);

impl Ramp {
    /// None for a profile that browsers pass over: a curve that leads to Lab.
    pub(super) fn of(profile: &ColorProfile) -> Option<Self> {
        let samples = (0..=65_536 / STEP).map(|step| (step * STEP).min(65_535) as u16);
        match &profile.lut_a_to_b_perceptual {
            Some(LutWarehouse::Lut(table)) => {
                let table = Table::of(table, profile.pcs)?;
                Some(Self(samples.map(|sample| table.srgb(f64::from(sample) / 65_535.0)).collect()))
            }
            Some(LutWarehouse::Multidimensional(_)) => None,
            None => {
                let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
                let executor =
                    profile.create_transform_16bit(Layout::Gray, &srgb, Layout::Rgb, options);
                let samples: Vec<u16> = samples.collect();
                let mut made = vec![0; samples.len() * 3];
                executor.ok()?.transform(&samples, &mut made).ok()?;
                Some(Self(made.as_chunks().0.iter().map(|rgb: &[u16; 3]| rgb.map(byte)).collect()))
            }
        }
    }

    pub(super) fn srgb(&self, sample: u16) -> [u8; 3] {
        self.0[(usize::from(sample) + STEP / 2) / STEP]
    }
}

/// A table of one channel, each of its lists from 0 to 1.
struct Table {
    input: Vec<f64>,
    /// Three columns.
    colours: [Vec<f64>; 3],
    output: [Vec<f64>; 3],
    is_lab: bool,
    /// What 1 stands for in the connection space, and where its second and third number begin.
    scale: [f64; 3],
    offset: f64,
    /// From the connection space's XYZ to linear sRGB.
    to_linear: moxcms::Matrix3d,
}

impl Table {
    fn of(table: &LutDataType, space: DataColorSpace) -> Option<Self> {
        let grid = usize::from(table.num_clut_grid_points);
        let steps = usize::from(table.num_output_table_entries);
        let colours = values(&table.clut_table);
        let output = values(&table.output_table);
        let is_sound = (table.num_input_channels, table.num_output_channels) == (1, 3)
            && colours.len() == grid * 3
            && output.len() == steps * 3
            && grid > 0
            && steps > 0;
        // Lab of 16 bits is written as in version 2 here: FF00 is 100.
        let lab = if table.lut_type == LutType::Lut8 { 1.0 } else { 65_535.0 / 65_280.0 };
        let is_lab = space == DataColorSpace::Lab;
        let column = |channel| colours.iter().skip(channel).step_by(3).copied().collect();
        is_sound.then(|| Self {
            input: values(&table.input_table),
            colours: std::array::from_fn(column),
            output: std::array::from_fn(|channel| output[channel * steps..][..steps].to_vec()),
            is_lab,
            scale: if is_lab {
                [100.0 * lab, 255.0 * lab, 255.0 * lab]
            } else {
                [65_535.0 / 32_768.0; 3]
            },
            offset: if is_lab { -128.0 } else { 0.0 },
            to_linear: ColorProfile::new_srgb().rgb_to_xyz_matrix().inverse(),
        })
    }

    fn srgb(&self, sample: f64) -> [u8; 3] {
        let sample = between(&self.input, sample);
        let made: [f64; 3] = std::array::from_fn(|channel| {
            let colour = between(&self.colours[channel], sample);
            between(&self.output[channel], colour) * self.scale[channel]
        });
        let xyz = if self.is_lab {
            lab_to_xyz([made[0], made[1] + self.offset, made[2] + self.offset])
        } else {
            made
        };
        let linear = self.to_linear.mul_vector(Vector3d { v: xyz });
        linear.v.map(|value| {
            let value = value.clamp(0.0, 1.0);
            let curved = if value <= 0.003_130_8 {
                12.92 * value
            } else {
                1.055 * value.powf(1.0 / 2.4) - 0.055
            };
            (curved * 255.0).round() as u8
        })
    }
}

/// CIE 1976, with the white D50.
fn lab_to_xyz([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let y = (lightness + 16.0) / 116.0;
    let linear = |value: f64| {
        if value > 6.0 / 29.0 { value.powi(3) } else { (value - 16.0 / 116.0) * 108.0 / 841.0 }
    };
    [0.9642 * linear(y + a / 500.0), linear(y), 0.8249 * linear(y - b / 200.0)]
}

fn values(list: &LutStore) -> Vec<f64> {
    match list {
        LutStore::Store8(list) => list.iter().map(|value| f64::from(*value) / 255.0).collect(),
        LutStore::Store16(list) => list.iter().map(|value| f64::from(*value) / 65_535.0).collect(),
    }
}

/// Linear interpolation; an empty list changes nothing.
fn between(list: &[f64], at: f64) -> f64 {
    let Some(last) = list.len().checked_sub(1) else { return at };
    let place = at.clamp(0.0, 1.0) * last as f64;
    let low = (place as usize).min(last);
    let high = (low + 1).min(last);
    list[low] + (list[high] - list[low]) * (place - low as f64)
}
