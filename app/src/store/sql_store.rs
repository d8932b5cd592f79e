//! The trait over SQL: each verb on a pooled connection (reads) or in a transaction (writes).
//! Compiled once for SQLite and once for MariaDB; `reads`, `writes` and `removal` hold the statements.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::sql::{pool_facts, reading, writing};
use crate::store::{LikeOutcome, Population, Store, StoreResult, UserChange};

use super::{Backend, reads, removal, writes};

#[async_trait]
impl Store for Backend {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        writing!(self, "add the account", c => writes::create_user(c, user))
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        reading!(self, "read an account", c => reads::user(c, id))
    }
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        reading!(self, "read an account by name", c => reads::user_by_name(c, name))
    }
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        reading!(self, "read a profile", c => reads::profile(c, name))
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        writing!(self, "change the account", c => writes::update_user(c, id, change))
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        writing!(self, "remove the account", c => removal::delete_user(c, id))
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        reading!(self, "search people", c => reads::search_users(c, prefix, limit))
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        writing!(self, "change who follows whom", c => writes::set_follow(c, follower, followee, on, at_ms))
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        reading!(self, "read who follows whom", c => reads::is_following(c, follower, followee))
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        writing!(self, "add the photo", c => writes::add_photo(c, photo, first))
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        reading!(self, "read a photo", c => reads::photo(c, id, viewer))
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        reading!(self, "read versions", c => reads::versions(c, photo))
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        writing!(self, "add the version", c => writes::add_version(c, version))
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        writing!(self, "finish the version", c => writes::finish_version(c, photo, version, outcome, at_us))
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        writing!(self, "publish the version", c => writes::publish_version(c, photo, version))
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        writing!(self, "remove the version", c => writes::delete_version(c, photo, version))
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        writing!(self, "change the photo's texts", c => writes::edit_photo(c, id, caption, alt))
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        writing!(self, "remove the photo", c => writes::delete_photo(c, id))
    }
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        reading!(self, "read a feed", c => reads::photo_page(c, feed, viewer, before, limit))
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        writing!(self, "change the like", c => writes::set_like(c, photo, user, on, at_ms))
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        writing!(self, "add the comment", c => writes::add_comment(c, comment))
    }
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        reading!(self, "read comments", c => reads::comments(c, photo, before, limit))
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        writing!(self, "remove the comment", c => writes::delete_comment(c, photo, comment, author))
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        reading!(self, "read unfinished versions", c => reads::unfinished_versions(c, created_before_ms, limit))
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        writing!(self, "write the population", c => writes::load(c, population))
    }
    async fn ping(&self) -> StoreResult<()> {
        reading!(self, "answer", c => reads::ping(c))
    }
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        Ok(pool_facts(self.pools()))
    }
}
