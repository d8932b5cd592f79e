//! Trials that are not whole: which folders of a run directory hold one, what is wrong with it, and which ones are gone.
//!
//! A run directory is copied, unpacked and kept for years. What a disk or a copy does to one trial must neither spoil the report of all
//! the others nor enter it unseen, so the histograms are held against the counts that the trial itself wrote down. What file managers and
//! file systems leave in a folder is none of a run's business.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use super::{HistogramSet, RecordError};
use crate::causes::causes;
use crate::record::{Clock, OperationRecord, TrialRecord};

/// The polls for a finished photo are counted and not timed.
const POLLS: &str = "status";
/// The operation that a finished photo belongs to.
const UPLOAD: &str = "upload";
/// Operations after which the driver looks at what became of them.
const FOLLOWED: [&str; 2] = [UPLOAD, "like"];

/// The clocks that every answer has.
const BASE_CLOCKS: [Clock; 4] =
    [Clock::PlannedFirst, Clock::PlannedLast, Clock::SentFirst, Clock::SentLast];

/// A trial that is left out because it is not whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Damaged {
    /// The folder's name; `0040` where there is no folder any more.
    pub id: String,
    /// What is wrong with it, in words that follow a colon.
    pub reason: String,
    /// Its record, where that can still be read.
    pub record: Option<TrialRecord>,
}

impl Damaged {
    /// Its position in the run, which begins its name.
    pub fn sequence(&self) -> Option<u32> {
        self.id.split('-').next()?.parse().ok()
    }
}

/// The number that a trial's folder begins with (`0007-framework-before-x1-aa`); none for a folder that never was a trial's.
pub(super) fn sequence_of(name: &str) -> Option<u32> {
    let (digits, rest) = name.split_once('-').unwrap_or((name, ""));
    let numbered = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_count =
        |part: &str| part.strip_prefix('x').is_some_and(|count| count.parse::<u32>().is_ok());
    let counted = rest.split('-').any(is_count);
    if numbered && counted { digits.parse().ok() } else { None }
}

/// What is wrong, with its causes; files are named by their place in the trial, so that a report does not depend on where it is made.
pub(super) fn reason(error: &RecordError, folder: &Path) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        text += &format!(": {cause}");
    }
    text.replace(&format!("{}/", folder.display()), "")
}

/// The trials before `last` that are gone without a trace: a run numbers its trials without a gap.
pub(super) fn missing(known: &BTreeSet<u32>, last: u32) -> Vec<Damaged> {
    let absent = (0..last).filter(|sequence| !known.contains(sequence));
    absent
        .map(|sequence| Damaged {
            id: format!("{sequence:04}"),
            reason: "its folder is missing".to_owned(),
            record: None,
        })
        .collect()
}

/// Fails unless the histograms hold what the record says it counted.
pub(super) fn check_counts(
    record: &TrialRecord,
    histograms: &HistogramSet,
) -> Result<(), RecordError> {
    let mut held: BTreeMap<&str, BTreeMap<Clock, u64>> = BTreeMap::new();
    for operation in record.operations.keys() {
        held.entry(operation).or_default();
    }
    for ((operation, clock), histogram) in histograms {
        held.entry(operation).or_default().insert(*clock, histogram.len());
    }
    let nothing = OperationRecord::default();
    for (operation, clocks) in held.iter().filter(|(operation, _)| **operation != POLLS) {
        let counts = record.operations.get(*operation).unwrap_or(&nothing);
        let of = |clock| clocks.get(&clock).copied().unwrap_or(0);
        // Of an answer that was recorded and then spoilt by what followed it, each clock knows.
        let recorded = BASE_CLOCKS.map(of).into_iter().max().unwrap_or(0);
        for (clock, allowed) in expected(operation, counts) {
            let (held, base) = (of(clock), BASE_CLOCKS.contains(&clock));
            if !allowed.contains(&held) || (base && held != recorded) {
                let what = format!("{operation}/{}", clock.as_str());
                let counted = if base { recorded.max(counts.ok_count) } else { counts.ok_count };
                return Err(RecordError::Counts { what, held, counted });
            }
        }
    }
    Ok(())
}

/// How many samples each clock of an operation may hold. A correct answer stands in the histograms even when what followed it failed (a
/// photo that was never finished, a like that the page did not show), an answer that missed its deadline does not.
fn expected(operation: &str, counts: &OperationRecord) -> [(Clock, RangeInclusive<u64>); 5] {
    let name = operation.split('.').next().unwrap_or_default();
    let ok = counts.ok_count;
    let spoilt = counts.errors.iter().filter(|(kind, _)| *kind != "timeout");
    let spoilt: u64 =
        if FOLLOWED.contains(&name) { spoilt.map(|(_, count)| count).sum() } else { 0 };
    let finished = if name == UPLOAD { ok..=ok } else { 0..=ok };
    Clock::ALL.map(|clock| match clock {
        Clock::PlannedFinished => (clock, finished.clone()),
        _ => (clock, ok..=ok + spoilt),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_io::new_histogram;

    fn counts(ok_count: u64, errors: &[(&str, u64)]) -> OperationRecord {
        let errors = errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        OperationRecord { ok_count, errors, ..OperationRecord::default() }
    }

    /// Whether a trial that counted so may hold so many samples per clock, and so many finished photos.
    fn agrees(operation: &str, counted: OperationRecord, base: [u64; 4], finished: u64) -> bool {
        let mut record = crate::record_io::tests::trial(1);
        record.operations = BTreeMap::from([(operation.to_owned(), counted)]);
        let clocks = BASE_CLOCKS.into_iter().zip(base).chain([(Clock::PlannedFinished, finished)]);
        let set = clocks.map(|(clock, count)| {
            let mut histogram = new_histogram();
            histogram.record_n(1_000, count).expect("in range");
            ((operation.to_owned(), clock), histogram)
        });
        check_counts(&record, &set.collect()).is_ok()
    }

    #[test]
    fn every_clock_holds_what_was_counted() {
        assert!(agrees("home", counts(5, &[("status 500", 2)]), [5; 4], 0));
        assert!(!agrees("home", counts(5, &[("status 500", 2)]), [6; 4], 0));
        assert!(!agrees("home", counts(5, &[]), [4; 4], 0));
        assert!(!agrees("home", counts(5, &[]), [5, 5, 5, 4], 0));
        assert!(!agrees("home", counts(5, &[]), [5; 4], 6));
        assert!(agrees("status", counts(5, &[]), [0; 4], 0), "polls are not timed");
    }

    #[test]
    fn what_failed_after_its_answer_may_be_held() {
        let uploads = || counts(5, &[("not finished", 2), ("timeout", 4)]);
        assert!(agrees("upload.near", uploads(), [5; 4], 5));
        assert!(agrees("upload.near", uploads(), [7; 4], 5));
        assert!(!agrees("upload.near", uploads(), [8; 4], 5));
        assert!(!agrees("upload.near", uploads(), [7, 7, 7, 6], 5));
        assert!(!agrees("upload.near", uploads(), [7; 4], 4), "each correct upload was finished");
        assert!(agrees("like", counts(5, &[("wrong body", 1)]), [6; 4], 0));
    }

    #[test]
    fn folders_that_are_no_trials_have_no_number() {
        for name in [
            ".DS_Store",
            "@eaDir",
            "__MACOSX",
            "lost+found",
            "12-a-b-x1-aa",
            "00a1-a-b-x1-aa",
            "2026-12-01T0951-quick",
            "20261201-backup",
            "",
        ] {
            assert_eq!(sequence_of(name), None, "{name}");
        }
        assert_eq!(sequence_of("0007-framework-before-x1-aa"), Some(7));
        assert_eq!(sequence_of("12345-a-b-x10-warm-up"), Some(12_345));
        let missing = missing(&BTreeSet::from([0, 2, 4, 9]), 4);
        let missing: Vec<&str> = missing.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(missing, ["0001", "0003"]);
    }
}
