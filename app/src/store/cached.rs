//! Answers kept near, around any store: profiles, follows, photos, first pages of comments and feed pages. `cache::keys` lists
//! every key with its lifetime; this file decides which verb reads and which forgets which.
//!
//! What a viewer has written, the viewer sees: the keys that name the written thing are forgotten, and the viewer's
//! generation, which is part of the key of each feed page, is replaced, so that all pages from before are out of reach at
//! once. Only ready photos are kept, so that nobody who waits for a photo waits for a lifetime as well. Accounts are never kept:
//! they decide who may do what.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::cache::Cache;
use crate::cache::keys::CacheKey;
use crate::cache::read_through::ReadThrough;
use crate::clock::{Clock, SystemClock};
use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::{
    CountHook, LikeOutcome, Population, Store, StoreResult, UserChange, clamp_limit,
};

/// A store behind a cache.
pub struct CachedStore {
    inner: Arc<dyn Store>,
    near: ReadThrough,
}

impl CachedStore {
    /// Puts `cache` in front of `inner`.
    pub fn new(inner: Arc<dyn Store>, cache: Arc<dyn Cache>) -> Self {
        Self::counting(inner, cache, Arc::new(|_| {}))
    }

    /// The same; `hook` hears `cache.hit`, `cache.miss` and `cache.error`.
    pub fn counting(inner: Arc<dyn Store>, cache: Arc<dyn Cache>, hook: CountHook) -> Self {
        Self { inner, near: ReadThrough::new(cache, hook) }
    }

    /// Puts all feed pages that `viewer` has seen out of reach.
    async fn renew(&self, viewer: UserId) {
        let token = format!("{:x}", SystemClock.random());
        self.near.put(&CacheKey::Generation(viewer), token).await;
    }

    /// After a write to a photo: its card is forgotten, and its author's pages and count.
    async fn forget_photo(&self, photo: PhotoId) -> StoreResult<()> {
        self.near.forget(&[CacheKey::Card(photo), CacheKey::Comments(photo)]).await;
        if let Some(card) = self.inner.photo(photo, None).await? {
            self.near.forget(&[CacheKey::Profile(card.author.id)]).await;
            self.renew(card.author.id).await;
        }
        Ok(())
    }

    async fn card(&self, id: PhotoId) -> StoreResult<Option<PhotoCard>> {
        let load = self.inner.photo(id, None);
        self.near.get_or_load(&CacheKey::Card(id), is_ready, load).await
    }
}

fn is_ready(card: &Option<PhotoCard>) -> bool {
    card.as_ref().is_some_and(|card| card.photo.progress == Progress::Ready)
}

#[async_trait]
impl Store for CachedStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        self.inner.create_user(user).await
    }

    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        self.inner.user(id).await
    }

    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        self.inner.user_by_name(name).await
    }

    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        let load = async { Ok(self.inner.profile(name).await?.map(|person| person.id)) };
        let of_name = CacheKey::Name(name.to_owned());
        let Some(id) = self.near.get_or_load(&of_name, Option::is_some, load).await? else {
            return Ok(None);
        };
        let load = async {
            let person = self.inner.profile(name).await?;
            Ok(person.filter(|person| person.id == id))
        };
        match self.near.get_or_load(&CacheKey::Profile(id), Option::is_some, load).await? {
            Some(person) => Ok(Some(person)),
            // The name was given up through another instance, and perhaps taken again.
            None => {
                self.near.forget(&[of_name]).await;
                self.inner.profile(name).await
            }
        }
    }

    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        let outcome = self.inner.update_user(id, change).await;
        self.near.forget(&[CacheKey::Profile(id)]).await;
        self.renew(id).await;
        outcome
    }

    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        let user = self.inner.user(id).await?;
        let outcome = self.inner.delete_user(id).await;
        let mut keys = vec![CacheKey::Profile(id)];
        keys.extend(user.map(|user| CacheKey::Name(user.name)));
        for (photo, _) in outcome.iter().flatten() {
            keys.extend([CacheKey::Card(photo.id), CacheKey::Comments(photo.id)]);
        }
        self.near.forget(&keys).await;
        self.renew(id).await;
        outcome
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        self.inner.search_users(prefix, limit).await
    }

    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        let outcome = self.inner.set_follow(follower, followee, on, at_ms).await;
        let follows = CacheKey::Follows(follower, followee);
        self.near
            .forget(&[follows, CacheKey::Profile(follower), CacheKey::Profile(followee)])
            .await;
        self.renew(follower).await;
        outcome
    }

    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        let load = self.inner.is_following(follower, followee);
        self.near.get_or_load(&CacheKey::Follows(follower, followee), |_| true, load).await
    }

    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        self.inner.add_photo(photo, first).await
    }

    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        let Some(viewer) = viewer else { return self.card(id).await };
        // Both parts come from one query when neither is near.
        let mut seen = None;
        let load = async {
            seen = self.inner.photo(id, Some(viewer)).await?;
            let ready = seen.as_ref().filter(|card| card.photo.progress == Progress::Ready);
            Ok(ready.map(|card| card.liked_by_viewer))
        };
        let key = CacheKey::Liked(id, viewer);
        let liked = self.near.get_or_load(&key, Option::is_some, load).await?;
        let Some(liked_by_viewer) = liked else {
            // Not ready or not there: neither is kept.
            return match seen {
                Some(card) => Ok(Some(card)),
                None => self.inner.photo(id, Some(viewer)).await,
            };
        };
        let load = async {
            match seen {
                Some(card) => Ok(Some(PhotoCard { liked_by_viewer: false, ..card })),
                None => self.inner.photo(id, None).await,
            }
        };
        let card = self.near.get_or_load(&CacheKey::Card(id), is_ready, load).await?;
        Ok(card.map(|card| PhotoCard { liked_by_viewer, ..card }))
    }

    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        self.inner.versions(photo).await
    }

    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        self.inner.add_version(version).await
    }

    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        self.inner.finish_version(photo, version, outcome, at_us).await?;
        self.forget_photo(photo).await
    }

    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        self.inner.publish_version(photo, version).await?;
        self.forget_photo(photo).await
    }

    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        self.inner.delete_version(photo, version).await
    }

    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        self.inner.edit_photo(id, caption, alt).await?;
        self.forget_photo(id).await
    }

    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        let outcome = self.inner.delete_photo(id).await;
        self.near.forget(&[CacheKey::Card(id), CacheKey::Comments(id)]).await;
        if let Ok(Some((photo, _))) = &outcome {
            self.near.forget(&[CacheKey::Profile(photo.author)]).await;
            self.renew(photo.author).await;
        }
        outcome
    }

    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        let generation = match viewer {
            Some(viewer) => self.near.peek::<String>(&CacheKey::Generation(viewer)).await,
            None => Ok(None),
        };
        // Without the generation nobody knows whether a page is from before the viewer's write.
        let Ok(generation) = generation else {
            return self.inner.photo_page(feed, viewer, before, limit).await;
        };
        let key = CacheKey::FeedPage {
            feed,
            viewer,
            generation: generation.unwrap_or_default(),
            before,
            limit: clamp_limit(limit),
        };
        let load = self.inner.photo_page(feed, viewer, before, limit);
        self.near.get_or_load(&key, |_| true, load).await
    }

    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        let outcome = self.inner.set_like(photo, user, on, at_ms).await;
        self.near.forget(&[CacheKey::Card(photo), CacheKey::Liked(photo, user)]).await;
        self.renew(user).await;
        outcome
    }

    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        let outcome = self.inner.add_comment(comment).await;
        self.near.forget(&[CacheKey::Card(comment.photo), CacheKey::Comments(comment.photo)]).await;
        self.renew(comment.author.id).await;
        outcome
    }

    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        if before.is_some() {
            return self.inner.comments(photo, before, limit).await;
        }
        let limit = clamp_limit(limit);
        let load = async { Ok((limit, self.inner.comments(photo, None, limit).await?)) };
        let key = CacheKey::Comments(photo);
        let (kept_limit, page) = self.near.get_or_load(&key, |_| true, load).await?;
        // Pages of another length are rare (the site has one); they are read past the cache.
        if kept_limit == limit { Ok(page) } else { self.inner.comments(photo, None, limit).await }
    }

    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        let outcome = self.inner.delete_comment(photo, comment, author).await;
        self.near.forget(&[CacheKey::Card(photo), CacheKey::Comments(photo)]).await;
        self.renew(author).await;
        outcome
    }

    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        self.inner.unfinished_versions(created_before_ms, limit).await
    }

    async fn load(&self, population: &Population) -> StoreResult<()> {
        self.inner.load(population).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.inner.ping().await
    }

    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        self.inner.facts().await
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
