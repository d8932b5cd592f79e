//! The store as plain maps under one lock: the model that the other stores are compared with, and what tests of pages use.
//!
//! Written for reading, not for speed: every verb says in a few lines what the trait promises. Nothing survives the
//! process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::{
    LikeOutcome, Population, Store, StoreError, StoreResult, UserChange, clamp_limit,
};

#[derive(Default)]
struct Tables {
    users: HashMap<UserId, User>,
    names: BTreeMap<String, UserId>,
    follows: BTreeSet<(UserId, UserId)>,
    photos: BTreeMap<PhotoId, Photo>,
    versions: BTreeMap<(PhotoId, VersionId), Version>,
    likes: BTreeSet<(PhotoId, UserId)>,
    comments: BTreeMap<(PhotoId, CommentId), Comment>,
}

/// A store that lives as long as its value.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Tables {
    fn photo_mut(&mut self, id: PhotoId) -> StoreResult<&mut Photo> {
        self.photos.get_mut(&id).ok_or_else(|| StoreError::missing_photo(id))
    }

    fn author(&self, id: UserId) -> Option<Author> {
        let user = self.users.get(&id)?;
        Some(Author { id, name: user.name.clone(), display_name: user.display_name.clone() })
    }

    fn card(&self, photo: &Photo, viewer: Option<UserId>) -> Option<PhotoCard> {
        let liked = viewer.is_some_and(|viewer| self.likes.contains(&(photo.id, viewer)));
        let author = self.author(photo.author)?;
        Some(PhotoCard { photo: photo.clone(), author, liked_by_viewer: liked })
    }

    fn versions(&self, photo: PhotoId) -> Vec<Version> {
        let all = (photo, VersionId(i64::MIN))..=(photo, VersionId(i64::MAX));
        self.versions.range(all).rev().map(|(_, version)| version.clone()).collect()
    }

    fn list(&mut self, id: PhotoId) {
        let Some(photo) = self.photos.get_mut(&id) else { return };
        if photo.progress != Progress::Ready {
            photo.progress = Progress::Ready;
            if let Some(author) = self.users.get_mut(&photo.author) {
                author.photo_count += 1;
            }
        }
    }

    fn remove_photo(&mut self, id: PhotoId) -> Option<(Photo, Vec<Version>)> {
        let photo = self.photos.remove(&id)?;
        let versions = self.versions(id);
        self.versions.retain(|(photo, _), _| *photo != id);
        self.likes.retain(|(photo, _)| *photo != id);
        self.comments.retain(|(photo, _), _| *photo != id);
        if photo.progress == Progress::Ready
            && let Some(author) = self.users.get_mut(&photo.author)
        {
            author.photo_count -= 1;
        }
        Some((photo, versions))
    }

    fn count_follow(&mut self, follower: UserId, followee: UserId, step: i64) {
        if let Some(user) = self.users.get_mut(&follower) {
            user.following_count += step;
        }
        if let Some(user) = self.users.get_mut(&followee) {
            user.follower_count += step;
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        let mut tables = self.tables();
        if tables.names.contains_key(&user.name) || tables.users.contains_key(&user.id) {
            return Err(StoreError::Conflict { what: format!("name {}", user.name) });
        }
        tables.names.insert(user.name.clone(), user.id);
        tables.users.insert(user.id, user.clone());
        Ok(())
    }

    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        Ok(self.tables().users.get(&id).cloned())
    }

    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        let tables = self.tables();
        Ok(tables.names.get(name).and_then(|id| tables.users.get(id)).cloned())
    }

    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        Ok(self.user_by_name(name).await?.map(Profile::from))
    }

    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        let mut tables = self.tables();
        let user = tables.users.get_mut(&id).ok_or_else(|| StoreError::missing_user(id))?;
        user.plan = change.plan.unwrap_or(user.plan);
        if let Some(hash) = &change.password_hash {
            user.password_hash.clone_from(hash);
        }
        if let Some(name) = &change.display_name {
            user.display_name.clone_from(name);
        }
        Ok(())
    }

    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        let mut tables = self.tables();
        let theirs = |photo: &&Photo| photo.author == id;
        let photos = tables.photos.values().rev().filter(theirs).map(|photo| photo.id);
        let photos: Vec<PhotoId> = photos.collect();
        let removed = photos.into_iter().filter_map(|photo| tables.remove_photo(photo)).collect();
        let liked: Vec<_> = tables.likes.iter().filter(|(_, user)| *user == id).copied().collect();
        for (photo, user) in liked {
            tables.likes.remove(&(photo, user));
            tables.photo_mut(photo)?.like_count -= 1;
        }
        let written = tables.comments.iter().filter(|(_, comment)| comment.author.id == id);
        let written: Vec<_> = written.map(|(key, _)| *key).collect();
        for key in written {
            tables.comments.remove(&key);
            tables.photo_mut(key.0)?.comment_count -= 1;
        }
        let touches = |pair: &&(UserId, UserId)| pair.0 == id || pair.1 == id;
        let follows: Vec<_> = tables.follows.iter().filter(touches).copied().collect();
        for (follower, followee) in follows {
            tables.follows.remove(&(follower, followee));
            tables.count_follow(follower, followee, -1);
        }
        if let Some(user) = tables.users.remove(&id) {
            tables.names.remove(&user.name);
        }
        Ok(removed)
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        let tables = self.tables();
        let from = tables.names.range(prefix.to_owned()..);
        let found = from.take_while(|(name, _)| name.starts_with(prefix));
        Ok(found.take(clamp_limit(limit)).filter_map(|(_, id)| tables.author(*id)).collect())
    }

    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        _at_ms: i64,
    ) -> StoreResult<bool> {
        let mut tables = self.tables();
        for person in [follower, followee] {
            if on && !tables.users.contains_key(&person) {
                return Err(StoreError::missing_user(person));
            }
        }
        let changed = if on {
            tables.follows.insert((follower, followee))
        } else {
            tables.follows.remove(&(follower, followee))
        };
        if changed {
            tables.count_follow(follower, followee, if on { 1 } else { -1 });
        }
        Ok(changed)
    }

    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        Ok(self.tables().follows.contains(&(follower, followee)))
    }

    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        let mut tables = self.tables();
        if tables.photos.contains_key(&photo.id) {
            return Err(StoreError::Conflict { what: format!("photo {}", photo.id) });
        }
        tables.photos.insert(photo.id, photo.clone());
        tables.versions.insert((photo.id, first.id), first.clone());
        Ok(())
    }

    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        let tables = self.tables();
        Ok(tables.photos.get(&id).and_then(|photo| tables.card(photo, viewer)))
    }

    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        Ok(self.tables().versions(photo))
    }

    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        let mut tables = self.tables();
        tables.photo_mut(version.photo)?;
        tables.versions.insert((version.photo, version.id), version.clone());
        Ok(())
    }

    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        let mut tables = self.tables();
        tables.photo_mut(photo)?;
        let row = tables.versions.get_mut(&(photo, version));
        let row = row.ok_or_else(|| StoreError::missing_version(version))?;
        if row.progress != Progress::Ready {
            row.progress = outcome;
        }
        let row = tables.photo_mut(photo)?;
        if row.published_version != version || row.progress == Progress::Ready {
            return Ok(());
        }
        if outcome == Progress::Ready {
            row.ready_at_us = row.ready_at_us.or(Some(at_us));
            tables.list(photo);
        } else {
            row.progress = outcome;
        }
        Ok(())
    }

    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        let mut tables = self.tables();
        tables.photo_mut(photo)?;
        let row = tables.versions.get(&(photo, version));
        if row.is_none_or(|version| version.progress != Progress::Ready) {
            return Err(StoreError::missing_version(version));
        }
        tables.photo_mut(photo)?.published_version = version;
        tables.list(photo);
        Ok(())
    }

    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        let mut tables = self.tables();
        let published = tables.photo_mut(photo)?.published_version;
        if published == version && tables.versions.contains_key(&(photo, version)) {
            let what = format!("version {version} is the published one: its place");
            return Err(StoreError::Conflict { what });
        }
        tables
            .versions
            .remove(&(photo, version))
            .ok_or_else(|| StoreError::missing_version(version))
    }

    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        let mut tables = self.tables();
        let photo = tables.photo_mut(id)?;
        photo.caption = caption.to_owned();
        photo.alt = alt.to_owned();
        Ok(())
    }

    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        Ok(self.tables().remove_photo(id))
    }

    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        let tables = self.tables();
        let limit = clamp_limit(limit);
        let belongs = |author: UserId| match feed {
            Feed::Home(person) => author == person || tables.follows.contains(&(person, author)),
            Feed::Explore => true,
            Feed::Profile(person) => author == person,
        };
        let below = tables.photos.range(..before.unwrap_or(PhotoId(i64::MAX))).rev();
        let listed = below
            .map(|(_, photo)| photo)
            .filter(|photo| photo.progress == Progress::Ready && belongs(photo.author));
        let cards = listed.filter_map(|photo| tables.card(photo, viewer)).take(limit + 1);
        Ok(Page::cut(cards.collect(), limit, |card: &PhotoCard| card.photo.id.0))
    }

    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        _at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        let mut tables = self.tables();
        tables.photo_mut(photo)?;
        let changed = if on {
            tables.likes.insert((photo, user))
        } else {
            tables.likes.remove(&(photo, user))
        };
        let row = tables.photo_mut(photo)?;
        if changed {
            row.like_count += if on { 1 } else { -1 };
        }
        Ok(LikeOutcome { changed, like_count: row.like_count })
    }

    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        let mut tables = self.tables();
        tables.photo_mut(comment.photo)?.comment_count += 1;
        tables.comments.insert((comment.photo, comment.id), comment.clone());
        Ok(())
    }

    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        let tables = self.tables();
        let limit = clamp_limit(limit);
        let before = before.unwrap_or(CommentId(i64::MAX));
        let below = tables.comments.range((photo, CommentId(i64::MIN))..(photo, before)).rev();
        let mut comments = Vec::new();
        for (_, comment) in below.take(limit + 1) {
            let author = tables.author(comment.author.id);
            let author = author.unwrap_or_else(|| comment.author.clone());
            comments.push(Comment { author, ..comment.clone() });
        }
        Ok(Page::cut(comments, limit, |comment: &Comment| comment.id.0))
    }

    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        let mut tables = self.tables();
        let theirs = tables.comments.get(&(photo, comment));
        if theirs.is_none_or(|comment| comment.author.id != author) {
            return Ok(false);
        }
        tables.comments.remove(&(photo, comment));
        tables.photo_mut(photo)?.comment_count -= 1;
        Ok(true)
    }

    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        let tables = self.tables();
        let unfinished = tables.versions.values().filter(|version| {
            version.progress == Progress::Preparing && version.created_at_ms < created_before_ms
        });
        let mut unfinished: Vec<Version> = unfinished.cloned().collect();
        unfinished.sort_by_key(|version| (version.created_at_ms, version.id));
        unfinished.truncate(clamp_limit(limit));
        Ok(unfinished)
    }

    async fn load(&self, population: &Population) -> StoreResult<()> {
        let mut tables = self.tables();
        for user in &population.users {
            tables.names.insert(user.name.clone(), user.id);
            tables.users.insert(user.id, user.clone());
        }
        tables.follows.extend(population.follows.iter().map(|(from, to, _)| (*from, *to)));
        for (photo, versions) in &population.photos {
            tables.photos.insert(photo.id, photo.clone());
            let versions = versions.iter().map(|version| ((photo.id, version.id), version.clone()));
            tables.versions.extend(versions);
        }
        tables.likes.extend(population.likes.iter().map(|(photo, user, _)| (*photo, *user)));
        let comments = population.comments.iter().cloned();
        tables.comments.extend(comments.map(|comment| ((comment.photo, comment.id), comment)));
        Ok(())
    }

    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn keeps_the_promises() {
        let make = async || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
        crate::store::conformance::check_all(make).await;
    }
}
