//! Carries out one operation: which requests it makes, in which order, and when it counts as done right.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::header::{CONTENT_TYPE, COOKIE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

use super::choice::Choice;
use super::exchange::{Answer, Fault, Keep, Tally, Way, exchange};
use super::pictures::content_type;
use super::pool::{Body, Pool};
use super::trial::Trial;
use super::types::{AssetRewrite, Operation, Target};
use super::verify;

/// Images of a page view: the first of the feed, which are in sight or so near that a browser loads them before anybody
/// scrolls (the others are marked `loading="lazy"`). As many as browsers fetch at once from a host over HTTP/1.1.
const IMAGES_IN_SIGHT: usize = 6;
/// The first pause between two questions whether a photo is finished, and how it grows: x 1.25 up to the longest.
/// The moment itself comes from the server, so that a long pause costs no accuracy; it spares the web server.
const POLL_FIRST: Duration = Duration::from_millis(10);
const POLL_LONGEST: Duration = Duration::from_secs(1);
const POLL_GROWTH: f64 = 1.25;
/// What people write; form-encoded.
const COMMENTS: [&str; 8] = [
    "What+a+light",
    "Where+is+this%3F",
    "I+was+there+last+summer+and+it+looked+nothing+like+this",
    "Lovely",
    "The+ridge+on+the+left+makes+it",
    "Which+lens%3F",
    "More+of+these%2C+please",
    "Printed+and+on+the+wall",
];
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What is left to do when the person already has their answer.
pub(super) enum FollowUp {
    /// Nothing.
    None,
    /// Look at the photo's page: does it count likes?
    LookAtPhoto(String),
    /// Wait until the uploaded photo is finished; look at its page then, if it is this one's turn.
    AwaitPhoto { photo: String, look: bool },
}

/// A correct answer: its moments, and what follows.
pub(super) struct Done {
    pub(super) first_byte: Instant,
    pub(super) last_byte: Instant,
    pub(super) verified: bool,
    pub(super) follow_up: FollowUp,
}

impl Done {
    fn new(answer: &Answer) -> Self {
        Self {
            first_byte: answer.first_byte,
            last_byte: answer.last_byte,
            verified: false,
            follow_up: FollowUp::None,
        }
    }
}

/// One operation in progress.
pub(super) struct Performance<'a> {
    pub(super) trial: &'a Trial,
    pub(super) choice: Choice,
    /// Check the body in depth.
    pub(super) deep: bool,
    pub(super) tally: &'a Tally,
}

impl Performance<'_> {
    /// Carries the operation out up to the last byte the person waits for.
    pub(super) async fn perform(&self, operation: &Operation) -> Result<Done, Fault> {
        match operation {
            Operation::Home => self.feed("home", Uri::from_static("/")).await,
            Operation::Explore => self.feed("explore", Uri::from_static("/explore")).await,
            Operation::Profile => {
                let path = format!("/u/{}", self.photo()?.author);
                self.feed("profile", uri(path)?).await
            }
            Operation::Photo => {
                let photo = &self.photo()?.id;
                let answer = self.page("photo", uri(format!("/p/{photo}"))?, self.keep()).await?;
                let mut done = Done::new(&answer);
                if self.deep {
                    verify::check_photo(&text(&answer), photo)?;
                    done.verified = true;
                }
                Ok(done)
            }
            Operation::Like => Box::pin(self.like()).await,
            Operation::Comment => {
                let comment = COMMENTS[(self.choice.bits >> 8) as usize % COMMENTS.len()];
                let path = format!("/p/{}/comments", self.photo()?.id);
                self.form("comment", path, format!("body={comment}")).await
            }
            Operation::Follow => {
                let path = format!("/u/{}/follow", self.somebody_else()?);
                self.form("follow", path, format!("on={}", self.choice.bits & 1 == 1)).await
            }
            Operation::PageView => Box::pin(self.page_view()).await,
            Operation::Upload { picture, filter } => {
                let bits = self.choice.bits;
                let form = self.trial.forms.borrow().get(*picture, filter, bits);
                let form = form.ok_or(Fault::Population)?;
                Box::pin(self.upload(form)).await
            }
            Operation::Get(path) => {
                let route = route_of(path);
                let request = self.request(Method::GET, uri(path.clone())?, Bytes::new(), false)?;
                let answer = self.send(self.pool(), route, request, Keep::Length).await?;
                answer.expect(StatusCode::OK)?;
                Ok(Done::new(&answer))
            }
        }
    }

    /// Does what is left after the answer; the person is not waiting any more.
    /// Gives the Unix microseconds at which the photo was finished, for uploads.
    pub(super) async fn follow_up(&self, follow_up: FollowUp) -> Result<Option<u64>, Fault> {
        match follow_up {
            FollowUp::None => Ok(None),
            FollowUp::LookAtPhoto(photo) => self.look_at(&photo).await.map(|()| None),
            FollowUp::AwaitPhoto { photo, look } => {
                let ready_at_us = self.await_photo(&photo).await?;
                if look {
                    self.look_at(&photo).await?;
                }
                Ok(Some(ready_at_us))
            }
        }
    }

    async fn feed(&self, route: &'static str, uri: Uri) -> Result<Done, Fault> {
        let answer = self.page(route, uri, self.keep()).await?;
        let mut done = Done::new(&answer);
        if self.deep {
            let html = text(&answer);
            verify::check_feed(&html)?;
            if route == "home" {
                verify::check_logged_in(&html)?;
            }
            done.verified = true;
        }
        Ok(done)
    }

    async fn like(&self) -> Result<Done, Fault> {
        let photo = &self.photo()?.id;
        let on = !self.choice.bits.is_multiple_of(4);
        let mut done = self.form("like", format!("/p/{photo}/like"), format!("on={on}")).await?;
        if self.deep {
            done.verified = true;
            done.follow_up = FollowUp::LookAtPhoto(photo.clone());
        }
        Ok(done)
    }

    async fn upload(&self, form: Bytes) -> Result<Done, Fault> {
        let mut request = self.request(Method::POST, Uri::from_static("/upload"), form, true)?;
        let kind = HeaderValue::try_from(content_type()).map_err(|_| Fault::BadAddress)?;
        request.headers_mut().insert(CONTENT_TYPE, kind);
        let answer = self.send(self.pool(), "upload", request, Keep::Length).await?;
        answer.expect(StatusCode::SEE_OTHER)?;
        let photo = answer.location().and_then(|location| location.strip_prefix("/p/"));
        let photo = photo.ok_or(Fault::WrongBody("the upload does not lead to a photo"))?;
        let follow_up = FollowUp::AwaitPhoto { photo: photo.to_owned(), look: self.deep };
        Ok(Done { follow_up, verified: self.deep, ..Done::new(&answer) })
    }

    async fn page_view(&self) -> Result<Done, Fault> {
        let answer = self.page("home", Uri::from_static("/"), Keep::Whole).await?;
        let html = text(&answer);
        verify::check_whole(&html)?;
        verify::check_logged_in(&html)?;
        if self.deep {
            verify::check_feed(&html)?;
        }
        let sources = verify::rendition_sources(&html);
        if sources.is_empty() && !verify::card_ids(&html).is_empty() {
            return Err(Fault::WrongBody("the cards have no images"));
        }
        let images = stream::iter(sources).take(IMAGES_IN_SIGHT).map(|source| self.image(source));
        let images: Vec<_> = images.buffer_unordered(IMAGES_IN_SIGHT).collect().await;
        let mut done = Done { verified: self.deep, ..Done::new(&answer) };
        for image in images {
            done.last_byte = done.last_byte.max(image?);
        }
        Ok(done)
    }

    /// Fetches one image; gives the moment of its last byte.
    async fn image(&self, source: String) -> Result<Instant, Fault> {
        let region = &self.trial.request.targets[self.choice.target].region;
        let source = rewrite(source, &self.trial.request.asset_rewrites, region);
        let uri = uri(source)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| Fault::BadAddress)?;
        let (pool, own) = match uri.authority() {
            None => (self.pool().clone(), true),
            Some(_) if uri.scheme_str() != Some("http") => return Err(Fault::BadAddress),
            Some(authority) if !self.is_allowed(authority.as_str()) => {
                return Err(Fault::BadAddress);
            }
            Some(authority) => {
                let pool = self.trial.pools.get(authority.as_str())?;
                let own = Rc::ptr_eq(&pool, self.pool());
                (pool, own)
            }
        };
        let mut request = self.request(Method::GET, path, Bytes::new(), own)?;
        request.headers_mut().insert(HOST, pool.host.clone());
        let route = if own { "asset" } else { "image" };
        let answer = self.send(&pool, route, request, Keep::Length).await?;
        answer.expect(StatusCode::OK)?;
        if !answer.is_whole_jpeg() {
            return Err(Fault::WrongBody("an image is not a whole JPEG"));
        }
        Ok(answer.last_byte)
    }

    /// Whether pictures may come from there: a page must not lead the load out of the stack.
    fn is_allowed(&self, authority: &str) -> bool {
        let request = &self.trial.request;
        let is_target =
            |target: &Target| target.url.authority().is_some_and(|own| own.as_str() == authority);
        request.hosts_allowed.as_ref().is_none_or(|allowed| {
            allowed.contains(authority) || request.targets.iter().any(is_target)
        })
    }

    async fn look_at(&self, photo: &str) -> Result<(), Fault> {
        let answer = self.page("photo", uri(format!("/p/{photo}"))?, Keep::Whole).await?;
        verify::check_photo(&text(&answer), photo)
    }

    /// Asks until the photo is finished; gives the Unix microseconds at which it was.
    async fn await_photo(&self, photo: &str) -> Result<u64, Fault> {
        #[derive(serde::Deserialize)]
        struct Status {
            progress: String,
            ready_at_us: Option<u64>,
        }
        let mut pause = POLL_FIRST;
        loop {
            let tally = Tally::default();
            let poll = Performance { tally: &tally, ..*self };
            let asked = poll.page("status", uri(format!("/p/{photo}/status"))?, Keep::Whole).await;
            let status = asked.and_then(|answer| {
                serde_json::from_slice::<Status>(&answer.body)
                    .map_err(|_| Fault::WrongBody("the status is not what was agreed"))
            });
            self.trial.count_poll(&tally, status.as_ref().err().copied());
            if let Ok(Status { progress, ready_at_us }) = status {
                match (progress.as_str(), ready_at_us) {
                    ("ready", Some(ready_at_us)) => return Ok(ready_at_us),
                    ("failed", _) => return Err(Fault::NotRendered),
                    _ => {}
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.mul_f64(POLL_GROWTH).min(POLL_LONGEST);
        }
    }

    async fn form(&self, route: &'static str, path: String, body: String) -> Result<Done, Fault> {
        let mut request = self.request(Method::POST, uri(path)?, Bytes::from(body), true)?;
        request.headers_mut().insert(CONTENT_TYPE, FORM);
        let answer = self.send(self.pool(), route, request, Keep::Length).await?;
        answer.expect(StatusCode::SEE_OTHER)?;
        Ok(Done::new(&answer))
    }

    async fn page(&self, route: &'static str, uri: Uri, keep: Keep) -> Result<Answer, Fault> {
        let request = self.request(Method::GET, uri, Bytes::new(), true)?;
        let answer = self.send(self.pool(), route, request, keep).await?;
        answer.expect(StatusCode::OK)?;
        Ok(answer)
    }

    async fn send(
        &self,
        pool: &Rc<Pool>,
        route: &'static str,
        request: Request<Body>,
        keep: Keep,
    ) -> Result<Answer, Fault> {
        let way = Way { pool, route, routes: &self.trial.routes, tally: self.tally };
        exchange(&way, request, keep).await
    }

    /// A request to the chosen target, by the chosen person if it is `personal`.
    fn request(
        &self,
        method: Method,
        uri: Uri,
        body: Bytes,
        personal: bool,
    ) -> Result<Request<Body>, Fault> {
        let mut request = Request::new(Body::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, self.pool().host.clone());
        if personal {
            let person = self.choice.person.ok_or(Fault::Population)?;
            if let Some(cookie) = self.trial.cookie(person) {
                request.headers_mut().insert(COOKIE, cookie);
            }
        }
        Ok(request)
    }

    fn pool(&self) -> &Rc<Pool> {
        &self.trial.target_pools[self.choice.target]
    }

    fn keep(&self) -> Keep {
        if self.deep { Keep::Whole } else { Keep::Length }
    }

    fn photo(&self) -> Result<&crate::population::PhotoEntry, Fault> {
        let photos = &self.trial.request.population.photos;
        self.choice.photo.and_then(|photo| photos.get(photo)).ok_or(Fault::Population)
    }

    /// The author of the chosen photo, or another person when that is oneself: nobody follows themselves.
    fn somebody_else(&self) -> Result<&str, Fault> {
        let people = &self.trial.request.population.people;
        let own = self.choice.person.ok_or(Fault::Population)?;
        let author = &self.photo()?.author;
        if *author != people[own].name {
            return Ok(author);
        }
        let other = (own + 1) % people.len();
        if other == own { Err(Fault::Population) } else { Ok(&people[other].name) }
    }
}

/// The server's label for a free path.
fn route_of(path: &str) -> &'static str {
    if path.starts_with("/assets/") {
        "asset"
    } else if path.starts_with("/static/") {
        "static"
    } else {
        "other"
    }
}

fn uri(text: String) -> Result<Uri, Fault> {
    Uri::try_from(text).map_err(|_| Fault::BadAddress)
}

fn text(answer: &Answer) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&answer.body)
}

fn rewrite(source: String, rewrites: &[AssetRewrite], region: &str) -> String {
    for rewrite in rewrites {
        let address = rewrite.by_region.get(region);
        if let (Some(rest), Some(address)) = (source.strip_prefix(&rewrite.prefix), address) {
            return format!("{address}{rest}");
        }
    }
    source
}
