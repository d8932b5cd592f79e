//! Private MariaDB and Redis servers: found on this machine, started in a folder of ours, never the system's.
//!
//! Everything listens on loopback at a free port below 32768 (ports above clash with outgoing
//! connections). A server is ready when it answers a query, not when some time has passed; when it dies
//! first, the error quotes its log. MariaDB's first data folder takes seconds to make, so it is made once
//! as a template and copied for every instance. The app gets a user of its own with a random password;
//! `root` can only come in through the socket inside our folder. The stand-ins of the cloud services are in
//! `standins`; who composes all of this is `cluster`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::budget::CpuGroup;
use super::files;
use super::process::{Launcher, Process, ProcessError, ProcessSpec};

mod mariadb;

pub use mariadb::{MariaDb, MariaDbOptions, Source};

/// How long a service may take until it answers. Generous: a slow disk under load needs it, others do not.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How long a service may take to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// How often another port is tried when the chosen one was taken in between.
const PORT_TRIES_MAX: u32 = 8;
/// First and longest pause between two attempts to connect.
const CONNECT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// Why a private service could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The program is not installed.
    #[error("{what} was not found; {fix}")]
    Missing {
        /// The program.
        what: &'static str,
        /// How to get it.
        fix: String,
    },
    /// MariaDB's first data folder could not be made.
    #[error("could not prepare a MariaDB data folder with {program}; its output ends with:\n{output}", program = program.display())]
    Prepare {
        /// The program that should have made it.
        program: PathBuf,
        /// What it said.
        output: String,
    },
    /// It did not start or did not stay.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A folder or file of ours could not be made.
    #[error("could not {attempt} {path}", path = path.display())]
    Folder {
        /// What was tried.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// It runs but refuses a statement of ours.
    #[error("could not {attempt} on {name}")]
    Statement {
        /// What was tried.
        attempt: String,
        /// The instance.
        name: String,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// It runs but does not answer as it should.
    #[error("{name} at port {port} answered {answer:?} to {question}")]
    Answer {
        /// The instance.
        name: String,
        /// Its port.
        port: u16,
        /// What was sent.
        question: &'static str,
        /// What came back.
        answer: String,
    },
}

/// MariaDB's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaDbPrograms {
    /// `mariadbd`.
    pub server: PathBuf,
    /// `mariadb-install-db`.
    pub install: PathBuf,
    /// As it says itself: `10.11.6-MariaDB`.
    pub version: String,
}

/// Redis or its twin Valkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisProgram {
    /// `redis-server` or `valkey-server`.
    pub server: PathBuf,
    /// As it says itself: `redis 7.0.15`.
    pub version: String,
}

/// What this machine has. Cheap to clone; clones share the template.
#[derive(Debug, Clone)]
pub struct Services {
    mariadb: Option<MariaDbPrograms>,
    redis: Option<RedisProgram>,
    template: Arc<OnceCell<Template>>,
    template_cache: Option<PathBuf>,
}

/// A data folder to copy from; a temporary one vanishes with the last `Services`.
#[derive(Debug)]
struct Template {
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Services {
    /// Looks for the programs in PATH, in the system's program folders and in Homebrew's.
    pub fn discover() -> Services {
        let server = find_program(&["mariadbd"]);
        let install = find_program(&["mariadb-install-db"]);
        let mariadb = server.zip(install).map(|(server, install)| {
            let version = version_of(&server, "Ver ");
            MariaDbPrograms { server, install, version }
        });
        let redis = find_program(&["redis-server", "valkey-server"]).map(|server| {
            let name = if server.ends_with("valkey-server") { "valkey" } else { "redis" };
            let version = format!("{name} {}", version_of(&server, "v="));
            RedisProgram { server, version }
        });
        Services { mariadb, redis, template: Arc::default(), template_cache: None }
    }

    /// Keeps MariaDB's template in this folder, for programs that follow (tests: `CARGO_TARGET_TMPDIR`).
    #[must_use]
    pub fn with_template_in(mut self, folder: impl Into<PathBuf>) -> Services {
        self.template_cache = Some(folder.into());
        self
    }

    /// MariaDB, if it is installed.
    pub fn mariadb(&self) -> Option<&MariaDbPrograms> {
        self.mariadb.as_ref()
    }

    /// Redis or Valkey, if one is installed.
    pub fn redis(&self) -> Option<&RedisProgram> {
        self.redis.as_ref()
    }

    fn need_mariadb(&self) -> Result<&MariaDbPrograms, ServiceError> {
        self.mariadb.as_ref().ok_or_else(|| ServiceError::Missing {
            what: "MariaDB (mariadbd and mariadb-install-db)",
            fix: install_hint("mariadb-server-core mariadb-client-core", "mariadb"),
        })
    }
}

/// The line that installs a package here.
pub fn install_hint(debian: &str, homebrew: &str) -> String {
    if cfg!(target_os = "macos") {
        format!("install it with: brew install {homebrew}")
    } else {
        format!("install it with: sudo apt-get install --no-install-recommends {debian}")
    }
}

/// The first of these programs that is found.
fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/sbin",
        "/usr/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
        "/opt/homebrew/opt/mariadb/bin",
        "/usr/local/opt/mariadb/bin",
        "/usr/libexec",
    ];
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain(usual.iter().map(PathBuf::from)).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// The word after `marker` in what `--version` prints.
fn version_of(program: &Path, marker: &str) -> String {
    let output = std::process::Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| {
            let (_, rest) = text.split_once(marker)?;
            rest.split_whitespace().next().map(|word| word.trim_end_matches(',').to_string())
        })
        .unwrap_or_else(|| "unknown".into())
}

/// A port that is free on loopback at this moment, below the range of outgoing connections. Someone
/// else may take it before it is used: callers try again.
pub(crate) fn free_port() -> std::io::Result<u16> {
    use rand::Rng;
    let mut random = rand::rng();
    let mut last = std::io::Error::other("no port was tried");
    for _ in 0..200 {
        let port = random.random_range(15_000..32_000);
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_free) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A random word for passwords.
pub(crate) fn random_word() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

fn folder_error<'a>(
    attempt: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ServiceError + use<'a> {
    move |source| ServiceError::Folder { attempt, path: path.to_path_buf(), source }
}

/// True when the end of a log says that the port was taken.
fn port_was_taken(error: &ProcessError) -> bool {
    match error {
        ProcessError::Died { tail, .. } => tail.to_lowercase().contains("already in use"),
        _ => false,
    }
}

/// Tries again and again, with growing pauses, until it succeeds. The time limit is the caller's.
async fn until_ok<T, E, F: Future<Output = Result<T, E>>>(mut attempt: impl FnMut() -> F) -> T {
    let (mut pause, longest) = CONNECT_PAUSE;
    loop {
        if let Ok(value) = attempt().await {
            return value;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(longest);
    }
}

/// How a Redis is started.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The instance's name.
    pub name: String,
    /// Most memory in MiB; beyond it the least recently used keys go.
    pub memory_mib_max: u32,
    /// A dump (`dump.rdb`) to begin with.
    pub dump: Option<PathBuf>,
    /// The group of its account.
    pub group: Option<Arc<CpuGroup>>,
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions { name: "redis".into(), memory_mib_max: 64, dump: None, group: None }
    }
}

/// A private Redis (or Valkey). Dropping it kills the server.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    folder: PathBuf,
}

impl Redis {
    /// Starts one in `folder` and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or it did not start.
    pub async fn start(
        services: &Services,
        launcher: &Launcher,
        folder: &Path,
        options: RedisOptions,
    ) -> Result<Redis, ServiceError> {
        let program = services.redis.as_ref().ok_or_else(|| ServiceError::Missing {
            what: "Redis (redis-server or valkey-server)",
            fix: install_hint("redis-server", "redis"),
        })?;
        std::fs::create_dir_all(folder).map_err(folder_error("create", folder))?;
        if let Some(dump) = &options.dump {
            std::fs::copy(dump, folder.join("dump.rdb")).map_err(folder_error("copy", dump))?;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match Redis::try_start(&program.server, launcher, folder, &options).await {
                Err(ServiceError::Process(error))
                    if port_was_taken(&error) && tries < PORT_TRIES_MAX => {}
                result => return result,
            }
        }
    }

    async fn try_start(
        server: &Path,
        launcher: &Launcher,
        folder: &Path,
        options: &RedisOptions,
    ) -> Result<Redis, ServiceError> {
        let port = free_port().map_err(folder_error("find a free port for", folder))?;
        let args: Vec<String> = [
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder.display().to_string(),
            "--dbfilename",
            "dump.rdb",
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxmemory",
            &format!("{}mb", options.memory_mib_max),
            "--maxmemory-policy",
            "allkeys-lru",
        ]
        .map(String::from)
        .to_vec();
        let spec = ProcessSpec::new(&options.name, server, args).group(options.group.clone());
        let process = launcher.spawn(&spec).await?;
        // While it loads its dump it answers with an error.
        let ready = until_ok(|| async {
            match ask_redis(port, "PING").await {
                Ok(answer) if answer.starts_with("+PONG") => Ok(()),
                Ok(answer) => Err(answer),
                Err(error) => Err(error.to_string()),
            }
        });
        process.until(ready, READY_LIMIT).await?;
        Ok(Redis { process, port, folder: folder.to_path_buf() })
    }

    /// `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Writes everything to a dump, for [`RedisOptions::dump`], and says where it is.
    ///
    /// # Errors
    /// It did not answer or could not write.
    pub async fn dump(&self) -> Result<PathBuf, ServiceError> {
        let answer =
            ask_redis(self.port, "SAVE").await.map_err(folder_error("dump to", &self.folder))?;
        if answer.starts_with("+OK") {
            return Ok(self.folder.join("dump.rdb"));
        }
        Err(ServiceError::Answer {
            name: self.process.name().into(),
            port: self.port,
            question: "SAVE",
            answer,
        })
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.process.stop(STOP_GRACE).await;
    }

    /// Ends it at once; its data are no longer needed.
    pub async fn discard(self) {
        self.process.kill().await;
    }
}

/// One command without arguments, and the first line of the answer.
async fn ask_redis(port: u16, question: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("{question}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    let mut buffer = [0_u8; 256];
    while !answer.ends_with(b"\r\n") && answer.len() < 4096 {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).trim_end().to_string())
}
