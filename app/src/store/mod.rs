//! What the app asks of a database: the verbs of the domain, with their promises.
//!
//! Every backend (`sqlite`, `mysql`, `replicated`, `sharded`, `dynamodb`, `memory`) keeps the same promises and is
//! judged by one list (`conformance`). Decorators (`cached`, `counted`) wrap any of them. No SQL, no AWS type and no
//! HTTP type appears in this file; only `state` knows which backend is behind `Arc<dyn Store>`.

pub mod cached;
pub mod conformance;
pub mod counted;
pub mod dynamodb;
mod gtid;
pub mod memory;
pub mod mysql;
pub mod replicated;
pub mod sharded;
mod sql;
pub mod sqlite;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Plan, Profile, Progress,
    User, UserId, Version, VersionId,
};

/// No list is longer than this, whatever a caller asks for.
pub const PAGE_LIMIT_MAX: usize = 100;

/// What went wrong, in the words a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with this key is already there (a name that is taken, an id that met another).
    #[error("{what} is already taken")]
    Conflict {
        /// What clashed: "name anna", "photo 01h...".
        what: String,
    },
    /// The thing that the verb works on is not there (a like for a deleted photo).
    #[error("{what} does not exist")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// The database cannot answer now: down, overloaded, throttled, timed out. Trying later may help.
    #[error("the store could not {verb}")]
    Unavailable {
        /// The verb that was attempted.
        verb: &'static str,
        /// The client's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row or item is not what the app wrote: a bug or a foreign hand.
    #[error("the store holds something unreadable: {what}")]
    Corrupt {
        /// What was read and why it does not fit.
        what: String,
    },
}

impl StoreError {
    /// Wraps a client's error with the verb that was attempted.
    pub fn unavailable(
        verb: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { verb, source: source.into() }
    }

    /// `Missing` for a photo.
    pub fn missing_photo(photo: PhotoId) -> Self {
        Self::Missing { what: format!("photo {photo}") }
    }

    /// `Missing` for a version.
    pub fn missing_version(version: VersionId) -> Self {
        Self::Missing { what: format!("version {version}") }
    }

    /// `Missing` for a person.
    pub fn missing_user(user: UserId) -> Self {
        Self::Missing { what: format!("person {user}") }
    }
}

/// Hears the name of something countable each time it happens; the telemetry's side of the decorators.
pub type CountHook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// The result of every verb.
pub type StoreResult<T> = Result<T, StoreError>;

/// Changes to an account; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// A new plan.
    pub plan: Option<Plan>,
    /// A new argon2id hash.
    pub password_hash: Option<String>,
    /// A new name on pages.
    pub display_name: Option<String>,
}

/// The result of a like or its withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeOutcome {
    /// False when it was so already.
    pub changed: bool,
    /// The count after the change.
    pub like_count: i64,
}

/// Everything a seed writes, in one batch. Counts inside `users` and `photos` are already final.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// People.
    pub users: Vec<User>,
    /// (follower, followee, Unix ms).
    pub follows: Vec<(UserId, UserId, i64)>,
    /// Ready photos, each with its published version first.
    pub photos: Vec<(Photo, Vec<Version>)>,
    /// (photo, person, Unix ms).
    pub likes: Vec<(PhotoId, UserId, i64)>,
    /// Comments.
    pub comments: Vec<Comment>,
}

/// The verbs. Lists are newest first and take `before`: only ids below it are returned (cursor pages, never offset).
/// `limit` is clamped to 1..=[`PAGE_LIMIT_MAX`].
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds an account. `Conflict` when the name or the id is taken.
    async fn create_user(&self, user: &User) -> StoreResult<()>;
    /// The account with this id, as the last write left it: it decides, so it comes from no replica and no cache.
    async fn user(&self, id: UserId) -> StoreResult<Option<User>>;
    /// The account with this name, likewise.
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>>;
    /// What pages show of the person with this name; may come from a replica or a cache.
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>>;
    /// Applies the change. `Missing` when the account is gone.
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()>;
    /// Removes the account, its photos, versions, likes, comments and follows, and corrects the counts of others.
    /// Returns its photos with their versions, whose assets the caller then removes. Unknown: an empty list.
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>>;
    /// People whose name starts with `prefix`, by name, at most `limit`.
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>>;
    /// Makes `follower` follow `followee` (`on`) or not. True when something changed. Counts move with it, exactly once.
    /// `Missing` when somebody who is gone would be followed.
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool>;
    /// Whether `follower` follows `followee`.
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool>;
    /// Adds a photo (preparing) with its first version. `Conflict` when the id is taken.
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()>;
    /// The photo with its author, ready or not.
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>>;
    /// All versions, newest first. Empty when the photo is gone.
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>>;
    /// Adds a version (preparing) to a photo. `Missing` when the photo is gone.
    async fn add_version(&self, version: &Version) -> StoreResult<()>;
    /// Marks a version ready or failed; safe to repeat. The photo takes the outcome of its published version: once that is
    /// ready, the photo is ready, listed in feeds and counted in its author's `photo_count` (exactly once).
    /// Ready is final: a later `Failed` (a job that ran twice) changes nothing; a later `Ready` after `Failed` does.
    /// `Missing` when photo or version are gone: the caller then removes the renditions it made.
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()>;
    /// Shows another ready version. `Missing` when it is gone or not ready. A photo that was not ready (its first version
    /// failed) becomes ready, listed and counted by this.
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()>;
    /// Removes a version that is not the published one (`Conflict` when it is). Unknown: `Missing`.
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version>;
    /// Changes caption and alternative text. `Missing` when the photo is gone.
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()>;
    /// Removes a photo with versions, likes and comments, and corrects counts. None when it was gone already.
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>>;
    /// A page of ready photos with ids below `before`.
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>>;
    /// Sets or withdraws a like. `Missing` when the photo is gone. Concurrent likes never lose a count.
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome>;
    /// Adds a comment and counts it. `Missing` when the photo is gone.
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()>;
    /// A page of comments, newest first.
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>>;
    /// Removes the author's own comment. False when it is gone or somebody else's.
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool>;
    /// Versions still preparing that were created before `created_before_ms`: what a crash left to finish. Unlike other lists
    /// oldest first, so that none waits for ever behind younger ones.
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>>;
    /// Writes a whole population into an empty store, in batches.
    async fn load(&self, population: &Population) -> StoreResult<()>;
    /// Answers when the backend does.
    async fn ping(&self) -> StoreResult<()>;
    /// Figures that a backend knows about itself, for /info.json and /metrics: use of its connections, a replica's lag.
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        Ok(BTreeMap::new())
    }
}

/// The facts of several nodes as one: figures of the same name are added up.
pub(crate) async fn summed_facts(nodes: Vec<&dyn Store>) -> StoreResult<BTreeMap<String, u64>> {
    let mut sums = BTreeMap::new();
    for node in nodes {
        for (name, value) in node.facts().await? {
            *sums.entry(name).or_default() += value;
        }
    }
    Ok(sums)
}

/// The limit as lists apply it: 1..=[`PAGE_LIMIT_MAX`].
pub fn clamp_limit(limit: usize) -> usize {
    limit.clamp(1, PAGE_LIMIT_MAX)
}

/// Whether all letters are letters of names (a-z, 0-9, _): anything else is in no row.
pub fn is_name_text(text: &str) -> bool {
    text.bytes().all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
