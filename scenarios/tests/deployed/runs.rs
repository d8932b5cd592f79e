//! Runs against stages that are played on loopback: from their outputs to the report, and what is refused.

use std::path::Path;

use loadgen::record::{Outcome, Purpose, Reality};
use loadgen::record_io::RunDir;
use serde_json::{Value, json};

use crate::stage::{Stage, World, stderr, tiny};

fn aws_knows_both(world: &World) {
    let instance = |id: &str, stage: &str| {
        json!({
            "InstanceId": id, "InstanceType": "t3.small", "ImageId": "ami-1", "Placement": { "AvailabilityZone": "us-east-1a" },
            "Tags": [{ "Key": "Name", "Value": format!("lightmeter-{stage}-web") }],
        })
    };
    let instances = [instance("i-1", "0-one-box"), instance("i-2", "3-framework")];
    world.write(
        "bin/instances.json",
        &json!({ "Reservations": [{ "Instances": instances }] }).to_string(),
    );
    world.write(
        "bin/figures.json",
        r#"{"MetricDataResults": [{"Id": "m0", "Timestamps": ["2026-11-25T08:00:00Z"], "Values": [144.0]}]}"#,
    );
}

#[test]
fn two_stages_are_asked_who_they_are_filled_measured_and_reported() {
    let world = World::new();
    aws_knows_both(&world);
    let (one, group) =
        (Stage::start(&world, "0-one-box", 1), Stage::start(&world, "3-framework", 2));
    let (first, second) = (one.outputs_file(&world), group.outputs_file(&world));
    let out = world.path("run");
    let out_text = out.display().to_string();
    let output = world.lightmeter(&[
        "run",
        "--experiments",
        &tiny(),
        "--target",
        &first,
        "--target",
        &second,
        "--out",
        &out_text,
    ]);
    assert!(output.status.success(), "{}", stderr(&output));

    each_stage_was_seeded_once(&world);
    the_trials_are_whole(&out);
    aws_has_its_say(&out);
    let summary = std::fs::read_to_string(out.join("summary.json")).expect("the summary is there");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let findings = summary["experiments"][0]["findings"].as_array().expect("findings");
    assert!(!findings.is_empty());
    for finding in findings {
        assert_ne!(finding["verdict"], "NOT COMPARABLE", "{finding}");
    }
    assert!(out.join("report/index.html").exists());
}

/// By its own document, on an instance of its own.
fn each_stage_was_seeded_once(world: &World) {
    let calls = world.calls().into_iter();
    let seeded: Vec<String> = calls.filter(|call| call.starts_with("ssm send-command")).collect();
    assert_eq!(seeded.len(), 2, "{seeded:?}");
    assert!(seeded[0].contains("0-one-box-seed --instance-ids i-1"), "{seeded:?}");
    let population = "people=20,photos=40,pictures=1,followsMean=3,seed=1";
    assert!(seeded[1].contains(population), "{seeded:?}");
}

fn the_trials_are_whole(out: &Path) {
    let dir = RunDir::open(out).expect("a run directory");
    let run = dir.read_run().expect("run.json can be read");
    assert_eq!((run.mode, run.interrupted), (Reality::Simulated, false), "loopback is not REAL");
    let [tiny] = &run.experiments[..] else { panic!("{:?}", run.experiments) };
    assert!(tiny.variants.iter().all(|one| one.simulated[0].contains("plays the deployed one")));
    assert_eq!(tiny.axis.counts, [2]);
    assert_eq!(tiny.budgets["web (after)"], "t3.small in us-east-1 of 3-framework");
    let trials = dir.read_trials().expect("trials can be read").trials;
    for trial in &trials {
        let (id, record) = (&trial.record.id, &trial.record);
        assert!(!matches!(record.outcome, Outcome::Failed { .. }), "{id}: {:?}", record.outcome);
        assert_eq!(record.settings.get("web.store").map(String::as_str), Some("sqlite"));
        let servers = if record.variant == "after" { 2 } else { 1 };
        let files = std::fs::read_dir(out.join("trials").join(id)).expect("a trial's folder");
        let is_info =
            |name: &std::ffi::OsString| name.to_str().is_some_and(|name| name.starts_with("info-"));
        let names = files.filter_map(Result::ok).map(|file| file.file_name());
        assert_eq!(names.filter(is_info).count(), servers, "{id}");
        // What each server used in this trial, in its own words.
        let used: Vec<_> = record.instances.iter().filter(|one| one.cpu_us > 0).collect();
        assert_eq!(used.len(), servers, "{id}: {:?}", record.instances);
        let wall_us = record.generator.wall_us;
        assert!(
            used.iter().all(|one| one.cpu_us < 64 * wall_us && one.memory_bytes > 0),
            "{used:?}"
        );
    }
    let one_user = || trials.iter().filter(|trial| trial.record.purpose == Purpose::Performance);
    assert!(one_user().count() >= 4);
    for trial in one_user() {
        assert!(!trial.record.reconciliations.is_empty(), "{}", trial.record.id);
        for compared in &trial.record.reconciliations {
            assert_eq!(compared.servers, compared.clients, "{}: {compared:?}", trial.record.id);
        }
    }
}

/// What AWS knows of the stretch stands beside the trials.
fn aws_has_its_say(out: &Path) {
    let cloud = std::fs::read_to_string(out.join("cloud.json")).expect("cloud.json is there");
    let cloud: Value = serde_json::from_str(&cloud).expect("JSON");
    assert_eq!(cloud["stages"][1]["instances"]["recorded"][0]["zone"], "us-east-1a");
    let figures = &cloud["stages"][0]["metrics"]["recorded"][0];
    assert_eq!(figures["metric"], "CPUCreditBalance");
    assert_eq!(figures["values"]["2026-11-25T08:00:00Z"], 144.0);
    let page = std::fs::read_to_string(out.join("report/index.html")).expect("there is a page");
    for said in [
        "The deployed stages, as AWS saw them",
        "<h4>0-one-box</h4>",
        "A stack on loopback plays this stage",
        "<td>i-2</td>",
        "us-east-1a",
        "<td>CPUCreditBalance</td>",
        "<td class=\"r num\">144</td>",
        "What the instances really used",
        "<td>i-3-framework-2</td>",
    ] {
        assert!(page.contains(said), "the page does not say {said}");
    }
}

#[test]
fn one_stage_alone_shows_its_own_curve_and_says_what_is_missing() {
    let world = World::new();
    aws_knows_both(&world);
    let group = Stage::start(&world, "3-framework", 2);
    let target = group.outputs_file(&world);
    let out = world.path("run").display().to_string();
    let words = ["run", "--experiments", &tiny(), "--target", &target, "--out", &out];
    let output = world.lightmeter(&words);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("with a second --target"), "{}", stderr(&output));
    let trials =
        RunDir::open(Path::new(&out)).expect("a run").read_trials().expect("trials").trials;
    assert!(trials.iter().any(|trial| trial.record.purpose == Purpose::Level));
    assert!(trials.iter().all(|trial| trial.record.variant == "after"));
}

#[test]
fn a_stage_that_is_something_else_is_not_measured() {
    let world = World::new();
    let one = Stage::start(&world, "0-one-box", 1);
    let mut outputs = one.outputs();
    outputs["expected_settings"]["value"]["sessions"] = "redis".into();
    world.write("outputs.json", &outputs.to_string());
    let target = world.path("outputs.json").display().to_string();
    let output = world.lightmeter(&["run", "--experiments", &tiny(), "--target", &target]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("i-0-one-box-1: sessions is cookie, expected redis"), "{said}");
}

#[test]
fn an_address_outside_the_stack_is_refused_before_anything_is_sent() {
    let world = World::new();
    let one = Stage::start(&world, "0-one-box", 1);
    for (name, value) in
        [("url", "http://www.example.com"), ("assets_url", "http://www.example.com")]
    {
        let mut outputs = one.outputs();
        outputs[name]["value"] = value.into();
        world.write("outputs.json", &outputs.to_string());
        let target = world.path("outputs.json").display().to_string();
        let output = world.lightmeter(&["run", "--experiments", &tiny(), "--target", &target]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains("outside the stack"), "{}", stderr(&output));
    }
    assert!(!world.path("runs").exists(), "nothing may have been begun");
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[test]
fn without_the_tool_the_message_names_the_fix() {
    let world = World::new();
    let one = Stage::start(&world, "0-one-box", 1);
    let target = one.outputs_file(&world);
    let nowhere = world.path("empty").display().to_string();
    let output =
        world.lightmeter_with(&nowhere, &["run", "--experiments", &tiny(), "--target", &target]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("`aws` is not installed"), "{}", stderr(&output));
}
