//! Answers kept near: a value under a key for a while. `keys` lists every key, its lifetime and who invalidates it.
//!
//! Backends: `none`, `moka` (in this process: keeps the value as it is, so that a hit decodes nothing), `redis` (shared by all
//! instances: keeps its JSON). A cache that fails is a miss and a logged
//! warning, never a failed page. `read_through` is how it is asked, the store decorator `store::cached` by whom.

pub mod conformance;
pub mod keys;
pub mod moka;
pub mod none;
pub mod read_through;
pub mod redis;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// What can be kept: anything that is JSON and can be shared between threads.
pub trait Value: Any + Send + Sync {
    /// As bytes, for a cache outside this process; their number is also the weight within it.
    fn to_bytes(&self) -> Bytes;
}

impl<T: Any + Send + Sync + Serialize> Value for T {
    fn to_bytes(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("the model's types are JSON"))
    }
}

/// What a cache has found.
#[derive(Clone)]
pub enum Found {
    /// The value itself, as this process put it.
    Here(Arc<dyn Value>),
    /// [`Value::to_bytes`] of a value, perhaps of another process.
    Bytes(Bytes),
}

impl Found {
    /// The value; none when it is of another type or cannot be read, as what another version of the app wrote.
    pub fn value<T: Clone + Send + Sync + DeserializeOwned + 'static>(self) -> Option<T> {
        match self {
            Found::Here(value) => of_type(value),
            Found::Bytes(bytes) => serde_json::from_slice(&bytes).ok(),
        }
    }
}

/// A copy of the value if it is a `T`.
pub fn of_type<T: Clone + Send + Sync + 'static>(value: Arc<dyn Value>) -> Option<T> {
    let any: Arc<dyn Any + Send + Sync> = value;
    any.downcast_ref::<T>().cloned()
}

/// A bounded store of values that may forget anything at any time.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value, unless forgotten or expired.
    async fn get(&self, key: &str) -> Result<Option<Found>, CacheError>;
    /// Keeps the value for at most `lifetime`.
    async fn put(
        &self,
        key: &str,
        value: Arc<dyn Value>,
        lifetime: Duration,
    ) -> Result<(), CacheError>;
    /// Forgets these keys.
    async fn remove(&self, keys: &[String]) -> Result<(), CacheError>;
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), CacheError>;
}
