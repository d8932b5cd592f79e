//! For one user: the figure of each trial of a pair, the pairs, and the sentence that says what they show.

use std::collections::BTreeMap;

use loadgen::record::{Arrow, Measure, Outcome, PairPlace, Purpose, Quantity, TrialRecord};
use loadgen::record_io::Trial;

use super::Context;
use super::fairness::{error_count, objection, planned_count};
use crate::capacity::{judged_histogram, judges};
use crate::stats::bootstrap::Interval;
use crate::stats::compare::{Better, Comparison, Pair, compare};
use crate::stats::geometric_mean;
use crate::stats::quantile::{PAIRED_MEDIAN_SAMPLES_MIN, Quantile, paired_quantile};
use crate::summary::Verdict;
use crate::text::{capital, cure, interval, milliseconds, number, percent, ratio};

/// Pairs below this number give no interval (`bootstrap`), and without one there is no verdict.
pub const PAIRS_MIN: usize = crate::stats::bootstrap::VALUES_MIN;

/// Least |log ratio| of two mean sizes that is a change: the figures on a page have more digits on one photo than on another,
/// and a faster side has time for other photos.
pub const SAME_SIZE: f64 = 0.02;

/// One figure before and after, for one user.
#[derive(Debug, Clone)]
pub struct PerformanceFinding<'r> {
    /// What is measured.
    pub measure: &'r Measure,
    /// In milliseconds, by pair number.
    pub pairs: Vec<Pair>,
    /// The same figure of A/A pairs in the same experiment.
    pub aa_pairs: Vec<Pair>,
    /// Widest |log ratio| of the A/A pairs; none when the whole run has none.
    pub band: Option<f64>,
    /// Geometric mean of the before sides.
    pub before_ms: Option<f64>,
    /// Geometric mean of the after sides.
    pub after_ms: Option<f64>,
    /// What the pairs say.
    pub comparison: Option<Comparison>,
    /// The verdict, after all objections.
    pub verdict: Verdict,
    /// Why it is not comparable or too noisy, where there is more to say than the interval.
    pub reason: Option<String>,
    /// Pairs that were lost, each with its reason.
    pub lost: Vec<String>,
    /// For the room.
    pub sentence: String,
}

impl PerformanceFinding<'_> {
    /// The ratio, better is above 1; none when the sides may not be compared.
    pub fn ratio(&self) -> Option<f64> {
        self.shown().map(|c| c.ratio)
    }

    /// Its 95 % interval.
    pub fn ci95(&self) -> Option<Interval> {
        self.shown().and_then(|c| c.ci95)
    }

    fn shown(&self) -> Option<&Comparison> {
        self.comparison.as_ref().filter(|_| self.verdict != Verdict::NotComparable)
    }
}

/// The two trials of a pair.
type Sides<'r> = (Option<&'r Trial>, Option<&'r Trial>);

/// Judges one measure of one arrow.
pub fn find<'r>(
    context: &Context<'r>,
    number: u32,
    arrow: &Arrow,
    measure: &'r Measure,
    band: Option<f64>,
) -> PerformanceFinding<'r> {
    let places = |t: &Trial| t.record.place.filter(|p| p.arrow == number).map(|p| p.pair);
    let mut sides = by_pair(context, Purpose::Performance, places);
    // A pair of which both trials are damaged would otherwise be gone without a word.
    for place in damaged_places(context, number) {
        sides.entry(place.pair).or_default();
    }
    let of = |pair: u32, trial: Option<&'r Trial>, after: bool| {
        let lost = |place: &PairPlace| place.pair == pair && place.after == after;
        match trial {
            None if damaged_places(context, number).any(|place| lost(&place)) => {
                Err("the trial is damaged".to_owned())
            }
            _ => figure(trial, measure, context),
        }
    };
    let (mut pairs, mut lost) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (pair, (first, second)) in sides {
        match (of(pair, first, false), of(pair, second, true)) {
            (Ok((x, left)), Ok((y, right))) => {
                pairs.push(Pair { number: pair, before: x, after: y });
                before.push(left);
                after.push(right);
            }
            (Err(why), _) => lost.push(format!("pair {}: before: {why}", pair + 1)),
            (_, Err(why)) => lost.push(format!("pair {}: after: {why}", pair + 1)),
        }
    }
    let band = match measure.quantity {
        Quantity::Latency => band,
        Quantity::BodyBytes => band.map(|band| band.max(SAME_SIZE)),
    };
    let comparison = compare(&pairs, Better::Lower, band.unwrap_or(f64::INFINITY), 0.0);
    let (verdict, reason) = match objection(arrow, &before, &after) {
        _ if pairs.is_empty() && lost.is_empty() => {
            (Verdict::NotComparable, Some("no pair was measured".to_owned()))
        }
        _ if pairs.is_empty() => (Verdict::NotComparable, lost.first().cloned()),
        Some(objection) => (Verdict::NotComparable, Some(objection)),
        None => told(comparison.as_ref(), &pairs, band),
    };
    let mean = |side: fn(&Pair) -> f64| geometric_mean(&pairs.iter().map(side).collect::<Vec<_>>());
    let mut finding = PerformanceFinding {
        measure,
        aa_pairs: aa_pairs(context, measure),
        band,
        before_ms: mean(|p| p.before),
        after_ms: mean(|p| p.after),
        comparison,
        verdict,
        reason,
        lost,
        pairs,
        sentence: String::new(),
    };
    finding.sentence = sentence(&finding, arrow);
    finding
}

/// Where the damaged trials of an arrow's pairs belong.
fn damaged_places<'r>(
    context: &Context<'r>,
    arrow: u32,
) -> impl Iterator<Item = PairPlace> + use<'r> {
    let places = context.damaged(Purpose::Performance).filter_map(|record| record.place);
    places.filter(move |place| place.arrow == arrow)
}

/// The verdict of the pairs, with what keeps it from being one.
pub(super) fn told(
    comparison: Option<&Comparison>,
    pairs: &[Pair],
    band: Option<f64>,
) -> (Verdict, Option<String>) {
    let verdict = comparison.map_or(Verdict::NotComparable, |c| c.verdict);
    if pairs.len() < PAIRS_MIN {
        let reason = format!("{} pairs, {PAIRS_MIN} are needed for an interval", pairs.len());
        return (Verdict::TooNoisy, Some(reason));
    }
    if band.is_none() {
        let reason = "no A/A pair ran, so the noise of the machine is unknown".to_owned();
        return (Verdict::TooNoisy, Some(reason));
    }
    let inside = comparison.and_then(|c| c.ci95).is_some_and(|i| !i.contains(1.0));
    let reason = (verdict == Verdict::NoDifferenceProven && inside).then(|| {
        "the effect is no larger than what the same stack showed against itself".to_owned()
    });
    (verdict, reason)
}

/// Pairs of a variant against itself, over all arrows of the experiment.
pub fn aa_pairs(context: &Context<'_>, measure: &Measure) -> Vec<Pair> {
    let key = |t: &Trial| {
        let place = t.record.place?;
        Some((place.arrow, t.record.variant.clone(), t.record.instance_count, place.pair))
    };
    let sides = by_pair(context, Purpose::Aa, key).into_values();
    let figures = sides.filter_map(|(first, second)| {
        let before = figure(first, measure, context).ok()?.0;
        Some((before, figure(second, measure, context).ok()?.0))
    });
    (0u32..).zip(figures).map(|(number, (before, after))| Pair { number, before, after }).collect()
}

/// Trials by what they share; the last one counts where a trial was repeated.
fn by_pair<'r, K: Ord>(
    context: &Context<'r>,
    purpose: Purpose,
    key: impl Fn(&Trial) -> Option<K>,
) -> BTreeMap<K, Sides<'r>> {
    let mut sides: BTreeMap<K, Sides<'r>> = BTreeMap::new();
    for trial in context.trials().filter(|t| t.record.purpose == purpose) {
        let (Some(key), Some(place)) = (key(trial), trial.record.place) else { continue };
        let entry = sides.entry(key).or_default();
        let side = if place.after { &mut entry.1 } else { &mut entry.0 };
        let usable = |t: &Trial| t.record.outcome == Outcome::Completed;
        if side.is_none_or(|earlier| usable(trial) || !usable(earlier)) {
            *side = Some(trial);
        }
    }
    sides
}

/// The figure of one trial in the unit of its quantity, or why there is none.
fn figure<'r>(
    trial: Option<&'r Trial>,
    measure: &Measure,
    context: &Context<'_>,
) -> Result<(f64, &'r Trial), String> {
    let trial = trial.ok_or("the trial is missing")?;
    match &trial.record.outcome {
        Outcome::Completed => {}
        Outcome::Failed { reason } => return Err(format!("failed: {reason}")),
        Outcome::Dropped { reason } => return Err(format!("dropped: {reason}")),
    }
    let errors = error_ratio(&trial.record);
    if errors > context.experiment.slo.error_ratio_max {
        return Err(format!("{} of the requests failed", percent(errors)));
    }
    if measure.quantity == Quantity::BodyBytes {
        return Ok((kilobytes_per_answer(&trial.record, measure)?, trial));
    }
    let histogram = judged_histogram(&trial.histograms, &measure.operations, measure.clock);
    let value_us = match paired_quantile(&histogram, measure.quantile) {
        Quantile::Known { value, .. } => value,
        Quantile::TooFew { sample_count, needed } => {
            return Err(format!("{sample_count} samples, {needed} are needed"));
        }
    };
    let value_us = over_regions(trial, measure)?.unwrap_or(value_us);
    Ok((value_us / 1_000.0, trial))
}

/// The geometric mean of the regions' own quantiles; none when the measure does not span regions. A quantile over near and far
/// requests together would depend on how many of each the trial's time allowed, and a faster stack has time for more.
fn over_regions(trial: &Trial, measure: &Measure) -> Result<Option<f64>, String> {
    let mut regions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for name in trial.record.operations.keys().filter(|name| judges(&measure.operations, name)) {
        if let Some((_, region)) = name.split_once('.') {
            regions.entry(region).or_default().push(name.clone());
        }
    }
    if regions.len() < 2 {
        return Ok(None);
    }
    let of_region = |(region, operations): (&str, Vec<String>)| {
        let histogram = judged_histogram(&trial.histograms, &operations, measure.clock);
        if histogram.is_empty() {
            return Err(format!("no sample from {region}"));
        }
        Ok(histogram.value_at_quantile(measure.quantile) as f64)
    };
    let values: Vec<f64> = regions.into_iter().map(of_region).collect::<Result<_, _>>()?;
    Ok(geometric_mean(&values))
}

/// The mean body of a correct answer.
fn kilobytes_per_answer(record: &TrialRecord, measure: &Measure) -> Result<f64, String> {
    let judged = record.operations.iter().filter(|(name, _)| judges(&measure.operations, name));
    let (bytes, answers) = judged.fold((0, 0), |(bytes, answers), (_, one)| {
        (bytes + one.body_bytes, answers + one.ok_count)
    });
    if answers < PAIRED_MEDIAN_SAMPLES_MIN {
        return Err(format!("{answers} answers, {PAIRED_MEDIAN_SAMPLES_MIN} are needed"));
    }
    Ok(bytes as f64 / 1_000.0 / answers as f64)
}

fn error_ratio(record: &TrialRecord) -> f64 {
    error_count(record) as f64 / planned_count(record).max(1) as f64
}

/// The finding as a sales engineer would say it.
fn sentence(finding: &PerformanceFinding<'_>, arrow: &Arrow) -> String {
    let (cure, label) = (cure(&arrow.label), cure(&finding.measure.label));
    if finding.measure.quantity == Quantity::BodyBytes {
        return sentence_of_sizes(finding, &cure, &label);
    }
    let figures = match (finding.before_ms, finding.after_ms) {
        (Some(before), Some(after)) => {
            format!(": {} before, {} after", milliseconds(before), milliseconds(after))
        }
        _ => String::new(),
    };
    let known = finding.ratio().zip(finding.ci95());
    match (finding.verdict, known) {
        (Verdict::Improved, Some((times, ci))) => format!(
            "For one user {cure} made {label} {}x faster (95 % interval {}){figures}.",
            ratio(times),
            interval(ci.low, ci.high)
        ),
        (Verdict::Worse, Some((times, ci))) => format!(
            "For one user {cure} made {label} {}x slower (95 % interval {}){figures}.",
            ratio(1.0 / times),
            interval(1.0 / ci.high, 1.0 / ci.low)
        ),
        (Verdict::NoDifferenceProven, Some((times, ci))) => format!(
            "For one user {cure} made no proven difference to {label} (ratio {}, 95 % interval {}){figures}.",
            ratio(times),
            interval(ci.low, ci.high)
        ),
        (Verdict::TooNoisy, Some((_, ci))) => format!(
            "For one user it could not be told what {cure} does to {label}: the 95 % interval runs from {}{figures}.",
            interval(ci.low, ci.high)
        ),
        _ => format!(
            "For one user nothing can be said about {cure} and {label}: {}.",
            finding
                .reason
                .clone()
                .unwrap_or_else(|| format!("{} pairs", number(finding.pairs.len() as f64)))
        ),
    }
}

fn sentence_of_sizes(finding: &PerformanceFinding<'_>, cure: &str, label: &str) -> String {
    let (Some(before), Some(after)) = (finding.before_ms, finding.after_ms) else {
        let reason = finding.reason.clone().unwrap_or_default();
        return format!("Whether {cure} changes {label} cannot be said: {reason}.");
    };
    let changed = match finding.verdict {
        Verdict::NoDifferenceProven => "leaves as it is",
        Verdict::TooNoisy | Verdict::NotComparable => "may change",
        Verdict::Improved | Verdict::Worse => "changes",
    };
    let (before, after) = (number(before), number(after));
    format!("{} {changed} {label}: {before} kB before, {after} kB after.", capital(cure))
}
