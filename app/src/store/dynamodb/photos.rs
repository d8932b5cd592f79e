//! Photos and their versions: upload, finish, publish, edit, remove. Where they are listed is in `feed`.
//!
//! A verb that needs what it read to be still true repeats itself when it is not (at most [`ATTEMPTS_MAX`] times): the
//! conditions in the transaction tell.

use std::collections::HashMap;

use super::calls::{Reading, Table, Transacted};
use super::feed;
use super::items::{
    Item, MarkItem, PhotoItem, UnfinishedItem, decode, encode, id_in_sort_key, key_of, sort_key,
};
use super::keys::{
    Key, Span, UNFINISHED_BUCKETS, number, photo_partition, prefix, text, unfinished_partition,
};
use super::writes::{ABSENT, Action, EXISTS, Write};
use crate::model::{
    Author, CommentId, Photo, PhotoCard, PhotoId, Progress, UserId, Version, VersionId,
};
use crate::store::{StoreError, StoreResult};

/// How often a verb starts over because somebody else changed the photo meanwhile.
const ATTEMPTS_MAX: u32 = 10;

fn contended(verb: &'static str) -> StoreError {
    StoreError::unavailable(verb, format!("the photo kept changing, {ATTEMPTS_MAX} times"))
}

/// Two calls: the author's names, then photo, version and the two entries at once.
pub(super) async fn add(table: &Table, photo: &Photo, first: &Version) -> StoreResult<()> {
    const VERB: &str = "add a photo";
    for attempt in 0..ATTEMPTS_MAX {
        let author: Option<Author> = table.get(VERB, Key::account(photo.author)).await?;
        let author = author.ok_or_else(|| StoreError::missing_user(photo.author))?;
        let mark = MarkItem { at_ms: photo.created_at_ms };
        let unchanged = Action::check(
            Key::account(author.id),
            "attribute_not_exists(closing) AND display_name = :display_name",
        )
        .value(":display_name", text(&author.display_name));
        let actions = vec![
            Action::put(encode(&Key::photo(photo.id), &PhotoItem::new(photo, &author))?)
                .when(ABSENT),
            unchanged,
            Action::put(encode(&Key::version(photo.id, first.id), first)?),
            Action::put(encode(&Key::own_photo(author.id, photo.id), &mark)?),
            Action::put(encode(&Key::unfinished(first.id), first)?),
        ];
        let outcome = table.transact(VERB, actions).await?;
        if outcome.refused(0) {
            return Err(StoreError::Conflict { what: format!("photo {}", photo.id) });
        }
        if outcome.done() {
            return Ok(());
        }
        table.pause(attempt).await;
    }
    Err(StoreError::missing_user(photo.author))
}

/// One call, with or without a viewer.
pub(super) async fn by_id(
    table: &Table,
    id: PhotoId,
    viewer: Option<UserId>,
) -> StoreResult<Option<PhotoCard>> {
    const VERB: &str = "read a photo";
    let Some(viewer) = viewer else {
        let item: Option<PhotoItem> = table.get(VERB, Key::photo(id)).await?;
        return Ok(item.map(|item| item.into_card(false)));
    };
    let keys = [Key::photo(id), Key::like(id, viewer)];
    let mut found = table.get_many(VERB, &keys, true).await?;
    let liked = found.contains_key(&keys[1]);
    let item: Option<PhotoItem> = found.remove(&keys[0]).map(decode).transpose()?;
    Ok(item.map(|item| item.into_card(liked)))
}

/// One call.
pub(super) async fn versions(table: &Table, photo: PhotoId) -> StoreResult<Vec<Version>> {
    let span = Span::prefixed(photo_partition(photo), prefix::VERSION);
    let reading = Reading::NEWEST_CONSISTENT;
    let items = table.query("read a photo's versions", span, reading, usize::MAX >> 1).await?;
    items.into_iter().map(decode).collect()
}

/// One call.
pub(super) async fn add_version(table: &Table, version: &Version) -> StoreResult<()> {
    let actions = vec![
        Action::put(encode(&Key::version(version.photo, version.id), version)?).when(ABSENT),
        Action::check(Key::photo(version.photo), EXISTS),
        Action::put(encode(&Key::unfinished(version.id), version)?),
    ];
    let outcome = table.transact("add a version", actions).await?;
    if outcome.refused(1) {
        return Err(StoreError::missing_photo(version.photo));
    }
    if outcome.refused(0) {
        return Err(StoreError::Conflict { what: format!("version {}", version.id) });
    }
    Ok(())
}

/// A photo, one of its versions, and whether that version still has an entry among the unfinished.
struct Standing {
    photo: Photo,
    version: Version,
    unfinished: bool,
}

async fn standing(
    table: &Table,
    verb: &'static str,
    photo: PhotoId,
    version: VersionId,
) -> StoreResult<Standing> {
    let keys = [Key::photo(photo), Key::version(photo, version), Key::unfinished(version)];
    let mut found: HashMap<Key, Item> = table.get_many(verb, &keys, true).await?;
    let item = found.remove(&keys[0]).ok_or_else(|| StoreError::missing_photo(photo))?;
    let photo = decode::<PhotoItem>(item)?.photo;
    let item = found.remove(&keys[1]).ok_or_else(|| StoreError::missing_version(version))?;
    Ok(Standing { photo, version: decode(item)?, unfinished: found.contains_key(&keys[2]) })
}

/// Three calls, and one query per 500 followers plus a batch per 25 of them when the photo becomes visible.
/// The entry among the unfinished goes last: if the fan-out stops half way, the version is handed out again and the
/// repetition completes it.
pub(super) async fn finish_version(
    table: &Table,
    photo: PhotoId,
    version: VersionId,
    outcome: Progress,
    at_us: i64,
) -> StoreResult<()> {
    const VERB: &str = "finish a version";
    for attempt in 0..ATTEMPTS_MAX {
        let now = standing(table, VERB, photo, version).await?;
        let published = now.photo.published_version == version;
        let settled = now.version.progress == Progress::Ready || now.version.progress == outcome;
        if !settled {
            let actions = finishing(&now, outcome, at_us)?;
            if !table.transact(VERB, actions).await?.done() {
                table.pause(attempt).await;
                continue;
            }
        } else if !now.unfinished {
            return Ok(());
        }
        let shown = if settled { now.photo.progress } else { outcome } == Progress::Ready;
        if published && shown {
            feed::fan_out(table, now.photo.author, photo).await?;
        }
        return table.delete(VERB, Key::unfinished(version)).await;
    }
    Err(contended(VERB))
}

fn finishing(now: &Standing, outcome: Progress, at_us: i64) -> StoreResult<Vec<Action>> {
    let version =
        Action::update(Key::version(now.photo.id, now.version.id), "SET progress = :outcome")
            .value(":outcome", text(outcome.as_str()))
            .value(":was", text(now.version.progress.as_str()))
            .when("progress = :was");
    let mut actions = vec![version];
    let published = text(now.photo.published_version);
    let undecided = now.photo.progress != Progress::Ready;
    if now.photo.published_version != now.version.id || !undecided {
        let unchanged = Action::check(Key::photo(now.photo.id), "published_version = :published");
        actions.push(unchanged.value(":published", published));
    } else if outcome == Progress::Ready {
        actions.extend(listing(&now.photo, now.version.id, Some(at_us))?);
    } else {
        let photo = Action::update(Key::photo(now.photo.id), "SET progress = :outcome")
            .value(":outcome", text(outcome.as_str()))
            .value(":published", published)
            .value(":ready", text(Progress::Ready.as_str()))
            .when("published_version = :published AND progress <> :ready");
        actions.push(photo);
    }
    Ok(actions)
}

/// Makes a photo visible with this version: ready, counted, in its author's list and in explore - exactly once.
/// `at_us` is when its renditions were ready, none when they had been ready before.
fn listing(photo: &Photo, version: VersionId, at_us: Option<i64>) -> StoreResult<Vec<Action>> {
    let mark = MarkItem { at_ms: photo.created_at_ms };
    let ready_at = if at_us.is_some() { ", ready_at_us = :at" } else { "" };
    let mut shown = Action::update(
        Key::photo(photo.id),
        format!("SET progress = :ready, published_version = :version{ready_at}"),
    )
    .value(":ready", text(Progress::Ready.as_str()))
    .value(":version", text(version))
    .value(":published", text(photo.published_version))
    .when("published_version = :published AND progress <> :ready");
    if let Some(at_us) = at_us {
        shown = shown.value(":at", number(at_us));
    }
    Ok(vec![
        shown,
        Action::count(Key::account(photo.author), "photo_count", 1),
        Action::put(encode(&Key::listed(photo.author, photo.id), &mark)?),
        Action::put(encode(&Key::explore(photo.id), &mark)?),
    ])
}

/// Two calls; when it makes the photo visible (the first version had failed), the fan-out as well.
pub(super) async fn publish_version(
    table: &Table,
    photo: PhotoId,
    version: VersionId,
) -> StoreResult<()> {
    const VERB: &str = "publish a version";
    for attempt in 0..ATTEMPTS_MAX {
        let now = standing(table, VERB, photo, version).await?;
        if now.version.progress != Progress::Ready {
            return Err(StoreError::missing_version(version));
        }
        let ready = Action::check(Key::version(photo, version), "progress = :ready")
            .value(":ready", text(Progress::Ready.as_str()));
        let mut actions = vec![ready];
        let hidden = now.photo.progress != Progress::Ready;
        if hidden {
            actions.extend(listing(&now.photo, version, None)?);
            // Until the fan-out is through, the version is listed as unfinished again.
            actions.push(Action::put(encode(&Key::unfinished(version), &now.version)?));
        } else {
            let shown = Action::update(Key::photo(photo), "SET published_version = :version");
            actions.push(shown.value(":version", text(version)).when(EXISTS));
        }
        if table.transact(VERB, actions).await?.done() {
            if hidden {
                feed::fan_out(table, now.photo.author, photo).await?;
                table.delete(VERB, Key::unfinished(version)).await?;
            }
            return Ok(());
        }
        table.pause(attempt).await;
    }
    Err(contended(VERB))
}

/// Three calls: what it was, the removal unless it is shown, the entry among the unfinished.
pub(super) async fn delete_version(
    table: &Table,
    photo: PhotoId,
    version: VersionId,
) -> StoreResult<Version> {
    const VERB: &str = "delete a version";
    let now = standing(table, VERB, photo, version).await?;
    let actions = vec![
        Action::delete(Key::version(photo, version)).when(EXISTS),
        Action::check(Key::photo(photo), "published_version <> :version")
            .value(":version", text(version)),
    ];
    let outcome = table.transact(VERB, actions).await?;
    if outcome.refused(1) {
        return Err(StoreError::Conflict { what: format!("version {version} is shown and") });
    }
    if outcome.refused(0) {
        return Err(StoreError::missing_version(version));
    }
    table.delete(VERB, Key::unfinished(version)).await?;
    Ok(now.version)
}

/// One call.
pub(super) async fn edit(table: &Table, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
    let update = Action::update(Key::photo(id), "SET caption = :caption, alt = :alt")
        .value(":caption", text(caption))
        .value(":alt", text(alt))
        .when(EXISTS);
    match table.transact("edit a photo", vec![update]).await? {
        Transacted::Done => Ok(()),
        Transacted::Refused(_) => Err(StoreError::missing_photo(id)),
    }
}

/// Four calls, and one batch per 25 versions, likes, comments and their marks. With the photo's item every list forgets it:
/// home feeds drop their entries when they meet them.
pub(super) async fn delete(
    table: &Table,
    id: PhotoId,
) -> StoreResult<Option<(Photo, Vec<Version>)>> {
    const VERB: &str = "delete a photo";
    for attempt in 0..ATTEMPTS_MAX {
        let item: Option<PhotoItem> = table.get(VERB, Key::photo(id)).await?;
        let Some(PhotoItem { photo, .. }) = item else { return Ok(None) };
        let gone = Action::delete(Key::photo(id))
            .value(":progress", text(photo.progress.as_str()))
            .when("progress = :progress");
        let mut actions = vec![
            gone,
            Action::delete(Key::own_photo(photo.author, id)),
            Action::delete(Key::listed(photo.author, id)),
            Action::delete(Key::explore(id)),
        ];
        if photo.progress == Progress::Ready {
            actions.push(Action::count(Key::account(photo.author), "photo_count", -1));
        }
        if table.transact(VERB, actions).await?.done() {
            // Nothing is added under a photo without its item, so that what is found now is all there is.
            let versions = delete_parts(table, &photo).await?;
            return Ok(Some((photo, versions)));
        }
        table.pause(attempt).await;
    }
    Err(contended(VERB))
}

/// Removes what stands under a photo that is gone, and returns its versions, newest first.
async fn delete_parts(table: &Table, photo: &Photo) -> StoreResult<Vec<Version>> {
    const VERB: &str = "delete what stands under a photo";
    let id = photo.id;
    let mut versions: Vec<Version> = Vec::new();
    let mut writes = vec![Write::Delete(Key::home(photo.author, id))];
    for item in table.query_all(VERB, Span::whole(photo_partition(id))).await? {
        writes.push(Write::Delete(key_of(&item)));
        let sk = sort_key(&item);
        if sk.starts_with(prefix::VERSION) {
            let version: Version = decode(item)?;
            writes.push(Write::Delete(Key::unfinished(version.id)));
            versions.push(version);
        } else if sk.starts_with(prefix::LIKE) {
            writes.push(Write::Delete(Key::liked(id_in_sort_key(&item)?, id)));
        } else if sk.starts_with(prefix::COMMENT) {
            let comment: CommentId = id_in_sort_key(&item)?;
            let author = decode::<crate::model::Comment>(item)?.author.id;
            writes.push(Write::Delete(Key::commented(author, comment)));
        }
    }
    table.write_many(VERB, writes).await?;
    versions.sort_by_key(|version| std::cmp::Reverse(version.id));
    Ok(versions)
}

/// Four calls, one per partition of unfinished versions; oldest first.
pub(super) async fn unfinished(
    table: &Table,
    created_before_ms: i64,
    limit: usize,
) -> StoreResult<Vec<Version>> {
    const VERB: &str = "list unfinished versions";
    let mut found: Vec<UnfinishedItem> = Vec::new();
    for bucket in 0..UNFINISHED_BUCKETS {
        let span = Span::whole(unfinished_partition(bucket));
        for item in table.query_all(VERB, span).await? {
            found.push(decode(item)?);
        }
    }
    found.retain(|version| version.created_at_ms < created_before_ms);
    found.sort_by_key(|version| (version.created_at_ms, version.id));
    found.truncate(limit);
    Ok(found)
}
