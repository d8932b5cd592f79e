//! Pictures that cannot be used: each is answered with 4xx and a sentence, and nothing of it stays behind.

use http::{Method, StatusCode};
use photo_app::config::arguments::RawSettings;
use photo_app::model::Feed;

use crate::support::{Browser, STORES, Site, jpeg, multipart};

/// A PNG header that claims this size, without the pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend_from_slice(&width.to_be_bytes());
    chunk.extend_from_slice(&height.to_be_bytes());
    chunk.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend_from_slice(&chunk);
    bytes.extend_from_slice(&crc32(&chunk).to_be_bytes());
    // The first chunk of pixels begins, and says nothing yet.
    bytes.extend_from_slice(b"\0\0\x10\0IDAT\x78\x9c");
    bytes
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The head of an animated WebP, and no frame.
fn webp_without_frames() -> Vec<u8> {
    let mut bytes = b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0".to_vec();
    bytes.extend_from_slice(&[0x02, 0, 0, 0, 99, 0, 0, 99, 0, 0]);
    bytes.extend_from_slice(b"ANIM\x06\0\0\0\0\0\0\0\0\0");
    bytes
}

async fn assert_nothing_left(site: &Site) {
    assert_eq!(site.asset_files(), Vec::<std::path::PathBuf>::new());
    let page = site.state.store.photo_page(Feed::Explore, None, None, 10).await;
    assert!(page.expect("the store answers").items.is_empty());
    let unfinished = site.state.store.unfinished_versions(i64::MAX, 10).await;
    assert!(unfinished.expect("the store answers").is_empty());
}

async fn assert_refused(browser: &mut Browser, picture: &[u8], status: u16, words: &str) {
    let fields = [("caption", "What I typed"), ("filter", "sepia"), ("strength", "50")];
    let answer = browser.upload("picture.jpg", picture, &fields).await;
    answer.assert_says(status, words);
    answer.assert_says(status, "role=\"alert\"");
    answer.assert_says(status, "What I typed</textarea>");
}

#[tokio::test]
async fn bad_pictures_are_refused_with_a_reason_and_leave_nothing() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let whole = jpeg(600, 400);
        assert_refused(&mut anna, b"Dear diary, this is text.", 422, "not a picture").await;
        assert_refused(&mut anna, b"", 422, "Choose a picture first").await;
        assert_refused(
            &mut anna,
            &whole[..whole.len() / 2],
            422,
            "is incomplete: its end is missing",
        )
        .await;
        assert_refused(&mut anna, &whole[..40], 422, "is incomplete: its end is missing").await;
        assert_refused(&mut anna, &png_header(60_000, 60_000), 422, "60000 x 60000").await;
        assert_refused(&mut anna, b"GIF89a\x01\0\x01\0\0\0\0", 422, "GIF").await;
        assert_refused(&mut anna, &webp_without_frames(), 422, "it holds no picture").await;
        assert_refused(&mut anna, &webp_without_frames()[..34], 422, "incomplete").await;
        assert_nothing_left(&site).await;
        assert!(site.stop().await);
    }
}

/// Files on this server take no uploads from browsers; with an object store see scenarios/tests/presigned.rs.
#[tokio::test]
async fn without_an_object_store_there_are_no_slots() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let wanted = [("bytes", "1000"), ("content_type", "image/png")];
    assert_eq!(anna.post("/upload/slots", &wanted).await.status, StatusCode::NOT_FOUND);
    let page = anna.get("/upload").await;
    assert!(!page.text().contains("data-slots"), "the page's script would ask for one");
    assert!(page.header("content-security-policy").contains("connect-src 'self';"));
    // A form that names an upload all the same.
    let named = "--b\r\nContent-Disposition: form-data; name=\"upload\"\r\n\r\n\
                 0123456789abcdef0123456789abcdef\r\n--b--\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let answer = anna.send(Method::POST, "/upload", &headers, named.into()).await;
    answer.assert_says(422, "The picture did not arrive. Choose it again.");
    assert_nothing_left(&site).await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_on_the_page() {
    let limit = |raw: &mut RawSettings| raw.upload_bytes_max = Some("200000".to_owned());
    let site = Site::start_with("memory", limit).await;
    let mut anna = site.person("anna").await;
    let mut large = jpeg(64, 48);
    large.resize(3_000_000, 0);
    let fields = [("caption", "What I typed")];
    let answer = anna.upload("large.jpg", &large, &fields).await;
    answer.assert_says(413, "is larger than");
    answer.assert_says(413, "What I typed</textarea>");
    large.truncate(200_001);
    anna.upload("large.jpg", &large, &[]).await.assert_says(413, "is larger than");
    assert_nothing_left(&site).await;
}

#[tokio::test]
async fn words_that_do_not_fit_are_refused() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let picture = jpeg(64, 48);
    let long = "x".repeat(2_001);
    anna.upload("a.jpg", &picture, &[("caption", &long)])
        .await
        .assert_says(422, "A caption may have");
    let long = "x".repeat(501);
    anna.upload("a.jpg", &picture, &[("alt", &long)]).await.assert_says(422, "A description may");
    let long = "x".repeat(40_000);
    anna.upload("a.jpg", &picture, &[("caption", &long)]).await.assert_says(413, "too long");
    anna.upload("a.jpg", &picture, &[("filter", "no")]).await.assert_says(422, "does not exist");
    let strength = [("filter", "sepia"), ("strength", "101")];
    anna.upload("a.jpg", &picture, &strength).await.assert_says(422, "from 0 to 100");
    assert_nothing_left(&site).await;
}

#[tokio::test]
async fn a_body_that_is_no_upload_or_breaks_off_is_refused() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let form = anna.post("/upload", &[("picture", "x")]).await;
    form.assert_says(422, "did not arrive");
    let (content_type, body) = multipart("a.jpg", &jpeg(64, 48), &[]);
    let half = body.slice(..body.len() / 2);
    let headers = [("content-type", content_type.as_str())];
    let answer = anna.send(Method::POST, "/upload", &headers, half).await;
    answer.assert_says(400, "broke off");
    assert_nothing_left(&site).await;
}

#[tokio::test]
async fn png_and_webp_are_found_by_content_whatever_the_name_says() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let painted = photo_app::imaging::landscape::paint(3, 400, 300);
    for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        painted.write_to(&mut bytes, format).expect("a picture in memory can be written");
        let answer = anna.upload("misleading.jpg", bytes.get_ref(), &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{format:?}: {}", answer.text());
    }
    let extension = |extension: &str| {
        let files = site.asset_files();
        files.iter().any(|file| file.extension().is_some_and(|found| found == extension))
    };
    assert!(extension("png") && extension("webp"));
}
