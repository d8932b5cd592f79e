//! From settings to running parts: connects the backends and puts decorators around them.
//!
//! This is the only file that matches on a backend kind; everything after it sees `Arc<dyn _>`. Counting sits right at
//! the backend, the cache in front of it, so that /info.json tells what the database really had to do.

use std::ops::Deref;
use std::sync::Arc;

use anyhow::Context as _;

use crate::assets::Assets;
use crate::assets::local::LocalAssets;
use crate::assets::s3::{S3Assets, S3Slots};
use crate::assets::slots::Slots;
use crate::cache::Cache;
use crate::cache::moka::MokaCache;
use crate::cache::none::NoCache;
use crate::cache::redis::RedisCache;
use crate::clock::{Clock, SystemClock};
use crate::config::{
    AssetsSetting, CacheSetting, Config, JobsSetting, SessionsSetting, StoreSetting, UploadsSetting,
};
use crate::imaging::Limits;
use crate::jobs::JobQueue;
use crate::jobs::inline::InlineQueue;
use crate::jobs::renditions::Renderer;
use crate::jobs::sqs::SqsQueue;
use crate::password::{LoginAttempts, Passwords};
use crate::places::Places;
use crate::seed::{Manifest, SeedOptions};
use crate::session::{CookieSessions, MemorySessions, RedisSessions, Sessions};
use crate::store::cached::CachedStore;
use crate::store::counted::CountedStore;
use crate::store::dynamodb::DynamodbStore;
use crate::store::memory::MemoryStore;
use crate::store::mysql::MysqlStore;
use crate::store::replicated::ReplicatedStore;
use crate::store::sharded::ShardedStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{CountHook, Store};
use crate::telemetry::{CountedAssets, CountedJobs, CountedSlots, Counters, Telemetry};

/// Where local renditions are served.
const LOCAL_ASSETS_PREFIX: &str = "/assets";

/// Everything a handler may use.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts behind [`AppState`].
pub struct Parts {
    /// serve or work.
    pub role: &'static str,
    /// The settings.
    pub config: Arc<Config>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The pictures.
    pub assets: Arc<dyn Assets>,
    /// Where browsers put uploads themselves; none where this server carries their bytes.
    pub slots: Option<Arc<dyn Slots>>,
    /// Answers kept near (the store uses it; here for health checks).
    pub cache: Arc<dyn Cache>,
    /// Hands over work.
    pub jobs: Arc<dyn JobQueue>,
    /// Remembers logins.
    pub sessions: Arc<dyn Sessions>,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
    /// Counters and metrics.
    pub telemetry: Arc<Telemetry>,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Slows down guessing.
    pub login_attempts: LoginAttempts,
    /// Places for uploads and for the originals of previews.
    pub places: Places,
    /// The largest picture.
    pub limits: Limits,
}

impl Deref for AppState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a worker needs beside the state.
pub struct WorkerParts {
    /// The queue to read from.
    pub queue: Arc<SqsQueue>,
    /// Makes the renditions.
    pub renderer: Arc<Renderer>,
}

impl AppState {
    /// Connects everything that the settings name.
    pub async fn connect(config: Config) -> anyhow::Result<AppState> {
        Ok(Self::connect_with_worker(config, "serve").await?.0)
    }

    /// As [`AppState::connect`], with the parts of a worker when the jobs go through a queue.
    pub async fn connect_with_worker(
        config: Config,
        role: &'static str,
    ) -> anyhow::Result<(AppState, Option<WorkerParts>)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let telemetry = Arc::new(Telemetry::new());
        let cache = connect_cache(&config).await?;
        let backend = connect_store(&config).await?;
        let counters = telemetry.counters.clone();
        let counted = CountedStore::new(backend, count(&counters));
        let store: Arc<dyn Store> = match config.cache {
            CacheSetting::None => Arc::new(counted),
            _ => {
                let hook = count(&counters);
                Arc::new(CachedStore::counting(Arc::new(counted), cache.clone(), hook))
            }
        };
        let (assets, slots) = connect_assets(&config).await?;
        let assets: Arc<dyn Assets> = Arc::new(CountedAssets::new(assets, counters.clone()));
        let slots = slots.map(|slots| -> Arc<dyn Slots> {
            Arc::new(CountedSlots::new(slots, counters.clone()))
        });
        let limits = Limits::of(config.upload_pixels_max);
        let renderer =
            Arc::new(Renderer::new(store.clone(), assets.clone(), clock.clone(), limits));
        let mut worker = None;
        let jobs: Arc<dyn JobQueue> = match &config.jobs {
            JobsSetting::Inline => {
                let inline = Arc::new(InlineQueue::new(renderer));
                Arc::new(CountedJobs::new(inline, telemetry.clone(), true))
            }
            JobsSetting::Sqs { endpoint, queue_url } => {
                let queue = SqsQueue::connect(endpoint.as_deref(), queue_url).await;
                let queue = Arc::new(queue.context("cannot reach the job queue")?);
                worker = Some(WorkerParts { queue: queue.clone(), renderer });
                Arc::new(CountedJobs::new(queue, telemetry.clone(), false))
            }
        };
        let sessions = connect_sessions(&config, &clock).await?;
        let state = Parts {
            role,
            config: Arc::new(config),
            store,
            assets,
            slots,
            cache,
            jobs,
            sessions,
            clock,
            telemetry,
            passwords: Passwords::default(),
            login_attempts: LoginAttempts::default(),
            places: Places::default(),
            limits,
        };
        Ok((AppState::new(state), worker))
    }

    /// Wraps parts made elsewhere (tests and benches choose their own).
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// Makes the configured tables and fills them and the assets with a population.
pub async fn seed(config: &Config, options: &SeedOptions) -> anyhow::Result<Manifest> {
    migrate(config).await?;
    let store = connect_store(config).await?;
    let (assets, _) = connect_assets(config).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sessions = match config.sessions {
        // They would end with this process.
        SessionsSetting::Memory => None,
        _ => Some(connect_sessions(config, &clock).await?),
    };
    let manifest = crate::seed::seed(options, &*store, &*assets, sessions.as_deref()).await?;
    Ok(manifest)
}

/// Brings the tables of the configured store up to date. Stores without tables have nothing to do.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let max = config.store_connections_max;
    match &config.store {
        StoreSetting::Memory => {}
        StoreSetting::Sqlite { .. } => drop(connect_store(config).await?),
        StoreSetting::Dynamodb { endpoint, table } => {
            let store = DynamodbStore::connect(endpoint.as_deref(), table)
                .await
                .context("cannot reach DynamoDB")?;
            store.create_table().await.context("cannot create the table")?;
        }
        StoreSetting::Mysql { url } => {
            let store = MysqlStore::connect(url, max).await.context("cannot reach MySQL")?;
            store.migrate().await.context("cannot migrate MySQL")?;
        }
        // The replicas follow the primary.
        StoreSetting::Replicated { primary, .. } => {
            let store = MysqlStore::connect(primary, max).await;
            let store = store.context("cannot reach the primary")?;
            store.migrate().await.context("cannot migrate the primary")?;
        }
        StoreSetting::Sharded { shards } => {
            let store = ShardedStore::connect(shards, max).await;
            let store = store.context("cannot reach the shards")?;
            store.migrate().await.context("cannot migrate the shards")?;
        }
    }
    Ok(())
}

async fn connect_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let max = config.store_connections_max;
    Ok(match &config.store {
        StoreSetting::Memory => Arc::new(MemoryStore::new()),
        StoreSetting::Sqlite { path } => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                tokio::fs::create_dir_all(folder)
                    .await
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            }
            let store = SqliteStore::open(path, max).await;
            Arc::new(store.with_context(|| format!("cannot open {}", path.display()))?)
        }
        StoreSetting::Dynamodb { endpoint, table } => {
            let store = DynamodbStore::connect(endpoint.as_deref(), table).await;
            Arc::new(store.context("cannot reach DynamoDB")?)
        }
        StoreSetting::Mysql { url } => {
            Arc::new(MysqlStore::connect(url, max).await.context("cannot reach MySQL")?)
        }
        StoreSetting::Replicated { primary, replicas } => {
            let store = ReplicatedStore::connect(primary, replicas, max).await;
            Arc::new(store.context("cannot reach the primary and its replicas")?)
        }
        StoreSetting::Sharded { shards } => {
            let store = ShardedStore::connect(shards, max).await;
            Arc::new(store.context("cannot reach the shards")?)
        }
    })
}

/// The hook through which decorators of the store count by name.
fn count(counters: &Arc<Counters>) -> CountHook {
    let counters = counters.clone();
    Arc::new(move |name| counters.add(name, 1))
}

/// The pictures' place, and its slots if browsers put uploads there themselves.
async fn connect_assets(
    config: &Config,
) -> anyhow::Result<(Arc<dyn Assets>, Option<Arc<dyn Slots>>)> {
    let public_url = config.assets_public_url.as_deref();
    match &config.assets {
        AssetsSetting::Local { dir } => {
            let prefix = match public_url {
                Some(url) => format!("{url}{LOCAL_ASSETS_PREFIX}"),
                None => LOCAL_ASSETS_PREFIX.to_owned(),
            };
            let assets = LocalAssets::open(dir, &prefix);
            let assets = assets.with_context(|| format!("cannot use the folder {}", dir.display()));
            Ok((Arc::new(assets?), None))
        }
        AssetsSetting::S3 { endpoint, bucket, uploads } => {
            let public_url = public_url.unwrap_or_default();
            let assets = S3Assets::connect(endpoint.as_deref(), bucket, public_url).await;
            let assets = assets.with_context(|| format!("cannot use the bucket {bucket}"))?;
            let slots: Option<Arc<dyn Slots>> = match uploads {
                UploadsSetting::App => None,
                UploadsSetting::Presigned => {
                    let slots = S3Slots::of(assets.clone()).await;
                    Some(Arc::new(slots.context("cannot sign addresses for uploads")?))
                }
            };
            Ok((Arc::new(assets), slots))
        }
    }
}

async fn connect_cache(config: &Config) -> anyhow::Result<Arc<dyn Cache>> {
    Ok(match &config.cache {
        CacheSetting::None => Arc::new(NoCache),
        CacheSetting::Moka { bytes_max } => Arc::new(MokaCache::new(*bytes_max)),
        CacheSetting::Redis { url } => {
            Arc::new(RedisCache::connect(url).await.context("cannot reach the cache")?)
        }
    })
}

async fn connect_sessions(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Sessions>> {
    Ok(match &config.sessions {
        SessionsSetting::Memory => Arc::new(MemorySessions::new(clock.clone())),
        SessionsSetting::Cookie { secret } => Arc::new(CookieSessions::new(secret, clock.clone())),
        SessionsSetting::Redis { url } => Arc::new(
            RedisSessions::connect(url, clock.clone())
                .await
                .context("cannot reach the shared sessions")?,
        ),
    })
}
