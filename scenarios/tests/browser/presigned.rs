//! Uploads that go past the web server, with the page's own script: the browser puts the picture into the object store, asked for leave by
//! CORS and held to its policy by the page, and the app never sees a byte of it.

use crate::browser::{with_browser, with_browser_without_scripts};
use crate::site::Site;

/// What the longest of the app's forms has: texts and boundaries of an upload. Any picture here is longer.
const FORM_BYTES_MAX: u64 = 4_096;

#[tokio::test]
async fn from_sign_up_to_a_photo_whose_bytes_the_app_never_saw() {
    let (site, store_url) = Site::start_presigned().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        browser.requested().await;
        let photo = crate::pages::upload(&browser, &site).await;
        assert!(photo.starts_with("/p/"), "{photo}");
        browser.until_says("h1", "Hills in the morning").await;
        browser.until("document.querySelector('img.rendition').naturalWidth > 0").await;
        let shown = "return document.querySelector('img.rendition').currentSrc";
        let shown = browser.script(shown).await;
        let renditions = format!("{store_url}/photos/renditions/");
        assert!(shown.as_str().is_some_and(|url| url.starts_with(&renditions)), "{shown}");

        let sent = std::fs::metadata(site.picture(960, 640)).expect("the picture is there").len();
        assert!(sent > 10 * FORM_BYTES_MAX, "{sent} bytes prove nothing");
        let requested = browser.requested().await;
        let slot = format!("{store_url}/photos/uploads/");
        assert!(requested.iter().any(|url| url.starts_with(&slot)), "{requested:?}");
        let longest = site.body_bytes_max();
        assert!(longest < FORM_BYTES_MAX, "the app was sent a body of {longest} bytes");
        assert_eq!(site.state.telemetry.counters.get("assets.received_bytes"), 0);
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_refused_picture_is_told_nothing_typed_is_lost_and_another_one_goes_through() {
    let (site, _) = Site::start_presigned().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        let told = crate::pages::refused_and_sent_again(&browser, &site).await;
        assert!(told.contains("is incomplete: its end is missing"), "{told}");
        assert_eq!(site.state.telemetry.counters.get("assets.received_bytes"), 0);
    })
    .await;
}

/// What is refused before a byte is sent: told with the app's own sentence, from the answer to the script.
#[tokio::test]
async fn a_file_of_another_kind_is_refused_before_it_is_sent() {
    let (site, _) = Site::start_presigned().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        browser.open(&site.at("/upload"), 1280, 800).await;
        browser.type_into("#caption", "Hills in the morning").await;
        // A file chosen past the filter of the dialogue, which the page can show.
        let choose = "const gif = Uint8Array.from(atob('R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs='), (c) => c.charCodeAt(0)); \
             const files = new DataTransfer(); files.items.add(new File([gif], 'a.gif', { type: 'image/gif' })); \
             const input = document.querySelector('#picture'); input.files = files.files; \
             input.dispatchEvent(new Event('change', { bubbles: true }));";
        browser.script(choose).await;
        browser.press("form.upload .button.large").await;
        let refusal = "This is a GIF file; JPEG, PNG and WebP are accepted. Save it as JPEG and try again.";
        browser.until_says("p.mistake", refusal).await;
        let typed = "return document.querySelector('#caption').value";
        assert_eq!(browser.script(typed).await, "Hills in the morning");
        assert!(site.body_bytes_max() < 4_096);
    })
    .await;
}

/// The server finds out what it is, as it does for every form.
#[tokio::test]
async fn a_file_whose_kind_the_browser_cannot_tell_comes_with_the_form() {
    let (site, _) = Site::start_presigned().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        browser.open(&site.at("/upload"), 1280, 800).await;
        let choose = "return (async () => { const canvas = new OffscreenCanvas(480, 320); \
             canvas.getContext('2d').fillRect(0, 0, 480, 320); \
             const blob = await canvas.convertToBlob({ type: 'image/png' }); \
             const files = new DataTransfer(); files.items.add(new File([blob], 'hills')); \
             const input = document.querySelector('#picture'); input.files = files.files; \
             input.dispatchEvent(new Event('change', { bubbles: true })); \
             return files.files[0].type; })()";
        assert_eq!(browser.script(choose).await, "");
        browser.press("form.upload .button.large").await;
        browser.until_at(|path| path.starts_with("/p/")).await;
        assert!(site.state.telemetry.counters.get("assets.received_bytes") > 0);
    })
    .await;
}

#[tokio::test]
async fn without_a_script_the_form_brings_the_picture() {
    let (site, _) = Site::start_presigned().await;
    with_browser_without_scripts(async move |browser| {
        site.sign_up(&browser, "anna").await;
        crate::pages::upload(&browser, &site).await;
        browser.until_says("h1", "Hills in the morning").await;
        assert!(site.state.telemetry.counters.get("assets.received_bytes") > 0);
    })
    .await;
}
