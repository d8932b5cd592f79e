//! The first half of the page in strings: answers, experiments, and what did not improve.

use super::Figure;
use crate::charts::{ArrowCharts, Charts};
use crate::findings::performance::PerformanceFinding;
use crate::findings::scalability::{CountCapacity, ScalabilityFinding};
use crate::findings::{Analysis, ArrowAnalysis, ExperimentAnalysis, Hole};
use crate::stats::bootstrap::Interval;
use crate::stats::usl::{Fit, Peak};
use crate::summary::Verdict;
use crate::text::{capital, interval, milliseconds, number, percent, ratio};

/// A verdict with its figures, for a cell.
pub struct Cell {
    pub ratio: Option<String>,
    pub ci: Option<String>,
    pub verdict: &'static str,
    pub class: &'static str,
    pub mark: &'static str,
}

/// A line of the answer table.
pub struct Answer {
    pub experiment: String,
    pub title: String,
    pub cure: String,
    pub one: Cell,
    pub many: Cell,
}

/// A finding in words.
pub struct Said {
    pub place: String,
    pub verdict: &'static str,
    pub class: &'static str,
    pub mark: &'static str,
    pub sentence: String,
    pub reason: Option<String>,
}

/// A line of a performance table.
pub struct Row {
    pub label: String,
    pub cure: String,
    pub before: String,
    pub after: String,
    pub ratio: String,
    pub ci: String,
    pub pairs: String,
    pub band: String,
    pub verdict: &'static str,
    pub class: &'static str,
    pub mark: &'static str,
}

/// A line of a capacity table.
pub struct CapacityRow {
    pub count: String,
    pub before: String,
    pub after: String,
    pub searches: String,
    pub remark: String,
}

/// A cure.
pub struct ArrowView {
    pub label: String,
    pub simulated: String,
    pub findings: Vec<Said>,
    pub scaling: Option<String>,
    pub charts: Vec<Figure>,
    pub performance: Vec<Row>,
    pub capacity: Vec<CapacityRow>,
    pub unit: &'static str,
    pub usl: Option<String>,
}

/// An experiment.
pub struct Experiment {
    pub id: String,
    pub title: String,
    pub short: String,
    pub question: String,
    pub lesson: String,
    pub axis: String,
    pub facts: Vec<(String, String)>,
    pub arrows: Vec<ArrowView>,
    pub unchanged: Vec<Row>,
    pub holes: Vec<Hole>,
}

/// Class and mark of a verdict: told apart by word, shape and colour, in this order of trust.
fn looks(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Improved => ("improved", "▲"),
        Verdict::Worse => ("worse", "▼"),
        Verdict::NoDifferenceProven => ("none", "="),
        Verdict::TooNoisy => ("noisy", "~"),
        Verdict::NotComparable => ("not", "✕"),
    }
}

fn shown(ci: Option<Interval>) -> Option<String> {
    ci.map(|i| interval(i.low, i.high))
}

fn dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// `Framework: a cache, and more web servers` -> `Framework`, where room is short.
fn short(title: &str) -> String {
    title.split(':').next().unwrap_or(title).trim().to_owned()
}

fn cell(verdict: Verdict, times: Option<f64>, ci: Option<Interval>) -> Cell {
    let (class, mark) = looks(verdict);
    Cell { ratio: times.map(ratio), ci: shown(ci), verdict: verdict.as_str(), class, mark }
}

fn said(place: String, verdict: Verdict, sentence: &str, reason: Option<&String>) -> Said {
    let (class, mark) = looks(verdict);
    // A sentence that already ends with the reason does not need it twice.
    let reason = reason.filter(|r| !sentence.contains(r.as_str())).map(|r| capital(r));
    Said { place, verdict: verdict.as_str(), class, mark, sentence: sentence.to_owned(), reason }
}

/// The answer table.
pub fn answers(analysis: &Analysis<'_>) -> Vec<Answer> {
    let lines = analysis.experiments.iter().flat_map(|e| e.arrows.iter().map(move |a| (e, a)));
    lines
        .map(|(experiment, arrow)| {
            let headline = arrow.performance.first();
            let many = &arrow.scalability;
            Answer {
                experiment: experiment.record.id.clone(),
                title: short(&experiment.record.title),
                cure: arrow.arrow.label.clone(),
                one: headline.map_or_else(
                    || cell(Verdict::NotComparable, None, None),
                    |f| cell(f.verdict, f.ratio(), f.ci95()),
                ),
                many: cell(many.verdict, many.ratio(), many.ci95()),
            }
        })
        .collect()
}

/// The experiments' sections.
pub fn experiments(analysis: &Analysis<'_>, charts: &Charts) -> Vec<Experiment> {
    let with_charts = analysis.experiments.iter().zip(&charts.experiments);
    with_charts
        .map(|(experiment, charts)| {
            let record = experiment.record;
            let unchanged = experiment
                .arrows
                .iter()
                .flat_map(|a| a.unchanged.iter().map(|f| row(f, &a.arrow.label)));
            Experiment {
                id: record.id.clone(),
                title: record.title.clone(),
                short: short(&record.title),
                question: record.question.clone(),
                lesson: record.lesson.clone(),
                axis: capital(&record.axis.label),
                facts: facts(experiment),
                arrows: experiment.arrows.iter().zip(charts).map(|(a, c)| arrow(a, c)).collect(),
                unchanged: unchanged.collect(),
                holes: experiment.holes.clone(),
            }
        })
        .collect()
}

fn facts(experiment: &ExperimentAnalysis<'_>) -> Vec<(String, String)> {
    let record = experiment.record;
    let slo = &record.slo;
    let judged = match slo.operations.is_empty() {
        true => "requests".to_owned(),
        false => slo.operations.join(", ").replace('_', " ") + " requests",
    };
    let counts: Vec<String> = record.axis.counts.iter().map(u32::to_string).collect();
    let mut facts = vec![
        (
            "A rate is held when".to_owned(),
            format!(
                "{} of the {judged} end within {}, at most {} fail, and at least {} of the offered ones are answered",
                percent(slo.quantile),
                milliseconds(slo.latency_ms),
                percent(slo.error_ratio_max),
                percent(slo.achieved_ratio_min)
            ),
        ),
        ("Multiplied".to_owned(), format!("{}: {}", record.axis.label, counts.join(", "))),
    ];
    if !record.budgets.is_empty() {
        let budgets = record.budgets.iter().map(|(what, share)| format!("{what}: {share}"));
        facts.push(("Budgets".to_owned(), budgets.collect::<Vec<_>>().join("; ")));
    }
    facts.push((
        "Trials".to_owned(),
        format!(
            "{} on disk of at most {} planned, {} not usable",
            experiment.trial_count,
            record.planned_trial_count,
            experiment.holes.len()
        ),
    ));
    facts
}

fn arrow(arrow: &ArrowAnalysis<'_>, charts: &ArrowCharts) -> ArrowView {
    let many = &arrow.scalability;
    let mut findings: Vec<Said> = arrow
        .performance
        .iter()
        .map(|f| said(String::new(), f.verdict, &f.sentence, f.reason.as_ref()))
        .collect();
    findings.push(said(String::new(), many.verdict, &many.sentence, many.reason.as_ref()));
    let captions = [
        "Follow the before line from left to right until it turns up: that is the end of its road. Hollow marks: the rate was not held.",
        "Short bars: single searches; marks: their geometric mean. A dashed side cannot be multiplied: its one capacity is repeated.",
        "Each dot is one pair of trials, run right after each other. Inside the grey band lies what the same stack showed against itself.",
    ];
    ArrowView {
        label: arrow.arrow.label.clone(),
        simulated: arrow.simulated.join("; "),
        findings,
        scaling: many.scaling_sentence.clone(),
        charts: charts.all().iter().zip(captions).map(|(c, text)| Figure::new(c, text)).collect(),
        performance: arrow.performance.iter().map(|f| row(f, &arrow.arrow.label)).collect(),
        capacity: many.before.iter().zip(&many.after).map(|(b, a)| capacity_row(b, a)).collect(),
        unit: many.unit,
        usl: many.usl.as_ref().map(usl),
    }
}

fn row(finding: &PerformanceFinding<'_>, cure: &str) -> Row {
    let (class, mark) = looks(finding.verdict);
    Row {
        label: capital(&finding.measure.label),
        cure: cure.to_owned(),
        before: dash(finding.before_ms.map(milliseconds)),
        after: dash(finding.after_ms.map(milliseconds)),
        ratio: dash(finding.ratio().map(ratio)),
        ci: dash(shown(finding.ci95())),
        pairs: match finding.lost.len() {
            0 => finding.pairs.len().to_string(),
            lost => format!("{} ({lost} lost)", finding.pairs.len()),
        },
        band: dash(finding.band.map(|b| ratio(b.exp()))),
        verdict: finding.verdict.as_str(),
        class,
        mark,
    }
}

fn capacity_row(before: &CountCapacity, after: &CountCapacity) -> CapacityRow {
    let rate = |side: &CountCapacity| match side.rate() {
        Some(rate) if open(side) => format!("≥ {}", number(rate)),
        Some(rate) => number(rate),
        None => "✕".to_owned(),
    };
    if before.repeated && after.repeated {
        let remark = "Neither side can be multiplied: the capacity of one again".to_owned();
        return CapacityRow {
            count: after.count.to_string(),
            before: rate(before),
            after: rate(after),
            searches: format!("{} / {}", before.searches.len(), after.searches.len()),
            remark,
        };
    }
    let mut remarks: Vec<String> = Vec::new();
    for (name, side) in [("before", before), ("after", after)] {
        if let Some(hole) = &side.hole {
            remarks.push(format!("{name}: {hole}"));
        } else if side.repeated {
            remarks.push(format!("{name}: cannot be multiplied, its one capacity again"));
        } else if open(side) {
            remarks.push(format!("{name}: the search ended at its highest rate"));
        }
    }
    CapacityRow {
        count: after.count.to_string(),
        before: rate(before),
        after: rate(after),
        searches: format!("{} / {}", before.searches.len(), after.searches.len()),
        remark: capital(&remarks.join("; ")),
    }
}

/// True when no search found a rate above the capacity that was not held.
fn open(side: &CountCapacity) -> bool {
    !side.searches.is_empty() && side.searches.iter().all(|s| s.is_open())
}

fn usl(fit: &Fit) -> String {
    let ci = |i: Option<Interval>| {
        i.map_or_else(String::new, |i| format!(" ({} to {})", number(i.low), number(i.high)))
    };
    let worst = fit.residuals.iter().map(|r| r.abs()).fold(0.0, f64::max);
    let warning = if fit.saturated {
        " Three parameters through three points: this describes what was measured and forecasts nothing."
    } else {
        ""
    };
    let peak = match fit.peak {
        Peak::At(count) => format!(" The law peaks at {} instances.", number(count)),
        Peak::None => " The law has no peak.".to_owned(),
        Peak::TooFewLevels => " Its peak is not printed: that takes six levels.".to_owned(),
        Peak::NotReached => " Its peak is not printed: no level lies past it.".to_owned(),
    };
    format!(
        "Universal Scalability Law, fitted to the after side: one instance {}/s, contention α {}{}, coherency β {}{}; points lie at most {} off.{warning}{peak}",
        number(fit.gamma),
        number(fit.alpha),
        ci(fit.alpha_ci95),
        number(fit.beta),
        ci(fit.beta_ci95),
        percent(worst)
    )
}

/// Every finding that is not an improvement, worst first.
pub fn not_improved(analysis: &Analysis<'_>) -> Vec<Said> {
    let mut found: Vec<(Verdict, Said)> = Vec::new();
    for experiment in &analysis.experiments {
        let place = |arrow: &ArrowAnalysis<'_>| {
            format!("{} · {}", short(&experiment.record.title), arrow.arrow.label)
        };
        for arrow in &experiment.arrows {
            for f in arrow.performance.iter().filter(|f| f.verdict != Verdict::Improved) {
                found.push((
                    f.verdict,
                    said(place(arrow), f.verdict, &f.sentence, f.reason.as_ref()),
                ));
            }
            let many: &ScalabilityFinding = &arrow.scalability;
            if many.verdict != Verdict::Improved {
                found.push((
                    many.verdict,
                    said(place(arrow), many.verdict, &many.sentence, many.reason.as_ref()),
                ));
            }
            // Declared unchanged and yet changed, for better or worse.
            for f in &arrow.unchanged {
                if matches!(f.verdict, Verdict::Improved | Verdict::Worse) {
                    let mut line = said(place(arrow), f.verdict, &f.sentence, f.reason.as_ref());
                    line.sentence = format!("Had to stay the same: {}", line.sentence);
                    found.push((f.verdict, line));
                }
            }
        }
    }
    // Worse first, then what was not proven, noisy, not comparable; within each the order of the run.
    found.sort_by_key(
        |(verdict, _)| if *verdict == Verdict::Improved { Verdict::Worse } else { *verdict },
    );
    found.into_iter().map(|(_, said)| said).collect()
}

/// Lost pairs, counts without a capacity, unchanged measures that could not be checked, peaks that are not printed.
pub fn untold(analysis: &Analysis<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for experiment in &analysis.experiments {
        for arrow in &experiment.arrows {
            let place = format!("{}, {}", short(&experiment.record.title), arrow.arrow.label);
            for finding in arrow.performance.iter().chain(&arrow.unchanged) {
                for lost in &finding.lost {
                    lines.push(format!("{place}: {}, {lost}.", finding.measure.label));
                }
            }
            for finding in &arrow.unchanged {
                if matches!(finding.verdict, Verdict::TooNoisy | Verdict::NotComparable) {
                    let reason = finding
                        .reason
                        .clone()
                        .unwrap_or_else(|| "the interval is too wide".to_owned());
                    lines.push(format!(
                        "{place}: whether {} stayed the same: {reason}.",
                        finding.measure.label
                    ));
                }
            }
            let many = &arrow.scalability;
            for (name, side) in [("before", &many.before), ("after", &many.after)] {
                for at in side.iter().filter(|c| !c.repeated) {
                    if let Some(hole) = &at.hole {
                        let axis = &experiment.record.axis.label;
                        lines.push(format!(
                            "{place}: capacity {name} at {} {axis}: {hole}.",
                            at.count
                        ));
                    }
                }
            }
        }
    }
    lines
}
