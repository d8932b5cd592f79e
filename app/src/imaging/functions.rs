//! The point filters: what each does to the colour of one pixel.
//!
//! Seven are the shorthand functions of the W3C Filter Effects specification, number for number, so that a browser previews them with
//! nothing but CSS; opacity is its eighth. Warmth, fade and duotone are matrices of ours, curves are the specification's
//! `feComponentTransfer` of type `table`: a browser previews those four with an SVG filter. Every amount moves in a straight line from
//! "nothing" to the full effect. `filters` makes looks of them, `kernels` computes them.

/// A filter that looks at one pixel at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Multiplies by the amount; 1 changes nothing.
    Brightness,
    /// Spreads around middle grey; 1 changes nothing.
    Contrast,
    /// 0 is grey, 1 changes nothing, more is vivid.
    Saturate,
    /// 0 changes nothing, 1 is all sepia.
    Sepia,
    /// 0 changes nothing, 1 is all grey.
    Grayscale,
    /// Degrees around the colour wheel; 0 changes nothing.
    HueRotate,
    /// 0 changes nothing, 1 is the negative.
    Invert,
    /// 1 changes nothing, 0 is transparent. It acts on alpha; where there is none the picture is laid on white, at the end of
    /// the chain, as transparent uploads are.
    Opacity,
    /// 0 changes nothing, 1 is the light of a candle, -1 that of an overcast noon: red and blue against each other.
    Warmth,
    /// 0 changes nothing, 1 lifts black to a dark grey and takes the edge off white, as old prints do.
    Fade,
    /// 0 changes nothing; at 1, luminance runs from the one colour to the other.
    Duotone(&'static Duotone),
    /// 0 changes nothing; at 1, each channel goes through its curve.
    Curves(&'static Curves),
}

/// The two inks of a duotone, in sRGB levels.
#[derive(Debug, PartialEq, Eq)]
pub struct Duotone {
    /// What black becomes.
    pub dark: [u8; 3],
    /// What white becomes.
    pub light: [u8; 3],
}

/// A curve for each channel: levels at equal distances from black to white, straight lines between them. At least two each.
#[derive(Debug, PartialEq, Eq)]
pub struct Curves {
    /// Red, green, blue.
    pub levels: [&'static [u8]; 3],
}

impl Function {
    /// The name in CSS, where CSS has the function.
    pub fn css_name(self) -> Option<&'static str> {
        Some(match self {
            Function::Brightness => "brightness",
            Function::Contrast => "contrast",
            Function::Saturate => "saturate",
            Function::Sepia => "sepia",
            Function::Grayscale => "grayscale",
            Function::HueRotate => "hue-rotate",
            Function::Invert => "invert",
            Function::Opacity => "opacity",
            Function::Warmth | Function::Fade | Function::Duotone(_) | Function::Curves(_) => {
                return None;
            }
        })
    }

    /// The amount that changes nothing.
    pub fn identity(self) -> f64 {
        match self {
            Function::Brightness | Function::Contrast | Function::Saturate | Function::Opacity => {
                1.0
            }
            Function::Sepia
            | Function::Grayscale
            | Function::HueRotate
            | Function::Invert
            | Function::Warmth
            | Function::Fade
            | Function::Duotone(_)
            | Function::Curves(_) => 0.0,
        }
    }
}

/// A function with its amount (degrees for hue-rotate, otherwise a plain number as in CSS).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which function.
    pub function: Function,
    /// How much.
    pub amount: f64,
}

/// An affine map of (r, g, b) in 0..=1: three rows of (r, g, b, constant).
pub type Matrix = [[f64; 4]; 3];

/// What a step is to those who compute it.
#[derive(Debug, Clone, PartialEq)]
pub enum Transfer {
    /// Every channel of the result is a weighted sum of all three.
    Matrix(Matrix),
    /// Every channel has a table of its own: the results, in 0..=1, for the levels 0 to 255.
    Tables(Box<[[f64; 256]; 3]>),
    /// Alpha is multiplied.
    Alpha(f64),
}

impl Step {
    /// The step's arithmetic. Matrices are straight from the specification (section "Filter primitive representation of the shorthand
    /// functions"), and unclamped: whoever uses them clamps results to 0..=1.
    pub fn transfer(self) -> Transfer {
        let a = self.amount;
        Transfer::Matrix(match self.function {
            Function::Brightness => diagonal(a, 0.0),
            Function::Contrast => diagonal(a, 0.5 - 0.5 * a),
            Function::Invert => {
                // A table of two values: [amount, 1 - amount]. More than 1 counts as 1.
                let a = a.clamp(0.0, 1.0);
                diagonal(1.0 - 2.0 * a, a)
            }
            Function::Saturate => toward(&LUMINANCE_ROUNDED, a),
            Function::Grayscale => toward(&LUMINANCE, 1.0 - a.clamp(0.0, 1.0)),
            Function::Sepia => toward(&SEPIA, 1.0 - a.clamp(0.0, 1.0)),
            Function::HueRotate => hue_rotate(a),
            Function::Opacity => return Transfer::Alpha(a.clamp(0.0, 1.0)),
            Function::Warmth => {
                let mut rows = diagonal(1.0, 0.0);
                for (channel, slope) in WARMTH.into_iter().enumerate() {
                    rows[channel][channel] += a.clamp(-1.0, 1.0) * slope;
                }
                rows
            }
            Function::Fade => {
                let a = a.clamp(0.0, 1.0);
                diagonal(1.0 - FADE[0] * a, FADE[1] * a)
            }
            Function::Duotone(inks) => duotone(inks, a.clamp(0.0, 1.0)),
            Function::Curves(curves) => return Transfer::Tables(curves.tables(a.clamp(0.0, 1.0))),
        })
    }
}

/// The weights that grayscale uses, on every row.
const LUMINANCE: [[f64; 3]; 3] = [[0.2126, 0.7152, 0.0722]; 3];
/// The rounded weights that saturate and hue-rotate use.
const LUMINANCE_ROUNDED: [[f64; 3]; 3] = [[0.213, 0.715, 0.072]; 3];
/// Full sepia.
const SEPIA: [[f64; 3]; 3] = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];
/// What full warmth adds to the slopes of red, green and blue.
const WARMTH: [f64; 3] = [0.18, 0.03, -0.22];
/// What full fade takes from the slope, and where it lifts black to: 0.17, and white to 0.97.
const FADE: [f64; 2] = [0.2, 0.17];

fn diagonal(slope: f64, constant: f64) -> Matrix {
    let mut rows = [[0.0; 4]; 3];
    for (channel, row) in rows.iter_mut().enumerate() {
        row[channel] = slope;
        row[3] = constant;
    }
    rows
}

/// `target * (1 - keep) + identity * keep`: the specification's tables in one line.
fn toward(target: &[[f64; 3]; 3], keep: f64) -> Matrix {
    let mut rows = diagonal(keep, 0.0);
    for (row, target) in rows.iter_mut().zip(target) {
        for (cell, target) in row.iter_mut().zip(target) {
            *cell += target * (1.0 - keep);
        }
    }
    rows
}

fn hue_rotate(degrees: f64) -> Matrix {
    const COSINE: [[f64; 3]; 3] =
        [[0.787, -0.715, -0.072], [-0.213, 0.285, -0.072], [-0.213, -0.715, 0.928]];
    const SINE: [[f64; 3]; 3] =
        [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]];
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let mut rows = [[0.0; 4]; 3];
    for (row, cells) in rows.iter_mut().enumerate() {
        for (column, cell) in cells.iter_mut().take(3).enumerate() {
            *cell = LUMINANCE_ROUNDED[row][column]
                + cosine * COSINE[row][column]
                + sine * SINE[row][column];
        }
    }
    rows
}

/// dark + (light - dark) * luminance, mixed with the picture by the amount.
fn duotone(inks: &Duotone, amount: f64) -> Matrix {
    let mut rows = diagonal(1.0 - amount, 0.0);
    for (channel, row) in rows.iter_mut().enumerate() {
        let dark = f64::from(inks.dark[channel]) / 255.0;
        let reach = f64::from(inks.light[channel]) / 255.0 - dark;
        for (cell, weight) in row.iter_mut().zip(LUMINANCE[0]) {
            *cell += amount * reach * weight;
        }
        row[3] = amount * dark;
    }
    rows
}

impl Curves {
    /// The curves at this amount, for each level.
    fn tables(&self, amount: f64) -> Box<[[f64; 256]; 3]> {
        let table = |levels: &[u8]| {
            std::array::from_fn(|level| {
                let value = level as f64 / 255.0;
                value + amount * (at(levels, value) - value)
            })
        };
        Box::new(self.levels.map(table))
    }
}

/// The curve's value for `value`, both in 0..=1: the specification's formula of type `table`.
fn at(levels: &[u8], value: f64) -> f64 {
    let last = levels.len() - 1;
    let place = value * last as f64;
    let k = (place as usize).min(last - 1);
    let (left, right) = (f64::from(levels[k]), f64::from(levels[k + 1]));
    (left + (place - k as f64) * (right - left)) / 255.0
}
