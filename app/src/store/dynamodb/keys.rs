//! Every key of the single table, in one place: which partition an item lives in and where it sorts inside it.
//!
//! | partition (`pk`) | items (`sk`) |
//! |---|---|
//! | `user#ID` | `account`, `follows#ID`, `follower#ID`, `photo#ID` (all own), `listed#ID` (ready ones), `liked#ID`, `commented#ID` |
//! | `photo#ID` | `photo`, `version#ID`, `like#USER`, `comment#ID` |
//! | `home#USER` | one entry per photo id, and `!` where the kept part ends |
//! | `explore#N` | one entry per photo id, spread over [`EXPLORE_BUCKETS`] partitions |
//! | `name#NAME` | `name`: makes the name unique and leads to the id |
//! | `people#an` | one entry per name that starts with these two letters; `people#` lists the letter pairs in use |
//! | `unfinished#N` | one entry per version still preparing, spread over [`UNFINISHED_BUCKETS`] partitions |
//!
//! Ids sort as text in the order of time, so "newest first" is a query backwards and a cursor is an upper bound.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::model::{CommentId, PhotoId, UserId, VersionId};

/// The table's partition key attribute.
pub(super) const PK: &str = "pk";
/// The table's sort key attribute.
pub(super) const SK: &str = "sk";
/// The attribute by which the table forgets items: seconds since 1970, after which DynamoDB removes an item by itself, some time
/// within the next days. terraform/modules/dynamodb switches it on. Kept for what may go without a word (sessions, say): all that
/// the store holds now is counted or listed, so that `encode` refuses to write it.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// Explore is one list for everybody; four partitions carry 4 x 1,000 publications per second. Every page asks each of them,
/// so that more would make reading dearer and nothing else.
pub(super) const EXPLORE_BUCKETS: u64 = 4;
/// Few versions are unfinished at any time; four partitions keep uploads from meeting in one.
pub(super) const UNFINISHED_BUCKETS: u64 = 4;
/// Sorts after every letter of ids and names: the end of a prefix.
const AFTER_ALL: &str = "~";
/// Sorts before every id: the last item of a home feed read backwards.
pub(super) const FEED_END: &str = "!";

/// The prefixes of sort keys inside a partition.
pub(super) mod prefix {
    /// Under a person: people they follow.
    pub const FOLLOWS: &str = "follows#";
    /// Under a person: people who follow them.
    pub const FOLLOWER: &str = "follower#";
    /// Under a person: all own photos, ready or not.
    pub const OWN_PHOTO: &str = "photo#";
    /// Under a person: the own photos that are shown.
    pub const LISTED: &str = "listed#";
    /// Under a person: photos they like or once liked.
    pub const LIKED: &str = "liked#";
    /// Under a person: comments they wrote.
    pub const COMMENTED: &str = "commented#";
    /// Under a photo: its versions.
    pub const VERSION: &str = "version#";
    /// Under a photo: who likes it.
    pub const LIKE: &str = "like#";
    /// Under a photo: its comments.
    pub const COMMENT: &str = "comment#";
    /// An entry that is an id and nothing else.
    pub const NONE: &str = "";
}

/// The primary key of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The key as the two attributes of an item.
    pub fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    pub fn account(user: UserId) -> Self {
        Self::new(user_partition(user), "account")
    }
    pub fn follows(follower: UserId, followee: UserId) -> Self {
        Self::new(user_partition(follower), format!("{}{followee}", prefix::FOLLOWS))
    }
    pub fn follower(followee: UserId, follower: UserId) -> Self {
        Self::new(user_partition(followee), format!("{}{follower}", prefix::FOLLOWER))
    }
    pub fn own_photo(author: UserId, photo: PhotoId) -> Self {
        Self::new(user_partition(author), format!("{}{photo}", prefix::OWN_PHOTO))
    }
    pub fn listed(author: UserId, photo: PhotoId) -> Self {
        Self::new(user_partition(author), format!("{}{photo}", prefix::LISTED))
    }
    pub fn liked(user: UserId, photo: PhotoId) -> Self {
        Self::new(user_partition(user), format!("{}{photo}", prefix::LIKED))
    }
    pub fn commented(user: UserId, comment: CommentId) -> Self {
        Self::new(user_partition(user), format!("{}{comment}", prefix::COMMENTED))
    }
    pub fn photo(photo: PhotoId) -> Self {
        Self::new(photo_partition(photo), "photo")
    }
    pub fn version(photo: PhotoId, version: VersionId) -> Self {
        Self::new(photo_partition(photo), format!("{}{version}", prefix::VERSION))
    }
    pub fn like(photo: PhotoId, user: UserId) -> Self {
        Self::new(photo_partition(photo), format!("{}{user}", prefix::LIKE))
    }
    pub fn comment(photo: PhotoId, comment: CommentId) -> Self {
        Self::new(photo_partition(photo), format!("{}{comment}", prefix::COMMENT))
    }
    pub fn name(name: &str) -> Self {
        Self::new(format!("name#{name}"), "name")
    }
    pub fn person(name: &str) -> Self {
        Self::new(people_partition(first_two(name)), name)
    }
    pub fn letters(name: &str) -> Self {
        Self::new(people_partition(""), first_two(name))
    }
    pub fn explore(photo: PhotoId) -> Self {
        Self::new(explore_partition(bucket(photo.0, EXPLORE_BUCKETS)), photo.to_string())
    }
    pub fn unfinished(version: VersionId) -> Self {
        let bucket = bucket(version.0, UNFINISHED_BUCKETS);
        Self::new(unfinished_partition(bucket), version.to_string())
    }
    pub fn home(reader: UserId, photo: PhotoId) -> Self {
        Self::new(home_partition(reader), photo.to_string())
    }
    pub fn home_end(reader: UserId) -> Self {
        Self::new(home_partition(reader), FEED_END)
    }
}

pub(super) fn user_partition(user: UserId) -> String {
    format!("user#{user}")
}

pub(super) fn photo_partition(photo: PhotoId) -> String {
    format!("photo#{photo}")
}

pub(super) fn home_partition(reader: UserId) -> String {
    format!("home#{reader}")
}

pub(super) fn people_partition(letters: &str) -> String {
    format!("people#{letters}")
}

pub(super) fn explore_partition(bucket: u64) -> String {
    format!("explore#{bucket}")
}

pub(super) fn unfinished_partition(bucket: u64) -> String {
    format!("unfinished#{bucket}")
}

/// The first two characters of a name or prefix (all of it when shorter).
pub(super) fn first_two(name: &str) -> &str {
    name.char_indices().nth(2).map_or(name, |(end, _)| &name[..end])
}

/// Fibonacci hashing: ids share their high bits (the time), the multiplication spreads the low ones.
pub(super) fn bucket(id: i64, buckets: u64) -> u64 {
    ((id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % buckets
}

/// A stretch of one partition, both ends included. `to` is never below `from`.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub pk: String,
    pub from: String,
    pub to: String,
}

impl Span {
    /// Every item of the partition.
    pub fn whole(pk: String) -> Self {
        Self::prefixed(pk, "")
    }

    /// Items whose sort key starts with `prefix`, which does not end in the middle of an id.
    pub fn prefixed(pk: String, prefix: &str) -> Self {
        let from = if prefix.is_empty() { FEED_END } else { prefix };
        Self { pk, from: from.to_owned(), to: format!("{prefix}{AFTER_ALL}") }
    }

    /// Items `prefix` + id with an id below `before`; none when no id can be.
    pub fn below(pk: String, prefix: &str, before: Option<i64>) -> Option<Self> {
        let mut span = Self::prefixed(pk, prefix);
        if let Some(before) = before {
            // All ids are positive, so that nothing is below 1, and the text of before - 1 has 13 letters.
            let last = before.checked_sub(1).filter(|last| *last >= 0)?;
            span.to = format!("{prefix}{}", PhotoId(last));
        }
        Some(span)
    }
}

/// The id at the end of a sort key, after its prefix.
pub(super) fn id_of<T: std::str::FromStr>(sk: &str) -> Option<T> {
    sk.rsplit('#').next()?.parse().ok()
}

/// A text as an attribute.
pub(super) fn text(value: impl Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number as an attribute.
pub(super) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_below_a_cursor_leaves_the_cursor_out() {
        let span = Span::below("p".into(), prefix::LISTED, Some(1_000)).expect("ids below exist");
        let at = |id| format!("{}{}", prefix::LISTED, PhotoId(id));
        assert!(at(999) <= span.to && span.from <= at(999));
        assert!(at(1_000) > span.to);
        assert!(Span::below("p".into(), prefix::LISTED, Some(0)).is_none());
        assert!(Span::below("p".into(), prefix::LISTED, Some(i64::MIN)).is_none());
    }

    #[test]
    fn the_end_of_a_home_feed_sorts_below_every_id() {
        assert!(FEED_END < PhotoId(0).to_string().as_str());
        assert!(AFTER_ALL > PhotoId(i64::MAX).to_string().as_str());
    }

    #[test]
    fn letters_of_short_and_foreign_names() {
        assert_eq!(first_two("anna"), "an");
        assert_eq!(first_two("a"), "a");
        assert_eq!(first_two("äöü"), "äö");
    }

    #[test]
    fn buckets_are_used_evenly() {
        let mut counts = [0; EXPLORE_BUCKETS as usize];
        for step in 0..8_000 {
            counts[bucket(PhotoId::new(1_700_000_000_000 + step, step * 7).0, EXPLORE_BUCKETS)
                as usize] += 1;
        }
        assert!(counts.iter().all(|count| (1_600..2_400).contains(count)), "{counts:?}");
    }
}
