//! The goose users: the second driver, with the command line that load testers know (`loadgen --host URL -u 50 -t 1m`).
//!
//! goose gives the users, their behaviour and its flags; the numbers come from our recorder (`timed`), because goose's
//! clock stops at the head of an answer. It is a closed loop: a user waits for the answer before the next request, so a
//! slow server is asked less. For capacity and latency under load use the open loop (`driver`).
//!
//! Three environment variables, since the flags are goose's own:
//! `LIGHTMETER_POPULATION` names the manifest that `photo-app seed` wrote; without it users find photos and people on the
//! explore page and sign up. `LIGHTMETER_RECORD` names the file for the latencies, a histogram log as in run directories.
//! `LIGHTMETER_ASSETS_URL` names where pages link pictures to, when that is not `--host`: no third host is ever asked (`hosts`).

mod actions;
mod answers;
mod hosts;
mod known;
mod summary;
mod timed;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goose::config::GooseConfiguration;
use goose::prelude::*;

pub use self::summary::{Skipped, Summary, SummaryLine};
use crate::population::{Population, PopulationError};
use crate::record_io::{RecordError, check_writable, write_atomically};
use crate::stop::StopSignals;

/// Environment variable: the manifest of the population.
pub const POPULATION_VARIABLE: &str = "LIGHTMETER_POPULATION";
/// Environment variable: where the latencies are written at the end.
pub const RECORD_VARIABLE: &str = "LIGHTMETER_RECORD";
/// Environment variable: the address that pictures come from, when that is not `--host`.
pub const ASSETS_VARIABLE: &str = "LIGHTMETER_ASSETS_URL";

/// How long people look at a page before they go on; evenly spread.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_millis(2_000);
/// How often goose is told to end, once it has been asked to.
const KILLSWITCH_AGAIN: Duration = Duration::from_millis(100);

/// Why the users could not run or their latencies not be kept.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The manifest cannot be used.
    #[error("the population named by {POPULATION_VARIABLE} cannot be used")]
    Population(#[from] PopulationError),
    /// A host that cannot be asked.
    #[error("{name} {given} cannot be asked: {problem}")]
    Address {
        /// The option or variable that names it.
        name: &'static str,
        /// What was given.
        given: String,
        /// Why not, and what is expected.
        problem: String,
    },
    /// goose refused its options or could not run.
    #[error("goose could not run the users{}", detail(.0))]
    Goose(#[from] Box<GooseError>),
    /// goose panicked, as it does when nobody reads its table any more.
    #[error("goose broke off; was its output closed?")]
    BrokeOff(#[from] tokio::task::JoinError),
    /// The latencies cannot be written.
    #[error(
        "the latencies cannot be written to the file named by {RECORD_VARIABLE}; name one in a folder that takes it"
    )]
    Record(#[from] RecordError),
    /// The signals that end a run cannot be heard.
    #[error("could not listen for the signals that end the users")]
    Signals(#[from] std::io::Error),
    /// The users have run, and what they saw could not all be kept: the summary is left.
    #[error("the users have run, but not all of what they saw could be kept")]
    Kept {
        /// What they saw.
        summary: Box<Summary>,
        /// What could not be kept, and why.
        problems: Vec<UsersError>,
    },
}

/// goose keeps what is wrong with an option to itself, unless it is asked.
fn detail(error: &GooseError) -> String {
    match error {
        GooseError::InvalidOption { option, value, detail } => {
            format!(": {option} {value}: {detail}")
        }
        _ => String::new(),
    }
}

/// What the users know and where their latencies go.
#[derive(Debug, Clone, Default)]
pub struct UsersConfig {
    /// The manifest; none to discover photos and people from pages.
    pub population: Option<PathBuf>,
    /// The file for the latencies; none to print the summary only.
    pub record: Option<PathBuf>,
    /// Where pages link pictures to; none to load those of `--host` only.
    pub assets_url: Option<String>,
}

impl UsersConfig {
    /// From the environment.
    pub fn from_environment() -> Self {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let assets_url = std::env::var(ASSETS_VARIABLE).ok().filter(|value| !value.is_empty());
        Self { population: path(POPULATION_VARIABLE), record: path(RECORD_VARIABLE), assets_url }
    }
}

/// A kind of user with a weight, and what they do with weights: the one table of behaviour.
/// Weights are relative; a session starts with the steps of weight 0.
type Table = [(&'static str, usize, &'static [(Step, usize)]); 3];

/// What a user does in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    LogIn,
    Home,
    Explore,
    ExploreWithImages,
    Profile,
    Photo,
    Like,
    Comment,
    Follow,
    Upload,
}

impl Step {
    /// The operation's name, as in the open-loop driver where it is the same.
    fn as_str(self) -> &'static str {
        match self {
            Step::LogIn => "login",
            Step::Home => "home",
            Step::Explore => "explore",
            Step::ExploreWithImages => "page_view",
            Step::Profile => "profile",
            Step::Photo => "photo",
            Step::Like => "like",
            Step::Comment => "comment",
            Step::Follow => "follow",
            Step::Upload => "upload",
        }
    }
}

/// Most people look, some take part, few post.
const TABLE: Table = [
    (
        "visitor",
        60,
        &[
            (Step::Explore, 30),
            (Step::Photo, 40),
            (Step::Profile, 15),
            (Step::ExploreWithImages, 15),
        ],
    ),
    (
        "member",
        35,
        &[
            (Step::LogIn, 0),
            (Step::Home, 40),
            (Step::Photo, 30),
            (Step::Like, 15),
            (Step::Profile, 8),
            (Step::Comment, 4),
            (Step::Follow, 3),
        ],
    ),
    ("poster", 5, &[(Step::LogIn, 0), (Step::Home, 50), (Step::Photo, 30), (Step::Upload, 20)]),
];

/// Runs the users under goose's configuration; gives goose's own metrics and our summary. What would make the run useless is looked
/// for before it begins: hosts that cannot be asked, a record that cannot be written. Once users have run, their summary is always
/// given, if need be with the error ([`UsersError::Kept`]).
pub async fn run(
    configuration: GooseConfiguration,
    config: UsersConfig,
) -> Result<(GooseMetrics, Summary), UsersError> {
    let population = config.population.as_deref().map(Population::read).transpose()?;
    let hosts = hosts::Hosts::new(configuration.host.as_deref(), config.assets_url.as_deref())?;
    if begins_at_once(&configuration) {
        config.record.as_deref().map(check_writable).transpose()?;
        hosts.reach(&configuration).await?;
    }
    let shared = Arc::new(timed::Shared::new(known::Known::new(population), hosts));
    let boxed = |error| UsersError::Goose(Box::new(error));
    let mut attack = GooseAttack::initialize_with_config(configuration).map_err(boxed)?;
    for (name, weight, steps) in TABLE {
        let scenario = scenario(&shared, name, weight, steps).map_err(boxed)?;
        attack = attack.register_scenario(scenario);
    }
    let ender = tokio::spawn(end_on(StopSignals::without_interrupts()?));
    // In a task of its own, so that its panic does not take the record along.
    let executed = match tokio::spawn(attack.execute()).await {
        Ok(executed) => executed.map_err(boxed),
        Err(broke_off) => Err(broke_off.into()),
    };
    ender.abort();
    let recorded = shared.finish()?;
    let summary = Summary::new(&recorded);
    if summary.is_empty() && executed.is_err() {
        // Nothing was seen, so that an earlier record stays what it is.
        return executed.map(|metrics| (metrics, summary));
    }
    let written = config.record.as_deref().map(|path| {
        let log = recorded.intervals.to_log(recorded.started_at_us);
        write_atomically(path, log.as_bytes()).map_err(UsersError::from)
    });
    match (executed, written.transpose()) {
        (Ok(metrics), Ok(_)) => Ok((metrics, summary)),
        (executed, written) => {
            let problems = executed.err().into_iter().chain(written.err()).collect();
            Err(UsersError::Kept { summary: Box::new(summary), problems })
        }
    }
}

/// False where goose only lists something, or waits for its controller to say where and when to begin.
fn begins_at_once(configuration: &GooseConfiguration) -> bool {
    let lists = configuration.version || configuration.list || configuration.scenarios_list;
    !lists && configuration.render_report.is_none() && !configuration.no_autostart
}

/// Ends the run as Ctrl-C does, which goose hears by itself: the users finish what they are at, and everything is written. The second
/// signal ends it at once.
async fn end_on(mut signals: StopSignals) {
    signals.next().await;
    let insist = async {
        loop {
            // goose forgets what it was told before its users began.
            goose::trigger_killswitch("asked to end");
            tokio::time::sleep(KILLSWITCH_AGAIN).await;
        }
    };
    tokio::select! {
        () = signals.next() => std::process::exit(1),
        () = insist => {}
    }
}

fn scenario(
    shared: &Arc<timed::Shared>,
    name: &str,
    weight: usize,
    steps: &[(Step, usize)],
) -> Result<Scenario, GooseError> {
    let mut scenario =
        Scenario::new(name).set_weight(weight)?.set_wait_time(PAUSE_MIN, PAUSE_MAX)?;
    scenario = scenario.register_transaction(stay_inside(shared));
    for (step, weight) in steps {
        let (shared, step) = (shared.clone(), *step);
        let function: TransactionFunction = Arc::new(move |user| {
            let shared = shared.clone();
            Box::pin(async move { actions::act(&shared, user, step).await })
        });
        let transaction = Transaction::new(function).set_name(step.as_str());
        scenario = scenario.register_transaction(match weight {
            0 => transaction.set_on_start(),
            weight => transaction.set_weight(*weight)?,
        });
    }
    Ok(scenario)
}

/// Each user's first step, before any request: a client that does not leave the stack.
fn stay_inside(shared: &Arc<timed::Shared>) -> Transaction {
    let shared = shared.clone();
    let function: TransactionFunction = Arc::new(move |user| {
        let client = shared.hosts.client(&user.config);
        Box::pin(async move { user.set_client_builder(client).await.map_err(Box::new) })
    });
    Transaction::new(function).set_name("client").set_on_start().set_sequence(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_step_once_and_members_log_in_first() {
        for (name, weight, steps) in TABLE {
            assert!(weight > 0, "{name}");
            for (index, (step, weight)) in steps.iter().enumerate() {
                assert!(
                    steps[..index].iter().all(|(earlier, _)| earlier != step),
                    "{name}: {step:?}"
                );
                assert_eq!(*step == Step::LogIn, *weight == 0, "{name}: {step:?}");
            }
        }
    }
}
