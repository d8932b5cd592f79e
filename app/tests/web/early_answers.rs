//! Answers that are given before the body has been read: they arrive, and the connection goes on (`photo_app::unread`).

use photo_app::config::arguments::RawSettings;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::support::{Site, until};

const MULTIPART: &str = "multipart/form-data; boundary=b";
const FORM: &str = "application/x-www-form-urlencoded";

/// A browser's connection: it sends everything before it reads.
struct Line {
    site: String,
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Line {
    async fn to(site: &Site) -> Self {
        let stream = TcpStream::connect(site.address).await.expect("the site listens");
        let (read, write) = stream.into_split();
        Self { site: site.address.to_string(), read: BufReader::new(read), write }
    }

    async fn send_head(&mut self, line: &str, headers: &str) {
        let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.site);
        self.write.write_all(head.as_bytes()).await.expect("the head is sent");
    }

    /// Sends a body of this many bytes, whole, and reads the answer.
    async fn post(&mut self, path: &str, headers: &str, bytes: usize) -> Answered {
        let headers = format!("Content-Length: {bytes}\r\n{headers}");
        self.send_head(&format!("POST {path}"), &headers).await;
        let body = vec![b'x'; bytes];
        self.write.write_all(&body).await.expect("the connection takes the whole body");
        self.answer().await
    }

    async fn answer(&mut self) -> Answered {
        let mut head = String::new();
        loop {
            let read = self.read.read_line(&mut head).await.expect("an answer can be read");
            assert!(read > 0, "the connection ended within the head: {head:?}");
            if head.ends_with("\r\n\r\n") {
                break;
            }
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.read.read_exact(&mut body).await.expect("the body is whole");
        let status = head[9..12].parse().expect("a status");
        Answered { status, head, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// The connection answers another request.
    async fn assert_goes_on(&mut self) {
        self.send_head("GET /healthz", "").await;
        assert_eq!(self.answer().await.status, 200);
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_arrives_and_the_connection_goes_on() {
    let site = Site::start("memory").await;
    let person = site.person("anna").await;
    let cookie = format!("Cookie: {}\r\n", person.cookie.unwrap_or_default());
    let other_site = "Sec-Fetch-Site: cross-site\r\n";
    let same_site = format!("Origin: http://{}\r\n", site.address);
    let mut line = Line::to(&site).await;
    for bytes in [1_000, 300_000, 5_000_000] {
        let large = bytes > 65_536;
        for (path, kind, more, status) in [
            ("/upload", MULTIPART, "", 303),
            ("/upload", MULTIPART, same_site.as_str(), 303),
            ("/upload", MULTIPART, other_site, 403),
            ("/upload", FORM, cookie.as_str(), 422),
            ("/upload", "image/jpeg", cookie.as_str(), 422),
            ("/uploads", MULTIPART, "", 404),
            ("/explore", MULTIPART, "", 405),
            ("/account/plan", FORM, "", 303),
            ("/p/0000000000001/like", FORM, cookie.as_str(), if large { 413 } else { 422 }),
            ("/login", FORM, "", if large { 413 } else { 422 }),
            ("/login", FORM, other_site, 403),
        ] {
            let headers = format!("Content-Type: {kind}\r\n{more}");
            let answer = line.post(path, &headers, bytes).await;
            assert_eq!(answer.status, status, "{path} {kind} {more:?} {bytes}: {}", answer.head);
            if status != 303 {
                assert!(answer.body.contains("</html>"), "{path}: {}", answer.body);
            }
        }
        line.assert_goes_on().await;
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_read_on_too() {
    let site = Site::start("memory").await;
    let mut line = Line::to(&site).await;
    let chunked = format!("Content-Type: {MULTIPART}\r\nTransfer-Encoding: chunked\r\n");
    for path in ["/upload", "/uploads"] {
        line.send_head(&format!("POST {path}"), &chunked).await;
        let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
        for _ in 0..40 {
            line.write.write_all(&chunk).await.expect("the connection takes every chunk");
        }
        line.write.write_all(b"0\r\n\r\n").await.expect("the end is sent");
        let expected = if path == "/upload" { 303 } else { 404 };
        assert_eq!(line.answer().await.status, expected);
    }
    line.assert_goes_on().await;
}

#[tokio::test]
async fn whoever_asks_before_sending_is_spared_the_sending() {
    let site = Site::start("memory").await;
    let mut line = Line::to(&site).await;
    let headers =
        format!("Content-Type: {MULTIPART}\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n");
    line.send_head("POST /upload", &headers).await;
    let answer = line.answer().await;
    assert_eq!(answer.status, 303, "{}", answer.head);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    let mut rest = Vec::new();
    line.read.read_to_end(&mut rest).await.expect("the connection ends in peace");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_request_that_was_given_up_is_answered_when_its_body_has_come() {
    let limit = |raw: &mut RawSettings| raw.request_timeout_ms = Some("50".to_owned());
    let site = Site::start_with("memory", limit).await;
    let mut line = Line::to(&site).await;
    let headers = format!("Content-Type: {FORM}\r\nContent-Length: 40000\r\n");
    line.send_head("POST /login", &headers).await;
    let given_up = || site.state.telemetry.counters.get("errors.login") > 0;
    until(given_up).await;
    line.write.write_all(&vec![b'x'; 40_000]).await.expect("the rest is sent");
    assert_eq!(line.answer().await.status, 503);
    line.assert_goes_on().await;
}
