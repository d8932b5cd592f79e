//! Every page in its states, and the files and answers beside the pages.

use http::{StatusCode, header};

use crate::support::{PASSWORD, STORES, Site, between, jpeg};

#[tokio::test]
async fn every_page_renders_for_strangers_and_members() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let mut stranger = site.browser();
        stranger.get("/explore").await.assert_says(200, "Nobody has uploaded");
        let photo = anna.upload("a.jpg", &jpeg(640, 480), &[]).await.location().to_owned();
        for (path, words) in [
            ("/", "Your pictures, in their best light."),
            ("/explore", "<article class=\"card tile\""),
            ("/u/anna", "@anna"),
            (photo.as_str(), "to like and comment"),
            ("/signup", "Create an account"),
            ("/login", "Welcome back"),
            ("/plans", "One difference: the watermark"),
            ("/search", "Find people"),
            ("/search?q=an", "<strong><bdi>anna</bdi></strong>"),
            ("/search?q=%3Cscript%3E", "<h2>Nobody's name begins with"),
            ("/info", "web-1"),
            ("/topology", "Inside this process"),
        ] {
            stranger.get(path).await.assert_says(200, words);
        }
        for (path, words) in [
            ("/", "<article class=\"card\""),
            ("/explore", "Upload</a>"),
            ("/u/anna", "Account</a>"),
            (photo.as_str(), "Your versions"),
            ("/upload", "Choose a picture"),
            ("/account", "Change password"),
            ("/plans", "/account#plan"),
            (&format!("{photo}/edit"), "Another look"),
        ] {
            anna.get(path).await.assert_says(200, words);
        }
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn what_needs_a_login_leads_there_and_back() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let photo = anna.upload("a.jpg", &jpeg(640, 480), &[]).await.location().to_owned();
    let mut stranger = site.browser();
    assert_eq!(stranger.get("/upload").await.location(), "/login?next=/upload");
    assert_eq!(
        stranger.get("/account?done=plan").await.location(),
        "/login?next=/account%3Fdone%3Dplan"
    );
    let path = format!("{photo}/edit");
    assert_eq!(stranger.get(&path).await.location(), format!("/login?next={path}"));
    for (path, form) in [
        (format!("{photo}/like"), ("on", "true")),
        (format!("{photo}/comments"), ("body", "hello")),
        ("/u/anna/follow".to_owned(), ("on", "true")),
    ] {
        assert_eq!(stranger.post(&path, &[form]).await.location(), "/login?next=/", "{path}");
    }
    let refused = stranger.upload("a.jpg", &jpeg(64, 48), &[]).await;
    assert_eq!(refused.location(), "/login?next=/");
    let next = anna.get("/login?next=//evil.test/").await;
    assert_eq!(next.location(), "/");
}

#[tokio::test]
async fn bad_addresses_and_forms_get_a_friendly_page() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let photo = anna.upload("a.jpg", &jpeg(640, 480), &[]).await.location().to_owned();
    for path in [
        "/nowhere",
        "/p/not-an-id",
        "/p/0000000000001",
        "/p/0000000000001/status",
        "/u/nobody",
        "/?before=x",
        "/explore?before=",
        "/static/app.css",
        "/assets/renditions/x",
    ] {
        anna.get(path).await.assert_says(404, "Nothing on this frame");
    }
    anna.post(&format!("{photo}/like"), &[("on", "perhaps")]).await.assert_says(422, "Go back");
    anna.post("/p/0000000000001/like", &[("on", "true")]).await.assert_says(404, "Nothing on");
    let empty = anna.post(&format!("{photo}/comments"), &[("body", "  ")]).await;
    empty.assert_says(422, "at least one word");
    let long = "ä".repeat(1_001);
    let long = anna.post(&format!("{photo}/comments"), &[("body", &long)]).await;
    long.assert_says(422, "this one has 1001");
    let huge = "x".repeat(70_000);
    let huge = anna.post(&format!("{photo}/comments"), &[("body", &huge)]).await;
    huge.assert_says(413, "too large");
    anna.post("/u/anna/follow", &[("on", "true")])
        .await
        .assert_says(422, "Nobody follows themselves");
    anna.post("/explore", &[]).await.assert_says(405, "works differently");
    let mut ben = site.person("ben").await;
    ben.post(&format!("{photo}/delete"), &[]).await.assert_says(403, "belongs to somebody else");
    ben.get(&format!("{photo}/edit")).await.assert_says(403, "belongs to somebody else");
}

#[tokio::test]
async fn files_are_kept_for_ever_under_names_that_change() {
    let site = Site::start("memory").await;
    let mut browser = site.browser();
    let page = browser.get("/explore").await.text();
    for (before, content_type) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<script src=\"", "text/javascript; charset=utf-8"),
        ("type=\"image/svg+xml\" href=\"", "image/svg+xml"),
    ] {
        let url = between(&page, before, "\"");
        let file = browser.get(url).await;
        assert_eq!(file.status, StatusCode::OK, "{url}");
        assert_eq!(file.header(header::CONTENT_TYPE), content_type);
        assert_eq!(file.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        let etag = file.header(header::ETAG).to_owned();
        let again = browser.get_with(url, &[("if-none-match", &etag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        assert!(again.body.is_empty());
    }
    let squeezed = browser.get_with("/explore", &[("accept-encoding", "gzip")]).await;
    assert_eq!(squeezed.header(header::CONTENT_ENCODING), "gzip");
    assert!(squeezed.body.len() < page.len());
}

#[tokio::test]
async fn renditions_are_immutable_and_originals_unreachable() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let photo = anna.upload("a.jpg", &jpeg(1_200, 800), &[]).await.location().to_owned();
    let page = anna.get(&photo).await.text();
    // The picture's source for WebP comes first, then the image itself.
    let srcsets: Vec<&str> = page.split("srcset=\"").skip(1).take(2).collect();
    let srcsets = srcsets.iter().map(|rest| rest.split('"').next().unwrap_or_default());
    let srcsets: Vec<&str> = srcsets.collect();
    for srcset in &srcsets {
        let ladder = ["320w", "640w", "1080w"];
        assert!(ladder.iter().all(|width| srcset.contains(width)), "{srcset}");
        assert!(!srcset.contains("2048w"), "{srcset}");
    }
    assert!(page.contains("width=\"1200\" height=\"800\""));
    let served = site.state.telemetry.counters.get("assets.served_bytes");
    let mut bytes = 0;
    let candidates = srcsets.iter().zip(["image/webp", "image/jpeg"]).flat_map(|(srcset, kind)| {
        srcset.split(", ").map(move |candidate| (candidate.split(' ').next().unwrap_or(""), kind))
    });
    for (url, kind) in candidates {
        let picture = anna.get(url).await;
        assert_eq!(picture.header(header::CONTENT_TYPE), kind);
        assert_eq!(picture.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        bytes += picture.body.len() as u64;
        let etag = picture.header(header::ETAG).to_owned();
        let again = anna.get_with(url, &[("if-none-match", &etag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
    assert_eq!(site.state.telemetry.counters.get("assets.served_bytes"), served + bytes);
    let id = photo.trim_start_matches("/p/");
    for path in [
        format!("/assets/originals/{id}.jpg"),
        format!("/assets/renditions/../originals/{id}.jpg"),
        format!("/assets/renditions/%2e%2e/originals/{id}.jpg"),
        format!("/assets/originals%2F{id}.jpg"),
    ] {
        anna.get(&path).await.assert_says(404, "Nothing on this frame");
    }
}

#[tokio::test]
async fn operators_see_health_settings_and_counters() {
    let site = Site::start("sqlite").await;
    let mut browser = site.browser();
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
    let ready = browser.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
    assert_eq!(ready.json()["store"], "ok");
    for _ in 0..3 {
        browser.get("/explore").await.assert_says(200, "Explore");
    }
    let info = browser.get("/info.json").await.json();
    assert_eq!(info["role"], "serve");
    assert_eq!(info["instance"], "web-1");
    assert_eq!(info["settings"]["store"], "sqlite");
    assert_eq!(info["settings"]["sessions"], "cookie");
    assert_eq!(info["counters"]["requests.explore"], 3);
    assert_eq!(info["counters"]["store.photo_page"], 3);
    assert_eq!(info["counters"]["cache.hit"], 0);
    let folder = site.folder.path().display().to_string();
    assert!(!info.to_string().contains(&folder), "no address leaves the server");
    let metrics = browser.get("/metrics").await.text();
    let line = "photo_app_requests_total{route=\"explore\",status=\"200\"} 3";
    assert!(metrics.contains(line), "{metrics}");
    for line in [
        "photo_app_jobs_waiting 0.0",
        "photo_app_jobs_in_work 0.0",
        "photo_app_jobs_oldest_age_seconds 0.0",
        // Sixteen readers and the writer.
        "photo_app_store_facts{name=\"store.connections_max\"} 17.0",
        "photo_app_job_duration_seconds_count 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let mut anna = site.person("anna").await;
    anna.upload("a.jpg", &jpeg(64, 48), &[]).await.location();
    let metrics = browser.get("/metrics").await.text();
    assert!(metrics.contains("photo_app_job_duration_seconds_count 1"), "{metrics}");
}

#[tokio::test]
async fn the_preview_is_its_owners_alone_and_marked_on_the_free_plan() {
    let site = Site::start("memory").await;
    let (mut anna, mut ben) = (site.person("anna").await, site.person("ben").await);
    let photo = anna.upload("a.jpg", &jpeg(1_000, 700), &[("filter", "sepia")]).await;
    let preview = format!("{}/preview", photo.location());
    let edit = anna.get(&format!("{}/edit", photo.location())).await.text();
    assert!(edit.contains(&format!("src=\"{preview}\"")), "the filters are tried on it");
    assert!(edit.contains("value=\"sepia\"") && edit.contains("checked"));
    let marked = anna.get(&preview).await;
    assert_eq!(marked.header(header::CONTENT_TYPE), "image/jpeg");
    assert!(marked.header(header::CACHE_CONTROL).starts_with("private"));
    let picture = image::load_from_memory(&marked.body).expect("a picture").into_rgb8();
    assert_eq!(picture.width(), 640);
    ben.get(&preview).await.assert_says(403, "belongs to somebody else");
    assert_eq!(site.browser().get(&preview).await.status, StatusCode::SEE_OTHER);
    anna.post("/account/plan", &[("plan", "pro")]).await.location();
    let clean = anna.get(&preview).await;
    let clean = image::load_from_memory(&clean.body).expect("a picture").into_rgb8();
    // The mark is bottom right; the rest is the same picture, but for the rounding to RGB, without which no mark can be drawn.
    let off = |x: u32, y: u32| {
        let (marked, clean) = (picture.get_pixel(x, y).0, clean.get_pixel(x, y).0);
        (0..3).map(|channel| marked[channel].abs_diff(clean[channel])).max().unwrap_or(0)
    };
    let (corner, middle) = (off(600, 425), off(320, 200));
    assert!(corner > 20, "the free plan's preview has no mark: {corner}");
    assert!(middle <= 4, "the mark is bottom right: {middle}");
}

#[tokio::test]
async fn addresses_are_forgiving() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    for (asked, wanted) in [
        ("/explore/", "/explore"),
        ("/u/ANNA", "/u/anna"),
        ("/u/anna/", "/u/anna"),
        ("/signup", "/"),
        ("/signup?next=/plans", "/plans"),
    ] {
        assert_eq!(anna.get(asked).await.location(), wanted, "{asked}");
    }
    for lost in ["//evil.test/", "/nowhere/", "/"] {
        let answer = anna.get(lost).await;
        assert!(!answer.header(header::LOCATION).contains("evil"), "{lost}");
    }
    anna.get("/search?q=Anna").await.assert_says(200, "<strong><bdi>anna</bdi></strong>");
    let form = [("name", "ada_byron"), ("display_name", "Ada Byron"), ("password", PASSWORD)];
    let mut ada = site.browser();
    let answer = ada.post("/signup", &[&form[..], &[("next", "/account#plan")]].concat()).await;
    assert_eq!(answer.location(), "/account#plan");
    anna.get("/search?q=Ada%20By").await.assert_says(200, "<strong><bdi>Ada Byron</bdi></strong>");
    // Every mistake of a form at once, each beside its field.
    let form = [("name", "A"), ("display_name", ""), ("password", "short")];
    let refused = site.browser().post("/signup", &form).await;
    for words in ["The name needs", "The name on pages needs", "The password needs"] {
        refused.assert_says(422, words);
    }
    assert_eq!(refused.text().matches("aria-invalid").count(), 3);
    let refused = anna.post("/account", &[("display_name", &"x".repeat(61))]).await;
    refused.assert_says(422, &"x".repeat(61));
}

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let photo = anna.upload("a.jpg", &jpeg(64, 48), &[]).await.location().to_owned();
        for path in ["/", "/explore", photo.as_str(), "/u/anna", "/plans"] {
            let page = anna.get(path).await;
            let tag = page.header(header::ETAG).to_owned();
            assert!(tag.starts_with("W/\""), "{path}: {tag}");
            let again = anna.get_with(path, &[("if-none-match", &tag)]).await;
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
            assert_eq!(again.header(header::ETAG), tag);
        }
        let tag = anna.get(&photo).await.header(header::ETAG).to_owned();
        anna.post(&format!("{photo}/like"), &[("on", "true")]).await.location();
        let liked = anna.get_with(&photo, &[("if-none-match", &tag)]).await;
        liked.assert_says(200, "you like this");
        // Somebody else's page is another one.
        let stranger = site.browser().get_with(&photo, &[("if-none-match", &tag)]).await;
        assert_eq!(stranger.status, StatusCode::OK);
        assert!(site.stop().await);
    }
}
