//! Every series of the report as CSV (RFC 4180), for spreadsheets and other programs: no figure hides in a picture.
//!
//! Spreadsheets take a cell for a formula by how it begins. Words that begin so (a label, a reason: other people's words) stand behind an
//! apostrophe, which spreadsheets take for "this is text"; other programs drop it. Figures are never touched.

use loadgen::record::{Outcome, Purpose};

use crate::capacity::held;
use crate::findings::scalability::CountCapacity;
use crate::findings::searches::searches;
use crate::findings::{Analysis, Context};
use crate::stats::round_significant;
use crate::summary::{Finding, Summary};
use crate::text::plain;

/// What a formula begins with, and the wide and small forms that are read alike.
const FORMULA_SIGNS: [char; 12] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe62}',
    '\u{fe63}', '\u{fe6b}',
];

/// A file of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    /// `findings.csv`.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// A table under construction.
struct Table {
    text: String,
}

impl Table {
    fn new(columns: &[&str]) -> Self {
        Self { text: columns.join(",") + "\r\n" }
    }

    fn row(&mut self, cells: &[String]) {
        let quoted: Vec<String> = cells.iter().map(|c| quote(&harmless(&plain(c)))).collect();
        self.text += &quoted.join(",");
        self.text += "\r\n";
    }

    fn file(self, name: &str) -> CsvFile {
        CsvFile { name: name.to_owned(), content: self.text }
    }
}

/// The cell as no spreadsheet computes it.
fn harmless(cell: &str) -> String {
    let first = cell.chars().find(|letter| !letter.is_whitespace() && !is_unseen(*letter));
    let begins = first.is_some_and(|letter| FORMULA_SIGNS.contains(&letter));
    if (begins || cell.starts_with('\t')) && !is_figure(cell) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Characters without a shape, behind which a sign could hide.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// True for what `figure` writes.
fn is_figure(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok()
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Six digits; nothing for what is not known or no number.
fn figure(value: Option<f64>) -> String {
    let known = value.filter(|value| value.is_finite());
    known.map_or_else(String::new, |value| round_significant(value, 6).to_string())
}

/// All files, in a fixed order.
pub fn files(analysis: &Analysis<'_>, summary: &Summary) -> Vec<CsvFile> {
    vec![
        findings(summary),
        levels(analysis),
        capacities(analysis),
        steps(analysis),
        pairs(analysis),
        trials(analysis),
        instances(analysis),
    ]
}

fn findings(summary: &Summary) -> CsvFile {
    let mut table = Table::new(&[
        "experiment",
        "variant",
        "axis",
        "measure",
        "ratio",
        "ci95_low",
        "ci95_high",
        "verdict",
        "sentence",
    ]);
    for experiment in &summary.experiments {
        for finding in &experiment.findings {
            let (axis, measure, sentence) = match finding {
                Finding::Performance(f) => ("performance", &f.measure, &f.sentence),
                Finding::Scalability(f) => ("scalability", &f.measure, &f.sentence),
            };
            table.row(&[
                experiment.id.clone(),
                finding.variant().to_owned(),
                axis.to_owned(),
                measure.clone(),
                figure(finding.ratio()),
                figure(finding.ci95().map(|c| c[0])),
                figure(finding.ci95().map(|c| c[1])),
                finding.verdict().as_str().to_owned(),
                sentence.clone(),
            ]);
        }
    }
    table.file("findings.csv")
}

fn levels(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "experiment",
        "cure",
        "variant",
        "instances",
        "offered_per_s",
        "median_ms",
        "slo_quantile_ms",
        "share_within_slo",
        "samples",
        "held",
        "why",
        "trial",
    ]);
    for experiment in &analysis.experiments {
        for arrow in &experiment.arrows {
            let sides = [
                (&arrow.arrow.before, &arrow.before_curve),
                (&arrow.arrow.after, &arrow.after_curve),
            ];
            for (variant, curve) in sides {
                for point in &curve.points {
                    table.row(&[
                        experiment.record.id.clone(),
                        arrow.arrow.label.clone(),
                        variant.clone(),
                        curve.count.to_string(),
                        figure(Some(point.rate_per_s)),
                        figure(point.median_ms),
                        figure(point.tail_ms),
                        figure(point.share_within),
                        point.sample_count.to_string(),
                        point.held.to_string(),
                        point.why.clone(),
                        point.trial.clone(),
                    ]);
                }
            }
        }
    }
    table.file("latency-vs-load.csv")
}

fn capacities(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "experiment",
        "cure",
        "side",
        "instances",
        "capacity_per_s",
        "searches",
        "repeated",
        "ideal_per_s",
        "usl_per_s",
        "hole",
    ]);
    for experiment in &analysis.experiments {
        for arrow in &experiment.arrows {
            let finding = &arrow.scalability;
            for (side, values) in [("before", &finding.before), ("after", &finding.after)] {
                let first = values.iter().find(|c| c.rate().is_some());
                for at in values {
                    let n = f64::from(at.count);
                    let per_one = |c: &CountCapacity| Some(c.rate()? / f64::from(c.count));
                    let ideal = first
                        .filter(|f| !f.repeated && !at.repeated)
                        .and_then(per_one)
                        .map(|r| r * n);
                    let law = finding.usl.as_ref().filter(|_| side == "after").map(|f| f.rate(n));
                    table.row(&[
                        experiment.record.id.clone(),
                        arrow.arrow.label.clone(),
                        side.to_owned(),
                        at.count.to_string(),
                        figure(at.rate()),
                        at.searches.len().to_string(),
                        at.repeated.to_string(),
                        figure(ideal),
                        figure(law),
                        at.hole.clone().unwrap_or_default(),
                    ]);
                }
            }
        }
    }
    table.file("capacity-vs-instances.csv")
}

fn steps(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "experiment",
        "variant",
        "instances",
        "arrow",
        "pair",
        "offered_per_s",
        "share_within_slo",
        "held",
        "why",
        "trial",
    ]);
    for experiment in &analysis.experiments {
        let context = Context::new(experiment.record, analysis.trials);
        for search in searches(&context).iter().filter(|s| s.is_adaptive()) {
            for trial in &search.trials {
                let judged = held(&trial.record, &trial.histograms, &experiment.record.slo);
                let place = |pick: fn((u32, u32)) -> u32| {
                    search.place.map(|p| pick(p).to_string()).unwrap_or_default()
                };
                table.row(&[
                    experiment.record.id.clone(),
                    search.variant.to_owned(),
                    search.count.to_string(),
                    place(|p| p.0),
                    place(|p| p.1),
                    figure(Some(trial.record.load.rate_per_s)),
                    figure(judged.share_within),
                    judged.held.to_string(),
                    judged.why,
                    trial.record.id.clone(),
                ]);
            }
        }
    }
    table.file("capacity-searches.csv")
}

fn pairs(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "experiment",
        "cure",
        "kind",
        "measure",
        "pair",
        "before",
        "after",
        "log_ratio_better_above_0",
    ]);
    for experiment in &analysis.experiments {
        for arrow in &experiment.arrows {
            let mut write =
                |kind: &str, measure: &str, pairs: &[crate::stats::compare::Pair], lower: bool| {
                    for pair in pairs {
                        let log = (pair.before / pair.after).ln() * if lower { 1.0 } else { -1.0 };
                        table.row(&[
                            experiment.record.id.clone(),
                            arrow.arrow.label.clone(),
                            kind.to_owned(),
                            measure.to_owned(),
                            (pair.number + 1).to_string(),
                            figure(Some(pair.before)),
                            figure(Some(pair.after)),
                            figure(Some(log)),
                        ]);
                    }
                };
            for finding in &arrow.performance {
                write("performance", &finding.measure.id, &finding.pairs, true);
                write("aa", &finding.measure.id, &finding.aa_pairs, true);
            }
            for finding in &arrow.unchanged {
                write("unchanged", &finding.measure.id, &finding.pairs, true);
                write("unchanged aa", &finding.measure.id, &finding.aa_pairs, true);
            }
            write("capacity", "capacity_rps", &arrow.scalability.pairs, false);
        }
    }
    table.file("pairs.csv")
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::WarmUp => "warm_up",
        Purpose::Probe => "probe",
        Purpose::Performance => "performance",
        Purpose::Aa => "aa",
        Purpose::Level => "level",
        Purpose::Capacity => "capacity",
    }
}

fn trials(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "trial",
        "experiment",
        "variant",
        "instances",
        "purpose",
        "outcome",
        "reason",
        "schedule",
        "rate_per_s",
        "duration_ms",
        "operation",
        "planned",
        "sent",
        "ok",
        "errors",
        "dropped",
        "late",
        "http",
        "verified",
        "lateness_p99_us",
        "generator_cpu_share",
        "in_flight_mean",
    ]);
    for record in analysis.trials.iter().map(|t| &t.record) {
        let (outcome, reason) = match &record.outcome {
            Outcome::Completed => ("completed", ""),
            Outcome::Failed { reason } => ("failed", reason.as_str()),
            Outcome::Dropped { reason } => ("dropped", reason.as_str()),
        };
        let nothing = Default::default();
        let mut operations: Vec<(&str, &loadgen::record::OperationRecord)> =
            record.operations.iter().map(|(name, o)| (name.as_str(), o)).collect();
        if operations.is_empty() {
            operations.push(("", &nothing));
        }
        for (name, o) in operations {
            table.row(&[
                record.id.clone(),
                record.experiment.clone(),
                record.variant.clone(),
                record.instance_count.to_string(),
                purpose(record.purpose).to_owned(),
                outcome.to_owned(),
                reason.to_owned(),
                record.load.schedule.clone(),
                figure(Some(record.load.rate_per_s)),
                record.load.duration_ms.to_string(),
                name.to_owned(),
                o.planned_count.to_string(),
                o.sent_count.to_string(),
                o.ok_count.to_string(),
                o.errors.values().sum::<u64>().to_string(),
                o.dropped_count.to_string(),
                o.late_count.to_string(),
                o.http_count.to_string(),
                o.verified_count.to_string(),
                record.generator.lateness_p99_us.to_string(),
                figure(Some(record.generator.cpu_share)),
                figure(Some(record.generator.in_flight_mean)),
            ]);
        }
    }
    table.file("trials.csv")
}

fn instances(analysis: &Analysis<'_>) -> CsvFile {
    let mut table = Table::new(&[
        "trial",
        "instance",
        "role",
        "budget_share",
        "cpu_us",
        "cpu_share",
        "throttled_us",
        "memory_bytes",
        "disk_bytes",
        "link_bytes",
    ]);
    let count = |value: Option<u64>| value.map_or_else(String::new, |v| v.to_string());
    for record in analysis.trials.iter().map(|t| &t.record) {
        let wall_us = record.generator.wall_us.max(1) as f64;
        for i in &record.instances {
            table.row(&[
                record.id.clone(),
                i.name.clone(),
                i.role.clone(),
                figure(i.budget),
                i.cpu_us.to_string(),
                figure(Some(i.cpu_us as f64 / wall_us)),
                count(i.throttled_us),
                i.memory_bytes.to_string(),
                i.disk_bytes.to_string(),
                count(i.link_bytes),
            ]);
        }
    }
    table.file("instances.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_quotes_or_breaks_are_quoted() {
        let mut table = Table::new(&["a", "b"]);
        table.row(&["plain".to_owned(), "say \"no\", then\nleave".to_owned()]);
        assert_eq!(table.text, "a,b\r\nplain,\"say \"\"no\"\", then\nleave\"\r\n");
    }

    #[test]
    fn no_cell_is_a_formula_and_figures_stay_figures() {
        let row = |cell: &str| {
            let mut table = Table::new(&["a"]);
            table.row(&[cell.to_owned()]);
            table.text["a\r\n".len()..].trim_end_matches("\r\n").to_owned()
        };
        for formula in [
            "=1+1",
            "+1+1",
            "-2+3",
            "@SUM(A1:A9)",
            "\t=1",
            "\tx",
            " =1",
            "\u{200b}=1",
            "\u{feff}@x",
            "\u{ff1d}1+1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}x",
            "\u{fe66}1",
            "+5",
            "-",
            "-inf",
            "-1e5",
            "--1",
        ] {
            assert_eq!(row(formula), format!("'{formula}"), "{formula:?}");
        }
        assert_eq!(row("\r=1"), "' =1");
        assert_eq!(row("=a,b"), "\"'=a,b\"", "quoted as well");
        for harmless in ["-2.5", "-2", "0.5", "", "a=b", "1-2", "x -1", "'=1", "größe"] {
            assert_eq!(row(harmless), harmless);
        }
        assert_eq!(row("bell\u{7}"), "bell\u{fffd}");
        assert_eq!(
            [figure(Some(-0.25)), figure(Some(f64::NEG_INFINITY)), figure(None)],
            ["-0.25", "", ""]
        );
    }
}
