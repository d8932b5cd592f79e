//! DynamoDB behind the verbs: one table, no secondary index, no scan.
//!
//! Every page is answered by keys that are known in advance: lists are partitions, written when something happens rather than
//! searched when somebody looks. `keys` shows the whole model in one table; `items` what is stored; `writes` and `calls` how
//! DynamoDB is spoken to, with retries; then a file per family of verbs, each stating its calls: `accounts`, `photos`,
//! `social`, `feed`, and `load` for the seed. Why it is built so: docs/decisions/dynamodb-model.md.

mod accounts;
mod calls;
mod feed;
mod items;
mod keys;
mod load;
mod photos;
mod social;
mod writes;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};

use self::calls::Table;
use self::items::MarkItem;
use self::keys::{Key, PK, SK};
use super::{LikeOutcome, Population, Store, StoreError, StoreResult, UserChange, clamp_limit};
use crate::aws::{CallLimits, sdk_config};
use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};

/// Calls that one cascade (removing an account, fanning out, pulling a feed) has in flight at once.
const CASCADE_CONCURRENCY: usize = 8;
/// AWS takes 5 to 20 s to make a table.
const TABLE_WAIT: Duration = Duration::from_secs(60);

/// The app's data in one DynamoDB table.
pub struct DynamodbStore {
    table: Table,
}

impl DynamodbStore {
    /// A client for the table, which need not exist yet. `endpoint` is an `http://host:port` of ours; none is AWS itself,
    /// which needs the cargo feature `aws-tls`. Nothing is sent before the first verb.
    pub async fn connect(endpoint: Option<&str>, table: &str) -> StoreResult<Self> {
        let config = sdk_config(endpoint, CallLimits::SMALL).await;
        let config = config.map_err(|error| StoreError::unavailable("reach DynamoDB", error))?;
        Ok(Self { table: Table::new(Client::new(&config), table) })
    }

    /// Makes the table, billed per request, and waits until it answers. It may be there already.
    pub async fn create_table(&self) -> StoreResult<()> {
        const VERB: &str = "create the table";
        let unavailable = |error| StoreError::unavailable(VERB, error);
        let client = &self.table.client;
        let mut request = client
            .create_table()
            .table_name(&*self.table.name)
            .billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [(PK, KeyType::Hash), (SK, KeyType::Range)] {
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build();
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
            request = request
                .attribute_definitions(
                    attribute.map_err(|error| unavailable(Box::new(error) as BoxError))?,
                )
                .key_schema(key.map_err(|error| unavailable(Box::new(error) as BoxError))?);
        }
        if let Err(error) = request.send().await {
            let there =
                error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception());
            if !there {
                return Err(unavailable(Box::new(error)));
            }
        }
        let active = client.wait_until_table_exists().table_name(&*self.table.name);
        active.wait(TABLE_WAIT).await.map_err(|error| unavailable(Box::new(error)))?;
        Ok(())
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Store for DynamodbStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        accounts::create(&self.table, user).await
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        accounts::by_id(&self.table, id).await
    }
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        accounts::by_name(&self.table, name).await
    }
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        accounts::profile(&self.table, name).await
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        accounts::update(&self.table, id, change).await
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        accounts::delete(&self.table, id).await
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        accounts::search(&self.table, prefix, clamp_limit(limit)).await
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        accounts::set_follow(&self.table, follower, followee, on, at_ms).await
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        accounts::is_following(&self.table, follower, followee).await
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        photos::add(&self.table, photo, first).await
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        photos::by_id(&self.table, id, viewer).await
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        photos::versions(&self.table, photo).await
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        photos::add_version(&self.table, version).await
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        photos::finish_version(&self.table, photo, version, outcome, at_us).await
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        photos::publish_version(&self.table, photo, version).await
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        photos::delete_version(&self.table, photo, version).await
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        photos::edit(&self.table, id, caption, alt).await
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        photos::delete(&self.table, id).await
    }
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        feed::page(&self.table, feed, viewer, before, clamp_limit(limit)).await
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        social::set_like(&self.table, photo, user, on, at_ms).await
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        social::add_comment(&self.table, comment).await
    }
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        social::comments(&self.table, photo, before, clamp_limit(limit)).await
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        social::delete_comment(&self.table, photo, comment, author).await
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        photos::unfinished(&self.table, created_before_ms, clamp_limit(limit)).await
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        load::load(&self.table, population).await
    }
    async fn ping(&self) -> StoreResult<()> {
        // A key that is never written: the cheapest question that the table itself has to answer.
        self.table.get::<MarkItem>("reach the table", Key::name("")).await.map(|_| ())
    }
}
