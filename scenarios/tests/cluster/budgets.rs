//! Budgets: the kernel's own account says that a busy loop gets its share and not much more.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lightmeter::cluster::budget::BudgetHost;
use lightmeter::cluster::process::ProcessSpec;

use crate::support::{folder, launcher, skipped};

/// Every cgroup folder of ours that belongs to this process.
fn own_groups() -> Vec<PathBuf> {
    let pid = std::process::id();
    let (exact, numbered) = (format!("lightmeter-{pid}"), format!("lightmeter-{pid}-"));
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == exact || name.starts_with(&numbered) {
                found.push(entry.path());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_loop_gets_its_share_and_is_let_go_again() {
    let host = match BudgetHost::probe() {
        Ok(host) => host,
        Err(why) => return skipped(&why),
    };
    let place = folder();
    let group = Arc::new(host.group("busy", Some(0.1)).expect("a group can be made"));
    group.apply(true).expect("a budget can be set");
    let spec = ProcessSpec::new("busy", "/bin/sh", ["-c", "while :; do :; done"])
        .group(Some(group.clone()));
    let process = launcher(place.path()).spawn(&spec).await.expect("it starts");
    // The share is judged over a stretch of time by the kernel's clock of CPU, not by how long things take.
    let (before, began) = (group.usage().expect("an account"), Instant::now());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (after, wall) = (group.usage().expect("an account"), began.elapsed());
    let share = (after.cpu_us - before.cpu_us) as f64 / wall.as_micros() as f64;
    assert!((0.03..0.16).contains(&share), "it got {share:.3} of a core instead of 0.1");
    assert!(after.throttled_us > before.throttled_us, "it was never held back");
    group.apply(false).expect("a budget can be lifted");
    let before = group.usage().expect("an account");
    // Without a budget it sooner or later gets more in 200 ms than the budget allowed.
    let freed = async {
        loop {
            let before = group.usage().expect("an account").cpu_us;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if group.usage().expect("an account").cpu_us - before > 50_000 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), freed).await.expect("it is let go");
    let after = group.usage().expect("an account");
    assert!(after.cpu_us > before.cpu_us);
    process.kill().await;
    drop((process, group, spec));
    drop(host);
    assert_eq!(own_groups(), Vec::<PathBuf>::new(), "cgroups are left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_a_budget_only_keeps_the_account() {
    let host = match BudgetHost::probe() {
        Ok(host) => host,
        Err(why) => return skipped(&why),
    };
    let place = folder();
    let group = Arc::new(host.group("counted", None).expect("a group can be made"));
    group.apply(true).expect("there is nothing to apply");
    let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let spec = ProcessSpec::new("counted", "/bin/sh", ["-c", script]).group(Some(group.clone()));
    let process = launcher(place.path()).spawn(&spec).await.expect("it starts");
    process.exited().await;
    let usage = group.usage().expect("an account");
    assert!(usage.cpu_us > 1_000, "{usage:?}");
    assert_eq!(usage.throttled_us, 0);
    assert_eq!(group.share(), None);
    assert!(host.group("impossible", Some(0.0)).is_err());
}
