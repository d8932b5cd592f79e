//! The machine, for the run's manifest: processor, memory, kernel, versions, noise before the run, and the commit.
//!
//! Everything is read, nothing is guessed: what cannot be found out is `unknown`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use loadgen::record::Machine;

use crate::cluster::{ClusterContext, Placement, services::Services};

/// What stands where something cannot be found out.
const UNKNOWN: &str = "unknown";

/// The machine as a run's clusters see it.
pub fn machine(context: &ClusterContext) -> Machine {
    facts(context.services(), context.placement(), context.budgets_in_words())
}

/// The same from its parts, for `doctor`.
pub fn facts(services: &Services, placement: &Placement, budgets: String) -> Machine {
    let mut versions = BTreeMap::from([
        ("lightmeter".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("rustc".to_string(), first_line("rustc", &["--version"])),
    ]);
    if let Some(mariadb) = services.mariadb() {
        versions.insert("mariadb".into(), mariadb.version.clone());
    }
    if let Some(redis) = services.redis() {
        versions.insert("redis".into(), redis.version.clone());
    }
    let uname = rustix::system::uname();
    Machine {
        cpu_model: cpu_model(),
        cores: core_count(),
        memory_bytes: memory_bytes(),
        kernel: uname.release().to_string_lossy().into_owned(),
        os: operating_system(),
        versions,
        budgets,
        placement: placement.in_words(),
        load_average: load_average(),
    }
}

/// Cores that this process may use.
pub fn core_count() -> u32 {
    let cores = std::thread::available_parallelism();
    cores.ok().and_then(|cores| u32::try_from(cores.get()).ok()).unwrap_or(1)
}

/// The commit of the code in the clone that this binary was built from, `-dirty` when the tree differs from it;
/// `unknown` when the clone is gone.
pub fn commit() -> String {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(clone).args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        output.status.success().then_some(text)
    };
    let Some(head) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return option_env!("LIGHTMETER_COMMIT").unwrap_or(UNKNOWN).to_string();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => head,
        _ => format!("{head}-dirty"),
    }
}

/// The load average over one minute; 0 where it cannot be read.
pub fn load_average() -> f64 {
    let text = match std::fs::read_to_string("/proc/loadavg") {
        Ok(text) => text,
        // `sysctl` prints `{ 1.23 1.10 0.98 }`.
        Err(_) => first_line("sysctl", &["-n", "vm.loadavg"]).replace(['{', '}'], ""),
    };
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

fn cpu_model() -> String {
    if cfg!(target_os = "macos") {
        return first_line("sysctl", &["-n", "machdep.cpu.brand_string"]);
    }
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // ARM kernels name no model; what they name is better than nothing.
    for label in ["model name", "Model", "Hardware", "CPU part"] {
        let line = text.lines().find(|line| line.starts_with(label));
        if let Some((_, value)) = line.and_then(|line| line.split_once(':')) {
            return value.trim().to_string();
        }
    }
    UNKNOWN.to_string()
}

fn memory_bytes() -> u64 {
    if cfg!(target_os = "macos") {
        return first_line("sysctl", &["-n", "hw.memsize"]).parse().unwrap_or(0);
    }
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn operating_system() -> String {
    if cfg!(target_os = "macos") {
        return format!("macOS {}", first_line("sw_vers", &["-productVersion"]));
    }
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or_else(|| UNKNOWN.to_string(), |name| name.trim_matches('"').to_string())
}

/// The first line that a program prints; `unknown` when it cannot be run.
fn first_line(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.ok().filter(|output| output.status.success());
    text.and_then(|output| {
        String::from_utf8_lossy(&output.stdout).lines().next().map(|line| line.trim().to_string())
    })
    .unwrap_or_else(|| UNKNOWN.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core_and_a_kernel() {
        let machine = facts(&Services::discover(), &Placement::default(), "none: a test".into());
        assert!(machine.cores >= 1);
        assert!(!machine.kernel.is_empty());
        assert!(machine.versions.contains_key("lightmeter"));
        if cfg!(target_os = "linux") {
            assert!(machine.memory_bytes > 0);
            assert_ne!(machine.os, UNKNOWN);
        }
    }
}
