//! One palette and one type scale for every figure.
//!
//! Colours start from Okabe and Ito's palette, darkened until they keep a contrast of 4.5 to 1 as text on white; before and after also
//! differ in marker and line, so that nothing hangs on colour in print. Each colour value is used for one role only: the page
//! swaps them for CSS variables in dark mode (`themed`), which works because a value names its role.

use plotters::style::RGBColor;

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The background.
    Paper,
    /// Text and axes.
    Text,
    /// Secondary text.
    Muted,
    /// Grid lines.
    Grid,
    /// The A/A band.
    Band,
    /// The before side.
    Before,
    /// The after side.
    After,
    /// The bound of the objective.
    Bound,
    /// An arrow of the map, by its number.
    Cure(usize),
}

/// Role -> light value, dark value, name of the CSS variable. The cures follow in the order of the map's arrows.
const PALETTE: [(&str, &str, &str); 14] = [
    ("#FFFFFF", "#16191E", "paper"),
    ("#1B1F24", "#ECEFF3", "text"),
    ("#59626D", "#A9B2BD", "muted"),
    ("#D6DBE1", "#343A43", "grid"),
    ("#ECEFF2", "#262B32", "band"),
    ("#0068A8", "#63B3F0", "before"),
    ("#BC4700", "#FF9C5A", "after"),
    ("#7A1FA2", "#D79BF0", "bound"),
    ("#0B5FA5", "#6DB9F4", "cure-0"),
    ("#B34A05", "#FFA166", "cure-1"),
    ("#00735A", "#4FD1AE", "cure-2"),
    ("#94407A", "#F09FD2", "cure-3"),
    ("#7A5B00", "#E5C158", "cure-4"),
    ("#3D4450", "#C3CAD4", "cure-5"),
];

impl Ink {
    fn index(self) -> usize {
        match self {
            Ink::Paper => 0,
            Ink::Text => 1,
            Ink::Muted => 2,
            Ink::Grid => 3,
            Ink::Band => 4,
            Ink::Before => 5,
            Ink::After => 6,
            Ink::Bound => 7,
            Ink::Cure(number) => 8 + number % 6,
        }
    }

    /// The value on paper.
    pub fn rgb(self) -> RGBColor {
        let hex = PALETTE[self.index()].0;
        let part = |from: usize| {
            u8::from_str_radix(&hex[from..from + 2], 16).expect("the palette is written in hex")
        };
        RGBColor(part(1), part(3), part(5))
    }
}

/// The figure with every colour of the palette replaced by its CSS variable, and free to take the width it is given.
pub fn themed(svg: &str) -> String {
    let mut text = svg.to_owned();
    for (light, _, name) in PALETTE {
        text = text.replace(&format!("\"{light}\""), &format!("\"var(--{name})\""));
    }
    text
}

/// The CSS variables of the palette: light, dark.
pub fn css_variables() -> (String, String) {
    let list = |pick: fn(&(&str, &str, &str)) -> String| {
        PALETTE.iter().map(pick).collect::<Vec<_>>().join("")
    };
    (
        list(|(light, _, name)| format!("--{name}:{light};")),
        list(|(_, dark, name)| format!("--{name}:{dark};")),
    )
}

/// A figure's size with its type scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Pixels.
    pub width: u32,
    /// Height per unit of a figure's own aspect, in pixels.
    pub height: u32,
    /// Titles.
    pub title: f64,
    /// Labels and values.
    pub text: f64,
    /// Ticks and notes.
    pub small: f64,
    /// True for the narrow twin that phones get.
    pub narrow: bool,
}

/// For files, projectors, print: 20 px and more, 17 px at least, read from the back of a room.
pub const WIDE: Size =
    Size { width: 1280, height: 720, title: 28.0, text: 21.0, small: 18.0, narrow: false };

/// For phones: shown at 343 of its 440 pixels, 14 px of type become 11.
pub const NARROW: Size =
    Size { width: 440, height: 520, title: 19.0, text: 16.0, small: 14.0, narrow: true };

/// Width of a text in pixels. There are no fonts to ask, so the proportions are those of a wide one (DejaVu Sans, the fallback of bare
/// Linux systems): with Helvetica or Arial labels stand a little further apart than they need to.
pub fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' | ' ' => 0.33,
            't' | 'f' | 'r' | '(' | ')' | '/' | '-' | '·' => 0.40,
            'm' | 'M' | 'W' | '%' | '→' | '←' | '↑' => 0.97,
            'w' => 0.82,
            'A'..='Z' => 0.74,
            _ => 0.63,
        })
        .sum();
    em * size
}

/// Breaks a text into lines of at most `width` pixels, at spaces.
pub fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_has_one_role() {
        for (index, (light, dark, name)) in PALETTE.iter().enumerate() {
            for other in &PALETTE[index + 1..] {
                assert!(light != &other.0 && dark != &other.1 && name != &other.2, "{name}");
            }
        }
        assert_eq!(themed("fill=\"#0068A8\""), "fill=\"var(--before)\"");
    }

    #[test]
    fn lines_are_broken_at_spaces_and_fit() {
        let lines = wrap("one two three four five six seven", 16.0, 90.0);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|l| text_width(l, 16.0) <= 90.0), "{lines:?}");
        assert_eq!(lines.join(" "), "one two three four five six seven");
    }

    #[test]
    fn text_colours_keep_their_contrast() {
        let luminance = |hex: &str| {
            let channel = |from: usize| {
                let value =
                    f64::from(u8::from_str_radix(&hex[from..from + 2], 16).expect("hex")) / 255.0;
                if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let contrast = |a: &str, b: &str| {
            let (x, y) = (luminance(a), luminance(b));
            (x.max(y) + 0.05) / (x.min(y) + 0.05)
        };
        for (light, dark, name) in PALETTE {
            if ["paper", "grid", "band"].contains(&name) {
                continue;
            }
            assert!(contrast(light, PALETTE[0].0) >= 4.5, "{name} on light paper");
            assert!(contrast(dark, PALETTE[0].1) >= 4.5, "{name} on dark paper");
        }
    }
}
