//! An app whose pictures lie in the S3 stand-in, and people who do what the upload page's script does.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lightmeter::cluster::standins::s3::serve;
use lightmeter::cluster::standins::s3_disk::Disk;
use photo_app::assets::slots::Slots;
use photo_app::aws::{CallLimits, sdk_config};
use photo_app::config::Config;
use photo_app::config::arguments::RawSettings;
use photo_app::imaging::landscape;
use photo_app::state::{AppState, Parts};
use photo_app::{router, server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const BUCKET: &str = "photos";

/// A running app and its bucket; both end with their owner.
pub struct Site {
    pub url: String,
    pub store_url: String,
    pub store: Client,
    pub state: AppState,
    _folder: TempDir,
    _stop: DropGuard,
}

impl Site {
    /// A site without anybody on it.
    pub async fn start() -> Site {
        Self::start_with(|_| {}, |slots, _| slots).await
    }

    /// The same with other settings, and with slots that `wrap` has changed.
    pub async fn start_with(
        change: impl FnOnce(&mut RawSettings),
        wrap: impl FnOnce(Arc<dyn Slots>, Client) -> Arc<dyn Slots>,
    ) -> Site {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let store_url = format!("http://{}", listener.local_addr().expect("an address"));
        let disk = Arc::new(Disk::open(folder.path()).expect("a temporary folder can be opened"));
        disk.create_bucket(BUCKET).expect("a bucket can be made");
        tokio::spawn(serve(listener, disk, stop.clone()));
        let config = sdk_config(Some(&store_url), CallLimits::SMALL).await;
        let config = Builder::from(&config.expect("a sound endpoint")).force_path_style(true);
        let store = Client::from_conf(config.build());

        let mut raw = RawSettings {
            store: Some("memory".to_owned()),
            assets: Some("s3".to_owned()),
            s3_endpoint: Some(store_url.clone()),
            s3_bucket: Some(BUCKET.to_owned()),
            assets_public_url: Some(format!("{store_url}/{BUCKET}")),
            uploads: Some("presigned".to_owned()),
            ..RawSettings::default()
        };
        change(&mut raw);
        let config = Config::check(&raw).expect("the test's settings are sound");
        let grace = config.shutdown_grace;
        let state = AppState::connect(config).await.expect("the backends can be reached");
        let slots = state.slots.clone().map(|slots| wrap(slots, store.clone()));
        let state = AppState::new(Parts {
            role: state.role,
            config: state.config.clone(),
            store: state.store.clone(),
            assets: state.assets.clone(),
            slots,
            cache: state.cache.clone(),
            jobs: state.jobs.clone(),
            sessions: state.sessions.clone(),
            clock: state.clock.clone(),
            telemetry: state.telemetry.clone(),
            passwords: Default::default(),
            login_attempts: Default::default(),
            places: state.places.clone(),
            limits: state.limits,
        });
        let listener = server::bind("127.0.0.1:0").await.expect("a free port exists");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        tokio::spawn(server::serve(listener, router::router(&state), stop.clone(), grace));
        Site { url, store_url, store, state, _folder: folder, _stop: stop.drop_guard() }
    }

    /// The keys below a folder of the bucket.
    pub async fn keys(&self, folder: &str) -> Vec<String> {
        let listed = self.store.list_objects_v2().bucket(BUCKET).prefix(format!("{folder}/"));
        let listed = listed.send().await.expect("the bucket can be listed");
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// That nothing of any upload is left.
    pub async fn assert_nothing_left(&self) {
        for folder in ["uploads", "originals", "renditions"] {
            assert_eq!(self.keys(folder).await, Vec::<String>::new());
        }
        let unfinished = self.state.store.unfinished_versions(i64::MAX, 10).await;
        assert!(unfinished.expect("the store answers").is_empty());
    }

    /// Puts an object with the bucket's own keys.
    pub async fn put(&self, key: &str, bytes: &[u8]) {
        let put = self.store.put_object().bucket(BUCKET).key(key);
        put.body(ByteStream::from(bytes.to_vec())).send().await.expect("put");
    }

    /// Somebody with an account who is logged in.
    pub async fn person(&self, name: &str) -> Person {
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        let mut person = Person { client, url: self.url.clone(), cookie: None };
        let form = format!("name={name}&display_name={name}&password=a+quiet+afternoon");
        let answer = person.form("/signup", &form, &[]).await;
        let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("ASCII");
        person.cookie = cookie.split(';').next().map(str::to_owned);
        person
    }
}

/// Somebody's browser.
pub struct Person {
    client: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    pub cookie: Option<String>,
}

/// What a script is told of its slot.
#[derive(Debug, Clone)]
pub struct Told {
    pub upload: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

impl Person {
    /// Sends a request anywhere; the cookie goes to the site only.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = self.cookie.as_ref().filter(|_| url.starts_with(&self.url)) {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Full::new(body)).expect("the test's request is sound");
        let (head, body) = self.client.request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("the body arrives whole").to_bytes();
        Response::from_parts(head, body)
    }

    pub async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(Method::GET, &format!("{}{path}", self.url), &[], Bytes::new()).await
    }

    /// Posts a form.
    pub async fn form(&self, path: &str, form: &str, more: &[(&str, &str)]) -> Response<Bytes> {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(more);
        let url = format!("{}{path}", self.url);
        self.send(Method::POST, &url, &headers, form.to_owned().into()).await
    }

    /// Asks for a slot, whatever comes of it.
    pub async fn ask(&self, bytes: usize, content_type: &str) -> Response<Bytes> {
        let form = format!("bytes={bytes}&content_type={content_type}");
        self.form("/upload/slots", &form, &[]).await
    }

    /// Asks for a slot and gets it.
    pub async fn slot(&self, bytes: usize, content_type: &str) -> Told {
        let answer = self.ask(bytes, content_type).await;
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let told: Value = serde_json::from_slice(answer.body()).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let headers = told["headers"].as_object().expect("a map").iter();
        Told {
            upload: text(&told["upload"]),
            url: text(&told["url"]),
            headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }

    /// Puts bytes into a slot as the script would, with these headers in place of some of its own.
    pub async fn put(&self, slot: &Told, bytes: &[u8], other: &[(&str, &str)]) -> StatusCode {
        let mut headers = slot.headers.clone();
        headers.extend(other.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(Method::PUT, &slot.url, &headers, bytes.to_vec().into()).await.status()
    }

    /// A slot with a picture in it.
    pub async fn uploaded(&self, bytes: &[u8], content_type: &str) -> String {
        let slot = self.slot(bytes.len(), content_type).await;
        assert_eq!(self.put(&slot, bytes, &[]).await, StatusCode::OK);
        slot.upload
    }

    /// Sends the upload form with an upload in the place of a picture.
    pub async fn publish(&self, upload: &str, caption: &str) -> Response<Bytes> {
        let mut body = String::new();
        for (name, value) in [("upload", upload), ("caption", caption), ("filter", "original")] {
            body.push_str("--b\r\nContent-Disposition: form-data; name=\"");
            body.push_str(&format!("{name}\"\r\n\r\n{value}\r\n"));
        }
        body.push_str("--b--\r\n");
        let headers = [("content-type", "multipart/form-data; boundary=b")];
        let url = format!("{}/upload", self.url);
        self.send(Method::POST, &url, &headers, body.into()).await
    }

    /// That the form is refused with this sentence, and keeps what was typed.
    pub async fn assert_refused(&self, upload: &str, status: u16, words: &str) {
        let answer = self.publish(upload, "What I typed").await;
        let page = text(&answer);
        assert_eq!(answer.status().as_u16(), status, "{page}");
        assert!(page.contains(words), "`{words}` is not in:\n{page}");
        assert!(page.contains("role=\"alert\"") && page.contains("What I typed</textarea>"));
    }
}

pub fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

pub fn location(headers: &HeaderMap) -> &str {
    headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A painted landscape.
pub fn picture(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let painted = landscape::paint(7, width, height);
    painted.write_to(&mut bytes, format).expect("a picture in memory can be written");
    bytes.into_inner()
}
