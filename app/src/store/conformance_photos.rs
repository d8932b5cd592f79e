//! The checks of photos: versions and their way to readiness, texts, likes, comments, removal.

use std::sync::Arc;

use super::{
    START_MS, add_people, add_ready_photo, author, comment, conflict, good, missing, photo, stored,
};
use crate::model::{Feed, PhotoCard, PhotoId, Progress, User, Version, VersionId};
use crate::store::Store;

pub(super) async fn check_all(make: &impl AsyncFn() -> Arc<dyn Store>) {
    a_photo_is_listed_once_it_is_ready(&*make().await).await;
    a_failure_can_be_made_good(&*make().await).await;
    versions_come_and_go(&*make().await).await;
    texts_change(&*make().await).await;
    likes_and_withdrawals(&*make().await).await;
    likes_under_concurrency(make().await).await;
    comments_page_by_page(&*make().await).await;
    comments_under_concurrency(make().await).await;
    a_removed_photo_leaves_no_trace(&*make().await).await;
    unfinished_versions_are_found(&*make().await).await;
}

async fn card(store: &dyn Store, id: PhotoId) -> PhotoCard {
    good(store.photo(id, None).await).expect("the photo is there")
}

fn another(first: &Version, number: u64) -> Version {
    let at_ms = first.created_at_ms as u64 + number;
    Version {
        id: VersionId::new(at_ms, number),
        filter: "sepia".to_owned(),
        strength: 60,
        watermarked: false,
        progress: Progress::Preparing,
        created_at_ms: at_ms as i64,
        ..first.clone()
    }
}

async fn listed(store: &dyn Store, by: &User) -> usize {
    let mut lengths = Vec::new();
    for feed in [Feed::Explore, Feed::Profile(by.id), Feed::Home(by.id)] {
        lengths.push(good(store.photo_page(feed, None, None, 50).await).items.len());
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]), "feeds agree: {lengths:?}");
    assert_eq!(stored(store, by).await.photo_count, lengths[0] as i64, "listed photos count");
    lengths[0]
}

async fn a_photo_is_listed_once_it_is_ready(store: &dyn Store) {
    let people = add_people(store, 1).await;
    let by = &people[0];
    let (photo, first) = photo(by, 1);
    assert_eq!(good(store.photo(photo.id, None).await), None, "an unknown photo is none");
    good(store.add_photo(&photo, &first).await);
    conflict(store.add_photo(&photo, &first).await, "an id belongs to one photo");
    let expected = PhotoCard { photo: photo.clone(), author: author(by), liked_by_viewer: false };
    assert_eq!(card(store, photo.id).await, expected, "an unready photo has its page");
    assert_eq!(
        good(store.versions(photo.id).await),
        std::slice::from_ref(&first),
        "and its version"
    );
    assert_eq!(listed(store, by).await, 0, "an unready photo is not listed");
    for at_us in [500, 900] {
        good(store.finish_version(photo.id, first.id, Progress::Ready, at_us).await);
        let card = card(store, photo.id).await;
        assert_eq!(card.photo.progress, Progress::Ready, "the photo follows its version");
        assert_eq!(card.photo.ready_at_us, Some(500), "the first time of readiness stays");
        assert_eq!(listed(store, by).await, 1, "listed and counted exactly once");
    }
    good(store.finish_version(photo.id, first.id, Progress::Failed, 950).await);
    assert_eq!(listed(store, by).await, 1, "ready is final");
    assert_eq!(good(store.versions(photo.id).await)[0].progress, Progress::Ready, "ready is final");
    let unknown = VersionId(first.id.0 + 1);
    let outcome = store.finish_version(photo.id, unknown, Progress::Ready, 1).await;
    missing(outcome, "an unknown version cannot be finished");
    let elsewhere = PhotoId(photo.id.0 + 1_024);
    let outcome = store.finish_version(elsewhere, first.id, Progress::Ready, 1).await;
    missing(outcome, "an unknown photo cannot be finished");
}

async fn a_failure_can_be_made_good(store: &dyn Store) {
    let people = add_people(store, 1).await;
    let by = &people[0];
    let (retried, first) = photo(by, 1);
    good(store.add_photo(&retried, &first).await);
    good(store.finish_version(retried.id, first.id, Progress::Failed, 10).await);
    let failed = card(store, retried.id).await.photo;
    assert_eq!((failed.progress, failed.ready_at_us), (Progress::Failed, None), "failed");
    assert_eq!(listed(store, by).await, 0, "a failed photo is not listed");
    good(store.finish_version(retried.id, first.id, Progress::Ready, 20).await);
    let ready = card(store, retried.id).await.photo;
    assert_eq!((ready.progress, ready.ready_at_us), (Progress::Ready, Some(20)), "made good");
    assert_eq!(listed(store, by).await, 1, "and listed");

    let (replaced, first) = photo(by, 2);
    good(store.add_photo(&replaced, &first).await);
    good(store.finish_version(replaced.id, first.id, Progress::Failed, 10).await);
    let second = another(&first, 1);
    good(store.add_version(&second).await);
    good(store.finish_version(replaced.id, second.id, Progress::Ready, 30).await);
    assert_eq!(listed(store, by).await, 1, "an unpublished version lists nothing");
    good(store.publish_version(replaced.id, second.id).await);
    assert_eq!(listed(store, by).await, 2, "publishing a ready version lists the photo");
    good(store.publish_version(replaced.id, second.id).await);
    assert_eq!(listed(store, by).await, 2, "once");
}

async fn versions_come_and_go(store: &dyn Store) {
    let people = add_people(store, 1).await;
    let (photo, first) = photo(&people[0], 1);
    missing(store.add_version(&another(&first, 1)).await, "no version without a photo");
    good(store.add_photo(&photo, &first).await);
    good(store.finish_version(photo.id, first.id, Progress::Ready, 10).await);
    let (second, third) = (another(&first, 1), another(&first, 2));
    good(store.add_version(&second).await);
    good(store.add_version(&third).await);
    let ids: Vec<_> = good(store.versions(photo.id).await).iter().map(|row| row.id).collect();
    assert_eq!(ids, [third.id, second.id, first.id], "versions, newest first");
    missing(store.publish_version(photo.id, second.id).await, "an unready version stays hidden");
    good(store.finish_version(photo.id, second.id, Progress::Ready, 20).await);
    assert_eq!(card(store, photo.id).await.photo.published_version, first.id, "not by itself");
    good(store.publish_version(photo.id, second.id).await);
    let shown = card(store, photo.id).await.photo;
    assert_eq!(shown.published_version, second.id, "the published version is shown");
    assert_eq!(shown.ready_at_us, Some(10), "the first time of readiness stays");
    let unknown = VersionId(third.id.0 + 1);
    missing(store.publish_version(photo.id, unknown).await, "an unknown version");
    conflict(store.delete_version(photo.id, second.id).await, "the published version stays");
    let removed = good(store.delete_version(photo.id, first.id).await);
    assert_eq!((removed.id, removed.progress), (first.id, Progress::Ready), "the removed version");
    missing(store.delete_version(photo.id, first.id).await, "it is gone");
    let outcome = store.finish_version(photo.id, first.id, Progress::Ready, 30).await;
    missing(outcome, "a version removed meanwhile cannot be finished");
    let ids: Vec<_> = good(store.versions(photo.id).await).iter().map(|row| row.id).collect();
    assert_eq!(ids, [third.id, second.id], "the others stay");
    assert_eq!(listed(store, &people[0]).await, 1, "still one photo");
}

async fn texts_change(store: &dyn Store) {
    let people = add_people(store, 1).await;
    let id = add_ready_photo(store, &people[0], 1).await;
    good(store.edit_photo(id, "Dusk 🌆", "").await);
    good(store.edit_photo(id, "Dusk 🌆", "").await);
    let photo = card(store, id).await.photo;
    assert_eq!((photo.caption.as_str(), photo.alt.as_str()), ("Dusk 🌆", ""), "new texts");
    let gone = PhotoId(id.0 + 1_024);
    missing(store.edit_photo(gone, "a", "b").await, "an unknown photo has no texts");
}

async fn likes_and_withdrawals(store: &dyn Store) {
    let people = add_people(store, 2).await;
    let id = add_ready_photo(store, &people[0], 1).await;
    let like = async |user: &User, on| {
        let outcome = good(store.set_like(id, user.id, on, 5).await);
        (outcome.changed, outcome.like_count)
    };
    assert_eq!(like(&people[0], false).await, (false, 0), "nothing to withdraw");
    assert_eq!(like(&people[0], true).await, (true, 1), "the first like");
    assert_eq!(like(&people[0], true).await, (false, 1), "again: no change");
    assert_eq!(like(&people[1], true).await, (true, 2), "another person's like");
    let seen_by = async |viewer| {
        let card = good(store.photo(id, viewer).await).expect("the photo is there");
        let page = good(store.photo_page(Feed::Explore, viewer, None, 5).await);
        assert_eq!(page.items, std::slice::from_ref(&card), "feed and page agree");
        (card.liked_by_viewer, card.photo.like_count)
    };
    assert_eq!(seen_by(Some(people[0].id)).await, (true, 2), "the viewer's like shows");
    assert_eq!(like(&people[0], false).await, (true, 1), "a withdrawal");
    assert_eq!(seen_by(Some(people[0].id)).await, (false, 1), "shows");
    assert_eq!(seen_by(Some(people[1].id)).await, (true, 1), "the other's like stays");
    assert_eq!(seen_by(None).await, (false, 1), "nobody likes nothing");
    let gone = PhotoId(id.0 + 1_024);
    missing(store.set_like(gone, people[0].id, true, 1).await, "an unknown photo");
    missing(store.set_like(gone, people[0].id, false, 1).await, "an unknown photo");
}

async fn likes_under_concurrency(store: Arc<dyn Store>) {
    let people = add_people(&*store, 32).await;
    let id = add_ready_photo(&*store, &people[0], 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for user in &people {
        for attempt in 0..3 {
            let (store, user) = (store.clone(), user.id);
            tasks.spawn(async move { good(store.set_like(id, user, true, attempt).await).changed });
        }
    }
    let changed = tasks.join_all().await.into_iter().filter(|changed| *changed).count();
    assert_eq!(changed, 32, "of simultaneous equal likes exactly one changes something");
    assert_eq!(card(&*store, id).await.photo.like_count, 32, "no like is lost or counted twice");
    let mut tasks = tokio::task::JoinSet::new();
    for (number, user) in people.iter().enumerate() {
        let (store, user) = (store.clone(), user.id);
        let on = number % 2 == 0;
        tasks.spawn(async move { good(store.set_like(id, user, on, 9).await).changed });
    }
    let changed = tasks.join_all().await.into_iter().filter(|changed| *changed).count();
    assert_eq!(changed, 16, "only the withdrawals change something");
    assert_eq!(card(&*store, id).await.photo.like_count, 16, "the count is exact");
}

async fn comments_page_by_page(store: &dyn Store) {
    let people = add_people(store, 2).await;
    let id = add_ready_photo(store, &people[0], 1).await;
    let other = add_ready_photo(store, &people[0], 2).await;
    let written: Vec<_> = (0..5).map(|number| comment(&people[1], id, number)).collect();
    for comment in &written {
        good(store.add_comment(comment).await);
    }
    good(store.add_comment(&comment(&people[0], other, 90)).await);
    let page = good(store.comments(id, None, 2).await);
    assert_eq!(page.items, [written[4].clone(), written[3].clone()], "newest first");
    assert_eq!(page.next, Some(written[3].id.0), "there is more");
    good(store.add_comment(&comment(&people[0], id, 50)).await);
    let page = good(store.comments(id, Some(written[3].id), 2).await);
    assert_eq!(page.items, [written[2].clone(), written[1].clone()], "a newer one shifts nothing");
    let page = good(store.comments(id, Some(written[1].id), 2).await);
    assert_eq!((page.items, page.next), (vec![written[0].clone()], None), "the end");
    assert_eq!(card(store, id).await.photo.comment_count, 6, "all are counted");

    let first = &written[0];
    let delete = async |author: &User| good(store.delete_comment(id, first.id, author.id).await);
    assert!(!delete(&people[0]).await, "nobody removes another's comment");
    assert!(delete(&people[1]).await, "the author does");
    assert!(!delete(&people[1]).await, "once");
    assert_eq!(card(store, id).await.photo.comment_count, 5, "the count follows");
    let gone = PhotoId(id.0 + 1_024);
    missing(store.add_comment(&comment(&people[0], gone, 60)).await, "an unknown photo");
    assert!(good(store.comments(gone, None, 5).await).items.is_empty(), "has no comments");
}

async fn comments_under_concurrency(store: Arc<dyn Store>) {
    let people = add_people(&*store, 4).await;
    let id = add_ready_photo(&*store, &people[0], 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let remark = comment(&people[number as usize % 4], id, number);
        let store = store.clone();
        tasks.spawn(async move { good(store.add_comment(&remark).await) });
    }
    tasks.join_all().await;
    assert_eq!(card(&*store, id).await.photo.comment_count, 40, "no comment is lost");
    assert_eq!(good(store.comments(id, None, 100).await).items.len(), 40, "nor missing");
}

async fn a_removed_photo_leaves_no_trace(store: &dyn Store) {
    let people = add_people(store, 2).await;
    let by = &people[0];
    let (doomed, first) = photo(by, 1);
    good(store.add_photo(&doomed, &first).await);
    good(store.finish_version(doomed.id, first.id, Progress::Ready, 10).await);
    good(store.add_version(&another(&first, 1)).await);
    let kept = add_ready_photo(store, by, 2).await;
    for id in [doomed.id, kept] {
        good(store.set_like(id, people[1].id, true, 1).await);
        good(store.add_comment(&comment(&people[1], id, 7)).await);
    }
    let (photo, versions) = good(store.delete_photo(doomed.id).await).expect("it was there");
    assert_eq!((photo.id, photo.like_count, photo.comment_count), (doomed.id, 1, 1), "as it was");
    assert_eq!(versions.len(), 2, "with all versions, whose assets must go");
    assert_eq!(good(store.delete_photo(doomed.id).await), None, "gone already");
    assert_eq!(good(store.photo(doomed.id, None).await), None, "no page");
    assert!(good(store.versions(doomed.id).await).is_empty(), "no versions");
    assert!(good(store.comments(doomed.id, None, 5).await).items.is_empty(), "no comments");
    assert_eq!(listed(store, by).await, 1, "the other stays listed and counted");
    assert_eq!(card(store, kept).await.photo.like_count, 1, "with its likes");
    let outcome = store.finish_version(doomed.id, first.id, Progress::Ready, 9).await;
    missing(outcome, "a photo removed meanwhile cannot be finished");
    assert_eq!(listed(store, by).await, 1, "and does not come back");
    missing(store.set_like(doomed.id, people[1].id, true, 2).await, "nor be liked");
}

async fn unfinished_versions_are_found(store: &dyn Store) {
    let people = add_people(store, 2).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let (photo, first) = photo(&people[number as usize % 2], number);
        good(store.add_photo(&photo, &first).await);
        match number {
            0 => good(store.finish_version(photo.id, first.id, Progress::Ready, 1).await),
            1 => good(store.finish_version(photo.id, first.id, Progress::Failed, 1).await),
            5 => {}
            _ => expected.push(first.id),
        }
    }
    let before_the_last = (START_MS + 1_000_000 + 5 * 1_000) as i64;
    let ids = async |limit| -> Vec<VersionId> {
        let found = good(store.unfinished_versions(before_the_last, limit).await);
        assert!(found.iter().all(|version| version.progress == Progress::Preparing));
        found.into_iter().map(|version| version.id).collect()
    };
    assert_eq!(ids(50).await, expected, "old and preparing, oldest first");
    assert_eq!(ids(2).await, expected[..2], "at most the limit");
    assert!(good(store.unfinished_versions(0, 50).await).is_empty(), "none is that old");
}
