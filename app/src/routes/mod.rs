//! The pages, a file per family, and what they share: who is looking, forms and ids that explain their mistakes.
//!
//! Each file opens with its query budget: how many store verbs one request of each page may use. Tests hold them to it.
//! From here a request goes to the traits in `store`, `assets` and `jobs`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;

use crate::config::ClientAddress;
use crate::error::AppError;
use crate::session::{COOKIE_NAME, Viewer};
use crate::state::AppState;

pub mod account;
pub mod assets;
pub mod explore;
pub mod health;
pub mod home;
pub mod people;
pub mod photo;
pub mod renewal;
pub mod slots;
pub mod social;
pub mod static_files;
pub mod upload;
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

/// Whose login attempts these are.
pub struct Client(pub IpAddr);

impl FromRequestParts<AppState> for Client {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let forwarded = || {
            let last = parts.headers.get_all("x-forwarded-for").iter().next_back()?;
            last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        let address = match state.config.client_address {
            ClientAddress::Forwarded => forwarded().or(peer),
            ClientAddress::Peer => peer,
        };
        Ok(Self(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// The page on this site that a form was on, as path and query.
pub fn local_referer(headers: &HeaderMap) -> Option<String> {
    let referer: http::Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    (referer.authority()?.as_str() == host)
        .then(|| referer.path_and_query().map(|target| target.to_string()))?
}

/// Only addresses of this site: a path, and none that a browser would read as another host.
pub fn local_target(next: &str) -> &str {
    let local =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r']);
    if local { next } else { "/" }
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

/// Whether the person's browser came by HTTPS. Behind a balancer that ends TLS this header says so; a client that forges it harms
/// only itself.
pub fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

/// The Set-Cookie header of a session, or of its end.
pub fn session_cookie(headers: &HeaderMap, value: Option<&str>) -> HeaderValue {
    let secure = if is_https(headers) { "; Secure" } else { "" };
    let (value, age_s) = match value {
        Some(value) => (value, crate::session::LIFETIME_S),
        None => ("", 0),
    };
    let cookie =
        format!("{COOKIE_NAME}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).expect("session values are base64url or hex")
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

/// Text from a form: line ends as in Unix, no spaces around.
pub fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_this_site() {
        assert_eq!(local_target("/p/1?x=y"), "/p/1?x=y");
        for elsewhere in ["//evil.test", "https://evil.test", "/\\evil.test", "", "javascript:x"] {
            assert_eq!(local_target(elsewhere), "/");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(session_value(&headers), None);
        let line = HeaderValue::from_static("a=b; session=abc.def; sessions=x");
        headers.insert(header::COOKIE, line);
        assert_eq!(session_value(&headers), Some("abc.def"));
    }

    #[test]
    fn a_referer_counts_only_from_here() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("photos.test:8080"));
        let mut from = |url: &'static str| {
            headers.insert(header::REFERER, HeaderValue::from_static(url));
            local_referer(&headers)
        };
        assert_eq!(from("http://photos.test:8080/?before=1").as_deref(), Some("/?before=1"));
        assert_eq!(from("http://evil.test/"), None);
    }
}
