//! The promises of [`Store`] as one list of checks, run against every backend: a store that passes can take another's place.
//!
//! Each check gets an empty store of its own. A broken promise panics and names itself. Compiled always, so that the
//! tests of other packages, with their real databases, call the same list. `conformance_photos` holds the second half.

use std::sync::Arc;

use crate::model::{
    Author, Comment, CommentId, Photo, PhotoId, PictureFormat, Plan, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::{Population, Store, StoreError, StoreResult, UserChange};

#[path = "conformance_budgets.rs"]
mod budgets;
#[path = "conformance_feeds.rs"]
mod feeds;
#[path = "conformance_photos.rs"]
mod photos;

pub use budgets::reading_costs;

/// The Unix time of the made-up rows: fixed, so that a failure repeats.
pub(crate) const START_MS: u64 = 1_750_000_000_000;

/// Runs every check; `make` gives a fresh, empty store each time.
pub async fn check_all(make: impl AsyncFn() -> Arc<dyn Store>) {
    accounts(&*make().await).await;
    account_changes(&*make().await).await;
    names_with_common_beginnings(&*make().await).await;
    follows(&*make().await).await;
    follows_under_concurrency(make().await).await;
    every_letter_survives(&*make().await).await;
    a_removed_person_leaves_no_trace(&*make().await).await;
    a_loaded_population_is_there(&*make().await).await;
    photos::check_all(&make).await;
    feeds::check_all(&make).await;
}

/// The value of a verb that must succeed.
pub(crate) fn good<T>(outcome: StoreResult<T>) -> T {
    outcome.unwrap_or_else(|error| panic!("a verb failed that must succeed: {error:?}"))
}

/// Asserts the outcome `Missing`.
pub(crate) fn missing<T: std::fmt::Debug>(outcome: StoreResult<T>, promise: &str) {
    assert!(matches!(outcome, Err(StoreError::Missing { .. })), "{promise}: got {outcome:?}");
}

/// Asserts the outcome `Conflict`.
pub(crate) fn conflict<T: std::fmt::Debug>(outcome: StoreResult<T>, promise: &str) {
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{promise}: got {outcome:?}");
}

/// A made-up account; the same number gives the same one.
pub fn person(number: u64) -> User {
    User {
        id: UserId::new(START_MS + number, number.wrapping_mul(7_919)),
        name: format!("person_{number}"),
        display_name: format!("Person {number}"),
        password_hash: format!("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$hash{number}"),
        plan: if number.is_multiple_of(2) { Plan::Free } else { Plan::Pro },
        created_at_ms: (START_MS + number) as i64,
        photo_count: 0,
        follower_count: 0,
        following_count: 0,
    }
}

/// What stands beside this person's photos.
pub fn author(user: &User) -> Author {
    Author { id: user.id, name: user.name.clone(), display_name: user.display_name.clone() }
}

/// A made-up photo (preparing) with its first version. Larger numbers are newer.
pub fn photo(by: &User, number: u64) -> (Photo, Version) {
    let at_ms = START_MS + 1_000_000 + number * 1_000;
    let id = PhotoId::for_author(by.id, at_ms, number);
    let version = Version {
        id: VersionId::new(at_ms, number),
        photo: id,
        filter: "original".to_owned(),
        strength: 100,
        watermarked: by.plan == Plan::Free,
        progress: Progress::Preparing,
        created_at_ms: at_ms as i64,
    };
    let photo = Photo {
        id,
        author: by.id,
        caption: format!("Photo {number}"),
        alt: format!("A hill, number {number}"),
        width: 1080,
        height: 720,
        format: PictureFormat::Jpeg,
        published_version: version.id,
        progress: Progress::Preparing,
        created_at_ms: at_ms as i64,
        ready_at_us: None,
        like_count: 0,
        comment_count: 0,
    };
    (photo, version)
}

/// A made-up comment. Larger numbers are newer.
pub fn comment(by: &User, photo: PhotoId, number: u64) -> Comment {
    let at_ms = START_MS + 9_000_000 + number;
    Comment {
        id: CommentId::new(at_ms, number),
        photo,
        author: author(by),
        body: format!("Comment {number}"),
        created_at_ms: at_ms as i64,
    }
}

/// Adds people 0 to `count` - 1.
pub(crate) async fn add_people(store: &dyn Store, count: u64) -> Vec<User> {
    let people: Vec<User> = (0..count).map(person).collect();
    for user in &people {
        good(store.create_user(user).await);
    }
    people
}

/// Adds a photo and makes it ready, as upload and worker do.
pub(crate) async fn add_ready_photo(store: &dyn Store, by: &User, number: u64) -> PhotoId {
    let (photo, version) = photo(by, number);
    good(store.add_photo(&photo, &version).await);
    good(store.finish_version(photo.id, version.id, Progress::Ready, 77).await);
    photo.id
}

/// The account as the store has it.
pub(crate) async fn stored(store: &dyn Store, user: &User) -> User {
    good(store.user(user.id).await).expect("the account is there")
}

async fn accounts(store: &dyn Store) {
    good(store.ping().await);
    let (anna, bert) = (person(1), person(2));
    assert_eq!(good(store.user(anna.id).await), None, "an unknown id is none");
    assert_eq!(good(store.user_by_name(&anna.name).await), None, "an unknown name is none");
    assert_eq!(good(store.profile(&anna.name).await), None, "nor has it a profile");
    good(store.create_user(&anna).await);
    good(store.create_user(&bert).await);
    assert_eq!(good(store.user(anna.id).await), Some(anna.clone()), "an account by id");
    assert_eq!(
        good(store.user_by_name(&bert.name).await),
        Some(bert.clone()),
        "an account by name"
    );
    let shown = Some(Profile::from(bert.clone()));
    assert_eq!(good(store.profile(&bert.name).await), shown, "what pages show of it");
    let same_name = User { name: anna.name.clone(), ..person(3) };
    conflict(store.create_user(&same_name).await, "a name belongs to one account");
    assert_eq!(good(store.user(same_name.id).await), None, "a refused account is not there");
    assert_eq!(good(store.user_by_name(&anna.name).await), Some(anna), "the first one stays");
    for strange in ["PERSON_1", "person_1 ", "pers\u{f6}n_1", "", "person_1'; --"] {
        assert_eq!(good(store.user_by_name(strange).await), None, "`{strange}` is nobody");
        assert_eq!(good(store.profile(strange).await), None, "`{strange}` has no profile");
    }
}

async fn account_changes(store: &dyn Store) {
    let user = person(4);
    missing(store.update_user(user.id, &UserChange::default()).await, "a change to nobody");
    good(store.create_user(&user).await);
    let change = UserChange { plan: Some(Plan::Pro), ..UserChange::default() };
    good(store.update_user(user.id, &change).await);
    good(store.update_user(user.id, &change).await);
    let display_name = Some("Ναυσικά 🌋".to_owned());
    let password_hash = Some("$argon2id$new".to_owned());
    let change = UserChange { display_name, password_hash, plan: None };
    good(store.update_user(user.id, &change).await);
    let expected = User {
        plan: Plan::Pro,
        display_name: "Ναυσικά 🌋".to_owned(),
        password_hash: "$argon2id$new".to_owned(),
        ..user.clone()
    };
    assert_eq!(stored(store, &user).await, expected, "only what was named has changed");
    let found = good(store.user_by_name(&user.name).await);
    assert_eq!(found, Some(expected.clone()), "by name as well, so that a login is judged by it");
    assert_eq!(good(store.profile(&user.name).await), Some(expected.into()), "and on pages");
}

async fn names_with_common_beginnings(store: &dyn Store) {
    let names = ["ana", "anna", "anna_1", "anna_2", "annabel", "annax1", "berta", "zoe"];
    for (number, name) in names.iter().enumerate() {
        let user = User { name: (*name).to_owned(), ..person(number as u64) };
        good(store.create_user(&user).await);
    }
    let search = async |prefix: &str, limit| -> Vec<String> {
        let found = good(store.search_users(prefix, limit).await);
        found.into_iter().map(|author| author.name).collect()
    };
    let all = ["anna", "anna_1", "anna_2", "annabel", "annax1"];
    assert_eq!(search("anna", 20).await, all, "names by prefix, in order");
    assert_eq!(search("anna_", 20).await, ["anna_1", "anna_2"], "`_` is a letter, no wildcard");
    assert_eq!(search("an", 2).await, ["ana", "anna"], "at most the limit");
    assert_eq!(search("", 100).await, names, "everybody starts with nothing");
    assert_eq!(search("", 0).await, ["ana"], "a limit of 0 is 1");
    for strange in ["%", "Anna", "\u{1f30b}", "annan"] {
        assert!(search(strange, 20).await.is_empty(), "nobody starts with `{strange}`");
    }
}

async fn follows(store: &dyn Store) {
    let people = add_people(store, 3).await;
    let (anna, bert) = (&people[0], &people[1]);
    let set = async |on| good(store.set_follow(anna.id, bert.id, on, 5).await);
    assert!(!set(false).await, "nothing to end");
    assert!(set(true).await, "the first follow changes something");
    assert!(!set(true).await, "the second does not");
    assert!(good(store.is_following(anna.id, bert.id).await), "anna follows bert");
    assert!(!good(store.is_following(bert.id, anna.id).await), "bert does not follow anna");
    let counts = async |user| {
        let user = stored(store, user).await;
        (user.following_count, user.follower_count)
    };
    assert_eq!(counts(anna).await, (1, 0), "repeated follows count once");
    assert_eq!(counts(bert).await, (0, 1), "repeated follows count once");
    assert!(good(store.set_follow(bert.id, anna.id, true, 6).await), "the other direction");
    assert_eq!(counts(anna).await, (1, 1), "both directions count apart");
    assert!(set(false).await, "the end changes something");
    assert!(!set(false).await, "the second end does not");
    assert_eq!(counts(anna).await, (0, 1), "an ended follow does not count");
    assert_eq!(counts(bert).await, (1, 0), "an ended follow does not count");
    let gone = person(99).id;
    missing(store.set_follow(anna.id, gone, true, 7).await, "following somebody who is gone");
    assert!(!good(store.is_following(anna.id, gone).await), "a refused follow is not there");
    assert_eq!(counts(anna).await, (0, 1), "a refused follow does not count");
}

async fn follows_under_concurrency(store: Arc<dyn Store>) {
    let people = add_people(&*store, 9).await;
    let star = people[0].id;
    let mut tasks = tokio::task::JoinSet::new();
    for fan in &people[1..] {
        for _ in 0..4 {
            let (store, fan) = (store.clone(), fan.id);
            tasks.spawn(async move { good(store.set_follow(fan, star, true, 1).await) });
        }
    }
    let changed = tasks.join_all().await.into_iter().filter(|changed| *changed).count();
    assert_eq!(changed, 8, "of simultaneous equal follows exactly one changes something");
    assert_eq!(stored(&*store, &people[0]).await.follower_count, 8, "each fan counts once");
    for fan in &people[1..] {
        assert_eq!(stored(&*store, fan).await.following_count, 1, "each fan follows one");
    }
}

async fn every_letter_survives(store: &dyn Store) {
    let texts = [
        "Snow ❄ & <b>tags</b> \"quotes\" 'n %_\\ backslash",
        "👩‍🚀🌋 four-byte letters and joiners",
        "שלום - العربية - 漢字 - ไทย",
        "line one\nline two\ttab",
        "  spaces around  ",
    ];
    let user = User { display_name: texts[1].to_owned(), ..person(1) };
    good(store.create_user(&user).await);
    assert_eq!(stored(store, &user).await.display_name, texts[1], "a display name is kept");
    for (number, text) in texts.iter().enumerate() {
        let (mut photo, version) = photo(&user, number as u64);
        photo.caption = (*text).to_owned();
        photo.alt = (*text).to_owned();
        good(store.add_photo(&photo, &version).await);
        let body = (*text).to_owned();
        let remark = Comment { body, ..comment(&user, photo.id, number as u64) };
        good(store.add_comment(&remark).await);
        let card = good(store.photo(photo.id, None).await).expect("the photo is there");
        assert_eq!((card.photo.caption, card.photo.alt), (photo.caption, photo.alt), "texts");
        let page = good(store.comments(photo.id, None, 10).await);
        assert_eq!(page.items, [remark], "a comment is kept letter by letter");
    }
    let (mut photo, version) = photo(&user, 50);
    photo.caption = "🌋".repeat(2_000);
    photo.alt = "山".repeat(500);
    good(store.add_photo(&photo, &version).await);
    let remark = Comment { body: "🌄".repeat(1_000), ..comment(&user, photo.id, 50) };
    good(store.add_comment(&remark).await);
    let card = good(store.photo(photo.id, None).await).expect("the photo is there");
    assert_eq!(card.photo.caption.chars().count(), 2_000, "the longest caption fits");
    assert_eq!(card.photo.alt.chars().count(), 500, "the longest alternative text fits");
    let page = good(store.comments(photo.id, None, 1).await);
    assert_eq!(page.items, [remark], "the longest comment fits");
}

async fn a_removed_person_leaves_no_trace(store: &dyn Store) {
    let people = add_people(store, 3).await;
    let (leaver, stayer, other) = (&people[0], &people[1], &people[2]);
    let theirs = add_ready_photo(store, leaver, 1).await;
    let (unready, unready_version) = photo(leaver, 2);
    good(store.add_photo(&unready, &unready_version).await);
    let kept = add_ready_photo(store, stayer, 3).await;
    for (from, to) in [(leaver, stayer), (stayer, leaver), (other, leaver), (stayer, other)] {
        good(store.set_follow(from.id, to.id, true, 1).await);
    }
    for user in &people {
        good(store.set_like(kept, user.id, true, 1).await);
        good(store.set_like(theirs, user.id, true, 1).await);
    }
    good(store.add_comment(&comment(leaver, kept, 1)).await);
    good(store.add_comment(&comment(leaver, kept, 2)).await);
    good(store.add_comment(&comment(stayer, kept, 3)).await);
    good(store.add_comment(&comment(stayer, theirs, 4)).await);

    let removed = good(store.delete_user(leaver.id).await);
    let mut ids: Vec<_> = removed.iter().map(|(photo, _)| photo.id).collect();
    ids.sort();
    assert_eq!(ids, [theirs, unready.id], "the photos whose assets must go are returned");
    assert!(removed.iter().all(|(_, versions)| versions.len() == 1), "with their versions");

    assert_eq!(good(store.user(leaver.id).await), None, "the account is gone");
    assert_eq!(good(store.user_by_name(&leaver.name).await), None, "the name is gone");
    assert_eq!(good(store.profile(&leaver.name).await), None, "the profile is gone");
    assert!(good(store.search_users(&leaver.name, 5).await).is_empty(), "nobody finds them");
    assert_eq!(good(store.photo(theirs, None).await), None, "their photos are gone");
    assert!(good(store.versions(theirs).await).is_empty(), "their versions are gone");
    assert!(good(store.comments(theirs, None, 5).await).items.is_empty(), "comments there too");
    let card = good(store.photo(kept, None).await).expect("the other's photo stays");
    assert_eq!(card.photo.like_count, 2, "their like no longer counts");
    assert_eq!(card.photo.comment_count, 1, "their comments no longer count");
    assert_eq!(good(store.comments(kept, None, 5).await).items.len(), 1, "nor show");
    let stayer = stored(store, stayer).await;
    assert_eq!((stayer.following_count, stayer.follower_count), (1, 0), "follows are corrected");
    let other = stored(store, other).await;
    assert_eq!((other.following_count, other.follower_count), (0, 1), "follows are corrected");
    assert!(good(store.delete_user(leaver.id).await).is_empty(), "a second removal is empty");
    good(store.create_user(leaver).await);
    assert_eq!(stored(store, leaver).await, *leaver, "the name can be taken again");
}

async fn a_loaded_population_is_there(store: &dyn Store) {
    let mut people: Vec<User> = (0..40).map(person).collect();
    let mut population = Population::default();
    for (number, by) in (0..1_200_u64).zip((0..40).cycle()) {
        let (mut photo, mut version) = photo(&people[by], number);
        photo.progress = Progress::Ready;
        photo.ready_at_us = Some(photo.created_at_ms * 1_000);
        version.progress = Progress::Ready;
        photo.like_count = 1;
        photo.comment_count = 1;
        population.likes.push((photo.id, people[0].id, 1));
        population.comments.push(comment(&people[1], photo.id, number));
        population.photos.push((photo, vec![version]));
        people[by].photo_count += 1;
    }
    for number in 1..40 {
        population.follows.push((people[0].id, people[number].id, 1));
        people[0].following_count += 1;
        people[number].follower_count += 1;
    }
    population.users = people.clone();
    good(store.load(&population).await);
    for user in &people {
        assert_eq!(stored(store, user).await, *user, "a loaded account");
        assert_eq!(good(store.user_by_name(&user.name).await).as_ref(), Some(user), "by name");
    }
    assert!(good(store.is_following(people[0].id, people[39].id).await), "a loaded follow");
    let home = crate::model::Feed::Home(people[0].id);
    let page = good(store.photo_page(home, Some(people[0].id), None, 100).await);
    let newest: Vec<_> = population.photos.iter().rev().take(100).map(|(photo, _)| photo).collect();
    let shown: Vec<_> = page.items.iter().map(|card| &card.photo).collect();
    assert_eq!(shown, newest, "the newest hundred of everybody");
    assert!(page.items.iter().all(|card| card.liked_by_viewer), "loaded likes");
    let comments = good(store.comments(newest[0].id, None, 5).await);
    assert_eq!(comments.items, [population.comments[1_199].clone()], "a loaded comment");
    assert!(!good(store.set_like(newest[0].id, people[0].id, true, 2).await).changed, "liked");
}
