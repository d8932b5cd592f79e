//! `terraform output -json > outputs.json`, read and checked: where a deployed stage is, and what it says it is.
//!
//! Only addresses that belong to the stack pass: its balancer, its one server, its CDN, or loopback for a local stack that plays a
//! deployed one. terraform/outputs.tf is the other end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::Uri;
use serde::Deserialize;
use serde_json::Value;

use crate::experiment::{Multiplies, Stack};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// It cannot be read.
    #[error("could not read {}: `terraform output -json > outputs.json` writes it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not what terraform writes for a stage.
    #[error("{} is not what `terraform output -json` writes for a stage of this version", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// It says what cannot be.
    #[error("{} cannot be used:\n  {}", path.display(), mistakes.join("\n  "))]
    Content {
        /// The file.
        path: PathBuf,
        /// At least one.
        mistakes: Vec<String>,
    },
}

/// A deployed stage.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Outputs {
    /// Which.
    pub stage: StageOutput,
    /// Where.
    pub place: PlaceOutput,
    /// Where users come in: `http://host` or `http://host:port`.
    pub url: String,
    /// Where pictures come from; empty: from the web server.
    pub assets_url: String,
    /// What the web servers must report.
    pub expected_settings: BTreeMap<String, String>,
    /// What they cannot know.
    pub stack: StackOutput,
    /// Part -> type of instance.
    pub instance_types: BTreeMap<String, String>,
    /// How it is filled.
    pub seed: SeedOutput,
    /// What CloudWatch is asked for.
    pub metrics: Vec<MetricOutput>,
}

/// Which stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StageOutput {
    /// `3-framework`.
    pub name: String,
    /// The value of the tag `project`.
    pub project: String,
    /// The day after which nobody needs it.
    pub expires: String,
}

/// Where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlaceOutput {
    /// `us-east-1`.
    pub region: String,
    /// Its zones.
    pub availability_zones: Vec<String>,
}

/// Counts, and what stands in front.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StackOutput {
    /// Whether a balancer does.
    pub balancer: bool,
    /// Web servers, at least.
    pub web_count: u32,
    /// Workers, at least.
    pub worker_count: u32,
    /// Whether both stay.
    pub fixed_counts: bool,
    /// Whether pictures come through a CDN.
    pub cdn: bool,
}

/// How an empty stack is filled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SeedOutput {
    /// The document of Systems Manager.
    pub document: String,
    /// The tag of those it may be sent to.
    pub tag_name: String,
    /// Its value.
    pub tag_value: String,
    /// Where the manifest goes.
    pub bucket: String,
}

/// A metric of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetricOutput {
    /// `web servers`.
    pub component: String,
    /// utilisation, saturation or errors.
    pub question: String,
    /// Where it is published.
    pub region: String,
    /// `AWS/EC2`.
    pub namespace: String,
    /// `CPUUtilization`.
    pub metric: String,
    /// Average or Sum.
    pub statistic: String,
    /// Name -> value.
    pub dimensions: BTreeMap<String, String>,
}

impl Outputs {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Outputs, OutputsError> {
        let path_buf = || path.to_owned();
        let text = std::fs::read_to_string(path)
            .map_err(|source| OutputsError::Read { path: path_buf(), source })?;
        let outputs =
            parse(&text).map_err(|source| OutputsError::Shape { path: path_buf(), source })?;
        let mistakes = outputs.mistakes();
        if mistakes.is_empty() {
            Ok(outputs)
        } else {
            Err(OutputsError::Content { path: path_buf(), mistakes })
        }
    }

    /// The hosts of the stack, as `host` or `host:port`: nothing else is ever sent a request.
    pub fn hosts(&self) -> BTreeSet<String> {
        let urls = [&self.url, &self.assets_url];
        urls.into_iter().filter_map(|url| plain_host(url)).collect()
    }

    /// Whether a local stack plays the deployed one, by its addresses as they are written. What it shows is not REAL; what the names
    /// lead to has the last word (`Deployed::is_pretended`).
    pub fn is_pretended(&self) -> bool {
        self.hosts().iter().any(|host| is_loopback(host))
    }

    /// The stage and its settings as a stack of the experiments' words. None for a word that they do not know.
    pub fn as_stack(&self) -> Option<Stack> {
        let word = |name: &str, known: &'static [&'static str]| -> Option<&'static str> {
            let value = self.expected_settings.get(name)?;
            known.iter().copied().find(|word| word == value)
        };
        Some(Stack {
            store: word("store", Stack::STORES)?,
            store_nodes: self.expected_settings.get("store_nodes")?.parse().ok()?,
            assets: word("assets", Stack::ASSETS)?,
            cdn: self.stack.cdn,
            cache: word("cache", Stack::CACHES)?,
            sessions: word("sessions", Stack::SESSIONS)?,
            jobs: word("jobs", Stack::JOBS)?,
            renditions: word("renditions", Stack::RENDITIONS)?,
            web_count: self.stack.web_count,
            worker_count: self.stack.worker_count,
            balancer: self.stack.balancer,
        })
    }

    /// How many there are of what an axis multiplies.
    pub fn count(&self, what: Multiplies) -> u32 {
        match what {
            Multiplies::WebCount => self.stack.web_count,
            Multiplies::WorkerCount => self.stack.worker_count,
            Multiplies::StoreNodes => {
                self.expected_settings.get("store_nodes").and_then(|n| n.parse().ok()).unwrap_or(1)
            }
        }
    }

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let region = &self.place.region;
        match plain_host(&self.url) {
            None => {
                found.push(format!("url `{}` is not http://host or http://host:port", self.url))
            }
            Some(host) if !is_entry(&host, self.stack.balancer, region) => found.push(format!(
                "url `{}` lies outside the stack: {} or loopback is expected there",
                self.url,
                if self.stack.balancer {
                    format!("a load balancer of {region} (....{region}.elb.amazonaws.com)")
                } else {
                    "the address of one server".to_owned()
                }
            )),
            Some(_) => {}
        }
        if !self.assets_url.is_empty() {
            let inside =
                |host: &String| name_of(host).ends_with(".cloudfront.net") || is_loopback(host);
            if !plain_host(&self.assets_url).as_ref().is_some_and(inside) {
                found.push(format!(
                    "assets_url `{}` lies outside the stack: a distribution of CloudFront or loopback is expected there",
                    self.assets_url
                ));
            }
        }
        let hosts = self.hosts();
        if hosts.iter().any(|host| is_loopback(host)) != hosts.iter().all(|host| is_loopback(host))
        {
            found.push(
                "one address is on loopback and the other is not: they are not one stack"
                    .to_owned(),
            );
        }
        if !self.stack.fixed_counts {
            found.push(
                "the stage's counts may change while it is measured: set equal bounds, such as \
                 web_count = { min = 2, max = 2 }, and apply again"
                    .to_owned(),
            );
        }
        if self.as_stack().is_none() {
            found.push(format!(
                "expected_settings has a word that the experiments do not know: {:?}",
                self.expected_settings
            ));
        }
        found
    }
}

/// terraform wraps each output: `{"url": {"sensitive": false, "type": "string", "value": "http://..."}}`.
fn parse(text: &str) -> Result<Outputs, serde_json::Error> {
    #[derive(Deserialize)]
    struct Output {
        value: Value,
    }
    let outputs: BTreeMap<String, Output> = serde_json::from_str(text)?;
    let values = outputs.into_iter().map(|(name, output)| (name, output.value)).collect();
    serde_json::from_value(Value::Object(values))
}

/// The `host[:port]` of a plain http address without path, query or user.
fn plain_host(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
    (plain && !authority.contains('@')).then(|| authority.to_owned())
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback(host: &str) -> bool {
    name_of(host).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_entry(host: &str, balancer: bool, region: &str) -> bool {
    let name = name_of(host);
    if is_loopback(host) {
        return true;
    }
    if balancer {
        return name.ends_with(&format!(".{region}.elb.amazonaws.com"));
    }
    name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What terraform would write for a stage at this address.
    pub(crate) fn sample(url: &str, balancer: bool) -> Value {
        let output = |value: Value| serde_json::json!({ "sensitive": false, "type": "dynamic", "value": value });
        serde_json::json!({
            "stage": output(serde_json::json!({ "name": "3-framework", "project": "lightmeter", "expires": "2026-12-31" })),
            "place": output(serde_json::json!({ "region": "us-east-1", "availability_zones": ["us-east-1a", "us-east-1b"] })),
            "url": output(url.into()),
            "assets_url": output("".into()),
            "expected_settings": output(serde_json::json!({
                "store": "mysql", "store_nodes": "1", "assets": "local", "cache": "none", "jobs": "inline",
                "sessions": "cookie", "renditions": "jpeg",
            })),
            "stack": output(serde_json::json!({
                "balancer": balancer, "web_count": if balancer { 2 } else { 1 }, "worker_count": 0, "fixed_counts": true, "cdn": false,
            })),
            "instance_types": output(serde_json::json!({ "web": "t3.small" })),
            "seed": output(serde_json::json!({ "document": "d", "tag_name": "Name", "tag_value": "v", "bucket": "b" })),
            "metrics": output(serde_json::json!([])),
            "dashboard": output("lightmeter-3-framework".into()),
        })
    }

    fn mistakes(change: impl FnOnce(&mut Value), url: &str, balancer: bool) -> String {
        let mut value = sample(url, balancer);
        change(&mut value);
        parse(&value.to_string()).expect("the shape").mistakes().join("\n")
    }

    #[test]
    fn addresses_of_the_stack_pass_and_others_do_not() {
        let none = |_: &mut Value| {};
        let balancer = "http://lightmeter-public-1.us-east-1.elb.amazonaws.com";
        assert_eq!(mistakes(none, balancer, true), "");
        assert_eq!(mistakes(none, "http://203.0.113.9:8080", false), "");
        assert_eq!(mistakes(none, "http://127.0.0.1:4000", true), "");
        for (url, balanced) in [
            ("http://example.com", true),
            ("http://example.com", false),
            ("http://203.0.113.9", true),
            ("http://lightmeter.eu-west-1.elb.amazonaws.com", true),
            ("http://x.us-east-1.elb.amazonaws.com.example.com", true),
            ("https://x.us-east-1.elb.amazonaws.com", true),
            ("http://x@x.us-east-1.elb.amazonaws.com", true),
            ("http://203.0.113.9/path", false),
        ] {
            let said = mistakes(none, url, balanced);
            assert!(
                said.contains("outside the stack") || said.contains("is not http"),
                "{url}: {said}"
            );
        }
        let elsewhere =
            |value: &mut Value| value["assets_url"]["value"] = "http://example.com".into();
        assert!(mistakes(elsewhere, balancer, true).contains("CloudFront"));
        let mixed =
            |value: &mut Value| value["assets_url"]["value"] = "http://d1.cloudfront.net".into();
        assert!(mistakes(mixed, "http://127.0.0.1:1", true).contains("not one stack"));
    }

    #[test]
    fn what_cannot_be_measured_is_told() {
        let url = "http://127.0.0.1:1";
        let moving = |value: &mut Value| value["stack"]["value"]["fixed_counts"] = false.into();
        assert!(mistakes(moving, url, true).contains("equal bounds"));
        let word =
            |value: &mut Value| value["expected_settings"]["value"]["cache"] = "memcached".into();
        assert!(mistakes(word, url, true).contains("memcached"));
    }

    #[test]
    fn only_loopback_is_pretended() {
        let read = |url: &str| parse(&sample(url, true).to_string()).expect("the shape");
        assert!(read("http://127.0.0.1:1").is_pretended());
        assert!(!read("http://a.us-east-1.elb.amazonaws.com").is_pretended());
    }

    #[test]
    fn terraform_writes_everything_that_is_read() {
        let text = include_str!("../../../terraform/outputs.tf");
        let says = |text: &str, name: &str| {
            text.lines().any(|line| {
                line.replace(['{', ','], " ").split_whitespace().any(|word| word == name)
            })
        };
        let sample = sample("http://127.0.0.1:1", true);
        for (name, output) in sample.as_object().expect("an object") {
            let (_, rest) = text
                .split_once(&format!("output \"{name}\" {{"))
                .unwrap_or_else(|| panic!("terraform/outputs.tf has no {name}"));
            let block = rest.split("\n}").next().expect("a block");
            for part in output["value"].as_object().into_iter().flat_map(|value| value.keys()) {
                assert!(says(block, part), "terraform/outputs.tf: {name} has no {part}");
            }
        }
        let metrics = include_str!("../../../terraform/modules/observability/outputs.tf");
        for part in
            ["component", "question", "region", "namespace", "metric", "statistic", "dimensions"]
        {
            assert!(
                says(metrics, part),
                "modules/observability/outputs.tf: metrics have no {part}"
            );
        }
        let read = parse(&sample.to_string()).expect("the shape");
        assert_eq!(read.as_stack().expect("known words").store, "mysql");
        assert_eq!(read.count(Multiplies::WebCount), 2);
    }
}
