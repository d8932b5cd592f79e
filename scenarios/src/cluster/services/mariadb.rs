//! A private MariaDB: primary, shard or replica.
//!
//! The data folder is a copy, of the empty template or of a folder that was seeded and cleanly stopped.
//! Users and the database are made by an init file before the server takes its first connection; those
//! statements are kept out of the binary log, so that the log holds the app's own changes only and a replica
//! can start from any copy. Durability is MariaDB's default (one flush per commit), as in production.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{Connection, Row};

use super::{
    CpuGroup, Launcher, MariaDbPrograms, PORT_TRIES_MAX, Process, ProcessSpec, READY_LIMIT,
    STOP_GRACE, ServiceError, Services, Template, files, folder_error, free_port, port_was_taken,
    random_word, until_ok,
};

/// The app's user and database. The user may also make databases whose names begin like this.
const APP: &str = "photo_app";
/// A Unix socket's path must fit into 108 bytes.
const SOCKET_PATH_BYTES_MAX: usize = 100;
/// How long a replica may take to catch up with its primary when it starts, in seconds.
const CATCH_UP_S: u32 = 90;

/// What an instance's data begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing but the app's user and an empty database.
    #[default]
    Empty,
    /// A copy of this data folder of an instance that was stopped in order.
    CopyOf(PathBuf),
}

/// How a MariaDB is started.
#[derive(Debug, Clone)]
pub struct MariaDbOptions {
    /// The instance's name, such as `mysql-1`.
    pub name: String,
    /// What its data begin with.
    pub source: Source,
    /// Memory for pages of data, in MiB.
    pub buffer_pool_mib: u32,
    /// The group of its budget and account.
    pub group: Option<Arc<CpuGroup>>,
    /// More arguments for `mariadbd`.
    pub extra_args: Vec<String>,
}

impl Default for MariaDbOptions {
    fn default() -> MariaDbOptions {
        MariaDbOptions {
            name: "mysql".into(),
            source: Source::Empty,
            buffer_pool_mib: 128,
            group: None,
            extra_args: Vec::new(),
        }
    }
}

/// A private MariaDB server. Dropping it kills the server.
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    port: u16,
    socket: PathBuf,
    data: PathBuf,
    secrets: Secrets,
}

#[derive(Debug, Clone)]
struct Secrets {
    app: String,
    replica: String,
    root: String,
}

impl Services {
    /// MariaDB's empty data folder, made at the first call.
    async fn template(&self) -> Result<&Path, ServiceError> {
        let programs = self.need_mariadb()?;
        let template = self
            .template
            .get_or_try_init(|| async {
                let Some(cache) = &self.template_cache else {
                    let temporary = tempfile::Builder::new()
                        // The pid lets a later run sweep what a killed one left.
                        .prefix(&format!("lightmeter-{}-template-", std::process::id()))
                        .tempdir()
                        .map_err(folder_error("create", &std::env::temp_dir()))?;
                    let folder = temporary.path().join("data");
                    install(programs, &folder).await?;
                    return Ok(Template { folder, _temporary: Some(temporary) });
                };
                let folder = cache.join(format!("mariadb-template-{}", programs.version));
                if !folder.is_dir() {
                    std::fs::create_dir_all(cache).map_err(folder_error("create", cache))?;
                    let temporary = tempfile::Builder::new()
                        .prefix("new-template-")
                        .tempdir_in(cache)
                        .map_err(folder_error("create", cache))?;
                    let made = temporary.path().join("data");
                    install(programs, &made).await?;
                    // When another program was faster, its template is as good as ours.
                    if let Err(error) = std::fs::rename(&made, &folder)
                        && !folder.is_dir()
                    {
                        return Err(folder_error("create", &folder)(error));
                    }
                }
                Ok(Template { folder, _temporary: None })
            })
            .await?;
        Ok(&template.folder)
    }
}

/// Runs `mariadb-install-db`.
async fn install(programs: &MariaDbPrograms, folder: &Path) -> Result<(), ServiceError> {
    std::fs::create_dir_all(folder).map_err(folder_error("create", folder))?;
    let mut command = tokio::process::Command::new(&programs.install);
    command
        .arg("--no-defaults")
        .args(user_argument())
        .arg(format!("--datadir={}", folder.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(["--skip-name-resolve", "--innodb-log-file-size=16M"])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let failed =
        |output: String| ServiceError::Prepare { program: programs.install.clone(), output };
    let output = command.output().await.map_err(|error| failed(format!("    {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n    ");
    Err(failed(format!("    {last}")))
}

/// MariaDB refuses to run as root unless it is told to.
fn user_argument() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

/// Unique among the servers of this program; the pid keeps programs apart.
fn server_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    (std::process::id() % 100_000) * 10_000 + NEXT.fetch_add(1, Ordering::Relaxed)
}

impl MariaDb {
    /// Starts a server with its data in `folder` and waits until it answers a query.
    ///
    /// # Errors
    /// It is not installed, its data folder could not be made, or it did not start.
    pub async fn start(
        services: &Services,
        launcher: &Launcher,
        folder: &Path,
        options: MariaDbOptions,
    ) -> Result<MariaDb, ServiceError> {
        let secrets = Secrets { app: random_word(), replica: random_word(), root: random_word() };
        MariaDb::start_with(services, launcher, folder, &options, secrets).await
    }

    /// Starts a replica of `primary` and waits until it has caught up. With [`Source::CopyOf`] the copy
    /// must be an older state of the same primary; with [`Source::Empty`] everything is replayed.
    ///
    /// # Errors
    /// As [`MariaDb::start`], and when replication does not begin or does not catch up.
    pub async fn start_replica_of(
        primary: &MariaDb,
        services: &Services,
        launcher: &Launcher,
        folder: &Path,
        mut options: MariaDbOptions,
    ) -> Result<MariaDb, ServiceError> {
        options.extra_args.push("--read-only=1".into());
        options.extra_args.push("--relay-log=relay".into());
        // The mysql schema is not replicated: users are the same because the secrets are.
        let secrets = primary.secrets.clone();
        let replica = MariaDb::start_with(services, launcher, folder, &options, secrets).await?;
        replica.follow(primary).await?;
        Ok(replica)
    }

    async fn start_with(
        services: &Services,
        launcher: &Launcher,
        folder: &Path,
        options: &MariaDbOptions,
        secrets: Secrets,
    ) -> Result<MariaDb, ServiceError> {
        let programs = services.need_mariadb()?;
        let template = match &options.source {
            Source::Empty => services.template().await?,
            Source::CopyOf(folder) => folder,
        };
        files::copy_tree(template, folder)
            .await
            .map_err(folder_error("copy MariaDB's data to", folder))?;
        let init = folder.join("lightmeter-init.sql");
        write_private(&init, &init_statements(&secrets)).map_err(folder_error("write", &init))?;
        let mut tries = 0;
        loop {
            tries += 1;
            match MariaDb::try_start(programs, launcher, folder, options, &secrets).await {
                Err(ServiceError::Process(error))
                    if port_was_taken(&error) && tries < PORT_TRIES_MAX => {}
                result => return result,
            }
        }
    }

    async fn try_start(
        programs: &MariaDbPrograms,
        launcher: &Launcher,
        folder: &Path,
        options: &MariaDbOptions,
        secrets: &Secrets,
    ) -> Result<MariaDb, ServiceError> {
        let port = free_port().map_err(folder_error("find a free port for", folder))?;
        let id = server_id();
        let socket = socket_path(folder, id);
        let args = server_args(folder, &socket, port, id, options);
        let spec =
            ProcessSpec::new(&options.name, &programs.server, args).group(options.group.clone());
        let process = launcher.spawn(&spec).await?;
        let server =
            MariaDb { process, port, socket, data: folder.to_path_buf(), secrets: secrets.clone() };
        let app = server.app_options();
        let ready = until_ok(|| async {
            let mut connection = MySqlConnection::connect_with(&app).await?;
            connection.ping().await
        });
        server.process.until(ready, READY_LIMIT).await?;
        Ok(server)
    }

    /// Starts replication from `primary`, beginning with the state that this server's data have.
    async fn follow(&self, primary: &MariaDb) -> Result<(), ServiceError> {
        let error = |attempt: &str| {
            let (attempt, name) = (attempt.to_string(), self.process.name().to_string());
            move |source| ServiceError::Statement { attempt, name, source }
        };
        let mut own = self.root_connection().await.map_err(error("connect"))?;
        let position: String = sqlx::query("select @@global.gtid_binlog_pos")
            .fetch_one(&mut own)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(error("read the position"))?;
        let steps = [
            "reset master".to_string(),
            format!("set global gtid_slave_pos = '{position}'"),
            format!(
                "change master to master_host='127.0.0.1', master_port={}, master_user='replica', \
                 master_password='{}', master_use_gtid=slave_pos, master_connect_retry=1",
                primary.port, self.secrets.replica
            ),
            "start slave".to_string(),
        ];
        for step in steps {
            let what = step.split(" to ").next().unwrap_or_default().to_string();
            sqlx::raw_sql(sqlx::AssertSqlSafe(step))
                .execute(&mut own)
                .await
                .map_err(error(&what))?;
        }
        self.process.until(self.catch_up(primary), READY_LIMIT).await??;
        Ok(())
    }

    /// Waits until this replica has everything that `primary` has at this moment.
    ///
    /// # Errors
    /// Replication stopped or did not catch up; the error says what the server says.
    pub async fn catch_up(&self, primary: &MariaDb) -> Result<(), ServiceError> {
        let error = |source| ServiceError::Statement {
            attempt: format!("wait for replication from {}", primary.process.name()),
            name: self.process.name().to_string(),
            source,
        };
        let mut theirs = primary.root_connection().await.map_err(error)?;
        let position: String = sqlx::query("select @@global.gtid_binlog_pos")
            .fetch_one(&mut theirs)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(error)?;
        let mut own = self.root_connection().await.map_err(error)?;
        let waited: i64 = sqlx::query("select master_gtid_wait(?, ?)")
            .bind(&position)
            .bind(CATCH_UP_S)
            .fetch_one(&mut own)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(error)?;
        if waited == 0 {
            return Ok(());
        }
        let status = sqlx::raw_sql("show slave status").fetch_one(&mut own).await.map_err(error)?;
        let said = |column: &str| status.try_get::<String, _>(column).unwrap_or_default();
        Err(error(sqlx::Error::Protocol(format!(
            "not caught up after {CATCH_UP_S} s; {} {}",
            said("Last_IO_Error"),
            said("Last_SQL_Error")
        ))))
    }

    /// `mysql://photo_app:PASSWORD@127.0.0.1:PORT/photo_app`.
    pub fn url(&self) -> String {
        self.database_url(APP)
    }

    /// The same for another database of this server.
    pub fn database_url(&self, database: &str) -> String {
        format!("mysql://{APP}:{}@127.0.0.1:{}/{database}", self.secrets.app, self.port)
    }

    /// Makes a database `photo_app_NAME` that the app's user may use, and gives its address: a database
    /// of its own for every test.
    ///
    /// # Errors
    /// The server refused.
    pub async fn create_database(&self, name: &str) -> Result<String, ServiceError> {
        let database = format!("{APP}_{name}");
        let error = |source| ServiceError::Statement {
            attempt: format!("create the database {database}"),
            name: self.process.name().to_string(),
            source,
        };
        let mut connection = self.root_connection().await.map_err(error)?;
        let statement = format!("create database `{database}` character set utf8mb4");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .map_err(error)?;
        Ok(self.database_url(&database))
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data folder, for [`Source::CopyOf`] after [`MariaDb::stop`].
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it in order, so that its data folder can be copied.
    pub async fn stop(self) {
        self.process.stop(STOP_GRACE).await;
        self.remove_socket();
    }

    /// Ends it at once; its data are no longer needed.
    pub async fn discard(self) {
        self.process.kill().await;
        self.remove_socket();
    }

    /// A socket in the data folder goes with it; one elsewhere must not stay.
    fn remove_socket(&self) {
        if !self.socket.starts_with(&self.data) {
            let _absent = std::fs::remove_file(&self.socket);
        }
    }

    fn app_options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username(APP)
            .password(&self.secrets.app)
            .database(APP)
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled)
    }

    async fn root_connection(&self) -> Result<MySqlConnection, sqlx::Error> {
        let options = MySqlConnectOptions::new()
            .socket(&self.socket)
            .username("root")
            .password(&self.secrets.root)
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
        MySqlConnection::connect_with(&options).await
    }
}

/// In the data folder, unless that makes the path too long for a socket.
fn socket_path(folder: &Path, id: u32) -> PathBuf {
    let inside = folder.join("s");
    if inside.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return inside;
    }
    Path::new("/tmp").join(format!("lightmeter-{id}.sock"))
}

fn server_args(
    folder: &Path,
    socket: &Path,
    port: u16,
    id: u32,
    options: &MariaDbOptions,
) -> Vec<String> {
    let mut args = vec!["--no-defaults".to_string()];
    args.extend(user_argument().map(String::from));
    args.extend([
        format!("--datadir={}", folder.display()),
        format!("--socket={}", socket.display()),
        format!("--pid-file={}", folder.join("pid").display()),
        format!("--init-file={}", folder.join("lightmeter-init.sql").display()),
        "--bind-address=127.0.0.1".into(),
        format!("--port={port}"),
        "--skip-name-resolve".into(),
        format!("--server-id={id}"),
        "--log-bin=binlog".into(),
        "--binlog-format=ROW".into(),
        "--log-slave-updates=1".into(),
        "--gtid-strict-mode=1".into(),
        format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib),
        "--innodb-log-file-size=16M".into(),
        "--character-set-server=utf8mb4".into(),
    ]);
    args.extend(options.extra_args.iter().cloned());
    args
}

/// One statement per line, as an init file wants it.
fn init_statements(secrets: &Secrets) -> String {
    let Secrets { app, replica, root } = secrets;
    [
        "set session sql_log_bin=0;".to_string(),
        "drop user if exists root@'127.0.0.1';".into(),
        "drop user if exists root@'::1';".into(),
        format!("alter user root@localhost identified by '{root}';"),
        format!("create database if not exists {APP} character set utf8mb4;"),
        format!("create or replace user {APP}@'%' identified by '{app}';"),
        format!("grant all on `{}%`.* to {APP}@'%';", APP.replace('_', "\\_")),
        format!("grant replication client, slave monitor on *.* to {APP}@'%';"),
        format!("create or replace user replica@'%' identified by '{replica}';"),
        "grant replication slave on *.* to replica@'%';".into(),
    ]
    .join("\n")
        + "\n"
}

/// A file that only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_folder_gets_its_socket_elsewhere() {
        assert_eq!(socket_path(Path::new("/tmp/x"), 7), Path::new("/tmp/x/s"));
        let long = PathBuf::from(format!("/{}", "x".repeat(120)));
        assert_eq!(socket_path(&long, 7), Path::new("/tmp/lightmeter-7.sock"));
    }
}
