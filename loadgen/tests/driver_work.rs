//! Does the driver do the work, check it, and keep honest books? Against servers that behave and misbehave on purpose.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadgen::driver::{
    AssetRewrite, Background, DriveError, DriveRequest, Driver, Measurement, Operation, Pace,
    PictureSize, Placement, Target, paint_jpeg,
};
use loadgen::population::Population;
use loadgen::record::{Clock, OperationRecord};
use loadgen::record_io::merge_operations;
use tokio_util::sync::CancellationToken;

use support::{Reply, Request, Server, drive_request, population};

const FEED: &str = r#"<!doctype html><html><a href="/account">Account</a><article class="card" data-photo="0b"></article>
<article class="card" data-photo="0a"></article></html>"#;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

async fn drive(request: DriveRequest) -> Measurement {
    let driver = Driver::start(Placement::default()).expect("a driver");
    driver.drive(request, CancellationToken::new()).await.expect("a measurement")
}

/// Every planned start ended in exactly one way.
fn assert_books_balance(measurement: &Measurement) {
    for (name, record) in &measurement.operations {
        let OperationRecord { planned_count, ok_count, errors, dropped_count, .. } = record;
        let ended = ok_count + errors.values().sum::<u64>() + dropped_count;
        assert_eq!(*planned_count, ended, "{name}: {record:?}");
    }
}

fn get_everywhere(server: &Server, pace: Pace, duration: Duration) -> DriveRequest {
    let mut request = drive_request(server, pace);
    request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
    request.duration = duration;
    request
}

fn photo_page(id: &str) -> String {
    format!(r#"<html><main data-photo="{id}" data-likes="3">x</main></html>"#)
}

/// A small copy of the app's routes.
fn app(request: &Request) -> Reply {
    let parts: Vec<&str> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", _) if request.cookie.is_none() => Reply::see_other("/login?next=%2F"),
        ("GET", [""] | ["explore"] | ["u", _]) => Reply::ok(FEED),
        ("GET", ["p", id]) => Reply::ok(photo_page(id)),
        ("POST", ["p", id, "like" | "comments"]) => Reply::see_other(&format!("/p/{id}")),
        ("POST", ["u", name, "follow"]) => Reply::see_other(&format!("/u/{name}")),
        _ => Reply::status(404),
    }
}

#[tokio::test]
async fn every_operation_is_carried_out_and_checked() {
    let server = Server::start(app);
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 400.0 });
    let words = ["home", "explore", "profile", "photo", "like", "comment", "follow"];
    request.mix = words.iter().map(|word| (word.parse().expect("an operation"), 1.0)).collect();
    request.duration = ms(700);
    request.verify_every = 1;
    let measurement = drive(request).await;
    assert_books_balance(&measurement);
    for word in words {
        let record = &measurement.operations[word];
        assert!(record.ok_count > 10 && record.errors.is_empty(), "{word}: {record:?}");
        let in_depth = !["comment", "follow"].contains(&word);
        assert_eq!(record.verified_count, if in_depth { record.ok_count } else { 0 }, "{word}");
        assert_eq!(record.http_count, record.ok_count, "{word}");
    }
    // A like is verified by a look at the photo: an answer more, but not an operation more.
    let likes = measurement.operations["like"].ok_count;
    let photos = measurement.operations["photo"].ok_count;
    assert_eq!(measurement.answers_by_route["photo"], photos + likes);
    let requests: u64 = server.log.lock().expect("not poisoned").requests.values().sum();
    assert_eq!(measurement.answers_by_route.values().sum::<u64>(), requests);
}

#[tokio::test]
async fn the_same_seed_asks_every_server_for_the_same() {
    let mut asked = Vec::new();
    for seed in [5, 5, 6] {
        let server = Server::start(app);
        let mut request = drive_request(&server, Pace::Poisson { rate_per_s: 500.0 });
        request.mix = vec![(Operation::Photo, 1.0), (Operation::Profile, 1.0)];
        request.duration = ms(300);
        request.seed = seed;
        drive(request).await;
        asked.push(server.log.lock().expect("not poisoned").requests.clone());
    }
    assert_eq!(asked[0], asked[1]);
    assert_ne!(asked[0], asked[2]);
}

#[tokio::test]
async fn wrong_answers_are_errors_of_their_kind() {
    let number = AtomicU64::new(0);
    let server = Server::start(move |_| match number.fetch_add(1, Ordering::Relaxed) % 5 {
        0 => Reply::status(500),
        1 => Reply::ok(FEED.replace("0a", "0c")),
        2 => Reply { cut: true, ..Reply::ok(FEED) },
        3 => Reply { delay_head: ms(900), ..Reply::ok(FEED) },
        _ => Reply::ok(FEED),
    });
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 100.0 });
    request.duration = ms(500);
    request.verify_every = 1;
    request.request_timeout = ms(400);
    let measurement = drive(request).await;
    assert_books_balance(&measurement);
    let record = &measurement.operations["home"];
    for kind in ["status 500", "wrong body", "incomplete body", "timeout"] {
        assert_eq!(record.errors.get(kind), Some(&10), "{kind}: {record:?}");
    }
    let answered = merge_operations(&measurement.histograms, &[], Clock::PlannedLast);
    assert_eq!((record.ok_count, answered.len()), (10, 10), "errors are never fast answers");
    assert!(
        measurement.notes.iter().any(|note| note.contains("newest first")),
        "{:?}",
        measurement.notes
    );
}

#[tokio::test]
async fn a_dead_server_gives_errors_and_no_stop() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let url = format!("http://{}", address.expect("a free port")).parse().expect("an address");
    for pace in [Pace::Constant { rate_per_s: 200.0 }, Pace::OneUser] {
        let target = Target { region: "near".to_owned(), url: http::Uri::clone(&url) };
        let mut request = DriveRequest::new(vec![target], population(), pace);
        request.duration = ms(300);
        let measurement = drive(request).await;
        assert_books_balance(&measurement);
        let record = &measurement.operations["home"];
        assert!(record.planned_count > 0 && record.ok_count == 0);
        assert_eq!(record.errors, BTreeMap::from([("connect".to_owned(), record.planned_count)]));
    }
}

#[tokio::test]
async fn what_exceeds_the_limit_in_flight_is_dropped_and_counted() {
    let server = Server::start(|_| Reply { delay_head: ms(2_000), ..Reply::ok("x") });
    let mut request = get_everywhere(&server, Pace::Constant { rate_per_s: 100.0 }, ms(500));
    request.in_flight_max = 10;
    let measurement = drive(request).await;
    assert_books_balance(&measurement);
    let record = &measurement.operations["get"];
    assert_eq!((record.planned_count, record.ok_count, record.dropped_count), (50, 10, 40));
    assert_eq!(measurement.generator.in_flight_max, 10);
}

#[tokio::test]
async fn what_is_open_after_the_drain_counts_as_timeout() {
    let server = Server::start(|_| Reply { delay_head: ms(60_000), ..Reply::ok("x") });
    let mut request = get_everywhere(&server, Pace::Constant { rate_per_s: 50.0 }, ms(400));
    request.drain = ms(200);
    let measurement = drive(request).await;
    let record = &measurement.operations["get"];
    assert_eq!(record.errors, BTreeMap::from([("timeout".to_owned(), 20)]));
    assert_eq!((record.sent_count, record.http_count), (20, 20));
}

#[tokio::test]
async fn one_user_waits_for_each_answer() {
    let server =
        Server::start(|_| Reply { delay_head: ms(10), delay_body: ms(10), ..Reply::ok("xy") });
    let measurement = drive(get_everywhere(&server, Pace::OneUser, ms(500))).await;
    let record = &measurement.operations["get"];
    assert!((2..=25).contains(&record.ok_count), "{record:?}");
    assert_eq!(measurement.generator.in_flight_max, 1);
    assert_eq!(server.log.lock().expect("not poisoned").connection_count, 1);
    let planned = merge_operations(&measurement.histograms, &[], Clock::PlannedLast);
    assert!(planned.min() >= 20_000, "{} us", planned.min());
}

#[tokio::test]
async fn a_page_view_fetches_the_images_in_sight_from_where_the_region_gets_them() {
    let jpeg = paint_jpeg(1, PictureSize::Tiny);
    let image_bytes = jpeg.len() as u64;
    let cdn = Server::start(move |request| match request.path.as_str() {
        "/photos/b" => Reply { delay_body: ms(80), ..Reply::ok(jpeg.clone()) },
        path if path.starts_with("/photos/") => Reply::ok(jpeg.clone()),
        _ => Reply::status(404),
    });
    let images = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| {
        format!(r#"<img class="rendition" src="http://bucket.invalid/photos/{name}">"#)
    });
    let page = FEED.replace("</html>", &format!("{}</html>", images.concat()));
    let page_bytes = page.len() as u64;
    let web = Server::start(move |_| Reply::ok(page.clone()));
    let mut request = drive_request(&web, Pace::Constant { rate_per_s: 40.0 });
    request.targets.push(web.target("far"));
    request.mix = vec![(Operation::PageView, 1.0)];
    request.duration = ms(500);
    request.name_by_region = true;
    let entry = format!("http://{}", cdn.address);
    request.asset_rewrites = vec![AssetRewrite {
        prefix: "http://bucket.invalid".to_owned(),
        by_region: ["near", "far"].map(|region| (region.to_owned(), entry.clone())).into(),
    }];
    let measurement = drive(request).await;
    assert_books_balance(&measurement);
    let names: Vec<_> = measurement.operations.keys().map(String::as_str).collect();
    assert_eq!(names, ["page_view.far", "page_view.near"]);
    for record in measurement.operations.values() {
        assert!(record.ok_count > 0 && record.errors.is_empty(), "{record:?}");
        // Six of the eight.
        assert_eq!(record.http_count, 7 * record.ok_count);
        assert_eq!(record.body_bytes, record.ok_count * (page_bytes + 6 * image_bytes));
    }
    // The last byte is the last image's.
    let wanted = ["page_view".to_owned()];
    let last = merge_operations(&measurement.histograms, &wanted, Clock::PlannedLast);
    assert_eq!(last.len(), 20);
    assert!(last.min() >= 80_000, "{} us", last.min());
    assert_eq!(
        (measurement.answers_by_route["home"], measurement.answers_by_route["image"]),
        (20, 120)
    );
}

#[tokio::test]
async fn an_image_that_is_no_whole_jpeg_spoils_the_page_view() {
    let page = FEED.replace("</html>", r#"<img class="rendition" src="/assets/a"></html>"#);
    let server = Server::start(move |request| {
        if request.path == "/" { Reply::ok(page.clone()) } else { Reply::ok("not a picture") }
    });
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 40.0 });
    request.mix = vec![(Operation::PageView, 1.0)];
    request.duration = ms(250);
    let measurement = drive(request).await;
    let record = &measurement.operations["page_view"];
    assert_eq!(record.errors, BTreeMap::from([("wrong body".to_owned(), 10)]));
}

#[tokio::test]
async fn a_page_cannot_lead_the_load_out_of_the_stack() {
    let elsewhere = Server::start(|_| Reply::ok("nobody should ask here"));
    let image = format!(r#"<img class="rendition" src="http://{}/a"></html>"#, elsewhere.address);
    let page = FEED.replace("</html>", &image);
    let server = Server::start(move |_| Reply::ok(page.clone()));
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 40.0 });
    request.mix = vec![(Operation::PageView, 1.0)];
    request.duration = ms(250);
    request.hosts_allowed = Some(BTreeSet::new());
    let measurement = drive(request).await;
    let record = &measurement.operations["page_view"];
    assert_eq!((record.ok_count, record.errors.values().sum::<u64>()), (0, 10), "{record:?}");
    // The page itself, and no picture.
    assert_eq!(record.http_count, 10);
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as u64
}

#[tokio::test]
async fn an_upload_is_followed_until_the_photo_is_finished() {
    let answered_at = Arc::new(AtomicU64::new(0));
    let since = answered_at.clone();
    let server = Server::start(move |request| match request.path.as_str() {
        "/upload" => {
            let form = String::from_utf8_lossy(&request.body);
            assert!(form.contains("name=\"picture\"") && form.contains("sepia"));
            since.store(now_us(), Ordering::Relaxed);
            Reply::see_other("/p/0a")
        }
        "/p/0a/status" => {
            // Finished 150 ms after the answer.
            let ready = since.load(Ordering::Relaxed) + 150_000;
            let finished = now_us() >= ready;
            let progress = if finished { "ready" } else { "preparing" };
            let at = if finished { ready.to_string() } else { "null".to_owned() };
            Reply::ok(format!(r#"{{"progress":"{progress}","ready_at_us":{at}}}"#))
        }
        "/p/0a" => Reply::ok(photo_page("0a")),
        _ => Reply::status(404),
    });
    let mut request = drive_request(&server, Pace::OneUser);
    let upload = Operation::Upload { picture: PictureSize::Small, filter: "sepia".to_owned() };
    request.mix = vec![(upload, 1.0)];
    request.duration = ms(600);
    request.verify_every = 1;
    let measurement = drive(request).await;
    assert_books_balance(&measurement);
    let record = &measurement.operations["upload"];
    assert!(record.ok_count >= 1 && record.errors.is_empty(), "{record:?}");
    assert_eq!(record.http_count, record.ok_count);
    let finished = merge_operations(&measurement.histograms, &[], Clock::PlannedFinished);
    let replied = merge_operations(&measurement.histograms, &[], Clock::PlannedLast);
    assert_eq!((finished.len(), replied.len()), (record.ok_count, record.ok_count));
    // From the planned start to 150 ms after the upload was in the server's hands.
    assert!(finished.min() >= 150_000, "{} us", finished.min());
    let polls = &measurement.operations["status"];
    assert!(polls.ok_count > record.ok_count, "{polls:?}");
    assert_eq!(measurement.answers_by_route["status"], server.count("/p/0a/status"));
}

#[tokio::test]
async fn an_upload_that_is_never_finished_is_an_error() {
    for (progress, kind) in [("preparing", "not finished"), ("failed", "not rendered")] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/upload" => Reply::see_other("/p/0a"),
            _ => Reply::ok(format!(r#"{{"progress":"{progress}","ready_at_us":null}}"#)),
        });
        let mut request = drive_request(&server, Pace::Constant { rate_per_s: 20.0 });
        let upload =
            Operation::Upload { picture: PictureSize::Tiny, filter: "original".to_owned() };
        request.mix = vec![(upload, 1.0)];
        request.duration = ms(200);
        request.drain = ms(300);
        let measurement = drive(request).await;
        let record = &measurement.operations["upload"];
        assert_eq!(record.errors, BTreeMap::from([(kind.to_owned(), 4)]), "{record:?}");
        assert_eq!(merge_operations(&measurement.histograms, &[], Clock::PlannedFinished).len(), 0);
    }
}

#[tokio::test]
async fn people_without_a_session_log_in_once() {
    let server = Server::start(|request| {
        if request.path == "/login" {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            assert!(form.ends_with("&password=pass%20word"), "{form}");
            let name = form.split(['=', '&']).nth(1).unwrap_or_default().to_owned();
            let cookie = format!("session={name}-signed; Path=/; HttpOnly");
            let mut reply = Reply::see_other("/");
            reply.headers.push(("set-cookie", cookie));
            return reply;
        }
        match &request.cookie {
            Some(cookie) if cookie.ends_with("-signed") => app(request),
            _ => Reply::see_other("/login"),
        }
    });
    let mut people = population().people.clone();
    people.iter_mut().for_each(|person| person.cookie = None);
    let population = Arc::new(Population::from_parts(1, people, population().photos.clone()));
    let driver = Driver::start(Placement::default()).expect("a driver");
    for _ in 0..2 {
        let mut request = drive_request(&server, Pace::Constant { rate_per_s: 100.0 });
        request.population = population.clone();
        request.mix = vec![(Operation::Home, 1.0), (Operation::Like, 1.0)];
        request.people_max = 4;
        request.duration = ms(300);
        let measurement = driver.drive(request, CancellationToken::new()).await;
        let measurement = measurement.expect("a measurement");
        assert_eq!(measurement.operations.values().map(|record| record.ok_count).sum::<u64>(), 30);
        assert!(!measurement.answers_by_route.contains_key("login"));
    }
    assert_eq!(server.count("/login"), 4);
    assert_eq!(
        server.log.lock().expect("not poisoned").connection_count,
        4,
        "connections are kept"
    );
}

#[tokio::test]
async fn a_lost_session_is_an_error_even_where_it_redirects() {
    let server = Server::start(|_| Reply::see_other("/login"));
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 50.0 });
    request.mix = vec![(Operation::Comment, 1.0)];
    request.duration = ms(200);
    let record = &drive(request).await.operations["comment"];
    assert_eq!(record.errors, BTreeMap::from([("not logged in".to_owned(), 10)]));
}

#[tokio::test]
async fn the_page_for_strangers_is_not_taken_for_a_home_feed() {
    let server = Server::start(|_| Reply::ok(FEED.replace("/account", "/login")));
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 50.0 });
    request.duration = ms(200);
    request.verify_every = 1;
    let record = &drive(request).await.operations["home"];
    assert_eq!(record.errors, BTreeMap::from([("not logged in".to_owned(), 10)]));
}

#[tokio::test]
async fn a_background_load_has_books_of_its_own() {
    let server = Server::start(app);
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 100.0 });
    request.duration = ms(500);
    request.background =
        vec![Background { operation: Operation::Photo, pace: Pace::Constant { rate_per_s: 60.0 } }];
    let measurement = drive(request).await;
    let counts = |name: &str| measurement.operations[name].ok_count;
    assert_eq!((counts("home"), counts("photo")), (50, 30));
    assert_eq!(measurement.load.mix, BTreeMap::from([("home".to_owned(), 1.0)]));
}

#[tokio::test]
async fn a_cancelled_trial_ends_at_once_and_the_driver_lives_on() {
    let server = Server::start(|request| {
        let slow = if request.path == "/" { 60_000 } else { 0 };
        Reply { delay_head: ms(slow), ..app(request) }
    });
    let driver = Driver::start(Placement::default()).expect("a driver");
    let cancel = CancellationToken::new();
    let mut request = drive_request(&server, Pace::Constant { rate_per_s: 50.0 });
    request.duration = Duration::from_secs(600);
    let trial = driver.drive(request.clone(), cancel.clone());
    let stop = async {
        while server.count("/") < 3 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(trial, stop);
    assert!(matches!(result, Err(DriveError::Cancelled)));
    request.mix = vec![(Operation::Explore, 1.0)];
    request.duration = ms(100);
    let next = driver.drive(request, CancellationToken::new()).await.expect("a measurement");
    assert_eq!(next.operations["explore"].ok_count, 5);
}

#[tokio::test]
async fn a_load_that_contradicts_itself_is_refused() {
    let driver = Driver::start(Placement::default()).expect("a driver");
    let server = Server::start(app);
    let sound = drive_request(&server, Pace::Poisson { rate_per_s: 1.0 });
    let mut no_target = sound.clone();
    no_target.targets.clear();
    let mut tls = sound.clone();
    tls.targets[0].url = "https://example.invalid".parse().expect("an address");
    let mut weightless = sound.clone();
    weightless.mix = vec![(Operation::Home, 0.0)];
    let mut rateless = sound.clone();
    rateless.pace = Pace::Poisson { rate_per_s: 0.0 };
    for request in [no_target, tls, weightless, rateless] {
        let refused = driver.drive(request, CancellationToken::new()).await;
        assert!(matches!(refused, Err(DriveError::Request(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_is_replaced() {
    // Hangs up after every answer without announcing it, as a server does whose idle timeout has passed.
    let server = Server::start(|_| Reply { hang_up: true, ..Reply::ok("xy") });
    let request = get_everywhere(&server, Pace::Constant { rate_per_s: 50.0 }, ms(400));
    let record = &drive(request).await.operations["get"];
    assert_eq!((record.ok_count, record.http_count), (20, 20), "{record:?}");
    assert_eq!(server.log.lock().expect("not poisoned").connection_count, 20);
}
