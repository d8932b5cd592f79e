//! Run directories that something has happened to: what is damaged is left out and named, the rest is judged as before, and words that
//! were made to harm a reader do not.

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::runs::all_four;
use loadgen::record::{Purpose, RunRecord};
use loadgen::record_io::{RunDir, Trial};
use reports::summary::Finding;
use reports::{RunComparison, Summary, compare, write_report};

/// A run directory of its own for each damage.
struct Run {
    folder: tempfile::TempDir,
    record: RunRecord,
    trials: Vec<Trial>,
}

impl Run {
    fn write() -> Run {
        let (record, trials) = all_four(7);
        let run = Run { folder: tempfile::tempdir().expect("a folder"), record, trials };
        run.write_as("run", &run.record);
        run
    }

    fn write_as(&self, name: &str, record: &RunRecord) -> PathBuf {
        let dir = RunDir::create(&self.folder.path().join(name)).expect("an empty folder");
        dir.write_run(record).expect("run.json can be written");
        for trial in &self.trials {
            dir.write_trial(&trial.record, &trial.intervals, &BTreeMap::new()).expect("a trial");
        }
        dir.path().to_owned()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn trial(&self, id: &str) -> PathBuf {
        self.path().join("trials").join(id)
    }

    /// The first trial of the first experiment that fits.
    fn find(&self, fits: impl Fn(&Trial) -> bool) -> &Trial {
        self.trials.iter().find(|trial| fits(trial)).expect("there is such a trial")
    }

    fn page(&self) -> String {
        fs::read_to_string(self.path().join("report/index.html")).expect("a page")
    }
}

fn shorten(file: &Path, left: impl Fn(&str) -> usize) {
    let text = fs::read_to_string(file).expect("a file");
    fs::write(file, &text[..left(&text)]).expect("it can be written");
}

/// The findings of every experiment but one.
fn others<'s>(summary: &'s Summary, but: &str) -> Vec<&'s Finding> {
    let others = summary.experiments.iter().filter(|experiment| experiment.id != but);
    others.flat_map(|experiment| &experiment.findings).collect()
}

#[test]
fn a_damaged_trial_is_named_and_the_rest_is_reported() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("histograms.hlog is empty", |trial| {
            fs::write(trial.join("histograms.hlog"), "").expect("a file");
        }),
        ("holds 0 samples, and the trial counted", |trial| {
            // At the end of a line: each line by itself is whole.
            shorten(&trial.join("histograms.hlog"), |text| text.rfind("Tag=").expect("a line"));
        }),
        ("trial.json is empty", |trial| fs::write(trial.join("trial.json"), "").expect("a file")),
        ("trial.json:", |trial| shorten(&trial.join("trial.json"), |text| text.len() - 40)),
        ("cannot read trial.json", |trial| {
            fs::remove_file(trial.join("trial.json")).expect("it is there");
        }),
        ("its folder is missing", |trial| fs::remove_dir_all(trial).expect("it is there")),
    ];
    let whole = Run::write();
    let before = write_report(&whole.path()).expect("a report");
    assert!(!whole.page().contains("damaged"), "nothing is");
    for (words, damage) in damages {
        let run = Run::write();
        let trial = run.find(|t| t.record.purpose == Purpose::Performance && t.record.sequence > 0);
        let (id, experiment) = (&trial.record.id, &trial.record.experiment);
        damage(&run.trial(id));
        let summary = write_report(&run.path()).expect("the rest can be reported");
        let damaged: Vec<_> =
            summary.honesty.warnings.iter().filter(|one| one.kind == "damaged").collect();
        let [warning] = damaged.as_slice() else { panic!("{words}: {damaged:?}") };
        assert!(warning.seen.contains(&id[..4]) && warning.seen.contains(words), "{warning:?}");
        let page = run.page();
        assert!(page.contains("1 trial is damaged and left out"), "{words}");
        assert!(page.contains(words), "{words}");
        assert_eq!(others(&summary, experiment), others(&before, experiment), "{words}");
        let (Finding::Performance(one), Finding::Performance(all)) =
            (&summary.experiments[0].findings[0], &before.experiments[0].findings[0])
        else {
            panic!("the first finding is for one user");
        };
        assert_eq!(one.pairs + 1, all.pairs, "{words}: its pair is lost");
        assert_eq!(one.verdict, all.verdict, "{words}");
    }
}

#[test]
fn a_lost_pair_says_which_side_is_damaged_also_when_both_are() {
    let run = Run::write();
    let pair = |trial: &&Trial| {
        let place = trial.record.place;
        trial.record.purpose == Purpose::Performance && place.is_some_and(|place| place.pair == 2)
    };
    let experiment = &run.trials[0].record.experiment;
    for trial in run.trials.iter().filter(pair).filter(|t| t.record.experiment == *experiment) {
        fs::write(run.trial(&trial.record.id).join("histograms.hlog"), "").expect("a file");
    }
    let summary = write_report(&run.path()).expect("a report");
    assert_eq!(summary.honesty.warnings.iter().filter(|one| one.kind == "damaged").count(), 2);
    assert!(run.page().contains("pair 3: before: the trial is damaged"));
    assert!(run.page().contains("2 trials are damaged and left out"));
}

/// The step that showed the capacity is lost: what is left of the search would show a smaller one.
#[test]
fn a_search_without_its_deciding_step_shows_no_capacity() {
    let run = Run::write();
    let searched = |trial: &Trial| {
        let place = trial.record.place;
        trial.record.purpose == Purpose::Capacity && place.is_some_and(|place| !place.after)
    };
    let first = run.find(searched);
    let slo = &run.record.experiments[0].slo;
    let steps = run.trials.iter().filter(|t| t.record.search == first.record.search);
    let held = steps.filter(|t| reports::held(&t.record, &t.histograms, slo).held);
    let best = held
        .max_by(|a, b| a.record.load.rate_per_s.total_cmp(&b.record.load.rate_per_s))
        .expect("a rate was held");
    fs::write(run.trial(&best.record.id).join("histograms.hlog"), "").expect("a file");
    write_report(&run.path()).expect("a report");
    let pairs = fs::read_to_string(run.path().join("report/pairs.csv")).expect("the pairs");
    let id = &run.record.experiments[0].id;
    let capacities =
        pairs.lines().filter(|line| line.starts_with(id.as_str()) && line.contains(",capacity,"));
    assert_eq!(capacities.count(), 2, "of three pairs:\n{pairs}");
}

#[test]
fn two_runs_are_compared_without_their_damaged_trials_and_these_are_named() {
    let run = Run::write();
    let copy = run.write_as("copy", &run.record);
    let trial = run.find(|t| t.record.purpose == Purpose::Performance);
    fs::write(copy.join("trials").join(&trial.record.id).join("trial.json"), "").expect("a file");
    let compared = compare(&run.path(), &copy).expect("both can be read");
    assert!(matches!(compared, RunComparison::SideBySide { .. }));
    let text = compared.to_string();
    let named = format!("Trial {} is damaged and left out: trial.json is empty.", trial.record.id);
    let line = text.lines().find(|line| line.contains(&named)).expect("it is named");
    assert!(line.starts_with(&copy.display().to_string()), "of the run that has it: {line}");
}

/// Words that a page, a figure, a spreadsheet or a terminal would obey.
#[test]
fn words_from_a_run_directory_harm_no_reader() {
    for word in [
        "=1+1",
        "\u{ff1d}1+1",
        "@SUM(A1:A9)",
        "\t=1",
        "-2+3",
        "a,b\n\"c\"",
        "<script>alert(1)</script>&\"'",
        "\u{202e}abc",
        "\u{2066}abc",
        "a\u{7}\u{1b}[31m\u{0}b",
        "\u{ffff}",
        "",
    ] {
        let run = Run::write();
        let mut record = run.record.clone();
        record.run = format!("run{word}");
        for experiment in &mut record.experiments {
            (experiment.title, experiment.question) = (word.to_owned(), word.to_owned());
            experiment.axis.label = word.to_owned();
            experiment.arrows.iter_mut().for_each(|arrow| arrow.label = word.to_owned());
            experiment.variants.iter_mut().for_each(|variant| variant.label = word.to_owned());
            experiment.performance.iter_mut().for_each(|measure| measure.label = word.to_owned());
        }
        let path = run.write_as("words", &record);
        let summary = write_report(&path).expect("a report");
        let shown =
            [reports::one_screen(&summary), compare(&path, &path).expect("two").to_string()];
        shown.iter().for_each(|text| assert_plain(text, word));
        for entry in fs::read_dir(path.join("report")).expect("a report") {
            let file = entry.expect("an entry").path();
            let text = fs::read_to_string(&file).expect("UTF-8");
            assert_plain(&text, word);
            match file.extension().and_then(|ending| ending.to_str()) {
                Some("csv") => assert_no_formula(&text, word),
                _ => assert!(!text.contains("<script>"), "{word:?}: {}", file.display()),
            }
        }
    }
}

/// No character that XML forbids, that commands a terminal or turns the writing around.
fn assert_plain(text: &str, word: &str) {
    let harmful = |letter: &char| {
        (letter.is_control() && !"\n\t\r".contains(*letter))
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    assert_eq!(text.chars().find(harmful), None, "{word:?}");
}

/// Every row has as many cells as the first, and no cell but a figure begins like a formula.
fn assert_no_formula(text: &str, word: &str) {
    let rows = rows(text);
    for row in &rows {
        assert_eq!(row.len(), rows[0].len(), "{word:?}: {row:?}");
        for cell in row {
            let first = cell.chars().next();
            let begins = first
                .is_some_and(|first| "=+-@\t\r\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(first));
            assert!(!begins || cell.parse::<f64>().is_ok(), "{word:?}: {cell:?}");
        }
    }
}

/// RFC 4180, read by somebody else than whoever wrote it.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => cell.extend(letters.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(letter),
        }
    }
    rows
}

#[test]
fn an_experiment_cannot_name_files_outside_the_report() {
    let run = Run::write();
    let mut record = run.record.clone();
    record.experiments[0].id = "../../javascript:x".to_owned();
    let path = run.write_as("names", &record);
    let summary = write_report(&path).expect("a report");
    for chart in &summary.experiments[0].charts {
        assert!(chart.starts_with(".._.._javascript_x"), "{chart}");
        assert!(path.join("report").join(chart).is_file(), "{chart}");
    }
    assert_eq!(fs::read_dir(run.folder.path()).expect("a folder").count(), 2, "nothing beside");
}

/// Even the record is gone: the trials beside it tell which search has lost a step.
#[test]
fn a_step_without_a_record_puts_the_search_around_it_in_doubt() {
    let removals: [fn(&Path) -> std::io::Result<()>; 2] =
        [|trial| fs::remove_dir_all(trial), |trial| fs::write(trial.join("trial.json"), "")];
    for remove in removals {
        let run = Run::write();
        let search =
            run.find(|t| t.record.purpose == Purpose::Capacity && t.record.place.is_some());
        let search = search.record.search;
        let steps: Vec<&Trial> = run.trials.iter().filter(|t| t.record.search == search).collect();
        remove(&run.trial(&steps[steps.len() / 2].record.id)).expect("it is there");
        write_report(&run.path()).expect("a report");
        let pairs = fs::read_to_string(run.path().join("report/pairs.csv")).expect("the pairs");
        let id = &run.record.experiments[0].id;
        let own = |line: &&str| line.starts_with(id.as_str()) && line.contains(",capacity,");
        assert_eq!(pairs.lines().filter(own).count(), 2, "of three pairs:\n{pairs}");
    }
}
