//! Capacity: the highest rate held within the service level objective, and why a rate was or was not held.
//!
//! Pure, so that the plan's adaptive search and the report judge a trial by the same lines. The share of requests within
//! the bound is taken over all that were *planned*: what failed or could not be sent counts as too slow. MLPerf's
//! Server scenario is the model (largest Poisson rate whose tail meets the bound). Next: `findings::scalability`.

use std::borrow::Borrow;

use hdrhistogram::Histogram;
use loadgen::record::{Clock, Outcome, Slo, TrialRecord};
use loadgen::record_io::{HistogramSet, Trial, new_histogram, operation_matches};

use crate::stats::quantile::{samples_needed, share_within};
use crate::text::{milliseconds, percent};

/// The polls for a finished photo: how the driver looks, not what a user asked for. Never judged unless named.
pub const POLLING: &str = "status";

/// A send may be late by this share of the bound at the 99th percentile; beyond it the generator, which is part of every latency,
/// would decide what is held. A tenth moves a verdict by less than one step of a search.
pub const LATENESS_SHARE_MAX: f64 = 0.1;

/// Least lateness that is worth a word, in microseconds: below it the kernel's timer is the reason.
const LATENESS_FLOOR_US: f64 = 2_000.0;

/// Most of one core that the driving thread may use before it is taken for the bottleneck.
pub const GENERATOR_CPU_MAX: f64 = 0.95;

/// Which check decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// All were passed: held.
    Passed,
    /// The trial failed or was dropped.
    Outcome,
    /// The generator was the bottleneck: says nothing about the stack.
    Generator,
    /// Nothing was planned or answered.
    NoSamples,
    /// Too many errors.
    Errors,
    /// Too few of the offered requests were answered.
    Achieved,
    /// Too few within the bound.
    Latency,
}

/// Whether a trial's rate was held.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// True when every gate was passed.
    pub held: bool,
    /// In a sentence, with the figures.
    pub why: String,
    /// The gate that decided.
    pub gate: Gate,
    /// Share of the planned requests within the bound; none when nothing was planned.
    pub share_within: Option<f64>,
    /// True when fewer samples than rule 10 asks stand behind the share.
    pub few_samples: bool,
}

/// The highest rate held in one search.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Requests per second.
    pub rate_per_s: f64,
    /// The lowest rate above it that was not held; none when the search ended at its highest rate, and the capacity is then
    /// a lower bound.
    pub failed_above: Option<f64>,
    /// The highest rate tried below the capacity; none when it was the lowest one.
    pub tried_below: Option<f64>,
    /// Rates tried.
    pub step_count: u32,
    /// True when a rate below the capacity was not held: noise, or a stack that recovers.
    pub inconsistent: bool,
    /// True when a step rests on fewer samples than rule 10 asks.
    pub few_samples: bool,
}

impl Capacity {
    /// True when no rate above the capacity was refused: it is then a lower bound.
    pub fn is_open(&self) -> bool {
        self.failed_above.is_none()
    }

    /// What the steps of the search leave open, as the standard deviation of the logarithm: the true capacity lies anywhere
    /// between the held rate and the failed one above it, and a uniform distribution has its width over sqrt(12). A search that ended at
    /// its highest rate is given the width of its last step, or a half where there was only one: less would feign precision.
    pub fn resolution(&self) -> f64 {
        let width = match (self.failed_above, self.tried_below) {
            (Some(above), _) => above / self.rate_per_s,
            (None, Some(below)) => self.rate_per_s / below,
            (None, None) => 1.5,
        };
        width.ln() / 12f64.sqrt()
    }
}

/// Sums over the operations that the objective judges.
#[derive(Debug, Default)]
struct Counts {
    planned: u64,
    ok: u64,
    errors: u64,
}

/// True when the objective (or a measure) with these `operations` speaks of `operation`.
pub fn judges(operations: &[String], operation: &str) -> bool {
    if operations.is_empty() {
        operation != POLLING
    } else {
        operations.iter().any(|wanted| operation_matches(operation, wanted))
    }
}

/// The latencies under one clock of everything that these `operations` speak of ([`judges`]: without names all but the polls).
pub fn judged_histogram(
    histograms: &HistogramSet,
    operations: &[String],
    clock: Clock,
) -> Histogram<u64> {
    let mut merged = new_histogram();
    for ((name, its_clock), one) in histograms {
        if *its_clock == clock && judges(operations, name) {
            merged += one;
        }
    }
    merged
}

/// Judges one trial.
pub fn held(record: &TrialRecord, histograms: &HistogramSet, slo: &Slo) -> Held {
    let verdict = |gate: Gate, why: String| Held {
        held: gate == Gate::Passed,
        why,
        gate,
        share_within: None,
        few_samples: false,
    };
    match &record.outcome {
        Outcome::Completed => {}
        Outcome::Failed { reason } => return verdict(Gate::Outcome, format!("failed: {reason}")),
        Outcome::Dropped { reason } => return verdict(Gate::Outcome, format!("dropped: {reason}")),
    }
    let bound_us = slo.latency_ms * 1_000.0;
    if let Some(why) = generator_at_fault(record, bound_us) {
        return verdict(Gate::Generator, why);
    }
    let mut counts = Counts::default();
    for (name, operation) in &record.operations {
        if judges(&slo.operations, name) {
            counts.planned += operation.planned_count;
            counts.ok += operation.ok_count;
            counts.errors += operation.errors.values().sum::<u64>();
        }
    }
    let histogram = judged_histogram(histograms, &slo.operations, slo.clock);
    let Some(share) = share_within(&histogram, bound_us as u64, counts.planned) else {
        return verdict(Gate::NoSamples, "nothing was asked of the operations judged".to_owned());
    };
    let mut judged = by_counts(&counts, share, slo);
    judged.share_within = Some(share);
    judged.few_samples = histogram.len() < samples_needed(slo.quantile);
    judged
}

/// Why the generator decided, if it did.
fn generator_at_fault(record: &TrialRecord, bound_us: f64) -> Option<String> {
    let generator = &record.generator;
    let allowed = (bound_us * LATENESS_SHARE_MAX).max(LATENESS_FLOOR_US);
    let late = generator.lateness_p99_us as f64;
    if late > allowed {
        return Some(format!(
            "the generator sent {} late at its 99th percentile, {} allowed",
            milliseconds(late / 1_000.0),
            milliseconds(allowed / 1_000.0)
        ));
    }
    (generator.cpu_share > GENERATOR_CPU_MAX)
        .then(|| format!("the generator used {} of its core", percent(generator.cpu_share)))
}

fn by_counts(counts: &Counts, share: f64, slo: &Slo) -> Held {
    let planned = counts.planned.max(1) as f64;
    let (error_ratio, achieved) = (counts.errors as f64 / planned, counts.ok as f64 / planned);
    let (gate, why) = if error_ratio > slo.error_ratio_max {
        let allowed = percent(slo.error_ratio_max);
        (Gate::Errors, format!("{} failed, {allowed} allowed", percent(error_ratio)))
    } else if achieved < slo.achieved_ratio_min {
        let needed = percent(slo.achieved_ratio_min);
        (Gate::Achieved, format!("{} were answered, {needed} needed", percent(achieved)))
    } else {
        let bound = milliseconds(slo.latency_ms);
        let gate = if share < slo.quantile { Gate::Latency } else { Gate::Passed };
        let needed = percent(slo.quantile);
        (gate, format!("{} within {bound}, {needed} needed", percent(share)))
    };
    Held { held: gate == Gate::Passed, why, gate, share_within: None, few_samples: false }
}

/// The capacity that the trials of one search show; none when no rate was held (or no trial can be used).
/// Trials in which the generator decided, failed trials and dropped ones count for nothing.
pub fn capacity_of_search<T: Borrow<Trial>>(trials: &[T], slo: &Slo) -> Option<Capacity> {
    let steps: Vec<(f64, Held)> = trials
        .iter()
        .map(Borrow::borrow)
        .map(|t| (t.record.load.rate_per_s, held(&t.record, &t.histograms, slo)))
        .filter(|(_, h)| !matches!(h.gate, Gate::Outcome | Gate::Generator))
        .collect();
    capacity_of_steps(&steps)
}

/// The same for rates already judged.
pub fn capacity_of_steps(steps: &[(f64, Held)]) -> Option<Capacity> {
    let best = steps.iter().filter(|(_, h)| h.held).map(|(rate, _)| *rate).reduce(f64::max)?;
    let failed = || steps.iter().filter(|(_, h)| !h.held).map(|(rate, _)| *rate);
    Some(Capacity {
        rate_per_s: best,
        failed_above: failed().filter(|rate| *rate > best).reduce(f64::min),
        tried_below: steps.iter().map(|(rate, _)| *rate).filter(|r| *r < best).reduce(f64::max),
        step_count: steps.len() as u32,
        inconsistent: failed().any(|rate| rate < best),
        few_samples: steps.iter().any(|(_, h)| h.few_samples),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use loadgen::record::{
        Clock, GeneratorRecord, LoadRecord, OperationRecord, Purpose, TRIAL_SCHEMA,
    };

    use super::*;

    fn slo() -> Slo {
        Slo {
            latency_ms: 100.0,
            quantile: 0.95,
            clock: Clock::PlannedLast,
            operations: vec![],
            error_ratio_max: 0.01,
            achieved_ratio_min: 0.99,
        }
    }

    /// `fast` answers of 10 ms, `slow` ones of 500 ms, `failed` ones, and polls that nobody judges.
    fn trial(rate_per_s: f64, fast: u64, slow: u64, failed: u64) -> Trial {
        let mut histogram = new_histogram();
        histogram.record_n(10_000, fast).unwrap();
        histogram.record_n(500_000, slow).unwrap();
        let mut polls = new_histogram();
        polls.record_n(900_000, 1_000).unwrap();
        let home = OperationRecord {
            planned_count: fast + slow + failed,
            sent_count: fast + slow + failed,
            ok_count: fast + slow,
            errors: BTreeMap::from([("status 503".to_owned(), failed)]),
            ..OperationRecord::default()
        };
        let status = OperationRecord { planned_count: 1_000, ok_count: 1_000, ..home.clone() };
        let record = TrialRecord {
            schema: TRIAL_SCHEMA.to_owned(),
            id: format!("0001-framework-before-x1-capacity-{rate_per_s}"),
            sequence: 1,
            experiment: "framework".to_owned(),
            variant: "before".to_owned(),
            instance_count: 1,
            purpose: Purpose::Capacity,
            place: None,
            search: Some(0),
            load: LoadRecord {
                schedule: "poisson".to_owned(),
                rate_per_s,
                duration_ms: 2_000,
                seed: 1,
                mix: BTreeMap::from([("home".to_owned(), 1.0)]),
            },
            started_at_us: 0,
            outcome: Outcome::Completed,
            operations: BTreeMap::from([("home".to_owned(), home), (POLLING.to_owned(), status)]),
            generator: GeneratorRecord::default(),
            instances: vec![],
            reconciliations: vec![],
            counters: BTreeMap::new(),
            settings: BTreeMap::new(),
            notes: vec![],
        };
        let histograms = HistogramSet::from([
            (("home".to_owned(), Clock::PlannedLast), histogram),
            ((POLLING.to_owned(), Clock::PlannedLast), polls),
        ]);
        Trial { record, histograms, intervals: Default::default() }
    }

    fn gate(trial: &Trial) -> Gate {
        held(&trial.record, &trial.histograms, &slo()).gate
    }

    #[test]
    fn each_gate_refuses_for_its_own_reason() {
        assert_eq!(gate(&trial(100.0, 950, 50, 0)), Gate::Passed);
        assert_eq!(gate(&trial(100.0, 949, 51, 0)), Gate::Latency);
        assert_eq!(gate(&trial(100.0, 900, 0, 100)), Gate::Errors);
        assert_eq!(gate(&trial(100.0, 0, 0, 0)), Gate::NoSamples);

        let mut unsent = trial(100.0, 980, 0, 0);
        unsent.record.operations.get_mut("home").unwrap().planned_count = 1_000;
        assert_eq!(gate(&unsent), Gate::Achieved);

        let mut late = trial(100.0, 1_000, 0, 0);
        late.record.generator.lateness_p99_us = 10_001;
        assert_eq!(gate(&late), Gate::Generator);
        late.record.generator.lateness_p99_us = 9_999;
        assert_eq!(gate(&late), Gate::Passed);

        let mut failed = trial(100.0, 1_000, 0, 0);
        failed.record.outcome = Outcome::Failed { reason: "the server left".to_owned() };
        let judged = held(&failed.record, &failed.histograms, &slo());
        assert_eq!((judged.gate, judged.why.as_str()), (Gate::Outcome, "failed: the server left"));
    }

    #[test]
    fn failed_requests_are_misses_of_the_bound_too() {
        let judged =
            held(&trial(1.0, 940, 51, 9).record, &trial(1.0, 940, 51, 9).histograms, &slo());
        assert_eq!(judged.share_within, Some(0.94));
        assert!(judged.few_samples);
        assert_eq!(judged.why, "94 % within 100 ms, 95 % needed");
    }

    #[test]
    fn a_search_ends_at_the_highest_rate_held() {
        let good = |rate| trial(rate, 1_000, 0, 0);
        let bad = |rate| trial(rate, 0, 1_000, 0);
        let found = capacity_of_search(&[bad(200.0), good(100.0), good(150.0), bad(175.0)], &slo())
            .unwrap();
        assert_eq!((found.rate_per_s, found.failed_above), (150.0, Some(175.0)));
        assert!(!found.inconsistent);
        assert!((found.resolution() - (175.0f64 / 150.0).ln() / 12f64.sqrt()).abs() < 1e-12);

        let open = capacity_of_search(&[good(100.0), good(150.0)], &slo()).unwrap();
        assert_eq!(
            (open.failed_above, open.tried_below, open.is_open()),
            (None, Some(100.0), true)
        );
        assert!((open.resolution() - 1.5f64.ln() / 12f64.sqrt()).abs() < 1e-12);
        assert!(capacity_of_search(&[bad(100.0), good(150.0)], &slo()).unwrap().inconsistent);
        assert_eq!(capacity_of_search(&[bad(100.0)], &slo()), None);
        assert_eq!(capacity_of_search::<Trial>(&[], &slo()), None);
    }

    #[test]
    fn a_step_spoiled_by_the_generator_says_nothing() {
        let mut late = trial(175.0, 1_000, 0, 0);
        late.record.generator.cpu_share = 0.99;
        let found = capacity_of_search(&[trial(150.0, 1_000, 0, 0), late], &slo()).unwrap();
        assert_eq!((found.rate_per_s, found.failed_above, found.step_count), (150.0, None, 1));
    }
}
