//! Capacity searches: which trials were the steps of one, and what it shows when a step is lost.

use std::collections::BTreeMap;

use loadgen::record::{Purpose, Slo, TrialRecord};
use loadgen::record_io::{Damaged, Trial};

use super::Context;
use crate::capacity::{Capacity, capacity_of_search};

/// The trials of one search.
#[derive(Debug, Clone)]
pub struct Search<'r> {
    /// The variant.
    pub variant: &'r str,
    /// Instances.
    pub count: u32,
    /// Its place as arrow and pair; none for the levels of a curve.
    pub place: Option<(u32, u32)>,
    /// Its steps.
    pub trials: Vec<&'r Trial>,
    /// Rates of steps that are damaged; none where not even that can be read.
    pub lost: Vec<Option<f64>>,
}

impl Search<'_> {
    /// True when its rates followed from what was held; false for the levels of a curve alone.
    pub fn is_adaptive(&self) -> bool {
        self.trials.iter().any(|t| t.record.purpose == Purpose::Capacity)
    }

    /// The highest rate held; none as well when a lost step might have shown another one.
    pub fn capacity(&self, slo: &Slo) -> Option<Capacity> {
        capacity_of_search(&self.trials, slo).filter(|found| !self.doubts(Some(found)))
    }

    /// True when there is no capacity because a step is lost.
    pub fn is_in_doubt(&self, slo: &Slo) -> bool {
        self.doubts(capacity_of_search(&self.trials, slo).as_ref())
    }

    /// A step below the rate that was held, or above one that was not, would have changed nothing.
    fn doubts(&self, found: Option<&Capacity>) -> bool {
        let matters = |rate: f64| {
            found.is_none_or(|found| {
                rate > found.rate_per_s && found.failed_above.is_none_or(|failed| rate < failed)
            })
        };
        self.lost.iter().any(|rate| rate.is_none_or(matters))
    }
}

/// What the steps of one search share.
type Key<'r> = (&'r str, u32, Option<u32>, Option<(u32, u32, bool)>);

/// The number alone tells searches apart; without one the place does.
fn key(record: &TrialRecord) -> Key<'_> {
    let place = record.place.filter(|_| record.search.is_none());
    let place = place.map(|p| (p.arrow, p.pair, p.after));
    (record.variant.as_str(), record.instance_count, record.search, place)
}

/// All searches of an experiment. Levels without a search number form one search per variant and count.
pub fn searches<'r>(context: &Context<'r>) -> Vec<Search<'r>> {
    let mut found: BTreeMap<Key<'r>, Search<'r>> = BTreeMap::new();
    let steps =
        context.trials().filter(|t| matches!(t.record.purpose, Purpose::Level | Purpose::Capacity));
    for trial in steps {
        let record = &trial.record;
        let search = found.entry(key(record)).or_insert_with(|| Search {
            variant: &record.variant,
            count: record.instance_count,
            place: None,
            trials: Vec::new(),
            lost: Vec::new(),
        });
        if record.purpose == Purpose::Capacity {
            search.place = search.place.or(record.place.map(|p| (p.arrow, p.pair)));
        }
        search.trials.push(trial);
    }
    for record in context.damaged(Purpose::Level).chain(context.damaged(Purpose::Capacity)) {
        if let Some(search) = found.get_mut(&key(record)) {
            search.lost.push(Some(record.load.rate_per_s));
        }
    }
    for search in found.values_mut() {
        let lost = context.unknown().filter(|one| search.surrounds(one, context)).count();
        search.lost.extend(std::iter::repeat_n(None, lost));
    }
    found.into_values().collect()
}

impl Search<'_> {
    /// Whether a trial of which only position and name are known was a step of this search: the trials next to it were. A folder's name
    /// tells which trials may be next to it, one that is gone stood among all. At either end of a search it cannot be told; the
    /// first and the last step move a capacity least.
    fn surrounds(&self, lost: &Damaged, context: &Context<'_>) -> bool {
        let Some(at) = lost.sequence() else { return false };
        let sequence = |trial: &&Trial| trial.record.sequence;
        let near = || context.trials().filter(|trial| may_follow(&lost.id, &trial.record));
        let before = near().filter(|trial| sequence(trial) < at).max_by_key(sequence);
        let after = near().filter(|trial| sequence(trial) > at).min_by_key(sequence);
        let own = |trial: Option<&Trial>| {
            trial
                .is_some_and(|trial| self.trials.iter().any(|own| own.record.id == trial.record.id))
        };
        own(before) && own(after)
    }
}

/// True when a trial called `id` may have stood next to this one in a search: `0040-database-after-x2-capacity` says for what it ran.
fn may_follow(id: &str, record: &TrialRecord) -> bool {
    let Some((_, name)) = id.split_once('-') else { return true };
    let TrialRecord { experiment, variant, instance_count, .. } = record;
    let purpose = name.strip_prefix(&format!("{experiment}-{variant}-x{instance_count}-"));
    matches!(purpose, Some("level" | "capacity"))
        && matches!(record.purpose, Purpose::Level | Purpose::Capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(lost: Vec<Option<f64>>) -> Search<'static> {
        Search { variant: "before", count: 1, place: None, trials: Vec::new(), lost }
    }

    #[test]
    fn a_lost_step_matters_only_where_the_capacity_may_lie() {
        let held = |failed_above| Capacity {
            rate_per_s: 100.0,
            failed_above,
            tried_below: None,
            step_count: 3,
            inconsistent: false,
            few_samples: false,
        };
        let (closed, open) = (held(Some(120.0)), held(None));
        for (lost, doubted) in
            [(90.0, false), (100.0, false), (110.0, true), (120.0, false), (130.0, false)]
        {
            assert_eq!(search(vec![Some(lost)]).doubts(Some(&closed)), doubted, "{lost}");
        }
        assert!(search(vec![Some(130.0)]).doubts(Some(&open)));
        assert!(search(vec![Some(90.0)]).doubts(None), "nothing was held: it may have been");
        assert!(search(vec![None]).doubts(Some(&closed)));
        assert!(!search(vec![]).doubts(None));
    }
}
