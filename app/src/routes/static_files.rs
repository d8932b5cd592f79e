//! The style sheet, the script and the drawings: inside the binary, under names that carry their content's hash.
//!
//! Query budget: none. A changed file has a new name, hence every answer may be kept for ever. The filters' previews
//! are appended to the style sheet from the same table that `imaging` works with, so that they cannot differ.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Path;
use super::validators::{Known, VARIES};
use crate::error::{AppError, AppResult};
use crate::imaging::filters;

/// Hash digits in a name: 48 bits, and a file has a handful of versions in its life.
const HASH_DIGITS: usize = 12;
const FOREVER: &str = "public, max-age=31536000, immutable";

struct StaticFile {
    name: &'static str,
    /// `/static/app.0123456789ab.css`
    url: String,
    content_type: &'static str,
    etag: HeaderValue,
    bytes: Bytes,
}

static FILES: LazyLock<Vec<StaticFile>> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let mut style = include_str!("../../static/app.css").to_owned();
    for filter in filters::ALL {
        write!(style, ".look-{}{{filter:{}}}", filter.name, filter.css(100))
            .expect("writing to a String cannot fail");
        if let Some(background) = filter.vignette_css() {
            write!(style, ".vignette-{}{{background:{background}}}", filter.name)
                .expect("writing to a String cannot fail");
        }
    }
    vec![
        file("app.css", css, style.into_bytes()),
        file("app.js", script, include_bytes!("../../static/app.js").to_vec()),
        file("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg").to_vec()),
        file("icons.svg", "image/svg+xml", include_bytes!("../../static/icons.svg").to_vec()),
        file("sample.svg", "image/svg+xml", include_bytes!("../../static/sample.svg").to_vec()),
    ]
});

fn file(name: &'static str, content_type: &'static str, bytes: Vec<u8>) -> StaticFile {
    let hash = &hex::encode(Sha256::digest(&bytes))[..HASH_DIGITS];
    let (stem, extension) = name.split_once('.').unwrap_or((name, "bin"));
    let etag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hex digits fit a header");
    let url = format!("/static/{stem}.{hash}.{extension}");
    StaticFile { name, url, content_type, etag, bytes: bytes.into() }
}

/// The address of a file of this module; asking for one that does not exist is a slip in a template, found by its test.
pub fn url(name: &str) -> &'static str {
    let found = FILES.iter().find(|file| file.name == name);
    &found.expect("templates name files of this module").url
}

/// GET /static/{file}
pub async fn show(Path(file): Path<String>, headers: HeaderMap) -> AppResult<Response> {
    let matches = |known: &&StaticFile| known.url.strip_prefix("/static/") == Some(&file);
    let found = FILES.iter().find(matches).ok_or(AppError::NotFound("this file"))?;
    Ok(answer(found, &headers, FOREVER))
}

/// GET /favicon.ico, for clients that do not read the page's link.
pub async fn favicon(headers: HeaderMap) -> AppResult<Response> {
    let icon = FILES.iter().find(|file| file.name == "icon.svg");
    let icon = icon.ok_or(AppError::NotFound("the icon"))?;
    Ok(answer(icon, &headers, "public, max-age=86400"))
}

/// GET /robots.txt
pub async fn robots() -> Response {
    "User-agent: *\nDisallow: /account\nDisallow: /login\nDisallow: /search\n".into_response()
}

fn answer(file: &StaticFile, headers: &HeaderMap, cache_control: &'static str) -> Response {
    let known = Known::of(headers).tag(&file.etag);
    let mut response = match known {
        Some(_) => (StatusCode::NOT_MODIFIED, [(header::VARY, VARIES)]).into_response(),
        None => file.bytes.clone().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(header::ETAG, known.unwrap_or_else(|| file.etag.clone()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_of_the_contents() {
        let first = file("a.css", "text/css", b"one".to_vec());
        let second = file("a.css", "text/css", b"two".to_vec());
        assert_ne!(first.url, second.url);
        assert!(first.url.starts_with("/static/a.") && first.url.ends_with(".css"));
    }

    #[test]
    fn the_style_sheet_knows_every_filter() {
        let style = FILES.iter().find(|file| file.name == "app.css").map(|file| file.bytes.clone());
        let style = String::from_utf8_lossy(&style.unwrap_or_default()).into_owned();
        for filter in filters::ALL {
            assert!(style.contains(&format!(".look-{}{{filter:", filter.name)), "{}", filter.name);
        }
    }
}
