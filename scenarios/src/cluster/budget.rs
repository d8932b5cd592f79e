//! Budgets: the share of one core that an instance may use, enforced by the kernel's CPU quota.
//!
//! Both cgroup versions are known. Version 1: `cpu.cfs_quota_us` of every `cpu.cfs_period_us`; version 2: the
//! two numbers of `cpu.max`. The period is 20 ms, so that the pauses of a throttled instance stay below that.
//! The kernel's smallest quota is 1 ms: 5 % of a core at that period. Smaller shares get a longer period,
//! larger shares a proportionally larger quota. Each instance has a group of its own in a sub-hierarchy
//! `lightmeter-<pid>`, which also keeps the account of the CPU it used. Groups are removed with their last
//! holder; what a killed run left behind is swept by the next one. Without the rights for this, `probe` says
//! what is missing, and runs go on without budgets and say so.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The period of a quota: the longest pause of a throttled instance.
const PERIOD_US: u64 = 20_000;
/// The kernel refuses quotas below this.
const QUOTA_US_MIN: u64 = 1_000;
/// The kernel refuses periods above this: shares below 0.1 % cannot be expressed.
const PERIOD_US_MAX: u64 = 1_000_000;
/// What our folders are called, before the pid.
const PREFIX: &str = "lightmeter-";
/// Tries to remove a group whose last process is still leaving the kernel; 1 ms apart.
const REMOVE_TRIES_MAX: u32 = 100;

/// Why a budget could not be set or read.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// A share outside of what the kernel can express.
    #[error("a CPU budget of {0} of a core is not possible: it must lie between 0.001 and 64")]
    Share(f64),
    /// A file of the cgroup could not be written or read.
    #[error("could not {attempt} {path}", path = path.display())]
    File {
        /// What was tried.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn file_error<'a>(
    attempt: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> BudgetError + use<'a> {
    move |source| BudgetError::File { attempt, path: path.to_path_buf(), source }
}

/// Quota and period in microseconds for a share of one core.
///
/// # Errors
/// The share is not between 0.001 and 64.
pub fn quota_of(share: f64) -> Result<(u64, u64), BudgetError> {
    if !(0.001..=64.0).contains(&share) {
        return Err(BudgetError::Share(share));
    }
    let quota = (share * PERIOD_US as f64).round() as u64;
    if quota >= QUOTA_US_MIN {
        return Ok((quota, PERIOD_US));
    }
    let period = (QUOTA_US_MIN as f64 / share).round() as u64;
    Ok((QUOTA_US_MIN, period.min(PERIOD_US_MAX)))
}

/// What an instance used since its group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// CPU time in microseconds.
    pub cpu_us: u64,
    /// How long the kernel held it back.
    pub throttled_us: u64,
}

/// The kernel's interface for quotas on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    /// The folders of the `cpu` and the `cpuacct` controller (the same folder where they are mounted together).
    V1 { cpu: PathBuf, accounts: PathBuf },
    /// One folder for all.
    V2 { root: PathBuf },
}

/// The right to give budgets: the root of our sub-hierarchy. Removed when dropped.
#[derive(Debug)]
pub struct BudgetHost {
    version: Version,
    name: String,
    next: AtomicU64,
}

impl BudgetHost {
    /// Finds out, by trying, whether budgets can be enforced here.
    ///
    /// # Errors
    /// In words: what is missing and how to get it.
    pub fn probe() -> Result<Arc<BudgetHost>, String> {
        if !cfg!(target_os = "linux") {
            return Err("this system has no cgroups: CPU budgets need Linux".into());
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut refusals = String::new();
        for version in candidates(&mounts, &own) {
            sweep(&version);
            match BudgetHost::open(version.clone()) {
                Ok(host) => return Ok(Arc::new(host)),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let _infallible = write!(refusals, "; {error}: {}", cause.unwrap_or_default());
                }
            }
        }
        Err(format!(
            "no cgroup with a CPU controller may be written here{refusals}. Run as root, or under \
             `systemd-run --user --scope -p Delegate=yes`, or in a container with a writable \
             /sys/fs/cgroup"
        ))
    }

    /// Makes our sub-hierarchy and tries a quota in it.
    fn open(version: Version) -> Result<BudgetHost, BudgetError> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        // Several hosts in one process (tests) must not remove each other's folder.
        let name = match OPENED.fetch_add(1, Ordering::Relaxed) {
            0 => format!("{PREFIX}{pid}"),
            n => format!("{PREFIX}{pid}-{n}"),
        };
        let host = BudgetHost { version, name, next: AtomicU64::new(0) };
        for folder in host.folders() {
            fs::create_dir_all(&folder).map_err(file_error("create the cgroup", &folder))?;
        }
        if let Version::V2 { root } = &host.version {
            enable_cpu_above(root);
            enable_cpu(root)?;
            enable_cpu(&root.join(&host.name))?;
        }
        host.group("probe", Some(0.5))?.apply(true)?;
        Ok(host)
    }

    fn folders(&self) -> Vec<PathBuf> {
        match &self.version {
            Version::V1 { cpu, accounts } if cpu == accounts => vec![cpu.join(&self.name)],
            Version::V1 { cpu, accounts } => vec![cpu.join(&self.name), accounts.join(&self.name)],
            Version::V2 { root } => vec![root.join(&self.name)],
        }
    }

    /// `cgroup v1` or `cgroup v2`, for the machine record.
    pub fn describe(&self) -> &'static str {
        match self.version {
            Version::V1 { .. } => "cgroup v1",
            Version::V2 { .. } => "cgroup v2",
        }
    }

    /// A new group; with `None` it only keeps the account. Its budget is not applied yet: starting up
    /// should not take twenty times as long because of it.
    ///
    /// # Errors
    /// The group cannot be made or the share is not possible.
    pub fn group(&self, name: &str, share: Option<f64>) -> Result<CpuGroup, BudgetError> {
        if let Some(share) = share {
            quota_of(share)?;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folders: Vec<PathBuf> = self
            .folders()
            .iter()
            .map(|folder| folder.join(format!("{number}-{}", name.replace('/', "-"))))
            .collect();
        let v2 = matches!(self.version, Version::V2 { .. });
        let group = CpuGroup { v2, folders, share };
        for folder in &group.folders {
            fs::create_dir(folder).map_err(file_error("create the cgroup", folder))?;
        }
        Ok(group)
    }
}

impl Drop for BudgetHost {
    fn drop(&mut self) {
        for folder in self.folders() {
            remove_tree(&folder);
        }
    }
}

/// One instance's group. Removed when its last holder drops it, after its process was reaped.
#[derive(Debug)]
pub struct CpuGroup {
    v2: bool,
    /// The quota's folder first; the account's folder last.
    folders: Vec<PathBuf>,
    share: Option<f64>,
}

impl CpuGroup {
    /// The folders whose `cgroup.procs` the instance joins.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The budget as a share of one core, whether it is applied at the moment or not.
    pub fn share(&self) -> Option<f64> {
        self.share
    }

    /// Enforces the budget, or lifts it (`on = false`). Nothing to do for a group without one.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn apply(&self, on: bool) -> Result<(), BudgetError> {
        let Some(share) = self.share else { return Ok(()) };
        let (quota, period) = quota_of(share)?;
        let folder = &self.folders[0];
        if self.v2 {
            let quota = if on { quota.to_string() } else { "max".into() };
            return write_file(&folder.join("cpu.max"), &format!("{quota} {period}"));
        }
        write_file(&folder.join("cpu.cfs_period_us"), &period.to_string())?;
        let quota = if on { quota.to_string() } else { "-1".into() };
        write_file(&folder.join("cpu.cfs_quota_us"), &quota)
    }

    /// CPU used and time held back since the group was made.
    ///
    /// # Errors
    /// The account cannot be read.
    pub fn usage(&self) -> Result<CpuUsage, BudgetError> {
        let stat = read_file(&self.folders[0].join("cpu.stat"))?;
        if self.v2 {
            return Ok(CpuUsage {
                cpu_us: field(&stat, "usage_usec"),
                throttled_us: field(&stat, "throttled_usec"),
            });
        }
        let accounts = self.folders.last().unwrap_or(&self.folders[0]);
        let nanoseconds = read_file(&accounts.join("cpuacct.usage"))?;
        Ok(CpuUsage {
            cpu_us: nanoseconds.trim().parse::<u64>().unwrap_or(0) / 1000,
            throttled_us: field(&stat, "throttled_time") / 1000,
        })
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove_group(folder);
        }
    }
}

/// Where a sub-hierarchy could be made, the likeliest first.
fn candidates(mounts: &str, own: &str) -> Vec<Version> {
    let mut found = Vec::new();
    let mounted = |kind: &str, option: &str| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, at, file_system, options, ..] = fields[..] else { return None };
            let matches = file_system == kind
                && (option.is_empty() || options.split(',').any(|one| one == option));
            matches.then(|| PathBuf::from(at))
        })
    };
    let own_path = |controller: &str| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let matches = controllers.split(',').any(|one| one == controller);
            matches.then(|| path.trim_start_matches('/').to_string())
        })
    };
    if let (Some(cpu), Some(accounts)) = (mounted("cgroup", "cpu"), mounted("cgroup", "cpuacct")) {
        found.push(Version::V1 { cpu: cpu.clone(), accounts: accounts.clone() });
        // In a container only the own group may be writable.
        if let (Some(a), Some(b)) = (own_path("cpu"), own_path("cpuacct"))
            && (!a.is_empty() || !b.is_empty())
        {
            found.push(Version::V1 { cpu: cpu.join(a), accounts: accounts.join(b) });
        }
    }
    if let Some(root) = mounted("cgroup2", "") {
        let own = own_path("").unwrap_or_default();
        // Beside our own group (delegated by the user's systemd), inside it, and at the top (root).
        if let Some(parent) = Path::new(&own).parent().filter(|parent| *parent != Path::new("")) {
            found.push(Version::V2 { root: root.join(parent) });
        }
        if !own.is_empty() {
            found.push(Version::V2 { root: root.join(&own) });
        }
        found.push(Version::V2 { root });
    }
    found
}

/// Lets the children of a version 2 group have CPU quotas.
fn enable_cpu(folder: &Path) -> Result<(), BudgetError> {
    let file = folder.join("cgroup.subtree_control");
    let enabled = read_file(&file)?;
    if enabled.split_whitespace().any(|controller| controller == "cpu") {
        return Ok(());
    }
    write_file(&file, "+cpu")
}

/// A controller must be enabled at every level from the top. What may not be written or already is does
/// not matter here: whether it was enough shows in the next step.
fn enable_cpu_above(root: &Path) {
    let above: Vec<&Path> = root.ancestors().skip(1).collect();
    for folder in above.iter().rev().filter(|folder| folder.join("cgroup.controllers").exists()) {
        if let Err(error) = enable_cpu(folder) {
            tracing::debug!(folder = %folder.display(), %error, "the CPU controller stays as it is");
        }
    }
}

/// Removes the sub-hierarchies of runs that were killed.
fn sweep(version: &Version) {
    let roots = match version {
        Version::V1 { cpu, accounts } => vec![cpu, accounts],
        Version::V2 { root } => vec![root],
    };
    for root in roots {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
            let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
            if !Path::new(&format!("/proc/{pid}")).exists() {
                remove_tree(&entry.path());
            }
        }
    }
}

fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_tree(&entry.path());
        }
    }
    remove_group(folder);
}

/// A group is busy until its last process has left the kernel; version 1 has no event for that moment.
fn remove_group(folder: &Path) {
    for _ in 0..REMOVE_TRIES_MAX {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::debug!(folder = %folder.display(), %error, "could not remove a cgroup");
                return;
            }
        }
    }
    tracing::warn!(
        folder = %folder.display(),
        "a cgroup is still in use and stays; the next run removes it"
    );
}

fn write_file(path: &Path, value: &str) -> Result<(), BudgetError> {
    fs::write(path, value).map_err(file_error("write", path))
}

fn read_file(path: &Path) -> Result<String, BudgetError> {
    fs::read_to_string(path).map_err(file_error("read", path))
}

/// The number after a name in `cpu.stat`; 0 where the kernel does not write it.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// What `/proc` says about one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcUsage {
    /// CPU time in microseconds, in steps of 10 ms.
    pub cpu_us: u64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Bytes that really went from and to the disk.
    pub disk_bytes: u64,
}

/// Reads the account of a process; zeros where there is no `/proc` or the process has ended.
pub fn proc_usage(pid: u32) -> ProcUsage {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let labelled = |text: &str, label: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(label))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let io = read("io");
    ProcUsage {
        cpu_us: cpu_us_of_stat(&read("stat")),
        memory_bytes: labelled(&read("status"), "VmRSS:") * 1024,
        disk_bytes: labelled(&io, "read_bytes:") + labelled(&io, "write_bytes:"),
    }
}

/// User and system time: fields 14 and 15, in ticks of 10 ms (`USER_HZ` is 100 on every Linux).
fn cpu_us_of_stat(stat: &str) -> u64 {
    // The name in parentheses may itself contain spaces: count from the last parenthesis.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |index: usize| {
        after_name
            .split_whitespace()
            .nth(index)
            .and_then(|value| value.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) * 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_percent_is_the_smallest_quota_of_a_short_period() {
        assert_eq!(quota_of(0.05).expect("possible"), (1_000, 20_000));
        assert_eq!(quota_of(0.25).expect("possible"), (5_000, 20_000));
        assert_eq!(quota_of(2.0).expect("possible"), (40_000, 20_000));
        assert_eq!(quota_of(0.02).expect("possible"), (1_000, 50_000));
        assert!(quota_of(0.0).is_err());
        assert!(quota_of(f64::NAN).is_err());
    }

    #[test]
    fn finds_both_versions_where_they_are_mounted() {
        let mounts = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let own = "4:cpu,cpuacct:/docker/abc\n0::/user.slice/app.scope\n";
        let found = candidates(mounts, own);
        let both = PathBuf::from("/sys/fs/cgroup/cpu,cpuacct");
        assert_eq!(found[0], Version::V1 { cpu: both.clone(), accounts: both.clone() });
        let inner = both.join("docker/abc");
        assert_eq!(found[1], Version::V1 { cpu: inner.clone(), accounts: inner });
        let unified = PathBuf::from("/sys/fs/cgroup/unified");
        assert_eq!(found[2], Version::V2 { root: unified.join("user.slice") });
        assert_eq!(found[3], Version::V2 { root: unified.join("user.slice/app.scope") });
        assert_eq!(found[4], Version::V2 { root: unified });
    }

    #[test]
    fn reads_the_account_of_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 5 0 0";
        assert_eq!(cpu_us_of_stat(stat), 2_000_000);
        assert_eq!(field("nr_periods 3\nthrottled_usec 42\n", "throttled_usec"), 42);
    }

    #[test]
    fn a_running_process_has_memory() {
        if cfg!(target_os = "linux") {
            assert!(proc_usage(std::process::id()).memory_bytes > 0);
        }
    }
}
