//! Paired differences: each pair a dot, the mean with its 95 % interval, and behind them the band of the same stack against itself.
//!
//! Left of 1 is worse, right of 1 is better, for times and for rates alike. What must not change stands below a line of its own.

use super::axes::{Heading, Key, Sample, Scale, ratio_label, ratio_ticks};
use super::canvas::{Anchor, Area, Canvas, Marker, draw};
use super::style::{Ink, Size};
use crate::findings::ArrowAnalysis;
use crate::findings::performance::PerformanceFinding;
use crate::stats::bootstrap::Interval;
use crate::summary::Verdict;
use crate::text::{capital, ratio};

/// One line of the figure.
struct Row {
    label: String,
    ratios: Vec<f64>,
    mean: Option<f64>,
    interval: Option<Interval>,
    band: f64,
    verdict: Verdict,
    must_not_change: bool,
}

/// The figure of one arrow.
pub fn pairs(arrow: &ArrowAnalysis<'_>, size: Size, simulated: bool) -> String {
    let rows = rows(arrow);
    let title = format!("{}: what each pair showed", arrow.arrow.label);
    let row_height = if size.narrow { 92.0 } else { 124.0 };
    let extra = if size.narrow { 190.0 } else { 200.0 };
    let height = (row_height * rows.len() as f64 + extra) as u32;
    draw(size, height, &title, |canvas| {
        let keys = vec![
            Key { sample: Sample::Mark(Ink::Muted, Marker::Circle), label: "one pair".to_owned() },
            Key {
                sample: Sample::Line(Ink::After, Marker::Diamond),
                label: "mean, 95 % interval".to_owned(),
            },
            Key { sample: Sample::Area(Ink::Band), label: "same stack against itself".to_owned() },
        ];
        let top = canvas.heading(&Heading { title: &title, simulated, keys });
        let plot = Area {
            x0: canvas.margin() + 4.0,
            y0: top + 4.0,
            x1: canvas.width() - canvas.margin() - 4.0,
            y1: canvas.height - canvas.x_axis_height() - 4.0,
        };
        let x = scale(&rows, plot);
        let step = (plot.y1 - plot.y0) / rows.len().max(1) as f64;
        for (index, row) in rows.iter().enumerate() {
            let y0 = plot.y0 + step * index as f64;
            draw_row(canvas, row, Area { y0, y1: y0 + step, ..plot }, &x);
        }
        let name = if size.narrow {
            "← worse · ratio · better →"
        } else {
            "← worse · ratio of the two sides · better →"
        };
        canvas.x_axis(plot, &x, &ratio_ticks(x.min, x.max), name, ratio_label);
    })
}

fn rows(arrow: &ArrowAnalysis<'_>) -> Vec<Row> {
    let of = |finding: &PerformanceFinding<'_>, must_not_change: bool| Row {
        label: capital(&finding.measure.label),
        ratios: finding.comparison.iter().flat_map(|c| &c.log_ratios).map(|l| l.exp()).collect(),
        mean: finding.comparison.as_ref().map(|c| c.ratio),
        interval: finding.comparison.as_ref().and_then(|c| c.ci95),
        band: finding.band.map_or(1.0, f64::exp),
        verdict: finding.verdict,
        must_not_change,
    };
    let mut rows: Vec<Row> = arrow.performance.iter().map(|f| of(f, false)).collect();
    let many = &arrow.scalability;
    rows.push(Row {
        label: "Load held".to_owned(),
        ratios: many.comparison.iter().flat_map(|c| &c.log_ratios).map(|l| l.exp()).collect(),
        mean: many.comparison.as_ref().map(|c| c.ratio),
        interval: many.comparison.as_ref().and_then(|c| c.ci95),
        band: many.band.map_or(1.0, f64::exp),
        verdict: many.verdict,
        must_not_change: false,
    });
    rows.extend(arrow.unchanged.iter().map(|f| of(f, true)));
    rows
}

fn scale(rows: &[Row], plot: Area) -> Scale {
    let ends = rows.iter().flat_map(|r| {
        let interval = r.interval.into_iter().flat_map(|i| [i.low, i.high]);
        r.ratios.iter().copied().chain(interval).chain([r.band, 1.0 / r.band])
    });
    let ends: Vec<f64> = ends.filter(|v| v.is_finite() && *v > 0.0).collect();
    let low = ends.iter().copied().fold(0.8, f64::min) / 1.1;
    let high = ends.iter().copied().fold(1.25, f64::max) * 1.1;
    Scale { min: low, max: high, from: plot.x0, to: plot.x1, log: true }
}

fn draw_row(canvas: &Canvas<'_>, row: &Row, area: Area, x: &Scale) {
    let size = canvas.size;
    let text_height = size.text * 1.7;
    let lane = Area { y0: area.y0 + text_height, y1: area.y1 - 6.0, ..area };
    canvas.line(&[(area.x0, area.y0), (area.x1, area.y0)], Ink::Grid, 1);
    canvas.fill(Area { x0: x.at(1.0 / row.band), x1: x.at(row.band), ..lane }, Ink::Band);
    canvas.line(&[(x.at(1.0), lane.y0), (x.at(1.0), lane.y1)], Ink::Muted, 2);
    let caption = (area.x0 + 6.0, area.y0 + text_height * 0.55);
    let mark = if row.must_not_change { " (must not change)" } else { "" };
    canvas.bold(caption, &format!("{}{mark}", row.label), size.text, Ink::Text, Anchor::Left);
    let outcome = match row.mean.filter(|_| row.verdict != Verdict::NotComparable) {
        Some(mean) if !size.narrow => format!("{}x {}", ratio(mean), row.verdict.as_str()),
        Some(mean) => format!("{}x", ratio(mean)),
        None => row.verdict.as_str().to_owned(),
    };
    canvas.text((area.x1 - 6.0, caption.1), &outcome, size.small, Ink::Muted, Anchor::Right);
    // Pairs above, the mean below them; neighbouring pairs a little apart, so that equal ratios do not hide each other.
    let height = lane.y1 - lane.y0;
    for (index, ratio) in row.ratios.iter().enumerate() {
        let y = lane.y0 + height * (0.18 + 0.14 * (index % 3) as f64);
        canvas.marker((x.at(*ratio), y), Marker::Circle, 5.0, Ink::Muted, false);
    }
    let (Some(mean), Some(interval)) = (row.mean, row.interval) else { return };
    let middle = lane.y0 + height * 0.78;
    let (low, high) = (x.at(interval.low), x.at(interval.high));
    canvas.line(&[(low, middle), (high, middle)], Ink::After, 4);
    for end in [low, high] {
        canvas.line(&[(end, middle - 8.0), (end, middle + 8.0)], Ink::After, 3);
    }
    canvas.marker((x.at(mean), middle), Marker::Diamond, 8.0, Ink::After, false);
}
