//! Removing a person or a photo with everything that hangs on it, in SQL. Compiled once for SQLite and once for MariaDB.
//!
//! Written out instead of left to ON DELETE CASCADE: counts of others must move with the rows, and a shard holds
//! rows of people who live elsewhere. These verbs are rare; their statements grow with what the person did.

use sqlx::QueryBuilder;

use crate::model::{Photo, PhotoId, UserId, Version};
use crate::store::sql::{INSERT_ROWS_MAX, SqlError};

use super::{Connection, Db, writes};

/// Removes photos with versions, likes and comments: 4 statements per thousand.
pub(crate) async fn delete_photo_rows(
    connection: &mut Connection,
    photos: &[PhotoId],
) -> Result<(), SqlError> {
    let tables = [
        "DELETE FROM likes WHERE photo IN (",
        "DELETE FROM comments WHERE photo IN (",
        "DELETE FROM versions WHERE photo IN (",
        "DELETE FROM photos WHERE id IN (",
    ];
    for photos in photos.chunks(INSERT_ROWS_MAX) {
        for table in tables {
            let ids = photos.iter().map(|photo| photo.0);
            with_ids(table, ids, ")").build().execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Removes the account with all its traces; returns its photos with their versions.
pub(crate) async fn delete_user(
    connection: &mut Connection,
    id: UserId,
) -> Result<Vec<(Photo, Vec<Version>)>, SqlError> {
    delete_traces(connection, id).await?;
    let photos = writes::photos_of(connection, id).await?;
    let ids: Vec<PhotoId> = photos.iter().map(|(photo, _)| photo.id).collect();
    delete_photo_rows(connection, &ids).await?;
    sqlx::query::<Db>("DELETE FROM users WHERE id = ?").bind(id.0).execute(connection).await?;
    Ok(photos)
}

/// Removes the person's likes, comments and follows from this database and corrects the counts of whatever they
/// touched here. The sharded store runs it on every shard.
pub(crate) async fn delete_traces(connection: &mut Connection, id: UserId) -> Result<(), SqlError> {
    delete_likes(connection, id).await?;
    delete_comments(connection, id).await?;
    delete_follows(connection, id).await
}

async fn delete_likes(connection: &mut Connection, id: UserId) -> Result<(), SqlError> {
    let photos = sqlx::query_scalar::<Db, i64>("SELECT photo FROM likes WHERE user_id = ?");
    let photos = photos.bind(id.0).fetch_all(&mut *connection).await?;
    for photos in photos.chunks(INSERT_ROWS_MAX) {
        let head = "UPDATE photos SET like_count = like_count - 1 WHERE id IN (";
        with_ids(head, photos.iter().copied(), ")").build().execute(&mut *connection).await?;
        let mut delete =
            with_ids("DELETE FROM likes WHERE photo IN (", photos.iter().copied(), ")");
        delete.push(" AND user_id = ").push_bind(id.0);
        delete.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn delete_comments(connection: &mut Connection, id: UserId) -> Result<(), SqlError> {
    let photos =
        sqlx::query_scalar::<Db, i64>("SELECT DISTINCT photo FROM comments WHERE author = ?");
    for photo in photos.bind(id.0).fetch_all(&mut *connection).await? {
        let delete = sqlx::query::<Db>("DELETE FROM comments WHERE author = ? AND photo = ?");
        let done = delete.bind(id.0).bind(photo).execute(&mut *connection).await?;
        let update =
            sqlx::query::<Db>("UPDATE photos SET comment_count = comment_count - ? WHERE id = ?");
        let gone = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
        update.bind(gone).bind(photo).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn delete_follows(connection: &mut Connection, id: UserId) -> Result<(), SqlError> {
    let followed = sqlx::query_scalar::<Db, i64>("SELECT followee FROM follows WHERE follower = ?");
    let followed = followed.bind(id.0).fetch_all(&mut *connection).await?;
    for followed in followed.chunks(INSERT_ROWS_MAX) {
        let head = "UPDATE users SET follower_count = follower_count - 1 WHERE id IN (";
        with_ids(head, followed.iter().copied(), ")").build().execute(&mut *connection).await?;
    }
    let followers =
        sqlx::query_scalar::<Db, i64>("SELECT follower FROM follows WHERE followee = ?");
    let followers = followers.bind(id.0).fetch_all(&mut *connection).await?;
    for followers in followers.chunks(INSERT_ROWS_MAX) {
        let head = "UPDATE users SET following_count = following_count - 1 WHERE id IN (";
        with_ids(head, followers.iter().copied(), ")").build().execute(&mut *connection).await?;
    }
    let delete = sqlx::query::<Db>("DELETE FROM follows WHERE follower = ?");
    delete.bind(id.0).execute(&mut *connection).await?;
    let delete = sqlx::query::<Db>("DELETE FROM follows WHERE followee = ?");
    delete.bind(id.0).execute(connection).await?;
    Ok(())
}

/// `head`, then the ids as parameters, then `tail`.
pub(crate) fn with_ids(
    head: &'static str,
    ids: impl Iterator<Item = i64>,
    tail: &'static str,
) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::<Db>::new(head);
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id);
    }
    list.push_unseparated(tail);
    query
}
