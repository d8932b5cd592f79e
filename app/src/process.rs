//! What this process has used of its machine, for /info.json: a run against a deployed stack has no other way to know it per trial.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all threads since the process began, in microseconds.
pub fn cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// Resident memory in bytes; none where the system has no /proc.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    resident_bytes_in(&status)
}

/// The line `VmRSS:     12345 kB`.
fn resident_bytes_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_in_the_cpu_time() {
        let before = cpu_us();
        // Until the clock has moved: it counts CPU, so that a busy machine only makes this last longer.
        while cpu_us() == before {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn the_resident_memory_is_read() {
        assert_eq!(resident_bytes_in("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(resident_bytes_in("Name:\tx\n"), None);
    }
}
