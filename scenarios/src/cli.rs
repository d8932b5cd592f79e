//! The command line: words -> one command -> the module that carries it out. Data goes to stdout, talk to stderr.
//!
//! The same binary also plays every role of a cluster (it starts itself again with another first word), so that a
//! cluster needs one file. Those roles are hidden from the help: they are started by `cluster`, not by people.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use loadgen::record::Depth;

use crate::check;
use crate::cloud::{self, CloudCommand};
use crate::cluster::roles::{self, Role};
use crate::doctor;
use crate::run::{self, RunArgs};
use crate::up::{self, UpArgs};

/// Measures where a photo-sharing app runs out of road, and what each cure buys.
#[derive(Debug, Parser)]
#[command(name = "lightmeter", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure experiments and write the report.
    Run(RunArgs),
    /// Write the report of a run directory again, from its raw data.
    Report {
        /// The run directory.
        dir: PathBuf,
    },
    /// Put two runs side by side, or say why they cannot be compared.
    Compare {
        /// The earlier run directory.
        a: PathBuf,
        /// The later run directory.
        b: PathBuf,
    },
    /// Start a stack to click through, and print its address and a demo login.
    Up(UpArgs),
    /// What this machine has, what will be used, and how to get what is missing.
    Doctor,
    /// Show the experiments: their question, their variants, how long they take.
    List(Folder),
    /// Explain every mistake in the experiments' TOML files.
    Check(CheckArgs),
    /// The same stacks on AWS: what a stage costs, what is left of it, what a fleet of load generators wrote.
    #[command(subcommand)]
    Cloud(CloudCommand),
    #[command(flatten)]
    Role(Role),
}

/// Where experiments are read from.
#[derive(Debug, Clone, Args)]
pub struct Folder {
    /// Folder of TOML files in the place of the experiments that come with the program.
    #[arg(long = "experiments", value_name = "DIR")]
    pub experiments_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// TOML files; all experiments when none is named.
    files: Vec<PathBuf>,
    #[command(flatten)]
    folder: Folder,
}

/// How long to measure.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub struct DepthArgs {
    /// For a demonstration: all experiments within ten minutes (the default).
    #[arg(long)]
    quick: bool,
    /// For a lesson.
    #[arg(long)]
    standard: bool,
    /// For a publication.
    #[arg(long)]
    thorough: bool,
}

impl DepthArgs {
    /// The depth asked for.
    pub fn depth(self) -> Depth {
        match (self.standard, self.thorough) {
            (true, _) => Depth::Standard,
            (_, true) => Depth::Thorough,
            _ => Depth::Quick,
        }
    }
}

/// Carries out a command line.
pub fn main(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(help_or_mistake) => {
            help_or_mistake.print()?;
            return Ok(ExitCode::from(u8::try_from(help_or_mistake.exit_code()).unwrap_or(2)));
        }
    };
    match cli.command {
        Command::List(folder) => print(&check::list(folder.experiments_dir.as_deref())?)?,
        Command::Check(args) => {
            print(&check::check(&args.files, args.folder.experiments_dir.as_deref())?)?;
        }
        Command::Run(args) => {
            log_to_stderr();
            return run::command(&args);
        }
        Command::Report { dir } => run::report(&dir)?,
        Command::Compare { a, b } => print(&format!("{}\n", reports::compare(&a, &b)?))?,
        Command::Doctor => {
            let (text, code) = doctor::run();
            print(&text)?;
            return Ok(code);
        }
        Command::Up(args) => {
            log_to_stderr();
            return up::command(&args);
        }
        Command::Cloud(command) => return cloud::command(&command),
        Command::Role(role) => return roles::run(role),
    }
    Ok(ExitCode::SUCCESS)
}

/// Warnings of what is being measured go to stderr; `RUST_LOG` shows more.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let to_stderr = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    to_stderr.without_time().with_ansi(false).init();
}

/// Says something on stderr. A terminal that has been closed hears nothing, which is no reason to leave things half done.
pub fn tell(line: &str) {
    let _nobody_hears = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes data to stdout. A reader that has gone away (`| head`) is no mistake.
pub fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_its_words_reach_their_places() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from([
            "lightmeter",
            "run",
            "assets",
            "--experiments",
            "there",
            "--standard",
        ]);
        let Ok(Cli { command: Command::Run(args) }) = cli else { panic!("{cli:?}") };
        assert_eq!(args.experiments, ["assets"]);
        assert_eq!(args.folder.experiments_dir, Some(PathBuf::from("there")));
        assert_eq!(args.depth.depth(), Depth::Standard);
        assert!(Cli::try_parse_from(["lightmeter", "run", "--quick", "--thorough"]).is_err());
    }
}
