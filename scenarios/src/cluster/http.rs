//! The small HTTP/1.1 server loop under the balancer, the CDN and the null server, and a client for counters.
//!
//! It accepts, serves each connection with hyper until it is told to stop, then lets requests in flight
//! finish for a bounded time. Routing and bodies are the caller's. Roles run on one thread: a request that
//! needs no second core should not pay for waking one.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where roles without pages of their own show their counters.
pub const INFO_PATH: &str = "/__lightmeter/info.json";
/// Most connections a role serves at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;
/// Most bytes of an answer that is read as counters.
const INFO_BYTES_MAX: usize = 4 << 20;
/// Pause after a failed accept: out of file descriptors, which only time can cure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// An error of a body, whatever its kind.
pub type BodyError = Box<dyn StdError + Send + Sync>;

/// Serves until `stop`, then finishes what is in flight, for no longer than `grace`.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    handler: H,
    stop: CancellationToken,
    grace: Duration,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let handler = Arc::new(handler);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let (handler, stop) = (handler.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = handler(request, peer);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = server::Builder::new().serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
            drop(slot);
        });
    }
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were still busy and are cut");
    }
}

pub(crate) type Slot = tokio::sync::OwnedSemaphorePermit;

pub(crate) async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, Slot)> {
    // The semaphore is never closed.
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay");
            }
            Some((stream, peer, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Binds an address, or says how to get out of it.
///
/// # Errors
/// The address is in use or not ours.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "could not listen on {address}; if the port is in use, stop its owner or choose \
             another with --listen (port 0 takes a free one)"
        )
    })
}

/// Prints the ready line that the cluster waits for.
///
/// # Errors
/// Standard output is closed.
pub fn announce(
    role: &str,
    listening: SocketAddr,
    control: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let line = serde_json::json!({ "listening": listening, "role": role, "control": control });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).context("could not print the address")
}

/// Runs a role on one thread.
///
/// # Errors
/// The runtime could not be made, or what the role says.
pub fn run_role(role: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not make the runtime")?
        .block_on(role)
}

/// A token that is cancelled by SIGTERM or SIGINT.
///
/// # Errors
/// The signals cannot be had.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not wait for SIGINT")?;
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}

/// A JSON answer.
pub fn json_answer(value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(value.to_string())));
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

/// A short page in words.
pub fn text_answer(status: StatusCode, text: impl Into<String>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text.into() + "\n")));
    *answer.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, text);
    answer
}

/// One GET over a connection of its own: status and body.
///
/// # Errors
/// In words: not reachable, not HTTP, too slow, too large.
pub async fn get(
    address: SocketAddr,
    path: &str,
    limit: Duration,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let exchange = async {
        let stream = TcpStream::connect(address).await.context("could not connect")?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path)
            .header(header::HOST, address.to_string())
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())?;
        let answer = async {
            let answer = sender.send_request(request).await.context("no answer")?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), INFO_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the body broke off: {error}"))?;
            anyhow::Ok((status, body.to_bytes()))
        };
        // The connection makes progress only while it is polled; the answer decides.
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            _ended = connection => answer.await,
        }
    };
    tokio::time::timeout(limit, exchange)
        .await
        .with_context(|| format!("no answer from http://{address}{path} within {limit:?}"))?
        .with_context(|| format!("could not get http://{address}{path}"))
}

/// One GET that must answer 200 with JSON.
///
/// # Errors
/// As [`get`], and when it is not JSON.
pub async fn get_json(
    address: SocketAddr,
    path: &str,
    limit: Duration,
) -> anyhow::Result<serde_json::Value> {
    let (status, body) = get(address, path, limit).await?;
    anyhow::ensure!(status == StatusCode::OK, "http://{address}{path} answered {status}");
    serde_json::from_slice(&body)
        .with_context(|| format!("http://{address}{path} did not answer with JSON"))
}
