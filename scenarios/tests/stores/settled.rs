//! A replicated store whose every verb first waits until the replicas have replayed everything: lag is real and promised by
//! nobody, so the conformance list, which reads right after it writes, is run on replicas that have caught up.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use photo_app::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use photo_app::store::replicated::ReplicatedStore;
use photo_app::store::{LikeOutcome, Population, Store, StoreResult, UserChange};

/// Waits for the replicas before each verb.
pub struct Settled(pub ReplicatedStore);

impl Settled {
    async fn settle(&self) -> StoreResult<()> {
        let behind = |(name, count): (&String, &u64)| name.ends_with("_behind") && *count > 0;
        while self.0.facts().await?.iter().any(behind) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Settled {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        self.settle().await?;
        self.0.create_user(user).await
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        self.settle().await?;
        self.0.user(id).await
    }
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        self.settle().await?;
        self.0.user_by_name(name).await
    }
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        self.settle().await?;
        self.0.profile(name).await
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        self.settle().await?;
        self.0.update_user(id, change).await
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        self.settle().await?;
        self.0.delete_user(id).await
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        self.settle().await?;
        self.0.search_users(prefix, limit).await
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        self.settle().await?;
        self.0.set_follow(follower, followee, on, at_ms).await
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        self.settle().await?;
        self.0.is_following(follower, followee).await
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        self.settle().await?;
        self.0.add_photo(photo, first).await
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        self.settle().await?;
        self.0.photo(id, viewer).await
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        self.settle().await?;
        self.0.versions(photo).await
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        self.settle().await?;
        self.0.add_version(version).await
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        self.settle().await?;
        self.0.finish_version(photo, version, outcome, at_us).await
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        self.settle().await?;
        self.0.publish_version(photo, version).await
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        self.settle().await?;
        self.0.delete_version(photo, version).await
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        self.settle().await?;
        self.0.edit_photo(id, caption, alt).await
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        self.settle().await?;
        self.0.delete_photo(id).await
    }
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        self.settle().await?;
        self.0.photo_page(feed, viewer, before, limit).await
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        self.settle().await?;
        self.0.set_like(photo, user, on, at_ms).await
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        self.settle().await?;
        self.0.add_comment(comment).await
    }
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        self.settle().await?;
        self.0.comments(photo, before, limit).await
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        self.settle().await?;
        self.0.delete_comment(photo, comment, author).await
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        self.settle().await?;
        self.0.unfinished_versions(created_before_ms, limit).await
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        self.settle().await?;
        self.0.load(population).await
    }
    async fn ping(&self) -> StoreResult<()> {
        self.settle().await?;
        self.0.ping().await
    }
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        self.0.facts().await
    }
}
