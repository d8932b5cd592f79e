//! A plan -> measurements: the one loop that decides what is run next, and the only place that closes what the plan left
//! open (rates as shares of a probe, the steps of a search). It knows trials only through [`Executor`], so that all its
//! decisions are tested with an executor that measures nothing.

use std::collections::BTreeMap;

use async_trait::async_trait;
use loadgen::record::Purpose;
use tokio_util::sync::CancellationToken;

use crate::plan::search::{Search, expected_of};
use crate::plan::{Pace, Plan, StackKey, Step, TrialStep, step_estimate_ms};

/// Runs single trials.
#[async_trait]
pub trait Executor: Send {
    /// Runs one trial and saves it, whatever came of it. An error means that nothing can be saved any more.
    async fn trial(&mut self, trial: &TrialStep) -> anyhow::Result<Seen>;
    /// Records a trial that could not even be begun.
    async fn hole(&mut self, trial: &TrialStep, reason: &str) -> anyhow::Result<Seen>;
    /// A step of the plan is done: so many milliseconds of the estimate are behind us.
    fn done(&mut self, estimate_ms: u64);
}

/// What a trial showed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Correct answers per second; none when the trial failed.
    pub throughput_per_s: Option<f64>,
    /// Whether its rate was held; none when the trial cannot be used.
    pub held: Option<bool>,
}

/// How a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every step was carried out.
    Done,
    /// It was stopped before.
    Interrupted,
}

/// Trials in a row that a search may lose before it is given up.
const LOST_MAX: u32 = 2;

/// Carries out a plan.
pub async fn carry_out(
    plan: &Plan,
    executor: &mut dyn Executor,
    stop: &CancellationToken,
) -> anyhow::Result<End> {
    let mut probes: BTreeMap<StackKey, f64> = BTreeMap::new();
    // What a search begins at: the probe, then what the last search found.
    let mut expected = BTreeMap::new();
    // What the levels of a curve have already shown, by the number of the search that they begin.
    let mut levels: BTreeMap<u32, Vec<(f64, bool)>> = BTreeMap::new();
    for step in &plan.steps {
        match step {
            Step::Trial(trial) => {
                let (rate, seen) = single(trial, &probes, executor).await?;
                if trial.purpose == Purpose::Probe {
                    let found = seen.throughput_per_s.filter(|throughput| *throughput > 0.0);
                    probes.extend(found.map(|throughput| (trial.stack.clone(), throughput)));
                    expected.extend(found.map(|throughput| (trial.stack.clone(), throughput)));
                }
                if let (Some(number), Some(rate), Some(held)) = (trial.search, rate, seen.held) {
                    levels.entry(number).or_default().push((rate, held));
                }
            }
            Step::Search { trial, steps } => match expected.get(&trial.stack) {
                Some(throughput) => {
                    let known = trial.search.and_then(|number| levels.remove(&number));
                    let begun =
                        Search::new(*throughput, *steps).knowing(&known.unwrap_or_default());
                    let found = search(trial, begun, executor, stop).await?;
                    // The next search of this stack begins where this one ended.
                    let known = found.map(|capacity| (trial.stack.clone(), expected_of(capacity)));
                    expected.extend(known);
                }
                None => {
                    executor.hole(trial, NO_PROBE).await?;
                }
            },
        }
        // A trial that was cancelled has not been saved: whoever asks again gets it from a new run.
        if stop.is_cancelled() {
            return Ok(End::Interrupted);
        }
        executor.done(step_estimate_ms(step));
    }
    Ok(End::Done)
}

/// Why a load cannot be chosen.
const NO_PROBE: &str = "the probe of this stack found no throughput, so no load could be chosen";

/// Runs a trial that is no search: the rate that was chosen for it, if one was, and what it showed.
async fn single(
    trial: &TrialStep,
    probes: &BTreeMap<StackKey, f64>,
    executor: &mut dyn Executor,
) -> anyhow::Result<(Option<f64>, Seen)> {
    let Pace::Fraction(fraction) = trial.pace else {
        return Ok((None, executor.trial(trial).await?));
    };
    let Some(probe) = probes.get(&trial.stack) else {
        return Ok((None, executor.hole(trial, NO_PROBE).await?));
    };
    let rate = probe * fraction;
    let seen = executor.trial(&TrialStep { pace: Pace::Rate(rate), ..trial.clone() }).await?;
    Ok((Some(rate), seen))
}

/// Carries a search to its end; the capacity that it found.
async fn search(
    trial: &TrialStep,
    mut search: Search,
    executor: &mut dyn Executor,
    stop: &CancellationToken,
) -> anyhow::Result<Option<f64>> {
    let mut lost = 0;
    while let Some(rate) = search.next_rate() {
        let seen = executor.trial(&TrialStep { pace: Pace::Rate(rate), ..trial.clone() }).await?;
        if stop.is_cancelled() {
            return Ok(search.capacity_per_s());
        }
        match seen.held {
            Some(held) => {
                search.note(rate, held);
                lost = 0;
            }
            // The same rate once more: a lost trial says nothing about the stack.
            None => lost += 1,
        }
        if lost == LOST_MAX {
            return Ok(search.capacity_per_s());
        }
    }
    Ok(search.capacity_per_s())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use loadgen::record::Depth;

    use super::*;
    use crate::{check, experiment};

    /// Holds everything up to a capacity per instance; notes what it was asked to do.
    struct Mock {
        capacity_per_instance: f64,
        broken: Option<&'static str>,
        lose: VecDeque<bool>,
        stop_after: Option<(usize, CancellationToken)>,
        trials: Vec<TrialStep>,
        holes: Vec<(TrialStep, String)>,
        done_ms: u64,
    }

    impl Mock {
        fn new() -> Mock {
            Mock {
                capacity_per_instance: 100.0,
                broken: None,
                lose: VecDeque::new(),
                stop_after: None,
                trials: Vec::new(),
                holes: Vec::new(),
                done_ms: 0,
            }
        }
    }

    #[async_trait]
    impl Executor for Mock {
        async fn trial(&mut self, trial: &TrialStep) -> anyhow::Result<Seen> {
            self.trials.push(trial.clone());
            if let Some((count, stop)) = &self.stop_after
                && self.trials.len() == *count
            {
                stop.cancel();
            }
            if self.broken == Some(trial.stack.variant.as_str()) {
                return Ok(Seen::default());
            }
            let capacity = self.capacity_per_instance * f64::from(trial.stack.count);
            Ok(match trial.pace {
                Pace::Rate(rate) if trial.purpose == Purpose::Capacity => {
                    let lost = self.lose.pop_front().unwrap_or(false);
                    let held = (!lost).then_some(rate <= capacity);
                    Seen { throughput_per_s: Some(rate.min(capacity)), held }
                }
                _ => Seen { throughput_per_s: Some(capacity), held: None },
            })
        }

        async fn hole(&mut self, trial: &TrialStep, reason: &str) -> anyhow::Result<Seen> {
            self.holes.push((trial.clone(), reason.to_owned()));
            Ok(Seen::default())
        }

        fn done(&mut self, estimate_ms: u64) {
            self.done_ms += estimate_ms;
        }
    }

    fn plan() -> Plan {
        let all = check::read_all(&experiment::embedded()).expect("sound");
        let framework = all.iter().find(|experiment| experiment.id == "framework").expect("there");
        Plan::of(framework, Depth::Quick, 1)
    }

    #[tokio::test]
    async fn levels_are_shares_of_the_probe_of_their_own_stack() {
        let (plan, mut mock) = (plan(), Mock::new());
        let end =
            carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        assert_eq!(end, End::Done);
        let levels: Vec<f64> = mock
            .trials
            .iter()
            .filter(|trial| trial.purpose == Purpose::Level && trial.stack.variant == "before")
            .map(|trial| match trial.pace {
                Pace::Rate(rate) => rate,
                other => panic!("{other:?} is no rate"),
            })
            .collect();
        assert_eq!(levels, [30.0, 60.0, 80.0, 100.0]);
        let whole = plan.steps.iter().map(step_estimate_ms).sum::<u64>();
        assert_eq!(mock.done_ms, whole, "the estimate is used up exactly");
    }

    #[tokio::test]
    async fn a_search_finds_the_capacity_of_each_count() {
        let (plan, mut mock) = (plan(), Mock::new());
        carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        for count in [1, 2, 4] {
            let capacity = 100.0 * f64::from(count);
            let best = mock
                .trials
                .iter()
                .filter(|trial| trial.purpose == Purpose::Capacity && trial.stack.count == count)
                .filter_map(|trial| match trial.pace {
                    Pace::Rate(rate) if rate <= capacity => Some(rate),
                    _ => None,
                })
                .fold(0.0, f64::max);
            assert!(best > 0.9 * capacity, "{best} of {capacity}");
        }
    }

    #[tokio::test]
    async fn both_sides_of_a_capacity_pair_send_the_same_requests_at_every_step() {
        let (plan, mut mock) = (plan(), Mock::new());
        carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        let mut seeds: BTreeMap<(u32, u32), Vec<u64>> = BTreeMap::new();
        for trial in mock.trials.iter().filter(|trial| trial.purpose == Purpose::Capacity) {
            if let Some(place) = trial.place {
                seeds.entry((place.arrow, place.pair)).or_default().push(trial.seed);
            }
        }
        assert!(seeds.values().all(|seeds| seeds.iter().all(|seed| *seed == seeds[0])));
    }

    #[tokio::test]
    async fn a_stack_without_a_throughput_leaves_holes_and_the_rest_goes_on() {
        let (plan, mut mock) = (plan(), Mock { broken: Some("cache"), ..Mock::new() });
        let end =
            carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        assert_eq!(end, End::Done);
        assert!(mock.holes.iter().all(|(trial, _)| trial.stack.variant == "cache"));
        // four levels and three searches
        assert_eq!(mock.holes.len(), 7);
        assert!(mock.holes.iter().all(|(_, reason)| reason == NO_PROBE));
        assert!(mock.trials.iter().any(|trial| trial.stack.variant == "balanced"));
    }

    fn first_search(mock: &Mock) -> Vec<&TrialStep> {
        let capacity = || mock.trials.iter().filter(|trial| trial.purpose == Purpose::Capacity);
        let number = capacity().next().and_then(|trial| trial.search);
        capacity().filter(|trial| trial.search == number).collect()
    }

    #[tokio::test]
    async fn a_lost_step_is_tried_again_and_a_search_that_loses_twice_is_given_up() {
        let (plan, mut mock) = (plan(), Mock { lose: [true].into(), ..Mock::new() });
        carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        let first = first_search(&mock);
        assert_eq!(first[0].pace, first[1].pace);
        assert_eq!(first.len(), 5, "two that hold, one beyond, one between, and the lost one");

        let mut mock = Mock { lose: [true, true].into(), ..Mock::new() };
        carry_out(&plan, &mut mock, &CancellationToken::new()).await.expect("carried out");
        assert_eq!(first_search(&mock).len(), 2);
    }

    #[tokio::test]
    async fn it_stops_at_once_when_told() {
        let stop = CancellationToken::new();
        let mut mock = Mock { stop_after: Some((7, stop.clone())), ..Mock::new() };
        let end = carry_out(&plan(), &mut mock, &stop).await.expect("carried out");
        assert_eq!(end, End::Interrupted);
        assert_eq!(mock.trials.len(), 7);
    }
}
