//! The shared cache and the shared sessions over TLS, as ElastiCache wants it: a real Redis with a throw-away certificate. Built with
//! the feature `aws-tls` only (`make test-tls`), because TLS costs minutes of build time that no experiment on one machine needs.
//!
//! Which certificates are trusted is a matter of the environment (`SSL_CERT_FILE`), and a process reads its own: so this program
//! starts itself again with the throw-away certificate among the trusted ones, for the tests that are marked `ignore`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use photo_app::cache::{Cache, redis::RedisCache};
use photo_app::clock::SystemClock;
use photo_app::session::{RedisSessions, Sessions};

/// Where the tests that are started again find the server.
const ADDRESS: &str = "LIGHTMETER_TEST_REDISS";
/// A port may be taken between being found free and being used.
const PORT_TRIES_MAX: u32 = 3;

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A key, and a certificate for loopback that is its own authority.
fn make_certificate(folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "1", "-subj", "/CN=lightmeter-test"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl is installed (make setup)").success());
}

/// A Redis that speaks nothing but TLS, once it says that it is ready; none when it ended instead.
fn start(folder: &Path) -> Option<(Server, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let path = |name: &str| folder.join(name).display().to_string();
    let child = Command::new("redis-server")
        .args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--tls-cert-file", &path("cert.pem"), "--tls-key-file", &path("key.pem")])
        .args(["--tls-ca-cert-file", &path("cert.pem"), "--tls-auth-clients", "no"])
        .args(["--save", "", "--databases", "64", "--dir", &folder.display().to_string()])
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Server(child.expect("redis-server is installed (make setup)"));
    let said = BufReader::new(server.0.stdout.take().expect("it is piped"));
    let ready = |line: std::io::Result<String>| {
        line.is_ok_and(|line| line.contains("Ready to accept connections"))
    };
    said.lines().any(ready).then_some((server, port))
}

#[tokio::test]
async fn a_cache_with_tls_is_used_when_its_certificate_is_trusted_and_refused_when_not() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificate(folder.path());
    let started = (0..PORT_TRIES_MAX).find_map(|_| start(folder.path()));
    let (_server, port) = started.expect("Redis starts, and was built with TLS");
    let address = format!("rediss://127.0.0.1:{port}/");

    let refused =
        RedisCache::connect(&address).await.err().expect("nobody signed this certificate");
    let said = format!("{:?}", refused.source);
    assert!(said.contains("certificate") || said.contains("UnknownIssuer"), "{said}");
    let plain = RedisCache::connect(&format!("redis://127.0.0.1:{port}/")).await;
    assert!(plain.is_err(), "the server speaks TLS and nothing else");

    let again = std::env::current_exe().expect("this program");
    let trusted = Command::new(again)
        .args(["--ignored", "--test-threads", "1"])
        .env(ADDRESS, &address)
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .expect("it starts again");
    let said = String::from_utf8_lossy(&trusted.stdout);
    assert!(trusted.status.success() && said.contains("2 passed"), "{said}");
}

fn address() -> String {
    std::env::var(ADDRESS).expect("the test above starts this one")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test above, which makes the server and trusts its certificate"]
async fn the_cache_keeps_its_promises_over_tls() {
    let (address, number) = (address(), AtomicU32::new(1));
    let make = async || {
        // A numbered database of its own for each check.
        let url = format!("{address}{}", number.fetch_add(1, Ordering::Relaxed));
        Arc::new(RedisCache::connect(&url).await.expect("the cache connects")) as Arc<dyn Cache>
    };
    photo_app::cache::conformance::check_all(make).await;
}

#[tokio::test]
#[ignore = "started by the test above, which makes the server and trusts its certificate"]
async fn sessions_are_reached_over_tls() {
    let sessions = RedisSessions::connect(&address(), Arc::new(SystemClock)).await;
    sessions.expect("the sessions connect").ping().await.expect("they answer");
}
