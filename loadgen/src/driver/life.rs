//! What one request goes through: due, begun or dropped, answered, recorded, followed up, entered in the books; and the
//! two loops that begin requests: the open one by the schedule, the closed one after the last answer.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::books::close;
use super::choice::Choice;
use super::exchange::{Fault, Tally};
use super::operation::{Done, FollowUp, Performance};
use super::timer::StartTimer;
use super::trial::Trial;
use crate::record_io::LATENCY_MAX_US;
use crate::recorder::Moments;
use crate::schedule::Schedule;

/// A send later than this is counted as late.
const LATE: Duration = Duration::from_millis(1);
/// Starts in a row without letting anything else run, when the driver is behind its schedule.
const STARTS_AT_ONCE: u32 = 32;
/// A person who cannot connect tries again after this; without it a closed loop would spin.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Wrong bodies that are described in the notes.
const NOTES_MAX: usize = 5;

/// A request that has begun.
struct Begun {
    stream: usize,
    index: u64,
    planned: Instant,
    choice: Choice,
    /// The place of its book.
    book: usize,
}

impl Trial {
    /// Begins requests when the schedule says so, whatever the server does.
    pub(super) async fn open_loop(
        self: Rc<Self>,
        stream: usize,
        schedule: Schedule,
    ) -> io::Result<()> {
        let mut timer = StartTimer::new()?;
        let mut in_a_row = 0;
        let starts = schedule.starts(self.streams[stream].seed, self.request.duration);
        for (index, start) in (0..).zip(starts) {
            let planned = self.origin + start;
            if planned > Instant::now() {
                timer.wait_until(planned).await?;
                in_a_row = 0;
            } else if in_a_row >= STARTS_AT_ONCE {
                tokio::task::yield_now().await;
                in_a_row = 0;
            }
            in_a_row += 1;
            let begun = self.plan(stream, index, planned);
            if self.flight.count() >= u64::from(self.request.in_flight_max) {
                self.books.borrow_mut()[begun.book].record.dropped_count += 1;
                continue;
            }
            self.flight.begin(Instant::now());
            self.open.set(self.open.get() + 1);
            let trial = self.clone();
            tokio::task::spawn_local(async move { trial.live(begun).await });
        }
        Ok(())
    }

    /// One person: the next request begins when the last one has ended. The persons of a stream share the indices.
    pub(super) async fn closed_loop(
        self: Rc<Self>,
        stream: usize,
        next: Rc<Cell<u64>>,
    ) -> io::Result<()> {
        let mut timer = StartTimer::new()?;
        timer.wait_until(self.origin).await?;
        let last_start = self.origin + self.request.duration;
        loop {
            let planned = Instant::now();
            if planned >= last_start {
                return Ok(());
            }
            let index = next.replace(next.get() + 1);
            let begun = self.plan(stream, index, planned);
            self.flight.begin(planned);
            self.open.set(self.open.get() + 1);
            if self.live(begun).await == Some(Fault::Connect) {
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
        }
    }

    /// Looks up what a request will be and enters its planned start.
    fn plan(&self, stream: usize, index: u64, planned: Instant) -> Begun {
        let of = &self.streams[stream];
        let choice = of.choices.of(index, &self.request.population);
        let book = of.books[choice.operation][choice.target];
        self.books.borrow_mut()[book].record.planned_count += 1;
        if stream == 0 {
            self.begun.set(self.begun.get() + 1);
        }
        Begun { stream, index, planned, choice, book }
    }

    /// From the first send to the closed book; gives what went wrong.
    async fn live(&self, begun: Begun) -> Option<Fault> {
        let planned = begun.planned;
        let late = Instant::now().saturating_duration_since(planned);
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX).min(LATENCY_MAX_US);
        self.lateness.borrow_mut().record(late_us).expect("the histogram grows");
        let every = u64::from(self.request.verify_every);
        let tally = Tally::default();
        let performance = Performance {
            trial: self,
            choice: begun.choice,
            deep: every > 0 && begun.index.is_multiple_of(every),
            tally: &tally,
        };
        let operation = &self.streams[begun.stream].operations[begun.choice.operation];
        let deadline = self.end.min(planned + self.request.request_timeout);
        let answered = timeout_at(deadline.into(), performance.perform(operation)).await;
        let now = Instant::now();
        self.flight.end(now);
        self.last_answer.set(now);
        let verified = matches!(&answered, Ok(Ok(done)) if done.verified);
        let ended = match answered.unwrap_or(Err(Fault::Timeout)) {
            Ok(done) => {
                self.record(&begun, &tally, &done);
                self.follow_up(&begun, &performance, done.follow_up).await
            }
            Err(fault) => Err(fault),
        };
        let fault = ended.err();
        {
            let mut books = self.books.borrow_mut();
            let record = &mut books[begun.book].record;
            record.late_count += u64::from(late > LATE);
            record.verified_count += u64::from(verified && fault.is_none());
            close(record, &tally, fault);
        }
        self.note(&begun, fault);
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.all_closed.notify_one();
        }
        fault
    }

    /// Counts one question whether a photo is finished.
    pub(super) fn count_poll(&self, tally: &Tally, fault: Option<Fault>) {
        let mut polls = self.polls.borrow_mut();
        polls.planned_count += 1;
        close(&mut polls, tally, fault);
    }

    /// Records a correct answer.
    fn record(&self, begun: &Begun, tally: &Tally, done: &Done) {
        let since_origin = |moment: Instant| moment.saturating_duration_since(self.origin);
        let moments = Moments {
            planned: since_origin(begun.planned),
            sent: since_origin(tally.sent.get().unwrap_or(begun.planned)),
            first_byte: since_origin(done.first_byte),
            last_byte: since_origin(done.last_byte),
        };
        let key = self.books.borrow()[begun.book].key;
        self.recorder.borrow_mut().record(key, &moments);
    }

    /// Does what follows an answer, until the end of the drain at the latest.
    async fn follow_up(
        &self,
        begun: &Begun,
        performance: &Performance<'_>,
        follow_up: FollowUp,
    ) -> Result<(), Fault> {
        if matches!(follow_up, FollowUp::None) {
            return Ok(());
        }
        // Counted apart: what is asked afterwards is not a part of the operation.
        let own = Tally::default();
        let after = Performance { tally: &own, ..*performance };
        // Rare, and its state is large: boxed, so that every request stays small.
        let followed = timeout_at(self.end.into(), Box::pin(after.follow_up(follow_up))).await;
        if let Some(ready_at_us) = followed.unwrap_or(Err(Fault::NotFinished))? {
            let planned = begun.planned.saturating_duration_since(self.origin);
            let planned_at_us = self.started_at_us + planned.as_micros() as u64;
            let took = Duration::from_micros(ready_at_us.saturating_sub(planned_at_us));
            let key = self.books.borrow()[begun.book].key;
            self.recorder.borrow_mut().record_finished(key, planned, took);
        }
        Ok(())
    }

    /// The first wrong bodies are described: a count alone does not tell what to look at.
    fn note(&self, begun: &Begun, fault: Option<Fault>) {
        let Some(Fault::WrongBody(what)) = fault else { return };
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX {
            let name = &self.books.borrow()[begun.book].name;
            notes.push(format!("Wrong body: {name}, request {}: {what}.", begun.index));
        }
    }
}
