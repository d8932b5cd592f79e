//! The stand-in for DynamoDB: database nodes, and a router that spreads partitions over them.
//!
//! A node is one process with a database in memory that speaks DynamoDB's JSON protocol (the crate dynoxide); the cluster
//! gives each its CPU budget. The router is what clients talk to: it sends every request to the node that owns the partition
//! key and joins what spans several. So more nodes carry more load, one hot partition stays on one node, and that is all this
//! can show: no replicas, no distance, no throttling by capacity units, nothing kept after a restart.
//!
//! `requests` finds partition keys, `nodes` talks to the nodes, `router` dispatches, `batches`, `scans` and `transactions`
//! join; `locks` keeps transactions apart from other writers.

mod answers;
mod batches;
mod counters;
mod locks;
mod nodes;
mod requests;
mod router;
mod scans;
mod transactions;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What is in flight when a stand-in is told to stop may take this long.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// `lightmeter standin dynamodb-node`: one database node.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// `lightmeter standin dynamodb`: the router in front of the nodes.
#[derive(Debug, Clone, clap::Args)]
pub struct RouterArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// A database node; give it once per node, always in the same order.
    #[arg(long = "node", required = true, value_name = "HOST:PORT")]
    pub nodes: Vec<SocketAddr>,
}

/// Plays a database node until SIGTERM or SIGINT.
///
/// # Errors
/// The address is in use, or the database cannot be opened.
pub async fn run_node(args: NodeArgs) -> anyhow::Result<()> {
    let listener = listen(args.listen).await?;
    until_signal(|stop| serve_node_until(listener, stop)).await
}

/// Plays the router until SIGTERM or SIGINT.
///
/// # Errors
/// The address is in use.
pub async fn run_router(args: RouterArgs) -> anyhow::Result<()> {
    let listener = listen(args.listen).await?;
    until_signal(|stop| serve_router_until(listener, args.nodes, stop)).await
}

/// A database node inside this process; ends with its task.
///
/// # Errors
/// The database cannot be opened, or the listener fails.
pub async fn serve_node(listener: TcpListener) -> anyhow::Result<()> {
    serve_node_until(listener, CancellationToken::new()).await
}

/// The router inside this process; ends with its task.
///
/// # Errors
/// The listener fails.
pub async fn serve_router(listener: TcpListener, nodes: Vec<SocketAddr>) -> anyhow::Result<()> {
    serve_router_until(listener, nodes, CancellationToken::new()).await
}

async fn serve_node_until(listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let database = dynoxide::Database::memory().context("open the node's database")?;
    let served =
        dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await;
    served.map_err(anyhow::Error::msg).context("serve a database node")
}

async fn serve_router_until(
    listener: TcpListener,
    nodes: Vec<SocketAddr>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    use axum::serve::ListenerExt as _;
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for an acknowledgement; without the option they are only slower.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    let service = router::service(nodes);
    axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("serve the router")
}

/// Listens, and says where.
async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    super::announce(listener.local_addr()?).context("say where it listens")?;
    Ok(listener)
}

/// Serves until a signal, and then for the grace period at most.
async fn until_signal<F>(serve: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let stop = super::stop_signal().context("listen for signals")?;
    let mut serving = std::pin::pin!(serve(stop.clone()));
    tokio::select! {
        served = &mut serving => return served,
        () = stop.cancelled() => {}
    }
    // What is still in flight after the grace period is cut off, which is what stopping means.
    tokio::time::timeout(SHUTDOWN_GRACE, serving).await.unwrap_or(Ok(()))
}
