//! What the driver is asked to do and what it answers: plain data, no behaviour beyond names and checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::population::Population;
use crate::record::{GeneratorRecord, LoadRecord, OperationRecord};
use crate::record_io::{HistogramSet, IntervalHistograms, RecordError};
use crate::schedule::Schedule;

/// The pictures that uploads send; generated, a few different ones of each size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PictureSize {
    /// 64 x 48 pixels.
    Tiny,
    /// 640 x 480 pixels.
    Small,
    /// 1600 x 1200 pixels.
    Medium,
}

impl PictureSize {
    /// Every size, ascending.
    pub const ALL: [PictureSize; 3] = [PictureSize::Tiny, PictureSize::Small, PictureSize::Medium];

    /// The word in experiments.
    pub fn as_str(self) -> &'static str {
        match self {
            PictureSize::Tiny => "tiny",
            PictureSize::Small => "small",
            PictureSize::Medium => "medium",
        }
    }

    /// Width and height in pixels.
    pub fn pixels(self) -> (u16, u16) {
        match self {
            PictureSize::Tiny => (64, 48),
            PictureSize::Small => (640, 480),
            PictureSize::Medium => (1600, 1200),
        }
    }
}

/// Something a person does. Each is one request unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Their own feed.
    Home,
    /// Everybody's photos.
    Explore,
    /// A photographer's page, popular ones more often.
    Profile,
    /// A photo's page, popular ones more often.
    Photo,
    /// Like a photo or take it back.
    Like,
    /// Write under a photo.
    Comment,
    /// Follow a photographer or stop it.
    Follow,
    /// Their own feed and then the images in sight, as a browser does. Last byte: the last image's.
    PageView,
    /// Upload a picture with a filter; then ask for its status until it is finished (clock `planned_finished`).
    Upload {
        /// Which picture.
        picture: PictureSize,
        /// The filter's name, `original` for none.
        filter: String,
    },
    /// Any path, by nobody in particular.
    Get(String),
}

impl Operation {
    /// The name in records and tags.
    pub fn as_str(&self) -> &'static str {
        match self {
            Operation::Home => "home",
            Operation::Explore => "explore",
            Operation::Profile => "profile",
            Operation::Photo => "photo",
            Operation::Like => "like",
            Operation::Comment => "comment",
            Operation::Follow => "follow",
            Operation::PageView => "page_view",
            Operation::Upload { .. } => "upload",
            Operation::Get(_) => "get",
        }
    }
}

/// A text that names no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an operation: use home, explore, profile, photo, like, comment, follow, page_view, \
     upload:SIZE:FILTER (SIZE one of tiny, small, medium; FILTER such as original or sepia) or get:/PATH"
)]
pub struct OperationError(pub String);

impl FromStr for Operation {
    type Err = OperationError;
    fn from_str(text: &str) -> Result<Self, OperationError> {
        let error = || OperationError(text.to_owned());
        let (word, rest) = text.split_once(':').map_or((text, None), |(w, r)| (w, Some(r)));
        let plain = match word {
            "home" => Operation::Home,
            "explore" => Operation::Explore,
            "profile" => Operation::Profile,
            "photo" => Operation::Photo,
            "like" => Operation::Like,
            "comment" => Operation::Comment,
            "follow" => Operation::Follow,
            "page_view" => Operation::PageView,
            "upload" => {
                let (size, filter) =
                    rest.and_then(|rest| rest.split_once(':')).ok_or_else(error)?;
                let picture = PictureSize::ALL.into_iter().find(|known| known.as_str() == size);
                let named = !filter.is_empty()
                    && filter.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                return match picture {
                    Some(picture) if named => {
                        Ok(Operation::Upload { picture, filter: filter.to_owned() })
                    }
                    _ => Err(error()),
                };
            }
            "get" => {
                let path = rest.filter(|path| path.starts_with('/')).ok_or_else(error)?;
                return Ok(Operation::Get(path.to_owned()));
            }
            _ => return Err(error()),
        };
        if rest.is_some() { Err(error()) } else { Ok(plain) }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Upload { picture, filter } => {
                write!(f, "upload:{}:{filter}", picture.as_str())
            }
            Operation::Get(path) => write!(f, "get:{path}"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// When requests start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// One person, one request after the other: the next starts when the last byte is there (uploads: when the
    /// photo is finished). Planned start and send are the same moment.
    OneUser,
    /// That many people like [`Pace::OneUser`] at once. Closed, so it hides waiting: for probes and warm-ups only.
    Users {
        /// How many.
        count: u32,
    },
    /// Open loop, Poisson arrivals.
    Poisson {
        /// Requests per second.
        rate_per_s: f64,
    },
    /// Open loop, even distances.
    Constant {
        /// Requests per second.
        rate_per_s: f64,
    },
    /// Open loop, any schedule.
    Schedule(Schedule),
}

impl Pace {
    /// The schedule of an open loop; none for the closed ones.
    pub fn schedule(&self) -> Option<Schedule> {
        match *self {
            Pace::OneUser | Pace::Users { .. } => None,
            Pace::Poisson { rate_per_s } => Some(Schedule::poisson(rate_per_s)),
            Pace::Constant { rate_per_s } => Some(Schedule::constant(rate_per_s)),
            Pace::Schedule(schedule) => Some(schedule),
        }
    }

    /// The word in [`LoadRecord::schedule`].
    pub fn as_str(&self) -> &'static str {
        match self {
            Pace::OneUser => "one_user",
            Pace::Users { .. } => "users",
            Pace::Poisson { .. } => "poisson",
            Pace::Constant { .. } => "constant",
            Pace::Schedule(_) => "schedule",
        }
    }
}

/// An address to send requests to. With several, each request goes to one of them at random (by its index).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The users' region; also a part of the operation's name when there are several.
    pub region: String,
    /// `http://host:port`, no path.
    pub url: Uri,
}

/// Images whose address begins with a prefix are fetched from another address, per region: this puts the
/// region's distance in front of an object store or gives it its own CDN entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRewrite {
    /// As pages link it: `http://127.0.0.1:9000/photos`.
    pub prefix: String,
    /// Region -> what the prefix is replaced with. A region that is missing keeps the address of the page.
    pub by_region: BTreeMap<String, String>,
}

/// A load that runs beside the main one, with counts and histograms of its own operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// What is done.
    pub operation: Operation,
    /// When.
    pub pace: Pace,
}

/// One trial's load.
#[derive(Debug, Clone)]
pub struct DriveRequest {
    /// Where to; at least one.
    pub targets: Vec<Target>,
    /// Who and what.
    pub population: Arc<Population>,
    /// Operations and their weights.
    pub mix: Vec<(Operation, f64)>,
    /// When.
    pub pace: Pace,
    /// Planned starts lie within this.
    pub duration: Duration,
    /// How long after `duration` answers are waited for; what is still open then counts as `timeout`.
    pub drain: Duration,
    /// Request i is derived from this and i alone: the same seed gives the same requests to every stack.
    pub seed: u64,
    /// Requests begun and not ended; what would exceed it is dropped and counted.
    pub in_flight_max: u32,
    /// Connections per address; further requests wait for one (their latency counts the wait).
    pub connections_per_target_max: u32,
    /// From the planned start to the last byte; beyond it a request counts as `timeout`.
    pub request_timeout: Duration,
    /// Every how many requests a body is checked in depth; 0 for never.
    pub verify_every: u32,
    /// Only the first so many people take part. Those without a cookie log in before the trial.
    pub people_max: u32,
    /// Loads beside the main one.
    pub background: Vec<Background>,
    /// Where images are really fetched from.
    pub asset_rewrites: Vec<AssetRewrite>,
    /// The only `host:port` that pictures may be fetched from, beside the targets; none: wherever a page links them.
    pub hosts_allowed: Option<BTreeSet<String>>,
    /// Name operations `page_view.REGION` instead of `page_view`.
    pub name_by_region: bool,
}

impl DriveRequest {
    /// A request with everything but the essential at its usual value.
    pub fn new(targets: Vec<Target>, population: Arc<Population>, pace: Pace) -> Self {
        Self {
            targets,
            population,
            mix: vec![(Operation::Home, 1.0)],
            pace,
            duration: Duration::from_secs(2),
            drain: Duration::from_secs(5),
            seed: 1,
            in_flight_max: 4_096,
            connections_per_target_max: 512,
            request_timeout: Duration::from_secs(10),
            verify_every: 20,
            people_max: 500,
            background: Vec::new(),
            asset_rewrites: Vec::new(),
            hosts_allowed: None,
            name_by_region: false,
        }
    }
}

/// What a trial gave.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// Operation -> counts. For each: planned = ok + errors + dropped. The polls after uploads stand under `status`.
    pub operations: BTreeMap<String, OperationRecord>,
    /// Latencies of correct answers over the whole trial.
    pub histograms: HistogramSet,
    /// The same per second.
    pub intervals: IntervalHistograms,
    /// The generator's own health.
    pub generator: GeneratorRecord,
    /// Unix microseconds of the first moment of the trial; planned starts count from it.
    pub started_at_us: u64,
    /// What was offered, for the trial's record. For closed paces the rate is the one reached.
    pub load: LoadRecord,
    /// Answers received by the server's route label (`home`, `photo`, `status`, `asset`, `login`, ...): to be
    /// compared with the servers' `requests.*` counters.
    pub answers_by_route: BTreeMap<String, u64>,
    /// Observations that deserve a line.
    pub notes: Vec<String>,
}

/// Why a trial could not be driven. A server that fails is no such reason: that is counted.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The request contradicts itself.
    #[error("the load cannot be driven: {0}")]
    Request(String),
    /// It was cancelled before its end.
    #[error("the trial was cancelled")]
    Cancelled,
    /// The thread, its runtime or its timer could not be had.
    #[error("the driver cannot {attempted}")]
    System {
        /// In a few words.
        attempted: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// The driving thread has ended.
    #[error("the driving thread is gone")]
    Gone,
    /// The record refused a name.
    #[error("the measurement cannot be recorded")]
    Record(#[from] RecordError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_they_are_written() {
        for text in ["home", "page_view", "upload:small:sepia", "get:/static/a.css"] {
            let operation: Operation = text.parse().expect("an operation");
            assert_eq!(operation.to_string(), text);
        }
        for text in ["", "homes", "home:x", "upload", "upload:huge:sepia", "upload:small:", "get:x"]
        {
            assert!(text.parse::<Operation>().is_err(), "{text}");
        }
    }
}
