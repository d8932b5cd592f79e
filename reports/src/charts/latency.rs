//! Latency against offered load, before and after: where the line turns up, the road ends.
//!
//! Above: the median (dashed) and the objective's quantile (solid), where enough samples stand behind it; below: the share of
//! requests within the bound, which is what "held" is judged by. Hollow marks were not held.

use super::axes::{Heading, Key, Sample, Scale};
use super::canvas::{Anchor, Area, At, Canvas, Marker, draw};
use super::style::{Ink, Size, text_width};
use crate::findings::curve::{Curve, Point};
use crate::findings::{ArrowAnalysis, ExperimentAnalysis};
use crate::text::{milliseconds, number, percent};

/// The labels of a variant, and its levels.
struct Side<'r> {
    label: String,
    curve: &'r Curve,
    ink: Ink,
    marker: Marker,
}

/// The figure of one arrow.
pub fn latency(
    experiment: &ExperimentAnalysis<'_>,
    arrow: &ArrowAnalysis<'_>,
    size: Size,
    simulated: bool,
) -> String {
    let sides = sides(experiment, arrow);
    let slo = &experiment.record.slo;
    let title = format!("{}: latency against offered load", arrow.arrow.label);
    let description = format!("{title}, before and after");
    let height = if size.narrow { 560 } else { 760 };
    draw(size, height, &description, |canvas| {
        let top =
            canvas.heading(&Heading { title: &title, simulated, keys: keys(&sides, slo.quantile) });
        let note = few_samples(&sides, slo.quantile);
        let below = canvas.x_axis_height()
            + if note.is_some() { size.small * if size.narrow { 3.4 } else { 2.0 } } else { 6.0 };
        let left = if size.narrow { 66.0 } else { 112.0 };
        let plot = Area {
            x0: left,
            y0: top + size.small * 2.0,
            x1: canvas.width() - canvas.margin() - 8.0,
            y1: canvas.height - below,
        };
        let points: Vec<&Point> = sides.iter().flat_map(|s| &s.curve.points).collect();
        if points.is_empty() {
            canvas.hole(plot, "No level was measured.");
            return;
        }
        let gap = size.small * 2.4;
        let split = plot.y0 + (plot.y1 - plot.y0 - gap) * 0.66;
        let x = rates(&points, plot);
        above(canvas, Area { y1: split, ..plot }, &x, &sides, slo);
        below_bound(canvas, Area { y0: split + gap, ..plot }, &x, &sides, slo);
        let unit = arrow.scalability.unit;
        canvas.x_axis(plot, &x, &x.ticks(), &format!("offered load, {unit} per second"), number);
        if let Some(note) = note {
            let at = (canvas.margin(), plot.y1 + canvas.x_axis_height() + size.small * 0.6);
            canvas.paragraph(
                at,
                &note,
                size.small,
                Ink::Muted,
                canvas.width() - canvas.margin() * 2.0,
            );
        }
    })
}

fn sides<'r>(experiment: &ExperimentAnalysis<'_>, arrow: &'r ArrowAnalysis<'_>) -> [Side<'r>; 2] {
    let label = |variant: &str, curve: &Curve| {
        let found = experiment.record.variants.iter().find(|v| v.id == variant);
        let name = found.map_or(variant, |v| v.label.as_str());
        match curve.count {
            0 | 1 => name.to_owned(),
            count => format!("{name} ({count} {})", experiment.record.axis.label),
        }
    };
    [
        Side {
            label: label(&arrow.arrow.before, &arrow.before_curve),
            curve: &arrow.before_curve,
            ink: Ink::Before,
            marker: Marker::Circle,
        },
        Side {
            label: label(&arrow.arrow.after, &arrow.after_curve),
            curve: &arrow.after_curve,
            ink: Ink::After,
            marker: Marker::Square,
        },
    ]
}

fn keys(sides: &[Side<'_>; 2], quantile: f64) -> Vec<Key> {
    let mut keys: Vec<Key> = sides
        .iter()
        .map(|s| Key { sample: Sample::Line(s.ink, s.marker), label: s.label.clone() })
        .collect();
    keys.push(Key {
        sample: Sample::Hollow(Ink::Muted, Marker::Circle),
        label: "not held".to_owned(),
    });
    keys.push(Key { sample: Sample::Dashed(Ink::Muted), label: "median".to_owned() });
    if sides.iter().flat_map(|s| &s.curve.points).any(|p| p.tail_ms.is_some()) {
        let label = format!("solid: {} percentile", ordinal(quantile));
        keys.push(Key { sample: Sample::Thin(Ink::Muted), label });
    }
    keys
}

/// 0.95 -> `95th`.
fn ordinal(quantile: f64) -> String {
    format!("{}th", number(quantile * 100.0))
}

/// Says why the percentile is missing where it is.
fn few_samples(sides: &[Side<'_>; 2], quantile: f64) -> Option<String> {
    let points: Vec<&Point> = sides.iter().flat_map(|s| &s.curve.points).collect();
    let without: Vec<&&Point> = points.iter().filter(|p| p.tail_ms.is_none()).collect();
    let fewest = without.iter().map(|p| p.sample_count).min()?;
    let needed = without.first()?.samples_needed;
    let which =
        if without.len() == points.len() { "is not drawn" } else { "is drawn where it may be" };
    Some(format!(
        "The {} percentile {which}: it takes {} samples, levels have as few as {}.",
        ordinal(quantile),
        number(needed as f64),
        number(fewest as f64)
    ))
}

/// Offered load: linear from 0, logarithmic when the two sides are worlds apart.
fn rates(points: &[&Point], plot: Area) -> Scale {
    let most = points.iter().map(|p| p.rate_per_s).fold(0.0, f64::max);
    let least = points.iter().map(|p| p.rate_per_s).fold(f64::INFINITY, f64::min);
    let log = most / least > 30.0;
    let min = if log { least / 1.3 } else { 0.0 };
    Scale { min, max: most * 1.06, from: plot.x0, to: plot.x1, log }
}

fn above(
    canvas: &Canvas<'_>,
    plot: Area,
    x: &Scale,
    sides: &[Side<'_>; 2],
    slo: &loadgen::record::Slo,
) {
    let values = || {
        let points = sides.iter().flat_map(|s| &s.curve.points);
        points.flat_map(|p| [p.median_ms, p.tail_ms]).flatten()
    };
    let least = values().fold(slo.latency_ms, f64::min) / 1.5;
    let most = values().fold(slo.latency_ms, f64::max) * 1.5;
    let y = Scale { min: least.max(1e-3), max: most, from: plot.y1, to: plot.y0, log: true };
    canvas.y_axis(plot, &y, "latency, from the planned start", milliseconds);
    let bound = y.at(slo.latency_ms);
    canvas.line(&[(plot.x0, bound), (plot.x1, bound)], Ink::Bound, 2);
    for side in sides {
        let at = |pick: fn(&Point) -> Option<f64>| -> Vec<(At, bool)> {
            let points = side.curve.points.iter();
            points.filter_map(|p| Some(((x.at(p.rate_per_s), y.at(pick(p)?)), p.held))).collect()
        };
        for (series, dashed) in [(at(|p| p.median_ms), true), (at(|p| p.tail_ms), false)] {
            let line: Vec<At> = series.iter().map(|(at, _)| *at).collect();
            if line.len() > 1 && dashed {
                canvas.dashed(&line, side.ink, 3);
            } else if line.len() > 1 {
                canvas.line(&line, side.ink, 4);
            }
            for (at, held) in series {
                canvas.marker(at, side.marker, 8.0, side.ink, !held);
            }
        }
    }
    let label =
        format!("objective: {} within {}", percent(slo.quantile), milliseconds(slo.latency_ms));
    let corner = bound - canvas.size.small;
    let at_left =
        (plot.x0 + 10.0, if corner < plot.y0 { bound + canvas.size.small } else { corner });
    let size = canvas.size.small;
    let width = text_width(&label, size);
    let (x0, x1) = (at_left.0 - 4.0, at_left.0 + width);
    let behind = Area { x0, y0: at_left.1 - size * 0.6, x1, y1: at_left.1 + size * 0.6 };
    canvas.fill(behind, Ink::Paper);
    canvas.text(at_left, &label, size, Ink::Bound, Anchor::Left);
}

fn below_bound(
    canvas: &Canvas<'_>,
    plot: Area,
    x: &Scale,
    sides: &[Side<'_>; 2],
    slo: &loadgen::record::Slo,
) {
    let y = Scale { min: 0.0, max: 1.0, from: plot.y1, to: plot.y0 + 8.0, log: false };
    let size = canvas.size.small;
    for value in [0.0, 0.5, 1.0] {
        canvas.line(&[(plot.x0, y.at(value)), (plot.x1, y.at(value))], Ink::Grid, 1);
        canvas.text((plot.x0 - 8.0, y.at(value)), &percent(value), size, Ink::Muted, Anchor::Right);
    }
    let name = format!("share within {}", milliseconds(slo.latency_ms));
    canvas.text((canvas.margin(), plot.y0 - size * 0.9), &name, size, Ink::Text, Anchor::Left);
    let needed = y.at(slo.quantile);
    canvas.line(&[(plot.x0, needed), (plot.x1, needed)], Ink::Bound, 2);
    for side in sides {
        let points: Vec<(At, bool)> = side
            .curve
            .points
            .iter()
            .filter_map(|p| Some(((x.at(p.rate_per_s), y.at(p.share_within?)), p.held)))
            .collect();
        let line: Vec<At> = points.iter().map(|(at, _)| *at).collect();
        if line.len() > 1 {
            canvas.line(&line, side.ink, 3);
        }
        for (at, held) in points {
            canvas.marker(at, side.marker, 7.0, side.ink, !held);
        }
    }
}
