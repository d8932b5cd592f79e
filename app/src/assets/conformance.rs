//! The promises of [`Assets`], as one list that judges every backend, and those of [`Slots`]. Called by the tests of `local` and, against
//! the stand-in, of `s3`.

use std::future::Future;

use bytes::Bytes;

use super::slots::{Slots, UploadId};
use super::{AssetKey, Assets};
use crate::model::{PhotoId, PictureFormat, RenditionFormat, UserId, VersionId};

/// Checks every promise; panics with the one that was broken. `make` opens the backend; it may hold other assets already.
pub async fn check_all<A, F>(make: impl Fn() -> F)
where
    A: Assets + 'static,
    F: Future<Output = A>,
{
    let assets = make().await;
    assets.ping().await.expect("ping: an open store answers");
    what_was_put_is_got_back(&assets).await;
    the_last_put_wins(&assets).await;
    absence_is_no_error(&assets).await;
    keys_do_not_collide(&assets).await;
    readers_never_see_half_a_put(make().await).await;
    copies_stand_alone(&assets).await;
    public_urls_end_in_the_path(&assets);
    everything_is_listed_in_parts(&assets).await;
    // A second handle sees what the first one stored.
    let key = rendition(77, 640);
    assets.put(&key, bytes(9, 1000)).await.expect("put");
    let found = make().await.get(&key).await.expect("get");
    assert_eq!(found, Some(bytes(9, 1000)), "what one handle stored, another one reads");
    assets.delete(&key).await.expect("delete");
}

fn rendition(photo: i64, width: u32) -> AssetKey {
    let (photo, version) = (PhotoId(photo), VersionId(photo + 1));
    AssetKey::Rendition { photo, version, width, format: RenditionFormat::Jpeg }
}

fn original(photo: i64, format: PictureFormat) -> AssetKey {
    AssetKey::Original { photo: PhotoId(photo), format }
}

/// The ids are those of a test, hence easily guessed.
fn upload(author: i64, number: u32) -> AssetKey {
    let id = format!("{number:032x}").parse::<UploadId>().expect("32 hex digits");
    AssetKey::Upload { author: UserId(author), id }
}

/// Bytes that differ by seed; not compressible, all values occur.
fn bytes(seed: u32, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(747_796_405) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

async fn what_was_put_is_got_back(assets: &dyn Assets) {
    // Empty, tiny, around typical buffer sizes, and a large original.
    for (index, length) in [0, 1, 4_095, 65_536, 65_537, 6_000_000].into_iter().enumerate() {
        let key = original(1_000 + index as i64, PictureFormat::Png);
        let sent = bytes(index as u32, length);
        assets.put(&key, sent.clone()).await.expect("put");
        let found = assets.get(&key).await.expect("get");
        assert!(found == Some(sent), "{length} bytes come back as they were put");
        assets.delete(&key).await.expect("delete");
    }
}

async fn the_last_put_wins(assets: &dyn Assets) {
    let key = rendition(2_000, 320);
    for (seed, length) in [(1, 5_000), (2, 900), (2, 900)] {
        assets.put(&key, bytes(seed, length)).await.expect("put");
        let found = assets.get(&key).await.expect("get");
        assert_eq!(found, Some(bytes(seed, length)), "a repeated put replaces the bytes");
    }
    assets.delete(&key).await.expect("delete");
}

async fn absence_is_no_error(assets: &dyn Assets) {
    let key = rendition(3_000, 1_080);
    assert_eq!(assets.get(&key).await.expect("get"), None, "what was never put is absent");
    assets.delete(&key).await.expect("deleting what is not there is fine");
    assets.put(&key, bytes(3, 10)).await.expect("put");
    assets.delete(&key).await.expect("delete");
    assets.delete(&key).await.expect("deleting twice is fine");
    assert_eq!(assets.get(&key).await.expect("get"), None, "what was deleted is absent");
}

async fn keys_do_not_collide(assets: &dyn Assets) {
    let (photo, format, webp) = (PhotoId(4_000), RenditionFormat::Jpeg, RenditionFormat::Webp);
    let keys = [
        rendition(4_000, 320),
        rendition(4_000, 640),
        rendition(4_001, 320),
        AssetKey::Rendition { photo, version: VersionId(9), width: 320, format },
        AssetKey::Rendition { photo, version: VersionId(9), width: 320, format: webp },
        original(4_000, PictureFormat::Jpeg),
        original(4_000, PictureFormat::Png),
        upload(4_000, 1),
        upload(4_000, 2),
        upload(4_001, 1),
    ];
    for (index, key) in keys.iter().enumerate() {
        assets.put(key, bytes(index as u32, 100)).await.expect("put");
    }
    for (index, key) in keys.iter().enumerate() {
        let found = assets.get(key).await.expect("get");
        assert_eq!(found, Some(bytes(index as u32, 100)), "{} is its own", key.path());
        assets.delete(key).await.expect("delete");
    }
}

/// Whatever else lies in the store, each of these keys is listed once, in parts of any size.
async fn everything_is_listed_in_parts(assets: &dyn Assets) {
    let mut expected: Vec<AssetKey> = (0..7).map(|photo| rendition(6_000 + photo, 320)).collect();
    expected.extend((0..3).map(|photo| original(6_000 + photo, PictureFormat::Png)));
    expected.push(rendition(6_000, 1_080));
    let unclaimed = [upload(6_000, 1), upload(6_001, 2)];
    for key in expected.iter().chain(&unclaimed) {
        assets.put(key, bytes(4, 10)).await.expect("put");
    }
    expected.sort_by_key(AssetKey::path);
    for limit in [1, 3, 1_000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = assets.list(after.as_deref(), limit).await.expect("list");
            assert!(part.keys.len() <= limit, "at most the limit");
            let uploads = |key: &AssetKey| matches!(key, AssetKey::Upload { .. });
            assert!(!part.keys.iter().any(uploads), "uploads are passed over");
            found.extend(part.keys);
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        found.retain(|key| expected.contains(key));
        found.sort_by_key(AssetKey::path);
        assert_eq!(found, expected, "each once, {limit} at a time");
    }
    for key in expected.iter().chain(&unclaimed) {
        assets.delete(key).await.expect("delete");
    }
}

/// One task puts two contents in turn; another one only ever reads one of them, whole.
async fn readers_never_see_half_a_put(assets: impl Assets + 'static) {
    let assets = std::sync::Arc::new(assets);
    let key = rendition(5_000, 2_048);
    let (first, second) = (bytes(1, 300_000), bytes(2, 200_000));
    assets.put(&key, first.clone()).await.expect("put");
    let writer = tokio::spawn({
        let (assets, first, second) = (assets.clone(), first.clone(), second.clone());
        async move {
            for _ in 0..10 {
                assets.put(&key, second.clone()).await.expect("put");
                assets.put(&key, first.clone()).await.expect("put");
            }
        }
    });
    while !writer.is_finished() {
        let found = assets.get(&key).await.expect("get").expect("it is always there");
        assert!(found == first || found == second, "a reader saw half a put");
    }
    writer.await.expect("the writer finished");
    assets.delete(&key).await.expect("delete");
}

async fn copies_stand_alone(assets: &dyn Assets) {
    let (from, to) = (rendition(7_000, 320), rendition(7_001, 320));
    assert!(!assets.put_copy(&from, &to).await.expect("copy"), "nothing is there to copy");
    assert_eq!(assets.get(&to).await.expect("get"), None, "no copy of nothing appears");
    assets.put(&from, bytes(4, 5_000)).await.expect("put");
    for _ in 0..2 {
        assert!(assets.put_copy(&from, &to).await.expect("copy"), "a copy can be repeated");
    }
    assets.put(&from, bytes(5, 10)).await.expect("put");
    assert_eq!(assets.get(&to).await.expect("get"), Some(bytes(4, 5_000)), "a copy stays");
    assets.delete(&from).await.expect("delete");
    assert_eq!(assets.get(&to).await.expect("get"), Some(bytes(4, 5_000)), "a copy stays");
    assets.delete(&to).await.expect("delete");
}

fn public_urls_end_in_the_path(assets: &dyn Assets) {
    let key = rendition(6_000, 640);
    let url = assets.public_url(&key);
    assert!(url.ends_with(&format!("/{}", key.path())), "{url} ends in the key's path");
    assert!(!url.contains("//renditions"), "{url} joins its parts with one slash");
}

/// Checks every promise of slots whose store is `assets`, apart from what an address may do: that takes a client of HTTP.
pub async fn check_slots(slots: &dyn Slots, assets: &dyn Assets) {
    an_address_leads_into_the_store(slots).await;
    a_look_sees_the_beginning(slots, assets).await;
    only_what_was_looked_at_is_kept(slots, assets).await;
}

async fn an_address_leads_into_the_store(slots: &dyn Slots) {
    let key = upload(8_000, 1);
    let slot = slots.open(&key, 10, "image/png").await.expect("open");
    assert!(slot.url.starts_with(&format!("{}/", slots.origin())), "{slot:?}");
    assert!(slot.url.contains(&key.path()), "{slot:?}");
    assert_eq!(slots.look(&key, 10).await.expect("look"), None, "an open slot is empty");
}

async fn a_look_sees_the_beginning(slots: &dyn Slots, assets: &dyn Assets) {
    let key = upload(8_100, 1);
    let sent = bytes(6, 1_000);
    assets.put(&key, sent.clone()).await.expect("put");
    for bytes_max in [1, 100, 1_000, 1_001] {
        let found = slots.look(&key, bytes_max).await.expect("look").expect("it is there");
        let expected = sent.slice(..sent.len().min(bytes_max as usize));
        assert_eq!((found.bytes.clone(), found.bytes_total), (expected, 1_000), "{bytes_max}");
        assert_eq!(found.is_whole(), bytes_max >= 1_000);
    }
    assets.put(&key, Bytes::new()).await.expect("put");
    assert_eq!(slots.look(&key, 100).await.expect("look"), None, "nothing but a name is nothing");
    assets.delete(&key).await.expect("delete");
    assert_eq!(slots.look(&key, 100).await.expect("look"), None, "what was removed is not there");
}

async fn only_what_was_looked_at_is_kept(slots: &dyn Slots, assets: &dyn Assets) {
    let (key, to) = (upload(8_200, 1), original(8_200, PictureFormat::Png));
    assets.put(&key, bytes(1, 500)).await.expect("put");
    let seen = slots.look(&key, 10).await.expect("look").expect("it is there");
    assets.put(&key, bytes(2, 500)).await.expect("put");
    assert!(!slots.keep(&key, &seen.tag, &to).await.expect("keep"), "something else lies there");
    assert_eq!(assets.get(&to).await.expect("get"), None, "nothing was kept");
    let seen = slots.look(&key, 10).await.expect("look").expect("it is there");
    for _ in 0..2 {
        assert!(slots.keep(&key, &seen.tag, &to).await.expect("keep"), "it can be kept again");
    }
    assets.delete(&key).await.expect("delete");
    assert!(!slots.keep(&key, &seen.tag, &to).await.expect("keep"), "nothing is there to keep");
    assert_eq!(assets.get(&to).await.expect("get"), Some(bytes(2, 500)), "what is kept stays");
    assets.delete(&to).await.expect("delete");
}
