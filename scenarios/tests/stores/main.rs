//! The stores on real MariaDB servers - one, replicated, sharded - and the cache on a real Redis: the conformance lists, and
//! what only several servers can show. Services are private instances; without them the tests say that they are skipped.

mod budgets;
mod mysql8;
mod replicated;
mod settled;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lightmeter::cluster::process::Launcher;
use lightmeter::cluster::services::{MariaDb, MariaDbOptions, Redis, RedisOptions, Services};
use photo_app::cache::{Cache, redis::RedisCache};
use photo_app::model::Feed;
use photo_app::store::cached::CachedStore;
use photo_app::store::memory::MemoryStore;
use photo_app::store::mysql::MysqlStore;
use photo_app::store::sharded::ShardedStore;
use photo_app::store::{Store, conformance};

/// The services of this machine and a place for the data of a test.
pub struct Place {
    services: Services,
    launcher: Launcher,
    folder: tempfile::TempDir,
    databases: AtomicU32,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lm-stores-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        Self {
            services: Services::discover().with_template_in(env!("CARGO_TARGET_TMPDIR")),
            launcher: Launcher::new(env!("CARGO_BIN_EXE_lightmeter"), folder.path().join("logs")),
            folder,
            databases: AtomicU32::new(0),
        }
    }

    /// A place where MariaDB can be started; none, and a word about it, where it is not installed.
    pub fn with_mariadb() -> Option<Self> {
        let place = Self::new();
        if place.services.mariadb().is_none() {
            eprintln!("SKIPPED: MariaDB is not installed");
            return None;
        }
        Some(place)
    }

    fn with_redis() -> Option<Self> {
        let place = Self::new();
        if place.services.redis().is_none() {
            eprintln!("SKIPPED: Redis is not installed");
            return None;
        }
        Some(place)
    }

    /// Starts a server.
    pub async fn mariadb(&self, name: &str) -> MariaDb {
        let options = MariaDbOptions { name: name.to_owned(), ..MariaDbOptions::default() };
        let data = self.folder.path().join(name);
        let server = MariaDb::start(&self.services, &self.launcher, &data, options).await;
        server.expect("MariaDB starts")
    }

    /// Starts a replica.
    pub async fn replica(&self, primary: &MariaDb, name: &str) -> MariaDb {
        let options = MariaDbOptions { name: name.to_owned(), ..MariaDbOptions::default() };
        let data = self.folder.path().join(name);
        let (services, launcher) = (&self.services, &self.launcher);
        let server = MariaDb::start_replica_of(primary, services, launcher, &data, options).await;
        server.expect("the replica starts")
    }

    /// The name of a database that no other check has.
    pub fn next_name(&self) -> String {
        format!("c{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    /// The address of a new database.
    pub async fn database(&self, server: &MariaDb) -> String {
        server.create_database(&self.next_name()).await.expect("a database can be made")
    }

    async fn mysql_store(&self, server: &MariaDb) -> MysqlStore {
        let url = self.database(server).await;
        let store = MysqlStore::connect(&url, 16).await.expect("the store connects");
        store.migrate().await.expect("the tables are made");
        store
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_keeps_the_promises() {
    let Some(place) = Place::with_mariadb() else { return };
    let server = place.mariadb("mysql").await;
    let make = async || Arc::new(place.mysql_store(&server).await) as Arc<dyn Store>;
    conformance::check_all(make).await;
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_keep_the_promises_of_one_server() {
    let Some(place) = Place::with_mariadb() else { return };
    let server = place.mariadb("shards").await;
    for count in [1, 3] {
        let make = async || {
            let mut urls = Vec::new();
            for _ in 0..count {
                urls.push(place.database(&server).await);
            }
            let store = ShardedStore::connect(&urls, 4).await.expect("the shards connect");
            store.migrate().await.expect("the tables are made");
            Arc::new(store) as Arc<dyn Store>
        };
        conformance::check_all(make).await;
    }
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_once_however_many_instances_start() {
    let Some(place) = Place::with_mariadb() else { return };
    let server = place.mariadb("migrated").await;
    let url = place.database(&server).await;
    let start = || async {
        let store = MysqlStore::connect(&url, 2).await.expect("the store connects");
        store.migrate().await.expect("the tables are there");
    };
    futures_util::future::join_all([start(), start(), start(), start()]).await;
    server.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_queries_walk_indexes_and_never_a_table() {
    let Some(place) = Place::with_mariadb() else { return };
    let server = place.mariadb("plans").await;
    let store = place.mysql_store(&server).await;
    let population = crowd(3_000);
    store.load(&population).await.expect("the population is written");
    assert_indexes(&store).await;
    let fan = population.users[0].id;
    let page = store.photo_page(Feed::Home(fan), Some(fan), None, 20).await;
    assert_eq!(page.expect("the feed is read").items.len(), 20);
    server.discard().await;
}

/// Each step of each feed is read by an index.
pub async fn assert_indexes(store: &MysqlStore) {
    for (feed, steps) in store.feed_plans().await.expect("the plans can be read") {
        for step in steps {
            let table = step.table.as_deref().unwrap_or_default();
            let derived = table.starts_with('<') || step.access.is_none();
            let whole = step.access.as_deref() == Some("ALL");
            assert!(derived || (!whole && step.key.is_some()), "{feed}: {step:?}");
        }
    }
}

/// Forty people with this many ready photos; the first follows everybody.
pub fn crowd(photo_count: u64) -> photo_app::store::Population {
    let users: Vec<_> = (0..40).map(conformance::person).collect();
    let mut population = photo_app::store::Population::default();
    for number in 0..photo_count {
        let by = &users[number as usize % users.len()];
        let (mut photo, mut version) = conformance::photo(by, number);
        photo.progress = photo_app::model::Progress::Ready;
        version.progress = photo_app::model::Progress::Ready;
        population.photos.push((photo, vec![version]));
    }
    population.follows = users[1..].iter().map(|star| (users[0].id, star.id, 1)).collect();
    population.users = users;
    population
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_promises_of_a_cache() {
    let Some(place) = Place::with_redis() else { return };
    let data = place.folder.path().join("redis");
    let options = RedisOptions::default();
    let redis = Redis::start(&place.services, &place.launcher, &data, options).await;
    let redis = redis.expect("Redis starts");
    let number = AtomicU32::new(0);
    let make = async || {
        // A numbered database of its own for each check.
        let url = format!("{}{}", redis.url(), number.fetch_add(1, Ordering::Relaxed));
        Arc::new(RedisCache::connect(&url).await.expect("the cache connects")) as Arc<dyn Cache>
    };
    photo_app::cache::conformance::check_all(make).await;

    a_dead_cache_costs_no_page(redis).await;
}

/// The shared cache goes away under a running app: pages go on, from the store.
async fn a_dead_cache_costs_no_page(redis: Redis) {
    let cache = RedisCache::connect(&redis.url()).await.expect("the cache connects");
    let errors = Arc::new(AtomicU32::new(0));
    let counter = errors.clone();
    let hook: photo_app::store::CountHook = Arc::new(move |name| {
        if name == "cache.error" {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let store = CachedStore::counting(Arc::new(MemoryStore::new()), Arc::new(cache), hook);
    let user = conformance::person(1);
    store.create_user(&user).await.expect("the account is added");
    let shown = Some(user.clone().into());
    for _ in 0..2 {
        assert_eq!(store.profile(&user.name).await.expect("it is read"), shown);
    }
    assert_eq!(errors.load(Ordering::Relaxed), 0);
    redis.discard().await;
    assert_eq!(store.profile(&user.name).await.expect("it is read"), shown);
    assert!(errors.load(Ordering::Relaxed) > 0, "and the failure is counted");
}
