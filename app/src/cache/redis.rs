//! The cache that all instances share: one Redis (or Valkey), reached over one multiplexed connection that mends itself.
//!
//! Every call has a short limit, reconnecting included: a cache that hesitates is worse than none. What cannot be read is a
//! miss (`read_through`).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, FromRedisValue};

use crate::cache::{Cache, CacheError, Found, Value};
use crate::redis_client;

/// An answer on a loopback or a local network takes well below 1 ms; the store itself would have answered within this.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
/// A connection with TLS reads the system's certificates and shakes hands, on an instance that has just booted as well. No page
/// waits for it: each call still ends after [`RESPONSE_TIMEOUT`], while the connection goes on being made.
const TLS_TIMEOUT: Duration = Duration::from_secs(2);

/// A shared cache.
pub struct RedisCache {
    connection: ConnectionManager,
}

fn failed(
    verb: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CacheError {
    CacheError { verb, source: source.into() }
}

impl RedisCache {
    /// Connects to `redis://host:port[/database]`, or `rediss://` with TLS.
    pub async fn connect(url: &str) -> Result<Self, CacheError> {
        let client = redis_client::open(url).map_err(|error| failed("connect", error))?;
        let connection_timeout =
            if redis_client::is_tls(url) { TLS_TIMEOUT } else { RESPONSE_TIMEOUT };
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(connection_timeout))
            // A lost connection is tried once per call: the call fails at once, the page goes on, the next call tries again.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_with_config(client, config).await;
        Ok(Self { connection: connection.map_err(|error| failed("connect", error))? })
    }

    async fn ask<T: FromRedisValue>(
        &self,
        verb: &'static str,
        command: &Cmd,
    ) -> Result<T, CacheError> {
        let mut connection = self.connection.clone();
        let answer = command.query_async::<T>(&mut connection);
        let answer = tokio::time::timeout(RESPONSE_TIMEOUT, answer).await;
        answer.map_err(|elapsed| failed(verb, elapsed))?.map_err(|error| failed(verb, error))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Found>, CacheError> {
        let found: Option<Vec<u8>> = self.ask("get", redis::cmd("GET").arg(key)).await?;
        Ok(found.map(|bytes| Found::Bytes(Bytes::from(bytes))))
    }

    async fn put(
        &self,
        key: &str,
        value: Arc<dyn Value>,
        lifetime: Duration,
    ) -> Result<(), CacheError> {
        let bytes = value.to_bytes();
        // Redis refuses a lifetime of 0.
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        self.ask("put", command.arg(key).arg(bytes.as_ref()).arg("PX").arg(lifetime_ms)).await
    }

    async fn remove(&self, keys: &[String]) -> Result<(), CacheError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.ask("remove", redis::cmd("DEL").arg(keys)).await
    }

    async fn ping(&self) -> Result<(), CacheError> {
        self.ask("ping", &redis::cmd("PING")).await
    }
}
