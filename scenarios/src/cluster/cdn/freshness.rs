//! What an edge may keep and for how long: the part of RFC 9111 that a shared cache for pictures needs.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

/// How long an answer may be given again without asking; none when it may not be kept.
pub fn fresh_for(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let storable = matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED)
        && !headers.contains_key(header::SET_COOKIE)
        && !headers.contains_key(header::VARY);
    let control = headers.get(header::CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let mut shared = None;
    let mut any = None;
    for directive in control.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some(("s-maxage", seconds)) => shared = seconds.trim_matches('"').parse().ok(),
            Some(("max-age", seconds)) => any = seconds.trim_matches('"').parse().ok(),
            _ if ["no-store", "private", "no-cache"].contains(&directive) => return None,
            _ => {}
        }
    }
    let seconds: u64 = shared.or(any)?;
    (storable && seconds > 0).then_some(Duration::from_secs(seconds))
}

/// Whether the client's `If-None-Match` names this tag. Weak and strong tags compare alike here.
pub fn etag_matches(asked: Option<&HeaderValue>, tag: Option<&HeaderValue>) -> bool {
    let words =
        |value: Option<&HeaderValue>| value.and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (Some(asked), Some(tag)) = (words(asked), words(tag)) else { return false };
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    asked.trim() == "*" || asked.split(',').any(|one| strong(one) == strong(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, pairs: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        fresh_for(status, &headers).map(|fresh| fresh.as_secs())
    }

    #[test]
    fn keeps_only_what_the_origin_allows() {
        let control = "cache-control";
        assert_eq!(
            judged(200, &[(control, "public, max-age=31536000, immutable")]),
            Some(31536000)
        );
        assert_eq!(judged(200, &[(control, "max-age=5, s-maxage=60")]), Some(60));
        assert_eq!(judged(200, &[]), None);
        assert_eq!(judged(200, &[(control, "max-age=0")]), None);
        assert_eq!(judged(200, &[(control, "private, max-age=60")]), None);
        assert_eq!(judged(200, &[(control, "no-store, max-age=60")]), None);
        assert_eq!(judged(404, &[(control, "max-age=60")]), None);
        assert_eq!(judged(200, &[(control, "max-age=60"), ("vary", "cookie")]), None);
        assert_eq!(judged(200, &[(control, "max-age=60"), ("set-cookie", "a=b")]), None);
    }

    #[test]
    fn tags_compare_weakly_and_in_lists() {
        let value = HeaderValue::from_static;
        let tag = value("\"abc\"");
        assert!(etag_matches(Some(&value("\"abc\"")), Some(&tag)));
        assert!(etag_matches(Some(&value("\"x\", W/\"abc\"")), Some(&tag)));
        assert!(etag_matches(Some(&value("*")), Some(&tag)));
        assert!(!etag_matches(Some(&value("\"x\"")), Some(&tag)));
        assert!(!etag_matches(None, Some(&tag)));
    }
}
