//! The report, opened from disk as its reader does: it asks nothing of any network, says nothing on the console, and shows
//! every chart whole at the width of a phone, a laptop and a projector.

use std::path::Path;
use std::process::Command;

use crate::browser::{Browser, with_browser};

/// Width and height of a window.
const WINDOWS: [(u32, u32); 3] = [(375, 812), (1280, 800), (1920, 1080)];

/// Runs the smallest experiment, so that there is something to report.
fn run(out: &Path) {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
    let output = Command::new(env!("CARGO_BIN_EXE_lightmeter"))
        .args(["run", "--seed", "7", "--experiments"])
        .arg(tiny)
        .arg("--out")
        .arg(out)
        .output()
        .expect("the binary can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn opens_from_disk_without_a_request_and_without_a_console_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    run(&out);
    let page = format!("file://{}", out.join("report/index.html").display());
    with_browser(async move |browser| {
        for (width, height) in WINDOWS {
            browser.open(&page, width, height).await;
            assert_eq!(browser.requested().await, [page.as_str()], "only the page itself");
            assert_eq!(browser.console_errors().await, Vec::<String>::new());
            nothing_is_cut_off(&browser, width).await;
        }
    })
    .await;
}

async fn nothing_is_cut_off(browser: &Browser, width: u32) {
    let overflow = browser.overflow_px().await;
    assert!(overflow <= 0, "{overflow} px too wide at {width}");
    // Each chart is there twice, for wide and for narrow windows; one of the two is shown.
    let charts = "return [...document.querySelectorAll('svg')] \
         .filter(svg => svg.checkVisibility()).map(svg => { \
         const box = svg.getBoundingClientRect(); return [box.width, box.height]; })";
    let charts = browser.script(charts).await;
    let charts = charts.as_array().expect("a list");
    // The map, and three charts of the one experiment.
    assert!(charts.len() >= 4, "{} charts", charts.len());
    for size in charts {
        let side = |index: usize| size[index].as_f64().expect("a number");
        assert!(side(0) > 100.0 && side(1) > 60.0, "a chart of {size} at {width}");
    }
}
