//! What only makes sense together: settings inside one stack, the two ends of an arrow, an axis and what scales along it,
//! measures and the load that feeds them. Each mistake is noted at the place where an edit would cure it.

use std::collections::BTreeSet;

use loadgen::record::{Clock, Measure, Slo};

use super::section::Section;
use super::{AxisPlan, Load, Multiplies, PerDepth, Stack, Variant};

/// What only makes sense together inside one stack.
pub(super) fn check_stack(section: &Section<'_, '_>, stack: &Stack) {
    let many_webs = stack.web_count > 1;
    if many_webs && !stack.balancer {
        section.problem_at("web_count", "several web servers need balancer = true");
    }
    if many_webs && stack.sessions == "memory" {
        let message = "\"memory\" with several web servers; allowed then: cookie, redis";
        section.problem_at("sessions", message);
    }
    if stack.cdn && stack.assets != "s3" {
        section.problem_at("cdn", "a CDN needs assets = \"s3\" behind it");
    }
    if stack.jobs == "sqs" && stack.worker_count == 0 {
        section.problem_at("worker_count", "jobs = \"sqs\" needs at least one worker");
    }
    if stack.jobs == "inline" && stack.worker_count > 0 {
        section.problem_at("worker_count", "workers need jobs = \"sqs\"");
    }
    let one_node = matches!(stack.store, "sqlite" | "mysql");
    if one_node && stack.store_nodes > 1 {
        let message = format!(
            "store = {:?} has one node; allowed for several: replicated, sharded, dynamodb",
            stack.store
        );
        section.problem_at("store_nodes", message);
    }
}

/// One thing changes (rule 7): the two stacks of an arrow may differ in the declared settings only.
pub(super) fn check_arrow(
    section: &Section<'_, '_>,
    variants: &[Variant],
    (before, after): (&str, &str),
    changes: &[&str],
) {
    let stack = |id: &str| {
        let variant = variants.iter().find(|variant| variant.id == id)?;
        Some(variant.stack.settings())
    };
    let (Some(left), Some(right)) = (stack(before), stack(after)) else { return };
    let undeclared: Vec<&str> = left
        .iter()
        .filter(|(setting, value)| {
            right.get(*setting) != Some(*value) && !changes.contains(&setting.as_str())
        })
        .map(|(setting, _)| setting.as_str())
        .collect();
    if !undeclared.is_empty() {
        let message = format!(
            "{before:?} and {after:?} also differ in {}; declare it or make them equal",
            undeclared.join(", ")
        );
        section.problem_at("changes", message);
    }
}

/// Something must scale along the axis, and must be able to.
pub(super) fn check_axis(top: &Section<'_, '_>, axis: Option<&AxisPlan>, variants: &[Variant]) {
    let Some(axis) = axis else { return };
    let scaling: Vec<&Variant> = variants.iter().filter(|variant| variant.scales).collect();
    if scaling.is_empty() && !variants.is_empty() {
        top.problem_at("variants", "no variant scales along the axis");
    }
    for variant in scaling {
        let stack = &variant.stack;
        let obstacle = match axis.multiplies {
            Multiplies::WebCount if !stack.balancer => "balancer = true",
            Multiplies::WebCount if stack.sessions == "memory" => {
                "sessions = \"cookie\" or \"redis\""
            }
            Multiplies::WorkerCount if stack.jobs != "sqs" => "jobs = \"sqs\"",
            Multiplies::StoreNodes if matches!(stack.store, "sqlite" | "mysql") => {
                "store = \"replicated\", \"sharded\" or \"dynamodb\""
            }
            _ => continue,
        };
        let id = &variant.id;
        let message = format!(
            "{id:?} cannot be multiplied along the axis: it needs {obstacle}, or scales = false"
        );
        top.problem_at("variants", message);
    }
}

/// A measure of an operation that nobody performs would stay empty.
pub(super) fn check_operations(
    top: &Section<'_, '_>,
    load: Option<&Load>,
    slo: Option<&PerDepth<Slo>>,
    performance: &[Measure],
    unchanged: &[Measure],
) {
    let Some(load) = load else { return };
    let mut performed: BTreeSet<&str> = load.mix.keys().map(String::as_str).collect();
    performed.extend(load.one_user_mix.keys().map(String::as_str));
    performed.extend(load.background.iter().map(|beside| beside.operation.as_str()));
    let missing = |operations: &[String]| {
        let plain = |operation: &str| operation.split('.').next().unwrap_or_default().to_owned();
        let mut all = operations.iter().map(|operation| plain(operation));
        all.find(|operation| !performed.contains(operation.as_str()))
    };
    let complain = |key: &str, operation: String| {
        let performed: Vec<&str> = performed.iter().copied().collect();
        let message =
            format!("{operation:?} is not in the load; allowed: {}", performed.join(", "));
        top.problem_at(key, message);
    };
    for (key, measures) in [("performance", performance), ("unchanged", unchanged)] {
        for operation in measures.iter().filter_map(|measure| missing(&measure.operations)) {
            complain(key, operation);
        }
    }
    if let Some(operation) = slo.and_then(|slo| missing(&slo.quick.operations)) {
        complain("slo", operation);
    }
    if slo.is_some_and(|slo| slo.quick.clock == Clock::PlannedFinished)
        && !load.mix.contains_key("upload")
    {
        top.problem_at("slo", "clock = \"planned_finished\" needs upload in the mix");
    }
}
