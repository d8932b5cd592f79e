//! The command line and environment as clap sees them: every value is still raw text.
//!
//! Nothing is checked here, so that `config::check` can report all mistakes at once instead of clap's first one.
//! Every flag `--store-url` has an environment variable `PHOTO_APP_STORE_URL`; the flag wins.

use clap::{Args, Parser, Subcommand};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "photo-app", version, about = "Lightmeter Photos: a photo-sharing app")]
pub struct Arguments {
    /// What this process does.
    #[command(subcommand)]
    pub role: Role,
}

/// The roles of the binary.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Answer web requests.
    Serve(RawSettings),
    /// Make renditions from the job queue (needs `--jobs sqs`).
    Work(RawSettings),
    /// Bring the database's tables up to date, then exit.
    Migrate(RawSettings),
    /// Fill an empty store with a reproducible population, then exit.
    Seed(RawSeed),
}

/// The settings of every role, as given.
#[derive(Debug, Clone, Default, Args)]
pub struct RawSettings {
    /// Where to listen [default: 127.0.0.1:8080; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT", env = "PHOTO_APP_LISTEN")]
    pub listen: Option<String>,
    /// The name of this instance in logs and on /info [default: web-1]
    #[arg(long, value_name = "NAME", env = "PHOTO_APP_INSTANCE")]
    pub instance: Option<String>,
    /// sqlite | mysql | replicated | sharded | dynamodb | memory [default: sqlite]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_STORE")]
    pub store: Option<String>,
    /// sqlite: a file; mysql: mysql://user:password@host:port/database; replicated: the primary, then replicas, comma
    /// separated; sharded: the shards, comma separated; dynamodb: an endpoint URL or `aws`
    #[arg(long, value_name = "URL", env = "PHOTO_APP_STORE_URL", hide_env_values = true)]
    pub store_url: Option<String>,
    /// Connections per database node [default: 16]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_STORE_CONNECTIONS_MAX")]
    pub store_connections_max: Option<String>,
    /// The DynamoDB table [default: photo-app]
    #[arg(long, value_name = "NAME", env = "PHOTO_APP_DYNAMODB_TABLE")]
    pub dynamodb_table: Option<String>,
    /// local | s3 [default: local]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_ASSETS")]
    pub assets: Option<String>,
    /// The folder of local assets [default: photo-app-data/assets]
    #[arg(long, value_name = "FOLDER", env = "PHOTO_APP_ASSETS_DIR")]
    pub assets_dir: Option<String>,
    /// The address of the object store; left out: AWS itself
    #[arg(long, value_name = "URL", env = "PHOTO_APP_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    /// The bucket for originals and renditions
    #[arg(long, value_name = "NAME", env = "PHOTO_APP_S3_BUCKET")]
    pub s3_bucket: Option<String>,
    /// The address pages link pictures to: the CDN's or the bucket's
    #[arg(long, value_name = "URL", env = "PHOTO_APP_ASSETS_PUBLIC_URL")]
    pub assets_public_url: Option<String>,
    /// app | presigned: who carries the bytes of an upload into the object store, this server or the browser itself, to an
    /// address that this server signs; `presigned` needs `--assets s3` and a store that browsers can reach [default: app]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_UPLOADS")]
    pub uploads: Option<String>,
    /// jpeg | jpeg-webp: the file formats of renditions; WebP is smaller and takes several times the CPU
    /// [default: jpeg-webp]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_RENDITIONS")]
    pub renditions: Option<String>,
    /// none | moka | redis [default: none]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_CACHE")]
    pub cache: Option<String>,
    /// The in-process cache's size in bytes [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "PHOTO_APP_CACHE_BYTES_MAX")]
    pub cache_bytes_max: Option<String>,
    /// The Redis of the shared cache and the shared sessions, as redis://host:port (rediss:// with TLS)
    #[arg(long, value_name = "URL", env = "PHOTO_APP_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// memory | cookie | redis [default: cookie]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_SESSIONS")]
    pub sessions: Option<String>,
    /// The key that signs session cookies, at least 32 bytes; may be left out only when listening on loopback
    #[arg(long, value_name = "TEXT", env = "PHOTO_APP_SESSION_SECRET", hide_env_values = true)]
    pub session_secret: Option<String>,
    /// inline | sqs [default: inline]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_JOBS")]
    pub jobs: Option<String>,
    /// The address of the queue service; left out: AWS itself
    #[arg(long, value_name = "URL", env = "PHOTO_APP_SQS_ENDPOINT")]
    pub sqs_endpoint: Option<String>,
    /// The queue's URL
    #[arg(long, value_name = "URL", env = "PHOTO_APP_SQS_QUEUE_URL")]
    pub sqs_queue_url: Option<String>,
    /// Jobs at once in one worker [default: 1]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_JOB_CONCURRENCY")]
    pub job_concurrency: Option<String>,
    /// Seconds after which a job that was taken and not finished is given to another worker [default: 30]
    #[arg(long, value_name = "SECONDS", env = "PHOTO_APP_JOB_VISIBILITY_S")]
    pub job_visibility_s: Option<String>,
    /// The largest upload in bytes [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "PHOTO_APP_UPLOAD_BYTES_MAX")]
    pub upload_bytes_max: Option<String>,
    /// The largest picture in pixels, six times as many for a camera's JPEG, which is decoded at a fraction of its size [default: 40000000]
    #[arg(long, value_name = "PIXELS", env = "PHOTO_APP_UPLOAD_PIXELS_MAX")]
    pub upload_pixels_max: Option<String>,
    /// After how long a request is given up [default: 30000]
    #[arg(long, value_name = "MS", env = "PHOTO_APP_REQUEST_TIMEOUT_MS")]
    pub request_timeout_ms: Option<String>,
    /// How long requests in flight may take after a stop signal [default: 10000]
    #[arg(long, value_name = "MS", env = "PHOTO_APP_SHUTDOWN_GRACE_MS")]
    pub shutdown_grace_ms: Option<String>,
    /// peer | forwarded: whose address counts for login attempts; `forwarded` behind a balancer that sets
    /// X-Forwarded-For [default: peer]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_CLIENT_ADDRESS")]
    pub client_address: Option<String>,
    /// text | json [default: text]
    #[arg(long, value_name = "KIND", env = "PHOTO_APP_LOG_FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, as in `info` or `info,photo_app=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "PHOTO_APP_LOG_LEVEL")]
    pub log_level: Option<String>,
}

/// The flags of `seed`.
#[derive(Debug, Clone, Default, Args)]
pub struct RawSeed {
    /// Where to write to.
    #[command(flatten)]
    pub settings: RawSettings,
    /// People [default: 1000]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_PEOPLE")]
    pub people: Option<String>,
    /// Photos [default: 10000]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_PHOTOS")]
    pub photos: Option<String>,
    /// Distinct pictures drawn for them [default: 36]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_PICTURES")]
    pub pictures: Option<String>,
    /// People that one person follows, on average [default: 20]
    #[arg(long, value_name = "COUNT", env = "PHOTO_APP_FOLLOWS_MEAN")]
    pub follows_mean: Option<String>,
    /// The number everything random is drawn from [default: 1]
    #[arg(long, value_name = "NUMBER", env = "PHOTO_APP_SEED")]
    pub seed: Option<String>,
    /// Where to write the list of people and photos that a load generator reads
    #[arg(long, value_name = "FILE", env = "PHOTO_APP_MANIFEST")]
    pub manifest: Option<String>,
}
