//! Whole stacks: they come up, answer, say what they are, and leave nothing behind.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use lightmeter::cluster::spec::{
    AssetsKind, BudgetSpec, CacheKind, JobsKind, LinkSpec, PopulationSpec, RegionSpec, StackSpec,
    StoreKind, StoreSpec,
};
use lightmeter::cluster::{Cluster, ClusterContext, ClusterError, Placement};
use tokio_util::sync::CancellationToken;

use crate::support::{LIGHTMETER, folder, processes_naming, services, skipped, until_none};
use crate::web::get;

const SMALL: PopulationSpec =
    PopulationSpec { people: 20, photos: 60, pictures: 2, follows_mean: 5, seed: 7 };

fn context(run_dir: &Path) -> ClusterContext {
    ClusterContext::with(LIGHTMETER, run_dir, services(), Placement::of_this_machine())
        .expect("a context can be made")
}

fn stack() -> StackSpec {
    StackSpec { population: SMALL, ..StackSpec::default() }
}

async fn start(context: &ClusterContext, name: &str, stack: &StackSpec) -> Cluster {
    match Cluster::start(context, name, stack, &CancellationToken::new()).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("{name} does not start: {:#}", anyhow::Error::from(error)),
    }
}

/// After the end of a cluster and its context nothing may mention its folder any more.
async fn assert_nothing_left(temp: &Path) {
    until_none("processes", || processes_naming(temp)).await;
    assert!(!temp.exists(), "{} is left behind", temp.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_stack_comes_up_twice_from_one_template() {
    let run_dir = folder();
    let context = context(run_dir.path());
    let temp = context.temp().to_path_buf();
    let first = start(&context, "first", &stack()).await;
    let second = start(&context, "second", &stack()).await;
    for cluster in [&first, &second] {
        let [entry] = cluster.entry_points() else { panic!("one way in") };
        assert_eq!(entry.region, "local");
        assert_eq!(get(entry.address, "/explore").await.status, StatusCode::OK);
        let manifest = std::fs::read(cluster.population()).expect("there is a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("it is JSON");
        assert_eq!(manifest["people"].as_array().map(Vec::len), Some(20));
        assert!(cluster.dead().is_empty());
    }
    let infos = first.infos().await;
    let settings = Cluster::settings(&infos);
    assert_eq!(settings["web.store"], "sqlite");
    assert_eq!(settings["web.jobs"], "inline");
    let usage = first.usage().await;
    assert_eq!(usage.len(), 1);
    assert_eq!((usage[0].name.as_str(), usage[0].role.as_str()), ("web-1", "web"));
    if cfg!(target_os = "linux") {
        assert!(usage[0].cpu_us > 0 && usage[0].memory_bytes > 0, "{usage:?}");
    }
    assert!(run_dir.path().join("logs/first/web-1.log").is_file());
    tokio::join!(first.stop(), second.stop());
    drop(context);
    assert_nothing_left(&temp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_at_once_comes_up_and_counts() {
    let services = services();
    if services.mariadb().is_none() || services.redis().is_none() {
        return skipped("MariaDB or Redis is not installed");
    }
    let run_dir = folder();
    let context = context(run_dir.path());
    let temp = context.temp().to_path_buf();
    let region = |name: &str, rtt_ms| RegionSpec { name: name.into(), rtt_ms, cdn_rtt_ms: 2.0 };
    let everything = StackSpec {
        store: StoreSpec { kind: StoreKind::Replicated, nodes: 2 },
        assets: AssetsKind::S3,
        cdn: true,
        cache: CacheKind::Redis,
        jobs: JobsKind::Sqs,
        web_count: 2,
        worker_count: 1,
        budgets: BudgetSpec { web: Some(0.2), worker: Some(0.2), database: None },
        links: LinkSpec {
            web_mbit_per_s: Some(100.0),
            regions: vec![region("near", 4.0), region("far", 30.0)],
        },
        ..stack()
    };
    let cluster = start(&context, "everything", &everything).await;
    assert_eq!(cluster.stand_ins(), ["s3", "cdn", "sqs"]);
    let regions: Vec<&str> =
        cluster.entry_points().iter().map(|entry| entry.region.as_str()).collect();
    assert_eq!(regions, ["near", "far"]);
    for entry in cluster.entry_points() {
        for _ in 0..4 {
            assert_eq!(get(entry.address, "/explore").await.status, StatusCode::OK);
        }
    }
    let assets = cluster.assets().expect("pictures come from the store");
    assert_eq!(assets.by_region.len(), 2);
    assert_eq!(assets.by_region["near"], assets.public_url);
    cluster.apply_budgets(false).expect("budgets can be lifted");
    let infos = cluster.infos().await;
    for name in ["web-1", "web-2", "worker-1", "s3", "sqs", "balancer", "cdn-near", "link-far"] {
        assert!(infos.contains_key(name), "{name} is missing in {:?}", infos.keys());
    }
    let upstreams = infos["balancer"]["upstreams"].as_array().expect("it has upstreams");
    for upstream in upstreams {
        assert_eq!(upstream["requests"].as_u64().map(|count| count >= 4), Some(true));
    }
    let settings = Cluster::settings(&infos);
    assert_eq!(settings["web.store"], "replicated");
    assert_eq!(settings["worker.jobs"], "sqs");
    let usage = cluster.usage().await;
    let of = |name: &str| usage.iter().find(|record| record.name == name).expect("it is there");
    assert!(of("web-1").link_bytes > Some(0), "its bandwidth link carried pages");
    assert_eq!(of("mysql-replica-1").role, "database");
    assert_eq!(of("redis").role, "cache");
    if context.has_budgets() {
        assert_eq!(of("web-1").budget, Some(0.2));
        assert_eq!(of("balancer").budget, None);
    }
    cluster.stop().await;
    drop(context);
    assert_nothing_left(&temp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_comes_up_in_partitions() {
    let run_dir = folder();
    let context = context(run_dir.path());
    let store = StoreSpec { kind: StoreKind::Dynamodb, nodes: 2 };
    let cluster = start(&context, "dynamodb", &StackSpec { store, ..stack() }).await;
    let entry = cluster.entry_points()[0].address;
    assert_eq!(get(entry, "/explore").await.status, StatusCode::OK);
    assert_eq!(Cluster::settings(&cluster.infos().await)["web.store"], "dynamodb");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_fails_names_the_part_and_leaves_nothing() {
    let run_dir = folder();
    let context = context(run_dir.path());
    let temp = context.temp().to_path_buf();
    let unsound = StackSpec { cdn: true, ..stack() };
    let cancel = CancellationToken::new();
    let error = Cluster::start(&context, "unsound", &unsound, &cancel).await.expect_err("refused");
    assert!(matches!(error, ClusterError::Stack(_)), "{error}");
    // The services come up, then the web server refuses its settings.
    let app_settings = [("upload_bytes_max".to_string(), "a lot".to_string())].into();
    let store = StoreSpec { kind: StoreKind::Dynamodb, nodes: 1 };
    let wrong = StackSpec { store, app_settings, ..stack() };
    let error = Cluster::start(&context, "wrong", &wrong, &cancel).await.expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("upload-bytes-max") && text.contains(".log"), "{text}");
    cancel.cancel();
    let error = Cluster::start(&context, "late", &stack(), &cancel).await.expect_err("cancelled");
    assert!(matches!(error, ClusterError::Cancelled), "{error}");
    drop(context);
    assert_nothing_left(&temp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_dropped_or_interrupted_leaves_nothing() {
    let run_dir = folder();
    let context = context(run_dir.path());
    let cluster = start(&context, "dropped", &stack()).await;
    let pid = cluster.process("web-1").expect("it has a web server").pid();
    drop(cluster);
    until_none("the web server", || {
        let folder = std::path::PathBuf::from(format!("/proc/{pid}"));
        if folder.exists() { vec![folder] } else { Vec::new() }
    })
    .await;
    let cancel = CancellationToken::new();
    let stopper = cancel.clone();
    let other = StackSpec { population: PopulationSpec { seed: 8, ..SMALL }, ..stack() };
    let starting = Cluster::start(&context, "interrupted", &other, &cancel);
    let stopping = async {
        // In the middle: as soon as something of it runs.
        while processes_naming(context.temp()).is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stopper.cancel();
    };
    let (outcome, ()) = tokio::join!(starting, stopping);
    assert!(matches!(outcome, Err(ClusterError::Cancelled)));
    until_none("processes", || processes_naming(context.temp())).await;
}
