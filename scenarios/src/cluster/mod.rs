//! A cluster as a value: processes, settings, budgets; up and down, with nothing left behind.
//!
//! Module map, from the bottom: `launch` and `process` (one child, started and watched) -> `budget` (its share
//! of a core) -> `services` (private MariaDB and Redis) and `standins` (DynamoDB, S3, SQS) -> our own parts `link`,
//! `balancer`, `cdn`, `null_server` over `http` -> `backends` (everything with data) and `template` (a
//! population seeded once, copied often) -> `compose` (the order of start) -> `Cluster`, here. `spec` says what
//! it consists of, `context` what all clusters of a run share, `observe` what a running one says about itself,
//! `roles` is how the binary plays its parts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

mod backends;
pub mod balancer;
pub mod budget;
pub mod cdn;
mod compose;
pub mod context;
pub mod files;
pub mod http;
pub mod launch;
pub mod link;
pub mod null_server;
mod observe;
pub mod precise_timer;
pub mod process;
pub mod roles;
pub mod services;
pub mod spec;
pub mod standins;
mod template;

pub use context::{ClusterContext, Placement};
pub use spec::StackSpec;

use backends::Backends;
use process::{Process, ProcessError};

/// How long a part may take to finish what is in flight when the cluster stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Why a cluster did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The stack cannot work as it is.
    #[error("this stack cannot work:\n  {}", .0.join("\n  "))]
    Stack(Vec<String>),
    /// A service could not be had.
    #[error(transparent)]
    Service(#[from] services::ServiceError),
    /// A process did not start or did not stay.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A budget could not be set.
    #[error(transparent)]
    Budget(#[from] budget::BudgetError),
    /// A folder or file could not be made.
    #[error("could not prepare {path}", path = path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Everything runs, but the way in does not answer.
    #[error("{what} at {address} was not ready within {seconds} s; the logs are in {logs}", logs = logs.display())]
    NotReady {
        /// A region or a part.
        what: String,
        /// Where it was asked.
        address: SocketAddr,
        /// The time limit.
        seconds: u64,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
}

impl ClusterError {
    fn files<'a>(path: &'a Path) -> impl FnOnce(std::io::Error) -> ClusterError + use<'a> {
        move |source| ClusterError::Files { path: path.to_path_buf(), source }
    }
}

/// What an instance is for; the words of the trial record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Web,
    Worker,
    Database,
    Cache,
    Balancer,
    Link,
    StandIn,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Worker => "worker",
            Role::Database => "database",
            Role::Cache => "cache",
            Role::Balancer => "balancer",
            Role::Link => "link",
            Role::StandIn => "standin",
        }
    }
}

/// A running role of our own binary.
#[derive(Debug)]
pub(crate) struct Instance {
    role: Role,
    process: Process,
    listening: SocketAddr,
    /// Where its counters are.
    control: SocketAddr,
    /// The instance whose traffic a bandwidth link carries.
    carries: Option<String>,
}

/// Where users of one region come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The region; `local` when the stack names none.
    pub region: String,
    /// The address.
    pub address: SocketAddr,
    /// `http://address`, no path.
    pub url: String,
}

impl EntryPoint {
    fn new(region: &str, address: SocketAddr) -> EntryPoint {
        EntryPoint { region: region.to_string(), address, url: format!("http://{address}") }
    }
}

/// How users reach pictures that do not come from the web servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetEntries {
    /// What pages link to.
    pub public_url: String,
    /// Region -> what takes the place of `public_url` for its users: their own link, or their own edge.
    pub by_region: BTreeMap<String, String>,
}

/// A running stack. `stop` ends it in order; dropping it kills everything as a last resort.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    stack: StackSpec,
    /// Web servers, workers, links, edges, balancer, in the order of their start.
    instances: Vec<Instance>,
    backends: Option<Backends>,
    entry_points: Vec<EntryPoint>,
    assets: Option<AssetEntries>,
    population: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts a stack and waits until its way in is ready, budgets on. Logs go to `logs/NAME/` of the run.
    ///
    /// # Errors
    /// The first thing that went wrong; by then everything already started is stopped again.
    pub async fn start(
        context: &ClusterContext,
        name: &str,
        stack: &StackSpec,
        cancel: &CancellationToken,
    ) -> Result<Cluster, ClusterError> {
        let mistakes = stack.mistakes();
        if !mistakes.is_empty() {
            return Err(ClusterError::Stack(mistakes));
        }
        let folder = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(context.temp())
            .map_err(ClusterError::files(context.temp()))?;
        let mut cluster = Cluster {
            name: name.to_string(),
            stack: stack.clone(),
            instances: Vec::new(),
            backends: None,
            entry_points: Vec::new(),
            assets: None,
            population: folder.path().join("population-of-this-cluster.json"),
            folder,
        };
        let outcome = tokio::select! {
            outcome = compose::bring_up(context, &mut cluster) => outcome,
            () = cancel.cancelled() => Err(ClusterError::Cancelled),
        };
        match outcome {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop().await;
                Err(error)
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was asked to consist of.
    pub fn stack(&self) -> &StackSpec {
        &self.stack
    }

    /// Where users come in, one per region.
    pub fn entry_points(&self) -> &[EntryPoint] {
        &self.entry_points
    }

    /// How users reach pictures of an object store; none when pictures come from the web servers.
    pub fn assets(&self) -> Option<&AssetEntries> {
        self.assets.as_ref()
    }

    /// The population manifest that the load generator reads.
    pub fn population(&self) -> &Path {
        &self.population
    }

    /// The stand-ins that take part: `dynamodb`, `s3`, `cdn`, `sqs`.
    pub fn stand_ins(&self) -> Vec<&'static str> {
        compose::stand_ins_of(&self.stack)
    }

    /// The folders with the logs of its processes, one path per process.
    pub fn logs(&self) -> Vec<&Path> {
        let backends = self.backends.iter().flat_map(|backends| backends.processes());
        let others = self.instances.iter().map(|one| (one.role, &one.process));
        backends.chain(others).map(|(_, process)| process.log()).collect()
    }

    /// Enforces the CPU budgets, or lifts them for trials with one user. Instances without one are not touched.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn apply_budgets(&self, on: bool) -> Result<(), ClusterError> {
        let backends = self.backends.iter().flat_map(|backends| backends.processes());
        let others = self.instances.iter().map(|one| (one.role, &one.process));
        for (_, process) in backends.chain(others) {
            if let Some(group) = process.group() {
                group.apply(on)?;
            }
        }
        Ok(())
    }

    /// The process of an instance, for fault scenarios.
    pub fn process(&self, name: &str) -> Option<&Process> {
        let backends = self.backends.iter().flat_map(|backends| backends.processes());
        let others = self.instances.iter().map(|one| (one.role, &one.process));
        backends.chain(others).map(|(_, process)| process).find(|process| process.name() == name)
    }

    /// Ends it: first the way in, then web servers and workers, then everything with data.
    pub async fn stop(mut self) {
        // A throttled process would also end slowly.
        if let Err(error) = self.apply_budgets(false) {
            tracing::warn!(cluster = self.name, %error, "the budgets stay on while stopping");
        }
        let is_app = |role: Role| matches!(role, Role::Web | Role::Worker);
        let (app, front): (Vec<Instance>, Vec<Instance>) =
            self.instances.drain(..).partition(|instance| is_app(instance.role));
        for group in [front, app] {
            join_all(group.iter().map(|instance| instance.process.stop(STOP_GRACE))).await;
        }
        if let Some(backends) = self.backends.take() {
            backends.discard().await;
        }
        // Tens of thousands of pictures: not on a thread that others wait for. What cannot be removed now
        // goes with the context's folder.
        let folder = self.folder;
        let removed = tokio::task::spawn_blocking(move || folder.close()).await;
        if let Ok(Err(error)) = removed {
            tracing::debug!(%error, "a cluster's folder stays until the end of the run");
        }
    }
}
