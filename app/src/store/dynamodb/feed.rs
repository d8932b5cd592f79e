//! The lists of photos: home (fan-out on write), explore (spread over buckets), profile (under the author).
//!
//! Reading a page costs one query for the ids (four side by side for explore) and one BatchGetItem for photos and likes, per
//! 100 keys. A home feed keeps its newest [`FEED_LENGTH_MAX`] entries; an item at its end says from which id on (`horizon`),
//! and what lies below is pulled from the lists of the people followed, so that no page ever ends early. Entries of photos that
//! are gone are dropped while reading; a page that comes out short reads on, at most [`FEED_ROUNDS_MAX`] times.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::CASCADE_CONCURRENCY;
use super::calls::{Reading, Table};
use super::items::{
    HomeEndItem, HomeItem, Item, PhotoItem, decode, encode, id_in_sort_key, key_of, sort_key,
};
use super::keys::{
    EXPLORE_BUCKETS, FEED_END, Key, Span, bucket, explore_partition, home_partition, prefix, text,
    user_partition,
};
use super::writes::{Action, Write};
use crate::model::{Feed, Page, PhotoCard, PhotoId, Progress, UserId};
use crate::store::StoreResult;

/// Entries kept per home feed: five pages of 20. Deeper pages are pulled, which costs a query per person followed.
pub(super) const FEED_LENGTH_MAX: usize = 100;
/// How often a page reads on because entries led nowhere. 20 rounds of 21 entries are more than a whole home feed.
const FEED_ROUNDS_MAX: usize = 20;
/// One publication in 32 shortens the feeds it goes to: a feed is at most a few dozen entries too long.
const TRIM_EVERY: u64 = 32;
/// Followers read at once by the fan-out.
const FOLLOWERS_PER_QUERY: usize = 500;
/// What each bucket of explore hands over beyond its even share before it is asked again.
const BUCKET_SLACK: usize = 4;

/// A stretch of a list: ids newest first, and whether the list ends with them.
struct Stretch {
    ids: Vec<PhotoId>,
    ended: bool,
}

/// A page of any list.
pub(super) async fn page(
    table: &Table,
    feed: Feed,
    viewer: Option<UserId>,
    before: Option<PhotoId>,
    limit: usize,
) -> StoreResult<Page<PhotoCard>> {
    let mut items: Vec<PhotoCard> = Vec::with_capacity(limit + 1);
    let mut before = before;
    for _ in 0..FEED_ROUNDS_MAX {
        // One more than asked for tells whether there is a next page.
        let wanted = limit + 1 - items.len();
        let stretch = match feed {
            Feed::Profile(author) => author_ids(table, author, before, wanted).await?,
            Feed::Explore => explore_ids(table, before, wanted).await?,
            Feed::Home(reader) => home_ids(table, reader, before, wanted).await?,
        };
        items.extend(cards(table, &stretch.ids, viewer).await?);
        if items.len() > limit {
            items.truncate(limit);
            let next = items.last().map(|card| card.photo.id.0);
            return Ok(Page { items, next });
        }
        before = stretch.ids.last().copied().or(before);
        if stretch.ended {
            return Ok(Page { items, next: None });
        }
    }
    Ok(Page { items, next: before.map(|id| id.0) })
}

/// The photos of these ids that can be shown, in their order. One call per 100 keys.
async fn cards(
    table: &Table,
    ids: &[PhotoId],
    viewer: Option<UserId>,
) -> StoreResult<Vec<PhotoCard>> {
    let mut keys: Vec<Key> = ids.iter().map(|id| Key::photo(*id)).collect();
    keys.extend(
        viewer.into_iter().flat_map(|viewer| ids.iter().map(move |id| Key::like(*id, viewer))),
    );
    let mut found = table.get_many("read the photos of a list", &keys, false).await?;
    let mut cards = Vec::with_capacity(ids.len());
    for id in ids {
        let liked = viewer.is_some_and(|viewer| found.contains_key(&Key::like(*id, viewer)));
        let Some(item) = found.remove(&Key::photo(*id)) else { continue };
        let item: PhotoItem = decode(item)?;
        if item.photo.progress == Progress::Ready {
            cards.push(item.into_card(liked));
        }
    }
    Ok(cards)
}

/// Ids of one partition below `before`.
async fn ids_below(
    table: &Table,
    verb: &'static str,
    pk: String,
    prefix: &str,
    before: Option<PhotoId>,
    wanted: usize,
) -> StoreResult<Stretch> {
    let Some(span) = Span::below(pk, prefix, before.map(|id| id.0)) else {
        return Ok(Stretch { ids: Vec::new(), ended: true });
    };
    let items = table.query(verb, span, Reading::NEWEST, wanted).await?;
    let ids: Vec<PhotoId> = items.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    Ok(Stretch { ended: ids.len() < wanted, ids })
}

async fn author_ids(
    table: &Table,
    author: UserId,
    before: Option<PhotoId>,
    wanted: usize,
) -> StoreResult<Stretch> {
    let pk = user_partition(author);
    ids_below(table, "read a profile's list", pk, prefix::LISTED, before, wanted).await
}

/// One partition of explore while it is merged with the others.
struct Bucket {
    pk: String,
    /// Read and not yet handed over.
    waiting: VecDeque<PhotoId>,
    before: Option<PhotoId>,
    ended: bool,
}

/// Merges the buckets, newest first. Each is asked for its even share and a little more; one that runs dry is asked again.
async fn explore_ids(
    table: &Table,
    before: Option<PhotoId>,
    wanted: usize,
) -> StoreResult<Stretch> {
    let share = wanted / EXPLORE_BUCKETS as usize + BUCKET_SLACK;
    let mut buckets: Vec<Bucket> = (0..EXPLORE_BUCKETS)
        .map(|number| Bucket {
            pk: explore_partition(number),
            waiting: VecDeque::new(),
            before,
            ended: false,
        })
        .collect();
    let mut ids = Vec::with_capacity(wanted);
    while ids.len() < wanted {
        let dry = buckets.iter_mut().filter(|bucket| bucket.waiting.is_empty() && !bucket.ended);
        try_join_all(dry.map(|bucket| refill(table, bucket, share))).await?;
        let newest = buckets.iter_mut().max_by_key(|bucket| bucket.waiting.front().copied());
        match newest.and_then(|bucket| bucket.waiting.pop_front()) {
            Some(id) => ids.push(id),
            None => return Ok(Stretch { ids, ended: true }),
        }
    }
    Ok(Stretch { ids, ended: false })
}

async fn refill(table: &Table, bucket: &mut Bucket, share: usize) -> StoreResult<()> {
    let verb = "read a bucket of explore";
    let pk = bucket.pk.clone();
    let stretch = ids_below(table, verb, pk, prefix::NONE, bucket.before, share).await?;
    bucket.before = stretch.ids.last().copied().or(bucket.before);
    bucket.ended = stretch.ended;
    bucket.waiting.extend(stretch.ids);
    Ok(())
}

/// The kept entries, and below the horizon what the people followed have listed.
async fn home_ids(
    table: &Table,
    reader: UserId,
    before: Option<PhotoId>,
    wanted: usize,
) -> StoreResult<Stretch> {
    let before_id = before.map(|id| id.0);
    let Some(mut span) = Span::below(home_partition(reader), prefix::NONE, before_id) else {
        return Ok(Stretch { ids: Vec::new(), ended: true });
    };
    span.from = FEED_END.to_owned();
    let mut items = table.query("read a home feed", span, Reading::NEWEST, wanted).await?;
    let full = items.len() == wanted;
    let end = items.pop_if(|item| sort_key(item) == FEED_END);
    let mut ids: Vec<PhotoId> = items.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    let Some(end) = end else { return Ok(Stretch { ended: !full, ids }) };
    let HomeEndItem { horizon } = decode(end)?;
    let reached = ids.last().copied().or(before).unwrap_or(PhotoId(i64::MAX));
    let rest = wanted - ids.len();
    let pulled = pull(table, reader, reached.min(horizon), rest).await?;
    ids.extend(pulled.ids);
    Ok(Stretch { ids, ended: pulled.ended })
}

/// Photos below `before` of the reader and everyone they follow, merged. One query for whom, then one each.
async fn pull(
    table: &Table,
    reader: UserId,
    before: PhotoId,
    wanted: usize,
) -> StoreResult<Stretch> {
    const VERB: &str = "read the older part of a home feed";
    let span = Span::prefixed(user_partition(reader), prefix::FOLLOWS);
    let followed = table.query_all(VERB, span).await?;
    let mut authors: Vec<UserId> =
        followed.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    authors.push(reader);
    authors.sort_unstable();
    authors.dedup();
    let lists: Vec<Stretch> = stream::iter(
        authors.into_iter().map(|author| author_ids(table, author, Some(before), wanted)),
    )
    .buffer_unordered(CASCADE_CONCURRENCY)
    .try_collect()
    .await?;
    let mut ended = lists.iter().all(|list| list.ended);
    let mut ids: Vec<PhotoId> = lists.into_iter().flat_map(|list| list.ids).collect();
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ended &= ids.len() <= wanted;
    ids.truncate(wanted);
    Ok(Stretch { ids, ended })
}

fn entry(reader: UserId, photo: PhotoId, author: UserId) -> StoreResult<Item> {
    encode(&Key::home(reader, photo), &HomeItem { author })
}

/// Puts a photo into the home feeds of its author and of everyone who follows. Safe to repeat.
/// The cost grows with the number of followers: a query per 500 and a batch per 25 of them.
pub(super) async fn fan_out(table: &Table, author: UserId, photo: PhotoId) -> StoreResult<()> {
    const VERB: &str = "fan a photo out";
    table.put(VERB, entry(author, photo, author)?).await?;
    let shorten = bucket(photo.0, TRIM_EVERY) == 0;
    if shorten {
        trim(table, author, None).await?;
    }
    let mut span = Span::prefixed(user_partition(author), prefix::FOLLOWER);
    loop {
        let reading = Reading::ALL;
        let items = table.query(VERB, span.clone(), reading, FOLLOWERS_PER_QUERY).await?;
        let readers: Vec<UserId> = items.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
        let entries = readers
            .iter()
            .map(|reader| entry(*reader, photo, author).map(Write::Put))
            .collect::<StoreResult<Vec<Write>>>()?;
        table.write_many(VERB, entries).await?;
        if shorten {
            stream::iter(readers.into_iter().map(|reader| trim(table, reader, None)))
                .buffer_unordered(CASCADE_CONCURRENCY)
                .try_collect::<()>()
                .await?;
        }
        match items.last() {
            // The next stretch starts right behind the last key: a space sorts below every letter.
            Some(last) if items.len() == FOLLOWERS_PER_QUERY => {
                span.from = format!("{} ", sort_key(last));
            }
            _ => return Ok(()),
        }
    }
}

/// Puts the newest photos of somebody who is now followed into a home feed. The follow is already stored, so that a photo
/// published meanwhile arrives by its own fan-out or is found here. Three calls, and a batch per 25 photos.
pub(super) async fn backfill(table: &Table, reader: UserId, author: UserId) -> StoreResult<()> {
    const VERB: &str = "backfill a home feed";
    let span = Span::prefixed(user_partition(author), prefix::LISTED);
    let newest = Reading::NEWEST_CONSISTENT;
    let listed = table.query(VERB, span, newest, FEED_LENGTH_MAX + 1).await?;
    let mut ids: Vec<PhotoId> = listed.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    let cut = ids.len() > FEED_LENGTH_MAX;
    ids.truncate(FEED_LENGTH_MAX);
    let entries = ids
        .iter()
        .map(|photo| entry(reader, *photo, author).map(Write::Put))
        .collect::<StoreResult<Vec<Write>>>()?;
    table.write_many(VERB, entries).await?;
    // Where older photos were left out, the kept part ends no earlier than the last one taken.
    trim(table, reader, ids.last().copied().filter(|_| cut)).await
}

/// Takes the photos of somebody who is no longer followed out of a home feed. One query, and a batch per 25 entries.
pub(super) async fn take_out(table: &Table, reader: UserId, author: UserId) -> StoreResult<()> {
    const VERB: &str = "take an author out of a home feed";
    if reader == author {
        return Ok(());
    }
    let mut writes = Vec::new();
    for item in table.query_all(VERB, Span::whole(home_partition(reader))).await? {
        if sort_key(&item) == FEED_END {
            continue;
        }
        let key = key_of(&item);
        if decode::<HomeItem>(item)?.author == author {
            writes.push(Write::Delete(key));
        }
    }
    table.write_many(VERB, writes).await
}

/// Shortens a home feed to its newest entries and moves its horizon up. `floor`: nothing below it is complete.
async fn trim(table: &Table, reader: UserId, floor: Option<PhotoId>) -> StoreResult<()> {
    const VERB: &str = "shorten a home feed";
    let mut items = table.query_all(VERB, Span::whole(home_partition(reader))).await?;
    let end = match items.first() {
        Some(first) if sort_key(first) == FEED_END => Some(decode::<HomeEndItem>(items.remove(0))?),
        _ => None,
    };
    let ids: Vec<PhotoId> = items.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    let was = end.map(|end| end.horizon);
    let full =
        ids.len().checked_sub(FEED_LENGTH_MAX).filter(|over| *over > 0).map(|over| ids[over]);
    let Some(horizon) = [was, floor, full].into_iter().flatten().max() else { return Ok(()) };
    if was != Some(horizon) {
        let end = encode(&Key::home_end(reader), &HomeEndItem { horizon })?;
        let rising = Action::put(end)
            .value(":horizon", text(horizon))
            .when("attribute_not_exists(pk) OR horizon < :horizon");
        // Refused means that somebody else moved it further up, and will remove the rest.
        if !table.transact(VERB, vec![rising]).await?.done() {
            return Ok(());
        }
    }
    // Oldest first, so that what is left never has a gap above the horizon.
    let below = ids.into_iter().take_while(|id| *id < horizon);
    let writes = below.map(|id| Write::Delete(Key::home(reader, id))).collect();
    table.write_many_wide(VERB, writes, 1).await
}
