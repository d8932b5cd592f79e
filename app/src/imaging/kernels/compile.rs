//! From a chain of steps to a [`Program`]: neighbours are joined, and each step gets the cheapest form whose sums hold in 16 bits.

use super::super::functions::{Matrix, Step, Transfer};
use super::{FixedStep, OPAQUE, Program, Sums, Weights};

/// A step while neighbours are being joined.
enum Stage {
    /// Unclamped.
    Matrix(Matrix),
    /// Results, unclamped, for the levels 0 to 255.
    Tables(Box<[[f64; 256]; 3]>),
}

impl Program {
    /// Compiles the chain.
    pub fn new(chain: &[Step]) -> Self {
        let mut stages: Vec<Stage> = Vec::new();
        let mut alpha = 1.0;
        for step in chain {
            match step.transfer() {
                Transfer::Matrix(matrix) => push_matrix(&mut stages, matrix),
                Transfer::Tables(tables) => push_tables(&mut stages, tables),
                Transfer::Alpha(left) => alpha *= left,
            }
        }
        stages.retain(|stage| !matches!(stage, Stage::Matrix(matrix) if is_identity(matrix)));
        let opacity = (alpha * f64::from(OPAQUE)).round() as u16;
        let on_white = (opacity != OPAQUE).then(|| {
            let mut rows = [[0.0; 4]; 3];
            for (channel, row) in rows.iter_mut().enumerate() {
                row[channel] = alpha;
                row[3] = 1.0 - alpha;
            }
            FixedStep::Sums(Sums::new(&rows, true))
        });
        let is_negative = on_white.is_none()
            && matches!(&stages[..], [Stage::Matrix(matrix)] if is_negative(matrix));
        let last = if on_white.is_none() { stages.len().checked_sub(1) } else { None };
        let steps = stages.iter().enumerate();
        let steps = steps.map(|(at, stage)| FixedStep::new(stage, Some(at) == last)).collect();
        Self { steps, opacity, on_white, is_negative }
    }
}

fn push_matrix(stages: &mut Vec<Stage>, matrix: Matrix) {
    match stages.last_mut() {
        Some(Stage::Matrix(before)) if never_clips(before) || clips_as_well(&matrix) => {
            *before = compose(&matrix, before);
        }
        Some(Stage::Tables(before)) if is_diagonal(&matrix) => {
            each_entry(before, |channel, value| line(&matrix, channel, value));
        }
        _ => stages.push(Stage::Matrix(matrix)),
    }
}

/// Whatever went before on each channel by itself, from the picture's own levels on, goes into the tables, exactly. After a matrix
/// there are values between the levels: those are rounded when the tables are read, as a browser rounds them.
fn push_tables(stages: &mut Vec<Stage>, mut tables: Box<[[f64; 256]; 3]>) {
    let separate = |stage: &Stage| match stage {
        Stage::Matrix(matrix) => is_diagonal(matrix),
        Stage::Tables(_) => true,
    };
    if stages.iter().all(separate) {
        let then = tables;
        tables = Box::new([std::array::from_fn(|level| level as f64 / 255.0); 3]);
        for stage in stages.drain(..) {
            each_entry(&mut tables, |channel, value| match &stage {
                Stage::Matrix(matrix) => line(matrix, channel, value),
                Stage::Tables(tables) => between(&tables[channel], value),
            });
        }
        each_entry(&mut tables, |channel, value| between(&then[channel], value));
    } else if let Some(Stage::Tables(before)) = stages.last_mut() {
        each_entry(before, |channel, value| between(&tables[channel], value));
        return;
    }
    stages.push(Stage::Tables(tables));
}

/// Replaces each entry, clamped, by what comes next.
fn each_entry(tables: &mut [[f64; 256]; 3], next: impl Fn(usize, f64) -> f64) {
    for (channel, table) in tables.iter_mut().enumerate() {
        for value in table {
            *value = next(channel, value.clamp(0.0, 1.0));
        }
    }
}

fn line(matrix: &Matrix, channel: usize, value: f64) -> f64 {
    matrix[channel][channel] * value + matrix[channel][3]
}

/// The table's value between two entries, for a value in 0..=1.
fn between(table: &[f64; 256], value: f64) -> f64 {
    let place = value * 255.0;
    let left = (place as usize).min(254);
    table[left] + (place - left as f64) * (table[left + 1] - table[left])
}

impl FixedStep {
    fn new(stage: &Stage, is_last: bool) -> Self {
        match stage {
            Stage::Matrix(matrix) => FixedStep::Sums(Sums::new(matrix, is_last)),
            Stage::Tables(tables) => FixedStep::Tables(Box::new(std::array::from_fn(|channel| {
                tables[channel].map(|value| (value * 255.0).round() as u8)
            }))),
        }
    }
}

/// A matrix taken apart as [`Sums`] adds it up: out = weights * in + slope * own + constant (+ own), or, tinted, slope * (weights * in) +
/// constant.
struct Parts {
    rows: Rows,
    weights: [[f64; 3]; 3],
    slopes: [f64; 3],
    constants: [f64; 3],
    own: bool,
}

/// How the rows of weights differ.
#[derive(Clone, Copy, PartialEq)]
enum Rows {
    /// Not at all; the channels differ by slopes.
    Shared,
    /// By a factor, the slope.
    Tinted,
    /// In every weight.
    Own,
}

impl Sums {
    /// The first form that holds: one sum for all channels; as it is, with the channel itself as a last term, or halved until it does. The
    /// last step may be halved at no cost. Coefficients beyond 32, for which halving does not suffice, are cut to it.
    fn new(matrix: &Matrix, is_last: bool) -> Self {
        let parts = Parts::new(matrix, false);
        let tinted = if parts.rows == Rows::Shared { None } else { Parts::tinted(matrix) };
        let with_own = (!is_last).then(|| Parts::new(matrix, true));
        let forms = (tinted.iter().flat_map(|parts| [(parts, 0), (parts, 1), (parts, 2)]))
            .chain([(&parts, 0)])
            .chain(with_own.iter().map(|parts| (parts, 0)))
            .chain((1..DOUBLINGS_MAX).map(|doublings| (&parts, doublings)));
        let found = forms.into_iter().find(|(parts, doublings)| parts.hold(*doublings));
        let (parts, doublings) = found.unwrap_or((&parts, DOUBLINGS_MAX));
        Sums { is_last, ..parts.fixed(doublings, !never_negative(matrix)) }
    }
}

impl Parts {
    fn new(matrix: &Matrix, own: bool) -> Self {
        let mut parts = Self {
            rows: Rows::Own,
            weights: std::array::from_fn(|row| std::array::from_fn(|column| matrix[row][column])),
            slopes: [0.0; 3],
            constants: std::array::from_fn(|row| matrix[row][3]),
            own,
        };
        // What the other channels take of a channel; its own weight beyond that is its slope.
        let shared = [matrix[1][0], matrix[0][1], matrix[0][2]];
        let are_shared = (0..3).all(|row| {
            (0..3)
                .all(|column| row == column || (matrix[row][column] - shared[column]).abs() < 1e-9)
        });
        if are_shared {
            parts.rows = Rows::Shared;
        }
        for channel in 0..3 {
            if are_shared {
                parts.slopes[channel] = matrix[channel][channel] - shared[channel];
                parts.weights[channel] = shared;
            }
            if own {
                let weights = &mut parts.weights[channel][channel];
                *(if are_shared { &mut parts.slopes[channel] } else { weights }) -= 1.0;
            }
        }
        parts
    }

    /// One sum for all channels, if their rows are multiples of it: to within [`TINT_ERROR_MAX`], and exactly for greys.
    fn tinted(matrix: &Matrix) -> Option<Self> {
        let sums = matrix.map(|row| row[0] + row[1] + row[2]);
        let largest = sums.into_iter().fold(0.0, |largest: f64, sum| largest.max(sum.abs()));
        let total: f64 = sums.iter().sum();
        if total.abs() < 1e-3 {
            return None;
        }
        // The rows' mean direction, as long as the longest of them, and never upside down: tints may be negative.
        let weights: [f64; 3] = std::array::from_fn(|column| {
            matrix.iter().map(|row| row[column]).sum::<f64>() / total * largest
        });
        let slopes = sums.map(|sum| sum / largest);
        let is_near = |(row, slope): (&[f64; 4], &f64)| {
            let off = |column: usize| row[column] - slope * weights[column];
            let (over, under) = (0..3).fold((0.0, 0.0), |(over, under): (f64, f64), column| {
                (over + off(column).max(0.0), under + off(column).min(0.0))
            });
            over.max(-under) <= TINT_ERROR_MAX
        };
        let constants = matrix.map(|row| row[3]);
        matrix.iter().zip(&slopes).all(is_near).then_some(Self {
            rows: Rows::Tinted,
            weights: [weights; 3],
            slopes,
            constants,
            own: false,
        })
    }

    /// Whether all coefficients fit into 16 bits, and no sum saturates on the way and comes back: one that is over 1 may only grow, one
    /// that is under -1 may only shrink.
    fn hold(&self, doublings: u32) -> bool {
        let unit = f64::from(1_u32 << doublings);
        (0..3).all(|row| {
            let [r, g, b] = self.weights[row].map(|weight| weight / unit);
            let own = f64::from(u8::from(self.own)) / unit;
            let is_tinted = self.rows == Rows::Tinted;
            // A tint is at most 1, and has nothing to add.
            let slope = if is_tinted { 0.0 } else { self.slopes[row] / unit };
            if [r, g, b, slope].iter().any(|weight| !(-1.0..0.999_98).contains(weight)) {
                return false;
            }
            let constant = self.constants[row] / unit;
            let range = |weight: f64| (weight.min(0.0), weight.max(0.0));
            let weights = [r, g, b].map(range);
            if is_tinted {
                // The sum itself must not saturate; after it there is one more term.
                let low: f64 = weights.iter().map(|weight| weight.0).sum();
                let high: f64 = weights.iter().map(|weight| weight.1).sum();
                return low >= -1.0 && high <= 1.0 && constant.abs() <= 1.0;
            }
            let ([r, g, b], slope) = (weights, range(slope));
            let constant_term = (constant, constant);
            let terms = if self.rows == Rows::Shared {
                [r, g, b, slope, constant_term, range(own)]
            } else {
                [constant_term, r, g, b, slope, range(own)]
            };
            let (mut low, mut high) = (0.0, 0.0);
            let holds = |(index, term): (usize, &(f64, f64))| {
                (low, high) = (low + term.0, high + term.1);
                let mut rest = terms[index + 1..].iter();
                (high <= 1.0 || rest.clone().all(|term| term.0 >= 0.0))
                    && (low >= -1.0 || rest.all(|term| term.1 <= 0.0))
            };
            constant.abs() <= 1.0 && terms.iter().enumerate().all(holds)
        })
    }

    fn fixed(&self, doublings: u32, floor: bool) -> Sums {
        // `as` saturates.
        let unit = f64::from(1 << doublings);
        let scaled = |value: f64, one: f64| (value * one / unit).round() as i16;
        let coefficients = |row: [f64; 3]| row.map(|weight| scaled(weight, 32_768.0));
        let weights = if self.weights.iter().flatten().all(|weight| weight.abs() < 1e-9) {
            Weights::None
        } else {
            match self.rows {
                Rows::Shared => Weights::Shared(coefficients(self.weights[0])),
                Rows::Tinted => Weights::Tinted(coefficients(self.weights[0])),
                Rows::Own => Weights::Matrix(self.weights.map(coefficients)),
            }
        };
        // A tint is of a sum that is halved already.
        let slopes = match self.rows {
            // Not quite -1: the square of that is beyond 16 bits.
            Rows::Tinted => {
                self.slopes.map(|tint| ((tint * 32_768.0).round() as i16).max(-i16::MAX))
            }
            _ => coefficients(self.slopes),
        };
        let some = |values: [i16; 3]| (values != [0; 3]).then_some(values);
        Sums {
            weights,
            slopes: some(slopes),
            constants: some(self.constants.map(|constant| scaled(constant, 32_767.0))),
            own: self.own,
            doublings,
            floor,
            is_last: false,
        }
    }
}

/// The most doublings: then rounding in 16 bits is a quarter of a level, and alpha still comes back as it was.
const DOUBLINGS_MAX: u32 = 5;

/// How far one sum for all channels may be off, of 0..=1: a quarter of a level.
const TINT_ERROR_MAX: f64 = 0.25 / 255.0;

/// Whether clamping this step's result to 0..=1 never changes it, for inputs in 0..=1.
fn never_clips(matrix: &Matrix) -> bool {
    let highest = |row: &[f64; 4]| row[3] + row[..3].iter().map(|cell| cell.max(0.0)).sum::<f64>();
    never_negative(matrix) && matrix.iter().all(|row| highest(row) <= 1.0 + 1e-9)
}

/// Whether a step on each channel by itself takes what is beyond 0 and 1 beyond them again, so that clamping after it is enough: brightness
/// and contrast from 1 on, invert.
fn clips_as_well(matrix: &Matrix) -> bool {
    is_diagonal(matrix)
        && (0..3).all(|channel| {
            let (black, white) = (line(matrix, channel, 0.0), line(matrix, channel, 1.0));
            black.min(white) <= 1e-9 && black.max(white) >= 1.0 - 1e-9
        })
}

/// Whether no result is below 0, for inputs in 0..=1.
fn never_negative(matrix: &Matrix) -> bool {
    let lowest = |row: &[f64; 4]| row[3] + row[..3].iter().map(|cell| cell.min(0.0)).sum::<f64>();
    matrix.iter().all(|row| lowest(row) >= -1e-9)
}

/// `second` after `first`, as one matrix.
fn compose(second: &Matrix, first: &Matrix) -> Matrix {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let through: f64 = (0..3).map(|k| second[row][k] * first[k][column]).sum();
            through + if column == 3 { second[row][3] } else { 0.0 }
        })
    })
}

fn is_diagonal(matrix: &Matrix) -> bool {
    (0..3).all(|row| (0..3).all(|column| row == column || matrix[row][column].abs() < 1e-9))
}

fn is_negative(matrix: &Matrix) -> bool {
    is_diagonal(matrix)
        && (0..3)
            .all(|row| (matrix[row][row] + 1.0).abs() < 1e-9 && (matrix[row][3] - 1.0).abs() < 1e-9)
}

fn is_identity(matrix: &Matrix) -> bool {
    is_diagonal(matrix)
        && (0..3).all(|row| (matrix[row][row] - 1.0).abs() < 1e-9 && matrix[row][3].abs() < 1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::super::filters::{Function, Step};
    use super::*;

    fn steps(chain: &[(Function, f64)]) -> usize {
        let chain =
            chain.iter().map(|(function, amount)| Step { function: *function, amount: *amount });
        Program::new(&chain.collect::<Vec<_>>()).steps.len()
    }

    #[test]
    fn steps_are_joined_only_where_that_changes_nothing() {
        let (sepia, saturate) = ((Function::Sepia, 1.0), (Function::Saturate, 1.4));
        let bright = |amount| (Function::Brightness, amount);
        assert_eq!(steps(&[sepia, (Function::Contrast, 1.2), saturate, bright(1.1)]), 2);
        assert_eq!(
            steps(&[bright(1.5), (Function::Invert, 1.0)]),
            1,
            "clipped white becomes black"
        );
        assert_eq!(steps(&[bright(0.8), saturate]), 1, "nothing is clipped");
        assert_eq!(steps(&[bright(1.5), bright(0.8)]), 2, "what is clipped becomes 0.8");
        assert_eq!(steps(&[bright(1.5), saturate]), 2, "a clipped channel goes into the others");
    }
}
