//! Every page before axe-core, the field's judge of accessibility: by day and by night, on a phone and on a laptop. The rules are
//! those of WCAG 2.2 A and AA and axe's own best practices; nothing may be found, whatever its weight.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::browser::{Browser, with_browser};
use crate::pages::{members_pages, strangers_pages, upload};
use crate::site::Site;

/// A phone and a laptop: where the layout differs.
const WINDOWS: [(u32, u32); 2] = [(375, 812), (1280, 800)];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// The script that `make setup` for tests has fetched.
fn axe() -> String {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let entries = std::fs::read_dir(&tools).into_iter().flatten().flatten();
    let file = entries.map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("axe-core-"))
    });
    let file = file.expect("axe-core is in target/tools; `scenarios/setup.sh test` fetches it");
    std::fs::read_to_string(file).expect("the script is text")
}

/// What axe finds on the page that is shown, a line each.
async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe).await;
    let run = "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }) \
         .then((found) => done(found.violations), (error) => done([{ id: String(error), nodes: [] }]))";
    let found = browser.driver.execute_async(run, Vec::new()).await.expect("axe runs");
    let found = found.json().as_array().expect("a list").clone();
    let line = |violation: &Value| {
        let nodes = violation["nodes"].as_array().into_iter().flatten();
        let where_ = nodes.map(|node| node["target"].to_string()).collect::<Vec<_>>().join(" ");
        format!("{} ({}) at {where_}", violation["id"], violation["impact"])
    };
    found.iter().map(line).collect()
}

async fn judge(browser: &Browser, site: &Site, axe: &str, paths: &[String]) {
    let mut found = Vec::new();
    for scheme in SCHEMES {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        let set = browser.driver.cdp().send_raw("Emulation.setEmulatedMedia", features).await;
        set.expect("the scheme can be emulated");
        for path in paths {
            for (width, height) in WINDOWS {
                browser.open(&site.at(path), width, height).await;
                let lines = violations(browser, axe).await;
                found.extend(lines.iter().map(|line| format!("{path} {width} {scheme}: {line}")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page() {
    let site = Site::start().await;
    let axe = axe();
    with_browser(async move |browser| {
        judge(&browser, &site, &axe, &strangers_pages()).await;
        site.sign_up(&browser, "anna").await;
        // An empty feed and an empty profile first.
        judge(&browser, &site, &axe, &["/".to_owned(), "/u/anna".to_owned()]).await;
        let photo = upload(&browser, &site).await;
        browser.type_into("#body", "Good light").await;
        browser.press(".comment-form .button").await;
        browser.until_says(".comment-body", "Good light").await;
        judge(&browser, &site, &axe, &members_pages("anna", &photo)).await;
        // A page with a picture being previewed, and a form that came back.
        browser.open(&site.at("/upload"), 1280, 800).await;
        let picture = site.picture(960, 640).display().to_string();
        browser.type_into("#picture", &picture).await;
        browser.until("document.querySelector('.compare-after').naturalWidth === 960").await;
        assert_eq!(violations(&browser, &axe).await, Vec::<String>::new(), "with a preview");
        browser.open(&site.at("/account"), 1280, 800).await;
        browser.type_into("#current", "not my password").await;
        browser.type_into("#password", "another afternoon").await;
        browser.press("[action='/account/password'] .button").await;
        browser.until("document.querySelector('.mistake')").await;
        assert_eq!(violations(&browser, &axe).await, Vec::<String>::new(), "with a mistake");
    })
    .await;
}
