//! Where the stacks of a run are: started on this machine, or deployed and named by terraform's outputs (`--target`).
//!
//! The difference ends here and in `stacks`: plan, load, gates and records are the same. A run is stamped REAL when every stage that it
//! measures is deployed; a local stack that plays a deployed one (loopback addresses) is good for tests, and stays SIMULATED.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use loadgen::record::cloud::{CLOUD_SCHEMA, CloudRecord};
use loadgen::record::{Depth, Reality, RunRecord};
use loadgen::record_io::RunDir;

use crate::cloud::aws_cli::AwsCli;
use crate::cloud::deployed::Deployed;
use crate::cloud::facts;
use crate::cloud::matching::matched;
use crate::cloud::outputs::Outputs;
use crate::cluster::spec::PopulationSpec;
use crate::experiment::Experiment;
use crate::plan::StackKey;

/// Why a variant is not real although it came from outputs.
const PRETENDED: &str = "a local stack on loopback plays the deployed one";

/// Where the stacks are.
#[derive(Debug)]
pub enum Site {
    /// Started and stopped here.
    Here,
    /// Deployed.
    Deployed(DeployedSite),
}

/// Deployed stages, and which of them plays what.
#[derive(Debug)]
pub struct DeployedSite {
    stages: Vec<Arc<Deployed>>,
    /// Experiment -> stack -> place in the list above.
    roles: BTreeMap<String, BTreeMap<StackKey, usize>>,
    aws: AwsCli,
}

impl Site {
    /// Finds out what the stages can show, asks each who it is, and fills those that are empty.
    pub async fn reach(
        outputs: Vec<Outputs>,
        experiments: Vec<Experiment>,
        (depth, seed): (Depth, u64),
        folder: &Path,
    ) -> anyhow::Result<(Site, Vec<Experiment>)> {
        let (found, notes) = matched(experiments, depth, &outputs)?;
        for note in notes {
            eprintln!("{note}");
        }
        let first = found.first().context("at least one experiment was matched")?;
        let population = first.experiment.population.get(depth);
        let wanted = PopulationSpec {
            people: population.people,
            photos: population.photos,
            pictures: population.pictures,
            follows_mean: population.follows_mean,
            seed,
        };
        let aws = AwsCli::default();
        let mut stages = Vec::new();
        for outputs in outputs {
            stages.push(Arc::new(Deployed::reach(outputs, &aws, &wanted, folder).await?));
        }
        let mut roles = BTreeMap::new();
        let experiments = found.into_iter().map(|one| {
            roles.insert(one.experiment.id.clone(), one.stages);
            one.experiment
        });
        let experiments = experiments.collect();
        Ok((Site::Deployed(DeployedSite { stages, roles, aws }), experiments))
    }

    /// Puts into the record what is real, and what every part runs on.
    pub fn stamp(&self, run: &mut RunRecord) {
        let Site::Deployed(site) = self else { return };
        let pretended = site.stages.iter().any(|stage| stage.is_pretended());
        run.mode = if pretended { Reality::Simulated } else { Reality::Real };
        run.stand_ins.clear();
        run.machine.budgets =
            "none: every part of a deployed stack has its own instance".to_owned();
        for experiment in &mut run.experiments {
            let Some(roles) = site.roles.get(&experiment.id) else { continue };
            experiment.budgets.clear();
            for (key, stage) in roles {
                let outputs = &site.stages[*stage].outputs;
                let place = format!("{} of {}", outputs.place.region, outputs.stage.name);
                for (part, kind) in &outputs.instance_types {
                    experiment
                        .budgets
                        .insert(format!("{part} ({})", key.variant), format!("{kind} in {place}"));
                }
            }
            for variant in &mut experiment.variants {
                variant.real = !pretended;
                variant.simulated = if pretended { vec![PRETENDED.to_owned()] } else { Vec::new() };
            }
        }
    }

    /// Records what AWS says of the stretch. A run without it is still a run: what is missing stands there with its reason.
    pub async fn record(&self, dir: &Path, stretch: (&str, &str)) -> anyhow::Result<()> {
        let Site::Deployed(site) = self else { return Ok(()) };
        let mut stages = Vec::new();
        for stage in &site.stages {
            let stage = (&stage.outputs, stage.is_pretended());
            stages.push(facts::facts_of(&site.aws, stage, stretch).await);
        }
        let record = CloudRecord {
            schema: CLOUD_SCHEMA.to_owned(),
            started_at: stretch.0.to_owned(),
            finished_at: stretch.1.to_owned(),
            stages,
        };
        Ok(RunDir::open(dir)?.write_cloud(&record)?)
    }
}

impl DeployedSite {
    /// The stages that play an experiment's stacks.
    pub fn stacks_of(&self, experiment: &str) -> BTreeMap<StackKey, Arc<Deployed>> {
        let roles = self.roles.get(experiment).into_iter().flatten();
        roles.map(|(key, stage)| (key.clone(), self.stages[*stage].clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::outputs::tests::sample;
    use crate::plan::Plan;
    use crate::run::records::{Facts, run_record};
    use crate::{check, doctor, experiment};
    use loadgen::population::Population;

    const BALANCER: &str = "http://lightmeter-public-1.us-east-1.elb.amazonaws.com";

    /// A run's record with its stamp, after the stage's address led to `seen_at`.
    fn stamped(url: &str, seen_at: &[&str]) -> RunRecord {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outputs.json");
        std::fs::write(&path, sample(url, true).to_string()).expect("a file");
        let outputs = Outputs::read(&path).expect("sound outputs");
        let all = check::read_all(&experiment::embedded()).expect("sound");
        let (found, _) = matched(all, Depth::Quick, std::slice::from_ref(&outputs)).expect("some");
        let planned: Vec<(Experiment, Plan)> = found
            .iter()
            .map(|one| (one.experiment.clone(), Plan::of(&one.experiment, Depth::Quick, 1)))
            .collect();
        let facts = Facts {
            command: vec![],
            commit: "unknown".into(),
            started_at: "2026-11-25T08:00:00Z".into(),
            machine: doctor::look().machine,
            substitutions: vec![],
        };
        let mut run = run_record("test".into(), Depth::Quick, 1, facts, &planned);
        let mut stage = Deployed::unasked(outputs, Population::from_parts(1, vec![], vec![]));
        stage.seen_at = seen_at.iter().map(|text| text.parse().expect("an address")).collect();
        let roles = found.into_iter().map(|one| (one.experiment.id, one.stages)).collect();
        let stages = vec![Arc::new(stage)];
        Site::Deployed(DeployedSite { stages, roles, aws: AwsCli::default() }).stamp(&mut run);
        run
    }

    #[test]
    fn a_deployed_stack_is_real_and_one_on_loopback_is_not() {
        let real = stamped(BALANCER, &["203.0.113.7:80", "203.0.113.8:80"]);
        assert_eq!((real.mode, real.stand_ins.len()), (Reality::Real, 0));
        let variants = || real.experiments.iter().flat_map(|one| &one.variants);
        assert!(
            variants().count() > 0 && variants().all(|one| one.real && one.simulated.is_empty())
        );
        let budgets = &real.experiments[0].budgets;
        assert!(
            budgets.values().all(|text| text == "t3.small in us-east-1 of 3-framework"),
            "{budgets:?}"
        );
        for (url, seen_at) in [
            ("http://127.0.0.1:9", &["127.0.0.1:9"][..]),
            // The right name, and a file of hosts that leads it here.
            (BALANCER, &["127.0.0.1:80"]),
            (BALANCER, &["203.0.113.7:80", "[::ffff:127.0.0.1]:80"]),
            (BALANCER, &["[::1]:80"]),
            (BALANCER, &["0.0.0.0:80"]),
            // Nobody has looked.
            (BALANCER, &[]),
        ] {
            let played = stamped(url, seen_at);
            assert_eq!(played.mode, Reality::Simulated, "{url} at {seen_at:?}");
            let variants = played.experiments.iter().flat_map(|one| &one.variants);
            assert!(variants.into_iter().all(|one| !one.real && one.simulated == [PRETENDED]));
        }
    }

    #[test]
    fn the_stamp_is_on_the_page() {
        for (seen_at, stamp, other) in
            [("203.0.113.7:80", "REAL", "SIMULATED"), ("127.0.0.1:80", "SIMULATED", "REAL")]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let dir = RunDir::create(folder.path()).expect("an empty folder");
            dir.write_run(&stamped(BALANCER, &[seen_at])).expect("run.json");
            reports::write_report(folder.path()).expect("a report");
            let page = std::fs::read_to_string(folder.path().join("report/index.html"));
            let page = page.expect("the page");
            let mark = |word: &str| format!("<span class=\"stamp\">{word}</span>");
            assert!(page.contains(&mark(stamp)) && !page.contains(&mark(other)), "{seen_at}");
        }
    }
}
