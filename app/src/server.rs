//! The HTTP/1.1 server: accepts connections, hands them to the router, and stops without dropping what is in flight.
//!
//! hyper directly rather than `axum::serve`, because a slow or idle client must not hold a place for ever: the head has a
//! time limit and connections have a number. What a request's handler leaves of its body is read on by `unread`, so that answers arrive. The
//! next stop is `router`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::unread;

/// Open connections; at 8 KB of buffers each this is 80 MB at most. More wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 10_000;
/// From the opening (or the end of the last answer) to the end of the next head. Well above the 60 s after which a
/// balancer usually gives up an idle connection: the side that closes first must not be the one that may be written to.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);
/// After a failed accept (no file descriptors left, say) nothing is gained by trying again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes the address. The error names it, and what to do when it is taken.
pub async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} (is another process there? `--listen` chooses another address)")
    })
}

/// Serves until `stop`, then finishes what is in flight for at most `grace`. True when everything was finished.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    grace: Duration,
) -> bool {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).pipeline_flush(true);
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = graceful.watch(connection(&http, stream, peer, router.clone()));
        tokio::spawn(async move {
            // A client that goes away is its own business: nothing to log above debug.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
}

/// One connection's requests, one after the other, each with the peer's address attached.
fn connection(
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + 'static {
    // Without this a small answer may wait 40 ms for the acknowledgement of the one before it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        unread::answer(router.clone(), request)
    });
    http.serve_connection(TokioIo::new(stream), service)
}
