//! Scales, ticks, and the frame that every figure shares: title, stamp, legend, axes, footnote.

use super::canvas::{Anchor, Area, At, Canvas, Marker};
use super::style::{Ink, Size, text_width, wrap};
use crate::text::number;

/// Values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Pixel of the smallest value.
    pub from: f64,
    /// Pixel of the largest value.
    pub to: f64,
    /// Logarithmic.
    pub log: bool,
}

impl Scale {
    /// The pixel of a value; values outside stay at the edge.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.min, self.max);
        let share = if self.log {
            (value / self.min).ln() / (self.max / self.min).ln()
        } else {
            (value - self.min) / (self.max - self.min)
        };
        self.from + (self.to - self.from) * share
    }

    /// Round values across the range.
    pub fn ticks(&self) -> Vec<f64> {
        if self.log { log_ticks(self.min, self.max) } else { linear_ticks(self.min, self.max) }
    }
}

fn linear_ticks(min: f64, max: f64) -> Vec<f64> {
    let rough = (max - min) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|s| s * power).find(|s| *s >= rough).unwrap_or(power);
    let first = (min / step).ceil() as i64;
    let last = (max / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn log_ticks(min: f64, max: f64) -> Vec<f64> {
    let decades = (min.log10().floor() as i32)..=(max.log10().ceil() as i32);
    let fine = |steps: &[f64]| -> Vec<f64> {
        decades
            .clone()
            .flat_map(|d| steps.iter().map(move |s| s * 10f64.powi(d)))
            .filter(|v| *v >= min * 0.999 && *v <= max * 1.001)
            .collect()
    };
    let dense = fine(&[1.0, 2.0, 5.0]);
    if dense.len() <= 7 { dense } else { fine(&[1.0]) }
}

/// Ratios across a range, 1 among them: tenths when all is close to 1, the steps in which rooms think of ratios when not, powers of
/// two when far apart, and every second one of those when there are many.
pub fn ratio_ticks(min: f64, max: f64) -> Vec<f64> {
    const STEPS: [f64; 12] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0];
    let inside = |v: &f64| *v >= min && *v <= max;
    if max / min < 3.0 {
        (4..=25).map(|tenths| f64::from(tenths) / 10.0).filter(inside).collect()
    } else if max / min < 16.0 {
        STEPS.into_iter().filter(inside).collect()
    } else {
        let (first, last) = (min.log2().ceil() as i32, max.log2().floor() as i32);
        let step = ((last - first) / 8 + 1).max(1);
        (first..=last).filter(|p| p % step == 0).map(|p| 2f64.powi(p)).collect()
    }
}

/// 0.5 -> `0.5x`.
pub fn ratio_label(value: f64) -> String {
    format!("{}x", number(value))
}

/// An entry of the legend.
#[derive(Debug, Clone)]
pub struct Key {
    /// How the line or mark looks.
    pub sample: Sample,
    /// What it is.
    pub label: String,
}

/// What a legend shows.
#[derive(Debug, Clone, Copy)]
pub enum Sample {
    /// A solid line with a mark.
    Line(Ink, Marker),
    /// A thin line without marks.
    Thin(Ink),
    /// A dashed line.
    Dashed(Ink),
    /// A mark alone.
    Mark(Ink, Marker),
    /// A hollow mark.
    Hollow(Ink, Marker),
    /// A filled box.
    Area(Ink),
}

/// What a figure says about itself.
#[derive(Debug, Clone)]
pub struct Heading<'t> {
    /// One sentence.
    pub title: &'t str,
    /// Whether stand-ins or models take part.
    pub simulated: bool,
    /// The legend.
    pub keys: Vec<Key>,
}

impl Canvas<'_> {
    /// Distance from the edge.
    pub fn margin(&self) -> f64 {
        if self.size.narrow { 12.0 } else { 28.0 }
    }

    /// Title, stamp and legend; returns the height below them.
    pub fn heading(&self, heading: &Heading<'_>) -> f64 {
        let Size { title, small, .. } = self.size;
        let margin = self.margin();
        let word = if heading.simulated { "SIMULATED" } else { "REAL" };
        let stamp_width = text_width(word, small) * 1.12 + small;
        let right = self.width() - margin;
        let top = margin * 0.8;
        let stamp = Area { x0: right - stamp_width, y0: top, x1: right, y1: top + small * 1.7 };
        self.frame(stamp, Ink::Text, 2);
        let middle = ((stamp.x0 + stamp.x1) / 2.0, (stamp.y0 + stamp.y1) / 2.0);
        self.bold(middle, word, small, Ink::Text, Anchor::Middle);
        let mut y = top + title * 0.6;
        let room = right - stamp_width - margin * 2.0;
        for line in wrap(heading.title, title * 1.06, room) {
            self.bold((margin, y), &line, title, Ink::Text, Anchor::Left);
            y += title * 1.25;
        }
        self.legend(&heading.keys, y.max(stamp.y1 + small * 0.5))
    }

    fn legend(&self, keys: &[Key], top: f64) -> f64 {
        let size = self.size.small;
        let (mut x, mut y) = (self.margin(), top + size * 0.4);
        let (sample, right) = (size * 2.0, self.width() - self.margin());
        for key in keys {
            let room = right - self.margin() - sample - 8.0;
            let lines = wrap(&key.label, size, room);
            let longest = lines.iter().map(|l| text_width(l, size)).fold(0.0, f64::max);
            let width = sample + 8.0 + longest;
            if x > self.margin() && x + width > right {
                x = self.margin();
                y += size * 1.6;
            }
            self.sample(key.sample, (x, y), sample);
            for (index, line) in lines.iter().enumerate() {
                y += if index == 0 { 0.0 } else { size * 1.25 };
                self.text((x + sample + 8.0, y), line, size, Ink::Text, Anchor::Left);
            }
            x += width + size * 1.4;
        }
        if keys.is_empty() { top } else { y + size * 1.1 }
    }

    fn sample(&self, sample: Sample, at: At, width: f64) {
        let ends = [at, (at.0 + width, at.1)];
        let middle = (at.0 + width / 2.0, at.1);
        match sample {
            Sample::Line(ink, marker) => {
                self.line(&ends, ink, 3);
                self.marker(middle, marker, 6.0, ink, false);
            }
            Sample::Thin(ink) => self.line(&ends, ink, 2),
            Sample::Dashed(ink) => self.dashed(&ends, ink, 3),
            Sample::Mark(ink, marker) => self.marker(middle, marker, 6.0, ink, false),
            Sample::Hollow(ink, marker) => self.marker(middle, marker, 7.0, ink, true),
            Sample::Area(ink) => {
                let half = width * 0.28;
                let area = Area { x0: at.0, y0: at.1 - half, x1: at.0 + width, y1: at.1 + half };
                self.fill(area, ink);
                self.frame(area, Ink::Grid, 1);
            }
        }
    }

    /// Horizontal lines and labels for the values of the upright axis, and its name above it.
    pub fn y_axis(&self, plot: Area, scale: &Scale, name: &str, label: impl Fn(f64) -> String) {
        let size = self.size.small;
        for value in scale.ticks() {
            let y = scale.at(value);
            self.line(&[(plot.x0, y), (plot.x1, y)], Ink::Grid, 1);
            self.text((plot.x0 - 8.0, y), &label(value), size, Ink::Muted, Anchor::Right);
        }
        self.text((self.margin(), plot.y0 - size * 1.0), name, size, Ink::Text, Anchor::Left);
    }

    /// Ticks and labels under the plot, as many as fit, and the axis' name below them.
    pub fn x_axis(
        &self,
        plot: Area,
        scale: &Scale,
        values: &[f64],
        name: &str,
        label: impl Fn(f64) -> String,
    ) {
        let size = self.size.small;
        let mut free_from = f64::MIN;
        for &value in values {
            let (x, text) = (scale.at(value), label(value));
            self.line(&[(x, plot.y1), (x, plot.y1 + 6.0)], Ink::Muted, 1);
            let half = text_width(&text, size) / 2.0;
            if x - half >= free_from {
                self.text((x, plot.y1 + size), &text, size, Ink::Muted, Anchor::Middle);
                free_from = x + half + size * 0.5;
            }
        }
        self.line(&[(plot.x0, plot.y1), (plot.x1, plot.y1)], Ink::Muted, 1);
        let middle = ((plot.x0 + plot.x1) / 2.0, plot.y1 + size * 2.4);
        self.text(middle, name, size, Ink::Text, Anchor::Middle);
    }

    /// Room that the x axis takes below a plot.
    pub fn x_axis_height(&self) -> f64 {
        self.size.small * 3.5
    }

    /// Instead of a plot: why there is none.
    pub fn hole(&self, plot: Area, why: &str) {
        self.frame(plot, Ink::Grid, 1);
        let width = (plot.x1 - plot.x0) * 0.8;
        let lines = wrap(why, self.size.text, width);
        let mut y = (plot.y0 + plot.y1) / 2.0 - lines.len() as f64 * self.size.text * 0.65;
        for line in lines {
            self.text(
                ((plot.x0 + plot.x1) / 2.0, y),
                &line,
                self.size.text,
                Ink::Muted,
                Anchor::Middle,
            );
            y += self.size.text * 1.3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(linear_ticks(0.0, 430.0), vec![0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(log_ticks(0.9, 60.0), vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(log_ticks(0.1, 10_000.0).len(), 6);
        assert_eq!(ratio_ticks(0.4, 20.0), vec![0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
        assert_eq!(ratio_ticks(0.4, 4.5), vec![0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0]);
        assert_eq!(ratio_ticks(0.85, 1.15), vec![0.9, 1.0, 1.1]);
    }

    #[test]
    fn a_log_scale_puts_the_geometric_middle_in_the_middle() {
        let scale = Scale { min: 1.0, max: 100.0, from: 0.0, to: 200.0, log: true };
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(scale.at(1_000.0), 200.0);
    }
}
