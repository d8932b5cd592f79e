//! Uploads that go past the web server, end to end over the S3 stand-in: slot, PUT, form, published photo; and everything that must be
//! refused, by the store or by the app, without anything left lying about. In a real browser: `tests/browser/presigned.rs`.

mod refusals;
mod site;

use http::{Method, StatusCode};
use image::ImageFormat;
use photo_app::assets::conformance;
use photo_app::assets::s3::{S3Assets, S3Slots};
use photo_app::assets::slots::Slots as _;

use crate::site::{BUCKET, Person, Site, location, picture, text};

#[tokio::test]
async fn the_slots_keep_every_promise() {
    let site = Site::start().await;
    let assets = S3Assets::connect(Some(&site.store_url), BUCKET, "http://cdn.test").await;
    let assets = assets.expect("a sound endpoint");
    let slots = S3Slots::of(assets.clone()).await.expect("addresses can be signed");
    assert_eq!(slots.origin(), site.store_url);
    conformance::check_slots(&slots, &assets).await;
}

/// The photo's page; the picture on it can be fetched.
async fn assert_published(site: &Site, person: &Person, answer: &http::Response<bytes::Bytes>) {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text(answer));
    let path = location(answer.headers());
    let page = text(&person.get(path).await);
    assert!(page.contains("Hills in the morning"), "{page}");
    let start = format!("src=\"{}/{BUCKET}/renditions/", site.store_url);
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no picture on:\n{page}"));
    let file = rest.split('"').next().unwrap_or_default();
    let url = format!("{}/{BUCKET}/renditions/{file}", site.store_url);
    let rendition = person.send(Method::GET, &url, &[], bytes::Bytes::new()).await;
    assert_eq!(rendition.status(), StatusCode::OK);
}

#[tokio::test]
async fn from_a_slot_to_a_published_photo() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let page = anna.get("/upload").await;
    assert!(text(&page).contains("data-slots=\"/upload/slots\""));
    let policy = page.headers()["content-security-policy"].to_str().expect("ASCII");
    let allowed = format!("connect-src 'self' {};", site.store_url);
    assert!(policy.contains(&allowed), "{policy}");
    let sent = picture(960, 640, ImageFormat::Jpeg);
    let calls = || {
        let counters = site.state.telemetry.counters.snapshot();
        counters.iter().filter(|(name, _)| name.starts_with("store.")).map(|(_, n)| n).sum::<u64>()
    };
    let before = calls();
    let upload = anna.uploaded(&sent, "image/jpeg").await;
    assert_eq!(calls() - before, 1, "a slot asks the database for its user, and for nothing else");
    assert_eq!(site.keys("uploads").await.len(), 1);
    let answer = anna.publish(&upload, "Hills in the morning").await;
    assert_published(&site, &anna, &answer).await;

    assert_eq!(site.keys("uploads").await, Vec::<String>::new(), "the upload has gone");
    let originals = site.keys("originals").await;
    assert_eq!(originals.len(), 1);
    let original = site.store.get_object().bucket(BUCKET).key(&originals[0]).send().await;
    let original = original.expect("the original is there");
    assert_eq!(original.cache_control(), Some("private, no-store"));
    let bytes = original.body.collect().await.expect("a body").into_bytes();
    assert!(bytes == sent, "the original is what was sent");
    let counters = &site.state.telemetry.counters;
    assert_eq!(counters.get("assets.received_bytes"), 0, "no byte of it came through the app");
    assert_eq!(counters.get("requests.upload_slot"), 1);
    // The form as it is without a script goes on working.
    let head = "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a\"\r\n\r\n";
    let body = [head.as_bytes(), &sent, b"\r\n--b--\r\n"].concat();
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let url = format!("{}/upload", site.url);
    let answer = anna.send(Method::POST, &url, &headers, body.into()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text(&answer));
    assert_eq!(counters.get("assets.received_bytes"), sent.len() as u64);
}

/// The type is found from the contents: the original gets the headers of what it is, not of what it was called.
#[tokio::test]
async fn pictures_whose_beginning_does_not_suffice_are_read_whole() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    // Profiles and the like of 300 KiB before the first pixel, in five segments of nothing.
    let mut long = picture(640, 480, ImageFormat::Jpeg);
    let segment = [b"\xff\xe2\xf0\x00".as_slice(), &[0; 0xf000 - 2]].concat();
    long.splice(2..2, segment.repeat(5));
    let webp = picture(800, 600, ImageFormat::WebP);
    assert!(long.len() > 300_000 && webp.len() > 256 * 1024, "{} {}", long.len(), webp.len());
    for (sent, called, found) in
        [(long, "image/jpeg", "image/jpeg"), (webp, "image/png", "image/webp")]
    {
        let upload = anna.uploaded(&sent, called).await;
        let answer = anna.publish(&upload, "Hills in the morning").await;
        assert_published(&site, &anna, &answer).await;
        let newest = site.keys("originals").await.pop().expect("an original");
        let head = site.store.head_object().bucket(BUCKET).key(newest).send().await;
        assert_eq!(head.expect("it is there").content_type(), Some(found));
    }
    assert_eq!(site.keys("uploads").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_script_may_put_from_the_apps_page_and_from_no_other() {
    use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let slot = anna.slot(100, "image/png").await;
    let ask = async |origin: &str, method: &str, headers: &str| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        anna.send(Method::OPTIONS, &slot.url, &asked, bytes::Bytes::new()).await
    };
    let before = ask(&site.url, "PUT", "content-type").await;
    assert_eq!(before.status(), StatusCode::FORBIDDEN, "a bucket without rules");
    // As terraform/modules/assets has it.
    let rule = CorsRule::builder().allowed_methods("PUT").allowed_origins(&site.url);
    let rule = rule.allowed_headers("content-type").max_age_seconds(600).build();
    let rules = CorsConfiguration::builder().cors_rules(rule.expect("a rule")).build();
    let put = site.store.put_bucket_cors().bucket(BUCKET);
    put.cors_configuration(rules.expect("rules")).send().await.expect("the bucket takes rules");

    let may = ask(&site.url, "PUT", "content-type").await;
    assert_eq!(may.status(), StatusCode::OK);
    assert_eq!(may.headers()["access-control-allow-origin"], site.url.as_str());
    assert_eq!(may.headers()["access-control-allow-methods"], "PUT");
    assert_eq!(may.headers()["access-control-allow-headers"], "content-type");
    assert_eq!(may.headers()["access-control-max-age"], "600");
    for (origin, method, headers) in [
        ("http://evil.test", "PUT", "content-type"),
        (site.url.as_str(), "GET", ""),
        (site.url.as_str(), "DELETE", ""),
        (site.url.as_str(), "PUT", "x-amz-acl"),
    ] {
        let refused = ask(origin, method, headers).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin} {method} {headers}");
        assert!(!refused.headers().contains_key("access-control-allow-origin"));
    }
    // The answer to the request itself, for the page and for another one.
    for (origin, seen) in [(site.url.as_str(), true), ("http://evil.test", false)] {
        let headers = [("origin", origin), ("content-type", "image/png")];
        let put = anna.send(Method::PUT, &slot.url, &headers, vec![0; 100].into()).await;
        assert_eq!(put.status(), StatusCode::OK);
        assert_eq!(put.headers().contains_key("access-control-allow-origin"), seen, "{origin}");
    }
}
