//! Which addresses are this site's own: where a form may come from, and where an answer may lead.
//!
//! Addresses are read by the parser that browsers have (WHATWG, crate `url`), and what is written is what that parser gives back. A check
//! of the text as it came reads another address than the browser, which drops tabs and line ends, turns backslashes and follows dots.

use axum::http::{HeaderMap, header};
use url::{Position, Url};

use super::forwarded;

/// Stands for this site where the request does not say what it is called.
const NAMELESS: &str = "http://nameless.invalid/";

/// The address as path, query and fragment, if it is one of this site; else the front page.
pub fn local_target(headers: &HeaderMap, address: &str) -> String {
    let scheme = if forwarded::is_https(headers) { "https" } else { "http" };
    let site = names(headers).find_map(|name| site(scheme, name));
    let site = site.or_else(|| Url::parse(NAMELESS).ok());
    site.and_then(|site| within(&site, address)).unwrap_or_else(|| "/".to_owned())
}

/// None unless a browser that is on this site stays there.
fn within(site: &Url, address: &str) -> Option<String> {
    let url = site.join(address).ok()?;
    let target = &url[Position::BeforePath..];
    // The path of `/.//elsewhere` begins with two slashes: alone it would be the name of another site. Names and passwords go as well.
    let stays = url.origin() == site.origin() && site.join(target).ok()? == url;
    stays.then(|| target.to_owned())
}

/// The page on this site that a form was on, as path and query.
pub fn local_referer(headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    let referer = Url::parse(referer).ok()?;
    is_here(headers, &referer)
        .then(|| local_target(headers, &referer[Position::BeforePath..Position::AfterQuery]))
}

/// Whether an Origin header names this site.
pub fn is_own_origin(headers: &HeaderMap, origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|origin| is_here(headers, &origin))
}

/// Whether an address of a browser's is on this site, whatever its letters' case, and with or without the port that its scheme has anyway.
/// The scheme is the browser's word: where TLS ends before this server, often nobody says so.
fn is_here(headers: &HeaderMap, url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && names(headers)
            .filter_map(|name| site(url.scheme(), name))
            .any(|site| site.origin() == url.origin())
}

/// What this site is called, as the browser and as the balancer say. No page of another site can make a browser send the former.
fn names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    forwarded::host(headers).into_iter().chain(host)
}

/// The front page of this host; none when the text is more or less than a host and perhaps a port.
fn site(scheme: &str, host: &str) -> Option<Url> {
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (bare && url.username().is_empty() && url.password().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn target(address: &str) -> String {
        local_target(&headers(&[("host", "photos.test:8080")]), address)
    }

    #[test]
    fn addresses_of_this_site_are_kept_as_the_parser_gives_them_back() {
        for (address, written) in [
            ("/", "/"),
            ("/p/1?x=y#comments", "/p/1?x=y#comments"),
            ("/account#plan", "/account#plan"),
            ("/search?q=Ada%20By", "/search?q=Ada%20By"),
            ("/a b", "/a%20b"),
            ("/\u{1}x", "/%01x"),
            ("/p\t/1\r\n", "/p/1"),
            ("/p/1\r\nSet-Cookie: x=y", "/p/1Set-Cookie:%20x=y"),
            ("/ärger/\u{202e}?q=ö#ü", "/%C3%A4rger/%E2%80%AE?q=%C3%B6#%C3%BC"),
            ("/a\\b", "/a/b"),
            ("/x/../p/1", "/p/1"),
            ("http://photos.test:8080/p/1", "/p/1"),
            ("HTTP://PHOTOS.test:8080", "/"),
            ("", "/"),
        ] {
            assert_eq!(target(address), written, "{address:?}");
        }
    }

    #[test]
    fn every_other_address_is_the_front_page() {
        for elsewhere in [
            "//evil.test",
            "///evil.test",
            "https://evil.test",
            "https:evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "\t//evil.test",
            "/\r\n/evil.test",
            "/\n\\evil.test",
            "\u{1}//evil.test",
            " //evil.test",
            "/.//evil.test",
            "/x/..//evil.test",
            "/%2e%2e//evil.test",
            "/.\t//evil.test",
            "/./\\evil.test",
            "//photos.test:8080@evil.test",
            "http://photos.test:8080@evil.test/",
            "http://anna@photos.test:8080/p/1",
            "http://photos.test/",
            "//photos.test:8080.evil.test",
            "///\u{ff0f}evil.test",
            "//evil\u{3002}test",
            "//[",
            "javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "blob:http://photos.test:8080/x",
        ] {
            assert_eq!(target(elsewhere), "/", "{elsewhere:?}");
        }
    }

    #[test]
    fn no_address_makes_a_header_that_cannot_be_sent() {
        for code in (0..=0x2ff).chain([0x2028, 0x202e, 0xfeff, 0xff0f, 0x1f4f7]) {
            let letter = char::from_u32(code).expect("no surrogate");
            for address in [format!("/{letter}/evil.test"), format!("/x{letter}?{letter}#{letter}")]
            {
                let target = target(&address);
                assert!(HeaderValue::from_str(&target).is_ok(), "{address:?}");
                assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{address:?}");
                assert!(!target.starts_with("//"), "{address:?}");
            }
        }
    }

    #[test]
    fn a_site_without_a_name_has_addresses_too() {
        for host in [&[][..], &[("host", "")], &[("host", "a/b")], &[("host", "x@y")]] {
            assert_eq!(local_target(&headers(host), "/p/1"), "/p/1", "{host:?}");
            assert_eq!(local_target(&headers(host), "//evil.test/"), "/", "{host:?}");
        }
    }

    #[test]
    fn a_referer_counts_only_from_here() {
        let from = |url: &'static str| {
            local_referer(&headers(&[("host", "photos.test:8080"), ("referer", url)]))
        };
        assert_eq!(from("http://photos.test:8080/?before=1#x").as_deref(), Some("/?before=1"));
        assert_eq!(from("http://PHOTOS.TEST:8080/p/1").as_deref(), Some("/p/1"));
        assert_eq!(from("http://photos.test:8080//evil.test/").as_deref(), Some("/"));
        assert_eq!(from("http://evil.test/"), None);
        assert_eq!(from("about:blank"), None);
    }

    #[test]
    fn neither_the_default_port_nor_the_letters_case_make_another_site() {
        let own = |host, origin| is_own_origin(&headers(&[("host", host)]), origin);
        for (host, origin) in [
            ("photos.test", "http://photos.test"),
            ("photos.test", "http://Photos.Test"),
            ("Photos.Test", "http://photos.test"),
            ("photos.test:80", "http://photos.test"),
            ("photos.test", "http://photos.test:80"),
            ("photos.test:443", "https://photos.test"),
            ("photos.test", "https://photos.test"),
            ("photos.test:8080", "http://photos.test:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("[0:0::1]", "http://[::1]"),
        ] {
            assert!(own(host, origin), "{origin} at {host}");
        }
        for (host, origin) in [
            ("photos.test", "null"),
            ("photos.test", ""),
            ("photos.test", "http://evil.test"),
            ("photos.test", "http://photos.test.evil.test"),
            ("photos.test", "http://photos.test@evil.test"),
            ("photos.test:81", "http://photos.test"),
            ("photos.test", "http://photos.test:81"),
            ("photos.test:443", "http://photos.test"),
            ("photos.test:80", "https://photos.test"),
            ("photos.test", "ftp://photos.test"),
            ("photos.test", "file://photos.test"),
        ] {
            assert!(!own(host, origin), "{origin} at {host}");
        }
    }

    #[test]
    fn a_balancer_may_have_put_another_name_into_host() {
        let behind = headers(&[("host", "10.0.0.7:8080"), ("x-forwarded-host", "photos.test, x")]);
        assert!(is_own_origin(&behind, "https://photos.test"));
        assert!(is_own_origin(&behind, "http://10.0.0.7:8080"));
        assert!(!is_own_origin(&behind, "https://x"));
    }
}
