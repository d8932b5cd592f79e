//! The store's verbs on SQLite and MariaDB, and the caches: what one call costs one caller, without HTTP around it.
//!
//! A population of 1,000 people and 10,000 photo rows, as in the experiments. Times include the round trip to the
//! server on loopback, for MariaDB; the SQLite file is on this machine's disk. Figures for many callers at once are
//! the experiments' business (`cargo lab run database`).

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benches::mariadb::MariaDb;
use benches::redis::Redis;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use photo_app::cache::moka::MokaCache;
use photo_app::cache::none::NoCache;
use photo_app::cache::redis::RedisCache;
use photo_app::cache::{Cache, Value};
use photo_app::model::{
    Author, Comment, CommentId, Feed, PhotoId, Progress, User, UserId, VersionId,
};
use photo_app::seed::SeedOptions;
use photo_app::store::cached::CachedStore;
use photo_app::store::mysql::MysqlStore;
use photo_app::store::sqlite::SqliteStore;
use photo_app::store::{Store, conformance};
use tokio::runtime::Runtime;

/// What the verbs are called with; each call takes the next person and photo, so that no row is always the hottest.
struct Bench<'a> {
    runtime: &'a Runtime,
    store: Arc<dyn Store>,
    people: Vec<User>,
    photos: Vec<PhotoId>,
    turn: AtomicU64,
}

impl Bench<'_> {
    fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn person(&self) -> &User {
        // 7 shares no factor with the number of people: everybody's turn comes.
        &self.people[(self.turn() * 7) as usize % self.people.len()]
    }

    fn photo(&self) -> PhotoId {
        self.photos[(self.turn() * 7) as usize % self.photos.len()]
    }

    /// A fresh id, larger than all before.
    fn number(&self) -> u64 {
        2_000_000_000_000 + self.turn()
    }
}

fn fill<'a>(runtime: &'a Runtime, store: Arc<dyn Store>) -> Bench<'a> {
    let options = SeedOptions::default();
    let population = photo_app::seed::draw_rows(&options).expect("the default options fit");
    runtime.block_on(store.load(&population)).expect("an empty store takes a population");
    let photos = population.photos.iter().map(|(photo, _)| photo.id).collect();
    Bench { runtime, store, people: population.users, photos, turn: AtomicU64::new(0) }
}

/// One verb of one store: `$body` is an async block over `$bench`.
macro_rules! verb {
    ($group:ident, $bench:ident, $name:literal, $body:expr) => {
        $group.bench_function($name, |bencher| {
            bencher.to_async($bench.runtime).iter(|| async {
                black_box($body.await.expect("the store answers"));
            });
        });
    };
}

fn reads(criterion: &mut Criterion, name: &str, bench: &Bench<'_>) {
    let mut group = criterion.benchmark_group(format!("database/{name}/read"));
    group.sample_size(30).measurement_time(Duration::from_secs(3));
    verb!(group, bench, "user", bench.store.user(bench.person().id));
    verb!(group, bench, "user_by_name", bench.store.user_by_name(&bench.person().name));
    verb!(group, bench, "profile", bench.store.profile(&bench.person().name));
    verb!(group, bench, "search_users", bench.store.search_users("ma", 20));
    verb!(group, bench, "photo", bench.store.photo(bench.photo(), Some(bench.person().id)));
    verb!(group, bench, "versions", bench.store.versions(bench.photo()));
    verb!(group, bench, "comments", bench.store.comments(bench.photo(), None, 20));
    let page = async |feed: fn(UserId) -> Feed| {
        let viewer = bench.person().id;
        bench.store.photo_page(feed(viewer), Some(viewer), None, 20).await
    };
    verb!(group, bench, "home_page", page(Feed::Home));
    verb!(group, bench, "explore_page", page(|_| Feed::Explore));
    verb!(group, bench, "profile_page", page(Feed::Profile));
    group.finish();
}

fn writes(criterion: &mut Criterion, name: &str, bench: &Bench<'_>) {
    let mut group = criterion.benchmark_group(format!("database/{name}/write"));
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    let like = async || {
        let (photo, person) = (bench.photo(), bench.person().id);
        bench.store.set_like(photo, person, bench.turn() % 4 < 2, 1).await
    };
    verb!(group, bench, "set_like", like());
    let follow = async || {
        let (one, other) = (bench.person().id, bench.person().id);
        bench.store.set_follow(one, other, bench.turn() % 4 < 2, 1).await
    };
    verb!(group, bench, "set_follow", follow());
    let comment = async || {
        let by = bench.person();
        let author =
            Author { id: by.id, name: by.name.clone(), display_name: by.display_name.clone() };
        let number = bench.number();
        let comment = Comment {
            id: CommentId::new(number, number),
            photo: bench.photo(),
            author,
            body: "Beautiful!".to_owned(),
            created_at_ms: number as i64,
        };
        bench.store.add_comment(&comment).await
    };
    verb!(group, bench, "add_comment", comment());
    let post = async || {
        let number = bench.number();
        let (mut photo, mut version) = conformance::photo(bench.person(), number);
        photo.id = PhotoId::for_author(photo.author, number, number);
        version.id = VersionId::new(number, number);
        (version.photo, photo.published_version) = (photo.id, version.id);
        bench.store.add_photo(&photo, &version).await?;
        bench.store.finish_version(photo.id, version.id, Progress::Ready, 1).await
    };
    verb!(group, bench, "add_and_finish_photo", post());
    group.finish();
}

fn stores(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let opened = runtime.block_on(SqliteStore::open(folder.path().join("bench.sqlite"), 4));
    let sqlite = fill(&runtime, Arc::new(opened.expect("the file opens")));
    reads(criterion, "sqlite", &sqlite);
    writes(criterion, "sqlite", &sqlite);
    let Some(server) = MariaDb::start() else { return };
    let mysql = runtime.block_on(async {
        let store = MysqlStore::connect(&server.url(), 4).await.expect("the server answers");
        store.migrate().await.expect("the tables are made");
        store
    });
    let mysql = fill(&runtime, Arc::new(mysql));
    reads(criterion, "mariadb", &mysql);
    writes(criterion, "mariadb", &mysql);
}

/// Get and put of a page of 8 KiB, and a whole home page through the cached store, cold (no cache) and warm.
fn caches(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let redis = Redis::start();
    let mut kinds: Vec<(&str, Arc<dyn Cache>)> =
        vec![("none", Arc::new(NoCache)), ("moka", Arc::new(MokaCache::new(64 << 20)))];
    if let Some(redis) = &redis {
        let connected = runtime.block_on(RedisCache::connect(&redis.url()));
        kinds.push(("redis", Arc::new(connected.expect("Redis answers"))));
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let opened = runtime.block_on(SqliteStore::open(folder.path().join("bench.sqlite"), 4));
    let bench = fill(&runtime, Arc::new(opened.expect("the file opens")));
    let page: Arc<dyn Value> = Arc::new("7".repeat(8 << 10));
    let lifetime = Duration::from_secs(600);
    for (name, cache) in kinds {
        let mut group = criterion.benchmark_group(format!("cache/{name}"));
        group.throughput(Throughput::Bytes(8 << 10));
        group.sample_size(30).measurement_time(Duration::from_secs(2));
        let put = async || cache.put("page", page.clone(), lifetime).await;
        verb!(group, bench, "put_8k", put());
        verb!(group, bench, "get_8k", cache.get("page"));
        group.throughput(Throughput::Elements(1));
        let near = CachedStore::new(bench.store.clone(), cache.clone());
        let viewer = bench.people[0].id;
        let home = async || near.photo_page(Feed::Home(viewer), Some(viewer), None, 20).await;
        verb!(group, bench, "home_page_of_one_viewer", home());
        group.finish();
    }
}

criterion_group!(benches, stores, caches);
criterion_main!(benches);
