//! Replicas: the promises once they have caught up, and what a writer and the others see while they have not.

use std::sync::Arc;
use std::time::Duration;

use photo_app::model::{Feed, Plan, User};
use photo_app::store::mysql::MysqlStore;
use photo_app::store::replicated::ReplicatedStore;
use photo_app::store::{Store, UserChange, conformance};

use crate::settled::Settled;
use crate::{Place, crowd};

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_have_caught_up_keep_the_promises() {
    let Some(place) = Place::with_mariadb() else { return };
    let primary = place.mariadb("primary").await;
    let replicas = [place.replica(&primary, "one").await, place.replica(&primary, "two").await];
    let make = async || {
        let url = place.database(&primary).await;
        MysqlStore::connect(&url, 1).await.expect("connects").migrate().await.expect("tables");
        let (_, database) = url.rsplit_once('/').expect("an address ends with the database");
        let mut urls = Vec::new();
        for replica in &replicas {
            replica.catch_up(&primary).await.expect("it catches up");
            urls.push(replica.database_url(database));
        }
        let store = ReplicatedStore::connect(&url, &urls, 8).await.expect("connects");
        // No pins: every read that may go to a replica does.
        Arc::new(Settled(store.pinned_for(Duration::ZERO))) as Arc<dyn Store>
    };
    conformance::check_all(make).await;
    for server in replicas {
        server.discard().await;
    }
    primary.discard().await;
}

/// A "replica" that never hears of anything makes the lag endless and the test exact.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_sees_the_own_writes_whatever_the_lag() {
    let Some(place) = Place::with_mariadb() else { return };
    let (primary, deaf) = (place.mariadb("primary").await, place.mariadb("deaf").await);
    let mut urls = Vec::new();
    let population = crowd(40);
    for server in [&primary, &deaf] {
        let url = place.database(server).await;
        let store = MysqlStore::connect(&url, 1).await.expect("connects");
        store.migrate().await.expect("tables");
        store.load(&population).await.expect("the population is written");
        urls.push(url);
    }
    let store = ReplicatedStore::connect(&urls[0], &urls[1..], 4).await.expect("connects");
    let (me, other) = (&population.users[1], &population.users[2]);
    let photo = population.photos[0].0.id;
    assert!(store.set_like(photo, me.id, true, 1).await.expect("a like").changed);
    let explore = async |viewer| {
        let page = store.photo_page(Feed::Explore, viewer, None, 100).await.expect("a feed");
        let card = page.items.into_iter().find(|card| card.photo.id == photo);
        card.expect("the photo is listed").photo.like_count
    };
    assert_eq!(explore(Some(me.id)).await, 1, "the writer reads from the primary");
    assert_eq!(explore(Some(other.id)).await, 0, "the others from a replica that is behind");
    let card = store.photo(photo, Some(other.id)).await.expect("read").expect("there");
    assert_eq!(card.photo.like_count, 1, "the photo that was written is read from the primary");

    let newcomer = conformance::person(500);
    store.create_user(&newcomer).await.expect("the account is added");
    let unpinned = ReplicatedStore::connect(&urls[0], &urls[1..], 4).await.expect("connects");
    let found = unpinned.user_by_name(&newcomer.name).await.expect("read");
    assert_eq!(found, Some(newcomer), "what a replica lacks is asked of the primary");
    what_decides_is_read_from_the_primary(&unpinned, &population.users[3..5]).await;
    let elsewhere = ReplicatedStore::connect(&urls[0], &urls[1..], 4).await.expect("connects");
    let shown = elsewhere.profile(&population.users[4].name).await.expect("read");
    assert!(shown.is_some(), "pages of another server may show what a replica has not heard of");
    let facts = store.facts().await.expect("the lag can be read");
    assert!(facts["store.replica_1_transactions_behind"] > 0, "{facts:?}");

    deaf.discard().await;
    assert_eq!(explore(Some(other.id)).await, 1, "a dead replica costs capacity, not pages");
    primary.discard().await;
}

/// The replica knows the old password, the old plan and the removed account for ever; nobody gets in by them.
async fn what_decides_is_read_from_the_primary(store: &ReplicatedStore, people: &[User]) {
    let [me, gone] = people else { panic!("two people are needed") };
    let plan = match me.plan {
        Plan::Free => Plan::Pro,
        Plan::Pro => Plan::Free,
    };
    let password_hash = Some("a new hash".to_owned());
    let change = UserChange { plan: Some(plan), password_hash, display_name: None };
    store.update_user(me.id, &change).await.expect("the account is changed");
    for found in [store.user(me.id).await, store.user_by_name(&me.name).await] {
        let found = found.expect("read").expect("there");
        assert_eq!((found.plan, found.password_hash.as_str()), (plan, "a new hash"));
    }
    store.delete_user(gone.id).await.expect("the account is removed");
    assert_eq!(store.user(gone.id).await.expect("read"), None);
    assert_eq!(store.user_by_name(&gone.name).await.expect("read"), None);
    let shown = store.profile(&gone.name).await.expect("read");
    assert_eq!(shown, None, "where it was removed, no page shows it");
}
