//! How a cache is asked: look, else load and keep. Counts hits, misses and errors; a failing cache is a miss and a warning.
//!
//! Single flight: of the callers in this process that miss the same key at once, one loads and the others wait for its
//! answer, so that the end of a hot entry does not send a herd to the database. A key that is forgotten while
//! it is being loaded is not kept, and callers who come after that start a load of their own: nobody reads a value from
//! before a write that they have seen succeed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::cache::keys::CacheKey;
use crate::cache::{Cache, CacheError, Found, Value, of_type};
use crate::store::CountHook;

#[derive(Default)]
struct Flight {
    value: OnceCell<Arc<dyn Value>>,
    forgotten: AtomicBool,
}

type Flights = Mutex<HashMap<String, Arc<Flight>>>;

/// A cache and the loads that are under way.
pub struct ReadThrough {
    cache: Arc<dyn Cache>,
    hook: CountHook,
    flights: Flights,
}

/// Takes the flight off the list when the first of its passengers leaves, also when that one is cancelled.
struct Passenger<'a> {
    flights: &'a Flights,
    key: &'a str,
    flight: Arc<Flight>,
}

fn open(flights: &Flights) -> MutexGuard<'_, HashMap<String, Arc<Flight>>> {
    flights.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        let mut flights = open(self.flights);
        if flights.get(self.key).is_some_and(|listed| Arc::ptr_eq(listed, &self.flight)) {
            flights.remove(self.key);
        }
    }
}

impl ReadThrough {
    /// `hook` hears `cache.hit`, `cache.miss` and `cache.error`.
    pub fn new(cache: Arc<dyn Cache>, hook: CountHook) -> Self {
        Self { cache, hook, flights: Flights::default() }
    }

    /// The value under the key, else what `load` gives, which is kept if `keep` says so.
    pub async fn get_or_load<T, E>(
        &self,
        key: &CacheKey,
        keep: impl FnOnce(&T) -> bool,
        load: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    {
        let text = key.text();
        if let Some(value) = self.look(&text).await {
            return Ok(value);
        }
        let passenger = self.board(&text);
        let mut loaded = None;
        let shared = passenger.flight.value.get_or_try_init(|| async {
            let value = load.await?;
            loaded = Some(value.clone());
            Ok(Arc::new(value) as Arc<dyn Value>)
        });
        let shared = shared.await?.clone();
        let Some(value) = loaded else {
            return Ok(of_type(shared).expect("a key has one type"));
        };
        let forgotten = passenger.flight.forgotten.load(Ordering::Acquire);
        if keep(&value) && !forgotten {
            self.keep(key, shared).await;
            if passenger.flight.forgotten.load(Ordering::Acquire) {
                self.forget(std::slice::from_ref(key)).await;
            }
        }
        Ok(value)
    }

    /// The value under the key as it is now, without counting and without loading. None also when the cache failed.
    pub async fn peek<T>(&self, key: &CacheKey) -> Result<Option<T>, CacheError>
    where
        T: Clone + Send + Sync + DeserializeOwned + 'static,
    {
        let found = self.cache.get(&key.text()).await;
        let found = found.inspect_err(|error| self.failed(error))?;
        Ok(found.and_then(Found::value))
    }

    /// Keeps a value under the key.
    pub async fn put(&self, key: &CacheKey, value: impl Value) {
        self.keep(key, Arc::new(value)).await;
    }

    /// Forgets these keys, also those that are being loaded at this moment.
    pub async fn forget(&self, keys: &[CacheKey]) {
        let texts: Vec<String> = keys.iter().map(CacheKey::text).collect();
        {
            let mut flights = open(&self.flights);
            for text in &texts {
                if let Some(flight) = flights.remove(text) {
                    flight.forgotten.store(true, Ordering::Release);
                }
            }
        }
        if let Err(error) = self.cache.remove(&texts).await {
            self.failed(&error);
        }
    }

    async fn look<T>(&self, text: &str) -> Option<T>
    where
        T: Clone + Send + Sync + DeserializeOwned + 'static,
    {
        match self.cache.get(text).await {
            Ok(Some(found)) => {
                // What cannot be read is a miss.
                let value = found.value();
                (self.hook)(if value.is_some() { "cache.hit" } else { "cache.miss" });
                value
            }
            Ok(None) => {
                (self.hook)("cache.miss");
                None
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn board<'a>(&'a self, key: &'a str) -> Passenger<'a> {
        let mut flights = open(&self.flights);
        let flight = flights.entry(key.to_owned()).or_default().clone();
        Passenger { flights: &self.flights, key, flight }
    }

    async fn keep(&self, key: &CacheKey, value: Arc<dyn Value>) {
        if let Err(error) = self.cache.put(&key.text(), value, key.lifetime()).await {
            self.failed(&error);
        }
    }

    fn failed(&self, error: &CacheError) {
        (self.hook)("cache.error");
        let source = &error.source;
        tracing::warn!(%error, %source, "the cache failed; the page goes on without it");
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::*;
    use crate::cache::moka::MokaCache;
    use crate::model::UserId;

    const KEY: CacheKey = CacheKey::Profile(UserId(1));

    struct Heard(Mutex<Vec<&'static str>>);

    fn over(cache: Arc<dyn Cache>) -> (Arc<ReadThrough>, Arc<Heard>) {
        let heard = Arc::new(Heard(Mutex::new(Vec::new())));
        let ear = heard.clone();
        let hook: CountHook = Arc::new(move |name| ear.0.lock().expect("no panic").push(name));
        (Arc::new(ReadThrough::new(cache, hook)), heard)
    }

    async fn good(value: u32) -> Result<u32, Infallible> {
        Ok(value)
    }

    #[tokio::test]
    async fn a_value_is_loaded_once_and_then_found() {
        let (cache, heard) = over(Arc::new(MokaCache::new(1 << 20)));
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(1)).await, Ok(1));
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(2)).await, Ok(1));
        cache.forget(&[KEY]).await;
        assert_eq!(cache.get_or_load(&KEY, |_| false, good(3)).await, Ok(3));
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(4)).await, Ok(4), "3 was not kept");
        let expected = ["cache.miss", "cache.hit", "cache.miss", "cache.miss"];
        assert_eq!(*heard.0.lock().expect("no panic"), expected);
    }

    #[tokio::test]
    async fn of_many_who_miss_at_once_one_loads() {
        let (cache, _) = over(Arc::new(MokaCache::new(1 << 20)));
        let loads = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (cache, loads, gate) = (cache.clone(), loads.clone(), gate.clone());
            tasks.spawn(async move {
                let load = async {
                    loads.fetch_add(1, Ordering::Relaxed);
                    let _open = gate.acquire().await.expect("the gate stays");
                    good(7).await
                };
                cache.get_or_load(&KEY, |_| true, load).await
            });
        }
        // A single-threaded runtime: after a yield every task has come to its wait.
        tokio::task::yield_now().await;
        gate.add_permits(20);
        assert!(tasks.join_all().await.into_iter().all(|value| value == Ok(7)));
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert!(open(&cache.flights).is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_cancelled_load_is_taken_over() {
        let (cache, _) = over(Arc::new(MokaCache::new(1 << 20)));
        let never = std::future::pending::<Result<u32, Infallible>>();
        let first = cache.clone();
        let first = tokio::spawn(async move { first.get_or_load(&KEY, |_| true, never).await });
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.expect_err("it never ends").is_cancelled());
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(5)).await, Ok(5));
    }

    #[tokio::test]
    async fn a_load_that_a_write_overtakes_is_not_kept() {
        let (cache, _) = over(Arc::new(MokaCache::new(1 << 20)));
        let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let old = {
            let (cache, started, release) = (cache.clone(), started.clone(), release.clone());
            tokio::spawn(async move {
                let load = async {
                    started.notify_one();
                    release.notified().await;
                    good(1).await
                };
                cache.get_or_load(&KEY, |_| true, load).await
            })
        };
        started.notified().await;
        cache.forget(&[KEY]).await;
        let after = cache.get_or_load(&KEY, |_| true, good(2)).await;
        assert_eq!(after, Ok(2), "who comes after the write does not wait for the old answer");
        release.notify_one();
        assert_eq!(old.await.expect("no panic"), Ok(1));
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(3)).await, Ok(2), "the new one stays");
    }

    struct Broken;

    #[async_trait]
    impl Cache for Broken {
        async fn get(&self, _: &str) -> Result<Option<Found>, CacheError> {
            Err(CacheError { verb: "get", source: "down".into() })
        }
        async fn put(&self, _: &str, _: Arc<dyn Value>, _: Duration) -> Result<(), CacheError> {
            Err(CacheError { verb: "put", source: "down".into() })
        }
        async fn remove(&self, _: &[String]) -> Result<(), CacheError> {
            Err(CacheError { verb: "remove", source: "down".into() })
        }
        async fn ping(&self) -> Result<(), CacheError> {
            Err(CacheError { verb: "ping", source: "down".into() })
        }
    }

    #[tokio::test]
    async fn a_broken_cache_is_a_miss_and_counted() {
        let (cache, heard) = over(Arc::new(Broken));
        assert_eq!(cache.get_or_load(&KEY, |_| true, good(1)).await, Ok(1));
        cache.forget(&[KEY]).await;
        assert_eq!(*heard.0.lock().expect("no panic"), ["cache.error"; 3]);
    }
}
