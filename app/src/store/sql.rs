//! What the SQL stores share: rows and their way into the model, errors, the texts of queries, transactions.
//!
//! SQLite and MariaDB speak almost the same SQL, so reads, writes and the `Store` impl are written once
//! (`sql_reads`, `sql_writes`, `sql_store`) and compiled once for each, as child modules of `sqlite` and `mysql`, which
//! supply the connection types and the one query that the two planners need told differently: the feed.

use std::collections::BTreeMap;

use crate::model::{
    Author, Comment, Photo, PhotoCard, PhotoId, Profile, User, UserId, Version, VersionId,
};
use crate::store::{StoreError, is_name_text};

/// How often a transaction that lost a deadlock or met a busy lock is begun again before the caller hears of it. Under 64
/// tasks on one row two attempts sufficed; ten leave room and still end.
pub(crate) const TRANSACTION_ATTEMPTS_MAX: u32 = 10;
/// Rows per multi-row INSERT: 13 columns x 1,000 stay below SQLite's 32,766 and MariaDB's 65,535 parameters.
pub(crate) const INSERT_ROWS_MAX: usize = 1_000;
/// A person id that nobody has: the viewer of somebody who is not logged in. Ids are positive.
pub(crate) const NOBODY: i64 = -1;

/// A verb's failure before it is named: the driver's error or an outcome of the domain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
    #[error(transparent)]
    Outcome(#[from] StoreError),
}

impl SqlError {
    /// The error as the trait promises it, with the verb that was attempted.
    pub(crate) fn named(self, verb: &'static str) -> StoreError {
        match self {
            Self::Outcome(outcome) => outcome,
            Self::Driver(
                unreadable @ (sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::Decode(_)),
            ) => StoreError::Corrupt { what: format!("while trying to {verb}: {unreadable}") },
            Self::Driver(source) => StoreError::unavailable(verb, source),
        }
    }
}

/// Whether the statement failed because the key is there already.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|database| database.is_unique_violation())
}

/// Whether the statement failed because a row that it points to is gone.
pub(crate) fn is_orphan(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|database| database.is_foreign_key_violation())
}

/// The half-open range of names that start with `prefix`; none when no name can. A range instead of LIKE, because `_` is
/// a letter of names and a wildcard of LIKE; `~` sorts behind every letter of a name.
pub(crate) fn name_range(prefix: &str) -> Option<(String, String)> {
    is_name_text(prefix).then(|| (prefix.to_owned(), format!("{prefix}~")))
}

/// The columns of [`PhotoRow`], from a table called `p`.
macro_rules! photo_columns {
    () => {
        "p.id, p.author, p.caption, p.alt, p.width, p.height, p.format, p.published_version, \
         p.progress, p.created_at_ms, p.ready_at_us, p.like_count, p.comment_count"
    };
}
pub(crate) use photo_columns;

/// The columns of [`CardRow`], from photos `p`, users `u` and the viewer's likes `l`.
macro_rules! card_columns {
    () => {
        concat!(
            $crate::store::sql::photo_columns!(),
            ", u.name AS author_name, u.display_name AS author_display_name, ",
            "l.user_id IS NOT NULL AS liked"
        )
    };
}
pub(crate) use card_columns;

/// A feed page in one statement. The inner query finds the page's ids from an index alone; only these (a page, not all
/// photos of all followed people) are then joined with their rows, authors and the viewer's likes. Every join is forced into
/// the written order: left to itself MariaDB walks all photos and needs 25 ms where this needs 0.13 ms.
macro_rules! feed_query {
    ($join:literal, $ids:expr) => {
        concat!(
            "SELECT ",
            $crate::store::sql::card_columns!(),
            " FROM (",
            $ids,
            ") page ",
            $join,
            " photos p ON p.id = page.id ",
            $join,
            " users u ON u.id = p.author LEFT JOIN likes l ON l.photo = p.id AND l.user_id = ? ",
            "ORDER BY p.id DESC"
        )
    };
}
pub(crate) use feed_query;

/// How far the connections of some pools are in use, as facts: open ones and idle ones, summed, and how many may be open.
pub(crate) fn pool_facts<'a, D: sqlx::Database>(
    pools: impl IntoIterator<Item = &'a sqlx::Pool<D>>,
) -> BTreeMap<String, u64> {
    let (mut open, mut idle, mut max) = (0, 0, 0);
    for pool in pools {
        open += u64::from(pool.size());
        idle += pool.num_idle() as u64;
        max += u64::from(pool.options().get_max_connections());
    }
    let facts = [("open", open), ("idle", idle), ("max", max)];
    facts.map(|(name, value)| (format!("store.connections_{name}"), value)).into()
}

/// Runs `$body` on a pooled connection and names its error.
macro_rules! reading {
    ($store:expr, $verb:literal, $connection:ident => $body:expr) => {{
        let outcome: Result<_, $crate::store::sql::SqlError> = async {
            let mut pooled = $store.reader().await?;
            let $connection = &mut *pooled;
            $body.await
        }
        .await;
        outcome.map_err(|error| error.named($verb))
    }};
}
pub(crate) use reading;

/// Runs `$body` in a transaction, again from the start when the database chose it as the victim of a deadlock (a bounded
/// number of times). An error rolls back: the transaction is dropped unfinished.
macro_rules! writing {
    ($store:expr, $verb:literal, $connection:ident => $body:expr) => {{
        let mut attempt = 1;
        loop {
            let outcome: Result<_, $crate::store::sql::SqlError> = async {
                let mut transaction = $store.begin().await?;
                let $connection = &mut *transaction;
                let value: Result<_, $crate::store::sql::SqlError> = $body.await;
                let value = value?;
                transaction.commit().await?;
                Ok(value)
            }
            .await;
            match outcome {
                Err($crate::store::sql::SqlError::Driver(error))
                    if super::lost_a_lock(&error)
                        && attempt < $crate::store::sql::TRANSACTION_ATTEMPTS_MAX =>
                {
                    tracing::debug!(verb = $verb, attempt, %error, "a transaction lost a lock");
                    // The winner is on its way out; a little room for it, more with each attempt.
                    tokio::time::sleep(std::time::Duration::from_millis(attempt.into())).await;
                    attempt += 1;
                }
                outcome => break outcome.map_err(|error| error.named($verb)),
            }
        }
    }};
}
pub(crate) use writing;

/// A row of `users`.
#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: i64,
    name: String,
    display_name: String,
    password_hash: String,
    plan: String,
    created_at_ms: i64,
    photo_count: i64,
    follower_count: i64,
    following_count: i64,
}

/// Turns a word that the app once wrote back into its enum.
fn word<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|what| StoreError::Corrupt { what })
}

/// Turns a stored number into a narrower one.
fn number<T: TryFrom<i64>>(column: &str, value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Corrupt { what: format!("{column} {value}") })
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;
    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId(row.id),
            plan: word(&row.plan)?,
            name: row.name,
            display_name: row.display_name,
            password_hash: row.password_hash,
            created_at_ms: row.created_at_ms,
            photo_count: row.photo_count,
            follower_count: row.follower_count,
            following_count: row.following_count,
        })
    }
}

/// The part of `users` that a profile shows.
#[derive(sqlx::FromRow)]
pub(crate) struct ProfileRow {
    id: i64,
    name: String,
    display_name: String,
    plan: String,
    photo_count: i64,
    follower_count: i64,
    following_count: i64,
}

impl TryFrom<ProfileRow> for Profile {
    type Error = StoreError;
    fn try_from(row: ProfileRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId(row.id),
            plan: word(&row.plan)?,
            name: row.name,
            display_name: row.display_name,
            photo_count: row.photo_count,
            follower_count: row.follower_count,
            following_count: row.following_count,
        })
    }
}

/// The part of `users` beside a photo.
#[derive(sqlx::FromRow)]
pub(crate) struct AuthorRow {
    id: i64,
    name: String,
    display_name: String,
}

impl From<AuthorRow> for Author {
    fn from(row: AuthorRow) -> Self {
        Self { id: UserId(row.id), name: row.name, display_name: row.display_name }
    }
}

/// A row of `photos`.
#[derive(sqlx::FromRow)]
pub(crate) struct PhotoRow {
    id: i64,
    author: i64,
    caption: String,
    alt: String,
    width: i64,
    height: i64,
    format: String,
    published_version: i64,
    progress: String,
    created_at_ms: i64,
    ready_at_us: Option<i64>,
    like_count: i64,
    comment_count: i64,
}

impl TryFrom<PhotoRow> for Photo {
    type Error = StoreError;
    fn try_from(row: PhotoRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: PhotoId(row.id),
            author: UserId(row.author),
            width: number("width", row.width)?,
            height: number("height", row.height)?,
            format: word(&row.format)?,
            published_version: VersionId(row.published_version),
            progress: word(&row.progress)?,
            caption: row.caption,
            alt: row.alt,
            created_at_ms: row.created_at_ms,
            ready_at_us: row.ready_at_us,
            like_count: row.like_count,
            comment_count: row.comment_count,
        })
    }
}

/// A photo with its author and whether the viewer likes it.
#[derive(sqlx::FromRow)]
pub(crate) struct CardRow {
    #[sqlx(flatten)]
    photo: PhotoRow,
    author_name: String,
    author_display_name: String,
    liked: i64,
}

impl TryFrom<CardRow> for PhotoCard {
    type Error = StoreError;
    fn try_from(row: CardRow) -> Result<Self, StoreError> {
        let author = Author {
            id: UserId(row.photo.author),
            name: row.author_name,
            display_name: row.author_display_name,
        };
        Ok(Self { photo: row.photo.try_into()?, author, liked_by_viewer: row.liked != 0 })
    }
}

/// A row of `versions`.
#[derive(sqlx::FromRow)]
pub(crate) struct VersionRow {
    id: i64,
    photo: i64,
    filter: String,
    strength: i64,
    watermarked: i64,
    progress: String,
    created_at_ms: i64,
}

impl TryFrom<VersionRow> for Version {
    type Error = StoreError;
    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: VersionId(row.id),
            photo: PhotoId(row.photo),
            strength: number("strength", row.strength)?,
            watermarked: row.watermarked != 0,
            progress: word(&row.progress)?,
            filter: row.filter,
            created_at_ms: row.created_at_ms,
        })
    }
}

/// A comment with its author.
#[derive(sqlx::FromRow)]
pub(crate) struct CommentRow {
    id: i64,
    photo: i64,
    author: i64,
    author_name: String,
    author_display_name: String,
    body: String,
    created_at_ms: i64,
}

impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Self {
        Self {
            id: crate::model::CommentId(row.id),
            photo: PhotoId(row.photo),
            author: Author {
                id: UserId(row.author),
                name: row.author_name,
                display_name: row.author_display_name,
            },
            body: row.body,
            created_at_ms: row.created_at_ms,
        }
    }
}

/// Every row into its model type.
pub(crate) fn all<Row, T>(rows: Vec<Row>) -> Result<Vec<T>, SqlError>
where
    T: TryFrom<Row>,
    StoreError: From<T::Error>,
{
    rows.into_iter()
        .map(|row| T::try_from(row).map_err(|error| SqlError::Outcome(error.into())))
        .collect()
}

/// The row, if any, into its model type.
pub(crate) fn maybe<Row, T>(row: Option<Row>) -> Result<Option<T>, SqlError>
where
    T: TryFrom<Row, Error = StoreError>,
{
    row.map(T::try_from).transpose().map_err(SqlError::Outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_spans_the_names_that_start_with_it_and_no_other() {
        let (from, below) = name_range("an_").expect("letters of names");
        for inside in ["an_", "an_a", "an_z", "an__", "an_0zzz"] {
            assert!(inside >= from.as_str() && inside < below.as_str(), "{inside}");
        }
        for outside in ["an", "ana", "an0", "ao", "b"] {
            assert!(!(outside >= from.as_str() && outside < below.as_str()), "{outside}");
        }
        assert!(name_range("an%").is_none());
        assert!(name_range("Ännchen").is_none());
    }
}
