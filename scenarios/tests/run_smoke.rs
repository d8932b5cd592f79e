//! The smallest experiment end to end, through the binary that people start: stacks, driver, record, report. And the
//! mistakes of people: unknown names, an occupied folder, a port in use.

use std::path::Path;
use std::process::{Command, Output};

use loadgen::record::{Depth, Outcome, Purpose};
use loadgen::record_io::RunDir;

fn lightmeter(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lightmeter"))
        .args(args)
        .output()
        .expect("the binary can be started")
}

fn tiny() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny").display().to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_smallest_experiment_runs_from_its_file_to_its_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let out_text = out.display().to_string();
    let output = lightmeter(&["run", "--experiments", &tiny(), "--out", &out_text, "--seed", "7"]);
    assert!(output.status.success(), "{}", stderr(&output));

    let dir = RunDir::open(&out).expect("a run directory");
    let run = dir.read_run().expect("run.json can be read");
    assert_eq!((run.depth, run.seed, run.interrupted), (Depth::Quick, 7, false));
    assert_eq!(run.run, "run", "it is called as its folder");
    assert!(run.finished_at.is_some());
    assert!(run.null_server.is_some_and(|check| check.rate_per_s > 0.0));
    let trials = dir.read_trials().expect("trials can be read");
    assert!(trials.notes.is_empty(), "{:?}", trials.notes);
    assert!(trials.damaged.is_empty(), "{:?}", trials.damaged);
    let trials = trials.trials;
    for trial in &trials {
        let (id, outcome) = (&trial.record.id, &trial.record.outcome);
        assert!(!matches!(outcome, Outcome::Failed { .. }), "{id}: {outcome:?}");
        assert_eq!(trial.record.settings.get("web.store").map(String::as_str), Some("sqlite"));
        let wrong =
            trial.record.operations.values().any(|one| one.errors.contains_key("wrong body"));
        assert!(!wrong, "{id}: {:?}", trial.record.operations);
    }
    for purpose in [
        Purpose::WarmUp,
        Purpose::Probe,
        Purpose::Performance,
        Purpose::Aa,
        Purpose::Level,
        Purpose::Capacity,
    ] {
        let count = trials.iter().filter(|trial| trial.record.purpose == purpose).count();
        assert!(count > 0, "no trial for {purpose:?}");
    }
    let one_user = trials.iter().filter(|trial| trial.record.purpose == Purpose::Performance);
    for trial in one_user {
        assert!(!trial.record.reconciliations.is_empty(), "{}", trial.record.id);
        for compared in &trial.record.reconciliations {
            assert_eq!(compared.servers, compared.clients, "{}: {compared:?}", trial.record.id);
        }
    }

    let page = std::fs::read_to_string(out.join("report/index.html")).expect("the page is there");
    assert!(page.contains("Load balancer"));
    let summary = std::fs::read(out.join("summary.json")).expect("the summary is there");
    let summary: serde_json::Value = serde_json::from_slice(&summary).expect("it is JSON");
    assert_eq!(summary["schema"], "lightmeter/summary/1");
    assert_eq!(summary["experiments"][0]["id"], "tiny");
    let axes: Vec<&str> = summary["experiments"][0]["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["axis"].as_str())
        .collect();
    assert!(axes.contains(&"performance") && axes.contains(&"scalability"), "{axes:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("index.html"), "{printed}");

    // The same raw data gives the same report, and a folder that holds a run is not written over.
    let again = lightmeter(&["report", &out_text]);
    assert!(again.status.success(), "{}", stderr(&again));
    let page_again = std::fs::read_to_string(out.join("report/index.html")).expect("the page");
    assert!(page == page_again, "the report differs from the same raw data");

    // A trial that is damaged later is left out and named; the rest is reported.
    let trial = &trials[trials.len() / 2].record.id;
    let histograms = out.join("trials").join(trial).join("histograms.hlog");
    std::fs::write(&histograms, "").expect("it can be emptied");
    let damaged = lightmeter(&["report", &out_text]);
    assert!(damaged.status.success(), "{}", stderr(&damaged));
    let named = format!("Trial {trial} is damaged and left out: histograms.hlog is empty.");
    assert!(stderr(&damaged).contains(&named), "{}", stderr(&damaged));
    let page = std::fs::read_to_string(out.join("report/index.html")).expect("the page");
    assert!(page.contains(&named), "the page does not name it");

    let occupied = lightmeter(&["run", "--experiments", &tiny(), "--out", &out_text]);
    assert!(!occupied.status.success());
    assert!(stderr(&occupied).contains("already holds a run"), "{}", stderr(&occupied));
}

#[test]
fn an_unknown_experiment_is_refused_before_anything_starts() {
    let output = lightmeter(&["run", "framwork", "--out", "/nonexistent/never-made"]);
    assert!(!output.status.success());
    let message = stderr(&output);
    assert!(message.contains("database, assets, framework, imaging"), "{message}");
    assert!(message.contains("did you mean \"framework\""), "{message}");
}

#[test]
fn a_file_with_mistakes_is_refused_with_their_places() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(Path::new(&tiny()).join("tiny.toml")).expect("the file");
    let broken = text.replace("store = \"sqlite\"", "store = \"sqlight\"");
    std::fs::write(folder.path().join("tiny.toml"), &broken).expect("a file can be written");
    let line = broken.lines().position(|line| line.starts_with("store = \"sqlight\""));
    let place = format!("tiny.toml:{}:9:", line.expect("the file names a store") + 1);
    let named = folder.path().display().to_string();
    for command in ["run", "check", "list"] {
        let output = lightmeter(&[command, "--experiments", &named]);
        assert!(!output.status.success(), "{command}");
        let message = stderr(&output);
        assert!(message.contains(&place), "{command}: {message}");
        assert!(message.contains("did you mean \"sqlite\""), "{command}: {message}");
    }
}

#[test]
fn an_unknown_stack_lists_the_known_ones() {
    let output = lightmeter(&["up", "--experiments", &tiny(), "tiny/aftr"]);
    assert!(!output.status.success());
    let message = stderr(&output);
    assert!(message.contains("known: demo, tiny/before, tiny/after"), "{message}");
}

#[test]
fn a_port_in_use_is_one_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = lightmeter(&["app", "serve", "--listen", &address, "--store", "memory"]);
    assert!(!output.status.success());
    let message = stderr(&output);
    assert!(message.contains(&address), "{message}");
    assert!(message.to_lowercase().contains("in use"), "{message}");
}
