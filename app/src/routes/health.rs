//! What operators and balancers ask: alive, ready, metrics, and which instance this is.
//!
//! Query budget: none but `ping` for /readyz. /healthz says that the process answers; /readyz that its backends do.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::MaybeViewer;
use crate::error::{AppResult, chain};
use crate::state::AppState;
use crate::templates::{InfoPage, page};

/// The app's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit this was built from, where the build says so.
pub const COMMIT: &str = match option_env!("LIGHTMETER_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

const NO_STORE: [(header::HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// GET /healthz
pub async fn healthz() -> Response {
    (NO_STORE, "ok\n").into_response()
}

/// GET /readyz: 200 when every backend answers, otherwise 503 and which one does not.
pub async fn readyz(State(state): State<AppState>) -> Response {
    let (store, assets, cache, jobs, sessions) = tokio::join!(
        state.store.ping(),
        state.assets.ping(),
        state.cache.ping(),
        state.jobs.ping(),
        state.sessions.ping(),
    );
    let mut ready = true;
    let mut health = serde_json::Map::new();
    let mut note = |part: &str, answer: Result<(), String>| {
        ready &= answer.is_ok();
        let text = answer.err().unwrap_or_else(|| "ok".to_owned());
        health.insert(part.to_owned(), text.into());
    };
    note("store", store.map_err(|error| chain(&error)));
    note("assets", assets.map_err(|error| chain(&error)));
    // A cache that fails is a miss, never a failed page: it is reported, and the instance stays in service.
    let cache = cache.map_err(|error| chain(&error));
    note("jobs", jobs.map_err(|error| chain(&error)));
    note("sessions", sessions.map_err(|error| chain(&error)));
    health.insert("cache".to_owned(), cache.err().unwrap_or_else(|| "ok".to_owned()).into());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, NO_STORE, axum::Json(health)).into_response()
}

/// GET /metrics
pub async fn metrics(State(state): State<AppState>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match state.telemetry.prometheus_text() {
        Ok(text) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
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
        // Besides this one.
        "in_flight": state.telemetry.in_flight().saturating_sub(1),
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
