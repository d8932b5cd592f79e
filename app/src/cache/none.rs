//! No cache: everything is a miss. The "before" of the framework experiment, without a branch in its callers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::cache::{Cache, CacheError, Found, Value};

/// Forgets everything at once.
#[derive(Debug, Default)]
pub struct NoCache;

#[async_trait]
impl Cache for NoCache {
    async fn get(&self, _key: &str) -> Result<Option<Found>, CacheError> {
        Ok(None)
    }

    async fn put(
        &self,
        _key: &str,
        _value: Arc<dyn Value>,
        _for: Duration,
    ) -> Result<(), CacheError> {
        Ok(())
    }

    async fn remove(&self, _keys: &[String]) -> Result<(), CacheError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }
}
