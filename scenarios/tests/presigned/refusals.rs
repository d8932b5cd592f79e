//! What must not work: other sizes, other types, other people, other times; and that nothing stays behind.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use http::StatusCode;
use image::ImageFormat;
use photo_app::assets::slots::{Arrived, Slot, Slots};
use photo_app::assets::{AssetError, AssetKey};

use crate::site::{BUCKET, Site, location, picture, text};

const MISSING: &str = "The picture did not arrive. Choose it again.";

#[tokio::test]
async fn the_app_refuses_before_a_byte_is_sent() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    for (bytes, content_type, status, words) in [
        (0, "image/png", 422, "Choose a picture first"),
        (64 * 1024 * 1024 + 1, "image/png", 413, "This file is larger than 64 MB"),
        (100, "image/heic", 422, "This is a HEIC file; JPEG, PNG and WebP are accepted"),
        (100, "text/plain", 422, "This file is not a picture"),
    ] {
        let answer = anna.ask(bytes, content_type).await;
        assert_eq!(answer.status().as_u16(), status, "{answer:?}");
        let told: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert!(told["mistake"].as_str().is_some_and(|text| text.contains(words)), "{told}");
        assert!(told.get("url").is_none());
    }
    // Not a number; somebody else's page; nobody.
    let form = "bytes=-1&content_type=image/png";
    assert_eq!(anna.form("/upload/slots", form, &[]).await.status().as_u16(), 422);
    let form = "bytes=100&content_type=image/png";
    let cross = [("sec-fetch-site", "cross-site")];
    assert_eq!(anna.form("/upload/slots", form, &cross).await.status(), StatusCode::FORBIDDEN);
    let mut nobody = site.person("nobody").await;
    nobody.cookie = None;
    let answer = nobody.form("/upload/slots", form, &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(location(answer.headers()).starts_with("/login"));
    assert_eq!(nobody.get("/upload").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_store_refuses_whatever_was_not_signed() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let slot = anna.slot(1_000, "image/png").await;
    let other = anna.slot(1_000, "image/png").await;
    assert_ne!(slot.upload, other.upload);
    for length in [999, 1_001, 0] {
        let put = anna.put(&slot, &vec![1; length], &[]).await;
        assert_eq!(put, StatusCode::FORBIDDEN, "{length} bytes");
    }
    let typed = [("content-type", "text/html")];
    assert_eq!(anna.put(&slot, &[1; 1_000], &typed).await, StatusCode::FORBIDDEN);
    let change = |from: &str, to: &str| {
        let mut changed = slot.clone();
        assert!(changed.url.contains(from), "{} has no {from}", changed.url);
        changed.url = changed.url.replace(from, to);
        changed
    };
    let mut unsigned = slot.clone();
    unsigned.url = unsigned.url.split('?').next().unwrap_or_default().to_owned();
    for (what, changed) in [
        ("another key", change(&slot.upload, &other.upload)),
        ("another folder", change("/uploads/", "/originals/")),
        ("a longer life", change("X-Amz-Expires=600", "X-Amz-Expires=6000")),
        ("fewer signed headers", change("content-length%3B", "")),
        ("no signature", unsigned),
    ] {
        assert_eq!(anna.put(&changed, &[1; 1_000], &[]).await, StatusCode::FORBIDDEN, "{what}");
    }
    assert_eq!(site.keys("uploads").await, Vec::<String>::new(), "nothing of all that was stored");
    assert_eq!(anna.put(&slot, &[1; 1_000], &[]).await, StatusCode::OK);
    // The address is for putting only, and what lies there is nobody's to read.
    let get = anna.send(http::Method::GET, &slot.url, &[], bytes::Bytes::new()).await;
    assert_eq!(get.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_address_whose_time_is_over_is_refused() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let mut slot = anna.slot(1_000, "image/png").await;
    // The same as the app signs, eleven minutes ago.
    let begin = SystemTime::now() - Duration::from_secs(11 * 60);
    let life = PresigningConfig::builder().start_time(begin).expires_in(Duration::from_secs(600));
    let key = site.state.store.user_by_name("anna").await.expect("the store answers");
    let key = format!("uploads/{}/{}", key.expect("anna is there").id, slot.upload);
    let put = site.store.put_object().bucket(BUCKET).key(key).content_length(1_000);
    let put = put.content_type("image/png").presigned(life.build().expect("a lifetime")).await;
    slot.url = put.expect("it can be signed").uri().to_owned();
    assert_eq!(anna.put(&slot, &[1; 1_000], &[]).await, StatusCode::FORBIDDEN);
    anna.assert_refused(&slot.upload, 422, MISSING).await;
    site.assert_nothing_left().await;
}

#[tokio::test]
async fn what_did_not_arrive_is_told_and_the_words_stay() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let opened = anna.slot(1_000, "image/png").await;
    anna.assert_refused(&opened.upload, 422, MISSING).await;
    for no_id in ["", "x", "../../originals/0000000000000", "ffffffffffffffffffffffffffffffff"] {
        anna.assert_refused(no_id, 422, MISSING).await;
    }
    // One that has become a photo is an upload no longer.
    let upload = anna.uploaded(&picture(320, 240, ImageFormat::Png), "image/png").await;
    assert_eq!(anna.publish(&upload, "").await.status(), StatusCode::SEE_OTHER);
    anna.assert_refused(&upload, 422, MISSING).await;
    assert_eq!(site.keys("originals").await.len(), 1);
}

#[tokio::test]
async fn nobody_publishes_or_removes_somebody_elses_upload() {
    let site = Site::start().await;
    let (anna, ben) = (site.person("anna").await, site.person("ben").await);
    let upload = anna.uploaded(&picture(320, 240, ImageFormat::Png), "image/png").await;
    ben.assert_refused(&upload, 422, MISSING).await;
    assert_eq!(site.keys("originals").await, Vec::<String>::new());
    let answer = anna.publish(&upload, "Mine").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text(&answer));
}

#[tokio::test]
async fn refused_pictures_are_told_as_ever_and_leave_nothing() {
    let site = Site::start().await;
    let anna = site.person("anna").await;
    let whole = picture(600, 400, ImageFormat::Jpeg);
    // A PNG whose header claims 60,000 pixels each way.
    let mut bomb = picture(64, 64, ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // One of which the first 256 KiB are read.
    let mut long_bomb = bomb.clone();
    long_bomb.resize(1_000_000, 0);
    for (bytes, words) in [
        (b"Dear diary, this is text.".to_vec(), "This file is not a picture"),
        (b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), "This is a GIF file"),
        (whole[..40].to_vec(), "is incomplete: its end is missing"),
        (whole[..whole.len() / 2].to_vec(), "is incomplete: its end is missing"),
        (bomb, "60000 x 60000"),
        (long_bomb, "60000 x 60000"),
    ] {
        let upload = anna.uploaded(&bytes, "image/jpeg").await;
        anna.assert_refused(&upload, 422, words).await;
        site.assert_nothing_left().await;
    }
    // The words are refused: the picture goes all the same, since the page still has it.
    let upload = anna.uploaded(&whole, "image/jpeg").await;
    let answer = anna.publish(&upload, &"x".repeat(2_001)).await;
    assert!(text(&answer).contains("A caption may have"));
    site.assert_nothing_left().await;
}

#[tokio::test]
async fn a_limit_that_was_lowered_since_holds() {
    let lower = |raw: &mut photo_app::config::arguments::RawSettings| {
        raw.upload_bytes_max = Some("2000".to_owned());
    };
    let site = Site::start_with(lower, |slots, _| slots).await;
    let anna = site.person("anna").await;
    let slot = anna.slot(2_000, "image/png").await;
    let user = site.state.store.user_by_name("anna").await.expect("the store answers");
    let key = format!("uploads/{}/{}", user.expect("anna is there").id, slot.upload);
    site.put(&key, &picture(320, 240, ImageFormat::Png)).await;
    anna.assert_refused(&slot.upload, 413, "is larger than").await;
    site.assert_nothing_left().await;
}

/// Puts something else into the slot as soon as it has been looked at.
struct Swapping {
    inner: Arc<dyn Slots>,
    store: aws_sdk_s3::Client,
}

#[async_trait]
impl Slots for Swapping {
    async fn open(&self, key: &AssetKey, total: u64, kind: &str) -> Result<Slot, AssetError> {
        self.inner.open(key, total, kind).await
    }
    async fn look(&self, key: &AssetKey, bytes_max: u64) -> Result<Option<Arrived>, AssetError> {
        let found = self.inner.look(key, bytes_max).await?;
        let put = self.store.put_object().bucket(BUCKET).key(key.path());
        let put = put.body(ByteStream::from_static(b"something else"));
        put.send().await.expect("put");
        Ok(found)
    }
    async fn keep(&self, key: &AssetKey, tag: &str, to: &AssetKey) -> Result<bool, AssetError> {
        self.inner.keep(key, tag, to).await
    }
    fn origin(&self) -> &str {
        self.inner.origin()
    }
}

#[tokio::test]
async fn nobody_swaps_the_picture_after_it_was_looked_at() {
    let swapping = |inner, store| -> Arc<dyn Slots> { Arc::new(Swapping { inner, store }) };
    let site = Site::start_with(|_| {}, swapping).await;
    let anna = site.person("anna").await;
    let upload = anna.uploaded(&picture(320, 240, ImageFormat::Png), "image/png").await;
    anna.assert_refused(&upload, 422, MISSING).await;
    site.assert_nothing_left().await;
}
