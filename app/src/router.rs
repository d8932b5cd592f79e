//! Every URL on one line, then the middleware in the order a request meets it.
//!
//! observe (request id, log line, metrics by route label, security headers, timeout, cross-site refusal) -> catch panics ->
//! compression -> validators of pages -> body limit -> the handler in `routes`. The observing layer is one function because it is paid on every
//! request: six layers of their own would cost more than the page's HTML.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::error::{AppError, Failure, log_failure};
use crate::routes::forwarded::is_https;
use crate::routes::origin::{is_own_origin, local_target};
use crate::routes::validators::{self, Known};
use crate::routes::{
    account, assets, explore, health, home, people, photo, see_other, slots, social, static_files,
    upload, versions,
};
use crate::state::AppState;
use crate::telemetry::RouteInstruments;

/// Forms are short: the longest holds a caption of 2,000 characters, percent-encoded at most 24 KB.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Below this a compressed answer would not even save a packet.
const COMPRESS_BYTES_MIN: u16 = 1_024;
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Pictures are chosen as files: no page needs a sensor.
const NO_SENSORS: &str = "camera=(), microphone=(), geolocation=()";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A request id from outside is kept when it is short and plain, so that a balancer's id can be followed.
const REQUEST_ID_LENGTH_MAX: usize = 64;

/// Collects routes together with their labels.
struct Routes {
    router: Router<AppState>,
    labels: HashMap<&'static str, PathLabels>,
}

#[derive(Default, Clone)]
struct PathLabels {
    get: Option<RouteInstruments>,
    post: Option<RouteInstruments>,
}

impl Routes {
    fn get<H, T>(&mut self, state: &AppState, path: &'static str, label: &'static str, handler: H)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = std::mem::take(&mut self.router).route(path, get(handler));
        self.labels.entry(path).or_default().get = Some(state.telemetry.route(label));
    }

    fn post<H, T>(&mut self, state: &AppState, path: &'static str, label: &'static str, handler: H)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = std::mem::take(&mut self.router).route(path, post(handler));
        self.labels.entry(path).or_default().post = Some(state.telemetry.route(label));
    }
}

/// What the observing layer needs.
#[derive(Clone)]
struct Observer {
    state: AppState,
    labels: Arc<HashMap<&'static str, PathLabels>>,
    other: RouteInstruments,
    content_security_policy: HeaderValue,
}

/// The whole app.
pub fn router(state: &AppState) -> Router {
    let mut routes = Routes { router: Router::new(), labels: HashMap::new() };
    let (r, s) = (&mut routes, state);
    r.get(s, "/", "home", home::show);
    r.get(s, "/explore", "explore", explore::show);
    r.get(s, "/search", "search", people::search);
    r.get(s, "/u/{name}", "profile", people::profile);
    r.post(s, "/u/{name}/follow", "follow", social::follow);
    r.get(s, "/p/{photo}", "photo", photo::show);
    r.get(s, "/p/{photo}/status", "status", photo::status);
    r.post(s, "/p/{photo}/like", "like", social::like);
    r.post(s, "/p/{photo}/comments", "comment", social::comment);
    r.post(s, "/p/{photo}/comments/{comment}/delete", "comment_delete", social::delete_comment);
    r.get(s, "/p/{photo}/edit", "edit_page", versions::edit_page);
    r.post(s, "/p/{photo}/edit", "edit", photo::edit);
    r.get(s, "/p/{photo}/preview", "preview", versions::preview);
    r.post(s, "/p/{photo}/versions", "version", versions::add_version);
    r.post(s, "/p/{photo}/versions/{version}/delete", "version_delete", versions::delete_version);
    r.post(s, "/p/{photo}/publish", "publish", versions::publish);
    r.post(s, "/p/{photo}/delete", "delete", photo::delete);
    r.get(s, "/upload", "upload_page", upload::page);
    r.post(s, "/upload/slots", "upload_slot", slots::open);
    r.get(s, "/signup", "signup_page", account::signup_page);
    r.post(s, "/signup", "signup", account::signup);
    r.get(s, "/login", "login_page", account::login_page);
    r.post(s, "/login", "login", account::login);
    r.post(s, "/logout", "logout", account::logout);
    r.get(s, "/account", "account_page", account::page_of);
    r.post(s, "/account", "account", account::rename);
    r.post(s, "/account/plan", "plan", account::change_plan);
    r.post(s, "/account/password", "password", account::change_password);
    r.post(s, "/account/delete", "account_delete", account::delete);
    r.get(s, "/plans", "plans", account::plans);
    r.get(s, "/topology", "topology", health::topology);
    r.get(s, "/assets/{*path}", "asset", assets::show);
    r.get(s, "/static/{file}", "static", static_files::show);
    r.get(s, "/favicon.ico", "static", static_files::favicon);
    r.get(s, "/robots.txt", "static", static_files::robots);
    health_routes(r, s);
    // The one route whose body may be long; the handler counts its bytes itself while they stream in.
    r.router = std::mem::take(&mut r.router)
        .route("/upload", post(upload::upload).layer(DefaultBodyLimit::disable()));
    r.labels.entry("/upload").or_default().post = Some(s.telemetry.route("upload"));
    finish(routes, state)
}

/// What a worker answers: health, facts and metrics, no pages.
pub fn worker_router(state: &AppState) -> Router {
    let mut routes = Routes { router: Router::new(), labels: HashMap::new() };
    health_routes(&mut routes, state);
    finish(routes, state)
}

fn health_routes(r: &mut Routes, s: &AppState) {
    r.get(s, "/healthz", "healthz", health::healthz);
    r.get(s, "/readyz", "readyz", health::readyz);
    r.get(s, "/metrics", "metrics", health::metrics);
    r.get(s, "/info", "info", health::info_page);
    r.get(s, "/info.json", "info_json", health::info_json);
}

fn finish(routes: Routes, state: &AppState) -> Router {
    let observer = Observer {
        state: state.clone(),
        labels: Arc::new(routes.labels),
        other: state.telemetry.route("other"),
        content_security_policy: content_security_policy(
            state.config.assets_public_url.as_deref(),
            state.slots.as_ref().map(|slots| slots.origin()),
        ),
    };
    // Pages and data shrink; pictures are compressed already. Speed before size: the CPU is the scarcer of the two.
    let worth_it = SizeAbove::new(COMPRESS_BYTES_MIN)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::const_new("application/octet-stream"));
    routes
        .router
        .fallback(no_page)
        .method_not_allowed_fallback(async || AppError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(revalidate))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(observer, observe))
        .with_state(state.clone())
}

/// An address with a slash too many leads to the one without; everything else is no page.
async fn no_page(uri: http::Uri, headers: HeaderMap) -> Result<Response, AppError> {
    let trimmed = uri.path().trim_end_matches('/');
    let target = local_target(&headers, trimmed);
    if trimmed.len() < uri.path().len() && target != "/" {
        return Ok(see_other(&target));
    }
    Err(AppError::NotFound("this page"))
}

/// Gives pages a validator, so that a browser that asks again for what it has is told so with 304 and no body. Pages say `no-cache`:
/// browsers ask each time, since likes and comments may have come. The tag is weak, as pages are equal and not the same; CRC-32 and length
/// cost 3 us for the longest page, and a page that changed without either changing is one in four thousand million.
async fn revalidate(request: Request, next: Next) -> Response {
    let asked = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = Known::of(request.headers());
    let response = next.run(request).await;
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !asked || !is_page || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Pages are made whole before they are sent, so this only hands over the bytes.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return AppError::Panicked("a page broke off while it was read".to_owned()).into_response();
    };
    let tag = format!("W/\"{:08x}-{:x}\"", crc32fast::hash(&bytes), bytes.len());
    let tag = HeaderValue::from_str(&tag).expect("hex digits fit a header");
    let known = known.tag(&tag);
    let unchanged = known.is_some();
    parts.headers.insert(header::ETAG, known.unwrap_or(tag));
    if unchanged {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.insert(header::VARY, validators::VARIES);
        return Response::from_parts(parts, axum::body::Body::empty());
    }
    Response::from_parts(parts, bytes.into())
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    AppError::Panicked(text.to_owned()).into_response()
}

/// The outermost layer: see the file's header.
async fn observe(
    State(observer): State<Observer>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let started = Instant::now();
    let _in_flight = observer.state.telemetry.begin();
    let request_id = request_id(&observer.state, request.headers());
    let method = request.method().clone();
    let https = is_https(request.headers());
    let instruments = observer.instruments(&request);
    // The path without its query: search words and cursors are nobody's business in a log.
    let path = request.uri().path().to_owned();
    let timeout = observer.state.config.request_timeout;
    let mut response = if is_cross_site_post(&method, request.headers()) {
        let why = "This form was sent from another site. Open the page here and send it again.";
        AppError::Forbidden(why).into_response()
    } else {
        match tokio::time::timeout(timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => AppError::TimedOut(timeout.as_millis()).into_response(),
        }
    };
    let duration = started.elapsed();
    let status = response.status();
    observer.state.telemetry.record(instruments, status.as_u16(), duration);
    let failure = response.extensions_mut().remove::<Failure>();
    let duration_ms = duration.as_secs_f64() * 1_000.0;
    if failure.is_some() || status.is_server_error() {
        let id = request_id.to_str().unwrap_or_default();
        log_failure(id, &method, &path, status, duration_ms, failure.as_ref());
    } else {
        tracing::debug!(?request_id, %method, path, status = status.as_u16(), duration_ms, "answered");
    }
    validators::tell_apart(response.headers_mut());
    observer.secure(response.headers_mut(), request_id, https);
    Ok(response)
}

impl Observer {
    fn instruments(&self, request: &Request) -> &RouteInstruments {
        let labels = request
            .extensions()
            .get::<MatchedPath>()
            .and_then(|matched| self.labels.get(matched.as_str()));
        let instruments = labels.and_then(|labels| match *request.method() {
            Method::POST => labels.post.as_ref(),
            Method::GET | Method::HEAD => labels.get.as_ref(),
            _ => None,
        });
        instruments.unwrap_or(&self.other)
    }

    fn secure(&self, headers: &mut HeaderMap, request_id: HeaderValue, https: bool) {
        headers.insert(header::CONTENT_SECURITY_POLICY, self.content_security_policy.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(NO_SENSORS));
        if https {
            // A year, as the browsers' own lists ask for; without subdomains, which are not ours to decide about.
            let year = HeaderValue::from_static("max-age=31536000");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        headers.insert(REQUEST_ID, request_id);
    }
}

/// Scripts, styles and forms from here only; pictures also from the CDN and from what a person is about to upload; scripts talk to this
/// server, and to the store that uploads are put into by the browser itself.
fn content_security_policy(assets_public_url: Option<&str>, slots: Option<&str>) -> HeaderValue {
    let origin = assets_public_url.and_then(|url| {
        let uri = url.parse::<http::Uri>().ok()?;
        Some(format!(" {}://{}", uri.scheme_str()?, uri.authority()?))
    });
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{}; \
         img-src 'self' blob: data:{}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        slots.map(|slots| format!(" {slots}")).unwrap_or_default(),
        origin.unwrap_or_default()
    );
    HeaderValue::from_str(&policy).expect("a URL that parsed holds no control characters")
}

fn request_id(state: &AppState, headers: &HeaderMap) -> HeaderValue {
    let plain = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        (1..=REQUEST_ID_LENGTH_MAX).contains(&bytes.len()) && bytes.iter().all(fits)
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(plain) {
        return given.clone();
    }
    let mut text = [0_u8; 16];
    hex::encode_to_slice(state.clock.random().to_be_bytes(), &mut text)
        .expect("8 bytes are 16 hex digits");
    HeaderValue::from_bytes(&text).expect("hex digits fit a header")
}

/// A browser says where a post comes from (Sec-Fetch-Site, or at least Origin); one that says nothing is no browser, hence
/// carries nobody's cookies but its own.
fn is_cross_site_post(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    !origin.to_str().is_ok_and(|origin| is_own_origin(headers, origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cross(pairs: &[(&'static str, &'static str)]) -> bool {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_cross_site_post(&Method::POST, &pairs.collect())
    }

    #[test]
    fn only_our_own_pages_may_post() {
        assert!(!cross(&[]));
        assert!(!cross(&[("sec-fetch-site", "same-origin")]));
        assert!(cross(&[("sec-fetch-site", "cross-site")]));
        assert!(cross(&[("sec-fetch-site", "same-site")]));
        assert!(!cross(&[("origin", "http://photos.test:81"), ("host", "photos.test:81")]));
        assert!(cross(&[("origin", "http://photos.test"), ("host", "photos.test:81")]));
        assert!(cross(&[("origin", "null"), ("host", "photos.test")]));
        let evil =
            HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("http://evil.test"))]);
        assert!(!is_cross_site_post(&Method::GET, &evil));
    }

    #[test]
    fn pictures_may_come_from_the_cdn() {
        let policy = content_security_policy(Some("http://127.0.0.1:9000/bucket"), None);
        let policy = policy.to_str().unwrap_or_default();
        assert!(policy.contains("img-src 'self' blob: data: http://127.0.0.1:9000;"), "{policy}");
        assert!(policy.contains("connect-src 'self';"), "{policy}");
    }

    #[test]
    fn scripts_talk_to_the_store_only_where_it_takes_uploads() {
        let policy = content_security_policy(None, Some("https://b.s3.eu-north-1.amazonaws.com"));
        let policy = policy.to_str().unwrap_or_default();
        let allowed = "connect-src 'self' https://b.s3.eu-north-1.amazonaws.com; img-src";
        assert!(policy.contains(allowed), "{policy}");
    }
}
