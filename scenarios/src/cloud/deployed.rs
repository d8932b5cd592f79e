//! A deployed stage that answers: its servers report what terraform says, it has a population, and its counters can be read.
//!
//! Everything that is asked goes to the addresses of its outputs, or through the AWS command line tool. Web servers are seen through
//! the balancer only, each under its own name in /info.json; workers are not seen, so that what waits for them is asked of the
//! queue, through /metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use loadgen::driver::Target;
use loadgen::population::Population;
use serde_json::Value;

use super::aws_cli::AwsCli;
use super::facts;
use super::outputs::Outputs;
use crate::cluster::http::{get, get_json};
use crate::cluster::spec::PopulationSpec;

/// How long a server may take to tell its counters, from far away.
const INFO_LIMIT: Duration = Duration::from_secs(10);
/// Questions through the balancer for each web server until all have answered: round robin needs one each.
const QUESTIONS_PER_SERVER: u32 = 20;
/// Seeding may take as long as terraform/modules/web/seed.tf allows, and the queue of commands a little.
const SEED_LIMIT: Duration = Duration::from_secs(3_700);
/// Between two questions whether it is done: first and longest. Systems Manager tells nobody by itself.
const SEED_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Where the manifest of the population that lives in a stack is.
const CURRENT: &str = "population/current.json";
/// The region of users: where this program runs.
const HERE: &str = "local";

/// A stage under load.
#[derive(Debug)]
pub struct Deployed {
    /// What terraform says of it.
    pub outputs: Outputs,
    /// Who lives in it.
    pub population: Arc<Population>,
    /// Where its users come in.
    pub targets: Vec<Target>,
    /// What its address led to when it was reached; empty before.
    pub(crate) seen_at: Vec<SocketAddr>,
    authority: String,
}

impl Deployed {
    /// Asks the stage who it is, and fills it when it is empty. The manifest is put into `folder`.
    pub async fn reach(
        outputs: Outputs,
        aws: &AwsCli,
        wanted: &PopulationSpec,
        folder: &Path,
    ) -> anyhow::Result<Deployed> {
        let nobody = Population::from_parts(0, Vec::new(), Vec::new());
        let mut deployed = Deployed::unasked(outputs, nobody);
        deployed.seen_at = deployed.addresses().await?;
        deployed.check_settings().await?;
        deployed.population = Arc::new(deployed.find_population(aws, wanted, folder).await?);
        Ok(deployed)
    }

    /// A stage that was not asked anything yet; its outputs are checked ones.
    pub(crate) fn unasked(outputs: Outputs, population: Population) -> Deployed {
        let url: http::Uri = outputs.url.parse().expect("outputs are checked when they are read");
        let authority = url.authority().expect("outputs are checked when they are read");
        Deployed {
            authority: authority.as_str().to_owned(),
            targets: vec![Target { region: HERE.to_owned(), url }],
            population: Arc::new(population),
            seen_at: Vec::new(),
            outputs,
        }
    }

    /// Whether a local stack plays it, by its outputs or by what its address led to: a name of a balancer that leads to this machine
    /// is no balancer. What was never reached is nothing that could be called real.
    pub fn is_pretended(&self) -> bool {
        let here = |address: &SocketAddr| {
            let ip = address.ip().to_canonical();
            ip.is_loopback() || ip.is_unspecified()
        };
        self.outputs.is_pretended() || self.seen_at.is_empty() || self.seen_at.iter().any(here)
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.outputs.stage.name
    }

    /// `/info.json` of every web server.
    ///
    /// # Errors
    /// Fewer have answered than there should be.
    pub async fn infos(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        let addresses = self.addresses().await?;
        let wanted = self.outputs.stack.web_count.max(1);
        let mut infos = BTreeMap::new();
        let asked = QUESTIONS_PER_SERVER * wanted;
        for address in addresses.iter().cycle().take(asked as usize) {
            let info = get_json(*address, "/info.json", INFO_LIMIT).await?;
            let name = info["instance"].as_str().unwrap_or("?").to_owned();
            infos.insert(name, info);
            if infos.len() as u32 >= wanted {
                return Ok(infos);
            }
        }
        let seen: Vec<&str> = infos.keys().map(String::as_str).collect();
        bail!(
            "{wanted} web servers are expected behind {}, and {} answered {asked} questions: {}. Are all of \
             them in service (target group in the console)?",
            self.outputs.url,
            infos.len(),
            seen.join(", ")
        )
    }

    /// Jobs that wait or are worked on, as the web servers see the queue; none when the metrics do not say.
    pub async fn jobs_pending(&self) -> Option<f64> {
        let address = *self.addresses().await.ok()?.first()?;
        let (status, body) = get(address, "/metrics", INFO_LIMIT).await.ok()?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let gauge = |name: &str| -> Option<f64> {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")))?;
            line.rsplit(' ').next()?.parse().ok().filter(|value: &f64| value.is_finite())
        };
        let pending = gauge("photo_app_jobs_waiting")? + gauge("photo_app_jobs_in_work")?;
        (status == http::StatusCode::OK).then_some(pending)
    }

    async fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let host = match self.authority.contains(':') {
            true => self.authority.clone(),
            false => format!("{}:80", self.authority),
        };
        let found = tokio::net::lookup_host(&host).await;
        let found: Vec<SocketAddr> =
            found.with_context(|| format!("{host} has no address"))?.collect();
        ensure!(!found.is_empty(), "{host} has no address");
        Ok(found)
    }

    /// The servers must be what terraform says: otherwise the chart would show something else than its title.
    async fn check_settings(&self) -> anyhow::Result<()> {
        let infos = self
            .infos()
            .await
            .with_context(|| format!("{} does not answer at {}", self.name(), self.outputs.url))?;
        let mut mistakes = Vec::new();
        for (server, info) in &infos {
            for (setting, expected) in &self.outputs.expected_settings {
                let reported = info["settings"][setting].as_str().unwrap_or("nothing");
                if reported != expected {
                    mistakes
                        .push(format!("{server}: {setting} is {reported}, expected {expected}"));
                }
            }
        }
        ensure!(
            mistakes.is_empty(),
            "the servers of {} are not what terraform says (was it applied, have they restarted since, \
             are the outputs of this stage?):\n  {}",
            self.name(),
            mistakes.join("\n  ")
        );
        Ok(())
    }

    /// The population that lives there, made first when none does.
    async fn find_population(
        &self,
        aws: &AwsCli,
        wanted: &PopulationSpec,
        folder: &Path,
    ) -> anyhow::Result<Population> {
        let stage = &self.outputs.stage;
        let file = folder.join(format!("population-{}-{}.json", stage.project, stage.name));
        if !self.fetch_manifest(aws, &file).await? {
            eprintln!(
                "{}: seeding {} people, {} photos ...",
                self.name(),
                wanted.people,
                wanted.photos
            );
            self.seed(aws, wanted).await.with_context(|| {
                format!("{} could not be seeded (docs/aws.md has the permissions)", self.name())
            })?;
            let there = self.fetch_manifest(aws, &file).await?;
            ensure!(
                there,
                "{} was seeded, and {CURRENT} is not in {}",
                self.name(),
                self.outputs.seed.bucket
            );
        }
        let population = Population::read(&file)?;
        let (own, stated) = (&self.outputs.assets_url, population.assets_public.as_deref());
        let inside = |address: &str| {
            address.starts_with('/') || (!own.is_empty() && address.starts_with(own))
        };
        ensure!(
            stated.is_none_or(inside),
            "the manifest in {} is not of this stack: its pictures are at {}",
            self.outputs.seed.bucket,
            stated.unwrap_or_default()
        );
        Ok(population)
    }

    /// False when there is none.
    async fn fetch_manifest(&self, aws: &AwsCli, file: &Path) -> anyhow::Result<bool> {
        let from = format!("s3://{}/{CURRENT}", self.outputs.seed.bucket);
        let to = file.to_str().context("the run's folder has a name that is not text")?;
        let region = &self.outputs.place.region;
        match aws.text(&["s3", "cp", &from, to, "--region", region, "--only-show-errors"]).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the stack's own document to one of its web servers, and waits until it is done.
    async fn seed(&self, aws: &AwsCli, wanted: &PopulationSpec) -> anyhow::Result<()> {
        let (seed, region) = (&self.outputs.seed, self.outputs.place.region.as_str());
        let instances = facts::instances(aws, &self.outputs).await?;
        let server = instances.iter().find(|one| one.name == seed.tag_value);
        let server = server.with_context(|| {
            format!("no running instance has the tag {}={}", seed.tag_name, seed.tag_value)
        })?;
        let parameters = format!(
            "people={},photos={},pictures={},followsMean={},seed={}",
            wanted.people, wanted.photos, wanted.pictures, wanted.follows_mean, wanted.seed
        );
        let words = [
            "ssm",
            "send-command",
            "--document-name",
            &seed.document,
            "--instance-ids",
            &server.id,
            "--parameters",
            &parameters,
            "--region",
            region,
        ];
        let sent = aws.json(&words).await?;
        let command =
            sent["Command"]["CommandId"].as_str().context("no command id in the answer")?;
        let words = [
            "ssm",
            "get-command-invocation",
            "--command-id",
            command,
            "--instance-id",
            &server.id,
            "--region",
            region,
        ];
        let (began, (mut pause, longest)) = (Instant::now(), SEED_PAUSE);
        while began.elapsed() < SEED_LIMIT {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
            let state = match aws.json(&words).await {
                Ok(state) => state,
                // Systems Manager needs a moment to know its own command.
                Err(error) if error.to_string().contains("InvocationDoesNotExist") => continue,
                Err(error) => return Err(error.into()),
            };
            match state["Status"].as_str().unwrap_or("?") {
                "Success" => return Ok(()),
                "Pending" | "InProgress" | "Delayed" => {}
                other => bail!(
                    "seeding on {} ended as {other}: {}",
                    server.id,
                    state["StandardErrorContent"].as_str().unwrap_or("nothing was said").trim()
                ),
            }
        }
        bail!("seeding on {} took longer than {} s", server.id, SEED_LIMIT.as_secs())
    }
}
