//! Latency against offered load: one point per level, with what may be said about it and whether it was held.

use loadgen::record::{Outcome, Purpose};

use super::Context;
use crate::capacity::{Gate, held, judged_histogram};
use crate::stats::quantile::{Quantile, quantile, samples_needed};

/// The levels of one variant.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    /// Instances.
    pub count: u32,
    /// By ascending rate.
    pub points: Vec<Point>,
}

/// One level.
#[derive(Debug, Clone)]
pub struct Point {
    /// The trial.
    pub trial: String,
    /// Requests planned per second.
    pub rate_per_s: f64,
    /// The median in milliseconds; none with too few samples.
    pub median_ms: Option<f64>,
    /// The objective's quantile in milliseconds; none with fewer than 100 samples beyond it.
    pub tail_ms: Option<f64>,
    /// Share of the planned requests within the bound.
    pub share_within: Option<f64>,
    /// Samples, and how many the objective's quantile takes.
    pub sample_count: u64,
    /// See above.
    pub samples_needed: u64,
    /// Whether the rate was held.
    pub held: bool,
    /// Why or why not.
    pub why: String,
}

/// The curve of a variant at the smallest count that has levels.
pub fn curve(context: &Context<'_>, variant: &str) -> Curve {
    let levels = || context.completed(Purpose::Level).filter(|t| t.record.variant == variant);
    let Some(count) = levels().map(|t| t.record.instance_count).min() else {
        return Curve::default();
    };
    let slo = &context.experiment.slo;
    let mut points: Vec<Point> = levels()
        .filter(|t| t.record.instance_count == count && t.record.outcome == Outcome::Completed)
        .filter_map(|trial| {
            let judged = held(&trial.record, &trial.histograms, slo);
            if judged.gate == Gate::Generator {
                return None; // the figure would be the generator's, not the stack's
            }
            let histogram = judged_histogram(&trial.histograms, &slo.operations, slo.clock);
            let at = |q: f64| match quantile(&histogram, q) {
                Quantile::Known { value, .. } => Some(value / 1_000.0),
                Quantile::TooFew { .. } => None,
            };
            Some(Point {
                trial: trial.record.id.clone(),
                rate_per_s: trial.record.load.rate_per_s,
                median_ms: at(0.5),
                tail_ms: at(slo.quantile),
                share_within: judged.share_within,
                sample_count: histogram.len(),
                samples_needed: samples_needed(slo.quantile),
                held: judged.held,
                why: judged.why,
            })
        })
        .collect();
    points.sort_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s));
    Curve { count, points }
}
