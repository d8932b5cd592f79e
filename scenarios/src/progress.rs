//! What a person sees while it measures: on a terminal one bar with the experiment, the trial and the time left; elsewhere
//! one line per trial. Always on stderr: stdout belongs to the result.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::tell;

/// The estimate is corrected by what was seen only after this long: the first trials say little.
const CORRECTED_AFTER: Duration = Duration::from_secs(10);
/// Bounds of that correction.
const CORRECTION: std::ops::RangeInclusive<f64> = 0.5..=3.0;

/// The progress of a run.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    planned_ms: u64,
    done_ms: u64,
}

impl Progress {
    /// Progress over so many planned milliseconds.
    pub fn new(planned_ms: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(planned_ms);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}");
            bar.set_style(style.expect("the template is a constant that indicatif knows"));
            bar
        });
        Progress { bar, started: Instant::now(), planned_ms, done_ms: 0 }
    }

    /// Says what is going on.
    pub fn doing(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{what}  {}", self.left_in_words()));
        }
    }

    /// Says what came of a trial: a line where there is no bar.
    pub fn result(&self, line: &str) {
        if self.bar.is_none() {
            tell(&format!("{line}  [{}]", self.left_in_words()));
        }
    }

    /// A line that stays, with or without a bar.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell(line),
        }
    }

    /// So much of the plan is done.
    pub fn advance(&mut self, planned_ms: u64) {
        self.done_ms = (self.done_ms + planned_ms).min(self.planned_ms);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done_ms);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn left_in_words(&self) -> String {
        in_words(left(self.planned_ms, self.done_ms, self.started.elapsed()))
    }
}

/// What is left of the plan, at the pace seen so far.
fn left(planned_ms: u64, done_ms: u64, elapsed: Duration) -> Duration {
    let left_ms = planned_ms.saturating_sub(done_ms) as f64;
    let done = Duration::from_millis(done_ms);
    let pace = if done < CORRECTED_AFTER {
        1.0
    } else {
        (elapsed.as_secs_f64() / done.as_secs_f64()).clamp(*CORRECTION.start(), *CORRECTION.end())
    };
    Duration::from_secs_f64(left_ms * pace / 1_000.0)
}

/// `about 4 min left`, `about 30 s left`.
fn in_words(left: Duration) -> String {
    let seconds = left.as_secs();
    if seconds >= 90 {
        format!("about {} min left", (seconds + 30) / 60)
    } else {
        // In steps of five: more would be a promise.
        format!("about {} s left", seconds.div_ceil(5) * 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_pace_once_it_is_known() {
        let seconds = Duration::from_secs;
        assert_eq!(left(600_000, 0, seconds(30)), seconds(600));
        assert_eq!(left(600_000, 100_000, seconds(200)), seconds(1_000));
        assert_eq!(left(600_000, 100_000, seconds(10_000)), seconds(1_500));
        assert_eq!(left(600_000, 600_000, seconds(700)), seconds(0));
    }

    #[test]
    fn the_time_left_is_said_in_round_words() {
        assert_eq!(in_words(Duration::from_secs(600)), "about 10 min left");
        assert_eq!(in_words(Duration::from_secs(89)), "about 90 s left");
        assert_eq!(in_words(Duration::from_secs(12)), "about 15 s left");
    }
}
