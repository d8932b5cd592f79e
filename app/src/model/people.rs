//! People: the account, which decides, and what pages show of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UserId;

/// What a person pays for. Free versions carry the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Versions saved under this plan carry the watermark.
    Free,
    /// Versions saved under this plan do not.
    Pro,
}

impl Plan {
    /// The word used in columns, forms and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Plan::Free => "free",
            Plan::Pro => "pro",
        }
    }
}

impl FromStr for Plan {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "free" => Ok(Plan::Free),
            "pro" => Ok(Plan::Pro),
            other => Err(format!("`{other}` is not a plan: use free or pro")),
        }
    }
}

/// A person with an account, and the counts shown on the profile. It decides (who logs in, under which plan), hence it is read where it
/// was written, and it is no JSON, so that no cache can hold it: what pages show of a person is a [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The identity.
    pub id: UserId,
    /// The name in URLs: 3 to 30 of a-z, 0-9 and _, unique.
    pub name: String,
    /// The name on pages, any script, 1 to 60 characters.
    pub display_name: String,
    /// argon2id in PHC string form.
    pub password_hash: String,
    /// Free or pro.
    pub plan: Plan,
    /// Unix time in milliseconds.
    pub created_at_ms: i64,
    /// Published photos.
    pub photo_count: i64,
    /// People who follow this person.
    pub follower_count: i64,
    /// People this person follows.
    pub following_count: i64,
}

/// A person as everybody may see them: for pages, may be some seconds old, and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The identity.
    pub id: UserId,
    /// The name in URLs.
    pub name: String,
    /// The name on pages.
    pub display_name: String,
    /// The plan, for a badge; what is saved under it is decided by the [`User`]'s.
    pub plan: Plan,
    /// Published photos.
    pub photo_count: i64,
    /// People who follow this person.
    pub follower_count: i64,
    /// People this person follows.
    pub following_count: i64,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            display_name: user.display_name,
            plan: user.plan,
            photo_count: user.photo_count,
            follower_count: user.follower_count,
            following_count: user.following_count,
        }
    }
}

/// The part of a person that is shown beside a photo or a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The identity.
    pub id: UserId,
    /// The name in URLs.
    pub name: String,
    /// The name on pages.
    pub display_name: String,
}

impl From<User> for Author {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, display_name: user.display_name }
    }
}
