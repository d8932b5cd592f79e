//! An experiment as data: one question, the stacks that answer it, the load, and what a held rate means.
//!
//! These are the types; `read` fills them from a TOML file and reports every mistake at once, `depths` holds the
//! defaults that a file may override per depth. Nothing here starts a process: `plan` turns an experiment into an
//! order of steps, and `run` carries them out. The files in `scenarios/experiments` are compiled into the binary; the
//! files of a clone, or of `--experiments DIR`, come before them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use loadgen::record::{Arrow, Depth, Measure, Slo};

pub mod depths;
pub mod read;
pub mod section;
mod sense;

pub use depths::{Lengths, PerDepth, Population};

/// One question, with everything needed to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// `database`, `assets`, `framework`, `imaging`; also the file's name.
    pub id: String,
    /// For headings.
    pub title: String,
    /// The one question.
    pub question: String,
    /// What the room should learn.
    pub lesson: String,
    /// What is multiplied, and how often.
    pub axis: AxisPlan,
    /// Share of one core that an instance may use while load is measured.
    pub budgets: Budgets,
    /// Bandwidth and distance.
    pub links: Links,
    /// What the users do.
    pub load: Load,
    /// What a held rate means.
    pub slo: PerDepth<Slo>,
    /// What is measured for one user; the first is the headline.
    pub performance: Vec<Measure>,
    /// What must not differ between before and after.
    pub unchanged: Vec<Measure>,
    /// The named stacks, in the order of the file.
    pub variants: Vec<Variant>,
    /// Which cure is judged against what.
    pub arrows: Vec<Arrow>,
    /// People and photos.
    pub population: PerDepth<Population>,
    /// How long and how often things are measured.
    pub lengths: PerDepth<Lengths>,
}

/// What is multiplied, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisPlan {
    /// In the plural: "web servers".
    pub label: String,
    /// Which setting of the stack is multiplied.
    pub multiplies: Multiplies,
    /// The counts, ascending, from 1.
    pub counts: PerDepth<Vec<u32>>,
}

/// The setting that the axis multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplies {
    /// Web servers.
    WebCount,
    /// Workers.
    WorkerCount,
    /// Replicas, shards or partitions.
    StoreNodes,
}

impl Multiplies {
    /// The words in TOML.
    pub const ALLOWED: &[&str] = &["web_count", "worker_count", "store_nodes"];

    /// From the word in TOML.
    pub fn parse(word: &str) -> Option<Multiplies> {
        match word {
            "web_count" => Some(Multiplies::WebCount),
            "worker_count" => Some(Multiplies::WorkerCount),
            "store_nodes" => Some(Multiplies::StoreNodes),
            _ => None,
        }
    }
}

/// Share of one core per instance; none leaves that role without a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budgets {
    /// Each web server.
    pub web: Option<f64>,
    /// Each worker.
    pub worker: Option<f64>,
    /// Each database node.
    pub database: Option<f64>,
}

/// Bandwidth and distance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Links {
    /// Bandwidth of each web server's way out; none: unlimited.
    pub web_mbit_per_s: Option<f64>,
    /// Where the users are; empty: on the machine itself.
    pub regions: Vec<Region>,
}

/// Where some of the users are.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// `near`, `far`.
    pub name: String,
    /// Round trip to the web servers and to the object store.
    pub rtt_ms: f64,
    /// Round trip to the nearest edge of the CDN.
    pub cdn_rtt_ms: f64,
}

/// What the users do.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Operation -> weight.
    pub mix: BTreeMap<String, f64>,
    /// What the one user of a performance trial does; the mix unless the file says otherwise.
    pub one_user_mix: BTreeMap<String, f64>,
    /// The size of uploaded pictures, one of [`Load::PICTURES`].
    pub picture: &'static str,
    /// The filter of uploads; `original` for none.
    pub filter: String,
    /// Most operations in flight.
    pub in_flight_max: u32,
    /// People at once while probing for the throughput, each with one operation after the other.
    pub probe_users: u32,
    /// Most connections per address.
    pub connections_per_target_max: u32,
    /// How long an answer may take.
    pub request_timeout_ms: u64,
    /// How long answers may still arrive after the last planned start.
    pub drain_ms: u64,
    /// Each how-manieth body is checked in depth.
    pub verify_every: u32,
    /// What goes on beside the mix, at a fixed rate, whatever the stack.
    pub background: Vec<Background>,
}

impl Load {
    /// Sizes of uploaded pictures, as the driver names them.
    pub const PICTURES: &[&str] = &["tiny", "small", "medium"];
}

/// Something that goes on beside the mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// What.
    pub operation: String,
    /// How often.
    pub rate_per_s: f64,
}

/// A named stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// `before`, `after`, `cache`.
    pub id: String,
    /// For legends.
    pub label: String,
    /// False when the axis cannot multiply it.
    pub scales: bool,
    /// In which depths it takes part.
    pub depths: Vec<Depth>,
    /// Which backends, how many instances.
    pub stack: Stack,
    /// Budgets of this variant where they differ from the experiment's.
    pub budgets: Budgets,
}

/// Which backends, how many instances. The words are those of the app's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// One of [`Stack::STORES`].
    pub store: &'static str,
    /// Replicas, shards or partitions; 1 for a single database.
    pub store_nodes: u32,
    /// `local` or `s3`.
    pub assets: &'static str,
    /// Whether pages link to a CDN in front of the object store.
    pub cdn: bool,
    /// One of [`Stack::CACHES`].
    pub cache: &'static str,
    /// One of [`Stack::SESSIONS`].
    pub sessions: &'static str,
    /// `inline` or `sqs`.
    pub jobs: &'static str,
    /// The file formats of renditions: one of [`Stack::RENDITIONS`].
    pub renditions: &'static str,
    /// Web servers.
    pub web_count: u32,
    /// Workers.
    pub worker_count: u32,
    /// Whether a balancer stands in front of the web servers.
    pub balancer: bool,
}

impl Stack {
    /// Stores.
    pub const STORES: &[&str] = &["sqlite", "mysql", "replicated", "sharded", "dynamodb"];
    /// Asset backends.
    pub const ASSETS: &[&str] = &["local", "s3"];
    /// Caches.
    pub const CACHES: &[&str] = &["none", "moka", "redis"];
    /// Session kinds.
    pub const SESSIONS: &[&str] = &["memory", "cookie", "redis"];
    /// Job queues.
    pub const JOBS: &[&str] = &["inline", "sqs"];
    /// File formats of renditions. `jpeg` unless a variant says otherwise: users of the load generator load JPEG.
    pub const RENDITIONS: &[&str] = &["jpeg", "jpeg-webp"];
    /// Everything that an arrow may declare as changed: the settings above and what follows from the counts.
    pub const SETTINGS: &[&str] = &[
        "store",
        "store_nodes",
        "assets",
        "cdn",
        "cache",
        "sessions",
        "jobs",
        "renditions",
        "web_count",
        "worker_count",
        "balancer",
    ];

    /// This stack with `count` instances of what the axis multiplies.
    pub fn multiplied(&self, what: Multiplies, count: u32) -> Stack {
        let mut stack = self.clone();
        match what {
            Multiplies::WebCount => stack.web_count = count,
            Multiplies::WorkerCount => stack.worker_count = count,
            Multiplies::StoreNodes => stack.store_nodes = count,
        }
        stack
    }

    /// Setting -> value, in words.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let values = [
            ("store", self.store.to_owned()),
            ("store_nodes", self.store_nodes.to_string()),
            ("assets", self.assets.to_owned()),
            ("cdn", self.cdn.to_string()),
            ("cache", self.cache.to_owned()),
            ("sessions", self.sessions.to_owned()),
            ("jobs", self.jobs.to_owned()),
            ("renditions", self.renditions.to_owned()),
            ("web_count", self.web_count.to_string()),
            ("worker_count", self.worker_count.to_string()),
            ("balancer", self.balancer.to_string()),
        ];
        values.into_iter().map(|(setting, value)| (setting.to_owned(), value)).collect()
    }
}

impl Experiment {
    /// The variants that take part at a depth, in the order of the file.
    pub fn variants_at(&self, depth: Depth) -> Vec<&Variant> {
        self.variants.iter().filter(|variant| variant.depths.contains(&depth)).collect()
    }

    /// The arrows whose two ends take part at a depth.
    pub fn arrows_at(&self, depth: Depth) -> Vec<&Arrow> {
        let present = |id: &str| {
            self.variants.iter().any(|variant| variant.id == id && variant.depths.contains(&depth))
        };
        self.arrows.iter().filter(|arrow| present(&arrow.before) && present(&arrow.after)).collect()
    }

    /// The variant of that name.
    pub fn variant(&self, id: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.id == id)
    }

    /// The counts at which a variant is started at a depth: all of the axis, or its own one when it does not scale.
    pub fn counts_of(&self, variant: &Variant, depth: Depth) -> Vec<u32> {
        if variant.scales { self.axis.counts.get(depth).clone() } else { vec![1] }
    }

    /// The stack of a variant at a count. A variant that does not scale keeps its own counts.
    pub fn stack_of(&self, variant: &Variant, count: u32) -> Stack {
        if variant.scales {
            variant.stack.multiplied(self.axis.multiplies, count)
        } else {
            variant.stack.clone()
        }
    }

    /// The budgets of a variant: its own where it has some, the experiment's elsewhere.
    pub fn budgets_of(&self, variant: &Variant) -> Budgets {
        Budgets {
            web: variant.budgets.web.or(self.budgets.web),
            worker: variant.budgets.worker.or(self.budgets.worker),
            database: variant.budgets.database.or(self.budgets.database),
        }
    }
}

/// A TOML file, not yet understood.
#[derive(Debug, Clone)]
pub struct Source {
    /// As printed in messages.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

/// The experiments that come with the binary, in the order of the course.
const EMBEDDED: [(&str, &str); 4] = [
    ("database", include_str!("../experiments/database.toml")),
    ("assets", include_str!("../experiments/assets.toml")),
    ("framework", include_str!("../experiments/framework.toml")),
    ("imaging", include_str!("../experiments/imaging.toml")),
];

/// Where a clone keeps its experiments, seen from its root.
const FOLDER_OF_A_CLONE: &str = "scenarios/experiments";

/// All experiments: those of `folder`, else those of the clone around the current folder, else those in the binary.
///
/// Errors name the folder or file that could not be read.
pub fn sources(folder: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    use anyhow::Context;
    let of_a_clone = Path::new(FOLDER_OF_A_CLONE);
    let folder = match folder {
        Some(folder) => folder,
        None if of_a_clone.is_dir() => of_a_clone,
        None => return Ok(embedded()),
    };
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("could not list the experiments in {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("could not list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    anyhow::ensure!(!files.is_empty(), "there is no .toml file in {}", folder.display());
    files.sort_by_key(|path| (place_in_the_course(path), path.clone()));
    files.into_iter().map(source).collect()
}

/// One file.
pub fn source(file: PathBuf) -> anyhow::Result<Source> {
    use anyhow::Context;
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("could not read the experiment {}", file.display()))?;
    Ok(Source { file, text })
}

/// The experiments that come with the binary.
pub fn embedded() -> Vec<Source> {
    EMBEDDED
        .iter()
        .map(|(id, text)| Source {
            file: PathBuf::from(format!("{FOLDER_OF_A_CLONE}/{id}.toml")),
            text: (*text).to_owned(),
        })
        .collect()
}

/// The course's own experiments come first and in its order, others after them by name.
fn place_in_the_course(path: &Path) -> usize {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    EMBEDDED.iter().position(|(id, _)| *id == stem).unwrap_or(EMBEDDED.len())
}
