//! Links: the configured distance and bandwidth, within generous bands, and every byte counted.
//!
//! A lower bound is exact: physics configured cannot be beaten. Upper bounds are wide, because this machine may
//! be busy, and the best of several attempts counts.

use std::time::{Duration, Instant};

use lightmeter::cluster::link::{Link, LinkOptions};
use lightmeter::cluster::process::ProcessSpec;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{LIGHTMETER, folder, launcher};
use crate::web::{Origin, get, info};

/// Sends every byte back.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                // The test's end of the connection decides when it is over.
                let _ended = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn link(rtt_ms: u64, mbit_per_s: Option<f64>) -> (Link, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let options = LinkOptions {
        to: echo().await,
        rtt: Duration::from_millis(rtt_ms),
        mbit_per_s,
        bucket_bytes: None,
    };
    (Link::start(listener, options).expect("sound options"), address)
}

async fn ping(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    stream.write_all(b"ping").await.expect("it can be written");
    stream.read_exact(&mut [0; 4]).await.expect("it comes back");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn distance_costs_a_round_trip_to_connect_and_one_per_exchange() {
    let (link, address) = link(40, None).await;
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("it accepts");
    stream.set_nodelay(true).expect("it is TCP");
    ping(&mut stream).await;
    let first = began.elapsed();
    let mut best = Duration::MAX;
    for _ in 0..10 {
        best = best.min(ping(&mut stream).await);
    }
    assert!(first >= Duration::from_millis(80), "connecting and asking took only {first:?}");
    assert!(best >= Duration::from_millis(40), "an exchange took only {best:?}");
    assert!(best < Duration::from_millis(60), "the best exchange took {best:?} instead of 40 ms");
    assert_eq!(link.counters.up_bytes.load(Ordering::Relaxed), 44);
    assert_eq!(link.counters.down_bytes.load(Ordering::Relaxed), 44);
    drop(stream);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bandwidth_is_shared_by_all_connections_of_a_link() {
    // 40 Mbit/s are 5,000 bytes per millisecond; 4 connections with 500,000 bytes each: 400 ms at least,
    // less the bucket (20,000 bytes: 4 ms), which begins full.
    let (link, address) = link(0, Some(40.0)).await;
    let began = Instant::now();
    let transfers = (0..4).map(|_| async move {
        let stream = TcpStream::connect(address).await.expect("it accepts");
        let (mut from, mut to) = stream.into_split();
        let sending = tokio::spawn(async move {
            to.write_all(&vec![1; 500_000]).await.expect("it can be written");
            to
        });
        from.read_exact(&mut vec![0; 500_000]).await.expect("everything comes back");
        sending.await.expect("it was sent");
    });
    futures_util::future::join_all(transfers).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(390), "2 MB took only {took:?} at 40 Mbit/s");
    assert!(took < Duration::from_millis(1600), "2 MB took {took:?} at 40 Mbit/s");
    assert_eq!(link.counters.up_bytes.load(Ordering::Relaxed), 2_000_000);
    assert_eq!(link.counters.connection_count.load(Ordering::Relaxed), 4);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_travels_and_what_was_sent_before_arrives() {
    let (link, address) = link(20, Some(50.0)).await;
    let mut stream = TcpStream::connect(address).await.expect("it accepts");
    stream.write_all(&[9; 100_000]).await.expect("it can be written");
    stream.shutdown().await.expect("it can be ended");
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.expect("the end arrives");
    assert_eq!(back.len(), 100_000);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_role_it_relays_and_shows_its_counters() {
    let place = folder();
    let origin = Origin::start().await;
    let to = origin.address.to_string();
    let spec = ProcessSpec::new("link", LIGHTMETER, ["link", "--to", &to, "--rtt-ms", "2"]);
    let limit = Duration::from_secs(60);
    let started = launcher(place.path()).spawn_listening(&spec, limit).await;
    let (process, ready) = started.expect("the link starts");
    assert_eq!(get(ready.listening, "/page").await.body, "here");
    let info = info(ready.control.expect("it has a control port")).await;
    assert_eq!(info["settings"]["rtt_ms"], 2.0);
    assert!(info["counters"]["link.down_bytes"].as_u64() > Some(4));
    process.stop(limit).await;
    let wrong = ProcessSpec::new("wrong", LIGHTMETER, ["link", "--to", &to, "--mbit-per-s", "0"]);
    let error = launcher(place.path()).spawn_listening(&wrong, limit).await.expect_err("no rate");
    assert!(error.to_string().contains("0 Mbit/s"), "{error}");
}
