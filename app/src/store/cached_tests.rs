//! Tests of the cached store: what it saves the database, and that a viewer's own writes show at once.

use std::sync::Mutex;

use super::*;
use crate::cache::moka::MokaCache;
use crate::cache::{CacheError, Found, Value};
use crate::model::Plan;
use crate::store::conformance::{
    add_people, add_ready_photo, comment, good, person, photo as made_up_photo,
};
use crate::store::counted::CountedStore;
use crate::store::memory::MemoryStore;

struct Bench {
    store: CachedStore,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Bench {
    fn new() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ear = asked.clone();
        let hook: CountHook = Arc::new(move |verb| ear.lock().expect("no panic").push(verb));
        let inner = CountedStore::new(Arc::new(MemoryStore::new()), hook);
        let cache = Arc::new(MokaCache::new(8 << 20));
        Self { store: CachedStore::new(Arc::new(inner), cache), asked }
    }

    /// The verbs that reached the inner store since the last call.
    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

#[tokio::test]
async fn repeated_reads_reach_the_store_once() {
    let bench = Bench::new();
    let people = add_people(&bench.store, 2).await;
    let id = add_ready_photo(&bench.store, &people[0], 1).await;
    good(bench.store.add_comment(&comment(&people[1], id, 1)).await);
    let viewer = Some(people[1].id);
    for round in 0..3 {
        bench.asked();
        let card = good(bench.store.photo(id, viewer).await).expect("it is there");
        assert_eq!(card.author.name, people[0].name);
        good(bench.store.photo(id, None).await);
        good(bench.store.photo_page(Feed::Home(people[1].id), viewer, None, 20).await);
        good(bench.store.photo_page(Feed::Explore, None, None, 20).await);
        assert_eq!(good(bench.store.comments(id, None, 20).await).items.len(), 1);
        good(bench.store.profile(&people[1].name).await);
        let asked = bench.asked();
        if round > 0 {
            assert_eq!(asked, [""; 0], "everything is near");
        } else {
            assert_eq!(asked.iter().filter(|verb| **verb == "store.photo").count(), 1);
        }
    }
    assert_eq!(good(bench.store.comments(id, None, 5).await).items.len(), 1, "another length");
}

#[tokio::test]
async fn a_viewer_sees_the_own_like_at_once() {
    let bench = Bench::new();
    let people = add_people(&bench.store, 2).await;
    let id = add_ready_photo(&bench.store, &people[0], 1).await;
    let viewer = Some(people[1].id);
    for on in [true, false, true] {
        good(bench.store.set_like(id, people[1].id, on, 1).await);
        let card = good(bench.store.photo(id, viewer).await).expect("it is there");
        assert_eq!((card.liked_by_viewer, card.photo.like_count), (on, i64::from(on)));
        for feed in [Feed::Explore, Feed::Profile(people[0].id)] {
            let page = good(bench.store.photo_page(feed, viewer, None, 20).await);
            let card = &page.items[0];
            assert_eq!((card.liked_by_viewer, card.photo.like_count), (on, i64::from(on)));
        }
    }
    let other = good(bench.store.photo(id, Some(people[0].id)).await).expect("it is there");
    assert!(!other.liked_by_viewer, "likes are the viewer's own");
    assert_eq!(other.photo.like_count, 1, "the count is everybody's");
}

#[tokio::test]
async fn a_viewer_sees_the_own_follow_comment_and_photo_at_once() {
    let bench = Bench::new();
    let store = &bench.store;
    let people = add_people(store, 2).await;
    let (me, friend) = (people[0].id, people[1].id);
    let theirs = add_ready_photo(store, &people[1], 1).await;
    let home = async || good(store.photo_page(Feed::Home(me), Some(me), None, 20).await).items;
    assert!(home().await.is_empty());
    assert!(!good(store.is_following(me, friend).await));
    good(store.set_follow(me, friend, true, 1).await);
    assert!(good(store.is_following(me, friend).await));
    assert_eq!(home().await.len(), 1);
    let profile =
        async |number: usize| good(store.profile(&people[number].name).await).expect("there");
    assert_eq!(profile(1).await.follower_count, 1);
    assert_eq!(profile(0).await.following_count, 1);

    let remark = comment(&people[0], theirs, 1);
    assert!(good(store.comments(theirs, None, 20).await).items.is_empty());
    good(store.add_comment(&remark).await);
    assert_eq!(good(store.comments(theirs, None, 20).await).items.len(), 1);
    assert_eq!(home().await[0].photo.comment_count, 1);
    good(store.delete_comment(theirs, remark.id, me).await);
    assert!(good(store.comments(theirs, None, 20).await).items.is_empty());

    let mine = add_ready_photo(store, &people[0], 2).await;
    assert_eq!(home().await.len(), 2);
    assert_eq!(profile(0).await.photo_count, 1);
    good(store.photo(mine, Some(me)).await);
    good(store.edit_photo(mine, "new words", "").await);
    assert_eq!(home().await[0].photo.caption, "new words");
    let card = good(store.photo(mine, Some(me)).await).expect("there");
    assert_eq!(card.photo.caption, "new words");
    good(store.delete_photo(mine).await);
    assert_eq!(home().await.len(), 1);
    assert_eq!(good(store.photo(mine, Some(me)).await), None);
}

#[tokio::test]
async fn who_waits_for_a_photo_never_sees_an_old_state() {
    let bench = Bench::new();
    let people = add_people(&bench.store, 1).await;
    let (photo, version) = made_up_photo(&people[0], 1);
    good(bench.store.add_photo(&photo, &version).await);
    let progress = async |viewer| {
        good(bench.store.photo(photo.id, viewer).await).expect("it is there").photo.progress
    };
    for viewer in [None, Some(people[0].id)] {
        assert_eq!(progress(viewer).await, Progress::Preparing);
        bench.asked();
        progress(viewer).await;
        assert_eq!(bench.asked(), ["store.photo"], "an unready photo is asked for each time");
    }
    // Another process finishes it: this cache hears nothing of that.
    let (id, first) = (photo.id, version.id);
    good(bench.store.inner.finish_version(id, first, Progress::Ready, 5).await);
    assert_eq!(progress(None).await, Progress::Ready);
    assert_eq!(progress(Some(people[0].id)).await, Progress::Ready);
}

#[tokio::test]
async fn changes_of_an_account_show_at_once() {
    let bench = Bench::new();
    let store = &bench.store;
    let user = person(7);
    assert_eq!(good(store.profile(&user.name).await), None, "absence is not kept");
    good(store.create_user(&user).await);
    assert_eq!(good(store.profile(&user.name).await), Some(user.clone().into()));
    let change = UserChange { plan: Some(Plan::Free), ..UserChange::default() };
    good(store.update_user(user.id, &change).await);
    let found = good(store.profile(&user.name).await).expect("there");
    assert_eq!(found.plan, Plan::Free);
    good(store.delete_user(user.id).await);
    assert_eq!(good(store.profile(&user.name).await), None);
}

/// Two web servers, each with a cache of its own, on one database: what decides is never what one of them remembers.
#[tokio::test]
async fn accounts_are_asked_of_the_store_each_time() {
    let database = Arc::new(MemoryStore::new());
    let server = || CachedStore::new(database.clone(), Arc::new(MokaCache::new(8 << 20)));
    let (here, there) = (server(), server());
    let user = person(7);
    good(here.create_user(&user).await);
    for server in [&here, &there] {
        assert_eq!(good(server.user(user.id).await), Some(user.clone()));
        assert_eq!(good(server.user_by_name(&user.name).await), Some(user.clone()));
        assert!(good(server.profile(&user.name).await).is_some());
    }
    let password_hash = Some("another hash".to_owned());
    let change = UserChange { password_hash, plan: Some(Plan::Free), display_name: None };
    good(here.update_user(user.id, &change).await);
    for found in [there.user(user.id).await, there.user_by_name(&user.name).await] {
        let found = good(found).expect("there");
        assert_eq!((found.plan, found.password_hash.as_str()), (Plan::Free, "another hash"));
    }
    good(here.delete_user(user.id).await);
    assert_eq!(good(there.user(user.id).await), None);
    assert_eq!(good(there.user_by_name(&user.name).await), None);
}

/// The name that a cache remembers may belong to somebody else by now.
#[tokio::test]
async fn a_name_that_was_given_up_and_taken_again_shows_the_new_person() {
    let bench = Bench::new();
    let old = person(7);
    let new = User { name: old.name.clone(), ..person(8) };
    good(bench.store.create_user(&old).await);
    good(
        bench
            .store
            .near
            .get_or_load(&CacheKey::Name(old.name.clone()), |_| true, async {
                StoreResult::Ok(Some(old.id))
            })
            .await,
    );
    good(bench.store.inner.delete_user(old.id).await);
    good(bench.store.inner.create_user(&new).await);
    assert_eq!(good(bench.store.profile(&old.name).await), Some(new.into()));
}

/// Every value that is put, as another process would read it.
#[derive(Default)]
struct Listening(Mutex<Vec<String>>);

#[async_trait]
impl Cache for Listening {
    async fn get(&self, _: &str) -> Result<Option<Found>, CacheError> {
        Ok(None)
    }
    async fn put(
        &self,
        key: &str,
        value: Arc<dyn Value>,
        _: std::time::Duration,
    ) -> Result<(), CacheError> {
        let value = String::from_utf8_lossy(&value.to_bytes()).into_owned();
        self.0.lock().expect("no panic").push(format!("{key} {value}"));
        Ok(())
    }
    async fn remove(&self, _: &[String]) -> Result<(), CacheError> {
        Ok(())
    }
    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }
}

#[tokio::test]
async fn no_password_hash_lies_in_a_cache() {
    let listening = Arc::new(Listening::default());
    let ear = listening.clone();
    let make = async || {
        Arc::new(CachedStore::new(Arc::new(MemoryStore::new()), ear.clone())) as Arc<dyn Store>
    };
    crate::store::conformance::check_all(make).await;
    let heard = listening.0.lock().expect("no panic");
    assert!(heard.iter().any(|put| put.starts_with("profile:")), "nothing was kept at all");
    let with_hash: Vec<&String> = heard.iter().filter(|put| put.contains("argon2")).collect();
    assert!(with_hash.is_empty(), "{with_hash:?}");
}
