//! The goose users against a small copy of the app: they do what the table says, and our record tells the time to the
//! last byte, which goose's own does not.
#![cfg(feature = "users")]

mod support;

use std::time::Duration;

use goose::config::GooseConfiguration;
use loadgen::record_io::IntervalHistograms;
use loadgen::users::{Summary, UsersConfig, UsersError, run};

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

fn flags(host: &str, seconds: &str, more: &[&str]) -> GooseConfiguration {
    let common = ["--host", host, "-u", "8", "-r", "100", "-t", seconds, "-q", "-q"];
    let all = [&common[..], &["--no-print-metrics"], more].concat();
    GooseConfiguration::parse_args_default(&all).expect("goose's own flags")
}

fn configuration(server: &Server) -> GooseConfiguration {
    flags(&format!("http://{}", server.address), "4", &[])
}

/// The users for a second.
async fn visit(server: &Server, more: &[&str]) -> Summary {
    let host = format!("http://{}", server.address);
    let ran = run(flags(&host, "1", more), UsersConfig::default()).await;
    ran.expect("the users run").1
}

fn request_count(server: &Server) -> u64 {
    server.log.lock().expect("not poisoned").requests.values().sum()
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
        assert_eq!(line.told(), [line.count >= 6, false, false], "{summary}");
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
    // One for each of the eight users, one for the question whether the host is there, and one for whoever looked for photos before they began. hyper puts a connection back
    // in a task of its own, so that on a busy machine a user's next request now and then finds none and opens another: far
    // from the one per request that bodies left unread cost.
    let extra = log.connection_count.saturating_sub(10);
    assert!(
        extra * 4 <= requests - 10,
        "{} connections, {requests} requests",
        log.connection_count
    );
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
        assert_eq!(request_count(&cdn) > 0, asked, "{summary}");
        assert_eq!(request_count(&stranger), 0, "{summary}");
        assert!(summary.errors.keys().any(|error| error.ends_with("status 303")), "{summary}");
        let skipped = summary.skipped.as_ref().expect("pictures of a stranger");
        assert_eq!(skipped.first.starts_with(&far), asked, "{summary}");
        assert!(summary.to_string().contains("LIGHTMETER_ASSETS_URL"), "{summary}");
    }
}

/// Whatever is no right answer is an error with a word of its own, is no fast answer, and is counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_right_answer_is_told_in_words_of_its_own() {
    let page = |body: &str| Reply::ok(body);
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<html\r\n";
    let late = Reply { delay_body: Duration::from_secs(30), ..page(PAGE) };
    let kinds = [
        ("incomplete body", Reply { cut: true, ..page(PAGE) }),
        ("incomplete body", Reply::raw(chunk)),
        ("status 204", Reply::status(204)),
        ("status 500", Reply::status(500)),
        ("empty body", page("")),
        ("wrong body", page("<html>")),
        ("redirect loop", Reply::see_other("/explore")),
        ("connection lost", Reply::raw("")),
        ("not HTTP", Reply::raw("220 mail.example ESMTP\r\n")),
        ("timeout", late),
    ];
    for (kind, reply) in kinds {
        let server = Server::start(move |_| reply.clone());
        let summary = visit(&server, &["--timeout", "0.2", "--scenarios", "visitor"]).await;
        assert!(summary.all_failed(), "{kind}: {summary}");
        let wrong = summary.errors.keys().find(|error| !error.ends_with(&format!(": {kind}")));
        assert_eq!(wrong, None, "{kind}: {summary}");
        if kind.starts_with("status") {
            // One of them was asked whether the host is there.
            assert_eq!(summary.errors.values().sum::<u64>() + 1, request_count(&server), "{kind}");
        }
    }
}

/// What HTTP allows is right, however a server says it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_answer_may_come_in_many_shapes() {
    let length = PAGE.len();
    let ok = "HTTP/1.1 200 OK\r\n";
    for answer in [
        format!("{ok}\r\n{PAGE}"),
        format!("{ok}connection: close\r\ncontent-length: {length}\r\n\r\n{PAGE}"),
        format!(
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n{ok}connection: close\r\ncontent-length: {length}\r\n\r\n{PAGE}"
        ),
        format!(
            "{ok}connection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n{length:x}\r\n{PAGE}\r\n0\r\nx-sum: 1\r\n\r\n"
        ),
    ] {
        let shown = answer.clone();
        let server = Server::start(move |request| match request.method.as_str() {
            "POST" => Reply::see_other("/p/0a"),
            _ => Reply::raw(&answer),
        });
        let summary = visit(&server, &[]).await;
        assert!(summary.errors.is_empty() && !summary.lines.is_empty(), "{shown}: {summary}");
    }
}

/// A password may hold any letter: the form that reaches the server says the same as the manifest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_arrive_as_they_were_meant() {
    let passwords = ["plain", "one+two+three", "fish&chips", "100%41", "pass word", "größe=ü"];
    let people: Vec<serde_json::Value> = passwords
        .iter()
        .enumerate()
        .map(|(index, password)| {
            serde_json::json!({"id": index.to_string(), "name": format!("p&{index}"), "password": password})
        })
        .collect();
    let manifest = serde_json::json!({
        "schema": "lightmeter/population/1", "seed": 1, "people": people,
        "photos": [{"id": "0a", "author": "p&1"}],
    });
    let temp = tempfile::tempdir().expect("a folder");
    let population = temp.path().join("population.json");
    std::fs::write(&population, manifest.to_string()).expect("a file");
    let server = Server::start(move |request| {
        let fields = String::from_utf8_lossy(&request.body).into_owned();
        let fields = reqwest::Url::parse(&format!("http://x/?{fields}")).expect("an address");
        let field = |wanted: &str| {
            let found = fields.query_pairs().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let index = field("name").strip_prefix("p&").and_then(|index| index.parse::<usize>().ok());
        let right =
            index.and_then(|index| passwords.get(index)) == Some(&field("password").as_str());
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/login") if !right => Reply::status(422),
            ("POST", _) => Reply::see_other("/"),
            ("GET", "/u/p%261") => Reply::ok(PAGE),
            ("GET", path) if path.starts_with("/u/") => Reply::status(404),
            _ => Reply::ok(PAGE),
        }
    });
    let config = UsersConfig { population: Some(population), ..UsersConfig::default() };
    let host = format!("http://{}", server.address);
    let members = flags(&host, "2", &["--scenarios", "member"]);
    let (_, summary) = run(members, config).await.expect("the users run");
    assert!(summary.errors.is_empty(), "{summary}");
    let logins = summary.lines.iter().find(|line| line.operation == "login").expect("logins");
    assert!(logins.count >= passwords.len() as u64, "{summary}");
}

/// What would make a run useless is told before it begins, with what is expected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_refused_before_the_start() {
    let server = Server::start(slow_bodies);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    for (host, expected) in [
        (server.address.to_string(), "http:// or https://"),
        ("localhost:8080".to_owned(), "such as http://"),
        ("http://127.0.0.1:123456".to_owned(), "such as http://"),
        (format!("http://{}/app", server.address), "leave out what follows"),
        (format!("http://{address}"), "nothing listens there"),
        (format!("https://{}", server.address), "use http://"),
    ] {
        let refused = run(flags(&host, "1", &[]), UsersConfig::default()).await;
        let Err(error @ UsersError::Address { .. }) = refused else {
            panic!("{host}: {refused:?}")
        };
        assert!(error.to_string().contains(expected), "{host}: {error}");
    }
    let record = Some(std::path::PathBuf::from("/nonexistent/users.hlog"));
    let config = UsersConfig { record, ..UsersConfig::default() };
    let refused = run(configuration(&server), config).await;
    assert!(matches!(refused, Err(UsersError::Record(_))), "{refused:?}");
    assert_eq!(request_count(&server), 0, "nobody has been asked anything");
}

/// The program that people start, against a server; told when its users have begun.
struct Started {
    child: std::process::Child,
    server: Server,
    folder: tempfile::TempDir,
}

fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static, seconds: &str) -> Started {
    let (begun, wait) = std::sync::mpsc::channel();
    let server = Server::start(move |request| {
        if request.path == "/explore" {
            // Nobody listens any more once the first has been heard.
            let _ = begun.send(());
        }
        handler(request)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["--host", &format!("http://{}", server.address), "-u", "4", "-r", "100"])
        .args(["-t", seconds])
        .env("LIGHTMETER_RECORD", folder.path().join("users.hlog"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    wait.recv().expect("the users begin");
    Started { child, server, folder }
}

/// Whoever ends a run gets what it saw: the summary, and the record.
#[test]
fn a_run_that_is_asked_to_end_tells_what_it_saw() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let started = start(pages, "600");
        let pid = i32::try_from(started.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it can be signalled");
        let output = started.child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {said}");
        assert!(said.contains("Latency in milliseconds"), "{signal:?}: {said}");
        let record = IntervalHistograms::read(&started.folder.path().join("users.hlog"));
        assert!(!record.expect("a record").is_empty(), "{signal:?}");
        drop(started.server);
    }
}

/// Pages without any delay.
fn pages(request: &Request) -> Reply {
    Reply { delay_body: Duration::ZERO, ..slow_bodies(request) }
}

/// goose panics when nobody takes its table; what the users saw is not lost with it.
#[test]
fn a_closed_output_costs_neither_the_summary_nor_the_record() {
    let mut started = start(pages, "1");
    drop(started.child.stdout.take());
    let output = started.child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Latency in milliseconds"), "{said}");
    assert!(started.folder.path().join("users.hlog").is_file(), "{said}");
}

#[test]
fn a_run_without_a_right_answer_has_failed() {
    let started = start(|_| Reply::status(500), "1");
    let output = started.child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not one request had a right answer"), "{said}");
    assert!(said.contains("explore: status 500"), "{said}");
}
