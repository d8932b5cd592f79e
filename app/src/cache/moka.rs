//! The cache inside this process: the fastest, and different in every process. What another instance writes
//! becomes visible here when the lifetime of the entry ends, not before.
//!
//! Values are kept as they are and weighed by their JSON, once, when they are put: a hit costs a lookup and a copy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::cache::{Cache, CacheError, Found, Value};

/// What moka and the allocator keep per entry beside key and value, roughly: hash table slot, list nodes, counters.
const ENTRY_OVERHEAD_BYTES: usize = 200;

#[derive(Clone)]
struct Entry {
    value: Arc<dyn Value>,
    byte_count: usize,
    lifetime: Duration,
}

struct OwnLifetime;

impl moka::Expiry<String, Entry> for OwnLifetime {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

/// A bounded cache in this process; the least valuable entries go first (TinyLFU).
pub struct MokaCache {
    entries: moka::future::Cache<String, Entry>,
}

impl MokaCache {
    /// Holds at most about `bytes_max` bytes of keys and values.
    pub fn new(bytes_max: u64) -> Self {
        let weigh = |key: &String, entry: &Entry| {
            let bytes = key.len() + entry.byte_count + ENTRY_OVERHEAD_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let builder = moka::future::Cache::builder().max_capacity(bytes_max);
        Self { entries: builder.weigher(weigh).expire_after(OwnLifetime).build() }
    }
}

#[async_trait]
impl Cache for MokaCache {
    async fn get(&self, key: &str) -> Result<Option<Found>, CacheError> {
        Ok(self.entries.get(key).await.map(|entry| Found::Here(entry.value)))
    }

    async fn put(
        &self,
        key: &str,
        value: Arc<dyn Value>,
        lifetime: Duration,
    ) -> Result<(), CacheError> {
        let byte_count = value.to_bytes().len();
        self.entries.insert(key.to_owned(), Entry { value, byte_count, lifetime }).await;
        Ok(())
    }

    async fn remove(&self, keys: &[String]) -> Result<(), CacheError> {
        for key in keys {
            self.entries.invalidate(key).await;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_promises() {
        let make = async || Arc::new(MokaCache::new(16 << 20)) as Arc<dyn Cache>;
        crate::cache::conformance::check_all(make).await;
    }

    #[tokio::test]
    async fn holds_no_more_than_it_may() {
        let cache = MokaCache::new(100_000);
        for number in 0..1_000 {
            let text = Arc::new("7".repeat(1_000));
            let lifetime = Duration::from_secs(60);
            cache.put(&format!("key {number}"), text, lifetime).await.expect("memory answers");
        }
        cache.entries.run_pending_tasks().await;
        assert!(cache.entries.weighted_size() <= 100_000);
        assert!(cache.entries.entry_count() > 0);
    }
}
