//! How many samples a quantile takes before it may be told: the rule of docs/MEASURING.md, for everybody who prints one.

/// Samples that must lie beyond a percentile before it is shown.
pub const SAMPLES_BEYOND_MIN: u64 = 100;

/// Samples that a median needs: the smallest n for which two order statistics (the first and the last) enclose
/// the median with 95 % probability: 1 - 2 x 0.5^6 = 96.9 %, whereas 1 - 2 x 0.5^5 = 93.8 %.
pub const MEDIAN_SAMPLES_MIN: u64 = 6;

/// How many samples the quantile `q` takes before it may be shown.
pub fn samples_needed(q: f64) -> u64 {
    let beyond = q.min(1.0 - q);
    if (beyond - 0.5).abs() < 1e-9 {
        MEDIAN_SAMPLES_MIN
    } else if beyond <= 0.0 {
        u64::MAX
    } else {
        // The subtraction keeps 100 / 0.05 from becoming 2001 through rounding.
        (SAMPLES_BEYOND_MIN as f64 / beyond - 1e-6).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_takes_a_hundred_samples_beyond_it_and_a_median_six() {
        assert_eq!([0.99, 0.95, 0.01, 0.5].map(samples_needed), [10_000, 2_000, 10_000, 6]);
        assert_eq!(samples_needed(1.0), u64::MAX);
    }
}
