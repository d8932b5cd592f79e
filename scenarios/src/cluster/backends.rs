//! The services with data under a stack: databases, Redis, and the stand-ins for DynamoDB, S3 and SQS.
//!
//! Started empty to be seeded into a template, or from a copy of one. All that do not depend on each other
//! start at the same time. What the app needs to reach them comes out as flags and, where an address
//! holds a password, as environment. Who sits in front of them: `compose`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};

use super::context::ClusterContext;
use super::files;
use super::process::{Launcher, Process, ProcessError, ProcessSpec};
use super::services::{MariaDb, MariaDbOptions, Redis, RedisOptions, ServiceError, Source};
use super::spec::{AssetsKind, JobsKind, SessionsKind, StackSpec, StoreKind};
use super::{ClusterError, Instance, Role};

/// How long a role of our own binary may take until it listens. Generous for busy machines.
pub(super) const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(15);
/// The bucket in the S3 stand-in.
const BUCKET: &str = "photos";
/// The queue in the SQS stand-in. The first part of its path is an account that does not exist.
const QUEUE: &str = "renditions";
const QUEUE_ACCOUNT: &str = "000000000000";
/// The SQLite file and the folders inside a cluster's or template's folder.
const SQLITE_FILE: &str = "photos.sqlite";
const ASSETS_FOLDER: &str = "assets";
const S3_FOLDER: &str = "s3";
const DUMP_FILE: &str = "redis-dump.rdb";

/// Everything with data, running.
#[derive(Debug, Default)]
pub(super) struct Backends {
    /// Primaries and shards, in order; a replica follows the first.
    pub(super) databases: Vec<MariaDb>,
    pub(super) replicas: Vec<MariaDb>,
    pub(super) redis: Option<Redis>,
    /// DynamoDB's nodes, then its router; S3; SQS.
    pub(super) stand_ins: Vec<Instance>,
    folder: PathBuf,
    dynamodb: Option<SocketAddr>,
    s3: Option<SocketAddr>,
    sqs: Option<SocketAddr>,
}

/// What to start, under which names.
pub(super) struct Plan<'a> {
    pub(super) context: &'a ClusterContext,
    pub(super) launcher: &'a Launcher,
    /// Before each name in cgroups: the cluster's name.
    pub(super) prefix: &'a str,
    pub(super) stack: &'a StackSpec,
    /// Where the data go.
    pub(super) folder: &'a Path,
    /// What they begin with; none: empty.
    pub(super) template: Option<&'a Path>,
}

impl Plan<'_> {
    /// Starts one of our own roles and waits until it listens.
    pub(super) async fn start_role(
        &self,
        name: &str,
        role: Role,
        budget: Option<f64>,
        args: Vec<String>,
        env: Vec<(String, String)>,
    ) -> Result<Instance, ClusterError> {
        let group = self.context.group(&format!("{}-{name}", self.prefix), budget)?;
        let mut spec = ProcessSpec::new(name, &self.context.binary, args).group(group);
        spec.env = env;
        let (process, ready) = self.launcher.spawn_listening(&spec, READY_LIMIT).await?;
        Ok(Instance {
            role,
            process,
            listening: ready.listening,
            control: ready.control.unwrap_or(ready.listening),
            carries: None,
        })
    }

    async fn start_standin(&self, name: &str, args: Vec<String>) -> Result<Instance, ClusterError> {
        self.start_role(name, Role::StandIn, None, args, Vec::new()).await
    }

    /// Runs a role that ends by itself, such as `app seed`.
    pub(super) async fn run_to_end(
        &self,
        name: &str,
        args: Vec<String>,
        env: Vec<(String, String)>,
        limit: Duration,
    ) -> Result<(), ProcessError> {
        let mut spec = ProcessSpec::new(name, &self.context.binary, args);
        spec.env = env;
        let process = self.launcher.spawn(&spec).await?;
        // Its end is the readiness here: only the time limit can come first.
        match tokio::time::timeout(limit, process.exited()).await {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(status) => Err(process.died(status)),
            Err(_elapsed) => process.until(std::future::pending(), Duration::ZERO).await,
        }
    }

    fn from(&self, name: &str) -> Option<PathBuf> {
        self.template.map(|template| template.join(name)).filter(|path| path.exists())
    }

    fn database_options(&self, name: &str, data: &str) -> Result<MariaDbOptions, ClusterError> {
        let share = self.stack.budgets.database;
        Ok(MariaDbOptions {
            name: name.to_string(),
            source: self.from(data).map_or(Source::Empty, Source::CopyOf),
            group: self.context.group(&format!("{}-{name}", self.prefix), share)?,
            ..MariaDbOptions::default()
        })
    }

    /// One MariaDB, a primary with replicas, or shards.
    async fn start_databases(&self) -> Result<(Vec<MariaDb>, Vec<MariaDb>), ClusterError> {
        let (primaries, replicas) = match self.stack.store.kind {
            StoreKind::Mysql => (1, 0),
            StoreKind::Replicated => (1, self.stack.store.nodes - 1),
            StoreKind::Sharded => (self.stack.store.nodes, 0),
            StoreKind::Sqlite | StoreKind::Dynamodb => return Ok((Vec::new(), Vec::new())),
        };
        let services = &self.context.services;
        let primaries = try_join_all((1..=primaries).map(|number| async move {
            let name = format!("mysql-{number}");
            let options = self.database_options(&name, &name)?;
            let folder = self.folder.join(&name);
            Ok::<_, ClusterError>(MariaDb::start(services, self.launcher, &folder, options).await?)
        }))
        .await?;
        let primary = &primaries[0];
        let replicas = try_join_all((1..=replicas).map(|number| async move {
            let name = format!("mysql-replica-{number}");
            // A replica begins with the same copy as its primary.
            let options = self.database_options(&name, "mysql-1")?;
            let folder = self.folder.join(&name);
            let replica =
                MariaDb::start_replica_of(primary, services, self.launcher, &folder, options);
            Ok::<_, ClusterError>(replica.await?)
        }))
        .await?;
        Ok((primaries, replicas))
    }

    /// The partitions and the router in front of them.
    async fn start_dynamodb(&self) -> Result<(Vec<Instance>, Option<SocketAddr>), ClusterError> {
        if self.stack.store.kind != StoreKind::Dynamodb {
            return Ok((Vec::new(), None));
        }
        let mut instances = try_join_all((1..=self.stack.store.nodes).map(|number| async move {
            let args = ["standin", "dynamodb-node", "--listen", "127.0.0.1:0"];
            let args = args.map(String::from).to_vec();
            let name = format!("dynamodb-node-{number}");
            let share = self.stack.budgets.database;
            self.start_role(&name, Role::Database, share, args, Vec::new()).await
        }))
        .await?;
        let mut args: Vec<String> =
            ["standin", "dynamodb", "--listen", "127.0.0.1:0"].map(String::from).to_vec();
        for node in &instances {
            args.extend(["--node".into(), node.listening.to_string()]);
        }
        let router = self.start_standin("dynamodb", args).await?;
        let address = router.listening;
        instances.push(router);
        Ok((instances, Some(address)))
    }

    async fn start_s3(&self) -> Result<Option<Instance>, ClusterError> {
        if self.stack.assets != AssetsKind::S3 {
            return Ok(None);
        }
        let data = self.folder.join(S3_FOLDER);
        if let Some(from) = self.from(S3_FOLDER) {
            files::link_tree(&from, &data).await.map_err(ClusterError::files(&data))?;
        }
        let mut args: Vec<String> =
            ["standin", "s3", "--listen", "127.0.0.1:0", "--bucket", BUCKET, "--data"]
                .map(String::from)
                .to_vec();
        args.push(data.display().to_string());
        Ok(Some(self.start_standin("s3", args).await?))
    }

    async fn start_sqs(&self) -> Result<Option<Instance>, ClusterError> {
        if self.stack.jobs != JobsKind::Sqs {
            return Ok(None);
        }
        let args = ["standin", "sqs", "--listen", "127.0.0.1:0", "--queue", QUEUE];
        Ok(Some(self.start_standin("sqs", args.map(String::from).to_vec()).await?))
    }

    async fn start_redis(&self) -> Result<Option<Redis>, ClusterError> {
        if !self.stack.needs_redis() {
            return Ok(None);
        }
        let options = RedisOptions {
            dump: self.from(DUMP_FILE),
            group: self.context.group(&format!("{}-redis", self.prefix), None)?,
            ..RedisOptions::default()
        };
        let folder = self.folder.join("redis");
        let services = &self.context.services;
        Ok(Some(Redis::start(services, self.launcher, &folder, options).await?))
    }

    /// Files that no service stands in front of.
    async fn place_files(&self) -> Result<(), ClusterError> {
        let error = || ClusterError::files(self.folder);
        tokio::fs::create_dir_all(self.folder).await.map_err(error())?;
        if self.stack.store.kind == StoreKind::Sqlite
            && let Some(template) = self.template
        {
            // Beside the file itself there may be its log.
            for suffix in ["", "-wal", "-shm"] {
                let name = format!("{SQLITE_FILE}{suffix}");
                let from = template.join(&name);
                if from.exists() {
                    tokio::fs::copy(&from, self.folder.join(&name)).await.map_err(error())?;
                }
            }
        }
        if self.stack.assets == AssetsKind::Local
            && let Some(from) = self.from(ASSETS_FOLDER)
        {
            let to = self.folder.join(ASSETS_FOLDER);
            files::link_tree(&from, &to).await.map_err(error())?;
        }
        Ok(())
    }

    /// Starts everything with data.
    pub(super) async fn start_backends(&self) -> Result<Backends, ClusterError> {
        self.place_files().await?;
        let ((databases, replicas), (mut stand_ins, dynamodb), s3, sqs, redis) = tokio::try_join!(
            self.start_databases(),
            self.start_dynamodb(),
            self.start_s3(),
            self.start_sqs(),
            self.start_redis(),
        )?;
        let address = |instance: &Option<Instance>| instance.as_ref().map(|one| one.listening);
        let (s3_at, sqs_at) = (address(&s3), address(&sqs));
        stand_ins.extend(s3);
        stand_ins.extend(sqs);
        Ok(Backends {
            databases,
            replicas,
            redis,
            stand_ins,
            folder: self.folder.to_path_buf(),
            dynamodb,
            s3: s3_at,
            sqs: sqs_at,
        })
    }
}

impl Backends {
    /// Where the S3 stand-in listens.
    pub(super) fn s3(&self) -> Option<SocketAddr> {
        self.s3
    }

    /// The bucket seen through an address: what pages link pictures to.
    pub(super) fn bucket_url(address: SocketAddr) -> String {
        format!("http://{address}/{BUCKET}")
    }

    /// Flags and environment with which the app reaches all of this.
    pub(super) fn app_settings(
        &self,
        stack: &StackSpec,
        secret: &str,
    ) -> (Vec<String>, Vec<(String, String)>) {
        let mut flags: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: &str| flags.extend([format!("--{name}"), value.into()]);
        let mut env: Vec<(String, String)> = Vec::new();
        flag("store", stack.store.kind.as_str());
        env.push(("PHOTO_APP_STORE_URL".into(), self.store_url(stack)));
        flag("assets", stack.assets.as_str());
        match self.s3 {
            Some(address) => {
                flag("s3-endpoint", &format!("http://{address}"));
                flag("s3-bucket", BUCKET);
            }
            None => flag("assets-dir", &self.folder.join(ASSETS_FOLDER).display().to_string()),
        }
        flag("cache", stack.cache.as_str());
        flag("sessions", stack.sessions.as_str());
        if let Some(redis) = &self.redis {
            env.push(("PHOTO_APP_REDIS_URL".into(), redis.url()));
        }
        if stack.sessions == SessionsKind::Cookie {
            env.push(("PHOTO_APP_SESSION_SECRET".into(), secret.into()));
        }
        flag("jobs", stack.jobs.as_str());
        flag("renditions", stack.renditions.as_str());
        if let Some(address) = self.sqs {
            flag("sqs-endpoint", &format!("http://{address}"));
            flag("sqs-queue-url", &format!("http://{address}/{QUEUE_ACCOUNT}/{QUEUE}"));
        }
        for (name, value) in &stack.app_settings {
            flag(&name.replace('_', "-"), value);
        }
        (flags, env)
    }

    fn store_url(&self, stack: &StackSpec) -> String {
        match stack.store.kind {
            StoreKind::Sqlite => self.folder.join(SQLITE_FILE).display().to_string(),
            StoreKind::Dynamodb => {
                self.dynamodb.map(|address| format!("http://{address}")).unwrap_or_default()
            }
            StoreKind::Mysql | StoreKind::Replicated | StoreKind::Sharded => {
                let servers = self.databases.iter().chain(&self.replicas);
                servers.map(MariaDb::url).collect::<Vec<_>>().join(",")
            }
        }
    }

    /// Ends everything in order, so that the folder can be copied. Redis leaves a dump.
    pub(super) async fn stop_for_copy(self) -> Result<(), ServiceError> {
        if let Some(redis) = self.redis {
            let dump = redis.dump().await?;
            let to = self.folder.join(DUMP_FILE);
            std::fs::copy(&dump, &to).map_err(|source| ServiceError::Folder {
                attempt: "copy Redis's dump to",
                path: to,
                source,
            })?;
            redis.stop().await;
        }
        join_all(self.stand_ins.iter().map(|one| one.process.stop(STOP_GRACE))).await;
        join_all(self.databases.into_iter().map(MariaDb::stop)).await;
        Ok(())
    }

    /// Ends everything at once: the data are no longer needed.
    pub(super) async fn discard(self) {
        let redis = async {
            if let Some(redis) = self.redis {
                redis.discard().await;
            }
        };
        let stand_ins = join_all(self.stand_ins.iter().map(|one| one.process.kill()));
        let databases = join_all(self.databases.into_iter().map(MariaDb::discard));
        let replicas = join_all(self.replicas.into_iter().map(MariaDb::discard));
        tokio::join!(redis, stand_ins, databases, replicas);
    }

    /// Every process with its role.
    pub(super) fn processes(&self) -> impl Iterator<Item = (Role, &Process)> {
        let databases = self.databases.iter().chain(&self.replicas);
        let databases = databases.map(|server| (Role::Database, server.process()));
        let redis = self.redis.iter().map(|redis| (Role::Cache, redis.process()));
        let stand_ins = self.stand_ins.iter().map(|one| (one.role, &one.process));
        databases.chain(redis).chain(stand_ins)
    }
}
