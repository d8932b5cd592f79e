//! The life of a photo over real HTTP, on each store: sign up, log in, upload, filter, comment, like, follow, feed, delete.

use http::StatusCode;

use crate::support::{Browser, PASSWORD, STORES, Site, between, jpeg};

async fn upload(browser: &mut Browser, caption: &str) -> String {
    let fields =
        [("caption", caption), ("alt", "Hills by a lake"), ("filter", "amber"), ("strength", "80")];
    let answer = browser.upload("hills.jpg", &jpeg(800, 600), &fields).await;
    let location = answer.location();
    location.strip_prefix("/p/").expect("an upload leads to its photo").to_owned()
}

#[tokio::test]
async fn from_sign_up_to_a_photo_in_somebodys_feed() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let mut ben = site.person("ben").await;
        let photo = upload(&mut anna, "Morning & light").await;

        let page = anna.get(&format!("/p/{photo}")).await;
        page.assert_says(200, "Morning &#38; light");
        page.assert_says(200, &format!("data-photo=\"{photo}\" data-likes=\"0\""));
        let source = between(&page.text(), "class=\"rendition\" src=\"", "\"").to_owned();
        let picture = anna.get(&source).await;
        assert_eq!(picture.status, StatusCode::OK);
        assert_eq!(&picture.body[..3], [0xff, 0xd8, 0xff], "not a JPEG");
        let status = anna.get(&format!("/p/{photo}/status")).await.json();
        assert_eq!(status["progress"], "ready");
        assert!(status["ready_at_us"].as_i64().is_some_and(|at| at > 0));

        // Ben follows Anna, sees the photo at home, likes it and says so.
        ben.get("/").await.assert_says(200, "Your feed is waiting");
        assert_eq!(ben.post("/u/anna/follow", &[("on", "true")]).await.location(), "/u/anna");
        ben.get("/u/anna").await.assert_says(200, "Following");
        let home = ben.get("/").await;
        home.assert_says(
            200,
            &format!("<article class=\"card\" id=\"p-{photo}\" data-photo=\"{photo}\">"),
        );
        let path = format!("/p/{photo}");
        assert_eq!(ben.post(&format!("{path}/like"), &[("on", "true")]).await.location(), path);
        ben.post(&format!("{path}/like"), &[("on", "true")]).await.location();
        let comment =
            ben.post(&format!("{path}/comments"), &[("body", " <b>Well</b> seen ")]).await;
        assert_eq!(comment.location(), format!("{path}#comments"));
        let page = ben.get(&path).await;
        page.assert_says(200, "data-likes=\"1\"");
        page.assert_says(200, "&#60;b&#62;Well&#60;/b&#62; seen");
        page.assert_says(200, "you like this");

        // He takes it all back.
        let delete = between(&page.text(), &format!("{path}/comments/"), "\"").to_owned();
        ben.post(&format!("{path}/comments/{delete}"), &[]).await.location();
        ben.post(&format!("{path}/like"), &[("on", "false")]).await.location();
        ben.post("/u/anna/follow", &[("on", "false")]).await.location();
        let page = ben.get(&path).await;
        page.assert_says(200, "data-likes=\"0\"");
        page.assert_says(200, "No comments yet");
        ben.get("/").await.assert_says(200, "Your feed is waiting");

        // Anna deletes the photo; nothing of it is left.
        assert!(site.asset_files().len() >= 3, "original and renditions are stored");
        assert_eq!(
            anna.post(&format!("{path}/delete"), &[]).await.location(),
            "/u/anna?done=deleted"
        );
        anna.get("/u/anna?done=deleted").await.assert_says(200, "The photo has been deleted.");
        assert_eq!(site.asset_files(), Vec::<std::path::PathBuf>::new());
        ben.get(&path).await.assert_says(404, "Nothing on this frame");
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn another_version_is_saved_beside_the_first_and_published() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let photo = upload(&mut anna, "Hills").await;
        let edit = format!("/p/{photo}/edit");
        let versions = format!("/p/{photo}/versions");
        anna.get(&edit).await.assert_says(200, "Shown to everybody");
        anna.post(&versions, &[("filter", "no-such")]).await.assert_says(422, "does not exist");
        let form = [("filter", "grayscale"), ("strength", "40")];
        let saved = anna.post(&versions, &form).await.location().to_owned();
        assert_eq!(saved, format!("{edit}?done=saved"));
        anna.get(&saved).await.assert_says(200, "The new version is saved");
        // The same look once more is no other version.
        let files = site.asset_files().len();
        let again = anna.post(&versions, &form).await.location().to_owned();
        anna.get(&again).await.assert_says(200, "You have this look already");
        assert_eq!(site.asset_files().len(), files);
        let page = anna.get(&edit).await.text();
        assert!(page.contains("Grayscale") && page.contains("Amber"), "{page}");
        let version = between(&page, "name=\"version\" value=\"", "\"").to_owned();
        let publish = format!("/p/{photo}/publish");
        anna.post(&publish, &[("version", &version)]).await.location();
        let shown = anna.get(&format!("/p/{photo}")).await.text();
        let source = between(&shown, "class=\"rendition\" src=\"", "\"");
        assert!(source.contains(&version), "{source} does not show {version}");

        let delete = |version: &str| format!("{versions}/{version}/delete");
        let shown_one = anna.post(&delete(&version), &[]).await;
        shown_one.assert_says(422, "is the one shown");
        let page = anna.get(&edit).await.text();
        let other = between(&page, "name=\"version\" value=\"", "\"").to_owned();
        let files = site.asset_files().len();
        let gone = anna.post(&delete(&other), &[]).await.location().to_owned();
        anna.get(&gone).await.assert_says(200, "The version has been deleted.");
        assert!(site.asset_files().len() < files, "its renditions are gone");

        let words = [("caption", "New words"), ("alt", "A hill")];
        let saved = anna.post(&edit, &words).await.location().to_owned();
        anna.get(&saved).await.assert_says(200, "The words are saved.");
        anna.get(&format!("/p/{photo}")).await.assert_says(200, "New words");
        let long = "x".repeat(2_001);
        let refused = anna.post(&edit, &[("caption", &long), ("alt", "As typed")]).await;
        refused.assert_says(422, "A caption may have");
        assert!(refused.text().contains(&long), "what was typed comes back");
        refused.assert_says(422, "value=\"As typed\"");
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn the_watermark_follows_the_plan_at_the_time_of_saving() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    anna.get("/upload").await.assert_says(200, "small watermark");
    let photo = upload(&mut anna, "Free").await;
    anna.get(&format!("/p/{photo}/edit")).await.assert_says(200, "watermark</span>");
    anna.get("/account").await.assert_says(200, "Demo checkout");
    let marked =
        between(&anna.get(&format!("/p/{photo}")).await.text(), "src=\"/assets", "\"").to_owned();
    let changed = anna.post("/account/plan", &[("plan", "pro")]).await;
    anna.get(changed.location()).await.assert_says(200, "Plan: Pro");
    anna.get(changed.location()).await.assert_says(200, "made again without the watermark");
    // The twin is rendered away from the request: asked for until it has taken the other's place.
    let edit = format!("/p/{photo}/edit");
    anna.until(&edit, |page| !page.contains("watermark</span>")).await;
    let page = anna.get(&edit).await;
    assert_eq!(
        page.text().matches("<li class=\"version-card").count(),
        1,
        "the marked one is gone"
    );
    // Rows go first, their pictures after them.
    anna.until_gone(&format!("/assets{marked}")).await;
    anna.get(&format!("/p/{photo}")).await.assert_says(200, "class=\"rendition\"");
    assert!(!anna.get("/upload").await.text().contains("small watermark"));
    let photo = upload(&mut anna, "Pro").await;
    let edit = anna.get(&format!("/p/{photo}/edit")).await;
    assert!(!edit.text().contains("watermark</span>"));
    anna.get("/u/anna").await.assert_says(200, "<span class=\"badge\">Pro</span>");
    anna.post("/account/plan", &[("plan", "gold")]).await.assert_says(422, "did not arrive");
}

#[tokio::test]
async fn going_pro_makes_one_twin_of_each_look_however_often_it_is_asked_for() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let photo = upload(&mut anna, "Twice").await;
        let versions = format!("/p/{photo}/versions");
        for (filter, strength) in [("sepia", "80"), ("dusk", "100")] {
            anna.post(&versions, &[("filter", filter), ("strength", strength)]).await.location();
        }
        // The page refuses the same look twice; two of them may come from two requests at once.
        let id: photo_app::model::PhotoId = photo.parse().expect("an id");
        let store = &site.state.store;
        let known = store.versions(id).await.expect("the store answers");
        let sepia = known.iter().find(|version| version.filter == "sepia").expect("just saved");
        let id = photo_app::model::VersionId(sepia.id.0 + 2);
        let twice = photo_app::model::Version { id, ..sepia.clone() };
        store.add_version(&twice).await.expect("another row");
        let edit = format!("/p/{photo}/edit");
        for _ in 0..2 {
            anna.post("/account/plan", &[("plan", "pro")]).await.location();
            // The picture as it was uploaded, sepia once, dusk.
            let looks = |page: &str| page.matches("<li class=\"version-card").count() == 3;
            let clean = |page: &str| !page.contains("watermark</span>");
            anna.until(&edit, |page| looks(page) && clean(page)).await;
        }
        anna.get("/account").await.assert_says(200, "Make my photos again without it");
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn an_account_is_made_changed_and_ended() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        upload(&mut anna, "Mine").await;
        let form = [("name", "anna"), ("display_name", "B"), ("password", PASSWORD)];
        site.browser().post("/signup", &form).await.assert_says(409, "is taken");
        for (form, words) in [
            ([("name", "a b"), ("display_name", "A"), ("password", PASSWORD)], "3 to 30"),
            ([("name", "carl"), ("display_name", ""), ("password", PASSWORD)], "1 to 60"),
            ([("name", "carl"), ("display_name", "C"), ("password", "short")], "10 to 200"),
        ] {
            site.browser().post("/signup", &form).await.assert_says(422, words);
        }
        assert_eq!(anna.post("/logout", &[]).await.location(), "/?done=logout");
        anna.get("/?done=logout").await.assert_says(200, "You are logged out.");
        assert_eq!(anna.cookie, None);
        let wrong = [("name", "anna"), ("password", "wrong password")];
        anna.post("/login", &wrong).await.assert_says(422, "do not belong together");
        let right = [("name", "Anna"), ("password", PASSWORD), ("next", "/account")];
        assert_eq!(anna.post("/login", &right).await.location(), "/account");

        let rename = anna.post("/account", &[("display_name", "Anna Berg")]).await;
        anna.get(rename.location()).await.assert_says(200, "Your name has changed");
        anna.get("/u/anna").await.assert_says(200, "<h1><bdi>Anna Berg</bdi></h1>");
        let change = [("current", "wrong password"), ("password", "another afternoon")];
        anna.post("/account/password", &change).await.assert_says(422, "not your current password");
        let change = [("current", PASSWORD), ("password", "another afternoon")];
        anna.post("/account/password", &change).await.location();
        let login = [("name", "anna"), ("password", "another afternoon")];
        assert_eq!(site.browser().post("/login", &login).await.location(), "/");

        let delete = anna.post("/account/delete", &[("password", "another afternoon")]).await;
        assert_eq!(delete.location(), "/?done=deleted");
        anna.get("/?done=deleted").await.assert_says(200, "Your account is gone");
        anna.get("/u/anna").await.assert_says(404, "Nothing on this frame");
        assert_eq!(site.asset_files(), Vec::<std::path::PathBuf>::new());
        assert!(site.stop().await);
    }
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_ended() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let picture = jpeg(330, 220);
    let mut photos = Vec::new();
    for _ in 0..25 {
        let answer = anna.upload("a.jpg", &picture, &[]).await;
        photos.push(answer.location().trim_start_matches("/p/").to_owned());
    }
    photos.sort();
    photos.reverse();
    for (start, first_page) in [("/", 20), ("/explore", 24), ("/u/anna", 24)] {
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some(start.to_owned());
        let mut pages = 0;
        while let Some(path) = next {
            let text = anna.get(&path).await.text();
            let cards = text.split("<article").skip(1);
            seen.extend(cards.map(|card| between(card, "data-photo=\"", "\"").to_owned()));
            pages += 1;
            assert!(pages > 1 || seen.len() == first_page, "{start}: {} on page 1", seen.len());
            let older = text.contains("rel=\"next\"");
            next = older.then(|| between(&text, "rel=\"next\" href=\"", "\"").to_owned());
        }
        assert_eq!(seen, photos, "{start} shows each photo once, newest first");
    }
    let last = format!("/?before={}", photos[24]);
    anna.get(&last).await.assert_says(200, "That was the oldest one");
}
