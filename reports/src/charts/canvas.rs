//! A sheet to draw on: plotters' SVG backend with the few marks that the figures use, in pixels.
//!
//! Also keeps the boxes of all labels drawn, so that the next one can look for a free place (`place_label`). The figures lay
//! themselves out; this file knows nothing of data.

use std::cell::RefCell;

use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle};

use super::style::{Ink, Size, text_width, wrap};
use crate::text::plain;

/// A label further away than this from its point is joined to it by a leader.
const LEADER_FROM: f64 = 30.0;

/// A point in pixels.
pub type At = (f64, f64);

/// What drawing into a string can never do.
const INFALLIBLE: &str = "drawing into a string cannot fail";

/// plotters divides font sizes by this when it writes SVG; multiplied in beforehand, a size means pixels.
const SVG_FONT_SCALE: f64 = 1.24;

/// First what browsers call their own, then what print drivers know.
const FAMILY: &str = "system-ui, Helvetica, Arial, sans-serif";

/// Where a text's given point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At its left end.
    Left,
    /// In its middle.
    Middle,
    /// At its right end.
    Right,
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left.
    pub x0: f64,
    /// Top.
    pub y0: f64,
    /// Right.
    pub x1: f64,
    /// Bottom.
    pub y1: f64,
}

impl Area {
    /// The area shared with another one.
    fn overlap(&self, other: &Area) -> f64 {
        let width = self.x1.min(other.x1) - self.x0.max(other.x0);
        let height = self.y1.min(other.y1) - self.y0.max(other.y0);
        width.max(0.0) * height.max(0.0)
    }

    /// True when the point lies inside.
    fn holds(&self, (x, y): At) -> bool {
        self.x0 <= x && x <= self.x1 && self.y0 <= y && y <= self.y1
    }
}

/// How a mark looks at a data point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Before.
    Circle,
    /// After.
    Square,
    /// A mean.
    Diamond,
}

/// The sheet.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    /// Its size and type scale.
    pub size: Size,
    /// Its height in pixels.
    pub height: f64,
    taken: RefCell<Vec<Area>>,
}

/// Draws a figure and returns its SVG. `description` is what a screen reader says.
pub fn draw(size: Size, height: u32, description: &str, paint: impl FnOnce(&Canvas<'_>)) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (size.width, height)).into_drawing_area();
        area.fill(&Ink::Paper.rgb()).expect(INFALLIBLE);
        let canvas = Canvas { area, size, height: f64::from(height), taken: RefCell::default() };
        paint(&canvas);
        canvas.area.present().expect(INFALLIBLE);
    }
    let escaped = description.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    // plotters leaves a line break inside each text, which browsers would draw as a space.
    let svg = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{escaped}\" "), 1);
    // A single character that XML forbids makes the whole figure unreadable.
    plain(&svg.replace("\n</text>", "</text>"))
}

fn pixel((x, y): At) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

impl Canvas<'_> {
    /// Its width in pixels.
    pub fn width(&self) -> f64 {
        f64::from(self.size.width)
    }

    /// A line through points.
    pub fn line(&self, points: &[At], ink: Ink, width: u32) {
        let points: Vec<(i32, i32)> = points.iter().copied().map(pixel).collect();
        let style = ink.rgb().stroke_width(width);
        self.area.draw(&PathElement::new(points, style)).expect(INFALLIBLE);
    }

    /// A dashed line through points.
    pub fn dashed(&self, points: &[At], ink: Ink, width: u32) {
        let points: Vec<(i32, i32)> = points.iter().copied().map(pixel).collect();
        let style = ink.rgb().stroke_width(width);
        self.area.draw(&DashedPathElement::new(points, 9, 7, style)).expect(INFALLIBLE);
    }

    /// A filled rectangle.
    pub fn fill(&self, area: Area, ink: Ink) {
        let corners = [pixel((area.x0, area.y0)), pixel((area.x1, area.y1))];
        self.area.draw(&Rectangle::new(corners, ink.rgb().filled())).expect(INFALLIBLE);
    }

    /// A rectangle's outline.
    pub fn frame(&self, area: Area, ink: Ink, width: u32) {
        let Area { x0, y0, x1, y1 } = area;
        self.line(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], ink, width);
    }

    /// A filled shape.
    pub fn polygon(&self, points: &[At], ink: Ink) {
        let points: Vec<(i32, i32)> = points.iter().copied().map(pixel).collect();
        self.area.draw(&Polygon::new(points, ink.rgb().filled())).expect(INFALLIBLE);
    }

    /// A data point; hollow for what was not held.
    pub fn marker(&self, at: At, marker: Marker, radius: f64, ink: Ink, hollow: bool) {
        self.shape(at, marker, radius, ink);
        if hollow {
            self.shape(at, marker, radius - 3.0, Ink::Paper);
        }
        let margin = radius + 2.0;
        self.take(Area {
            x0: at.0 - margin,
            y0: at.1 - margin,
            x1: at.0 + margin,
            y1: at.1 + margin,
        });
    }

    fn shape(&self, at: At, marker: Marker, r: f64, ink: Ink) {
        let (x, y) = at;
        match marker {
            Marker::Circle => {
                let style: ShapeStyle = ink.rgb().filled();
                self.area.draw(&Circle::new(pixel(at), r.round() as i32, style)).expect(INFALLIBLE);
            }
            Marker::Square => self.fill(Area { x0: x - r, y0: y - r, x1: x + r, y1: y + r }, ink),
            Marker::Diamond => {
                let r = r * 1.35;
                self.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], ink);
            }
        }
    }

    /// A text with its middle at the point's height.
    pub fn text(&self, at: At, text: &str, size: f64, ink: Ink, anchor: Anchor) {
        self.write(at, text, size, ink, anchor, FontStyle::Normal);
    }

    /// The same in bold.
    pub fn bold(&self, at: At, text: &str, size: f64, ink: Ink, anchor: Anchor) {
        self.write(at, text, size, ink, anchor, FontStyle::Bold);
    }

    fn write(&self, at: At, text: &str, size: f64, ink: Ink, anchor: Anchor, style: FontStyle) {
        let h_pos = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * SVG_FONT_SCALE, style);
        let color = ink.rgb();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(h_pos, VPos::Center));
        self.area.draw_text(text, &style, pixel(at)).expect(INFALLIBLE);
        self.take(text_box(at, text, size, anchor));
    }

    /// Lines of text, the first one's middle at the point; returns the height below the last.
    pub fn paragraph(&self, at: At, text: &str, size: f64, ink: Ink, width: f64) -> f64 {
        let mut y = at.1;
        for line in wrap(text, size, width) {
            self.text((at.0, y), &line, size, ink, Anchor::Left);
            y += size * 1.3;
        }
        y
    }

    /// Marks a place as taken.
    pub fn take(&self, place: Area) {
        self.taken.borrow_mut().push(place);
    }

    /// Writes a label near a point, inside `bounds`, where it overlaps least with what is there (marks, labels, and the lines
    /// given as their points); a thin leader joins them when the place is not next to the point.
    pub fn place_label(&self, at: At, text: &str, ink: Ink, bounds: Area, lines: &[Vec<At>]) {
        let size = self.size.text;
        let (width, height) = (text_width(text, size) * 1.12, size * 1.25);
        let mut best: Option<(f64, At, f64)> = None;
        for distance in [14.0, 26.0, 44.0, 70.0, 100.0, 140.0] {
            for direction in 0..16 {
                let angle = f64::from(direction) * std::f64::consts::TAU / 16.0;
                let middle = (
                    at.0 + angle.cos() * (distance + width / 2.0),
                    at.1 + angle.sin() * (distance + height / 2.0),
                );
                let place = Area {
                    x0: middle.0 - width / 2.0,
                    y0: middle.1 - height / 2.0,
                    x1: middle.0 + width / 2.0,
                    y1: middle.1 + height / 2.0,
                };
                let leader = leader(at, middle, height);
                let cost =
                    self.cost(&place, bounds, lines) + self.crossed(distance, leader) + distance;
                if best.is_none_or(|(least, _, _)| cost < least) {
                    best = Some((cost, middle, distance));
                }
            }
        }
        let Some((_, middle, distance)) = best else { return };
        if distance > LEADER_FROM {
            self.line(&leader(at, middle, height), Ink::Muted, 1);
        }
        let own = text_box(middle, text, size, Anchor::Middle);
        if runs_through(&own, lines) > 0 {
            // Where a line cannot be avoided, the label covers it instead of being struck through.
            self.fill(own, Ink::Paper);
        }
        self.write(middle, text, size, ink, Anchor::Middle, FontStyle::Bold);
    }

    /// What a leader would cost: every label and mark it would run through.
    fn crossed(&self, distance: f64, leader: [At; 2]) -> f64 {
        if distance <= LEADER_FROM {
            return 0.0;
        }
        // The first part lies on the point's own mark.
        let steps = (8..=40).map(|step| between(leader[0], leader[1], f64::from(step) / 40.0));
        let taken = self.taken.borrow();
        steps.filter(|at| taken.iter().any(|area| area.holds(*at))).count() as f64 * 60.0
    }

    fn cost(&self, place: &Area, bounds: Area, lines: &[Vec<At>]) -> f64 {
        let own = (place.x1 - place.x0) * (place.y1 - place.y0);
        let outside = own - place.overlap(&bounds);
        let covered: f64 = self.taken.borrow().iter().map(|b| b.overlap(place)).sum();
        let crossed = runs_through(place, lines);
        outside * 10.0 + covered * 3.0 + crossed as f64 * 40.0
    }
}

/// From a point to the near edge of the label around `middle`.
fn leader(at: At, middle: At, height: f64) -> [At; 2] {
    let half = if middle.1 > at.1 { -height / 2.0 } else { height / 2.0 };
    [at, (middle.0, middle.1 + half)]
}

/// How much of the lines lies inside an area, in fortieths of each segment.
fn runs_through(area: &Area, lines: &[Vec<At>]) -> usize {
    let inside = |ends: &[At]| {
        let steps = (0..=40).map(|step| between(ends[0], ends[1], f64::from(step) / 40.0));
        steps.filter(|at| area.holds(*at)).count()
    };
    lines.iter().flat_map(|line| line.windows(2)).map(inside).sum()
}

fn between(a: At, b: At, share: f64) -> At {
    (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
}

fn text_box(at: At, text: &str, size: f64, anchor: Anchor) -> Area {
    let width = text_width(text, size);
    let x0 = match anchor {
        Anchor::Left => at.0,
        Anchor::Middle => at.0 - width / 2.0,
        Anchor::Right => at.0 - width,
    };
    Area { x0, y0: at.1 - size * 0.6, x1: x0 + width, y1: at.1 + size * 0.6 }
}
