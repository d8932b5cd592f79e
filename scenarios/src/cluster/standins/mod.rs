//! Local programs that speak a cloud service's API, so that the real clients can be measured without the cloud.
//!
//! Each runs as a process of its own (`lightmeter standin ...`), so that its CPU is accounted apart. They cannot show the real services'
//! latency, replication or scale: every chart that rests on one is stamped SIMULATED.

pub mod dynamodb;
pub mod s3;
mod s3_cors;
mod s3_counters;
pub mod s3_disk;
mod s3_listing;
mod s3_service;
mod s3_uploads;
pub mod sqs;
mod sqs_api;
mod sqs_log;
mod sqs_queue;
pub mod sqs_service;

use std::io::{self, Write};
use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Where every stand-in shows its counters.
pub const INFO_PATH: &str = "/__lightmeter/info.json";

/// Tells the parent process, on standard output, that connections are accepted from now on.
pub(crate) fn announce(address: SocketAddr) -> io::Result<()> {
    let line = serde_json::json!({ "listening": address.to_string() });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A token that is cancelled by SIGTERM or SIGINT.
pub(crate) fn stop_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}
