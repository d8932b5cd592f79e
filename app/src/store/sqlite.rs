//! The store in one SQLite file: what a newcomer starts with, and what stands in where no MariaDB is installed.
//!
//! One writing connection, several reading ones: SQLite lets one writer in at a time anyway, and a queue inside the
//! process is fairer than polling for its lock. Readers never wait (WAL). The verbs are in `sql_reads`, `sql_writes`.

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::store::sql::feed_query;
use crate::store::{StoreError, StoreResult};

#[path = "sql_reads.rs"]
mod reads;
#[path = "sql_removal.rs"]
mod removal;
#[path = "sql_store.rs"]
mod store;
#[path = "sql_writes.rs"]
mod writes;

type Backend = SqliteStore;
type Connection = sqlx::SqliteConnection;
type Db = sqlx::Sqlite;

/// How long a statement waits for another process's write before it fails: longer than any transaction of ours.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

// In SQLite a CROSS JOIN is a join whose written order the planner keeps.
const HOME_FEED: &str = feed_query!(
    "CROSS JOIN",
    "SELECT p.id FROM (SELECT followee AS author FROM follows WHERE follower = ? \
     UNION SELECT id FROM users WHERE id = ?) f CROSS JOIN photos p ON p.author = f.author \
     WHERE p.progress = 'ready' AND p.id < ? ORDER BY p.id DESC LIMIT ?"
);
const EXPLORE_FEED: &str = feed_query!(
    "CROSS JOIN",
    "SELECT p.id FROM photos p WHERE p.progress = 'ready' AND p.id < ? ORDER BY p.id DESC LIMIT ?"
);
const PROFILE_FEED: &str = feed_query!(
    "CROSS JOIN",
    "SELECT p.id FROM photos p WHERE p.author = ? AND p.progress = 'ready' AND p.id < ? \
     ORDER BY p.id DESC LIMIT ?"
);
const COMMENTS: &str = "SELECT c.id, c.photo, c.author, u.name AS author_name, \
     u.display_name AS author_display_name, c.body, c.created_at_ms \
     FROM comments c CROSS JOIN users u ON u.id = c.author \
     WHERE c.photo = ? AND c.id < ? ORDER BY c.id DESC LIMIT ?";

/// A store in one file.
pub struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, creates it when it is not there, and brings its tables up to date.
    pub async fn open(path: impl AsRef<Path>, connections_max: u32) -> StoreResult<Self> {
        let verb = "open the SQLite file";
        // NORMAL with WAL: after a power cut the last commits may be gone, never the consistency.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await;
        let writer = writer.map_err(|error| StoreError::unavailable(verb, error))?;
        let migrated = sqlx::migrate!("migrations/sqlite").run(&writer).await;
        migrated.map_err(|error| StoreError::unavailable("migrate the SQLite file", error))?;
        let readers = pool(connections_max.max(1)).connect_lazy_with(options);
        Ok(Self { readers, writer })
    }

    fn pools(&self) -> Vec<&SqlitePool> {
        vec![&self.readers, &self.writer]
    }

    async fn reader(&self) -> Result<PoolConnection<Db>, sqlx::Error> {
        self.readers.acquire().await
    }

    /// IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could otherwise fail when
    /// another process wrote in between.
    async fn begin(&self) -> Result<sqlx::Transaction<'static, Db>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}

/// SQLITE_BUSY (5) and its extended codes, and SQLITE_LOCKED (6): somebody else's lock did not go away in time.
fn lost_a_lock(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Store, conformance};

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises() {
        let folder = tempfile::tempdir().expect("a temp dir");
        let number = std::sync::atomic::AtomicU32::new(0);
        conformance::check_all(async || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let path = folder.path().join(format!("{number}.sqlite"));
            let store = SqliteStore::open(path, 4).await.expect("a new file opens");
            Arc::new(store) as Arc<dyn Store>
        })
        .await;
    }

    #[tokio::test]
    async fn feeds_are_planned_along_their_indexes() {
        let folder = tempfile::tempdir().expect("a temp dir");
        let path = folder.path().join("plan.sqlite");
        let store = SqliteStore::open(path, 1).await.expect("a new file opens");
        for feed in [HOME_FEED, EXPLORE_FEED, PROFILE_FEED, COMMENTS] {
            let explain = format!("EXPLAIN QUERY PLAN {feed}");
            let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(explain))
                .fetch_all(&store.readers)
                .await
                .expect("the plan can be read");
            for (_, _, _, step) in rows {
                let derived = step.contains("SCAN page") || step.contains("SCAN f");
                assert!(!step.starts_with("SCAN") || derived, "{step}\nin {feed}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_opening_again() {
        let folder = tempfile::tempdir().expect("a temp dir");
        let path = folder.path().join("again.sqlite");
        let user = conformance::person(1);
        {
            let store = SqliteStore::open(&path, 2).await.expect("a new file opens");
            store.create_user(&user).await.expect("the account is added");
        }
        let store = SqliteStore::open(&path, 2).await.expect("the file opens again");
        assert_eq!(store.user(user.id).await.expect("the account is read"), Some(user));
    }
}
