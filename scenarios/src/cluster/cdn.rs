//! `lightmeter cdn`: one edge of a content delivery network, in front of the object store.
//!
//! GET and HEAD only. It keeps what the origin allows to be kept (`Cache-Control`), for as long as allowed,
//! asks again with the `ETag` afterwards, and forgets the least used when its bytes are full. However many
//! people ask for a missing picture at once, the origin is asked once. Ranges, and whatever may not be
//! kept, pass through as they come. A stand-in: the edges of a real CDN also share what they have, and
//! are many. `freshness` decides what may be kept; the server loop is in `http`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Empty, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use moka::future::Cache;

use super::http::{
    BodyError, INFO_PATH, announce, json_answer, listen, run_role, serve, stop_on_signal,
    text_answer,
};

mod freshness;

use freshness::{etag_matches, fresh_for};

/// Objects above this are never kept: one of them would displace too many pictures.
const OBJECT_BYTES_MAX: usize = 32 << 20;
/// What an entry costs beside its body: names and headers.
const ENTRY_OVERHEAD_BYTES: usize = 1024;
/// How long the origin may take until its answer begins.
const ORIGIN_LIMIT: Duration = Duration::from_secs(30);
/// Idle connections to the origin that are kept.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// How long requests in flight may take to finish at the end.
const GRACE: Duration = Duration::from_secs(5);

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// Headers of the origin that are kept with a body.
const KEPT_HEADERS: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CACHE_CONTROL,
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
];

/// Where to listen and whose content to deliver.
#[derive(Debug, Clone, clap::Args)]
pub struct CdnArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The object store, such as `http://127.0.0.1:9000`.
    #[arg(long)]
    pub origin: Uri,
    /// Most bytes kept.
    #[arg(long, default_value_t = 256 << 20)]
    pub bytes_max: u64,
}

type EdgeBody = Either<Full<Bytes>, Incoming>;

/// Delivers until SIGTERM.
///
/// # Errors
/// The origin is not an http address, or our own address cannot be had.
pub fn run(args: CdnArgs) -> anyhow::Result<()> {
    run_role(async move {
        let stop = stop_on_signal()?;
        let edge = Arc::new(Edge::new(&args)?);
        let listener = listen(args.listen).await?;
        announce("cdn", listener.local_addr()?, None)?;
        let handler = move |request, _peer| {
            let edge = edge.clone();
            async move { edge.answer(request).await }
        };
        serve(listener, handler, stop, GRACE).await;
        Ok(())
    })
}

/// An object that may be kept.
#[derive(Debug)]
struct Kept {
    headers: HeaderMap,
    body: Bytes,
    stored: Instant,
    fresh_for: Duration,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.stored.elapsed() < self.fresh_for
    }
}

/// Why the origin's answer is not in the cache now.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error("it may not be kept")]
    Refused,
    #[error("the origin could not be asked")]
    Origin(#[source] BodyError),
}

/// What the request that asked the origin holds in its hands afterwards.
type Slot = Arc<Mutex<Option<Response<EdgeBody>>>>;

#[derive(Debug)]
struct Edge {
    origin: (Scheme, Authority),
    client: Client<HttpConnector, Empty<Bytes>>,
    cache: Cache<String, Arc<Kept>>,
    request_count: AtomicU64,
    hit_count: AtomicU64,
    miss_count: AtomicU64,
    pass_count: AtomicU64,
    revalidated_count: AtomicU64,
    error_count: AtomicU64,
    origin_bytes: AtomicU64,
}

impl Edge {
    fn new(args: &CdnArgs) -> anyhow::Result<Edge> {
        let parts = args.origin.clone().into_parts();
        let scheme = parts.scheme.context("--origin must begin with http://")?;
        ensure!(scheme == Scheme::HTTP, "--origin must begin with http://");
        let authority = parts.authority.context("--origin must name a host")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        let weigh = |key: &String, kept: &Arc<Kept>| {
            let bytes = key.len() + kept.body.len() + ENTRY_OVERHEAD_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Ok(Edge {
            origin: (scheme, authority),
            client,
            cache: Cache::builder().weigher(weigh).max_capacity(args.bytes_max).build(),
            request_count: AtomicU64::new(0),
            hit_count: AtomicU64::new(0),
            miss_count: AtomicU64::new(0),
            pass_count: AtomicU64::new(0),
            revalidated_count: AtomicU64::new(0),
            error_count: AtomicU64::new(0),
            origin_bytes: AtomicU64::new(0),
        })
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<EdgeBody> {
        if request.uri().path() == INFO_PATH {
            return json_answer(&self.info()).map(Either::Left);
        }
        self.request_count.fetch_add(1, Ordering::Relaxed);
        let result = match *request.method() {
            Method::GET if !request.headers().contains_key(header::RANGE) => {
                self.cached(&request).await
            }
            Method::HEAD | Method::GET => self.pass(&request).await,
            _ => {
                let mut answer =
                    text_answer(StatusCode::METHOD_NOT_ALLOWED, "An edge only reads: GET or HEAD.");
                let allowed = HeaderValue::from_static("GET, HEAD");
                answer.headers_mut().insert(header::ALLOW, allowed);
                return answer.map(Either::Left);
            }
        };
        result.unwrap_or_else(|error| {
            self.error_count.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(path = request.uri().path(), %error, "the origin did not answer");
            text_answer(StatusCode::BAD_GATEWAY, "The origin did not answer.").map(Either::Left)
        })
    }

    /// From the cache, or once from the origin for everyone who waits.
    async fn cached(&self, request: &Request<Incoming>) -> Result<Response<EdgeBody>, BodyError> {
        let key = path_of(request).to_string();
        let mut known = self.cache.get(&key).await;
        if let Some(kept) = &known
            && kept.is_fresh()
        {
            self.hit_count.fetch_add(1, Ordering::Relaxed);
            return Ok(deliver(kept, request, "HIT"));
        }
        if known.is_some() {
            self.cache.invalidate(&key).await;
        }
        let asked = Arc::new(Mutex::new(false));
        let slot: Slot = Arc::default();
        let fetched = self
            .cache
            .try_get_with(key, async {
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
                self.fetch(request, known.take(), &slot).await
            })
            .await;
        let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = if asked { &self.miss_count } else { &self.hit_count };
        match fetched {
            Ok(kept) => {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(deliver(&kept, request, if asked { "MISS" } else { "HIT" }))
            }
            Err(error) => match &*error {
                NotKept::Refused => {
                    let passed = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                    match passed {
                        Some(answer) => {
                            self.pass_count.fetch_add(1, Ordering::Relaxed);
                            Ok(answer)
                        }
                        None => self.pass(request).await,
                    }
                }
                NotKept::Origin(cause) => Err(cause.to_string().into()),
            },
        }
    }

    /// Asks the origin for something that may perhaps be kept. What may not goes into the slot.
    async fn fetch(
        &self,
        request: &Request<Incoming>,
        stale: Option<Arc<Kept>>,
        slot: &Slot,
    ) -> Result<Arc<Kept>, NotKept> {
        let etag = stale.as_ref().and_then(|kept| kept.headers.get(header::ETAG).cloned());
        let mut headers = HeaderMap::new();
        if let Some(etag) = etag {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let answer = self
            .ask_origin(Method::GET, path_of(request), headers)
            .await
            .map_err(NotKept::Origin)?;
        let fresh_for = fresh_for(answer.status(), answer.headers());
        if let (StatusCode::NOT_MODIFIED, Some(stale)) = (answer.status(), stale) {
            self.revalidated_count.fetch_add(1, Ordering::Relaxed);
            let fresh_for = fresh_for.unwrap_or(stale.fresh_for);
            let (headers, body) = (stale.headers.clone(), stale.body.clone());
            return Ok(Arc::new(Kept { headers, body, stored: Instant::now(), fresh_for }));
        }
        let too_large = answer.body().size_hint().lower() > OBJECT_BYTES_MAX as u64;
        let Some(fresh_for) = fresh_for.filter(|_| !too_large) else {
            let answer = passed_on(answer);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            return Err(NotKept::Refused);
        };
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, OBJECT_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            // Longer than announced: every waiter fetches it without keeping it.
            Err(error) if error.is::<LengthLimitError>() => return Err(NotKept::Refused),
            Err(error) => return Err(NotKept::Origin(error)),
        };
        self.origin_bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        let mut headers = HeaderMap::with_capacity(KEPT_HEADERS.len() + 2);
        for name in &KEPT_HEADERS {
            if let Some(value) = head.headers.get(name) {
                headers.insert(name, value.clone());
            }
        }
        Ok(Arc::new(Kept { headers, body, stored: Instant::now(), fresh_for }))
    }

    /// Straight from the origin, with the client's own conditions and ranges.
    async fn pass(&self, request: &Request<Incoming>) -> Result<Response<EdgeBody>, BodyError> {
        self.pass_count.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        for name in [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH] {
            if let Some(value) = request.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
        let method = request.method().clone();
        Ok(passed_on(self.ask_origin(method, path_of(request), headers).await?))
    }

    async fn ask_origin(
        &self,
        method: Method,
        path: PathAndQuery,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, BodyError> {
        let (scheme, authority) = self.origin.clone();
        let uri =
            Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()?;
        let mut request = Request::builder().method(method).uri(uri).body(Empty::new())?;
        *request.headers_mut() = headers;
        Ok(tokio::time::timeout(ORIGIN_LIMIT, self.client.request(request)).await??)
    }

    fn info(&self) -> serde_json::Value {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        serde_json::json!({
            "role": "cdn",
            "settings": { "kept_bytes_max": self.cache.policy().max_capacity() },
            "counters": {
                "cdn.requests": of(&self.request_count),
                "cdn.hit": of(&self.hit_count),
                "cdn.miss": of(&self.miss_count),
                "cdn.passed": of(&self.pass_count),
                "cdn.revalidated": of(&self.revalidated_count),
                "cdn.error": of(&self.error_count),
                "cdn.origin_bytes": of(&self.origin_bytes),
            },
            "kept_bytes": self.cache.weighted_size(),
        })
    }
}

fn path_of(request: &Request<Incoming>) -> PathAndQuery {
    let root = || PathAndQuery::from_static("/");
    request.uri().path_and_query().cloned().unwrap_or_else(root)
}

/// A kept object as an answer; only its head when the client already has it.
fn deliver(kept: &Kept, request: &Request<Incoming>, how: &'static str) -> Response<EdgeBody> {
    let has_it =
        etag_matches(request.headers().get(header::IF_NONE_MATCH), kept.headers.get(header::ETAG));
    let body = if has_it { Bytes::new() } else { kept.body.clone() };
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.headers_mut() = kept.headers.clone();
    answer.headers_mut().insert(header::AGE, kept.stored.elapsed().as_secs().into());
    answer.headers_mut().insert(X_CACHE, HeaderValue::from_static(how));
    if has_it {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    answer
}

/// The origin's answer as it comes.
fn passed_on(answer: Response<Incoming>) -> Response<EdgeBody> {
    let mut answer = answer.map(Either::Right);
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::SET_COOKIE] {
        answer.headers_mut().remove(name);
    }
    answer.headers_mut().insert(X_CACHE, HeaderValue::from_static("MISS"));
    answer
}
