//! Addresses that come from outside: the way back after a login, the site that a form comes from, the browser behind a balancer.

use http::{StatusCode, header};
use photo_app::config::arguments::RawSettings;
use photo_app::routes::query_escape;

use crate::support::{PASSWORD, Site};

/// What a browser would read as another site, or not at all.
const ELSEWHERE: [&str; 14] = [
    "//evil.test/",
    "https://evil.test/",
    "/\t/evil.test",
    "/\r\n/evil.test",
    "\t//evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t\\evil.test",
    "/.//evil.test",
    "/x/..//evil.test",
    "/%2e%2e//evil.test",
    "//anna:secret@evil.test/",
    "javascript:alert(1)",
    "\u{1}//evil.test",
];

#[tokio::test]
async fn the_way_back_after_a_login_stays_on_this_site() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let absolute = format!("http://{}/p/1?x=y#z", site.address);
    let kept = [
        ("/p/1?x=y#z", "/p/1?x=y#z"),
        (absolute.as_str(), "/p/1?x=y#z"),
        ("/\u{1}/x", "/%01/x"),
        ("/p\t/1\r\nx: y", "/p/1x:%20y"),
        ("/ä\u{202e}", "/%C3%A4%E2%80%AE"),
    ];
    let all = ELSEWHERE.iter().map(|next| (*next, "/")).chain(kept);
    for (number, (next, target)) in all.enumerate() {
        let log_in = [("name", "anna"), ("password", PASSWORD), ("next", next)];
        assert_eq!(site.browser().post("/login", &log_in).await.location(), target, "{next:?}");
        let name = format!("person_{number}");
        let sign_up = [
            ("name", name.as_str()),
            ("display_name", "P"),
            ("password", PASSWORD),
            ("next", next),
        ];
        assert_eq!(site.browser().post("/signup", &sign_up).await.location(), target, "{next:?}");
        for page in ["/login", "/signup"] {
            let path = format!("{page}?next={}", query_escape(next));
            assert_eq!(anna.get(&path).await.location(), target, "{page} {next:?}");
            // What the form carries on is the same.
            let form = site.browser().get(&path).await.text();
            let hidden = format!("name=\"next\" value=\"{}\"", target.replace('&', "&amp;"));
            assert!(form.contains(&hidden), "{page} {next:?}: {form}");
        }
    }
}

#[tokio::test]
async fn no_page_leads_back_to_another_site() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    site.person("ben").await;
    let host = site.address;
    for (referer, target) in [
        (format!("http://{host}/explore?before=1"), "/explore?before=1"),
        (format!("http://{host}//evil.test/"), "/"),
        (format!("http://{host}/\\evil.test"), "/"),
        ("http://evil.test/x".to_owned(), "/u/ben"),
        ("/relative".to_owned(), "/u/ben"),
    ] {
        let headers = [("referer", referer.as_str())];
        let answer = anna.post_with("/u/ben/follow", &[("on", "true")], &headers).await;
        assert_eq!(answer.location(), target, "{referer}");
    }
    let referer = format!("http://{host}//evil.test/");
    let headers = [("referer", referer.as_str())];
    let answer = site.browser().post_with("/u/ben/follow", &[("on", "true")], &headers).await;
    assert_eq!(answer.location(), "/login?next=/");
    for path in ["/\\evil.test/", "//evil.test/", "/.//evil.test/", "/\\\\evil.test//"] {
        let answer = anna.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header(header::LOCATION), "", "{path}");
    }
}

#[tokio::test]
async fn the_same_site_under_another_spelling_may_post() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    for (headers, status) in [
        (vec![("host", "photos.test"), ("origin", "http://Photos.Test")], 303),
        (vec![("host", "Photos.Test:80"), ("origin", "http://photos.test")], 303),
        (vec![("host", "photos.test:443"), ("origin", "https://photos.test")], 303),
        (vec![("host", "photos.test"), ("origin", "https://photos.test")], 303),
        (vec![("host", "photos.test"), ("origin", "http://photos.test:81")], 403),
        (vec![("host", "photos.test"), ("origin", "http://photos.test.evil")], 403),
    ] {
        let answer = anna.post_with("/account", &[("display_name", "Anna")], &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
    }
}

#[tokio::test]
async fn https_is_told_in_many_forms() {
    let site = Site::start("memory").await;
    site.person("anna").await;
    let form = [("name", "anna"), ("password", PASSWORD)];
    for (proto, secure) in [
        ("https", true),
        ("HTTPS", true),
        ("https, http", true),
        ("https,https", true),
        ("http, https", false),
        ("http", false),
    ] {
        let headers = [("x-forwarded-proto", proto)];
        let answer = site.browser().post_with("/login", &form, &headers).await;
        assert_eq!(answer.header(header::SET_COOKIE).contains("; Secure"), secure, "{proto}");
        let promised = answer.header(header::STRICT_TRANSPORT_SECURITY);
        assert_eq!(!promised.is_empty(), secure, "{proto}");
    }
}

#[tokio::test]
async fn attempts_are_counted_by_address_whatever_its_form() {
    let forwarded = |raw: &mut RawSettings| raw.client_address = Some("forwarded".to_owned());
    let site = Site::start_with("memory", forwarded).await;
    site.person("anna").await;
    let from = async |address: &str, password: &str| {
        let form = [("name", "anna"), ("password", password)];
        let headers = [("x-forwarded-for", address)];
        site.browser().post_with("/login", &form, &headers).await.status.as_u16()
    };
    for number in 0..10 {
        let address = match number % 5 {
            0 => "[2001:db8::7]".to_owned(),
            1 => format!("[2001:db8::7]:{number}"),
            2 => format!("\"[2001:DB8:0::7]:{number}\""),
            3 => format!("10.0.0.{number}, 2001:db8::7"),
            _ => "unknown, [2001:db8::7%eth0]:1".to_owned(),
        };
        assert_eq!(from(&address, "not this one").await, 422, "{address}");
    }
    assert_eq!(from("2001:db8::7", PASSWORD).await, 429, "ten were one and the same");
    assert_eq!(from("2001:db8::7, 2001:db8::8", PASSWORD).await, 303, "somebody else");
}
