//! Capacity against instances, before and after, with the ideal line and the fitted law.
//!
//! A stack that cannot be multiplied is a dashed line: its one capacity, repeated. A count whose searches failed is a cross on the
//! ground, with the reason in the page's table.

use super::axes::{Heading, Key, Sample, Scale};
use super::canvas::{Anchor, Area, At, Canvas, Marker, draw};
use super::style::{Ink, Size};
use crate::findings::scalability::{CountCapacity, ScalabilityFinding};
use crate::findings::{ArrowAnalysis, ExperimentAnalysis};
use crate::stats::usl::Fit;
use crate::text::number;

/// The figure of one arrow.
pub fn capacity(
    experiment: &ExperimentAnalysis<'_>,
    arrow: &ArrowAnalysis<'_>,
    size: Size,
    simulated: bool,
    budgets_enforced: bool,
) -> String {
    let finding = &arrow.scalability;
    let axis = &experiment.record.axis.label;
    let title = format!("{}: load held against {axis}", arrow.arrow.label);
    let description = format!("{title}, before and after");
    let height = if size.narrow { 520 } else { 720 };
    draw(size, height, &description, |canvas| {
        let top =
            canvas.heading(&Heading { title: &title, simulated, keys: keys(experiment, arrow) });
        let note = if budgets_enforced {
            None
        } else {
            Some("CPU budgets were not enforced on this machine.")
        };
        let below = canvas.x_axis_height() + if note.is_some() { size.small * 1.6 } else { 6.0 };
        let plot = Area {
            x0: if size.narrow { 60.0 } else { 104.0 },
            y0: top + size.small * 2.0,
            x1: canvas.width() - canvas.margin() - 8.0,
            y1: canvas.height - below,
        };
        if rates(finding).next().is_none() {
            canvas.hole(plot, "No rate was held at any count.");
            return;
        }
        plot_finding(canvas, plot, finding, axis);
        if let Some(note) = note {
            let at = (canvas.margin(), canvas.height - size.small * 0.9);
            canvas.text(at, note, size.small, Ink::Muted, Anchor::Left);
        }
    })
}

fn rates(finding: &ScalabilityFinding) -> impl Iterator<Item = f64> + '_ {
    finding.before.iter().chain(&finding.after).filter_map(CountCapacity::rate)
}

fn keys(experiment: &ExperimentAnalysis<'_>, arrow: &ArrowAnalysis<'_>) -> Vec<Key> {
    let label = |variant: &str| {
        let found = experiment.record.variants.iter().find(|v| v.id == variant);
        found.map_or(variant, |v| v.label.as_str()).to_owned()
    };
    let finding = &arrow.scalability;
    let mut keys = vec![
        Key {
            sample: Sample::Line(Ink::Before, Marker::Circle),
            label: label(&arrow.arrow.before),
        },
        Key { sample: Sample::Line(Ink::After, Marker::Square), label: label(&arrow.arrow.after) },
    ];
    if ideal(finding).is_some() {
        keys.push(Key {
            sample: Sample::Dashed(Ink::Muted),
            label: "ideal: n times the first".to_owned(),
        });
    }
    if let Some(fit) = &finding.usl {
        keys.push(Key { sample: Sample::Thin(Ink::After), label: law(fit) });
    }
    keys
}

/// The law with its parameters, and how far they may be trusted.
fn law(fit: &Fit) -> String {
    let warning = if fit.saturated { ", 3 points: a description, no forecast" } else { "" };
    format!("USL fit: α {}, β {}{warning}", number(fit.alpha), number(fit.beta))
}

/// The first capacity of a stack that can be multiplied, with its count.
fn ideal(finding: &ScalabilityFinding) -> Option<(u32, f64)> {
    let measured = || finding.after.iter().filter(|c| !c.repeated && c.rate().is_some());
    if measured().count() < 2 {
        return None;
    }
    let first = measured().next()?;
    Some((first.count, first.rate()?))
}

fn plot_finding(canvas: &Canvas<'_>, plot: Area, finding: &ScalabilityFinding, axis: &str) {
    let counts: Vec<f64> = finding.after.iter().map(|c| f64::from(c.count)).collect();
    let most = counts.last().copied().unwrap_or(1.0);
    let ideal = ideal(finding);
    let ideal_top = ideal.map_or(0.0, |(count, rate)| rate * most / f64::from(count));
    let highest = rates(finding).fold(ideal_top, f64::max);
    let x = Scale { min: 0.0, max: most * 1.08, from: plot.x0, to: plot.x1, log: false };
    let y = Scale { min: 0.0, max: highest * 1.12, from: plot.y1, to: plot.y0, log: false };
    let name = format!("load held, {} per second", finding.unit);
    canvas.y_axis(plot, &y, &name, number);
    canvas.x_axis(plot, &x, &counts, axis, number);
    let mut lines: Vec<Vec<At>> = Vec::new();
    if let Some((count, rate)) = ideal {
        let per_one = rate / f64::from(count);
        let line = vec![(x.at(f64::from(count)), y.at(rate)), (x.at(most), y.at(per_one * most))];
        canvas.dashed(&line, Ink::Muted, 2);
        lines.push(line);
    }
    if let Some(fit) = &finding.usl {
        let steps = (0..=24).map(|i| 1.0 + (most - 1.0) * f64::from(i) / 24.0);
        let line: Vec<At> = steps.map(|n| (x.at(n), y.at(fit.rate(n)))).collect();
        canvas.line(&line, Ink::After, 2);
    }
    let sides = [
        (&finding.before, Ink::Before, Marker::Circle),
        (&finding.after, Ink::After, Marker::Square),
    ];
    for (side, ink, marker) in sides {
        lines.push(series(canvas, side, &x, &y, ink, marker));
    }
    for (side, ink, _) in sides {
        for at in side {
            if let Some(rate) = at.rate().filter(|_| !at.repeated) {
                let tip = (x.at(f64::from(at.count)), y.at(rate));
                canvas.place_label(tip, &number(rate), ink, plot, &lines);
            }
        }
    }
}

/// Draws one side and returns its line.
fn series(
    canvas: &Canvas<'_>,
    side: &[CountCapacity],
    x: &Scale,
    y: &Scale,
    ink: Ink,
    marker: Marker,
) -> Vec<At> {
    let at = |c: &CountCapacity| Some((x.at(f64::from(c.count)), y.at(c.rate()?)));
    let line: Vec<At> = side.iter().filter_map(at).collect();
    if line.len() > 1 {
        if side.iter().any(|c| c.repeated) {
            canvas.dashed(&line, ink, 3);
        } else {
            canvas.line(&line, ink, 4);
        }
    }
    for capacity in side {
        let middle = x.at(f64::from(capacity.count));
        match at(capacity) {
            Some(tip) if !capacity.repeated => {
                for search in &capacity.searches {
                    let y = y.at(search.rate_per_s);
                    canvas.line(&[(middle - 12.0, y), (middle + 12.0, y)], ink, 2);
                }
                canvas.marker(tip, marker, 9.0, ink, false);
            }
            Some(tip) => canvas.marker(tip, marker, 5.0, ink, false),
            None => {
                let ground = y.at(0.0) - 12.0;
                for slope in [-1.0, 1.0] {
                    canvas.line(
                        &[
                            (middle - 9.0, ground - 9.0 * slope),
                            (middle + 9.0, ground + 9.0 * slope),
                        ],
                        ink,
                        4,
                    );
                }
            }
        }
    }
    line
}
