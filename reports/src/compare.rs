//! Two runs side by side, or the reasons why they cannot be compared.
//!
//! Ratios (after over before) were measured within one run and survive a change of machine better than absolute figures, but only where
//! everything else is alike. So anything that differs in machine, depth, seed or experiment is a reason, and
//! each is named with both values.

use std::fmt;

use loadgen::record::RunRecord;
use loadgen::record_io::{Damaged, Trial, Trials};

use crate::findings::analyse_beside;
use crate::findings::warnings::Warning;
use crate::summary::{Finding, Summary, Verdict, summarise};
use crate::text::{interval, plain, ratio};

/// What comparing two runs gives.
#[derive(Debug, Clone, PartialEq)]
pub enum RunComparison {
    /// Alike in everything that matters.
    SideBySide {
        /// Names of the runs.
        runs: [String; 2],
        /// Differences worth a word that do not forbid comparing: the commit, for one, is what is compared.
        remarks: Vec<String>,
        /// A line per finding.
        rows: Vec<ComparedFinding>,
    },
    /// Not comparable.
    NotComparable {
        /// Names of the runs.
        runs: [String; 2],
        /// Each with both values.
        reasons: Vec<String>,
    },
}

/// One finding in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedFinding {
    /// `framework / cache / median_ms_one_user`.
    pub name: String,
    /// In each run: ratio, interval, verdict.
    pub sides: [Option<Side>; 2],
    /// What the two say together.
    pub relation: Relation,
}

/// A finding in one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// Better is above 1.
    pub ratio: Option<f64>,
    /// 95 % interval.
    pub ci95: Option<[f64; 2]>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What two intervals say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The intervals overlap: no difference between the runs is shown.
    Alike,
    /// The second lies above.
    Better,
    /// The second lies below.
    Worse,
    /// One of them has no interval.
    Unknown,
}

impl Relation {
    fn as_str(self) -> &'static str {
        match self {
            Relation::Alike => "alike",
            Relation::Better => "second is better",
            Relation::Worse => "second is worse",
            Relation::Unknown => "cannot be told",
        }
    }
}

/// One side: the run, its whole trials, and those that are left out.
type Input<'r> = (&'r RunRecord, &'r [Trial], &'r [Damaged]);

/// Compares two runs already read.
pub fn compare_runs(a: (&RunRecord, &[Trial]), b: (&RunRecord, &[Trial])) -> RunComparison {
    side_by_side((a.0, a.1, &[]), (b.0, b.1, &[]))
}

/// Compares two run directories as they were read, with what is damaged in them.
pub(crate) fn compare_read(a: (&RunRecord, &Trials), b: (&RunRecord, &Trials)) -> RunComparison {
    side_by_side((a.0, &a.1.trials, &a.1.damaged), (b.0, &b.1.trials, &b.1.damaged))
}

fn side_by_side(a: Input<'_>, b: Input<'_>) -> RunComparison {
    let runs = [a.0.run.clone(), b.0.run.clone()];
    let reasons = reasons(a.0, b.0);
    if !reasons.is_empty() {
        return RunComparison::NotComparable { runs, reasons };
    }
    let summary =
        |(run, trials, damaged): Input<'_>| summarise(&analyse_beside(run, trials, damaged), &[]);
    let rows = rows(&summary(a), &summary(b));
    let mut remarks = remarks(a.0, b.0);
    for (run, _, damaged) in [a, b] {
        let seen = damaged.iter().map(|one| Warning::damaged(one).seen());
        remarks.extend(seen.map(|seen| format!("{}: {seen}", run.run)));
    }
    RunComparison::SideBySide { runs, remarks, rows }
}

/// Everything that forbids comparing.
fn reasons(a: &RunRecord, b: &RunRecord) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut differ = |what: &str, x: String, y: String| {
        if x != y {
            reasons.push(format!("{what}: {x} / {y}"));
        }
    };
    differ("mode", format!("{:?}", a.mode), format!("{:?}", b.mode));
    differ("depth", format!("{:?}", a.depth), format!("{:?}", b.depth));
    differ("seed", a.seed.to_string(), b.seed.to_string());
    differ("processor", a.machine.cpu_model.clone(), b.machine.cpu_model.clone());
    differ("cores", a.machine.cores.to_string(), b.machine.cores.to_string());
    differ("memory", a.machine.memory_bytes.to_string(), b.machine.memory_bytes.to_string());
    differ("CPU budgets", a.machine.budgets.clone(), b.machine.budgets.clone());
    differ("placement", a.machine.placement.clone(), b.machine.placement.clone());
    let used = |run: &RunRecord| {
        let each = run.substitutions.iter().map(|s| format!("{} for {}", s.used, s.wanted));
        let all = each.collect::<Vec<_>>().join(", ");
        if all.is_empty() { "none".to_owned() } else { all }
    };
    differ("substitutions", used(a), used(b));
    let ids = |run: &RunRecord| run.experiments.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
    let common: Vec<_> = a
        .experiments
        .iter()
        .filter_map(|x| Some((x, b.experiments.iter().find(|y| y.id == x.id)?)))
        .collect();
    for (x, y) in &common {
        let id = &x.id;
        differ(&format!("{id}: objective"), format!("{:?}", x.slo), format!("{:?}", y.slo));
        differ(&format!("{id}: axis"), format!("{:?}", x.axis), format!("{:?}", y.axis));
        differ(&format!("{id}: budgets"), format!("{:?}", x.budgets), format!("{:?}", y.budgets));
        for variant in &x.variants {
            if let Some(other) = y.variants.iter().find(|v| v.id == variant.id) {
                let name = format!("{id}: settings of {}", variant.id);
                differ(&name, format!("{:?}", variant.stack), format!("{:?}", other.stack));
            }
        }
    }
    if common.is_empty() {
        reasons.push(format!(
            "no experiment in common: {} / {}",
            ids(a).join(", "),
            ids(b).join(", ")
        ));
    }
    reasons
}

/// What differs and may.
fn remarks(a: &RunRecord, b: &RunRecord) -> Vec<String> {
    let mut remarks = Vec::new();
    if a.commit != b.commit {
        remarks.push(format!("commit: {} / {}", a.commit, b.commit));
    }
    if a.machine.kernel != b.machine.kernel {
        remarks.push(format!("kernel: {} / {}", a.machine.kernel, b.machine.kernel));
    }
    for (name, version) in &a.machine.versions {
        let other = b.machine.versions.get(name).map_or("absent", String::as_str);
        if other != version {
            remarks.push(format!("{name}: {version} / {other}"));
        }
    }
    for run in [a, b] {
        if run.interrupted || run.finished_at.is_none() {
            remarks.push(format!("{} did not finish", run.run));
        }
    }
    remarks
}

fn named(summary: &Summary) -> Vec<(String, Side)> {
    let experiments = summary.experiments.iter();
    experiments
        .flat_map(|e| {
            e.findings.iter().map(move |f| {
                let measure = match f {
                    Finding::Performance(p) => &p.measure,
                    Finding::Scalability(s) => &s.measure,
                };
                let side = Side { ratio: f.ratio(), ci95: f.ci95(), verdict: f.verdict() };
                (format!("{} / {} / {measure}", e.id, f.variant()), side)
            })
        })
        .collect()
}

fn rows(a: &Summary, b: &Summary) -> Vec<ComparedFinding> {
    let (first, second) = (named(a), named(b));
    let find =
        |list: &[(String, Side)], name: &str| list.iter().find(|(n, _)| n == name).map(|(_, s)| *s);
    let mut names: Vec<String> = first.iter().map(|(n, _)| n.clone()).collect();
    names.extend(second.iter().map(|(n, _)| n.clone()).filter(|n| find(&first, n).is_none()));
    names
        .into_iter()
        .map(|name| {
            let sides = [find(&first, &name), find(&second, &name)];
            ComparedFinding { relation: relation(&sides), name, sides }
        })
        .collect()
}

fn relation(sides: &[Option<Side>; 2]) -> Relation {
    let [Some([low_a, high_a]), Some([low_b, high_b])] = sides.map(|s| s.and_then(|s| s.ci95))
    else {
        return Relation::Unknown;
    };
    if low_b > high_a {
        Relation::Better
    } else if high_b < low_a {
        Relation::Worse
    } else {
        Relation::Alike
    }
}

impl fmt::Display for RunComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text)?;
        f.write_str(&plain(&text))
    }
}

impl RunComparison {
    fn write(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self {
            RunComparison::NotComparable { runs, reasons } => {
                writeln!(f, "{} and {} cannot be compared:", runs[0], runs[1])?;
                reasons.iter().try_for_each(|reason| writeln!(f, "  {reason}"))
            }
            RunComparison::SideBySide { runs, remarks, rows } => {
                for remark in remarks {
                    writeln!(f, "{remark}")?;
                }
                writeln!(
                    f,
                    "{:<44} {:>22} {:>22}  together",
                    "ratio (95 % interval)", runs[0], runs[1]
                )?;
                for row in rows {
                    let [a, b] = row.sides.map(shown);
                    writeln!(f, "{:<44} {a:>22} {b:>22}  {}", row.name, row.relation.as_str())?;
                }
                Ok(())
            }
        }
    }
}

fn shown(side: Option<Side>) -> String {
    let Some(side) = side else { return "absent".to_owned() };
    match (side.ratio, side.ci95) {
        (Some(times), Some([low, high])) => format!("{} ({})", ratio(times), interval(low, high)),
        (Some(times), None) => ratio(times),
        _ => side.verdict.as_str().to_lowercase(),
    }
}
