//! The checks of feeds: who is in which, the order, cursors that stay true while photos come and go, and limits.

use std::sync::Arc;

use super::{add_people, add_ready_photo, author, good};
use crate::model::{Feed, Page, PhotoCard, PhotoId, UserId};
use crate::store::{PAGE_LIMIT_MAX, Store};

pub(super) async fn check_all(make: &impl AsyncFn() -> Arc<dyn Store>) {
    each_feed_shows_its_people(&*make().await).await;
    pages_join_without_gap_or_repetition(&*make().await).await;
    limits_are_clamped(&*make().await).await;
}

fn ids(page: &Page<PhotoCard>) -> Vec<PhotoId> {
    page.items.iter().map(|card| card.photo.id).collect()
}

async fn each_feed_shows_its_people(store: &dyn Store) {
    let people = add_people(store, 4).await;
    let (me, friend, stranger, loner) = (&people[0], &people[1], &people[2], &people[3]);
    good(store.set_follow(me.id, friend.id, true, 1).await);
    good(store.set_follow(stranger.id, me.id, true, 1).await);
    let first = add_ready_photo(store, friend, 1).await;
    let second = add_ready_photo(store, stranger, 2).await;
    let third = add_ready_photo(store, me, 3).await;
    let fourth = add_ready_photo(store, friend, 4).await;
    good(store.set_like(first, me.id, true, 1).await);
    let read =
        async |feed, viewer: Option<UserId>| good(store.photo_page(feed, viewer, None, 20).await);
    let home = read(Feed::Home(me.id), Some(me.id)).await;
    assert_eq!(ids(&home), [fourth, third, first], "home: those I follow, and mine");
    assert_eq!(home.next, None, "that is all");
    assert_eq!(home.items[0].author, author(friend), "each with its author");
    assert_eq!(home.items[1].author, author(me), "each with its author");
    let liked: Vec<bool> = home.items.iter().map(|card| card.liked_by_viewer).collect();
    assert_eq!(liked, [false, false, true], "and whether I like it");
    assert_eq!(ids(&read(Feed::Home(stranger.id), None).await), [third, second], "one way only");
    assert!(read(Feed::Home(loner.id), None).await.items.is_empty(), "nobody followed: empty");
    let explore = read(Feed::Explore, Some(stranger.id)).await;
    assert_eq!(ids(&explore), [fourth, third, second, first], "explore: everybody's");
    assert!(explore.items.iter().all(|card| !card.liked_by_viewer), "likes are the viewer's own");
    let profile = read(Feed::Profile(friend.id), Some(me.id)).await;
    assert_eq!(ids(&profile), [fourth, first], "profile: one person's");
    assert!(profile.items[1].liked_by_viewer, "with the viewer's likes");
    good(store.set_follow(me.id, friend.id, false, 2).await);
    assert_eq!(ids(&read(Feed::Home(me.id), None).await), [third], "an ended follow ends");
    good(store.delete_photo(third).await);
    assert!(read(Feed::Home(me.id), None).await.items.is_empty(), "a removed photo is gone");
    assert_eq!(ids(&read(Feed::Explore, None).await), [fourth, second, first], "everywhere");
}

async fn pages_join_without_gap_or_repetition(store: &dyn Store) {
    let people = add_people(store, 5).await;
    let me = &people[0];
    for friend in &people[1..4] {
        good(store.set_follow(me.id, friend.id, true, 1).await);
    }
    let mut mine = Vec::new();
    let mut all = Vec::new();
    for number in 0..23 {
        let by = &people[number as usize % 5];
        let id = add_ready_photo(store, by, number).await;
        all.push(id);
        if by.id != people[4].id {
            mine.push(id);
        }
    }
    mine.reverse();
    all.reverse();
    for (feed, expected) in [(Feed::Home(me.id), &mine), (Feed::Explore, &all)] {
        for limit in [1, 4, 7, 22, 23, 24] {
            let mut seen = Vec::new();
            let mut before = None;
            loop {
                let page = good(store.photo_page(feed, Some(me.id), before, limit).await);
                assert!(page.items.len() <= limit, "at most the limit");
                seen.extend(ids(&page));
                let Some(next) = page.next else { break };
                assert_eq!(page.items.len(), limit, "only the last page is short");
                before = Some(PhotoId(next));
            }
            assert_eq!(&seen, expected, "{feed:?} in pages of {limit}");
        }
    }

    let first = good(store.photo_page(Feed::Home(me.id), None, None, 6).await);
    let newer = add_ready_photo(store, &people[1], 100).await;
    good(store.delete_photo(mine[8]).await);
    let before = first.next.map(PhotoId);
    let second = good(store.photo_page(Feed::Home(me.id), None, before, 4).await);
    let expected = [mine[6], mine[7], mine[9], mine[10]];
    assert_eq!(ids(&second), expected, "a new photo shifts nothing, a removed one leaves no hole");
    let again = good(store.photo_page(Feed::Home(me.id), None, None, 1).await);
    assert_eq!(ids(&again), [newer], "the new photo is on the first page");
}

async fn limits_are_clamped(store: &dyn Store) {
    let people = add_people(store, 1).await;
    for number in 0..105 {
        add_ready_photo(store, &people[0], number).await;
    }
    for feed in [Feed::Explore, Feed::Profile(people[0].id), Feed::Home(people[0].id)] {
        let length =
            async |limit| good(store.photo_page(feed, None, None, limit).await).items.len();
        assert_eq!(length(usize::MAX).await, PAGE_LIMIT_MAX, "no page is longer");
        assert_eq!(length(0).await, 1, "no page is shorter");
    }
}
