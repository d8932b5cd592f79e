//! One headless Chromium per test, with a profile of its own, and its logs of console and network.
//!
//! `make test` installs Chromium and ChromeDriver. Nothing of them outlives a test: the session is closed also when the test
//! fails, and ChromeDriver is killed with its owner.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{CapabilitiesHelper, ChromeCapabilities, ChromiumLikeCapabilities, TypingData};

/// How often and how many times a page is looked at until it is as wanted: for 20 s.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 1_000;

/// Chromium, ready to be told what to do, and what it noted down.
pub struct Browser {
    /// The WebDriver session.
    pub driver: WebDriver,
}

/// ChromeDriver on a port of its own choice.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Server {
        let child = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut child = child.expect("ChromeDriver starts; `make setup` for tests installs it");
        let stdout = child.stdout.take().expect("it was asked for");
        // "ChromeDriver was started successfully on port 34567."
        let port = BufReader::new(stdout).lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("ChromeDriver says where it listens");
        Server { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; nobody can be told in a drop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives the test a browser and closes it whatever the test does.
pub async fn with_browser<F>(test: impl FnOnce(Browser) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    run(test, true).await;
}

/// The same with a browser that runs no scripts of pages.
pub async fn with_browser_without_scripts<F>(test: impl FnOnce(Browser) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    run(test, false).await;
}

async fn run<F>(test: impl FnOnce(Browser) -> F, scripts: bool)
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = Server::start();
    let profile = tempfile::tempdir().expect("a temporary folder");
    let capabilities = capabilities(&profile.path().display().to_string(), scripts);
    let driver = WebDriver::new(&server.url, capabilities).await.expect("Chromium starts");
    let browser = Browser { driver: driver.clone() };
    // What Chromium's own first page asks for is not what ours do.
    driver.goto("about:blank").await.expect("an empty page opens");
    browser.requested().await;
    let outcome = tokio::spawn(test(browser)).await;
    driver.quit().await.expect("Chromium ends");
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

fn capabilities(profile: &str, scripts: bool) -> ChromeCapabilities {
    let mut capabilities = ChromeCapabilities::new();
    for argument in [
        "--headless=new",
        // Containers and root have no namespaces for the sandbox; only our own pages are opened.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        // What Chromium asks the world by itself is not what the pages ask.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        // Nothing has to be waited for that only moves.
        "--force-prefers-reduced-motion",
        &format!("--user-data-dir={profile}"),
    ] {
        capabilities.add_arg(argument).expect("an argument is text");
    }
    if !scripts {
        // 2 is "block" among the content settings.
        let prefs = json!({ "profile.managed_default_content_settings.javascript": 2 });
        capabilities.add_experimental_option("prefs", prefs).expect("preferences are JSON");
    }
    let logs = json!({ "browser": "ALL", "performance": "ALL" });
    capabilities.set("goog:loggingPrefs", logs).expect("the logs are JSON");
    capabilities
}

impl Browser {
    /// Opens a page at a window of this size and waits until it is loaded.
    pub async fn open(&self, url: &str, width: u32, height: u32) {
        self.driver.set_window_rect(0, 0, width, height).await.expect("the window can be sized");
        self.driver.goto(url).await.expect("the page opens");
    }

    /// The one element that is meant.
    pub async fn find(&self, selector: &str) -> WebElement {
        let found = self.driver.find(By::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Presses it, wherever on the page it is.
    pub async fn press(&self, selector: &str) {
        let element = self.find(selector).await;
        element.scroll_into_view().await.expect("it can be scrolled to");
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Keys for whatever has the focus.
    pub async fn keys(&self, keys: impl Into<TypingData>) {
        let typed = self.driver.action_chain().send_keys(keys).perform().await;
        typed.expect("the keyboard can be used");
    }

    /// The path of the page that is shown.
    pub async fn path(&self) -> String {
        self.driver.current_url().await.expect("there is a page").path().to_owned()
    }

    /// Waits until the page has led to a path as wanted.
    pub async fn until_at(&self, wanted: impl Fn(&str) -> bool) {
        for _ in 0..LOOKS_MAX {
            if wanted(&self.path().await) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("still at {}", self.path().await);
    }

    /// Waits until the element is there and says this; without a script of ours on the page.
    pub async fn until_says(&self, selector: &str, words: &str) {
        for _ in 0..LOOKS_MAX {
            // While a page is being left, its elements cannot be asked.
            if let Ok(element) = self.driver.find(By::Css(selector)).await
                && element.text().await.is_ok_and(|text| text == words)
            {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("{selector} never says {words}");
    }

    /// Waits until an expression is true on the page.
    pub async fn until(&self, expression: &str) {
        for _ in 0..LOOKS_MAX {
            if self.script(&format!("return Boolean({expression})")).await == true {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("never true: {expression}");
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        let returned = self.driver.execute(script, Vec::new()).await;
        returned.expect("the script runs").json().clone()
    }

    /// By how many pixels the page is wider than its window; not above 0 when nothing is cut off.
    pub async fn overflow_px(&self) -> i64 {
        let overflow = "return document.documentElement.scrollWidth - window.innerWidth";
        self.script(overflow).await.as_i64().expect("a number")
    }

    /// Types text, or chooses a file.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.expect("it takes text");
    }

    /// Errors on the console since the last look.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.expect("the console can be read");
        let severe = entries.into_iter().filter(|entry| entry.level == "SEVERE");
        severe.map(|entry| entry.message).collect()
    }

    /// Addresses that were asked for since the last look, those inside the page itself (`data:`) left out.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.expect("the network can be read");
        let url = |entry: thirtyfour::BrowserLogEntry| {
            let event: Value = serde_json::from_str(&entry.message).expect("events are JSON");
            let message = &event["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
        };
        entries.into_iter().filter_map(url).filter(|url| !url.starts_with("data:")).collect()
    }
}
