//! The app as people use it: with a script and without one, with a mouse and with the keyboard alone, on a phone and on a
//! projector.

use thirtyfour::prelude::*;

use crate::browser::{Browser, with_browser, with_browser_without_scripts};
use crate::site::{PASSWORD, Site};

/// A phone of the smallest kind, a phone, a laptop, a projector.
const WINDOWS: [(u32, u32); 4] = [(320, 640), (375, 812), (1280, 800), (1920, 1080)];

/// Every page that somebody without an account sees.
pub fn strangers_pages() -> Vec<String> {
    let paths = ["/", "/explore", "/plans", "/login", "/signup", "/search", "/search?q=a", "/lost"];
    paths.map(str::to_owned).into()
}

/// Every page that somebody with an account and a photo sees.
pub fn members_pages(name: &str, photo: &str) -> Vec<String> {
    let paths = [
        "/",
        "/explore",
        "/upload",
        "/account",
        "/info",
        "/topology",
        "/plans",
        photo,
        &format!("{photo}/edit"),
        &format!("/u/{name}"),
        &format!("/search?q={name}"),
        "/search?q=nobody",
        "/?before=0000000000001",
        "/explore?before=0000000000001",
    ];
    paths.map(str::to_owned).into()
}

/// Uploads a picture with the filter `amber`; gives the path of its page.
pub async fn upload(browser: &Browser, site: &Site) -> String {
    browser.open(&site.at("/upload"), 1280, 800).await;
    let picture = site.picture(960, 640).display().to_string();
    browser.type_into("#picture", &picture).await;
    browser.press(".swatch:has(input[value=amber])").await;
    browser.type_into("#caption", "Hills in the morning").await;
    browser.type_into("#alt", "Hills by a lake").await;
    browser.press("form.upload .button.large").await;
    browser.until_at(|path| path.starts_with("/p/")).await;
    browser.path().await
}

/// A part of the shown picture, small, in one colour: the strip at the bottom, which has the mark, or the middle.
async fn pixels(browser: &Browser, bottom: bool) -> Vec<i64> {
    let script = format!(
        "return (async () => {{ const image = new Image(); \
         image.src = document.querySelector('img.rendition').src; await image.decode(); \
         const [w, h] = [image.naturalWidth, image.naturalHeight]; \
         const canvas = document.createElement('canvas'); canvas.width = 64; canvas.height = 32; \
         const pen = canvas.getContext('2d'); \
         const [top, height] = {bottom} ? [h * 0.8, h * 0.2] : [h * 0.3, h * 0.4]; \
         pen.drawImage(image, 0, top, w, height, 0, 0, 64, 32); \
         const data = pen.getImageData(0, 0, 64, 32).data; \
         return Array.from(data.filter((_, i) => i % 4 === 1)); }})()"
    );
    let values = browser.script(&script).await;
    let values = values.as_array().expect("a list").iter();
    values.map(|value| value.as_i64().expect("a number")).collect()
}

fn difference(one: &[i64], other: &[i64]) -> f64 {
    let sum: i64 = one.iter().zip(other).map(|(a, b)| (a - b).abs()).sum();
    sum as f64 / one.len() as f64
}

#[tokio::test]
async fn from_sign_up_to_a_published_photo_and_from_free_to_pro() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        let photo = upload(&browser, &site).await;
        let (marked_bottom, marked_middle) =
            (pixels(&browser, true).await, pixels(&browser, false).await);

        // A like is counted without a reload, and still there after one.
        browser.script("window.stayed = true").await;
        browser.press("form.like button").await;
        browser.until("document.querySelector('.like .count').textContent === '1'").await;
        assert_eq!(browser.script("return window.stayed").await, true);
        browser.open(&site.at(&photo), 1280, 800).await;
        let liked = "return document.querySelector('.like button').ariaPressed";
        assert_eq!(browser.script(liked).await, "true");

        site.go_pro(&browser).await;
        // The photo is made again beside its page: look until one version is left and it is clean.
        let clean = "return [document.querySelectorAll('.version-card').length, \
             document.querySelectorAll('.version-line .badge').length].join()";
        loop {
            browser.open(&site.at(&format!("{photo}/edit")), 1280, 800).await;
            if browser.script(clean).await == "1,0" {
                break;
            }
        }
        browser.open(&site.at(&photo), 1280, 800).await;
        let bottom = difference(&marked_bottom, &pixels(&browser, true).await);
        let middle = difference(&marked_middle, &pixels(&browser, false).await);
        assert!(bottom > 1.0, "the free version had no mark: {bottom}");
        assert!(middle < 0.5, "elsewhere nothing changed: {middle}");
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn everything_needed_works_without_a_script() {
    let site = Site::start().await;
    with_browser_without_scripts(async move |browser| {
        site.sign_up(&browser, "anna").await;
        upload(&browser, &site).await;
        browser.press("form.like button").await;
        browser.until_says(".like .count", "1").await;
        browser.type_into("#body", "Good light").await;
        browser.press(".comment-form .button").await;
        browser.until_says(".comment-body", "Good light").await;
        browser.open(&site.at("/account"), 1280, 800).await;
        browser.press(".account-head .button").await;
        browser.until_at(|path| path == "/").await;
        browser.find("a[href='/signup']").await;
    })
    .await;
}

/// Goes on with the Tab key until the focus is on what the selector names, and sees the focus on every stop.
async fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..80 {
        let there = format!("return document.activeElement.matches({selector:?})");
        if browser.script(&there).await == true {
            return;
        }
        browser.keys(Key::Tab + "").await;
        let seen = "const on = document.activeElement; const box = on.closest('.swatch') \
             ? on.nextElementSibling : on; \
             return on === document.body || getComputedStyle(box).outlineStyle !== 'none'";
        assert_eq!(browser.script(seen).await, true, "a focus that is not seen before {selector}");
    }
    panic!("the keyboard does not lead to {selector}");
}

#[tokio::test]
async fn the_keyboard_leads_everywhere() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        browser.open(&site.at("/"), 1280, 800).await;
        tab_to(&browser, "a[href='/signup']").await;
        browser.keys(Key::Enter + "").await;
        browser.until_at(|path| path == "/signup").await;
        for (field, text) in
            [("#name", "anna"), ("#display_name", "Anna Berg"), ("#password", PASSWORD)]
        {
            tab_to(&browser, field).await;
            browser.keys(text).await;
        }
        browser.keys(Key::Enter + "").await;
        browser.until_at(|path| path == "/").await;
        tab_to(&browser, "a[href='/upload']").await;
        browser.keys(Key::Enter + "").await;
        browser.until_at(|path| path == "/upload").await;
        tab_to(&browser, "#picture").await;
        // The system's own file chooser is no page; what it would give is given.
        browser.type_into("#picture", &site.picture(640, 480).display().to_string()).await;
        tab_to(&browser, "input[name=filter]:checked").await;
        browser.keys(Key::Right + "").await;
        browser.keys(Key::Right + "").await;
        tab_to(&browser, "#strength").await;
        browser.keys(Key::Left + "").await;
        tab_to(&browser, "form.upload .button.large").await;
        browser.keys(Key::Enter + "").await;
        browser.until_at(|path| path.starts_with("/p/")).await;
        tab_to(&browser, "form.like button").await;
        browser.keys(" ").await;
        browser.until("document.querySelector('.like .count').textContent === '1'").await;
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn no_page_is_wider_than_its_window() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        look_at(&browser, &site, &strangers_pages()).await;
        let name = "anna_with_a_name_as_long_as_it";
        site.sign_up(&browser, name).await;
        let photo = upload(&browser, &site).await;
        look_at(&browser, &site, &members_pages(name, &photo)).await;
    })
    .await;
}

async fn look_at(browser: &Browser, site: &Site, paths: &[String]) {
    for path in paths {
        for (width, height) in WINDOWS {
            browser.open(&site.at(path), width, height).await;
            let overflow = browser.overflow_px().await;
            assert!(overflow <= 0, "{path} is {overflow} px too wide at {width}");
        }
    }
    // A page that does not exist is one on the console as well.
    let errors = browser.console_errors().await;
    let unexpected: Vec<_> = errors.iter().filter(|error| !error.contains("/lost")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[tokio::test]
async fn what_was_typed_survives_a_login_in_between_and_another_form() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        let photo = upload(&browser, &site).await;
        browser.type_into("#body", "Good light").await;
        browser.driver.delete_all_cookies().await.expect("cookies can be deleted");
        browser.press(".comment-form .button").await;
        browser.until_at(|path| path == "/login").await;
        browser.type_into("#name", "anna").await;
        browser.type_into("#password", PASSWORD).await;
        browser.press("main form .button").await;
        browser.until_at(|path| path == photo).await;
        browser.until("document.querySelector('#body').value === 'Good light'").await;
        browser.press(".comment-form .button").await;
        browser.until_says(".comment-body", "Good light").await;
        browser.until("document.querySelector('#body').value === ''").await;

        let edit = format!("{photo}/edit");
        browser.open(&site.at(&edit), 1280, 800).await;
        // The picker begins with the look that is shown, on the photo itself.
        browser.until("document.querySelector('.compare-after').naturalWidth === 640").await;
        let chosen = "return document.querySelector('input[name=filter]:checked').value";
        assert_eq!(browser.script(chosen).await, "amber");
        browser.type_into("#caption", ", and later").await;
        browser.press(".swatch:has(input[value=dusk])").await;
        browser.press("form[action$='/versions'] .button").await;
        browser.until_says(".done", "The new version is saved. Choose \u{201c}Show this one\u{201d} to show it to everybody.").await;
        let caption = "return document.querySelector('#caption').value";
        assert_eq!(browser.script(caption).await, "Hills in the morning, and later");
        browser.press("form[action$='/edit'] .button").await;
        browser.until_says(".done", "The words are saved.").await;
        assert_eq!(browser.script(caption).await, "Hills in the morning, and later");
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_photo_is_deleted_in_two_steps_with_and_without_a_script() {
    let site = Site::start().await;
    let test = async move |browser: Browser, site: &Site, name: &str| {
        site.sign_up(&browser, name).await;
        let photo = upload(&browser, site).await;
        browser.open(&site.at(&format!("{photo}/edit")), 1280, 800).await;
        let form = format!("form[action='{photo}/delete'] button");
        let hidden = browser.find(&form).await.is_displayed().await.expect("it is there");
        assert!(!hidden, "the first press only asks");
        browser.press("section.danger summary").await;
        browser.press(&form).await;
        browser.until_says(".done", "The photo has been deleted.").await;
    };
    let site = std::sync::Arc::new(site);
    let (with, without) = (site.clone(), site);
    with_browser(async move |browser| test(browser, &with, "anna").await).await;
    with_browser_without_scripts(async move |browser| test(browser, &without, "ben").await).await;
}

/// A broken picture with a caption, refused; then a whole one from the same page, published: what was typed is kept, and the button works
/// again. Gives back what the page told.
pub async fn refused_and_sent_again(browser: &Browser, site: &Site) -> String {
    browser.open(&site.at("/upload"), 1280, 800).await;
    browser.type_into("#picture", &site.broken_picture().display().to_string()).await;
    browser.type_into("#caption", "Hills in the morning").await;
    browser.press("form.upload .button.large").await;
    browser.until("document.querySelector('p.mistake')").await;
    let told = browser.find("p.mistake").await.text().await.expect("it has words");
    let typed = "return document.querySelector('#caption').value";
    assert_eq!(browser.script(typed).await, "Hills in the morning");
    let whole = site.picture(480, 320).display().to_string();
    browser.script("document.querySelector('#picture').value = ''").await;
    browser.type_into("#picture", &whole).await;
    browser.press("form.upload .button.large").await;
    browser.until_at(|path| path.starts_with("/p/")).await;
    browser.until_says("h1", "Hills in the morning").await;
    told
}
