//! What a run against a deployed stage records beside its trials, in `cloud.json`: instances, place, and CloudWatch's figures for
//! the stretch, CPU credits and throttles among them. What cannot be had is recorded as not recorded, with the reason. The file's
//! types are `loadgen::record::cloud`'s, so that `reports` shows them.

use std::collections::BTreeMap;

use loadgen::record::cloud::{InstanceFact, MetricFigures, Recorded, StageFacts};
use serde_json::{Value, json};

use super::aws_cli::{AwsCli, AwsCliError};
use super::outputs::{MetricOutput, Outputs};

/// CloudWatch's finest step for these metrics.
const PERIOD_S: u32 = 60;

/// The running instances of a stage.
pub async fn instances(aws: &AwsCli, outputs: &Outputs) -> Result<Vec<InstanceFact>, AwsCliError> {
    let of = |tag: &str, value: &str| format!("Name=tag:{tag},Values={value}");
    let (project, stage) = (&outputs.stage.project, &outputs.stage.name);
    let (project, stage) = (of("project", project), of("stage", stage));
    let words = [
        "ec2",
        "describe-instances",
        "--filters",
        &project,
        &stage,
        "Name=instance-state-name,Values=running",
        "--region",
        &outputs.place.region,
    ];
    let answer = aws.json(&words).await?;
    let reservations = answer["Reservations"].as_array().into_iter().flatten();
    let instances = reservations.flat_map(|one| one["Instances"].as_array().into_iter().flatten());
    let mut found: Vec<InstanceFact> = instances.map(instance).collect();
    found.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(found)
}

fn instance(value: &Value) -> InstanceFact {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut tags = value["Tags"].as_array().into_iter().flatten();
    let name = tags.find(|tag| tag["Key"] == "Name").map_or(&Value::Null, |tag| &tag["Value"]);
    InstanceFact {
        id: text(&value["InstanceId"]),
        name: text(name),
        kind: text(&value["InstanceType"]),
        zone: text(&value["Placement"]["AvailabilityZone"]),
        image: text(&value["ImageId"]),
    }
}

/// Asks CloudWatch for a stage's metrics between two moments, region by region.
pub async fn figures(
    aws: &AwsCli,
    outputs: &Outputs,
    (from, to): (&str, &str),
) -> Result<Vec<MetricFigures>, AwsCliError> {
    let mut regions: Vec<&str> = outputs.metrics.iter().map(|one| one.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut all = Vec::new();
    for region in regions {
        let metrics: Vec<&MetricOutput> =
            outputs.metrics.iter().filter(|one| one.region == region).collect();
        let queries = queries(&metrics).to_string();
        let words = [
            "cloudwatch",
            "get-metric-data",
            "--metric-data-queries",
            &queries,
            "--start-time",
            from,
            "--end-time",
            to,
            "--region",
            region,
        ];
        let answer = aws.json(&words).await?;
        all.extend(read(&metrics, &answer));
    }
    Ok(all)
}

fn queries(metrics: &[&MetricOutput]) -> Value {
    let query = |(index, one): (usize, &&MetricOutput)| {
        let dimensions: Vec<Value> = one
            .dimensions
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        json!({
            "Id": format!("m{index}"),
            "MetricStat": {
                "Metric": { "Namespace": one.namespace, "MetricName": one.metric, "Dimensions": dimensions },
                "Period": PERIOD_S,
                "Stat": one.statistic,
            },
        })
    };
    metrics.iter().enumerate().map(query).collect()
}

fn read(metrics: &[&MetricOutput], answer: &Value) -> Vec<MetricFigures> {
    let results = || answer["MetricDataResults"].as_array().into_iter().flatten();
    let figure =
        |(index, one): (usize, &&MetricOutput)| {
            let id = format!("m{index}");
            let mut values = BTreeMap::new();
            for result in results().filter(|result| result["Id"] == id.as_str()) {
                let times = result["Timestamps"].as_array().into_iter().flatten();
                let numbers = result["Values"].as_array().into_iter().flatten();
                values.extend(times.zip(numbers).filter_map(|(time, number)| {
                    Some((time.as_str()?.to_owned(), number.as_f64()?))
                }));
            }
            MetricFigures {
                component: one.component.clone(),
                question: one.question.clone(),
                metric: one.metric.clone(),
                statistic: one.statistic.clone(),
                dimensions: one.dimensions.clone(),
                values,
            }
        };
    metrics.iter().enumerate().map(figure).collect()
}

/// The facts of one stage, which may be a pretended one.
pub async fn facts_of(
    aws: &AwsCli,
    (outputs, pretended): (&Outputs, bool),
    stretch: (&str, &str),
) -> StageFacts {
    StageFacts {
        stage: outputs.stage.name.clone(),
        url: outputs.url.clone(),
        pretended,
        region: outputs.place.region.clone(),
        instance_types: outputs.instance_types.clone(),
        instances: Recorded::of(instances(aws, outputs).await),
        metrics: Recorded::of(figures(aws, outputs, stretch).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_find_their_metric_by_id() {
        let metric = |name: &str| MetricOutput {
            component: "web servers".into(),
            question: "saturation".into(),
            region: "us-east-1".into(),
            namespace: "AWS/EC2".into(),
            metric: name.into(),
            statistic: "Average".into(),
            dimensions: BTreeMap::from([("InstanceId".to_owned(), "i-1".to_owned())]),
        };
        let (cpu, credits) = (metric("CPUUtilization"), metric("CPUCreditBalance"));
        let metrics = [&cpu, &credits];
        assert_eq!(queries(&metrics)[1]["MetricStat"]["Metric"]["Dimensions"][0]["Value"], "i-1");
        let answer = json!({ "MetricDataResults": [
            { "Id": "m1", "Timestamps": ["2026-11-25T08:00:00Z"], "Values": [144.0] },
        ]});
        let found = read(&metrics, &answer);
        assert!(found[0].values.is_empty());
        assert_eq!(found[1].values["2026-11-25T08:00:00Z"], 144.0);
    }
}
