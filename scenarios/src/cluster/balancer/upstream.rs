//! One web server as the balancer sees it: kept connections, health, counters.
//!
//! A connection goes back to the stack of idle ones when an answer's body has been read to its end, and is
//! taken from the top, so that few are kept warm. A body that is given up closes its connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::super::http::get;

/// Most idle connections kept.
const IDLE_CONNECTIONS_MAX: usize = 256;
/// Where health is asked for.
const HEALTH_PATH: &str = "/readyz";
/// How long connecting may take before the upstream counts as down.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long an answer about health may take. Longer than a throttled web server's pauses.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);
/// Between two questions to a healthy upstream: rare, because its budget pays for them.
const HEALTHY_PAUSE: Duration = Duration::from_secs(2);
/// Between two questions to one that is down: first and longest.
const DOWN_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Why a request was not answered.
pub enum SendError {
    /// Nothing of it has left: it may be tried elsewhere.
    NothingSent(Box<Request<Incoming>>),
    /// Part of it has left: it may have had an effect.
    BrokeOff(hyper::Error),
}

type Connection = SendRequest<Incoming>;

/// One web server.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    healthy: AtomicBool,
    ask_now: Notify,
    idle: Mutex<Vec<Connection>>,
    request_count: AtomicU64,
    connect_count: AtomicU64,
    refused_count: AtomicU64,
}

impl Upstream {
    /// Not healthy until it has said so.
    pub fn new(address: SocketAddr) -> Upstream {
        Upstream {
            address,
            healthy: AtomicBool::new(false),
            ask_now: Notify::new(),
            idle: Mutex::new(Vec::new()),
            request_count: AtomicU64::new(0),
            connect_count: AtomicU64::new(0),
            refused_count: AtomicU64::new(0),
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it gets requests.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Its line in the counters.
    pub fn info(&self) -> serde_json::Value {
        serde_json::json!({
            "address": self.address,
            "healthy": self.is_healthy(),
            "requests": self.request_count.load(Ordering::Relaxed),
            "connections": self.connect_count.load(Ordering::Relaxed),
            "refused": self.refused_count.load(Ordering::Relaxed),
        })
    }

    /// Asks for its health for ever.
    pub async fn watch(&self) {
        let mut down_pause = DOWN_PAUSE.0;
        loop {
            let answer = get(self.address, HEALTH_PATH, HEALTH_LIMIT).await;
            let healthy = matches!(answer, Ok((StatusCode::OK, _)));
            if self.healthy.swap(healthy, Ordering::Relaxed) != healthy {
                tracing::info!(upstream = %self.address, healthy, "health changed");
            }
            let pause = if healthy {
                down_pause = DOWN_PAUSE.0;
                HEALTHY_PAUSE
            } else {
                down_pause = (down_pause * 3 / 2).min(DOWN_PAUSE.1);
                down_pause
            };
            // Whichever comes first: the time, or a request that found it down.
            let _either = tokio::time::timeout(pause, self.ask_now.notified()).await;
        }
    }

    /// Sends a request over a kept connection, or over a new one.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Returning>, SendError> {
        loop {
            let (mut connection, kept) = match self.take_idle().await {
                Some(connection) => (connection, true),
                None => match self.connect().await {
                    Some(connection) => (connection, false),
                    None => return Err(SendError::NothingSent(Box::new(request))),
                },
            };
            match connection.try_send_request(request).await {
                Ok(answer) => {
                    self.request_count.fetch_add(1, Ordering::Relaxed);
                    let upstream = self.clone();
                    return Ok(answer.map(|body| Returning::new(body, upstream, connection)));
                }
                Err(mut error) => match error.take_message() {
                    // The server closed a kept connection just now: take another one.
                    Some(unsent) if kept => request = unsent,
                    Some(unsent) => {
                        self.found_down();
                        return Err(SendError::NothingSent(Box::new(unsent)));
                    }
                    None => return Err(SendError::BrokeOff(error.into_error())),
                },
            }
        }
    }

    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // It went back when its body ended; its task may still have to notice that.
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Option<Connection> {
        let connecting = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)
        };
        match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
            Ok(Ok((sender, connection))) => {
                self.connect_count.fetch_add(1, Ordering::Relaxed);
                let address = self.address;
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(upstream = %address, %error, "a connection ended early");
                    }
                });
                Some(sender)
            }
            Ok(Err(error)) => {
                tracing::debug!(upstream = %self.address, %error, "could not connect");
                self.found_down();
                None
            }
            Err(_elapsed) => {
                self.found_down();
                None
            }
        }
    }

    /// Takes it out at once and has its health asked for.
    fn found_down(&self) {
        self.refused_count.fetch_add(1, Ordering::Relaxed);
        if self.healthy.swap(false, Ordering::Relaxed) {
            tracing::info!(upstream = %self.address, "taken out after a refused connection");
            self.ask_now.notify_one();
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.is_closed() && idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(connection);
        }
    }
}

/// An answer's body that gives its connection back when it has been read to the end.
#[derive(Debug)]
pub struct Returning {
    body: Incoming,
    home: Option<(Arc<Upstream>, Connection)>,
}

impl Returning {
    fn new(body: Incoming, upstream: Arc<Upstream>, connection: Connection) -> Returning {
        let mut returning = Returning { body, home: Some((upstream, connection)) };
        // An empty body is never asked for its end.
        returning.give_back_at_end();
        returning
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some((upstream, connection)) = self.home.take()
        {
            upstream.give_back(connection);
        }
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(None) => {
                if let Some((upstream, connection)) = self.home.take() {
                    upstream.give_back(connection);
                }
            }
            Poll::Ready(Some(Ok(_))) => self.give_back_at_end(),
            // A broken body's connection is not used again.
            Poll::Ready(Some(Err(_))) => self.home = None,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
