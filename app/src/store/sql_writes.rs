//! The writing verbs in SQL, each inside one transaction of its caller. Compiled once for SQLite and once for MariaDB.
//!
//! Counts are moved by the statement's own affected rows: a like that was there already moves nothing. Rows that
//! many people write (a photo's counts) are updated last and by one atomic statement, so that their lock is short.

use sqlx::QueryBuilder;

use crate::model::{
    Comment, CommentId, Photo, PhotoId, Progress, User, UserId, Version, VersionId,
};
use crate::store::sql::{
    INSERT_ROWS_MAX, PhotoRow, SqlError, VersionRow, all, is_orphan, is_taken, maybe, photo_columns,
};
use crate::store::{LikeOutcome, Population, StoreError, UserChange};

use super::{Connection, Db, reads};

/// The outcome of an INSERT whose key may be taken or whose parent may be gone.
fn inserted<T>(
    outcome: Result<T, sqlx::Error>,
    taken: impl FnOnce() -> String,
    orphan: impl FnOnce() -> StoreError,
) -> Result<T, SqlError> {
    outcome.map_err(|error| match error {
        error if is_taken(&error) => SqlError::Outcome(StoreError::Conflict { what: taken() }),
        error if is_orphan(&error) => SqlError::Outcome(orphan()),
        error => SqlError::Driver(error),
    })
}

/// 1 statement.
pub(crate) async fn create_user(connection: &mut Connection, user: &User) -> Result<(), SqlError> {
    let mut insert = insert_users(std::slice::from_ref(user));
    let outcome = insert.build().execute(connection).await;
    inserted(outcome, || format!("name {}", user.name), || StoreError::missing_user(user.id))
        .map(|_| ())
}

fn insert_users(users: &[User]) -> QueryBuilder<Db> {
    let mut insert = QueryBuilder::<Db>::new(
        "INSERT INTO users (id, name, display_name, password_hash, plan, created_at_ms, \
         photo_count, follower_count, following_count) ",
    );
    insert.push_values(users, |mut row, user| {
        row.push_bind(user.id.0).push_bind(user.name.clone()).push_bind(user.display_name.clone());
        row.push_bind(user.password_hash.clone()).push_bind(user.plan.as_str());
        row.push_bind(user.created_at_ms).push_bind(user.photo_count);
        row.push_bind(user.follower_count).push_bind(user.following_count);
    });
    insert
}

/// 1 statement.
pub(crate) async fn update_user(
    connection: &mut Connection,
    id: UserId,
    change: &UserChange,
) -> Result<(), SqlError> {
    let update = sqlx::query::<Db>(
        "UPDATE users SET plan = COALESCE(?, plan), password_hash = COALESCE(?, password_hash), \
         display_name = COALESCE(?, display_name) WHERE id = ?",
    );
    let update = update.bind(change.plan.map(|plan| plan.as_str())).bind(&change.password_hash);
    let done = update.bind(&change.display_name).bind(id.0).execute(connection).await?;
    if done.rows_affected() == 0 { Err(StoreError::missing_user(id).into()) } else { Ok(()) }
}

/// 3 statements when something changes, 1 when not.
pub(crate) async fn set_follow(
    connection: &mut Connection,
    follower: UserId,
    followee: UserId,
    on: bool,
    at_ms: i64,
) -> Result<bool, SqlError> {
    if !change_follow(connection, follower, followee, on, at_ms).await? {
        return Ok(false);
    }
    let step = if on { 1 } else { -1 };
    if !count_following(connection, follower, step).await? && on {
        return Err(StoreError::missing_user(follower).into());
    }
    if !count_follower(connection, followee, step).await? && on {
        return Err(StoreError::missing_user(followee).into());
    }
    Ok(true)
}

/// 1 statement: the row alone. True when it changed.
pub(crate) async fn change_follow(
    connection: &mut Connection,
    follower: UserId,
    followee: UserId,
    on: bool,
    at_ms: i64,
) -> Result<bool, SqlError> {
    if !on {
        let delete = sqlx::query::<Db>("DELETE FROM follows WHERE follower = ? AND followee = ?");
        let done = delete.bind(follower.0).bind(followee.0).execute(connection).await?;
        return Ok(done.rows_affected() == 1);
    }
    let insert =
        sqlx::query::<Db>("INSERT INTO follows (follower, followee, at_ms) VALUES (?, ?, ?)");
    match insert.bind(follower.0).bind(followee.0).bind(at_ms).execute(connection).await {
        Ok(_) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) if is_orphan(&error) => Err(StoreError::missing_user(followee).into()),
        Err(error) => Err(error.into()),
    }
}

/// 1 statement. False when the person is not here.
pub(crate) async fn count_following(
    connection: &mut Connection,
    follower: UserId,
    step: i64,
) -> Result<bool, SqlError> {
    let update =
        sqlx::query::<Db>("UPDATE users SET following_count = following_count + ? WHERE id = ?");
    Ok(update.bind(step).bind(follower.0).execute(connection).await?.rows_affected() == 1)
}

/// 1 statement. False when the person is not here.
pub(crate) async fn count_follower(
    connection: &mut Connection,
    followee: UserId,
    step: i64,
) -> Result<bool, SqlError> {
    let update =
        sqlx::query::<Db>("UPDATE users SET follower_count = follower_count + ? WHERE id = ?");
    Ok(update.bind(step).bind(followee.0).execute(connection).await?.rows_affected() == 1)
}

/// 2 statements.
pub(crate) async fn add_photo(
    connection: &mut Connection,
    photo: &Photo,
    first: &Version,
) -> Result<(), SqlError> {
    let outcome = insert_photos(&[photo]).build().execute(&mut *connection).await;
    inserted(outcome, || format!("photo {}", photo.id), || StoreError::missing_user(photo.author))?;
    let outcome = insert_versions(&[first]).build().execute(connection).await;
    inserted(outcome, || format!("version {}", first.id), || StoreError::missing_photo(photo.id))
        .map(|_| ())
}

fn insert_photos(photos: &[&Photo]) -> QueryBuilder<Db> {
    let mut insert = QueryBuilder::<Db>::new(
        "INSERT INTO photos (id, author, caption, alt, width, height, format, published_version, \
         progress, created_at_ms, ready_at_us, like_count, comment_count) ",
    );
    insert.push_values(photos, |mut row, photo| {
        row.push_bind(photo.id.0).push_bind(photo.author.0).push_bind(photo.caption.clone());
        row.push_bind(photo.alt.clone()).push_bind(i64::from(photo.width));
        row.push_bind(i64::from(photo.height)).push_bind(photo.format.as_str());
        row.push_bind(photo.published_version.0).push_bind(photo.progress.as_str());
        row.push_bind(photo.created_at_ms).push_bind(photo.ready_at_us);
        row.push_bind(photo.like_count).push_bind(photo.comment_count);
    });
    insert
}

fn insert_versions(versions: &[&Version]) -> QueryBuilder<Db> {
    let mut insert = QueryBuilder::<Db>::new(
        "INSERT INTO versions (photo, id, filter, strength, watermarked, progress, created_at_ms) ",
    );
    insert.push_values(versions, |mut row, version| {
        row.push_bind(version.photo.0).push_bind(version.id.0).push_bind(version.filter.clone());
        row.push_bind(i64::from(version.strength)).push_bind(i64::from(version.watermarked));
        row.push_bind(version.progress.as_str()).push_bind(version.created_at_ms);
    });
    insert
}

/// 2 statements; the first holds the photo against its removal.
pub(crate) async fn add_version(
    connection: &mut Connection,
    version: &Version,
) -> Result<(), SqlError> {
    lock_photo(connection, version.photo).await?;
    let outcome = insert_versions(&[version]).build().execute(connection).await;
    let missing = || StoreError::missing_photo(version.photo);
    inserted(outcome, || format!("version {}", version.id), missing).map(|_| ())
}

/// 1 statement that changes nothing and takes the row's lock until the transaction ends, in both databases.
async fn lock_photo(connection: &mut Connection, photo: PhotoId) -> Result<(), SqlError> {
    let update = sqlx::query::<Db>("UPDATE photos SET progress = progress WHERE id = ?");
    let done = update.bind(photo.0).execute(connection).await?;
    if done.rows_affected() == 0 { Err(StoreError::missing_photo(photo).into()) } else { Ok(()) }
}

/// 4 statements for the first success, 3 when repeated.
pub(crate) async fn finish_version(
    connection: &mut Connection,
    photo: PhotoId,
    version: VersionId,
    outcome: Progress,
    at_us: i64,
) -> Result<(), SqlError> {
    lock_photo(connection, photo).await?;
    let update = sqlx::query::<Db>(
        "UPDATE versions SET progress = CASE WHEN progress = 'ready' THEN progress ELSE ? END \
         WHERE photo = ? AND id = ?",
    );
    let done = update.bind(outcome.as_str()).bind(photo.0).bind(version.0);
    if done.execute(&mut *connection).await?.rows_affected() == 0 {
        return Err(StoreError::missing_version(version).into());
    }
    let ready_at_us = (outcome == Progress::Ready).then_some(at_us);
    let update = sqlx::query::<Db>(
        "UPDATE photos SET progress = ?, ready_at_us = COALESCE(ready_at_us, ?) \
         WHERE id = ? AND published_version = ? AND progress <> 'ready'",
    );
    let update = update.bind(outcome.as_str()).bind(ready_at_us).bind(photo.0).bind(version.0);
    let changed = update.execute(&mut *connection).await?.rows_affected() == 1;
    if changed && outcome == Progress::Ready {
        count_photo_of_author(connection, photo).await?;
    }
    Ok(())
}

/// 1 statement: the author of a photo that has just become ready has one more.
async fn count_photo_of_author(
    connection: &mut Connection,
    photo: PhotoId,
) -> Result<(), SqlError> {
    let update = sqlx::query::<Db>(
        "UPDATE users SET photo_count = photo_count + 1 \
         WHERE id = (SELECT author FROM photos WHERE id = ?)",
    );
    update.bind(photo.0).execute(connection).await?;
    Ok(())
}

/// 4 statements; 5 when a failed photo becomes ready by it.
pub(crate) async fn publish_version(
    connection: &mut Connection,
    photo: PhotoId,
    version: VersionId,
) -> Result<(), SqlError> {
    lock_photo(connection, photo).await?;
    let ready = sqlx::query_scalar::<Db, i64>(
        "SELECT id FROM versions WHERE photo = ? AND id = ? AND progress = 'ready'",
    );
    let ready = ready.bind(photo.0).bind(version.0).fetch_optional(&mut *connection).await?;
    ready.ok_or_else(|| StoreError::missing_version(version))?;
    let publish = sqlx::query::<Db>("UPDATE photos SET published_version = ? WHERE id = ?");
    publish.bind(version.0).bind(photo.0).execute(&mut *connection).await?;
    let list = sqlx::query::<Db>(
        "UPDATE photos SET progress = 'ready' WHERE id = ? AND progress <> 'ready'",
    );
    if list.bind(photo.0).execute(&mut *connection).await?.rows_affected() == 1 {
        count_photo_of_author(connection, photo).await?;
    }
    Ok(())
}

/// 4 statements.
pub(crate) async fn delete_version(
    connection: &mut Connection,
    photo: PhotoId,
    version: VersionId,
) -> Result<Version, SqlError> {
    lock_photo(connection, photo).await?;
    let row = sqlx::query_as::<Db, VersionRow>(
        "SELECT id, photo, filter, strength, watermarked, progress, created_at_ms \
         FROM versions WHERE photo = ? AND id = ?",
    );
    let row = row.bind(photo.0).bind(version.0).fetch_optional(&mut *connection).await?;
    let found: Version = maybe(row)?.ok_or_else(|| StoreError::missing_version(version))?;
    let published =
        sqlx::query_scalar::<Db, i64>("SELECT published_version FROM photos WHERE id = ?");
    if published.bind(photo.0).fetch_one(&mut *connection).await? == version.0 {
        let what = format!("version {version} is the published one: its place");
        return Err(StoreError::Conflict { what }.into());
    }
    let delete = sqlx::query::<Db>("DELETE FROM versions WHERE photo = ? AND id = ?");
    delete.bind(photo.0).bind(version.0).execute(connection).await?;
    Ok(found)
}

/// 1 statement.
pub(crate) async fn edit_photo(
    connection: &mut Connection,
    id: PhotoId,
    caption: &str,
    alt: &str,
) -> Result<(), SqlError> {
    let update = sqlx::query::<Db>("UPDATE photos SET caption = ?, alt = ? WHERE id = ?");
    let done = update.bind(caption).bind(alt).bind(id.0).execute(connection).await?;
    if done.rows_affected() == 0 { Err(StoreError::missing_photo(id).into()) } else { Ok(()) }
}

/// 8 statements.
pub(crate) async fn delete_photo(
    connection: &mut Connection,
    id: PhotoId,
) -> Result<Option<(Photo, Vec<Version>)>, SqlError> {
    match lock_photo(connection, id).await {
        Err(SqlError::Outcome(StoreError::Missing { .. })) => return Ok(None),
        outcome => outcome?,
    }
    let row = sqlx::query_as::<Db, PhotoRow>(concat!(
        "SELECT ",
        photo_columns!(),
        " FROM photos p WHERE p.id = ?"
    ));
    let photo: Option<Photo> = maybe(row.bind(id.0).fetch_optional(&mut *connection).await?)?;
    let Some(photo) = photo else { return Ok(None) };
    let versions = reads::versions(connection, id).await?;
    super::removal::delete_photo_rows(connection, &[id]).await?;
    if photo.progress == Progress::Ready {
        let update =
            sqlx::query::<Db>("UPDATE users SET photo_count = photo_count - 1 WHERE id = ?");
        update.bind(photo.author.0).execute(connection).await?;
    }
    Ok(Some((photo, versions)))
}

/// 3 statements when something changes, 2 when not.
pub(crate) async fn set_like(
    connection: &mut Connection,
    photo: PhotoId,
    user: UserId,
    on: bool,
    at_ms: i64,
) -> Result<LikeOutcome, SqlError> {
    let changed = if on {
        let insert =
            sqlx::query::<Db>("INSERT INTO likes (photo, user_id, at_ms) VALUES (?, ?, ?)");
        match insert.bind(photo.0).bind(user.0).bind(at_ms).execute(&mut *connection).await {
            Ok(_) => true,
            Err(error) if is_taken(&error) => false,
            Err(error) if is_orphan(&error) => return Err(StoreError::missing_photo(photo).into()),
            Err(error) => return Err(error.into()),
        }
    } else {
        let delete = sqlx::query::<Db>("DELETE FROM likes WHERE photo = ? AND user_id = ?");
        let done = delete.bind(photo.0).bind(user.0).execute(&mut *connection).await?;
        done.rows_affected() == 1
    };
    if changed {
        let update =
            sqlx::query::<Db>("UPDATE photos SET like_count = like_count + ? WHERE id = ?");
        update.bind(if on { 1 } else { -1 }).bind(photo.0).execute(&mut *connection).await?;
    }
    let count = sqlx::query_scalar::<Db, i64>("SELECT like_count FROM photos WHERE id = ?");
    let count = count.bind(photo.0).fetch_optional(connection).await?;
    Ok(LikeOutcome { changed, like_count: count.ok_or_else(|| StoreError::missing_photo(photo))? })
}

/// 2 statements.
pub(crate) async fn add_comment(
    connection: &mut Connection,
    comment: &Comment,
) -> Result<(), SqlError> {
    let update =
        sqlx::query::<Db>("UPDATE photos SET comment_count = comment_count + 1 WHERE id = ?");
    let done = update.bind(comment.photo.0).execute(&mut *connection).await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::missing_photo(comment.photo).into());
    }
    let outcome = insert_comments(std::slice::from_ref(comment)).build().execute(connection).await;
    let orphan = || StoreError::missing_user(comment.author.id);
    inserted(outcome, || format!("comment {}", comment.id), orphan).map(|_| ())
}

fn insert_comments(comments: &[Comment]) -> QueryBuilder<Db> {
    let mut insert =
        QueryBuilder::<Db>::new("INSERT INTO comments (photo, id, author, body, created_at_ms) ");
    insert.push_values(comments, |mut row, comment| {
        row.push_bind(comment.photo.0).push_bind(comment.id.0).push_bind(comment.author.id.0);
        row.push_bind(comment.body.clone()).push_bind(comment.created_at_ms);
    });
    insert
}

/// 2 statements when it was there, 1 when not.
pub(crate) async fn delete_comment(
    connection: &mut Connection,
    photo: PhotoId,
    comment: CommentId,
    author: UserId,
) -> Result<bool, SqlError> {
    let delete =
        sqlx::query::<Db>("DELETE FROM comments WHERE photo = ? AND id = ? AND author = ?");
    let delete = delete.bind(photo.0).bind(comment.0).bind(author.0);
    if delete.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let update =
        sqlx::query::<Db>("UPDATE photos SET comment_count = comment_count - 1 WHERE id = ?");
    update.bind(photo.0).execute(connection).await?;
    Ok(true)
}

/// One statement per thousand rows of each table.
pub(crate) async fn load(
    connection: &mut Connection,
    population: &Population,
) -> Result<(), SqlError> {
    for users in population.users.chunks(INSERT_ROWS_MAX) {
        insert_users(users).build().execute(&mut *connection).await?;
    }
    for follows in population.follows.chunks(INSERT_ROWS_MAX) {
        let mut insert =
            QueryBuilder::<Db>::new("INSERT INTO follows (follower, followee, at_ms) ");
        insert.push_values(follows, |mut row, (follower, followee, at_ms)| {
            row.push_bind(follower.0).push_bind(followee.0).push_bind(*at_ms);
        });
        insert.build().execute(&mut *connection).await?;
    }
    for photos in population.photos.chunks(INSERT_ROWS_MAX) {
        let rows: Vec<&Photo> = photos.iter().map(|(photo, _)| photo).collect();
        insert_photos(&rows).build().execute(&mut *connection).await?;
        let rows: Vec<&Version> = photos.iter().flat_map(|(_, versions)| versions).collect();
        for versions in rows.chunks(INSERT_ROWS_MAX) {
            insert_versions(versions).build().execute(&mut *connection).await?;
        }
    }
    for likes in population.likes.chunks(INSERT_ROWS_MAX) {
        let mut insert = QueryBuilder::<Db>::new("INSERT INTO likes (photo, user_id, at_ms) ");
        insert.push_values(likes, |mut row, (photo, user, at_ms)| {
            row.push_bind(photo.0).push_bind(user.0).push_bind(*at_ms);
        });
        insert.build().execute(&mut *connection).await?;
    }
    for comments in population.comments.chunks(INSERT_ROWS_MAX) {
        insert_comments(comments).build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// All photos of a person with their versions.
pub(crate) async fn photos_of(
    connection: &mut Connection,
    author: UserId,
) -> Result<Vec<(Photo, Vec<Version>)>, SqlError> {
    let rows = sqlx::query_as::<Db, PhotoRow>(concat!(
        "SELECT ",
        photo_columns!(),
        " FROM photos p WHERE p.author = ? ORDER BY p.id DESC"
    ));
    let photos: Vec<Photo> = all(rows.bind(author.0).fetch_all(&mut *connection).await?)?;
    let mut found = Vec::with_capacity(photos.len());
    for photo in photos {
        let versions = reads::versions(connection, photo.id).await?;
        found.push((photo, versions));
    }
    Ok(found)
}
