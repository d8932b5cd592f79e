//! Quantiles of a histogram, with the rule that keeps them honest: fewer than 100 samples beyond a percentile, no
//! percentile (MEASURING.md, rule 10). The median needs less, because half of the samples lie beyond it.
//!
//! Intervals are those of order statistics: the rank of a quantile among n samples is binomial whatever the
//! distribution looks like, so no shape is assumed. (See Conover, *Practical Nonparametric Statistics*, 3.2.)

use hdrhistogram::Histogram;
pub use loadgen::record::quantiles::{MEDIAN_SAMPLES_MIN, SAMPLES_BEYOND_MIN, samples_needed};

/// Samples that the median of one trial needs when it only enters a pair: it is not shown by itself, and how unsure it is shows in the
/// spread of the pairs. Three are the fewest for which the median is not simply the mean of the extremes.
pub const PAIRED_MEDIAN_SAMPLES_MIN: u64 = 3;

/// Above this many samples the binomial is close enough to a normal distribution.
const EXACT_COUNT_MAX: u64 = 400;

/// The 97.5 % point of the normal distribution.
const Z_975: f64 = 1.959_964;

/// A quantile, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantile {
    /// Enough samples.
    Known {
        /// In the unit of the histogram (microseconds).
        value: f64,
        /// Lower end of the 95 % interval; none where no sample is extreme enough to serve as the end.
        low: Option<f64>,
        /// Upper end of the 95 % interval.
        high: Option<f64>,
        /// How many samples it rests on.
        sample_count: u64,
    },
    /// Too few samples for this quantile.
    TooFew {
        /// How many there are.
        sample_count: u64,
        /// How many it takes.
        needed: u64,
    },
}

impl Quantile {
    /// The value, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Quantile::Known { value, .. } => Some(*value),
            Quantile::TooFew { .. } => None,
        }
    }
}

/// The quantile `q` (0 to 1) of a histogram with its 95 % interval, or why there is none.
pub fn quantile(histogram: &Histogram<u64>, q: f64) -> Quantile {
    at_least(histogram, q, samples_needed(q))
}

/// The same for a trial that enters a pair: only the median may rest on fewer samples.
pub fn paired_quantile(histogram: &Histogram<u64>, q: f64) -> Quantile {
    let needed = samples_needed(q);
    at_least(
        histogram,
        q,
        if needed == MEDIAN_SAMPLES_MIN { PAIRED_MEDIAN_SAMPLES_MIN } else { needed },
    )
}

fn at_least(histogram: &Histogram<u64>, q: f64, needed: u64) -> Quantile {
    let count = histogram.len();
    if count < needed {
        return Quantile::TooFew { sample_count: count, needed };
    }
    let (low_rank, high_rank) = interval_ranks(count, q);
    Quantile::Known {
        value: histogram.value_at_quantile(q) as f64,
        low: low_rank.map(|rank| value_at_rank(histogram, rank)),
        high: high_rank.map(|rank| value_at_rank(histogram, rank)),
        sample_count: count,
    }
}

/// How many samples are at most `bound`, as a share of `planned`: a request that failed or was never sent is in
/// `planned` and not in the histogram, so it counts as a miss.
pub fn share_within(histogram: &Histogram<u64>, bound: u64, planned: u64) -> Option<f64> {
    let asked = planned.max(histogram.len());
    if asked == 0 {
        return None;
    }
    Some(histogram.count_between(0, bound) as f64 / asked as f64)
}

/// The value of the sample at a rank from 1.
fn value_at_rank(histogram: &Histogram<u64>, rank: u64) -> f64 {
    // The histogram rounds q x n up to a rank; half a rank less lands safely on the one asked for.
    histogram.value_at_quantile((rank as f64 - 0.5) / histogram.len() as f64) as f64
}

/// Ranks (from 1) of the two order statistics that enclose the quantile with at least 95 %.
fn interval_ranks(count: u64, q: f64) -> (Option<u64>, Option<u64>) {
    if count > EXACT_COUNT_MAX {
        let n = count as f64;
        let spread = Z_975 * (n * q * (1.0 - q)).sqrt();
        let low = (n * q - spread).floor();
        let high = (n * q + spread).ceil() + 1.0;
        return ((low >= 1.0).then_some(low as u64), (high <= n).then_some(high as u64));
    }
    // P(B <= k) for B ~ Binomial(n, q), built up term by term.
    let n = count as i32;
    let mut term = (1.0 - q).powi(n);
    let mut below = 0.0;
    let (mut low, mut high) = (None, None);
    for k in 0..n {
        below += term; // now P(B <= k)
        if below <= 0.025 {
            low = Some(k as u64 + 1);
        }
        if below >= 0.975 && high.is_none() {
            high = Some(k as u64 + 1);
        }
        term *= f64::from(n - k) / f64::from(k + 1) * q / (1.0 - q);
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        histogram
    }

    #[test]
    fn a_percentile_takes_a_hundred_samples_beyond_it() {
        let few = quantile(&histogram(1..=1_999), 0.95);
        assert_eq!(few, Quantile::TooFew { sample_count: 1_999, needed: 2_000 });
        assert_eq!(few.value(), None);
        let enough = quantile(&histogram(1..=2_000), 0.95).value().unwrap();
        assert!((enough - 1_900.0).abs() <= 2.0, "{enough}");
    }

    #[test]
    fn the_median_of_six_lies_between_the_first_and_the_last() {
        assert!(quantile(&histogram(1..=5), 0.5).value().is_none());
        match quantile(&histogram([10, 20, 30, 40, 50, 60]), 0.5) {
            Quantile::Known { low, high, sample_count, .. } => {
                assert_eq!((low, high, sample_count), (Some(10.0), Some(60.0), 6));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_median_inside_a_pair_needs_three() {
        assert_eq!(paired_quantile(&histogram([10, 30, 20]), 0.5).value(), Some(20.0));
        assert_eq!(paired_quantile(&histogram([10, 30]), 0.5).value(), None);
        assert_eq!(paired_quantile(&histogram(1..=1_999), 0.95).value(), None);
    }

    #[test]
    fn exact_and_approximate_ranks_agree() {
        let (exact_low, exact_high) = interval_ranks(400, 0.5);
        let (near_low, near_high) = interval_ranks(401, 0.5);
        assert!(exact_low.unwrap().abs_diff(near_low.unwrap()) <= 1);
        assert!(exact_high.unwrap().abs_diff(near_high.unwrap()) <= 2);
    }

    #[test]
    fn the_unsent_are_misses() {
        let fast = histogram(std::iter::repeat_n(5, 90));
        assert_eq!(share_within(&fast, 10, 100), Some(0.9));
        assert_eq!(share_within(&fast, 10, 90), Some(1.0));
        assert_eq!(share_within(&fast, 1, 90), Some(0.0));
        assert_eq!(share_within(&histogram([]), 10, 0), None);
    }
}
