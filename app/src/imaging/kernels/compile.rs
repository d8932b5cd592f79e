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
            FixedStep::Sums(Sums::new(&rows))
        });
        let is_negative = on_white.is_none()
            && matches!(&stages[..], [Stage::Matrix(matrix)] if is_negative(matrix));
        let mut steps: Vec<FixedStep> = stages.iter().map(FixedStep::new).collect();
        if let (Some(FixedStep::Sums(last)), None) = (steps.last_mut(), &on_white) {
            // Rounding to bytes does it.
            last.floor = false;
        }
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
    fn new(stage: &Stage) -> Self {
        match stage {
            Stage::Matrix(matrix) => FixedStep::Sums(Sums::new(matrix)),
            Stage::Tables(tables) => FixedStep::Tables(Box::new(std::array::from_fn(|channel| {
                tables[channel].map(|value| (value * 255.0).round() as u8)
            }))),
        }
    }
}

/// A matrix taken apart as [`Sums`] adds it up: out = weights * in + slope * own + constant (+ own).
struct Parts {
    /// All rows have the same weights, and differ by slopes.
    shared: bool,
    weights: [[f64; 3]; 3],
    slopes: [f64; 3],
    constants: [f64; 3],
    own: bool,
}

impl Sums {
    /// The first form that holds: as it is, with the channel itself as a last term, or halved until it does. Halved thrice, coefficients
    /// beyond 8 count as 8: the result is all black or white anyway.
    fn new(matrix: &Matrix) -> Self {
        let parts = Parts::new(matrix, false);
        let with_own = Parts::new(matrix, true);
        let forms = [(&parts, 0), (&with_own, 0), (&parts, 1), (&parts, 2)];
        let found = forms.into_iter().find(|(parts, doublings)| parts.hold(*doublings));
        let (parts, doublings) = found.unwrap_or((&parts, 3));
        parts.fixed(doublings, !never_negative(matrix))
    }
}

impl Parts {
    fn new(matrix: &Matrix, own: bool) -> Self {
        let mut parts = Self {
            shared: false,
            weights: std::array::from_fn(|row| std::array::from_fn(|column| matrix[row][column])),
            slopes: [0.0; 3],
            constants: std::array::from_fn(|row| matrix[row][3]),
            own,
        };
        // What the other channels take of a channel; its own weight beyond that is its slope.
        let shared = [matrix[1][0], matrix[0][1], matrix[0][2]];
        parts.shared = (0..3).all(|row| {
            (0..3)
                .all(|column| row == column || (matrix[row][column] - shared[column]).abs() < 1e-9)
        });
        for channel in 0..3 {
            if parts.shared {
                parts.slopes[channel] = matrix[channel][channel] - shared[channel];
                parts.weights[channel] = shared;
            }
            if own {
                let weights = &mut parts.weights[channel][channel];
                *(if parts.shared { &mut parts.slopes[channel] } else { weights }) -= 1.0;
            }
        }
        parts
    }

    /// Whether all coefficients fit into 16 bits, and no sum saturates on the way and comes back: one that is over 1 may only grow, one
    /// that is under -1 may only shrink.
    fn hold(&self, doublings: u32) -> bool {
        let unit = f64::from(1_u32 << doublings);
        (0..3).all(|row| {
            let [r, g, b] = self.weights[row];
            let own = f64::from(u8::from(self.own)) / unit;
            let varying = [r, g, b, self.slopes[row]].map(|weight| weight / unit);
            if varying.iter().any(|weight| !(-1.0..0.999_98).contains(weight)) {
                return false;
            }
            let constant = self.constants[row] / unit;
            let range = |weight: f64| (weight.min(0.0), weight.max(0.0));
            let [r, g, b, slope] = varying.map(range);
            let constant_term = (constant, constant);
            let terms = if self.shared {
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
        let scaled =
            |value: f64, one: f64| (value * one / f64::from(1 << doublings)).round() as i16;
        let coefficients = |row: [f64; 3]| row.map(|weight| scaled(weight, 32_768.0));
        let weights = if self.weights.iter().flatten().all(|weight| weight.abs() < 1e-9) {
            Weights::None
        } else if self.shared {
            Weights::Shared(coefficients(self.weights[0]))
        } else {
            Weights::Matrix(self.weights.map(coefficients))
        };
        let some = |values: [i16; 3]| (values != [0; 3]).then_some(values);
        Sums {
            weights,
            slopes: some(coefficients(self.slopes)),
            constants: some(self.constants.map(|constant| scaled(constant, 32_767.0))),
            own: self.own,
            doublings,
            floor,
        }
    }
}

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
