//! For many: capacity against instances, before and after, from capacity searches; the ratio from paired searches.
//!
//! A stack that cannot be multiplied along the axis (`scales = false`) has one capacity, and it is repeated for every count. The ratio
//! compares both sides at the largest count, pair by pair; the law of `stats::usl` is fitted to the after side.

use std::collections::BTreeMap;

use loadgen::record::{Arrow, Outcome};
use loadgen::record_io::Trial;

use super::Context;
use super::fairness::objection;
use super::performance::told;
use super::searches::{Search, searches};
use crate::capacity::{Capacity, held};
use crate::stats::bootstrap::{Interval, student_975};
use crate::stats::compare::{Better, Comparison, Pair, compare};
use crate::stats::geometric_mean;
use crate::stats::usl::{self, Fit, Level};
use crate::summary::Verdict;
use crate::text::{capital, cure, interval, number, ratio};

/// The capacity at one count.
#[derive(Debug, Clone)]
pub struct CountCapacity {
    /// Instances.
    pub count: u32,
    /// One per search that held a rate.
    pub searches: Vec<Capacity>,
    /// True when this stack cannot be multiplied and this is its one capacity again.
    pub repeated: bool,
    /// Why there is none.
    pub hole: Option<String>,
}

impl CountCapacity {
    /// Requests per second: the geometric mean over the searches.
    pub fn rate(&self) -> Option<f64> {
        geometric_mean(&self.searches.iter().map(|c| c.rate_per_s).collect::<Vec<_>>())
    }
}

/// A stack at its largest count against itself at its smallest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Smallest count.
    pub from: u32,
    /// Largest count.
    pub to: u32,
    /// Capacity at `to` over capacity at `from`.
    pub ratio: f64,
    /// 95 % interval; none when every capacity was found only once.
    pub ci95: Option<Interval>,
}

/// What a cure does for many users.
#[derive(Debug, Clone)]
pub struct ScalabilityFinding {
    /// Per count of the axis.
    pub before: Vec<CountCapacity>,
    /// Per count of the axis.
    pub after: Vec<CountCapacity>,
    /// Capacities of paired searches at the largest count.
    pub pairs: Vec<Pair>,
    /// What the pairs say.
    pub comparison: Option<Comparison>,
    /// The law fitted to the after side.
    pub usl: Option<Fit>,
    /// How the after side itself scales.
    pub after_scaling: Option<Scaling>,
    /// The verdict, after all objections.
    pub verdict: Verdict,
    /// Why it is not comparable or too noisy, where there is more to say than the interval.
    pub reason: Option<String>,
    /// What is counted per second: `requests`, `page views`, `uploads`.
    pub unit: &'static str,
    /// The A/A band as |log ratio|.
    pub band: Option<f64>,
    /// For the room.
    pub sentence: String,
    /// How the after side scales, for the room.
    pub scaling_sentence: Option<String>,
}

impl ScalabilityFinding {
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

/// Judges the capacity of one arrow.
pub fn find(
    context: &Context<'_>,
    number: u32,
    arrow: &Arrow,
    band: Option<f64>,
) -> ScalabilityFinding {
    let all = searches(context);
    let side = |variant: &str| -> Vec<CountCapacity> {
        let counts = &context.experiment.axis.counts;
        counts.iter().map(|&count| capacity_at(context, &all, number, variant, count)).collect()
    };
    let (before, after) = (side(&arrow.before), side(&arrow.after));
    let paired = paired_searches(context, &all, number, arrow);
    let CapacityPairs { pairs, resolution, open } = capacity_pairs(context, &paired);
    let comparison = compare(&pairs, Better::Higher, band.unwrap_or(f64::INFINITY), resolution);
    let (verdict, reason) = judged(context, arrow, &paired, &pairs, comparison.as_ref(), band);
    let reason = reason.or_else(|| open_ends(open));
    let usl = if context.scales(&arrow.after) { fit(&after) } else { None };
    let after_scaling = if context.scales(&arrow.after) { scaling(&after) } else { None };
    let mut finding = ScalabilityFinding {
        before,
        after,
        pairs,
        comparison,
        usl,
        after_scaling,
        verdict,
        reason,
        unit: unit(&all),
        band,
        sentence: String::new(),
        scaling_sentence: None,
    };
    finding.sentence = sentence(&finding, arrow, context);
    finding.scaling_sentence = scaling_sentence(&finding, arrow, context);
    finding
}

/// The best searches there are for a count: those of this arrow's pairs, else any of the same purpose, else the levels.
fn capacity_at(
    context: &Context<'_>,
    all: &[Search<'_>],
    arrow: u32,
    variant: &str,
    count: u32,
) -> CountCapacity {
    let scales = context.scales(variant);
    let own = all.iter().filter(|s| s.variant == variant && (!scales || s.count == count));
    let own: Vec<&Search<'_>> = own.collect();
    let tiers: [Vec<&Search<'_>>; 3] = [
        own.iter().copied().filter(|s| s.place.is_some_and(|p| p.0 == arrow)).collect(),
        own.iter().copied().filter(|s| s.place.is_some()).collect(),
        own.iter().copied().filter(|s| s.place.is_none()).collect(),
    ];
    let capacity = |s: &Search<'_>| s.capacity(&context.experiment.slo);
    let searches = tiers
        .iter()
        .map(|tier| tier.iter().filter_map(|s| capacity(s)).collect::<Vec<_>>())
        .find(|found| !found.is_empty())
        .unwrap_or_default();
    let hole = searches.is_empty().then(|| why_none(context, &own));
    let repeated = !scales && context.experiment.axis.counts.first() != Some(&count);
    CountCapacity { count, searches, repeated, hole }
}

fn why_none(context: &Context<'_>, searches: &[&Search<'_>]) -> String {
    if searches.iter().any(|s| s.is_in_doubt(&context.experiment.slo)) {
        return "a trial of the search is damaged".to_owned();
    }
    let trials: Vec<&Trial> = searches.iter().flat_map(|s| s.trials.iter().copied()).collect();
    let why = |t: &&Trial| match &t.record.outcome {
        Outcome::Completed => None,
        Outcome::Failed { reason } => Some(format!("failed: {reason}")),
        Outcome::Dropped { reason } => Some(format!("dropped: {reason}")),
    };
    let usable = trials.iter().filter(|t| why(t).is_none());
    let lowest =
        usable.min_by(|a, b| a.record.load.rate_per_s.total_cmp(&b.record.load.rate_per_s));
    match lowest {
        Some(t) => format!(
            "not even {}/s was held: {}",
            number(t.record.load.rate_per_s),
            held(&t.record, &t.histograms, &context.experiment.slo).why
        ),
        None => trials.iter().find_map(why).unwrap_or_else(|| "not measured".to_owned()),
    }
}

/// Searches of both sides at the largest count, by pair number.
type Paired<'a, 'r> = BTreeMap<u32, (Option<&'a Search<'r>>, Option<&'a Search<'r>>)>;

fn paired_searches<'a, 'r>(
    context: &Context<'r>,
    all: &'a [Search<'r>],
    number: u32,
    arrow: &Arrow,
) -> Paired<'a, 'r> {
    let largest = context.experiment.axis.counts.last().copied().unwrap_or(1);
    let mut paired: Paired<'a, 'r> = BTreeMap::new();
    for search in all {
        let Some((_, pair)) = search.place.filter(|p| p.0 == number) else { continue };
        if context.scales(search.variant) && search.count != largest {
            continue;
        }
        let entry = paired.entry(pair).or_default();
        if search.variant == arrow.before {
            entry.0 = Some(search);
        } else if search.variant == arrow.after {
            entry.1 = Some(search);
        }
    }
    paired
}

/// Capacities of paired searches.
struct CapacityPairs {
    pairs: Vec<Pair>,
    /// Standard deviation of one log ratio that comes from the steps of the searches alone.
    resolution: f64,
    /// Whether a search of the before side, and of the after side, ended at its highest rate.
    open: (bool, bool),
}

fn capacity_pairs(context: &Context<'_>, paired: &Paired<'_, '_>) -> CapacityPairs {
    let capacity = |s: &Search<'_>| s.capacity(&context.experiment.slo);
    let (mut pairs, mut variance, mut open) = (Vec::new(), 0.0, (false, false));
    for (&number, sides) in paired {
        let (Some(before), Some(after)) = *sides else { continue };
        let (Some(before), Some(after)) = (capacity(before), capacity(after)) else { continue };
        variance += before.resolution().powi(2) + after.resolution().powi(2);
        open = (open.0 || before.is_open(), open.1 || after.is_open());
        pairs.push(Pair { number, before: before.rate_per_s, after: after.rate_per_s });
    }
    let resolution = (variance / pairs.len().max(1) as f64).sqrt();
    CapacityPairs { pairs, resolution, open }
}

/// In which direction the ratio may be wrong because a search ended at its highest rate.
fn open_ends(open: (bool, bool)) -> Option<String> {
    let what = match open {
        (false, false) => return None,
        (true, false) => "before ended at their highest rate, so the ratio may be smaller",
        (false, true) => "after ended at their highest rate, so the ratio may be larger",
        (true, true) => {
            "both sides ended at their highest rate, so the ratio may be off either way"
        }
    };
    Some(format!("searches of {what}"))
}

fn judged(
    context: &Context<'_>,
    arrow: &Arrow,
    paired: &Paired<'_, '_>,
    pairs: &[Pair],
    comparison: Option<&Comparison>,
    band: Option<f64>,
) -> (Verdict, Option<String>) {
    if pairs.is_empty() {
        return (Verdict::NotComparable, Some(why_no_pair(context, arrow, paired)));
    }
    // Overloaded steps rightly fail; what a capacity rests on are the steps that were held.
    let held_trials = |after: bool| -> Vec<&Trial> {
        let sides = paired.values().filter_map(|s| if after { s.1 } else { s.0 });
        sides
            .flat_map(|s| s.trials.iter().copied())
            .filter(|t| held(&t.record, &t.histograms, &context.experiment.slo).held)
            .collect()
    };
    match objection(arrow, &held_trials(false), &held_trials(true)) {
        Some(objection) => (Verdict::NotComparable, Some(objection)),
        None => told(comparison, pairs, band),
    }
}

/// Why not one pair of searches gave two capacities.
fn why_no_pair(context: &Context<'_>, arrow: &Arrow, paired: &Paired<'_, '_>) -> String {
    let has_before = paired.values().any(|sides| sides.0.is_some());
    let has_after = paired.values().any(|sides| sides.1.is_some());
    match (has_before, has_after) {
        (false, false) => "no capacity was searched".to_owned(),
        (false, true) => format!("no capacity of {} was searched", arrow.before),
        (true, false) => format!("no capacity of {} was searched", arrow.after),
        (true, true) => {
            let sides = paired.values().flat_map(|(before, after)| [*before, *after]).flatten();
            let without: Vec<&Search<'_>> =
                sides.filter(|s| s.capacity(&context.experiment.slo).is_none()).collect();
            let name = without.first().map_or("one side of each pair", |s| s.variant);
            format!("{name}: {}", why_none(context, &without))
        }
    }
}

/// Spread of log capacities over repeated searches, pooled, with its degrees of freedom.
fn pooled_variance(side: &[CountCapacity]) -> Option<(f64, usize)> {
    let (mut sum, mut degrees) = (0.0, 0);
    for at in side.iter().filter(|c| !c.repeated && c.searches.len() > 1) {
        let logs: Vec<f64> = at.searches.iter().map(|c| c.rate_per_s.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        sum += logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>();
        degrees += logs.len() - 1;
    }
    (degrees > 0).then(|| (sum / degrees as f64, degrees))
}

fn fit(side: &[CountCapacity]) -> Option<Fit> {
    let levels: Vec<Level> =
        side.iter().filter_map(|c| Some(Level { count: c.count, rate: c.rate()? })).collect();
    let steps: Vec<f64> =
        side.iter().flat_map(|c| &c.searches).map(|c| c.resolution().powi(2)).collect();
    let from_steps = steps.iter().sum::<f64>() / steps.len().max(1) as f64;
    let relative_sd = pooled_variance(side).map(|(variance, _)| (variance + from_steps).sqrt());
    usl::fit(&levels, relative_sd)
}

/// Capacity at the largest count over that at the smallest. The interval is Welch's idea with one pooled spread: few searches
/// per count, so the spread of all repeated ones stands for each, plus what the steps of the search leave open.
fn scaling(side: &[CountCapacity]) -> Option<Scaling> {
    let known: Vec<&CountCapacity> = side.iter().filter(|c| c.rate().is_some()).collect();
    let (first, last) = (known.first()?, known.last()?);
    if first.count == last.count {
        return None;
    }
    let ratio = last.rate()? / first.rate()?;
    let ci95 = pooled_variance(side).map(|(variance, degrees)| {
        let of = |c: &CountCapacity| {
            let steps: f64 = c.searches.iter().map(|s| s.resolution().powi(2)).sum();
            let n = c.searches.len() as f64;
            (variance + steps / n) / n
        };
        let half = student_975(degrees) * (of(first) + of(last)).sqrt();
        Interval { low: ratio * (-half).exp(), high: ratio * half.exp() }
    });
    Some(Scaling { from: first.count, to: last.count, ratio, ci95 })
}

/// What is counted per second, from the mix of the searches.
fn unit(all: &[Search<'_>]) -> &'static str {
    let Some(trial) = all.iter().flat_map(|s| &s.trials).next() else { return "requests" };
    let mix = &trial.record.load.mix;
    match mix.keys().next().map(String::as_str) {
        Some("page_view") if mix.len() == 1 => "page views",
        Some("upload") if mix.len() == 1 => "uploads",
        _ => "requests",
    }
}

fn sentence(finding: &ScalabilityFinding, arrow: &Arrow, context: &Context<'_>) -> String {
    let axis = &context.experiment.axis;
    let count = axis.counts.last().copied().unwrap_or(1);
    let cure = cure(&arrow.label);
    let many = if count > 1 && context.scales(&arrow.after) {
        format!("With {count} {} {cure}", axis.label)
    } else {
        capital(&cure)
    };
    let unit = finding.unit;
    let at = |pick: fn(&Pair) -> f64| {
        geometric_mean(&finding.pairs.iter().map(pick).collect::<Vec<_>>())
            .map_or("-".to_owned(), number)
    };
    let figures = format!("{} {unit}/s before, {} after", at(|p| p.before), at(|p| p.after));
    match (finding.verdict, finding.ratio().zip(finding.ci95())) {
        (Verdict::Improved, Some((times, ci))) => format!(
            "{many} held {}x the load (95 % interval {}): {figures}.",
            ratio(times),
            interval(ci.low, ci.high)
        ),
        (Verdict::Worse, Some((times, ci))) => format!(
            "{many} held only {}x the load (95 % interval {}): {figures}.",
            ratio(times),
            interval(ci.low, ci.high)
        ),
        (Verdict::NoDifferenceProven, Some((times, ci))) => format!(
            "{many} made no proven difference to the load held (ratio {}, 95 % interval {}): {figures}.",
            ratio(times),
            interval(ci.low, ci.high)
        ),
        (Verdict::TooNoisy, Some((_, ci))) => format!(
            "It could not be told whether {cure} holds more load: the 95 % interval runs from {} ({figures}).",
            interval(ci.low, ci.high)
        ),
        _ => format!(
            "Nothing can be said about the load that {cure} holds: {}.",
            finding.reason.as_deref().unwrap_or("too few paired searches")
        ),
    }
}

fn scaling_sentence(
    finding: &ScalabilityFinding,
    arrow: &Arrow,
    context: &Context<'_>,
) -> Option<String> {
    let scaling = finding.after_scaling?;
    let ci = scaling
        .ci95
        .map_or_else(String::new, |ci| format!(" (95 % interval {})", interval(ci.low, ci.high)));
    Some(format!(
        "{}: from {} to {} {} the load held grew {}x{ci}; {}x would be ideal.",
        arrow.label,
        scaling.from,
        scaling.to,
        context.experiment.axis.label,
        ratio(scaling.ratio),
        number(f64::from(scaling.to) / f64::from(scaling.from)),
    ))
}
