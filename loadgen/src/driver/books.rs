//! The counts of a trial. Every planned start ends in exactly one column: ok, an error, or dropped.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::exchange::{Fault, Tally};
use crate::record::OperationRecord;
use crate::recorder::OperationKey;

/// The counts of one operation's name.
pub(super) struct Book {
    pub(super) name: String,
    pub(super) key: OperationKey,
    pub(super) record: OperationRecord,
}

/// Enters what a request caused and how it ended.
pub(super) fn close(record: &mut OperationRecord, tally: &Tally, fault: Option<Fault>) {
    record.sent_count += u64::from(tally.sent.get().is_some());
    record.http_count += tally.http_count.get();
    record.body_bytes += tally.body_bytes.get();
    match fault {
        None => record.ok_count += 1,
        Some(fault) => *record.errors.entry(fault.kind()).or_default() += 1,
    }
}

/// Requests begun and not ended, over time. Its mean must equal rate x mean latency (Little's law); it is kept
/// apart from the latencies, so that the comparison can fail.
pub(super) struct Flight {
    count: Cell<u64>,
    most: Cell<u64>,
    /// The integral of the count over time, in requests x nanoseconds.
    area: Cell<u128>,
    changed: Cell<Instant>,
}

impl Flight {
    /// Nothing in flight from `origin` on.
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            count: Cell::new(0),
            most: Cell::new(0),
            area: Cell::new(0),
            changed: Cell::new(origin),
        }
    }

    /// Requests in flight now.
    pub(super) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Most requests in flight so far.
    pub(super) fn most(&self) -> u64 {
        self.most.get()
    }

    /// A request begins.
    pub(super) fn begin(&self, now: Instant) {
        self.advance(now);
        self.count.set(self.count.get() + 1);
        self.most.set(self.most.get().max(self.count.get()));
    }

    /// A request ends.
    pub(super) fn end(&self, now: Instant) {
        self.advance(now);
        self.count.set(self.count.get() - 1);
    }

    /// The mean over `wall`.
    pub(super) fn mean(&self, wall: Duration) -> f64 {
        self.area.get() as f64 / wall.as_nanos().max(1) as f64
    }

    fn advance(&self, now: Instant) {
        let passed = now.saturating_duration_since(self.changed.get()).as_nanos();
        self.area.set(self.area.get() + passed * u128::from(self.count.get()));
        self.changed.set(self.changed.get().max(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_in_flight_is_weighted_by_time() {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        let flight = Flight::new(origin);
        flight.begin(at(0));
        flight.begin(at(10));
        flight.end(at(30));
        flight.end(at(40));
        // One for 20 ms, two for 20 ms.
        assert!((flight.mean(Duration::from_millis(40)) - 1.5).abs() < 1e-9);
        assert_eq!((flight.count(), flight.most()), (0, 2));
    }
}
