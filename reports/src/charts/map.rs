//! The map: one arrow per cure, from "nothing changed" to its speed-up for one user (x) and its gain in capacity (y).
//!
//! Both axes are logarithmic, so that twice and half are equally far from the start. The cross at an arrow's tip is its pair of
//! 95 % intervals, the band around 1 what the same stack showed against itself.

use super::axes::{Heading, Key, Sample, Scale, ratio_label, ratio_ticks};
use super::canvas::{Anchor, Area, At, Canvas, Marker, draw};
use super::style::{Ink, Size};
use crate::findings::{Analysis, ArrowAnalysis};
use crate::stats::bootstrap::Interval;
use crate::text::ratio;

/// An arrow with both ratios.
struct Drawn<'r> {
    label: &'r str,
    ink: Ink,
    x: f64,
    y: f64,
    x_ci: Interval,
    y_ci: Interval,
}

/// The figure.
pub fn map(analysis: &Analysis<'_>, size: Size) -> String {
    let arrows: Vec<&ArrowAnalysis<'_>> =
        analysis.experiments.iter().flat_map(|e| &e.arrows).collect();
    let drawn: Vec<Drawn<'_>> =
        arrows.iter().enumerate().filter_map(|(i, a)| with_ratios(i, a)).collect();
    let missing: Vec<&str> = arrows
        .iter()
        .enumerate()
        .filter(|(i, a)| with_ratios(*i, a).is_none())
        .map(|(_, a)| a.arrow.label.as_str())
        .collect();
    let simulated = analysis.run.mode == loadgen::record::Reality::Simulated
        && arrows.iter().any(|a| !a.simulated.is_empty());
    let height = if size.narrow { 600 } else { 860 };
    let description = description(&drawn);
    draw(size, height, &description, |canvas| {
        let heading = Heading {
            title: "Faster for one user, or fast for many?",
            simulated,
            keys: vec![
                Key {
                    sample: Sample::Area(Ink::Band),
                    label: "no larger than the noise (A/A)".to_owned(),
                },
                Key { sample: Sample::Thin(Ink::Muted), label: "cross: 95 % intervals".to_owned() },
            ],
        };
        let top = canvas.heading(&heading);
        let left = if size.narrow { 52.0 } else { 96.0 };
        let bottom =
            canvas.height - canvas.x_axis_height() - if missing.is_empty() { 10.0 } else { 40.0 };
        let plot = Area {
            x0: left,
            y0: top + size.small * 1.9,
            x1: canvas.width() - canvas.margin(),
            y1: bottom,
        };
        let (x, y) = scales(&drawn, plot);
        ground(canvas, analysis, plot, &x, &y);
        cures(canvas, &drawn, plot, &x, &y);
        if !missing.is_empty() {
            let text =
                format!("Not on the map, because a ratio is missing: {}", missing.join(", "));
            canvas.text(
                (canvas.margin(), canvas.height - 20.0),
                &text,
                size.small,
                Ink::Muted,
                Anchor::Left,
            );
        }
    })
}

fn with_ratios<'r>(index: usize, arrow: &'r ArrowAnalysis<'_>) -> Option<Drawn<'r>> {
    let headline = arrow.performance.first()?;
    Some(Drawn {
        label: &arrow.arrow.label,
        ink: Ink::Cure(index),
        x: headline.ratio()?,
        y: arrow.scalability.ratio()?,
        x_ci: headline.ci95()?,
        y_ci: arrow.scalability.ci95()?,
    })
}

fn description(drawn: &[Drawn<'_>]) -> String {
    let each = drawn
        .iter()
        .map(|d| format!("{}: {}x for one user, {}x the load", d.label, ratio(d.x), ratio(d.y)));
    format!("Map of the cures. {}", each.collect::<Vec<_>>().join("; "))
}

/// Ranges that hold every tip and cross, never less than half to twice, with room for labels.
fn scales(drawn: &[Drawn<'_>], plot: Area) -> (Scale, Scale) {
    let range = |values: Vec<f64>| {
        let low = values.iter().copied().fold(0.55, f64::min) / 1.25;
        let high = values.iter().copied().fold(1.8, f64::max) * 1.35;
        (low, high)
    };
    let (x_min, x_max) = range(drawn.iter().flat_map(|d| [d.x, d.x_ci.low, d.x_ci.high]).collect());
    let (y_min, y_max) = range(drawn.iter().flat_map(|d| [d.y, d.y_ci.low, d.y_ci.high]).collect());
    (
        Scale { min: x_min, max: x_max, from: plot.x0, to: plot.x1, log: true },
        Scale { min: y_min, max: y_max, from: plot.y1, to: plot.y0, log: true },
    )
}

/// Bands, grid, quadrants and axes.
fn ground(canvas: &Canvas<'_>, analysis: &Analysis<'_>, plot: Area, x: &Scale, y: &Scale) {
    let size = canvas.size;
    let band = analysis.honesty.aa_worst_ratio.unwrap_or(1.0);
    canvas.fill(Area { x0: x.at(1.0 / band), x1: x.at(band), ..plot }, Ink::Band);
    canvas.fill(Area { y0: y.at(band), y1: y.at(1.0 / band), ..plot }, Ink::Band);
    for value in ratio_ticks(x.min, x.max) {
        canvas.line(&[(x.at(value), plot.y0), (x.at(value), plot.y1)], Ink::Grid, 1);
    }
    for value in ratio_ticks(y.min, y.max) {
        canvas.line(&[(plot.x0, y.at(value)), (plot.x1, y.at(value))], Ink::Grid, 1);
        let at = (plot.x0 - 8.0, y.at(value));
        canvas.text(at, &ratio_label(value), size.small, Ink::Muted, Anchor::Right);
    }
    canvas.line(&[(x.at(1.0), plot.y0), (x.at(1.0), plot.y1)], Ink::Muted, 2);
    canvas.line(&[(plot.x0, y.at(1.0)), (plot.x1, y.at(1.0))], Ink::Muted, 2);
    let above = (canvas.margin(), plot.y0 - size.small);
    canvas.text(above, "↑ load held, after / before", size.small, Ink::Text, Anchor::Left);
    let name = if size.narrow {
        "speed for one user →"
    } else {
        "speed for one user, before / after (right is faster) →"
    };
    canvas.x_axis(plot, x, &ratio_ticks(x.min, x.max), name, ratio_label);
    let inset = size.small;
    let (top, bottom) = (plot.y0 + inset, plot.y1 - inset);
    let quadrants: [(At, &str, Anchor); 4] = if size.narrow {
        [
            ((plot.x0 + 6.0, top), "fast for many", Anchor::Left),
            ((plot.x1 - 6.0, top), "both", Anchor::Right),
            ((plot.x0 + 6.0, bottom), "neither", Anchor::Left),
            ((plot.x1 - 6.0, bottom), "faster for one", Anchor::Right),
        ]
    } else {
        [
            ((plot.x0 + 12.0, top), "FAST FOR MANY, slower for one", Anchor::Left),
            ((plot.x1 - 12.0, top), "BOTH", Anchor::Right),
            ((plot.x0 + 12.0, bottom), "NEITHER", Anchor::Left),
            ((plot.x1 - 12.0, bottom), "FASTER FOR ONE, holds less", Anchor::Right),
        ]
    };
    for (at, text, anchor) in quadrants {
        canvas.text(at, text, size.small, Ink::Muted, anchor);
    }
}

fn cures(canvas: &Canvas<'_>, drawn: &[Drawn<'_>], plot: Area, x: &Scale, y: &Scale) {
    let start = (x.at(1.0), y.at(1.0));
    let mut lines: Vec<Vec<At>> = Vec::new();
    for cure in drawn {
        let tip = (x.at(cure.x), y.at(cure.y));
        let across = vec![(x.at(cure.x_ci.low), tip.1), (x.at(cure.x_ci.high), tip.1)];
        let upright = vec![(tip.0, y.at(cure.y_ci.low)), (tip.0, y.at(cure.y_ci.high))];
        for (cross, caps) in [(&across, (0.0, 6.0)), (&upright, (6.0, 0.0))] {
            canvas.line(cross, cure.ink, 2);
            for end in cross {
                canvas.line(
                    &[(end.0 - caps.0, end.1 - caps.1), (end.0 + caps.0, end.1 + caps.1)],
                    cure.ink,
                    2,
                );
            }
        }
        arrow(canvas, start, tip, cure.ink);
        lines.extend([vec![start, tip], across, upright]);
    }
    canvas.marker(start, Marker::Circle, 7.0, Ink::Text, false);
    for cure in drawn {
        let tip = (x.at(cure.x), y.at(cure.y));
        let label = if canvas.size.narrow {
            cure.label.to_owned()
        } else {
            format!("{} · {}x · {}x", cure.label, ratio(cure.x), ratio(cure.y))
        };
        canvas.place_label(tip, &label, cure.ink, plot, &lines);
    }
}

/// A shaft with a head that ends at the tip; a dot where the way is too short for one.
fn arrow(canvas: &Canvas<'_>, from: At, to: At, ink: Ink) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    let head = if canvas.size.narrow { 13.0 } else { 20.0 };
    if length < head * 1.5 {
        canvas.marker(to, Marker::Circle, 6.0, ink, false);
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let base = (to.0 - ux * head, to.1 - uy * head);
    canvas.line(&[from, base], ink, if canvas.size.narrow { 3 } else { 5 });
    let half = head * 0.45;
    canvas.polygon(
        &[to, (base.0 - uy * half, base.1 + ux * half), (base.0 + uy * half, base.1 - ux * half)],
        ink,
    );
}
