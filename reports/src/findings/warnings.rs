//! What to know before believing: each warning says what was seen, its likely cause, and what to do about it.
//!
//! A closed set of typed values, so that the page, `summary.json` and the tests speak of the same things. The thresholds are those of
//! MEASURING.md; where it names none, the constant says why it is what it is.

use loadgen::record::{Outcome, RunRecord};
use loadgen::record_io::{Damaged, Trial};

use super::ExperimentAnalysis;
use crate::text::{capital, grouped, number, percent, ratio};

mod collect;
mod honesty;

pub use collect::collect;
pub use honesty::{Honesty, honesty, rests_on};

/// Share of sends more than a millisecond late that is worth a word: at 1 % the lateness touches the 99th percentile.
pub const LATE_SENDS_MAX: f64 = 0.01;
/// Least headroom of the generator (rule 5).
pub const HEADROOM_MIN: f64 = 3.0;
/// An A/A deviation beyond this makes effects below 10 % invisible.
pub const AA_RATIO_MAX: f64 = 1.10;
/// Largest deviation between the servers' counters and the clients' (rule 6).
pub const RECONCILIATION_MAX: f64 = 0.005;
/// Largest deviation from Little's law (rule 9).
pub const LITTLE_MAX: f64 = 0.05;
/// Load average per core before the run from which on other work surely competed.
pub const LOAD_PER_CORE_MAX: f64 = 0.3;
/// Use of an instance over its budget: cgroup quotas of a few milliseconds were seen to give 7 % more.
pub const BUDGET_EXCESS_MAX: f64 = 1.2;
/// Share of one core from which on a part without a budget may be what limits a held rate.
pub const UNBUDGETED_SHARE_MAX: f64 = 0.7;

/// Share of all the stacks' cores from which on the machine itself may be what limits a held rate.
pub const ALL_CORES_SHARE_MAX: f64 = 0.9;

/// The kind of a warning about a damaged trial.
pub const DAMAGED: &str = "damaged";

/// A warning.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The run was stopped, or is not over.
    Incomplete {
        /// Trials on disk.
        done: usize,
        /// Trials planned.
        planned: u32,
    },
    /// A trial that is not whole was left out.
    Damaged {
        /// The trial.
        trial: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No A/A pair in the whole run.
    NoAa,
    /// The same stack differed from itself by a lot.
    NoisyAa {
        /// The experiment.
        experiment: String,
        /// The measure.
        measure: String,
        /// The widest deviation, above 1.
        ratio: f64,
    },
    /// Requests were sent late.
    LateSends {
        /// Share of all sends.
        share: f64,
    },
    /// The generator came close to its own limit.
    Headroom {
        /// Rate against the null server over the highest rate used.
        ratio: f64,
    },
    /// The generator was never measured against a null server.
    HeadroomUnknown,
    /// CPU budgets were not enforced.
    BudgetsNotEnforced {
        /// As the run recorded it.
        how: String,
    },
    /// An instance used more than its budget.
    OverBudget {
        /// `web-1`.
        instance: String,
        /// The trial where it was worst.
        trial: String,
        /// Share of a core used.
        used: f64,
        /// Share of a core allowed.
        budget: f64,
    },
    /// A part without a budget was busy while a rate was held: it may be what limits.
    UnbudgetedBusy {
        /// `balancer`.
        instance: String,
        /// The trial where it was worst.
        trial: String,
        /// Share of a core used.
        used: f64,
    },
    /// All parts of a stack together used nearly all that the machine has for it while a rate was held.
    MachineFull {
        /// The trial where it was worst.
        trial: String,
        /// Cores used.
        used: f64,
    },
    /// Something was not installed.
    Substituted {
        /// What the experiment names.
        wanted: String,
        /// What was used.
        used: String,
        /// Why.
        because: String,
    },
    /// Trials failed.
    TrialsFailed {
        /// The experiment.
        experiment: String,
        /// How many.
        count: usize,
        /// The first reason.
        reason: String,
    },
    /// Trials were dropped because an assumption did not hold.
    TrialsDropped {
        /// The experiment.
        experiment: String,
        /// How many.
        count: usize,
        /// The first reason.
        reason: String,
    },
    /// Requests failed in trials that figures rest on.
    Errors {
        /// How many.
        count: u64,
    },
    /// No answer of a variant was checked, or some were wrong.
    Unverified {
        /// The experiment.
        experiment: String,
        /// What was seen.
        what: String,
    },
    /// The servers' counters and the clients' disagree.
    Reconciliation {
        /// How many trials.
        count: usize,
        /// The worst: trial.
        trial: String,
        /// The worst: counter.
        counter: String,
        /// The worst: servers.
        servers: f64,
        /// The worst: clients.
        clients: f64,
    },
    /// Little's law does not hold in a level.
    Little {
        /// How many levels.
        count: usize,
        /// The worst: trial.
        trial: String,
        /// The worst: in flight as sampled.
        in_flight: f64,
        /// The worst: rate x time.
        expected: f64,
    },
    /// The objective's quantile rests on few samples.
    FewSamples {
        /// The experiments.
        experiments: Vec<String>,
        /// The quantile of the one with the fewest.
        quantile: f64,
        /// Fewest samples of a step.
        fewest: u64,
        /// What rule 10 asks.
        needed: u64,
    },
    /// Capacity searches ended at their highest rate.
    SearchOpen {
        /// The experiment.
        experiment: String,
        /// The variant.
        variant: String,
        /// How many.
        count: usize,
    },
    /// A rate was held above one that was not.
    SearchInconsistent {
        /// The experiment.
        experiment: String,
        /// The variant.
        variant: String,
        /// How many.
        count: usize,
    },
    /// Something that had to stay the same did not.
    Changed {
        /// The experiment.
        experiment: String,
        /// The variant.
        variant: String,
        /// The measure.
        measure: String,
        /// Better is above 1.
        ratio: f64,
    },
    /// The machine was busy before the run began.
    MachineBusy {
        /// Over one minute.
        load_average: f64,
        /// Cores.
        cores: u32,
    },
}

impl Warning {
    /// Of a trial that is left out.
    pub fn damaged(damaged: &Damaged) -> Self {
        Warning::Damaged { trial: damaged.id.clone(), reason: damaged.reason.clone() }
    }

    /// Stable, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Warning::Incomplete { .. } => "incomplete",
            Warning::Damaged { .. } => DAMAGED,
            Warning::NoAa => "no_aa",
            Warning::NoisyAa { .. } => "noisy_aa",
            Warning::LateSends { .. } => "late_sends",
            Warning::Headroom { .. } => "generator_headroom",
            Warning::HeadroomUnknown => "generator_headroom_unknown",
            Warning::BudgetsNotEnforced { .. } => "budgets_not_enforced",
            Warning::OverBudget { .. } => "over_budget",
            Warning::UnbudgetedBusy { .. } => "unbudgeted_busy",
            Warning::MachineFull { .. } => "machine_full",
            Warning::Substituted { .. } => "substituted",
            Warning::TrialsFailed { .. } => "trials_failed",
            Warning::TrialsDropped { .. } => "trials_dropped",
            Warning::Errors { .. } => "errors",
            Warning::Unverified { .. } => "unverified",
            Warning::Reconciliation { .. } => "reconciliation",
            Warning::Little { .. } => "littles_law",
            Warning::FewSamples { .. } => "few_samples",
            Warning::SearchOpen { .. } => "search_open",
            Warning::SearchInconsistent { .. } => "search_inconsistent",
            Warning::Changed { .. } => "changed",
            Warning::MachineBusy { .. } => "machine_busy",
        }
    }

    /// What was seen, with its figures.
    pub fn seen(&self) -> String {
        match self {
            Warning::Incomplete { done, planned } => {
                format!("The run did not finish: {done} of at most {planned} trials are on disk.")
            }
            Warning::Damaged { trial, reason } => {
                format!("Trial {trial} is damaged and left out: {reason}.")
            }
            Warning::NoAa => "No stack was measured against itself.".to_owned(),
            Warning::NoisyAa { experiment, measure, ratio: r } => format!(
                "In {experiment} the same stack differed from itself by a factor of {} in {measure}.",
                ratio(*r)
            ),
            Warning::LateSends { share } => {
                format!("{} of the requests were sent more than 1 ms late.", percent(*share))
            }
            Warning::Headroom { ratio: r } => format!(
                "Against a server that does nothing the generator reached only {}x the highest rate used.",
                ratio(*r)
            ),
            Warning::HeadroomUnknown => {
                "The generator was not measured against a server that does nothing.".to_owned()
            }
            Warning::BudgetsNotEnforced { how } => format!("CPU budgets: {how}."),
            Warning::OverBudget { instance, trial, used, budget } => format!(
                "{instance} used {} of a core with a budget of {} ({trial}).",
                percent(*used),
                percent(*budget)
            ),
            Warning::UnbudgetedBusy { instance, trial, used } => format!(
                "{instance}, which has no budget, used {} of a core while a rate was held ({trial}).",
                percent(*used)
            ),
            Warning::MachineFull { trial, used } => format!(
                "All parts of a stack together used {} of a core while a rate was held ({trial}).",
                percent(*used)
            ),
            Warning::Substituted { wanted, used, because } => {
                format!("{} took the place of {wanted}: {because}.", capital(used))
            }
            Warning::TrialsFailed { experiment, count, reason } => {
                format!("{experiment}: {count} trials failed; the first: {reason}")
            }
            Warning::TrialsDropped { experiment, count, reason } => {
                format!("{experiment}: {count} trials were dropped; the first: {reason}")
            }
            Warning::Errors { count } => {
                format!(
                    "{} requests failed in trials that figures rest on.",
                    grouped(*count as i64)
                )
            }
            Warning::Unverified { experiment, what } => format!("{experiment}: {what}."),
            Warning::Reconciliation { count, trial, counter, servers, clients } => format!(
                "In {count} trials servers and clients counted differently; the worst is {counter} with {} against {} ({trial}).",
                number(*servers),
                number(*clients)
            ),
            Warning::Little { count, trial, in_flight, expected } => format!(
                "In {count} levels the requests in flight are not rate x time; the worst is {} against {} ({trial}).",
                number(*in_flight),
                number(*expected)
            ),
            Warning::FewSamples { experiments, quantile, fewest, needed } => format!(
                "{}: steps of a search were judged at the {} quantile with as few as {} samples; {} are needed to print it.",
                experiments.join(", "),
                percent(*quantile),
                grouped(*fewest as i64),
                grouped(*needed as i64)
            ),
            Warning::SearchOpen { experiment, variant, count } => format!(
                "{experiment}, {variant}: {count} capacity searches ended at the highest rate they tried."
            ),
            Warning::SearchInconsistent { experiment, variant, count } => format!(
                "{experiment}, {variant}: in {count} capacity searches a rate was held above one that was not."
            ),
            Warning::Changed { experiment, variant, measure, ratio: r } => format!(
                "{experiment}, {variant}: {measure} had to stay the same and changed by a factor of {}.",
                ratio(*r)
            ),
            Warning::MachineBusy { load_average, cores } => format!(
                "Before the run the load average was {} on {cores} cores.",
                number(*load_average)
            ),
        }
    }

    /// The likely cause.
    pub fn cause(&self) -> &'static str {
        match self {
            Warning::Incomplete { .. } => "It was stopped, or it is still running.",
            Warning::Damaged { .. } => {
                "A full disk, a copy that was cut off, or a file that was edited."
            }
            Warning::NoAa => "The run ended early, or all A/A trials failed.",
            Warning::NoisyAa { .. } | Warning::MachineBusy { .. } => {
                "Other work on this machine, or a processor that changes its clock."
            }
            Warning::LateSends { .. } => "The generator had to wait for a core.",
            Warning::Headroom { .. } => {
                "Rates this high are near what the generator itself can do here."
            }
            Warning::HeadroomUnknown => "The check was left out or failed.",
            Warning::BudgetsNotEnforced { .. } => {
                "This system gives no CPU quota to this user, so instances compete for the same cores."
            }
            Warning::OverBudget { .. } => "The kernel hands out its quota in steps.",
            Warning::UnbudgetedBusy { .. } => {
                "The part in front or behind may be the limit, not the instances."
            }
            Warning::MachineFull { .. } => "This machine is the limit there, not the instances.",
            Warning::Substituted { .. } => "It is not installed.",
            Warning::TrialsFailed { .. } => {
                "A part of the stack stopped or refused; its log is in the run directory."
            }
            Warning::TrialsDropped { .. } => {
                "The generator was the bottleneck, or the warm-up never settled."
            }
            Warning::Errors { .. } => {
                "The stack refused or timed out within the allowed error ratio."
            }
            Warning::Unverified { .. } => {
                "The answers were not what was asked for, or none was checked."
            }
            Warning::Reconciliation { .. } => {
                "Retries, requests in flight at the edges of the trial, or lost work."
            }
            Warning::Little { .. } => "A short trial, or time that neither side accounts for.",
            Warning::FewSamples { .. } => "Trials of a few seconds at low rates.",
            Warning::SearchOpen { .. } => {
                "The first probe underestimated the stack; the true capacity is higher."
            }
            Warning::SearchInconsistent { .. } => {
                "A disturbance, or a stack that needs time to settle."
            }
            Warning::Changed { .. } => {
                "The cure has a side effect that its experiment does not declare."
            }
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Warning::Incomplete { .. } => "Run it again to its end; what is on disk stays valid.",
            Warning::Damaged { .. } => {
                "Copy the run directory again from where it was measured; the rest stays valid."
            }
            Warning::NoAa => {
                "Run again: without the noise of the machine no effect can be told from it."
            }
            Warning::NoisyAa { .. } => {
                "Close other programs, plug in the charger, or run with --standard for more pairs."
            }
            Warning::LateSends { .. } => "Close other programs; use a machine with more cores.",
            Warning::Headroom { .. } => {
                "Lower the budgets so that the stacks need less load, or use more cores."
            }
            Warning::HeadroomUnknown => "Run again and let the check finish.",
            Warning::BudgetsNotEnforced { .. } => {
                "Run as root or with a delegated cgroup on Linux; `cargo lab doctor` says how."
            }
            Warning::OverBudget { .. } => {
                "Read ratios, not absolute rates: both sides have the same excess."
            }
            Warning::UnbudgetedBusy { .. } => {
                "Lower the budgets of the instances, so that the rest has room."
            }
            Warning::MachineFull { .. } => {
                "Read that capacity as `at least`; use a machine with more cores."
            }
            Warning::Substituted { .. } => "Run `make setup`, then run again.",
            Warning::TrialsFailed { .. } => "Read the log named in the reason, then run again.",
            Warning::TrialsDropped { .. } => "Close other programs, then run again.",
            Warning::Errors { .. } => {
                "Look into the experiment's table of errors and the servers' logs."
            }
            Warning::Unverified { .. } => "Do not use the figures; look into the servers' logs.",
            Warning::Reconciliation { .. } => {
                "Run with --standard: longer trials have smaller edges."
            }
            Warning::Little { .. } => "Run with --standard: longer levels settle.",
            Warning::FewSamples { .. } => "Run with --standard or --thorough for longer steps.",
            Warning::SearchOpen { .. } => "Read the capacity as `at least`; run again.",
            Warning::SearchInconsistent { .. } => {
                "Read the capacity with care; run again with --standard."
            }
            Warning::Changed { .. } => {
                "Name the side effect aloud, or declare it in the experiment's file."
            }
            Warning::MachineBusy { .. } => "Wait until the machine is idle, then run again.",
        }
    }
}

/// True for trials that enter a figure (not for warm-up and probes).
pub(super) fn measured(trial: &Trial) -> bool {
    use loadgen::record::Purpose::{Aa, Capacity, Level, Performance};
    matches!(trial.record.purpose, Aa | Capacity | Level | Performance)
        && trial.record.outcome == Outcome::Completed
}

/// The experiment's title for people, its id otherwise.
pub(super) fn name(run: &RunRecord, experiment: &ExperimentAnalysis<'_>) -> String {
    debug_assert!(run.experiments.iter().any(|e| e.id == experiment.record.id));
    experiment.record.id.clone()
}
