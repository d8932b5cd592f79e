//! The versions of one's own photo: another filter on the original, saved beside what is there; one is published.
//!
//! Query budget: edit page 3 (`photo`, `versions`, `user`), preview 2 (`photo`, `user`), new version 4 and what its job does (`photo`,
//! `user`, `versions`, `add_version`), publish 2, delete a version 2. Every version is made from the original, never from another version.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::photo::{own_photo, remove_renditions, version_views};
use super::{Done, Form, LoggedIn, Path, Query, see_other};
use crate::assets::AssetKey;
use crate::error::{AppError, AppResult};
use crate::imaging::{self, Effort, ImagingError, RenderRequest, Watermark, filters};
use crate::jobs::renditions::rendition_formats;
use crate::jobs::{Job, JobError};
use crate::model::{Photo, PhotoId, Plan, Progress, RenditionFormats, User, Version, VersionId};
use crate::session::Viewer;
use crate::state::AppState;
use crate::store::StoreError;
use crate::templates::{CardView, EditPage, FilterChoice, page_with};

/// The page shows the picture small.
const EDIT_WIDTH: u32 = 640;

/// GET /p/{photo}/edit
pub async fn edit_page(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    Query(done): Query<Done>,
) -> AppResult<Response> {
    let done = done.words(&[
        ("saved", "The new version is saved. Choose \u{201c}Show this one\u{201d} to show it to everybody."),
        ("known", "You have this look already: it is among your versions."),
        ("shown", "This version is now shown to everybody."),
        ("deleted", "The version has been deleted."),
        ("words", "The words are saved."),
    ]);
    edit_page_with(&state, viewer, photo, Told { done, ..Told::default() }).await
}

/// What the edit page tells beside what it shows.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// What has just been done.
    pub done: Option<&'a str>,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
    /// Caption and description as they were typed, where they were refused.
    pub words: Option<(&'a str, &'a str)>,
}

impl<'a> Told<'a> {
    /// Only a mistake.
    pub fn mistake(mistake: &'a str) -> Self {
        Self { mistake: Some(mistake), ..Self::default() }
    }
}

/// The page, with what is to be told.
pub async fn edit_page_with(
    state: &AppState,
    viewer: Viewer,
    photo: PhotoId,
    Told { done, mistake, words }: Told<'_>,
) -> AppResult<Response> {
    let card = own_photo(state, &viewer, photo).await?;
    let versions = state.store.versions(photo).await?;
    let user = account(state, &viewer).await?;
    let views = version_views(state, &card.photo, &versions);
    let (caption, alt) = words.unwrap_or((&card.photo.caption, &card.photo.alt));
    // The picker begins with the look that is shown.
    let shown = versions.iter().find(|version| version.id == card.photo.published_version);
    let (filter, strength) =
        shown.map_or(("original", 100), |version| (version.filter.as_str(), version.strength));
    let status = match mistake {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = EditPage {
        viewer: Some(&viewer),
        card: CardView::of(&card, 0, EDIT_WIDTH, state.assets.as_ref()),
        versions: views,
        choice: FilterChoice::new(filter, strength, Some(format!("/p/{photo}/preview"))),
        free: user.plan == Plan::Free,
        caption,
        alt,
        done,
        mistake,
    };
    page_with(status, &page)
}

/// GET /p/{photo}/preview: the owner's photo without a filter, small, for the filters to be tried on. Made for each asking, and
/// with the watermark on the free plan: nobody gets an unmarked picture from it.
pub async fn preview(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
) -> AppResult<Response> {
    let card = own_photo(&state, &viewer, photo).await?;
    let watermark = account(&state, &viewer).await?.plan == Plan::Free;
    // As an upload, it holds a picture in memory while it works.
    let place = state.places.take(state.config.upload_bytes_max).await?;
    let key = AssetKey::Original { photo, format: card.photo.format };
    let original = state.assets.get(&key).await?.ok_or(AppError::NotFound("this picture"))?;
    let limits = state.limits;
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        imaging::render(&RenderRequest {
            bytes: &original,
            filter: filters::ORIGINAL,
            strength: 100,
            watermark: Watermark::corner_if(watermark),
            widths: &[EDIT_WIDTH],
            formats: RenditionFormats::Jpeg,
            limits,
            effort: Effort::default(),
        })
    });
    let made = made.await?.map_err(|error| AppError::invalid(error.to_string()))?;
    let jpeg = made.into_iter().next().map(|rendition| rendition.jpeg).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        // Long enough for trying out filters; a change of plan shows within minutes.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=300")),
    ];
    Ok((headers, jpeg).into_response())
}

/// The viewer's account as it is now, for whatever its plan, its password or its being there decides. The session only says who it was.
pub async fn account(state: &AppState, viewer: &Viewer) -> AppResult<User> {
    state.store.user(viewer.id).await?.ok_or(AppError::AccountGone)
}

/// A filter at a strength.
#[derive(Debug, Deserialize)]
pub struct FilterForm {
    #[serde(default)]
    filter: String,
    strength: Option<String>,
}

/// The filter's name and the strength, checked; left out means all of it.
pub fn checked_filter(filter: &str, strength: Option<&str>) -> Result<(&'static str, u8), String> {
    let name = if filter.is_empty() { "original" } else { filter };
    let filter = filters::by_name(name)
        .ok_or("This filter does not exist. Choose one of the filters shown.".to_owned())?;
    let strength = match strength {
        None | Some("") => 100,
        Some(text) => match text.parse::<u8>() {
            Ok(strength) if strength <= 100 => strength,
            _ => return Err("The strength is a whole number from 0 to 100.".to_owned()),
        },
    };
    Ok((filter.name, strength))
}

/// A version to be made now.
pub fn new_version(
    state: &AppState,
    photo: &Photo,
    (filter, strength): (&str, u8),
    plan: Plan,
) -> Version {
    let now_ms = state.clock.now_ms();
    let formats = rendition_formats(state.config.renditions, photo.width, photo.height);
    Version {
        id: VersionId::for_formats(formats, now_ms.unsigned_abs(), state.clock.random()),
        photo: photo.id,
        filter: filter.to_owned(),
        strength,
        watermarked: plan == Plan::Free,
        progress: Progress::Preparing,
        created_at_ms: now_ms,
    }
}

/// POST /p/{photo}/versions
pub async fn add_version(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    Form(form): Form<FilterForm>,
) -> AppResult<Response> {
    let card = own_photo(&state, &viewer, photo).await?;
    let choice = match checked_filter(&form.filter, form.strength.as_deref()) {
        Ok(choice) => choice,
        Err(mistake) => {
            return edit_page_with(&state, viewer, photo, Told::mistake(&mistake)).await;
        }
    };
    let user = account(&state, &viewer).await?;
    let version = new_version(&state, &card.photo, choice, user.plan);
    let versions = state.store.versions(photo).await?;
    let is_same = |other: &Version| {
        other.looks_like(&version)
            && other.watermarked == version.watermarked
            && other.progress != Progress::Failed
    };
    if versions.iter().any(is_same) {
        return Ok(see_other(&format!("/p/{photo}/edit?done=known")));
    }
    // In a task of its own: a browser that goes away does not leave half a version.
    let work = tokio::spawn(make_version(state.clone(), card.photo, version));
    match work.await? {
        Ok(()) => Ok(see_other(&format!("/p/{photo}/edit?done=saved"))),
        Err(AppError::Invalid { message }) => {
            edit_page_with(&state, viewer, photo, Told::mistake(&message)).await
        }
        Err(error) => Err(error),
    }
}

async fn make_version(state: AppState, photo: Photo, version: Version) -> AppResult<()> {
    state.store.add_version(&version).await?;
    let Err(error) = submit(&state, &version).await else { return Ok(()) };
    remove_renditions(&state, &photo, &version).await;
    match state.store.delete_version(photo.id, version.id).await {
        Ok(_) | Err(StoreError::Missing { .. }) => Err(error),
        Err(cleaning) => {
            let cause = crate::error::chain(&cleaning);
            tracing::warn!(version.id = %version.id, cause, "a failed version was left behind");
            Err(error)
        }
    }
}

/// Submits the job that makes a version. A queue that cannot be reached is no failure: the row says that the version is
/// unfinished, and the next sweep hands it over. A job that ran and failed is one; if the picture is to blame, in words
/// for its owner.
pub async fn submit(state: &AppState, version: &Version) -> AppResult<()> {
    let job = Job::RenderVersion { photo: version.photo, version: version.id };
    match state.jobs.submit(&job).await {
        Ok(()) => Ok(()),
        Err(error) if error.verb != "run" => {
            let cause = crate::error::chain(&error);
            tracing::warn!(photo.id = %version.photo, version.id = %version.id, cause, "left to the sweep");
            Ok(())
        }
        Err(error) => match picture_mistake(&error) {
            Some(message) => Err(AppError::Invalid { message }),
            None => Err(error.into()),
        },
    }
}

/// The imaging error somewhere below a job's, in its own words.
fn picture_mistake(error: &JobError) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(imaging) = error.downcast_ref::<ImagingError>() {
            return Some(imaging.to_string());
        }
        cause = error.source();
    }
    None
}

/// Which version.
#[derive(Debug, Deserialize)]
pub struct VersionForm {
    version: VersionId,
}

/// POST /p/{photo}/publish
pub async fn publish(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path(photo): Path<PhotoId>,
    Form(form): Form<VersionForm>,
) -> AppResult<Response> {
    own_photo(&state, &viewer, photo).await?;
    match state.store.publish_version(photo, form.version).await {
        Ok(()) => Ok(see_other(&format!("/p/{photo}/edit?done=shown"))),
        Err(StoreError::Missing { .. }) => {
            let mistake = "That version is not ready, or it is gone.";
            edit_page_with(&state, viewer, photo, Told::mistake(mistake)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// POST /p/{photo}/versions/{version}/delete
pub async fn delete_version(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Path((photo, version)): Path<(PhotoId, VersionId)>,
) -> AppResult<Response> {
    let card = own_photo(&state, &viewer, photo).await?;
    match state.store.delete_version(photo, version).await {
        Ok(version) => {
            remove_renditions(&state, &card.photo, &version).await;
            Ok(see_other(&format!("/p/{photo}/edit?done=deleted")))
        }
        Err(StoreError::Conflict { .. }) => {
            let mistake = "This version is the one shown. Show another one first, then delete it.";
            edit_page_with(&state, viewer, photo, Told::mistake(mistake)).await
        }
        Err(error) => Err(error.into()),
    }
}
