//! The stores on MySQL, which RDS runs, beside MariaDB, which everybody has: the conformance lists, the planner's steps, and the
//! lag. No package of Debian 12 brings MySQL, so that the servers are yours: a primary and a replica with `gtid_mode=ON` on
//! this machine, named by two addresses without a database, whose user may make databases and stop the replica. Without TLS MySQL
//! lets in a user who has no password. One after the other: `cargo test --test stores mysql8 -- --test-threads 1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use photo_app::store::mysql::MysqlStore;
use photo_app::store::replicated::ReplicatedStore;
use photo_app::store::sharded::ShardedStore;
use photo_app::store::{Store, conformance};
use sqlx::{Connection as _, Executor, MySqlConnection};

use crate::settled::Settled;
use crate::{assert_indexes, crowd};

/// Of the primary: `mysql://USER@127.0.0.1:PORT`.
const PRIMARY: &str = "LIGHTMETER_TEST_MYSQL";
/// Of its replica.
const REPLICA: &str = "LIGHTMETER_TEST_MYSQL_REPLICA";

/// Databases made so far.
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Servers {
    primary: String,
    replica: String,
}

impl Servers {
    fn given() -> Option<Self> {
        let address = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(primary), Some(replica)) = (address(PRIMARY), address(REPLICA)) else {
            eprintln!("SKIPPED: no MySQL servers are named by {PRIMARY} and {REPLICA}");
            return None;
        };
        Some(Self { primary, replica })
    }

    /// A new database: its address on the primary and on the replica.
    async fn database(&self) -> (String, String) {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("photo_app_test_{}_{number}", std::process::id());
        let mut connection = MySqlConnection::connect(&self.primary).await.expect("it answers");
        let statement = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
        connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("a database can be made");
        connection.close().await.expect("it closes");
        (format!("{}/{name}", self.primary), format!("{}/{name}", self.replica))
    }

    async fn store(&self) -> MysqlStore {
        let (url, _) = self.database().await;
        let store = MysqlStore::connect(&url, 16).await.expect("the store connects");
        store.migrate().await.expect("the tables are made");
        store
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mysql_keeps_the_promises() {
    let Some(servers) = Servers::given() else { return };
    conformance::check_all(async || Arc::new(servers.store().await) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_on_mysql_keep_the_promises() {
    let Some(servers) = Servers::given() else { return };
    let make = async || {
        let urls = [servers.database().await.0, servers.database().await.0];
        let store = ShardedStore::connect(&urls, 4).await.expect("the shards connect");
        store.migrate().await.expect("the tables are made");
        Arc::new(store) as Arc<dyn Store>
    };
    conformance::check_all(make).await;
}

/// Waits between the verbs until the lag is 0, so that a lag which cannot be read fails here.
#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_replica_that_has_caught_up_keeps_the_promises() {
    let Some(servers) = Servers::given() else { return };
    let make = async || {
        let (primary, replica) = servers.database().await;
        let store = MysqlStore::connect(&primary, 1).await.expect("the store connects");
        store.migrate().await.expect("the tables are made");
        // The database itself comes by replication, and a connection needs it.
        while MySqlConnection::connect(&replica).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let store = ReplicatedStore::connect(&primary, &[replica], 8).await.expect("both connect");
        let facts = store.facts().await.expect("the lag can be read");
        assert!(facts.contains_key("store.replica_1_transactions_behind"), "{facts:?}");
        Arc::new(Settled(store.pinned_for(Duration::ZERO))) as Arc<dyn Store>
    };
    conformance::check_all(make).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_stopped_falls_behind_by_what_is_written() {
    let Some(servers) = Servers::given() else { return };
    let (primary, replica) = servers.database().await;
    let store = MysqlStore::connect(&primary, 1).await.expect("the store connects");
    store.migrate().await.expect("the tables are made");
    while MySqlConnection::connect(&replica).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let store = ReplicatedStore::connect(&primary, std::slice::from_ref(&replica), 4).await;
    let store = store.expect("both connect");
    let behind = async || {
        let facts = store.facts().await.expect("the lag can be read");
        facts["store.replica_1_transactions_behind"]
    };
    while behind().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut connection = MySqlConnection::connect(&replica).await.expect("it answers");
    connection.execute("STOP REPLICA SQL_THREAD").await.expect("it stops");
    for number in 0..3 {
        store.create_user(&conformance::person(number)).await.expect("an account is added");
    }
    let counted = behind().await;
    connection.execute("START REPLICA SQL_THREAD").await.expect("it goes on");
    // Others may write to the same server meanwhile.
    assert!(counted >= 3, "{counted}");
    while behind().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_queries_walk_indexes_on_mysql_as_well() {
    let Some(servers) = Servers::given() else { return };
    let store = servers.store().await;
    store.load(&crowd(3_000)).await.expect("the population is written");
    assert_indexes(&store).await;
}
