//! The figures of the honesty card, each over the trials it can be taken from.

use loadgen::record::{Clock, Outcome, Purpose, RunRecord, TrialRecord};
use loadgen::record_io::Trial;

use super::{LITTLE_MAX, RECONCILIATION_MAX, measured};
use crate::capacity::{POLLING, held};
use crate::findings::ExperimentAnalysis;
use crate::findings::fairness::{error_count, wrong_bodies};

/// Below this mean of requests in flight, sampling says nothing about Little's law.
const IN_FLIGHT_MIN: f64 = 0.5;
/// Below this many answers the edges of a level weigh more than the tolerance of Little's law.
const LITTLE_SAMPLES_MIN: u64 = 200;

/// The honesty card.
#[derive(Debug, Clone, PartialEq)]
pub struct Honesty {
    /// The widest A/A deviation of a performance measure, above 1.
    pub aa_worst_ratio: Option<f64>,
    /// A/A pairs in the run.
    pub aa_pair_count: usize,
    /// Share of requests sent more than a millisecond late.
    pub late_sends: f64,
    /// Requests sent in measured trials.
    pub sent_count: u64,
    /// Rate against the null server over the highest rate used.
    pub generator_headroom: Option<f64>,
    /// The highest rate used, HTTP requests per second.
    pub highest_rate: f64,
    /// Failed requests in the trials that figures rest on: performance, A/A, and the rates that were held.
    pub error_count: u64,
    /// Bodies checked in depth.
    pub verified_count: u64,
    /// Bodies were checked, none was wrong, and the counters agree.
    pub work_verified: bool,
    /// Counters compared, and those that disagree.
    pub reconciliation_count: usize,
    /// The disagreeing ones: trial, counter, servers, clients.
    pub unreconciled: Vec<(String, String, f64, f64)>,
    /// Levels checked against Little's law.
    pub little_count: usize,
    /// The ones off: trial, in flight, rate x time.
    pub little_off: Vec<(String, f64, f64)>,
}

/// Takes the figures.
pub fn honesty(
    run: &RunRecord,
    trials: &[Trial],
    experiments: &[ExperimentAnalysis<'_>],
) -> Honesty {
    let findings = || experiments.iter().flat_map(|e| &e.arrows).flat_map(|a| &a.performance);
    let aa_worst_ratio = findings()
        .filter(|f| !f.aa_pairs.is_empty())
        .filter_map(|f| f.band)
        .reduce(f64::max)
        .map(f64::exp);
    let aa_pair_count = experiments
        .iter()
        .filter_map(|e| e.arrows.first()?.performance.first())
        .map(|f| f.aa_pairs.len())
        .sum();
    let (mut late, mut sent, mut highest_rate) = (0u64, 0u64, 0f64);
    for record in trials.iter().filter(|t| measured(t)).map(|t| &t.record) {
        late += record.operations.values().map(|o| o.late_count).sum::<u64>();
        sent += record.operations.values().map(|o| o.sent_count).sum::<u64>();
        highest_rate = highest_rate.max(http_rate(record));
    }
    let used: Vec<&Trial> = trials.iter().filter(|t| rests_on(run, t)).collect();
    let reconciliations = used.iter().flat_map(|t| {
        t.record
            .reconciliations
            .iter()
            .map(|r| (t.record.id.clone(), r.counter.clone(), r.servers, r.clients))
    });
    let (unreconciled, agreeing): (Vec<_>, Vec<_>) =
        reconciliations.partition(|(_, _, s, c)| disagree(*s, *c));
    let little: Vec<(String, f64, f64)> = used.iter().filter_map(|t| little(t)).collect();
    let wrong: u64 = used.iter().map(|t| wrong_bodies(&t.record)).sum();
    let verified_count: u64 =
        used.iter().flat_map(|t| t.record.operations.values()).map(|o| o.verified_count).sum();
    Honesty {
        aa_worst_ratio,
        aa_pair_count,
        late_sends: late as f64 / sent.max(1) as f64,
        sent_count: sent,
        generator_headroom: run
            .null_server
            .filter(|_| highest_rate > 0.0)
            .map(|null| null.rate_per_s / highest_rate),
        highest_rate,
        error_count: used.iter().map(|t| error_count(&t.record)).sum(),
        verified_count,
        work_verified: verified_count > 0 && wrong == 0 && unreconciled.is_empty(),
        reconciliation_count: unreconciled.len() + agreeing.len(),
        unreconciled,
        little_count: little.len(),
        little_off: little
            .into_iter()
            .filter(|(_, a, b)| (a / b - 1.0).abs() > LITTLE_MAX)
            .collect(),
    }
}

/// True for a trial whose answers a figure rests on: for one user, or a rate that was held. Beyond its capacity a stack
/// may and does fail; that is what the search looks for.
pub fn rests_on(run: &RunRecord, trial: &Trial) -> bool {
    if trial.record.outcome != Outcome::Completed {
        return false;
    }
    match trial.record.purpose {
        Purpose::WarmUp | Purpose::Probe => false,
        Purpose::Performance | Purpose::Aa => true,
        Purpose::Level | Purpose::Capacity => run
            .experiments
            .iter()
            .find(|e| e.id == trial.record.experiment)
            .is_some_and(|e| held(&trial.record, &trial.histograms, &e.slo).held),
    }
}

/// HTTP requests per second of a trial.
fn http_rate(record: &TrialRecord) -> f64 {
    let count: u64 = record.operations.values().map(|o| o.http_count.max(o.sent_count)).sum();
    let wall_us = record.generator.wall_us.max(record.load.duration_ms * 1_000).max(1);
    count as f64 / (wall_us as f64 / 1e6)
}

/// Beyond half a per cent, and by more than the one request that may be under way at either edge.
fn disagree(servers: f64, clients: f64) -> bool {
    let difference = (servers - clients).abs();
    difference > RECONCILIATION_MAX * clients.abs().max(1.0) && difference > 1.0
}

/// In flight as sampled, against rate x time, for open loops with enough in flight to tell.
fn little(trial: &Trial) -> Option<(String, f64, f64)> {
    let record = &trial.record;
    if !matches!(record.purpose, Purpose::Level | Purpose::Capacity)
        || record.generator.wall_us == 0
    {
        return None;
    }
    // In flight counts from the moment of sending, which lies between the planned start and the first byte on the wire:
    // the law holds when the sampled mean lies between the two.
    let product = |clock: Clock| -> (f64, u64) {
        let own = trial.histograms.iter().filter(|((name, c), _)| *c == clock && name != POLLING);
        own.fold((0.0, 0), |(product, count), (_, h)| {
            let total_us = h.mean() * h.len() as f64;
            (product + total_us / record.generator.wall_us as f64, count + h.len())
        })
    };
    let ((sent, count), (planned, _)) = (product(Clock::SentLast), product(Clock::PlannedLast));
    let in_flight = record.generator.in_flight_mean;
    let expected = in_flight.clamp(sent, planned.max(sent));
    (count >= LITTLE_SAMPLES_MIN && sent >= IN_FLIGHT_MIN)
        .then(|| (record.id.clone(), in_flight, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_may_differ_by_half_a_percent_or_by_one_request() {
        assert!(!disagree(1_000.0, 1_005.0));
        assert!(disagree(1_000.0, 1_006.0));
        assert!(!disagree(10.0, 11.0));
        assert!(disagree(10.0, 12.0));
        assert!(disagree(5.0, 0.0));
    }
}
