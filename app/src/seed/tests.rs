//! Tests of the whole seeding, over memory and SQLite with local assets.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::assets::local::LocalAssets;
use crate::assets::rendition_keys;
use crate::clock::SystemClock;
use crate::imaging::{self, Limits};
use crate::model::{Plan, Progress};
use crate::session::CookieSessions;
use crate::store::memory::MemoryStore;
use crate::store::sqlite::SqliteStore;

fn small() -> SeedOptions {
    SeedOptions {
        people: 60,
        photos: 240,
        pictures: 4,
        follows_mean: 8.0,
        ..SeedOptions::default()
    }
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temp dir") }
    }

    async fn assets(&self, name: &str) -> LocalAssets {
        LocalAssets::open(self.folder.path().join(name), "/assets").expect("a folder opens")
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_population_in_any_store() {
    let place = Place::new();
    let sqlite = SqliteStore::open(place.folder.path().join("db"), 2).await.expect("opens");
    let memory = MemoryStore::new();
    let (one, other) = (place.assets("one").await, place.assets("other").await);
    let first = seed(&small(), &memory, &one, None).await.expect("it is seeded");
    let second = seed(&small(), &sqlite, &other, None).await.expect("it is seeded");
    assert_eq!(first, second);
    for person in &first.people {
        let (one, other) = (memory.user(person.id).await, sqlite.user(person.id).await);
        assert_eq!(one.expect("read"), other.expect("read"));
    }
    let another = SeedOptions { seed: 2, ..small() };
    let memory = MemoryStore::new();
    let other = place.assets("another").await;
    let third = seed(&another, &memory, &other, None).await.expect("it is seeded");
    assert_ne!(first.photos, third.photos);
}

#[tokio::test]
async fn counts_agree_with_rows_and_every_link_leads_to_an_image() {
    let place = Place::new();
    let (store, assets) = (MemoryStore::new(), place.assets("a").await);
    let clock = Arc::new(SystemClock);
    let sessions = CookieSessions::new(&[7; 32], clock);
    let manifest = seed(&small(), &store, &assets, Some(&sessions)).await.expect("it is seeded");
    assert_eq!((manifest.people.len(), manifest.photos.len()), (60, 240));
    assert_eq!(manifest.assets_public, "/assets/");

    let (mut likes, mut last_likes) = (0, i64::MAX);
    for entry in &manifest.photos {
        let card = store.photo(entry.id, None).await.expect("read").expect("it is there");
        assert_eq!(
            (card.author.name.as_str(), card.photo.progress),
            (entry.author.as_str(), Progress::Ready)
        );
        assert!(card.photo.like_count <= last_likes, "the most popular first");
        last_likes = card.photo.like_count;
        likes += card.photo.like_count;
        let comments = store.comments(entry.id, None, 100).await.expect("read").items;
        assert_eq!(comments.len() as i64, card.photo.comment_count);
        let versions = store.versions(entry.id).await.expect("read");
        let author = store.user(card.author.id).await.expect("read").expect("there");
        assert_eq!(versions[0].watermarked, author.plan == Plan::Free);
        let keys = rendition_keys(entry.id, card.photo.width, versions[0].id);
        assert_eq!(keys.len() % 2, 0, "both formats of each width");
        for key in keys {
            let bytes = assets.get(&key).await.expect("read").expect("the rendition is there");
            let probe = imaging::probe(&bytes, &Limits::default()).expect("it is a picture");
            assert_eq!(probe.format.content_type(), key.content_type());
        }
        let key = AssetKey::Original { photo: entry.id, format: card.photo.format };
        assert!(assets.get(&key).await.expect("read").is_some(), "the original is there");
    }
    assert!(likes > 240, "{likes} likes");
    let (mut following, mut followers, mut photos) = (0, 0, 0);
    for person in &manifest.people {
        let user = store.user(person.id).await.expect("read").expect("there");
        let cookie = person.cookie.as_deref().and_then(|cookie| cookie.strip_prefix("session="));
        let viewer = sessions.check(cookie.expect("a session cookie")).expect("a good signature");
        assert_eq!(viewer.id, person.id);
        assert_eq!(user.following_count, person.following_count);
        following += user.following_count;
        followers += user.follower_count;
        photos += user.photo_count;
    }
    assert_eq!(following, followers);
    assert_eq!(photos, 240);
    assert!((240..=720).contains(&following), "60 people follow about 8 each: {following}");
}

#[tokio::test]
async fn many_photos_share_the_bytes_of_few_pictures() {
    let place = Place::new();
    let assets = place.assets("a").await;
    seed(&small(), &MemoryStore::new(), &assets, None).await.expect("it is seeded");
    let mut contents = HashSet::new();
    let mut folders = vec![place.folder.path().join("a")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                contents.insert(std::fs::read(path).expect("readable"));
            }
        }
    }
    // Four pictures: an original each, and two or three widths with and without watermark, as JPEG and as WebP.
    assert!((36..=52).contains(&contents.len()), "{} different files", contents.len());
}

#[tokio::test]
async fn a_store_that_is_not_empty_is_refused() {
    let place = Place::new();
    let (store, assets) = (MemoryStore::new(), place.assets("a").await);
    store.create_user(&crate::store::conformance::person(1)).await.expect("added");
    let refused = seed(&small(), &store, &assets, None).await;
    assert!(matches!(refused, Err(SeedError::NotEmpty)), "{refused:?}");
}

#[tokio::test]
async fn all_mistakes_in_the_options_are_told_at_once() {
    let place = Place::new();
    let assets = place.assets("a").await;
    let options = SeedOptions { people: 1, pictures: 0, follows_mean: f64::NAN, ..small() };
    let refused = seed(&options, &MemoryStore::new(), &assets, None).await;
    let Err(SeedError::Options(text)) = refused else { panic!("refused: {refused:?}") };
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[tokio::test]
async fn the_shared_password_opens_every_account() {
    let place = Place::new();
    let (store, assets) = (MemoryStore::new(), place.assets("a").await);
    let manifest = seed(&small(), &store, &assets, None).await.expect("it is seeded");
    let person = &manifest.people[59];
    let user = store.user_by_name(&person.name).await.expect("read").expect("there");
    let passwords = crate::password::Passwords::default();
    let (password, hash) = (person.password.to_owned(), Some(user.password_hash));
    assert!(passwords.verify(password, hash, &SystemClock).await.expect("it verifies"));
}
