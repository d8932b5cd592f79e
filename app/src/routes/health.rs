//! What operators and balancers ask: alive, ready, metrics, and which instance this is.
//!
//! Query budget: `ping` for /readyz and /topology, 1 (`unfinished_versions`) for /metrics, else none. /healthz says that the process answers; /readyz that its backends do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::MaybeViewer;
use crate::error::{AppResult, chain};
use crate::model::Version;
use crate::process;
use crate::state::AppState;
use crate::telemetry::Backlog;
use crate::templates::{InfoPage, TopologyPage, page};

/// The app's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit this was built from, where the build says so.
pub const COMMIT: &str = match option_env!("LIGHTMETER_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// A scrape waits this long for a backend; Prometheus itself gives up after 10 s.
const METRICS_PATIENCE: Duration = Duration::from_secs(2);

const NO_STORE: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// GET /healthz
pub async fn healthz() -> Response {
    (NO_STORE, "ok\n").into_response()
}

/// A backend of this process and how it answered.
pub struct Component {
    /// store, assets, cache, jobs, sessions.
    pub part: &'static str,
    /// The kind that the configuration chose: `mysql`.
    pub kind: &'static str,
    /// What went wrong; none when it answered.
    pub failure: Option<String>,
    /// How long the answer took, in milliseconds.
    pub took_ms: f64,
    /// Whether the instance stays in service without it: a cache that fails is a miss, never a failed page.
    pub optional: bool,
}

impl Component {
    /// True for backends that need nothing outside the process: how fast they answer says nothing.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, "memory" | "moka" | "cookie" | "inline")
    }
}

/// Asks every backend at once.
async fn components(state: &AppState) -> Vec<Component> {
    async fn ask<E: std::error::Error + 'static>(
        (part, kind): (&'static str, &'static str),
        ping: impl Future<Output = Result<(), E>>,
    ) -> Component {
        let asked = Instant::now();
        let failure = ping.await.err().map(|error| chain(&error));
        let took_ms = asked.elapsed().as_secs_f64() * 1_000.0;
        Component { part, kind, failure, took_ms, optional: part == "cache" }
    }
    let config = &state.config;
    let (store, assets, cache, jobs, sessions) = tokio::join!(
        ask(("store", config.store.as_str()), state.store.ping()),
        ask(("assets", config.assets.as_str()), state.assets.ping()),
        ask(("cache", config.cache.as_str()), state.cache.ping()),
        ask(("jobs", config.jobs.as_str()), state.jobs.ping()),
        ask(("sessions", config.sessions.as_str()), state.sessions.ping()),
    );
    vec![store, assets, cache, jobs, sessions]
}

/// GET /readyz: 200 when every backend answers, otherwise 503 and which one does not.
pub async fn readyz(State(state): State<AppState>) -> Response {
    let components = components(&state).await;
    let ready = components.iter().all(|part| part.optional || part.failure.is_none());
    let answers: BTreeMap<&str, String> = components
        .into_iter()
        .map(|one| (one.part, one.failure.unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, NO_STORE, axum::Json(answers)).into_response()
}

/// GET /topology: this instance, what stands behind it, and whether that answers. Behind a balancer each reload shows another
/// instance.
pub async fn topology(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
) -> AppResult<Response> {
    let (components, depth) = tokio::join!(components(&state), state.jobs.depth());
    let topology = TopologyPage {
        viewer: viewer.as_ref(),
        instance: &state.config.instance,
        pid: std::process::id(),
        components,
        store_nodes: state.config.store.nodes(),
        in_flight: state.telemetry.others_in_flight(),
        queue: depth.ok(),
    };
    let mut response = page(&topology)?;
    let [(name, value)] = NO_STORE;
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// GET /metrics
pub async fn metrics(State(state): State<AppState>) -> Response {
    let (backlog, facts) = backlog_and_facts(&state).await;
    state.telemetry.observe_backends(backlog, &facts);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match state.telemetry.prometheus_text() {
        Ok(text) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What only the backends know. One that does not answer in time leaves its figures unknown: the others are worth having then.
async fn backlog_and_facts(state: &AppState) -> (Backlog, BTreeMap<String, u64>) {
    let now_ms = state.clock.now_ms();
    let (depth, oldest, facts) = tokio::join!(
        timeout(METRICS_PATIENCE, state.jobs.depth()),
        timeout(METRICS_PATIENCE, state.store.unfinished_versions(i64::MAX, 1)),
        timeout(METRICS_PATIENCE, state.store.facts()),
    );
    let age_s = |oldest: Vec<Version>| {
        oldest.first().map_or(0.0, |version| (now_ms - version.created_at_ms).max(0) as f64 / 1e3)
    };
    let backlog = Backlog {
        depth: depth.ok().and_then(Result::ok),
        oldest_age_s: oldest.ok().and_then(Result::ok).map(age_s),
    };
    (backlog, facts.ok().and_then(Result::ok).unwrap_or_default())
}

/// GET /info.json
pub async fn info_json(State(state): State<AppState>) -> Response {
    let mut counters = state.telemetry.counters.snapshot();
    match state.store.facts().await {
        Ok(facts) => counters.extend(facts),
        // The counters are worth having while the database is away; /readyz says that it is.
        Err(error) => tracing::warn!(cause = chain(&error), "the store's own figures are missing"),
    }
    let body = serde_json::json!({
        "instance": state.config.instance,
        "role": state.role,
        "version": VERSION,
        "commit": COMMIT,
        "pid": std::process::id(),
        "settings": state.config.settings(),
        "counters": counters,
        "in_flight": state.telemetry.others_in_flight(),
        "used": { "cpu_us": process::cpu_us(), "memory_bytes": process::resident_bytes() },
    });
    (NO_STORE, axum::Json(body)).into_response()
}

/// GET /info
pub async fn info_page(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
) -> AppResult<Response> {
    let counters = state.telemetry.counters.snapshot();
    page(&InfoPage {
        viewer: viewer.as_ref(),
        config: &state.config,
        settings: state.config.settings().into_iter().collect(),
        counters: counters.into_iter().filter(|(_, value)| *value > 0).collect(),
        pid: std::process::id(),
        version: VERSION,
        commit: COMMIT,
    })
}
