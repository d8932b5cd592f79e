//! Uploads past this server (`--uploads presigned`): a slot for the browser to put a picture into, and what the upload form then does with it.
//!
//! Query budget: slot 1 (`user`); the form that follows is that of `upload`. An upload's key holds the id of whoever is logged in, so that
//! nobody can name somebody else's. The picture is looked at where it lies, and its tag is kept: what is copied to the original is what was
//! looked at, or nothing. Whatever becomes of the form, the upload goes; what no form ever names goes by the bucket's lifecycle rule.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::upload::{Refusal, Stopped, too_large};
use super::versions::account;
use super::{Form, LoggedIn};
use crate::assets::AssetKey;
use crate::assets::slots::{Arrived, Slots, UploadId};
use crate::error::{AppError, AppResult};
use crate::imaging::{self, ImagingError, Probe, probe};
use crate::model::{PictureFormat, UserId};
use crate::state::AppState;

/// What is read of an upload at first. Headers with a preview and an Exif segment have some 64 KiB, with a profile and XMP hardly ever
/// as much as 256; where they have more, all is read.
const START_BYTES: u64 = 256 * 1024;

/// Media types that people do try to upload, so that the refusal can name them.
const OTHER_TYPES: [(&str, &str); 10] = [
    ("image/gif", "GIF"),
    ("image/bmp", "BMP"),
    ("image/tiff", "TIFF or camera raw"),
    ("image/avif", "AVIF"),
    ("image/heic", "HEIC"),
    ("image/heif", "HEIC"),
    ("image/svg+xml", "SVG"),
    ("image/jxl", "JPEG XL"),
    ("application/pdf", "PDF"),
    ("video/", "video"),
];

/// What somebody wants to upload.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    bytes: u64,
    content_type: String,
}

/// POST /upload/slots
pub async fn open(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Form(wanted): Form<Wanted>,
) -> AppResult<Response> {
    let Some(slots) = &state.slots else { return Err(AppError::NotFound("this address")) };
    let user = account(&state, &viewer).await?;
    if let Err(Refusal { status, message }) = check(&wanted, state.config.upload_bytes_max) {
        return Ok((status, Json(json!({ "mistake": message }))).into_response());
    }
    let id = UploadId::random(state.clock.as_ref());
    let key = AssetKey::Upload { author: user.id, id };
    let slot = slots.open(&key, wanted.bytes, &wanted.content_type).await?;
    let headers: serde_json::Map<_, _> =
        slot.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let answer = json!({ "upload": id.to_string(), "url": slot.url, "headers": headers });
    Ok(Json(answer).into_response())
}

/// What can be said before a byte has been sent, in the words that would be said afterwards.
fn check(wanted: &Wanted, bytes_max: u64) -> Result<(), Refusal> {
    if wanted.bytes == 0 {
        return Err(Refusal::invalid(super::upload::NO_PICTURE));
    }
    if wanted.bytes > bytes_max {
        return Err(too_large(bytes_max));
    }
    let given = wanted.content_type.as_str();
    let formats = [PictureFormat::Jpeg, PictureFormat::Png, PictureFormat::Webp];
    if formats.iter().any(|format| format.content_type() == given) {
        return Ok(());
    }
    let named = OTHER_TYPES.iter().find(|(start, _)| given.starts_with(start));
    let mistake = match named {
        Some((_, found)) => ImagingError::UnsupportedFormat { found },
        None => ImagingError::NotAPicture,
    };
    Err(Refusal::invalid(mistake.to_string()))
}

/// An upload that may become a photo.
pub(super) struct Seen {
    /// Where it lies.
    pub(super) key: AssetKey,
    /// Whether it is still what was looked at.
    pub(super) tag: String,
    /// What its headers say.
    pub(super) probe: Probe,
}

/// Looks at the viewer's own upload of this id; refuses it as a picture in the form would be.
pub(super) async fn look_at(state: &AppState, author: UserId, id: &str) -> Result<Seen, Stopped> {
    let (Some(slots), Ok(id)) = (&state.slots, id.parse()) else { return Err(missing().into()) };
    let key = AssetKey::Upload { author, id };
    let bytes_max = state.config.upload_bytes_max;
    let mut arrived = read(slots.as_ref(), &key, START_BYTES.min(bytes_max), bytes_max).await?;
    let start = if arrived.is_whole() {
        Some(imaging::probe(&arrived.bytes, &state.limits))
    } else {
        probe::probe_start(&arrived.bytes, &state.limits)
    };
    let probed = match start {
        Some(probed) => probed,
        None => {
            // The tag is that of these bytes: something else may lie there by now.
            arrived = read(slots.as_ref(), &key, bytes_max, bytes_max).await?;
            imaging::probe(&arrived.bytes, &state.limits)
        }
    };
    let probe = probed.map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(Seen { key, tag: arrived.tag, probe })
}

async fn read(
    slots: &dyn Slots,
    key: &AssetKey,
    wanted: u64,
    bytes_max: u64,
) -> Result<Arrived, Stopped> {
    let arrived = slots.look(key, wanted).await.map_err(AppError::from)?;
    let arrived = arrived.ok_or_else(missing)?;
    // Signed sizes are within the limit; it may have been lowered since.
    if arrived.bytes_total > bytes_max {
        return Err(too_large(bytes_max).into());
    }
    Ok(arrived)
}

/// Stores what was looked at as `original`, without its bytes coming through this server.
pub(super) async fn keep(
    state: &AppState,
    seen: &Seen,
    original: &AssetKey,
) -> Result<(), Stopped> {
    let slots = state.slots.as_ref().ok_or_else(missing)?;
    let kept = slots.keep(&seen.key, &seen.tag, original).await.map_err(AppError::from)?;
    if kept { Ok(()) } else { Err(missing().into()) }
}

/// It was never put, has been removed, or something else took its place.
fn missing() -> Refusal {
    Refusal::invalid("The picture did not arrive. Choose it again.")
}

/// Removes the viewer's upload of this id, whether a photo was made of it or not. What cannot be removed now goes by the lifecycle rule.
pub(super) async fn discard(state: &AppState, author: UserId, id: &str) {
    let (Some(_), Ok(id)) = (&state.slots, id.parse()) else { return };
    if let Err(error) = state.assets.delete(&AssetKey::Upload { author, id }).await {
        tracing::warn!(cause = crate::error::chain(&error), "an upload was left to its lifecycle");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: u64, content_type: &str) -> Option<(u16, String)> {
        let wanted = Wanted { bytes, content_type: content_type.to_owned() };
        let mistake = check(&wanted, 64 << 20).err()?;
        Some((mistake.status.as_u16(), mistake.message))
    }

    #[test]
    fn what_would_be_refused_afterwards_is_refused_before() {
        for content_type in ["image/jpeg", "image/png", "image/webp"] {
            assert_eq!(refused(64 << 20, content_type), None, "{content_type}");
        }
        for (bytes, content_type, status, words) in [
            (0, "image/png", 422, "Choose a picture first"),
            ((64 << 20) + 1, "image/png", 413, "larger than 64 MB"),
            (9, "image/gif", 422, "This is a GIF file"),
            (9, "video/mp4", 422, "This is a video file"),
            (9, "image/jpeg; charset=x", 422, "not a picture"),
            (9, "", 422, "not a picture"),
        ] {
            let (found, message) = refused(bytes, content_type).expect("refused");
            assert_eq!(found, status, "{content_type}");
            assert!(message.contains(words), "{content_type}: {message}");
        }
    }
}
