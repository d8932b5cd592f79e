//! Ctrl-C and SIGTERM. The first one asks: the trial is cancelled, the clusters are stopped in order, what was saved is
//! reported. The second one insists: the command is dropped where it stands, and dropping kills what it started.

use std::future::Future;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a command that was interrupted: 128 + SIGINT, as shells have it.
pub const EXIT_CODE: u8 = 130;

/// Runs a command that stops when its token is cancelled. None when it had to be dropped.
pub async fn interruptible<T, F: Future<Output = T>>(
    command: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<Option<T>> {
    let mut interrupts = signal(SignalKind::interrupt()).context("could not listen for Ctrl-C")?;
    let mut terminations =
        signal(SignalKind::terminate()).context("could not listen for SIGTERM")?;
    let stop = CancellationToken::new();
    let mut command = std::pin::pin!(command(stop.clone()));
    loop {
        tokio::select! {
            output = &mut command => return Ok(Some(output)),
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        if stop.is_cancelled() {
            eprintln!("lightmeter: stopped at once");
            return Ok(None);
        }
        eprintln!("lightmeter: stopping in order; once more to stop at once");
        stop.cancel();
    }
}
