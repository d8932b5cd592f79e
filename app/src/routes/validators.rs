//! Entity tags: whether a client has what it asks for already, by the weak comparison of RFC 9110, and which form of it.
//!
//! An answer that is compressed on its way has other bytes than the one that is not, hence a tag of its own: the same with `-gzip` at its
//! end. A client that knows either form knows the answer.

use axum::http::{HeaderMap, HeaderValue, header};

/// What "not modified" says beside the tag where the whole answer may be compressed; with a body the compression says it.
pub const VARIES: HeaderValue = HeaderValue::from_static("accept-encoding");
/// What the tag of the compressed form has more.
const GZIP: &[u8] = b"-gzip";

/// What a request says that its sender has.
#[derive(Debug, Default)]
pub struct Known {
    /// The values of If-None-Match.
    lines: Vec<HeaderValue>,
    takes_gzip: bool,
}

impl Known {
    /// From a request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines: Vec<HeaderValue> =
            headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect();
        let takes_gzip = !lines.is_empty() && takes_gzip(headers);
        Self { lines, takes_gzip }
    }

    /// The tag for "not modified", if the sender has the answer that has this tag or its compressed form: the one it would be sent, where
    /// it has both.
    pub fn tag(&self, tag: &HeaderValue) -> Option<HeaderValue> {
        let gzip_tag = gzip_form(tag);
        let [mut plain, mut gzip] = [false; 2];
        for line in &self.lines {
            plain |= line.as_bytes().trim_ascii() == b"*";
            for listed in tags(line.as_bytes()) {
                plain |= listed == opaque(tag);
                gzip |= listed == opaque(&gzip_tag);
            }
        }
        match (plain, gzip) {
            (false, false) => None,
            (true, false) => Some(tag.clone()),
            (true, true) if !self.takes_gzip => Some(tag.clone()),
            (_, true) => Some(gzip_tag),
        }
    }
}

/// Gives an answer that has been compressed a tag of its own.
pub fn tell_apart(headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
        && let Some(tag) = headers.get(header::ETAG)
    {
        let tag = gzip_form(tag);
        headers.insert(header::ETAG, tag);
    }
}

fn gzip_form(tag: &HeaderValue) -> HeaderValue {
    let bytes = tag.as_bytes();
    let open = bytes.strip_suffix(b"\"").unwrap_or(bytes);
    let form = [open, GZIP, b"\""].concat();
    HeaderValue::from_bytes(&form).expect("a header's bytes and letters are a header")
}

/// What is compared: the tag between its quotes, weak or not.
fn opaque(tag: &HeaderValue) -> &[u8] {
    tags(tag.as_bytes()).next().unwrap_or_default()
}

/// The tags of a list, without `W/` and quotes, up to the first thing that is no tag. A comma may stand within the quotes.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', quoted)?;
        rest = &quoted[end + 1..];
        Some(&quoted[..end])
    })
}

/// Whether the sender would be sent the compressed form.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    codings
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("gzip"))
        .any(|(_, weight)| {
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1").trim();
            weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(if_none_match: &[&'static str], accept_encoding: &'static str) -> Known {
        let mut headers = HeaderMap::new();
        for line in if_none_match {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(line));
        }
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(accept_encoding));
        Known::of(&headers)
    }

    fn tag(known: &Known, tag: &'static str) -> Option<String> {
        let tag = known.tag(&HeaderValue::from_static(tag))?;
        Some(tag.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn a_tag_is_known_weak_or_strong_alone_or_in_a_list() {
        for own in ["\"a\"", "W/\"a\""] {
            for lines in [
                &["\"a\""][..],
                &["W/\"a\""],
                &["\"x\", \"a\""],
                &["\"x\",W/\"a\",\"y\""],
                &["\"x, y\" , \"a\""],
                &[",, \"a\""],
                &["\"x\"", "\"a\""],
                &["*"],
                &[" * "],
            ] {
                assert_eq!(tag(&known(lines, ""), own).as_deref(), Some(own), "{lines:?}");
            }
        }
    }

    #[test]
    fn what_is_no_tag_or_another_one_is_not_known() {
        for lines in [
            &[][..],
            &[""],
            &["\"b\""],
            &["\"A\""],
            &["a"],
            &["\"a"],
            &["w/\"a\""],
            &["\"x, a\""],
            &["x, \"a\""],
            &["\"x\", *"],
            &["\"a-gzip-gzip\""],
        ] {
            assert_eq!(tag(&known(lines, ""), "\"a\""), None, "{lines:?}");
        }
    }

    #[test]
    fn the_compressed_form_is_known_by_its_own_tag() {
        assert_eq!(tag(&known(&["\"a-gzip\""], "gzip"), "\"a\"").as_deref(), Some("\"a-gzip\""));
        assert_eq!(tag(&known(&["\"a-gzip\""], ""), "W/\"a\"").as_deref(), Some("W/\"a-gzip\""));
        assert_eq!(tag(&known(&["\"a\""], "gzip"), "\"a\"").as_deref(), Some("\"a\""));
        for (accepted, told) in [
            ("gzip", "\"a-gzip\""),
            ("br, GZIP;q=0.5", "\"a-gzip\""),
            ("gzip;q=0", "\"a\""),
            ("br", "\"a\""),
            ("", "\"a\""),
        ] {
            let both = known(&["\"a-gzip\", \"a\""], accepted);
            assert_eq!(tag(&both, "\"a\"").as_deref(), Some(told), "{accepted}");
        }
    }

    #[test]
    fn only_a_compressed_answer_gets_another_tag() {
        for (encoding, own, told) in [
            (Some("gzip"), "\"a\"", "\"a-gzip\""),
            (Some("gzip"), "W/\"a\"", "W/\"a-gzip\""),
            (None, "\"a\"", "\"a\""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, HeaderValue::from_static(own));
            if let Some(encoding) = encoding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            tell_apart(&mut headers);
            assert_eq!(headers[header::ETAG], told);
        }
    }
}
