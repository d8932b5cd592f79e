//! Writes a whole population: every item that the verbs would have left behind, in batches of 25, many at once.
//!
//! The order is of no account for a store that nobody reads yet. Home feeds get their newest entries and their horizon, exactly
//! as if each photo had been fanned out and each feed shortened.

use std::collections::{BTreeSet, HashMap};

use super::accounts::{name_item, person_item};
use super::calls::Table;
use super::feed::FEED_LENGTH_MAX;
use super::items::{
    AccountItem, CommentedItem, HomeEndItem, HomeItem, Item, MarkItem, PhotoItem, encode,
};
use super::keys::{Key, first_two};
use super::writes::Write;
use crate::model::{Author, Photo, PhotoId, Progress, User, UserId, Version};
use crate::store::{Population, StoreError, StoreResult};

/// Batches in flight: enough to keep a few nodes busy, few enough not to queue for seconds.
const LOAD_CONCURRENCY: usize = 16;
/// Items built before they are sent, so that a large population does not exist twice in memory.
const LOAD_CHUNK: usize = 25 * 200;
const VERB: &str = "load a population";

/// Gathers items and sends them when there are enough.
struct Loader<'a> {
    table: &'a Table,
    writes: Vec<Write>,
}

impl Loader<'_> {
    async fn put(&mut self, item: Item) -> StoreResult<()> {
        self.writes.push(Write::Put(item));
        match self.writes.len() >= LOAD_CHUNK {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    async fn flush(&mut self) -> StoreResult<()> {
        let writes = std::mem::take(&mut self.writes);
        self.table.write_many_wide(VERB, writes, LOAD_CONCURRENCY).await
    }
}

/// One call per 25 items: about 6 items per person, 5 per photo, 2 per follow, like and comment, 1 per feed entry.
pub(super) async fn load(table: &Table, population: &Population) -> StoreResult<()> {
    let mut loader = Loader { table, writes: Vec::with_capacity(LOAD_CHUNK) };
    load_people(&mut loader, population).await?;
    load_photos(&mut loader, population).await?;
    for (photo, user, at_ms) in &population.likes {
        let mark = MarkItem { at_ms: *at_ms };
        loader.put(encode(&Key::like(*photo, *user), &mark)?).await?;
        loader.put(encode(&Key::liked(*user, *photo), &mark)?).await?;
    }
    for comment in &population.comments {
        loader.put(encode(&Key::comment(comment.photo, comment.id), comment)?).await?;
        let mark = CommentedItem { photo: comment.photo };
        loader.put(encode(&Key::commented(comment.author.id, comment.id), &mark)?).await?;
    }
    load_homes(&mut loader, population).await?;
    loader.flush().await
}

async fn load_people(loader: &mut Loader<'_>, population: &Population) -> StoreResult<()> {
    let mut letters = BTreeSet::new();
    for user in &population.users {
        loader.put(encode(&Key::account(user.id), &AccountItem::from(user))?).await?;
        loader.put(name_item(user)?).await?;
        loader.put(person_item(user)?).await?;
        if letters.insert(first_two(&user.name)) {
            loader.put(Key::letters(&user.name).attributes()).await?;
        }
    }
    for (follower, followee, at_ms) in &population.follows {
        let mark = MarkItem { at_ms: *at_ms };
        loader.put(encode(&Key::follows(*follower, *followee), &mark)?).await?;
        loader.put(encode(&Key::follower(*followee, *follower), &mark)?).await?;
    }
    Ok(())
}

async fn load_photos(loader: &mut Loader<'_>, population: &Population) -> StoreResult<()> {
    let people: HashMap<UserId, &User> =
        population.users.iter().map(|user| (user.id, user)).collect();
    for (photo, versions) in &population.photos {
        let author = people.get(&photo.author).ok_or_else(|| StoreError::Missing {
            what: format!("user {}, the author of photo {}", photo.author, photo.id),
        })?;
        load_photo(loader, photo, versions, author).await?;
    }
    Ok(())
}

async fn load_photo(
    loader: &mut Loader<'_>,
    photo: &Photo,
    versions: &[Version],
    author: &User,
) -> StoreResult<()> {
    let author = Author {
        id: author.id,
        name: author.name.clone(),
        display_name: author.display_name.clone(),
    };
    let mark = MarkItem { at_ms: photo.created_at_ms };
    loader.put(encode(&Key::photo(photo.id), &PhotoItem::new(photo, &author))?).await?;
    loader.put(encode(&Key::own_photo(author.id, photo.id), &mark)?).await?;
    if photo.progress == Progress::Ready {
        loader.put(encode(&Key::listed(author.id, photo.id), &mark)?).await?;
        loader.put(encode(&Key::explore(photo.id), &mark)?).await?;
    }
    for version in versions {
        loader.put(encode(&Key::version(photo.id, version.id), version)?).await?;
        if version.progress == Progress::Preparing {
            loader.put(encode(&Key::unfinished(version.id), version)?).await?;
        }
    }
    Ok(())
}

async fn load_homes(loader: &mut Loader<'_>, population: &Population) -> StoreResult<()> {
    let lists = lists_by_author(population);
    let mut followed: HashMap<UserId, Vec<UserId>> = HashMap::new();
    for (follower, followee, _) in &population.follows {
        followed.entry(*follower).or_default().push(*followee);
    }
    for user in &population.users {
        let mut authors = followed.remove(&user.id).unwrap_or_default();
        authors.push(user.id);
        authors.sort_unstable();
        authors.dedup();
        let (entries, cut) = newest(&lists, &authors);
        for (photo, author) in &entries {
            let item = encode(&Key::home(user.id, *photo), &HomeItem { author: *author })?;
            loader.put(item).await?;
        }
        if let Some((horizon, _)) = entries.last().filter(|_| cut) {
            let end = HomeEndItem { horizon: *horizon };
            loader.put(encode(&Key::home_end(user.id), &end)?).await?;
        }
    }
    Ok(())
}

/// Ready photos of each author, newest first.
fn lists_by_author(population: &Population) -> HashMap<UserId, Vec<PhotoId>> {
    let mut lists: HashMap<UserId, Vec<PhotoId>> = HashMap::new();
    for (photo, _) in &population.photos {
        if photo.progress == Progress::Ready {
            lists.entry(photo.author).or_default().push(photo.id);
        }
    }
    for list in lists.values_mut() {
        list.sort_unstable_by(|one, other| other.cmp(one));
    }
    lists
}

/// The newest entries of these authors together, and whether older ones were left out.
fn newest(
    lists: &HashMap<UserId, Vec<PhotoId>>,
    authors: &[UserId],
) -> (Vec<(PhotoId, UserId)>, bool) {
    let of = |author: &UserId| lists.get(author).map_or(&[][..], Vec::as_slice);
    let total: usize = authors.iter().map(|author| of(author).len()).sum();
    let mut entries: Vec<(PhotoId, UserId)> = authors
        .iter()
        .flat_map(|author| of(author).iter().take(FEED_LENGTH_MAX).map(|id| (*id, *author)))
        .collect();
    entries.sort_unstable_by(|one, other| other.cmp(one));
    entries.truncate(FEED_LENGTH_MAX);
    (entries, total > FEED_LENGTH_MAX)
}
