//! The goose users against a small copy of the app: they do what the table says, and our record tells the time to the
//! last byte, which goose's own does not.
#![cfg(feature = "users")]

mod support;

use std::time::Duration;

use goose::config::GooseConfiguration;
use loadgen::record_io::IntervalHistograms;
use loadgen::users::{UsersConfig, run};

use support::{Reply, Request, Server};

const PAGE: &str =
    r#"<html><article class="card" data-photo="0a"><a href="/u/ann">Ann</a></article></html>"#;

/// Every page comes with a body whose second half is late.
fn slow_bodies(request: &Request) -> Reply {
    let parts: Vec<&str> = request.path.split('/').skip(1).collect();
    let late = |body: &str| Reply { delay_body: Duration::from_millis(300), ..Reply::ok(body) };
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["signup"]) => Reply::see_other("/"),
        ("POST", ["upload"]) => Reply::see_other("/p/0a"),
        ("POST", ["p", id, _]) => Reply::see_other(&format!("/p/{id}")),
        ("POST", ["u", name, "follow"]) => Reply::see_other(&format!("/u/{name}")),
        ("GET", [""] | ["explore"] | ["u" | "p", _]) => late(PAGE),
        _ => Reply::status(404),
    }
}

fn configuration(server: &Server) -> GooseConfiguration {
    let host = format!("http://{}", server.address);
    let flags =
        ["--host", &host, "-u", "8", "-r", "100", "-t", "4", "-q", "-q", "--no-print-metrics"];
    GooseConfiguration::parse_args_default(&flags).expect("goose's own flags")
}

/// Pins why goose's own clock is not used: it stops at the head of the answer. If this fails because goose has become
/// exact, its numbers may be used; until then ours are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_body_is_in_our_record_and_not_in_gooses() {
    let server = Server::start(slow_bodies);
    let temp = tempfile::tempdir().expect("a folder");
    let record = temp.path().join("users.hlog");
    let config = UsersConfig { record: Some(record.clone()), ..UsersConfig::default() };
    let (goose, summary) = run(configuration(&server), config).await.expect("the users run");
    assert!(summary.errors.is_empty(), "{summary}");
    let photos =
        summary.lines.iter().find(|line| line.operation == "photo").expect("photos were seen");
    assert!(photos.count > 0);
    for line in summary.lines.iter().filter(|line| line.count > 0) {
        assert!(line.last_byte_ms[0] >= 300.0, "{summary}");
    }
    let gooses = goose.requests.values().find(|request| request.path == "photo");
    let gooses = gooses.expect("goose counted the photos, too");
    assert!(
        gooses.raw_data.minimum_time_us < 200_000,
        "goose reported {} us at the least for a body that takes 300 ms",
        gooses.raw_data.minimum_time_us
    );
    // The record is a histogram log as in a run directory.
    let intervals = IntervalHistograms::read(&record).expect("a histogram log");
    let recorded: u64 = intervals.merged().values().map(|histogram| histogram.len()).sum();
    assert_eq!(recorded, 4 * summary.lines.iter().map(|line| line.count).sum::<u64>());
}

/// Bodies are read: users keep their connections. goose alone opens one per request from 64 KiB on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_do_not_cost_connections() {
    let page = PAGE.replace("</html>", &format!("{}</html>", " ".repeat(200_000)));
    let server = Server::start(move |request| match request.method.as_str() {
        "POST" => Reply::see_other("/"),
        _ => Reply::ok(page.clone()),
    });
    let (_, summary) =
        run(configuration(&server), UsersConfig::default()).await.expect("the users run");
    let log = server.log.lock().expect("not poisoned");
    let requests: u64 = log.requests.values().sum();
    assert!(requests > 16, "{summary}");
    // One for each of the eight users, and one for whoever looked for photos before they began. hyper puts a connection back
    // in a task of its own, so that on a busy machine a user's next request now and then finds none and opens another: far
    // from the one per request that bodies left unread cost.
    let extra = log.connection_count.saturating_sub(9);
    assert!(extra * 4 <= requests - 9, "{} connections, {requests} requests", log.connection_count);
}

/// A page whose pictures lie elsewhere: those of the stack's own CDN are loaded when it is named, those of a stranger never, and a
/// redirect to a stranger is not followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_outside_the_stack_is_ever_asked() {
    let pictures = |_: &Request| Reply::ok("a picture");
    let (cdn, stranger) = (Server::start(pictures), Server::start(pictures));
    let (near, far) = (format!("http://{}", cdn.address), format!("http://{}", stranger.address));
    let image = |host: &str| format!(r#"<img class="rendition" src="{host}/renditions/a.jpg">"#);
    let (page, away) = (format!("<html>{}{}</html>", image(&near), image(&far)), far.clone());
    let server = Server::start(move |request| match request.path.as_str() {
        "/explore" => Reply::ok(page.clone()),
        _ => Reply::see_other(&away),
    });
    for (assets_url, asked) in [(None, false), (Some(near), true)] {
        let config = UsersConfig { assets_url, ..UsersConfig::default() };
        let (_, summary) = run(configuration(&server), config).await.expect("the users run");
        let seen = |server: &Server| {
            server.log.lock().expect("not poisoned").requests.values().sum::<u64>()
        };
        assert_eq!(seen(&cdn) > 0, asked, "{summary}");
        assert_eq!(seen(&stranger), 0, "{summary}");
        assert!(summary.errors.keys().any(|error| error.ends_with("status 303")), "{summary}");
        let skipped = summary.skipped.as_ref().expect("pictures of a stranger");
        assert_eq!(skipped.first.starts_with(&far), asked, "{summary}");
        assert!(summary.to_string().contains("LIGHTMETER_ASSETS_URL"), "{summary}");
    }
}
