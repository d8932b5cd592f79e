//! What people do to each other's photos: like, comment, follow.
//!
//! Query budget: like 1 (`set_like`), comment 2 (`user`, `add_comment`), delete a comment 1, follow 2 (`profile`,
//! `set_follow`). Forms are answered with 303 back to the page; a script that asks for JSON gets the new state instead.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::versions::account;
use super::{Form, LoggedIn, Path, back, see_other, wants_json};
use crate::error::{AppError, AppResult};
use crate::letters::clean;
use crate::model::{Comment, CommentId, PhotoId};
use crate::state::AppState;

/// Longest comment, in characters.
const COMMENT_CHARS_MAX: usize = 1_000;

/// Whether something is to be so.
#[derive(Debug, Deserialize)]
pub struct Switch {
    on: bool,
}

/// POST /p/{photo}/like
pub async fn like(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    headers: HeaderMap,
    Form(switch): Form<Switch>,
) -> AppResult<Response> {
    let now_ms = state.clock.now_ms();
    let outcome = state.store.set_like(photo, viewer.id, switch.on, now_ms).await?;
    if wants_json(&headers) {
        let body = serde_json::json!({ "on": switch.on, "like_count": outcome.like_count });
        return Ok(axum::Json(body).into_response());
    }
    Ok(back(&headers, &format!("/p/{photo}")))
}

/// What is said.
#[derive(Debug, Deserialize)]
pub struct CommentForm {
    #[serde(default)]
    body: String,
}

/// POST /p/{photo}/comments
pub async fn comment(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    Form(form): Form<CommentForm>,
) -> AppResult<Response> {
    let body = clean(&form.body);
    let length = body.chars().count();
    if length == 0 || length > COMMENT_CHARS_MAX {
        let mistake = if length == 0 {
            "A comment needs at least one word.".to_owned()
        } else {
            format!("A comment may have {COMMENT_CHARS_MAX} characters; this one has {length}.")
        };
        return super::photo::show_with_draft(&state, viewer, photo, &form.body, &mistake).await;
    }
    let now_ms = state.clock.now_ms();
    let id = CommentId::new(now_ms.unsigned_abs(), state.clock.random());
    let author = account(&state, &viewer).await?.into();
    let comment = Comment { id, photo, author, body, created_at_ms: now_ms };
    state.store.add_comment(&comment).await?;
    Ok(see_other(&format!("/p/{photo}#comments")))
}

/// POST /p/{photo}/comments/{comment}/delete
pub async fn delete_comment(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path((photo, comment)): Path<(PhotoId, CommentId)>,
) -> AppResult<Response> {
    if !state.store.delete_comment(photo, comment, viewer.id).await? {
        return Err(AppError::NotFound("this comment"));
    }
    Ok(see_other(&format!("/p/{photo}#comments")))
}

/// POST /u/{name}/follow
pub async fn follow(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(name): Path<String>,
    headers: HeaderMap,
    Form(switch): Form<Switch>,
) -> AppResult<Response> {
    let person = state.store.profile(&name).await?;
    let person = person.ok_or(AppError::NotFound("this person"))?;
    if person.id == viewer.id {
        return Err(AppError::invalid(
            "Nobody follows themselves: your own photos are in your feed anyway.",
        ));
    }
    let now_ms = state.clock.now_ms();
    let changed = state.store.set_follow(viewer.id, person.id, switch.on, now_ms).await?;
    if wants_json(&headers) {
        let step = i64::from(changed) * if switch.on { 1 } else { -1 };
        let follower_count = person.follower_count + step;
        let body = serde_json::json!({ "on": switch.on, "follower_count": follower_count });
        return Ok(axum::Json(body).into_response());
    }
    Ok(back(&headers, &format!("/u/{name}")))
}
