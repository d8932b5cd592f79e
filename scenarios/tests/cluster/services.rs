//! Private MariaDB and Redis: they start, answer, replicate, can be copied, and leave nothing.

use lightmeter::cluster::services::{
    MariaDb, MariaDbOptions, Redis, RedisOptions, ServiceError, Source,
};
use sqlx::{Connection, MySqlConnection, Row};

use crate::support::{folder, launcher, processes_naming, services, skipped, until_none};

async fn count(url: &str) -> i64 {
    let mut connection = MySqlConnection::connect(url).await.expect("the app's user gets in");
    let row = sqlx::query("select count(*) from pebble").fetch_one(&mut connection).await;
    row.expect("the table is there").try_get(0).expect("a count is a number")
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = MySqlConnection::connect(url).await.expect("the app's user gets in");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("the statement is accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_starts_answers_and_leaves_nothing() {
    let (services, place) = (services(), folder());
    if services.mariadb().is_none() {
        return skipped("MariaDB is not installed");
    }
    let launcher = launcher(place.path());
    let data = place.path().join("db");
    let server = MariaDb::start(&services, &launcher, &data, MariaDbOptions::default())
        .await
        .expect("it starts");
    execute(&server.url(), "create table pebble (id int primary key)").await;
    let other = server.create_database("other").await.expect("another database can be made");
    execute(&other, "create table pebble (id int primary key); insert into pebble values (1)")
        .await;
    assert_eq!(count(&server.url()).await, 0);
    assert_eq!(count(&other).await, 1);
    let pid = server.process().pid();
    server.stop().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
    until_none("processes", || processes_naming(place.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_a_copy_catches_up() {
    let (services, place) = (services(), folder());
    if services.mariadb().is_none() {
        return skipped("MariaDB is not installed");
    }
    let launcher = launcher(place.path());
    let at = |name: &str| place.path().join(name);
    let options = |name: &str, source| MariaDbOptions {
        name: name.into(),
        source,
        ..MariaDbOptions::default()
    };
    let seeded = options("seeded", Source::Empty);
    let first = MariaDb::start(&services, &launcher, &at("seeded"), seeded).await.expect("starts");
    execute(&first.url(), "create table pebble (id int primary key)").await;
    execute(&first.url(), "insert into pebble values (1), (2)").await;
    first.stop().await;
    let copy = || Source::CopyOf(at("seeded"));
    let primary = MariaDb::start(&services, &launcher, &at("p"), options("primary", copy()))
        .await
        .expect("a copy starts");
    assert_eq!(count(&primary.url()).await, 2);
    let (at_one, at_two) = (at("r1"), at("r2"));
    let replica = |folder, options| {
        MariaDb::start_replica_of(&primary, &services, &launcher, folder, options)
    };
    let (one, two) = tokio::join!(
        replica(&at_one, options("replica-1", copy())),
        replica(&at_two, options("replica-2", Source::Empty)),
    );
    let (one, two) = (one.expect("a copy follows"), two.expect("an empty server follows"));
    execute(&primary.url(), "insert into pebble values (3)").await;
    for replica in [&one, &two] {
        replica.catch_up(&primary).await.expect("it catches up");
        assert_eq!(count(&replica.url()).await, 3);
    }
    tokio::join!(one.discard(), two.discard(), primary.discard());
    until_none("processes", || processes_naming(place.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_cannot_start_says_why_and_leaves_nothing() {
    let (services, place) = (services(), folder());
    if services.mariadb().is_none() {
        return skipped("MariaDB is not installed");
    }
    let launcher = launcher(place.path());
    let options = MariaDbOptions {
        name: "broken".into(),
        extra_args: vec!["--no-such-option=1".into()],
        ..MariaDbOptions::default()
    };
    let error = MariaDb::start(&services, &launcher, &place.path().join("db"), options)
        .await
        .expect_err("an unknown option is refused");
    let text = error.to_string();
    assert!(matches!(error, ServiceError::Process(_)), "{text}");
    assert!(text.contains("broken.log") && text.contains("no-such-option"), "{text}");
    until_none("processes", || processes_naming(place.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_starts_keeps_a_dump_and_leaves_nothing() {
    let (services, place) = (services(), folder());
    if services.redis().is_none() {
        return skipped("neither Redis nor Valkey is installed");
    }
    let launcher = launcher(place.path());
    let first =
        Redis::start(&services, &launcher, &place.path().join("a"), RedisOptions::default())
            .await
            .expect("it starts");
    assert!(first.url().starts_with("redis://127.0.0.1:"));
    let dump = first.dump().await.expect("it writes its dump");
    first.stop().await;
    let options = RedisOptions { name: "second".into(), dump: Some(dump), ..Default::default() };
    let second = Redis::start(&services, &launcher, &place.path().join("b"), options)
        .await
        .expect("it starts from a dump");
    second.discard().await;
    until_none("processes", || processes_naming(place.path())).await;
}
