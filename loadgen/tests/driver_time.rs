//! Does the driver tell the truth about time? Against servers whose every delay is known.

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use loadgen::driver::{DriveRequest, Driver, Measurement, Operation, Pace, Placement};
use loadgen::record::Clock;
use loadgen::record_io::merge_operations;
use loadgen::schedule::Schedule;
use tokio_util::sync::CancellationToken;

use support::{Reply, Server, drive_request};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

async fn drive(request: DriveRequest) -> Measurement {
    let driver = Driver::start(Placement { core: None, raised_priority: true }).expect("a driver");
    driver.drive(request, CancellationToken::new()).await.expect("a measurement")
}

fn quantile_ms(measurement: &Measurement, clock: Clock, quantile: f64) -> f64 {
    let merged = merge_operations(&measurement.histograms, &[], clock);
    merged.value_at_quantile(quantile) as f64 / 1_000.0
}

fn exact_quantile(mut values: Vec<f64>, quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((quantile * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1]
}

/// Acceptance check 3. A server stops for 2 s; what the people of the schedule would have waited is known from the
/// schedule alone. A generator that waits for answers before it sends would report a p99 of a few milliseconds.
#[tokio::test]
async fn a_frozen_server_is_reported_as_the_schedule_says() {
    let frozen: Arc<Mutex<Option<Instant>>> = Arc::default();
    let window = frozen.clone();
    let server = Server::start(move |_| {
        // Frozen from 2 s to 4 s after the first request.
        let first = *window.lock().expect("not poisoned").get_or_insert_with(Instant::now);
        let since = first.elapsed();
        let wait = if since > ms(2_000) { ms(4_000).saturating_sub(since) } else { Duration::ZERO };
        Reply { delay_head: wait, ..Reply::ok("x") }
    });
    let mut request = drive_request(&server, Pace::Poisson { rate_per_s: 200.0 });
    request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
    request.duration = ms(6_000);
    let (seed, duration) = (request.seed, request.duration);
    let measurement = drive(request).await;

    let starts: Vec<Duration> = Schedule::poisson(200.0).starts(seed, duration).collect();
    let origin = UNIX_EPOCH + Duration::from_micros(measurement.started_at_us);
    let first = frozen.lock().expect("not poisoned").expect("it was asked");
    let first = SystemTime::now() - first.elapsed();
    let offset = first.duration_since(origin).unwrap_or_default();
    let waits = starts.iter().map(|start| {
        let since = start.saturating_sub(offset);
        if since > ms(2_000) { ms(4_000).saturating_sub(since).as_secs_f64() * 1e3 } else { 0.0 }
    });
    let truth: Vec<f64> = waits.collect();
    let record = &measurement.operations["get"];
    assert_eq!(record.ok_count, starts.len() as u64, "{record:?}");
    for quantile in [0.9, 0.95, 0.99] {
        let expected = exact_quantile(truth.clone(), quantile);
        let reported = quantile_ms(&measurement, Clock::PlannedLast, quantile);
        assert!(
            (reported - expected).abs() <= 0.1 * expected,
            "p{quantile}: reported {reported} ms, true {expected} ms"
        );
    }
}

/// Acceptance check 4. The first and the last byte are told apart; compared with what the server itself saw, so that
/// its own oversleeping on a busy machine is not blamed on the driver.
#[tokio::test]
async fn first_and_last_byte_are_timed_as_programmed() {
    for (head, body) in [(0, 0), (3, 0), (20, 60), (150, 0), (0, 400)] {
        let server = Server::start(move |_| Reply {
            delay_head: ms(head),
            delay_body: ms(body),
            ..Reply::ok(vec![7; 2_000])
        });
        let mut request = drive_request(&server, Pace::Poisson { rate_per_s: 150.0 });
        request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
        request.duration = ms(1_000);
        let measurement = drive(request).await;
        let seen = std::mem::take(&mut server.log.lock().expect("not poisoned").seen);
        let first = seen.iter().map(|seen| seen.first.as_secs_f64() * 1e3).collect::<Vec<_>>();
        let last = seen.iter().map(|seen| seen.last.as_secs_f64() * 1e3).collect::<Vec<_>>();
        // Between the server's clock and the driver's lies the scheduler, whose delays reach a tenth of the requests on a busy machine. A wrong
        // clock would be off by the programmed 20, 60, 150 or 400 ms.
        for (quantile, slack_ms) in [(0.5, 2.0), (0.9, 10.0)] {
            for (clock, truth) in [(Clock::SentFirst, &first), (Clock::SentLast, &last)] {
                let expected = exact_quantile(truth.clone(), quantile);
                let reported = quantile_ms(&measurement, clock, quantile);
                assert!(
                    (reported - expected).abs() <= 0.02 * expected + slack_ms,
                    "{head} + {body} ms, {clock:?} p{quantile}: {reported}, the server saw {expected}"
                );
            }
        }
    }
}

/// With one connection, requests wait in a queue; their latency counts the wait, the time since the send does not.
#[tokio::test]
async fn waiting_for_a_connection_counts_from_the_planned_start() {
    let server = Server::start(|_| Reply { delay_head: ms(20), ..Reply::ok("x") });
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 100.0 });
    request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
    request.duration = ms(1_000);
    request.connections_per_target_max = 1;
    let measurement = drive(request).await;
    assert_eq!(measurement.operations["get"].ok_count, 100);
    assert_eq!(server.log.lock().expect("not poisoned").connection_count, 1);
    // 100 requests of at least 20 ms one after the other: the last waited for at least 1 s of work beyond its start.
    assert!(quantile_ms(&measurement, Clock::PlannedLast, 1.0) >= 1_000.0);
    let sent = quantile_ms(&measurement, Clock::SentLast, 0.5);
    let planned = quantile_ms(&measurement, Clock::PlannedLast, 0.5);
    assert!(sent * 5.0 < planned, "sent {sent} ms, planned {planned} ms");
}

/// Little's law: requests in flight, counted apart, equal rate x mean latency.
#[tokio::test]
async fn requests_in_flight_obey_littles_law() {
    let server = Server::start(|_| Reply { delay_head: ms(30), ..Reply::ok("x") });
    let mut request = drive_request(&server, Pace::Poisson { rate_per_s: 300.0 });
    request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
    request.duration = ms(1_500);
    let measurement = drive(request).await;
    let merged: Histogram<u64> = merge_operations(&measurement.histograms, &[], Clock::PlannedLast);
    let rate = merged.len() as f64 / measurement.generator.wall_us as f64;
    let expected = rate * merged.mean();
    let counted = measurement.generator.in_flight_mean;
    assert!((counted / expected - 1.0).abs() < 0.05, "counted {counted}, rate x time {expected}");
}
