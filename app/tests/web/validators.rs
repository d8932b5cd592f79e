//! "Not modified": pages, files and pictures that a client has already, in every form in which it may say so.

use bytes::Bytes;
use http::{Method, StatusCode, header};

use crate::support::{Answer, Browser, Site, between, jpeg};

/// A page, a style sheet and a picture.
async fn places(site: &Site) -> (Browser, [String; 3]) {
    let mut anna = site.person("anna").await;
    let photo = anna.upload("a.jpg", &jpeg(640, 480), &[]).await.location().to_owned();
    let page = anna.get(&photo).await.text();
    let style = between(&page, "rel=\"stylesheet\" href=\"", "\"").to_owned();
    let picture = format!("/assets{}", between(&page, "src=\"/assets", "\""));
    (anna, ["/plans".to_owned(), style, picture])
}

async fn ask(browser: &mut Browser, path: &str, tags: &str, encodings: &str) -> [Answer; 2] {
    let headers = [("if-none-match", tags), ("accept-encoding", encodings)];
    let head = browser.send(Method::HEAD, path, &headers, Bytes::new()).await;
    [browser.get_with(path, &headers).await, head]
}

#[tokio::test]
async fn a_known_tag_in_any_form_is_answered_with_not_modified() {
    let site = Site::start("memory").await;
    let (mut anna, places) = places(&site).await;
    for path in &places {
        let [whole, head] = ask(&mut anna, path, "\"another\"", "").await;
        assert_eq!((whole.status, head.status), (StatusCode::OK, StatusCode::OK), "{path}");
        assert!(!whole.body.is_empty() && head.body.is_empty(), "{path}");
        let tag = whole.header(header::ETAG).to_owned();
        assert_eq!(head.header(header::ETAG), tag, "{path}: HEAD says what GET would");
        let strong = tag.trim_start_matches("W/");
        for tags in [
            strong.to_owned(),
            format!("W/{strong}"),
            format!("\"x\", {strong}"),
            format!("\"x, y\" ,W/{strong}, \"z\""),
            "*".to_owned(),
            format!("{}-gzip\"", strong.trim_end_matches('"')),
        ] {
            for answer in ask(&mut anna, path, &tags, "").await {
                assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{path} {tags}");
                assert!(answer.body.is_empty());
                let told = answer.header(header::ETAG);
                assert!(told == tag || told.ends_with("-gzip\""), "{path} {tags}: {told}");
                let kept = answer.header(header::CACHE_CONTROL);
                assert_eq!(kept, whole.header(header::CACHE_CONTROL), "{path} {tags}");
            }
        }
        for tags in ["", "\"\"", "\"x\"", "x", &strong.replace('"', "")] {
            for answer in ask(&mut anna, path, tags, "").await {
                assert_eq!(answer.status, StatusCode::OK, "{path} {tags}");
            }
        }
    }
}

#[tokio::test]
async fn the_compressed_answer_has_a_tag_of_its_own() {
    let site = Site::start("memory").await;
    let (mut anna, [page, style, picture]) = places(&site).await;
    for path in [page, style] {
        let [plain, _] = ask(&mut anna, &path, "\"x\"", "identity").await;
        let [gzip, head] = ask(&mut anna, &path, "\"x\"", "gzip").await;
        assert_eq!(gzip.header(header::CONTENT_ENCODING), "gzip", "{path}");
        assert!(gzip.header(header::VARY).contains("accept-encoding"), "{path}");
        let (plain, gzip) = (plain.header(header::ETAG), gzip.header(header::ETAG));
        assert_eq!(gzip, format!("{}-gzip\"", plain.trim_end_matches('"')), "{path}");
        assert_eq!(head.header(header::ETAG), gzip, "{path}");
        for (tags, encodings, told) in [
            (gzip, "gzip", gzip),
            (plain, "gzip", plain),
            (gzip, "", gzip),
            (&*format!("{plain}, {gzip}"), "gzip", gzip),
            (&*format!("{gzip}, {plain}"), "", plain),
        ] {
            for answer in ask(&mut anna, &path, tags, encodings).await {
                assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{path} {tags}");
                assert_eq!(answer.header(header::ETAG), told, "{path} {tags} {encodings}");
                assert_eq!(answer.header(header::VARY), "accept-encoding", "{path}");
            }
        }
    }
    let [answer, _] = ask(&mut anna, &picture, "\"x\"", "gzip").await;
    assert_eq!(answer.header(header::CONTENT_ENCODING), "", "pictures are small already");
    assert!(!answer.header(header::ETAG).contains("gzip"));
}
