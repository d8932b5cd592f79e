//! The cache that all instances share: one Redis (or Valkey), reached over one multiplexed connection that mends itself.
//!
//! Every call has a short limit: a cache that hesitates is worse than none. What cannot be read is a miss (`read_through`).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};

use crate::cache::{Cache, CacheError};

/// An answer on a loopback or a local network takes well below 1 ms; the store itself would have answered within this.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a new connection may take.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// A shared cache.
pub struct RedisCache {
    connection: ConnectionManager,
}

fn failed(verb: &'static str, error: RedisError) -> CacheError {
    CacheError { verb, source: Box::new(error) }
}

impl RedisCache {
    /// Connects to `redis://host:port[/database]`.
    pub async fn connect(url: &str) -> Result<Self, CacheError> {
        let client = Client::open(url).map_err(|error| failed("connect", error))?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT));
        let connection = ConnectionManager::new_with_config(client, config).await;
        Ok(Self { connection: connection.map_err(|error| failed("connect", error))? })
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("GET");
        let found = command.arg(key).query_async::<Option<Vec<u8>>>(&mut connection).await;
        Ok(found.map_err(|error| failed("get", error))?.map(Bytes::from))
    }

    async fn put(&self, key: &str, bytes: Bytes, lifetime: Duration) -> Result<(), CacheError> {
        let mut connection = self.connection.clone();
        // Redis refuses a lifetime of 0.
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(key).arg(bytes.as_ref()).arg("PX").arg(lifetime_ms);
        command.query_async::<()>(&mut connection).await.map_err(|error| failed("put", error))
    }

    async fn remove(&self, keys: &[String]) -> Result<(), CacheError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("DEL");
        command.arg(keys);
        command.query_async::<()>(&mut connection).await.map_err(|error| failed("remove", error))
    }

    async fn ping(&self) -> Result<(), CacheError> {
        let mut connection = self.connection.clone();
        let answer = redis::cmd("PING").query_async::<String>(&mut connection).await;
        answer.map(|_| ()).map_err(|error| failed("ping", error))
    }
}
