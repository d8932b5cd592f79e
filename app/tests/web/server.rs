//! The server around the pages: starting, stopping, giving up, and saying so.

use std::process::{Command, Stdio};

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Site, jpeg, multipart, until};

#[tokio::test]
async fn what_is_in_flight_is_finished_before_the_end() {
    let site = Site::start("memory").await;
    let anna = site.person("anna").await;
    let (content_type, body) = multipart("a.jpg", &jpeg(640, 480), &[]);
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        site.address,
        anna.cookie.clone().unwrap_or_default(),
        body.len()
    );
    let mut stream = TcpStream::connect(site.address).await.expect("the site listens");
    let (first, rest) = body.split_at(body.len() / 2);
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(first).await.expect("half of the body is sent");
    // The handler has begun once it asked who uploads.
    until(|| site.store_calls().contains_key("store.user")).await;
    site.ask_to_stop();
    stream.write_all(rest).await.expect("the rest is sent after the stop signal");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer arrives, then the connection ends");
    assert!(answer.starts_with("HTTP/1.1 303 See Other"), "{answer}");
    assert!(TcpStream::connect(site.address).await.is_err(), "nobody new is let in");
    assert!(site.stop().await);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_with_a_page() {
    let limit = |raw: &mut photo_app::config::arguments::RawSettings| {
        raw.request_timeout_ms = Some("300".to_owned());
    };
    let site = Site::start_with("memory", limit).await;
    let mut browser = site.browser();
    let mut anna = site.person("anna").await;
    let held = site.state.places.take(u64::MAX).await.expect("the places are open");
    let answer = anna.upload("a.jpg", &jpeg(64, 48), &[]).await;
    answer.assert_says(503, "Out of light for a moment");
    assert_eq!(answer.header("retry-after"), "2");
    drop(held);
    let info = browser.get("/info.json").await.json();
    assert_eq!(info["counters"]["errors.upload"], 1);
}

/// What lies in the asset store, sorted.
async fn stored(state: &photo_app::state::AppState) -> Vec<String> {
    let listing = state.assets.list(None, 1_000).await.expect("the assets can be listed");
    let mut paths: Vec<String> = listing.keys.iter().map(|key| key.path()).collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn the_sweep_removes_pictures_that_no_row_leads_to() {
    use photo_app::assets::{AssetKey, rendition_keys};
    use photo_app::model::{PhotoId, PictureFormat, VersionId};
    for store in crate::support::STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let photo = anna.upload("a.jpg", &jpeg(640, 480), &[]).await.location().to_owned();
        let photo: PhotoId = photo.trim_start_matches("/p/").parse().expect("an id");
        let state = &site.state;
        let kept = stored(state).await;
        let put = async |key: AssetKey| {
            state.assets.put(&key, jpeg(64, 64).into()).await.expect("it can be stored");
            key.path()
        };
        // An upload that died after its original, long ago and just now; a removal that died after its rows; a version
        // of a photo that is still there.
        let hours_ago = (state.clock.now_ms() - 7_200_000).unsigned_abs();
        let now = state.clock.now_ms().unsigned_abs();
        let format = PictureFormat::Jpeg;
        put(AssetKey::Original { photo: PhotoId::new(hours_ago, 1), format }).await;
        let young = put(AssetKey::Original { photo: PhotoId::new(now, 2), format }).await;
        for key in rendition_keys(PhotoId::new(hours_ago, 3), 640, VersionId::new(hours_ago, 3)) {
            put(key).await;
        }
        for key in rendition_keys(photo, 640, VersionId::new(hours_ago, 5)) {
            put(key).await;
        }
        let mut cursor = None;
        let removed = photo_app::sweep::leftovers(state, &mut cursor).await.expect("it sweeps");
        assert_eq!((removed, cursor), (1 + 4 + 4, None), "{store}");
        let mut expected = kept.clone();
        expected.push(young);
        expected.sort();
        assert_eq!(stored(state).await, expected, "{store}");
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn the_sweep_does_not_empty_the_store_of_another_database() {
    use photo_app::assets::AssetKey;
    use photo_app::model::{PhotoId, PictureFormat};
    let site = Site::start("memory").await;
    let hours_ago = (site.state.clock.now_ms() - 7_200_000).unsigned_abs();
    for number in 0..30 {
        let photo = PhotoId::new(hours_ago, number);
        let key = AssetKey::Original { photo, format: PictureFormat::Jpeg };
        site.state.assets.put(&key, jpeg(64, 64).into()).await.expect("it can be stored");
    }
    let refused = photo_app::sweep::leftovers(&site.state, &mut None).await;
    let refused = refused.expect_err("all photos are unknown").to_string();
    assert!(refused.contains("30 of 30 photos"), "{refused}");
    assert_eq!(stored(&site.state).await.len(), 30);
}

#[tokio::test]
async fn the_sweep_finishes_what_a_crash_left() {
    use photo_app::assets::AssetKey;
    use photo_app::model::{Photo, PhotoId, PictureFormat, Progress, Version, VersionId};
    let site = Site::start("memory").await;
    site.person("anna").await;
    let state = &site.state;
    let anna = state.store.user_by_name("anna").await.expect("the store answers");
    let author = anna.expect("anna signed up").id;
    let old_ms = state.clock.now_ms() - 120_000;
    let id = PhotoId::for_author(author, old_ms.unsigned_abs(), 5);
    let version = Version {
        id: VersionId::new(old_ms.unsigned_abs(), 6),
        photo: id,
        filter: "sepia".to_owned(),
        strength: 100,
        watermarked: true,
        progress: Progress::Preparing,
        created_at_ms: old_ms,
    };
    let photo = Photo {
        id,
        author,
        caption: String::new(),
        alt: String::new(),
        width: 640,
        height: 480,
        format: PictureFormat::Jpeg,
        published_version: version.id,
        progress: Progress::Preparing,
        created_at_ms: old_ms,
        ready_at_us: None,
        like_count: 0,
        comment_count: 0,
    };
    let key = AssetKey::Original { photo: id, format: PictureFormat::Jpeg };
    state.assets.put(&key, jpeg(640, 480).into()).await.expect("the original is stored");
    state.store.add_photo(&photo, &version).await.expect("the row is added");
    let mut stranger = site.browser();
    stranger.get(&format!("/p/{id}")).await.assert_says(404, "Nothing on this frame");
    let taken = photo_app::sweep::unfinished(state).await.expect("the sweep runs");
    assert_eq!(taken, 1);
    stranger.get(&format!("/p/{id}")).await.assert_says(200, "class=\"rendition\"");
    assert_eq!(photo_app::sweep::unfinished(state).await.expect("the sweep runs"), 0);
}

fn photo_app(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_photo-app"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn wrong_settings_are_all_named_at_once() {
    let arguments = ["serve", "--store", "oracle", "--cache", "disk", "--listen", "8080"];
    let output = photo_app(&arguments).output().expect("photo-app can be run");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    for words in [
        "--store `oracle`: use sqlite, mysql, replicated, sharded, dynamodb or memory",
        "--cache `disk`: use none, moka or redis",
        "--listen `8080`: use host:port",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let site = Site::start("memory").await;
    let address = site.address.to_string();
    let run = move || photo_app(&["serve", "--store", "memory", "--listen", &address]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("the thread ends");
    let output = output.expect("photo-app can be run");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    let line = format!("photo-app: cannot listen on {}", site.address);
    assert!(text.lines().any(|found| found.starts_with(&line)), "{text}");
    assert!(text.contains("Address already in use"), "{text}");
}

#[test]
fn the_process_announces_itself_and_ends_on_a_signal() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a temp folder can be made");
    let assets = folder.path().join("assets").display().to_string();
    let arguments =
        ["serve", "--store", "memory", "--assets-dir", &assets, "--listen", "127.0.0.1:0"];
    let mut child = photo_app(&arguments).spawn().expect("photo-app can be run");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line arrives");
    let announced: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!(announced["role"], "serve");
    assert!(announced["listening"].as_str().is_some_and(|at| at.starts_with("127.0.0.1:")));
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill can be run").success());
    let status = child.wait().expect("the process ends");
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let site = Site::start("memory").await;
    let mut stream = TcpStream::connect(site.address).await.expect("the site listens");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", site.address);
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.expect("a request is sent");
        let mut answer = vec![0; 4_096];
        let length = stream.read(&mut answer).await.expect("an answer arrives");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {}", StatusCode::OK)), "{answer}");
    }
}
