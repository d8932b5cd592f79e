//! A program of the cluster as a value: started through `lightmeter launch`, watched, and stopped.
//!
//! Each child is owned by one small task. Only that task waits for it and signals it, so that a signal
//! can never reach a pid that was given to someone else. When the `Process` value goes away, however that
//! happens, the task kills and reaps the child; when this whole program dies, the parent-death signal set by
//! `launch` does it. That signal follows the *thread* that started the child, hence one thread that
//! lives as long as the program and starts every child. Standard error goes to a log file per process,
//! standard output as well, except that the line `{"listening":"..."}` is picked out of it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::budget::CpuGroup;

mod output;

use output::{Output, open_log, pick_ready_line};
pub use output::{ReadyLine, tail};

/// How long the news of an end may wait for the last output.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(500);
/// How long dropping the runtime may wait for a killed child.
const LAST_RESORT_WAIT: Duration = Duration::from_secs(2);

/// Why a process did not start or did not stay.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system refused to start it at all.
    #[error("could not start {name} ({program})")]
    Spawn {
        /// The instance.
        name: String,
        /// What should have been executed.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Its log file could not be made.
    #[error("could not open the log {path}", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It ended before it was ready, or while it was needed.
    #[error("{name} ended with {status}; its log {log} ends with:\n{tail}", log = log.display())]
    Died {
        /// The instance.
        name: String,
        /// Exit code or signal in words.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// It ran but did not become ready in time.
    #[error("{name} was not ready within {seconds} s; its log {log} ends with:\n{tail}", log = log.display())]
    NotReady {
        /// The instance.
        name: String,
        /// The time limit.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
}

/// What to run, and how it is confined.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The instance's name, also the log's: `web-1`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the environment: for secrets, which an argument would show to every user.
    pub env: Vec<(String, String)>,
    /// The cgroup of its budget and account.
    pub group: Option<Arc<CpuGroup>>,
}

impl ProcessSpec {
    /// A program with arguments, without a budget.
    pub fn new<A: Into<OsString>>(
        name: impl Into<String>,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> ProcessSpec {
        ProcessSpec {
            name: name.into(),
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            group: None,
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> ProcessSpec {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Confines it to a cgroup.
    #[must_use]
    pub fn group(mut self, group: Option<Arc<CpuGroup>>) -> ProcessSpec {
        self.group = group;
        self
    }
}

/// How processes are started: through which binary, on which cores, with logs in which folder.
#[derive(Debug, Clone)]
pub struct Launcher {
    binary: Option<PathBuf>,
    logs: PathBuf,
    cores: Vec<usize>,
}

impl Launcher {
    /// Starts through `BINARY launch`: the binary is `lightmeter` (in tests `CARGO_BIN_EXE_lightmeter`).
    pub fn new(binary: impl Into<PathBuf>, logs: impl Into<PathBuf>) -> Launcher {
        Launcher { binary: Some(binary.into()), logs: logs.into(), cores: Vec::new() }
    }

    /// Starts programs as they are: no parent-death signal, no budget, no cores. For benches, which
    /// have no `lightmeter` binary at hand.
    pub fn direct(logs: impl Into<PathBuf>) -> Launcher {
        Launcher { binary: None, logs: logs.into(), cores: Vec::new() }
    }

    /// The same launcher, binding what it starts to these cores (none: anywhere).
    #[must_use]
    pub fn on_cores(mut self, cores: &[usize]) -> Launcher {
        self.cores = cores.to_vec();
        self
    }

    /// The same launcher with its logs in another folder.
    #[must_use]
    pub fn logging_to(mut self, logs: impl Into<PathBuf>) -> Launcher {
        self.logs = logs.into();
        self
    }

    /// The folder of the logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Starts a program whose readiness is found out by the caller (see [`Process::until`]).
    ///
    /// # Errors
    /// The log cannot be written or the program cannot be started.
    pub async fn spawn(&self, spec: &ProcessSpec) -> Result<Process, ProcessError> {
        self.spawn_with(spec, false).await
    }

    /// Starts a program that prints `{"listening":"HOST:PORT"}` when it is ready, and waits for that.
    ///
    /// # Errors
    /// As [`Launcher::spawn`], and when it dies or is not ready within the limit.
    pub async fn spawn_listening(
        &self,
        spec: &ProcessSpec,
        limit: Duration,
    ) -> Result<(Process, ReadyLine), ProcessError> {
        let mut process = self.spawn_with(spec, true).await?;
        let ready = process.ready_line.take();
        let line = async move {
            match ready {
                // The sender is dropped only when the output ends; the death itself is then noticed.
                Some(line) => match line.await {
                    Ok(line) => line,
                    Err(_) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        let line = process.until(line, limit).await?;
        Ok((process, line))
    }

    async fn spawn_with(&self, spec: &ProcessSpec, listens: bool) -> Result<Process, ProcessError> {
        let path = self.logs.join(format!("{}.log", spec.name));
        let log =
            open_log(&path).map_err(|source| ProcessError::Log { path: path.clone(), source })?;
        let spawn_error = |source| ProcessError::Spawn {
            name: spec.name.clone(),
            program: spec.program.display().to_string(),
            source,
        };
        let mut command = self.command(spec);
        command.stdin(Stdio::null()).stderr(log.try_clone().map_err(spawn_error)?);
        if listens {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(log.try_clone().map_err(spawn_error)?);
        }
        command.kill_on_drop(true).process_group(0);
        let mut child = spawn_from_lasting_thread(command).await.map_err(spawn_error)?;
        let output = child.stdout.take().map(|stdout| pick_ready_line(stdout, log));
        Ok(Process::watch(spec, child, path, output))
    }

    fn command(&self, spec: &ProcessSpec) -> Command {
        let mut command = match &self.binary {
            None => Command::new(&spec.program),
            Some(binary) => {
                let mut command = Command::new(binary);
                command.arg("launch").arg("--parent").arg(std::process::id().to_string());
                for folder in spec.group.iter().flat_map(|group| group.folders()) {
                    command.arg("--cgroup").arg(folder);
                }
                if !self.cores.is_empty() {
                    let cores: Vec<String> = self.cores.iter().map(usize::to_string).collect();
                    command.arg("--cores").arg(cores.join(","));
                }
                command.arg("--").arg(&spec.program);
                command
            }
        };
        command.args(&spec.args);
        // A setting left in the caller's environment must not reach an instance unseen.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PHOTO_APP_") {
                command.env_remove(name);
            }
        }
        command.envs(spec.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

enum Order {
    Stop(Duration),
    Kill,
    Signal(Signal),
}

/// A running (or ended) child. Dropping it kills the child.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    group: Option<Arc<CpuGroup>>,
    orders: mpsc::UnboundedSender<Order>,
    exit: watch::Receiver<Option<ExitStatus>>,
    ready_line: Option<oneshot::Receiver<ReadyLine>>,
}

impl Process {
    fn watch(spec: &ProcessSpec, child: Child, log: PathBuf, output: Option<Output>) -> Process {
        let (orders, order_queue) = mpsc::unbounded_channel();
        let (exit_sender, exit) = watch::channel(None);
        let pid = child.id().unwrap_or_default();
        let (ready_line, copying) = match output {
            Some(output) => (Some(output.ready_line), Some(output.copying)),
            None => (None, None),
        };
        let keeper = Keeper { child, copying, _group: spec.group.clone(), reaped: false };
        tokio::spawn(keeper.run(order_queue, exit_sender));
        let group = spec.group.clone();
        Process { name: spec.name.clone(), pid, log, group, orders, exit, ready_line }
    }

    /// The instance's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id; meaningless once it has ended.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its cgroup.
    pub fn group(&self) -> Option<&Arc<CpuGroup>> {
        self.group.as_ref()
    }

    /// True until it has ended.
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits for its end.
    pub async fn exited(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        // An error means that the keeper is gone, which it only is after the end.
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// Waits for `ready`, but no longer than the limit and not beyond the end of the process.
    ///
    /// # Errors
    /// The process died or the time is over; both quote the end of the log.
    pub async fn until<T>(
        &self,
        ready: impl Future<Output = T>,
        limit: Duration,
    ) -> Result<T, ProcessError> {
        tokio::select! {
            biased;
            value = ready => Ok(value),
            status = self.exited() => Err(self.died(status)),
            () = tokio::time::sleep(limit) => Err(ProcessError::NotReady {
                name: self.name.clone(),
                seconds: limit.as_secs(),
                log: self.log.clone(),
                tail: tail(&self.log),
            }),
        }
    }

    /// The error that says how it ended.
    pub fn died(&self, status: Option<ExitStatus>) -> ProcessError {
        ProcessError::Died {
            name: self.name.clone(),
            status: status.map_or_else(|| "an unknown status".into(), |status| status.to_string()),
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }

    /// Asks it to end (SIGTERM), kills it when it has not within `grace`, and waits until it is reaped.
    pub async fn stop(&self, grace: Duration) -> Option<ExitStatus> {
        // A failed send means that it has ended already.
        let _ended = self.orders.send(Order::Stop(grace));
        self.exited().await
    }

    /// Kills it and waits until it is reaped.
    pub async fn kill(&self) -> Option<ExitStatus> {
        let _ended = self.orders.send(Order::Kill);
        self.exited().await
    }

    /// Sends another signal, such as SIGSTOP in a fault scenario. Nothing happens once it has ended.
    pub fn signal(&self, signal: Signal) {
        let _ended = self.orders.send(Order::Signal(signal));
    }
}

/// The only owner of the child.
struct Keeper {
    child: Child,
    /// Copies its output to the log.
    copying: Option<JoinHandle<()>>,
    // Lives at least as long as the child: the last holder removes the cgroup.
    _group: Option<Arc<CpuGroup>>,
    reaped: bool,
}

impl Keeper {
    async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        exit: watch::Sender<Option<ExitStatus>>,
    ) {
        let mut deadline: Option<Instant> = None;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                order = orders.recv() => match order {
                    Some(Order::Stop(grace)) => {
                        self.signal(Signal::TERM);
                        let until = Instant::now() + grace;
                        deadline = Some(deadline.map_or(until, |earlier| earlier.min(until)));
                    }
                    Some(Order::Signal(signal)) => self.signal(signal),
                    // The value is gone: so is whoever could stop it in order.
                    Some(Order::Kill) | None => {
                        self.kill();
                        break self.child.wait().await;
                    }
                },
                () = sleep_until(deadline) => {
                    self.kill();
                    break self.child.wait().await;
                }
            }
        };
        self.reaped = true;
        // Whoever reads the log because of this end should find all of it. A grandchild that holds the
        // output open must not hold up the news.
        if let Some(copying) = self.copying.take() {
            let _late = tokio::time::timeout(LAST_WORDS_WAIT, copying).await;
        }
        // Without a status the watchers see the sender go, which ends their wait as well.
        if let Ok(status) = status {
            exit.send_replace(Some(status));
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // ESRCH means that it ended a moment ago, which `wait` reports.
            let _ended = kill_process(pid, signal);
        }
    }

    /// Kills the whole process group: a child may have children of its own.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ended = kill_process_group(pid, Signal::KILL);
        }
    }

    /// None once it is reaped.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }
}

impl Drop for Keeper {
    /// Only when the runtime ends under it: kills, and waits a little so that the cgroup can go too.
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.kill();
        let deadline = std::time::Instant::now() + LAST_RESORT_WAIT;
        while matches!(self.child.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

type SpawnJob = (Command, tokio::runtime::Handle, oneshot::Sender<io::Result<Child>>);

/// Starts a child from the one thread that never ends before the program does.
async fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<std::sync::mpsc::Sender<SpawnJob>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = std::sync::mpsc::channel::<SpawnJob>();
        std::thread::spawn(move || {
            for (mut command, runtime, reply) in jobs {
                let _inside = runtime.enter();
                // A caller that no longer waits drops the child, which kills it.
                let _abandoned = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, child) = oneshot::channel();
    let ended = || io::Error::other("the thread that starts processes has ended");
    spawner.send((command, tokio::runtime::Handle::current(), reply)).map_err(|_| ended())?;
    child.await.map_err(|_| ended())?
}
