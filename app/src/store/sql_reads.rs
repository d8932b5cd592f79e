//! The reading verbs in SQL, on one connection each. Compiled once for SQLite and once for MariaDB (see `sql`).
//!
//! Each verb states its budget: how many statements it takes whatever the page holds. The feeds are stated in
//! `sqlite` and `mysql`, because there the planners differ. The sharded store uses the parts without joins across people.

use crate::model::{
    Author, Comment, CommentId, Feed, Page, PhotoCard, PhotoId, Profile, User, UserId, Version,
};
use crate::store::sql::{
    AuthorRow, CardRow, CommentRow, NOBODY, ProfileRow, SqlError, UserRow, VersionRow, all,
    card_columns, maybe, name_range,
};
use crate::store::{clamp_limit, is_name_text};

use super::{Connection, Db};

/// 1 statement, by primary key.
pub(crate) async fn user(
    connection: &mut Connection,
    id: UserId,
) -> Result<Option<User>, SqlError> {
    let row = sqlx::query_as::<Db, UserRow>("SELECT * FROM users WHERE id = ?").bind(id.0);
    maybe(row.fetch_optional(connection).await?)
}

/// 1 statement, by the unique index on names.
pub(crate) async fn user_by_name(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<User>, SqlError> {
    if !is_name_text(name) {
        return Ok(None);
    }
    let row = sqlx::query_as::<Db, UserRow>("SELECT * FROM users WHERE name = ?").bind(name);
    maybe(row.fetch_optional(connection).await?)
}

/// 1 statement, by the unique index on names; the hash stays where it is.
pub(crate) async fn profile(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<Profile>, SqlError> {
    if !is_name_text(name) {
        return Ok(None);
    }
    let row = sqlx::query_as::<Db, ProfileRow>(
        "SELECT id, name, display_name, plan, photo_count, follower_count, following_count \
         FROM users WHERE name = ?",
    );
    maybe(row.bind(name).fetch_optional(connection).await?)
}

/// 1 statement: a range of the index on names.
pub(crate) async fn search_users(
    connection: &mut Connection,
    prefix: &str,
    limit: usize,
) -> Result<Vec<Author>, SqlError> {
    let Some((from, below)) = name_range(prefix) else { return Ok(Vec::new()) };
    let rows = sqlx::query_as::<Db, AuthorRow>(
        "SELECT id, name, display_name FROM users WHERE name >= ? AND name < ? ORDER BY name LIMIT ?",
    );
    let rows = rows.bind(from).bind(below).bind(clamp_limit(limit) as i64);
    Ok(rows.fetch_all(connection).await?.into_iter().map(Author::from).collect())
}

/// 1 statement, by primary key.
pub(crate) async fn is_following(
    connection: &mut Connection,
    follower: UserId,
    followee: UserId,
) -> Result<bool, SqlError> {
    let row = sqlx::query_scalar::<Db, i64>(
        "SELECT at_ms FROM follows WHERE follower = ? AND followee = ?",
    );
    let row = row.bind(follower.0).bind(followee.0).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// 1 statement: three lookups by primary key.
pub(crate) async fn photo(
    connection: &mut Connection,
    id: PhotoId,
    viewer: Option<UserId>,
) -> Result<Option<PhotoCard>, SqlError> {
    let row = sqlx::query_as::<Db, CardRow>(concat!(
        "SELECT ",
        card_columns!(),
        " FROM photos p JOIN users u ON u.id = p.author ",
        "LEFT JOIN likes l ON l.photo = p.id AND l.user_id = ? WHERE p.id = ?"
    ));
    let row = row.bind(viewer.map_or(NOBODY, |viewer| viewer.0)).bind(id.0);
    maybe(row.fetch_optional(connection).await?)
}

/// 1 statement: a range of the primary key.
pub(crate) async fn versions(
    connection: &mut Connection,
    photo: PhotoId,
) -> Result<Vec<Version>, SqlError> {
    let rows = sqlx::query_as::<Db, VersionRow>(
        "SELECT id, photo, filter, strength, watermarked, progress, created_at_ms \
         FROM versions WHERE photo = ? ORDER BY id DESC",
    );
    all(rows.bind(photo.0).fetch_all(connection).await?)
}

/// 1 statement for any feed and any number of followed people.
pub(crate) async fn photo_page(
    connection: &mut Connection,
    feed: Feed,
    viewer: Option<UserId>,
    before: Option<PhotoId>,
    limit: usize,
) -> Result<Page<PhotoCard>, SqlError> {
    let limit = clamp_limit(limit);
    let query = match feed {
        Feed::Home(person) => {
            sqlx::query_as::<Db, CardRow>(super::HOME_FEED).bind(person.0).bind(person.0)
        }
        Feed::Explore => sqlx::query_as::<Db, CardRow>(super::EXPLORE_FEED),
        Feed::Profile(person) => sqlx::query_as::<Db, CardRow>(super::PROFILE_FEED).bind(person.0),
    };
    // One row more than asked for says whether there is a next page.
    let query = query.bind(before.map_or(i64::MAX, |before| before.0)).bind(limit as i64 + 1);
    let query = query.bind(viewer.map_or(NOBODY, |viewer| viewer.0));
    let cards: Vec<PhotoCard> = all(query.fetch_all(connection).await?)?;
    Ok(Page::cut(cards, limit, |card| card.photo.id.0))
}

/// 1 statement: a range of the primary key, each author by primary key.
pub(crate) async fn comments(
    connection: &mut Connection,
    photo: PhotoId,
    before: Option<CommentId>,
    limit: usize,
) -> Result<Page<Comment>, SqlError> {
    let limit = clamp_limit(limit);
    let rows = sqlx::query_as::<Db, CommentRow>(super::COMMENTS);
    let rows = rows.bind(photo.0).bind(before.map_or(i64::MAX, |before| before.0));
    let rows = rows.bind(limit as i64 + 1).fetch_all(connection).await?;
    let comments = rows.into_iter().map(Comment::from).collect();
    Ok(Page::cut(comments, limit, |comment: &Comment| comment.id.0))
}

/// 1 statement: a range of the index on progress and time.
pub(crate) async fn unfinished_versions(
    connection: &mut Connection,
    created_before_ms: i64,
    limit: usize,
) -> Result<Vec<Version>, SqlError> {
    let rows = sqlx::query_as::<Db, VersionRow>(
        "SELECT id, photo, filter, strength, watermarked, progress, created_at_ms FROM versions \
         WHERE progress = 'preparing' AND created_at_ms < ? ORDER BY created_at_ms, id LIMIT ?",
    );
    let rows = rows.bind(created_before_ms).bind(clamp_limit(limit) as i64);
    all(rows.fetch_all(connection).await?)
}

/// 1 statement.
pub(crate) async fn ping(connection: &mut Connection) -> Result<(), SqlError> {
    sqlx::query_scalar::<Db, i64>("SELECT 1").fetch_one(connection).await?;
    Ok(())
}
