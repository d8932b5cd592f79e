//! The stacks of one experiment while they run: every variant at every count at once, so that trials can take turns. An
//! idle stack costs nothing but memory. A stack that did not start keeps its reason, and every trial on it fails
//! with that reason while the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use loadgen::driver::{AssetRewrite, Target};
use loadgen::population::Population;
use loadgen::record::{Depth, InstanceRecord};
use tokio_util::sync::CancellationToken;

use super::reconcile::counters_of;
use crate::cloud::deployed::Deployed;
use crate::cluster::spec::{
    AssetsKind, BudgetSpec, CacheKind, JobsKind, LinkSpec, PopulationSpec, RegionSpec,
    RenditionsKind, SessionsKind, StackSpec, StoreKind, StoreSpec,
};
use crate::cluster::{Cluster, ClusterContext};
use crate::experiment::{Experiment, Links, Stack};
use crate::plan::{STACK_START_MS, StackKey};
use crate::progress::Progress;

/// How long a stack may take to work off what a trial left behind; budgets are lifted for it.
const REST_MAX: Duration = Duration::from_secs(15);
/// Between two questions whether it is done.
const REST_POLL: Duration = Duration::from_millis(20);
/// A stack that answers all counters within this has no queue worth a word.
const RESTED_ANSWER: Duration = Duration::from_millis(100);

/// All stacks of one experiment.
#[derive(Debug)]
pub struct Stacks {
    stacks: BTreeMap<StackKey, Result<Running, String>>,
}

/// One running stack.
#[derive(Debug)]
pub struct Running {
    home: Home,
    population: Arc<Population>,
    targets: Vec<Target>,
    asset_rewrites: Vec<AssetRewrite>,
    budgets_on: Option<bool>,
}

/// Where it runs.
#[derive(Debug)]
enum Home {
    /// Here: it is started, held to its budgets and stopped.
    Local(Box<Cluster>),
    /// On AWS: it is only asked.
    Deployed(Arc<Deployed>),
}

/// A stack after it has worked off what a trial left behind.
#[derive(Debug)]
pub struct Rest {
    /// What the servers said then.
    pub infos: BTreeMap<String, serde_json::Value>,
    /// What did not go as it should.
    pub note: Option<String>,
}

impl Stacks {
    /// Starts all stacks, one after the other: on few cores side by side would only make each slower.
    pub async fn start(
        experiment: &Experiment,
        keys: &[StackKey],
        (depth, seed): (Depth, u64),
        context: &ClusterContext,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Stacks {
        let mut stacks = BTreeMap::new();
        for key in keys {
            if stop.is_cancelled() {
                break;
            }
            progress.doing(&format!("{}: starting {key}", experiment.id));
            let name = format!("{}-{key}", experiment.id);
            let started = match spec_of(experiment, key, depth, seed) {
                Ok(spec) => Running::start(context, &name, &spec, stop).await,
                Err(error) => Err(error),
            };
            let started = started.map_err(|error| format!("{name} did not start: {error:#}"));
            if let Err(reason) = &started
                && !stop.is_cancelled()
            {
                progress.note(reason);
            }
            stacks.insert(key.clone(), started);
            progress.advance(STACK_START_MS);
        }
        Stacks { stacks }
    }

    /// Deployed stages in the place of stacks that would be started.
    pub fn deployed(stages: BTreeMap<StackKey, Arc<Deployed>>) -> Stacks {
        let running = |(key, stage)| (key, Ok(Running::deployed(stage)));
        Stacks { stacks: stages.into_iter().map(running).collect() }
    }

    /// A running stack, or why there is none.
    pub fn get_mut(&mut self, key: &StackKey) -> Result<&mut Running, String> {
        match self.stacks.get_mut(key) {
            Some(Ok(running)) => Ok(running),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err(format!("{key} was not started")),
        }
    }

    /// Stops all stacks, in order each.
    pub async fn stop(self) {
        let running = self.stacks.into_values().flatten();
        futures_util::future::join_all(running.map(Running::stop)).await;
    }
}

impl Running {
    /// Starts a stack and reads who lives in it.
    pub async fn start(
        context: &ClusterContext,
        name: &str,
        spec: &StackSpec,
        stop: &CancellationToken,
    ) -> anyhow::Result<Running> {
        let cluster = Cluster::start(context, name, spec, stop).await?;
        match Running::read(&cluster) {
            Ok((population, targets, asset_rewrites)) => {
                let (home, population) = (Home::Local(Box::new(cluster)), Arc::new(population));
                Ok(Running { home, population, targets, asset_rewrites, budgets_on: None })
            }
            Err(error) => {
                cluster.stop().await;
                Err(error)
            }
        }
    }

    fn deployed(stage: Arc<Deployed>) -> Running {
        Running {
            population: stage.population.clone(),
            targets: stage.targets.clone(),
            asset_rewrites: Vec::new(),
            budgets_on: None,
            home: Home::Deployed(stage),
        }
    }

    fn read(cluster: &Cluster) -> anyhow::Result<(Population, Vec<Target>, Vec<AssetRewrite>)> {
        let population = Population::read(cluster.population())?;
        let targets = cluster.entry_points().iter().map(|entry| {
            let url = entry.url.parse().with_context(|| format!("{} is no address", entry.url))?;
            Ok(Target { region: entry.region.clone(), url })
        });
        let rewrites = cluster.assets().map(|assets| AssetRewrite {
            prefix: assets.public_url.clone(),
            by_region: assets.by_region.clone(),
        });
        Ok((population, targets.collect::<anyhow::Result<_>>()?, rewrites.into_iter().collect()))
    }

    /// Stops it, if it was started.
    pub async fn stop(self) {
        match self.home {
            Home::Local(cluster) => cluster.stop().await,
            Home::Deployed(_) => {}
        }
    }

    /// Who lives in it.
    pub fn population(&self) -> &Arc<Population> {
        &self.population
    }

    /// Where its users come in.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Where its users get their pictures.
    pub fn asset_rewrites(&self) -> &[AssetRewrite] {
        &self.asset_rewrites
    }

    /// The only hosts that its pages may lead users to; none: they are ours on loopback.
    pub fn hosts_allowed(&self) -> Option<BTreeSet<String>> {
        match &self.home {
            Home::Local(_) => None,
            Home::Deployed(stage) => Some(stage.outputs.hosts()),
        }
    }

    /// Puts the CPU budgets in force or lifts them.
    pub fn enforce_budgets(&mut self, on: bool) -> anyhow::Result<()> {
        if let Home::Local(cluster) = &self.home
            && self.budgets_on != Some(on)
        {
            cluster.apply_budgets(on)?;
            self.budgets_on = Some(on);
        }
        Ok(())
    }

    /// What the servers say about themselves. Nothing when not all of them can be heard: a part would be taken for the whole.
    pub async fn infos(&self) -> BTreeMap<String, serde_json::Value> {
        match &self.home {
            Home::Local(cluster) => cluster.infos().await,
            Home::Deployed(stage) => stage.infos().await.unwrap_or_else(|error| {
                tracing::warn!(stage = stage.name(), "no counters: {error:#}");
                BTreeMap::new()
            }),
        }
    }

    /// What every instance has used since it started. Of a deployed stage the web servers say it of themselves; of its workers,
    /// database and cache CloudWatch knows, a figure a minute (`cloud.json`).
    pub async fn usage(&self) -> Vec<InstanceRecord> {
        match &self.home {
            Home::Local(cluster) => cluster.usage().await,
            Home::Deployed(_) => self.infos().await.iter().filter_map(used_by_itself).collect(),
        }
    }

    /// Jobs handed over and not done. The workers of a deployed stage are not seen: there the queue is asked.
    async fn jobs_pending(&self, infos: &BTreeMap<String, serde_json::Value>) -> f64 {
        match &self.home {
            Home::Local(_) => jobs_pending(infos),
            Home::Deployed(stage) => stage.jobs_pending().await.unwrap_or_default(),
        }
    }

    /// An error when a process of the stack has ended by itself.
    pub fn still_runs(&self) -> anyhow::Result<()> {
        let Home::Local(cluster) = &self.home else { return Ok(()) };
        let dead = cluster.dead();
        if !dead.is_empty() {
            bail!("ended during the trial: {}", dead.join(", "));
        }
        Ok(())
    }

    /// Waits until a process of the stack ends by itself, and says which.
    pub async fn first_death(&self) -> String {
        let Home::Local(cluster) = &self.home else { return std::future::pending().await };
        let names: Vec<String> = self.usage().await.into_iter().map(|record| record.name).collect();
        let ends = names.iter().filter_map(|name| {
            let process = cluster.process(name)?;
            Some(Box::pin(async move {
                process.exited().await;
                format!("{name} (log {})", process.log().display())
            }))
        });
        let (first, ..) = futures_util::future::select_all(ends).await;
        first
    }

    /// Lifts the budgets and waits until the stack has nothing left to do: what one trial left behind must not burden
    /// the next, whichever stack that is on.
    pub async fn rest(&mut self, stop: &CancellationToken) -> anyhow::Result<Rest> {
        self.enforce_budgets(false)?;
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            let infos = self.infos().await;
            let answered = asked.elapsed();
            let pending = self.jobs_pending(&infos).await;
            let in_flight = requests_in_flight(&infos);
            // Far away the distance is in the answer, and says nothing of a queue.
            let quick = matches!(self.home, Home::Deployed(_)) || answered <= RESTED_ANSWER;
            if quick && pending <= 0.0 && in_flight == 0 {
                return Ok(Rest { infos, note: None });
            }
            if began.elapsed() > REST_MAX || stop.is_cancelled() {
                let seconds = REST_MAX.as_secs();
                let note = format!(
                    "{seconds} s after the trial {pending} jobs and {in_flight} requests were still \
                     waiting, and the servers answered within {} ms.",
                    answered.as_millis()
                );
                return Ok(Rest { infos, note: Some(note) });
            }
            // The processes of the stack send no event when their queues are empty.
            tokio::time::sleep(REST_POLL).await;
        }
    }
}

/// Jobs handed over and not done.
fn jobs_pending(infos: &BTreeMap<String, serde_json::Value>) -> f64 {
    let counters = counters_of(infos.values());
    let count = |name: &str| counters.get(name).copied().unwrap_or_default();
    count("jobs.submitted") - count("jobs.done") - count("jobs.failed")
}

/// Requests that the servers have not answered yet.
fn requests_in_flight(infos: &BTreeMap<String, serde_json::Value>) -> u64 {
    infos.values().filter_map(|info| info.get("in_flight")?.as_u64()).sum()
}

/// What a web server says in /info.json that it has used. Its process alone: the system beside it is CloudWatch's to tell.
fn used_by_itself((name, info): (&String, &serde_json::Value)) -> Option<InstanceRecord> {
    let used = &info["used"];
    Some(InstanceRecord {
        name: name.clone(),
        role: "web".to_owned(),
        cpu_us: used["cpu_us"].as_u64()?,
        memory_bytes: used["memory_bytes"].as_u64().unwrap_or_default(),
        ..InstanceRecord::default()
    })
}

/// What was used between two looks. An instance that was not seen before, or has begun again since, is left out: its figure would
/// be of another stretch.
pub fn used(
    before: &[InstanceRecord],
    after: Vec<InstanceRecord>,
    budgets: bool,
) -> Vec<InstanceRecord> {
    let difference = |mut end: InstanceRecord| {
        let start = before.iter().find(|start| start.name == end.name)?;
        let optional = |end: Option<u64>, start: Option<u64>| {
            Some(end?.saturating_sub(start.unwrap_or_default()))
        };
        end.cpu_us = end.cpu_us.checked_sub(start.cpu_us)?;
        end.disk_bytes = end.disk_bytes.saturating_sub(start.disk_bytes);
        end.throttled_us = optional(end.throttled_us, start.throttled_us);
        end.link_bytes = optional(end.link_bytes, start.link_bytes);
        // A budget that was lifted was none.
        end.budget = end.budget.filter(|_| budgets);
        Some(end)
    };
    after.into_iter().filter_map(difference).collect()
}

/// The cluster's own words for a variant at a count.
pub fn spec_of(
    experiment: &Experiment,
    key: &StackKey,
    depth: Depth,
    seed: u64,
) -> anyhow::Result<StackSpec> {
    let variant = experiment.variant(&key.variant).context("the plan names an unknown variant")?;
    let budgets = experiment.budgets_of(variant);
    let population = experiment.population.get(depth);
    Ok(StackSpec {
        budgets: BudgetSpec {
            web: budgets.web,
            worker: budgets.worker,
            database: budgets.database,
        },
        links: links_of(&experiment.links),
        population: PopulationSpec {
            people: population.people,
            photos: population.photos,
            pictures: population.pictures,
            follows_mean: population.follows_mean,
            seed,
        },
        ..plain_spec(&experiment.stack_of(variant, key.count))?
    })
}

/// A stack without budgets, links or a population of its own.
pub fn plain_spec(stack: &Stack) -> anyhow::Result<StackSpec> {
    let unknown = |word: &str| format!("the cluster does not know {word:?}");
    let store = StoreKind::parse(stack.store).with_context(|| unknown(stack.store))?;
    // A primary without replicas is one MySQL.
    let alone = store == StoreKind::Replicated && stack.store_nodes == 1;
    let store = if alone { StoreKind::Mysql } else { store };
    Ok(StackSpec {
        store: StoreSpec { kind: store, nodes: stack.store_nodes },
        assets: AssetsKind::parse(stack.assets).with_context(|| unknown(stack.assets))?,
        cdn: stack.cdn,
        cache: CacheKind::parse(stack.cache).with_context(|| unknown(stack.cache))?,
        sessions: SessionsKind::parse(stack.sessions).with_context(|| unknown(stack.sessions))?,
        jobs: JobsKind::parse(stack.jobs).with_context(|| unknown(stack.jobs))?,
        renditions: RenditionsKind::parse(stack.renditions)
            .with_context(|| unknown(stack.renditions))?,
        web_count: stack.web_count,
        worker_count: stack.worker_count,
        balancer: stack.balancer,
        ..StackSpec::default()
    })
}

fn links_of(links: &Links) -> LinkSpec {
    let region = |region: &crate::experiment::Region| RegionSpec {
        name: region.name.clone(),
        rtt_ms: region.rtt_ms,
        cdn_rtt_ms: region.cdn_rtt_ms,
    };
    LinkSpec {
        web_mbit_per_s: links.web_mbit_per_s,
        regions: links.regions.iter().map(region).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, experiment};

    #[test]
    fn every_stack_of_every_experiment_is_one_that_the_cluster_can_start() {
        let all = check::read_all(&experiment::embedded()).expect("sound");
        for experiment in &all {
            for depth in [Depth::Quick, Depth::Standard, Depth::Thorough] {
                for key in crate::plan::Plan::of(experiment, depth, 1).stacks {
                    let spec = spec_of(experiment, &key, depth, 1).expect("its words are known");
                    assert_eq!(spec.mistakes(), Vec::<String>::new(), "{} {key}", experiment.id);
                }
            }
        }
    }

    #[test]
    fn usage_is_the_difference_of_two_looks() {
        let look = |cpu_us, throttled_us| InstanceRecord {
            name: "web-1".into(),
            budget: Some(0.05),
            cpu_us,
            throttled_us,
            memory_bytes: 7,
            ..InstanceRecord::default()
        };
        let found = used(&[look(100, Some(10))], vec![look(350, Some(15))], true);
        assert_eq!(found, [look(250, Some(5))]);
        let lifted = used(&[look(100, None)], vec![look(350, None)], false);
        assert_eq!((lifted[0].budget, lifted[0].memory_bytes), (None, 7));
        let newcomer = used(&[], vec![look(350, None)], true);
        assert_eq!(newcomer, [], "its figure is of its whole life");
        assert_eq!(used(&[look(350, None)], vec![look(9, None)], true), [], "it has begun again");
    }

    #[test]
    fn a_deployed_server_says_what_it_used() {
        let info = serde_json::json!({ "used": { "cpu_us": 5, "memory_bytes": 9 } });
        let name = "i-1".to_owned();
        let record = used_by_itself((&name, &info)).expect("it says so");
        assert_eq!((record.name.as_str(), record.cpu_us, record.memory_bytes), ("i-1", 5, 9));
        assert_eq!(used_by_itself((&name, &serde_json::json!({}))), None, "an older app");
    }

    #[test]
    fn jobs_that_are_neither_done_nor_failed_are_pending() {
        let info = |name: &str, count: u64| serde_json::json!({ "counters": { name: count } });
        let infos = BTreeMap::from([
            ("web-1".to_owned(), info("jobs.submitted", 5)),
            ("worker-1".to_owned(), info("jobs.done", 3)),
            ("worker-2".to_owned(), info("jobs.failed", 1)),
        ]);
        assert_eq!(jobs_pending(&infos), 1.0);
    }

    #[test]
    fn requests_of_all_servers_are_in_flight_together() {
        let infos = BTreeMap::from([
            ("web-1".to_owned(), serde_json::json!({ "in_flight": 2 })),
            ("web-2".to_owned(), serde_json::json!({ "in_flight": 1 })),
            ("s3".to_owned(), serde_json::json!({})),
        ]);
        assert_eq!(requests_in_flight(&infos), 3);
    }
}
