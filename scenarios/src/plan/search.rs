//! The search for the capacity: the highest rate that is held within the SLO, by widening steps and then bisection.
//!
//! It begins at [`START`] of an expected throughput: the capacity lies a little below it, because queues must stay short for the
//! latency's sake. While every rate is held (or none is) the steps widen as in [`STRIDES`], so that a wrong expectation costs a few
//! trials and never makes a wrong capacity; between a held rate and a missed one it halves the ratio until that is
//! at most the resolution. Where it begins does not decide where it ends, so that later searches of a stack begin where earlier
//! ones have ended ([`expected_of`]). Pure: rates in, rates out.

/// Where the search begins, as a share of the expected throughput.
pub const START: f64 = 0.85;
/// The ratio from one rate to the next while one side of the capacity is unknown; the last one is repeated.
const STRIDES: [f64; 4] = [1.15, 1.3, 1.6, 2.0];

/// Trials beyond the regular ones, for an expectation that was wrong by a factor of four.
const EXTRA_STEPS: u32 = 4;

/// Trials that a search with so many regular steps takes at most.
pub fn most_steps(steps: u32) -> u32 {
    steps + EXTRA_STEPS
}

/// Trials that it takes as a rule: the expectation is seldom right to a few percent.
pub fn usual_steps(steps: u32) -> u32 {
    steps + 1
}

/// How fine a search with so many regular steps is: the ratio of the missed rate to the held one that ends it. Two
/// steps bracket a capacity that was expected, each further one takes the root.
fn resolution(steps: u32) -> f64 {
    let halvings = steps.saturating_sub(2).min(16);
    // A hair more, so that rounding does not cost a trial.
    STRIDES[0].powf(0.5f64.powi(halvings as i32)) * 1.001
}

/// The throughput at which a search that begins there would try `capacity_per_s` first.
pub fn expected_of(capacity_per_s: f64) -> f64 {
    capacity_per_s / START
}

/// A search in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    start_per_s: f64,
    steps_left: u32,
    resolution: f64,
    /// Rates tried while one side was unknown.
    strides: usize,
    /// The highest rate that was held.
    held: Option<f64>,
    /// The lowest rate above it that was not.
    missed: Option<f64>,
}

impl Search {
    /// A search around an expected throughput.
    pub fn new(throughput_per_s: f64, steps: u32) -> Search {
        Search {
            start_per_s: START * throughput_per_s,
            steps_left: most_steps(steps),
            resolution: resolution(steps),
            strides: 0,
            held: None,
            missed: None,
        }
    }

    /// The same with rates that have already been tried, held or not: the levels of a curve cost it no steps. A rate that
    /// was held above one that was not is noise, and then the levels are not believed.
    pub fn knowing(mut self, levels: &[(f64, bool)]) -> Search {
        let of =
            |held: bool| levels.iter().filter(move |level| level.1 == held).map(|level| level.0);
        let (held, missed) = (of(true).reduce(f64::max), of(false).reduce(f64::min));
        let consistent = held.zip(missed).is_none_or(|(held, missed)| held < missed);
        if consistent && !levels.is_empty() {
            (self.held, self.missed, self.strides) = (held, missed, 1);
        }
        self
    }

    /// The next rate to try; none when the search is over.
    pub fn next_rate(&self) -> Option<f64> {
        if self.steps_left == 0 {
            return None;
        }
        let stride = STRIDES[self.strides.saturating_sub(1).min(STRIDES.len() - 1)];
        match (self.held, self.missed) {
            (None, None) => Some(self.start_per_s),
            (Some(held), None) => Some(held * stride),
            (None, Some(missed)) => Some(missed / stride),
            (Some(held), Some(missed)) => {
                (missed / held > self.resolution).then(|| (held * missed).sqrt())
            }
        }
    }

    /// Notes whether the rate that was tried has been held.
    pub fn note(&mut self, rate_per_s: f64, held: bool) {
        self.steps_left = self.steps_left.saturating_sub(1);
        if held {
            self.held = Some(self.held.map_or(rate_per_s, |known| known.max(rate_per_s)));
        } else {
            self.missed = Some(self.missed.map_or(rate_per_s, |known| known.min(rate_per_s)));
        }
        self.strides += 1;
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
    fn an_expected_capacity_takes_the_regular_steps_and_is_found_within_the_resolution() {
        for capacity in [74.0, 80.0, 90.0, 97.0] {
            let (found, tried) = search(100.0, capacity, 3);
            let found = found.expect("something is held");
            assert!(found <= capacity && capacity / found < 1.08, "{found} for {capacity}");
            assert_eq!(tried, 3);
        }
    }

    #[test]
    fn a_wrong_expectation_is_left_on_both_sides_and_the_capacity_still_found() {
        for capacity in [20.0, 33.0, 55.0, 160.0, 240.0, 400.0] {
            let (found, tried) = search(100.0, capacity, 3);
            let found = found.expect("something is held");
            assert!(found <= capacity && capacity / found < 1.5, "{found} for {capacity}");
            assert!(tried <= most_steps(3));
        }
    }

    #[test]
    fn a_search_that_begins_where_an_earlier_one_ended_tries_that_rate_first() {
        let first = Search::new(expected_of(42.0), 3).next_rate().expect("it begins");
        assert!((first - 42.0).abs() < 1e-9, "{first}");
    }

    #[test]
    fn levels_that_are_known_are_not_tried_again() {
        let next = |levels: &[(f64, bool)]| Search::new(100.0, 3).knowing(levels).next_rate();
        let all_held = next(&[(60.0, true), (100.0, true)]).expect("upwards");
        assert!((all_held - 115.0).abs() < 1e-9, "{all_held}");
        let bracketed = next(&[(60.0, true), (100.0, false)]).expect("between");
        assert!((60.0..100.0).contains(&bracketed), "{bracketed}");
        let noise = next(&[(60.0, false), (100.0, true)]).expect("from the start");
        assert!((noise - 85.0).abs() < 1e-9, "{noise}");
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
        assert!(tried <= most_steps(6), "{tried}");
    }
}
