//! A photo app on a free port, with what a page needs to have something to show.

use std::path::PathBuf;

use image::ImageEncoder as _;
use photo_app::config::Config;
use photo_app::config::arguments::RawSettings;
use photo_app::imaging::landscape;
use photo_app::state::AppState;
use photo_app::{router, server};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::browser::Browser;

/// Long enough for every rule, short enough to type.
pub const PASSWORD: &str = "a quiet afternoon";

/// A running app with SQLite and local files; it ends with its owner.
pub struct Site {
    url: String,
    folder: TempDir,
    _stop: DropGuard,
}

impl Site {
    /// A site without anybody on it.
    pub async fn start() -> Site {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| Some(folder.path().join(name).display().to_string());
        let raw = RawSettings {
            store: Some("sqlite".to_owned()),
            store_url: path("photos.db"),
            assets_dir: path("assets"),
            ..RawSettings::default()
        };
        let config = Config::check(&raw).expect("the test's settings are sound");
        let grace = config.shutdown_grace;
        let state = AppState::connect(config).await.expect("the backends can be reached");
        let listener = server::bind("127.0.0.1:0").await.expect("a free port exists");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, router::router(&state), stop.clone(), grace));
        Site { url, folder, _stop: stop.drop_guard() }
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
        let mut picture = landscape::paint(7, width, height);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (across, down) = (x as f32 / width as f32, y as f32 / height as f32);
            let wave = |shift: f32| 0.5 + 0.5 * ((across + shift) * std::f32::consts::TAU).cos();
            let channel = |shift: f32| (255.0 * (0.15 + 0.85 * wave(shift)) * (1.0 - down)) as u8;
            pixel.0 = [channel(0.0), channel(1.0 / 3.0), channel(2.0 / 3.0)];
        }
        picture.save(&file).expect("a PNG can be written");
        file
    }
}
