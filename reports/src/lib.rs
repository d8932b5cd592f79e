//! Run directories to answers: the same input gives the same bytes.
//!
//! Module map: `stats` (pure functions on slices) -> `capacity` (was a rate held?) -> `findings` (verdicts and warnings as typed
//! values) -> `summary` (summary.json), `text` (figures as words), `charts` (a file per figure), `html` (the page), `csv`
//! (every series); `compare` puts two runs side by side. Nothing here reads a clock or draws without a fixed seed.

use std::fs;
use std::path::{Path, PathBuf};

use loadgen::record_io::{RecordError, RunDir, write_atomically};

pub mod capacity;
pub mod charts;
mod compare;
pub mod csv;
pub mod findings;
pub mod html;
pub mod stats;
pub mod summary;
pub mod text;

pub use capacity::{Capacity, Held, capacity_of_search, held};
pub use compare::{ComparedFinding, Relation, RunComparison, Side, compare_runs};
pub use summary::{Summary, Verdict};
pub use text::one_screen;

/// The findings for other programs, in the run directory.
pub const SUMMARY_FILE: &str = "summary.json";
/// The folder of the page, its figures and tables, in the run directory.
pub const REPORT_FOLDER: &str = "report";
/// The page, in that folder.
pub const PAGE_FILE: &str = "index.html";

/// What can go wrong between a run directory and its report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run directory cannot be read, or the report cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The report's folder cannot be made.
    #[error("cannot create {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The page cannot be rendered.
    #[error("cannot render the page")]
    Page(#[from] askama::Error),
    /// The summary cannot be written as JSON.
    #[error("cannot write the summary as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reads a run directory and writes `summary.json`, `report/index.html`, `report/*.svg` and `report/*.csv` into it. Files of an
/// earlier report with the same names are replaced one by one; the raw data is never touched.
pub fn write_report(dir: &Path) -> Result<Summary, ReportError> {
    let run_dir = RunDir::open(dir)?;
    let run = run_dir.read_run()?;
    let mut read = run_dir.read_trials()?;
    let analysis = findings::analyse_beside(&run, &read.trials, &read.damaged);
    let charts = charts::charts(&analysis);
    let names: Vec<Vec<String>> = charts
        .experiments
        .iter()
        .map(|arrows| arrows.iter().flat_map(|a| a.all()).map(|c| c.file.clone()).collect())
        .collect();
    let summary = summary::summarise(&analysis, &names);
    let tables = csv::files(&analysis, &summary);
    let files: Vec<String> = tables.iter().map(|t| t.name.clone()).collect();
    let cloud = run_dir.read_cloud().unwrap_or_else(|error| {
        // It explains findings and enters none: without it the report is still a report.
        let reason = error.to_string().replace(&format!("{}/", dir.display()), "");
        let note = format!("What AWS said is left out, because its file is damaged: {reason}.");
        read.notes.push(note);
        None
    });
    let page = html::page(&analysis, &charts, &files, &read.notes, cloud.as_ref())?;

    let folder = dir.join(REPORT_FOLDER);
    fs::create_dir_all(&folder)
        .map_err(|source| ReportError::Folder { path: folder.clone(), source })?;
    let figures = charts.experiments.iter().flatten().flat_map(|a| a.all());
    for chart in figures.chain([&charts.map]) {
        write_atomically(&folder.join(&chart.file), chart.wide.as_bytes())?;
    }
    for table in &tables {
        write_atomically(&folder.join(&table.name), table.content.as_bytes())?;
    }
    write_atomically(&folder.join(PAGE_FILE), page.as_bytes())?;
    let mut json = serde_json::to_vec_pretty(&summary)?;
    json.push(b'\n');
    write_atomically(&dir.join(SUMMARY_FILE), &json)?;
    Ok(summary)
}

/// Two run directories side by side, or the reasons why they cannot be compared; print it with `Display`.
pub fn compare(dir_a: &Path, dir_b: &Path) -> Result<RunComparison, ReportError> {
    let read = |dir: &Path| -> Result<_, ReportError> {
        let run_dir = RunDir::open(dir)?;
        Ok((run_dir.read_run()?, run_dir.read_trials()?))
    };
    let ((mut run_a, read_a), (mut run_b, read_b)) = (read(dir_a)?, read(dir_b)?);
    if run_a.run == run_b.run {
        // A copy, or two machines that began in the same minute: their folders tell them apart.
        run_a.run = dir_a.display().to_string();
        run_b.run = dir_b.display().to_string();
    }
    Ok(compare::compare_read((&run_a, &read_a), (&run_b, &read_b)))
}
