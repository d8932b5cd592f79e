//! `summary.json`: the answers of one run for other programs, `lightmeter/summary/1`.
//!
//! The fields of the design are all there in every run; a figure that could not be had is `null`, never left out. Fields
//! that came later are marked optional: a reader of the first version loses nothing by not knowing them.

use std::collections::BTreeMap;

use loadgen::record::Reality;
use serde::{Deserialize, Serialize};

use crate::findings::Analysis;
use crate::findings::performance::PerformanceFinding;
use crate::findings::scalability::ScalabilityFinding;
use crate::stats::bootstrap::Interval;
use crate::stats::round_significant;

/// The version of `summary.json`.
pub const SUMMARY_SCHEMA: &str = "lightmeter/summary/1";

/// What may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The interval lies above 1, and the effect beyond the A/A band.
    #[serde(rename = "IMPROVED")]
    Improved,
    /// The interval lies below 1, and the effect beyond the A/A band.
    #[serde(rename = "WORSE")]
    Worse,
    /// Neither, and the interval is narrow enough that a large effect would have shown.
    #[serde(rename = "NO DIFFERENCE PROVEN")]
    NoDifferenceProven,
    /// Neither, and the interval is so wide that a large effect could hide in it.
    #[serde(rename = "TOO NOISY")]
    TooNoisy,
    /// The two sides differ in more than one thing, or one of them is missing.
    #[serde(rename = "NOT COMPARABLE")]
    NotComparable,
}

impl Verdict {
    /// As in `summary.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Improved => "IMPROVED",
            Verdict::Worse => "WORSE",
            Verdict::NoDifferenceProven => "NO DIFFERENCE PROVEN",
            Verdict::TooNoisy => "TOO NOISY",
            Verdict::NotComparable => "NOT COMPARABLE",
        }
    }
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SUMMARY_SCHEMA`].
    pub schema: String,
    /// The run's name.
    pub run: String,
    /// The commit that measured.
    pub commit: String,
    /// `simulated` or `real`.
    pub mode: Reality,
    /// In the order of the run.
    pub experiments: Vec<ExperimentSummary>,
    /// Why the figures may be believed, and how far.
    pub honesty: HonestySummary,
}

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentSummary {
    /// `database`, `assets`, `framework`, `imaging`.
    pub id: String,
    /// Its stacks.
    pub variants: Vec<VariantSummary>,
    /// Per cure: performance findings, then scalability.
    pub findings: Vec<Finding>,
    /// What had to stay the same.
    pub unchanged: Vec<UnchangedSummary>,
    /// File names in `report/`.
    pub charts: Vec<String>,
}

/// A named stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// `before`, `after`, ...
    pub id: String,
    /// Setting -> value.
    pub stack: BTreeMap<String, String>,
    /// False when a stand-in or a modelled part takes part.
    pub real: bool,
}

/// A verdict with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    /// For one user.
    Performance(PerformanceSummary),
    /// For many.
    Scalability(ScalabilitySummary),
}

impl Finding {
    /// The after variant.
    pub fn variant(&self) -> &str {
        match self {
            Finding::Performance(f) => &f.variant,
            Finding::Scalability(f) => &f.variant,
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        match self {
            Finding::Performance(f) => f.verdict,
            Finding::Scalability(f) => f.verdict,
        }
    }

    /// The ratio, better is above 1.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Finding::Performance(f) => f.ratio,
            Finding::Scalability(f) => f.ratio,
        }
    }

    /// Its 95 % interval.
    pub fn ci95(&self) -> Option<[f64; 2]> {
        match self {
            Finding::Performance(f) => f.ci95,
            Finding::Scalability(f) => f.ci95,
        }
    }
}

/// The axis of a performance finding: always `performance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PerformanceAxis {
    /// One user.
    Performance,
}

/// The axis of a scalability finding: always `scalability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalabilityAxis {
    /// Many users.
    Scalability,
}

/// How fast it is for one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerformanceSummary {
    /// The after variant.
    pub variant: String,
    /// `performance`.
    pub axis: PerformanceAxis,
    /// The measure's id: `median_ms_one_user`.
    pub measure: String,
    /// Milliseconds before (geometric mean over the pairs).
    pub before: Option<f64>,
    /// Milliseconds after.
    pub after: Option<f64>,
    /// Better is above 1.
    pub ratio: Option<f64>,
    /// 95 % interval of the ratio.
    pub ci95: Option<[f64; 2]>,
    /// Pairs it rests on.
    pub pairs: u32,
    /// What may be said.
    pub verdict: Verdict,
    /// Optional: the finding in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    /// Optional: why it is not comparable, or what weakens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How much load it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalabilitySummary {
    /// The after variant.
    pub variant: String,
    /// `scalability`.
    pub axis: ScalabilityAxis,
    /// `capacity_rps`.
    pub measure: String,
    /// Counts along the axis.
    pub instances: Vec<u32>,
    /// Capacity per count; `null` where the trials failed. A stack that cannot be multiplied repeats its one capacity.
    pub before: Vec<Option<f64>>,
    /// The same after.
    pub after: Vec<Option<f64>>,
    /// After over before at the largest count.
    pub ratio: Option<f64>,
    /// 95 % interval of the ratio.
    pub ci95: Option<[f64; 2]>,
    /// The law fitted to `after`; `null` with fewer than three counts.
    pub usl: Option<UslSummary>,
    /// What may be said.
    pub verdict: Verdict,
    /// Optional: how the after stack itself scales, from the smallest to the largest count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_scaling: Option<ScalingSummary>,
    /// Optional: the finding in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    /// Optional: why it is not comparable, or what weakens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Parameters of the Universal Scalability Law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UslSummary {
    /// Contention.
    pub alpha: f64,
    /// Coherency.
    pub beta: f64,
}

/// One stack at its largest count against itself at its smallest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScalingSummary {
    /// Smallest count.
    pub from: u32,
    /// Largest count.
    pub to: u32,
    /// Capacity at `to` over capacity at `from`.
    pub ratio: f64,
    /// 95 % interval; `null` when the capacities were found once only.
    pub ci95: Option<[f64; 2]>,
}

/// Something that had to stay the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnchangedSummary {
    /// The measure's id.
    pub measure: String,
    /// Better is above 1.
    pub ratio: Option<f64>,
    /// 95 % interval.
    pub ci95: Option<[f64; 2]>,
    /// `NO DIFFERENCE PROVEN` is what is hoped for.
    pub verdict: Verdict,
    /// Optional: the after variant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// Why the figures may be believed, and how far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HonestySummary {
    /// The widest deviation of a variant from itself, above 1; `null` when no A/A pair ran.
    pub aa_worst_ratio: Option<f64>,
    /// Share of requests sent more than a millisecond late.
    pub late_sends: f64,
    /// Rate against the null server over the highest rate used; `null` when not measured.
    pub generator_headroom: Option<f64>,
    /// Failed requests in the trials that figures rest on.
    pub errors: u64,
    /// Sampled bodies were right and the servers' counters agree with the clients'.
    pub work_verified: bool,
    /// What to know before believing.
    pub warnings: Vec<WarningSummary>,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningSummary {
    /// `late_sends`, `noisy_aa`, ...: stable.
    pub kind: String,
    /// What was seen, with its figures.
    pub seen: String,
    /// The likely cause.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// Four digits: more than any figure here is known to, and the same text on every machine.
fn round(value: f64) -> f64 {
    round_significant(value, 4)
}

fn ends(interval: Option<Interval>) -> Option<[f64; 2]> {
    interval.map(|i| [round(i.low), round(i.high)])
}

/// The summary of an analysis. `charts` are the file names per experiment, in the analysis' order.
pub fn summarise(analysis: &Analysis<'_>, charts: &[Vec<String>]) -> Summary {
    let run = analysis.run;
    let experiments = analysis
        .experiments
        .iter()
        .enumerate()
        .map(|(index, experiment)| {
            let mut findings = Vec::new();
            let mut unchanged = Vec::new();
            for arrow in &experiment.arrows {
                let variant = &arrow.arrow.after;
                findings.extend(arrow.performance.iter().map(|f| performance(variant, f)));
                findings.push(scalability(variant, &arrow.scalability));
                unchanged.extend(arrow.unchanged.iter().map(|f| UnchangedSummary {
                    measure: f.measure.id.clone(),
                    ratio: f.ratio().map(round),
                    ci95: ends(f.ci95()),
                    verdict: f.verdict,
                    variant: variant.clone(),
                }));
            }
            ExperimentSummary {
                id: experiment.record.id.clone(),
                variants: experiment
                    .record
                    .variants
                    .iter()
                    .map(|v| VariantSummary {
                        id: v.id.clone(),
                        stack: v.stack.clone(),
                        real: v.real,
                    })
                    .collect(),
                findings,
                unchanged,
                charts: charts.get(index).cloned().unwrap_or_default(),
            }
        })
        .collect();
    Summary {
        schema: SUMMARY_SCHEMA.to_owned(),
        run: run.run.clone(),
        commit: run.commit.clone(),
        mode: run.mode,
        experiments,
        honesty: honesty(analysis),
    }
}

fn performance(variant: &str, finding: &PerformanceFinding<'_>) -> Finding {
    Finding::Performance(PerformanceSummary {
        variant: variant.to_owned(),
        axis: PerformanceAxis::Performance,
        measure: finding.measure.id.clone(),
        before: finding.before_ms.map(round),
        after: finding.after_ms.map(round),
        ratio: finding.ratio().map(round),
        ci95: ends(finding.ci95()),
        pairs: finding.pairs.len() as u32,
        verdict: finding.verdict,
        sentence: finding.sentence.clone(),
        reason: finding.reason.clone(),
    })
}

fn scalability(variant: &str, finding: &ScalabilityFinding) -> Finding {
    Finding::Scalability(ScalabilitySummary {
        variant: variant.to_owned(),
        axis: ScalabilityAxis::Scalability,
        measure: "capacity_rps".to_owned(),
        instances: finding.after.iter().map(|c| c.count).collect(),
        before: finding.before.iter().map(|c| c.rate().map(round)).collect(),
        after: finding.after.iter().map(|c| c.rate().map(round)).collect(),
        ratio: finding.ratio().map(round),
        ci95: ends(finding.ci95()),
        usl: finding
            .usl
            .as_ref()
            .map(|f| UslSummary { alpha: round(f.alpha), beta: round(f.beta) }),
        verdict: finding.verdict,
        after_scaling: finding.after_scaling.as_ref().map(|s| ScalingSummary {
            from: s.from,
            to: s.to,
            ratio: round(s.ratio),
            ci95: ends(s.ci95),
        }),
        sentence: finding.sentence.clone(),
        reason: finding.reason.clone(),
    })
}

fn honesty(analysis: &Analysis<'_>) -> HonestySummary {
    let honesty = &analysis.honesty;
    HonestySummary {
        aa_worst_ratio: honesty.aa_worst_ratio.map(round),
        late_sends: round(honesty.late_sends),
        generator_headroom: honesty.generator_headroom.map(round),
        errors: honesty.error_count,
        work_verified: honesty.work_verified,
        warnings: analysis
            .warnings
            .iter()
            .map(|w| WarningSummary {
                kind: w.kind().to_owned(),
                seen: w.seen(),
                cause: w.cause().to_owned(),
                remedy: w.remedy().to_owned(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the design, verbatim.
    const EXAMPLE: &str = r#"
{ "schema": "lightmeter/summary/1", "run": "...", "commit": "...", "mode": "simulated",
  "experiments": [ { "id": "database", "variants": [ { "id": "before", "stack": {}, "real": true } ],
      "findings": [ { "variant": "after", "axis": "performance", "measure": "median_ms_one_user",
                      "before": 1.9, "after": 1.2, "ratio": 1.58, "ci95": [1.52, 1.66], "pairs": 12, "verdict": "IMPROVED" },
                    { "variant": "after", "axis": "scalability", "measure": "capacity_rps", "instances": [1, 2, 4, 8],
                      "before": [410, 410, 410, 410], "after": [400, 790, 1560, 3050], "ratio": 7.4, "ci95": [7.0, 7.9],
                      "usl": { "alpha": 0.01, "beta": 0.0002 }, "verdict": "IMPROVED" } ],
      "unchanged": [ { "measure": "feed_query_ms", "ratio": 1.01, "ci95": [0.98, 1.04], "verdict": "NO DIFFERENCE PROVEN" } ],
      "charts": ["database-latency-vs-load.svg"] } ],
  "honesty": { "aa_worst_ratio": 1.03, "late_sends": 0.0004, "generator_headroom": 4.1, "errors": 0, "work_verified": true, "warnings": [] } }"#;

    #[test]
    fn the_example_of_the_design_survives_a_round_trip_field_by_field() {
        let summary: Summary = serde_json::from_str(EXAMPLE).unwrap();
        assert!(matches!(summary.experiments[0].findings[0], Finding::Performance(_)));
        assert!(matches!(summary.experiments[0].findings[1], Finding::Scalability(_)));
        let back: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&summary).unwrap()).unwrap();
        let wanted: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        assert_same(&wanted, &back, "$");
    }

    /// The same fields with the same values; 410 and 410.0 are the same number.
    fn assert_same(wanted: &serde_json::Value, found: &serde_json::Value, at: &str) {
        use serde_json::Value::{Array, Number, Object};
        match (wanted, found) {
            (Object(wanted), Object(found)) => {
                let names = |o: &serde_json::Map<String, _>| o.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(wanted), names(found), "{at}");
                for (name, value) in wanted {
                    assert_same(value, &found[name], &format!("{at}.{name}"));
                }
            }
            (Array(wanted), Array(found)) => {
                assert_eq!(wanted.len(), found.len(), "{at}");
                for (index, (a, b)) in wanted.iter().zip(found).enumerate() {
                    assert_same(a, b, &format!("{at}[{index}]"));
                }
            }
            (Number(a), Number(b)) => assert_eq!(a.as_f64(), b.as_f64(), "{at}"),
            (a, b) => assert_eq!(a, b, "{at}"),
        }
    }

    #[test]
    fn every_verdict_is_written_as_the_design_says() {
        for verdict in [
            Verdict::Improved,
            Verdict::Worse,
            Verdict::NoDifferenceProven,
            Verdict::TooNoisy,
            Verdict::NotComparable,
        ] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
    }
}
