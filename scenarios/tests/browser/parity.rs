//! What the preview shows is what is saved: for every filter, the preview's CSS and SVG filters and its vignette as the browser draws
//! them against the stored JPEG, pixel by pixel.

use std::path::PathBuf;
use std::time::Duration;

use photo_app::imaging::filters;
use serde_json::json;

use crate::browser::with_browser;
use crate::site::Site;
use crate::strangers;

/// Mean absolute difference per channel, of 255, that encoding as JPEG may cause.
const DIFFERENCE_MAX: f64 = 2.0;

/// On the upload page, with a picture chosen: choose the filter, draw the preview as the page styles it, save, draw what
/// was saved, and compare. The picture is as wide as a rendition, so that nothing is resized.
const COMPARE: &str = r#"
const [filter, strength, done] = arguments;
(async () => {
  const form = document.querySelector("form.upload");
  const radio = form.querySelector(`input[value="${filter}"]`);
  radio.checked = true;
  form.elements.strength.value = strength;
  radio.dispatchEvent(new Event("input", { bubbles: true }));
  const after = document.querySelector(".compare-after");
  await after.decode();
  const overlay = document.querySelector(".compare-vignette");
  const darken = (pen) => {
    const { width, height } = pen.canvas;
    const reach = Math.hypot(width, height) / 2;
    const gradient = pen.createRadialGradient(width / 2, height / 2, 0, width / 2, height / 2, reach);
    const style = getComputedStyle(overlay);
    const stops = [...style.backgroundImage.matchAll(/rgba?\(0, 0, 0(?:, ([\d.e-]+))?\) ([\d.]+)%/g)];
    if (stops.length < 3) throw new Error(`no gradient: ${style.backgroundImage}`);
    for (const [, alpha, place] of stops) {
      gradient.addColorStop(Math.min(place / 100, 1), `rgb(0 0 0 / ${(alpha ?? 1) * style.opacity})`);
    }
    pen.filter = "none";
    pen.fillStyle = gradient;
    pen.fillRect(0, 0, width, height);
  };
  const draw = (image, css) => {
    const canvas = document.createElement("canvas");
    canvas.width = after.naturalWidth;
    canvas.height = after.naturalHeight;
    const pen = canvas.getContext("2d");
    pen.filter = css;
    pen.drawImage(image, 0, 0);
    if (image === after && overlay.matches(".vignette")) darken(pen);
    return pen.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  const shown = draw(after, getComputedStyle(after).filter);
  const answer = await fetch("/upload", { method: "POST", body: new FormData(form) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rendition = page.querySelector("img.rendition");
  const widest = rendition.getAttribute("srcset").split(",").map((entry) => entry.trim().split(" "))
    .find(([, width]) => width === `${after.naturalWidth}w`);
  const saved = new Image();
  saved.src = widest[0];
  await saved.decode();
  const stored = draw(saved, "none");
  const sums = [0, 0, 0];
  for (let at = 0; at < shown.length; at += 4) {
    for (const channel of [0, 1, 2]) sums[channel] += Math.abs(shown[at + channel] - stored[at + channel]);
  }
  return sums.map((sum) => sum / (shown.length / 4));
})().then(done, (error) => done(String(error)));
"#;

#[tokio::test]
async fn every_filter_saves_what_its_preview_shows() {
    let site = Site::start().await;
    let picture = site.colours(640, 480);
    let names: Vec<_> = filters::ALL.iter().map(|filter| filter.name).collect();
    compare(site, picture, names).await;
}

#[tokio::test]
async fn a_picture_in_display_p3_is_saved_as_the_browser_shows_it() {
    let site = Site::start().await;
    let picture = site.display_p3(640, 480);
    compare(site, picture, vec!["original", "amber", "newsprint"]).await;
}

/// Animations, turned WebPs and the like: browsers show another picture of them than is saved, and so the page's script does not leave
/// the preview to them (docs/decisions/what-a-picture-shows.md).
#[tokio::test]
async fn what_a_browser_shows_otherwise_is_previewed_as_it_is_saved() {
    for (name, animated, bytes) in strangers::all() {
        let site = Site::start().await;
        let picture = site.file(name, &bytes);
        println!("{name}");
        let hidden = "document.querySelector('.first-frame').hidden";
        let noted = if animated { format!("!{hidden}") } else { hidden.to_owned() };
        compare_noted(site, picture, vec!["original", "amber"], noted).await;
    }
}

async fn compare(site: Site, picture: PathBuf, names: Vec<&'static str>) {
    compare_noted(site, picture, names, "true".to_owned()).await;
}

/// And once the preview is there, the page says so.
async fn compare_noted(site: Site, picture: PathBuf, names: Vec<&'static str>, noted: String) {
    with_browser(async move |browser| {
        site.sign_up(&browser, "anna").await;
        // Without the watermark, which no preview shows.
        site.go_pro(&browser).await;
        browser.open(&site.at("/upload"), 1280, 800).await;
        browser.type_into("#picture", &picture.display().to_string()).await;
        browser.until("document.querySelector('.compare-after').naturalWidth > 0").await;
        browser.until(&noted).await;
        let long = Duration::from_secs(120);
        browser.driver.set_script_timeout(long).await.expect("it can be set");
        for name in names {
            for strength in [100, 40] {
                let arguments = vec![json!(name), json!(strength)];
                let compared = browser.driver.execute_async(COMPARE, arguments).await;
                let compared = compared.expect("the script ends").json().clone();
                let channels = compared.as_array().unwrap_or_else(|| panic!("{compared}"));
                for difference in channels {
                    let difference = difference.as_f64().expect("a number");
                    assert!(difference <= DIFFERENCE_MAX, "{name} at {strength} %: {compared}");
                }
            }
        }
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    })
    .await;
}
