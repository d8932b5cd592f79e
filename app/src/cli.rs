//! The command line's roles: serve, work, migrate, seed. One entry for `photo-app` and for `lightmeter app ...`.
//!
//! Data goes to stdout (the address that is listened on, as one line of JSON), talk to stderr. A failure ends with one
//! line that names the whole chain of causes, and exit code 1; wrong settings with exit code 2.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::arguments::{Arguments, Role};
use crate::config::{Config, ConfigError, LogFormat, SeedConfig};
use crate::jobs::worker;
use crate::seed::SeedOptions;
use crate::server;
use crate::state::{self, AppState, WorkerParts};
use crate::sweep;

/// Runs the role that the arguments name (the first argument is the program's name) and returns its exit code.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    crate::memory::give_large_blocks_back();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own text: help and version go to stdout with code 0, mistakes to stderr with code 2.
            let code = error.exit_code();
            return match error.print() {
                Ok(()) if code == 0 => ExitCode::SUCCESS,
                _ => ExitCode::from(2),
            };
        }
    };
    match checked(arguments.role) {
        Ok(job) => start(job),
        Err(error) => {
            eprintln!("photo-app: {error}");
            ExitCode::from(2)
        }
    }
}

enum CheckedRole {
    Serve(Config),
    Work(Config),
    Migrate(Config),
    Seed(Box<SeedConfig>),
}

fn checked(role: Role) -> Result<CheckedRole, ConfigError> {
    Ok(match role {
        Role::Serve(raw) => CheckedRole::Serve(Config::check(&raw)?),
        Role::Work(raw) => CheckedRole::Work(Config::check_worker(&raw)?),
        Role::Migrate(raw) => CheckedRole::Migrate(Config::check(&raw)?),
        Role::Seed(raw) => CheckedRole::Seed(Box::new(SeedConfig::check(&raw)?)),
    })
}

fn start(role: CheckedRole) -> ExitCode {
    let config = match &role {
        CheckedRole::Serve(config) | CheckedRole::Work(config) | CheckedRole::Migrate(config) => {
            config
        }
        CheckedRole::Seed(seed) => &seed.config,
    };
    start_logs(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("cannot start the runtime").and_then(|runtime| {
        runtime.block_on(async {
            match role {
                CheckedRole::Serve(config) => serve(config).await,
                CheckedRole::Work(config) => work(config).await,
                CheckedRole::Migrate(config) => migrate(&config).await,
                CheckedRole::Seed(wanted) => seed(*wanted).await,
            }
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("photo-app: {}", crate::error::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn start_logs(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => logs.with_ansi(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    // In a process that already logs (a test, the lab's own binary) its logger goes on.
    if let Err(error) = started {
        tracing::debug!(%error, "logs were started before");
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listener = server::bind(&config.listen).await?;
    let state = AppState::connect(config).await?;
    let router = crate::router::router(&state);
    let stop = stop_on_signal()?;
    let sweep = tokio::spawn(sweep::run(state.clone(), stop.clone()));
    let finished = listen(listener, router, &state, stop).await?;
    sweep.await.context("the sweep died")?;
    anyhow::ensure!(finished, "requests were still in flight after the grace period");
    Ok(())
}

async fn work(config: Config) -> anyhow::Result<()> {
    let listener = server::bind(&config.listen).await?;
    let (concurrency, visibility) = (config.job_concurrency, config.job_visibility);
    let (state, parts) = AppState::connect_with_worker(config, "work").await?;
    let WorkerParts { queue, renderer } = parts.context("a worker needs a queue")?;
    let stop = stop_on_signal()?;
    let sweep = tokio::spawn(sweep::run(state.clone(), stop.clone()));
    let telemetry = state.telemetry.clone();
    let worker = tokio::spawn(worker::run(
        queue,
        renderer,
        concurrency as usize,
        visibility,
        stop.clone(),
        Arc::new(move |event| telemetry.record_job(event)),
    ));
    let router = crate::router::worker_router(&state);
    listen(listener, router, &state, stop).await?;
    sweep.await.context("the sweep died")?;
    worker.await.context("the worker died")?;
    Ok(())
}

async fn seed(wanted: SeedConfig) -> anyhow::Result<()> {
    let options = SeedOptions {
        people: wanted.people,
        photos: wanted.photos,
        pictures: wanted.pictures,
        follows_mean: f64::from(wanted.follows_mean),
        seed: wanted.seed,
        formats: wanted.config.renditions,
        ..SeedOptions::default()
    };
    let manifest = state::seed(&wanted.config, &options).await?;
    if let Some(path) = &wanted.manifest {
        manifest.write(path)?;
    }
    let (people, photos, seed) = (manifest.people.len(), manifest.photos.len(), manifest.seed);
    tracing::info!(people, photos, seed, "seeded");
    Ok(())
}

async fn listen(
    listener: TcpListener,
    router: Router,
    state: &AppState,
    stop: CancellationToken,
) -> anyhow::Result<bool> {
    let role = state.role;
    let address = listener.local_addr().context("the listener has no address")?;
    let settings = serde_json::to_string(&state.config.settings()).unwrap_or_default();
    tracing::info!(instance = %state.config.instance, role, %address, settings, "listening");
    announce(&address.to_string(), role);
    let grace = state.config.shutdown_grace;
    let finished = server::serve(listener, router, stop, grace).await;
    tracing::info!(finished, "stopped");
    Ok(finished)
}

#[expect(clippy::print_stdout, reason = "the one line that programs wait for")]
fn announce(address: &str, role: &str) {
    println!("{}", serde_json::json!({ "listening": address, "role": role }));
}

/// A token that SIGTERM and SIGINT cancel.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    tracing::info!(settings = ?config.settings(), "migrating");
    state::migrate(config).await?;
    tracing::info!("the tables are up to date");
    Ok(())
}
