//! What still carries the project's tag after `terraform destroy`: each of it costs money every hour until somebody looks.
//!
//! The tagging API answers for a region; CloudFront's distributions are listed in us-east-1 only. What AWS keeps listing for a while
//! after its end (terminated instances, say) is told apart by nobody but a second look in an hour: the text says so.

use std::fmt::Write as _;

use serde_json::Value;

use super::aws_cli::{AwsCli, AwsCliError};

/// Where global resources are listed.
const GLOBAL_REGION: &str = "us-east-1";

/// Whose leftovers, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct LeftoversArgs {
    /// The value of the tag `project`, as terraform's variable of that name.
    #[arg(long, default_value = "lightmeter")]
    pub project: String,
    /// The region of the stages.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
}

/// Something that is still there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// Its stage's tag; `?` without one.
    pub stage: String,
    /// Its name in AWS.
    pub arn: String,
    /// The day after which nobody needs it; `?` without one.
    pub expires: String,
}

/// Everything with the tag, in order of stage and name.
pub async fn find(aws: &AwsCli, args: &LeftoversArgs) -> Result<Vec<Leftover>, AwsCliError> {
    let filter = format!("Key=project,Values={}", args.project);
    let mut regions = vec![args.region.as_str(), GLOBAL_REGION];
    regions.dedup();
    let mut found = Vec::new();
    for region in regions {
        // The tool follows the pages of the answer by itself.
        let words = ["resourcegroupstaggingapi", "get-resources", "--tag-filters", &filter];
        let answer = aws.json(&[&words[..], &["--region", region]].concat()).await?;
        let resources = answer["ResourceTagMappingList"].as_array().cloned().unwrap_or_default();
        found.extend(resources.iter().map(leftover));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn leftover(resource: &Value) -> Leftover {
    let tag = |key: &str| {
        let tags = resource["Tags"].as_array().into_iter().flatten();
        let value = tags.filter(|tag| tag["Key"] == key).find_map(|tag| tag["Value"].as_str());
        value.unwrap_or("?").to_owned()
    };
    Leftover {
        stage: tag("stage"),
        arn: resource["ResourceARN"].as_str().unwrap_or("?").to_owned(),
        expires: tag("expires"),
    }
}

/// What to print.
pub fn describe(args: &LeftoversArgs, found: &[Leftover]) -> String {
    let (project, region) = (&args.project, &args.region);
    if found.is_empty() {
        return format!("nothing in {region} carries the tag project={project}\n");
    }
    let mut text = String::new();
    for one in found {
        let _infallible = writeln!(text, "{}  until {}  {}", one.stage, one.expires, one.arn);
    }
    let _infallible = writeln!(
        text,
        "\n{} left with the tag project={project}. Destroy the stage again (terraform destroy \
         -var-file=stages/STAGE.tfvars); what ended within the last hour, AWS still lists: look again then.",
        found.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_told_with_its_stage_and_day() {
        let resource = serde_json::json!({
            "ResourceARN": "arn:aws:ec2:us-east-1:1:natgateway/nat-1",
            "Tags": [{"Key": "stage", "Value": "3-framework"}, {"Key": "expires", "Value": "2026-12-31"}],
        });
        let args = LeftoversArgs { project: "ann".into(), region: "us-east-1".into() };
        let text = describe(&args, &[leftover(&resource)]);
        assert!(text.contains("3-framework  until 2026-12-31  arn:aws:ec2"), "{text}");
        assert!(text.contains("terraform destroy"), "{text}");
        assert_eq!(leftover(&serde_json::json!({})).stage, "?");
        assert!(describe(&args, &[]).starts_with("nothing"));
    }
}
