//! The object store's stand-in: the S3 protocol (crate `s3s`) over files of our own.
//!
//! One process, one folder. Requests are signed with test/test; objects below `renditions/` may be read by anybody, as a bucket
//! with a public-read policy allows. What it cannot show: the latency, the replication and the scale of the real service.
//! This file is the process and its HTTP shell (`GET /__lightmeter/info.json` counts what was asked, `s3_cors` answers browsers that ask
//! before they send); `s3_service` answers the protocol's operations, `s3_disk` keeps the objects.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::s3_cors::Cors;
use super::s3_counters::Counters;
use super::s3_disk::Disk;
use super::s3_service::ObjectStore;

/// The only account.
pub(super) const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "test";
/// What anybody may read.
const PUBLIC_PREFIX: &str = "renditions/";

/// `lightmeter standin s3`
#[derive(Debug, Clone, clap::Args)]
pub struct S3Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Folder of the objects; what is in it is served again after a restart. Without it: a folder that vanishes at the end.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Buckets to create at start.
    #[arg(long = "bucket")]
    pub buckets: Vec<String>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The address is in use, or the folder cannot be read.
pub async fn run(args: S3Args) -> anyhow::Result<()> {
    let vanishing = if args.data.is_none() { Some(tempfile::tempdir()?) } else { None };
    let folder = match (&args.data, &vanishing) {
        (Some(folder), _) => folder.clone(),
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => unreachable!("one of both was just made"),
    };
    let disk = Disk::open(folder)?;
    for bucket in &args.buckets {
        disk.create_bucket(bucket)?;
    }
    let listener = TcpListener::bind(args.listen).await?;
    super::announce(listener.local_addr()?)?;
    serve(listener, Arc::new(disk), super::stop_signal()?).await
}

/// Serves on a listener until `stop` is cancelled; requests in flight are finished.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    disk: Arc<Disk>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let counters = Arc::new(Counters::default());
    let cors = Arc::new(Cors::default());
    let store = ObjectStore::new(disk, counters.clone(), cors.clone());
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(OneAccount);
    builder.set_access(PublicRenditions);
    let shell = Arc::new(Shell { s3: builder.build(), counters, cors });
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, _peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = stop.cancelled() => break,
        };
        stream.set_nodelay(true)?;
        let shell = Arc::clone(&shell);
        let service = service_fn(move |request| Arc::clone(&shell).answer(request));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    graceful.shutdown().await;
    Ok(())
}

struct Shell {
    s3: S3Service,
    counters: Arc<Counters>,
    cors: Arc<Cors>,
}

impl Shell {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, s3s::HttpError> {
        if request.method() == Method::GET && request.uri().path() == super::INFO_PATH {
            return Ok(self.info());
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if let Some(answer) = self.cors.preflight(&method, &path, request.headers()) {
            return Ok(answer);
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut answer = self.s3.call(request.map(Body::from)).await?;
        if let Some(origin) = origin.as_ref().and_then(|origin| origin.to_str().ok()) {
            self.cors.let_see((&method, &path, origin), answer.headers_mut());
        }
        Ok(answer)
    }

    fn info(&self) -> Response<Body> {
        let text = self.counters.to_json("s3").to_string();
        let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
        let mut response = Response::new(Body::http_body(body.map_err(std::io::Error::other)));
        *response.status_mut() = StatusCode::OK;
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// test/test, and nobody else.
struct OneAccount;

#[async_trait::async_trait]
impl S3Auth for OneAccount {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY {
            Ok(SecretKey::from(SECRET_KEY))
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

/// Signed requests may do anything; others may read what is public.
struct PublicRenditions;

#[async_trait::async_trait]
impl S3Access for PublicRenditions {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() {
            return Ok(());
        }
        let reads = matches!(context.s3_op().name(), "GetObject" | "HeadObject");
        let key = context.s3_path().get_object_key();
        if reads && key.is_some_and(|key| key.starts_with(PUBLIC_PREFIX)) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "only objects below {PUBLIC_PREFIX} are public"))
    }
}
