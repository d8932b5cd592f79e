//! The order of things: an experiment, a depth and a seed -> the steps of its measurement.
//!
//! Pure: the same input gives the same plan. Before and after are interleaved in ABBA order with a seeded start, both
//! sides of a pair get the same seed (hence the same requests), a variant is set against itself in every session, and
//! searches for the capacity come in pairs as well. What depends on a result - which rate is how much of the probe's
//! throughput, where a search goes next - is left open here ([`Pace::Fraction`], [`search`]) and closed by
//! `run::carry_out` while it measures. Nothing here knows processes or the clock.

use std::collections::BTreeMap;

use loadgen::record::{Depth, PairPlace, Purpose};
use sha2::{Digest, Sha256};

use crate::experiment::{Experiment, Lengths};

pub mod search;

/// Everything that one experiment measures at one depth, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Every stack that takes part; all are up at once, so that trials interleave freely.
    pub stacks: Vec<StackKey>,
    /// In order.
    pub steps: Vec<Step>,
}

/// A variant at a count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackKey {
    /// The variant's name.
    pub variant: String,
    /// Instances along the axis.
    pub count: u32,
}

impl std::fmt::Display for StackKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-x{}", self.variant, self.count)
    }
}

/// How the requests of a trial are started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// One at a time.
    OneUser,
    /// More than the stack can do, a bounded number in flight: finds the throughput.
    Overdrive,
    /// A share of the throughput that the probe of the same stack found.
    Fraction(f64),
    /// Requests per second.
    Rate(f64),
}

/// One trial as planned.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialStep {
    /// What is measured.
    pub stack: StackKey,
    /// Why.
    pub purpose: Purpose,
    /// Its place in a pair.
    pub place: Option<PairPlace>,
    /// The capacity search it belongs to.
    pub search: Option<u32>,
    /// How requests are started.
    pub pace: Pace,
    /// For how long, in milliseconds.
    pub duration_ms: u64,
    /// The seed of its requests.
    pub seed: u64,
    /// Whether the CPU budgets are in force. They are off for one user: the pauses of a quota are no part of how fast
    /// a stack is.
    pub budgets: bool,
}

/// One step of the plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A single trial.
    Trial(TrialStep),
    /// A search for the capacity: up to [`search::most_steps`] trials, each with a rate that depends on the last.
    Search {
        /// What all its trials have in common; the pace is still open.
        trial: TrialStep,
        /// Regular steps.
        steps: u32,
    },
}

impl Step {
    /// The trial, or what the trials of a search have in common.
    pub fn trial(&self) -> &TrialStep {
        match self {
            Step::Trial(trial) | Step::Search { trial, .. } => trial,
        }
    }

    /// Trials it takes at most.
    pub fn trials_max(&self) -> u32 {
        match self {
            Step::Trial(_) => 1,
            Step::Search { steps, .. } => search::most_steps(*steps),
        }
    }

    /// Trials it takes when all goes well, for the time left.
    pub fn trials_expected(&self) -> u32 {
        match self {
            Step::Trial(_) => 1,
            Step::Search { steps, .. } => search::usual_steps(*steps),
        }
    }
}

/// Draining, settling, reading the counters and saving after a trial: seen to take about this long.
const BETWEEN_TRIALS_MS: u64 = 350;
/// Starting and stopping one stack, everything included: seen to take about this long.
pub const STACK_START_MS: u64 = 2_500;

impl Plan {
    /// Plans an experiment.
    pub fn of(experiment: &Experiment, depth: Depth, seed: u64) -> Plan {
        Planner {
            experiment,
            lengths: experiment.lengths.get(depth),
            depth,
            seed,
            searches: 0,
            curves: BTreeMap::new(),
        }
        .plan()
    }

    /// How long it will take, in milliseconds.
    pub fn estimate_ms(&self) -> u64 {
        let steps: u64 = self.steps.iter().map(step_estimate_ms).sum();
        steps + STACK_START_MS * self.stacks.len() as u64
    }

    /// Trials at most: adaptive searches count their most.
    pub fn trials_max(&self) -> u32 {
        self.steps.iter().map(Step::trials_max).sum()
    }
}

/// How long a step will take, in milliseconds.
pub fn step_estimate_ms(step: &Step) -> u64 {
    u64::from(step.trials_expected()) * (step.trial().duration_ms + BETWEEN_TRIALS_MS)
}

/// A seed made of the run's seed and words: the same words give the same seed on both sides of a pair, and no two
/// trials share one by accident. 53 bits, so that every reader of JSON keeps it exactly.
pub fn derive_seed(seed: u64, words: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for word in words {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk::<8>().expect("a SHA-256 digest has 32 bytes");
    u64::from_be_bytes(*first) >> 11
}

struct Planner<'a> {
    experiment: &'a Experiment,
    lengths: &'a Lengths,
    depth: Depth,
    seed: u64,
    searches: u32,
    /// The search that the curve of a variant belongs to.
    curves: BTreeMap<String, u32>,
}

impl Planner<'_> {
    fn plan(mut self) -> Plan {
        let stacks = self.stacks();
        let mut steps = Vec::new();
        steps.extend(stacks.iter().map(|stack| self.warm_up(stack)));
        steps.extend(self.performance());
        steps.extend(stacks.iter().map(|stack| self.probe(stack)));
        steps.extend(self.levels());
        steps.extend(self.capacity_pairs());
        steps.extend(self.middle_searches(&stacks));
        Plan { stacks, steps }
    }

    /// The variants that an arrow touches, at all their counts. A variant without an arrow is measured like an after.
    fn stacks(&self) -> Vec<StackKey> {
        let variants = self.experiment.variants_at(self.depth);
        let keys = variants.into_iter().flat_map(|variant| {
            let counts = self.experiment.counts_of(variant, self.depth);
            counts.into_iter().map(|count| StackKey { variant: variant.id.clone(), count })
        });
        keys.collect()
    }

    /// The smallest and the largest stack of a variant.
    fn ends_of(&self, variant: &str) -> (StackKey, StackKey) {
        let counts = self
            .experiment
            .variant(variant)
            .map(|variant| self.experiment.counts_of(variant, self.depth))
            .unwrap_or_default();
        let key = |count: Option<&u32>| StackKey {
            variant: variant.to_owned(),
            count: count.copied().unwrap_or(1),
        };
        (key(counts.first()), key(counts.last()))
    }

    fn seed_of(&self, words: &[&str]) -> u64 {
        let mut all = vec![self.experiment.id.as_str()];
        all.extend(words);
        derive_seed(self.seed, &all)
    }

    fn warm_up(&self, stack: &StackKey) -> Step {
        Step::Trial(TrialStep {
            stack: stack.clone(),
            purpose: Purpose::WarmUp,
            place: None,
            search: None,
            // Many at once: every instance, connection and cache entry gets its share.
            pace: Pace::Overdrive,
            duration_ms: self.lengths.warm_up_ms,
            seed: self.seed_of(&["warm-up"]),
            budgets: false,
        })
    }

    fn probe(&self, stack: &StackKey) -> Step {
        Step::Trial(TrialStep {
            stack: stack.clone(),
            purpose: Purpose::Probe,
            place: None,
            search: None,
            pace: Pace::Overdrive,
            duration_ms: self.lengths.probe_ms,
            seed: self.seed_of(&["probe"]),
            budgets: true,
        })
    }

    /// One-user pairs of all arrows, taking turns, with the A/A pairs spread evenly between them.
    fn performance(&self) -> Vec<Step> {
        let arrows = self.experiment.arrows_at(self.depth);
        let (pairs, aa_pairs) = (self.lengths.performance_pairs, self.lengths.aa_pairs);
        let mut steps = Vec::new();
        let mut aa = 0;
        for pair in 0..pairs {
            for (index, arrow) in arrows.iter().enumerate() {
                let (before, _) = self.ends_of(&arrow.before);
                // The cure as one would run it: with everything it brings.
                let (_, after) = self.ends_of(&arrow.after);
                steps.extend(self.pair(Purpose::Performance, index as u32, pair, [before, after]));
            }
            // Evenly: after pair p, p+1 of `pairs` are done, so as many A/A pairs should be.
            let due = (u64::from(pair + 1) * u64::from(aa_pairs) / u64::from(pairs)) as u32;
            while aa < due {
                if let Some(arrow) = arrows.first() {
                    let (before, _) = self.ends_of(&arrow.before);
                    steps.extend(self.pair(Purpose::Aa, 0, aa, [before.clone(), before]));
                }
                aa += 1;
            }
        }
        steps
    }

    /// Both sides of one pair, in its order, with one seed. The sides of an A/A pair are the same stack, on which the same likes
    /// a second time would write nothing: its second side has a seed of its own.
    fn pair(&self, purpose: Purpose, arrow: u32, pair: u32, sides: [StackKey; 2]) -> [Step; 2] {
        let word = if purpose == Purpose::Aa { "a/a" } else { "performance" };
        let seed = self.seed_of(&[word, &arrow.to_string(), &pair.to_string()]);
        let again = match purpose {
            Purpose::Aa => self.seed_of(&["a/a again", &arrow.to_string(), &pair.to_string()]),
            _ => seed,
        };
        let [before, after] = sides;
        let side = |stack: StackKey, after: bool| {
            Step::Trial(TrialStep {
                stack,
                purpose,
                place: Some(PairPlace { pair, arrow, after }),
                search: None,
                pace: Pace::OneUser,
                duration_ms: self.lengths.performance_ms,
                seed: if after { again } else { seed },
                budgets: false,
            })
        };
        let (before, after) = (side(before, false), side(after, true));
        if self.after_first(word, arrow, pair) { [after, before] } else { [before, after] }
    }

    /// ABBA: every pair turns the order of the one before; which order pair 0 has is drawn from the seed.
    fn after_first(&self, word: &str, arrow: u32, pair: u32) -> bool {
        let start = self.seed_of(&["order", word, &arrow.to_string()]) & 1;
        (start + u64::from(pair)) % 2 == 1
    }

    /// The latency-against-load curves at one instance, the stacks taking turns at every step. Where the capacity at one
    /// instance is searched for as well, the curve is the beginning of that search.
    fn levels(&mut self) -> Vec<Step> {
        let variants = self.experiment.variants_at(self.depth);
        for variant in &variants {
            let (first, last) = self.ends_of(&variant.id);
            if first != last {
                let number = self.next_search();
                self.curves.insert(variant.id.clone(), number);
            }
        }
        let mut steps = Vec::new();
        for (index, fraction) in self.lengths.level_fractions.iter().enumerate() {
            let mut stacks: Vec<StackKey> =
                variants.iter().map(|variant| self.ends_of(&variant.id).0).collect();
            if index % 2 == 1 {
                stacks.reverse();
            }
            steps.extend(stacks.into_iter().map(|stack| {
                Step::Trial(TrialStep {
                    search: self.curves.get(&stack.variant).copied(),
                    stack,
                    purpose: Purpose::Level,
                    place: None,
                    pace: Pace::Fraction(*fraction),
                    duration_ms: self.lengths.level_ms,
                    seed: self.seed_of(&["level", &index.to_string()]),
                    budgets: true,
                })
            }));
        }
        steps
    }

    /// Before against after at their largest counts, in ABBA order like everything that is compared.
    fn capacity_pairs(&mut self) -> Vec<Step> {
        let experiment = self.experiment;
        let arrows = experiment.arrows_at(self.depth);
        let mut steps = Vec::new();
        for pair in 0..self.lengths.capacity_pairs {
            for (index, arrow) in arrows.iter().enumerate() {
                let index = index as u32;
                let mut sides =
                    [(self.ends_of(&arrow.before).1, false), (self.ends_of(&arrow.after).1, true)];
                if self.after_first("capacity", index, pair) {
                    sides.reverse();
                }
                let seed = self.seed_of(&["capacity", &index.to_string(), &pair.to_string()]);
                for (stack, after) in sides {
                    let place = PairPlace { pair, arrow: index, after };
                    let number = self.next_search();
                    steps.push(self.search(stack, number, Some(place), seed));
                }
            }
        }
        steps
    }

    /// The counts below the largest, for the curve of capacity against instances.
    fn middle_searches(&mut self, stacks: &[StackKey]) -> Vec<Step> {
        let mut steps = Vec::new();
        for round in 0..self.lengths.middle_searches {
            let seed = self.seed_of(&["capacity below the largest", &round.to_string()]);
            for stack in stacks {
                let (first, last) = self.ends_of(&stack.variant);
                if *stack == last {
                    continue;
                }
                let of_the_curve =
                    self.curves.get(&stack.variant).filter(|_| *stack == first && round == 0);
                let number = of_the_curve.copied().unwrap_or_else(|| self.next_search());
                steps.push(self.search(stack.clone(), number, None, seed));
            }
        }
        steps
    }

    fn next_search(&mut self) -> u32 {
        self.searches += 1;
        self.searches - 1
    }

    fn search(&self, stack: StackKey, number: u32, place: Option<PairPlace>, seed: u64) -> Step {
        Step::Search {
            trial: TrialStep {
                stack,
                purpose: Purpose::Capacity,
                place,
                search: Some(number),
                pace: Pace::Overdrive,
                duration_ms: self.lengths.capacity_ms,
                seed,
                budgets: true,
            },
            steps: self.lengths.capacity_steps,
        }
    }
}

#[cfg(test)]
mod tests;
