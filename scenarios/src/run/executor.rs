//! One trial on a running stack: counters and usage before, the driver's load, counters and usage after, comparisons, gates,
//! and the record on disk. A trial that fails is recorded as failed with its whole chain of reasons, and the run goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use loadgen::driver::{self, Background, DriveRequest, Driver, Operation};
use loadgen::record::{
    Clock, GeneratorRecord, LoadRecord, Outcome, Purpose, Slo, TRIAL_SCHEMA, TrialRecord,
};
use loadgen::record_io::{HistogramSet, IntervalHistograms, RunDir, merge_operations};
use reports::capacity::{Gate, held};
use tokio_util::sync::CancellationToken;

use super::carry_out::{Executor, Seen};
use super::reconcile::{Clients, counters_of, grown, reconcile};
use super::stacks::{Running, Stacks, used};
use crate::cluster::Cluster;
use crate::experiment::{Experiment, Load};
use crate::plan::{Pace, TrialStep};
use crate::progress::Progress;

/// How trials ended, over the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials on disk.
    pub saved: u32,
    /// Those that failed.
    pub failed: u32,
}

/// What lasts from one experiment to the next.
#[derive(Debug)]
pub struct Desk<'a> {
    /// Where trials are saved.
    pub dir: &'a RunDir,
    /// The generator.
    pub driver: &'a Driver,
    /// What the person at the terminal sees.
    pub progress: Progress,
    /// The next trial's number.
    pub sequence: u32,
    /// How trials ended so far.
    pub tally: Tally,
}

/// Measures one experiment.
#[derive(Debug)]
pub struct Measurer<'a, 'd> {
    /// What is measured.
    pub experiment: &'a Experiment,
    /// What a held rate means.
    pub slo: &'a Slo,
    /// The running stacks, and why some are not.
    pub stacks: &'a mut Stacks,
    /// Everything that lasts longer.
    pub desk: &'a mut Desk<'d>,
    /// Ends a trial at once.
    pub stop: CancellationToken,
}

/// A trial as measured, before its gates.
struct Measured {
    record: TrialRecord,
    histograms: HistogramSet,
    intervals: IntervalHistograms,
    infos: BTreeMap<String, serde_json::Value>,
}

#[async_trait]
impl Executor for Measurer<'_, '_> {
    async fn trial(&mut self, trial: &TrialStep) -> anyhow::Result<Seen> {
        let what =
            format!("{}: {} {}", self.experiment.id, trial.stack, purpose_word(trial.purpose));
        self.desk.progress.doing(&what);
        let record = self.blank(trial);
        let measured = match self.stacks.get_mut(&trial.stack) {
            Err(reason) => return self.hole(trial, &reason).await,
            Ok(stack) => {
                let request = drive_request(self.experiment, trial, stack)?;
                measure(record, trial, request, stack, self.desk.driver, &self.stop).await
            }
        };
        match measured {
            Ok(measured) => self.save(trial, measured),
            Err(_) if self.stop.is_cancelled() => Ok(Seen::default()),
            Err(error) => {
                self.hole(trial, &format!("{error:#}")).await?;
                Ok(Seen::default())
            }
        }
    }

    async fn hole(&mut self, trial: &TrialStep, reason: &str) -> anyhow::Result<Seen> {
        let mut record = self.blank(trial);
        record.outcome = Outcome::Failed { reason: reason.to_owned() };
        let nothing = (IntervalHistograms::default(), BTreeMap::new());
        self.write(&record, &nothing.0, &nothing.1)?;
        let first_line = reason.lines().next().unwrap_or_default();
        self.desk.progress.note(&format!("{} failed: {first_line}", record.id));
        Ok(Seen::default())
    }

    fn done(&mut self, estimate_ms: u64) {
        self.desk.progress.advance(estimate_ms);
    }
}

impl Measurer<'_, '_> {
    /// The record of a trial that has not run.
    fn blank(&self, trial: &TrialStep) -> TrialRecord {
        let (experiment, sequence) = (&self.experiment.id, self.desk.sequence);
        let purpose = purpose_word(trial.purpose);
        let rate_per_s = match trial.pace {
            Pace::Rate(rate) => rate,
            _ => 0.0,
        };
        TrialRecord {
            schema: TRIAL_SCHEMA.to_owned(),
            id: format!("{sequence:04}-{experiment}-{}-{purpose}", trial.stack),
            sequence,
            experiment: experiment.clone(),
            variant: trial.stack.variant.clone(),
            instance_count: trial.stack.count,
            purpose: trial.purpose,
            place: trial.place,
            search: trial.search,
            load: LoadRecord {
                schedule: driver_pace(trial.pace, &self.experiment.load).as_str().to_owned(),
                rate_per_s,
                duration_ms: trial.duration_ms,
                seed: trial.seed,
                mix: mix_of(&self.experiment.load, trial).clone(),
            },
            started_at_us: 0,
            outcome: Outcome::Completed,
            operations: BTreeMap::new(),
            generator: GeneratorRecord::default(),
            instances: Vec::new(),
            reconciliations: Vec::new(),
            counters: BTreeMap::new(),
            settings: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Passes the trial through its gates and saves it.
    fn save(&mut self, trial: &TrialStep, measured: Measured) -> anyhow::Result<Seen> {
        let Measured { mut record, histograms, intervals, infos } = measured;
        if let Some(reason) = nothing_answered(&record) {
            record.outcome = Outcome::Failed { reason };
        }
        let verdict = held(&record, &histograms, self.slo);
        let loaded = matches!(trial.purpose, Purpose::Level | Purpose::Capacity);
        // Rule 5: where the generator was the bottleneck, the stack was not measured.
        if loaded && verdict.gate == Gate::Generator {
            record.outcome = Outcome::Dropped { reason: verdict.why.clone() };
        }
        self.write(&record, &intervals, &infos)?;
        let throughput = throughput_per_s(&record, &histograms, self.slo);
        let words = in_words(&record, &histograms, self.slo, throughput, &verdict);
        match &record.outcome {
            Outcome::Completed => self.desk.progress.result(&words),
            Outcome::Failed { .. } | Outcome::Dropped { .. } => self.desk.progress.note(&words),
        }
        let usable = !matches!(verdict.gate, Gate::Outcome | Gate::Generator);
        Ok(Seen {
            throughput_per_s: (record.outcome == Outcome::Completed).then_some(throughput),
            held: (loaded && usable).then_some(verdict.held),
        })
    }

    fn write(
        &mut self,
        record: &TrialRecord,
        intervals: &IntervalHistograms,
        infos: &BTreeMap<String, serde_json::Value>,
    ) -> anyhow::Result<()> {
        self.desk
            .dir
            .write_trial(record, intervals, infos)
            .with_context(|| format!("could not save the trial {}", record.id))?;
        self.desk.sequence += 1;
        self.desk.tally.saved += 1;
        self.desk.tally.failed += u32::from(matches!(record.outcome, Outcome::Failed { .. }));
        Ok(())
    }
}

/// Runs one load between two looks at the servers.
async fn measure(
    mut record: TrialRecord,
    trial: &TrialStep,
    request: DriveRequest,
    stack: &mut Running,
    driver: &Driver,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let counters_before = counters_of(stack.infos().await.values());
    stack.enforce_budgets(trial.budgets)?;
    let usage_before = stack.usage().await;
    let measurement = driver.drive(request, stop.clone()).await?;
    let usage_after = stack.usage().await;
    stack.still_runs()?;
    // What an overloaded trial left behind must not spill into the next one, whichever that is.
    let rest = stack.rest(stop).await?;
    record.notes.extend(rest.note);
    let counters = grown(&counters_before, &counters_of(rest.infos.values()));
    let clients = Clients {
        answers_by_route: &measurement.answers_by_route,
        operations: &measurement.operations,
        histograms: &measurement.histograms,
    };
    let (reconciliations, note) = reconcile(&counters, &clients);
    record.notes.extend(note);
    record.notes.extend(measurement.notes);
    record.reconciliations = reconciliations;
    record.counters = counters;
    record.settings = Cluster::settings(&rest.infos);
    record.instances = used(&usage_before, usage_after, trial.budgets);
    record.load = LoadRecord { mix: record.load.mix, ..measurement.load };
    record.started_at_us = measurement.started_at_us;
    record.operations = measurement.operations;
    record.generator = measurement.generator;
    let (histograms, intervals) = (measurement.histograms, measurement.intervals);
    Ok(Measured { record, histograms, intervals, infos: rest.infos })
}

/// The words of the record for a purpose.
fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::WarmUp => "warm-up",
        Purpose::Probe => "probe",
        Purpose::Performance => "performance",
        Purpose::Aa => "aa",
        Purpose::Level => "level",
        Purpose::Capacity => "capacity",
    }
}

fn driver_pace(pace: Pace, load: &Load) -> driver::Pace {
    match pace {
        Pace::OneUser => driver::Pace::OneUser,
        Pace::Overdrive => driver::Pace::Users { count: load.probe_users },
        Pace::Rate(rate_per_s) | Pace::Fraction(rate_per_s) => driver::Pace::Poisson { rate_per_s },
    }
}

/// The one user of a performance trial may do other things than the many.
fn mix_of<'l>(load: &'l Load, trial: &TrialStep) -> &'l BTreeMap<String, f64> {
    match trial.purpose {
        Purpose::Performance | Purpose::Aa | Purpose::WarmUp => &load.one_user_mix,
        Purpose::Probe | Purpose::Level | Purpose::Capacity => &load.mix,
    }
}

/// The load of a trial as the driver wants it.
fn drive_request(
    experiment: &Experiment,
    trial: &TrialStep,
    stack: &Running,
) -> anyhow::Result<DriveRequest> {
    let load = &experiment.load;
    let operation = |name: &str| -> anyhow::Result<Operation> {
        let words = match name {
            "upload" => format!("upload:{}:{}", load.picture, load.filter),
            other => other.to_owned(),
        };
        words.parse().with_context(|| format!("the driver does not know the operation {words}"))
    };
    let mix = mix_of(load, trial);
    let mix = mix.iter().map(|(name, weight)| Ok((operation(name)?, *weight)));
    let beside = load.background.iter().map(|beside| {
        let pace = driver::Pace::Poisson { rate_per_s: beside.rate_per_s };
        Ok(Background { operation: operation(&beside.operation)?, pace })
    });
    // What goes on beside the mix belongs to the many: one user is alone.
    let beside = if trial.budgets { beside.collect::<anyhow::Result<_>>()? } else { Vec::new() };
    Ok(DriveRequest {
        mix: mix.collect::<anyhow::Result<_>>()?,
        duration: Duration::from_millis(trial.duration_ms),
        drain: Duration::from_millis(load.drain_ms),
        seed: trial.seed,
        in_flight_max: load.in_flight_max,
        connections_per_target_max: load.connections_per_target_max,
        request_timeout: Duration::from_millis(load.request_timeout_ms),
        verify_every: load.verify_every,
        background: beside,
        asset_rewrites: stack.asset_rewrites().to_vec(),
        hosts_allowed: stack.hosts_allowed(),
        name_by_region: !experiment.links.regions.is_empty(),
        ..DriveRequest::new(
            stack.targets().to_vec(),
            stack.population().clone(),
            driver_pace(trial.pace, load),
        )
    })
}

/// A trial in which nothing at all was answered failed; what was seen instead is the reason.
fn nothing_answered(record: &TrialRecord) -> Option<String> {
    let answered: u64 = record.operations.values().map(|operation| operation.ok_count).sum();
    let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in record.operations.values().flat_map(|operation| &operation.errors) {
        *errors.entry(kind).or_default() += count;
    }
    let timeouts_only = errors.keys().all(|kind| *kind == "timeout");
    // Too slow for every deadline is overload, which a search must learn as "not held".
    if answered > 0 || (timeouts_only && !errors.is_empty()) {
        return None;
    }
    let kinds: Vec<String> =
        errors.iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    let seen = if kinds.is_empty() { "nothing was sent".to_owned() } else { kinds.join(", ") };
    Some(format!("no request was answered: {seen}"))
}

/// What the objective counts, per second of the trial's wall clock.
fn throughput_per_s(record: &TrialRecord, histograms: &HistogramSet, slo: &Slo) -> f64 {
    let count = match slo.clock {
        Clock::PlannedFinished => merge_operations(histograms, &slo.operations, slo.clock).len(),
        _ => record
            .operations
            .iter()
            .filter(|(name, _)| reports::capacity::judges(&slo.operations, name))
            .map(|(_, operation)| operation.ok_count)
            .sum(),
    };
    let wall_us = record.generator.wall_us.max(1);
    count as f64 * 1e6 / wall_us as f64
}

/// One line about a trial.
fn in_words(
    record: &TrialRecord,
    histograms: &HistogramSet,
    slo: &Slo,
    throughput_per_s: f64,
    verdict: &reports::capacity::Held,
) -> String {
    let id = &record.id;
    match (&record.outcome, record.purpose) {
        (Outcome::Failed { reason }, _) => format!("{id} failed: {reason}"),
        (Outcome::Dropped { reason }, _) => format!("{id} dropped: {reason}"),
        (_, Purpose::Level | Purpose::Capacity) => {
            let word = if verdict.held { "held" } else { "not held" };
            format!("{id} {:.1}/s {word}: {}", record.load.rate_per_s, verdict.why)
        }
        (_, Purpose::Performance | Purpose::Aa) => {
            let all = merge_operations(histograms, &slo.operations, Clock::PlannedLast);
            let median_ms = all.value_at_quantile(0.5) as f64 / 1_000.0;
            format!("{id} median {median_ms:.2} ms of {}", all.len())
        }
        (_, Purpose::WarmUp | Purpose::Probe) => format!("{id} {throughput_per_s:.1}/s"),
    }
}
