//! The upload page with a script: a picture may be chosen, dropped or pasted, is previewed before anything is sent, and its progress
//! is told; a refusal keeps what was typed.

use serde_json::json;

use crate::browser::{Browser, with_browser};
use crate::site::Site;

/// Hands the page a painted picture the way a person does who drags one in or pastes one: as files of a DataTransfer.
async fn hand_over(browser: &Browser, how: &str, name: &str, kind: &str) {
    let script = format!(
        "return (async () => {{ const canvas = new OffscreenCanvas(480, 320); \
         const pen = canvas.getContext('2d'); pen.fillStyle = '#2f5d62'; pen.fillRect(0, 0, 480, 320); \
         const blob = await canvas.convertToBlob({{ type: 'image/jpeg', quality: 0.9 }}); \
         const files = new DataTransfer(); \
         files.items.add(new File([blob], '{name}', {{ type: '{kind}' }})); \
         const event = '{how}' === 'paste' \
           ? new ClipboardEvent('paste', {{ clipboardData: files, bubbles: true, cancelable: true }}) \
           : new DragEvent('{how}', {{ dataTransfer: files, bubbles: true, cancelable: true }}); \
         ('{how}' === 'paste' ? document.body : document.querySelector('.drop')).dispatchEvent(event); \
         return event.defaultPrevented; }})()"
    );
    browser.script(&script).await;
}

const PREVIEWED: &str = "document.querySelector('.compare-after').naturalWidth === 480";

#[tokio::test]
async fn a_picture_may_be_dropped_or_pasted() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        for how in ["drop", "paste"] {
            browser.open(&site.at("/upload"), 1280, 800).await;
            browser.requested().await;
            hand_over(&browser, how, "hills.jpg", "image/jpeg").await;
            browser.until(PREVIEWED).await;
            browser.press(".swatch:has(input[value=dusk])").await;
            let shown = "return getComputedStyle(document.querySelector('.compare-after')).filter";
            let shown = browser.script(shown).await;
            assert!(shown.as_str().is_some_and(|css| css.contains("hue-rotate")), "{shown}");
            let sent: Vec<_> = browser.requested().await;
            assert!(
                sent.iter().all(|url| url.starts_with("blob:")),
                "nothing is sent yet: {sent:?}"
            );
            browser.press("form.upload .button.large").await;
            browser.until_at(|path| path.starts_with("/p/")).await;
            browser.until("document.querySelector('img.rendition').naturalWidth > 0").await;
        }
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_refused_picture_is_told_on_the_page_and_nothing_typed_is_lost() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        let told = crate::pages::refused_and_sent_again(&browser, &site).await;
        assert!(told.contains("try"), "it says what to do: {told}");
    })
    .await;
}

/// The answer to an upload that nobody is logged in for comes before the picture has been read: it is told, and not a broken connection.
#[tokio::test]
async fn an_upload_whose_session_has_ended_is_told_so_and_its_words_survive_the_login() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        browser.open(&site.at("/upload"), 1280, 800).await;
        // Some megabytes: more than the sockets between browser and server hold.
        let picture = site.picture(2400, 1600).display().to_string();
        browser.type_into("#picture", &picture).await;
        browser.type_into("#caption", "Hills in the morning").await;
        browser.driver.delete_all_cookies().await.expect("cookies can be deleted");
        browser.press("form.upload .button.large").await;
        browser.until_says("p.mistake", "You have been logged out meanwhile. Log in again in another tab, then press Publish here: nothing is lost.").await;
        let typed = "return document.querySelector('#caption').value";
        assert_eq!(browser.script(typed).await, "Hills in the morning");
        browser.open(&site.at("/login?next=/upload"), 1280, 800).await;
        browser.type_into("#name", "anna").await;
        browser.type_into("#password", crate::site::PASSWORD).await;
        browser.press("main form .button").await;
        browser.until_at(|path| path == "/upload").await;
        browser.until("document.querySelector('#caption').value === 'Hills in the morning'").await;
        browser.type_into("#picture", &picture).await;
        browser.press("form.upload .button.large").await;
        browser.until_at(|path| path.starts_with("/p/")).await;
        browser.until_says("h1", "Hills in the morning").await;
        browser.open(&site.at("/upload"), 1280, 800).await;
        assert_eq!(browser.script(typed).await, "", "what was published is no draft");
    })
    .await;
}

#[tokio::test]
async fn the_browser_takes_webp_and_the_size_that_it_needs() {
    let site = Site::start().await;
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        let photo = crate::pages::upload(&browser, &site).await;
        // A larger one that is in the cache already would do as well.
        let cdp = browser.driver.cdp();
        cdp.send_raw("Network.enable", json!({})).await.expect("the network can be observed");
        let off = json!({ "cacheDisabled": true });
        cdp.send_raw("Network.setCacheDisabled", off).await.expect("the cache can be put off");
        let source = "return document.querySelector('img.rendition').currentSrc";
        for (width, wanted) in [(375, "/640.webp"), (1280, "/1080.webp")] {
            browser.open(&site.at(&photo), width, 800).await;
            browser.until("document.querySelector('img.rendition').complete").await;
            let source = browser.script(source).await;
            assert!(source.as_str().is_some_and(|url| url.ends_with(wanted)), "{width}: {source}");
        }
        // Before the picture has arrived its place is kept: nothing moves.
        let shift = "return new Promise((resolve) => { let sum = 0; \
             new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; }) \
               .observe({ type: 'layout-shift', buffered: true }); \
             requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum))); })";
        for path in ["/", "/explore", &photo] {
            browser.open(&site.at(path), 1280, 800).await;
            let shift = browser.script(shift).await.as_f64().expect("a number");
            assert!(shift < 0.01, "{path} moves by {shift}");
        }
    })
    .await;
}
