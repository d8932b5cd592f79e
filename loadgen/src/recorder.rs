//! Turns the moments of answered requests into HdrHistograms (microseconds, 1 us to 10 minutes, 3 digits), per
//! second of the planned start, operation and clock.
//!
//! While a trial runs, a request costs one push of 20 bytes; the histograms are built afterwards. The other way round,
//! four 57 KB histograms per operation and second would be touched and page-faulted while requests wait to be sent.
//! At 40,000 requests/s a 60 s trial holds 48 MB. Longer recordings are folded into histograms every
//! [`ROWS_BEFORE_FOLD`] requests.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::record::Clock;
use crate::record_io::{
    IntervalHistograms, LATENCY_MAX_US, LATENCY_MIN_US, RecordError, new_histogram,
};

/// Rows kept before they are folded into histograms: 4 million x 20 bytes = 80 MB. Folding takes about 0.1 s.
pub const ROWS_BEFORE_FOLD: usize = 4_000_000;

/// The four clocks every answered request has, in the order of [`Row::us`].
const CLOCKS: [Clock; 4] =
    [Clock::PlannedFirst, Clock::PlannedLast, Clock::SentFirst, Clock::SentLast];

/// When the parts of one request happened, as times since the first moment of the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// When it was due.
    pub planned: Duration,
    /// When it was given to a connection.
    pub sent: Duration,
    /// When the head of the answer was there.
    pub first_byte: Duration,
    /// When the last byte of the body was there (page views: of the last image).
    pub last_byte: Duration,
}

/// Stands for an operation's name in [`Recorder::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKey(u16);

#[derive(Debug, Clone, Copy)]
struct Row {
    second: u32,
    us: [u32; 4],
}

/// Collects latencies; see the file's comment.
#[derive(Debug, Default)]
pub struct Recorder {
    names: Vec<String>,
    rows: Vec<Vec<Row>>,
    /// (operation, second, microseconds) until the photo was finished.
    finished: Vec<(OperationKey, u32, u32)>,
    row_count: usize,
    saturated: Vec<u64>,
    folded: IntervalHistograms,
}

/// What a recorder has collected.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Everything recorded, per second.
    pub intervals: IntervalHistograms,
    /// Requests of each operation with a latency beyond ten minutes; they stand in the histograms as ten minutes.
    pub saturated: BTreeMap<String, u64>,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key for an operation's name; the same name gives the same key.
    pub fn operation(&mut self, name: &str) -> OperationKey {
        let known = self.names.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.rows.push(Vec::new());
            self.saturated.push(0);
            self.names.len() - 1
        });
        OperationKey(u16::try_from(index).expect("operations are dozens, not tens of thousands"))
    }

    /// Records an answered request under its four clocks.
    pub fn record(&mut self, operation: OperationKey, moments: &Moments) {
        let Moments { planned, sent, first_byte, last_byte } = *moments;
        let times = [
            first_byte.saturating_sub(planned),
            last_byte.saturating_sub(planned),
            first_byte.saturating_sub(sent),
            last_byte.saturating_sub(sent),
        ];
        let longest = times[1].max(times[0]);
        if longest > Duration::from_micros(LATENCY_MAX_US) {
            self.saturated[usize::from(operation.0)] += 1;
        }
        let row = Row { second: second_of(planned), us: times.map(bounded_us) };
        self.rows[usize::from(operation.0)].push(row);
        self.row_count += 1;
        if self.row_count >= ROWS_BEFORE_FOLD {
            self.fold().expect("names were checked when the first were folded");
        }
    }

    /// Records how long after its planned start a photo was finished.
    pub fn record_finished(&mut self, operation: OperationKey, planned: Duration, took: Duration) {
        if took > Duration::from_micros(LATENCY_MAX_US) {
            self.saturated[usize::from(operation.0)] += 1;
        }
        self.finished.push((operation, second_of(planned), bounded_us(took)));
    }

    /// Builds the histograms. Fails on an operation's name that no log can hold.
    pub fn finish(mut self) -> Result<Recorded, RecordError> {
        self.fold()?;
        let counts = self.names.iter().cloned().zip(self.saturated.iter().copied());
        let saturated = counts.filter(|(_, count)| *count > 0).collect();
        Ok(Recorded { intervals: self.folded, saturated })
    }

    fn fold(&mut self) -> Result<(), RecordError> {
        self.row_count = 0;
        let rows = self.rows.iter_mut().map(std::mem::take);
        for (name, rows) in self.names.iter().zip(rows) {
            let mut seconds: BTreeMap<u32, [Histogram<u64>; 4]> = BTreeMap::new();
            for row in rows {
                let of_second = seconds
                    .entry(row.second)
                    .or_insert_with(|| std::array::from_fn(|_| new_histogram()));
                for (histogram, us) in of_second.iter_mut().zip(row.us) {
                    record_us(histogram, us);
                }
            }
            for (second, histograms) in seconds {
                for (clock, histogram) in CLOCKS.into_iter().zip(&histograms) {
                    self.folded.push(second, name, clock, histogram)?;
                }
            }
        }
        let mut finished: BTreeMap<(OperationKey, u32), Histogram<u64>> = BTreeMap::new();
        for (operation, second, us) in std::mem::take(&mut self.finished) {
            let of_second = finished.entry((operation, second)).or_insert_with(new_histogram);
            record_us(of_second, us);
        }
        for ((operation, second), histogram) in finished {
            let name = &self.names[usize::from(operation.0)];
            self.folded.push(second, name, Clock::PlannedFinished, &histogram)?;
        }
        Ok(())
    }
}

fn second_of(planned: Duration) -> u32 {
    u32::try_from(planned.as_secs()).unwrap_or(u32::MAX)
}

fn bounded_us(time: Duration) -> u32 {
    let us = (time.as_micros() as u64).clamp(LATENCY_MIN_US, LATENCY_MAX_US);
    u32::try_from(us).expect("ten minutes are below 2^32 microseconds")
}

fn record_us(histogram: &mut Histogram<u64>, us: u32) {
    histogram.record(u64::from(us)).expect("the histogram grows up to 2^63");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_io::merge_operations;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_clock_measures_from_its_own_start_to_its_own_end() {
        let mut recorder = Recorder::new();
        let home = recorder.operation("home");
        assert_eq!(recorder.operation("home"), home);
        let moments = Moments {
            planned: at(1_500),
            sent: at(1_520),
            first_byte: at(1_600),
            last_byte: at(1_900),
        };
        recorder.record(home, &moments);
        recorder.record_finished(home, at(1_500), at(2_000));
        let recorded = recorder.finish().unwrap();
        assert!(recorded.intervals.iter().all(|interval| interval.second == 1));
        let set = recorded.intervals.merged();
        let expected = [
            (Clock::PlannedFirst, 100),
            (Clock::PlannedLast, 400),
            (Clock::SentFirst, 80),
            (Clock::SentLast, 380),
            (Clock::PlannedFinished, 2_000),
        ];
        for (clock, ms) in expected {
            let merged = merge_operations(&set, &[], clock);
            assert_eq!(merged.len(), 1);
            assert!(merged.equivalent(merged.max(), ms * 1_000), "{clock:?}: {}", merged.max());
        }
    }

    #[test]
    fn beyond_ten_minutes_is_counted_and_kept_as_ten_minutes() {
        let mut recorder = Recorder::new();
        let home = recorder.operation("home");
        let late = at(700_000);
        recorder.record(
            home,
            &Moments { planned: at(0), sent: at(0), first_byte: late, last_byte: late },
        );
        let recorded = recorder.finish().unwrap();
        assert_eq!(recorded.saturated, BTreeMap::from([("home".to_owned(), 1)]));
        let merged = merge_operations(&recorded.intervals.merged(), &[], Clock::PlannedLast);
        assert!(merged.equivalent(merged.max(), LATENCY_MAX_US));
    }
}
