//! Round trips, merging, and what happens to damaged files.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::record::{GeneratorRecord, LoadRecord, OperationRecord, Outcome, Purpose};

pub(super) fn trial(sequence: u32) -> TrialRecord {
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

/// A trial with so many answers, and their histograms.
fn answered(sequence: u32, values: &[u64]) -> (TrialRecord, IntervalHistograms) {
    let ok_count = values.len() as u64;
    let home = OperationRecord { ok_count, ..OperationRecord::default() };
    let operations = BTreeMap::from([("home".to_owned(), home)]);
    let mut intervals = IntervalHistograms::new();
    for (second, value) in (0..).zip(values) {
        for clock in &Clock::ALL[..4] {
            intervals.push(second, "home", *clock, &histogram(&[*value])).unwrap();
        }
    }
    (TrialRecord { operations, ..trial(sequence) }, intervals)
}

fn write(dir: &RunDir, (record, intervals): &(TrialRecord, IntervalHistograms)) -> PathBuf {
    dir.write_trial(record, intervals, &BTreeMap::new()).unwrap();
    dir.path().join("trials").join(&record.id)
}

#[test]
fn a_run_and_its_trials_are_read_back_in_order() {
    let (_temp, dir) = run_dir();
    let (record, intervals) = answered(11, &[1_500, 90_000]);
    let infos = BTreeMap::from([("web-1".to_owned(), serde_json::json!({"role": "web"}))]);
    for sequence in [11, 2] {
        let record = TrialRecord { sequence, id: trial(sequence).id, ..record.clone() };
        dir.write_trial(&record, &intervals, &infos).unwrap();
    }
    let read = dir.read_trials().unwrap();
    assert_eq!(read.trials.iter().map(|t| t.record.sequence).collect::<Vec<_>>(), [2, 11]);
    assert_eq!(read.trials[1].record, record);
    assert_eq!(read.trials[0].intervals, intervals);
    assert_eq!(dir.read_infos(&trial(2).id).unwrap(), infos);
    assert!(read.notes.is_empty());
}

#[test]
fn a_trial_that_was_being_written_is_skipped_with_a_note() {
    let (_temp, dir) = run_dir();
    write(&dir, &answered(0, &[1]));
    std::fs::create_dir(dir.path().join("trials/.partial-0001-a-b-x1-aa")).unwrap();
    let read = dir.read_trials().unwrap();
    assert_eq!((read.trials.len(), &read.damaged), (1, &vec![]));
    assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
    assert!(read.notes[0].contains("0001-a-b-x1-aa"));
}

/// What can happen to the files of a trial, and the words for it.
#[test]
fn a_damaged_trial_is_left_out_and_named_with_what_is_wrong() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 11] = [
        ("histograms.hlog is empty", |trial| {
            std::fs::write(trial.join("histograms.hlog"), "").unwrap()
        }),
        ("cannot read histograms.hlog", |trial| {
            std::fs::remove_file(trial.join("histograms.hlog")).unwrap()
        }),
        ("histograms.hlog:", |trial| {
            shorten(&trial.join("histograms.hlog"), |text| text.len() - 40)
        }),
        ("home/planned_first holds 1 samples, and the trial counted 3", |trial| {
            shorten(&trial.join("histograms.hlog"), |text| {
                text.match_indices("Tag=").nth(4).unwrap().0
            });
        }),
        ("home/sent_last holds 2 samples, and the trial counted 3", |trial| {
            shorten(&trial.join("histograms.hlog"), |text| text.rfind("Tag=").unwrap());
        }),
        ("the same interval stands in the file twice", |trial| {
            let file = trial.join("histograms.hlog");
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, text.clone() + &text).unwrap();
        }),
        ("trial.json is empty", |trial| std::fs::write(trial.join("trial.json"), "").unwrap()),
        ("trial.json:", |trial| shorten(&trial.join("trial.json"), |text| text.len() - 40)),
        ("cannot read trial.json", |trial| std::fs::remove_file(trial.join("trial.json")).unwrap()),
        ("its folder is missing", |trial| std::fs::remove_dir_all(trial).unwrap()),
        ("its record is that of the trial 0000-", |trial| {
            let first = trial.parent().unwrap().join("0000-database-before-x1-level");
            std::fs::copy(first.join("trial.json"), trial.join("trial.json")).unwrap();
        }),
    ];
    for (words, damage) in damages {
        let (_temp, dir) = run_dir();
        let folders = [0, 1, 2].map(|sequence| write(&dir, &answered(sequence, &[10, 20, 30])));
        damage(&folders[1]);
        let read = dir.read_trials().unwrap();
        assert_eq!(read.trials.iter().map(|t| t.record.sequence).collect::<Vec<_>>(), [0, 2]);
        let [damaged] = read.damaged.as_slice() else { panic!("{words}: {:?}", read.damaged) };
        assert!(damaged.id.starts_with("0001") && damaged.reason.contains(words), "{damaged:?}");
        assert!(!damaged.reason.contains(&*dir.path().to_string_lossy()), "{damaged:?}");
        assert_eq!(damaged.sequence(), Some(1));
    }
}

fn shorten(file: &Path, left: impl Fn(&str) -> usize) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, &text[..left(&text)]).unwrap();
}

#[test]
fn what_file_managers_leave_behind_is_passed_over() {
    let (_temp, dir) = run_dir();
    let folder = write(&dir, &answered(0, &[10]));
    let trials = dir.path().join("trials");
    for litter in ["@eaDir", "__MACOSX", ".Trashes", "New folder"] {
        std::fs::create_dir(trials.join(litter)).unwrap();
    }
    for litter in [trials.join(".DS_Store"), folder.join("Thumbs.db"), folder.join("._trial.json")]
    {
        std::fs::write(litter, "x").unwrap();
    }
    let read = dir.read_trials().unwrap();
    assert_eq!((read.trials.len(), read.damaged.len(), read.notes.len()), (1, 0, 0));
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let (_temp, dir) = run_dir();
    let folder = write(&dir, &answered(0, &[10]));
    for file in [folder.join("trial.json"), folder.join("histograms.hlog")] {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("\u{feff}{text}")).unwrap();
    }
    assert_eq!(dir.read_trials().unwrap().trials.len(), 1);
}

#[test]
fn a_run_that_has_lost_what_all_needs_names_the_way_out() {
    let (_temp, dir) = run_dir();
    let message = |error: RecordError| error.to_string();
    let none = message(RunDir::open(dir.path()).unwrap_err());
    assert!(none.contains("holds no run") && none.contains("name the folder"), "{none}");
    for content in ["", "{\"schema\": \"lightmeter/run/1\", ", "\u{feff}"] {
        std::fs::write(dir.path().join("run.json"), content).unwrap();
        let lost = message(RunDir::open(dir.path()).unwrap().read_run().unwrap_err());
        assert!(lost.contains("without run.json; copy it again"), "{lost}");
    }
    std::fs::remove_dir_all(dir.path().join("trials")).unwrap();
    let lost = message(dir.read_trials().unwrap_err());
    assert!(lost.contains("without trials; copy it again"), "{lost}");
}

#[test]
fn errors_name_the_file_and_the_line() {
    let (_temp, dir) = run_dir();
    let folder = write(&dir, &answered(0, &[]));
    let error = || dir.read_trial(&trial(0).id).unwrap_err().to_string();
    std::fs::write(
        folder.join("histograms.hlog"),
        "#comment\nTag=home/tomorrow,0.0,1.0,1.0,AAAA\n",
    )
    .unwrap();
    assert!(error().contains("histograms.hlog:2: `tomorrow` is not a clock"), "{}", error());

    std::fs::write(folder.join("trial.json"), "{\n\"schema\": \"lightmeter/trial/1\",\n7}")
        .unwrap();
    assert!(error().contains("trial.json:3:"), "{}", error());

    std::fs::write(folder.join("trial.json"), "{\"schema\": \"lightmeter/trial/9\"}").unwrap();
    assert!(error().contains("`lightmeter/trial/9`"), "{}", error());
}

#[test]
fn two_runs_cannot_begin_in_one_directory() {
    let (_temp, dir) = run_dir();
    assert!(matches!(RunDir::create(dir.path()), Err(RecordError::Occupied(_))));
    let path = dir.path().to_owned();
    drop(dir);
    RunDir::create(&path).expect("nobody writes there any more, and nothing was written");
}

#[test]
fn a_file_that_cannot_be_written_is_known_beforehand() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("users.hlog");
    std::fs::write(&file, "earlier").unwrap();
    check_writable(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "earlier");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1, "nothing is left");
    for wrong in [temp.path().to_owned(), temp.path().join("no/x"), PathBuf::from("/dev/null")] {
        assert!(check_writable(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_log_says_its_version_its_unit_and_its_columns() {
    let log = answered(0, &[10]).1.to_log(1_763_000_000_123_456);
    let head: Vec<&str> = log.lines().take_while(|line| !line.starts_with("Tag=")).collect();
    assert!(head[0].contains("Interval_Max in microseconds"), "{head:?}");
    assert!(head.contains(&"#[Histogram log format version 1.3]"), "{head:?}");
    assert!(head.last().unwrap().starts_with("\"StartTimestamp\",\"Interval_Length\""), "{head:?}");
    // A reader in C has room for so much of a line.
    assert!(head.iter().all(|line| line.len() < 127), "{head:?}");
}

#[test]
fn a_directory_with_a_run_is_not_overwritten() {
    let (_temp, dir) = run_dir();
    std::fs::write(dir.path().join("run.json"), "{}").unwrap();
    let path = dir.path().to_owned();
    drop(dir);
    assert!(matches!(RunDir::create(&path), Err(RecordError::Occupied(_))));
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
