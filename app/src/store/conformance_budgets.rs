//! What a page costs the database: each reading verb once, with a page longer than any of the app, counted by whoever owns the
//! database. A verb that asks once more for each row of its page (N + 1) is found here, whatever the backend.

use std::collections::BTreeMap;

use super::{comment, good, person, photo};
use crate::model::{Feed, PhotoId, Progress, UserId};
use crate::store::{Population, Store};

/// People, each with two photos; the first follows all others.
const PEOPLE: u64 = 30;
/// Under one photo, by everybody in turn.
const COMMENTS: u64 = 60;
/// A page longer than any of the app (50 comments), and far longer than any verb's number of calls.
const ROWS: usize = 55;

/// Calls that each verb makes to the database for 55 rows of 30 people, as `calls_so_far` counts them. The store must be empty.
pub async fn reading_costs(
    store: &dyn Store,
    calls_so_far: impl AsyncFn() -> u64,
) -> BTreeMap<&'static str, u64> {
    let (reader, shown) = fill(store).await;
    let mut costs = BTreeMap::new();
    let mut before = calls_so_far().await;
    let mut note = async |verb| {
        let after = calls_so_far().await;
        costs.insert(verb, after - before);
        before = after;
    };
    let viewer = Some(reader);
    let feeds = [
        ("photo_page home", Feed::Home(reader)),
        ("photo_page explore", Feed::Explore),
        ("photo_page profile", Feed::Profile(person(1).id)),
    ];
    for (verb, feed) in feeds {
        let page = good(store.photo_page(feed, viewer, None, ROWS).await);
        let own = matches!(feed, Feed::Profile(_));
        assert_eq!(page.items.len(), if own { 2 } else { ROWS }, "{verb}");
        note(verb).await;
    }
    let page = good(store.comments(shown, None, ROWS).await);
    assert_eq!(page.items.len(), ROWS, "comments");
    note("comments").await;
    let found = good(store.search_users("person_", ROWS).await);
    assert_eq!(found.len(), PEOPLE as usize, "search_users");
    note("search_users").await;
    assert!(good(store.photo(shown, viewer).await).is_some(), "photo");
    note("photo").await;
    assert_eq!(good(store.versions(shown).await).len(), 1, "versions");
    note("versions").await;
    assert!(good(store.user_by_name("person_3").await).is_some(), "user_by_name");
    note("user_by_name").await;
    assert!(good(store.profile("person_3").await).is_some(), "profile");
    note("profile").await;
    assert!(good(store.user(reader).await).is_some(), "user");
    note("user").await;
    assert!(good(store.is_following(reader, person(3).id).await), "is_following");
    note("is_following").await;
    costs
}

/// Fills the store; gives the one who reads and the photo with the comments.
async fn fill(store: &dyn Store) -> (UserId, PhotoId) {
    let mut population = Population { users: (0..PEOPLE).map(person).collect(), ..<_>::default() };
    for number in 0..2 * PEOPLE {
        let by = &mut population.users[(number % PEOPLE) as usize];
        by.photo_count += 1;
        let (mut photo, mut version) = photo(by, number);
        photo.progress = Progress::Ready;
        photo.ready_at_us = Some(1);
        version.progress = Progress::Ready;
        population.photos.push((photo, vec![version]));
    }
    let reader = population.users[0].id;
    for at in 1..population.users.len() {
        population.follows.push((reader, population.users[at].id, 1));
        population.users[at].follower_count = 1;
    }
    population.users[0].following_count = PEOPLE as i64 - 1;
    let shown = &mut population.photos[5].0;
    shown.comment_count = COMMENTS as i64;
    let shown = shown.id;
    for number in 0..COMMENTS {
        let by = &population.users[(number % PEOPLE) as usize];
        population.comments.push(comment(by, shown, number));
    }
    good(store.load(&population).await);
    (reader, shown)
}
