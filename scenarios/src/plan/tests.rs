//! The plan as a list: nothing is started, nothing waits.

use std::collections::BTreeMap;

use super::*;
use crate::check;
use crate::experiment;

fn framework() -> Experiment {
    let all = check::read_all(&experiment::embedded()).expect("the embedded experiments are sound");
    all.into_iter().find(|experiment| experiment.id == "framework").expect("it is embedded")
}

fn trials(plan: &Plan, purpose: Purpose) -> Vec<&TrialStep> {
    plan.steps.iter().map(Step::trial).filter(|trial| trial.purpose == purpose).collect()
}

#[test]
fn the_same_input_gives_the_same_plan_and_another_seed_another() {
    let experiment = framework();
    let plan = Plan::of(&experiment, Depth::Quick, 1);
    assert_eq!(plan, Plan::of(&experiment, Depth::Quick, 1));
    assert_ne!(plan, Plan::of(&experiment, Depth::Quick, 2));
}

#[test]
fn both_sides_of_a_pair_get_the_same_requests_under_the_same_budgets() {
    let plan = Plan::of(&framework(), Depth::Quick, 1);
    let mut sides: BTreeMap<_, Vec<&TrialStep>> = BTreeMap::new();
    for trial in plan.steps.iter().map(Step::trial) {
        if let Some(place) = trial.place {
            let purpose = format!("{:?}", trial.purpose);
            sides.entry((purpose, place.arrow, place.pair)).or_default().push(trial);
        }
    }
    assert!(!sides.is_empty());
    for (pair, sides) in sides {
        let [left, right] = sides[..] else { panic!("{pair:?} has {} sides", sides.len()) };
        let same_stack = left.purpose == Purpose::Aa;
        assert_eq!(left.seed == right.seed, !same_stack, "{pair:?}");
        assert_eq!(left.budgets, right.budgets, "{pair:?}");
        assert_eq!(left.duration_ms, right.duration_ms, "{pair:?}");
        assert_ne!(left.place.map(|place| place.after), right.place.map(|place| place.after));
    }
}

#[test]
fn the_order_of_the_sides_is_abba_for_every_arrow() {
    let plan = Plan::of(&framework(), Depth::Standard, 7);
    for purpose in [Purpose::Performance, Purpose::Aa, Purpose::Capacity] {
        let mut first_sides: BTreeMap<(u32, u32), bool> = BTreeMap::new();
        for trial in trials(&plan, purpose) {
            let Some(place) = trial.place else { continue };
            first_sides.entry((place.arrow, place.pair)).or_insert(place.after);
        }
        for (&(arrow, pair), after) in &first_sides {
            if let Some(next) = first_sides.get(&(arrow, pair + 1)) {
                assert_ne!(after, next, "{purpose:?} arrow {arrow} pairs {pair} and {}", pair + 1);
            }
        }
    }
}

#[test]
fn which_side_begins_depends_on_the_seed() {
    let experiment = framework();
    let begins = |seed| {
        let plan = Plan::of(&experiment, Depth::Quick, seed);
        trials(&plan, Purpose::Performance)[0].place.is_some_and(|place| place.after)
    };
    let after_first = (0..64).filter(|seed| begins(*seed)).count();
    assert!((16..=48).contains(&after_first), "{after_first} of 64");
}

#[test]
fn counts_are_those_of_the_lengths() {
    let experiment = framework();
    let lengths = experiment.lengths.get(Depth::Quick);
    let plan = Plan::of(&experiment, Depth::Quick, 1);
    let arrows = experiment.arrows_at(Depth::Quick).len() as u32;
    assert_eq!(arrows, 2, "cache and balancer; the shared cache joins in standard runs");
    let count = |purpose| trials(&plan, purpose).len() as u32;
    assert_eq!(count(Purpose::Performance), 2 * arrows * lengths.performance_pairs);
    assert_eq!(count(Purpose::Aa), 2 * lengths.aa_pairs);
    assert_eq!(count(Purpose::WarmUp), plan.stacks.len() as u32);
    assert_eq!(count(Purpose::Probe), plan.stacks.len() as u32);
    // before, cache, balanced
    assert_eq!(count(Purpose::Level), 3 * lengths.level_fractions.len() as u32);
    // pairs at the largest count, and `balanced` at 1 and 2
    let searches = 2 * arrows * lengths.capacity_pairs + 2 * lengths.middle_searches;
    assert_eq!(count(Purpose::Capacity), searches);
}

#[test]
fn only_load_trials_are_under_budgets() {
    let plan = Plan::of(&framework(), Depth::Quick, 1);
    for trial in plan.steps.iter().map(Step::trial) {
        let load = matches!(trial.purpose, Purpose::Probe | Purpose::Level | Purpose::Capacity);
        assert_eq!(trial.budgets, load, "{:?}", trial.purpose);
    }
}

#[test]
fn every_level_and_search_comes_after_the_probe_of_its_stack() {
    let plan = Plan::of(&framework(), Depth::Quick, 1);
    let mut probed = Vec::new();
    for trial in plan.steps.iter().map(Step::trial) {
        match trial.purpose {
            Purpose::Probe => probed.push(trial.stack.clone()),
            Purpose::Level | Purpose::Capacity => {
                assert!(probed.contains(&trial.stack), "{} was not probed", trial.stack);
            }
            _ => {}
        }
    }
}

#[test]
fn searches_have_numbers_of_their_own_and_a_curve_begins_the_search_at_one_instance() {
    let plan = Plan::of(&framework(), Depth::Quick, 1);
    let searches = trials(&plan, Purpose::Capacity);
    let mut numbers: Vec<u32> = searches.iter().filter_map(|trial| trial.search).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), searches.len());
    for level in trials(&plan, Purpose::Level) {
        let search = searches.iter().find(|search| level.search == search.search);
        let expected = (level.stack.variant == "balanced").then_some(&level.stack);
        let found = level.search.and(search).map(|search| &search.stack);
        assert_eq!(found, expected);
    }
}

#[test]
fn all_quick_experiments_are_planned_to_fit_in_ten_minutes() {
    let all = check::read_all(&experiment::embedded()).expect("sound");
    let estimate: u64 =
        all.iter().map(|experiment| Plan::of(experiment, Depth::Quick, 1).estimate_ms()).sum();
    assert!(estimate <= 600_000, "{} s", estimate / 1_000);
}

#[test]
fn derived_seeds_differ_by_word_and_by_where_words_end() {
    assert_eq!(derive_seed(1, &["a", "b"]), derive_seed(1, &["a", "b"]));
    assert_ne!(derive_seed(1, &["a", "b"]), derive_seed(1, &["ab"]));
    assert_ne!(derive_seed(1, &["a"]), derive_seed(2, &["a"]));
    assert!(derive_seed(u64::MAX, &[]) < 1 << 53);
}
