//! A private MariaDB for a bench: own data in a temporary folder, a free port on loopback, gone with its value.
//!
//! The benches stand below the cluster (they know the app only), so this is the shortest way to a server, without replicas,
//! budgets or logs. None where MariaDB is not installed: the bench then says that it skips.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A first start writes its system tables and takes a few seconds on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server.
pub struct MariaDb {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Its data go with the folder: no need to end in order.
        if let Err(error) = self.server.kill().and_then(|()| self.server.wait()) {
            eprintln!("MariaDB {} could not be ended: {error}", self.server.id());
        }
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(usual).collect();
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl MariaDb {
    /// Starts a server with an empty database `bench`; none, and a word on stderr, where that is not possible.
    pub fn start() -> Option<Self> {
        let (Some(server), Some(install)) = (find("mariadbd"), find("mariadb-install-db")) else {
            eprintln!("SKIPPED: MariaDB is not installed (mariadbd, mariadb-install-db)");
            return None;
        };
        match Self::try_start(&server, &install) {
            Ok(running) => Some(running),
            Err(error) => {
                eprintln!("SKIPPED: MariaDB did not start: {error}");
                None
            }
        }
    }

    fn try_start(server: &Path, install: &Path) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lm-bench-").tempdir()?;
        let data = folder.path().join("data");
        let mut made = Command::new(install);
        made.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        made.args(["--skip-name-resolve", "--innodb-log-file-size=16M"]);
        made.arg(format!("--datadir={}", data.display())).args(as_root());
        let output = made.output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(std::io::Error::other(reason));
        }
        let init = folder.path().join("init.sql");
        std::fs::write(&init, "CREATE DATABASE bench;\n")?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new(server);
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        command.args(["--innodb-buffer-pool-size=128M", "--innodb-log-file-size=16M"]);
        command.arg(format!("--datadir={}", data.display())).args(as_root());
        command.arg(format!("--socket={}", at("s"))).arg(format!("--pid-file={}", at("pid")));
        command.arg(format!("--port={port}")).arg(format!("--init-file={}", init.display()));
        let log = std::fs::File::create(folder.path().join("log"))?;
        let server = command.stdout(Stdio::null()).stderr(log).spawn()?;
        let mut running = Self { server, port, _folder: folder };
        running.wait()?;
        Ok(running)
    }

    /// Waits until the port accepts: MariaDB opens it after its init file.
    fn wait(&mut self) -> std::io::Result<()> {
        let end = Instant::now() + START_LIMIT;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.server.try_wait()? {
                return Err(std::io::Error::other(format!("it ended: {status}")));
            }
            if Instant::now() > end {
                return Err(std::io::Error::other("it does not answer"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The address of the database.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/bench", self.port)
    }
}

/// MariaDB refuses to run as root unless told to.
fn as_root() -> Vec<&'static str> {
    let root = std::fs::metadata("/proc/self")
        .map(|this| std::os::unix::fs::MetadataExt::uid(&this) == 0)
        .unwrap_or(false);
    if root { vec!["--user=root"] } else { Vec::new() }
}
