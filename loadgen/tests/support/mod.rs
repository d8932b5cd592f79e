//! A server for the driver's tests: HTTP/1.1 by hand in a thread of its own, so that every byte leaves when the test
//! says so, and so that it can keep its own record of when that was.
#![expect(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::Uri;
use loadgen::driver::{DriveRequest, Pace, Target};
use loadgen::population::{Person, PhotoEntry, Population};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio_util::sync::CancellationToken;

/// A request as received.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub cookie: Option<String>,
    pub body: Vec<u8>,
}

/// What to answer and when.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Before the head and the first half of the body.
    pub delay_head: Duration,
    /// Between the two halves of the body.
    pub delay_body: Duration,
    /// Hang up after the first half.
    pub cut: bool,
    /// Hang up after the answer.
    pub hang_up: bool,
    /// Sent in the place of head and body.
    pub raw: Option<Vec<u8>>,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            delay_head: Duration::ZERO,
            delay_body: Duration::ZERO,
            cut: false,
            hang_up: false,
            raw: None,
        }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::ok("") }
    }

    /// These bytes and nothing else, then the end of the connection.
    pub fn raw(bytes: &str) -> Self {
        Self { raw: Some(bytes.as_bytes().to_vec()), hang_up: true, ..Self::ok("") }
    }

    pub fn see_other(location: &str) -> Self {
        Self { headers: vec![("location", location.to_owned())], ..Self::status(303) }
    }
}

/// What the server saw itself: from the request read to the first and to the last byte written.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub first: Duration,
    pub last: Duration,
}

#[derive(Debug, Default)]
pub struct Log {
    pub seen: Vec<Seen>,
    pub requests: BTreeMap<String, u64>,
    pub connection_count: u64,
}

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

pub struct Server {
    pub address: SocketAddr,
    pub log: Arc<Mutex<Log>>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("it is bound");
        let log: Arc<Mutex<Log>> = Arc::default();
        let stop = CancellationToken::new();
        let (stopped, kept, handler) = (stop.clone(), log.clone(), Arc::new(handler) as Handler);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                loop {
                    let accepted = tokio::select! {
                        () = stopped.cancelled() => return,
                        accepted = listener.accept() => accepted,
                    };
                    let (stream, _) = accepted.expect("a connection");
                    kept.lock().expect("no test panicked").connection_count += 1;
                    tokio::spawn(connection(stream, handler.clone(), kept.clone()));
                }
            });
        });
        Self { address, log, stop, thread: Some(thread) }
    }

    pub fn uri(&self) -> Uri {
        format!("http://{}", self.address).parse().expect("an address")
    }

    pub fn target(&self, region: &str) -> Target {
        Target { region: region.to_owned(), url: self.uri() }
    }

    pub fn count(&self, path: &str) -> u64 {
        self.log.lock().expect("no test panicked").requests.get(path).copied().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread ended well");
        }
    }
}

async fn connection(stream: TcpStream, handler: Handler, log: Arc<Mutex<Log>>) {
    stream.set_nodelay(true).expect("a socket option");
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = read_request(&mut reader).await {
        let read = Instant::now();
        *log.lock().expect("no test panicked").requests.entry(request.path.clone()).or_default() +=
            1;
        let reply = handler(&request);
        let hang_up = reply.hang_up;
        let Some(seen) = answer(&mut writer, reply, read).await else { return };
        log.lock().expect("no test panicked").seen.push(seen);
        if hang_up {
            return;
        }
    }
}

async fn read_request(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut cookie) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "cookie" => cookie = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(Request { method, path, cookie, body })
}

async fn answer(writer: &mut OwnedWriteHalf, reply: Reply, read: Instant) -> Option<Seen> {
    if !reply.delay_head.is_zero() {
        tokio::time::sleep(reply.delay_head).await;
    }
    if let Some(raw) = reply.raw {
        writer.write_all(&raw).await.ok()?;
        let sent = read.elapsed();
        return Some(Seen { first: sent, last: sent });
    }
    let mut head =
        format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (one, other) = reply.body.split_at(reply.body.len() / 2);
    writer.write_all(&[head.as_bytes(), one].concat()).await.ok()?;
    let first = read.elapsed();
    if reply.cut {
        return None;
    }
    if !reply.delay_body.is_zero() {
        tokio::time::sleep(reply.delay_body).await;
    }
    writer.write_all(other).await.ok()?;
    Some(Seen { first, last: read.elapsed() })
}

/// Ten people with sessions and twenty photos.
pub fn population() -> Arc<Population> {
    let person = |index: u32| Person {
        id: format!("id{index}"),
        name: format!("p{index}"),
        password: "pass word".to_owned(),
        cookie: Some(format!("session=s{index}")),
        following_count: 3,
    };
    let photo = |index: u32| PhotoEntry { id: format!("0{index:02}"), author: format!("p{index}") };
    Arc::new(Population::from_parts(1, (0..10).map(person).collect(), (0..20).map(photo).collect()))
}

pub fn drive_request(server: &Server, pace: Pace) -> DriveRequest {
    DriveRequest::new(vec![server.target("near")], population(), pace)
}
