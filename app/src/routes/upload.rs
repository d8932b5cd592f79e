//! A new photo: the form, and what becomes of the picture that arrives.
//!
//! Query budget: page 1 (`user`), upload 2 and what its job does (`user`, `add_photo`). The order is what keeps files and
//! rows in step: original stored -> row added (preparing) -> job submitted. A crash leaves an original that nothing leads
//! to, or a row that the sweep finishes. The body streams in under a limit and is held in memory once; `state` bounds how
//! many at a time. In place of the picture the form may name an upload that a browser has put into a slot (`slots`): then the original is
//! a copy made by the object store, in the same order, and the upload is removed last. Next: `jobs::renditions`.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::photo::{remove_assets, words_mistake};
use super::slots::{self, Seen};
use super::versions::{account, checked_filter, new_version, submit};
use super::{LoggedIn, see_other};
use crate::assets::AssetKey;
use crate::error::{AppError, AppResult};
use crate::imaging::{self, Probe};
use crate::letters::clean;
use crate::model::{Photo, PhotoId, Plan, Progress, User};
use crate::state::AppState;
use crate::templates::{FilterChoice, UploadPage, page_with};
use crate::unread;

/// The text fields together: caption and description at up to 4 bytes a character, and their neighbours.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Boundaries and headers of a multipart body beside its fields' contents.
const MULTIPART_OVERHEAD_BYTES: u64 = 64 * 1024;

/// When nothing was chosen, or a file without a byte.
pub(super) const NO_PICTURE: &str = "Choose a picture first: a JPEG, PNG or WebP file.";

/// What was sent.
#[derive(Debug, Default)]
struct Sent {
    picture: Option<Bytes>,
    upload: Option<String>,
    caption: String,
    alt: String,
    filter: String,
    strength: Option<String>,
}

/// Where the picture is.
enum Source {
    /// It came with the form.
    Form(Bytes),
    /// It lies in a slot.
    Slot(Seen),
}

/// Why an upload is not accepted: a status and a sentence for the page.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

/// Why there is no photo.
pub(super) enum Stopped {
    /// By a mistake that the page tells.
    Refused(Refusal),
    /// By a failure.
    Failed(AppError),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AppError> for Stopped {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Invalid { message } => Self::Refused(Refusal::invalid(message)),
            error => Self::Failed(error),
        }
    }
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }
}

/// GET /upload
pub async fn page(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
) -> AppResult<Response> {
    let user = account(&state, &viewer).await?;
    show(&state, &user, &Sent::default(), None)
}

fn show(
    state: &AppState,
    user: &User,
    sent: &Sent,
    refusal: Option<Refusal>,
) -> AppResult<Response> {
    let (filter, strength) =
        checked_filter(&sent.filter, sent.strength.as_deref()).unwrap_or(("original", 100));
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let page = UploadPage {
        viewer: Some(&user.into()),
        free: user.plan == Plan::Free,
        choice: FilterChoice::new(filter, strength, None),
        caption: &sent.caption,
        alt: &sent.alt,
        mistake: refusal.as_ref().map(|refusal| refusal.message.as_str()),
        megabytes_max: megabytes(state.config.upload_bytes_max),
        megapixels_max: state.limits.pixels_max / 1_000_000,
        photo_megapixels_max: state.limits.streamed_pixels_max / 1_000_000,
        bytes_max: state.config.upload_bytes_max,
        presigned: state.slots.is_some(),
    };
    page_with(status, &page)
}

fn megabytes(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}

/// POST /upload
pub async fn upload(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    request: Request,
) -> AppResult<Response> {
    let user = account(&state, &viewer).await?;
    // Without a length it may become as large as any.
    let length = request.body().size_hint().upper().unwrap_or(u64::MAX);
    let place = state.places.take(length.min(state.config.upload_bytes_max)).await?;
    let (mut sent, received) = receive(&state, request).await;
    // In a task of its own: a browser that goes away, or a request that is given up, leaves nothing half done.
    let work = tokio::spawn(async move {
        let outcome = match received {
            Ok(()) => publish(&state, &user, &mut sent).await,
            Err(refusal) => Err(refusal.into()),
        };
        if let Some(upload) = &sent.upload {
            slots::discard(&state, user.id, upload).await;
        }
        drop(place);
        (state, user, sent, outcome)
    });
    let (state, user, sent, outcome) = work.await?;
    match outcome {
        Ok(photo) => Ok(see_other(&format!("/p/{photo}"))),
        Err(Stopped::Refused(refusal)) => show(&state, &user, &sent, Some(refusal)),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

/// Reads the body under its limits. What was read so far comes back even when something is wrong, so that the page
/// keeps what was typed.
async fn receive(state: &AppState, request: Request) -> (Sent, Result<(), Refusal>) {
    let mut sent = Sent::default();
    let mut multipart = match Multipart::from_request(request, state).await {
        Ok(multipart) => multipart,
        Err(_) => {
            let message =
                "The form did not arrive as this page sends it. Choose the picture again.";
            return (sent, Err(Refusal::invalid(message)));
        }
    };
    let bytes_max = state.config.upload_bytes_max;
    let mut text_bytes = 0;
    let mut outcome = Ok(());
    let mut drained = 0;
    loop {
        let mut field = match multipart.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(error) => {
                outcome = outcome.and(Err(broken(&error)));
                break;
            }
        };
        let name = field.name().unwrap_or_default().to_owned();
        let limit = match name.as_str() {
            "picture" => bytes_max + MULTIPART_OVERHEAD_BYTES,
            _ => (TEXT_BYTES_MAX - text_bytes) as u64,
        };
        let bytes = match read(&mut field, limit, &mut drained).await {
            Ok(bytes) => bytes,
            Err(error) => {
                outcome = outcome.and(Err(broken(&error)));
                break;
            }
        };
        match (name.as_str(), bytes) {
            ("picture", Some(bytes)) if bytes.len() as u64 <= bytes_max => {
                state.telemetry.counters.add("assets.received_bytes", bytes.len() as u64);
                sent.picture = Some(bytes);
            }
            ("picture", _) => outcome = outcome.and(Err(too_large(bytes_max))),
            (_, None) => {
                let message = "The texts are too long. Shorten the caption or the description.";
                outcome = outcome.and(Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)));
            }
            (name, Some(bytes)) => {
                text_bytes += bytes.len();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                match name {
                    "caption" => sent.caption = clean(&text),
                    "alt" => sent.alt = clean(&text),
                    "filter" => sent.filter = text,
                    "strength" => sent.strength = Some(text),
                    "upload" => sent.upload = Some(text),
                    _ => {}
                }
            }
        }
        if drained > unread::BYTES_MAX {
            break;
        }
    }
    (sent, outcome)
}

/// A field's bytes; none when there are more than `limit`, the rest then being read and dropped: the words may stand behind it.
async fn read(
    field: &mut Field<'_>,
    limit: u64,
    drained: &mut u64,
) -> Result<Option<Bytes>, MultipartError> {
    let mut bytes = Vec::new();
    let mut over = false;
    while let Some(chunk) = field.chunk().await? {
        if over || (bytes.len() + chunk.len()) as u64 > limit {
            over = true;
            bytes = Vec::new();
            *drained += chunk.len() as u64;
            if *drained > unread::BYTES_MAX {
                break;
            }
            continue;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((!over).then(|| bytes.into()))
}

fn broken(error: &MultipartError) -> Refusal {
    tracing::debug!(%error, "an upload broke off");
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "The upload broke off before everything had arrived. Please send it again.",
    )
}

pub(super) fn too_large(bytes_max: u64) -> Refusal {
    let message = format!(
        "This file is larger than {} MB. Save a smaller copy and try again.",
        megabytes(bytes_max)
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// From what was sent to a photo that is kept, or the first reason against it.
async fn publish(state: &AppState, user: &User, sent: &mut Sent) -> Result<PhotoId, Stopped> {
    let choice =
        checked_filter(&sent.filter, sent.strength.as_deref()).map_err(Refusal::invalid)?;
    if let Some(mistake) = words_mistake(&sent.caption, &sent.alt) {
        return Err(Refusal::invalid(mistake).into());
    }
    let (source, probe) = match (sent.picture.take(), &sent.upload) {
        (Some(bytes), _) if !bytes.is_empty() => {
            let probe = imaging::probe(&bytes, &state.limits)
                .map_err(|error| Refusal::invalid(error.to_string()))?;
            (Source::Form(bytes), probe)
        }
        (_, Some(upload)) => {
            let seen = slots::look_at(state, user.id, upload).await?;
            let probe = seen.probe;
            (Source::Slot(seen), probe)
        }
        (_, None) => return Err(Refusal::invalid(NO_PICTURE).into()),
    };
    let photo = new_photo(state, user, sent, &probe);
    let id = photo.id;
    keep(state, photo, source, choice, user.plan).await?;
    Ok(id)
}

fn new_photo(state: &AppState, user: &User, sent: &Sent, probe: &Probe) -> Photo {
    let now_ms = state.clock.now_ms();
    Photo {
        id: PhotoId::for_author(user.id, now_ms.unsigned_abs(), state.clock.random()),
        author: user.id,
        caption: sent.caption.clone(),
        alt: sent.alt.clone(),
        width: probe.width,
        height: probe.height,
        format: probe.format,
        published_version: crate::model::VersionId(0),
        progress: Progress::Preparing,
        created_at_ms: now_ms,
        ready_at_us: None,
        like_count: 0,
        comment_count: 0,
    }
}

/// Original, row, job, in this order; whatever fails takes back what came before it.
async fn keep(
    state: &AppState,
    mut photo: Photo,
    source: Source,
    choice: (&str, u8),
    plan: Plan,
) -> Result<(), Stopped> {
    let version = new_version(state, &photo, choice, plan);
    photo.published_version = version.id;
    let original = AssetKey::Original { photo: photo.id, format: photo.format };
    match source {
        Source::Form(bytes) => {
            state.assets.put(&original, bytes).await.map_err(AppError::from)?;
        }
        Source::Slot(seen) => slots::keep(state, &seen, &original).await?,
    }
    if let Err(error) = state.store.add_photo(&photo, &version).await {
        remove_assets(state, &photo, &[]).await;
        return Err(AppError::from(error).into());
    }
    let Err(error) = submit(state, &version).await else { return Ok(()) };
    match state.store.delete_photo(photo.id).await {
        Ok(_) => remove_assets(state, &photo, &[version]).await,
        Err(cleaning) => {
            // The row stays, so the assets must stay as well: the sweep tries again.
            let cause = crate::error::chain(&cleaning);
            tracing::warn!(photo.id = %photo.id, cause, "a failed photo was left behind");
        }
    }
    Err(error.into())
}
