//! What a look is: a short recipe of point filters, and a vignette for some.
//!
//! A browser previews a look with nothing but CSS ([`Filter::css`]) where all its functions are those of the W3C Filter Effects specification, and
//! with SVG filters ([`Filter::svg_filters`]) where they are not; the saved picture shows the same. A strength between 0 and 100 percent
//! scales each amount from the value that changes nothing (brightness 1, sepia 0, ...) to the recipe's. `functions` says what each step
//! does, `kernels` turns a chain of them into one pass over the pixels.

use std::fmt::Write;

use super::functions::{Curves, Duotone, Transfer};
pub use super::functions::{Function, Step};
use super::kernels::Program;
use super::raster::Raster;
use super::spatial::{SpatialFilter as _, Vignette};

/// Steps of the gradient that previews a vignette: so many straight lines are within half a level of the curve.
const VIGNETTE_STEPS: u32 = 24;

/// A named look.
#[derive(Debug, PartialEq)]
pub struct Filter {
    /// The word in URLs, columns and jobs.
    pub name: &'static str,
    /// The word on pages.
    pub label: &'static str,
    /// The functions at full strength, in order.
    pub recipe: &'static [Step],
    /// How dark the corners are at full strength, 0 to 1: see [`Vignette`]. It comes after the functions.
    pub vignette: f32,
}

/// A look at one strength, ready for any number of pictures.
#[derive(Debug, Clone)]
pub struct Look {
    program: Program,
    vignette: Vignette,
    changes_nothing: bool,
}

impl Look {
    /// Whether pictures stay as they are.
    pub fn changes_nothing(&self) -> bool {
        self.changes_nothing
    }

    /// Filters the pixels.
    pub fn apply(&self, raster: &mut Raster<'_>) {
        self.program.apply(raster);
        self.vignette.apply(raster);
    }
}

impl Filter {
    /// The functions at this strength (0 to 100; more counts as 100). Nothing to do gives an empty chain.
    pub fn chain(&self, strength: u8) -> Vec<Step> {
        let share = share(strength);
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

    /// Everything at this strength, compiled.
    pub fn look(&self, strength: u8) -> Look {
        let (chain, vignette) = (self.chain(strength), self.vignette * share(strength) as f32);
        let changes_nothing = chain.is_empty() && vignette <= 0.0;
        Look { program: Program::new(&chain), vignette: Vignette::new(vignette), changes_nothing }
    }

    /// The value of the CSS property `filter` that previews this look at this strength, but for the vignette. Steps that CSS has no function for
    /// refer to [`Filter::svg_filters`].
    pub fn css(&self, strength: u8) -> String {
        let mut css = String::new();
        for (index, step) in self.chain(strength).into_iter().enumerate() {
            let separator = if css.is_empty() { "" } else { " " };
            let unit = if step.function == Function::HueRotate { "deg" } else { "" };
            let written = match step.function.css_name() {
                Some(name) => write!(css, "{separator}{name}({}{unit})", step.amount),
                None => write!(css, "{separator}url(#{}-{index})", self.name),
            };
            written.expect("writing to a String cannot fail");
        }
        if css.is_empty() { "none".to_owned() } else { css }
    }

    /// The SVG `filter` elements for those steps that CSS has no function for, at full strength: numbers move in straight lines from those
    /// that change nothing, which is how the page's script scales them.
    pub fn svg_filters(&self) -> String {
        let mut svg = String::new();
        let numbers = |values: &[f64]| {
            let words = values.iter().map(|value| ((value * 1e5).round() / 1e5).to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        for (index, step) in self.recipe.iter().enumerate() {
            let primitive = match step.transfer() {
                _ if step.function.css_name().is_some() => continue,
                Transfer::Alpha(_) => continue,
                Transfer::Matrix(rows) => {
                    // The fourth column is alpha's.
                    let row = |[r, g, b, constant]: [f64; 4]| numbers(&[r, g, b, 0.0, constant]);
                    let rows = rows.map(row).join(" ");
                    format!("<feColorMatrix values=\"{rows} 0 0 0 1 0\"/>")
                }
                Transfer::Tables(_) => {
                    let Function::Curves(curves) = step.function else { continue };
                    let channels = ["R", "G", "B"].into_iter().zip(curves.levels);
                    let functions = channels.map(|(channel, levels)| {
                        let levels: Vec<f64> =
                            levels.iter().map(|level| f64::from(*level) / 255.0).collect();
                        let values = numbers(&levels);
                        format!("<feFunc{channel} type=\"table\" tableValues=\"{values}\"/>")
                    });
                    let functions: String = functions.collect();
                    format!("<feComponentTransfer>{functions}</feComponentTransfer>")
                }
            };
            write!(
                svg,
                "<filter id=\"{}-{index}\" color-interpolation-filters=\"sRGB\" x=\"0\" y=\"0\" width=\"1\" height=\"1\">{primitive}</filter>",
                self.name
            )
            .expect("writing to a String cannot fail");
        }
        svg
    }

    /// The CSS background that previews the vignette at full strength, laid over the picture; its opacity is the strength.
    pub fn vignette_css(&self) -> Option<String> {
        if self.vignette == 0.0 {
            return None;
        }
        let stops = (0..=VIGNETTE_STEPS).map(|stop| {
            let place = f64::from(stop) / f64::from(VIGNETTE_STEPS);
            let alpha = f64::from(self.vignette) * place.powi(4);
            format!("rgb(0 0 0 / {alpha:.4}) {:.3}%", place * 100.0)
        });
        let stops: Vec<String> = stops.collect();
        Some(format!("radial-gradient(circle farthest-corner,{})", stops.join(",")))
    }
}

fn share(strength: u8) -> f64 {
    f64::from(strength.min(100)) / 100.0
}

/// The look with this name.
pub fn by_name(name: &str) -> Option<&'static Filter> {
    ALL.iter().find(|filter| filter.name == name)
}

/// The look that changes nothing.
pub static ORIGINAL: &Filter = &ALL[0];

const fn look(name: &'static str, label: &'static str, recipe: &'static [Step]) -> Filter {
    Filter { name, label, recipe, vignette: 0.0 }
}

const fn step(function: Function, amount: f64) -> Step {
    Step { function, amount }
}

use Function::{Brightness, Contrast, Fade, Grayscale, HueRotate, Invert, Saturate, Sepia, Warmth};

/// Deep blue to pale straw.
static HARBOUR: Duotone = Duotone { dark: [16, 33, 74], light: [250, 238, 205] };
/// More contrast in the middle, with a blue shadow and a yellow light, as slides crossed over in the wrong bath.
static CROSSED: Curves =
    Curves { levels: [&[0, 40, 128, 216, 255], &[0, 52, 132, 210, 255], &[28, 78, 128, 178, 228]] };

/// Every look, in the order of the picker. Names are stored with versions: they may be added, never changed.
pub static ALL: &[Filter] = &[
    look("original", "Original", &[]),
    look("grayscale", "Grayscale", &[step(Grayscale, 1.0)]),
    look("sepia", "Sepia", &[step(Sepia, 1.0)]),
    look("daybreak", "Daybreak", &[step(Sepia, 0.18), step(Brightness, 1.1), step(Saturate, 1.25)]),
    look("noon", "Noon", &[step(Brightness, 1.05), step(Contrast, 1.2), step(Saturate, 1.3)]),
    look(
        "amber",
        "Amber",
        &[step(Sepia, 0.45), step(Saturate, 1.6), step(HueRotate, -12.0), step(Contrast, 1.05)],
    ),
    look(
        "fjord",
        "Fjord",
        &[step(HueRotate, 14.0), step(Saturate, 0.8), step(Contrast, 1.12), step(Brightness, 1.02)],
    ),
    look("meadow", "Meadow", &[step(HueRotate, 8.0), step(Saturate, 1.45), step(Brightness, 1.04)]),
    look(
        "postcard",
        "Postcard",
        &[step(Sepia, 0.3), step(Contrast, 0.85), step(Brightness, 1.12), step(Saturate, 1.15)],
    ),
    look("velvet", "Velvet", &[step(Contrast, 1.35), step(Brightness, 0.9), step(Saturate, 1.2)]),
    look("mist", "Mist", &[step(Contrast, 0.72), step(Brightness, 1.15), step(Saturate, 0.75)]),
    look(
        "newsprint",
        "Newsprint",
        &[step(Grayscale, 1.0), step(Contrast, 1.5), step(Brightness, 1.05)],
    ),
    look("silver", "Silver", &[step(Grayscale, 0.9), step(Brightness, 1.08), step(Contrast, 0.95)]),
    look(
        "dusk",
        "Dusk",
        &[step(Brightness, 0.85), step(HueRotate, -18.0), step(Saturate, 1.3), step(Contrast, 1.1)],
    ),
    look(
        "rosewood",
        "Rosewood",
        &[step(Sepia, 0.35), step(HueRotate, -28.0), step(Saturate, 1.35), step(Brightness, 0.98)],
    ),
    look(
        "polar",
        "Polar",
        &[step(Saturate, 0.55), step(HueRotate, 22.0), step(Brightness, 1.1), step(Contrast, 1.08)],
    ),
    look("vivid", "Vivid", &[step(Saturate, 1.8), step(Contrast, 1.1)]),
    look("negative", "Negative", &[step(Invert, 1.0)]),
    look("hearth", "Hearth", &[step(Warmth, 0.8), step(Saturate, 1.12), step(Contrast, 1.06)]),
    look("harbour", "Harbour", &[step(Function::Duotone(&HARBOUR), 1.0)]),
    look("slide", "Slide", &[step(Function::Curves(&CROSSED), 1.0), step(Saturate, 1.1)]),
    Filter {
        name: "attic",
        label: "Attic",
        recipe: &[step(Sepia, 0.55), step(Fade, 0.9), step(Warmth, 0.25)],
        vignette: 0.35,
    },
    Filter {
        name: "matinee",
        label: "Matinee",
        recipe: &[step(Sepia, 1.0), step(Contrast, 1.2)],
        vignette: 0.6,
    },
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
        assert_eq!(
            by_name("attic").expect("a look").css(100),
            "sepia(0.55) url(#attic-1) url(#attic-2)"
        );
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
