//! Counts every verb that passes, for /info.json and the reconciliation of a run: `store.photo_page` and so on.
//! Counts attempts, not successes; touches no backend. `state` puts it outermost or innermost, as the figure should mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::{CountHook, LikeOutcome, Population, Store, StoreResult, UserChange};

/// A store whose verbs are counted.
pub struct CountedStore {
    inner: Arc<dyn Store>,
    hook: CountHook,
}

impl CountedStore {
    /// Wraps `inner`; `hook` hears `store.<verb>` once per call.
    pub fn new(inner: Arc<dyn Store>, hook: CountHook) -> Self {
        Self { inner, hook }
    }
}

#[async_trait]
impl Store for CountedStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        (self.hook)("store.create_user");
        self.inner.create_user(user).await
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        (self.hook)("store.user");
        self.inner.user(id).await
    }
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        (self.hook)("store.user_by_name");
        self.inner.user_by_name(name).await
    }
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        (self.hook)("store.profile");
        self.inner.profile(name).await
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        (self.hook)("store.update_user");
        self.inner.update_user(id, change).await
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        (self.hook)("store.delete_user");
        self.inner.delete_user(id).await
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        (self.hook)("store.search_users");
        self.inner.search_users(prefix, limit).await
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        (self.hook)("store.set_follow");
        self.inner.set_follow(follower, followee, on, at_ms).await
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        (self.hook)("store.is_following");
        self.inner.is_following(follower, followee).await
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        (self.hook)("store.add_photo");
        self.inner.add_photo(photo, first).await
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        (self.hook)("store.photo");
        self.inner.photo(id, viewer).await
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        (self.hook)("store.versions");
        self.inner.versions(photo).await
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        (self.hook)("store.add_version");
        self.inner.add_version(version).await
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        (self.hook)("store.finish_version");
        self.inner.finish_version(photo, version, outcome, at_us).await
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        (self.hook)("store.publish_version");
        self.inner.publish_version(photo, version).await
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        (self.hook)("store.delete_version");
        self.inner.delete_version(photo, version).await
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        (self.hook)("store.edit_photo");
        self.inner.edit_photo(id, caption, alt).await
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        (self.hook)("store.delete_photo");
        self.inner.delete_photo(id).await
    }
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        (self.hook)("store.photo_page");
        self.inner.photo_page(feed, viewer, before, limit).await
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        (self.hook)("store.set_like");
        self.inner.set_like(photo, user, on, at_ms).await
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        (self.hook)("store.add_comment");
        self.inner.add_comment(comment).await
    }
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        (self.hook)("store.comments");
        self.inner.comments(photo, before, limit).await
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        (self.hook)("store.delete_comment");
        self.inner.delete_comment(photo, comment, author).await
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        (self.hook)("store.unfinished_versions");
        self.inner.unfinished_versions(created_before_ms, limit).await
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        (self.hook)("store.load");
        self.inner.load(population).await
    }
    async fn ping(&self) -> StoreResult<()> {
        (self.hook)("store.ping");
        self.inner.ping().await
    }
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        self.inner.facts().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn each_verb_is_counted_by_its_name() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        let hook: CountHook = Arc::new(move |name| ear.lock().expect("no panic").push(name));
        let store = CountedStore::new(Arc::new(MemoryStore::new()), hook);
        store.ping().await.expect("memory answers");
        store.photo_page(Feed::Explore, None, None, 20).await.expect("memory answers");
        assert_eq!(*heard.lock().expect("no panic"), ["store.ping", "store.photo_page"]);
    }
}
