//! `cloud.json`: what AWS said of the stages that a run measured, beside the trials. Only runs against deployed stacks have it.
//!
//! What could not be had stands there as not recorded, with the reason: a run without AWS's own figures is still a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of `cloud.json`.
pub const CLOUD_SCHEMA: &str = "lightmeter/cloud/1";
/// The file in a run directory.
pub const CLOUD_FILE: &str = "cloud.json";

/// `cloud.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudRecord {
    /// [`CLOUD_SCHEMA`].
    pub schema: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// Every stage that was measured.
    pub stages: Vec<StageFacts>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFacts {
    /// Its name.
    pub stage: String,
    /// Where users came in.
    pub url: String,
    /// True when a local stack played it.
    pub pretended: bool,
    /// The region.
    pub region: String,
    /// Part -> type, as terraform says.
    pub instance_types: BTreeMap<String, String>,
    /// Instances that ran, as EC2 says.
    pub instances: Recorded<Vec<InstanceFact>>,
    /// Figures of the stretch, a value for each minute. The last minutes may be missing: CloudWatch is late by a few.
    pub metrics: Recorded<Vec<MetricFigures>>,
}

/// Something, or why it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded<T> {
    /// It was had.
    Recorded(T),
    /// It was not, and this is why.
    NotRecorded(String),
}

impl<T> Recorded<T> {
    /// From the attempt to have it.
    pub fn of<E: std::fmt::Display>(attempt: Result<T, E>) -> Self {
        match attempt {
            Ok(value) => Self::Recorded(value),
            Err(error) => Self::NotRecorded(error.to_string()),
        }
    }
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceFact {
    /// `i-...`.
    pub id: String,
    /// The tag `Name`.
    pub name: String,
    /// `t3.small`.
    pub kind: String,
    /// `us-east-1a`.
    pub zone: String,
    /// The image it was started from.
    pub image: String,
}

/// A metric over the stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricFigures {
    /// `web servers`.
    pub component: String,
    /// utilisation, saturation or errors.
    pub question: String,
    /// `CPUCreditBalance`.
    pub metric: String,
    /// Average or Sum, of each minute.
    pub statistic: String,
    /// What it is of.
    pub dimensions: BTreeMap<String, String>,
    /// RFC 3339 -> value.
    pub values: BTreeMap<String, f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_why() {
        let missing: Recorded<Vec<InstanceFact>> = Recorded::of(Err("no tool"));
        let text = serde_json::to_string(&missing).expect("JSON");
        assert_eq!(text, "{\"not_recorded\":\"no tool\"}");
    }
}
