//! The report against runs whose truth is known: effects are found within their interval, nothing is called nothing, the order of
//! the two sides does not matter, and the same directory gives the same bytes.

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::runs::{all_four, model, one_cure};
use fixture::{Model, Spec, run};
use loadgen::record::{Outcome, Purpose, RunRecord};
use loadgen::record_io::{RunDir, Trial};
use reports::findings::warnings::Warning;
use reports::findings::{Analysis, analyse};
use reports::{RunComparison, Verdict, compare_runs, one_screen, write_report};

fn write(dir: &Path, run: &RunRecord, trials: &[Trial]) {
    let run_dir = RunDir::create(dir).expect("an empty folder takes a run");
    run_dir.write_run(run).expect("run.json can be written");
    for trial in trials {
        run_dir
            .write_trial(&trial.record, &trial.intervals, &BTreeMap::new())
            .expect("a trial can be written");
    }
}

/// Every file of the report with its bytes.
fn report_bytes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir.join("report")).expect("there is a report") {
        let path = entry.expect("an entry can be read").path();
        files.insert(path.clone(), fs::read(&path).expect("a file can be read"));
    }
    let summary = dir.join("summary.json");
    files.insert(summary.clone(), fs::read(&summary).expect("there is a summary"));
    files
}

fn verdicts(analysis: &Analysis<'_>) -> (Verdict, Verdict) {
    let arrow = &analysis.experiments[0].arrows[0];
    (arrow.performance[0].verdict, arrow.scalability.verdict)
}

#[test]
fn twenty_milliseconds_more_and_half_the_capacity_are_found_within_their_intervals() {
    let spec = one_cure(model(20.0, 100.0), model(40.0, 50.0));
    let (record, trials) = run(&[spec], 1);
    let analysis = analyse(&record, &trials);
    assert_eq!(verdicts(&analysis), (Verdict::Worse, Verdict::Worse));
    let arrow = &analysis.experiments[0].arrows[0];
    for (found, ci) in [
        (arrow.performance[0].ratio(), arrow.performance[0].ci95()),
        (arrow.scalability.ratio(), arrow.scalability.ci95()),
    ] {
        assert!(ci.expect("an interval").contains(0.5), "{found:?} {ci:?}");
    }
    assert!(
        arrow.performance[0].sentence.starts_with("For one user the cache made the feed page ")
    );
    assert!(arrow.performance[0].sentence.contains("x slower (95 % interval "));
}

#[test]
fn nothing_is_no_difference_proven() {
    for seed in 0..8 {
        let (record, trials) = run(&[one_cure(model(20.0, 100.0), model(20.0, 100.0))], seed);
        let analysis = analyse(&record, &trials);
        assert_eq!(
            verdicts(&analysis),
            (Verdict::NoDifferenceProven, Verdict::NoDifferenceProven),
            "seed {seed}"
        );
        let finding = &analysis.experiments[0].arrows[0].performance[0];
        assert!(finding.ci95().expect("an interval").low < 1.0 + finding.band.expect("a band"));
    }
}

#[test]
fn the_order_of_the_sides_does_not_matter() {
    let (record, trials) = run(&[one_cure(model(20.0, 100.0), model(10.0, 190.0))], 3);
    let forward = analyse(&record, &trials);
    // The same trials, but in each pair what ran first now ran second.
    let mut reversed = trials.clone();
    let count = reversed.len() as u32;
    for trial in &mut reversed {
        trial.record.sequence = count - trial.record.sequence;
    }
    reversed.reverse();
    let backward = analyse(&record, &reversed);
    assert_eq!(verdicts(&forward), (Verdict::Improved, Verdict::Improved));
    assert_eq!(verdicts(&forward), verdicts(&backward));

    // And with before and after exchanged, the verdicts turn round.
    let mut exchanged = record.clone();
    let arrow = &mut exchanged.experiments[0].arrows[0];
    std::mem::swap(&mut arrow.before, &mut arrow.after);
    let mut trials = trials;
    for trial in trials.iter_mut().filter(|t| t.record.purpose != Purpose::Aa) {
        if let Some(place) = &mut trial.record.place {
            place.after = !place.after;
        }
    }
    assert_eq!(verdicts(&analyse(&exchanged, &trials)), (Verdict::Worse, Verdict::Worse));
}

#[test]
fn instances_that_scale_show_it_and_the_law_is_fitted() {
    let fixed = Model { scales: false, ..model(20.0, 100.0) };
    let scaled = Model { alpha: 0.02, ..model(20.0, 98.0) };
    let (record, trials) = run(&[one_cure(fixed, scaled)], 4);
    let analysis = analyse(&record, &trials);
    let finding = &analysis.experiments[0].arrows[0].scalability;
    assert_eq!(finding.verdict, Verdict::Improved);
    let truth = 98.0 * 4.0 / (1.0 + 0.02 * 3.0) / 100.0;
    assert!(finding.ci95().expect("an interval").contains(truth), "{:?} {truth}", finding.ci95());
    let scaling = finding.after_scaling.expect("it scales");
    assert_eq!((scaling.from, scaling.to), (1, 4));
    assert!(scaling.ratio > 3.0, "{scaling:?}");
    assert!(finding.usl.as_ref().is_some_and(|f| f.saturated));
    let rates: Vec<Option<f64>> = finding.before.iter().map(|c| c.rate()).collect();
    assert_eq!(rates[0], rates[2], "a stack that cannot be multiplied repeats its capacity");
    assert!(
        finding.sentence.starts_with("With 4 web servers the cache held 3."),
        "{}",
        finding.sentence
    );
}

#[test]
fn undeclared_changes_missing_sides_and_unchecked_work_are_not_comparable() {
    let spec = one_cure(model(20.0, 100.0), model(10.0, 200.0));
    let (record, trials) = run(std::slice::from_ref(&spec), 5);
    let with = |change: &dyn Fn(&mut Trial)| {
        let mut trials = trials.clone();
        trials.iter_mut().filter(|t| t.record.variant == "after").for_each(change);
        let analysis = analyse(&record, &trials);
        let arrow = &analysis.experiments[0].arrows[0];
        (verdicts(&analysis), arrow.performance[0].reason.clone().unwrap_or_default())
    };
    let both = (Verdict::NotComparable, Verdict::NotComparable);

    let (found, reason) = with(&|t| {
        t.record.settings.insert("web.store".to_owned(), "memory".to_owned());
    });
    assert_eq!(found, both);
    assert!(reason.contains("web.store (mysql / memory)"), "{reason}");

    let (found, reason) =
        with(&|t| t.record.outcome = Outcome::Failed { reason: "port in use".to_owned() });
    assert_eq!(found, both);
    assert!(reason.contains("port in use"), "{reason}");

    let (found, _) = with(&|t| t.record.operations.values_mut().for_each(|o| o.verified_count = 0));
    assert_eq!(found, both);

    let (found, reason) = with(&|t| {
        for operation in t.record.operations.values_mut() {
            operation.errors.insert("wrong body".to_owned(), 1);
        }
    });
    assert_eq!(found.0, Verdict::NotComparable);
    assert!(!reason.is_empty());
}

#[test]
fn lost_pairs_are_said_and_the_rest_still_judged() {
    let (record, mut trials) = run(&[one_cure(model(20.0, 100.0), model(10.0, 200.0))], 6);
    let first =
        trials.iter_mut().find(|t| t.record.purpose == Purpose::Performance).expect("a trial");
    first.record.outcome = Outcome::Failed { reason: "the server left".to_owned() };
    let analysis = analyse(&record, &trials);
    let finding = &analysis.experiments[0].arrows[0].performance[0];
    assert_eq!((finding.pairs.len(), finding.lost.len()), (5, 1));
    assert_eq!(finding.verdict, Verdict::Improved);
    assert!(analysis.warnings.iter().any(|w| matches!(w, Warning::TrialsFailed { count: 1, .. })));
}

#[test]
fn without_an_aa_pair_nothing_is_called_a_difference() {
    let (record, mut trials) = run(&[one_cure(model(20.0, 100.0), model(10.0, 200.0))], 7);
    trials.retain(|t| t.record.purpose != Purpose::Aa);
    let analysis = analyse(&record, &trials);
    assert_eq!(verdicts(&analysis), (Verdict::TooNoisy, Verdict::TooNoisy));
    assert!(analysis.warnings.contains(&Warning::NoAa));
}

#[test]
fn each_unhealthy_sign_has_its_warning() {
    let (mut record, mut trials) = run(&[one_cure(model(20.0, 100.0), model(10.0, 200.0))], 8);
    record.machine.budgets = "none: no cgroup rights".to_owned();
    record.machine.load_average = 3.0;
    record.interrupted = true;
    record.null_server =
        record.null_server.map(|n| loadgen::record::NullServerCheck { rate_per_s: 300.0, ..n });
    for trial in &mut trials {
        let t = &mut trial.record;
        t.operations.values_mut().for_each(|o| o.late_count = o.sent_count / 20);
        t.reconciliations[0].servers *= 0.9;
        t.generator.in_flight_mean *= 1.5;
    }
    let analysis = analyse(&record, &trials);
    let kinds: Vec<&str> = analysis.warnings.iter().map(Warning::kind).collect();
    for kind in [
        "incomplete",
        "budgets_not_enforced",
        "machine_busy",
        "generator_headroom",
        "late_sends",
        "reconciliation",
        "littles_law",
        "few_samples",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    for warning in &analysis.warnings {
        assert!(
            !warning.seen().is_empty()
                && !warning.cause().is_empty()
                && !warning.remedy().is_empty()
        );
    }
    assert!(!analysis.honesty.work_verified);
}

#[test]
fn the_same_directory_gives_the_same_bytes_and_a_page_that_needs_nothing() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let dir = folder.path().join("run");
    let (record, trials) = all_four(2026);
    write(&dir, &record, &trials);
    let summary = write_report(&dir).expect("the report can be written");
    let first = report_bytes(&dir);
    let again = write_report(&dir).expect("the report can be written again");
    assert_eq!(summary, again);
    assert!(first == report_bytes(&dir), "the second report differs from the first");

    let page = String::from_utf8(first[&dir.join("report/index.html")].clone())
        .expect("the page is UTF-8");
    for forbidden in
        ["<script", "http-equiv", "@import", "url(", "src=", "href=\"http", "href=\"//"]
    {
        assert!(!page.contains(forbidden), "the page contains {forbidden}");
    }
    assert!(page.contains("What did not improve, and what could not be told"));
    assert!(page.contains("worker-2 stopped; see logs/imaging-worker-2.log"), "the hole is shown");
    for experiment in &summary.experiments {
        assert_eq!(experiment.findings.len(), record_findings(&record, &experiment.id));
        for chart in &experiment.charts {
            assert!(first.contains_key(&dir.join("report").join(chart)), "{chart} is missing");
            assert!(page.contains(chart.as_str()), "{chart} is not linked");
        }
    }
    let read: reports::Summary = serde_json::from_slice(&first[&dir.join("summary.json")])
        .expect("summary.json can be read back");
    assert_eq!(read, summary);
    assert!(
        one_screen(&summary).lines().all(|line| line.chars().count() <= 80),
        "{}",
        one_screen(&summary)
    );
}

fn record_findings(record: &RunRecord, id: &str) -> usize {
    let experiment =
        record.experiments.iter().find(|e| e.id == id).expect("the experiment was planned");
    experiment.arrows.len() * (experiment.performance.len() + 1)
}

#[test]
fn the_summary_of_a_run_carries_every_documented_field() {
    let (record, trials) = all_four(1);
    let analysis = analyse(&record, &trials);
    let summary = reports::summary::summarise(&analysis, &[]);
    let json = serde_json::to_value(&summary).expect("a summary is JSON");
    let has = |value: &serde_json::Value, fields: &[&str]| {
        for field in fields {
            assert!(value.get(field).is_some(), "{field} is missing in {value}");
        }
    };
    has(&json, &["schema", "run", "commit", "mode", "experiments", "honesty"]);
    assert_eq!(
        (&json["schema"], &json["mode"]),
        (&"lightmeter/summary/1".into(), &"simulated".into())
    );
    has(
        &json["honesty"],
        &[
            "aa_worst_ratio",
            "late_sends",
            "generator_headroom",
            "errors",
            "work_verified",
            "warnings",
        ],
    );
    for experiment in json["experiments"].as_array().expect("a list") {
        has(experiment, &["id", "variants", "findings", "unchanged", "charts"]);
        has(&experiment["variants"][0], &["id", "stack", "real"]);
        for finding in experiment["findings"].as_array().expect("a list") {
            has(
                finding,
                &["variant", "axis", "measure", "before", "after", "ratio", "ci95", "verdict"],
            );
            match finding["axis"].as_str() {
                Some("performance") => has(finding, &["pairs"]),
                Some("scalability") => {
                    has(finding, &["instances", "usl"]);
                    let count = finding["instances"].as_array().map(Vec::len);
                    assert_eq!(finding["before"].as_array().map(Vec::len), count);
                    assert_eq!(finding["after"].as_array().map(Vec::len), count);
                }
                other => panic!("axis {other:?}"),
            }
        }
    }
}

#[test]
fn two_runs_are_put_side_by_side_or_refused_with_reasons() {
    let spec: Vec<Spec> = vec![one_cure(model(20.0, 100.0), model(10.0, 200.0))];
    let (record, trials) = run(&spec, 9);
    let better = vec![one_cure(model(20.0, 100.0), model(5.0, 200.0))];
    let (mut other, other_trials) = run(&better, 9);
    other.run = "the-other".to_owned();
    let compared = compare_runs((&record, &trials), (&other, &other_trials));
    let text = compared.to_string();
    assert!(matches!(compared, RunComparison::SideBySide { .. }), "{text}");
    assert!(
        text.contains("framework / after / median_ms_one_user")
            && text.contains("second is better"),
        "{text}"
    );

    other.seed = 10;
    other.machine.cores = 8;
    let text = compare_runs((&record, &trials), (&other, &other_trials)).to_string();
    assert!(
        text.contains("cannot be compared")
            && text.contains("seed: 9 / 10")
            && text.contains("cores: 2 / 8"),
        "{text}"
    );
}

/// Writes the synthetic report where the environment asks for it, for looking at it in a browser.
#[test]
fn a_report_to_look_at() {
    let Some(dir) = std::env::var_os("LIGHTMETER_LOOK") else {
        println!("skipped: set LIGHTMETER_LOOK to a folder to get a synthetic report there");
        return;
    };
    let dir = PathBuf::from(dir);
    let (record, trials) = all_four(2026);
    write(&dir, &record, &trials);
    write_report(&dir).expect("the report can be written");
}
