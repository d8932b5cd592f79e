//! The second half of the page in strings: honesty card, warnings, machine, stacks, and how to do it again.

use loadgen::record::{Depth, Purpose, Reality, RunRecord};
use loadgen::record_io::Trial;

use crate::findings::Analysis;
use crate::findings::warnings::{AA_RATIO_MAX, HEADROOM_MIN, LATE_SENDS_MAX, rests_on};
use crate::text::{bytes, grouped, number, percent, ratio};

/// A figure of the honesty card.
pub struct Tile {
    pub value: String,
    pub name: &'static str,
    pub note: String,
    pub bad: bool,
}

/// A warning in words.
pub struct WarningText {
    pub seen: String,
    pub cause: &'static str,
    pub remedy: &'static str,
}

/// A variant's settings.
pub struct Stack {
    pub experiment: String,
    pub variant: String,
    pub kind: String,
    pub settings: String,
}

/// What an instance used.
pub struct Usage {
    pub experiment: String,
    pub variant: String,
    pub instance: String,
    pub budget: String,
    pub used: String,
    pub memory: String,
}

fn depth(run: &RunRecord) -> &'static str {
    match run.depth {
        Depth::Quick => "quick",
        Depth::Standard => "standard",
        Depth::Thorough => "thorough",
    }
}

/// The line under the title.
pub fn subtitle(run: &RunRecord) -> String {
    let mode = match run.mode {
        Reality::Simulated => "stand-ins or models take part where marked SIMULATED",
        Reality::Real => "a deployed stack",
    };
    format!(
        "Run {}, {} depth, {}, {} cores; {mode}.",
        run.run,
        depth(run),
        run.machine.cpu_model,
        run.machine.cores
    )
}

/// The honesty card.
pub fn tiles(analysis: &Analysis<'_>) -> Vec<Tile> {
    let honesty = &analysis.honesty;
    let unknown = || "not measured".to_owned();
    let reconciled = honesty.reconciliation_count - honesty.unreconciled.len();
    let little = honesty.little_count - honesty.little_off.len();
    vec![
        Tile {
            value: honesty.aa_worst_ratio.map_or_else(unknown, |r| format!("{}x", ratio(r))),
            name: "widest A/A deviation",
            note: format!("{} pairs of a stack against itself", honesty.aa_pair_count),
            bad: honesty.aa_worst_ratio.is_none_or(|r| r > AA_RATIO_MAX),
        },
        Tile {
            value: percent(honesty.late_sends),
            name: "late sends",
            note: format!(
                "more than 1 ms after the planned start, of {}",
                grouped(honesty.sent_count as i64)
            ),
            bad: honesty.late_sends > LATE_SENDS_MAX,
        },
        Tile {
            value: honesty.generator_headroom.map_or_else(unknown, |r| format!("{}x", ratio(r))),
            name: "generator headroom",
            note: format!("highest rate used: {} HTTP requests/s", number(honesty.highest_rate)),
            bad: honesty.generator_headroom.is_none_or(|r| r < HEADROOM_MIN),
        },
        Tile {
            value: grouped(honesty.error_count as i64),
            name: "failed requests",
            note: "in the trials that figures rest on".to_owned(),
            bad: honesty.error_count > 0,
        },
        Tile {
            value: if honesty.work_verified { "yes" } else { "no" }.to_owned(),
            name: "work verified",
            note: format!("{} bodies checked in depth", grouped(honesty.verified_count as i64)),
            bad: !honesty.work_verified,
        },
        Tile {
            value: format!("{reconciled} of {}", honesty.reconciliation_count),
            name: "counters agree",
            note: "the servers' and the clients', within 0.5 %".to_owned(),
            bad: !honesty.unreconciled.is_empty(),
        },
        Tile {
            value: format!("{little} of {}", honesty.little_count),
            name: "levels obey Little's law",
            note: "in flight = rate × time, within 5 %".to_owned(),
            bad: !honesty.little_off.is_empty(),
        },
    ]
}

/// The warnings.
pub fn warnings(analysis: &Analysis<'_>) -> Vec<WarningText> {
    let text = |w: &crate::findings::warnings::Warning| WarningText {
        seen: w.seen(),
        cause: w.cause(),
        remedy: w.remedy(),
    };
    analysis.warnings.iter().map(text).collect()
}

/// Machine, settings and seed.
pub fn facts(run: &RunRecord) -> Vec<(String, String)> {
    let machine = &run.machine;
    let versions: Vec<String> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let null_server = run.null_server.map_or_else(
        || "not measured".to_owned(),
        |n| {
            format!(
                "{} requests/s against a server that does nothing, {} µs CPU each, 99th percentile of lateness {} ms",
                number(n.rate_per_s),
                number(n.cpu_us_per_request),
                number(n.lateness_p99_us as f64 / 1_000.0)
            )
        },
    );
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("Processor", format!("{}, {} cores", machine.cpu_model, machine.cores)),
        fact("Memory", bytes(machine.memory_bytes)),
        fact("System", format!("{}, kernel {}", machine.os, machine.kernel)),
        fact("Versions", versions.join(", ")),
        fact("CPU budgets", machine.budgets.clone()),
        fact("Placement", machine.placement.clone()),
        fact("Load before the run", number(machine.load_average)),
        fact("Generator", null_server),
        fact("Seed", run.seed.to_string()),
        fact("Depth", depth(run).to_owned()),
        fact("Started", run.started_at.clone()),
        fact("Finished", run.finished_at.clone().unwrap_or_else(|| "not finished".to_owned())),
        fact("Commit", run.commit.clone()),
    ]
}

/// The variants with their settings.
pub fn stacks(run: &RunRecord) -> Vec<Stack> {
    let variants = run.experiments.iter().flat_map(|e| e.variants.iter().map(move |v| (e, v)));
    variants
        .map(|(experiment, variant)| Stack {
            experiment: experiment.id.clone(),
            variant: format!("{} ({})", variant.label, variant.id),
            kind: match (variant.real, variant.simulated.is_empty()) {
                (true, _) => "real".to_owned(),
                (false, true) => "simulated".to_owned(),
                (false, false) => format!("simulated: {}", variant.simulated.join("; ")),
            },
            settings: variant
                .stack
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect::<Vec<_>>()
                .join(", "),
        })
        .collect()
}

/// Per variant: the instances in the trial with the highest rate held.
pub fn usage(analysis: &Analysis<'_>) -> Vec<Usage> {
    let mut lines = Vec::new();
    for experiment in &analysis.run.experiments {
        for variant in &experiment.variants {
            let held = analysis.trials.iter().filter(|t| {
                t.record.experiment == experiment.id
                    && t.record.variant == variant.id
                    && matches!(t.record.purpose, Purpose::Level | Purpose::Capacity)
                    && rests_on(analysis.run, t)
            });
            let rate = |t: &&Trial| t.record.load.rate_per_s;
            let Some(best) = held.max_by(|a, b| rate(a).total_cmp(&rate(b))) else { continue };
            let wall_us = best.record.generator.wall_us.max(1) as f64;
            lines.extend(best.record.instances.iter().map(|i| Usage {
                experiment: experiment.id.clone(),
                variant: format!("{} × {}", variant.label, best.record.instance_count),
                instance: i.name.clone(),
                budget: i.budget.map_or_else(|| "–".to_owned(), percent),
                used: percent(i.cpu_us as f64 / wall_us),
                memory: bytes(i.memory_bytes),
            }));
        }
    }
    lines
}

/// Notes of trials, each text once with the first trial it came from and how often it came.
pub fn notes(analysis: &Analysis<'_>) -> Vec<String> {
    let mut seen: Vec<(&str, &str, usize)> = Vec::new();
    for trial in analysis.trials {
        for note in &trial.record.notes {
            match seen.iter_mut().find(|(text, _, _)| text == note) {
                Some((_, _, count)) => *count += 1,
                None => seen.push((note, &trial.record.id, 1)),
            }
        }
    }
    seen.into_iter()
        .map(|(text, trial, count)| match count {
            1 => format!("{text} ({trial})"),
            _ => format!("{text} ({count} trials, the first {trial})"),
        })
        .collect()
}
