//! Answers kept near: bytes under a key for a while. `keys` lists every key, its lifetime and who invalidates it.
//!
//! Backends: `none`, `moka` (in this process), `redis` (shared by all instances). A cache that fails is a miss and a logged
//! warning, never a failed page. `read_through` is how it is asked, the store decorator `store::cached` by whom.

pub mod conformance;
pub mod keys;
pub mod moka;
pub mod none;
pub mod read_through;
pub mod redis;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// What went wrong in a shared cache.
#[derive(Debug, thiserror::Error)]
#[error("the cache could not {verb}")]
pub struct CacheError {
    /// get, put, remove, ping.
    pub verb: &'static str,
    /// The client's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A bounded store of bytes that may forget anything at any time.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The bytes, unless forgotten or expired.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError>;
    /// Keeps the bytes for at most `lifetime`.
    async fn put(&self, key: &str, bytes: Bytes, lifetime: Duration) -> Result<(), CacheError>;
    /// Forgets these keys.
    async fn remove(&self, keys: &[String]) -> Result<(), CacheError>;
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), CacheError>;
}
