//! Waits for a planned start. On Linux by a timerfd, which wakes within some tens of microseconds; tokio's own
//! timer rounds up to the next millisecond (p99 of 1.8 ms at any rate), so it serves only where there is no timerfd.

use std::io;
use std::time::Instant;

#[cfg(target_os = "linux")]
pub(super) use self::linux::StartTimer;
#[cfg(not(target_os = "linux"))]
pub(super) use self::portable::StartTimer;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{Instant, io};

    /// One timer; each stream of requests has its own.
    pub(crate) struct StartTimer {
        timer: AsyncFd<OwnedFd>,
    }

    impl StartTimer {
        /// Makes a timer on the current runtime.
        #[expect(
            deprecated,
            reason = "the replacement is unsafe; what it demands - one open descriptor, always the same - is \
                      what OwnedFd guarantees"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self { timer: AsyncFd::with_interest(timer, Interest::READABLE)? })
        }

        /// Returns at `due` or as soon after it as the machine can; at once when it has passed.
        pub(crate) async fn wait_until(&mut self, due: Instant) -> io::Result<()> {
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                // Setting the timer also forgets an expiry that was never read: readiness is
                // edge-triggered, so clearing it here and not reading the count saves a system call.
                let at = Timespec {
                    tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: left.subsec_nanos().into(),
                };
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                let setting = Itimerspec { it_interval: zero, it_value: at };
                timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
                self.timer.readable().await?.clear_ready();
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use super::{Instant, io};

    /// One timer; each stream of requests has its own.
    pub(crate) struct StartTimer;

    impl StartTimer {
        /// Makes a timer on the current runtime.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns within about two milliseconds after `due`; at once when it has passed.
        pub(crate) async fn wait_until(&mut self, due: Instant) -> io::Result<()> {
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_never_returns_early_and_can_be_used_again() {
        let mut timer = StartTimer::new().expect("a timer");
        for microseconds in [0, 1, 300, 2_000, 5_000, 10] {
            let due = Instant::now() + Duration::from_micros(microseconds);
            timer.wait_until(due).await.expect("the timer fires");
            assert!(Instant::now() >= due);
        }
    }
}
