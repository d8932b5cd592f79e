//! What `run.json` says: the experiments as planned, what is simulated and what a stand-in cannot show. Pure, except for
//! the few facts that the caller brings along.

use std::collections::{BTreeMap, BTreeSet};

use loadgen::record::{
    Axis, Depth, ExperimentRecord, Machine, RUN_SCHEMA, Reality, RunRecord, StandIn, Substitution,
    VariantRecord,
};

use crate::experiment::{Budgets, Experiment, Stack, Variant, depths};
use crate::plan::Plan;

/// What the caller brings along.
#[derive(Debug)]
pub struct Facts {
    /// The command line.
    pub command: Vec<String>,
    /// The commit of the code.
    pub commit: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Where it runs.
    pub machine: Machine,
    /// What took another's place.
    pub substitutions: Vec<Substitution>,
}

/// The record of a run that begins.
pub fn run_record(
    name: String,
    depth: Depth,
    seed: u64,
    facts: Facts,
    planned: &[(Experiment, Plan)],
) -> RunRecord {
    let stacks = planned.iter().flat_map(|(experiment, _)| experiment.variants_at(depth));
    let services: BTreeSet<Service> =
        stacks.flat_map(|variant| services_of(&variant.stack)).collect();
    let experiments = planned.iter();
    RunRecord {
        schema: RUN_SCHEMA.to_owned(),
        run: name,
        command: facts.command,
        commit: facts.commit,
        depth,
        // On one machine the balancer, the budgets and the distances are models at the least.
        mode: Reality::Simulated,
        seed,
        started_at: facts.started_at,
        finished_at: None,
        interrupted: false,
        machine: facts.machine,
        stand_ins: services.into_iter().map(stand_in).collect(),
        substitutions: facts.substitutions,
        null_server: None,
        experiments: experiments
            .map(|(experiment, plan)| experiment_record(experiment, plan, depth))
            .collect(),
    }
}

/// One experiment as planned.
pub fn experiment_record(experiment: &Experiment, plan: &Plan, depth: Depth) -> ExperimentRecord {
    let variants = experiment.variants_at(depth).into_iter();
    ExperimentRecord {
        id: experiment.id.clone(),
        title: experiment.title.clone(),
        question: experiment.question.clone(),
        lesson: experiment.lesson.clone(),
        axis: Axis {
            label: experiment.axis.label.clone(),
            counts: experiment.axis.counts.get(depth).clone(),
        },
        variants: variants.map(|variant| variant_record(experiment, variant)).collect(),
        arrows: experiment.arrows_at(depth).into_iter().cloned().collect(),
        performance: experiment.performance.clone(),
        slo: experiment.slo.get(depth).clone(),
        unchanged: experiment.unchanged.clone(),
        planned_trial_count: plan.trials_max(),
        budgets: budgets_in_words(experiment, depth),
    }
}

fn variant_record(experiment: &Experiment, variant: &Variant) -> VariantRecord {
    let mut simulated: Vec<String> = services_of(&variant.stack)
        .into_iter()
        .map(|service| in_words(service).to_owned())
        .collect();
    if !experiment.links.regions.is_empty() || experiment.links.web_mbit_per_s.is_some() {
        simulated
            .push("distance and bandwidth are modelled by a link in front of each address".into());
    }
    VariantRecord {
        id: variant.id.clone(),
        label: variant.label.clone(),
        stack: variant.stack.settings(),
        real: simulated.is_empty(),
        simulated,
        scales: variant.scales,
    }
}

/// A cloud service that a stand-in speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Dynamodb,
    S3,
    Sqs,
    Cdn,
}

fn services_of(stack: &Stack) -> Vec<Service> {
    let used = [
        (Service::Dynamodb, stack.store == "dynamodb"),
        (Service::S3, stack.assets == "s3"),
        (Service::Sqs, stack.jobs == "sqs"),
        (Service::Cdn, stack.cdn),
    ];
    used.into_iter().filter(|(_, used)| *used).map(|(service, _)| service).collect()
}

fn in_words(service: Service) -> &'static str {
    match service {
        Service::Dynamodb => {
            "DynamoDB is a stand-in; its partitions are nodes with a CPU budget each"
        }
        Service::S3 => "S3 is a stand-in",
        Service::Sqs => "SQS is a stand-in",
        Service::Cdn => "the CDN is a stand-in: one caching proxy as the edge of each region",
    }
}

fn stand_in(service: Service) -> StandIn {
    let (name, program, cannot_show) = match service {
        Service::Dynamodb => (
            "dynamodb",
            "dynoxide nodes behind a partition router of ours",
            "the latency, replication, throttling and automatic splitting of the real service",
        ),
        Service::S3 => (
            "s3",
            "the s3s protocol over files",
            "the latency, durability and unlimited bandwidth of the real service",
        ),
        Service::Sqs => (
            "sqs",
            "a queue server of ours, in memory",
            "the latency, durability and occasional reordering of the real service",
        ),
        Service::Cdn => (
            "cdn",
            "a caching proxy of ours",
            "a network of edges, their cold starts and their regional caches",
        ),
    };
    StandIn {
        service: name.to_owned(),
        program: program.to_owned(),
        cannot_show: cannot_show.to_owned(),
    }
}

fn budgets_in_words(experiment: &Experiment, depth: Depth) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    let mut add = |budgets: &Budgets, of: &str| {
        let roles = [
            ("web server", budgets.web),
            ("worker", budgets.worker),
            ("database node", budgets.database),
        ];
        for (role, share) in roles {
            if let Some(share) = share {
                let share = format!("{} % of one core", (share * 1_000.0).round() / 10.0);
                words.insert(format!("{role}{of}"), share);
            }
        }
    };
    add(&experiment.budgets, "");
    for variant in experiment.variants_at(depth) {
        add(&variant.budgets, &format!(" ({})", variant.label));
    }
    if let Some(mbit) = experiment.links.web_mbit_per_s {
        words.insert("way out of each web server".to_owned(), format!("{mbit} Mbit/s"));
    }
    for region in &experiment.links.regions {
        let distance =
            format!("{} ms round trip, {} ms to the CDN", region.rtt_ms, region.cdn_rtt_ms);
        words.insert(format!("users {}", region.name), distance);
    }
    words
}

/// A run's name, also the directory's: `2026-11-23T0102-quick`.
pub fn run_name(started_at: &str, depth: Depth) -> String {
    let minute: String = started_at.chars().take(16).filter(|letter| *letter != ':').collect();
    format!("{minute}-{}", depths::word(depth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, experiment};

    fn machine() -> Machine {
        Machine {
            cpu_model: "test".into(),
            cores: 2,
            memory_bytes: 1,
            kernel: "test".into(),
            os: "test".into(),
            versions: BTreeMap::new(),
            budgets: "none: test".into(),
            placement: "test".into(),
            load_average: 0.0,
        }
    }

    #[test]
    fn the_record_names_every_stand_in_once_and_marks_what_is_real() {
        let all = check::read_all(&experiment::embedded()).expect("sound");
        let planned: Vec<(Experiment, Plan)> = all
            .into_iter()
            .map(|experiment| {
                let plan = Plan::of(&experiment, Depth::Quick, 1);
                (experiment, plan)
            })
            .collect();
        let facts = Facts {
            command: vec!["lightmeter".into()],
            commit: "unknown".into(),
            started_at: "2026-11-23T01:02:03Z".into(),
            machine: machine(),
            substitutions: vec![],
        };
        let run = run_record("test".into(), Depth::Quick, 1, facts, &planned);
        let services: Vec<&str> = run.stand_ins.iter().map(|one| one.service.as_str()).collect();
        assert_eq!(services, ["dynamodb", "s3", "sqs", "cdn"]);
        for experiment in &run.experiments {
            for variant in &experiment.variants {
                assert_eq!(variant.real, variant.simulated.is_empty(), "{}", variant.id);
            }
            assert!(experiment.planned_trial_count > 0);
        }
        let framework = run.experiments.iter().find(|one| one.id == "framework").expect("there");
        assert!(framework.variants.iter().all(|variant| variant.real));
        assert_eq!(framework.budgets["web server"], "5 % of one core");
    }

    #[test]
    fn a_run_is_named_by_its_start_and_depth() {
        assert_eq!(run_name("2026-11-23T01:02:03Z", Depth::Quick), "2026-11-23T0102-quick");
    }
}
