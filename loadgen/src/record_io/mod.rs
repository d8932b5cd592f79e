//! Reads and writes the run directory that `record` describes.
//!
//! Everything is written to a temporary name first and then renamed, so that a reader (or a run stopped at any
//! moment) sees a trial either whole or not at all. Histograms are in `intervals`, trials that something has happened to
//! since in `damage`. Every error names the file, and the line where there is one.

mod damage;
mod intervals;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::damage::Damaged;
pub use self::intervals::{Interval, IntervalHistograms};
use crate::record::cloud::{CLOUD_FILE, CLOUD_SCHEMA, CloudRecord};
use crate::record::{Clock, RUN_SCHEMA, RunRecord, TRIAL_SCHEMA, TrialRecord};

/// The smallest latency that is told apart, in microseconds; shorter ones count as this.
pub const LATENCY_MIN_US: u64 = 1;
/// The largest latency that is told apart: ten minutes. A longer one is recorded as this and counted as an error.
pub const LATENCY_MAX_US: u64 = 600_000_000;
/// Significant decimal digits of a recorded latency: off by at most one part in a thousand.
pub const LATENCY_DIGITS: u8 = 3;

/// Latencies in microseconds per operation and clock, over a whole trial.
pub type HistogramSet = BTreeMap<(String, Clock), Histogram<u64>>;

const RUN_FILE: &str = "run.json";
const TRIALS_FOLDER: &str = "trials";
const LOGS_FOLDER: &str = "logs";
const TRIAL_FILE: &str = "trial.json";
const HISTOGRAM_FILE: &str = "histograms.hlog";
const INFO_PREFIX: &str = "info-";
/// Folders that begin like this were being written when the run was stopped.
const PARTIAL_PREFIX: &str = ".partial-";

/// What went wrong while reading or writing a run directory, and where.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot {attempted} {}", path.display())]
    Io {
        /// In a verb: `read`, `write`, `create`.
        attempted: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A JSON file does not have the shape of its schema.
    #[error("{}:{line}: not a {schema} file", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The schema expected.
        schema: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A file of another version.
    #[error("{}: schema is `{found}`, this program reads `{expected}`", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema this program knows.
        expected: &'static str,
        /// The schema in the file.
        found: String,
    },
    /// A line of a histogram log that cannot be read.
    #[error("{}:{line}: {problem}", path.display())]
    Histogram {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// An operation's name that cannot be a tag of the histogram log.
    #[error("`{0}` cannot name an operation: letters, digits, `_`, `-` and `.` only")]
    OperationName(String),
    /// A directory that already holds a run.
    #[error("{} already holds a run; name another directory", .0.display())]
    Occupied(PathBuf),
    /// A file without content: a JSON parser would complain of its line 1.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// A directory without the record of a run.
    #[error("{} holds no run (there is no {RUN_FILE}); name the folder that `run` made, such as runs/2026-11-23T0102-quick", .0.display())]
    NoRun(PathBuf),
    /// What every report needs is gone.
    #[error("the run in {} cannot be read without {what}; copy it again from where it was measured, or measure again", path.display())]
    Lost {
        /// The run directory.
        path: PathBuf,
        /// The file or folder.
        what: &'static str,
        /// What is wrong with it.
        source: Box<RecordError>,
    },
    /// Histograms that do not hold what the trial counted.
    #[error("{what} holds {held} samples, and the trial counted {counted}")]
    Counts {
        /// Operation and clock.
        what: String,
        /// Samples in the histograms.
        held: u64,
        /// Correct answers in the record.
        counted: u64,
    },
    /// A folder with the record of another trial: a copy.
    #[error("its record is that of the trial {0}")]
    OtherTrial(String),
}

/// A histogram with the bounds and digits used everywhere; grows with its largest value.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new(LATENCY_DIGITS).expect("three digits are within what HdrHistogram allows")
}

/// Whether an operation in a record is meant by a name in a measure: itself, or itself in one region
/// (`page_view` means `page_view.near`, too).
pub fn operation_matches(recorded: &str, wanted: &str) -> bool {
    recorded.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The histogram of several operations together under one clock; no names means all operations.
/// Lossless: the counts of each value are added. A name means all its regions ([`operation_matches`]).
pub fn merge_operations(set: &HistogramSet, operations: &[String], clock: Clock) -> Histogram<u64> {
    let mut merged = new_histogram();
    for ((operation, its_clock), histogram) in set {
        let wanted = operations.iter().any(|wanted| operation_matches(operation, wanted));
        if *its_clock == clock && (operations.is_empty() || wanted) {
            merged += histogram;
        }
    }
    merged
}

/// One trial as read back.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The manifest and all counts.
    pub record: TrialRecord,
    /// Latencies over the whole trial.
    pub histograms: HistogramSet,
    /// The same per second; decoded when asked.
    pub intervals: IntervalHistograms,
}

/// All trials of a run, in the order in which they ran.
#[derive(Debug, Clone, Default)]
pub struct Trials {
    /// The whole ones.
    pub trials: Vec<Trial>,
    /// The others, in the same order.
    pub damaged: Vec<Damaged>,
    /// A sentence per folder that was being written when the run stopped.
    pub notes: Vec<String>,
}

/// The folders of trials, in the order in which they ran, without their content.
#[derive(Debug, Clone, Default)]
pub struct TrialList {
    /// Their ids; give them to [`RunDir::read_trial`].
    pub ids: Vec<String>,
    /// Numbers of trials that were being written when the run stopped.
    partial: BTreeSet<u32>,
    /// A sentence for each of these.
    pub notes: Vec<String>,
}

/// A run directory on disk.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    /// Held while a run writes here; the system gives it back however the run ends.
    _lock: Option<Arc<File>>,
}

impl RunDir {
    /// Makes a new run directory with its folders; refuses one that already holds a run, or in which another one begins this moment.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        fs::create_dir_all(path).map_err(io_error("create", path))?;
        let lock = File::open(path).map_err(io_error("open", path))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(RecordError::Occupied(path.to_owned())),
            // Some network folders know no locks: two runs that begin in one at the same moment are not told apart there.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if path.join(RUN_FILE).exists() {
            return Err(RecordError::Occupied(path.to_owned()));
        }
        let dir = Self { path: path.to_owned(), _lock: Some(Arc::new(lock)) };
        for folder in [dir.path.join(TRIALS_FOLDER), dir.logs()] {
            fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        }
        Ok(dir)
    }

    /// Opens a run directory for reading or for more trials; it must hold `run.json`.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        match fs::metadata(path.join(RUN_FILE)) {
            Ok(_) => Ok(Self { path: path.to_owned(), _lock: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(RecordError::NoRun(path.to_owned()))
            }
            Err(error) => Err(io_error("find", &path.join(RUN_FILE))(error)),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the logs of the processes belong.
    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS_FOLDER)
    }

    /// Writes `run.json`, replacing an earlier one in one step.
    pub fn write_run(&self, run: &RunRecord) -> Result<(), RecordError> {
        write_json(&self.path.join(RUN_FILE), RUN_SCHEMA, run)
    }

    /// Reads `run.json`.
    pub fn read_run(&self) -> Result<RunRecord, RecordError> {
        read_json(&self.path.join(RUN_FILE), RUN_SCHEMA).map_err(|error| match error {
            // Nothing was lost: another version wrote it.
            RecordError::Schema { .. } => error,
            _ => self.lost(RUN_FILE, error),
        })
    }

    fn lost(&self, what: &'static str, source: RecordError) -> RecordError {
        RecordError::Lost { path: self.path.clone(), what, source: Box::new(source) }
    }

    /// Writes `cloud.json`.
    pub fn write_cloud(&self, cloud: &CloudRecord) -> Result<(), RecordError> {
        write_json(&self.path.join(CLOUD_FILE), CLOUD_SCHEMA, cloud)
    }

    /// Reads `cloud.json`; none in a run whose stacks were started here.
    pub fn read_cloud(&self) -> Result<Option<CloudRecord>, RecordError> {
        let path = self.path.join(CLOUD_FILE);
        if path.exists() { read_json(&path, CLOUD_SCHEMA).map(Some) } else { Ok(None) }
    }

    /// Writes one trial: its record, its histograms and what the servers said (`infos`: name -> JSON).
    /// The folder appears under its final name only when it is whole.
    pub fn write_trial(
        &self,
        record: &TrialRecord,
        intervals: &IntervalHistograms,
        infos: &BTreeMap<String, serde_json::Value>,
    ) -> Result<(), RecordError> {
        let trials = self.path.join(TRIALS_FOLDER);
        let partial = trials.join(format!("{PARTIAL_PREFIX}{}", record.id));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(io_error("remove", &partial))?;
        }
        fs::create_dir_all(&partial).map_err(io_error("create", &partial))?;
        for (name, info) in infos {
            let file = partial.join(format!("{INFO_PREFIX}{name}.json"));
            write_json(&file, "info", info)?;
        }
        let file = partial.join(HISTOGRAM_FILE);
        fs::write(&file, intervals.to_log(record.started_at_us))
            .map_err(io_error("write", &file))?;
        write_json(&partial.join(TRIAL_FILE), TRIAL_SCHEMA, record)?;
        let folder = trials.join(&record.id);
        fs::rename(&partial, &folder).map_err(io_error("create", &folder))
    }

    /// Lists the trials without reading them. Folders that never were trials are passed over.
    pub fn list_trials(&self) -> Result<TrialList, RecordError> {
        let folder = self.path.join(TRIALS_FOLDER);
        let entries = fs::read_dir(&folder)
            .map_err(|error| self.lost(TRIALS_FOLDER, io_error("read", &folder)(error)))?;
        let mut list = TrialList::default();
        for entry in entries {
            let entry = entry.map_err(io_error("read", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.path().is_dir() {
                continue;
            } else if let Some(id) = name.strip_prefix(PARTIAL_PREFIX) {
                list.partial.extend(damage::sequence_of(id));
                list.notes.push(format!("Trial {id} was being written when the run stopped."));
            } else if damage::sequence_of(&name).is_some() {
                list.ids.push(name);
            }
        }
        // Folder names begin with the sequence number; `read_trials` sorts by the number itself.
        list.ids.sort();
        list.notes.sort();
        Ok(list)
    }

    /// Reads one trial. For long runs: read, reduce to figures, drop; a trial takes up to some megabytes. Fails on a trial that is not
    /// whole: its histograms must hold what its record says it counted.
    pub fn read_trial(&self, id: &str) -> Result<Trial, RecordError> {
        self.read_record(id).and_then(|record| self.with_histograms(id, record))
    }

    fn read_record(&self, id: &str) -> Result<TrialRecord, RecordError> {
        let file = self.path.join(TRIALS_FOLDER).join(id).join(TRIAL_FILE);
        let record: TrialRecord = read_json(&file, TRIAL_SCHEMA)?;
        let own = record.id == id && damage::sequence_of(id) == Some(record.sequence);
        if own { Ok(record) } else { Err(RecordError::OtherTrial(record.id)) }
    }

    fn with_histograms(&self, id: &str, record: TrialRecord) -> Result<Trial, RecordError> {
        let file = self.path.join(TRIALS_FOLDER).join(id).join(HISTOGRAM_FILE);
        let intervals = IntervalHistograms::read(&file)?;
        let histograms = intervals.merged();
        damage::check_counts(&record, &histograms)?;
        Ok(Trial { record, histograms, intervals })
    }

    /// What the servers said about themselves in one trial: name -> JSON.
    pub fn read_infos(&self, id: &str) -> Result<BTreeMap<String, serde_json::Value>, RecordError> {
        let folder = self.path.join(TRIALS_FOLDER).join(id);
        let mut infos = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(io_error("read", &folder))? {
            let path = entry.map_err(io_error("read", &folder))?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = file.strip_prefix(INFO_PREFIX).and_then(|rest| rest.strip_suffix(".json"));
            if let Some(name) = name {
                infos.insert(name.to_owned(), parse_json(&path, "info")?);
            }
        }
        Ok(infos)
    }

    /// Reads every trial, in the order in which they ran. Those that are not whole, or gone, are named with what is wrong.
    pub fn read_trials(&self) -> Result<Trials, RecordError> {
        let list = self.list_trials()?;
        let mut read = Trials { notes: list.notes, ..Trials::default() };
        let mut known = list.partial;
        for id in list.ids {
            known.extend(damage::sequence_of(&id));
            let record = self.read_record(&id);
            let kept = record.as_ref().ok().cloned();
            match record.and_then(|record| self.with_histograms(&id, record)) {
                Ok(trial) => read.trials.push(trial),
                Err(error) => {
                    let folder = self.path.join(TRIALS_FOLDER).join(&id);
                    let reason = damage::reason(&error, &folder);
                    read.damaged.push(Damaged { id, reason, record: kept });
                }
            }
        }
        read.trials.sort_by_key(|trial| trial.record.sequence);
        let last = read.trials.last().map_or(0, |trial| trial.record.sequence);
        read.damaged.extend(damage::missing(&known, last));
        read.damaged.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(read)
    }
}

/// Writes a file in one step: a reader sees the old content or the new, never a part.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), RecordError> {
    let temporary = beside(path);
    fs::write(&temporary, content).map_err(io_error("write", &temporary))?;
    fs::rename(&temporary, path).map_err(io_error("write", path))
}

/// Whether [`write_atomically`] will be able to write there, found out before there is something to write. What lies there must be a
/// file: a rename would put one in the place of a device.
pub fn check_writable(path: &Path) -> Result<(), RecordError> {
    if path.exists() && !path.is_file() {
        let no_file = io::Error::new(io::ErrorKind::AlreadyExists, "what lies there is no file");
        return Err(io_error("write", path)(no_file));
    }
    let temporary = beside(path);
    fs::write(&temporary, []).map_err(io_error("write", &temporary))?;
    fs::remove_file(&temporary).map_err(io_error("remove", &temporary))
}

/// Where a file is written before it gets its name.
fn beside(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    PathBuf::from(temporary)
}

fn io_error(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io { attempted, path, source }
}

fn json_error(path: &Path, schema: &'static str) -> impl FnOnce(serde_json::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Json { path, line: source.line(), schema, source }
}

fn write_json<T: Serialize>(
    path: &Path,
    schema: &'static str,
    value: &T,
) -> Result<(), RecordError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(json_error(path, schema))?;
    text.push(b'\n');
    write_atomically(path, &text)
}

fn parse_json<T: DeserializeOwned>(path: &Path, schema: &'static str) -> Result<T, RecordError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(json_error(path, schema))
}

/// The content of a file that is never empty. Editors on Windows begin a file with a byte order mark: it is no part of the content.
fn read_text(path: &Path) -> Result<String, RecordError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(content) => content.to_owned(),
        None => text,
    };
    if text.trim().is_empty() { Err(RecordError::Empty(path.to_owned())) } else { Ok(text) }
}

/// Checks the schema before the shape, so that a newer file is named as such instead of as an unknown field.
fn read_json<T: DeserializeOwned>(path: &Path, schema: &'static str) -> Result<T, RecordError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = parse_json(path, schema)?;
    if head.schema != schema {
        let path = path.to_owned();
        return Err(RecordError::Schema { path, expected: schema, found: head.schema });
    }
    parse_json(path, schema)
}

#[cfg(test)]
mod tests;
