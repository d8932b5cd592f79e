//! What the tests of the cluster share: the binary, temporary folders, and looking for what was left behind.

use std::path::Path;
use std::time::Duration;

use lightmeter::cluster::process::Launcher;
use lightmeter::cluster::services::Services;

/// The binary under test.
pub const LIGHTMETER: &str = env!("CARGO_BIN_EXE_lightmeter");

/// A folder that vanishes with the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("lm-test-").tempdir().expect("a temporary folder can be made")
}

/// A launcher through the binary under test.
pub fn launcher(folder: &Path) -> Launcher {
    Launcher::new(LIGHTMETER, folder.join("logs"))
}

/// The services of this machine; MariaDB's template is kept between tests.
pub fn services() -> Services {
    Services::discover().with_template_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Says that a test could not run, and why.
pub fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// Processes whose command line or environment mentions this folder.
pub fn processes_naming(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_err() || name == std::process::id().to_string() {
            continue;
        }
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&needle) {
            found.push(format!("{name}: {line}"));
        }
    }
    found
}

/// Looks again and again until nothing is found; panics with what is still there after 20 s.
pub async fn until_none<T: std::fmt::Debug>(what: &str, look: impl Fn() -> Vec<T>) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let found = look();
        if found.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{what} left behind: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
