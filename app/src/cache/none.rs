//! No cache: everything is a miss. The "before" of the framework experiment, without a branch in its callers.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::cache::{Cache, CacheError};

/// Forgets everything at once.
#[derive(Debug, Default)]
pub struct NoCache;

#[async_trait]
impl Cache for NoCache {
    async fn get(&self, _key: &str) -> Result<Option<Bytes>, CacheError> {
        Ok(None)
    }

    async fn put(&self, _key: &str, _bytes: Bytes, _for: Duration) -> Result<(), CacheError> {
        Ok(())
    }

    async fn remove(&self, _keys: &[String]) -> Result<(), CacheError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }
}
