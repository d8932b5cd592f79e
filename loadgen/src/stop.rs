//! The signals that ask a program to end. A closed terminal (SIGHUP) asks as Ctrl-C does, so that nothing is left half done; `nohup` says
//! that it shall not, and is obeyed.

use std::io;

use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for some signals.
#[derive(Debug)]
pub struct StopSignals {
    signals: Vec<Signal>,
}

impl StopSignals {
    /// Ctrl-C, SIGTERM and the end of the terminal. Must be called in a runtime.
    pub fn all() -> io::Result<Self> {
        Self::listen(&[SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()])
    }

    /// SIGTERM and the end of the terminal, for programs in which somebody else listens for Ctrl-C.
    pub fn without_interrupts() -> io::Result<Self> {
        Self::listen(&[SignalKind::terminate(), SignalKind::hangup()])
    }

    fn listen(kinds: &[SignalKind]) -> io::Result<Self> {
        let kinds = kinds.iter().filter(|kind| **kind != SignalKind::hangup() || !hangup_ignored());
        Ok(Self { signals: kinds.map(|kind| signal(*kind)).collect::<io::Result<_>>()? })
    }

    /// The next signal.
    pub async fn next(&mut self) {
        select_all(self.signals.iter_mut().map(|one| Box::pin(one.recv()))).await;
    }
}

/// Whether this program was started to outlive its terminal. Only Linux tells a process what it ignores; elsewhere `nohup` is not heard.
fn hangup_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Bit 0 of the mask stands for signal 1, which is SIGHUP.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_tells_nohup() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("Name:\tx\nSigIgn:\t0000000000001000\nSigCgt:\t1\n"));
        assert!(!ignores_hangup("Name:\tx\n"));
    }
}
