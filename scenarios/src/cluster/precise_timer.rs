//! A timer that wakes within tens of microseconds; the runtime's own knows whole milliseconds only.
//!
//! On Linux it is a timer file descriptor of the kernel, waited for like a socket. Elsewhere the runtime's
//! timer serves, and links there are accurate to a millisecond or two.

use std::io;
use std::time::{Duration, Instant};

/// Closer than this is now: waking up takes about as long.
const NOW: Duration = Duration::from_micros(20);

/// One timer, for one waiter at a time.
#[derive(Debug)]
pub struct PreciseTimer {
    #[cfg(target_os = "linux")]
    fd: tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl PreciseTimer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<PreciseTimer> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd never changes its fd")]
        let fd = tokio::io::unix::AsyncFd::new(fd)?;
        Ok(PreciseTimer { fd })
    }

    /// Waits until this moment; returns at once when it has passed.
    ///
    /// # Errors
    /// The kernel refused the timer.
    pub async fn until(&mut self, moment: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if left <= NOW {
                return Ok(());
            }
            let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
            let value = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
            let interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let setting = Itimerspec { it_interval: interval, it_value: value };
            // Setting the timer forgets an expiry that was never read, and readiness is edge-triggered:
            // clearing it is enough, reading the count would only cost a system call.
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
            self.fd.readable().await?.clear_ready();
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl PreciseTimer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// Never here.
    pub fn new() -> io::Result<PreciseTimer> {
        Ok(PreciseTimer {})
    }

    /// Waits until this moment; returns at once when it has passed.
    ///
    /// # Errors
    /// Never here.
    pub async fn until(&mut self, moment: Instant) -> io::Result<()> {
        if moment.saturating_duration_since(Instant::now()) > NOW {
            tokio::time::sleep_until(moment.into()).await;
        }
        Ok(())
    }
}
