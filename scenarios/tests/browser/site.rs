//! A photo app on a free port, with what a page needs to have something to show.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn};
use image::ImageEncoder as _;
use lightmeter::cluster::standins::s3::serve;
use lightmeter::cluster::standins::s3_disk::Disk;
use photo_app::aws::{CallLimits, sdk_config};
use photo_app::config::Config;
use photo_app::config::arguments::RawSettings;
use photo_app::imaging::landscape;
use photo_app::state::AppState;
use photo_app::{router, server};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::browser::Browser;

/// Long enough for every rule, short enough to type.
pub const PASSWORD: &str = "a quiet afternoon";

/// The bucket of a site that has one.
const BUCKET: &str = "photos";

/// A running app with SQLite, and local files or a bucket; it ends with its owner.
pub struct Site {
    /// What the app knows.
    pub state: AppState,
    url: String,
    folder: TempDir,
    body_bytes_max: Arc<AtomicU64>,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl Site {
    /// A site without anybody on it.
    pub async fn start() -> Site {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), |_| {}).await
    }

    /// The same with its pictures in the S3 stand-in, which takes uploads from the site's pages as S3 would; and the stand-in's address.
    pub async fn start_presigned() -> (Site, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::open(folder.path().join("s3")).expect("a folder can be opened");
        disk.create_bucket(BUCKET).expect("a bucket can be made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let store_url = format!("http://{}", listener.local_addr().expect("an address"));
        let site = Self::start_in(folder, |raw| {
            raw.assets = Some("s3".to_owned());
            raw.s3_endpoint = Some(store_url.clone());
            raw.s3_bucket = Some(BUCKET.to_owned());
            raw.assets_public_url = Some(format!("{store_url}/{BUCKET}"));
            raw.uploads = Some("presigned".to_owned());
        });
        let site = site.await;
        tokio::spawn(serve(listener, Arc::new(disk), site.stop.clone()));
        site.allow_uploads_into(&store_url).await;
        (site, store_url)
    }

    /// Gives the bucket the rule that terraform/modules/assets gives it.
    async fn allow_uploads_into(&self, store_url: &str) {
        let config = sdk_config(Some(store_url), CallLimits::SMALL).await;
        let config = aws_sdk_s3::config::Builder::from(&config.expect("a sound endpoint"));
        let client = aws_sdk_s3::Client::from_conf(config.force_path_style(true).build());
        let rule = CorsRule::builder().allowed_methods("PUT").allowed_origins(&self.url);
        let rule = rule.allowed_headers("content-type").build().expect("a rule");
        let rules = CorsConfiguration::builder().cors_rules(rule).build().expect("rules");
        let put = client.put_bucket_cors().bucket(BUCKET).cors_configuration(rules);
        put.send().await.expect("the bucket takes rules");
    }

    async fn start_in(folder: TempDir, change: impl FnOnce(&mut RawSettings)) -> Site {
        let path = |name: &str| Some(folder.path().join(name).display().to_string());
        let mut raw = RawSettings {
            store: Some("sqlite".to_owned()),
            store_url: path("photos.db"),
            assets_dir: path("assets"),
            ..RawSettings::default()
        };
        change(&mut raw);
        let config = Config::check(&raw).expect("the test's settings are sound");
        let grace = config.shutdown_grace;
        let state = AppState::connect(config).await.expect("the backends can be reached");
        let listener = server::bind("127.0.0.1:0").await.expect("a free port exists");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let stop = CancellationToken::new();
        let body_bytes_max = Arc::new(AtomicU64::new(0));
        let router = measured(router::router(&state), body_bytes_max.clone());
        tokio::spawn(server::serve(listener, router, stop.clone(), grace));
        let _stop = stop.clone().drop_guard();
        Site { state, url, folder, body_bytes_max, stop, _stop }
    }

    /// The longest body that any request to the app has had so far.
    pub fn body_bytes_max(&self) -> u64 {
        self.body_bytes_max.load(Ordering::Relaxed)
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Makes an account in the browser, which is then logged in.
    pub async fn sign_up(&self, browser: &Browser, name: &str) {
        browser.open(&self.at("/signup"), 1280, 800).await;
        browser.type_into("#name", name).await;
        browser.type_into("#display_name", "Anna Berg").await;
        browser.type_into("#password", PASSWORD).await;
        browser.press("main form .button").await;
        browser.until_at(|path| path == "/").await;
    }

    /// Goes pro in the browser.
    pub async fn go_pro(&self, browser: &Browser) {
        browser.open(&self.at("/account"), 1280, 800).await;
        browser.press(".checkout .button").await;
        // The page was at this address before as well: only its words tell that the plan has changed.
        browser.until_says(".panel#plan h2", "Plan: Pro").await;
    }

    /// A landscape as a PNG file of this size.
    pub fn picture(&self, width: u32, height: u32) -> PathBuf {
        let file = self.folder.path().join(format!("hills-{width}x{height}.png"));
        landscape::paint(7, width, height).save(&file).expect("a PNG can be written");
        file
    }

    /// A JPEG file whose end is missing.
    pub fn broken_picture(&self) -> PathBuf {
        let file = self.folder.path().join("broken.jpg");
        let whole = landscape::paint(7, 320, 240);
        let jpeg = photo_app::imaging::encode::jpeg(&whole).expect("a painting can be encoded");
        std::fs::write(&file, &jpeg[..jpeg.len() / 2]).expect("a file can be written");
        file
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, bytes).expect("a file can be written");
        file
    }

    /// [`Site::colours`] as Display P3: the same numbers, which mean stronger colours.
    pub fn display_p3(&self, width: u32, height: u32) -> PathBuf {
        let colours =
            image::open(self.colours(width, height)).expect("a PNG can be read").into_rgb8();
        let file = self.folder.path().join("display-p3.png");
        let out = std::fs::File::create(&file).expect("a file can be made");
        let mut encoder = image::codecs::png::PngEncoder::new(out);
        let profile = moxcms::ColorProfile::new_display_p3().encode().expect("it can be written");
        encoder.set_icc_profile(profile).expect("a PNG may carry a profile");
        let kind = image::ExtendedColorType::Rgb8;
        encoder.write_image(colours.as_raw(), width, height, kind).expect("a PNG can be written");
        file
    }

    /// All hues from dark to light without an edge or a grain, as a PNG file of this size: JPEG changes it hardly, so that a
    /// difference is a filter's.
    pub fn colours(&self, width: u32, height: u32) -> PathBuf {
        let file = self.folder.path().join("colours.png");
        hues(width, height).save(&file).expect("a PNG can be written");
        file
    }
}

/// All hues across, from light to dark.
pub fn hues(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let (across, down) = (x as f32 / width as f32, y as f32 / height as f32);
        let wave = |shift: f32| 0.5 + 0.5 * ((across + shift) * std::f32::consts::TAU).cos();
        let channel = |shift: f32| (255.0 * (0.15 + 0.85 * wave(shift)) * (1.0 - down)) as u8;
        image::Rgb([channel(0.0), channel(1.0 / 3.0), channel(2.0 / 3.0)])
    })
}

/// The router, with the longest body of a request noted; one that does not tell its length counts as endless.
fn measured(router: axum::Router, longest: Arc<AtomicU64>) -> axum::Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let unknown = if request.method() == Method::GET { 0 } else { u64::MAX };
        longest.fetch_max(length.unwrap_or(unknown), Ordering::Relaxed);
        next.run(request)
    }))
}
