//! Where the driving thread runs: its core, its priority, its limit of open files, and the CPU time it used.
//! What cannot be had is not an error: the words say what was got, and the lateness of sends shows the rest.

use std::time::Duration;

#[cfg(target_os = "linux")]
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Where the driving thread should run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placement {
    /// The core to stay on; none for any.
    pub core: Option<u32>,
    /// Ask for more than the usual priority, so that requests leave on time on a busy machine.
    pub raised_priority: bool,
}

#[cfg(target_os = "linux")]
/// First in, first out, at the lowest real-time priority: it runs before every ordinary thread as soon as it has something
/// to do, and never before the kernel's own real-time threads. Asked for first.
const REAL_TIME: RealtimeThreadSchedulePolicy = RealtimeThreadSchedulePolicy::Fifo;
#[cfg(target_os = "linux")]
/// Asked for where real time is refused; -20 is the strongest.
const RAISED_NICE: i32 = -19;

/// Applies a placement to the calling thread and says in words what was got.
pub(super) fn apply(placement: Placement) -> String {
    let mut words = vec![match placement.core {
        None => "any core".to_owned(),
        Some(core) => pin(core),
    }];
    words.push(if placement.raised_priority { raise_priority() } else { "usual priority".into() });
    words.push(raise_open_files());
    words.join(", ")
}

#[cfg(target_os = "linux")]
fn pin(core: u32) -> String {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    if core as usize >= CpuSet::MAX_CPU {
        return format!("any core (there is no core {core})");
    }
    cores.set(core as usize);
    match sched_setaffinity(None, &cores) {
        Ok(()) => format!("core {core}"),
        Err(error) => format!("any core (core {core} refused: {error})"),
    }
}

#[cfg(not(target_os = "linux"))]
fn pin(core: u32) -> String {
    format!("any core (this system cannot bind to core {core})")
}

#[cfg(target_os = "linux")]
fn raise_priority() -> String {
    let policy = ThreadSchedulePolicy::Realtime(REAL_TIME);
    let thread = thread_native_id();
    match set_thread_priority_and_policy(thread, ThreadPriority::Min, policy) {
        Ok(()) => "real-time priority".to_owned(),
        Err(error) => format!("{} (real time refused: {error})", raise_nice()),
    }
}

#[cfg(target_os = "linux")]
fn raise_nice() -> String {
    // On Linux the nice value belongs to the thread, not to the process, when its thread id is given.
    let thread = rustix::thread::gettid();
    match rustix::process::setpriority_process(Some(thread), RAISED_NICE) {
        Ok(()) => format!("nice {RAISED_NICE}"),
        Err(error) => format!("usual priority (nice {RAISED_NICE} refused: {error})"),
    }
}

#[cfg(not(target_os = "linux"))]
fn raise_priority() -> String {
    "usual priority (this system cannot raise one thread's)".to_owned()
}

/// Connections are open files: raise the soft limit to the hard one.
fn raise_open_files() -> String {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let got =
        if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    got.map_or("open files unlimited".to_owned(), |count| format!("at most {count} open files"))
}

/// CPU time that the calling thread has used so far.
pub(super) fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
