//! Likes and comments: each is one item in the photo's partition, written together with the photo's counter.
//!
//! A mark under the person (`liked#`, `commented#`) is written first, outside the transaction, so that the transaction stays in
//! one partition and the removal of an account still finds everything. A mark without a like or comment means nothing.

use super::calls::{Reading, Table};
use super::items::{CommentedItem, MarkItem, PhotoItem, decode, encode};
use super::keys::{Key, Span, photo_partition, prefix};
use super::writes::{ABSENT, Action, EXISTS};
use crate::model::{Comment, CommentId, Page, PhotoId, UserId};
use crate::store::{LikeOutcome, StoreError, StoreResult};

/// Three calls to like (mark, like and counter, the new count), two to withdraw.
pub(super) async fn set_like(
    table: &Table,
    photo: PhotoId,
    user: UserId,
    on: bool,
    at_ms: i64,
) -> StoreResult<LikeOutcome> {
    const VERB: &str = "like or unlike a photo";
    let key = Key::like(photo, user);
    let mark = MarkItem { at_ms };
    let (like, by) = if on {
        table.put(VERB, encode(&Key::liked(user, photo), &mark)?).await?;
        (Action::put(encode(&key, &mark)?).when(ABSENT), 1)
    } else {
        // The mark stays: taking it away here could overtake a like that is on its way.
        (Action::delete(key).when(EXISTS), -1)
    };
    let count = Action::count(Key::photo(photo), "like_count", by);
    let outcome = table.transact(VERB, vec![like, count]).await?;
    if outcome.refused(1) {
        return Err(StoreError::missing_photo(photo));
    }
    let counted: Option<PhotoItem> = table.get(VERB, Key::photo(photo)).await?;
    let like_count = counted.ok_or_else(|| StoreError::missing_photo(photo))?.photo.like_count;
    Ok(LikeOutcome { changed: outcome.done(), like_count })
}

/// Two calls: the mark, then comment and counter.
pub(super) async fn add_comment(table: &Table, comment: &Comment) -> StoreResult<()> {
    const VERB: &str = "add a comment";
    let mark = Key::commented(comment.author.id, comment.id);
    table.put(VERB, encode(&mark, &CommentedItem { photo: comment.photo })?).await?;
    let key = Key::comment(comment.photo, comment.id);
    let actions = vec![
        Action::put(encode(&key, comment)?).when(ABSENT),
        Action::count(Key::photo(comment.photo), "comment_count", 1),
    ];
    let outcome = table.transact(VERB, actions).await?;
    if outcome.refused(1) {
        return Err(StoreError::missing_photo(comment.photo));
    }
    if outcome.refused(0) {
        return Err(StoreError::Conflict { what: format!("comment {}", comment.id) });
    }
    Ok(())
}

/// One call.
pub(super) async fn comments(
    table: &Table,
    photo: PhotoId,
    before: Option<CommentId>,
    limit: usize,
) -> StoreResult<Page<Comment>> {
    let before = before.map(|id| id.0);
    let Some(span) = Span::below(photo_partition(photo), prefix::COMMENT, before) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let reading = Reading::NEWEST_CONSISTENT;
    let found = table.query("read comments", span, reading, limit + 1).await?;
    let items: Vec<Comment> = found.into_iter().map(decode).collect::<StoreResult<_>>()?;
    Ok(Page::cut(items, limit, |comment| comment.id.0))
}

/// Three calls: whose it is, comment and counter, the mark.
pub(super) async fn delete_comment(
    table: &Table,
    photo: PhotoId,
    comment: CommentId,
    author: UserId,
) -> StoreResult<bool> {
    const VERB: &str = "delete a comment";
    let key = Key::comment(photo, comment);
    match table.get::<Comment>(VERB, key.clone()).await? {
        Some(found) if found.author.id == author => {}
        _ => return Ok(false),
    }
    let actions = vec![
        Action::delete(key).when(EXISTS),
        Action::count(Key::photo(photo), "comment_count", -1),
    ];
    if !table.transact(VERB, actions).await?.done() {
        return Ok(false);
    }
    table.delete(VERB, Key::commented(author, comment)).await?;
    Ok(true)
}
