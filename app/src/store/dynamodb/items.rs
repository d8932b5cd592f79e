//! What the items hold, as plain structs; `serde_dynamo` turns them into attributes and back.
//!
//! The author's names are copied into photos and comments, so that a page needs no further call for them;
//! `accounts::rename` repairs the copies when somebody changes the name shown. What does not fit is `Corrupt`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{EXPIRES_AT, Key, PK, SK};
use crate::model::{Author, Photo, PhotoCard, PhotoId, Plan, User, UserId, Version};
use crate::store::{StoreError, StoreResult};

/// The attributes of one item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// An account. The model's type is not serde's, so that no cache can keep it; this one is written here alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct AccountItem(#[serde(with = "AccountFields")] User);

/// The attributes of an account; serde checks that they are the model's fields.
#[derive(Serialize, Deserialize)]
#[serde(remote = "User")]
struct AccountFields {
    id: UserId,
    name: String,
    display_name: String,
    password_hash: String,
    plan: Plan,
    created_at_ms: i64,
    photo_count: i64,
    follower_count: i64,
    following_count: i64,
}

impl From<&User> for AccountItem {
    fn from(user: &User) -> Self {
        Self(user.clone())
    }
}

impl From<AccountItem> for User {
    fn from(item: AccountItem) -> Self {
        item.0
    }
}

/// A photo with its author's names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PhotoItem {
    #[serde(flatten)]
    pub photo: Photo,
    pub author_name: String,
    pub author_display_name: String,
}

impl PhotoItem {
    pub fn new(photo: &Photo, author: &Author) -> Self {
        Self {
            photo: photo.clone(),
            author_name: author.name.clone(),
            author_display_name: author.display_name.clone(),
        }
    }

    pub fn into_card(self, liked_by_viewer: bool) -> PhotoCard {
        let author = Author {
            id: self.photo.author,
            name: self.author_name,
            display_name: self.author_display_name,
        };
        PhotoCard { photo: self.photo, author, liked_by_viewer }
    }
}

/// Leads from a name to the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NameItem {
    pub user: UserId,
}

/// Stands for a person in a search; the sort key is the name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PersonItem {
    pub user: UserId,
    pub display_name: String,
}

/// An entry that only says when it was made: follows, likes, own photos.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MarkItem {
    pub at_ms: i64,
}

/// Under a person: which photo a comment of theirs stands under.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CommentedItem {
    pub photo: PhotoId,
}

/// An entry of a home feed. The author is kept so that an unfollow finds what to take out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct HomeItem {
    pub author: UserId,
}

/// The end of the kept part of a home feed: photos below `horizon` are read from their authors' lists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct HomeEndItem {
    pub horizon: PhotoId,
}

/// A version still preparing, whole, so that the list of unfinished work needs one query.
pub(super) type UnfinishedItem = Version;

/// The item under its key.
pub(super) fn encode<T: Serialize>(key: &Key, value: &T) -> StoreResult<Item> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::Corrupt {
        what: format!("item {}/{} cannot be written: {error}", key.pk, key.sk),
    })?;
    item.extend(key.attributes());
    debug_assert!(!item.contains_key(EXPIRES_AT), "{}/{} would vanish", key.pk, key.sk);
    Ok(item)
}

/// The value of an item, whose key attributes are ignored.
pub(super) fn decode<T: DeserializeOwned>(item: Item) -> StoreResult<T> {
    let name = format!("{}/{}", attribute(&item, PK), attribute(&item, SK));
    serde_dynamo::from_item(item)
        .map_err(|error| StoreError::Corrupt { what: format!("item {name}: {error}") })
}

/// The sort key of an item.
pub(super) fn sort_key(item: &Item) -> &str {
    attribute(item, SK)
}

/// The id at the end of the item's sort key.
pub(super) fn id_in_sort_key<T: std::str::FromStr>(item: &Item) -> StoreResult<T> {
    super::keys::id_of(sort_key(item)).ok_or_else(|| StoreError::Corrupt {
        what: format!("item {}/{} carries no id", attribute(item, PK), sort_key(item)),
    })
}

/// The key of an item that was read.
pub(super) fn key_of(item: &Item) -> Key {
    Key { pk: attribute(item, PK).to_owned(), sk: sort_key(item).to_owned() }
}

fn attribute<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str)
}
