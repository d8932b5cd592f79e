//! The CDN's edge: hits, misses, one request to the origin however many ask, ranges, and what may not be kept.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, StatusCode};
use lightmeter::cluster::process::{Process, ProcessSpec};

use crate::support::{LIGHTMETER, folder, launcher};
use crate::web::{Origin, counters, get, send};

const LIMIT: Duration = Duration::from_secs(60);

async fn edge(place: &Path, origin: SocketAddr) -> (Process, SocketAddr) {
    let origin = format!("http://{origin}");
    let spec = ProcessSpec::new("cdn", LIGHTMETER, ["cdn", "--origin", &origin]);
    let started = launcher(place).spawn_listening(&spec, LIMIT).await;
    let (process, ready) = started.expect("the edge starts");
    (process, ready.listening)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_what_it_may_and_only_that() {
    let place = folder();
    let origin = Origin::start().await;
    let (process, address) = edge(place.path(), origin.address).await;
    for expected in ["MISS", "HIT", "HIT"] {
        let answer = get(address, "/kept/a").await;
        assert_eq!(answer.body, "the object /kept/a");
        assert_eq!(answer.header("x-cache"), expected);
        assert_eq!(answer.header("content-type"), "text/plain");
    }
    assert_eq!(origin.seen("/kept/a").len(), 1);
    for _ in 0..2 {
        assert_eq!(get(address, "/page").await.header("x-cache"), "MISS");
    }
    assert_eq!(origin.seen("/page").len(), 2);
    let known = send(address, Request::get("/kept/a").header("if-none-match", "\"v1\""), "").await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let part = send(address, Request::get("/kept/a").header("range", "bytes=0-2"), "").await;
    assert_eq!((part.status, part.body.as_ref()), (StatusCode::PARTIAL_CONTENT, b"the".as_ref()));
    let refused = send(address, Request::post("/kept/a"), "x").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    let counters = counters(address).await;
    assert_eq!((counters["cdn.hit"], counters["cdn.miss"]), (3, 1));
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_ask_the_origin_once() {
    let place = folder();
    let origin = Origin::start().await;
    let (process, address) = edge(place.path(), origin.address).await;
    let asking =
        tokio::spawn(join_all((0..25).map(|_| async move { get(address, "/gated/p").await })));
    // All have asked the edge before the origin answers the first.
    loop {
        let asked = counters(address).await["cdn.requests"];
        if asked == 25 && !origin.seen("/gated/p").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    origin.gate.add_permits(25);
    let answers = asking.await.expect("all are answered");
    assert!(answers.iter().all(|answer| answer.body == "the object /gated/p"));
    assert_eq!(origin.seen("/gated/p").len(), 1);
    let misses = answers.iter().filter(|answer| answer.header("x-cache") == "MISS").count();
    assert_eq!(misses, 1);
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_grown_old_is_asked_for_again_by_its_tag() {
    let place = folder();
    let origin = Origin::start().await;
    let (process, address) = edge(place.path(), origin.address).await;
    assert_eq!(get(address, "/short/1").await.header("x-cache"), "MISS");
    // Its second of freshness ends some time; from then on the origin is asked with the tag.
    let asked_again = async {
        loop {
            assert_eq!(get(address, "/short/1").await.body, "short-lived");
            if origin.seen("/short/1").len() > 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, asked_again).await.expect("its freshness ends");
    let second = &origin.seen("/short/1")[1];
    assert_eq!(second.headers.get("if-none-match").expect("a tag"), "\"v1\"");
    assert_eq!(counters(address).await["cdn.revalidated"], 1);
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_gone_is_a_bad_gateway_and_not_remembered() {
    let place = folder();
    let origin = Origin::start().await;
    let at = origin.address;
    let (process, address) = edge(place.path(), at).await;
    origin.stop().await;
    assert_eq!(get(address, "/kept/b").await.status, StatusCode::BAD_GATEWAY);
    let _back = Origin::start_at(at).await;
    assert_eq!(get(address, "/kept/b").await.status, StatusCode::OK);
    process.stop(LIMIT).await;
}
