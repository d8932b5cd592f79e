//! What a cluster consists of, as data: the stack, its budgets, its links, its population.
//!
//! The words are those of the app's own settings and of the experiments' files. `mistakes` names everything that
//! cannot work together before anything is started. Who starts it: `compose`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An enum whose variants have a word each.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every word.
            pub const ALLOWED: &'static [&'static str] = &[$($word),+];

            /// The word in settings.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// From the word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// The database.
    StoreKind {
        /// One file.
        Sqlite = "sqlite",
        /// One MariaDB.
        Mysql = "mysql",
        /// A primary and replicas.
        Replicated = "replicated",
        /// People spread over several MariaDBs.
        Sharded = "sharded",
        /// The DynamoDB stand-in, with partitions as nodes.
        Dynamodb = "dynamodb",
    }
}

words! {
    /// Where pictures live.
    AssetsKind {
        /// Files on the web server.
        Local = "local",
        /// The S3 stand-in.
        S3 = "s3",
    }
}

words! {
    /// Answers kept near.
    CacheKind {
        /// None are.
        None = "none",
        /// In each web server.
        Moka = "moka",
        /// In a Redis that all share.
        Redis = "redis",
    }
}

words! {
    /// How a login is remembered.
    SessionsKind {
        /// In the one web server.
        Memory = "memory",
        /// In a signed cookie.
        Cookie = "cookie",
        /// In a Redis that all share.
        Redis = "redis",
    }
}

words! {
    /// Who makes renditions.
    JobsKind {
        /// The request itself.
        Inline = "inline",
        /// Workers, through the SQS stand-in.
        Sqs = "sqs",
    }
}

words! {
    /// The file formats of renditions.
    RenditionsKind {
        /// The least work.
        Jpeg = "jpeg",
        /// Smaller files beside them, for several times the work.
        JpegWebp = "jpeg-webp",
    }
}

/// Which backends, how many instances, within which limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackSpec {
    /// The database.
    pub store: StoreSpec,
    /// Where pictures live.
    pub assets: AssetsKind,
    /// An edge per region in front of the object store.
    pub cdn: bool,
    /// Answers kept near.
    pub cache: CacheKind,
    /// How a login is remembered.
    pub sessions: SessionsKind,
    /// Who makes renditions.
    pub jobs: JobsKind,
    /// The file formats of renditions.
    pub renditions: RenditionsKind,
    /// Web servers.
    pub web_count: u32,
    /// Workers; 0 with inline jobs.
    pub worker_count: u32,
    /// A balancer even in front of a single web server.
    pub balancer: bool,
    /// CPU per instance.
    pub budgets: BudgetSpec,
    /// Bandwidth and distance.
    pub links: LinkSpec,
    /// People and photos.
    pub population: PopulationSpec,
    /// The app's upload limits, visibility and so on where they differ from its defaults: `job_visibility_s` -> `5`.
    pub app_settings: BTreeMap<String, String>,
}

impl Default for StackSpec {
    /// One web server with SQLite and local files: the least that runs everywhere.
    fn default() -> StackSpec {
        StackSpec {
            store: StoreSpec { kind: StoreKind::Sqlite, nodes: 1 },
            assets: AssetsKind::Local,
            cdn: false,
            cache: CacheKind::None,
            sessions: SessionsKind::Cookie,
            jobs: JobsKind::Inline,
            renditions: RenditionsKind::Jpeg,
            web_count: 1,
            worker_count: 0,
            balancer: false,
            budgets: BudgetSpec::default(),
            links: LinkSpec::default(),
            population: PopulationSpec::default(),
            app_settings: BTreeMap::new(),
        }
    }
}

/// The database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSpec {
    /// Which.
    pub kind: StoreKind,
    /// Primary plus replicas, shards, or partitions.
    pub nodes: u32,
}

/// CPU per instance as a share of one core; none: no budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSpec {
    /// Each web server.
    pub web: Option<f64>,
    /// Each worker.
    pub worker: Option<f64>,
    /// Each database node.
    pub database: Option<f64>,
}

/// Bandwidth and distance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSpec {
    /// Of each web server's way out, per direction; none: unlimited.
    pub web_mbit_per_s: Option<f64>,
    /// Where the users are; empty: on this machine.
    pub regions: Vec<RegionSpec>,
}

/// Where some of the users are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionSpec {
    /// `near`, `far`.
    pub name: String,
    /// Round trip to the web servers and to the object store.
    pub rtt_ms: f64,
    /// Round trip to the nearest edge of the CDN.
    pub cdn_rtt_ms: f64,
}

/// People and photos, as `photo-app seed` makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopulationSpec {
    /// People.
    pub people: u32,
    /// Photos.
    pub photos: u32,
    /// Distinct pictures drawn for them.
    pub pictures: u32,
    /// People that one person follows, on average.
    pub follows_mean: u32,
    /// The number everything random is drawn from.
    pub seed: u64,
}

impl Default for PopulationSpec {
    fn default() -> PopulationSpec {
        PopulationSpec { people: 1000, photos: 10_000, pictures: 36, follows_mean: 20, seed: 1 }
    }
}

/// Most instances of one kind: beyond it a typing mistake is likelier than a wish.
const INSTANCES_MAX: u32 = 64;

impl StackSpec {
    /// Everything that cannot work together, each with what to do; empty when all is well.
    pub fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut wrong = |is_wrong: bool, text: String| {
            if is_wrong {
                found.push(text);
            }
        };
        for (what, count) in [("web_count", self.web_count), ("store nodes", self.store.nodes)] {
            let possible = (1..=INSTANCES_MAX).contains(&count);
            wrong(
                !possible,
                format!("{what} = {count}: it must lie between 1 and {INSTANCES_MAX}"),
            );
        }
        let single = matches!(self.store.kind, StoreKind::Sqlite | StoreKind::Mysql);
        wrong(
            single && self.store.nodes > 1,
            format!(
                "store = {} has one node: use replicated, sharded or dynamodb for {}",
                self.store.kind.as_str(),
                self.store.nodes
            ),
        );
        wrong(
            self.cdn && self.assets != AssetsKind::S3,
            "cdn = true needs assets = s3: the CDN stands in front of the object store".into(),
        );
        wrong(
            self.sessions == SessionsKind::Memory && self.web_count > 1,
            "sessions = memory works with one web server only: use cookie or redis".into(),
        );
        let queued = self.jobs == JobsKind::Sqs;
        wrong(
            queued != (1..=INSTANCES_MAX).contains(&self.worker_count),
            format!(
                "jobs = {} with worker_count = {}: inline jobs have no workers, sqs needs 1 to \
                 {INSTANCES_MAX}",
                self.jobs.as_str(),
                self.worker_count
            ),
        );
        let budgets = [
            ("web", self.budgets.web),
            ("worker", self.budgets.worker),
            ("database", self.budgets.database),
        ];
        for (role, share) in budgets {
            let possible = share.is_none_or(|share| super::budget::quota_of(share).is_ok());
            wrong(!possible, format!("the {role} budget {share:?} must lie between 0.001 and 64"));
        }
        let rate = self.links.web_mbit_per_s;
        wrong(
            rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)),
            format!("web_mbit_per_s = {rate:?} must be above 0"),
        );
        let mut names: Vec<&str> = Vec::new();
        for region in &self.links.regions {
            let sound = |ms: f64| (0.0..=10_000.0).contains(&ms);
            wrong(
                !sound(region.rtt_ms) || !sound(region.cdn_rtt_ms),
                format!("region {}: round trips must lie between 0 and 10000 ms", region.name),
            );
            let known = names.contains(&region.name.as_str());
            wrong(known, format!("region {} is named twice", region.name));
            names.push(&region.name);
        }
        found
    }

    /// Whether a balancer stands in front of the web servers.
    pub fn has_balancer(&self) -> bool {
        self.balancer || self.web_count > 1
    }

    /// Whether a Redis is needed.
    pub fn needs_redis(&self) -> bool {
        self.cache == CacheKind::Redis || self.sessions == SessionsKind::Redis
    }

    /// Whether MariaDB is needed.
    pub fn needs_mariadb(&self) -> bool {
        matches!(self.store.kind, StoreKind::Mysql | StoreKind::Replicated | StoreKind::Sharded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stack_is_sound_and_every_mistake_is_named() {
        assert_eq!(StackSpec::default().mistakes(), Vec::<String>::new());
        let region = RegionSpec { name: "far".into(), rtt_ms: -1.0, cdn_rtt_ms: 1.0 };
        let wrong = StackSpec {
            store: StoreSpec { kind: StoreKind::Mysql, nodes: 2 },
            cdn: true,
            sessions: SessionsKind::Memory,
            web_count: 3,
            worker_count: 1,
            budgets: BudgetSpec { web: Some(0.0), ..BudgetSpec::default() },
            links: LinkSpec { web_mbit_per_s: Some(0.0), regions: vec![region.clone(), region] },
            ..StackSpec::default()
        };
        let text = wrong.mistakes().join("\n");
        for word in [
            "one node",
            "cdn = true",
            "sessions = memory",
            "worker_count = 1",
            "web budget",
            "web_mbit_per_s",
            "round trips",
            "named twice",
        ] {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
    }

    #[test]
    fn words_come_back() {
        for word in StoreKind::ALLOWED {
            assert_eq!(StoreKind::parse(word).map(StoreKind::as_str), Some(*word));
        }
        assert_eq!(CacheKind::parse("memcached"), None);
    }
}
