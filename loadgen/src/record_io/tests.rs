//! Round trips, merging, and what happens to damaged files.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::record::{GeneratorRecord, LoadRecord, Outcome, Purpose};

fn trial(sequence: u32) -> TrialRecord {
    TrialRecord {
        schema: TRIAL_SCHEMA.to_owned(),
        id: format!("{sequence:04}-database-before-x1-level"),
        sequence,
        experiment: "database".to_owned(),
        variant: "before".to_owned(),
        instance_count: 1,
        purpose: Purpose::Level,
        place: None,
        search: Some(3),
        load: LoadRecord {
            schedule: "poisson".to_owned(),
            rate_per_s: 100.5,
            duration_ms: 2_000,
            seed: 7,
            mix: BTreeMap::from([("home".to_owned(), 1.0)]),
        },
        started_at_us: 1_763_000_000_123_456,
        outcome: Outcome::Failed { reason: "no answer".to_owned() },
        operations: BTreeMap::new(),
        generator: GeneratorRecord::default(),
        instances: Vec::new(),
        reconciliations: Vec::new(),
        counters: BTreeMap::new(),
        settings: BTreeMap::new(),
        notes: vec!["a note".to_owned()],
    }
}

fn run_dir() -> (tempfile::TempDir, RunDir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = RunDir::create(&temp.path().join("run")).unwrap();
    (temp, dir)
}

fn histogram(values: &[u64]) -> Histogram<u64> {
    let mut histogram = new_histogram();
    for value in values {
        histogram.record(*value).unwrap();
    }
    histogram
}

/// Groups (second, clock, value) into intervals of the operation `home`.
fn intervals(samples: &[(u32, usize, u64)]) -> IntervalHistograms {
    let mut grouped: BTreeMap<(u32, usize), Vec<u64>> = BTreeMap::new();
    for (second, clock, value) in samples {
        grouped.entry((*second, *clock)).or_default().push(*value);
    }
    let mut intervals = IntervalHistograms::new();
    for ((second, clock), values) in grouped {
        intervals.push(second, "home", Clock::ALL[clock], &histogram(&values)).unwrap();
    }
    intervals
}

fn samples() -> impl Strategy<Value = Vec<(u32, usize, u64)>> {
    prop::collection::vec((0_u32..3, 0_usize..5, LATENCY_MIN_US..=LATENCY_MAX_US), 0..60)
}

proptest! {
    // A case encodes some thirty histograms; unoptimised that is 50 ms.
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_log_read_back_holds_the_same_counts(samples in samples()) {
        let written = intervals(&samples);
        let text = written.to_log(1_763_000_000_123_456);
        let back = IntervalHistograms::from_log(&text, Path::new("test.hlog")).unwrap();
        prop_assert_eq!(&back, &written);
        for ((_, clock), merged) in back.merged() {
            let of_clock = samples.iter().filter(|sample| Clock::ALL[sample.1] == clock);
            let values: Vec<u64> = of_clock.map(|sample| sample.2).collect();
            prop_assert!(merged == histogram(&values));
        }
    }

    #[test]
    fn merging_is_lossless_and_does_not_depend_on_the_order(first in samples(), second in samples()) {
        let (mut one, mut other) = (intervals(&first), intervals(&second));
        let all: Vec<_> = first.iter().chain(&second).copied().collect();
        let (left, right) = (one.clone(), other.clone());
        one.merge(&right);
        other.merge(&left);
        prop_assert!(one.merged() == intervals(&all).merged());
        prop_assert!(other.merged() == one.merged());
    }
}

#[test]
fn a_run_and_its_trials_are_read_back_in_order() {
    let (_temp, dir) = run_dir();
    let mut intervals = IntervalHistograms::new();
    intervals.push(1, "home", Clock::SentLast, &histogram(&[1_500, 90_000])).unwrap();
    let infos = BTreeMap::from([("web-1".to_owned(), serde_json::json!({"role": "web"}))]);
    for sequence in [11, 2] {
        dir.write_trial(&trial(sequence), &intervals, &infos).unwrap();
    }
    let read = dir.read_trials().unwrap();
    assert_eq!(read.trials.iter().map(|t| t.record.sequence).collect::<Vec<_>>(), [2, 11]);
    assert_eq!(read.trials[0].record, trial(2));
    assert_eq!(read.trials[0].intervals, intervals);
    assert_eq!(dir.read_infos(&trial(2).id).unwrap(), infos);
    assert!(read.notes.is_empty());
}

#[test]
fn a_trial_that_was_being_written_is_skipped_with_a_note() {
    let (_temp, dir) = run_dir();
    dir.write_trial(&trial(0), &IntervalHistograms::new(), &BTreeMap::new()).unwrap();
    std::fs::create_dir(dir.path().join("trials/.partial-0001-x")).unwrap();
    std::fs::create_dir(dir.path().join("trials/0002-y")).unwrap();
    let read = dir.read_trials().unwrap();
    assert_eq!(read.trials.len(), 1);
    assert_eq!(read.notes.len(), 2, "{:?}", read.notes);
    assert!(read.notes.iter().any(|note| note.contains("0001-x")));
}

#[test]
fn errors_name_the_file_and_the_line() {
    let (_temp, dir) = run_dir();
    dir.write_trial(&trial(0), &IntervalHistograms::new(), &BTreeMap::new()).unwrap();
    let folder = dir.path().join("trials").join(trial(0).id);
    std::fs::write(
        folder.join("histograms.hlog"),
        "#comment\nTag=home/tomorrow,0.0,1.0,1.0,AAAA\n",
    )
    .unwrap();
    let error = dir.read_trials().unwrap_err().to_string();
    assert!(error.contains("histograms.hlog:2: `tomorrow` is not a clock"), "{error}");

    std::fs::write(folder.join("trial.json"), "{\n\"schema\": \"lightmeter/trial/1\",\n7}")
        .unwrap();
    let error = dir.read_trials().unwrap_err().to_string();
    assert!(error.contains("trial.json:3:"), "{error}");

    std::fs::write(folder.join("trial.json"), "{\"schema\": \"lightmeter/trial/9\"}").unwrap();
    let error = dir.read_trials().unwrap_err().to_string();
    assert!(error.contains("`lightmeter/trial/9`"), "{error}");
}

#[test]
fn a_directory_with_a_run_is_not_overwritten() {
    let (_temp, dir) = run_dir();
    std::fs::write(dir.path().join("run.json"), "{}").unwrap();
    assert!(matches!(RunDir::create(dir.path()), Err(RecordError::Occupied(_))));
}

#[test]
fn a_name_that_would_break_the_log_is_refused() {
    let mut intervals = IntervalHistograms::new();
    for name in ["", "a b", "a/b", "a,b"] {
        let pushed = intervals.push(0, name, Clock::SentLast, &histogram(&[1]));
        assert!(matches!(pushed, Err(RecordError::OperationName(_))), "{name}");
    }
}

#[test]
fn a_name_means_all_its_regions() {
    let mut set = HistogramSet::new();
    for (name, value) in [("page_view.near", 10), ("page_view.far", 90), ("page_views", 500)] {
        set.insert((name.to_owned(), Clock::PlannedLast), histogram(&[value]));
    }
    let count = |name: &str| merge_operations(&set, &[name.to_owned()], Clock::PlannedLast).len();
    assert_eq!((count("page_view"), count("page_view.far"), count("page")), (2, 1, 0));
    assert_eq!(merge_operations(&set, &[], Clock::PlannedLast).len(), 3);
}
