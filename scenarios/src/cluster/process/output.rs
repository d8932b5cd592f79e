//! What a process says: its log file, the ready line picked out of its output, and the end of the log for errors.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Lines of a log that an error quotes.
const QUOTED_LINES_MAX: usize = 12;
/// Bytes from the end of a log in which those lines are looked for.
const QUOTED_BYTES_MAX: u64 = 8 * 1024;
/// The line that a program prints when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct ReadyLine {
    /// Where it listens.
    pub listening: SocketAddr,
    /// Where its counters are, when not at the same address.
    #[serde(default)]
    pub control: Option<SocketAddr>,
}

/// Opens a log for appending, with its folder.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// A child's standard output being read.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) ready_line: oneshot::Receiver<ReadyLine>,
    /// Ends with the output.
    pub(super) copying: JoinHandle<()>,
}

/// Copies the output to the log for as long as it lasts, and hands out the first ready line.
pub(super) fn pick_ready_line(stdout: ChildStdout, log: File) -> Output {
    let (sender, ready_line) = oneshot::channel();
    let copying = tokio::spawn(async move {
        let mut sender = Some(sender);
        let mut log = tokio::fs::File::from_std(log);
        let mut lines = BufReader::new(stdout).split(b'\n');
        while let Ok(Some(mut line)) = lines.next_segment().await {
            if sender.is_some()
                && let Ok(ready) = serde_json::from_slice::<ReadyLine>(&line)
                && let Some(sender) = sender.take()
            {
                // Nobody waits any more: the start was given up, and the child is being killed.
                let _given_up = sender.send(ready);
            }
            line.push(b'\n');
            if log.write_all(&line).await.and(log.flush().await).is_err() {
                // A full disk must not block the program on its output: go on reading.
                continue;
            }
        }
    });
    Output { ready_line, copying }
}

/// The last lines of a log, indented, or why there are none.
pub fn tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(QUOTED_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(QUOTED_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Err(error) => format!("    (the log cannot be read: {error})"),
        Ok(text) if text.trim().is_empty() => "    (the log is empty)".into(),
        Ok(text) => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let from = lines.len().saturating_sub(QUOTED_LINES_MAX);
            let quoted: Vec<String> = lines[from..]
                .iter()
                .map(|line| format!("    {}", line.chars().take(300).collect::<String>()))
                .collect();
            quoted.join("\n")
        }
    }
}
