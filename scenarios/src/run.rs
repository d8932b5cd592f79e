//! The command `run`: read the experiments, start their stacks, carry out the plan, save after each trial, report.
//!
//! [`measure`] reads as the method. Its parts: `substitute` (what is not installed), `site` (here, or deployed), `records` (what `run.json` says),
//! `stacks` (everything that runs), `carry_out` (what comes next), `executor` (one trial), `reconcile` (do the counters
//! agree), `interrupt` (Ctrl-C). A trial that fails leaves a hole in the report; only what keeps results from being
//! saved ends the run early.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use loadgen::driver::{Driver, Placement};
use loadgen::record::{Depth, Machine, NullServerCheck, RunRecord, Substitution};
use loadgen::record_io::{RecordError, RunDir};
use reports::findings::warnings::DAMAGED;
use tokio_util::sync::CancellationToken;

use crate::check;
use crate::cli::{DepthArgs, print, tell};
use crate::cloud::outputs::Outputs;
use crate::cluster::ClusterContext;
use crate::cluster::process::{Launcher, ProcessSpec};
use crate::cluster::services::{Services, install_hint};
use crate::experiment::Experiment;
use crate::machine;
use crate::plan::Plan;
use crate::progress::Progress;

pub mod carry_out;
pub mod executor;
pub mod interrupt;
pub mod reconcile;
pub mod records;
pub mod site;
pub mod stacks;
pub mod substitute;

use carry_out::{End, carry_out};
use executor::{Desk, Measurer, Tally};
use interrupt::interruptible;
use records::Facts;
use site::Site;
use stacks::Stacks;
use substitute::{Missing, substitute};

/// Where runs go unless a folder is named.
const RUNS_FOLDER: &str = "runs";
/// Runs that may begin in one minute: more are a mistake of whoever starts them.
const RUNS_A_MINUTE_MAX: u32 = 100;
/// How long the generator is measured against a server that does nothing, for each of two loads.
const NULL_CHECK: Duration = Duration::from_millis(1_000);
/// How long that server may take to start.
const NULL_SERVER_READY: Duration = Duration::from_secs(20);

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Names of experiments; all when none is named.
    pub experiments: Vec<String>,
    /// How long to measure.
    #[command(flatten)]
    pub depth: DepthArgs,
    /// The run's folder; a new one in `runs` when not named.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Of everything random: the same seed gives the same requests and the same order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A deployed stage, as `terraform output -json` describes it; a second one to compare it with. The stacks are then not started
    /// here, but asked there.
    #[arg(long = "target", value_name = "OUTPUTS_JSON")]
    pub targets: Vec<PathBuf>,
    /// Where experiments are read from.
    #[command(flatten)]
    pub folder: crate::cli::Folder,
}

/// What to measure, read and checked.
struct Asked {
    experiments: Vec<Experiment>,
    /// Deployed stages; none: the stacks are started here.
    outputs: Vec<Outputs>,
}

/// What a run left behind.
#[derive(Debug)]
struct Finished {
    path: PathBuf,
    end: End,
    tally: Tally,
}

/// Carries out the command; the exit code says whether the report can be used.
pub fn command(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let folder = args.folder.experiments_dir.as_deref();
    let experiments = check::chosen(&args.experiments, folder)?;
    let outputs: Result<Vec<Outputs>, _> =
        args.targets.iter().map(|path| Outputs::read(path)).collect();
    let asked = Asked { experiments, outputs: outputs? };
    let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
    let measured = runtime.block_on(interruptible(|stop| measure(args, asked, stop)))?;
    // Whatever is still running in it is dropped, and dropping kills and cleans up.
    drop(runtime);
    let Some(finished) = measured.transpose()? else {
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    };
    let reported = report(&finished.path);
    if finished.end == End::Interrupted {
        if let Err(error) = reported {
            tell(&format!("lightmeter: no report of the interrupted run: {error:#}"));
        }
        tell(&format!("lightmeter: the trials so far are in {}", finished.path.display()));
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    reported?;
    let all_failed = finished.tally.failed == finished.tally.saved;
    Ok(if all_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes the report of a run directory and prints its path and the summary on one screen.
pub fn report(dir: &Path) -> anyhow::Result<()> {
    let summary = reports::write_report(dir)
        .with_context(|| format!("could not write the report of {}", dir.display()))?;
    for warning in summary.honesty.warnings.iter().filter(|one| one.kind == DAMAGED) {
        tell(&format!("lightmeter: {}", reports::text::plain(&warning.seen)));
    }
    let page = dir.join("report").join("index.html");
    print(&format!("{}\nreport: {}\n", reports::one_screen(&summary), page.display()))
}

/// The method: what is there, what is planned, one experiment after the other.
async fn measure(
    args: &RunArgs,
    asked: Asked,
    stop: CancellationToken,
) -> anyhow::Result<Finished> {
    let depth = args.depth.depth();
    let started_at = now();
    let name = records::run_name(&started_at, depth);
    let (name, dir) = directory(Path::new(RUNS_FOLDER), args.out.as_deref(), name)?;
    let path = dir.path().to_owned();
    let binary = std::env::current_exe().context("could not find the path of this program")?;
    let context = ClusterContext::new(&binary, &path)?;
    let driver = Driver::start(generator_placement(&context))?;

    let at = (depth, args.seed);
    let (site, experiments, substitutions) = place(asked, at, &context, &path).await?;
    let planned: Vec<(Experiment, Plan)> = experiments
        .into_iter()
        .map(|experiment| {
            let plan = Plan::of(&experiment, depth, args.seed);
            (experiment, plan)
        })
        .collect();
    let facts = Facts {
        command: std::env::args().collect(),
        commit: machine::commit(),
        started_at,
        machine: machine_of(&context, &driver),
        substitutions,
    };
    let mut run = records::run_record(name, depth, args.seed, facts, &planned);
    site.stamp(&mut run);
    // Until the end it counts as interrupted: whatever ends this process, the directory says the truth.
    run.interrupted = true;
    dir.write_run(&run)?;
    introduce(&run, &planned);

    run.null_server = null_check(&binary, &path, &context, &driver, &stop).await;
    dir.write_run(&run)?;

    let estimate_ms = planned.iter().map(|(_, plan)| plan.estimate_ms()).sum();
    let mut desk = Desk {
        dir: &dir,
        driver: &driver,
        progress: Progress::new(estimate_ms),
        sequence: 0,
        tally: Tally::default(),
    };
    let mut end = End::Done;
    for (experiment, plan) in &planned {
        end = one_experiment(
            experiment,
            plan,
            (depth, args.seed),
            (&context, &site),
            &mut desk,
            &stop,
        )
        .await?;
        if end == End::Interrupted {
            break;
        }
    }
    desk.progress.finish();
    let tally = desk.tally;
    let finished_at = now();
    if end == End::Done {
        site.record(&path, (&run.started_at, &finished_at)).await?;
    }
    run.finished_at = Some(finished_at);
    run.interrupted = end == End::Interrupted;
    dir.write_run(&run)?;
    Ok(Finished { path, end, tally })
}

/// The run's directory, and its name, which is the directory's. A run in `runs` is called after its minute; a second one of that minute
/// gets a number, also when both begin at once: only one of them is given the directory.
fn directory(
    runs: &Path,
    out: Option<&Path>,
    minute: String,
) -> Result<(String, RunDir), RecordError> {
    if let Some(path) = out {
        let dir = RunDir::create(path)?;
        let named = path.canonicalize().ok();
        let named = named.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
        return Ok((named.map_or(minute, |name| name.into_owned()), dir));
    }
    let (mut name, mut number) = (minute.clone(), 1);
    loop {
        match RunDir::create(&runs.join(&name)) {
            Err(RecordError::Occupied(_)) if number < RUNS_A_MINUTE_MAX => {
                number += 1;
                name = format!("{minute}-{number}");
            }
            made => return Ok((name, made?)),
        }
    }
}

/// Where the stacks are, and the experiments as they can be shown there.
async fn place(
    Asked { experiments, outputs }: Asked,
    at: (Depth, u64),
    context: &ClusterContext,
    path: &Path,
) -> anyhow::Result<(Site, Vec<Experiment>, Vec<Substitution>)> {
    if outputs.is_empty() {
        let (experiments, swapped) = substitute(experiments, &missing(context.services()));
        return Ok((Site::Here, experiments, swapped));
    }
    let (site, experiments) = Site::reach(outputs, experiments, at, path).await?;
    Ok((site, experiments, Vec::new()))
}

/// Starts the stacks of one experiment, measures, and stops them whatever happened.
async fn one_experiment(
    experiment: &Experiment,
    plan: &Plan,
    (depth, seed): (Depth, u64),
    (context, site): (&ClusterContext, &Site),
    desk: &mut Desk<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<End> {
    let (keys, at) = (&plan.stacks, (depth, seed));
    let mut stacks = match site {
        Site::Deployed(site) => Stacks::deployed(site.stacks_of(&experiment.id)),
        Site::Here => Stacks::start(experiment, keys, at, context, &mut desk.progress, stop).await,
    };
    let end = {
        let slo = experiment.slo.get(depth);
        let mut measurer =
            Measurer { experiment, slo, stacks: &mut stacks, desk, stop: stop.clone() };
        carry_out(plan, &mut measurer, stop).await
    };
    desk.progress.doing(&format!("{}: stopping", experiment.id));
    stacks.stop().await;
    end
}

/// Says what will happen, before it does: settings, seed, and what took another's place.
fn introduce(run: &RunRecord, planned: &[(Experiment, Plan)]) {
    let seconds: u64 = planned.iter().map(|(_, plan)| plan.estimate_ms()).sum::<u64>() / 1_000;
    let names: Vec<&str> = planned.iter().map(|(one, _)| one.id.as_str()).collect();
    let minutes = seconds.div_ceil(60);
    let (run_name, seed) = (&run.run, run.seed);
    tell(&format!("run {run_name}: {}, about {minutes} min, seed {seed}", names.join(", ")));
    tell(&format!("budgets: {}; {}", run.machine.budgets, run.machine.placement));
    for one in &run.substitutions {
        tell(&format!("instead of {}: {} ({})", one.wanted, one.used, one.because));
    }
}

/// The generator against a server that does nothing. Without it the run goes on, and the report lacks the figure.
async fn null_check(
    binary: &Path,
    path: &Path,
    context: &ClusterContext,
    driver: &Driver,
    stop: &CancellationToken,
) -> Option<NullServerCheck> {
    let measured = async {
        let launcher =
            Launcher::new(binary, path.join("logs")).on_cores(&context.placement().stacks);
        let spec = ProcessSpec::new("null-server", binary, ["null-server"]);
        let (server, ready) = launcher.spawn_listening(&spec, NULL_SERVER_READY).await?;
        let url = format!("http://{}", ready.listening).parse()?;
        let checked = driver.null_check(url, NULL_CHECK, stop.clone()).await;
        server.stop(NULL_SERVER_READY).await;
        anyhow::Ok(checked?)
    };
    match measured.await {
        Ok(check) => Some(check),
        Err(_) if stop.is_cancelled() => None,
        Err(error) => {
            tell(&format!(
                "the generator could not be measured against the null server: {error:#}"
            ));
            None
        }
    }
}

/// The generator has a core of its own where there are two.
fn generator_placement(context: &ClusterContext) -> Placement {
    let core = context.placement().generator.and_then(|core| u32::try_from(core).ok());
    Placement { core, raised_priority: true }
}

/// What is not installed, and how to get it.
pub fn missing(services: &Services) -> Missing {
    let because = |name: &str, debian: &str, homebrew: &str| {
        format!("{name} is not installed; {}", install_hint(debian, homebrew))
    };
    Missing {
        mariadb: services
            .mariadb()
            .is_none()
            .then(|| because("MariaDB", "mariadb-server-core mariadb-client-core", "mariadb")),
        redis: services.redis().is_none().then(|| because("Redis", "redis-server", "redis")),
    }
}

/// Now, in UTC, to the second.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The machine, with the place that the generator really got.
fn machine_of(context: &ClusterContext, driver: &Driver) -> Machine {
    let mut machine = machine::machine(context);
    machine.placement = format!("{} ({})", machine.placement, driver.placement());
    machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_begin_in_one_minute_get_names_of_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let minute = || "2026-11-23T0102-quick".to_owned();
        let begin = || directory(folder.path(), None, minute()).expect("a directory");
        let (first, second) = (begin(), begin());
        assert_eq!(
            [first.0.as_str(), second.0.as_str()],
            ["2026-11-23T0102-quick", "2026-11-23T0102-quick-2"]
        );
        // One that has ended and left its record keeps its name; one that left nothing gives it back.
        std::fs::write(first.1.path().join("run.json"), "{}").expect("a file");
        drop((first, second));
        let (third, _dir) = begin();
        assert_eq!(third, "2026-11-23T0102-quick-2");
    }

    #[test]
    fn as_many_runs_as_begin_at_once_get_as_many_directories() {
        let folder = tempfile::tempdir().expect("a folder");
        let begin = || directory(folder.path(), None, "a-minute".to_owned()).expect("a directory");
        let claimed: Vec<(String, RunDir)> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
            begun.into_iter().map(|one| one.join().expect("it ended well")).collect()
        });
        let names: std::collections::BTreeSet<&str> =
            claimed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 8, "{names:?}");
    }

    #[test]
    fn a_named_folder_names_its_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("before-the-holidays");
        let named = directory(Path::new("unused"), Some(&out), "a-minute".to_owned());
        let (name, dir) = named.expect("a directory");
        assert_eq!((name.as_str(), dir.path()), ("before-the-holidays", out.as_path()));
        let again = directory(Path::new("unused"), Some(&out), "a-minute".to_owned());
        assert!(matches!(again, Err(RecordError::Occupied(_))));
    }
}
