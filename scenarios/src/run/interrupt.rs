//! Ctrl-C, SIGTERM and a terminal that is closed. The first one asks: the trial is cancelled, the clusters are stopped in order, what was saved is
//! reported. The second one insists: the command is dropped where it stands, and dropping kills what it started.

use std::future::Future;

use anyhow::Context;
use loadgen::stop::StopSignals;
use tokio_util::sync::CancellationToken;

use crate::cli::tell;

/// The exit code of a command that was interrupted: 128 + SIGINT, as shells have it.
pub const EXIT_CODE: u8 = 130;

/// Runs a command that stops when its token is cancelled. None when it had to be dropped.
pub async fn interruptible<T, F: Future<Output = T>>(
    command: impl FnOnce(CancellationToken) -> F,
) -> anyhow::Result<Option<T>> {
    let mut signals = StopSignals::all().context("could not listen for Ctrl-C and SIGTERM")?;
    let stop = CancellationToken::new();
    let mut command = std::pin::pin!(command(stop.clone()));
    loop {
        tokio::select! {
            output = &mut command => return Ok(Some(output)),
            () = signals.next() => {}
        }
        if stop.is_cancelled() {
            tell("lightmeter: stopped at once");
            return Ok(None);
        }
        tell("lightmeter: stopping in order; once more to stop at once");
        stop.cancel();
    }
}
