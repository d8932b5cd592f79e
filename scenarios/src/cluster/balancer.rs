//! `lightmeter balancer`: a small HTTP/1.1 reverse proxy in front of the web servers.
//!
//! Round robin over the upstreams that are healthy. Each is asked for `/readyz` by a task of its own; a
//! refused connection takes it out at once, its next good answer brings it back. Connections are kept and
//! used again; bodies stream both ways. A request is tried elsewhere only when nothing of it was sent.
//! Why it is our own: docs/decisions/balancer.md. The server loop is in `http`, the connections to one
//! web server in `upstream`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use super::http::{
    INFO_PATH, announce, json_answer, listen, run_role, serve, stop_on_signal, text_answer,
};

mod upstream;

use upstream::{Returning, SendError, Upstream};

/// How long requests in flight may take to finish at the end.
const GRACE: Duration = Duration::from_secs(10);
/// Longest request id that is passed on; others are replaced.
const REQUEST_ID_BYTES_MAX: usize = 64;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Headers that concern one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Where to listen and whom to ask.
#[derive(Debug, Clone, clap::Args)]
pub struct BalancerArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// A web server; may be given several times.
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub upstream: Vec<SocketAddr>,
    /// How long a web server may take until its answer begins.
    #[arg(long, default_value_t = 30_000)]
    pub answer_timeout_ms: u64,
}

/// What an answer's body is: an upstream's, or a page of ours.
type ProxyBody = Either<Returning, Full<Bytes>>;

/// Balances until SIGTERM.
///
/// # Errors
/// The address cannot be had.
pub fn run(args: BalancerArgs) -> anyhow::Result<()> {
    run_role(async move {
        let stop = stop_on_signal()?;
        let listener = listen(args.listen).await?;
        let balancer =
            Balancer::start(&args.upstream, Duration::from_millis(args.answer_timeout_ms), &stop);
        announce("balancer", listener.local_addr()?, None)?;
        let handler = move |request, peer| {
            let balancer = balancer.clone();
            async move { balancer.answer(request, peer).await }
        };
        serve(listener, handler, stop, GRACE).await;
        Ok(())
    })
}

/// The state behind every request.
#[derive(Debug)]
struct Balancer {
    upstreams: Vec<Arc<Upstream>>,
    next: AtomicUsize,
    answer_timeout: Duration,
    request_id_prefix: String,
    request_count: AtomicU64,
    retry_count: AtomicU64,
    bad_gateway_count: AtomicU64,
    unavailable_count: AtomicU64,
    timeout_count: AtomicU64,
}

impl Balancer {
    fn start(
        upstreams: &[SocketAddr],
        answer_timeout: Duration,
        stop: &CancellationToken,
    ) -> Arc<Balancer> {
        let upstreams: Vec<Arc<Upstream>> =
            upstreams.iter().map(|&address| Arc::new(Upstream::new(address))).collect();
        for upstream in &upstreams {
            let (upstream, stop) = (upstream.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = upstream.watch() => {}
                }
            });
        }
        Arc::new(Balancer {
            upstreams,
            next: AtomicUsize::new(0),
            answer_timeout,
            request_id_prefix: hex::encode(rand::random::<[u8; 6]>()),
            request_count: AtomicU64::new(0),
            retry_count: AtomicU64::new(0),
            bad_gateway_count: AtomicU64::new(0),
            unavailable_count: AtomicU64::new(0),
            timeout_count: AtomicU64::new(0),
        })
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<ProxyBody> {
        if request.uri().path() == INFO_PATH {
            return json_answer(&self.info()).map(Either::Right);
        }
        let number = self.request_count.fetch_add(1, Ordering::Relaxed);
        let (mut head, body) = request.into_parts();
        head.version = Version::HTTP_11;
        remove_hop_by_hop(&mut head.headers);
        self.add_forwarded(&mut head.headers, peer, number);
        match self.forward(Request::from_parts(head, body)).await {
            Ok(mut answer) => {
                answer.headers_mut().reserve(1);
                remove_hop_by_hop(answer.headers_mut());
                *answer.version_mut() = Version::HTTP_11;
                answer.map(Either::Left)
            }
            Err((status, text)) => {
                self.counter_of(status).fetch_add(1, Ordering::Relaxed);
                text_answer(status, text).map(Either::Right)
            }
        }
    }

    /// Tries each healthy upstream at most once, as long as nothing was sent.
    async fn forward(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Returning>, (StatusCode, &'static str)> {
        let count = self.upstreams.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        // A loop over positions, so that a request never comes back to an upstream that refused it.
        for upstream in (0..count).map(|step| &self.upstreams[(first + step) % count]) {
            if !upstream.is_healthy() {
                continue;
            }
            let sent = tokio::time::timeout(self.answer_timeout, upstream.send(request)).await;
            match sent {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(SendError::NothingSent(unsent))) => {
                    self.retry_count.fetch_add(1, Ordering::Relaxed);
                    request = *unsent;
                }
                Ok(Err(SendError::BrokeOff(error))) => {
                    tracing::warn!(upstream = %upstream.address(), %error, "no complete answer");
                    return Err((StatusCode::BAD_GATEWAY, "The web server's answer broke off."));
                }
                Err(_elapsed) => {
                    return Err((StatusCode::GATEWAY_TIMEOUT, "The web server did not answer."));
                }
            }
        }
        Err((StatusCode::SERVICE_UNAVAILABLE, "No web server is ready."))
    }

    fn counter_of(&self, status: StatusCode) -> &AtomicU64 {
        match status {
            StatusCode::BAD_GATEWAY => &self.bad_gateway_count,
            StatusCode::GATEWAY_TIMEOUT => &self.timeout_count,
            _ => &self.unavailable_count,
        }
    }

    fn add_forwarded(&self, headers: &mut HeaderMap, peer: SocketAddr, number: u64) {
        let client = peer.ip().to_string();
        let chain = match headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok()) {
            Some(before) => format!("{before}, {client}"),
            None => client,
        };
        if let Ok(chain) = HeaderValue::from_str(&chain) {
            headers.insert(FORWARDED_FOR, chain);
        }
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        let sound = |value: &HeaderValue| {
            let bytes = value.as_bytes();
            bytes.len() <= REQUEST_ID_BYTES_MAX
                && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        };
        if !headers.get(REQUEST_ID).is_some_and(sound) {
            let id = format!("{}-{number:x}", self.request_id_prefix);
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.insert(REQUEST_ID, id);
            }
        }
    }

    fn info(&self) -> serde_json::Value {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let upstreams: Vec<serde_json::Value> =
            self.upstreams.iter().map(|upstream| upstream.info()).collect();
        serde_json::json!({
            "role": "balancer",
            "settings": { "upstreams": self.upstreams.len() },
            "counters": {
                "balancer.requests": of(&self.request_count),
                "balancer.retries": of(&self.retry_count),
                "balancer.502": of(&self.bad_gateway_count),
                "balancer.503": of(&self.unavailable_count),
                "balancer.504": of(&self.timeout_count),
            },
            "upstreams": upstreams,
        })
    }
}

/// Removes what concerns one connection only, and what `Connection` names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(connection) = headers.get(header::CONNECTION) {
        let named: Vec<HeaderName> = connection
            .to_str()
            .unwrap_or_default()
            .split(',')
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_connection_do_not_travel() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("content-length", "3"),
            ("cookie", "a=b"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["content-length", "cookie"]);
    }
}
