//! The promises of [`Cache`] as one list of checks, run against every backend that keeps anything. Compiled always, so that
//! the tests of other packages, with their real Redis, call the same list.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;

const LONG: Duration = Duration::from_secs(60);
/// How often an entry is looked at again before the check gives up waiting for its end: 10 s in all.
const LOOKS_MAX: u32 = 1_000;

/// Runs every check; `make` gives an empty cache each time.
pub async fn check_all(make: impl AsyncFn() -> Arc<dyn Cache>) {
    what_is_put_is_there_until_removed(&*make().await).await;
    any_text_survives(&*make().await).await;
    an_entry_ends_by_itself(&*make().await).await;
    concurrent_puts_leave_one_of_them(make().await).await;
}

async fn get(cache: &dyn Cache, key: &str) -> Option<String> {
    let found = cache.get(key).await.expect("a cache that is up answers");
    found.map(|found| found.value().expect("what was put is text"))
}

async fn put(cache: &dyn Cache, key: &str, text: impl Into<String>, lifetime: Duration) {
    let text: String = text.into();
    cache.put(key, Arc::new(text), lifetime).await.expect("a cache that is up keeps");
}

async fn what_is_put_is_there_until_removed(cache: &dyn Cache) {
    cache.ping().await.expect("a cache that is up answers");
    assert_eq!(get(cache, "a").await, None, "an unknown key is a miss");
    put(cache, "a", "1", LONG).await;
    put(cache, "b", "2", LONG).await;
    put(cache, "c", "3", LONG).await;
    assert_eq!(get(cache, "a").await.as_deref(), Some("1"), "what was put");
    put(cache, "a", "4", LONG).await;
    assert_eq!(get(cache, "a").await.as_deref(), Some("4"), "the latest put");
    let keys = ["a", "b", "unknown"].map(str::to_owned);
    cache.remove(&keys).await.expect("removing what is not there is fine");
    cache.remove(&[]).await.expect("removing nothing is fine");
    assert_eq!(get(cache, "a").await, None, "removed");
    assert_eq!(get(cache, "b").await, None, "removed");
    assert_eq!(get(cache, "c").await.as_deref(), Some("3"), "the others stay");
}

async fn any_text_survives(cache: &dyn Cache) {
    let every_byte: String = (0..=255).map(char::from).collect();
    for (key, text) in
        [("empty", String::new()), ("every byte", every_byte), ("long", "9".repeat(300_000))]
    {
        put(cache, key, text.as_str(), LONG).await;
        assert_eq!(get(cache, key).await, Some(text), "{key}");
    }
    let list = vec![(1_u64, Some("x".to_owned())), (u64::MAX, None)];
    cache.put("list", Arc::new(list.clone()), LONG).await.expect("a cache that is up keeps");
    let found = cache.get("list").await.expect("a cache that is up answers").expect("it is there");
    assert_eq!(found.clone().value(), Some(list), "a value with a structure");
    assert_eq!(found.value::<String>(), None, "a value of another type is a miss");
    put(cache, "key with spaces, \u{1f30b} and\nlines", "x", LONG).await;
    let found = get(cache, "key with spaces, \u{1f30b} and\nlines").await;
    assert_eq!(found.as_deref(), Some("x"), "any text is a key");
}

async fn an_entry_ends_by_itself(cache: &dyn Cache) {
    put(cache, "long", "1", LONG).await;
    put(cache, "short", "2", Duration::from_millis(30)).await;
    let mut looks = 0;
    while get(cache, "short").await.is_some() {
        looks += 1;
        assert!(looks < LOOKS_MAX, "an entry does not outlive its lifetime");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(get(cache, "long").await.as_deref(), Some("1"), "the long one stays");
}

async fn concurrent_puts_leave_one_of_them(cache: Arc<dyn Cache>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 10..42 {
        let cache = cache.clone();
        tasks.spawn(async move { put(&*cache, "hot", number.to_string().repeat(500), LONG).await });
    }
    tasks.join_all().await;
    let found = get(&*cache, "hot").await.expect("one of them is there");
    assert_eq!(found, found[..2].repeat(500), "whole, not mixed");
}
