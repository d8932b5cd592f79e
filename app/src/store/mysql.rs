//! The store in one MySQL or MariaDB server: the "before" of the database experiment. `replicated` and `sharded` are made of
//! several of these; what they need beyond the trait is in `mysql_parts`. The verbs are in `sql_reads`, `sql_writes`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor};
use tokio::sync::OnceCell;

use crate::store::gtid::ServerKind;
use crate::store::sql::feed_query;
use crate::store::{StoreError, StoreResult};

#[path = "mysql_parts.rs"]
mod parts;
#[expect(
    clippy::duplicate_mod,
    reason = "one text of SQL, compiled for each database (see sql.rs)"
)]
#[path = "sql_reads.rs"]
mod reads;
#[expect(
    clippy::duplicate_mod,
    reason = "one text of SQL, compiled for each database (see sql.rs)"
)]
#[path = "sql_removal.rs"]
mod removal;
#[expect(
    clippy::duplicate_mod,
    reason = "one text of SQL, compiled for each database (see sql.rs)"
)]
#[path = "sql_store.rs"]
mod store;
#[expect(
    clippy::duplicate_mod,
    reason = "one text of SQL, compiled for each database (see sql.rs)"
)]
#[path = "sql_writes.rs"]
mod writes;

pub(crate) use parts::FollowEnd;

type Backend = MysqlStore;
type Connection = sqlx::MySqlConnection;
type Db = sqlx::MySql;

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an instance waits for another one's migration, in seconds.
const MIGRATION_WAIT_S: i64 = 120;
/// A connection that was idle for longer is tried before it is used.
const PING_AFTER: Duration = Duration::from_secs(1);
/// READ COMMITTED: no gap locks, hence fewer deadlocks; each verb is written so that it needs no more.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

// STRAIGHT_JOIN keeps the written order, FORCE INDEX the index: MariaDB's planner, with its statistics of a small or fresh
// table, otherwise walks all photos from the newest (25-29 ms for a home feed among 10,000 photos, against 0.13 ms).
const HOME_FEED: &str = feed_query!(
    "STRAIGHT_JOIN",
    "SELECT p.id FROM (SELECT followee AS author FROM follows WHERE follower = ? \
     UNION SELECT id FROM users WHERE id = ?) f \
     STRAIGHT_JOIN photos p FORCE INDEX (photos_by_author) ON p.author = f.author \
     WHERE p.progress = 'ready' AND p.id < ? ORDER BY p.id DESC LIMIT ?"
);
const EXPLORE_FEED: &str = feed_query!(
    "STRAIGHT_JOIN",
    "SELECT p.id FROM photos p FORCE INDEX (PRIMARY) WHERE p.progress = 'ready' AND p.id < ? \
     ORDER BY p.id DESC LIMIT ?"
);
const PROFILE_FEED: &str = feed_query!(
    "STRAIGHT_JOIN",
    "SELECT p.id FROM photos p FORCE INDEX (photos_by_author) \
     WHERE p.author = ? AND p.progress = 'ready' AND p.id < ? ORDER BY p.id DESC LIMIT ?"
);
const COMMENTS: &str = "SELECT c.id, c.photo, c.author, u.name AS author_name, \
     u.display_name AS author_display_name, c.body, c.created_at_ms \
     FROM comments c FORCE INDEX (PRIMARY) STRAIGHT_JOIN users u ON u.id = c.author \
     WHERE c.photo = ? AND c.id < ? ORDER BY c.id DESC LIMIT ?";

/// A store in one server. Cheap to clone: clones share the connections.
#[derive(Clone)]
pub struct MysqlStore {
    pool: MySqlPool,
    /// MySQL or MariaDB: asked once, by the first who needs to know.
    kind: Arc<OnceCell<ServerKind>>,
}

impl MysqlStore {
    /// Connects to `mysql://user:password@host:port/database`; at most `connections_max` at a time.
    pub async fn connect(url: &str, connections_max: u32) -> StoreResult<Self> {
        let failed = |error| StoreError::unavailable("connect to MySQL", error);
        let options = MySqlConnectOptions::from_str(url).map_err(failed)?;
        let pool = MySqlPoolOptions::new()
            .max_connections(connections_max.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A ping before each query would double the round trips. After an idle second it costs nothing that anybody
            // notices, and finds the connections that a restart of the server has cut.
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    let alive = idle.idle_for < PING_AFTER || connection.ping().await.is_ok();
                    Ok(alive)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) })
            })
            .connect_with(options)
            .await
            .map_err(failed)?;
        Ok(Self { pool, kind: Arc::default() })
    }

    /// Brings the tables up to date; safe to run from several instances at once. Under a lock of our own: the library's
    /// waits for -1 seconds, which MySQL takes as for ever and MariaDB as not at all.
    pub async fn migrate(&self) -> StoreResult<()> {
        let verb = "migrate the MySQL tables";
        let failed = |error| StoreError::unavailable(verb, error);
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let lock = sqlx::query_scalar::<_, Option<i64>>(
            "SELECT GET_LOCK(CONCAT('photo-app migrates ', DATABASE()), ?)",
        );
        let lock = lock.bind(MIGRATION_WAIT_S).fetch_one(&mut *connection).await;
        if lock.map_err(failed)? != Some(1) {
            return Err(StoreError::unavailable(verb, "another instance has been at it for long"));
        }
        let migrated = sqlx::migrate!("migrations/mysql").run(&mut *connection).await;
        let unlock = sqlx::query("DO RELEASE_LOCK(CONCAT('photo-app migrates ', DATABASE()))");
        let unlocked = unlock.execute(&mut *connection).await;
        migrated.map_err(|error| StoreError::unavailable(verb, error))?;
        unlocked.map(|_| ()).map_err(failed)
    }

    fn pools(&self) -> Vec<&MySqlPool> {
        vec![&self.pool]
    }

    async fn reader(&self) -> Result<PoolConnection<Db>, sqlx::Error> {
        self.pool.acquire().await
    }

    async fn begin(&self) -> Result<sqlx::Transaction<'static, Db>, sqlx::Error> {
        self.pool.begin().await
    }

    /// The planner's steps for each feed query and the comments, as (table, index, rows): what the tests look at.
    pub async fn feed_plans(&self) -> StoreResult<Vec<(&'static str, Vec<PlanStep>)>> {
        let verb = "explain the feeds";
        let feeds = [
            ("home", HOME_FEED, 5),
            ("explore", EXPLORE_FEED, 3),
            ("profile", PROFILE_FEED, 4),
            ("comments", COMMENTS, 3),
        ];
        let mut plans = Vec::new();
        for (name, text, parameters) in feeds {
            // MySQL 9 draws a tree unless it is told.
            let explain = format!("EXPLAIN FORMAT=TRADITIONAL {}", text.replace('?', "1"));
            debug_assert_eq!(text.matches('?').count(), parameters, "{name}");
            let steps = sqlx::query_as(sqlx::AssertSqlSafe(explain)).fetch_all(&self.pool).await;
            plans.push((name, steps.map_err(|error| StoreError::unavailable(verb, error))?));
        }
        Ok(plans)
    }
}

/// One row of EXPLAIN.
#[derive(Debug, sqlx::FromRow)]
pub struct PlanStep {
    /// The table or derived table.
    pub table: Option<String>,
    /// How it is read: `ALL` is the whole table.
    #[sqlx(rename = "type")]
    pub access: Option<String>,
    /// The index, if any.
    pub key: Option<String>,
}

/// 1213: victim of a deadlock. 1205: waited too long for a lock. 1020: the row changed since it was read (MariaDB 11).
fn lost_a_lock(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    let mysql = database.and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    mysql.is_some_and(|error| matches!(error.number(), 1213 | 1205 | 1020))
}
