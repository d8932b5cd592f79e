//! The pages, a file per family, and what they share: who is looking, forms and ids that explain their mistakes. Which addresses are this
//! site's own is in `origin`, what a balancer says in `forwarded`, what a client has already in `validators`.
//!
//! Each file opens with its query budget: how many store verbs one request of each page may use. Tests hold them to it.
//! From here a request goes to the traits in `store`, `assets` and `jobs`.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;

use self::forwarded::is_https;
use self::origin::local_referer;
use crate::error::AppError;
use crate::session::{COOKIE_NAME, Viewer};
use crate::state::AppState;

pub mod account;
pub mod assets;
pub mod explore;
pub mod forwarded;
pub mod health;
pub mod home;
pub mod origin;
pub mod people;
pub mod photo;
pub mod renewal;
pub mod slots;
pub mod social;
pub mod static_files;
pub mod upload;
pub mod validators;
pub mod versions;

/// Who is looking, if anybody is logged in.
pub struct MaybeViewer(pub Option<Viewer>);

/// Who is logged in; otherwise the answer leads to the login page and back.
pub struct LoggedIn(pub Viewer);

/// A form; what cannot be read is answered with a page, not with a bare sentence.
pub struct Form<T>(pub T);

/// The parameters in the path; what does not fit is an address that does not exist.
pub struct Path<T>(pub T);

/// The parameters after the question mark, likewise.
pub struct Query<T>(pub T);

/// What has just been done, as the address says after a redirect: `?done=saved`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// The sentence for it; none for a word that the page does not have.
    pub fn words(&self, known: &[(&str, &'static str)]) -> Option<&'static str> {
        known.iter().find(|(word, _)| *word == self.done).map(|(_, words)| *words)
    }
}

/// The value of the session cookie.
pub fn session_value(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim_start().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME && !value.is_empty()).then_some(value))
}

impl FromRequestParts<AppState> for MaybeViewer {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match session_value(&parts.headers) {
            Some(value) => Ok(Self(state.sessions.find(value).await?)),
            None => Ok(Self(None)),
        }
    }
}

impl FromRequestParts<AppState> for LoggedIn {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let MaybeViewer(viewer) = MaybeViewer::from_request_parts(parts, state).await?;
        if let Some(viewer) = viewer {
            return Ok(Self(viewer));
        }
        let next = if parts.method == http::Method::POST {
            local_referer(&parts.headers).unwrap_or_else(|| "/".to_owned())
        } else {
            parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
        };
        Err(AppError::LoginNeeded { next })
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Form<T> {
    type Rejection = AppError;
    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(FormRejection::BytesRejection(error)) if error.status() == 413 => {
                Err(AppError::TooLarge)
            }
            Err(_) => Err(AppError::invalid(
                "The form did not arrive as this page sends it. Go back, reload the page and try again.",
            )),
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(AppError::NotFound("this address")),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(_) => Err(AppError::NotFound("this address")),
        }
    }
}

/// 303 to where the form was sent from, or to `otherwise`.
pub fn back(headers: &HeaderMap, otherwise: &str) -> Response {
    let target = local_referer(headers);
    see_other(target.as_deref().unwrap_or(otherwise))
}

/// 303.
pub fn see_other(target: &str) -> Response {
    Redirect::to(target).into_response()
}

/// Whether a script asks and wants data rather than a page.
pub fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"))
}

/// The Set-Cookie header of a session.
pub fn session_cookie(headers: &HeaderMap, value: &str) -> HeaderValue {
    let secure = if is_https(headers) { "; Secure" } else { "" };
    let age_s = crate::session::LIFETIME_S;
    let cookie =
        format!("{COOKIE_NAME}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).expect("session values are base64url or hex")
}

/// The Set-Cookie header of a session's end. Without `Secure`, which only says where a cookie with a value may go.
pub fn no_session_cookie() -> HeaderValue {
    HeaderValue::from_static("session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
}

/// Percent-encodes what may not stand in a query.
pub fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(session_value(&headers), None);
        let line = HeaderValue::from_static("a=b; session=abc.def; sessions=x");
        headers.insert(header::COOKIE, line);
        assert_eq!(session_value(&headers), Some("abc.def"));
    }
}
