//! The Universal Scalability Law X(N) = gN / (1 + a(N-1) + bN(N-1)), fitted as MEASURING.md rule 11 says: linearly on N/X.
//!
//! N/X = c0 + c1 (N-1) + c2 N(N-1) with c0 = 1/g, a = c1/c0 (waiting for shared things), b = c2/c0 (keeping each other
//! informed). A rate known to so many per cent makes N/X known to so many per cent: weights are 1/(N/X)^2. With only
//! two coefficients bound to be non-negative, all four sets of zeros are tried and the best admissible one taken: that is
//! exact non-negative least squares. Intervals: a parametric bootstrap with a fixed seed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::Interval;

/// Levels from which on the peak may be printed, if data lie past it.
pub const PEAK_LEVELS_MIN: usize = 6;
/// Below this many levels the fit has no degree of freedom left: the three parameters go through the points.
pub const LEVELS_MIN: usize = 3;
/// Fits drawn for the intervals.
const RESAMPLE_COUNT: usize = 2_000;
const SEED: u64 = 0x7573_6c31;

/// Capacity at one count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Instances.
    pub count: u32,
    /// Capacity per second.
    pub rate: f64,
}

/// A fitted law.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Rate of one instance, g.
    pub gamma: f64,
    /// Contention, a.
    pub alpha: f64,
    /// Coherency, b.
    pub beta: f64,
    /// 95 % interval of a; none when the spread of the rates is unknown.
    pub alpha_ci95: Option<Interval>,
    /// 95 % interval of b.
    pub beta_ci95: Option<Interval>,
    /// Per level: measured / fitted - 1.
    pub residuals: Vec<f64>,
    /// Where throughput peaks, or why that is not said.
    pub peak: Peak,
    /// True when there are as many parameters as levels: the curve goes through the points whatever they are.
    pub saturated: bool,
}

/// The peak of the law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Peak {
    /// Known: at so many instances.
    At(f64),
    /// The fitted law has none (b = 0).
    None,
    /// Not printed: fewer than six levels.
    TooFewLevels,
    /// Not printed: no level past it, so it would be an extrapolation.
    NotReached,
}

impl Fit {
    /// The rate the law gives for a count.
    pub fn rate(&self, count: f64) -> f64 {
        rate([1.0 / self.gamma, self.alpha / self.gamma, self.beta / self.gamma], count)
    }
}

/// Fits the law. `relative_sd` is how well one rate is known (standard deviation of its logarithm); none when unknown, and
/// then there are no intervals. None for fewer than three levels or for a rate that is not positive.
pub fn fit(levels: &[Level], relative_sd: Option<f64>) -> Option<Fit> {
    let sound = |l: &Level| l.count >= 1 && l.rate.is_finite() && l.rate > 0.0;
    if levels.len() < LEVELS_MIN || !levels.iter().all(sound) {
        return None;
    }
    let best = solve(levels)?;
    let (alpha, beta) = (best[1] / best[0], best[2] / best[0]);
    let residuals = levels.iter().map(|l| l.rate / rate(best, f64::from(l.count)) - 1.0).collect();
    let (alpha_ci95, beta_ci95) = match relative_sd {
        Some(sd) => intervals(levels, best, sd),
        None => (None, None),
    };
    Some(Fit {
        gamma: 1.0 / best[0],
        alpha,
        beta,
        alpha_ci95,
        beta_ci95,
        residuals,
        peak: peak(levels, alpha, beta),
        saturated: levels.len() <= 3,
    })
}

fn rate(c: [f64; 3], n: f64) -> f64 {
    n / (c[0] + c[1] * (n - 1.0) + c[2] * n * (n - 1.0))
}

fn peak(levels: &[Level], alpha: f64, beta: f64) -> Peak {
    if levels.len() < PEAK_LEVELS_MIN {
        return Peak::TooFewLevels;
    }
    if beta <= 0.0 {
        return Peak::None;
    }
    let at = ((1.0 - alpha).max(0.0) / beta).sqrt();
    let most = levels.iter().map(|l| l.count).max().unwrap_or(0);
    if f64::from(most) > at { Peak::At(at) } else { Peak::NotReached }
}

/// Weighted non-negative least squares over the four sets of zeros.
fn solve(levels: &[Level]) -> Option<[f64; 3]> {
    const SETS: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let mut best: Option<([f64; 3], f64)> = None;
    for set in SETS {
        let Some(c) = least_squares(levels, set) else { continue };
        if c[0] <= 0.0 || c[1] < 0.0 || c[2] < 0.0 {
            continue;
        }
        let error: f64 = levels
            .iter()
            .map(|l| {
                let x = terms(l.count);
                let y = f64::from(l.count) / l.rate;
                ((c[0] * x[0] + c[1] * x[1] + c[2] * x[2]) / y - 1.0).powi(2)
            })
            .sum();
        if best.is_none_or(|(_, least)| error < least) {
            best = Some((c, error));
        }
    }
    best.map(|(c, _)| c)
}

fn terms(count: u32) -> [f64; 3] {
    let n = f64::from(count);
    [1.0, n - 1.0, n * (n - 1.0)]
}

/// The normal equations for the coefficients in `set`, the others 0; none when they are singular.
fn least_squares(levels: &[Level], set: &[usize]) -> Option<[f64; 3]> {
    let size = set.len();
    let mut matrix = [[0.0f64; 4]; 3];
    for level in levels {
        let y = f64::from(level.count) / level.rate;
        let x = terms(level.count);
        for (row, &i) in set.iter().enumerate() {
            for (column, &j) in set.iter().enumerate() {
                matrix[row][column] += x[i] * x[j] / (y * y);
            }
            matrix[row][size] += x[i] * y / (y * y);
        }
    }
    // Gauss-Jordan with row exchange; at most three by three.
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        let largest = matrix[pivot][column].abs();
        if largest < 1e-12 * matrix[0][0].abs().max(1e-300) {
            return None;
        }
        matrix.swap(column, pivot);
        for row in 0..size {
            if row != column {
                let factor = matrix[row][column] / matrix[column][column];
                let pivot_row = matrix[column];
                for (cell, above) in matrix[row].iter_mut().zip(pivot_row) {
                    *cell -= factor * above;
                }
            }
        }
    }
    let mut c = [0.0; 3];
    for (row, &i) in set.iter().enumerate() {
        c[i] = matrix[row][size] / matrix[row][row];
    }
    Some(c)
}

/// Draws rates around the fitted ones and refits.
fn intervals(levels: &[Level], fitted: [f64; 3], sd: f64) -> (Option<Interval>, Option<Interval>) {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (mut alphas, mut betas) = (Vec::new(), Vec::new());
    for _ in 0..RESAMPLE_COUNT {
        let drawn: Vec<Level> = levels
            .iter()
            .map(|l| {
                let (u, v): (f64, f64) = (random.random(), random.random());
                let normal = (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                Level {
                    count: l.count,
                    rate: rate(fitted, f64::from(l.count)) * (sd * normal).exp(),
                }
            })
            .collect();
        if let Some(c) = solve(&drawn) {
            alphas.push(c[1] / c[0]);
            betas.push(c[2] / c[0]);
        }
    }
    (middle(alphas), middle(betas))
}

/// The middle 95 % of drawn values.
fn middle(mut values: Vec<f64>) -> Option<Interval> {
    if values.len() < RESAMPLE_COUNT / 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = values.len() / 40;
    Some(Interval { low: values[tail], high: values[values.len() - 1 - tail] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(gamma: f64, alpha: f64, beta: f64, counts: &[u32]) -> Vec<Level> {
        let c = [1.0 / gamma, alpha / gamma, beta / gamma];
        counts.iter().map(|&count| Level { count, rate: rate(c, f64::from(count)) }).collect()
    }

    #[test]
    fn a_known_law_is_found_again() {
        for (alpha, beta) in [(0.0, 0.0), (0.05, 0.0), (0.03, 0.001), (0.0, 0.02)] {
            let fit = fit(&law(410.0, alpha, beta, &[1, 2, 3, 4, 6, 8]), Some(0.01)).unwrap();
            assert!((fit.gamma - 410.0).abs() < 1e-3, "{fit:?}");
            assert!((fit.alpha - alpha).abs() < 1e-6 && (fit.beta - beta).abs() < 1e-6, "{fit:?}");
            assert!(fit.residuals.iter().all(|r| r.abs() < 1e-6));
            assert!(!fit.saturated);
        }
    }

    #[test]
    fn nothing_negative_even_when_it_scales_better_than_linear() {
        let levels = [
            Level { count: 1, rate: 100.0 },
            Level { count: 2, rate: 210.0 },
            Level { count: 4, rate: 440.0 },
        ];
        let fit = fit(&levels, None).unwrap();
        assert_eq!((fit.alpha, fit.beta), (0.0, 0.0));
        assert!(fit.saturated);
        assert_eq!(fit.alpha_ci95, None);
    }

    #[test]
    fn intervals_hold_the_truth_under_noise() {
        let mut levels = law(100.0, 0.05, 0.002, &[1, 2, 3, 4, 6, 8]);
        for (level, noise) in levels.iter_mut().zip([1.01, 0.99, 1.005, 1.01, 0.985, 1.0]) {
            level.rate *= noise;
        }
        let fit = fit(&levels, Some(0.01)).unwrap();
        assert!(fit.alpha_ci95.unwrap().contains(0.05), "{fit:?}");
        assert!(fit.beta_ci95.unwrap().contains(0.002), "{fit:?}");
    }

    #[test]
    fn the_peak_is_printed_only_with_six_levels_and_data_past_it() {
        // a = 0, b = 0.04: peak at sqrt(1 / 0.04) = 5.
        let all = fit(&law(100.0, 0.0, 0.04, &[1, 2, 3, 4, 6, 8]), None).unwrap();
        assert!(matches!(all.peak, Peak::At(n) if (n - 5.0).abs() < 0.01), "{:?}", all.peak);
        let four = fit(&law(100.0, 0.0, 0.04, &[1, 2, 4, 8]), None).unwrap();
        assert_eq!(four.peak, Peak::TooFewLevels);
        let far = fit(&law(100.0, 0.0, 0.004, &[1, 2, 3, 4, 6, 8]), None).unwrap();
        assert_eq!(far.peak, Peak::NotReached);
    }

    #[test]
    fn two_levels_or_a_hole_are_not_fitted() {
        assert_eq!(fit(&law(100.0, 0.1, 0.0, &[1, 2]), None), None);
        let mut levels = law(100.0, 0.1, 0.0, &[1, 2, 4]);
        levels[1].rate = 0.0;
        assert_eq!(fit(&levels, None), None);
    }
}
