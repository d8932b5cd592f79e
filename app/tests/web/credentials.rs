//! Passwords, plans and accounts with two web servers on one database, each with a cache of its own: what was changed through one holds
//! at once at the other (docs/decisions/credentials.md).

use http::header;
use photo_app::config::arguments::RawSettings;

use crate::support::{Browser, PASSWORD, Site, jpeg};

const NEW_PASSWORD: &str = "another afternoon";

/// Two servers; cookies are signed with the same key and good at both.
async fn two_servers() -> (Site, Site) {
    let cached = |raw: &mut RawSettings| raw.cache = Some("moka".to_owned());
    let one = Site::start_with("sqlite", cached).await;
    let path = |name: &str| Some(one.folder.path().join(name).display().to_string());
    let (store_url, assets_dir) = (path("photos.db"), path("assets"));
    let same = |raw: &mut RawSettings| {
        cached(raw);
        raw.store_url = store_url;
        raw.assets_dir = assets_dir;
    };
    let other = Site::start_with("sqlite", same).await;
    (one, other)
}

/// The same browser at another server.
fn at(site: &Site, browser: &Browser) -> Browser {
    with_cookie(site, browser.cookie.clone())
}

fn with_cookie(site: &Site, cookie: Option<String>) -> Browser {
    let mut browser = site.browser();
    browser.cookie = cookie;
    browser
}

/// Everything that could put this person into a cache.
async fn warm(browser: &mut Browser) {
    for path in ["/", "/explore", "/u/anna", "/account", "/upload"] {
        assert_eq!(browser.get(path).await.status, http::StatusCode::OK, "{path}");
    }
}

async fn log_in(site: &Site, password: &str) -> u16 {
    let form = [("name", "anna"), ("password", password)];
    site.browser().post("/login", &form).await.status.as_u16()
}

#[tokio::test]
async fn a_changed_password_holds_at_every_server_at_once() {
    let (one, other) = two_servers().await;
    let mut anna = one.person("anna").await;
    warm(&mut at(&other, &anna)).await;
    assert_eq!(log_in(&other, PASSWORD).await, 303);
    let change = [("current", PASSWORD), ("password", NEW_PASSWORD)];
    anna.post("/account/password", &change).await.location();
    for site in [&one, &other] {
        assert_eq!(log_in(site, PASSWORD).await, 422, "the old one is over");
        assert_eq!(log_in(site, NEW_PASSWORD).await, 303);
    }
    let mut there = at(&other, &anna);
    let change = [("current", PASSWORD), ("password", "a third afternoon")];
    let refused = there.post("/account/password", &change).await;
    refused.assert_says(422, "not your current password");
    let refused = there.post("/account/delete", &[("password", PASSWORD)]).await;
    refused.assert_says(422, "not your current password");
}

#[tokio::test]
async fn the_plan_decides_about_the_watermark_as_it_is_now() {
    let (one, other) = two_servers().await;
    let mut anna = one.person("anna").await;
    let mut there = at(&other, &anna);
    for (plan, marked) in [("pro", false), ("free", true), ("pro", false)] {
        warm(&mut there).await;
        anna.post("/account/plan", &[("plan", plan)]).await.location();
        let upload = there.get("/upload").await.text();
        assert_eq!(upload.contains("small watermark"), marked, "{plan}: the page");
        let photo = there.upload("a.jpg", &jpeg(64, 48), &[]).await.location().to_owned();
        let edit = there.get(&format!("{photo}/edit")).await.text();
        assert_eq!(edit.contains("watermark</span>"), marked, "{plan}: the photo");
    }
}

#[tokio::test]
async fn a_deleted_account_neither_logs_in_nor_uploads_nor_comments_anywhere() {
    let (one, other) = two_servers().await;
    let mut anna = one.person("anna").await;
    let mut ben = one.person("ben").await;
    let photo = ben.upload("a.jpg", &jpeg(64, 48), &[]).await.location().to_owned();
    let mut there = at(&other, &anna);
    warm(&mut there).await;
    there.get(&photo).await.assert_says(200, "Comments");
    let cookie = there.cookie.clone();
    anna.post("/account/delete", &[("password", PASSWORD)]).await.location();
    assert_eq!(log_in(&other, PASSWORD).await, 422);
    let comment = format!("{photo}/comments");
    for site in [&one, &other] {
        for way in ["upload", "comment", "pro", "/account", "/upload"] {
            // The cookie is signed, so that no server can end it; it is worth nothing.
            let mut ghost = with_cookie(site, cookie.clone());
            let answer = match way {
                "upload" => ghost.upload("a.jpg", &jpeg(64, 48), &[]).await,
                "comment" => ghost.post(&comment, &[("body", "Boo")]).await,
                "pro" => ghost.post("/account/plan", &[("plan", "pro")]).await,
                page => ghost.get(page).await,
            };
            assert_eq!(answer.location(), "/login?next=/", "{way}");
            assert!(answer.header(header::SET_COOKIE).starts_with("session=;"), "{way}");
            assert_eq!(ghost.cookie, None);
            ghost.get("/login?next=/").await.assert_says(200, "Welcome back");
        }
    }
    let page = ben.get(&photo).await;
    assert!(!page.text().contains("Boo"));
    ben.get("/explore").await.assert_says(200, &photo);
    assert!(!ben.get("/explore").await.text().contains("/u/anna"));
    // The name is free again, and its new owner is somebody else.
    one.person("anna").await;
    assert_eq!(log_in(&other, PASSWORD).await, 303);
}
