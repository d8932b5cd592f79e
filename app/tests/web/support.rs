//! A site on a free port and a small browser with a cookie: what every test of this folder starts from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use photo_app::config::Config;
use photo_app::config::arguments::RawSettings;
use photo_app::imaging::landscape;
use photo_app::state::AppState;
use photo_app::{router, server};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The stores that need no server of their own.
pub const STORES: [&str; 2] = ["memory", "sqlite"];
/// Long enough for every rule, short enough to read.
pub const PASSWORD: &str = "a quiet afternoon";

/// A running app.
pub struct Site {
    pub address: SocketAddr,
    pub state: AppState,
    pub folder: TempDir,
    stop: CancellationToken,
    server: JoinHandle<bool>,
}

impl Site {
    /// A site on this store, otherwise with the settings of a developer's machine.
    pub async fn start(store: &str) -> Self {
        Self::start_with(store, |_| {}).await
    }

    /// A site whose settings `change` may alter.
    pub async fn start_with(store: &str, change: impl FnOnce(&mut RawSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a temp folder can be made");
        let path = |name: &str| Some(folder.path().join(name).display().to_string());
        let mut raw = RawSettings {
            store: Some(store.to_owned()),
            store_url: (store == "sqlite").then(|| path("photos.db")).flatten(),
            assets_dir: path("assets"),
            ..RawSettings::default()
        };
        change(&mut raw);
        let config = Config::check(&raw).expect("the test's settings are sound");
        let grace = config.shutdown_grace;
        let state = AppState::connect(config).await.expect("the backends can be reached");
        let listener = server::bind("127.0.0.1:0").await.expect("a free port exists");
        let address = listener.local_addr().expect("a listener has an address");
        let stop = CancellationToken::new();
        let router = router::router(&state);
        let server = tokio::spawn(server::serve(listener, router, stop.clone(), grace));
        Self { address, state, folder, stop, server }
    }

    /// Stops the server; true when everything in flight was finished.
    pub async fn stop(self) -> bool {
        self.stop.cancel();
        self.server.await.expect("the server does not panic")
    }

    /// Asks the server to stop without waiting for it.
    pub fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Every file below the assets' folder.
    pub fn asset_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder.path().join("assets"), &mut found);
        found
    }

    /// Calls of each store verb so far.
    pub fn store_calls(&self) -> BTreeMap<String, u64> {
        let counters = self.state.telemetry.counters.snapshot();
        counters.into_iter().filter(|(name, _)| name.starts_with("store.")).collect()
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Browser { client, address: self.address, cookie: None }
    }

    /// A browser that is logged in as a new person.
    pub async fn person(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let form = [("name", name), ("display_name", name), ("password", PASSWORD)];
        let answer = browser.post("/signup", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        browser
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// A client that keeps the session cookie and does not follow redirects by itself.
pub struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    pub cookie: Option<String>,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text());
        self.header(header::LOCATION)
    }

    /// The status and that the page says this.
    pub fn assert_says(&self, status: u16, words: &str) {
        let text = self.text();
        let main = text.split("<main").nth(1).unwrap_or(&text);
        assert_eq!(self.status.as_u16(), status, "{main}");
        assert!(text.contains(words), "`{words}` is not in:\n{main}");
        assert!(text.contains("</html>"), "the page is not whole:\n{text}");
    }
}

impl Browser {
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Asks until the page is as wanted, for 10 s at most.
    pub async fn until(&mut self, path: &str, wanted: impl Fn(&str) -> bool) {
        for _ in 0..500 {
            if wanted(&self.get(path).await.text()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} does not become what is wanted");
    }

    /// Asks until there is nothing there any more, for 10 s at most.
    pub async fn until_gone(&mut self, path: &str) {
        for _ in 0..500 {
            if self.get(path).await.status == StatusCode::NOT_FOUND {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} does not go");
    }

    pub async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[]).await
    }

    pub async fn post_with(
        &mut self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let escape = photo_app::routes::query_escape;
        let pairs = form.iter().map(|(name, value)| format!("{name}={}", escape(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.send(Method::POST, path, &all, body.into()).await
    }

    /// Uploads a picture with these text fields.
    pub async fn upload(&mut self, file: &str, picture: &[u8], fields: &[(&str, &str)]) -> Answer {
        let (content_type, body) = multipart(file, picture, fields);
        self.send(Method::POST, "/upload", &[("content-type", &content_type)], body).await
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Full::new(body)).expect("the test's request is sound");
        let answer = self.client.request(request).await.expect("the site answers");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("the body arrives whole").to_bytes();
        if let Some(line) = parts.headers.get(header::SET_COOKIE) {
            let line = line.to_str().expect("a cookie is ASCII");
            let pair = line.split(';').next().unwrap_or_default().to_owned();
            self.cookie = (pair != "session=").then_some(pair);
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// A multipart body: content type and bytes.
pub fn multipart(file: &str, picture: &[u8], fields: &[(&str, &str)]) -> (String, Bytes) {
    let boundary = "----the-boundary-of-a-test";
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"{file}\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(picture);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

/// A painted landscape as a JPEG file.
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    landscape::paint(7, width, height)
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .expect("a picture in memory can be written as JPEG");
    bytes.into_inner()
}

/// The text between two marks.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text.find(before).unwrap_or_else(|| panic!("`{before}` is not in:\n{text}"));
    let rest = &text[start + before.len()..];
    &rest[..rest.find(after).unwrap_or_else(|| panic!("`{after}` does not follow `{before}`"))]
}

/// Waits until `ready` says so, asking every 10 ms for at most 10 s.
pub async fn until(mut ready: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what was waited for did not happen within 10 s");
}
