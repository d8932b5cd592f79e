//! A small web server inside the test, and a client, to put balancers, edges and links between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use lightmeter::cluster::http::serve;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What a request looked like when it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A server that notes every request and answers by path.
pub struct Origin {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Requests for `/gated/...` wait for a permit.
    pub gate: Arc<Semaphore>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub async fn start() -> Origin {
        Origin::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    pub async fn start_at(address: SocketAddr) -> Origin {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let gate = Arc::new(Semaphore::new(0));
        let stop = CancellationToken::new();
        let (notes, permits) = (seen.clone(), gate.clone());
        let handler = move |request: Request<Incoming>, _peer| {
            let (notes, permits) = (notes.clone(), permits.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.expect("the body arrives").to_bytes();
                let path = head.uri.path().to_string();
                let headers = head.headers;
                let known = Seen { path: path.clone(), headers: headers.clone(), body };
                notes.lock().unwrap_or_else(PoisonError::into_inner).push(known);
                if path.starts_with("/gated/") {
                    permits.acquire().await.expect("the gate is never closed").forget();
                }
                answer(&path, &headers)
            }
        };
        let grace = Duration::from_secs(5);
        let served = tokio::spawn(serve(listener, handler, stop.clone(), grace));
        Origin { address, seen, gate, stop, served }
    }

    /// The requests for paths that begin like this.
    pub fn seen(&self, prefix: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|one| one.path.starts_with(prefix)).cloned().collect()
    }

    /// Stops listening and ends its connections.
    pub async fn stop(self) {
        self.stop.cancel();
        self.served.await.expect("the server ends in order");
    }
}

fn answer(path: &str, asked: &HeaderMap) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().header(header::CONTENT_TYPE, "text/plain");
    let tag = "\"v1\"";
    let body = if path.starts_with("/kept/") || path.starts_with("/gated/") {
        builder = builder.header(header::CACHE_CONTROL, "public, max-age=600");
        builder = builder.header(header::ETAG, tag);
        format!("the object {path}")
    } else if path == "/short/1" {
        builder = builder.header(header::CACHE_CONTROL, "max-age=1").header(header::ETAG, tag);
        if asked.get(header::IF_NONE_MATCH).is_some_and(|value| value == tag) {
            let answer = builder.status(StatusCode::NOT_MODIFIED).body(Full::default());
            return answer.expect("an answer");
        }
        "short-lived".into()
    } else if path == "/big" {
        "x".repeat(300_000)
    } else if path == "/closing" {
        builder = builder.header(header::CONNECTION, "close, x-hop").header("x-hop", "1");
        "bye".into()
    } else {
        "here".into()
    };
    let range = asked.get(header::RANGE).and_then(|value| value.to_str().ok());
    if range == Some("bytes=0-2") {
        let part = body.as_bytes()[..3].to_vec();
        let answer = builder.status(StatusCode::PARTIAL_CONTENT).body(Full::from(part));
        return answer.expect("an answer");
    }
    builder.body(Full::from(body)).expect("an answer")
}

/// An answer read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// One request over a connection of its own.
pub async fn send(
    address: SocketAddr,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.expect("it accepts connections");
    stream.set_nodelay(true).expect("it is TCP");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("it speaks HTTP");
    let connection = tokio::spawn(connection);
    let request = request
        .header(header::HOST, "photos.test")
        .body(Full::new(body.into()))
        .expect("a sound request");
    let answer = sender.send_request(request).await.expect("it answers");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("the body is complete").to_bytes();
    drop(sender);
    // The connection may end with an error once nobody needs it.
    let _ended = connection.await;
    Answer { status: head.status, headers: head.headers, body }
}

/// A GET.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, Request::get(path), "").await
}

/// The counters of a role of ours.
pub async fn info(address: SocketAddr) -> serde_json::Value {
    let answer = get(address, "/__lightmeter/info.json").await;
    assert_eq!(answer.status, StatusCode::OK);
    serde_json::from_slice(&answer.body).expect("counters are JSON")
}

/// Named counters of a role.
pub async fn counters(address: SocketAddr) -> BTreeMap<String, u64> {
    serde_json::from_value(info(address).await["counters"].clone()).expect("counters are numbers")
}
