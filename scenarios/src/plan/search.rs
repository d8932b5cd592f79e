//! The search for the capacity: the highest rate that is held within the SLO, by bisection.
//!
//! A probe has found the throughput of the overdriven stack. The capacity lies a little below it, because queues must
//! stay short for the latency's sake: the search begins between [`LOWEST`] and [`HIGHEST`] of the throughput and halves
//! the interval with every step. Three steps narrow 0.45 to 0.056 of the throughput. When the regular steps have found
//! no rate that holds (or none that fails), up to [`EXTRA_STEPS`] more widen the search, so that a wrong probe does
//! not make a wrong capacity. Pure: rates in, rates out.

/// Where the search begins, as a share of the probe's throughput.
pub const LOWEST: f64 = 0.6;
/// Where the search ends unless even that is held.
pub const HIGHEST: f64 = 1.05;
/// Steps beyond the regular ones, used only while one side of the capacity is unknown.
pub const EXTRA_STEPS: u32 = 3;
/// Below the assumed interval, each further step takes this share of the last.
const DOWNWARD: f64 = 0.6;
/// Above the assumed interval, each further step takes this multiple of the last.
const UPWARD: f64 = 1.25;

/// Trials that a search with so many regular steps takes at most.
pub fn most_steps(steps: u32) -> u32 {
    steps + EXTRA_STEPS
}

/// A search in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    throughput_per_s: f64,
    regular_left: u32,
    extra_left: u32,
    /// The highest rate that was held.
    held: Option<f64>,
    /// The lowest rate that was not.
    missed: Option<f64>,
}

impl Search {
    /// A search around the throughput that a probe found.
    pub fn new(throughput_per_s: f64, steps: u32) -> Search {
        Search {
            throughput_per_s,
            regular_left: steps,
            extra_left: EXTRA_STEPS,
            held: None,
            missed: None,
        }
    }

    /// The next rate to try; none when the search is over.
    pub fn next_rate(&self) -> Option<f64> {
        let bracketed = self.held.is_some() && self.missed.is_some();
        if self.regular_left == 0 && (bracketed || self.extra_left == 0) {
            return None;
        }
        let (lowest, highest) = (LOWEST * self.throughput_per_s, HIGHEST * self.throughput_per_s);
        Some(match (self.held, self.missed) {
            (None, None) => (lowest + highest) / 2.0,
            (Some(held), Some(missed)) => (held + missed) / 2.0,
            // The regular steps trust the interval, the extra ones leave it.
            (Some(held), None) if self.regular_left > 0 && held < highest => (held + highest) / 2.0,
            (Some(held), None) => held.max(highest / UPWARD) * UPWARD,
            (None, Some(missed)) if self.regular_left > 0 && missed > lowest => {
                (lowest + missed) / 2.0
            }
            (None, Some(missed)) => missed.min(lowest / DOWNWARD) * DOWNWARD,
        })
    }

    /// Notes whether the rate that was tried has been held.
    pub fn note(&mut self, rate_per_s: f64, held: bool) {
        match self.regular_left.checked_sub(1) {
            Some(left) => self.regular_left = left,
            None => self.extra_left = self.extra_left.saturating_sub(1),
        }
        if held {
            self.held = Some(self.held.map_or(rate_per_s, |known| known.max(rate_per_s)));
        } else {
            self.missed = Some(self.missed.map_or(rate_per_s, |known| known.min(rate_per_s)));
        }
    }

    /// The highest rate that was held so far.
    pub fn capacity_per_s(&self) -> Option<f64> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search against a stack that holds everything up to `capacity`.
    fn search(throughput: f64, capacity: f64, steps: u32) -> (Option<f64>, u32) {
        let mut search = Search::new(throughput, steps);
        let mut tried = 0;
        while let Some(rate) = search.next_rate() {
            search.note(rate, rate <= capacity);
            tried += 1;
        }
        (search.capacity_per_s(), tried)
    }

    #[test]
    fn three_steps_come_within_six_hundredths_of_the_probe() {
        for capacity in [0.70, 0.80, 0.90, 0.98] {
            let (found, tried) = search(100.0, capacity * 100.0, 3);
            let found = found.expect("something is held");
            assert!(found <= capacity * 100.0);
            assert!(found > capacity * 100.0 - 5.7, "{found} for {capacity}");
            assert_eq!(tried, 3);
        }
    }

    #[test]
    fn a_probe_far_too_high_still_ends_with_a_rate_that_is_held() {
        let (found, tried) = search(100.0, 15.0, 3);
        assert!(found.is_some_and(|found| found > 7.0 && found <= 15.0), "{found:?}");
        assert!(tried <= most_steps(3));
    }

    #[test]
    fn a_probe_too_low_is_left_upwards() {
        let (found, _) = search(100.0, 160.0, 3);
        assert!(found.is_some_and(|found| found > 120.0), "{found:?}");
    }

    #[test]
    fn a_stack_that_holds_nothing_ends_the_search_without_a_capacity() {
        let (found, tried) = search(100.0, 0.0, 3);
        assert_eq!((found, tried), (None, most_steps(3)));
    }

    #[test]
    fn more_steps_narrow_the_capacity_further() {
        let (found, tried) = search(1_000.0, 871.0, 6);
        assert!(found.is_some_and(|found| (860.0..=871.0).contains(&found)), "{found:?}");
        assert_eq!(tried, 6);
    }
}
