//! Whether an answer is what was asked for, and what to call it when it is not: the words are the open-loop driver's where both know
//! the case. Redirects are followed before: what is judged is the page that a user ends on.

use bytes::Bytes;
use reqwest::StatusCode;

use crate::causes::causes;
use crate::driver::is_whole;

/// What a right answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A whole page.
    Page,
    /// A whole page, and another one than the form's own: the form again means that it was refused.
    LoggedIn,
    /// The page of a photo.
    Photo,
    /// A whole JPEG.
    Picture,
}

/// An answer as a user has read it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The path after redirects.
    pub(super) path: String,
    pub(super) body: Bytes,
}

/// What is wrong with the answer to a request of `asked`; none when it is right.
pub(super) fn problem(expected: Expected, asked: &str, answer: &Answer) -> Option<String> {
    let Answer { status, path, body } = answer;
    // 204 and 206 are successes, but no page.
    if *status != StatusCode::OK {
        return Some(format!("status {}", status.as_u16()));
    }
    let problem = match expected {
        Expected::LoggedIn if path == asked => "refused",
        Expected::Page | Expected::Photo if path == "/login" => "not logged in",
        _ if body.is_empty() => "empty body",
        Expected::Photo if !path.starts_with("/p/") => "does not lead to a photo",
        Expected::Picture if is_jpeg(body) => return None,
        Expected::Picture => "wrong body",
        _ if is_whole(&String::from_utf8_lossy(body)) => return None,
        _ => "wrong body",
    };
    Some(problem.to_owned())
}

/// A JPEG begins and ends with its markers.
fn is_jpeg(body: &[u8]) -> bool {
    body.len() > 4 && body.starts_with(&[0xff, 0xd8]) && body.ends_with(&[0xff, 0xd9])
}

/// Why there is no answer, in a word or two.
pub(super) fn fault(error: &reqwest::Error) -> &'static str {
    let garbled = causes(error)
        .any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse));
    if error.is_timeout() {
        "timeout"
    } else if error.is_redirect() {
        "redirect loop"
    } else if error.is_connect() {
        "connect"
    } else if garbled {
        "not HTTP"
    } else {
        "connection lost"
    }
}

/// Why a body did not arrive whole.
pub(super) fn fault_of_body(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "timeout" } else { "incomplete body" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, path: &str, body: &'static [u8]) -> Answer {
        Answer { status, path: path.to_owned(), body: Bytes::from_static(body) }
    }

    #[test]
    fn an_answer_must_be_what_was_asked_for() {
        let page: &[u8] = b"<html></html>\n";
        let jpeg: &[u8] = b"\xff\xd8..\xff\xd9";
        let ok = StatusCode::OK;
        let cases = [
            (Expected::Page, answer(ok, "/", page), None),
            (Expected::Page, answer(ok, "/", b""), Some("empty body")),
            (Expected::Page, answer(ok, "/", b"<html>"), Some("wrong body")),
            (Expected::Page, answer(ok, "/login", page), Some("not logged in")),
            (Expected::Page, answer(StatusCode::NO_CONTENT, "/", b""), Some("status 204")),
            (Expected::Page, answer(StatusCode::PARTIAL_CONTENT, "/", page), Some("status 206")),
            (Expected::Page, answer(StatusCode::NOT_MODIFIED, "/", b""), Some("status 304")),
            (Expected::LoggedIn, answer(ok, "/", page), None),
            (Expected::LoggedIn, answer(ok, "/form", page), Some("refused")),
            (Expected::Photo, answer(ok, "/p/0a", page), None),
            (Expected::Photo, answer(ok, "/upload", page), Some("does not lead to a photo")),
            (Expected::Photo, answer(ok, "/login", page), Some("not logged in")),
            (Expected::Picture, answer(ok, "/a.jpg", jpeg), None),
            (Expected::Picture, answer(ok, "/a.jpg", b""), Some("empty body")),
            (Expected::Picture, answer(ok, "/a.jpg", &jpeg[..4]), Some("wrong body")),
        ];
        for (expected, answer, wrong) in cases {
            let found = problem(expected, "/form", &answer);
            assert_eq!(found.as_deref(), wrong, "{expected:?}: {answer:?}");
        }
    }
}
