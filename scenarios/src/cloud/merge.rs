//! What a fleet of load generators wrote, merged without loss: HdrHistogram logs in, one table and one log out.
//!
//! The generators began in the same second (terraform/modules/loadgen), so that second 7 of one is second 7 of all. Percentiles
//! come from the merged histograms, never from averages of percentiles.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use loadgen::record::quantiles::samples_needed;
use loadgen::record_io::{IntervalHistograms, write_atomically};

/// Merges every .hlog of a folder; gives the table, and writes the merged log when told where.
pub fn merge(dir: &Path, out: Option<&Path>) -> anyhow::Result<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(|| format!("could not list {}", dir.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "hlog"))
        .collect();
    files.sort();
    ensure!(
        !files.is_empty(),
        "there is no .hlog file in {}: `aws s3 sync s3://RESULTS/load/RUN {}` brings them",
        dir.display(),
        dir.display()
    );
    let (mut merged, mut starts) = (IntervalHistograms::new(), BTreeMap::new());
    for path in &files {
        merged.merge(&IntervalHistograms::read(path)?);
        starts.insert(start_of(path)?, path.clone());
    }
    if let Some(out) = out {
        let start_s = starts.keys().next().copied().unwrap_or_default();
        write_atomically(out, merged.to_log(start_s * 1_000_000).as_bytes())
            .with_context(|| format!("could not write {}", out.display()))?;
    }
    Ok(table(files.len(), &starts.keys().copied().collect::<Vec<u64>>(), &merged))
}

/// The second in which a generator began, from the head of its log.
fn start_of(path: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let seconds = text.split("#[StartTime: ").nth(1).and_then(|rest| rest.split(['.', ' ']).next());
    seconds.and_then(|word| word.parse().ok()).with_context(|| {
        format!("{} has no line StartTime: is it a log of the load generator?", path.display())
    })
}

fn table(generators: usize, starts: &[u64], merged: &IntervalHistograms) -> String {
    let apart = starts.last().zip(starts.first()).map_or(0, |(last, first)| last - first);
    let mut text = format!("{generators} load generators, begun within {apart} s of each other\n");
    if apart > 1 {
        text.push_str(
            "Beware: seconds of different generators are merged that were not the same.\n",
        );
    }
    let _infallible = writeln!(
        text,
        "\n{:<24} {:>9} {:>9} {:>9} {:>9}",
        "operation/clock", "count", "p50 ms", "p95 ms", "p99 ms"
    );
    for ((operation, clock), histogram) in merged.merged() {
        let percentile = |share: f64| {
            if histogram.len() < samples_needed(share) {
                return "-".to_owned();
            }
            format!("{:.2}", histogram.value_at_quantile(share) as f64 / 1_000.0)
        };
        let name = format!("{operation}/{}", clock.as_str());
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(percentile);
        let count = histogram.len();
        let _infallible = writeln!(text, "{name:<24} {count:>9} {p50:>9} {p95:>9} {p99:>9}");
    }
    text.push_str("\n- : too few samples for that percentile (100 beyond it, 6 for a median)\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen::record::Clock;
    use loadgen::record_io::new_histogram;

    fn log_of(folder: &Path, name: &str, latencies_us: &[u64], start_s: u64) {
        let mut histogram = new_histogram();
        latencies_us.iter().for_each(|value| histogram.record(*value).expect("in range"));
        let mut intervals = IntervalHistograms::new();
        intervals.push(0, "home", Clock::SentLast, &histogram).expect("a good name");
        let log = intervals.to_log(start_s * 1_000_000);
        std::fs::write(folder.join(name), log).expect("a file can be written");
    }

    #[test]
    fn percentiles_come_from_all_generators_together() {
        let folder = tempfile::tempdir().expect("a folder");
        log_of(folder.path(), "i-1.hlog", &[1_000; 300], 1_700_000_000);
        log_of(folder.path(), "i-2.hlog", &[9_000; 100], 1_700_000_000);
        let out = folder.path().join("merged");
        let text = merge(folder.path(), Some(&out)).expect("merged");
        assert!(text.starts_with("2 load generators, begun within 0 s"), "{text}");
        let line = text.lines().find(|line| line.starts_with("home/sent_last")).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["home/sent_last", "400", "1.00", "-", "-"], "{text}");
        let merged = IntervalHistograms::read(&out).expect("a log").merged();
        assert_eq!(merged[&("home".to_owned(), Clock::SentLast)].len(), 400);
    }

    #[test]
    fn generators_that_began_apart_are_told_and_an_empty_folder_names_the_fix() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = merge(folder.path(), None).expect_err("nothing there").to_string();
        assert!(error.contains("aws s3 sync"), "{error}");
        log_of(folder.path(), "i-1.hlog", &[1_000; 300], 1_700_000_000);
        log_of(folder.path(), "i-2.hlog", &[1_000; 300], 1_700_000_007);
        let text = merge(folder.path(), None).expect("merged");
        assert!(text.contains("within 7 s") && text.contains("Beware"), "{text}");
    }
}
