//! What the process counts about itself: named counters for /info.json and Prometheus text for /metrics.
//!
//! Counter names are the contract of the report (`requests.home`, `store.photo_page`, `cache.hit`, ...). The
//! decorators at the end count what passes through the traits of assets and jobs; the store's decorators count through
//! the hook that `state` hands them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::assets::slots::{Arrived, Slot, Slots};
use crate::assets::{AssetError, AssetKey, Assets, Listing};
use crate::jobs::{Job, JobError, JobEvent, JobQueue};

/// Counters by name. Reading and adding never block each other for long: the lock only guards the set of names.
#[derive(Debug, Default)]
pub struct Counters {
    by_name: RwLock<HashMap<String, AtomicU64>>,
}

impl Counters {
    /// Adds `n` to the counter, which starts at zero.
    pub fn add(&self, name: &str, n: u64) {
        {
            let counters = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(counter) = counters.get(name) {
                counter.fetch_add(n, Ordering::Relaxed);
                return;
            }
        }
        let mut counters = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        counters.entry(name.to_owned()).or_default().fetch_add(n, Ordering::Relaxed);
    }

    /// One counter's value.
    pub fn get(&self, name: &str) -> u64 {
        let counters = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        counters.get(name).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// All counters by name.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        let counters = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        counters
            .iter()
            .map(|(name, counter)| (name.clone(), counter.load(Ordering::Relaxed)))
            .collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteStatus {
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// Bucket bounds from 0.1 ms, doubling 17 times, to 6.6 s.
fn duration_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 17))
}

/// All instruments of the process.
pub struct Telemetry {
    /// The counters of /info.json.
    pub counters: Arc<Counters>,
    requests: Family<RouteStatus, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    job_waits: Histogram,
    job_durations: Histogram,
    backlog: BacklogGauges,
    store_facts: Family<Fact, AmountGauge>,
    registry: Registry,
}

/// A gauge whose value may be unknown: not a number then, as Prometheus has it.
type AmountGauge = Gauge<f64, AtomicU64>;

/// What waits to be done, in gauges.
#[derive(Debug, Default)]
struct BacklogGauges {
    waiting: AmountGauge,
    in_work: AmountGauge,
    oldest_age: AmountGauge,
}

/// What waits to be done. None: it could not be found out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// Jobs that wait in the queue and jobs that are worked on.
    pub depth: Option<(u64, u64)>,
    /// Since when the oldest version that is not finished has been waiting, in seconds; zero when none is.
    pub oldest_age_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fact {
    name: String,
}

/// A request that is being answered; it ends with the answer's head, or when the client has gone away before.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// The instruments of one route, looked up once when the router is built.
#[derive(Debug, Clone)]
pub struct RouteInstruments {
    /// The label in metrics and counters.
    pub label: &'static str,
    requests_name: String,
    errors_name: String,
    duration: Histogram,
}

impl Telemetry {
    /// Instruments at zero; the counters of the contract are there from the start.
    pub fn new() -> Self {
        let counters = Arc::new(Counters::default());
        for name in [
            "cache.hit",
            "cache.miss",
            "cache.error",
            "assets.served_bytes",
            "assets.received_bytes",
            "assets.put",
            "jobs.submitted",
            "jobs.done",
            "jobs.failed",
        ] {
            counters.add(name, 0);
        }
        let requests = Family::default();
        let durations: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(duration_histogram);
        let mut registry = Registry::with_prefix("photo_app");
        registry.register("requests", "Answered requests by route and status", requests.clone());
        registry.register(
            "request_duration_seconds",
            "From the request's head to the answer's",
            durations.clone(),
        );
        let in_flight = Gauge::default();
        let help = "Requests whose answer has not begun";
        registry.register("requests_in_flight", help, in_flight.clone());
        let job_waits = duration_histogram();
        let help = "From handing over a job to a worker's taking it";
        registry.register("job_wait_seconds", help, job_waits.clone());
        let job_durations = duration_histogram();
        let help = "From the beginning of a job to its end, done or failed";
        registry.register("job_duration_seconds", help, job_durations.clone());
        let backlog = BacklogGauges::default();
        let help = "Jobs in the queue that nobody has taken";
        registry.register("jobs_waiting", help, backlog.waiting.clone());
        registry.register("jobs_in_work", "Jobs that a worker has taken", backlog.in_work.clone());
        let help = "Age of the oldest version that is not finished; 0 when all are";
        registry.register("jobs_oldest_age_seconds", help, backlog.oldest_age.clone());
        let store_facts = Family::<Fact, AmountGauge>::default();
        let help = "What the store knows about itself: use of its connections, lag of its replicas";
        registry.register("store_facts", help, store_facts.clone());
        registry.register_collector(Box::new(CounterCollector(counters.clone())));
        Self {
            counters,
            requests,
            durations,
            in_flight,
            job_waits,
            job_durations,
            backlog,
            store_facts,
            registry,
        }
    }

    /// The instruments of a route.
    pub fn route(&self, label: &'static str) -> RouteInstruments {
        RouteInstruments {
            label,
            requests_name: format!("requests.{label}"),
            errors_name: format!("errors.{label}"),
            duration: self.durations.get_or_create(&Route { route: label }).clone(),
        }
    }

    /// Notes that a request has come; it counts as in flight until what is returned is dropped.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Requests whose answer has not begun, besides the one that asks.
    pub fn others_in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.get() - 1).unwrap_or(0)
    }

    /// Counts one answered request; a status of 500 and above is also an error.
    pub fn record(&self, route: &RouteInstruments, status: u16, duration: Duration) {
        self.counters.add(&route.requests_name, 1);
        if status >= 500 {
            self.counters.add(&route.errors_name, 1);
        }
        self.requests.get_or_create(&RouteStatus { route: route.label, status }).inc();
        route.duration.observe(duration.as_secs_f64());
    }

    /// Records what happened to a job.
    pub fn record_job(&self, event: JobEvent) {
        let (name, took) = match event {
            JobEvent::Taken { waited } => {
                if let Some(waited) = waited {
                    self.job_waits.observe(waited.as_secs_f64());
                }
                return;
            }
            JobEvent::Done { took } => ("jobs.done", took),
            JobEvent::Failed { took } => ("jobs.failed", took),
        };
        self.counters.add(name, 1);
        self.job_durations.observe(took.as_secs_f64());
    }

    /// Takes what was just found out about the backends, for the text that follows.
    pub fn observe_backends(&self, backlog: Backlog, facts: &BTreeMap<String, u64>) {
        let (waiting, in_work) = backlog.depth.unzip();
        let amount = |count: Option<u64>| count.map_or(f64::NAN, |count| count as f64);
        self.backlog.waiting.set(amount(waiting));
        self.backlog.in_work.set(amount(in_work));
        self.backlog.oldest_age.set(backlog.oldest_age_s.unwrap_or(f64::NAN));
        self.store_facts.clear();
        for (name, value) in facts {
            self.store_facts.get_or_create(&Fact { name: name.clone() }).set(*value as f64);
        }
    }

    /// Everything in the Prometheus text format.
    pub fn prometheus_text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Shows the named counters to Prometheus as one family, `photo_app_events_total{name="store.photo_page"}`.
#[derive(Debug)]
struct CounterCollector(Arc<Counters>);

impl Collector for CounterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Store verbs, cache outcomes, asset bytes and jobs, by name";
        let first = ConstCounter::new(0_u64);
        let mut metric = encoder.encode_descriptor("events", help, None, first.metric_type())?;
        for (name, value) in self.0.snapshot() {
            let labels = [("name", name.as_str())];
            ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Counts what is put.
pub struct CountedAssets {
    inner: Arc<dyn Assets>,
    counters: Arc<Counters>,
}

impl CountedAssets {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Assets>, counters: Arc<Counters>) -> Self {
        Self { inner, counters }
    }
}

#[async_trait]
impl Assets for CountedAssets {
    async fn put(&self, key: &AssetKey, bytes: Bytes) -> Result<(), AssetError> {
        self.inner.put(key, bytes).await?;
        self.counters.add("assets.put", 1);
        Ok(())
    }
    async fn get(&self, key: &AssetKey) -> Result<Option<Bytes>, AssetError> {
        self.inner.get(key).await
    }
    async fn put_copy(&self, from: &AssetKey, to: &AssetKey) -> Result<bool, AssetError> {
        let copied = self.inner.put_copy(from, to).await?;
        self.counters.add("assets.put", u64::from(copied));
        Ok(copied)
    }
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, AssetError> {
        self.inner.list(after, limit).await
    }
    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError> {
        self.inner.delete(key).await
    }
    fn public_url(&self, key: &AssetKey) -> String {
        self.inner.public_url(key)
    }
    async fn ping(&self) -> Result<(), AssetError> {
        self.inner.ping().await
    }
}

/// Counts what is kept from slots as what is put, which it takes the place of.
pub struct CountedSlots {
    inner: Arc<dyn Slots>,
    counters: Arc<Counters>,
}

impl CountedSlots {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Slots>, counters: Arc<Counters>) -> Self {
        Self { inner, counters }
    }
}

#[async_trait]
impl Slots for CountedSlots {
    async fn open(&self, key: &AssetKey, total: u64, kind: &str) -> Result<Slot, AssetError> {
        self.inner.open(key, total, kind).await
    }
    async fn look(&self, key: &AssetKey, bytes_max: u64) -> Result<Option<Arrived>, AssetError> {
        self.inner.look(key, bytes_max).await
    }
    async fn keep(&self, key: &AssetKey, tag: &str, to: &AssetKey) -> Result<bool, AssetError> {
        let kept = self.inner.keep(key, tag, to).await?;
        self.counters.add("assets.put", u64::from(kept));
        Ok(kept)
    }
    fn origin(&self) -> &str {
        self.inner.origin()
    }
}

/// Counts submissions and, where `submit` does the work itself, their outcome.
pub struct CountedJobs {
    inner: Arc<dyn JobQueue>,
    telemetry: Arc<Telemetry>,
    does_the_work: bool,
}

impl CountedJobs {
    /// Wraps `inner`; `does_the_work` says that `submit` returns when the job is done.
    pub fn new(inner: Arc<dyn JobQueue>, telemetry: Arc<Telemetry>, does_the_work: bool) -> Self {
        Self { inner, telemetry, does_the_work }
    }
}

#[async_trait]
impl JobQueue for CountedJobs {
    async fn submit(&self, job: &Job) -> Result<(), JobError> {
        self.telemetry.counters.add("jobs.submitted", 1);
        let begun = Instant::now();
        let answer = self.inner.submit(job).await;
        if self.does_the_work {
            let took = begun.elapsed();
            let done = answer.is_ok();
            let event = if done { JobEvent::Done { took } } else { JobEvent::Failed { took } };
            self.telemetry.record_job(event);
        }
        answer
    }
    async fn depth(&self) -> Result<(u64, u64), JobError> {
        self.inner.depth().await
    }
    async fn ping(&self) -> Result<(), JobError> {
        self.inner.ping().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_start_at_zero_and_add_up() {
        let telemetry = Telemetry::new();
        telemetry.counters.add("store.photo_page", 2);
        telemetry.counters.add("store.photo_page", 1);
        let snapshot = telemetry.counters.snapshot();
        assert_eq!(snapshot["store.photo_page"], 3);
        assert_eq!(snapshot["cache.hit"], 0);
    }

    #[test]
    fn prometheus_sees_requests_durations_and_counters() {
        let telemetry = Telemetry::new();
        let route = telemetry.route("home");
        telemetry.record(&route, 200, Duration::from_millis(3));
        telemetry.record(&route, 503, Duration::from_millis(3));
        let text = telemetry.prometheus_text().unwrap_or_default();
        assert!(
            text.contains(r#"photo_app_requests_total{route="home",status="200"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"photo_app_request_duration_seconds_count{route="home"} 2"#));
        assert!(text.contains(r#"photo_app_events_total{name="errors.home"} 1"#), "{text}");
        assert_eq!(telemetry.counters.get("requests.home"), 2);
    }
}
