//! What AWS said of the deployed stages that a run measured, in strings: instances, and CloudWatch's figures for the stretch, reduced
//! to their lowest, mean and highest minute. Nothing of it enters a finding: it is there to explain one.

use loadgen::record::cloud::{CloudRecord, InstanceFact, MetricFigures, Recorded, StageFacts};

use crate::text::number;

/// Below this many CPU credits an instance is at its end of them: a t3.small uses one in a minute of one full core.
const CREDITS_LEFT_MIN: f64 = 1.0;

/// A stage.
pub struct Stage {
    pub name: String,
    pub place: String,
    pub parts: String,
    /// What deserves to be seen before any table.
    pub seen: Vec<String>,
    pub instances: Vec<InstanceFact>,
    pub metrics: Vec<Metric>,
    /// What is missing, and why.
    pub missing: Vec<String>,
}

/// A metric over the stretch.
pub struct Metric {
    pub component: String,
    pub question: String,
    pub metric: String,
    pub of: String,
    pub statistic: String,
    pub minutes: String,
    pub lowest: String,
    pub mean: String,
    pub highest: String,
    /// Of what is counted per minute; of nothing else.
    pub sum: String,
}

/// Every stage of the run; none when its stacks were started here.
pub fn stages(cloud: Option<&CloudRecord>) -> Vec<Stage> {
    cloud.into_iter().flat_map(|cloud| &cloud.stages).map(stage).collect()
}

/// When AWS was asked for, as a line above the stages.
pub fn stretch(cloud: Option<&CloudRecord>) -> String {
    cloud.map_or_else(String::new, |cloud| {
        format!("From {} to {}.", cloud.started_at, cloud.finished_at)
    })
}

fn stage(facts: &StageFacts) -> Stage {
    let mut missing = Vec::new();
    let instances = had(&facts.instances, "The instances", &mut missing);
    let metrics = had(&facts.metrics, "CloudWatch's figures", &mut missing);
    let mut seen = Vec::new();
    if facts.pretended {
        seen.push("A stack on loopback plays this stage: nothing below was measured there.".into());
    }
    seen.extend(metrics.iter().filter_map(worth_a_line));
    let parts = facts.instance_types.iter().map(|(part, kind)| format!("{part} {kind}"));
    Stage {
        name: facts.stage.clone(),
        place: format!("{}, {}", facts.region, facts.url),
        parts: parts.collect::<Vec<_>>().join(", "),
        seen,
        instances: instances.to_vec(),
        metrics: metrics.iter().map(metric).collect(),
        missing,
    }
}

/// What was recorded; nothing and a line about it when it was not.
fn had<'r, T>(recorded: &'r Recorded<Vec<T>>, what: &str, missing: &mut Vec<String>) -> &'r [T] {
    match recorded {
        Recorded::Recorded(found) => found,
        Recorded::NotRecorded(why) => {
            missing.push(format!("{what} are not recorded: {why}"));
            &[]
        }
    }
}

/// Credits that ran out, calls that were throttled, and errors that were counted make another machine of the stage.
fn worth_a_line(figures: &MetricFigures) -> Option<String> {
    let MetricFigures { component, metric, .. } = figures;
    let values = || figures.values.values().copied();
    let lowest = values().reduce(f64::min)?;
    let sum: f64 = values().sum();
    // RDS buys the credits that are missing: its nodes become dear, not slow, and the price list says so.
    if metric == "CPUCreditBalance" && figures.dimensions.contains_key("DBInstanceIdentifier") {
        return None;
    }
    if metric == "CPUCreditBalance" {
        return (lowest < CREDITS_LEFT_MIN).then(|| {
            format!(
                "{component}: the CPU credits ran out ({} left). From then on it was a slower machine: take a type \
                 without credits for figures.",
                number(lowest)
            )
        });
    }
    let throttled = metric.contains("Throttle");
    let counted = figures.statistic == "Sum" && (throttled || figures.question == "errors");
    (counted && sum > 0.0).then(|| format!("{component}: {metric} {} in all.", number(sum)))
}

fn metric(figures: &MetricFigures) -> Metric {
    let values = || figures.values.values().copied();
    let count = figures.values.len();
    let sum: f64 = values().sum();
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let of = figures.dimensions.iter().filter(|(name, _)| *name != "Region");
    Metric {
        component: figures.component.clone(),
        question: figures.question.clone(),
        metric: figures.metric.clone(),
        of: of.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", "),
        statistic: figures.statistic.clone(),
        minutes: count.to_string(),
        lowest: shown(values().reduce(f64::min)),
        mean: shown((count > 0).then(|| sum / count as f64)),
        highest: shown(values().reduce(f64::max)),
        sum: shown((count > 0 && figures.statistic == "Sum").then_some(sum)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn figures(metric: &str, question: &str, statistic: &str, values: &[f64]) -> MetricFigures {
        let minute = |(index, value): (usize, &f64)| (format!("08:{index:02}"), *value);
        MetricFigures {
            component: "web servers".into(),
            question: question.into(),
            metric: metric.into(),
            statistic: statistic.into(),
            dimensions: BTreeMap::from([
                ("DistributionId".to_owned(), "E1".to_owned()),
                ("Region".to_owned(), "Global".to_owned()),
            ]),
            values: values.iter().enumerate().map(minute).collect(),
        }
    }

    #[test]
    fn minutes_become_lowest_mean_and_highest_and_only_counts_a_sum() {
        let cpu = metric(&figures("CPUUtilization", "utilisation", "Average", &[10.0, 40.0]));
        let shown = [&cpu.minutes, &cpu.lowest, &cpu.mean, &cpu.highest, &cpu.sum, &cpu.of];
        assert_eq!(shown, ["2", "10", "25", "40", "–", "E1"]);
        let none = metric(&figures("RequestCount", "utilisation", "Sum", &[]));
        assert_eq!([&none.minutes, &none.lowest, &none.sum], ["0", "–", "–"]);
        assert_eq!(metric(&figures("RequestCount", "utilisation", "Sum", &[3.0, 4.0])).sum, "7");
    }

    #[test]
    fn what_makes_another_machine_of_a_stage_has_a_line() {
        let said = |name, question, statistic, values: &[f64]| {
            worth_a_line(&figures(name, question, statistic, values))
        };
        assert!(said("CPUCreditBalance", "saturation", "Average", &[50.0, 0.2]).is_some());
        assert_eq!(said("CPUCreditBalance", "saturation", "Average", &[50.0, 2.0]), None);
        assert_eq!(
            said("CPUCreditBalance", "saturation", "Average", &[]),
            None,
            "nothing is known"
        );
        let mut database = figures("CPUCreditBalance", "saturation", "Average", &[0.0]);
        database.dimensions = BTreeMap::from([("DBInstanceIdentifier".into(), "mysql-1".into())]);
        assert_eq!(worth_a_line(&database), None, "it buys what it lacks");
        assert!(said("ReadThrottleEvents", "saturation", "Sum", &[0.0, 3.0]).is_some());
        assert_eq!(said("HTTPCode_Target_5XX_Count", "errors", "Sum", &[0.0]), None);
        assert!(said("HTTPCode_Target_5XX_Count", "errors", "Sum", &[1.0]).is_some());
        assert_eq!(said("NetworkOut", "saturation", "Sum", &[1.0]), None);
    }

    #[test]
    fn what_is_not_recorded_says_why() {
        let facts = StageFacts {
            stage: "3-framework".into(),
            url: "http://x".into(),
            pretended: true,
            region: "us-east-1".into(),
            instance_types: BTreeMap::from([("web".to_owned(), "t3.small".to_owned())]),
            instances: Recorded::NotRecorded("no tool".into()),
            metrics: Recorded::Recorded(Vec::new()),
        };
        let shown = stage(&facts);
        assert_eq!(shown.missing, ["The instances are not recorded: no tool"]);
        assert_eq!((shown.parts.as_str(), shown.seen.len()), ("web t3.small", 1));
    }
}
