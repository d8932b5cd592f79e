//! The run directory: what a run writes down, in versioned files that `reports` turns into answers.
//!
//! ```text
//! DIR/run.json                          RunRecord: command, commit, machine, settings, seed, experiments as planned
//! DIR/trials/0007-framework-.../trial.json      TrialRecord: one stack under one load for one stretch of time
//! DIR/trials/0007-framework-.../histograms.hlog HdrHistogram V2 interval log: one line per second, operation and clock
//! DIR/trials/0007-framework-.../info-*.json     what each server said about itself: settings and counters
//! DIR/cloud.json                        CloudRecord: what AWS said of the stretch, in a run against deployed stages
//! DIR/logs/...                          one log per process
//! ```
//! All times in files are microseconds unless the name says otherwise. Unknown fields are refused, so that a
//! reader never half-understands a newer file. Reading and writing are `record_io`'s part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod cloud;
pub mod quantiles;

/// The version of `run.json`.
pub const RUN_SCHEMA: &str = "lightmeter/run/1";
/// The version of `trial.json`.
pub const TRIAL_SCHEMA: &str = "lightmeter/trial/1";

/// How long a run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// For a demonstration: all four experiments within ten minutes.
    Quick,
    /// For a lesson.
    Standard,
    /// For a publication.
    Thorough,
}

/// Whether the cloud services are the real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reality {
    /// Stand-ins or models take part.
    Simulated,
    /// A deployed stack.
    Real,
}

/// One run: everything that was the same for all its trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RUN_SCHEMA`].
    pub schema: String,
    /// The run's name, also the directory's: `2026-11-23T0102-quick`.
    pub run: String,
    /// The command line.
    pub command: Vec<String>,
    /// The commit of the code, `-dirty` appended when the tree differed; `unknown` outside a clone.
    pub commit: String,
    /// Quick, standard or thorough.
    pub depth: Depth,
    /// Simulated or real.
    pub mode: Reality,
    /// The seed of everything random.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// None until the run has ended.
    pub finished_at: Option<String>,
    /// True when it was stopped before its plan was done.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
    /// Local programs that spoke for cloud services.
    pub stand_ins: Vec<StandIn>,
    /// What took another's place because it was not installed.
    pub substitutions: Vec<Substitution>,
    /// The generator against a server that does nothing; none when not measured.
    pub null_server: Option<NullServerCheck>,
    /// The experiments as planned, in order.
    pub experiments: Vec<ExperimentRecord>,
}

/// The machine, for the honesty card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu_model: String,
    /// Cores this process may use.
    pub cores: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Operating system.
    pub os: String,
    /// Program versions: `mariadb`, `redis`, `rustc`, `lightmeter`.
    pub versions: BTreeMap<String, String>,
    /// How CPU budgets are enforced: `cgroup v1`, `cgroup v2`, or `none: <why>`.
    pub budgets: String,
    /// Which cores the generator and the stacks were bound to, in words.
    pub placement: String,
    /// Load average over one minute before the run began.
    pub load_average: f64,
}

/// A local program that speaks a cloud service's API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandIn {
    /// `dynamodb`, `s3`, `sqs`, `cdn`.
    pub service: String,
    /// What spoke for it.
    pub program: String,
    /// What it cannot show.
    pub cannot_show: String,
}

/// Something that was not installed, and what stood in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitution {
    /// What the experiment names.
    pub wanted: String,
    /// What was used.
    pub used: String,
    /// Why, and how to get what is missing.
    pub because: String,
}

/// How fast the generator can be when nothing holds it back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NullServerCheck {
    /// Requests per second reached.
    pub rate_per_s: f64,
    /// CPU microseconds of the generator per request.
    pub cpu_us_per_request: f64,
    /// 99th percentile of the lateness of sends at half that rate.
    pub lateness_p99_us: u64,
}

/// One experiment as its TOML said and the plan resolved it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentRecord {
    /// `database`, `assets`, `framework`, `imaging`.
    pub id: String,
    /// For headings.
    pub title: String,
    /// The one question.
    pub question: String,
    /// What the room should learn.
    pub lesson: String,
    /// What is multiplied.
    pub axis: Axis,
    /// The named stacks.
    pub variants: Vec<VariantRecord>,
    /// Which cure is judged against what.
    pub arrows: Vec<Arrow>,
    /// What is measured for one user; the first is the headline.
    pub performance: Vec<Measure>,
    /// What a held rate means.
    pub slo: Slo,
    /// What must not differ between before and after.
    pub unchanged: Vec<Measure>,
    /// Trials as planned (adaptive searches count their most).
    pub planned_trial_count: u32,
    /// Budgets in words: `web server` -> `5 % of one core`.
    pub budgets: BTreeMap<String, String>,
}

/// What is multiplied: "web servers", 1, 2, 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// In the plural: "web servers", "workers", "database nodes".
    pub label: String,
    /// The counts measured, ascending.
    pub counts: Vec<u32>,
}

/// A named stack inside an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantRecord {
    /// `before`, `after`, `cache`, ...
    pub id: String,
    /// For legends.
    pub label: String,
    /// Setting -> value, as the servers were started.
    pub stack: BTreeMap<String, String>,
    /// True when no stand-in and no modelled part takes part.
    pub real: bool,
    /// Why it is simulated, a line per part; empty when real.
    pub simulated: Vec<String>,
    /// False when this stack cannot be multiplied along the axis: its capacity at 1 is then its capacity at every count.
    pub scales: bool,
}

/// One cure: from which variant to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrow {
    /// The cure in a word or two: "DynamoDB", "Cache", "Load balancer".
    pub label: String,
    /// The variant before.
    pub before: String,
    /// The variant after.
    pub after: String,
    /// Settings in which the two may differ; any other difference makes them NOT COMPARABLE.
    pub changes: Vec<String>,
}

/// Which moments a latency lies between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Planned start to first byte.
    PlannedFirst,
    /// Planned start to last byte: the latency unless something else is said.
    PlannedLast,
    /// Send to first byte.
    SentFirst,
    /// Send to last byte.
    SentLast,
    /// Planned start to the finished photo (uploads only).
    PlannedFinished,
}

impl Clock {
    /// Every clock, in order.
    pub const ALL: [Clock; 5] = [
        Clock::PlannedFirst,
        Clock::PlannedLast,
        Clock::SentFirst,
        Clock::SentLast,
        Clock::PlannedFinished,
    ];

    /// The word in histogram tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Clock::PlannedFirst => "planned_first",
            Clock::PlannedLast => "planned_last",
            Clock::SentFirst => "sent_first",
            Clock::SentLast => "sent_last",
            Clock::PlannedFinished => "planned_finished",
        }
    }
}

/// What a measure is a figure of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// A quantile of latencies, in milliseconds.
    #[default]
    Latency,
    /// The mean size of the answers' bodies, in kilobytes: whether both sides say the same.
    BodyBytes,
}

/// A figure: which quantile of which clock of which operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// As in summary.json: `median_ms_one_user`, `finished_ms_one_user`.
    pub id: String,
    /// For headings: "page time".
    pub label: String,
    /// Operations merged into it; empty: all of the trial.
    pub operations: Vec<String>,
    /// The moments.
    pub clock: Clock,
    /// 0.5 for the median.
    pub quantile: f64,
    /// Latencies, unless the experiment says otherwise.
    #[serde(default)]
    pub quantity: Quantity,
}

/// What a held rate means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Bound in milliseconds.
    pub latency_ms: f64,
    /// Share of the requests that must meet the bound: 0.99.
    pub quantile: f64,
    /// The moments.
    pub clock: Clock,
    /// Operations judged; empty: all.
    pub operations: Vec<String>,
    /// Most errors as a share of requests.
    pub error_ratio_max: f64,
    /// Least answered share of the offered requests: 0.99.
    pub achieved_ratio_min: f64,
}

/// Why a trial was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To reach the steady state; never in a figure.
    WarmUp,
    /// To find roughly where the capacity lies; never in a figure.
    Probe,
    /// One user at a time: performance. Paired.
    Performance,
    /// Performance of a variant against itself: the noise. Paired.
    Aa,
    /// One step of the latency-against-load curve; also part of a capacity search.
    Level,
    /// One step of a capacity search.
    Capacity,
}

/// A trial's place in a pair. ABBA order: pair 0 runs before/after, pair 1 after/before, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairPlace {
    /// Which pair, from 0, within experiment, arrow and purpose.
    pub pair: u32,
    /// Which arrow of the experiment, from 0.
    pub arrow: u32,
    /// True for the after side (for A/A: the side that plays it).
    pub after: bool,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It can be used.
    Completed,
    /// Something of the stack failed; the report shows the hole.
    Failed {
        /// The whole chain of causes.
        reason: String,
    },
    /// The generator was the bottleneck or an assumption did not hold: not used, and printed.
    Dropped {
        /// Which gate, with its figures.
        reason: String,
    },
}

/// The load that was offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadRecord {
    /// `one_user` (closed, one request at a time), `poisson` or `constant`.
    pub schedule: String,
    /// Requests planned per second; for `one_user` the rate reached.
    pub rate_per_s: f64,
    /// Length in milliseconds.
    pub duration_ms: u64,
    /// The seed of this trial's schedule and choices.
    pub seed: u64,
    /// Operation -> weight.
    pub mix: BTreeMap<String, f64>,
}

/// One operation's counts in one trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRecord {
    /// Planned starts.
    pub planned_count: u64,
    /// Sent.
    pub sent_count: u64,
    /// Answered correctly and verified.
    pub ok_count: u64,
    /// Failed, by kind: `status 500`, `timeout`, `connect`, `wrong body`.
    pub errors: BTreeMap<String, u64>,
    /// Could not be sent at all (the limit of requests in flight was reached).
    pub dropped_count: u64,
    /// Sent more than a millisecond after its planned start.
    pub late_count: u64,
    /// HTTP requests made (a page view makes many).
    pub http_count: u64,
    /// Body bytes received.
    pub body_bytes: u64,
    /// Bodies checked in depth.
    pub verified_count: u64,
}

/// The generator's own health during a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorRecord {
    /// CPU microseconds used by the driving thread.
    pub cpu_us: u64,
    /// Share of one core.
    pub cpu_share: f64,
    /// Median lateness of sends.
    pub lateness_p50_us: u64,
    /// 99th percentile of the lateness of sends.
    pub lateness_p99_us: u64,
    /// Largest lateness.
    pub lateness_max_us: u64,
    /// Mean of requests in flight, sampled.
    pub in_flight_mean: f64,
    /// Most requests in flight.
    pub in_flight_max: u64,
    /// Wall clock of the trial in microseconds, from first planned start to last answer.
    pub wall_us: u64,
}

/// What one instance used during a trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRecord {
    /// `web-1`, `worker-2`, `mysql-1`, `balancer`.
    pub name: String,
    /// `web`, `worker`, `database`, `cache`, `balancer`, `link`, `standin`.
    pub role: String,
    /// The CPU budget as a share of one core; none without a quota.
    pub budget: Option<f64>,
    /// CPU microseconds really used.
    pub cpu_us: u64,
    /// Times the kernel throttled it, and for how long; none without a quota.
    pub throttled_us: Option<u64>,
    /// Resident memory at the end.
    pub memory_bytes: u64,
    /// Bytes read from and written to disk.
    pub disk_bytes: u64,
    /// Bytes through its link; none without one.
    pub link_bytes: Option<u64>,
}

/// A counter that the servers kept against what the clients saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconciliation {
    /// `requests.home`, `jobs.done`.
    pub counter: String,
    /// What the servers counted between start and end of the trial.
    pub servers: f64,
    /// What the clients saw.
    pub clients: f64,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// [`TRIAL_SCHEMA`].
    pub schema: String,
    /// The folder's name: `0007-framework-before-x1-performance`.
    pub id: String,
    /// Position in the run, from 0.
    pub sequence: u32,
    /// The experiment.
    pub experiment: String,
    /// The variant.
    pub variant: String,
    /// Instances along the axis.
    pub instance_count: u32,
    /// Why it was run.
    pub purpose: Purpose,
    /// Its place in a pair, if paired. The trials of a capacity search share one.
    pub place: Option<PairPlace>,
    /// Trials of one capacity search share a number.
    pub search: Option<u32>,
    /// The offered load.
    pub load: LoadRecord,
    /// Unix microseconds of the first planned start.
    pub started_at_us: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Operation -> counts.
    pub operations: BTreeMap<String, OperationRecord>,
    /// The generator.
    pub generator: GeneratorRecord,
    /// Every instance.
    pub instances: Vec<InstanceRecord>,
    /// Counters compared.
    pub reconciliations: Vec<Reconciliation>,
    /// Other server counters over the trial, summed over instances: `cache.hit`, `store.photo_page`, ...
    pub counters: BTreeMap<String, f64>,
    /// The settings that the servers themselves reported, joined per role: `web.store` -> `mysql`.
    pub settings: BTreeMap<String, String>,
    /// Observations that deserve a line in the report.
    pub notes: Vec<String>,
}
