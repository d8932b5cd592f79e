//! The balancer: spreads evenly, hides what concerns one connection, survives an upstream that goes away.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use lightmeter::cluster::process::{Process, ProcessSpec};

use crate::support::{LIGHTMETER, folder, launcher};
use crate::web::{Origin, get, info, send};

const LIMIT: Duration = Duration::from_secs(60);

async fn balancer(place: &Path, upstreams: &[SocketAddr]) -> (Process, SocketAddr) {
    let mut args: Vec<String> = ["balancer", "--listen", "127.0.0.1:0"].map(String::from).into();
    for upstream in upstreams {
        args.extend(["--upstream".into(), upstream.to_string()]);
    }
    let spec = ProcessSpec::new("balancer", LIGHTMETER, args);
    let started = launcher(place).spawn_listening(&spec, LIMIT).await;
    let (process, ready) = started.expect("the balancer starts");
    (process, ready.listening)
}

/// Waits until the balancer says that so many upstreams are healthy.
async fn until_healthy(address: SocketAddr, count: usize) {
    let asking = async {
        loop {
            let info = info(address).await;
            let upstreams = info["upstreams"].as_array().expect("it lists its upstreams").clone();
            if upstreams.iter().filter(|one| one["healthy"] == true).count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking).await.expect("the upstreams' health becomes known");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_spreads_evenly_and_keeps_connections() {
    let place = folder();
    let origins = [Origin::start().await, Origin::start().await, Origin::start().await];
    let addresses = origins.each_ref().map(|origin| origin.address);
    let (process, address) = balancer(place.path(), &addresses).await;
    until_healthy(address, 3).await;
    for _ in 0..60 {
        assert_eq!(get(address, "/page").await.body, "here");
    }
    for origin in &origins {
        assert_eq!(origin.seen("/page").len(), 20);
    }
    let info = info(address).await;
    for upstream in info["upstreams"].as_array().expect("upstreams") {
        assert_eq!(upstream["requests"], 20);
        assert_eq!(upstream["connections"], 1, "one request at a time needs one connection");
    }
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_bodies_arrive_as_they_should() {
    let place = folder();
    let origin = Origin::start().await;
    let (process, address) = balancer(place.path(), &[origin.address]).await;
    until_healthy(address, 1).await;
    let request = Request::post("/form?x=1")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("x-forwarded-for", "10.1.2.3")
        .header("cookie", "session=abc");
    let upload = vec![7_u8; 500_000];
    assert_eq!(send(address, request, upload.clone()).await.status, StatusCode::OK);
    let seen = origin.seen("/form").pop().expect("it arrived");
    assert_eq!(seen.body.len(), upload.len());
    let header = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("host"), Some("photos.test"));
    assert_eq!(header("x-forwarded-for"), Some("10.1.2.3, 127.0.0.1"));
    assert_eq!(header("x-forwarded-proto"), Some("http"));
    assert_eq!(header("cookie"), Some("session=abc"));
    assert!(header("x-request-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(header("x-private"), None);
    let closing = get(address, "/closing").await;
    assert_eq!((closing.body.as_ref(), closing.header("x-hop")), (b"bye".as_ref(), ""));
    assert_eq!(get(address, "/big").await.body.len(), 300_000);
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_an_upstream_that_goes_and_comes_back() {
    let place = folder();
    let (gone, stays) = (Origin::start().await, Origin::start().await);
    let gone_at = gone.address;
    let (process, address) = balancer(place.path(), &[gone_at, stays.address]).await;
    until_healthy(address, 2).await;
    gone.stop().await;
    for _ in 0..20 {
        // Nothing was sent to the refused one, so each request is answered by the other.
        assert_eq!(get(address, "/page").await.status, StatusCode::OK);
    }
    assert_eq!(stays.seen("/page").len(), 20);
    until_healthy(address, 1).await;
    let back = Origin::start_at(gone_at).await;
    until_healthy(address, 2).await;
    for _ in 0..10 {
        assert_eq!(get(address, "/again").await.status, StatusCode::OK);
    }
    assert_eq!(back.seen("/again").len(), 5);
    back.stop().await;
    stays.stop().await;
    let last = get(address, "/page").await;
    assert_eq!(last.status, StatusCode::SERVICE_UNAVAILABLE);
    process.stop(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_before_it_ends() {
    let place = folder();
    let origin = Origin::start().await;
    let (process, address) = balancer(place.path(), &[origin.address]).await;
    until_healthy(address, 1).await;
    let request = tokio::spawn(async move { get(address, "/gated/x").await });
    while origin.seen("/gated/").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stopping = tokio::spawn(async move { process.stop(LIMIT).await });
    origin.gate.add_permits(1);
    let answer = request.await.expect("the request ends");
    assert_eq!(answer.body, "the object /gated/x");
    let status = stopping.await.expect("it stops").expect("it has a status");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_one_clear_error() {
    let place = folder();
    let taken = Origin::start().await;
    let listen = taken.address.to_string();
    let args = ["balancer", "--listen", &listen, "--upstream", &listen];
    let spec = ProcessSpec::new("balancer", LIGHTMETER, args);
    let error = launcher(place.path()).spawn_listening(&spec, LIMIT).await.expect_err("in use");
    let text = error.to_string();
    for word in [listen.as_str(), "in use", "balancer.log"] {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}
