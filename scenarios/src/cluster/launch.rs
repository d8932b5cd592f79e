//! `lightmeter launch`: the small step between `lightmeter` and a program of the cluster.
//!
//! It binds the program's life to its parent's, joins the cgroups of its budget, takes its cores and its
//! priority, and then *becomes* the program (exec), so that pid, CPU account and signals are the program's
//! own. Everything here happens on one thread, before the program's first instruction. On systems without
//! a parent-death signal or affinity (macOS) those two steps are left out; `process` still stops every
//! program in order. What starts it: `process::Launcher`.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

/// What to set up, and which program to become.
#[derive(Debug, Clone, clap::Args)]
pub struct LaunchArgs {
    /// Give up when the parent is no longer this process (it died before the signal was armed).
    #[arg(long, value_name = "PID")]
    pub parent: Option<u32>,
    /// Join this cgroup; may be given several times (one per controller in cgroup v1).
    #[arg(long, value_name = "DIR")]
    pub cgroup: Vec<PathBuf>,
    /// Run on these cores only, such as `0,1,4`.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub cores: Vec<usize>,
    /// Be this much nicer to others (0 to 19).
    #[arg(long)]
    pub nice: Option<i32>,
    /// The program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub command: Vec<OsString>,
}

/// Sets everything up and becomes the program; it only returns when that failed.
///
/// # Errors
/// Names the step that failed: parent gone, cgroup not writable, cores not available, program not found.
pub fn run(args: LaunchArgs) -> anyhow::Result<Infallible> {
    die_with_parent(args.parent)?;
    for folder in &args.cgroup {
        let file = folder.join("cgroup.procs");
        std::fs::write(&file, std::process::id().to_string())
            .with_context(|| format!("could not join the cgroup through {}", file.display()))?;
    }
    if !args.cores.is_empty() {
        bind_to_cores(&args.cores)?;
    }
    if let Some(nice) = args.nice {
        rustix::process::setpriority_process(None, nice)
            .with_context(|| format!("could not set the nice value {nice}"))?;
    }
    let (program, rest) = args.command.split_first().context("no program was named after `--`")?;
    let failure = Command::new(program).args(rest).exec();
    Err(failure).with_context(|| format!("could not run {}", program.to_string_lossy()))
}

/// Arms the signal, then looks whether the parent was faster.
fn die_with_parent(parent: Option<u32>) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("could not arm the parent-death signal")?;
    let Some(expected) = parent else { return Ok(()) };
    let actual = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if actual != Some(expected) {
        bail!("the parent process {expected} has ended");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn bind_to_cores(cores: &[usize]) -> anyhow::Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            bail!("core {core} is beyond the {} that can be named", CpuSet::MAX_CPU);
        }
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("could not bind to the cores {cores:?}"))
}

#[cfg(not(target_os = "linux"))]
fn bind_to_cores(_cores: &[usize]) -> anyhow::Result<()> {
    Ok(())
}
