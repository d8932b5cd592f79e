//! `cargo lab doctor`: what this machine has, what will be used, what will stand in, and how to get what is missing.
//!
//! It only looks. The exit code is 0 unless nothing could run here at all.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use loadgen::record::Machine;

use crate::cluster::Placement;
use crate::cluster::budget::BudgetHost;
use crate::cluster::services::{Services, install_hint};
use crate::machine;

/// A quick run needs this much for databases, pictures and logs.
const FREE_BYTES_MIN: u64 = 2 << 30;
/// Memory below which several MariaDB instances at once become tight.
const MEMORY_BYTES_MIN: u64 = 3 << 30;

/// What was found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The machine.
    pub machine: Machine,
    /// MariaDB's version, if it is there.
    pub mariadb: Option<String>,
    /// Redis's or Valkey's version, if one is there.
    pub redis: Option<String>,
    /// How budgets are enforced, or what is missing for it.
    pub budgets: Result<&'static str, String>,
    /// Free bytes where temporary files go; none when that cannot be found out.
    pub free_bytes: Option<u64>,
    /// Whether the loopback interface gives ports.
    pub loopback: bool,
}

/// Looks at this machine.
pub fn look() -> Findings {
    let services = Services::discover();
    let budgets = BudgetHost::probe().map(|host| host.describe());
    let in_words = match &budgets {
        Ok(kind) => (*kind).to_string(),
        Err(why) => format!("none: {why}"),
    };
    Findings {
        machine: machine::facts(&services, &Placement::of_this_machine(), in_words),
        mariadb: services.mariadb().map(|found| found.version.clone()),
        redis: services.redis().map(|found| found.version.clone()),
        budgets,
        free_bytes: free_bytes(&std::env::temp_dir()),
        loopback: std::net::TcpListener::bind("127.0.0.1:0").is_ok(),
    }
}

/// What to print, and whether anything can run here.
pub fn run() -> (String, ExitCode) {
    let findings = look();
    let code = if findings.loopback { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    (describe(&findings), code)
}

/// The findings in words, one line each: what is there, or what happens without it and how to get it.
pub fn describe(findings: &Findings) -> String {
    let mut lines: Vec<(&str, &str, String)> = Vec::new();
    let machine = &findings.machine;
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    lines.push((
        "ok",
        "machine",
        format!("{}, {} cores, {}", machine.cpu_model, machine.cores, gib(machine.memory_bytes)),
    ));
    lines.push(("ok", "system", format!("{}, kernel {}", machine.os, machine.kernel)));
    lines.push(match &findings.mariadb {
        Some(version) => ("ok", "MariaDB", format!("{version}: private instances play MySQL")),
        None => (
            "without",
            "MariaDB",
            format!(
                "not found. SQLite takes the place of MySQL, and the report says so; {}",
                install_hint("mariadb-server-core mariadb-client-core", "mariadb")
            ),
        ),
    });
    lines.push(match &findings.redis {
        Some(version) => ("ok", "Redis", format!("{version}: the shared cache")),
        None => (
            "without",
            "Redis",
            format!(
                "not found. The in-process cache takes its place, and the report says so; {}",
                install_hint("redis-server", "redis")
            ),
        ),
    });
    let stand_in = "lightmeter itself stands in; what rests on it is stamped SIMULATED";
    for service in ["DynamoDB", "S3", "SQS", "CDN"] {
        lines.push(("stand-in", service, stand_in.into()));
    }
    lines.push(match &findings.budgets {
        Ok(kind) => ("ok", "budgets", format!("CPU quotas by {kind}")),
        Err(why) => (
            "without",
            "budgets",
            format!("instances cannot be held to a share of a core, so scaling out cannot be shown: {why}"),
        ),
    });
    lines.push(cores_line(machine));
    if machine.memory_bytes < MEMORY_BYTES_MIN {
        lines.push((
            "careful",
            "memory",
            format!("below {}: eight database nodes at once may not fit", gib(MEMORY_BYTES_MIN)),
        ));
    }
    lines.push(disk_line(findings.free_bytes, &gib));
    if !findings.loopback {
        lines.push((
            "missing",
            "loopback",
            "no port on 127.0.0.1 can be listened on: nothing can run here. Bring the interface up \
             (ip link set lo up) or leave the sandbox"
                .into(),
        ));
    }
    let mut text = String::new();
    for (state, what, words) in lines {
        let _infallible = writeln!(text, "{state:>8}  {what:<9} {words}");
    }
    text
}

fn cores_line(machine: &Machine) -> (&'static str, &'static str, String) {
    let load = machine.load_average;
    let busy = load > f64::from(machine.cores) / 2.0;
    let words = format!("{}; load average {load:.2}", machine.placement);
    if machine.cores < 2 {
        let words = format!("{words}: with one core the generator disturbs what it measures");
        return ("careful", "cores", words);
    }
    if busy {
        let words =
            format!("{words}: other work is running, expect noise (end it before measuring)");
        return ("careful", "cores", words);
    }
    ("ok", "cores", words)
}

fn disk_line(
    free: Option<u64>,
    gib: &impl Fn(u64) -> String,
) -> (&'static str, &'static str, String) {
    let place = std::env::temp_dir();
    let place = place.display();
    match free {
        Some(free) if free < FREE_BYTES_MIN => (
            "careful",
            "disk",
            format!(
                "only {} free in {place}: a run needs about {}; set TMPDIR to a larger disk",
                gib(free),
                gib(FREE_BYTES_MIN)
            ),
        ),
        Some(free) => ("ok", "disk", format!("{} free in {place}", gib(free))),
        None => ("careful", "disk", format!("the free space in {place} cannot be read")),
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_what_stands_in_and_how_to_get_it() {
        let mut findings = look();
        findings.mariadb = None;
        findings.redis = None;
        findings.budgets = Err("no rights; run as root".into());
        findings.free_bytes = Some(1 << 20);
        findings.loopback = false;
        let text = describe(&findings);
        for word in
            ["SQLite takes the place", "in-process cache", "no rights", "TMPDIR", "nothing can run"]
        {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
        assert_eq!(text.matches("install it with").count(), 2);
    }
}
