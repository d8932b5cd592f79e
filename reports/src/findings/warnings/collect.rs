//! Looks for everything that deserves a warning, in the order in which a reader should hear of it.

use std::collections::BTreeMap;

use loadgen::record::RunRecord;
use loadgen::record_io::{Damaged, Trial};

use super::honesty::{Honesty, rests_on};
use super::{
    AA_RATIO_MAX, ALL_CORES_SHARE_MAX, BUDGET_EXCESS_MAX, HEADROOM_MIN, LATE_SENDS_MAX,
    LOAD_PER_CORE_MAX, UNBUDGETED_SHARE_MAX, Warning, measured, name,
};
use crate::capacity::held;
use crate::findings::fairness::wrong_bodies;
use crate::findings::searches::searches;
use crate::findings::{Context, ExperimentAnalysis};
use crate::stats::quantile::samples_needed;
use crate::summary::Verdict;

/// All warnings of a run.
pub fn collect(
    run: &RunRecord,
    (trials, damaged): (&[Trial], &[Damaged]),
    experiments: &[ExperimentAnalysis<'_>],
    honesty: &Honesty,
) -> Vec<Warning> {
    let mut found: Vec<Warning> = damaged.iter().map(Warning::damaged).collect();
    of_run(run, trials, honesty, &mut found);
    for experiment in experiments {
        of_experiment(run, experiment, &mut found);
        let context = Context::new(experiment.record, trials).beside(damaged);
        of_searches(run, experiment, &context, &mut found);
    }
    of_instances(run, trials, &mut found);
    found
}

fn of_run(run: &RunRecord, trials: &[Trial], honesty: &Honesty, found: &mut Vec<Warning>) {
    if run.interrupted || run.finished_at.is_none() {
        let planned = run.experiments.iter().map(|e| e.planned_trial_count).sum();
        found.push(Warning::Incomplete { done: trials.len(), planned });
    }
    for substitution in &run.substitutions {
        found.push(Warning::Substituted {
            wanted: substitution.wanted.clone(),
            used: substitution.used.clone(),
            because: substitution.because.trim_end_matches('.').to_owned(),
        });
    }
    if run.machine.budgets.starts_with("none") {
        found.push(Warning::BudgetsNotEnforced { how: run.machine.budgets.clone() });
    }
    let allowed = LOAD_PER_CORE_MAX * f64::from(run.machine.cores);
    if run.machine.load_average > allowed {
        let (load_average, cores) = (run.machine.load_average, run.machine.cores);
        found.push(Warning::MachineBusy { load_average, cores });
    }
    match honesty.generator_headroom {
        Some(ratio) if ratio < HEADROOM_MIN => found.push(Warning::Headroom { ratio }),
        None => found.push(Warning::HeadroomUnknown),
        Some(_) => {}
    }
    if honesty.late_sends > LATE_SENDS_MAX {
        found.push(Warning::LateSends { share: honesty.late_sends });
    }
    if honesty.aa_pair_count == 0 {
        found.push(Warning::NoAa);
    }
    if honesty.error_count > 0 {
        found.push(Warning::Errors { count: honesty.error_count });
    }
    let distance = |s: f64, c: f64| (s - c).abs() / c.abs().max(1.0);
    let worst = honesty
        .unreconciled
        .iter()
        .max_by(|a, b| distance(a.2, a.3).total_cmp(&distance(b.2, b.3)));
    if let Some((trial, counter, servers, clients)) = worst.cloned() {
        let count = honesty.unreconciled.len();
        found.push(Warning::Reconciliation { count, trial, counter, servers, clients });
    }
    let worst =
        honesty.little_off.iter().max_by(|a, b| distance(a.1, a.2).total_cmp(&distance(b.1, b.2)));
    if let Some((trial, in_flight, expected)) = worst.cloned() {
        let count = honesty.little_off.len();
        found.push(Warning::Little { count, trial, in_flight, expected });
    }
}

fn of_experiment(run: &RunRecord, experiment: &ExperimentAnalysis<'_>, found: &mut Vec<Warning>) {
    let id = || name(run, experiment);
    for failed in [true, false] {
        let holes: Vec<_> = experiment.holes.iter().filter(|h| h.failed == failed).collect();
        let Some(first) = holes.first() else { continue };
        let (count, reason) = (holes.len(), format!("{} ({})", first.reason, first.trial));
        found.push(if failed {
            Warning::TrialsFailed { experiment: id(), count, reason }
        } else {
            Warning::TrialsDropped { experiment: id(), count, reason }
        });
    }
    if let Some(arrow) = experiment.arrows.first() {
        let noisy = arrow.performance.iter().filter(|f| !f.aa_pairs.is_empty());
        for finding in noisy {
            let ratio = finding.band.map_or(1.0, f64::exp);
            if ratio > AA_RATIO_MAX {
                let measure = finding.measure.label.clone();
                found.push(Warning::NoisyAa { experiment: id(), measure, ratio });
            }
        }
    }
    for arrow in &experiment.arrows {
        for finding in &arrow.unchanged {
            if matches!(finding.verdict, Verdict::Improved | Verdict::Worse)
                && let Some(ratio) = finding.ratio()
            {
                found.push(Warning::Changed {
                    experiment: id(),
                    variant: arrow.arrow.after.clone(),
                    measure: finding.measure.label.clone(),
                    ratio,
                });
            }
        }
    }
}

fn of_searches(
    run: &RunRecord,
    experiment: &ExperimentAnalysis<'_>,
    context: &Context<'_>,
    found: &mut Vec<Warning>,
) {
    let slo = &experiment.record.slo;
    let id = || name(run, experiment);
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    let mut inconsistent: BTreeMap<&str, usize> = BTreeMap::new();
    for search in searches(context).iter().filter(|s| s.is_adaptive()) {
        let Some(capacity) = search.capacity(slo) else { continue };
        *open.entry(search.variant).or_default() += usize::from(capacity.is_open());
        *inconsistent.entry(search.variant).or_default() += usize::from(capacity.inconsistent);
    }
    for (variant, count) in open.into_iter().filter(|(_, count)| *count > 0) {
        found.push(Warning::SearchOpen { experiment: id(), variant: variant.to_owned(), count });
    }
    for (variant, count) in inconsistent.into_iter().filter(|(_, count)| *count > 0) {
        found.push(Warning::SearchInconsistent {
            experiment: id(),
            variant: variant.to_owned(),
            count,
        });
    }
    let (needed, mut fewest) = (samples_needed(slo.quantile), u64::MAX);
    for trial in context.trials().filter(|t| measured(t)) {
        use loadgen::record::Purpose::{Capacity, Level};
        let judged = held(&trial.record, &trial.histograms, slo);
        if matches!(trial.record.purpose, Level | Capacity) && judged.few_samples && judged.held {
            let ok = trial.record.operations.iter();
            let judged_ok = ok.filter(|(name, _)| crate::capacity::judges(&slo.operations, name));
            fewest = fewest.min(judged_ok.map(|(_, o)| o.ok_count).sum());
        }
        let wrong = wrong_bodies(&trial.record);
        if wrong > 0 {
            let what = format!("{wrong} answers had the wrong body ({})", trial.record.id);
            found.push(Warning::Unverified { experiment: id(), what });
        }
    }
    if fewest < needed {
        few_samples(id(), slo.quantile, fewest, needed, found);
    }
}

/// One warning for all experiments, with the figures of the one that has the fewest samples.
fn few_samples(
    experiment: String,
    quantile: f64,
    fewest: u64,
    needed: u64,
    found: &mut Vec<Warning>,
) {
    let earlier = found.iter_mut().find_map(|warning| match warning {
        Warning::FewSamples { experiments, quantile, fewest, needed } => {
            Some((experiments, quantile, fewest, needed))
        }
        _ => None,
    });
    match earlier {
        None => {
            let experiments = vec![experiment];
            found.push(Warning::FewSamples { experiments, quantile, fewest, needed });
        }
        Some((experiments, its_quantile, its_fewest, its_needed)) => {
            experiments.push(experiment);
            if fewest < *its_fewest {
                (*its_quantile, *its_fewest, *its_needed) = (quantile, fewest, needed);
            }
        }
    }
}

/// The worst trial of each instance that used more than its budget, and of each part without one that was busy.
fn of_instances(run: &RunRecord, trials: &[Trial], found: &mut Vec<Warning>) {
    let mut over: BTreeMap<&str, Warning> = BTreeMap::new();
    let mut busy: BTreeMap<&str, Warning> = BTreeMap::new();
    let mut full: Option<(String, f64)> = None;
    let worse = |earlier: Option<&Warning>, used: f64| match earlier {
        Some(
            Warning::OverBudget { used: most, .. } | Warning::UnbudgetedBusy { used: most, .. },
        ) => used > *most,
        _ => true,
    };
    use loadgen::record::Purpose::{Capacity, Level};
    let loaded = |t: &&Trial| matches!(t.record.purpose, Capacity | Level) && rests_on(run, t);
    for trial in trials.iter().filter(loaded) {
        let wall_us = trial.record.generator.wall_us.max(1) as f64;
        let cpu_us: u64 = trial.record.instances.iter().map(|instance| instance.cpu_us).sum();
        // The generator has a core of its own where there are two; the rest belongs to the stacks.
        let cores = f64::from(run.machine.cores.saturating_sub(1).max(1));
        let together = cpu_us as f64 / wall_us;
        if together > cores * ALL_CORES_SHARE_MAX && full.as_ref().is_none_or(|f| together > f.1) {
            full = Some((trial.record.id.clone(), together));
        }
        for instance in &trial.record.instances {
            let used = instance.cpu_us as f64 / wall_us;
            let (name, role) = (instance.name.as_str(), instance.role.as_str());
            let (instance_name, id) = (instance.name.clone(), trial.record.id.clone());
            match instance.budget {
                Some(budget)
                    if used > budget * BUDGET_EXCESS_MAX && worse(over.get(role), used) =>
                {
                    over.insert(
                        role,
                        Warning::OverBudget { instance: instance_name, trial: id, used, budget },
                    );
                }
                None if used > UNBUDGETED_SHARE_MAX && worse(busy.get(name), used) => {
                    busy.insert(
                        name,
                        Warning::UnbudgetedBusy { instance: instance_name, trial: id, used },
                    );
                }
                _ => {}
            }
        }
    }
    found.extend(over.into_values().chain(busy.into_values()));
    found.extend(full.map(|(trial, used)| Warning::MachineFull { trial, used }));
}
