//! The settings of one process: raw flags and environment in, one checked [`Config`] out.
//!
//! `arguments` holds the flags as clap reads them, `check` turns them into the types below, with the
//! readers of `reader` that collect every mistake.
//! Nothing connects here: `state` does, and only `state` matches on the enums of this file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub mod arguments;
pub mod check;
pub mod reader;

pub use reader::{ConfigError, Mistake};

use crate::model::RenditionFormats;

/// Everything a process needs to know, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Host and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// The name of this instance in logs and on /info.
    pub instance: String,
    /// The database.
    pub store: StoreSetting,
    /// Connections per database node.
    pub store_connections_max: u32,
    /// Where pictures live.
    pub assets: AssetsSetting,
    /// The address that pages link pictures to, without a trailing slash.
    pub assets_public_url: Option<String>,
    /// The file formats of new renditions.
    pub renditions: RenditionFormats,
    /// Answers kept near.
    pub cache: CacheSetting,
    /// How a login is remembered.
    pub sessions: SessionsSetting,
    /// Who makes renditions.
    pub jobs: JobsSetting,
    /// Jobs at once in one worker.
    pub job_concurrency: u32,
    /// After which time a job is given to another worker.
    pub job_visibility: Duration,
    /// The largest upload in bytes.
    pub upload_bytes_max: u64,
    /// The largest picture in pixels.
    pub upload_pixels_max: u64,
    /// After how long a request is given up.
    pub request_timeout: Duration,
    /// How long requests in flight may take after a stop signal.
    pub shutdown_grace: Duration,
    /// Whose address counts for login attempts.
    pub client_address: ClientAddress,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, in tracing's filter syntax.
    pub log_level: String,
}

/// Which database, and where.
#[derive(Debug, Clone)]
pub enum StoreSetting {
    /// In this process; gone when it ends.
    Memory,
    /// One file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// One MySQL or MariaDB.
    Mysql {
        /// mysql://user:password@host:port/database
        url: String,
    },
    /// One primary and its read replicas.
    Replicated {
        /// Takes the writes.
        primary: String,
        /// Take the reads.
        replicas: Vec<String>,
    },
    /// Several databases, each with a share of the people.
    Sharded {
        /// The shards, in their fixed order.
        shards: Vec<String>,
    },
    /// A DynamoDB table.
    Dynamodb {
        /// An endpoint, or none for AWS itself.
        endpoint: Option<String>,
        /// The table.
        table: String,
    },
}

/// Where pictures live.
#[derive(Debug, Clone)]
pub enum AssetsSetting {
    /// Files on this server.
    Local {
        /// Their folder.
        dir: PathBuf,
    },
    /// An object store.
    S3 {
        /// An endpoint, or none for AWS itself.
        endpoint: Option<String>,
        /// The bucket.
        bucket: String,
        /// Who carries the bytes of an upload into it.
        uploads: UploadsSetting,
    },
}

/// Who carries the bytes of an upload into the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadsSetting {
    /// This server.
    App,
    /// The browser, to an address that this server signs.
    Presigned,
}

/// Answers kept near.
#[derive(Debug, Clone)]
pub enum CacheSetting {
    /// None are.
    None,
    /// In this process.
    Moka {
        /// At most this many bytes.
        bytes_max: u64,
    },
    /// In a Redis that all instances share.
    Redis {
        /// redis://host:port, or rediss://host:port with TLS.
        url: String,
    },
}

/// How a login is remembered.
#[derive(Clone)]
pub enum SessionsSetting {
    /// In this process: another instance does not know it.
    Memory,
    /// In the signed cookie itself.
    Cookie {
        /// The signing key.
        secret: Vec<u8>,
    },
    /// In a Redis that all instances share.
    Redis {
        /// redis://host:port, or rediss://host:port with TLS.
        url: String,
    },
}

impl std::fmt::Debug for SessionsSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who makes renditions.
#[derive(Debug, Clone)]
pub enum JobsSetting {
    /// The request itself.
    Inline,
    /// Workers that read a queue.
    Sqs {
        /// An endpoint, or none for AWS itself.
        endpoint: Option<String>,
        /// The queue.
        queue_url: String,
    },
}

/// Whose address counts for login attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// The other end of the connection.
    Peer,
    /// The last entry of X-Forwarded-For, which the balancer wrote.
    Forwarded,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl StoreSetting {
    /// The word of the setting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite { .. } => "sqlite",
            Self::Mysql { .. } => "mysql",
            Self::Replicated { .. } => "replicated",
            Self::Sharded { .. } => "sharded",
            Self::Dynamodb { .. } => "dynamodb",
        }
    }

    /// How many database nodes the setting names.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Replicated { replicas, .. } => 1 + replicas.len(),
            Self::Sharded { shards } => shards.len(),
            _ => 1,
        }
    }
}

impl AssetsSetting {
    /// The word of the setting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::S3 { .. } => "s3",
        }
    }

    /// Who carries the bytes of uploads.
    pub fn uploads(&self) -> UploadsSetting {
        match self {
            Self::Local { .. } => UploadsSetting::App,
            Self::S3 { uploads, .. } => *uploads,
        }
    }
}

impl UploadsSetting {
    /// The word of the setting.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Presigned => "presigned",
        }
    }
}

impl CacheSetting {
    /// The word of the setting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Moka { .. } => "moka",
            Self::Redis { .. } => "redis",
        }
    }
}

impl SessionsSetting {
    /// The word of the setting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cookie { .. } => "cookie",
            Self::Redis { .. } => "redis",
        }
    }
}

impl JobsSetting {
    /// The word of the setting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Sqs { .. } => "sqs",
        }
    }
}

impl Config {
    /// The settings as /info.json reports them: everything but secrets and addresses, so that two instances of the
    /// same stack report the same map.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let mut put = |name: &str, value: String| settings.insert(name.to_owned(), value);
        put("store", self.store.as_str().into());
        put("store_nodes", self.store.nodes().to_string());
        put("store_connections_max", self.store_connections_max.to_string());
        put("assets", self.assets.as_str().into());
        put("assets_public_url", given(self.assets_public_url.is_some()));
        // Named after what it depends on: an arrow that declares `assets` as changed declares this as well.
        put("assets_uploads", self.assets.uploads().as_str().into());
        put("renditions", self.renditions.as_str().into());
        put("cache", self.cache.as_str().into());
        if let CacheSetting::Moka { bytes_max } = self.cache {
            put("cache_bytes_max", bytes_max.to_string());
        }
        put("sessions", self.sessions.as_str().into());
        put("jobs", self.jobs.as_str().into());
        put("job_concurrency", self.job_concurrency.to_string());
        put("job_visibility_s", self.job_visibility.as_secs().to_string());
        put("upload_bytes_max", self.upload_bytes_max.to_string());
        put("upload_pixels_max", self.upload_pixels_max.to_string());
        put("request_timeout_ms", self.request_timeout.as_millis().to_string());
        put("shutdown_grace_ms", self.shutdown_grace.as_millis().to_string());
        settings
    }
}

fn given(is_given: bool) -> String {
    if is_given { "given" } else { "none" }.to_owned()
}

/// What `seed` writes.
#[derive(Debug, Clone)]
pub struct SeedConfig {
    /// Where to.
    pub config: Config,
    /// People.
    pub people: u32,
    /// Photos.
    pub photos: u32,
    /// Distinct pictures drawn for them.
    pub pictures: u32,
    /// People that one person follows, on average.
    pub follows_mean: u32,
    /// The number everything random is drawn from.
    pub seed: u64,
    /// Where the list for the load generator goes.
    pub manifest: Option<PathBuf>,
}
