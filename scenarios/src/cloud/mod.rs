//! The course on AWS, seen from the command line: what a stage costs, what is left of it, and running experiments against it.
//!
//! Module map: `aws_cli` asks AWS through its own command line tool -> `prices` and `cost` (before anything is applied), `leftovers`
//! (after it was destroyed), `merge` (what a fleet of load generators wrote). For `run --target`: `outputs` (terraform's outputs,
//! checked) -> `deployed` (a stage that answers: settings, counters, population) -> `matching` (which variants it can show)
//! -> `facts` (instances and CloudWatch, into `cloud.json`). terraform/ is the other half; docs/aws.md says how to use both.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::print;

pub mod aws_cli;
pub mod cost;
pub mod deployed;
pub mod facts;
pub mod leftovers;
pub mod matching;
pub mod merge;
pub mod outputs;
pub mod prices;

use aws_cli::AwsCli;

/// What `cargo lab cloud` can do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum CloudCommand {
    /// What a stage costs by the hour, at list prices, before anything is applied.
    Cost(cost::CostArgs),
    /// What still carries the project's tag; fails when anything does.
    Leftovers(leftovers::LeftoversArgs),
    /// Merge what a fleet of load generators wrote.
    Merge {
        /// A folder with their .hlog files, as `aws s3 sync s3://RESULTS/load/RUN DIR` brings it.
        dir: PathBuf,
        /// Where the merged histogram log goes.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Carries out the command.
pub fn command(command: &CloudCommand) -> anyhow::Result<ExitCode> {
    match command {
        CloudCommand::Cost(args) => print(&cost::describe(args)?)?,
        CloudCommand::Merge { dir, out } => print(&merge::merge(dir, out.as_deref())?)?,
        CloudCommand::Leftovers(args) => {
            let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
            let found = runtime.block_on(leftovers::find(&AwsCli::default(), args))?;
            print(&leftovers::describe(args, &found))?;
            return Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}
