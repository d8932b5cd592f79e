//! What the users saw, for people to read: per operation the answers and the quantiles that so many samples allow, then every error.

use std::collections::BTreeMap;
use std::fmt;

use super::ASSETS_VARIABLE;
use super::timed::Recorded;
use crate::record::Clock;
use crate::record::quantiles::samples_needed;
use crate::record_io::HistogramSet;

/// The quantiles of a line.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The figures of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryLine {
    /// The operation.
    pub operation: String,
    /// Correct answers.
    pub count: u64,
    /// Quantiles 0.5, 0.95, 0.99 of these answers until the first byte, in milliseconds. [`SummaryLine::told`] says which of them may
    /// be told: the others are the luck of a few samples.
    pub first_byte_ms: [f64; 3],
    /// The same until the last byte.
    pub last_byte_ms: [f64; 3],
}

impl SummaryLine {
    /// Which of the quantiles so many samples allow (docs/MEASURING.md: none with fewer than 100 samples beyond it).
    pub fn told(&self) -> [bool; 3] {
        QUANTILES.map(|quantile| self.count >= samples_needed(quantile))
    }
}

/// Addresses that pages link to and that no user asked, because they are outside the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// How often one was met.
    pub count: u64,
    /// The first of them.
    pub first: String,
}

/// What our recorder saw, for people to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// By operation.
    pub lines: Vec<SummaryLine>,
    /// `operation: kind` -> how often.
    pub errors: BTreeMap<String, u64>,
    /// What lay outside the stack, if anything did.
    pub skipped: Option<Skipped>,
}

impl Summary {
    /// True when requests were made and none had a right answer.
    pub fn all_failed(&self) -> bool {
        self.lines.is_empty() && !self.errors.is_empty()
    }

    /// True when no request was made at all.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.errors.is_empty() && self.skipped.is_none()
    }

    pub(super) fn new(recorded: &Recorded) -> Self {
        let set: HistogramSet = recorded.intervals.merged();
        let quantiles = |operation: &str, clock| {
            let histogram = set.get(&(operation.to_owned(), clock));
            let value = |quantile| {
                histogram.map_or(0.0, |known| known.value_at_quantile(quantile) as f64 / 1_000.0)
            };
            QUANTILES.map(value)
        };
        let operations = set.iter().filter(|((_, clock), _)| *clock == Clock::SentLast);
        let lines = operations.map(|((operation, _), histogram)| SummaryLine {
            operation: operation.clone(),
            count: histogram.len(),
            first_byte_ms: quantiles(operation, Clock::SentFirst),
            last_byte_ms: quantiles(operation, Clock::SentLast),
        });
        let (errors, skipped) = (recorded.errors.clone(), recorded.skipped.clone());
        Self { lines: lines.collect(), errors, skipped }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Latency in milliseconds, as Lightmeter recorded it (closed loop: see docs); redirects are followed, a form and\n\
             the page it leads to are one operation; - : too few answers for that percentile"
        )?;
        writeln!(
            f,
            "{:<12} {:>8}   first byte {:>8} {:>8} {:>8}   last byte {:>8} {:>8} {:>8}",
            "operation", "answers", "p50", "p95", "p99", "p50", "p95", "p99"
        )?;
        for line in &self.lines {
            write!(f, "{:<12} {:>8}             ", line.operation, line.count)?;
            write_quantiles(f, line.first_byte_ms, line.told())?;
            write!(f, "            ")?;
            write_quantiles(f, line.last_byte_ms, line.told())?;
            writeln!(f)?;
        }
        for (what, count) in &self.errors {
            writeln!(f, "error  {what}: {count}")?;
        }
        if let Some(Skipped { count, first }) = &self.skipped {
            writeln!(
                f,
                "skipped  {count} addresses outside the stack, the first {first}: \
                 {ASSETS_VARIABLE} names the host of the stack's pictures"
            )?;
        }
        Ok(())
    }
}

fn write_quantiles(f: &mut fmt::Formatter<'_>, values: [f64; 3], told: [bool; 3]) -> fmt::Result {
    for (value, told) in values.into_iter().zip(told) {
        if told {
            write!(f, " {value:>8.1}")?;
        } else {
            write!(f, " {:>8}", "-")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(count: u64) -> SummaryLine {
        let quantiles = [1.0, 2.0, 3.0];
        SummaryLine {
            operation: "home".to_owned(),
            count,
            first_byte_ms: quantiles,
            last_byte_ms: quantiles,
        }
    }

    #[test]
    fn no_percentile_is_told_that_rests_on_few_samples() {
        for (count, told) in [
            (5, "- - -"),
            (6, "1.0 - -"),
            (1_999, "1.0 - -"),
            (2_000, "1.0 2.0 -"),
            (9_999, "1.0 2.0 -"),
            (10_000, "1.0 2.0 3.0"),
        ] {
            let summary =
                Summary { lines: vec![line(count)], errors: BTreeMap::new(), skipped: None };
            let text = summary.to_string();
            let words: Vec<&str> = text
                .lines()
                .find_map(|line| line.strip_prefix("home"))
                .expect("a line")
                .split_whitespace()
                .skip(1)
                .collect();
            assert_eq!(words.join(" "), format!("{told} {told}"), "{count}");
        }
    }

    #[test]
    fn only_a_summary_of_errors_has_failed() {
        let errors = BTreeMap::from([("home: timeout".to_owned(), 3)]);
        let of = |lines: Vec<SummaryLine>, errors: &BTreeMap<String, u64>| Summary {
            lines,
            errors: errors.clone(),
            skipped: None,
        };
        assert!(of(vec![], &errors).all_failed());
        assert!(!of(vec![line(1)], &errors).all_failed());
        assert!(!of(vec![], &BTreeMap::new()).all_failed());
        assert!(of(vec![], &BTreeMap::new()).is_empty());
    }
}
