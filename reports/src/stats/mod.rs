//! Statistics as pure functions on slices: no files, no clock, and every draw of random numbers has a fixed seed.
//!
//! `quantile` (what may be said about one trial) -> `bootstrap` (intervals from pairs) -> `compare` (the verdict)
//! and `usl` (how a stack scales). `findings` is the only caller that knows what the figures mean.

pub mod bootstrap;
pub mod compare;
pub mod quantile;
pub mod usl;

/// The geometric mean: the mean that ratios want, because twice and half then cancel. None for an empty slice or
/// for a value that is not positive.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| !v.is_finite() || *v <= 0.0) {
        return None;
    }
    let logs: f64 = values.iter().map(|v| v.ln()).sum();
    Some((logs / values.len() as f64).exp())
}

/// Rounds to so many significant digits, so that files show what is known and not what `f64` can hold.
pub fn round_significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = digits - 1 - value.abs().log10().floor() as i32;
    // Multiplying by a power of ten and dividing again keeps short decimals short (1.58, not 1.5800000000000001).
    if exponent >= 0 {
        let scale = 10f64.powi(exponent);
        (value * scale).round() / scale
    } else {
        let scale = 10f64.powi(-exponent);
        (value / scale).round() * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_cancel() {
        let mean = geometric_mean(&[2.0, 0.5]).expect("positive values have a mean");
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
    }

    #[test]
    fn rounding_keeps_decimals_short() {
        assert_eq!(round_significant(1.583_333, 3).to_string(), "1.58");
        assert_eq!(round_significant(12_345.6, 3).to_string(), "12300");
        assert_eq!(round_significant(0.000_123_456, 2).to_string(), "0.00012");
        assert_eq!(round_significant(0.0, 3), 0.0);
    }
}
