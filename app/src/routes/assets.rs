//! Renditions from this server's own folder. With an object store pages link past this route, which then knows nothing.
//!
//! Query budget: none. A rendition's bytes never change under its URL, so its ETag is made from the URL: no hashing, and
//! "not modified" without touching the disk. Originals have no URL: their keys are refused here before anything is read.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Path;
use super::validators::Known;
use crate::assets::AssetKey;
use crate::config::AssetsSetting;
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// GET /assets/{*path}
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let missing = || AppError::NotFound("this picture");
    if !matches!(state.config.assets, AssetsSetting::Local { .. }) {
        return Err(missing());
    }
    let key = AssetKey::from_path(&path).filter(AssetKey::is_public).ok_or_else(missing)?;
    let AssetKey::Rendition { version, width, format, .. } = key else { return Err(missing()) };
    let format = format.picture_format().as_str();
    let etag = HeaderValue::from_str(&format!("\"{version}-{width}-{format}\""))
        .map_err(|_| AppError::NotFound("this picture"))?;
    let known = Known::of(&headers).tag(&etag);
    let mut response = match known {
        Some(_) => StatusCode::NOT_MODIFIED.into_response(),
        None => {
            let bytes = state.assets.get(&key).await?.ok_or_else(missing)?;
            state.telemetry.counters.add("assets.served_bytes", bytes.len() as u64);
            bytes.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(key.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(key.cache_control()));
    headers.insert(header::ETAG, etag);
    Ok(response)
}
