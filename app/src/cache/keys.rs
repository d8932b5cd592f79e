//! Every key of the cache, its lifetime and who invalidates it. Nothing is cached under a key that is not in this table.
//!
//! | key | value | lifetime | forgotten by |
//! |---|---|---|---|
//! | `name:NAME` | id of the account | 30 s | removal of the account |
//! | `profile:ID` | what pages show of a person | 30 s | change or removal of the account, follows from or to it, its photos becoming ready or removed |
//! | `card:PHOTO` | ready photo with author, without viewer | 30 s | likes, comments, edits, publishing, removal |
//! | `liked:PHOTO:VIEWER` | whether the viewer likes it | 30 s | the viewer's like or its withdrawal |
//! | `follows:FOLLOWER:FOLLOWEE` | whether one follows the other | 30 s | the follower's follow or its withdrawal |
//! | `comments:PHOTO` | limit and first page of comments | 30 s | comments and their removal, removal of the photo |
//! | `generation:VIEWER` | token of the viewer's latest write | 60 s | never; each write of the viewer puts a new one |
//! | `feed:...:VIEWER:GENERATION:...` | page of cards as this viewer sees it | 30 s | any write of the viewer, by the new generation |
//!
//! Accounts are not in the table: passwords, plans and whether somebody is there are asked of the database each time
//! (docs/decisions/credentials.md).
//!
//! A viewer sees the own writes at once; those of others at the latest when the lifetime ends. In a cache inside the process
//! (moka) the writes made through other instances, and a worker's, count as those of others.

use std::time::Duration;

use crate::model::{Feed, PhotoId, UserId};

/// Half a minute: a thousand people who each look every few seconds find most of their pages here, and nobody waits longer
/// for somebody else's news.
const LIFETIME: Duration = Duration::from_secs(30);
/// Twice as long as any page of the generation before it: once the token is forgotten, so are the pages that it hid.
const GENERATION_LIFETIME: Duration = Duration::from_secs(60);

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheKey {
    /// The account of a name.
    Name(String),
    /// What pages show of a person.
    Profile(UserId),
    /// A photo without its viewer.
    Card(PhotoId),
    /// Whether a viewer likes a photo.
    Liked(PhotoId, UserId),
    /// Whether the first follows the second.
    Follows(UserId, UserId),
    /// The first page of comments.
    Comments(PhotoId),
    /// The token of a viewer's latest write.
    Generation(UserId),
    /// A page of a feed.
    FeedPage {
        /// Which feed.
        feed: Feed,
        /// Who looks.
        viewer: Option<UserId>,
        /// The viewer's generation, empty when there was no write lately.
        generation: String,
        /// The cursor.
        before: Option<PhotoId>,
        /// The page's length.
        limit: usize,
    },
}

impl CacheKey {
    /// The key as text.
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => format!("name:{name}"),
            Self::Profile(id) => format!("profile:{id}"),
            Self::Card(photo) => format!("card:{photo}"),
            Self::Liked(photo, viewer) => format!("liked:{photo}:{viewer}"),
            Self::Follows(follower, followee) => format!("follows:{follower}:{followee}"),
            Self::Comments(photo) => format!("comments:{photo}"),
            Self::Generation(viewer) => format!("generation:{viewer}"),
            Self::FeedPage { feed, viewer, generation, before, limit } => {
                let feed = match feed {
                    Feed::Home(person) => format!("home:{person}"),
                    Feed::Explore => "explore".to_owned(),
                    Feed::Profile(person) => format!("profile:{person}"),
                };
                let viewer = viewer.map(String::from).unwrap_or_default();
                let before = before.map(String::from).unwrap_or_default();
                format!("feed:{feed}:{viewer}:{generation}:{before}:{limit}")
            }
        }
    }

    /// How long its value may be kept.
    pub fn lifetime(&self) -> Duration {
        match self {
            Self::Generation(_) => GENERATION_LIFETIME,
            _ => LIFETIME,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_keys_share_a_text() {
        let (anna, bert) = (UserId(1), UserId(2));
        let page = |feed, viewer, generation: &str, before| CacheKey::FeedPage {
            feed,
            viewer,
            generation: generation.to_owned(),
            before,
            limit: 20,
        };
        let keys = [
            CacheKey::Name("anna".to_owned()),
            CacheKey::Profile(anna),
            CacheKey::Card(PhotoId(1)),
            CacheKey::Liked(PhotoId(1), anna),
            CacheKey::Liked(PhotoId(1), bert),
            CacheKey::Follows(anna, bert),
            CacheKey::Follows(bert, anna),
            CacheKey::Comments(PhotoId(1)),
            CacheKey::Generation(anna),
            page(Feed::Explore, None, "", None),
            page(Feed::Explore, Some(anna), "", None),
            page(Feed::Explore, Some(anna), "1", None),
            page(Feed::Explore, Some(anna), "", Some(PhotoId(1))),
            page(Feed::Home(anna), Some(anna), "", None),
            page(Feed::Profile(anna), Some(anna), "", None),
            page(Feed::Profile(anna), Some(bert), "", None),
        ];
        let texts: BTreeSet<String> = keys.iter().map(CacheKey::text).collect();
        assert_eq!(texts.len(), keys.len());
    }

    #[test]
    fn a_generation_outlives_the_pages_that_it_hides() {
        let page = CacheKey::Card(PhotoId(1)).lifetime();
        assert!(CacheKey::Generation(UserId(1)).lifetime() >= page * 2);
    }
}
