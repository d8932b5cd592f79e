//! Ctrl-C, SIGTERM or a closed terminal in the middle of a run: nothing is left behind, what was saved can be read.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadgen::record_io::RunDir;
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than an orderly stop takes: only a hang reaches it.
const LIMIT: Duration = Duration::from_secs(120);

/// A run of the smallest experiment with temporary files of its own.
struct Run {
    child: Child,
    folder: tempfile::TempDir,
}

impl Run {
    fn start() -> Run {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let temp = folder.path().join("temp");
        std::fs::create_dir(&temp).expect("a folder");
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
        let child = Command::new(env!("CARGO_BIN_EXE_lightmeter"))
            .arg("run")
            .arg("--experiments")
            .arg(tiny)
            .arg("--out")
            .arg(folder.path().join("run"))
            .env("TMPDIR", &temp)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        Run { child, folder }
    }

    /// Waits until a line of stderr contains these words.
    fn until_it_says(&mut self, words: &str) {
        let stderr = self.child.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let length = lines.read_line(&mut line).expect("stderr can be read");
            said.push_str(&line);
            assert!(length > 0, "it ended without saying {words:?}:\n{said}");
            if line.contains(words) {
                break;
            }
        }
        // Somebody must go on reading, or the run would stop at a full pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it can be signalled");
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processes that carry this run's folder in their command line or environment.
    fn left_running(&self) -> Vec<String> {
        let marker = self.folder.path().display().to_string();
        let mut left = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let read = |file: &str| {
                let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let command = read("cmdline");
            let ours = command.contains(&marker) || read("environ").contains(&marker);
            let is_run = entry.file_name().to_str() == Some(self.child.id().to_string().as_str());
            if ours && !is_run && !command.is_empty() {
                left.push(command);
            }
        }
        left
    }

    /// Waits until no process of it is left: after a kill the kernel ends them in its own time.
    fn assert_nothing_runs(&self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = self.left_running();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still running: {left:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn temporary_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("temp")).expect("it can be listed");
        entries.flatten().map(|entry| entry.path()).collect()
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let pid = self.child.id().to_string();
        let mut found = Vec::new();
        let mut folders = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                if name.starts_with("lightmeter") && name.split('-').any(|part| part == pid) {
                    found.push(path.clone());
                }
                if depth < 6 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((path, depth + 1));
                }
            }
        }
        found
    }
}

#[test]
fn an_interrupted_run_leaves_nothing_behind_and_keeps_its_trials() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = Run::start();
        run.until_it_says("-performance median");
        run.signal(signal);
        assert_eq!(run.exit_code(), Some(130));
        run.assert_nothing_runs();
        assert_eq!(run.temporary_files(), Vec::<PathBuf>::new());
        assert_eq!(run.cgroups(), Vec::<PathBuf>::new());

        let out = run.folder.path().join("run");
        let dir = RunDir::open(&out).expect("a run directory");
        let record = dir.read_run().expect("run.json can be read");
        assert!(record.interrupted && record.finished_at.is_some());
        let trials = dir.read_trials().expect("trials can be read");
        assert!(trials.trials.len() >= 3, "the warm-ups and a trial were saved");
        assert!(trials.notes.is_empty(), "{:?}", trials.notes);
        assert!(trials.damaged.is_empty(), "{:?}", trials.damaged);
        assert!(out.join("report/index.html").is_file(), "what is there is reported");
    }
}

#[test]
fn a_killed_run_takes_its_processes_along_and_says_that_it_was_interrupted() {
    let mut run = Run::start();
    run.until_it_says("-warm-up");
    assert!(!run.left_running().is_empty(), "the stacks run while it measures");
    run.signal(Signal::KILL);
    assert_eq!(run.exit_code(), None);
    if cfg!(target_os = "linux") {
        run.assert_nothing_runs();
    }
    let dir = RunDir::open(&run.folder.path().join("run")).expect("a run directory");
    assert!(dir.read_run().expect("run.json can be read").interrupted);
    assert!(dir.read_trials().is_ok());
}
