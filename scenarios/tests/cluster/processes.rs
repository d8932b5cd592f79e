//! Processes: readiness, death noticed, stop and kill, and nothing that outlives its parent.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use lightmeter::cluster::process::{ProcessError, ProcessSpec};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{LIGHTMETER, folder, launcher, processes_naming, until_none};

const LIMIT: Duration = Duration::from_secs(30);

fn shell(name: &str, script: &str) -> ProcessSpec {
    ProcessSpec::new(name, "/bin/sh", ["-c", script])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ready_line_is_found_among_other_output() {
    let place = folder();
    let spec = shell(
        "talker",
        r#"echo hello; echo '{"listening":"127.0.0.1:7","role":"x"}'; exec sleep 600"#,
    );
    let (process, ready) =
        launcher(place.path()).spawn_listening(&spec, LIMIT).await.expect("it gets ready");
    assert_eq!(ready.listening.port(), 7);
    assert!(process.is_running());
    let status = process.stop(LIMIT).await.expect("it ends");
    assert_eq!(status.signal(), Some(15));
    let log = std::fs::read_to_string(process.log()).expect("it has a log");
    assert!(log.contains("hello") && log.contains("listening"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_before_readiness_quotes_the_log() {
    let place = folder();
    let spec = shell("dying", "echo 'the disk is full' >&2; exit 3");
    let error = launcher(place.path()).spawn_listening(&spec, LIMIT).await.expect_err("it dies");
    let text = error.to_string();
    assert!(matches!(error, ProcessError::Died { .. }), "{text}");
    for word in ["dying", "exit status: 3", "dying.log", "the disk is full"] {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_program_is_named() {
    let place = folder();
    let spec = ProcessSpec::new("absent", "/no/such/program", ["x"]);
    let error = launcher(place.path()).spawn_listening(&spec, LIMIT).await.expect_err("no program");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ignores_sigterm_is_killed_and_so_is_what_is_dropped() {
    let place = folder();
    let launcher = launcher(place.path());
    let script = r#"trap '' TERM; echo '{"listening":"127.0.0.1:7"}'; while :; do sleep 1; done"#;
    let marker = format!("#{}", place.path().display());
    let spec = shell("stubborn", &format!("{script} {marker}"));
    let (process, _) = launcher.spawn_listening(&spec, LIMIT).await.expect("it gets ready");
    let status = process.stop(Duration::from_millis(50)).await.expect("it ends");
    assert_eq!(status.signal(), Some(9));
    let (dropped, _) = launcher.spawn_listening(&spec, LIMIT).await.expect("it gets ready");
    drop(dropped);
    until_none("processes", || processes_naming(place.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_parent_that_was_killed() {
    if !cfg!(target_os = "linux") {
        return crate::support::skipped("this system has no parent-death signal");
    }
    let place = folder();
    let marker = place.path().display();
    // The parent is a process of its own: a shell that starts one child through `launch` and waits.
    let script = format!(
        "{LIGHTMETER} launch --parent $$ -- /bin/sh -c 'echo up; exec tail -f {marker}/file' & wait"
    );
    std::fs::write(place.path().join("file"), "").expect("a file can be written");
    let mut parent = tokio::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell can be started");
    let stdout = parent.stdout.take().expect("its output is piped");
    // Kept until the end: `tail` ends by itself when nobody reads it any more.
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next_line().await.expect("its output can be read");
    assert_eq!(line.as_deref(), Some("up"));
    let children = || processes_naming(place.path());
    while !children().iter().any(|child| child.contains(": tail -f")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    parent.kill().await.expect("it can be killed");
    until_none("processes", children).await;
    drop(lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_whose_parent_has_gone_does_not_begin() {
    let output = tokio::process::Command::new(LIGHTMETER)
        .args(["launch", "--parent", "1", "--", "/bin/echo", "started"])
        .output()
        .await
        .expect("it can be run");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
}
