//! What can go wrong with a request, and the page, status and log line that follow from it.
//!
//! Handlers return [`AppError`]; its answer carries the whole chain of causes to the router's outermost layer, which calls
//! [`log_failure`]: one line per failed request, here and nowhere else.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::assets::AssetError;
use crate::jobs::JobError;
use crate::password::PasswordError;
use crate::session::SessionError;
use crate::store::StoreError;
use crate::templates::ErrorPage;

/// Why a request got no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Nothing is at this address.
    #[error("{0} was not found")]
    NotFound(&'static str),
    /// The page needs a login; the answer leads there and back.
    #[error("nobody is logged in")]
    LoginNeeded {
        /// Where to return to.
        next: String,
    },
    /// Whoever the session names has no account any more; the answer ends the session here and leads to the login page.
    #[error("the account of this session is gone")]
    AccountGone,
    /// It is somebody else's.
    #[error("refused: {0}")]
    Forbidden(&'static str),
    /// What was sent cannot be used; the sentence says what to do.
    #[error("{message}")]
    Invalid {
        /// For the person who sent it.
        message: String,
    },
    /// The method does not fit the address.
    #[error("this address does not answer to this method")]
    MethodNotAllowed,
    /// The body is over the limit.
    #[error("the request is too large")]
    TooLarge,
    /// The time for one request is over.
    #[error("the request was given up after {0} ms")]
    TimedOut(u128),
    /// All places for this kind of work are taken.
    #[error("too busy: {0}")]
    Busy(&'static str),
    /// A handler panicked.
    #[error("the handler panicked: {0}")]
    Panicked(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pictures.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// The job queue.
    #[error(transparent)]
    Jobs(#[from] JobError),
    /// The sessions.
    #[error(transparent)]
    Sessions(#[from] SessionError),
    /// The password hash.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A task of the request died.
    #[error("a task of the request died")]
    Task(#[from] tokio::task::JoinError),
    /// A page could not be written.
    #[error("the page could not be written")]
    Page(#[from] askama::Error),
}

/// The result of every handler.
pub type AppResult<T> = Result<T, AppError>;

/// What a failed answer tells the outermost layer.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The error and its causes, outermost first.
    pub chain: Arc<str>,
}

/// The error and all its causes on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // A transparent wrapper repeats its source; once is enough.
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

/// The one log line of a failed request. Mistakes of the sender (4xx) are no failure of the server: debug only.
pub fn log_failure(
    request_id: &str,
    method: &axum::http::Method,
    path: &str,
    status: StatusCode,
    duration_ms: f64,
    failure: Option<&Failure>,
) {
    let cause = failure.map_or("", |failure| &failure.chain);
    let status = status.as_u16();
    if status >= 500 {
        tracing::error!(request_id, %method, path, status, duration_ms, cause, "request failed");
    } else {
        tracing::debug!(request_id, %method, path, status, duration_ms, cause, "request refused");
    }
}

impl AppError {
    /// For a form that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::Store(StoreError::Missing { .. }) => StatusCode::NOT_FOUND,
            Self::LoginNeeded { .. } | Self::AccountGone => StatusCode::SEE_OTHER,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Store(StoreError::Conflict { .. }) => StatusCode::CONFLICT,
            Self::TimedOut(_)
            | Self::Busy(_)
            | Self::Store(StoreError::Unavailable { .. })
            | Self::Assets(_)
            | Self::Jobs(_)
            | Self::Sessions(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked(_)
            | Self::Store(StoreError::Corrupt { .. })
            | Self::Password(_)
            | Self::Task(_)
            | Self::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Headline and sentence for the person in front of the page; nothing of the inside shows.
    fn words(&self) -> (&'static str, String) {
        match self.status() {
            StatusCode::NOT_FOUND => (
                "Nothing on this frame",
                "This page does not exist, or it has been removed by the person who made it.".into(),
            ),
            StatusCode::FORBIDDEN => match self {
                Self::Forbidden(why) => ("That is not allowed", (*why).to_owned()),
                _ => ("That is not allowed", String::new()),
            },
            StatusCode::UNPROCESSABLE_ENTITY => ("Please check what you sent", self.to_string()),
            StatusCode::CONFLICT => (
                "That is already taken",
                "Somebody was faster, or the form was sent twice. Go back and look again.".into(),
            ),
            StatusCode::METHOD_NOT_ALLOWED => (
                "This address works differently",
                "Use the buttons and links of the pages rather than this address directly.".into(),
            ),
            StatusCode::PAYLOAD_TOO_LARGE => (
                "That is too large",
                "What you sent is larger than this page accepts. Shorten it and try again.".into(),
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                "Out of light for a moment",
                "We could not finish this in time. Nothing is lost: please try again in a few seconds."
                    .into(),
            ),
            _ => (
                "Something went wrong on our side",
                "It has been written down and will be looked at. Please try again.".into(),
            ),
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        if let Self::LoginNeeded { next } = &self {
            let next = crate::routes::query_escape(next);
            return Redirect::to(&format!("/login?next={next}")).into_response();
        }
        if let Self::AccountGone = &self {
            // With the cookie the login page would lead back here.
            let mut response = Redirect::to("/login?next=/").into_response();
            response.headers_mut().insert(header::SET_COOKIE, crate::routes::no_session_cookie());
            return response;
        }
        let status = self.status();
        let (title, message) = self.words();
        let page = ErrorPage { viewer: None, status: status.as_u16(), title, message: &message };
        let body = page.render().unwrap_or_else(|_| format!("{title}. {message}"));
        let mut response = (status, axum::response::Html(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(Failure { chain: chain(&self).into() });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let cause = std::io::Error::other("connection refused");
        let error = AppError::from(StoreError::unavailable("read a photo page", cause));
        assert_eq!(chain(&error), "the store could not read a photo page: connection refused");
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn nothing_of_the_inside_shows_on_the_page() {
        let error = AppError::from(StoreError::Corrupt { what: "row 7 of table users".into() });
        let (_, message) = error.words();
        assert!(!message.contains("users"));
    }
}
