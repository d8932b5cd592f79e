//! The command `up`: start a stack to click through, print its address and a demo login, and stop it on Ctrl-C.
//!
//! A stack is named like `framework/cache` (a variant of an experiment) or is the `demo`: one web server with MySQL where
//! it is installed, else SQLite, and pictures in local files. CPU budgets are off: this is for looking, not for measuring.

use std::process::ExitCode;

use anyhow::{Context, bail};
use loadgen::record::Depth;
use tokio_util::sync::CancellationToken;

use crate::check;
use crate::cli::{Folder, print};
use crate::cluster::spec::{RenditionsKind, StackSpec, StoreKind, StoreSpec};
use crate::cluster::{ClusterContext, ClusterError};
use crate::experiment::section::did_you_mean;
use crate::plan::StackKey;
use crate::run::interrupt::interruptible;
use crate::run::stacks::{Running, spec_of};
use crate::run::substitute::substitute;
use crate::run::{interrupt, missing};

/// The stack that needs no experiment.
const DEMO: &str = "demo";

/// What to start.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    /// `demo`, or a variant of an experiment such as `framework/cache`.
    #[arg(default_value = DEMO)]
    pub stack: String,
    /// Instances along the experiment's axis.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub count: u32,
    /// Of the people and photos.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where experiments are read from.
    #[command(flatten)]
    pub folder: Folder,
}

/// Carries out the command.
pub fn command(args: &UpArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
    let ended = runtime.block_on(interruptible(|stop| up(args, stop)))?;
    drop(runtime);
    match ended {
        Some(result) => result.map(|()| ExitCode::SUCCESS),
        None => Ok(ExitCode::from(interrupt::EXIT_CODE)),
    }
}

async fn up(args: &UpArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let logs = tempfile::Builder::new().prefix("lightmeter-up-logs-").tempdir()?;
    let binary = std::env::current_exe().context("could not find the path of this program")?;
    let context = ClusterContext::new(binary, logs.path())?;
    let (name, spec) = spec_for(args, &context)?;
    eprintln!("starting {name} ...");
    let mut running = match Running::start(&context, &name, &spec, &stop).await {
        Ok(running) => running,
        Err(_) if stop.is_cancelled() => return Ok(()),
        Err(error) => return Err(keep_logs(error, logs)),
    };
    running.enforce_budgets(false)?;
    let told = print(&introduction(&running));
    let ended = match told {
        Ok(()) => until_stopped(&running, &stop).await,
        Err(error) => Err(error),
    };
    running.stop().await;
    ended
}

/// A stack that does not start is understood from its logs: they stay.
fn keep_logs(error: anyhow::Error, logs: tempfile::TempDir) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ClusterError::Stack(_)) => error,
        _ => error.context(format!(
            "the stack did not start; its logs stay in {}",
            logs.keep().display()
        )),
    }
}

/// The stack that was asked for, as this machine can run it.
fn spec_for(args: &UpArgs, context: &ClusterContext) -> anyhow::Result<(String, StackSpec)> {
    let missing = missing(context.services());
    if args.stack == DEMO {
        let kind = if missing.mariadb.is_none() { StoreKind::Mysql } else { StoreKind::Sqlite };
        let store = StoreSpec { kind, nodes: 1 };
        // The app as it would be launched: nothing is measured here.
        let renditions = RenditionsKind::JpegWebp;
        let mut spec = StackSpec { store, renditions, ..StackSpec::default() };
        spec.population.seed = args.seed;
        return Ok((DEMO.to_owned(), spec));
    }
    let experiments = check::chosen(&[], args.folder.experiments_dir.as_deref())?;
    let (experiments, substitutions) = substitute(experiments, &missing);
    let known = || {
        let names = experiments.iter().flat_map(|experiment| {
            experiment.variants.iter().map(|variant| format!("{}/{}", experiment.id, variant.id))
        });
        std::iter::once(DEMO.to_owned()).chain(names).collect::<Vec<String>>()
    };
    let named = args.stack.split_once('/').and_then(|(experiment, variant)| {
        let experiment = experiments.iter().find(|one| one.id == experiment)?;
        Some((experiment, experiment.variant(variant)?))
    });
    let Some((experiment, variant)) = named else {
        let known = known();
        let near = did_you_mean(&args.stack, known.iter().map(String::as_str));
        bail!("there is no stack {:?}; known: {}{near}", args.stack, known.join(", "));
    };
    for one in substitutions.iter().filter(|one| one.wanted.contains(&variant.label)) {
        eprintln!("instead of {}: {} ({})", one.wanted, one.used, one.because);
    }
    let key = StackKey { variant: variant.id.clone(), count: args.count };
    let spec = spec_of(experiment, &key, Depth::Quick, args.seed)?;
    Ok((format!("{}-{key}", experiment.id), spec))
}

/// Addresses, a login, and how to stop.
fn introduction(running: &Running) -> String {
    let mut text = String::new();
    let entries = running.targets();
    for entry in entries {
        let users =
            if entries.len() == 1 { String::new() } else { format!("  (users {})", entry.region) };
        text.push_str(&format!("address:  {}{users}\n", entry.url));
    }
    if let Some(person) = running.population().people.first() {
        text.push_str(&format!(
            "log in:   {} with the password {}\n",
            person.name, person.password
        ));
    }
    text.push_str("Ctrl-C stops it.\n");
    text
}

/// Until Ctrl-C, or until a part of the stack ends by itself.
async fn until_stopped(running: &Running, stop: &CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        dead = running.first_death() => bail!("ended by itself: {dead}"),
    }
}
