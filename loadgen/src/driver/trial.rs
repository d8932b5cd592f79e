//! One trial: sets it up, runs its streams of requests, waits for what is open, and sums up. What one request goes
//! through is in `life`, the counts are in `books`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use http::HeaderValue;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::books::{Book, Flight};
use super::choice::{Choices, stream_seed};
use super::exchange::Routes;
use super::pictures::UploadForms;
use super::placement::thread_cpu;
use super::pool::{Pool, Pools};
use super::types::{DriveError, DriveRequest, Measurement, Operation, Pace};
use crate::record::{GeneratorRecord, LoadRecord, OperationRecord};
use crate::record_io::new_histogram;
use crate::recorder::Recorder;

/// The first start lies this far ahead, so that it is not late by the preparations.
const LEAD: Duration = Duration::from_millis(2);

/// A stream of requests: the main load or one in the background.
pub(super) struct Stream {
    pub(super) operations: Vec<Operation>,
    /// By operation and target: the place of its book.
    pub(super) books: Vec<Vec<usize>>,
    pub(super) pace: Pace,
    pub(super) seed: u64,
    pub(super) choices: Choices,
}

/// A trial in progress.
pub(super) struct Trial {
    pub(super) request: DriveRequest,
    pub(super) pools: Rc<Pools>,
    pub(super) target_pools: Vec<Rc<Pool>>,
    pub(super) forms: Rc<RefCell<UploadForms>>,
    pub(super) routes: Routes,
    cookies: Vec<Option<HeaderValue>>,
    pub(super) streams: Vec<Stream>,
    pub(super) books: RefCell<Vec<Book>>,
    pub(super) polls: RefCell<OperationRecord>,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) lateness: RefCell<Histogram<u64>>,
    pub(super) notes: RefCell<Vec<String>>,
    pub(super) flight: Flight,
    /// Requests of the main load so far.
    pub(super) begun: Cell<u64>,
    /// Requests whose books are not closed: in flight or being followed up.
    pub(super) open: Cell<u64>,
    pub(super) all_closed: Notify,
    /// The first moment; planned starts count from it.
    pub(super) origin: Instant,
    /// The same in Unix microseconds.
    pub(super) started_at_us: u64,
    /// Nothing is waited for beyond this.
    pub(super) end: Instant,
    pub(super) last_answer: Cell<Instant>,
}

/// What a trial needs from its driver.
pub(super) struct Equipment {
    pub(super) pools: Rc<Pools>,
    pub(super) target_pools: Vec<Rc<Pool>>,
    pub(super) forms: Rc<RefCell<UploadForms>>,
    pub(super) cookies: Vec<Option<HeaderValue>>,
}

/// The operations and weights of each stream: the main load first.
fn stream_mixes(request: &DriveRequest) -> Vec<(Vec<(Operation, f64)>, Pace)> {
    let background =
        request.background.iter().map(|load| (vec![(load.operation.clone(), 1.0)], load.pace));
    std::iter::once((request.mix.clone(), request.pace)).chain(background).collect()
}

fn choices(request: &DriveRequest, stream: usize, mix: &[(Operation, f64)], pace: Pace) -> Choices {
    let weights: Vec<f64> = mix.iter().map(|(_, weight)| *weight).collect();
    let seed = stream_seed(request.seed, stream as u64);
    let choices = Choices::new(seed, &weights, request.targets.len(), request.people_max as usize);
    if matches!(pace, Pace::OneUser) { choices.in_turns() } else { choices }
}

/// The streams with a book for every name that an operation can have.
fn streams(request: &DriveRequest, books: &mut Vec<Book>, recorder: &mut Recorder) -> Vec<Stream> {
    let mut place = |operation: &Operation, region: &str| {
        let mut name = operation.as_str().to_owned();
        if request.name_by_region {
            name = format!("{name}.{region}");
        }
        books.iter().position(|book| book.name == name).unwrap_or_else(|| {
            let key = recorder.operation(&name);
            books.push(Book { name, key, record: OperationRecord::default() });
            books.len() - 1
        })
    };
    let mut of_operation = |operation: &Operation| -> Vec<usize> {
        request.targets.iter().map(|target| place(operation, &target.region)).collect()
    };
    let mixes = stream_mixes(request).into_iter().enumerate();
    let streams = mixes.map(|(index, (mix, pace))| Stream {
        books: mix.iter().map(|(operation, _)| of_operation(operation)).collect(),
        choices: choices(request, index, &mix, pace),
        operations: mix.into_iter().map(|(operation, _)| operation).collect(),
        pace,
        seed: stream_seed(request.seed, index as u64),
    });
    streams.collect()
}

/// The people whose requests this trial will make: from the schedule for open loops; for closed ones, whose length is
/// not known, everyone who may take part.
pub(super) fn people_needed(request: &DriveRequest) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let population = &request.population;
    let people_max = population.people.len().min(request.people_max as usize);
    for (stream, (mix, pace)) in stream_mixes(request).iter().enumerate() {
        let personal = |operation: &Operation| !matches!(operation, Operation::Get(_));
        if !mix.iter().any(|(operation, _)| personal(operation)) {
            continue;
        }
        let Some(schedule) = pace.schedule() else {
            needed.extend(0..people_max);
            continue;
        };
        let choices = choices(request, stream, mix, *pace);
        let count =
            schedule.starts(stream_seed(request.seed, stream as u64), request.duration).count();
        for index in 0..count as u64 {
            let choice = choices.of(index, population);
            if personal(&mix[choice.operation].0) {
                needed.extend(choice.person);
            }
        }
    }
    needed
}

impl Trial {
    /// Sets a trial up; it begins with [`Trial::run`], which is to be called at once.
    pub(super) fn new(request: DriveRequest, equipment: Equipment) -> Self {
        let (origin, started) = (Instant::now() + LEAD, SystemTime::now() + LEAD);
        let mut recorder = Recorder::new();
        let mut books: Vec<Book> = Vec::new();
        let streams = streams(&request, &mut books, &mut recorder);
        Self {
            end: origin + request.duration + request.drain,
            request,
            pools: equipment.pools,
            target_pools: equipment.target_pools,
            forms: equipment.forms,
            cookies: equipment.cookies,
            streams,
            books: RefCell::new(books),
            polls: RefCell::default(),
            recorder: RefCell::new(recorder),
            lateness: RefCell::new(new_histogram()),
            routes: Routes::default(),
            notes: RefCell::default(),
            flight: Flight::new(origin),
            begun: Cell::new(0),
            open: Cell::new(0),
            all_closed: Notify::new(),
            origin,
            started_at_us: started
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_micros() as u64),
            last_answer: Cell::new(origin),
        }
    }

    /// Runs until everything is answered, at the latest to the end of the drain. Must be called in a `LocalSet`.
    pub(super) async fn run(self) -> Result<Measurement, DriveError> {
        let trial = Rc::new(self);
        let cpu_before = thread_cpu();
        let mut loops: JoinSet<io::Result<()>> = JoinSet::new();
        for stream in 0..trial.streams.len() {
            let pace = trial.streams[stream].pace;
            if let Some(schedule) = pace.schedule() {
                loops.spawn_local(trial.clone().open_loop(stream, schedule));
                continue;
            }
            let next = Rc::new(Cell::new(0));
            let user_count = if let Pace::Users { count } = pace { count } else { 1 };
            for _ in 0..user_count {
                loops.spawn_local(trial.clone().closed_loop(stream, next.clone()));
            }
        }
        while let Some(ended) = loops.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(io::Error::other(error)));
            ended
                .map_err(|source| DriveError::System { attempted: "keep its schedule", source })?;
        }
        while trial.open.get() > 0 {
            trial.all_closed.notified().await;
        }
        trial.sum_up(thread_cpu().saturating_sub(cpu_before))
    }

    /// The cookie of a person.
    pub(super) fn cookie(&self, person: usize) -> Option<HeaderValue> {
        self.cookies.get(person).cloned().flatten()
    }

    fn sum_up(&self, cpu: Duration) -> Result<Measurement, DriveError> {
        let recorded = self.recorder.take().finish()?;
        let mut operations: BTreeMap<String, OperationRecord> =
            self.books.take().into_iter().map(|book| (book.name, book.record)).collect();
        let polls = self.polls.take();
        if polls.planned_count > 0 {
            operations.insert("status".to_owned(), polls);
        }
        let mut notes = self.notes.take();
        for (name, count) in recorded.saturated {
            notes.push(format!(
                "{count} of {name} took longer than ten minutes, the most that is recorded."
            ));
        }
        let wall = self.last_answer.get().saturating_duration_since(self.origin);
        let wall = if wall.is_zero() { self.request.duration } else { wall };
        let lateness = self.lateness.borrow();
        let generator = GeneratorRecord {
            cpu_us: cpu.as_micros() as u64,
            cpu_share: cpu.as_secs_f64() / wall.as_secs_f64(),
            lateness_p50_us: lateness.value_at_quantile(0.5),
            lateness_p99_us: lateness.value_at_quantile(0.99),
            lateness_max_us: lateness.max(),
            in_flight_mean: self.flight.mean(wall),
            in_flight_max: self.flight.most(),
            wall_us: wall.as_micros() as u64,
        };
        let histograms = recorded.intervals.merged();
        Ok(Measurement {
            load: self.load(wall),
            operations,
            histograms,
            intervals: recorded.intervals,
            generator,
            started_at_us: self.started_at_us,
            answers_by_route: self
                .routes
                .take()
                .into_iter()
                .map(|(route, count)| (route.to_owned(), count))
                .collect(),
            notes,
        })
    }

    fn load(&self, wall: Duration) -> LoadRecord {
        let request = &self.request;
        let rate_per_s = match request.pace.schedule() {
            Some(schedule) => schedule.mean_rate_per_s(request.duration),
            None => self.begun.get() as f64 / wall.as_secs_f64(),
        };
        let mut mix = BTreeMap::new();
        for (operation, weight) in &request.mix {
            *mix.entry(operation.to_string()).or_default() += weight;
        }
        LoadRecord {
            schedule: request.pace.as_str().to_owned(),
            rate_per_s,
            duration_ms: request.duration.as_millis() as u64,
            seed: request.seed,
            mix,
        }
    }
}
