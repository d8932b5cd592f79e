//! `lightmeter null-server`: the cheapest server there is, to find out how fast the generator can be.
//!
//! It answers every request with the same 1 KiB and looks at nothing. What the generator reaches against it
//! is the generator's own limit; MEASURING.md asks for three times the highest rate that is used.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use super::http::{announce, listen, run_role, serve, stop_on_signal};

/// Bytes of every answer.
const BODY_BYTES: usize = 1024;
/// How long requests in flight may take to finish at the end.
const GRACE: Duration = Duration::from_secs(1);

/// Where to listen.
#[derive(Debug, Clone, clap::Args)]
pub struct NullServerArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// Serves until SIGTERM.
///
/// # Errors
/// The address cannot be had.
pub fn run(args: NullServerArgs) -> anyhow::Result<()> {
    run_role(async move {
        let stop = stop_on_signal()?;
        let listener = listen(args.listen).await?;
        announce("null-server", listener.local_addr()?, None)?;
        let body = Bytes::from(vec![b'.'; BODY_BYTES]);
        let handler = move |_request: Request<Incoming>, _peer| {
            std::future::ready(Response::new(Full::new(body.clone())))
        };
        serve(listener, handler, stop, GRACE).await;
        Ok(())
    })
}
