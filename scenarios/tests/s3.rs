//! The S3 stand-in against the client that production uses, and the app's assets against the stand-in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Credentials};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use lightmeter::cluster::standins::s3::serve;
use lightmeter::cluster::standins::s3_disk::Disk;
use photo_app::assets::s3::S3Assets;
use photo_app::assets::{AssetKey, Assets, conformance};
use photo_app::aws::{CallLimits, sdk_config};
use photo_app::model::{PhotoId, PictureFormat, RenditionFormat, VersionId};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const BUCKET: &str = "photos";

struct Standin {
    endpoint: String,
    client: Client,
    _stop: DropGuard,
}

async fn start(folder: &Path) -> Standin {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let disk = Arc::new(Disk::open(folder).expect("a temporary folder can be opened"));
    disk.create_bucket(BUCKET).expect("a bucket can be made");
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, disk, stop.clone()));
    let config = sdk_config(Some(&endpoint), CallLimits::SMALL).await.expect("a sound endpoint");
    let config = Builder::from(&config).force_path_style(true).build();
    Standin { endpoint, client: Client::from_conf(config), _stop: stop.drop_guard() }
}

async fn fetch(url: &str, header: Option<(&str, &str)>) -> http::Response<Bytes> {
    let client = HttpClient::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut request = Request::get(url);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let request = request.body(Empty::new()).expect("a sound request");
    let (head, body) = client.request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    http::Response::from_parts(head, body)
}

/// The error code of a refused call.
macro_rules! code {
    ($call:expr) => {
        $call
            .await
            .expect_err("refused")
            .as_service_error()
            .and_then(|error| error.meta().code().map(str::to_owned))
    };
}

#[tokio::test]
async fn the_apps_assets_keep_every_promise() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    let public = format!("{}/{BUCKET}/", standin.endpoint);
    let make = || async {
        let connected = S3Assets::connect(Some(&standin.endpoint), BUCKET, &public).await;
        connected.expect("a sound endpoint")
    };
    conformance::check_all(make).await;
}

#[tokio::test]
async fn renditions_are_public_with_their_headers_and_originals_are_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    let public = format!("{}/{BUCKET}", standin.endpoint);
    let assets = S3Assets::connect(Some(&standin.endpoint), BUCKET, &public).await;
    let assets = assets.expect("a sound endpoint");
    let (photo, version, format) = (PhotoId(1), VersionId(2), RenditionFormat::Jpeg);
    let rendition = AssetKey::Rendition { photo, version, width: 640, format };
    let original = AssetKey::Original { photo: PhotoId(1), format: PictureFormat::Png };
    assets.put(&rendition, Bytes::from_static(b"0123456789")).await.expect("put");
    assets.put(&original, Bytes::from_static(b"private")).await.expect("put");

    let url = assets.public_url(&rendition);
    let answer = fetch(&url, None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(answer.headers()["content-length"], "10");
    assert_eq!(answer.body().as_ref(), b"0123456789");

    let etag = answer.headers()["etag"].to_str().expect("ASCII").to_owned();
    let again = fetch(&url, Some(("if-none-match", &etag))).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert!(again.body().is_empty());
    let part = fetch(&url, Some(("range", "bytes=2-4"))).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.body().as_ref(), b"234");
    let beyond = fetch(&url, Some(("range", "bytes=10-"))).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    let private = fetch(&format!("{public}/{}", original.path()), None).await;
    assert_eq!(private.status(), StatusCode::FORBIDDEN);
    let info = fetch(&format!("{}/__lightmeter/info.json", standin.endpoint), None).await;
    let info: serde_json::Value = serde_json::from_slice(info.body()).expect("JSON");
    assert_eq!(info["counters"]["put"], 2);
    assert_eq!(info["counters"]["not_modified"], 1);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_a_presigned_address_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    for (key, secret) in [("test", "wrong"), ("nobody", "test")] {
        let credentials = Credentials::new(key, secret, None, None, "a test");
        let config = standin.client.config().to_builder().credentials_provider(credentials);
        let stranger = Client::from_conf(config.build());
        let put = stranger.put_object().bucket(BUCKET).key("renditions/a");
        let refused = put.body(ByteStream::from_static(b"x")).send().await;
        let status = refused.expect_err("refused").raw_response().map(|raw| raw.status().as_u16());
        assert_eq!(status, Some(403), "{key}/{secret}");
    }
    let put = standin.client.put_object().bucket(BUCKET).key("originals/secret");
    put.body(ByteStream::from_static(b"for your eyes")).send().await.expect("put");
    let lifetime = PresigningConfig::expires_in(Duration::from_secs(60)).expect("a minute");
    let get = standin.client.get_object().bucket(BUCKET).key("originals/secret");
    let presigned = get.presigned(lifetime).await.expect("an address can be signed");
    let answer = fetch(presigned.uri(), None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body().as_ref(), b"for your eyes");
}

#[tokio::test]
async fn objects_and_their_headers_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let before = start(folder.path()).await;
    for (key, body) in [("a/1", "one"), ("a/1", "two"), ("b", "three")] {
        let put = before.client.put_object().bucket(BUCKET).key(key).content_type("text/plain");
        let put = put.metadata("colour", "blue").body(ByteStream::from(body.as_bytes().to_vec()));
        put.send().await.expect("put");
    }
    before.client.delete_object().bucket(BUCKET).key("b").send().await.expect("delete");
    drop(before);
    let after = start(folder.path()).await;
    let found = after.client.get_object().bucket(BUCKET).key("a/1").send().await.expect("get");
    assert_eq!(found.content_type(), Some("text/plain"));
    assert_eq!(
        found.metadata().and_then(|all| all.get("colour")).map(String::as_str),
        Some("blue")
    );
    assert_eq!(found.body.collect().await.expect("a body").into_bytes().as_ref(), b"two");
    let listed = after.client.list_objects_v2().bucket(BUCKET).send().await.expect("list");
    assert_eq!(listed.contents().len(), 1);
}

#[tokio::test]
async fn listings_page_and_group() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    let client = &standin.client;
    for key in ["a/1", "a/2", "a/3", "b", "c/x/1", "c/y", "d"] {
        let put = client.put_object().bucket(BUCKET).key(key);
        put.body(ByteStream::from_static(b"x")).send().await.expect("put");
    }
    let mut keys = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_objects_v2().bucket(BUCKET).max_keys(3);
        let page = request.set_continuation_token(token).send().await.expect("list");
        assert!(page.contents().len() <= 3);
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(keys, ["a/1", "a/2", "a/3", "b", "c/x/1", "c/y", "d"]);

    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(1);
        let page = request.set_continuation_token(token).send().await.expect("list");
        let groups = page.common_prefixes().iter().filter_map(|group| group.prefix());
        seen.extend(groups.map(str::to_owned));
        seen.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"], "each group once, over pages of one");
    let within = client.list_objects_v2().bucket(BUCKET).prefix("c/").delimiter("/").send().await;
    let within = within.expect("list");
    assert_eq!(within.common_prefixes()[0].prefix(), Some("c/x/"));
    assert_eq!(within.contents()[0].key(), Some("c/y"));
}

#[tokio::test]
async fn buckets_conditions_copies_and_deletes_behave_as_documented() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    let client = &standin.client;
    let put = |key: &str| client.put_object().bucket(BUCKET).key(key);
    put("k").body(ByteStream::from_static(b"x")).send().await.expect("put");
    let only_new = put("k").if_none_match("*").body(ByteStream::from_static(b"y"));
    assert_eq!(code!(only_new.send()).as_deref(), Some("PreconditionFailed"));
    put("new").if_none_match("*").body(ByteStream::from_static(b"y")).send().await.expect("put");
    let missing = client.get_object().bucket(BUCKET).key("nothing");
    assert_eq!(code!(missing.send()).as_deref(), Some("NoSuchKey"));
    let nowhere = client.get_object().bucket("no-such-bucket").key("k");
    assert_eq!(code!(nowhere.send()).as_deref(), Some("NoSuchBucket"));

    let copy = client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/k"));
    copy.send().await.expect("copy");
    let copied = client.head_object().bucket(BUCKET).key("copy").send().await.expect("head");
    assert_eq!(copied.content_length(), Some(1));

    let full = client.delete_bucket().bucket(BUCKET);
    assert_eq!(code!(full.send()).as_deref(), Some("BucketNotEmpty"));
    let named = |key: &str| ObjectIdentifier::builder().key(key).build().expect("a key");
    let all = Delete::builder().objects(named("k")).objects(named("new")).objects(named("copy"));
    let all = all.build().expect("three keys");
    client.delete_objects().bucket(BUCKET).delete(all).send().await.expect("delete");
    client.delete_bucket().bucket(BUCKET).send().await.expect("an empty bucket goes");
    client.create_bucket().bucket("another-one").send().await.expect("create");
    let names = client.list_buckets().send().await.expect("list");
    assert_eq!(names.buckets()[0].name(), Some("another-one"));
}

#[tokio::test]
async fn a_multipart_upload_is_one_object_once_complete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = start(folder.path()).await;
    let client = &standin.client;
    let begun = client.create_multipart_upload().bucket(BUCKET).key("large");
    let id = begun.content_type("image/png").send().await.expect("begin");
    let id = id.upload_id().expect("an id").to_owned();
    let bodies = [vec![1_u8; 5 << 20], vec![2_u8; 1_000]];
    let mut parts = CompletedMultipartUpload::builder();
    for (number, body) in (1..).zip(&bodies) {
        let part = client.upload_part().bucket(BUCKET).key("large").upload_id(&id);
        let part = part.part_number(number).body(ByteStream::from(body.clone()));
        let etag = part.send().await.expect("a part").e_tag().expect("an ETag").to_owned();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    let before = client.head_object().bucket(BUCKET).key("large").send().await;
    assert!(before.is_err(), "nothing is there before completion");
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("large").upload_id(&id);
    complete.multipart_upload(parts.build()).send().await.expect("complete");
    let found = client.get_object().bucket(BUCKET).key("large").send().await.expect("get");
    assert_eq!(found.content_type(), Some("image/png"));
    assert!(found.e_tag().is_some_and(|etag| etag.ends_with("-2\"")));
    let body = found.body.collect().await.expect("a body").into_bytes();
    assert!(body.as_ref() == bodies.concat(), "the parts in order");
    let gone = client.abort_multipart_upload().bucket(BUCKET).key("large").upload_id(&id);
    assert_eq!(code!(gone.send()).as_deref(), Some("NoSuchUpload"));
}
