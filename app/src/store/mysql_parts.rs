//! Parts of verbs on one server, for stores over several: a followed person on one shard and the follower on another, an
//! author list instead of a join, names reserved apart from accounts, and how far a replica has come.

use std::collections::HashMap;

use crate::model::{Author, Comment, CommentId, Page, PhotoCard, PhotoId, User, UserId};
use crate::store::gtid::{Position, ServerKind};
use crate::store::sql::{
    AuthorRow, CardRow, CommentRow, NOBODY, SqlError, all, feed_query, reading, writing,
};
use crate::store::{StoreError, StoreResult, clamp_limit};

use super::removal::with_ids;
use super::{Backend, Connection, Db, removal, writes};

/// Which end of a follow lives on this server, and so is counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowEnd {
    Follower,
    Followee,
}

impl Backend {
    /// One end of [`set_follow`](crate::store::Store::set_follow): the row, and the count of whoever lives here.
    pub(crate) async fn set_follow_end(
        &self,
        follower: UserId,
        followee: UserId,
        (on, at_ms): (bool, i64),
        end: FollowEnd,
    ) -> StoreResult<bool> {
        writing!(self, "change one end of a follow", c => follow_end(c, follower, followee, (on, at_ms), end))
    }

    /// Whom this person follows. 1 statement: a range of the primary key.
    pub(crate) async fn followees(&self, follower: UserId) -> StoreResult<Vec<UserId>> {
        reading!(self, "read who is followed", c => async {
            let rows = sqlx::query_scalar::<Db, i64>("SELECT followee FROM follows WHERE follower = ?");
            let ids: Vec<i64> = rows.bind(follower.0).fetch_all(c).await?;
            Ok(ids.into_iter().map(UserId).collect())
        })
    }

    /// The newest photos of these authors. 1 statement.
    pub(crate) async fn page_of_authors(
        &self,
        authors: &[UserId],
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        reading!(self, "read photos of authors", c => page_of_authors(c, authors, viewer, before, limit))
    }

    /// A page of comments whose authors live elsewhere: with their ids only. 1 statement.
    pub(crate) async fn comments_without_names(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        reading!(self, "read comments", c => async {
            let limit = clamp_limit(limit);
            let rows = sqlx::query_as::<Db, CommentRow>(
                "SELECT id, photo, author, '' AS author_name, '' AS author_display_name, body, \
                 created_at_ms FROM comments WHERE photo = ? AND id < ? ORDER BY id DESC LIMIT ?",
            );
            let rows = rows.bind(photo.0).bind(before.map_or(i64::MAX, |before| before.0));
            let rows = rows.bind(limit as i64 + 1).fetch_all(c).await?;
            let comments = rows.into_iter().map(Comment::from).collect();
            Ok(Page::cut(comments, limit, |comment: &Comment| comment.id.0))
        })
    }

    /// Those of these people who live here. 1 statement.
    pub(crate) async fn authors(&self, ids: &[UserId]) -> StoreResult<HashMap<UserId, Author>> {
        reading!(self, "read authors", c => async {
            let head = "SELECT id, name, display_name FROM users WHERE id IN (";
            let mut query = with_ids(head, ids.iter().map(|id| id.0), ")");
            let rows = query.build_query_as::<AuthorRow>().fetch_all(c).await?;
            Ok(rows.into_iter().map(Author::from).map(|author| (author.id, author)).collect())
        })
    }

    /// Removes the traces of somebody who lives elsewhere.
    pub(crate) async fn delete_traces(&self, id: UserId) -> StoreResult<()> {
        writing!(self, "remove traces of an account", c => removal::delete_traces(c, id))
    }

    /// Reserves the name for the account; none when it is free now, else who has it and since when.
    pub(crate) async fn reserve_name(&self, user: &User) -> StoreResult<Option<(UserId, i64)>> {
        writing!(self, "reserve a name", c => reserve_name(c, user))
    }

    /// Moves a reservation whose account never came; false when somebody else was faster.
    pub(crate) async fn take_name_over(&self, from: UserId, to: &User) -> StoreResult<bool> {
        writing!(self, "take a name over", c => async {
            let update = sqlx::query::<Db>(
                "UPDATE names SET user_id = ?, reserved_at_ms = ? WHERE name = ? AND user_id = ?",
            );
            let update = update.bind(to.id.0).bind(to.created_at_ms).bind(&to.name).bind(from.0);
            Ok(update.execute(c).await?.rows_affected() == 1)
        })
    }

    /// Gives the name back if it is this account's.
    pub(crate) async fn release_name(&self, name: &str, id: UserId) -> StoreResult<()> {
        writing!(self, "release a name", c => async {
            let delete = sqlx::query::<Db>("DELETE FROM names WHERE name = ? AND user_id = ?");
            delete.bind(name).bind(id.0).execute(c).await?;
            Ok(())
        })
    }

    /// Writes many reservations at once.
    pub(crate) async fn load_names(&self, users: &[&User]) -> StoreResult<()> {
        writing!(self, "write names", c => async {
            for users in users.chunks(crate::store::sql::INSERT_ROWS_MAX) {
                let mut insert = sqlx::QueryBuilder::<Db>::new(
                    "INSERT INTO names (name, user_id, reserved_at_ms) ",
                );
                insert.push_values(users, |mut row, user| {
                    row.push_bind(user.name.clone()).push_bind(user.id.0);
                    row.push_bind(user.created_at_ms);
                });
                insert.build().execute(&mut *c).await?;
            }
            Ok(())
        })
    }

    /// Whose name it is. 1 statement.
    pub(crate) async fn owner_of_name(&self, name: &str) -> StoreResult<Option<UserId>> {
        reading!(self, "read a name", c => async {
            let row = sqlx::query_scalar::<Db, i64>("SELECT user_id FROM names WHERE name = ?");
            Ok(row.bind(name).fetch_optional(c).await?.map(UserId))
        })
    }

    /// What this server wrote (primary) or replayed (replica); none where it does not number its transactions, so that nobody
    /// can count them: MySQL with `gtid_mode` off.
    pub(crate) async fn position(&self, replica: bool) -> StoreResult<Option<Position>> {
        let kind = *self.kind.get_or_try_init(|| self.ask_for_kind()).await?;
        let text = match (kind, replica) {
            (ServerKind::MariaDb, false) => "SELECT @@gtid_binlog_pos",
            (ServerKind::MariaDb, true) => "SELECT @@gtid_slave_pos",
            // One set holds what was written here and what was replayed. While GTIDs are off it is empty, which is no lag of 0.
            (ServerKind::Mysql, _) => "SELECT IF(@@gtid_mode = 'ON', @@global.gtid_executed, NULL)",
        };
        let text = reading!(self, "read the replication position", c => async {
            Ok(sqlx::query_scalar::<Db, Option<String>>(text).fetch_one(c).await?)
        })?;
        Ok(text.map(|text| Position { kind, text }))
    }

    async fn ask_for_kind(&self) -> StoreResult<ServerKind> {
        reading!(self, "read the server's version", c => async {
            let version = sqlx::query_scalar::<Db, String>("SELECT VERSION()").fetch_one(c).await?;
            Ok(ServerKind::of_version(&version))
        })
    }
}

async fn follow_end(
    connection: &mut Connection,
    follower: UserId,
    followee: UserId,
    (on, at_ms): (bool, i64),
    end: FollowEnd,
) -> Result<bool, SqlError> {
    if !writes::change_follow(connection, follower, followee, on, at_ms).await? {
        return Ok(false);
    }
    let step = if on { 1 } else { -1 };
    let (here, person) = match end {
        FollowEnd::Follower => {
            (writes::count_following(connection, follower, step).await?, follower)
        }
        FollowEnd::Followee => {
            (writes::count_follower(connection, followee, step).await?, followee)
        }
    };
    if on && !here { Err(StoreError::missing_user(person).into()) } else { Ok(true) }
}

async fn page_of_authors(
    connection: &mut Connection,
    authors: &[UserId],
    viewer: Option<UserId>,
    before: Option<PhotoId>,
    limit: usize,
) -> Result<Page<PhotoCard>, SqlError> {
    const AROUND: &str = feed_query!("STRAIGHT_JOIN", "{}");
    let limit = clamp_limit(limit);
    let (head, tail) = AROUND.split_once("{}").expect("the braces stand above");
    let mut query = sqlx::QueryBuilder::<Db>::new(head);
    query.push("SELECT p.id FROM photos p FORCE INDEX (photos_by_author) WHERE p.author IN (");
    let mut list = query.separated(", ");
    for author in authors {
        list.push_bind(author.0);
    }
    query.push(") AND p.progress = 'ready' AND p.id < ");
    query.push_bind(before.map_or(i64::MAX, |before| before.0));
    query.push(" ORDER BY p.id DESC LIMIT ").push_bind(limit as i64 + 1);
    let (likes, order) = tail.split_once('?').expect("the viewer's place");
    query.push(likes).push_bind(viewer.map_or(NOBODY, |viewer| viewer.0)).push(order);
    let rows = query.build_query_as::<CardRow>().fetch_all(connection).await?;
    Ok(Page::cut(all(rows)?, limit, |card: &PhotoCard| card.photo.id.0))
}

async fn reserve_name(
    connection: &mut Connection,
    user: &User,
) -> Result<Option<(UserId, i64)>, SqlError> {
    let insert = sqlx::query::<Db>(
        "INSERT IGNORE INTO names (name, user_id, reserved_at_ms) VALUES (?, ?, ?)",
    );
    let insert = insert.bind(&user.name).bind(user.id.0).bind(user.created_at_ms);
    if insert.execute(&mut *connection).await?.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query_as::<Db, (i64, i64)>(
        "SELECT user_id, reserved_at_ms FROM names WHERE name = ?",
    );
    let (id, at_ms) = row.bind(&user.name).fetch_one(connection).await?;
    Ok(Some((UserId(id), at_ms)))
}
