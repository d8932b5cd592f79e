//! From trials to findings: every arrow of every experiment gets both axes, and everything that weakens them is said.
//!
//! Findings are plain values; `summary`, `html`, `charts` and `csv` only write them down. `performance` judges pairs for one
//! user, `scalability` capacities from `searches`, `fairness` whether two sides may be compared at all, `warnings` what to know first.

use std::collections::BTreeMap;

use loadgen::record::{Arrow, ExperimentRecord, Outcome, Purpose, RunRecord, TrialRecord};
use loadgen::record_io::{Damaged, Trial};

use crate::stats::compare::aa_band;

pub mod curve;
pub mod fairness;
pub mod performance;
pub mod scalability;
pub mod searches;
pub mod warnings;

use curve::Curve;
use performance::PerformanceFinding;
use scalability::ScalabilityFinding;
use warnings::{Honesty, Warning};

/// Everything the report says, in figures.
#[derive(Debug)]
pub struct Analysis<'r> {
    /// The run.
    pub run: &'r RunRecord,
    /// Its trials in the order they ran.
    pub trials: &'r [Trial],
    /// Those that are not whole: named, and otherwise left out.
    pub damaged: &'r [Damaged],
    /// In the order of the run.
    pub experiments: Vec<ExperimentAnalysis<'r>>,
    /// The figures of the honesty card.
    pub honesty: Honesty,
    /// What to know before believing.
    pub warnings: Vec<Warning>,
}

/// One experiment.
#[derive(Debug)]
pub struct ExperimentAnalysis<'r> {
    /// As planned.
    pub record: &'r ExperimentRecord,
    /// Per cure.
    pub arrows: Vec<ArrowAnalysis<'r>>,
    /// Trials that could not be used.
    pub holes: Vec<Hole>,
    /// How many of its trials are on disk.
    pub trial_count: usize,
}

/// One cure.
#[derive(Debug)]
pub struct ArrowAnalysis<'r> {
    /// Which variants.
    pub arrow: &'r Arrow,
    /// For one user, the headline first.
    pub performance: Vec<PerformanceFinding<'r>>,
    /// For many.
    pub scalability: ScalabilityFinding,
    /// What had to stay the same.
    pub unchanged: Vec<PerformanceFinding<'r>>,
    /// Latency against offered load, before.
    pub before_curve: Curve,
    /// The same after.
    pub after_curve: Curve,
    /// Why it is simulated, a line per part; empty when real.
    pub simulated: Vec<String>,
}

/// A trial that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The trial's id.
    pub trial: String,
    /// True when the stack failed; false when the trial was dropped because an assumption did not hold.
    pub failed: bool,
    /// As the run recorded it.
    pub reason: String,
}

/// The trials of one experiment, and what all its findings need.
#[derive(Debug, Clone, Copy)]
pub struct Context<'r> {
    /// As planned.
    pub experiment: &'r ExperimentRecord,
    /// All trials of the run; use [`Context::trials`].
    all: &'r [Trial],
    /// Those that are left out.
    damaged: &'r [Damaged],
}

impl<'r> Context<'r> {
    /// The trials of one experiment out of all those of a run.
    pub fn new(experiment: &'r ExperimentRecord, all: &'r [Trial]) -> Self {
        Self { experiment, all, damaged: &[] }
    }

    /// The same, knowing which trials are damaged: what lacks one of them is no longer what it seems.
    #[must_use]
    pub fn beside(self, damaged: &'r [Damaged]) -> Self {
        Self { damaged, ..self }
    }

    /// The records of the experiment's damaged trials for a purpose, as far as they can still be read.
    pub fn damaged(&self, purpose: Purpose) -> impl Iterator<Item = &'r TrialRecord> + use<'r> {
        let id = &self.experiment.id;
        let records = self.damaged.iter().filter_map(|one| one.record.as_ref());
        records.filter(move |record| record.experiment == *id && record.purpose == purpose)
    }

    /// Damaged trials of which nothing but the position in the run is known, and the name if their folder is there.
    pub fn unknown(&self) -> impl Iterator<Item = &'r Damaged> + use<'r> {
        self.damaged.iter().filter(|one| one.record.is_none())
    }

    /// The experiment's trials.
    pub fn trials(&self) -> impl Iterator<Item = &'r Trial> + use<'r> {
        let id = &self.experiment.id;
        self.all.iter().filter(move |t| t.record.experiment == *id)
    }

    /// The experiment's completed trials for a purpose.
    pub fn completed(&self, purpose: Purpose) -> impl Iterator<Item = &'r Trial> + use<'r> {
        self.trials()
            .filter(move |t| t.record.purpose == purpose && t.record.outcome == Outcome::Completed)
    }

    /// True when a variant can be multiplied along the axis.
    pub fn scales(&self, variant: &str) -> bool {
        self.experiment.variants.iter().any(|v| v.id == variant && v.scales)
    }
}

/// Analyses a run. The same input gives the same findings.
pub fn analyse<'r>(run: &'r RunRecord, trials: &'r [Trial]) -> Analysis<'r> {
    analyse_beside(run, trials, &[])
}

/// The same for a run of which some trials are damaged.
pub fn analyse_beside<'r>(
    run: &'r RunRecord,
    trials: &'r [Trial],
    damaged: &'r [Damaged],
) -> Analysis<'r> {
    let contexts: Vec<Context<'r>> =
        run.experiments.iter().map(|e| Context::new(e, trials).beside(damaged)).collect();
    let bands: Vec<BTreeMap<String, f64>> = contexts.iter().map(aa_bands).collect();
    // An experiment whose own A/A pairs are lost borrows the widest band of the run.
    let widest = bands.iter().flat_map(BTreeMap::values).copied().reduce(f64::max);
    let experiments: Vec<ExperimentAnalysis<'r>> =
        contexts.iter().zip(&bands).map(|(c, own)| analyse_experiment(*c, own, widest)).collect();
    let honesty = warnings::honesty(run, trials, &experiments);
    let warnings = warnings::collect(run, (trials, damaged), &experiments, &honesty);
    Analysis { run, trials, damaged, experiments, honesty, warnings }
}

/// Per measure of an experiment: the widest deviation of a variant from itself, as |log ratio|.
fn aa_bands(context: &Context<'_>) -> BTreeMap<String, f64> {
    let measures = context.experiment.performance.iter().chain(&context.experiment.unchanged);
    measures
        .filter_map(|m| Some((m.id.clone(), aa_band(&performance::aa_pairs(context, m))?)))
        .collect()
}

fn analyse_experiment<'r>(
    context: Context<'r>,
    bands: &BTreeMap<String, f64>,
    widest_of_run: Option<f64>,
) -> ExperimentAnalysis<'r> {
    let record = context.experiment;
    let headline = record.performance.iter().filter_map(|m| bands.get(&m.id)).copied();
    let capacity_band = headline.reduce(f64::max).or(widest_of_run);
    let arrows = (0u32..)
        .zip(&record.arrows)
        .map(|(number, arrow)| {
            let judge = |measure| {
                let band = bands.get(&measure_id(measure)).copied().or(widest_of_run);
                performance::find(&context, number, arrow, measure, band)
            };
            ArrowAnalysis {
                arrow,
                performance: record.performance.iter().map(judge).collect(),
                scalability: scalability::find(&context, number, arrow, capacity_band),
                unchanged: record.unchanged.iter().map(judge).collect(),
                before_curve: curve::curve(&context, &arrow.before),
                after_curve: curve::curve(&context, &arrow.after),
                simulated: simulated(record, arrow),
            }
        })
        .collect();
    let holes = context.trials().filter_map(hole).collect();
    ExperimentAnalysis { record, arrows, holes, trial_count: context.trials().count() }
}

fn measure_id(measure: &loadgen::record::Measure) -> String {
    measure.id.clone()
}

fn hole(trial: &Trial) -> Option<Hole> {
    let (failed, reason) = match &trial.record.outcome {
        Outcome::Completed => return None,
        Outcome::Failed { reason } => (true, reason.clone()),
        Outcome::Dropped { reason } => (false, reason.clone()),
    };
    Some(Hole { trial: trial.record.id.clone(), failed, reason })
}

/// Why an arrow rests on stand-ins or models: the lines of both its variants, each once.
fn simulated(record: &ExperimentRecord, arrow: &Arrow) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for variant in &record.variants {
        if variant.id != arrow.before && variant.id != arrow.after {
            continue;
        }
        let mut own = variant.simulated.clone();
        if !variant.real && own.is_empty() {
            own.push(format!("{} is simulated", variant.label));
        }
        for line in own {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}
