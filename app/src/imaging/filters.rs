//! What a look is: a short recipe of the point filters of the W3C Filter Effects specification.
//!
//! Because the functions are exactly the specification's, a browser can preview a look with nothing but CSS ([`Filter::css`]),
//! and the saved picture shows the same. A strength between 0 and 100 percent scales each amount from the value that changes
//! nothing (brightness 1, sepia 0, ...) to the recipe's. `kernels` turns a chain into one pass over the pixels.

use std::fmt::Write;

/// The functions of the specification that act on one pixel. Opacity is left out: renditions have no alpha.
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
}

impl Function {
    /// The name in CSS.
    pub fn css_name(self) -> &'static str {
        match self {
            Function::Brightness => "brightness",
            Function::Contrast => "contrast",
            Function::Saturate => "saturate",
            Function::Sepia => "sepia",
            Function::Grayscale => "grayscale",
            Function::HueRotate => "hue-rotate",
            Function::Invert => "invert",
        }
    }

    /// The amount that changes nothing.
    pub fn identity(self) -> f64 {
        match self {
            Function::Brightness | Function::Contrast | Function::Saturate => 1.0,
            Function::Sepia | Function::Grayscale | Function::HueRotate | Function::Invert => 0.0,
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

impl Step {
    /// The function as an affine map of (r, g, b) in 0..=1: three rows of (r, g, b, constant), straight from the
    /// specification (section "Filter primitive representation of the shorthand functions").
    pub fn matrix(self) -> [[f64; 4]; 3] {
        let a = self.amount;
        match self.function {
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
        }
    }
}

/// The weights that grayscale uses, on every row.
const LUMINANCE: [[f64; 3]; 3] = [[0.2126, 0.7152, 0.0722]; 3];
/// The rounded weights that saturate and hue-rotate use.
const LUMINANCE_ROUNDED: [[f64; 3]; 3] = [[0.213, 0.715, 0.072]; 3];
/// Full sepia.
const SEPIA: [[f64; 3]; 3] = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];

fn diagonal(slope: f64, constant: f64) -> [[f64; 4]; 3] {
    let mut rows = [[0.0; 4]; 3];
    for (channel, row) in rows.iter_mut().enumerate() {
        row[channel] = slope;
        row[3] = constant;
    }
    rows
}

/// `target * (1 - keep) + identity * keep`: the specification's tables in one line.
fn toward(target: &[[f64; 3]; 3], keep: f64) -> [[f64; 4]; 3] {
    let mut rows = diagonal(keep, 0.0);
    for (row, target) in rows.iter_mut().zip(target) {
        for (cell, target) in row.iter_mut().zip(target) {
            *cell += target * (1.0 - keep);
        }
    }
    rows
}

fn hue_rotate(degrees: f64) -> [[f64; 4]; 3] {
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

/// A named look.
#[derive(Debug, PartialEq)]
pub struct Filter {
    /// The word in URLs, columns and jobs.
    pub name: &'static str,
    /// The word on pages.
    pub label: &'static str,
    /// The functions at full strength, in order.
    pub recipe: &'static [Step],
}

impl Filter {
    /// The functions at this strength (0 to 100; more counts as 100). Nothing to do gives an empty chain.
    pub fn chain(&self, strength: u8) -> Vec<Step> {
        let share = f64::from(strength.min(100)) / 100.0;
        if share == 0.0 {
            return Vec::new();
        }
        let scaled = |step: &Step| {
            let identity = step.function.identity();
            // Four decimals, so that the browser, which gets them as text, uses the same number.
            let amount = identity + (step.amount - identity) * share;
            Step { function: step.function, amount: (amount * 10_000.0).round() / 10_000.0 }
        };
        self.recipe.iter().map(scaled).collect()
    }

    /// The value of the CSS property `filter` that previews this look at this strength.
    pub fn css(&self, strength: u8) -> String {
        let mut css = String::new();
        for step in self.chain(strength) {
            let separator = if css.is_empty() { "" } else { " " };
            let unit = if step.function == Function::HueRotate { "deg" } else { "" };
            let name = step.function.css_name();
            write!(css, "{separator}{name}({}{unit})", step.amount)
                .expect("writing to a String cannot fail");
        }
        if css.is_empty() { "none".to_owned() } else { css }
    }
}

/// The look with this name.
pub fn by_name(name: &str) -> Option<&'static Filter> {
    ALL.iter().find(|filter| filter.name == name)
}

/// The look that changes nothing.
pub static ORIGINAL: &Filter = &ALL[0];

const fn step(function: Function, amount: f64) -> Step {
    Step { function, amount }
}

use Function::{Brightness, Contrast, Grayscale, HueRotate, Invert, Saturate, Sepia};

/// Every look, in the order of the picker. Names are stored with versions: they may be added, never changed.
pub static ALL: &[Filter] = &[
    Filter { name: "original", label: "Original", recipe: &[] },
    Filter { name: "grayscale", label: "Grayscale", recipe: &[step(Grayscale, 1.0)] },
    Filter { name: "sepia", label: "Sepia", recipe: &[step(Sepia, 1.0)] },
    Filter {
        name: "daybreak",
        label: "Daybreak",
        recipe: &[step(Sepia, 0.18), step(Brightness, 1.1), step(Saturate, 1.25)],
    },
    Filter {
        name: "noon",
        label: "Noon",
        recipe: &[step(Brightness, 1.05), step(Contrast, 1.2), step(Saturate, 1.3)],
    },
    Filter {
        name: "amber",
        label: "Amber",
        recipe: &[
            step(Sepia, 0.45),
            step(Saturate, 1.6),
            step(HueRotate, -12.0),
            step(Contrast, 1.05),
        ],
    },
    Filter {
        name: "fjord",
        label: "Fjord",
        recipe: &[
            step(HueRotate, 14.0),
            step(Saturate, 0.8),
            step(Contrast, 1.12),
            step(Brightness, 1.02),
        ],
    },
    Filter {
        name: "meadow",
        label: "Meadow",
        recipe: &[step(HueRotate, 8.0), step(Saturate, 1.45), step(Brightness, 1.04)],
    },
    Filter {
        name: "postcard",
        label: "Postcard",
        recipe: &[
            step(Sepia, 0.3),
            step(Contrast, 0.85),
            step(Brightness, 1.12),
            step(Saturate, 1.15),
        ],
    },
    Filter {
        name: "velvet",
        label: "Velvet",
        recipe: &[step(Contrast, 1.35), step(Brightness, 0.9), step(Saturate, 1.2)],
    },
    Filter {
        name: "mist",
        label: "Mist",
        recipe: &[step(Contrast, 0.72), step(Brightness, 1.15), step(Saturate, 0.75)],
    },
    Filter {
        name: "newsprint",
        label: "Newsprint",
        recipe: &[step(Grayscale, 1.0), step(Contrast, 1.5), step(Brightness, 1.05)],
    },
    Filter {
        name: "silver",
        label: "Silver",
        recipe: &[step(Grayscale, 0.9), step(Brightness, 1.08), step(Contrast, 0.95)],
    },
    Filter {
        name: "dusk",
        label: "Dusk",
        recipe: &[
            step(Brightness, 0.85),
            step(HueRotate, -18.0),
            step(Saturate, 1.3),
            step(Contrast, 1.1),
        ],
    },
    Filter {
        name: "rosewood",
        label: "Rosewood",
        recipe: &[
            step(Sepia, 0.35),
            step(HueRotate, -28.0),
            step(Saturate, 1.35),
            step(Brightness, 0.98),
        ],
    },
    Filter {
        name: "polar",
        label: "Polar",
        recipe: &[
            step(Saturate, 0.55),
            step(HueRotate, 22.0),
            step(Brightness, 1.1),
            step(Contrast, 1.08),
        ],
    },
    Filter { name: "vivid", label: "Vivid", recipe: &[step(Saturate, 1.8), step(Contrast, 1.1)] },
    Filter { name: "negative", label: "Negative", recipe: &[step(Invert, 1.0)] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn css_scales_each_amount_from_the_one_that_changes_nothing() {
        let daybreak = by_name("daybreak").expect("a look of the table");
        assert_eq!(daybreak.css(100), "sepia(0.18) brightness(1.1) saturate(1.25)");
        assert_eq!(daybreak.css(50), "sepia(0.09) brightness(1.05) saturate(1.125)");
        assert_eq!(daybreak.css(0), "none");
        assert_eq!(
            by_name("amber").expect("a look").css(100),
            "sepia(0.45) saturate(1.6) hue-rotate(-12deg) contrast(1.05)"
        );
        assert_eq!(ORIGINAL.css(100), "none");
    }

    #[test]
    fn names_are_unique_and_fit_a_url() {
        for (index, filter) in ALL.iter().enumerate() {
            assert!(filter.name.bytes().all(|byte| byte.is_ascii_lowercase()), "{}", filter.name);
            assert!(
                ALL[index + 1..].iter().all(|other| other.name != filter.name),
                "{}",
                filter.name
            );
        }
        assert!(ALL.len() >= 15);
        assert_eq!(by_name("no-such-look"), None);
    }
}
