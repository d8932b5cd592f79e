//! Histograms per second, operation and clock, and their file: the HdrHistogram V2 interval log (deflated, base 64),
//! one line each, tag `operation/clock`. Other tools of the HdrHistogram family read the same file.
//!
//! A request belongs to the second of its planned start, so that the count of a second is known from the schedule
//! alone and a frozen server shows as slow answers in the seconds that were frozen. In memory the lines stay
//! encoded (a few KB each instead of 50-170 KB of counters) and are decoded one at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use super::{HistogramSet, RecordError, new_histogram, read_text};
use crate::record::Clock;

/// The names of the columns, as Java's logs have them. Readers in C refuse a log without this line and the version's.
const COLUMNS: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"";

/// The latencies of one operation under one clock of the requests planned within one second.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Seconds since the trial's first planned start, rounded down.
    pub second: u32,
    /// The operation.
    pub operation: String,
    /// The clock.
    pub clock: Clock,
    /// Latencies in microseconds.
    pub histogram: Histogram<u64>,
}

/// All intervals of a trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalHistograms {
    /// (second, operation, clock) -> the line of the log, without its end.
    lines: BTreeMap<(u32, String, Clock), String>,
}

impl IntervalHistograms {
    /// No interval yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many intervals there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds an interval; one that is there already is merged with it, an empty one is left out.
    pub fn push(
        &mut self,
        second: u32,
        operation: &str,
        clock: Clock,
        histogram: &Histogram<u64>,
    ) -> Result<(), RecordError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if operation.is_empty() || !operation.chars().all(allowed) {
            return Err(RecordError::OperationName(operation.to_owned()));
        }
        if histogram.is_empty() {
            return Ok(());
        }
        let key = (second, operation.to_owned(), clock);
        let line = match self.lines.get(&key) {
            None => encode(&key, histogram),
            Some(line) => {
                let mut merged = decode(line).expect("lines in memory are whole").histogram;
                merged += histogram;
                encode(&key, &merged)
            }
        };
        self.lines.insert(key, line);
        Ok(())
    }

    /// Merges another trial's intervals in, second by second. Lossless and independent of the order.
    pub fn merge(&mut self, other: &IntervalHistograms) {
        for interval in other.iter() {
            let Interval { second, operation, clock, histogram } = interval;
            self.push(second, &operation, clock, &histogram).expect("names in memory are valid");
        }
    }

    /// Every interval in order of second, operation and clock, decoded on the way.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.lines.values().map(|line| decode(line).expect("lines in memory are whole"))
    }

    /// The histograms over all seconds.
    pub fn merged(&self) -> HistogramSet {
        let mut set = HistogramSet::new();
        for interval in self.iter() {
            let key = (interval.operation, interval.clock);
            *set.entry(key).or_insert_with(new_histogram) += &interval.histogram;
        }
        set
    }

    /// The content of the log file. Timestamps of lines are seconds since `started_at_us` (Unix microseconds).
    pub fn to_log(&self, started_at_us: u64) -> String {
        let seconds = started_at_us as f64 / 1e6;
        let mut log = format!(
            "#[Lightmeter: latencies and Interval_Max in microseconds, V2 deflate, Tag=operation/clock]\n\
             #[Histogram log format version 1.3]\n\
             #[StartTime: {seconds:.3} (seconds since epoch)]\n\
             #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
             {COLUMNS}\n"
        );
        for line in self.lines.values() {
            log.push_str(line);
            log.push('\n');
        }
        log
    }

    /// Reads a log file. Each line is decoded once to be sure of it.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        Self::from_log(&read_text(path)?, path)
    }

    /// Reads the content of a log; `path` is for messages.
    pub fn from_log(text: &str, path: &Path) -> Result<Self, RecordError> {
        let mut read = Self::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') || line == COLUMNS {
                continue;
            }
            let problem = |problem| RecordError::Histogram {
                path: path.to_owned(),
                line: number + 1,
                problem,
            };
            let interval = decode(line).map_err(problem)?;
            let key = (interval.second, interval.operation, interval.clock);
            if read.lines.insert(key, line.to_owned()).is_some() {
                return Err(problem("the same interval stands in the file twice".to_owned()));
            }
        }
        Ok(read)
    }
}

fn encode((second, operation, clock): &(u32, String, Clock), histogram: &Histogram<u64>) -> String {
    let mut line = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let tag = format!("{operation}/{}", clock.as_str());
    let start = Duration::from_secs(u64::from(*second));
    IntervalLogWriterBuilder::new()
        .begin_log_with(&mut line, &mut serializer)
        .expect("writing to memory cannot fail")
        .write_histogram(histogram, start, Duration::from_secs(1), Tag::new(&tag))
        .expect("a histogram fits into memory");
    line.pop();
    String::from_utf8(line).expect("an interval log is ASCII")
}

fn decode(line: &str) -> Result<Interval, String> {
    let with_end = format!("{line}\n");
    let entry = IntervalLogIterator::new(with_end.as_bytes()).next();
    let Some(Ok(LogEntry::Interval(entry))) = entry else {
        return Err("not a line of an HdrHistogram interval log".to_owned());
    };
    let (operation, clock) = parse_tag(&entry)?;
    let bytes = STANDARD
        .decode(entry.encoded_histogram())
        .map_err(|error| format!("the histogram is not base 64: {error}"))?;
    let mut histogram = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("the histogram cannot be decoded: {error}"))?;
    // Growing is a property of a histogram in memory; the file only knows its present size.
    histogram.auto(true);
    let second = u32::try_from(entry.start_timestamp().as_secs())
        .map_err(|_| "the start is more than a century after the trial's".to_owned())?;
    Ok(Interval { second, operation, clock, histogram })
}

fn parse_tag(entry: &IntervalLogHistogram<'_>) -> Result<(String, Clock), String> {
    let tag = entry.tag().ok_or("the line has no tag `operation/clock`")?;
    let (operation, word) = tag
        .split_once('/')
        .ok_or_else(|| format!("the tag `{}` is not `operation/clock`", &*tag))?;
    let clock = Clock::ALL.into_iter().find(|clock| clock.as_str() == word);
    let clock = clock.ok_or_else(|| format!("`{word}` is not a clock"))?;
    Ok((operation.to_owned(), clock))
}
