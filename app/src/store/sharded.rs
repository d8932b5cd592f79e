//! Several MySQL servers that each hold a part of the people: reads and writes scale with the servers.
//!
//! A person lives on the shard of the own id; photos, versions, likes and comments live with the photo's author, and a
//! photo's id carries the author's place ([`PhotoId::for_author`]), so that one server answers for one photo. What spans
//! people is put together here: a home feed asks the shards of the followed people and merges, a follow is a row at both
//! ends, a name is reserved on a shard of its own. No transaction spans two servers: each step is safe to repeat, the
//! order of steps is chosen so that a break leaves nothing that shows wrong, and every place says what remains.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;

use async_trait::async_trait;

use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress,
    SHARD_PLACES, User, UserId, Version, VersionId,
};
use crate::store::mysql::{FollowEnd, MysqlStore};
use crate::store::{
    LikeOutcome, Population, Store, StoreError, StoreResult, UserChange, clamp_limit, is_name_text,
    summed_facts,
};

/// A reservation of a name is given up when its account did not come within this time: creating one takes milliseconds.
const RESERVATION_MS: i64 = 60_000;

/// The shard that owns a place: places are cut into equal ranges, so that going from N to 2N shards moves half of each
/// shard's people and nobody else.
pub fn shard_of_place(place: u64, shard_count: usize) -> usize {
    ((place % SHARD_PLACES) * shard_count as u64 / SHARD_PLACES) as usize
}

/// The place of a name (FNV-1a).
fn place_of_name(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash ^ (hash >> 32)) % SHARD_PLACES
}

/// One page from the pages of several shards, each newest first and cut at `limit`.
fn merge_pages(pages: Vec<Page<PhotoCard>>, limit: usize) -> Page<PhotoCard> {
    let more = pages.iter().any(|page| page.next.is_some());
    let mut cards: Vec<PhotoCard> = pages.into_iter().flat_map(|page| page.items).collect();
    cards.sort_by_key(|card| std::cmp::Reverse(card.photo.id));
    let cut = cards.len() > limit;
    cards.truncate(limit);
    let last = cards.last().map(|card| card.photo.id.0);
    Page { items: cards, next: if more || cut { last } else { None } }
}

/// People over several servers.
pub struct ShardedStore {
    shards: Vec<MysqlStore>,
}

impl ShardedStore {
    /// Connects to every shard, with at most `connections_max` connections each. The order of the addresses is part of
    /// the data: it says which shard owns which places.
    pub async fn connect(urls: &[impl AsRef<str>], connections_max: u32) -> StoreResult<Self> {
        if urls.is_empty() || urls.len() as u64 > SHARD_PLACES {
            let source = format!("{} addresses; use 1 to {SHARD_PLACES}", urls.len());
            return Err(StoreError::unavailable("connect to the shards", source));
        }
        let shards = urls.iter().map(|url| MysqlStore::connect(url.as_ref(), connections_max));
        Ok(Self { shards: try_join_all(shards).await? })
    }

    /// Brings the tables of every shard up to date.
    pub async fn migrate(&self) -> StoreResult<()> {
        try_join_all(self.shards.iter().map(MysqlStore::migrate)).await.map(|_| ())
    }

    fn shard(&self, place: u64) -> &MysqlStore {
        &self.shards[shard_of_place(place, self.shards.len())]
    }

    /// Whether two people live together.
    fn together(&self, one: UserId, other: UserId) -> bool {
        let count = self.shards.len();
        shard_of_place(one.place(), count) == shard_of_place(other.place(), count)
    }

    /// These people by the shard they live on.
    fn by_shard(&self, people: impl Iterator<Item = UserId>) -> BTreeMap<usize, Vec<UserId>> {
        let mut parts: BTreeMap<usize, Vec<UserId>> = BTreeMap::new();
        for person in people {
            let shard = shard_of_place(person.place(), self.shards.len());
            parts.entry(shard).or_default().push(person);
        }
        parts
    }

    /// Reserves a name on its shard. A reservation left behind by a broken sign-up is taken over after a while.
    async fn reserve_name(&self, user: &User) -> StoreResult<()> {
        let taken = || StoreError::Conflict { what: format!("name {}", user.name) };
        let names = self.shard(place_of_name(&user.name));
        let Some((owner, since_ms)) = names.reserve_name(user).await? else { return Ok(()) };
        let lives = self.shard(owner.place()).user(owner).await?.is_some();
        if lives || user.created_at_ms - since_ms < RESERVATION_MS {
            return Err(taken());
        }
        if names.take_name_over(owner, user).await? { Ok(()) } else { Err(taken()) }
    }

    /// The part of a population that each shard holds.
    fn split(&self, population: &Population) -> Vec<Population> {
        let count = self.shards.len();
        let mut parts = vec![Population::default(); count];
        let of = |place| shard_of_place(place, count);
        for user in &population.users {
            parts[of(user.id.place())].users.push(user.clone());
        }
        for follow in &population.follows {
            let (one, other) = (of(follow.0.place()), of(follow.1.place()));
            parts[one].follows.push(*follow);
            if one != other {
                parts[other].follows.push(*follow);
            }
        }
        for photo in &population.photos {
            parts[of(photo.0.id.place())].photos.push(photo.clone());
        }
        for like in &population.likes {
            parts[of(like.0.place())].likes.push(*like);
        }
        for comment in &population.comments {
            parts[of(comment.photo.place())].comments.push(comment.clone());
        }
        parts
    }
}

#[async_trait]
impl Store for ShardedStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        // A break between the two steps leaves a name reserved for a minute, nothing else.
        self.reserve_name(user).await?;
        let outcome = self.shard(user.id.place()).create_user(user).await;
        if outcome.is_err() {
            self.shard(place_of_name(&user.name)).release_name(&user.name, user.id).await?;
        }
        outcome
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        self.shard(id.place()).user(id).await
    }
    /// 2 statements on 2 shards.
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        if !is_name_text(name) {
            return Ok(None);
        }
        match self.shard(place_of_name(name)).owner_of_name(name).await? {
            Some(id) => self.user(id).await,
            None => Ok(None),
        }
    }
    /// 2 statements on 2 shards.
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        Ok(self.user_by_name(name).await?.map(Profile::from))
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        self.shard(id.place()).update_user(id, change).await
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        let Some(user) = self.user(id).await? else { return Ok(Vec::new()) };
        // Traces first and the account last: a break leaves the account, and the removal can be asked for again.
        try_join_all(self.shards.iter().map(|shard| shard.delete_traces(id))).await?;
        let photos = self.shard(id.place()).delete_user(id).await?;
        self.shard(place_of_name(&user.name)).release_name(&user.name, id).await?;
        Ok(photos)
    }
    /// 1 statement on each shard.
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        let limit = clamp_limit(limit);
        let found = self.shards.iter().map(|shard| shard.search_users(prefix, limit));
        let mut found: Vec<Author> = try_join_all(found).await?.into_iter().flatten().collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.truncate(limit);
        Ok(found)
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        let (from, to) = (self.shard(follower.place()), self.shard(followee.place()));
        if self.together(follower, followee) {
            return from.set_follow(follower, followee, on, at_ms).await;
        }
        // The followed person's end first, because it may be gone. A break between the ends is mended by asking again:
        // each end changes its own row and count once. The follower's end says whether anything changed.
        let change = (on, at_ms);
        to.set_follow_end(follower, followee, change, FollowEnd::Followee).await?;
        from.set_follow_end(follower, followee, change, FollowEnd::Follower).await
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        self.shard(follower.place()).is_following(follower, followee).await
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        if photo.id.place() != photo.author.place() {
            let what = format!("photo {}: its id lacks the author's place", photo.id);
            return Err(StoreError::Corrupt { what });
        }
        self.shard(photo.id.place()).add_photo(photo, first).await
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        self.shard(id.place()).photo(id, viewer).await
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        self.shard(photo.place()).versions(photo).await
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        self.shard(version.photo.place()).add_version(version).await
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        self.shard(photo.place()).finish_version(photo, version, outcome, at_us).await
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        self.shard(photo.place()).publish_version(photo, version).await
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        self.shard(photo.place()).delete_version(photo, version).await
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        self.shard(id.place()).edit_photo(id, caption, alt).await
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        self.shard(id.place()).delete_photo(id).await
    }
    /// Home: 1 statement for the followed people, then 1 on each shard where any of them lives, at once. Explore: 1 on each
    /// shard. Profile: 1.
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        let limit = clamp_limit(limit);
        let pages = match feed {
            Feed::Profile(person) => {
                let shard = self.shard(person.place());
                return shard.photo_page(feed, viewer, before, limit).await;
            }
            Feed::Explore => {
                let pages = self.shards.iter();
                let pages = pages.map(|shard| shard.photo_page(feed, viewer, before, limit));
                try_join_all(pages).await?
            }
            Feed::Home(person) => {
                let followees = self.shard(person.place()).followees(person).await?;
                let parts = self.by_shard(followees.into_iter().chain([person]));
                let pages = parts.iter().map(|(shard, authors)| {
                    self.shards[*shard].page_of_authors(authors, viewer, before, limit)
                });
                try_join_all(pages).await?
            }
        };
        Ok(merge_pages(pages, limit))
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        self.shard(photo.place()).set_like(photo, user, on, at_ms).await
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        self.shard(comment.photo.place()).add_comment(comment).await
    }
    /// 1 statement, then 1 on each shard where an author lives.
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        let page = self.shard(photo.place()).comments_without_names(photo, before, limit).await?;
        let mut people: Vec<UserId> = page.items.iter().map(|item| item.author.id).collect();
        people.sort_unstable();
        people.dedup();
        let parts = self.by_shard(people.into_iter());
        let authors = parts.iter().map(|(shard, people)| self.shards[*shard].authors(people));
        let authors: HashMap<UserId, Author> =
            try_join_all(authors).await?.into_iter().flatten().collect();
        // A comment whose author is being removed at this moment is left out.
        let named = page.items.into_iter().filter_map(|comment| {
            let author = authors.get(&comment.author.id)?.clone();
            Some(Comment { author, ..comment })
        });
        Ok(Page { items: named.collect(), next: page.next })
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        self.shard(photo.place()).delete_comment(photo, comment, author).await
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        let limit = clamp_limit(limit);
        let found = self.shards.iter();
        let found = found.map(|shard| shard.unfinished_versions(created_before_ms, limit));
        let mut found: Vec<Version> = try_join_all(found).await?.into_iter().flatten().collect();
        found.sort_by_key(|version| (version.created_at_ms, version.id));
        found.truncate(limit);
        Ok(found)
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        let parts = self.split(population);
        let mut names: Vec<Vec<&User>> = vec![Vec::new(); self.shards.len()];
        for user in &population.users {
            let shard = shard_of_place(place_of_name(&user.name), self.shards.len());
            names[shard].push(user);
        }
        let names = self.shards.iter().zip(&names).map(|(shard, names)| shard.load_names(names));
        try_join_all(names).await?;
        let loads = self.shards.iter().zip(&parts).map(|(shard, part)| shard.load(part));
        try_join_all(loads).await.map(|_| ())
    }
    async fn ping(&self) -> StoreResult<()> {
        try_join_all(self.shards.iter().map(|shard| shard.ping())).await.map(|_| ())
    }
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        summed_facts(self.shards.iter().map(|shard| shard as &dyn Store).collect()).await
    }
}

#[cfg(test)]
#[path = "sharded_tests.rs"]
mod tests;
