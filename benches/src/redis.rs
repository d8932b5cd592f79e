//! A private Redis for a bench: nothing on disk, a free port on loopback, gone with its value.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server.
pub struct Redis {
    server: Child,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Err(error) = self.server.kill().and_then(|()| self.server.wait()) {
            eprintln!("Redis {} could not be ended: {error}", self.server.id());
        }
    }
}

impl Redis {
    /// Starts `redis-server` or `valkey-server`; none, and a word on stderr, where neither can be started.
    pub fn start() -> Option<Self> {
        let started = ["redis-server", "valkey-server"].into_iter().find_map(Self::try_start);
        if started.is_none() {
            eprintln!("SKIPPED: Redis is not installed or did not start");
        }
        started
    }

    fn try_start(program: &str) -> Option<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "no", "--maxmemory", "64mb"]);
        command.args(["--maxmemory-policy", "allkeys-lru"]).stdout(Stdio::null());
        let mut running = Self { server: command.spawn().ok()?, port };
        let end = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > end || !matches!(running.server.try_wait(), Ok(None)) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(running)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}
