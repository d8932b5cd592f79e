//! Which variants of which experiments a set of deployed stages can show, and the experiments cut down to them.
//!
//! A stage plays a variant when it agrees with it in everything that the experiment is about: the settings that its arrows declare as
//! changed. In everything else a stage is what it is, and its own stack takes the place of the file's; if two stages differ in more than
//! an arrow declares, the report says NOT COMPARABLE, as for any run. Counts are the stages' own. Budgets and distances are gone:
//! they are models of one machine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use loadgen::record::Depth;

use super::outputs::Outputs;
use crate::experiment::{Budgets, Experiment, Links, PerDepth, Stack, Variant};
use crate::plan::StackKey;

/// Settings that follow from counts: a stage has the counts that it has.
const COUNTS: [&str; 3] = ["web_count", "worker_count", "store_nodes"];

/// An experiment as deployed stages can show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Cut down to what is there.
    pub experiment: Experiment,
    /// Which stage plays which stack, by its place in the list.
    pub stages: BTreeMap<StackKey, usize>,
}

/// The experiments that the stages can show, and a line for each that they cannot.
pub fn matched(
    experiments: Vec<Experiment>,
    depth: Depth,
    stages: &[Outputs],
) -> anyhow::Result<(Vec<Matched>, Vec<String>)> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for experiment in experiments {
        let id = experiment.id.clone();
        match one(experiment, depth, stages) {
            Ok((matched, aside)) => {
                notes.extend(aside.into_iter().map(|why| format!("{id}: {why}")));
                let variants: Vec<&str> =
                    matched.experiment.variants.iter().map(|one| one.id.as_str()).collect();
                if matched.experiment.arrows.is_empty() {
                    notes.push(format!(
                        "{id}: only {} is deployed, so that nothing can be compared; name the outputs of \
                         another stage with a second --target",
                        variants.join(", ")
                    ));
                }
                found.push(matched);
            }
            Err(why) => notes.push(format!("{id}: left out: {why}")),
        }
    }
    if found.is_empty() {
        bail!(
            "the deployed stages show no variant of these experiments:\n  {}",
            notes.join("\n  ")
        );
    }
    Ok((found, notes))
}

/// A stage that plays a variant: its place in the list, its count along the axis, its stack.
type Play = (usize, u32, Stack);

/// Who plays what, and why others do not.
fn plays(
    experiment: &Experiment,
    depth: Depth,
    stages: &[Outputs],
) -> (BTreeMap<String, Play>, Vec<String>) {
    let declared = experiment.arrows_at(depth).into_iter().flat_map(|arrow| &arrow.changes);
    let subject: BTreeSet<&str> =
        declared.map(String::as_str).filter(|setting| !COUNTS.contains(setting)).collect();
    let (mut plays, mut why) = (BTreeMap::<String, Play>::new(), Vec::new());
    for (index, outputs) in stages.iter().enumerate() {
        let (name, Some(stack)) = (&outputs.stage.name, outputs.as_stack()) else { continue };
        let own = stack.settings();
        let fits = |variant: &&Variant| {
            let other = variant.stack.settings();
            subject.iter().all(|setting| own.get(*setting) == other.get(*setting))
        };
        match experiment.variants_at(depth).into_iter().find(fits) {
            None => {
                let settings = subject.iter().copied().collect::<Vec<&str>>().join(", ");
                why.push(format!("{name} agrees with none of its variants in {settings}"));
            }
            Some(Variant { id, .. }) if plays.contains_key(id) => {
                why.push(format!("{name} is not used: another stage plays {id} already"));
            }
            Some(variant) => {
                let count = outputs.count(experiment.axis.multiplies).max(1);
                plays.insert(variant.id.clone(), (index, count, stack));
            }
        }
    }
    (plays, why)
}

/// The experiment and what stood aside, or why it cannot be shown at all.
fn one(
    mut experiment: Experiment,
    depth: Depth,
    stages: &[Outputs],
) -> Result<(Matched, Vec<String>), String> {
    let (plays, why) = plays(&experiment, depth, stages);
    if plays.is_empty() {
        return Err(why.join("; "));
    }
    experiment.variants.retain_mut(|variant| match plays.get(&variant.id) {
        Some((_, _, stack)) => {
            variant.stack = stack.clone();
            variant.budgets = Budgets::default();
            true
        }
        None => false,
    });
    let there = |name: &String| plays.contains_key(name);
    experiment.arrows.retain(|arrow| there(&arrow.before) && there(&arrow.after));
    cut_down(&mut experiment);
    // What scales is measured at the count that is deployed: along the axis one deploys again.
    let scaling: BTreeSet<u32> = experiment
        .variants
        .iter()
        .filter(|variant| variant.scales)
        .map(|variant| plays[&variant.id].1)
        .collect();
    if scaling.len() > 1 {
        return Err(format!(
            "its stages have different counts of {}: {scaling:?}",
            experiment.axis.label
        ));
    }
    let count = scaling.first().copied().unwrap_or(1);
    experiment.axis.counts =
        PerDepth { quick: vec![count], standard: vec![count], thorough: vec![count] };
    let stages = experiment.variants.iter().map(|variant| {
        let count = if variant.scales { count } else { 1 };
        (StackKey { variant: variant.id.clone(), count }, plays[&variant.id].0)
    });
    Ok((Matched { stages: stages.collect(), experiment }, why))
}

/// Leaves out what is a model of one machine, and the measures of its modelled regions.
fn cut_down(experiment: &mut Experiment) {
    experiment.budgets = Budgets::default();
    experiment.links = Links::default();
    let regional = |operations: &[String]| operations.iter().any(|name| name.contains('.'));
    experiment.performance.retain(|measure| !regional(&measure.operations));
    experiment.unchanged.retain(|measure| !regional(&measure.operations));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::outputs::tests::sample;
    use crate::{check, experiment};

    fn stage(url: &str, balancer: bool, change: impl FnOnce(&mut serde_json::Value)) -> Outputs {
        let mut value = sample(url, balancer);
        change(&mut value);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outputs.json");
        std::fs::write(&path, value.to_string()).expect("a file");
        Outputs::read(&path).expect("sound outputs")
    }

    fn experiments() -> Vec<Experiment> {
        check::read_all(&experiment::embedded()).expect("sound")
    }

    #[test]
    fn one_server_and_a_balanced_group_show_the_load_balancer() {
        let one = stage("http://127.0.0.1:1", false, |_| {});
        let group = stage("http://127.0.0.1:2", true, |_| {});
        let (found, _) = matched(experiments(), Depth::Quick, &[one, group]).expect("some");
        let framework = found.iter().find(|one| one.experiment.id == "framework").expect("there");
        let arrows: Vec<&str> =
            framework.experiment.arrows.iter().map(|arrow| arrow.label.as_str()).collect();
        assert_eq!(arrows, ["Load balancer"]);
        let key = |variant: &str, count| StackKey { variant: variant.to_owned(), count };
        assert_eq!(
            framework.stages,
            BTreeMap::from([(key("before", 1), 0), (key("balanced", 2), 1)])
        );
        assert_eq!(framework.experiment.budgets, Budgets::default());
        assert_eq!(framework.experiment.variant("balanced").expect("there").stack.web_count, 2);
    }

    #[test]
    fn what_a_stage_cannot_show_is_told() {
        let dynamodb = stage("http://127.0.0.1:1", false, |value| {
            value["expected_settings"]["value"]["store"] = "dynamodb".into();
        });
        let (found, notes) = matched(experiments(), Depth::Quick, &[dynamodb]).expect("some");
        let database = found.iter().find(|one| one.experiment.id == "database").expect("there");
        let variants: Vec<&str> =
            database.experiment.variants.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(variants, ["after"]);
        assert!(notes.iter().any(|note| note.contains("second --target")), "{notes:?}");
        let strange = stage("http://127.0.0.1:1", true, |value| {
            value["expected_settings"]["value"]["cache"] = "moka".into();
        });
        let framework = experiments().into_iter().filter(|one| one.id == "framework").collect();
        let error = matched(framework, Depth::Quick, &[strange]).expect_err("no variant has both");
        assert!(error.to_string().contains("agrees with none"), "{error}");
    }
}
