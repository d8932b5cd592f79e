//! May these trials be compared at all? One thing changes, both did the same kind of work, and the work was checked.
//!
//! The servers' own settings are the fingerprint (MEASURING.md, rule 7): what was asked for in a file proves nothing about
//! what ran. Anything that differs outside the arrow's declared changes makes a finding NOT COMPARABLE.

use std::collections::{BTreeMap, BTreeSet};

use loadgen::record::{Arrow, TrialRecord};
use loadgen::record_io::Trial;

use crate::capacity::POLLING;

/// The error that means an answer came but was not the right one.
pub const WRONG_BODY: &str = "wrong body";

/// Why the two sides may not be compared; none when they may.
pub fn objection(arrow: &Arrow, before: &[&Trial], after: &[&Trial]) -> Option<String> {
    undeclared_differences(arrow, before, after)
        .or_else(|| different_work(before, after))
        .or_else(|| unverified(&arrow.before, before))
        .or_else(|| unverified(&arrow.after, after))
}

/// True when `change`, as declared, speaks of the setting `key` (`web.store`): by its full name, by its name without the role,
/// by the role alone when a whole kind of process is what the cure adds, or as the head of a setting that exists only because
/// of the declared one (`cache` speaks of `web.cache_bytes_max`). The number of web servers is also what the balancer
/// in front of them reports.
pub fn declares(change: &str, key: &str) -> bool {
    let (role, name) = key.split_once('.').unwrap_or(("", key));
    let belongs = name.strip_prefix(change).is_some_and(|rest| rest.starts_with('_'));
    let counted = change == "web_count" && key == "balancer.upstreams";
    counted || change == key || change == name || belongs || (!role.is_empty() && change == role)
}

fn undeclared_differences(arrow: &Arrow, before: &[&Trial], after: &[&Trial]) -> Option<String> {
    let (before, after) = (settings(before), settings(after));
    let keys: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| before.get(key) != after.get(key))
        .filter(|key| !arrow.changes.iter().any(|change| declares(change, key)))
        .filter(|key| !adds_a_role(arrow, key, &before, &after))
        .map(|key| format!("{key} ({} / {})", shown(before.get(key)), shown(after.get(key))))
        .collect();
    if differing.is_empty() {
        return None;
    }
    Some(format!("more than the declared setting differs: {}", differing.join(", ")))
}

/// True when one side has no process of the key's role at all and the arrow declares their count: workers that only the after
/// side has report settings that the before side cannot have.
fn adds_a_role(
    arrow: &Arrow,
    key: &str,
    before: &BTreeMap<&str, BTreeSet<&str>>,
    after: &BTreeMap<&str, BTreeSet<&str>>,
) -> bool {
    let Some((role, _)) = key.split_once('.') else { return false };
    let lacks = |side: &BTreeMap<&str, BTreeSet<&str>>| {
        !side.keys().any(|key| key.split_once('.').is_some_and(|(its, _)| its == role))
    };
    arrow.changes.contains(&format!("{role}_count")) && (lacks(before) || lacks(after))
}

fn shown(values: Option<&BTreeSet<&str>>) -> String {
    values.map_or("absent".to_owned(), |v| v.iter().copied().collect::<Vec<_>>().join(" and "))
}

/// Every value that each setting had in any of the trials.
fn settings<'t>(trials: &[&'t Trial]) -> BTreeMap<&'t str, BTreeSet<&'t str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for trial in trials {
        for (key, value) in &trial.record.settings {
            all.entry(key).or_default().insert(value);
        }
    }
    all
}

fn different_work(before: &[&Trial], after: &[&Trial]) -> Option<String> {
    let mixes = |trials: &[&Trial]| -> BTreeSet<String> {
        trials
            .iter()
            .map(|t| format!("{} {:?}", t.record.load.schedule, t.record.load.mix))
            .collect()
    };
    (mixes(before) != mixes(after)).then(|| "the two sides were given different loads".to_owned())
}

fn unverified(variant: &str, trials: &[&Trial]) -> Option<String> {
    let wrong: u64 = trials.iter().map(|t| wrong_bodies(&t.record)).sum();
    if wrong > 0 {
        return Some(format!("{wrong} answers of {variant} had the wrong body"));
    }
    let answered = trials.iter().any(|t| t.record.operations.values().any(|o| o.ok_count > 0));
    let verified =
        trials.iter().any(|t| t.record.operations.values().any(|o| o.verified_count > 0));
    (answered && !verified).then(|| format!("no answer of {variant} was checked in depth"))
}

/// Answers that were not what was asked for.
pub fn wrong_bodies(record: &TrialRecord) -> u64 {
    record.operations.values().filter_map(|o| o.errors.get(WRONG_BODY)).sum()
}

/// Failed requests of a trial, polls left out.
pub fn error_count(record: &TrialRecord) -> u64 {
    let judged = record.operations.iter().filter(|(name, _)| *name != POLLING);
    judged.flat_map(|(_, o)| o.errors.values()).sum()
}

/// Planned requests of a trial, polls left out.
pub fn planned_count(record: &TrialRecord) -> u64 {
    let judged = record.operations.iter().filter(|(name, _)| *name != POLLING);
    judged.map(|(_, o)| o.planned_count.max(o.sent_count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_declared_by_full_name_by_name_or_by_role() {
        assert!(declares("web.store", "web.store"));
        assert!(declares("store", "web.store"));
        assert!(declares("store", "worker.store"));
        assert!(declares("worker", "worker.store"));
        assert!(declares("cache", "web.cache_bytes_max"));
        assert!(declares("assets", "web.assets_uploads"));
        assert!(declares("web_count", "balancer.upstreams"));
        assert!(!declares("worker_count", "balancer.upstreams"));
        assert!(!declares("job", "web.jobs"));
        assert!(!declares("store", "web.cache"));
        assert!(!declares("web", "worker.store"));
        assert!(!declares("", "store"));
    }
}
