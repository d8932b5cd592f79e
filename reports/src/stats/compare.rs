//! Pairs to a verdict: the mean of log ratios, its interval, the A/A band, and what may be said.
//!
//! A ratio is always turned so that above 1 is better. The order of the checks is the method: first whether the two
//! sides may be compared at all (the caller knows), then whether an effect stands out of the interval and out of
//! the band that the same stack against itself showed, and only then whether the noise would have hidden one.

use super::bootstrap::{Interval, mean_interval};
use crate::summary::Verdict;

/// An interval whose ends lie further apart than this factor, and that shows no effect, would hide an effect worth
/// having: it is called TOO NOISY instead of NO DIFFERENCE PROVEN.
pub const NOISE_FACTOR_MAX: f64 = 1.5;

/// One pair: the same figure before and after, both positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Its number, from 0.
    pub number: u32,
    /// The figure of the before side.
    pub before: f64,
    /// The figure of the after side.
    pub after: f64,
}

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Times.
    Lower,
    /// Rates.
    Higher,
}

/// What the pairs say.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Geometric mean of the ratios, better is above 1.
    pub ratio: f64,
    /// 95 % interval of the ratio; none for a single pair.
    pub ci95: Option<Interval>,
    /// Log ratio of each pair, in the order given, better is above 0.
    pub log_ratios: Vec<f64>,
    /// The verdict.
    pub verdict: Verdict,
}

/// The log ratio of a pair, better is above 0; none unless both figures are positive.
pub fn log_ratio(pair: &Pair, better: Better) -> Option<f64> {
    let positive = |v: f64| v.is_finite() && v > 0.0;
    if !positive(pair.before) || !positive(pair.after) {
        return None;
    }
    Some(match better {
        Better::Lower => (pair.before / pair.after).ln(),
        Better::Higher => (pair.after / pair.before).ln(),
    })
}

/// Compares pairs. `band` is the widest |log ratio| of the A/A pairs. `resolution` is the standard deviation of one
/// log ratio that comes from the measuring grid alone (0 for latencies; capacities are found by steps): when
/// all pairs land on the same steps their spread is 0, and the interval must not claim more than the steps know.
/// None without a usable pair.
pub fn compare(pairs: &[Pair], better: Better, band: f64, resolution: f64) -> Option<Comparison> {
    let log_ratios: Vec<f64> = pairs.iter().filter_map(|pair| log_ratio(pair, better)).collect();
    if log_ratios.is_empty() {
        return None;
    }
    let mean = log_ratios.iter().sum::<f64>() / log_ratios.len() as f64;
    let floor = 1.96 * resolution / (log_ratios.len() as f64).sqrt();
    let interval = mean_interval(&log_ratios)
        .map(|i| Interval { low: i.low.min(mean - floor), high: i.high.max(mean + floor) });
    let verdict = match interval {
        None => Verdict::TooNoisy,
        Some(interval) => judge(mean, interval, band),
    };
    Some(Comparison { ratio: mean.exp(), ci95: interval.map(|i| i.exp()), log_ratios, verdict })
}

/// The verdict on a mean log ratio with its interval.
pub fn judge(mean: f64, interval: Interval, band: f64) -> Verdict {
    let beyond_band = mean.abs() > band;
    if beyond_band && interval.low > 0.0 {
        Verdict::Improved
    } else if beyond_band && interval.high < 0.0 {
        Verdict::Worse
    } else if interval.high - interval.low > NOISE_FACTOR_MAX.ln() {
        Verdict::TooNoisy
    } else {
        Verdict::NoDifferenceProven
    }
}

/// The A/A band: the widest |log ratio| of pairs of the same variant; none without a usable pair.
pub fn aa_band(pairs: &[Pair]) -> Option<f64> {
    pairs.iter().filter_map(|pair| log_ratio(pair, Better::Lower)).map(f64::abs).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(values: &[(f64, f64)]) -> Vec<Pair> {
        (0u32..)
            .zip(values)
            .map(|(number, &(before, after))| Pair { number, before, after })
            .collect()
    }

    #[test]
    fn twice_as_fast_is_improved_and_reversed_is_worse() {
        let forward = pairs(&[(20.0, 10.0), (21.0, 10.2), (19.8, 10.1), (20.2, 9.9)]);
        let found = compare(&forward, Better::Lower, 0.03, 0.0).unwrap();
        assert_eq!(found.verdict, Verdict::Improved);
        assert!(found.ci95.unwrap().contains(2.0));
        let backward: Vec<Pair> =
            forward.iter().map(|p| Pair { before: p.after, after: p.before, ..*p }).collect();
        let reversed = compare(&backward, Better::Lower, 0.03, 0.0).unwrap();
        assert_eq!(reversed.verdict, Verdict::Worse);
        assert!((found.ratio * reversed.ratio - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_effect_inside_the_aa_band_is_no_difference() {
        let small = pairs(&[(10.2, 10.0), (10.21, 10.0), (10.19, 10.0)]);
        assert_eq!(
            compare(&small, Better::Lower, 0.05, 0.0).unwrap().verdict,
            Verdict::NoDifferenceProven
        );
        assert_eq!(compare(&small, Better::Lower, 0.001, 0.0).unwrap().verdict, Verdict::Improved);
    }

    #[test]
    fn wide_intervals_are_too_noisy_unless_the_effect_is_beyond_doubt() {
        let wild = pairs(&[(10.0, 20.0), (20.0, 10.0), (10.0, 11.0)]);
        assert_eq!(compare(&wild, Better::Lower, 0.05, 0.0).unwrap().verdict, Verdict::TooNoisy);
        let huge = pairs(&[(100.0, 5.0), (100.0, 10.0), (100.0, 7.0)]);
        assert_eq!(compare(&huge, Better::Lower, 0.05, 0.0).unwrap().verdict, Verdict::Improved);
        assert_eq!(
            compare(&huge[..1], Better::Lower, 0.05, 0.0).unwrap().verdict,
            Verdict::TooNoisy
        );
    }

    #[test]
    fn equal_steps_do_not_make_the_interval_a_point() {
        let same = pairs(&[(100.0, 400.0), (100.0, 400.0), (100.0, 400.0)]);
        let found = compare(&same, Better::Higher, 0.02, 0.05).unwrap();
        let interval = found.ci95.unwrap();
        assert!(interval.low < 3.8 && interval.high > 4.2, "{interval:?}");
        assert_eq!(found.verdict, Verdict::Improved);
    }

    #[test]
    fn holes_are_left_out_and_nothing_at_all_is_none() {
        assert!(compare(&pairs(&[(0.0, 1.0)]), Better::Lower, 0.0, 0.0).is_none());
        assert_eq!(aa_band(&pairs(&[(10.0, 10.5), (10.0, 9.0)])), Some((10.0f64 / 9.0).ln()));
        assert_eq!(aa_band(&[]), None);
    }
}
