//! One photo: its page, its progress, its words, its removal. Its versions are in `versions`.
//!
//! Query budget: photo 3 (`photo`, `comments`, and `versions` for the owner or `is_following` for anybody else who is
//! logged in), status 1 (`photo`), edit 2 (`photo`, `edit_photo`), delete 2 (`photo`, `delete_photo`).

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::versions::{Told, edit_page_with};
use super::{Form, LoggedIn, MaybeViewer, Path, Query, see_other};
use crate::assets::{AssetKey, rendition_keys};
use crate::error::{AppError, AppResult};
use crate::imaging::filters;
use crate::letters::clean;
use crate::model::{CommentId, Photo, PhotoCard, PhotoId, Progress, Version};
use crate::session::Viewer;
use crate::state::AppState;
use crate::templates::{
    Avatar, CardView, CommentView, Moment, PhotoPage, Picture, VersionView, page_with,
};

/// Longest caption, in characters.
pub const CAPTION_CHARS_MAX: usize = 2_000;
/// Longest description, in characters.
pub const ALT_CHARS_MAX: usize = 500;
/// Comments on one page.
const COMMENTS: usize = 50;
/// The photo page shows the picture up to about 1,000 CSS pixels wide.
const PHOTO_WIDTH: u32 = 1_080;
/// Versions are shown small.
const VERSION_WIDTH: u32 = 320;

/// Where the comments go on.
#[derive(Debug, Default, Deserialize)]
pub struct CommentCursor {
    comments_before: Option<CommentId>,
}

/// GET /p/{photo}
pub async fn show(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    Path(photo): Path<PhotoId>,
    Query(cursor): Query<CommentCursor>,
) -> AppResult<Response> {
    let view = View { before: cursor.comments_before, ..View::default() };
    show_as(&state, viewer, photo, view).await
}

/// The page again, with a comment that was refused and why.
pub async fn show_with_draft(
    state: &AppState,
    viewer: Viewer,
    photo: PhotoId,
    draft: &str,
    mistake: &str,
) -> AppResult<Response> {
    let view = View { before: None, draft, mistake: Some(mistake) };
    show_as(state, Some(viewer), photo, view).await
}

#[derive(Default)]
struct View<'a> {
    before: Option<CommentId>,
    draft: &'a str,
    mistake: Option<&'a str>,
}

async fn show_as(
    state: &AppState,
    viewer: Option<Viewer>,
    photo: PhotoId,
    view: View<'_>,
) -> AppResult<Response> {
    let viewer_id = viewer.as_ref().map(|viewer| viewer.id);
    let card =
        state.store.photo(photo, viewer_id).await?.ok_or(AppError::NotFound("this photo"))?;
    let own = viewer_id == Some(card.author.id);
    // Until it is ready a photo exists for its author only.
    if card.photo.progress != Progress::Ready && !own {
        return Err(AppError::NotFound("this photo"));
    }
    let comments = state.store.comments(photo, view.before, COMMENTS).await?;
    let versions = if own { state.store.versions(photo).await? } else { Vec::new() };
    let following = match viewer_id {
        Some(viewer_id) if !own => state.store.is_following(viewer_id, card.author.id).await?,
        _ => false,
    };
    let comment_view = |comment| CommentView::of(comment, viewer_id);
    let older = |id: i64| format!("/p/{photo}?comments_before={}#comments", CommentId(id));
    let status = match view.mistake {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = PhotoPage {
        viewer: viewer.as_ref(),
        card: CardView::of(&card, 0, PHOTO_WIDTH, state.assets.as_ref()),
        following,
        own,
        comments: comments.items.iter().map(comment_view).collect(),
        older_comments: comments.next.map(older),
        versions: version_views(state, &card.photo, &versions),
        draft: view.draft,
        mistake: view.mistake,
    };
    page_with(status, &page)
}

impl<'a> CommentView<'a> {
    fn of(comment: &'a crate::model::Comment, viewer: Option<crate::model::UserId>) -> Self {
        Self {
            comment,
            avatar: Avatar::of(&comment.author.name, &comment.author.display_name),
            moment: Moment::of(comment.created_at_ms),
            own: viewer == Some(comment.author.id),
        }
    }
}

/// The versions of a photo as its owner sees them.
pub fn version_views<'a>(
    state: &AppState,
    photo: &Photo,
    versions: &'a [Version],
) -> Vec<VersionView<'a>> {
    let view = |version: &'a Version| VersionView {
        version,
        label: filters::by_name(&version.filter).map_or("Retired filter", |filter| filter.label),
        picture: Picture::of(photo, version.id, VERSION_WIDTH, state.assets.as_ref()),
        published: version.id == photo.published_version,
        moment: Moment::of(version.created_at_ms),
    };
    versions.iter().map(view).collect()
}

/// GET /p/{photo}/status
pub async fn status(
    State(state): State<AppState>,
    Path(photo): Path<PhotoId>,
) -> AppResult<Response> {
    let card = state.store.photo(photo, None).await?.ok_or(AppError::NotFound("this photo"))?;
    let body = serde_json::json!({
        "progress": card.photo.progress.as_str(),
        "ready_at_us": card.photo.ready_at_us,
    });
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, axum::Json(body)).into_response())
}

/// The viewer's own photo; somebody else's is refused.
pub async fn own_photo(state: &AppState, viewer: &Viewer, photo: PhotoId) -> AppResult<PhotoCard> {
    let card = state.store.photo(photo, Some(viewer.id)).await?;
    let card = card.ok_or(AppError::NotFound("this photo"))?;
    if card.author.id != viewer.id {
        return Err(AppError::Forbidden("This photo belongs to somebody else."));
    }
    Ok(card)
}

/// The words of a photo.
#[derive(Debug, Deserialize)]
pub struct WordsForm {
    #[serde(default)]
    caption: String,
    #[serde(default)]
    alt: String,
}

/// What is wrong with a caption or a description, if anything.
pub fn words_mistake(caption: &str, alt: &str) -> Option<String> {
    let (caption, alt) = (caption.chars().count(), alt.chars().count());
    if caption > CAPTION_CHARS_MAX {
        return Some(format!(
            "A caption may have {CAPTION_CHARS_MAX} characters; this one has {caption}."
        ));
    }
    (alt > ALT_CHARS_MAX)
        .then(|| format!("A description may have {ALT_CHARS_MAX} characters; this one has {alt}."))
}

/// POST /p/{photo}/edit
pub async fn edit(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    Form(form): Form<WordsForm>,
) -> AppResult<Response> {
    own_photo(&state, &viewer, photo).await?;
    let (caption, alt) = (clean(&form.caption), clean(&form.alt));
    if let Some(mistake) = words_mistake(&caption, &alt) {
        let words = Some((caption.as_str(), alt.as_str()));
        let told = Told { mistake: Some(&mistake), words, ..Told::default() };
        return edit_page_with(&state, viewer, photo, told).await;
    }
    state.store.edit_photo(photo, &caption, &alt).await?;
    Ok(see_other(&format!("/p/{photo}/edit?done=words")))
}

/// POST /p/{photo}/delete
pub async fn delete(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
) -> AppResult<Response> {
    own_photo(&state, &viewer, photo).await?;
    if let Some((photo, versions)) = state.store.delete_photo(photo).await? {
        remove_assets(&state, &photo, &versions).await;
    }
    Ok(see_other(&format!("/u/{}?done=deleted", viewer.name)))
}

/// Removes the original and all renditions. What cannot be removed is logged and left: no row leads to it any more.
pub async fn remove_assets(state: &AppState, photo: &Photo, versions: &[Version]) {
    for version in versions {
        remove_renditions(state, photo, version).await;
    }
    remove(state, AssetKey::Original { photo: photo.id, format: photo.format }).await;
}

/// Removes the renditions of one version.
pub async fn remove_renditions(state: &AppState, photo: &Photo, version: &Version) {
    for key in rendition_keys(photo.id, photo.width, version.id) {
        remove(state, key).await;
    }
}

async fn remove(state: &AppState, key: AssetKey) {
    if let Err(error) = state.assets.delete(&key).await {
        tracing::warn!(cause = crate::error::chain(&error), "an asset was left behind");
    }
}
